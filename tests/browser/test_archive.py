"""A real month's archive in a browser without a network: every page opens, charts and tables alive, hostile client names run nowhere."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook
from small_project import HERE, PARAMS, make_project

pytestmark = [pytest.mark.slow, pytest.mark.browser]

PAGES = ("10_sync", "20_mapping_review", "30_comparison", "40_sign_off")
SCRIPT, FORMULA = "<script>alert(1)</script> Dental", '=HYPERLINK("http://evil.example","Click") Ltd'


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_project(tmp_path_factory.mktemp("month"), clients=12)
    code = "from reconlib.cli import main; main()"
    command = [sys.executable, "-c", code, "run", PARAMS, "--period", "2026-10"]
    done = subprocess.run(command, cwd=root, env={**os.environ, "PYTHONPATH": str(HERE)}, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return root / "reports"


def test_every_page_opens_alive_without_a_network(archive: Path, open_page) -> None:
    month = archive / "harbor-msp/2026-10/v1"
    charts = 0
    for path in (archive / "index.html", month / "index.html", *(month / f"{page}.html" for page in PAGES)):
        page, seen = open_page(path)
        page.on("dialog", lambda dialog: pytest.fail(f"a dialog opened: {dialog.message}"))
        assert page.locator("h1").count() == 1
        charts += page.locator(".js-plotly-plot .main-svg:first-child").count()
        assert (seen.outside, seen.problems) == ([], []), path.name
    assert charts >= 4


def test_findings_sort_and_filter_and_hostile_names_are_text(archive: Path, open_page) -> None:
    page, seen = open_page(archive / "harbor-msp/2026-10/v1/30_comparison.html")
    findings = page.locator("[data-name=Findings]")
    findings.get_by_role("button", name="rows").click()
    assert findings.get_by_text(SCRIPT).count() > 0
    assert findings.get_by_text(FORMULA).count() > 0
    assert page.evaluate("document.querySelectorAll('table script, table a[href^=\"http\"]').length") == 0
    every = findings.locator("tbody tr:visible").count()
    page.get_by_label("Filter rows of Findings", exact=True).fill("HYPERLINK")
    assert 0 < findings.locator("tbody tr:visible").count() < every
    page.get_by_label("Filter rows of Findings", exact=True).fill("")
    findings.locator("thead button").first.click()
    assert findings.locator("th[aria-sort=ascending], th[aria-sort=descending]").count() == 1
    assert (seen.outside, seen.problems) == ([], [])


def test_spreadsheets_hold_hostile_names_as_text(archive: Path) -> None:
    month = archive / "harbor-msp/2026-10/v1"
    with (month / "findings.csv").open(encoding="utf-8-sig", newline="") as file:
        names = {row["client_name"] for row in csv.DictReader(file)}
    assert "'" + FORMULA in names
    assert not {name for name in names if name.startswith(("=", "+", "-", "@"))}
    cells = {str(cell) for row in CalamineWorkbook.from_path(month / "findings.xlsx").get_sheet_by_index(0).to_python() for cell in row}
    assert FORMULA in cells
    assert b"<f>" not in _sheet(month / "findings.xlsx")


def _sheet(path: Path) -> bytes:
    from zipfile import ZipFile

    with ZipFile(path) as book:
        return b"".join(book.read(name) for name in book.namelist() if name.startswith("xl/worksheets/sheet"))
