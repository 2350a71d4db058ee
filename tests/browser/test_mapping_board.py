"""The mapping board in a browser: select a row, press its button, and one decision stands in the ledger; names stay text."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_book import HERE, PARAMS, make_book, open_book

from reconlib.month import month_events
from reconlib.steps import map_month, sync_month

pytest.importorskip("marimo", reason="the extra 'marimo' is not installed")
pytestmark = [pytest.mark.browser, pytest.mark.slow]

HOSTILE = "<img src=x onerror=window.PWNED=1>"
LINE = "{0},{1},{2},Care,Monthly,DEVICE,Managed device,45.00,2,0,45.00,Billable,1/1/2026\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_book(tmp_path)
    lines = (tmp_path / "psa.csv").read_text("utf-8") + LINE.format(1002, "Birch Dental Group", "BIRCH")
    (tmp_path / "psa.csv").write_text(lines, "utf-8")
    devices = (tmp_path / "rmm.csv").read_text("utf-8")
    for number, name in enumerate(("Birch Dental Group LLC", HOSTILE), start=7):
        devices += f"{name},B{number},T{number},Workstation,1/5/2026,10/31/2026 16:20\n"
    (tmp_path / "rmm.csv").write_text(devices, "utf-8")
    month = open_book(tmp_path)
    sync_month(month)
    map_month(month)
    return tmp_path


@pytest.fixture
def address(root: Path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app = ["-m", "marimo", "run", str(HERE / "apps" / "mapping_board.py"), "--headless", "--host", "127.0.0.1", "--port", str(port)]
    command = [sys.executable, *app, "--", "--params", PARAMS, "--period", "2026-10", "--who", "the analyst"]
    environ = {**os.environ, "PYTHONPATH": str(HERE)}
    with (root / "board.log").open("w") as log, subprocess.Popen(command, cwd=root, env=environ, stdout=log, stderr=log) as server:
        try:
            for _ in range(600):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert server.poll() is None, (root / "board.log").read_text()
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def test_a_decision_is_written_when_its_button_is_pressed_and_taken_back_by_another(chromium, address, root):
    context = chromium.new_context(viewport={"width": 1400, "height": 1000})
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto(address)
    page.get_by_role("heading", name="The queue").wait_for()
    row = page.get_by_role("row").filter(has_text="Birch Dental Group LLC").first
    row.get_by_role("checkbox").click()
    page.get_by_role("heading", name="Decide one").wait_for()
    month = open_book(root)
    assert [event for event in month_events(month) if event.kind == "mapping_decided"] == []

    page.get_by_role("button", name="Record this decision").first.click()
    page.get_by_text("Birch Dental Group LLC: mapped to Birch Dental Group").first.wait_for()
    (event,) = [event for event in month_events(month) if event.kind == "mapping_decided"]
    assert (event.who, event.values["decision"]) == ("the analyst", "map")
    assert event.values["seen"]["name"] == "Birch Dental Group LLC"

    mapped = (root / ".recon" / "mini" / "periods" / "2026-10" / "mapping" / "account_mapping.parquet").stat().st_mtime_ns
    page.get_by_role("button", name="Read again").click()
    page.get_by_text("1 of 1 accounts that wait for a decision").wait_for()
    assert (root / ".recon" / "mini" / "periods" / "2026-10" / "mapping" / "account_mapping.parquet").stat().st_mtime_ns == mapped

    page.get_by_role("row").filter(has_text="the analyst").get_by_role("checkbox").click()
    page.get_by_role("button", name="Take the selected decision back").click()
    page.get_by_text("Birch Dental Group LLC: taken back").wait_for()
    assert month_events(month)[-1].values["decision"] == "undo"

    assert page.get_by_text(HOSTILE).count() > 0
    assert page.evaluate("window.PWNED") is None
    context.close()
