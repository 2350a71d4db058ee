"""What time does to a month: two passes, late counts, months in a row, renewals ahead. FIELD.md T3, T7, T85, T87, T110, T114, T118, T131."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from reconlib.errors import TieOutError
from reconlib.roll_forward import Pass, roll_forward, sum_charges
from reconlib.schema import ACCOUNT_MAPPING, CANONICAL, COMPARISON, COUNTS, FINDINGS, PRODUCT_MAPPING, SOURCE_STATUS, make_table
from reconlib.signoff import check_gates
from tests.small_month import Result, rows_of, run_month

TEN = "client  service  qty  price\nAcme  EDR  10  5.00"
TEN_USED = "client  service  qty\nAcme  EDR  10"


def used(quantity: int, **more: str) -> str:
    return f"client  service  qty{''.join(f'  {name}' for name in more)}\nAcme  EDR  {quantity}{''.join(f'  {text}' for text in more.values())}"


def left_by(month: Result) -> Pass:
    return Pass(make_table(COMPARISON, month.cells), make_table(COUNTS, month.counts))


def rolled(before: Result, after: Result) -> dict[str, Any]:
    """The one row between two passes."""
    (row,) = roll_forward(left_by(before), left_by(after)).to_pylist()
    return row


def moved(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("expected_before_qty", "expected_moved_qty", "expected_after_qty", "expected_move"))


def proposed(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["proposal"], row["proposal_qty"], row["proposal_amount"]


def test_t7_two_equal_passes_carry_nothing_over() -> None:
    month = run_month(TEN, usage=used(12))
    row = rolled(month, month)
    assert moved(row) == (12, 0, 12, "none")
    assert (row["monthly_before"], row["monthly_moved"], row["monthly_after"]) == (Decimal("10.00"), 0, Decimal("10.00"))
    assert proposed(row) == ("none", None, None), "what the pre-invoice pass showed is decided there"


@pytest.mark.parametrize(
    ("before", "after", "proposal"),
    [
        (10, 13, ("back_charge", 3, Decimal("15.00"))),
        (10, 8, ("credit", -2, Decimal("-10.00"))),
        (12, 15, ("back_charge", 3, Decimal("15.00"))),
        (7, 5, ("credit", -2, Decimal("-10.00"))),
        (15, 12, ("wait", None, None)),
        (12, 8, ("wait", None, None)),
    ],
    ids=["late units", "units gone", "more of the same", "less of the same", "smaller than decided on", "turned"],
)
def test_t114_only_what_the_post_invoice_pass_found_is_proposed_for_the_next_invoice(
    before: int, after: int, proposal: tuple[Any, ...]
) -> None:
    row = rolled(run_month(TEN, usage=used(before)), run_month(TEN, usage=used(after)))
    assert moved(row) == (before, after - before, after, "late_count")
    assert proposed(row) == proposal


def test_t114_a_line_changed_since_is_not_charged_again() -> None:
    settled = rolled(run_month(TEN, usage=used(13)), run_month(TEN.replace("10", "13"), usage=used(13)))
    assert (settled["billed_before_qty"], settled["billed_moved_qty"], settled["billed_move"]) == (10, 3, "changed_in_psa")
    assert proposed(settled) == ("none", None, None)
    raised = rolled(run_month(TEN, usage=TEN_USED), run_month(TEN.replace("10", "13"), usage=TEN_USED))
    assert proposed(raised) == ("wait", None, None), "the invoice may have had 10"


def test_t7_a_line_added_and_a_line_ended_since_are_named() -> None:
    bare, billed = run_month(usage=TEN_USED), run_month(TEN, usage=TEN_USED)
    assert rolled(bare, billed)["billed_move"] == "new_line"
    gone = rolled(billed, bare)
    assert (gone["billed_move"], gone["billed_moved_qty"], gone["billed_after_qty"]) == ("line_gone", -10, 0)


def test_t7_a_source_not_read_in_the_post_invoice_pass_is_unknown_never_zero() -> None:
    row = rolled(run_month(TEN, usage=used(12)), run_month(TEN, usage=used(12), failed=("vendor",)))
    assert moved(row) == (12, None, None, "became_unknown")
    assert (row["used_after_qty"], row["monthly_moved"], row["monthly_after"]) == (None, None, None)
    assert proposed(row) == ("wait", None, None)


def test_t7_usage_without_a_line_is_unknown_too_when_its_source_was_not_read() -> None:
    row = rolled(run_month(usage=TEN_USED), run_month(usage=TEN_USED, failed=("vendor",)))
    assert moved(row) == (10, None, None, "became_unknown")


def test_t7_a_count_that_arrives_late_becomes_known_and_its_whole_difference_is_new() -> None:
    row = rolled(run_month(TEN, usage=used(12), failed=("vendor",)), run_month(TEN, usage=used(12)))
    assert moved(row) == (None, None, 12, "became_known")
    assert proposed(row) == ("back_charge", 2, Decimal("10.00"))


def test_t3_units_dated_after_the_as_of_day_wait_for_the_next_month() -> None:
    later = "client  service  qty  since\nAcme  EDR  10  2026-01-01\nAcme  EDR  3  2026-11-04"
    row = rolled(run_month(TEN, usage=TEN_USED), run_month(TEN, usage=later))
    assert moved(row) == (10, 0, 10, "none")
    assert (row["later_qty"], row["proposal"]) == (3, "wait")
    assert "3 dated after the as-of day belong to the next month" in row["explanation"]


def test_t7_what_one_pass_does_not_list_is_a_zero_only_where_it_counted_none() -> None:
    none = run_month(usage="client  service  qty\nAcme  EDR  0\nBolt  EDR  1", clients="client\nAcme\nBolt")
    some = run_month(usage="client  service  qty\nAcme  EDR  4\nBolt  EDR  1")
    rows = {row["client_id"]: row for row in roll_forward(left_by(none), left_by(some)).to_pylist()}
    assert moved(rows["Acme"]) == (0, 4, 4, "late_count")
    assert rows["Acme"]["proposal"] == "back_charge"


def test_t7_the_roll_forward_stops_when_a_pass_is_not_carried_over_whole() -> None:
    month = left_by(run_month(TEN, usage=used(12)))
    assert roll_forward(month, month).num_rows == 1
    with pytest.raises(TieOutError):
        roll_forward(Pass(pa.concat_tables([month.cells, month.cells]), month.counts), month)


def test_t110_vendor_charges_of_the_month_stand_beside_the_row_tax_and_drafts_left_out() -> None:
    month = run_month(TEN, usage=TEN_USED)
    charges = rows_of(
        """
        charge_id  is_billed  amount      currency
        1          yes        30.5000001  USD
        2          yes        -0.5        USD
        3          no         99          USD
        """
    )
    fixed = {"source": "vendor", "vendor_account_id": "Acme", "vendor_product_id": "EDR", "quantity_qty": Decimal(1), "evidence": "e"}
    table = make_table(
        CANONICAL["vendor_charges"],
        [{**fixed, **row, "is_billed": row["is_billed"] == "yes", "amount": Decimal(row["amount"])} for row in charges],
    )
    charged = sum_charges(table, make_table(ACCOUNT_MAPPING, month.accounts), make_table(PRODUCT_MAPPING, month.products))
    assert charged == {("Acme", "EDR"): (Decimal("30.00"), "USD")}
    (row,) = roll_forward(left_by(month), left_by(month), charged).to_pylist()
    assert (row["charged_amount"], row["charged_currency"]) == (Decimal("30.00"), "USD")


def past(*counts: int | None, measure: str = "usage") -> tuple[pa.Table, ...]:
    """Comparison tables of the months before, newest first; None: the source failed."""
    text = "client  service  qty\nAcme  EDR  {}"
    months = [run_month(TEN, **{measure: text.format(count or 0)}, failed=("vendor",) if count is None else ()) for count in counts]
    return tuple(make_table(COMPARISON, month.cells) for month in months)


def unusual(month: Result) -> list[tuple[Any, str]]:
    return [(row["variance_qty"], row["explanation"]) for row in month.findings if row["kind"] == "unusual_count"]


def test_t3_units_that_came_later_are_a_finding_of_their_own_without_money() -> None:
    month = run_month(TEN, usage="client  service  qty  since\nAcme  EDR  10  2026-01-01\nAcme  EDR  3  2026-11-04")
    (row,) = month.findings
    assert (row["kind"], row["variance_qty"], row["monthly_impact"], row["status"]) == ("timing", 3, None, "open")
    gates = check_gates(
        status=make_table(SOURCE_STATUS, []),
        accounts=make_table(ACCOUNT_MAPPING, month.accounts),
        products=make_table(PRODUCT_MAPPING, month.products),
        findings=make_table(FINDINGS, month.findings),
        events=[],
        materiality=Decimal(0),
        as_of=date(2026, 10, 31),
    )
    assert all(gate.ok for gate in gates), "it is the next month's, and stops nobody from signing this one"


@pytest.mark.parametrize(
    ("now", "before", "units"),
    [
        (0, (24, 24, 23), -24),
        (40, (24, 24, 23), 16),
        (16, (10, 10, 10), 6),
        (15, (10, 10, 10), None),
        (130, (100, 100, 100), None),
        (0, (24, 24), None),
        (0, (24, None, 24, 24), -24),
        (40, (40, 24, 24, 24), None),
        (6, (0, 0, 0), 6),
    ],
    ids=[
        "to nothing",
        "a jump",
        "just beyond both bounds",
        "on both bounds",
        "within the percentage",
        "too few months",
        "an unknown month is left out",
        "it jumped last month already",
        "out of nothing",
    ],
)
def test_a_count_is_unusual_against_its_own_past_beyond_both_bounds(now: int, before: tuple[int | None, ...], units: int | None) -> None:
    found = unusual(run_month(TEN, usage=used(now), history=past(*before)))
    assert [qty for qty, _ in found] == ([] if units is None else [units])


def test_a_count_that_falls_to_nothing_names_the_months_and_the_likely_reason() -> None:
    ((_, text),) = unusual(run_month(TEN, usage=used(0), history=past(24, 24, 23)))
    assert text.startswith("0 EDR in use; in the months before, newest first: 24, 24, 23. The source answered completely")


def test_usage_without_a_line_that_falls_to_nothing_is_seen_though_nothing_lists_it() -> None:
    bare = tuple(make_table(COMPARISON, run_month(usage=used(24)).cells) for _ in range(3))
    month = run_month(usage="client  service  qty\nAcme  EDR  0\nBolt  EDR  1", history=bare)
    assert [qty for qty, _ in unusual(month)] == [-24]


def test_t1_a_count_that_is_not_known_is_not_unusual() -> None:
    assert unusual(run_month(TEN, usage=used(24), failed=("vendor",), history=past(24, 24, 23))) == []


def test_what_is_bought_is_watched_too_and_a_rule_of_null_watches_nothing() -> None:
    history = past(10, 10, 10, measure="purchases")
    bought = unusual(run_month(TEN, purchases=used(30), history=history))
    assert [(qty, text.split(";")[0]) for qty, text in bought] == [(20, "30 EDR bought")]
    assert unusual(run_month(TEN, purchases=used(30), history=history, rules={"unusual": None})) == []
