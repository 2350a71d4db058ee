"""What vendors charge: each line's arithmetic, seats, invoice sums, and charges against what is bought and billed (docs/rules.md).

Numbers of Microsoft's worked examples are those of Partner Center's page on new commerce billing scenarios.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from small_month import rows_of

from reconlib.connectors.partner_center_rows import product_class
from reconlib.findings import Facts, find_differences
from reconlib.invoices import audit_charges
from reconlib.invoices.arithmetic import check_line, prorated
from reconlib.invoices.cycles import cycle_starts, days_between, plan_months, reduction_window, term_months
from reconlib.invoices.seats import by_order, net_seats, seats_on
from reconlib.period import parse_period
from reconlib.rules import Rules
from reconlib.schema import ACCOUNT_MAPPING, CANONICAL, COMPARISON, COUNTS, PRODUCT_MAPPING, RECORD_BUCKETS, STAGES, make_table
from reconlib.settings import parse
from reconlib.signoff import check_gates

Row = dict[str, Any]
D = Decimal
TEXTS = {
    "id": "charge_id",
    "invoice": "invoice_id",
    "account": "vendor_account_id",
    "product": "vendor_product_id",
    "sub": "subscription_id",
    "ref": "reference_id",
    "type": "charge_type",
    "mark": "qualifiers",
    "class": "product_class",
    "currency": "currency",
    "priced_in": "pricing_currency",
    "source": "source",
}
DAYS = {"order": "order_date", "start": "start_date", "end": "end_date", "term_start": "term_start_date", "term_end": "term_end_date"}
NUMBERS = {
    "qty": "quantity_qty",
    "list": "list_price",
    "unit": "unit_cost",
    "amount": "amount",
    "rate": "exchange_rate",
    "tax": "tax_amount",
}


def charges(text: str) -> list[Row]:
    """Vendor charges of a text table; what is not written is null, ``unit`` is ``amount ÷ qty`` where no column says it."""
    made = []
    for number, row in enumerate(rows_of(text), 1):
        values: Row = {column.name: None for column in CANONICAL["vendor_charges"].columns}
        values |= {"source": "nce", "charge_id": f"c{number}", "vendor_account_id": "Acme", "vendor_product_id": "M365", "currency": "EUR"}
        values |= {"is_billed": row.get("invoice") is not None, "evidence": f"nce/c{number}", "product_class": "licence"}
        values |= {name: row[key] for key, name in TEXTS.items() if key in row}
        values |= {name: date.fromisoformat(row[key]) for key, name in DAYS.items() if key in row}
        values |= {name: D(row[key]) for key, name in NUMBERS.items() if key in row}
        values["cycle_months"] = int(row["cycle"]) if "cycle" in row else None
        made.append(values)
    return made


def audit(
    text: str,
    *,
    purchases: str = "",
    heads: str = "",
    lines: str = "Acme  M365",
    as_of: str = "2026-10-31",
    unmapped: tuple[str, ...] = (),
    skus: dict[str, str] | None = None,
    tolerance: str = "0.05",
    own: tuple[str, ...] = (),
    services: dict[str, str] | None = None,
    rules: dict[str, Any] | None = None,
    gone: tuple[str, ...] = (),
) -> list[Row]:
    """The audit of charges; accounts are clients of that name, products services of that name, unless unmapped."""
    charged = charges(text)
    bought = [_purchase(row) for row in rows_of(purchases)]
    day = date.fromisoformat(as_of)
    known = {(r["source"], r["vendor_account_id"]) for r in charged + bought}
    sold = {(r["source"], r["vendor_product_id"]) for r in charged + bought}
    named = {"is_free": False, "evidence": "p"}
    tables = {name: make_table(schema, []) for name, schema in CANONICAL.items()} | {
        "clients": make_table(
            CANONICAL["clients"], [_client(name, is_billable=name not in gone) for name in {account for _, account in known}]
        ),
        "services": make_table(CANONICAL["services"], [_service(name) for name in {(services or {}).get(p, p) for _, p in sold}]),
        "vendor_charges": make_table(CANONICAL["vendor_charges"], charged),
        "vendor_invoices": make_table(CANONICAL["vendor_invoices"], [_head(row) for row in rows_of(heads)]),
        "purchases": make_table(CANONICAL["purchases"], bought),
        "vendor_products": make_table(
            CANONICAL["vendor_products"],
            [{"source": s, "vendor_product_id": p, "product_name": p, "sku": (skus or {}).get(p), **named} for s, p in sold],
        ),
    }
    accounts = make_table(ACCOUNT_MAPPING, [_account(s, a, is_mapped=a not in unmapped) for s, a in known])
    products = make_table(PRODUCT_MAPPING, [_product(s, p, (services or {}).get(p, p), is_mapped=p not in unmapped) for s, p in sold])
    cells = make_table(COMPARISON, [_cell(*line.split()) for line in lines.splitlines() if line])
    parsed = parse({"version": 1, "invoice_tolerance": tolerance, "own_clients": list(own), **(rules or {})}, Rules, where="test")
    return audit_charges(tables, cells, accounts, products, parsed, as_of=day).to_pylist()


def _purchase(row: dict[str, str]) -> Row:
    made: Row = {"source": row.get("source", "nce"), "purchase_id": row["id"], "vendor_account_id": row.get("account", "Acme")}
    made |= {"vendor_product_id": row.get("product", "M365"), "quantity_qty": D(row["qty"]), "status": row.get("status", "active")}
    made |= {"is_active": row.get("status") != "cancelled", "is_free": False, "currency": row.get("currency", "EUR"), "evidence": "nce/b"}
    return made | {"unit_cost": D(row["cost"]) if "cost" in row else None, "term": row.get("term")}


def _head(row: dict[str, str]) -> Row:
    made: Row = {
        "source": row.get("source", "nce"),
        "invoice_id": row["invoice"],
        "currency": row.get("currency", "EUR"),
        "evidence": "nce/h",
    }
    made |= {"amount": D(row["amount"]) if "amount" in row else None, "total_amount": D(row["total"]) if "total" in row else None}
    return made | {"amends_invoice_id": row.get("amends")}


def _client(name: str, *, is_billable: bool) -> Row:
    return {"client_id": name, "client_name": name, "is_deleted": False, "is_billable": is_billable, "source": "psa", "evidence": "psa/c"}


def _service(name: str) -> Row:
    return {"service_id": name, "service_code": name, "service_name": name, "is_active": True, "source": "psa", "evidence": "psa/s"}


def _account(source: str, account: str, *, is_mapped: bool) -> Row:
    made = {"source": source, "vendor_account_id": account, "account_name": account, "units_qty": D(0), "evidence": "a"}
    mapped = {"state": "mapped", "client_id": account, "client_name": account} if is_mapped else {"state": "unmapped"}
    return made | mapped


def _product(source: str, product: str, service: str, *, is_mapped: bool) -> Row:
    made = {"source": source, "vendor_product_id": product, "product_name": product, "units_qty": D(0), "evidence": "p"}
    mapped = {"state": "mapped", "service_id": service, "service_name": service} if is_mapped else {"state": "unmapped"}
    return made | mapped


def _cell(client: str, service: str, status: str = "matched", lines: str = "1") -> Row:
    made = {"client_id": client, "client_name": client, "service_id": service, "service_code": service, "service_name": service}
    made |= {"lines": int(lines), "currency": "EUR", "status": status, "certainty": "calculated", "confidence": D(1)}
    defaults: dict[str, Any] = {"text": "", "int": 0, "bool": False, "qty": D(0), "price": D(0), "amount": D(0)}
    return {c.name: defaults[c.kind] for c in COMPARISON.columns if not c.null} | made


def of(rows: list[Row], check: str) -> Row:
    """The one row of a check."""
    (found,) = [row for row in rows if row["check"] == check]
    return found


def states(rows: list[Row]) -> dict[str, str]:
    """Status by check; the worst where a check has several rows."""
    order = ("agrees", "reported", "timing", "unchecked", "stopped", "mismatch")
    found: dict[str, str] = {}
    for row in rows:
        found[row["check"]] = max(found.get(row["check"], "agrees"), row["status"], key=order.index)
    return found


def findings(rows: list[Row]) -> list[Row]:
    """Findings the audit's rows become."""
    empty = {name: make_table(schema, []) for name, schema in CANONICAL.items()}
    facts = Facts(
        book="test",
        period=parse_period("2026-10"),
        as_of=date(2026, 10, 31),
        currency="EUR",
        rules=Rules(version=1),
        tables=empty,
        cells=[],
        counts=make_table(COUNTS, []),
        record_buckets=make_table(RECORD_BUCKETS, []),
        accounts=make_table(ACCOUNT_MAPPING, []),
        products=make_table(PRODUCT_MAPPING, []),
        audit=rows,
    )
    return find_differences(facts).to_pylist()


# One purchase on 5 March 2022, then five changes: eleven lines, as published, with the printed, rounded effective price.
TEN_EVENTS = """
id   type            order       start       end         qty  list  unit    amount   sub   ref
n    new             2022-03-05  2022-03-05  2022-04-04  10   12    12.00   120      284b  7d71
a1r  addQuantity     2022-03-07  2022-03-07  2022-04-04  10   12    -11.23  -112.25  284b  12d3
a1c  addQuantity     2022-03-07  2022-03-07  2022-04-04  15   12    11.23   168.38   284b  12d3
a2r  addQuantity     2022-03-10  2022-03-10  2022-04-04  15   12    -10.06  -150.96  284b  dc2a
a2c  addQuantity     2022-03-10  2022-03-10  2022-04-04  25   12    10.06   251.61   284b  dc2a
r1r  removeQuantity  2022-03-12  2022-03-12  2022-04-04  25   12    -9.29   -232.25  284b  2f89
r1c  removeQuantity  2022-03-12  2022-03-12  2022-04-04  23   12    9.29    213.67   284b  2f89
r2r  removeQuantity  2022-03-14  2022-03-14  2022-04-04  23   12    -8.52   -195.87  284b  73b3
r2c  removeQuantity  2022-03-14  2022-03-14  2022-04-04  20   12    8.52    170.32   284b  73b3
a3r  addQuantity     2022-03-25  2022-03-25  2022-04-04  20   12    -4.26   -85.16   284b  6759
a3c  addQuantity     2022-03-25  2022-03-25  2022-04-04  30   12    4.26    127.74   284b  6759
"""

# The field's vectors: price, cycle, event day, units, printed total.
SEAT_VECTORS = [
    ("addQuantity", "10.08", "2021-06-18", "2021-07-17", "2021-06-20", 28, "10", "-94.08"),
    ("addQuantity", "10.08", "2021-06-18", "2021-07-17", "2021-06-20", 28, "12", "112.89"),
    ("removeQuantity", "10.08", "2021-06-18", "2021-07-17", "2021-06-20", 28, "8", "75.26"),
    ("addQuantity", "12", "2022-03-05", "2022-04-04", "2022-03-07", 29, "10", "-112.25"),
    ("addQuantity", "12", "2022-03-05", "2022-04-04", "2022-03-07", 29, "15", "168.38"),
    ("cancelImmediate", "10.08", "2021-07-15", "2021-08-14", "2021-07-17", 29, "10", "-94.20"),
    ("convert", "10.08", "2021-06-18", "2021-07-17", "2021-06-25", 23, "300", "-2316.00"),
]


@pytest.mark.parametrize(("kind", "price", "start", "end", "event", "days", "qty", "total"), SEAT_VECTORS)
def test_t73_t78_published_seat_lines_are_recomputed_within_a_coin_a_unit(kind, price, start, end, event, days, qty, total) -> None:
    first, last, day = (date.fromisoformat(text) for text in (start, end, event))
    assert days_between(day, last) == days
    unit = prorated(D(price), days, days_between(first, last)) * (-1 if D(total) < 0 else 1)
    assert abs(D(total) - unit * D(qty)) <= D("0.01") * D(qty)
    (row,) = charges(
        f"type  order  start  end  qty  list  unit  amount  cycle  term_start\n"
        f"{kind}  {event}  {event}  {end}  {qty}  {price}  {unit:.18f}  {total}  1  {start}"
    )
    assert not check_line(row, [row]).is_off
    (row,) = charges(
        f"type  order  start  end  qty  list  amount  cycle  term_start\n{kind}  {event}  {event}  {end}  {qty}  {price}  {total}  1  {start}"
    )
    assert not check_line(row, [row]).is_off  # the list price and its days alone say the same


def test_t78_a_line_off_by_more_than_a_coin_a_unit_is_a_mismatch_with_the_difference() -> None:
    table = "type  order  start  end  qty  list  unit  amount\nnew  2026-10-01  2026-10-01  2026-10-31  10  10.08  10.08  {}"
    assert of(audit(table.format("100.90")), "lines")["status"] == "agrees"  # exactly 0.01 × 10
    row = of(audit(table.format("100.91")), "lines")
    assert (row["status"], row["difference_amount"], row["expected_amount"]) == ("mismatch", D("0.11"), D("100.80"))
    assert "new of 2026-10-01 says 100.91, 10.08 × 10 is 100.80" in row["explanation"]


def test_t79_the_printed_price_is_short_and_the_days_are_asked() -> None:
    assert round(prorated(D(12), 29, 31), 8) == D("11.22580645")
    rows = charges(TEN_EVENTS)
    short = next(row for row in rows if row["charge_id"] == "a1c") | {"unit_cost": D("11.2"), "quantity_qty": D(15)}
    assert not check_line(short, rows).is_off  # 11.2 × 15 is 168.00, the days say 168.387…


def test_t72_the_effective_price_counts_and_a_new_list_price_does_not() -> None:
    rows = audit(
        """
        type         order       start       end         qty  list   unit   amount  cycle
        cycleCharge  2026-10-01  2026-10-01  2026-10-31  10   11.00  10.00  100     1
        addQuantity  2026-10-16  2026-10-16  2026-10-31  10   11.00  -5.161290322580645161  -51.61  1
        addQuantity  2026-10-16  2026-10-16  2026-10-31  12   11.00  5.161290322580645161   61.93   1
        """
    )
    assert of(rows, "lines")["status"] == "agrees"


def test_t73_a_change_charged_for_a_day_too_many_is_a_mismatch() -> None:
    rows = audit(
        """
        type         order       start       end         qty  list   unit    amount   ref
        new          2021-06-18  2021-06-18  2021-07-17  10   10.08  10.08   100.80   a
        addQuantity  2021-06-20  2021-06-20  2021-07-17  10   10.08  -9.408  -94.08   b
        addQuantity  2021-06-20  2021-06-20  2021-07-17  12   10.08  9.744   116.92   b
        """,
        as_of="2021-06-30",
    )
    row = of(rows, "lines")
    assert (row["status"], row["difference_amount"]) == ("mismatch", D("4.024"))  # 116.92 − 9.408 × 12
    assert "28 days cost 9.408 a unit, the line says 9.744" in row["explanation"]


def test_t73_a_refund_of_fewer_days_than_are_left_is_money_lost() -> None:
    rows = audit(
        """
        type             order       start       end         qty  list   unit   amount
        new              2021-07-15  2021-07-15  2021-08-14  10   10.08  10.08  100.80
        cancelImmediate  2021-07-17  2021-07-17  2021-08-14  10   10.08  -8.42  -84.20
        """,
        as_of="2021-07-31",
    )
    assert of(rows, "lines")["difference_amount"] > 10


def test_t74_t75_ten_events_are_30_seats_and_not_216() -> None:
    rows = charges(TEN_EVENTS)
    assert sum(row["quantity_qty"] for row in rows) == 216
    days = ["2022-03-06", "2022-03-09", "2022-03-11", "2022-03-13", "2022-03-24", "2022-03-31"]
    assert [seats_on(rows, date.fromisoformat(day)) for day in days] == [10, 15, 25, 23, 20, 30]
    assert of(audit(TEN_EVENTS, as_of="2022-03-31"), "lines")["status"] == "agrees"


def test_t74_a_change_whose_cycle_began_on_an_earlier_invoice_names_the_seats_before() -> None:
    rows = [row for row in charges(TEN_EVENTS) if row["charge_id"] != "n"]
    assert net_seats(rows) == 30
    assert net_seats([row for row in rows if row["charge_id"] in ("a3r", "a3c")]) == 30


def test_t76_lines_come_in_no_order_and_several_changes_of_one_day_still_add_up() -> None:
    rows = charges(TEN_EVENTS)
    assert [row["charge_id"] for row in by_order(reversed(rows))] == [row["charge_id"] for row in rows]
    same_day = [row | {"order_date": date(2022, 3, 7)} if row["charge_type"] != "new" else row for row in rows]
    assert net_seats(reversed(same_day)) == 30
    credit = charges("type  order  start  end  qty  unit  amount\ncustomerCredit  2022-03-20  2022-02-05  2022-04-04  4  -12  -48")
    assert net_seats(rows + credit) == 30


def test_t77_trial_lines_have_no_sign_and_are_left_out() -> None:
    table = """
        type     order       start       end         qty  list   unit   amount   mark       ref
        new      2021-06-25  2021-06-25  2021-07-24  25   0      0      0        ["Trial"]  a
        convert  2021-06-25  2021-06-25  2021-07-24  25   0      0      0        ["Trial"]  b
        convert  2021-06-25  2021-06-25  2021-07-24  25   52.61  52.61  1315.25  -          b
    """
    assert net_seats(charges(table)) == 25
    rows = audit(table, as_of="2021-06-30")
    assert (of(rows, "lines")["status"], of(rows, "lines")["stated_amount"]) == ("agrees", D("1315.25"))


def test_t80_a_cycle_has_its_own_days() -> None:
    assert days_between(date(2022, 2, 21), date(2022, 3, 20)) == 28
    assert days_between(date(2022, 3, 21), date(2022, 4, 20)) == 31
    table = """
        type         order       start       end         qty  list  unit     amount   cycle  term_start
        addQuantity  2021-02-10  2021-02-10  2021-02-27  1    28    {unit}   {unit}   1      2021-01-31
    """
    for unit, off in (("18", False), ("16.258064516129", False), ("19", True)):  # 18/28, 18/31, neither
        (row,) = charges(table.format(unit=unit))
        assert check_line(row, [row]).is_off is off


@pytest.mark.parametrize(
    ("end", "anchor", "start"),
    [
        ("2021-02-27", "2021-01-31", "2021-01-31"),
        ("2021-03-30", "2021-01-31", "2021-02-28"),
        ("2021-04-29", "2021-01-31", "2021-03-31"),
        ("2021-05-30", "2021-01-31", "2021-04-30"),
        ("2021-02-26", "2021-01-30", "2021-01-30"),
        ("2021-03-29", "2021-01-30", "2021-02-27"),
        ("2021-04-28", "2021-01-30", "2021-03-30"),
    ],
)
def test_t81_cycles_at_the_end_of_a_month_begin_where_microsoft_says(end, anchor, start) -> None:
    assert date.fromisoformat(start) in cycle_starts(date.fromisoformat(end), 1, date.fromisoformat(anchor))


def test_t71_t82_the_term_is_the_subscriptions_and_the_plan_the_charges() -> None:
    year = {"term_start_date": date(2021, 4, 15), "term_end_date": date(2022, 4, 14), "cycle_months": None}
    monthly = year | {"start_date": date(2021, 10, 15), "end_date": date(2021, 11, 14)}
    ahead = year | {"start_date": date(2021, 4, 15), "end_date": date(2022, 4, 14)}
    assert (term_months(monthly), plan_months(monthly)) == (12, 1)
    assert plan_months(ahead) == 0  # once over the whole term, and no billing frequency
    assert plan_months(ahead | {"cycle_months": 12}) == 12


def test_t83_a_cycle_charge_proves_a_commitment_and_a_renewal_a_monthly_term() -> None:
    table = """
        type    order       start       end         term_start  term_end    qty  list  unit  amount  cycle  sub
        {type}  2026-10-01  2026-10-01  2026-10-31  2026-04-01  2027-03-31  12   10    10    120     1      s1
    """
    bought = "id  qty\ns1  10"
    committed = of(audit(table.format(type="cycleCharge"), purchases=bought), "refund")
    assert "Committed until 2027-03-31" in committed["explanation"]
    assert "Committed" not in of(audit(table.format(type="renew"), purchases=bought), "refund")["explanation"]


def test_t84_a_year_paid_ahead_costs_a_twelfth_and_its_silence_is_no_cancellation() -> None:
    table = """
        type  order       start       end         qty  list    unit    amount  cycle  sub
        new   2026-06-18  2026-06-18  2027-06-17  10   120.96  120.96  1209.60  12    s1
    """
    bought = "id  qty  cost\ns1  10  10.08"
    first = audit(table, purchases=bought, as_of="2026-06-30")
    assert (of(first, "price")["status"], of(first, "price")["stated_amount"]) == ("agrees", D("10.08"))
    other = "type  order  start  end  qty  unit  amount  cycle  sub\nnew  2026-10-02  2026-10-02  2026-11-01  1  9  9  1  s2"
    later = audit(other, purchases=f"{bought}\ns2  1  9")
    assert {row["status"] for row in later} == {"agrees"}


@pytest.mark.parametrize(("cycle", "end", "amount", "status"), [(12, "2027-09-30", 600, "unchecked"), (1, "2026-10-31", 50, "mismatch")])
def test_t84_the_silence_of_another_year_paid_ahead_is_no_seat_forgotten(cycle: int, end: str, amount: int, status: str) -> None:
    table = f"""
        type  order       start       end    qty  unit            amount    cycle    sub
        new   2026-10-01  2026-10-01  {end}  5    {amount // 5}   {amount}  {cycle}  file
    """
    row = of(audit(table, purchases="id  qty\nportal1  5\nportal2  10"), "seats")  # ids do not meet; the second was charged in March
    assert (row["status"], row["expected_qty"]) == (status, 15)


def test_t87_seats_go_down_from_the_renewal_to_seven_days_after_it() -> None:
    assert reduction_window(date(2026, 12, 31)) == (date(2027, 1, 1), date(2027, 1, 8))


@pytest.mark.parametrize("ref", ["a", "-"])
def test_t70_two_lines_of_one_product_are_one_set_of_seats_and_both_costs(ref: str) -> None:
    table = """
        type  order       start       end         qty  list  unit  amount  cycle  sub  ref
        new   2026-10-01  2026-10-01  2026-10-31  10   50    50    500     1      e5   {ref}
        new   2026-10-01  2026-10-01  2026-10-31  10   7     7     70      1      e5   {ref}
    """
    rows = audit(table.format(ref=ref), purchases="id  qty  cost\ne5  10  57")
    assert (of(rows, "seats")["status"], of(rows, "seats")["stated_qty"]) == ("agrees", 10)
    assert (of(rows, "price")["status"], of(rows, "lines")["stated_amount"]) == ("agrees", 570)
    assert "double_charge" not in states(rows)


def test_t91_a_change_of_plan_is_prorated_by_months_and_counts_its_seats_once() -> None:
    table = """
        type               order       start       end         qty  list  unit    amount  cycle  sub  product
        new                2021-09-20  2021-09-20  2021-10-19  10   20    20      200     1      s1   monthly
        changeBillingPlan  2021-10-20  2021-10-20  2022-09-19  10   250   229.16  2291.6  12     s1   annual
    """
    rows = audit(table, purchases="id  qty  product\ns1  10  annual", as_of="2021-10-31", lines="Acme  annual\nAcme  monthly")
    assert [(row["check"], row["status"]) for row in rows if row["status"] != "agrees"] == []
    assert of(rows, "seats")["stated_qty"] == 10


def test_t92_an_upgrade_moves_seats_from_one_product_to_another() -> None:
    table = """
        type     order       start       end         qty  list   unit   amount  cycle  sub  product  ref
        new      2021-06-18  2021-06-18  2021-07-17  300  10.08  10.08  3024    1      base  BS      a
        convert  2021-06-25  2021-06-25  2021-07-17  {n}  10.08  -7.72  -{out}  1      base  BS      b
        convert  2021-06-25  2021-06-25  2021-07-17  {n}  6.43   4.92   {into}  1      {to}  E1      b
    """
    full = charges(table.format(n=300, out=2316, into=1476, to="base"))
    partial = charges(table.format(n=100, out=772, into=492, to="other"))
    for rows, base, target in ((full, 0, 300), (partial, 200, 100)):
        seats = {p: seats_on([r for r in rows if r["vendor_product_id"] == p], date(2021, 6, 30)) for p in ("BS", "E1")}
        assert seats == {"BS": base, "E1": target}
    rows = audit(table.format(n=100, out=772, into=492, to="other"), as_of="2021-06-30", lines="Acme  BS\nAcme  E1")
    assert states(rows)["lines"] == "agrees"


PLAN_CHANGE = """
type         order       start       end         term_start  term_end    qty  list  unit  amount  cycle  sub      product
renew        2026-10-01  2026-10-01  2026-10-31  2026-10-01  2026-10-31  10   12    12    120     1      monthly  P:monthly
new          2026-10-16  2026-10-16  2026-11-15  2026-10-16  2027-10-15  {n}  10    10    {m}     1      annual   P:annual
"""


def test_t93_a_new_plan_beside_the_old_one_is_charged_twice() -> None:
    skus = {"P:monthly": "P", "P:annual": "P"}
    row = of(audit(PLAN_CHANGE.format(n=10, m=100), skus=skus), "double_charge")
    assert (row["subscription_id"], row["confidence"]) == ("monthly", D("0.7"))
    assert row["difference_amount"] == D("61.935484")  # 120 × 16 ÷ 31 days
    assert "double_charge" not in states(audit(PLAN_CHANGE.format(n=4, m=40), skus=skus))  # seats of two terms side by side (T28)


def test_t93_the_same_subscription_and_days_charged_twice() -> None:
    table = """
        id  type         order       start       end         qty  unit  amount  cycle  sub  ref
        a   cycleCharge  2026-10-01  2026-10-01  2026-10-31  10   12    120     1      s1   r1
        b   cycleCharge  2026-10-01  2026-10-01  2026-10-31  10   12    120     1      s1   {ref}
    """
    for ref in ("r1", "r2"):
        rows = audit(table.format(ref=ref), purchases="id  qty\ns1  10")
        assert of(rows, "double_charge")["difference_amount"] == 120
        assert of(rows, "seats")["status"] == "agrees"  # the double is asked back once, not as seats too
        (found,) = [row for row in findings(rows) if row["rule"] == "vendor_audit.double_charge"]
        assert found["cost_impact"] == 120


def test_t94_credits_are_money_and_never_seats_and_a_credit_note_is_taken_off() -> None:
    table = """
        type            order       start       end         qty  unit  amount  cycle  sub  invoice
        new             2026-10-01  2026-10-01  2026-10-31  10   12    120     1      s1   G1
        customerCredit  2026-10-20  2026-10-01  2026-10-31  3    -12   -36     -      s1   G1
    """
    rows = audit(table, purchases="id  qty\ns1  10", heads="invoice  amount  amends\nG1  120  -\nG2  -36  G1")
    assert (of(rows, "seats")["stated_qty"], of(rows, "invoice_sum")["status"]) == (10, "agrees")
    assert "with 1 credit notes" in of(rows, "invoice_sum")["explanation"]
    charging = table.replace("-12   -36", "12    36 ")
    assert of(audit(charging), "lines")["difference_amount"] == 72


def test_t95_an_earned_credit_moves_a_meters_price_and_is_no_price_change() -> None:
    rows = audit(
        """
        type  order       start       end         qty  list   unit   amount  class  sub
        new   2026-10-31  2026-10-01  2026-10-31  100  1.00   0.85   85      azure  az
        new   2026-10-31  2026-10-01  2026-10-31  50   1.00   1.00   50      azure  az
        """,
        purchases="id  qty  cost\naz  1  1.00",
    )
    assert "price" not in states(rows)
    assert states(rows)["lines"] == "agrees"


@pytest.mark.parametrize(("units", "cost"), [("29", "21.39"), ("210.950039", "155.63"), ("555.950039", "410.17")])
def test_t96_azure_prices_drift_and_their_lines_still_agree(units, cost) -> None:
    price = (D(cost) / D(units)).quantize(D("1e-15"))
    (row,) = charges(f"type  order  start  end  qty  list  unit  amount  class\nnew  -  -  -  {units}  0.868  {price}  {cost}  azure")
    assert not check_line(row).is_off
    assert abs(D(units) * D("0.868") * D("0.85") - D(cost)) < D("0.01")  # rounded down to the coin


def test_t97_one_row_a_tier_is_summed_and_may_be_rounded_up() -> None:
    row = of(
        audit(
            """
            type  qty  list  unit    amount  class  sub
            new   5    0     0       0       azure  az
            new   32   2.99  2.5415  81.33   azure  az
            """
        ),
        "lines",
    )
    assert (row["lines"], row["stated_amount"], row["status"]) == (2, D("81.33"), "agrees")


def test_t98_a_line_is_recomputed_by_its_own_rate() -> None:
    table = "type  start  end  qty  unit  amount  currency  priced_in  rate\nnew  2026-10-01  2026-10-31  10  10  {}  EUR  USD  0.846202666"
    assert of(audit(table.format("84.60")), "lines")["status"] == "agrees"
    row = of(audit(table.format("90.00")), "lines")
    assert (row["status"], row["difference_amount"]) == ("mismatch", D("90.00") - D("84.62026660"))


def test_t99_reservations_and_savings_plans_are_money_without_seats() -> None:
    rows = audit(
        """
        type         start       end         qty  unit  amount  class         sub
        cycleCharge  2026-10-01  2026-10-31  2    30    60      reservation   r1
        cycleCharge  2026-10-01  2026-10-31  1    40    40      savings_plan  p1
        """,
        purchases="id  qty\ns1  1",
    )
    assert "seats" not in states(rows)
    assert sum(row["stated_amount"] for row in rows if row["check"] == "lines") == 100


def test_t100_legacy_files_credit_the_cycle_and_charge_both_parts_anew() -> None:
    table = """
        type                    start       end         qty  unit   amount
        Cycle fee               2018-01-13  2018-02-12  1    4.00   4.00
        Cycle Instance Prorate  2018-01-13  2018-02-12  1    -4.00  -4.00
        Cycle Instance Prorate  2018-01-13  2018-01-31  1    2.45   2.45
        Cycle Instance Prorate  2018-02-01  2018-02-12  2    1.55   3.10
        Cycle fee               2018-02-13  2018-03-12  2    4.00   8.00
    """
    rows = charges(table)
    days = ("2018-01-20", "2018-02-05", "2018-02-20")
    assert [seats_on(rows, date.fromisoformat(day)) for day in days] == [1, 2, 2]
    assert of(audit(table, as_of="2018-02-20"), "lines")["stated_amount"] == D("13.55")


@pytest.mark.parametrize(
    ("publisher", "term", "description", "end", "found"),
    [
        ("SendGrid", "One-month commitment", "", "x", "third_party"),
        ("Microsoft", "1 Year Reservation", "", "x", "reservation"),
        ("Microsoft Corporation", "3 Year Savings Plan", "", "x", "savings_plan"),
        ("Microsoft", "1 Year Subscription", "SQL Server", "x", "software"),
        ("Microsoft", "One-Year commitment for monthly/yearly billing", "", "x", "licence"),
        ("Microsoft", "", "", "", "perpetual"),
        ("Microsoft", "Data Stored (GB/Month), One-Year commitment for monthly/yearly billing", "Azure plan", "x", "azure"),
        ("Microsoft", "GB/Month", "my name for it", "x", "azure"),
    ],
)
def test_t101_class_of_a_product_by_its_attributes(publisher, term, description, end, found) -> None:
    assert product_class(publisher, term, description, has_end=bool(end)) == found


INVOICES = """
type  start       end         qty  unit  amount  invoice  sub  product
new   2026-10-01  2026-10-31  10   12    120     G1       s1   M365
new   2026-10-01  2026-10-31  5    8     40.05   G2       s2   EDR
"""


def test_t6_lines_off_their_head_stop_that_invoice_and_no_other() -> None:
    rows = audit(
        INVOICES,
        heads="invoice  amount\nG1  132\nG2  40.00",
        purchases="id  qty  product\ns1  11  M365\ns2  5  EDR",
        lines="Acme  M365\nAcme  EDR",
    )
    by = {(row["check"], row["invoice_id"] or row["subscription_id"] or row["vendor_product_id"]): row for row in rows}
    assert (by["invoice_sum", "G1"]["status"], by["lines", "G1"]["status"], by["seats", "s1"]["status"]) == (
        "stopped",
        "stopped",
        "unchecked",
    )
    assert (by["invoice_sum", "G2"]["status"], by["lines", "G2"]["status"], by["seats", "s2"]["status"]) == ("agrees", "agrees", "agrees")
    assert "add up to 120.00 EUR, its head says 132.00 EUR" in by["invoice_sum", "G1"]["explanation"]
    assert (by["invoice_sum", "G1"]["stated_amount"], by["invoice_sum", "G1"]["expected_amount"]) == (120, 132)
    (found,) = findings(rows)
    assert (found["kind"], found["rule"], found["cost_impact"]) == ("vendor_invoice_mismatch", "vendor_audit.invoice_sum", None)


def test_t6_the_tolerance_is_named_and_alters_nothing() -> None:
    heads = "invoice  amount\nG1  120\nG2  40.00"
    exact = [row for row in audit(INVOICES, heads=heads, tolerance="0.04") if row["check"] == "invoice_sum"]
    assert [row["status"] for row in exact] == ["agrees", "stopped"]
    wider = [row for row in audit(INVOICES, heads=heads) if row["check"] == "invoice_sum"]
    assert [(row["status"], row["difference_amount"]) for row in wider] == [("agrees", 0), ("agrees", D("0.05"))]
    assert Rules(version=1).invoice_tolerance == D("0.05")


def test_t6_a_head_with_tax_meets_the_lines_with_tax_and_a_missing_head_is_said() -> None:
    table = "type  start  end  qty  unit  amount  tax  invoice\nnew  2026-10-01  2026-10-31  10  12  120  24  G1"
    assert of(audit(table, heads="invoice  total\nG1  144"), "invoice_sum")["status"] == "agrees"
    assert of(audit(table, heads="invoice  total\nG1  120"), "invoice_sum")["status"] == "stopped"
    assert of(audit(table), "invoice_sum")["status"] == "unchecked"
    assert of(audit(table.replace("24", "-"), heads="invoice  total\nG1  144"), "invoice_sum")["status"] == "unchecked"


def test_t6_an_invoice_that_does_not_add_up_keeps_the_month_from_being_signed() -> None:
    found = make_table(STAGES["findings"], findings(audit(INVOICES, heads="invoice  amount\nG1  132\nG2  40")))
    empty = {name: make_table(STAGES[name], []) for name in ("source_status", "account_mapping", "product_mapping")}
    gates = check_gates(
        status=empty["source_status"],
        accounts=empty["account_mapping"],
        products=empty["product_mapping"],
        findings=found,
        events=[],
        materiality=D(1000000),
        as_of=date(2026, 10, 31),
    )
    assert [gate.name for gate in gates if not gate.ok] == ["unknown money"]


def test_t19_charges_of_an_account_nobody_mapped_surface() -> None:
    table = "type  start  end  qty  unit  amount  account\nnew  2026-10-01  2026-10-31  10  12  120  No company assigned"
    rows = audit(table, unmapped=("No company assigned",))
    assert (of(rows, "unmapped")["status"], of(rows, "unmapped")["stated_amount"]) == ("mismatch", 120)
    (found,) = findings(rows)
    assert (found["kind"], found["vendor_account_id"]) == ("unmapped_account", "No company assigned")
    assert "charges 120.00 EUR" in found["explanation"]


def test_t20_charges_of_a_product_nobody_mapped_surface() -> None:
    table = "type  start  end  qty  unit  amount  product\nnew  2026-10-01  2026-10-31  10  12  120  New SKU"
    (found,) = findings(audit(table, unmapped=("New SKU",)))
    assert (found["kind"], found["vendor_product_id"]) == ("unmapped_service", "New SKU")


SEATS = """
type  order       start       end         qty  unit  amount  cycle  sub    source
new   2026-10-01  2026-10-01  2026-10-31  12   10    120     1      file1  {source}
"""


def test_t29_ids_that_do_not_meet_are_matched_by_account_and_product_at_less_confidence() -> None:
    exact = of(audit(SEATS.format(source="nce"), purchases="id  qty\nfile1  12"), "seats")
    assert (exact["status"], exact["confidence"]) == ("agrees", 1)
    other = audit(SEATS.format(source="nce"), purchases="id  qty\nportal1  5\nportal2  6")
    row = of(other, "refund")
    assert (row["stated_qty"], row["expected_qty"], row["difference_amount"], row["confidence"]) == (12, 11, 10, D("0.8"))
    assert "the ids do not meet" in row["explanation"]
    (found,) = findings(other)
    assert (found["cost_impact"], found["certainty"], found["variance_qty"]) == (10, "estimated", 1)


def test_t29_a_portal_that_is_another_source_is_matched_by_client_and_service() -> None:
    bought = "source  id  qty  product\nportal  p1  12  SKU-M365"
    row = of(audit(SEATS.format(source="nce"), purchases=bought, services={"SKU-M365": "M365"}), "seats")
    assert (row["status"], row["confidence"]) == ("agrees", D("0.6"))


def test_t29_what_no_source_lists_as_bought_is_not_known() -> None:
    row = of(audit(SEATS.format(source="nce")), "seats")
    assert (row["status"], row["expected_qty"]) == ("unchecked", None)


def test_t3_a_change_dated_after_the_as_of_day_is_timing() -> None:
    table = """
        type         order       start       end         qty  list  unit  amount  cycle  sub
        new          2026-10-20  2026-10-20  2026-11-19  10   31    31    310     1      s1
        addQuantity  2026-11-01  2026-10-31  2026-11-19  10   31    -20   -200    1      s1
        addQuantity  2026-11-01  2026-10-31  2026-11-19  12   31    20    240     1      s1
    """
    row = of(audit(table, purchases="id  qty\ns1  12"), "seats")
    assert (row["stated_qty"], row["status"]) == (10, "timing")
    assert of(audit(table, purchases="id  qty\ns1  13"), "seats")["status"] == "mismatch"


def test_t52_a_suspended_subscription_is_charged_rightly() -> None:
    rows = audit(SEATS.format(source="nce"), purchases="id  qty  status\nfile1  12  suspended")
    assert of(rows, "seats")["status"] == "agrees"


def test_t85_a_cancelled_purchase_without_a_refund_line_is_a_missing_refund() -> None:
    row = of(audit(SEATS.format(source="nce"), purchases="id  qty  status\nfile1  12  cancelled"), "refund")
    assert (row["status"], row["difference_amount"]) == ("mismatch", 120)
    assert "no line refunds them" in row["explanation"]


def test_t1_fewer_seats_charged_than_bought_is_a_difference_in_our_favour() -> None:
    row = of(audit(SEATS.format(source="nce"), purchases="id  qty\nfile1  15"), "seats")
    assert (row["status"], row["difference_amount"]) == ("mismatch", -30)


def test_t72_a_price_above_the_purchases_is_a_difference_of_its_own() -> None:
    rows = audit(SEATS.format(source="nce"), purchases="id  qty  cost\nfile1  12  9.50")
    row = of(rows, "price")
    assert (row["status"], row["difference_amount"]) == ("mismatch", 6)
    assert "currency" in row
    assert "price" not in states(audit(SEATS.format(source="nce"), purchases="id  qty  cost  currency\nfile1  12  9.50  USD"))


def test_t22_recurring_charges_that_no_agreement_line_bills() -> None:
    bought = "id  qty\nfile1  10"
    rows = audit(SEATS.format(source="nce"), purchases=bought, lines="")
    assert (of(rows, "refund")["difference_amount"], of(rows, "unbilled")["difference_amount"]) == (20, 100)  # each euro asked for once
    assert sum(row["cost_impact"] for row in findings(rows)) == 120
    assert of(audit(SEATS.format(source="nce"), lines="Acme  M365  new_revenue  0"), "unbilled")["status"] == "reported"
    assert of(audit(SEATS.format(source="nce"), lines="Acme  M365  covered  0"), "unbilled")["status"] == "agrees"
    assert of(audit(SEATS.format(source="nce"), lines="", own=("Acme",)), "unbilled")["status"] == "agrees"


@pytest.mark.parametrize("rules", [{}, {"services": {"M365": {"cloud": {"connector": "nce", "markup_percent": 10}}}}])
@pytest.mark.parametrize("lines", ["", "Acme  M365  out_of_scope  0"])
def test_t13_t22_what_is_still_charged_for_a_client_that_has_gone_surfaces(lines: str, rules: dict[str, Any]) -> None:
    given: dict[str, Any] = {"purchases": "id  qty\nfile1  12", "lines": lines, "gone": ("Acme",)}
    rows = audit(SEATS.format(source="nce"), **given, rules=rules)
    assert (of(rows, "unbilled")["status"], of(rows, "unbilled")["difference_amount"]) == ("mismatch", 120)
    (found,) = findings(rows)
    assert (found["kind"], found["cost_impact"]) == ("vendor_invoice_mismatch", 120)
    assert "for a client that is deleted or no customer any more" in found["explanation"]
    assert of(audit(SEATS.format(source="nce"), **given, rules=rules, own=("Acme",)), "unbilled")["status"] == "agrees"
    ignored = {"client": "Acme", "service": "M365", "ignore": True, "reason": "theirs", "review_by": "2027-01-31"}
    assert of(audit(SEATS.format(source="nce"), **given, rules=rules | {"overrides": [ignored]}), "unbilled")["status"] == "reported"


def test_t35_what_a_contract_exception_ignores_is_no_unbilled_charge() -> None:
    ignored = {"client": "Acme", "service": "M365", "ignore": True, "reason": "theirs", "review_by": "2027-01-31"}
    assert of(audit(SEATS.format(source="nce"), lines="", rules={"overrides": [ignored]}), "unbilled")["status"] == "reported"
    cloud = {"services": {"M365": {"cloud": {"connector": "nce", "markup_percent": 10}}}}
    assert of(audit(SEATS.format(source="nce"), lines="", rules=cloud), "unbilled")["status"] == "reported"


def test_t130_a_charge_of_a_product_moved_for_its_client_is_billed_by_the_named_service() -> None:
    move = {"client": "Acme", "source": "nce", "products": ["M365"], "service": "E3", "reason": "theirs", "review_by": "2027-01-31"}
    given: dict[str, Any] = {"purchases": "id  qty  product\nfile1  12  M365\nfile2  1  E3", "lines": "Acme  E3"}
    assert of(audit(SEATS.format(source="nce"), **given), "unbilled")["status"] == "mismatch"
    row = of(audit(SEATS.format(source="nce"), **given, rules={"product_overrides": [move]}), "unbilled")
    assert (row["status"], row["service_id"], row["service_name"]) == ("agrees", "E3", "E3")


def test_charge_types_nobody_knows_pass_through_and_are_named() -> None:
    table = """
        type             start       end         qty  unit  amount  cycle  sub
        new              2026-10-01  2026-10-31  10   12    120     1      s1
        One Time Refund  2026-10-01  2026-10-31  1    -12   -12     -      s1
    """
    rows = audit(table, purchases="id  qty\ns1  10")
    assert (of(rows, "seats")["stated_qty"], of(rows, "lines")["stated_amount"]) == (10, 108)
    assert "One Time Refund (1)" in of(rows, "charge_type")["explanation"]
    assert [row["rule"] for row in findings(rows)] == ["vendor_audit.charge_type"]


def test_several_lines_of_one_product_are_one_finding_with_the_sum() -> None:
    table = """
        type  order       start       end         qty  unit  amount  sub  invoice
        new   2026-10-01  2026-10-01  2026-10-31  1    10    11      s1   G1
        new   2026-10-01  2026-10-01  2026-10-31  1    10    12      s2   G2
    """
    (found,) = findings(audit(table))
    assert (found["cost_impact"], found["months_open"]) == (3, 1)
    assert found["explanation"].startswith("3.00 EUR over 2 things charged.")


def test_no_charges_no_rows() -> None:
    assert audit("") == []
    assert isinstance(make_table(STAGES["vendor_audit"], []), pa.Table)
