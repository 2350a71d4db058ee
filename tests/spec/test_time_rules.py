"""What time does to a month: two passes, late counts, months in a row, renewals ahead. T3, T7, T85, T87, T110, T114, T118, T131."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from reconlib.errors import TieOutError
from reconlib.history import Billing, change_since, chronic, metrics, recent_change, sum_billing
from reconlib.ledger import Event
from reconlib.period import Period, parse_period
from reconlib.product_overrides import Moved
from reconlib.renewals import renewals
from reconlib.roll_forward import Pass, roll_forward, sum_charges
from reconlib.schema import (
    ACCOUNT_MAPPING,
    CANONICAL,
    CHANGES,
    COMPARISON,
    COUNTS,
    FINDINGS,
    LINE_BUCKETS,
    PRODUCT_MAPPING,
    SOURCE_STATUS,
    make_table,
)
from reconlib.signoff import check_gates
from tests.small_month import Result, make_tables, rows_of, run_month

TEN = "client  service  qty  price\nAcme  EDR  10  5.00"
TEN_USED = "client  service  qty\nAcme  EDR  10"


def used(quantity: int, **more: str) -> str:
    return f"client  service  qty{''.join(f'  {name}' for name in more)}\nAcme  EDR  {quantity}{''.join(f'  {text}' for text in more.values())}"


def compared(month: Result) -> pa.Table:
    """The comparison as its step writes it."""
    return make_table(COMPARISON, [{name: row[name] for name in COMPARISON.names()} for row in month.cells])


def left_by(month: Result) -> Pass:
    return Pass(compared(month), make_table(COUNTS, month.counts))


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
    moved = Moved("product_overrides.0", "Acme", "vendor", ("EDR",), "MDR", "MDR")
    elsewhere = sum_charges(table, make_table(ACCOUNT_MAPPING, month.accounts), make_table(PRODUCT_MAPPING, month.products), [moved])
    assert elsewhere == {("Acme", "MDR"): (Decimal("30.00"), "USD")}
    (row,) = roll_forward(left_by(month), left_by(month), charged).to_pylist()
    assert (row["charged_amount"], row["charged_currency"]) == (Decimal("30.00"), "USD")


def past(*counts: int | None, measure: str = "usage") -> tuple[pa.Table, ...]:
    """Comparison tables of the months before, newest first; None: the source failed."""
    text = "client  service  qty\nAcme  EDR  {}"
    months = [run_month(TEN, **{measure: text.format(count or 0)}, failed=("vendor",) if count is None else ()) for count in counts]
    return tuple(compared(month) for month in months)


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
    bare = tuple(compared(run_month(usage=used(24))) for _ in range(3))
    month = run_month(usage="client  service  qty\nAcme  EDR  0\nBolt  EDR  1", history=bare)
    assert [qty for qty, _ in unusual(month)] == [-24]


def test_t1_a_count_that_is_not_known_is_not_unusual() -> None:
    assert unusual(run_month(TEN, usage=used(24), failed=("vendor",), history=past(24, 24, 23))) == []


def test_what_is_bought_is_watched_too_and_a_rule_of_null_watches_nothing() -> None:
    history = past(10, 10, 10, measure="purchases")
    bought = unusual(run_month(TEN, purchases=used(30), history=history))
    assert [(qty, text.split(";")[0]) for qty, text in bought] == [(20, "30 EDR bought")]
    assert unusual(run_month(TEN, purchases=used(30), history=history, rules={"unusual": None})) == []


def month_of(text: str) -> Period:
    return parse_period(text)


def seen(impact: str | None, first: str = "2026-08", **more: Any) -> pa.Table:
    """A month's findings: one, of one client."""
    row = {
        **dict.fromkeys(FINDINGS.names()),
        "finding_id": "f1",
        "kind": "under_billed",
        "client_name": "Acme",
        "service_name": "EDR",
        "currency": "USD",
        "monthly_impact": None if impact is None else Decimal(impact),
        "confidence": Decimal(1),
        "certainty": "calculated",
        "status": "open",
        "first_seen": first,
        "months_open": 1,
        "explanation": "",
    }
    return make_table(FINDINGS, [row | more])


NOBODY = make_table(FINDINGS, [])
NOTHING = make_table(CHANGES, [])


def told(
    months: dict[str, pa.Table], *, verified: pa.Table = NOTHING, events: tuple[Event, ...] = (), period: str = "2026-10"
) -> dict[str, Any]:
    (row,) = chronic({month_of(name): table for name, table in months.items()}, verified, events, period=month_of(period)).to_pylist()
    return row


def change(effect: str | None, status: str = "verified") -> dict[str, Any]:
    row = {"change_id": f"c{effect}", "finding_id": "f1", "period": "2026-08", "action": "update", "client_id": "1", "client_name": "Acme"}
    row |= {"service_id": "3", "service_name": "EDR", "old_qty": Decimal(5), "new_qty": Decimal(21), "effective_date": date(2026, 9, 1)}
    return row | {"currency": "USD", "monthly_effect": None if effect is None else Decimal(effect), "status": status}


def looked(month: str, status: str, effect: str = "80.00") -> tuple[Event, Event]:
    """A change planned in August, and what a later month found of it."""
    planned = Event(
        "b", "2026-08", "change_planned", f"c{effect}", "Ben", "2026-09-03T06:00:00Z", values={**change(effect), "monthly_effect": effect}
    )
    return planned, Event("b", month, "change_verified", f"c{effect}", "recon run", "2026-10-03T06:00:00Z", values={"status": status})


def test_t118_what_is_found_late_has_its_first_month_and_what_it_came_to() -> None:
    row = told({"2026-08": seen("80.00"), "2026-09": seen("80.00"), "2026-10": seen("96.00")})
    assert (row["first_seen"], row["months_open"], row["is_open"]) == ("2026-08", 3, True)
    assert (row["under_amount"], row["over_amount"], row["months_known"]) == (Decimal("256.00"), 0, 3)


def test_t118_a_month_without_money_or_never_run_is_named_and_never_a_zero() -> None:
    row = told({"2026-07": seen("80.00", "2026-06"), "2026-08": seen(None), "2026-10": seen("80.00")})
    assert row["unknown_months"] == "2026-06, 2026-08, 2026-09"
    assert (row["under_amount"], row["months_known"], row["months_open"]) == (Decimal("160.00"), 2, 3)


def test_t118_a_month_without_it_ends_the_row_and_a_month_set_aside_adds_no_money() -> None:
    row = told({"2026-07": seen("80.00"), "2026-08": NOBODY, "2026-09": seen("80.00", status="dismissed"), "2026-10": seen("80.00")})
    assert (row["months_open"], row["set_aside_months"], row["under_amount"]) == (2, "2026-09", Decimal("160.00"))


def test_t131_the_two_directions_are_accumulated_apart() -> None:
    row = told({"2026-09": seen("80.00"), "2026-10": seen("-30.00")})
    assert (row["under_amount"], row["over_amount"]) == (Decimal("80.00"), Decimal("30.00"))


def test_t118_what_a_correction_brought_back_counts_from_the_month_it_was_verified_in() -> None:
    row = told({"2026-08": seen("80.00"), "2026-09": NOBODY, "2026-10": NOBODY}, events=looked("2026-09", "verified"))
    assert (row["verified_in"], row["months_since"], row["recovered_amount"], row["returned_amount"]) == (
        "2026-09",
        2,
        Decimal("160.00"),
        0,
    )
    assert row["assumption"] == "the lines stayed as they were set, at the price they had then"
    assert (row["is_open"], row["last_seen"]) == (False, "2026-08")


def test_t118_a_change_that_was_not_found_in_the_psa_has_brought_back_nothing() -> None:
    for status in ("not_arrived", "changed_since"):
        row = told({"2026-08": seen("80.00"), "2026-10": NOBODY}, events=looked("2026-09", status))
        assert (row["verified_in"], row["recovered_amount"]) == (None, None)


def test_t118_this_months_own_check_counts_and_the_ledgers_later_months_do_not() -> None:
    now = make_table(CHANGES, [change("80.00"), change("-20.00"), change(None)])
    row = told({"2026-08": seen("80.00"), "2026-10": NOBODY}, verified=now, events=looked("2026-11", "verified", "70.00"))
    assert (row["verified_in"], row["recovered_amount"], row["returned_amount"]) == ("2026-10", Decimal("80.00"), Decimal("20.00"))
    assert row["assumption"].endswith("; 1 without a price left out")


def bought(
    text: str, *, used_units: str = "", today: date = date(2026, 10, 31), products: dict[str, str] | None = None
) -> list[dict[str, Any]]:
    """Renewals ahead of a month with these purchases."""
    rows = rows_of(text)
    names = ("client", "service", "qty", "cost", "id", "active")
    kept = "\n".join(["  ".join(names), *("  ".join(row.get(name, "yes") for name in names) for row in rows)])
    month = run_month(purchases=kept, usage=used_units, rules=BOTH, failed=() if used_units else ("tenant",))
    tables = make_tables("", used_units, kept, "", "", "")
    ends = {row["id"]: date.fromisoformat(row["ends"]) for row in rows if "ends" in row}
    terms = [row | {"commitment_end_date": ends.get(row["purchase_id"])} for row in tables["purchases"].to_pylist()]
    sold = [row | {"sku": (products or {}).get(row["vendor_product_id"])} for row in tables["vendor_products"].to_pylist()]
    tables |= {name: make_table(CANONICAL[name], part) for name, part in (("purchases", terms), ("vendor_products", sold))}
    args = (make_table(ACCOUNT_MAPPING, month.accounts), make_table(PRODUCT_MAPPING, month.products), compared(month))
    return renewals(tables, *args, as_of=today).to_pylist()


BOTH = {
    "services": {"M365": {"used": [{"source": "tenant", "products": ["M365"]}], "purchased": [{"source": "vendor", "products": ["M365"]}]}}
}
NCE = {"M365": "CFQ7TTC0LCHC:0002"}
IN_USE = "client  service  qty  source\nAcme  M365  20  tenant"


def test_t85_t87_the_last_day_to_reduce_is_seven_days_after_the_renewal_at_microsoft_only() -> None:
    text = "client  service  qty  cost  id  ends\nAcme  M365  25  18.70  s1  2026-11-15"
    (microsoft,) = bought(text, used_units=IN_USE, products=NCE)
    assert (microsoft["renewal_date"], microsoft["last_reduction_date"], microsoft["days_ahead"]) == (
        date(2026, 11, 15),
        date(2026, 11, 22),
        22,
    )
    assert (microsoft["used_qty"], microsoft["idle_qty"], microsoft["monthly_stake"]) == (20, 5, Decimal("93.50"))
    (other,) = bought(text, used_units=IN_USE)
    assert other["last_reduction_date"] == date(2026, 11, 15), "never later than the vendor allows"


@pytest.mark.parametrize(
    ("ends", "is_listed"),
    [("2026-10-24", True), ("2026-10-23", False), ("2027-01-29", True), ("2027-01-30", False)],
    ids=["last day of the window", "window over", "90 days ahead", "91 days ahead"],
)
def test_t85_what_renewed_is_listed_while_its_window_is_open_and_what_will_ninety_days_ahead(ends: str, *, is_listed: bool) -> None:
    rows = bought(f"client  service  qty  cost  id  ends\nAcme  M365  25  18.70  s1  {ends}", used_units=IN_USE, products=NCE)
    assert bool(rows) is is_listed


def test_t87_idle_seats_are_laid_on_the_purchase_that_renews_first_and_counted_once() -> None:
    text = """
    client  service  qty  cost   id  ends        active
    Acme    M365     10   20.00  s2  2026-12-31  yes
    Acme    M365     4    18.00  s1  2026-11-30  yes
    Acme    M365     12   20.00  s3  -           yes
    Acme    M365     3    20.00  s4  2026-11-30  no
    """
    rows = bought(text, used_units=IN_USE.replace("20", "21"))
    assert [(row["purchase_id"], row["idle_qty"], row["monthly_stake"]) for row in rows] == [
        ("s1", 4, Decimal("72.00")),
        ("s2", 1, Decimal("20.00")),
    ]


def test_t1_a_use_that_is_not_known_leaves_the_idle_seats_and_their_money_unknown() -> None:
    (row,) = bought("client  service  qty  cost  id  ends\nAcme  M365  25  18.70  s1  2026-11-15")
    assert (row["used_qty"], row["idle_qty"], row["monthly_stake"]) == (None, None, None)


def billing(lines: str, agreements: str = "") -> tuple[Result, dict[Any, Billing]]:
    month = run_month(lines, usage=TEN_USED, agreements=agreements)
    return month, sum_billing(make_tables(lines, TEN_USED, "", agreements, "", ""), make_table(LINE_BUCKETS, month.lines), currency="USD")


def test_the_money_a_client_is_billed_a_month_is_summed_over_lines_cycles_and_credits() -> None:
    agreements = "agreement  client  cycle\nM  Acme  1\nY  Acme  12"
    lines = """
    client  agreement  service  qty  included  price   billable
    Acme    M          EDR      10   2         5.00    yes
    Acme    Y          EDR      1    0         100.00  yes
    Acme    M          EDR      1    0         -7.00   yes
    Acme    M          EDR      9    0         3.00    no
    """
    _, found = billing(lines, agreements)
    assert found == {("Acme", "EDR"): Billing(Decimal("41.33"), "USD")}, "8 × 5.00 + 100.00 ÷ 12 − 7.00"


def test_a_month_is_set_beside_the_one_before_number_by_number_and_its_money() -> None:
    (one, before), (two, after) = billing(TEN), billing("client  service  qty  price\nAcme  EDR  12  5.00\nAcme  RMM  3  2.00")
    rows = change_since(compared(one), compared(two), before, after, currency="USD").to_pylist()
    assert [(r["service_id"], r["billed_before_qty"], r["billed_after_qty"], r["monthly_change"]) for r in rows] == [
        ("EDR", 10, 12, Decimal("10.00")),
        ("RMM", 0, 3, Decimal("6.00")),
    ]
    assert (rows[1]["used_before_qty"], rows[1]["used_after_qty"]) == (None, None)
    assert change_since(*[compared(one)] * 2, before, before, currency="USD").num_rows == 0


@pytest.mark.parametrize(
    ("before", "after", "share", "is_marked"),
    [
        ("90", "100", "10.00", True),
        ("90.01", "100", "9.99", False),
        ("110", "100", "-10.00", True),
        ("5", None, None, True),
        (None, "5", "100.00", True),
    ],
)
def test_a_client_whose_billing_moved_by_a_tenth_is_marked(
    before: str | None, after: str | None, share: str | None, *, is_marked: bool
) -> None:
    sides = [{("Acme", "EDR"): Billing(Decimal(amount), "USD")} if amount else {} for amount in (before, after)]
    (row,) = recent_change(*sides, {"Acme": "Acme"}).to_pylist()
    assert (row["change_pct"], row["is_marked"]) == (None if share is None else Decimal(share), is_marked)


def test_t1_a_price_that_is_not_known_leaves_the_clients_change_unknown() -> None:
    sides = [
        {("Acme", "EDR"): Billing(Decimal(5), "USD")},
        {("Acme", "EDR"): Billing(None, "USD"), ("Acme", "RMM"): Billing(Decimal(5), "USD")},
    ]
    (row,) = recent_change(*sides, {}).to_pylist()
    assert (row["billed_after"], row["change_amount"], row["change_pct"], row["is_marked"]) == (None, None, None, False)


def test_the_variance_rate_and_the_coverage_score_leave_out_what_is_not_known() -> None:
    month = run_month(
        "client  service  qty\nAcme  EDR  10\nBolt  EDR  40\nCrew  EDR  50\nDune  TV  7",
        usage="client  service  qty\nAcme  EDR  12\nBolt  EDR  40\nCrew  EDR  49",
        rules={"services": {"TV": {"basis": "none"}}},
    )
    rate, score = sorted(metrics(compared(month)).to_pylist(), key=lambda row: row["metric"], reverse=True)
    assert (rate["numerator"], rate["denominator"], rate["value_pct"]) == (3, 100, Decimal("3.00"))
    assert (score["numerator"], score["denominator"], score["value_pct"]) == (1, 3, Decimal("33.33"))
    assert "1 client and service pairs that cannot be compared are left out" in rate["about"]
    empty = metrics(make_table(COMPARISON, [])).to_pylist()
    assert [row["value_pct"] for row in empty] == [None, None]
