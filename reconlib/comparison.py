"""Contracted, billed, purchased, used and expected, client by client and service by service (FIELD.md 2.1, 2.3, 2.5).

``comparison.sql`` makes the numbers and the status; here each cell gets its money, divided once and rounded by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any

from reconlib.counting import BY_MAPPING
from reconlib.engine import DUCKDB, Engine, read_sql, run_sql
from reconlib.errors import SettingsError, TieOutError, nearest
from reconlib.explanations import is_likely, sources_read
from reconlib.money import SEVERAL, round_amount
from reconlib.period import Period
from reconlib.pricing import price_difference
from reconlib.product_overrides import moved_products
from reconlib.rates import Rates
from reconlib.rules import PriceModel, Rounded, Rules, ServiceRule
from reconlib.schema import COMPARISON, LINE_BUCKETS, check_table

if TYPE_CHECKING:
    from datetime import date

    import pyarrow as pa

Row = dict[str, Any]
EXACT_NAME_FACTOR = Decimal("0.98")
NOT_FRESH_FACTOR = Decimal("0.9")
NO_RATES = Rates()
FRESH_DAYS = 10  # a count read this long after the as-of date still speaks for it


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
    accounts, products = mappings
    out = run_sql(
        read_sql("comparison.sql"),
        {
            **{name: tables[name] for name in ("clients", "services", "agreements", "agreement_lines")},
            "counts": counts,
            "earlier_counts": earlier[0] if earlier else counts.slice(0, 0),
            "service_rules": _service_rules(rules, tables, products, status, counts),
            "overrides": _overrides(rules, tables),
            "bundles": _bundles(rules, tables),
            "peaks": _peaks(rules, tables, earlier, period),
            "own_clients": _own_clients(rules, tables),
            "trust": _trust(accounts, status, as_of),
            "reads": _reads(rules, tables, status),
            "waiting": _waiting(accounts, products),
        },
        values={"as_of": as_of, "period_start": period.start, "next_start": period.next.start, "currency": currency},
        results=("cells", "line_buckets"),
        engine=engine,
    )
    judged = _with_money(out.pop("cells").sort_by([("client_id", "ascending"), ("service_id", "ascending")]), rules, rates)
    cells = check_table(COMPARISON, judged.select(COMPARISON.names()).cast(COMPARISON.arrow()))
    lines = check_table(LINE_BUCKETS, out["line_buckets"].select(LINE_BUCKETS.names()).cast(LINE_BUCKETS.arrow()))
    if lines.num_rows != (given := tables["agreement_lines"].num_rows):
        raise TieOutError(f"{given} agreement lines became {lines.num_rows} in buckets")
    return Comparison(cells, lines, judged)


def _service_rules(rules: Rules, tables: Mapping[str, pa.Table], products: pa.Table, status: pa.Table, counts: pa.Table) -> pa.Table:
    import pyarrow.compute as pc

    any_failed = any(row["status"] != "complete" for row in status.to_pylist())
    mapped: dict[str, set[str]] = {}
    for row in products.to_pylist():
        if row["state"] == "mapped":
            mapped.setdefault(row["service_id"], set()).add(row["source"])
    moved = _moved_to(rules, tables)
    counted = set(counts["source"].filter(pc.equal(counts["measure"], "used")).unique().to_pylist())
    rows = []
    for service in tables["services"].to_pylist():
        code = service["service_code"]
        rule = rules.services.get(code, BY_MAPPING)
        feeds = mapped.get(service["service_id"], set()) | moved.get(service["service_id"], set())
        only_bought = code not in rules.services and bool(feeds) and feeds.isdisjoint(counted)
        rows.append(
            {
                "service_id": service["service_id"],
                "basis": rule.basis,
                "expect": "purchased" if only_bought else rule.expect,
                "period_offset": rule.period_offset,
                "round_to": rule.rounding.to if rule.rounding else None,
                "round_block": rule.rounding.block if rule.rounding else Decimal(1),
                "minimum": rule.minimum,
                "maximum": rule.maximum,
                "included_qty": rule.included,
                "tolerance_units": (rule.tolerance or rules.tolerance).units,
                "tolerance_percent": (rule.tolerance or rules.tolerance).percent,
                "tolerance_side": (rule.tolerance or rules.tolerance).side,
                "is_counted": any_failed
                or service["service_id"] in mapped
                or bool(code in rules.services and (rule.used or rule.purchased)),
                "rule": f"services.{code}" if code in rules.services else "by mapping",
            }
        )
    quantities = "round_block minimum maximum included_qty tolerance_units tolerance_percent"
    return _table("service_id basis expect round_to tolerance_side rule", quantities, rows, flags="is_counted", whole="period_offset")


def _moved_to(rules: Rules, tables: Mapping[str, pa.Table]) -> dict[str, set[str]]:
    """Sources whose products exceptions of clients move to a service."""
    moved: dict[str, set[str]] = {}
    for one in moved_products(rules, tables):
        moved.setdefault(one.service_id, set()).add(one.source)
    return moved


def _overrides(rules: Rules, tables: Mapping[str, pa.Table]) -> pa.Table:
    clients = _names(tables["clients"].to_pylist(), "client_id", "client_code")
    services = _names(tables["services"].to_pylist(), "service_id", "service_code")
    rows: list[Row] = []
    claimed: dict[tuple[str, str], str] = {}
    for number, override in enumerate(rules.overrides):
        where = rules.where(f"overrides.{number}")
        client, service = _known(override.client, clients, f"{where}.client"), _known(override.service, services, f"{where}.service")
        if (client, service) in claimed:
            raise SettingsError(
                f"{override.client} × {override.service} is claimed twice",
                where=where,
                hint=f"keep one; the other is {claimed[client, service]}",
            )
        claimed[client, service] = where
        rows.append(
            {
                "client_id": client,
                "service_id": service,
                "exclude_qty": override.exclude_units,
                "count_qty": override.count,
                "minimum": override.minimum,
                "maximum": override.maximum,
                "included_qty": override.included,
                "ignore": override.ignore,
                "not_resold": override.not_resold,
                "rule": f"overrides.{number}: {override.reason} (review by {override.review_by})",
            }
        )
    quantities = "exclude_qty count_qty minimum maximum included_qty"
    return _table("client_id service_id rule", quantities, rows, flags="ignore not_resold")


def _bundles(rules: Rules, tables: Mapping[str, pa.Table]) -> pa.Table:
    services = _names(tables["services"].to_pylist(), "service_id", "service_code")
    rows = []
    for code, rule in rules.services.items():
        if rule.bundle is None:
            continue
        where = rules.where(f"services.{code}.bundle")
        if rule.bundle.anchor not in rule.bundle.covers:
            raise SettingsError(f"anchor {rule.bundle.anchor!r} is not among what the bundle covers", where=where, hint="add it to covers")
        for part, units in rule.bundle.covers.items():
            rows.append(
                {
                    "bundle_service_id": _known(code, services, where),
                    "service_id": _known(part, services, f"{where}.covers"),
                    "units_qty": units,
                    "is_anchor": part == rule.bundle.anchor,
                }
            )
    return _table("bundle_service_id service_id", "units_qty", rows, flags="is_anchor")


def _peaks(rules: Rules, tables: Mapping[str, pa.Table], earlier: Sequence[pa.Table], period: Period) -> pa.Table:
    """Highest known count of the months of a high-water term, a client and service (T37)."""
    ids = {row["service_code"]: row["service_id"] for row in tables["services"].to_pylist()}
    since = {ids[code]: rule for code, rule in rules.services.items() if rule.high_water_since is not None and code in ids}
    highest: dict[tuple[str, str], Decimal] = {}
    month = period
    for table in earlier if since else ():
        month = month.previous
        sums: dict[tuple[str, str], Decimal | None] = {}
        for row in table.to_pylist():
            rule = since.get(row["service_id"])
            if rule and rule.high_water_since and month.end >= rule.high_water_since and row["measure"] == _measure(rule):
                key, before = (row["client_id"], row["service_id"]), sums.get((row["client_id"], row["service_id"]), Decimal(0))
                sums[key] = None if before is None or not row["is_known"] else before + row["quantity_qty"]
        for key, quantity in sums.items():
            highest[key] = max(highest.get(key, Decimal(0)), quantity or Decimal(0))
    rows = [
        {"client_id": client, "service_id": service, "peak_qty": _sold(quantity, since[service].rounding)}
        for (client, service), quantity in highest.items()
    ]
    return _table("client_id service_id", "peak_qty", rows)


def _sold(quantity: Decimal, rounding: Rounded | None) -> Decimal:
    """A count in the units it is sold in (T47), as ``comparison.sql`` does it for this month's."""
    if rounding is None or not (rest := quantity % rounding.block):
        return quantity
    goes_up = rounding.to == "up" or (rounding.to == "nearest" and rest * 2 >= rounding.block)
    return quantity - rest + (rounding.block if goes_up else ZERO)


def _measure(rule: ServiceRule) -> str:
    return "purchased" if rule.expect == "purchased" else "used"


def _own_clients(rules: Rules, tables: Mapping[str, pa.Table]) -> pa.Table:
    clients = _names(tables["clients"].to_pylist(), "client_id", "client_code")
    return _table(
        "client_id", "", [{"client_id": _known(name, clients, rules.where("own_clients"))} for name in dict.fromkeys(rules.own_clients)]
    )


def _reads(rules: Rules, tables: Mapping[str, pa.Table], status: pa.Table) -> pa.Table:
    """Sources the expected count of a service comes from."""
    connectors = {row["source"]: row["connector"] for row in status.to_pylist()}
    rows = [
        {"service_id": service["service_id"], "source": source}
        for service in tables["services"].to_pylist()
        for source in sources_read(service["service_code"], rules, connectors)
    ]
    return _table("service_id source", "", rows)


def _waiting(accounts: pa.Table, products: pa.Table) -> pa.Table:
    """Suggestions good enough to doubt a count for: of an account for a client, of a product for a service."""
    rows = [{"client_id": row["client_id"], "service_id": None, "source": row["source"]} for row in accounts.to_pylist() if is_likely(row)]
    rows += [
        {"client_id": None, "service_id": row["service_id"], "source": row["source"]} for row in products.to_pylist() if is_likely(row)
    ]
    return _table("client_id service_id source", "", rows)


def _names(rows: list[Row], key: str, code: str) -> dict[str, str]:
    return {row[key]: row[key] for row in rows} | {row[code]: row[key] for row in rows if row[code]}


def _known(name: str, names: Mapping[str, str], where: str) -> str:
    if name not in names:
        raise SettingsError(f"nothing is called {name!r}", where=where, hint=nearest(name, names))
    return names[name]


def _table(texts: str, quantities: str, rows: list[Row], *, flags: str = "", whole: str = "") -> pa.Table:
    import pyarrow as pa

    fields = [(name, pa.string()) for name in texts.split()]
    fields += [(name, pa.decimal128(18, 6)) for name in quantities.split()]
    fields += [(name, pa.bool_()) for name in flags.split()]
    fields += [(name, pa.int64()) for name in whole.split()]
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))


def _trust(accounts: pa.Table, status: pa.Table, as_of: date) -> pa.Table:
    """How sure a client's count of one source is: how it was mapped × how fresh it is."""
    fresh = {
        row["source"]: row["as_of_at"] is not None and abs((row["as_of_at"].date() - as_of).days) <= FRESH_DAYS
        for row in status.to_pylist()
    }
    found: dict[tuple[str, str], Decimal] = {}
    for row in accounts.select(["state", "decided_by", "source", "client_id"]).to_pylist():
        if row["state"] == "mapped":
            factor = EXACT_NAME_FACTOR if row["decided_by"] == "exact_name" else Decimal(1)
            factor *= Decimal(1) if fresh.get(row["source"]) else NOT_FRESH_FACTOR
            key = (row["client_id"], row["source"])
            found[key] = min(factor, found.get(key, Decimal(1)))
    rows = [{"client_id": client, "source": source, "factor": factor} for (client, source), factor in found.items()]
    return _table("client_id source", "factor", rows)


def _with_money(cells: pa.Table, rules: Rules, rates: Rates) -> pa.Table:
    """The cells with ``monthly_impact``, the line's cost a month, and the vendor's cost in the agreement's currency.

    What agrees costs nothing; only the rest is worked out, each amount divided once and rounded half up.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    agrees = pc.fill_null(pc.and_(pc.equal(cells["variance_qty"], ZERO), pc.is_valid(cells["unit_price"])), False)
    foreign = pc.fill_null(pc.not_equal(cells["vendor_currency"], cells["currency"]), False)
    cycles = pc.and_(pc.greater(cells["cycle_months"], 1), pc.is_valid(cells["line_cost"]))
    worked = pc.or_(pc.or_(pc.and_(pc.is_valid(cells["variance_qty"]), pc.invert(agrees)), foreign), pc.fill_null(cycles, False))
    models = {code: rule.price for code, rule in rules.services.items() if rule.price is not None}
    worked = worked.combine_chunks()
    needed = cells.select(_MONEY).append_column("agrees", agrees).filter(worked)
    found = [_money_of(row, models, rates) for batch in needed.to_batches(max_chunksize=2048) for row in batch.to_pylist()]
    amount, text = pa.decimal128(18, 6), pa.string()
    before = {
        "monthly_impact": pc.if_else(agrees, pa.scalar(ZERO, amount), pa.scalar(None, amount)).combine_chunks(),
        **{name: cells[name].combine_chunks() for name in ("line_cost", "unit_cost", "vendor_cost", "vendor_currency")},
        "cost_rate": pa.nulls(cells.num_rows, text),  # how a vendor's cost came into the agreement's currency (T98)
    }
    for name, column in before.items():
        kind = text if name in ("vendor_currency", "cost_rate") else amount
        made = pc.replace_with_mask(column.cast(kind), worked, pa.array([row[name] for row in found], kind))
        at = cells.schema.get_field_index(name)
        cells = cells.append_column(name, made) if at < 0 else cells.set_column(at, name, made)
    return cells


def _money_of(row: Row, models: Mapping[str, PriceModel], rates: Rates) -> Row:
    """One cell's money: what differs a month, and what its line and its vendor cost."""
    cycle, currency = row["cycle_months"], row["currency"]
    made: Row = {"monthly_impact": ZERO if row["agrees"] else None, "cost_rate": None}
    vendor_cost, vendor_currency, line_cost = row["vendor_cost"], row["vendor_currency"], row["line_cost"]
    if vendor_cost is not None and vendor_currency not in (currency, SEVERAL) and rates:
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
