"""One source down: the month finishes, says so first, claims nothing about that source, and ends with exit code 4 (T1)."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_project import HERE, PARAMS, digest_files, make_project

from reconlib.errors import ReconError
from reconlib.month import open_month, read_stage
from reconlib.monthly import run_month
from reconlib.period import Period
from reconlib.sandbox.server import Server, sandbox_sources, serve
from reconlib.sandbox.world import make_world

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def vendors() -> Iterator[Server]:
    with serve(make_world(7, 8, Period(2026, 10))) as server:
        yield server


@pytest.fixture
def root(vendors: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_project(tmp_path, sources=sandbox_sources(vendors))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    return tmp_path


def page(folder: Path, name: str) -> str:
    return re.sub(r"<[^>]+>", " ", (folder / f"{name}.html").read_text("utf-8").partition("</style>")[2])


def test_a_source_that_is_down_leaves_its_lines_without_count_and_the_run_ends_with_4(root: Path, vendors: Server) -> None:
    vendors.fail("ninja", "unauthorized")
    try:
        result = run_month(PARAMS)
    finally:
        vendors.heal("ninja")
    assert (result.exit_code, result.failed_sources, result.changed) == (4, ("ninja",), True)

    month = open_month(PARAMS)
    cells = read_stage(month, "comparison").to_pylist()
    devices = [cell for cell in cells if cell["service_code"] in ("RMM-WS", "RMM-SRV") and cell["lines"]]
    assert devices
    assert {cell["status"] for cell in devices} <= {"no_count", "covered", "not_comparable"}
    assert all(cell["used_qty"] is None and cell["expected_qty"] is None and cell["monthly_impact"] is None for cell in devices)
    findings = read_stage(month, "findings").to_pylist()
    assert {row["kind"] for row in findings if row["service_id"] in {cell["service_id"] for cell in devices}} <= {"no_count"}
    assert all(row["monthly_impact"] is None for row in findings if row["kind"] == "no_count")
    assert not [row for row in findings if row["kind"] == "orphan_line" and row["source"] == "ninja"]

    for name in ("index", "10_sync", "30_comparison"):
        text = page(result.folder, name)
        first = text[: text.index("Pages") if name == "index" else text.index("On this page")]
        assert "ninja" in first, f"the first screen of {name} does not name the source"
    assert "not passed" in page(result.folder, "40_sign_off")
    with (result.folder / "findings.csv").open(encoding="utf-8-sig", newline="") as file:
        assert all(row["monthly_impact"] == "" for row in csv.DictReader(file) if row["kind"] == "no_count")

    healed = run_month(PARAMS)
    assert (healed.exit_code, healed.failed_sources, healed.changed) == (0, (), True)
    assert read_stage(month, "source_status").column("status").to_pylist() == ["complete"] * 5


def test_without_the_psa_nothing_is_published_and_the_partial_page_is_kept_apart(root: Path, vendors: Server) -> None:
    vendors.fail("psa", "unauthorized")
    try:
        with pytest.raises(ReconError, match="PSA could not be read") as stopped:
            run_month(PARAMS)
    finally:
        vendors.heal("psa")
    assert stopped.value.exit_code == 3  # as the source's own
    home = root / "reports" / "harbor-msp" / "2026-10"
    assert set(digest_files(home)) == {"failed/10_sync.ipynb"}
    assert not (root / "reports" / "index.html").exists()

    assert run_month(PARAMS).exit_code == 0
    assert sorted(path.name for path in home.iterdir()) == ["v1"]
