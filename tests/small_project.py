"""A small demo project in a folder of its own: the real notebooks, rules and params, a made-up MSP of a few clients."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parents[1]
PARAMS = "params/demo.yaml"


def make_project(root: Path, *, clients: int = 8, sources: dict[str, dict[str, str]] | None = None, **more: Any) -> Path:
    """The project's folder; ``sources`` gives addresses, such as those of a server that misbehaves."""
    shutil.copytree(HERE / "notebooks", root / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    shutil.copytree(HERE / "params", root / "params")
    params = yaml.safe_load((HERE / PARAMS).read_text("utf-8"))
    params["sandbox"]["clients"] = clients
    for name, addresses in (sources or {}).items():
        params["sources"][name] |= addresses
    (root / PARAMS).write_text(yaml.safe_dump(params | more), "utf-8")
    return root


def digest_files(folder: Path) -> dict[str, str]:
    """sha256 of every file under a folder, by relative name."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
