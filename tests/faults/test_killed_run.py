"""A run killed at any moment and started again ends with the same files, and never leaves half a snapshot or half a version."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from small_project import HERE, PARAMS, digest_files, make_project

from reconlib import snapshots
from reconlib.monthly import run_month
from reconlib.period import Period
from reconlib.report.archive import MANIFEST, verify_version
from reconlib.sandbox.server import Server, sandbox_sources, serve
from reconlib.sandbox.world import make_world

pytestmark = pytest.mark.slow

MOMENTS = 10
COMMAND = [sys.executable, "-c", "from reconlib.cli import main; main()", "run", PARAMS]
CLOCKED = {"index.html", MANIFEST}  # they name the ledger's head, and events have the moment they were written


@dataclass(frozen=True)
class Whole:
    """A run nobody disturbed."""

    seconds: float
    files: dict[str, str]


@pytest.fixture(scope="module")
def vendors() -> Iterator[Server]:
    with serve(make_world(7, 8, Period(2026, 10))) as server:
        yield server


@pytest.fixture(scope="module")
def whole(vendors: Server, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    root = make_project(tmp_path_factory.mktemp("whole"), sources=sandbox_sources(vendors))
    started = time.monotonic()
    subprocess.run(COMMAND, cwd=root, env={"PYTHONPATH": str(HERE)}, check=True, capture_output=True)
    return Whole(time.monotonic() - started, version_of(root))


def version_of(root: Path) -> dict[str, str]:
    found = digest_files(root / "reports" / "harbor-msp" / "2026-10" / "v1")
    assert "findings.parquet" in found
    return {name: digest for name, digest in found.items() if name not in CLOCKED}


def check_snapshots(root: Path) -> None:
    """Every folder with a snapshot's name is a whole snapshot."""
    for folder in (root / ".recon" / "harbor-msp" / "snapshots").glob("*/*/[0-9]*"):
        snapshots.verify(snapshots.read_snapshot(folder))


def check_archive(root: Path) -> None:
    """Every published version is whole."""
    for folder in (root / "reports").glob("*/*/v*"):
        assert verify_version(folder) == []


@pytest.mark.parametrize("number", range(MOMENTS))
def test_killed_at_a_random_moment_and_started_again(
    number: int, whole: Whole, vendors: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = random.Random(f"killed run {number}").uniform(0, whole.seconds)  # noqa: S311 - the same moments every time
    root = make_project(tmp_path, sources=sandbox_sources(vendors))
    with subprocess.Popen(
        COMMAND, cwd=root, env={"PYTHONPATH": str(HERE)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        time.sleep(moment)
        process.kill()
    check_snapshots(root)
    check_archive(root)

    monkeypatch.chdir(root)
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    assert run_month(PARAMS).exit_code == 0
    assert version_of(root) == whole.files, f"killed after {moment:.2f} of {whole.seconds:.2f} s"
    check_snapshots(root)
    check_archive(root)
    assert [path.name for path in (root / "reports" / "harbor-msp" / "2026-10").iterdir()] == ["v1"]
    assert not [path for path in (root / ".recon").rglob(".*") if path.is_dir()], "something half-made was left"
