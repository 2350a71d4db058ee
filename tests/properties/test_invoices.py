"""Laws of the audit of vendor charges, over made-up invoices: nothing lost, order is nothing, a wider tolerance never finds more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from reconlib.invoices import audit_charges
from reconlib.invoices.arithmetic import check_line, prorated
from reconlib.invoices.cycles import cycle_starts, days_between
from reconlib.invoices.seats import net_seats, seats_on
from reconlib.rules import Rules
from reconlib.schema import ACCOUNT_MAPPING, CANONICAL, COMPARISON, PRODUCT_MAPPING, make_table

Row = dict[str, Any]
COIN = Decimal("0.01")
TYPES = ["new", "renew", "cycleCharge", "addQuantity", "removeQuantity", "cancelImmediate", "customerCredit", "usage", "strange", None]
MONEY = st.decimals("-999", "999", places=2)
A_DAY = st.none() | st.dates(date(2026, 9, 1), date(2026, 11, 30))
ONE = st.fixed_dictionaries(
    {
        "invoice_id": st.sampled_from([None, "G1", "G2"]),
        "vendor_account_id": st.sampled_from(["Acme", "Birch", "Nobody"]),
        "vendor_product_id": st.sampled_from(["M365", "EDR", "Unknown"]),
        "subscription_id": st.sampled_from([None, "s1", "s2"]),
        "reference_id": st.sampled_from([None, "r1", "r2"]),
        "charge_type": st.sampled_from(TYPES),
        "qualifiers": st.sampled_from([None, "Trial"]),
        "product_class": st.sampled_from([None, "licence", "azure"]),
        "order_date": A_DAY,
        "start_date": A_DAY,
        "end_date": A_DAY,
        "cycle_months": st.sampled_from([None, 0, 1, 12]),
        "quantity_qty": st.sampled_from([Decimal(n) for n in ("-1", "0", "1", "2", "10", "0.5")]),
        "list_price": st.none() | MONEY,
        "unit_cost": st.none() | MONEY,
        "amount": MONEY,
        "tax_amount": st.none() | MONEY,
        "currency": st.sampled_from(["EUR", "EUR", "JPY"]),
        "exchange_rate": st.sampled_from([None, Decimal("0.846202666")]),
    }
)
BOUGHT = st.fixed_dictionaries(
    {
        "purchase_id": st.sampled_from(["s1", "s2", "p3"]),
        "quantity_qty": st.sampled_from([Decimal(0), Decimal(2), Decimal(10)]),
        "is_active": st.booleans(),
    }
)


def audit(charges: Sequence[Row], bought: Sequence[Row] = (), tolerance: str = "0.05") -> pa.Table:
    full = [dict.fromkeys(c.name for c in CANONICAL["vendor_charges"].columns) | {"evidence": f"v/{r['charge_id']}"} | r for r in charges]
    tables = {name: make_table(schema, []) for name, schema in CANONICAL.items()}
    tables["vendor_charges"] = pa.Table.from_pylist(full, schema=CANONICAL["vendor_charges"].arrow())  # in the order given
    head = {"source": "v", "currency": "EUR", "evidence": "v/h"}
    tables["vendor_invoices"] = make_table(CANONICAL["vendor_invoices"], [head | {"invoice_id": "G1", "amount": Decimal(100)}])
    own = {"source": "v", "vendor_account_id": "Acme", "vendor_product_id": "M365", "is_free": False, "evidence": "v/b", "currency": "EUR"}
    tables["purchases"] = make_table(CANONICAL["purchases"], [own | row for row in {r["purchase_id"]: r for r in bought}.values()])
    mapped = {"source": "v", "units_qty": Decimal(0), "evidence": "v/a", "state": "mapped"}
    accounts = [mapped | {"vendor_account_id": n, "account_name": n, "client_id": n, "client_name": n} for n in ("Acme", "Birch")]
    accounts.append({**mapped, "state": "unmapped", "vendor_account_id": "Nobody", "account_name": "Nobody"})
    products = [mapped | {"vendor_product_id": n, "product_name": n, "service_id": n, "service_name": n} for n in ("M365", "EDR")]
    products.append({**mapped, "state": "unmapped", "vendor_product_id": "Unknown", "product_name": "Unknown"})
    rules = Rules(version=1, invoice_tolerance=Decimal(tolerance))
    made = make_table(ACCOUNT_MAPPING, accounts), make_table(PRODUCT_MAPPING, products)
    return audit_charges(tables, make_table(COMPARISON, []), *made, rules, as_of=date(2026, 10, 31))


def numbered(rows: Sequence[Row]) -> list[Row]:
    return [{"source": "v", "charge_id": f"c{n}", "is_billed": row["invoice_id"] is not None} | row for n, row in enumerate(rows)]


@settings(max_examples=60, deadline=None)
@given(st.lists(ONE, max_size=12), st.lists(BOUGHT, max_size=3))
def test_every_charge_is_audited_once_and_its_money_adds_up(charges, bought) -> None:
    rows = [row for row in audit(numbered(charges), bought).to_pylist() if row["check"] == "lines"]
    assert sum(row["lines"] for row in rows) == len(charges)
    for currency in ("EUR", "JPY"):
        said = sum((row["stated_amount"] for row in rows if row["currency"] == currency), Decimal(0))
        assert said == sum((row["amount"] for row in charges if row["currency"] == currency), Decimal(0))


@settings(max_examples=40, deadline=None)
@given(st.lists(ONE, max_size=10), st.lists(BOUGHT, max_size=3), st.randoms(use_true_random=False))
def test_the_order_of_lines_changes_nothing_but_what_is_looked_at_first(charges, bought, random: Random) -> None:
    rows = numbered(charges)
    shuffled = random.sample(rows, len(rows))
    drop = ["evidence", "explanation"]
    assert audit(shuffled, bought).drop_columns(drop).equals(audit(rows, bought).drop_columns(drop))


@settings(max_examples=40, deadline=None)
@given(st.lists(ONE, max_size=8), st.decimals("0", "500", places=2), st.decimals("0", "500", places=2))
def test_a_wider_tolerance_never_stops_more_invoices(charges, one, other) -> None:
    narrow, wide = sorted((one, other))
    stopped = [
        {
            row["invoice_id"]
            for row in audit(numbered(charges), tolerance=str(t)).to_pylist()
            if row["check"] == "invoice_sum" and row["status"] == "stopped"
        }
        for t in (narrow, wide)
    ]
    assert stopped[1] <= stopped[0]


@given(st.lists(st.integers(1, 60), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_t75_seats_are_the_last_number_whatever_happened_between_and_in_what_order(seats, random: Random) -> None:
    first, end = date(2026, 10, 1), date(2026, 10, 31)
    rows = []
    before = 0
    for number, now in enumerate(seats):
        day = first + timedelta(days=min(number, 29))
        for units, sign in ((before, -1), (now, 1)) if number else ((now, 1),):
            made = dict.fromkeys(c.name for c in CANONICAL["vendor_charges"].columns)
            made |= {"charge_id": f"{number}{sign}", "charge_type": "addQuantity" if number else "new", "reference_id": f"r{number}"}
            made |= {"order_date": day, "start_date": day, "end_date": end, "quantity_qty": Decimal(units), "unit_cost": Decimal(sign)}
            rows.append(made | {"amount": Decimal(sign * units)})
        before = now
    random.shuffle(rows)
    assert net_seats(rows) == seats_on(rows, end) == seats[-1]


@given(st.integers(1, 1000), st.decimals("0.01", "500", places=2), st.integers(1, 30), st.decimals("-2", "2", places=4))
def test_t78_a_line_agrees_within_a_coin_a_unit_and_not_beyond(units, price, days, slip) -> None:
    start = date(2026, 10, 31) - timedelta(days=days - 1)
    unit = prorated(price, days, 31).quantize(Decimal("1e-15"))
    amount = unit * units + slip * COIN * units
    row = dict.fromkeys(c.name for c in CANONICAL["vendor_charges"].columns)
    row |= {"charge_type": "new", "start_date": start, "end_date": date(2026, 10, 31), "quantity_qty": Decimal(units), "unit_cost": unit}
    row |= {"amount": amount, "currency": "EUR", "order_date": start}
    assert check_line(row, [row]).is_off is (abs(slip) > 1)


@given(st.dates(date(2020, 1, 1), date(2030, 12, 31)), st.integers(1, 36))
def test_t80_a_cycle_is_as_long_as_its_months(end, months) -> None:
    for start in cycle_starts(end, months, None):
        assert abs(days_between(start, end) - months * 30.44) < 4
