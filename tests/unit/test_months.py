"""A month among its months, from what its steps left on disk; and how the pages put it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from reconlib.months import list_changes_since, list_chronic, list_renewals
from reconlib.report.pages import over_time
from reconlib.roll_forward import roll_forward
from reconlib.schema import CHANGES, make_table
from tests.small_book import make_book, open_book, settle, write_devices
from tests.small_month import run_month
from tests.spec.test_time_rules import left_by

NOTHING = make_table(CHANGES, [])


def test_it_reads_the_months_before_and_says_what_moved_and_for_how_long(tmp_path: Path) -> None:
    root = make_book(tmp_path)
    settle(open_book(root, "2026-09"))
    (root / "psa.csv").write_text((root / "psa.csv").read_text("utf-8").replace(",45.00,2,0,", ",45.00,4,0,"), "utf-8")
    write_devices(root, 5)
    month = open_book(root, "2026-10")
    settle(month)
    cells, clients = list_changes_since(month)
    (cell,), (client,) = cells.to_pylist(), clients.to_pylist()
    assert (cell["billed_before_qty"], cell["billed_after_qty"], cell["used_before_qty"], cell["used_after_qty"]) == (2, 4, 3, 5)
    assert (cell["monthly_change"], client["change_pct"], client["is_marked"]) == (Decimal("90.00"), Decimal("50.00"), True)
    (finding,) = list_chronic(month, NOTHING).to_pylist()
    assert (finding["first_seen"], finding["months_open"], finding["under_amount"]) == ("2026-09", 2, Decimal("90.00"))
    assert over_time.keep_lasting(list_chronic(open_book(root, "2026-09"), NOTHING)).num_rows == 0
    assert over_time.keep_marked(clients).num_rows == over_time.sort_changes(cells).num_rows == 1
    assert list_renewals(month).num_rows == 0


def test_without_a_month_before_nothing_is_said_to_have_moved(tmp_path: Path) -> None:
    month = open_book(make_book(tmp_path))
    settle(month)
    assert [table.num_rows for table in list_changes_since(month)] == [0, 0]


def test_the_steps_between_two_passes_add_up_on_the_page() -> None:
    lines = "client  service  qty  price\nAcme  EDR  10  5.00\nBolt  EDR  10  5.00\nCrew  EDR  4  5.00"
    first = run_month(lines, usage="client  service  qty\nAcme  EDR  12\nBolt  EDR  10\nCrew  EDR  4")
    second = run_month(lines.replace("4  5.00", "6  5.00"), usage="client  service  qty\nAcme  EDR  15\nBolt  EDR  7\nCrew  EDR  4")
    sides = (left_by(month) for month in (first, second))
    moved = roll_forward(*sides)
    rows = [(row["what"], row["step"], row["pairs"], row["units"], row["amount"]) for row in over_time.sum_moves(moved).to_pylist()]
    assert rows == [
        ("should be billed", "before invoicing", 3, 26, None),
        ("should be billed", "count changed late", 2, 0, None),
        ("should be billed", "after invoicing", 3, 26, None),
        ("billed", "before invoicing", 3, 24, None),
        ("billed", "changed in the PSA since", 1, 2, None),
        ("billed", "after invoicing", 3, 26, None),
        ("difference, money a month", "before invoicing", 3, None, Decimal("10.00")),
        ("difference, money a month", "moved", 3, None, Decimal("-10.00")),
        ("difference, money a month", "after invoicing", 3, None, Decimal("0.00")),
    ]
    assert [(row["client_id"], row["what_to_do"]) for row in over_time.list_moved(moved).to_pylist()] == [
        ("Bolt", "credit"),
        ("Acme", "back-charge"),
        ("Crew", "wait"),
    ]
    cards = {label: (value, note) for label, value, note, _ in over_time.roll_forward_cards(moved)}
    assert cards["To back-charge"] == ("15.00 USD", "in 1 pairs, found after invoicing")
    assert cards["To credit"] == ("15.00 USD", "in 1 pairs, found after invoicing")
