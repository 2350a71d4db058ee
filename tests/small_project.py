"""A small demo project in a folder of its own: the real notebooks, rules and params, a made-up MSP of a few clients."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType
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


def load_app(name: str) -> ModuleType:
    """One of the apps as a module; marimo finds its cells in it."""
    spec = importlib.util.spec_from_file_location(f"{name}_app", HERE / "apps" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def digest_files(folder: Path) -> dict[str, str]:
    """sha256 of every file under a folder, by relative name."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
