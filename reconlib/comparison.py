"""Contracted, billed, purchased, used and expected, client by client and service by service (docs/rules.md).

``comparison.sql`` makes the numbers and the status; here each cell gets its money, divided once and rounded by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any

from reconlib.compare_rules import rule_tables
from reconlib.engine import DUCKDB, Engine, read_sql, run_sql
from reconlib.errors import TieOutError
from reconlib.money import SEVERAL, minor_units, round_amount
from reconlib.period import Period
from reconlib.pricing import price_difference
from reconlib.rates import Rates
from reconlib.rules import PriceModel, Rules
from reconlib.schema import COMPARISON, LINE_BUCKETS, check_table

if TYPE_CHECKING:
    from datetime import date

    import pyarrow as pa

Row = dict[str, Any]
NO_RATES = Rates()


@dataclass(frozen=True, slots=True)
class Comparison:
    """What comparing makes of a month."""

    cells: pa.Table  # COMPARISON
    line_buckets: pa.Table  # LINE_BUCKETS
    judged: pa.Table  # the cells with everything the checks need besides


def compare_quantities(
    tables: Mapping[str, pa.Table],
    counts: pa.Table,
    mappings: tuple[pa.Table, pa.Table],
    status: pa.Table,
    rules: Rules,
    *,
    period: Period,
    as_of: date,
    currency: str,
    earlier: Sequence[pa.Table] = (),
    rates: Rates = NO_RATES,
    engine: Engine = DUCKDB,
) -> Comparison:
    """One cell a client and service, and one bucket a line.

    ``earlier`` are the counts of the months before, newest first: for vendors that bill in arrears (T110) and for the highest month
    of a term (T37). ``rates`` turn a purchase in another currency into the agreement's (T98).

    Raises:
        SettingsError: an override or bundle names a client or service that does not exist, or claims
            what another claims; a rate is missing.
        TieOutError: a line is in no bucket or in two.
    """
    out = run_sql(
        read_sql("comparison.sql"),
        {
            **{name: tables[name] for name in ("clients", "services", "agreements", "agreement_lines")},
            "counts": counts,
            "earlier_counts": earlier[0] if earlier else counts.slice(0, 0),
            **rule_tables(rules, tables, counts, mappings, status, earlier, period=period, as_of=as_of),
        },
        values={"as_of": as_of, "period_start": period.start, "next_start": period.next.start, "currency": currency},
        results=("line_buckets", "cells"),  # the larger one last: less is held beside it
        order={"line_buckets": LINE_BUCKETS.key},
        engine=engine,
    )
    judged = _with_money(out.pop("cells").sort_by([(name, "ascending") for name in COMPARISON.key]), rules, rates, currency)
    cells = check_table(COMPARISON, judged.select(COMPARISON.names()).cast(COMPARISON.arrow()))
    lines = check_table(LINE_BUCKETS, out["line_buckets"].select(LINE_BUCKETS.names()).cast(LINE_BUCKETS.arrow()))
    if lines.num_rows != (given := tables["agreement_lines"].num_rows):
        raise TieOutError(f"{given} agreement lines became {lines.num_rows} in buckets")
    return Comparison(cells, lines, judged)


def _with_money(cells: pa.Table, rules: Rules, rates: Rates, book_currency: str) -> pa.Table:
    """The cells with ``monthly_impact``, the line's cost a month, and the vendor's cost in the agreement's currency.

    What agrees costs nothing; what is paid by the unit and month is a product, rounded half up; only the rest is worked out by itself.
    The rules' price models speak the book's currency: where a line speaks another one, its money is not known.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    models = {code: rule.price for code, rule in rules.services.items() if rule.price is not None}
    agrees = pc.fill_null(pc.and_(pc.equal(cells["variance_qty"], ZERO), pc.is_valid(cells["unit_price"])), False)
    differs = pc.and_(pc.is_valid(cells["variance_qty"]), pc.invert(agrees))
    foreign = pc.fill_null(pc.not_equal(cells["vendor_currency"], cells["currency"]), False)
    monthly = pc.equal(cells["cycle_months"], 1)
    is_paid = pc.or_(cells["is_billable"], pc.equal(cells["lines"], 0))
    is_plain = pc.invert(pc.or_(foreign, pc.is_in(cells["service_code"], pa.array(models, pa.string()))))
    by_unit = pc.and_(pc.and_(pc.and_(differs, monthly), pc.and_(is_paid, is_plain)), pc.is_valid(cells["unit_price"])).combine_chunks()
    cycles = pc.and_(pc.invert(monthly), pc.is_valid(cells["line_cost"]))
    worked = pc.and_(pc.or_(pc.or_(differs, foreign), cycles), pc.invert(by_unit)).combine_chunks()
    needed = cells.select(_MONEY).append_column("agrees", agrees).filter(worked)
    found = [_money_of(row, models, rates, book_currency) for batch in needed.to_batches(max_chunksize=2048) for row in batch.to_pylist()]
    amount, text = pa.decimal128(18, 6), pa.string()
    agreed = pc.if_else(agrees, pa.scalar(ZERO, amount), pa.scalar(None, amount)).combine_chunks()
    before = {
        "monthly_impact": pc.replace_with_mask(agreed, by_unit, unit_money(cells.filter(by_unit))),
        **{name: cells[name].combine_chunks() for name in ("line_cost", "unit_cost", "vendor_cost", "vendor_currency")},
        "cost_rate": pa.nulls(cells.num_rows, text),  # how a vendor's cost came into the agreement's currency (T98)
    }
    for name, column in before.items():
        kind = text if name in ("vendor_currency", "cost_rate") else amount
        made = pc.replace_with_mask(column.cast(kind), worked, pa.array([row[name] for row in found], kind))
        at = cells.schema.get_field_index(name)
        cells = cells.append_column(name, made) if at < 0 else cells.set_column(at, name, made)
    return cells


def unit_money(cells: pa.Table) -> pa.Array:
    """Money a month of cells paid by the unit and month: ``money_a_month``, for all of a currency at once; in the order of the cells.

    Neither ``variance_qty`` nor ``unit_price`` is null in them. Up to 12 digits before the point each, so that the product is exact.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    amount = pa.decimal128(18, 6)
    exact = pc.multiply(cells["variance_qty"].cast(amount), cells["unit_price"].cast(amount))  # 37 digits: nothing is lost
    made = pa.chunked_array([pa.nulls(cells.num_rows, amount)])
    for currency in cells["currency"].unique().to_pylist():
        rounded = pc.round(exact, ndigits=minor_units(currency), round_mode="half_towards_infinity").cast(amount)
        made = pc.if_else(pc.equal(cells["currency"], currency), rounded, made)
    return made.combine_chunks()


def _money_of(row: Row, models: Mapping[str, PriceModel], rates: Rates, book_currency: str) -> Row:
    """One cell's money: what differs a month, and what its line and its vendor cost."""
    cycle, currency = row["cycle_months"], row["currency"]
    made: Row = {"monthly_impact": ZERO if row["agrees"] else None, "cost_rate": None}
    vendor_cost, vendor_currency, line_cost = row["vendor_cost"], row["vendor_currency"], row["line_cost"]
    if vendor_cost is not None and vendor_currency not in (None, currency, SEVERAL) and rates:
        made["cost_rate"] = rates.explain(vendor_currency, currency)
        vendor_cost = rates.convert(vendor_cost, vendor_currency, currency).quantize(MICRO, "ROUND_HALF_UP")
        vendor_currency = currency
    if line_cost is not None and cycle > 1:
        line_cost = (line_cost / cycle).quantize(MICRO, "ROUND_HALF_UP")
    unit_cost = vendor_cost if vendor_cost is not None and vendor_currency in (None, currency) else line_cost
    made |= {"vendor_cost": vendor_cost, "vendor_currency": vendor_currency, "line_cost": line_cost, "unit_cost": unit_cost}
    if row["variance_qty"] is None or row["agrees"]:
        return made
    is_unpaid = not row["is_billable"] and row["lines"]  # cost-only lines carry no revenue (T69)
    if is_unpaid or (row["variance_qty"] == 0 and row["service_code"] in models):
        made["monthly_impact"] = ZERO
    elif model := models.get(row["service_code"]):
        if currency == book_currency:
            made["monthly_impact"] = price_difference(model, row["due_qty"], row["billed_qty"], currency)
    elif row["unit_price"] is not None:
        made["monthly_impact"] = money_a_month(row["variance_qty"], row["unit_price"], cycle, currency)
    return made


ZERO, MICRO = Decimal(0), Decimal("0.000001")
_MONEY = [
    *("service_code", "lines", "variance_qty", "due_qty", "billed_qty", "unit_price", "line_cost", "vendor_cost", "vendor_currency"),
    *("cycle_months", "currency", "is_billable"),
]


def money_a_month(quantity: Decimal, unit_price: Decimal, cycle_months: int, currency: str) -> Decimal:
    """Money a month of a quantity at a price a cycle: multiplied exactly, divided once, rounded half up (T112).

    Example:
        >>> money_a_month(Decimal(7), Decimal("36.00"), 1, "USD"), money_a_month(Decimal(1), Decimal("100"), 12, "USD")
        (Decimal('252.00'), Decimal('8.33'))
    """
    with localcontext(prec=60):
        return round_amount(quantity * unit_price / cycle_months, currency)
