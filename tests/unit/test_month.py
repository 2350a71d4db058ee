"""Opening a month: where its params are looked for, and the day it is read as of."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from small_book import PARAMS, make_book, open_book

from reconlib import month as months
from reconlib.errors import SettingsError
from reconlib.report.archive import refresh_index
from reconlib.settings import Sandbox


@pytest.mark.parametrize(
    ("folder", "params"),
    [(".", PARAMS), ("notebooks", PARAMS), ("notebooks", f"../{PARAMS}"), ("params", "mini.yaml"), ("params/profiles", "../mini.yaml")],
)
def test_params_are_found_from_any_folder_of_the_project(folder: str, params: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_book(tmp_path / "project")
    monkeypatch.chdir(root / folder)
    month = months.open_month(params, environ={})
    assert (month.root, month.params_path.as_posix()) == (root, PARAMS)


def test_params_that_are_nowhere_are_a_settings_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=r"no file ../mini\.yaml\nHint: start in the project's folder"):
        months.open_month("../mini.yaml", environ={})


@pytest.mark.parametrize(
    ("today", "as_of"),
    [
        ("2026-11-22", "2026-10-31"),
        ("2026-10-10", "2026-10-10"),  # it still runs
        ("2026-09-28", "2026-10-01"),  # a few days ahead: vendors can be read
        ("2026-05-01", "2026-10-31"),  # far ahead: exports alone, whatever this machine's clock says
    ],
)
def test_a_month_is_read_as_of_its_end_or_of_today_while_it_runs(today: str, as_of: str, tmp_path: Path) -> None:
    path = make_book(tmp_path) / PARAMS
    at = datetime.fromisoformat(today).replace(tzinfo=UTC)
    assert str(months.open_month(path, environ={}, now=lambda: at).as_of) == as_of


def test_a_made_up_msp_has_its_own_clock(tmp_path: Path) -> None:
    path = make_book(tmp_path) / PARAMS
    path.write_text(path.read_text("utf-8") + "sandbox: {seed: 7, clients: 8}\n", "utf-8")
    month = months.open_month(path, environ={}, now=lambda: datetime(2026, 10, 2, tzinfo=UTC))
    assert month.params.sandbox == Sandbox(seed=7, clients=8)
    assert str(month.as_of) == "2026-10-31"


@pytest.mark.parametrize("text", ["2026-13", "0000-01", "99999-01", "２０２６-10", "2026-1", "last month"])
def test_what_is_no_billing_month_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is not a billing month"):
        open_book(make_book(tmp_path), text)


def test_the_index_waits_for_the_one_who_writes_it(tmp_path: Path) -> None:
    assert refresh_index(tmp_path / "reports") == tmp_path / "reports" / "index.html"
    assert sorted(path.name for path in (tmp_path / "reports").iterdir()) == [".index.lock", "index.html"]
