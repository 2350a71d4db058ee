"""Contracted, billed, purchased, used and expected, client by client and service by service (FIELD.md 2.1, 2.3, 2.5).

``comparison.sql`` makes the numbers; here each cell gets its status, its money (divided once, rounded by name) and its sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any

from reconlib.counting import BY_MAPPING
from reconlib.engine import read_sql, run_sql
from reconlib.errors import SettingsError, TieOutError, nearest
from reconlib.explanations import Known, explain_cell, waiting_for
from reconlib.money import round_amount
from reconlib.period import Period
from reconlib.rules import Rules
from reconlib.schema import COMPARISON, LINE_BUCKETS, make_table

if TYPE_CHECKING:
    from datetime import date

    import pyarrow as pa

Row = dict[str, Any]
ESTIMATED_FACTOR = Decimal("0.9")
EXACT_NAME_FACTOR = Decimal("0.98")
NOT_FRESH_FACTOR = Decimal("0.9")
WAITING_FACTOR = Decimal("0.5")  # units that may belong here wait for a mapping decision
FRESH_DAYS = 10  # a count read this long after the as-of date still speaks for it


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
) -> tuple[pa.Table, pa.Table, list[Row]]:
    """One cell a client and service, one bucket a line, and the raw cells that findings are made of.

    Raises:
        SettingsError: an override or bundle names a client or service that does not exist.
        TieOutError: a line is in no bucket or in two.
    """
    accounts, products = mappings
    out = run_sql(
        read_sql("comparison.sql"),
        {
            **{name: tables[name] for name in ("clients", "services", "agreements", "agreement_lines")},
            "counts": counts,
            "service_rules": _service_rules(rules, tables, products, status),
            "overrides": _overrides(rules, tables),
            "bundles": _bundles(rules, tables),
        },
        values={
            "as_of": as_of,
            "period_start": period.start,
            "next_start": period.next.start,
            "currency": currency,
            "tolerance_qty": rules.tolerance.units,
        },
        results=("placed_lines", "cells"),
    )
    trust = _trust(accounts, status, as_of)
    read = status.to_pylist()
    known = Known(
        rules,
        {row["source"]: row["connector"] for row in read},
        frozenset(row["source"] for row in read if row["status"] != "complete"),
        accounts.to_pylist(),
        products.to_pylist(),
    )
    raw = [_judged(row, rules.tolerance.units, trust, known) for row in out["cells"].to_pylist()]
    cells = make_table(COMPARISON, ({name: row[name] for name in COMPARISON.names()} for row in raw))
    lines = _line_buckets(out["placed_lines"].to_pylist(), raw)
    if lines.num_rows != tables["agreement_lines"].num_rows:
        raise TieOutError(f"{tables['agreement_lines'].num_rows} agreement lines became {lines.num_rows} in buckets")
    return cells, lines, raw


def _service_rules(rules: Rules, tables: Mapping[str, pa.Table], products: pa.Table, status: pa.Table) -> pa.Table:
    any_failed = any(row["status"] != "complete" for row in status.to_pylist())
    mapped: dict[str, set[str]] = {}
    for row in products.to_pylist():
        if row["state"] == "mapped":
            mapped.setdefault(row["service_id"], set()).add(row["source"])
    counted = set(tables["usage_records"]["source"].unique().to_pylist())
    rows = []
    for service in tables["services"].to_pylist():
        code = service["service_code"]
        rule = rules.services.get(code, BY_MAPPING)
        feeds = mapped.get(service["service_id"], set())
        only_bought = code not in rules.services and bool(feeds) and feeds.isdisjoint(counted)
        rows.append(
            {
                "service_id": service["service_id"],
                "basis": rule.basis,
                "expect": "purchased" if only_bought else rule.expect,
                "minimum": rule.minimum,
                "maximum": rule.maximum,
                "included_qty": rule.included,
                "is_counted": any_failed
                or service["service_id"] in mapped
                or bool(code in rules.services and (rule.used or rule.purchased)),
                "rule": f"services.{code}" if code in rules.services else "by mapping",
            }
        )
    return _table("service_id basis expect rule", "minimum maximum included_qty", rows, flags="is_counted")


def _overrides(rules: Rules, tables: Mapping[str, pa.Table]) -> pa.Table:
    clients = _names(tables["clients"].to_pylist(), "client_id", "client_code")
    services = _names(tables["services"].to_pylist(), "service_id", "service_code")
    rows = []
    for number, override in enumerate(rules.overrides):
        rows.append(
            {
                "client_id": _known(override.client, clients, f"rules: overrides.{number}.client"),
                "service_id": _known(override.service, services, f"rules: overrides.{number}.service"),
                "exclude_qty": override.exclude_units,
                "minimum": override.minimum,
                "included_qty": override.included,
                "rule": f"overrides.{number}: {override.reason} (review by {override.review_by})",
            }
        )
    return _table("client_id service_id rule", "exclude_qty minimum included_qty", rows)


def _bundles(rules: Rules, tables: Mapping[str, pa.Table]) -> pa.Table:
    services = _names(tables["services"].to_pylist(), "service_id", "service_code")
    rows = []
    for code, rule in rules.services.items():
        if rule.bundle is None:
            continue
        key = f"rules: services.{code}.bundle"
        if rule.bundle.anchor not in rule.bundle.covers:
            raise SettingsError(f"anchor {rule.bundle.anchor!r} is not among what the bundle covers", where=key, hint="add it to covers")
        for part, units in rule.bundle.covers.items():
            rows.append(
                {
                    "bundle_service_id": _known(code, services, key),
                    "service_id": _known(part, services, f"{key}.covers"),
                    "units_qty": units,
                    "is_anchor": part == rule.bundle.anchor,
                }
            )
    return _table("bundle_service_id service_id", "units_qty", rows, flags="is_anchor")


def _names(rows: list[Row], key: str, code: str) -> dict[str, str]:
    return {row[key]: row[key] for row in rows} | {row[code]: row[key] for row in rows if row[code]}


def _known(name: str, names: Mapping[str, str], where: str) -> str:
    if name not in names:
        raise SettingsError(f"nothing is called {name!r}", where=where, hint=nearest(name, names))
    return names[name]


def _table(texts: str, quantities: str, rows: list[Row], *, flags: str = "") -> pa.Table:
    import pyarrow as pa

    fields = [(name, pa.string()) for name in texts.split()]
    fields += [(name, pa.decimal128(18, 6)) for name in quantities.split()]
    fields += [(name, pa.bool_()) for name in flags.split()]
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))


def _trust(accounts: pa.Table, status: pa.Table, as_of: date) -> dict[tuple[str, str], Decimal]:
    fresh = {
        row["source"]: row["as_of_at"] is not None and abs((row["as_of_at"].date() - as_of).days) <= FRESH_DAYS
        for row in status.to_pylist()
    }
    found: dict[tuple[str, str], Decimal] = {}
    for row in accounts.to_pylist():
        if row["state"] == "mapped":
            factor = EXACT_NAME_FACTOR if row["decided_by"] == "exact_name" else Decimal(1)
            factor *= Decimal(1) if fresh.get(row["source"]) else NOT_FRESH_FACTOR
            key = (row["client_id"], row["source"])
            found[key] = min(factor, found.get(key, Decimal(1)))
    return found


def _judged(row: Row, tolerance: Decimal, trust: Mapping[tuple[str, str], Decimal], known: Known) -> Row:
    row["variance_qty"] = None
    row["status"] = _status(row, tolerance)
    if row["status"] in ("no_count", "no_source", "flat", "not_comparable", "out_of_scope"):
        row["expected_qty"] = None
    if row["expected_qty"] is not None:
        row["variance_qty"] = row["expected_qty"] - (row["billed_qty"] or 0)
    cycle = row["cycle_months"]
    row["line_cost"] = None if row["line_cost"] is None else _half_up(row["line_cost"], cycle)
    same = row["vendor_currency"] in (None, row["currency"])
    row["unit_cost"] = row["vendor_cost"] if row["vendor_cost"] is not None and same else row["line_cost"]
    row["monthly_impact"] = None
    if row["variance_qty"] is not None and row["unit_price"] is not None:
        row["monthly_impact"] = money_a_month(row["variance_qty"], row["unit_price"], cycle, row["currency"])
    row["waiting"] = [] if row["status"] in ("no_source", "flat", "out_of_scope") else waiting_for(row, known)
    guessed = row["status"] == "new_revenue" or row["has_several_prices"] or row["waiting"]
    row["certainty"] = "estimated" if guessed else "calculated"
    factor = min((trust.get((row["client_id"], s), Decimal(1)) for s in (row["count_source"] or "").split()), default=Decimal(1))
    factor = min(factor, WAITING_FACTOR) if row["waiting"] else factor
    row["confidence"] = (factor * (ESTIMATED_FACTOR if row["certainty"] == "estimated" else 1)).quantize(Decimal("0.0001"))
    row["explanation"] = explain_cell(row, known)
    return row


def _status(row: Row, tolerance: Decimal) -> str:
    expected, billed = row["expected_qty"], row["billed_qty"]
    if row["basis"] == "flat":
        return "flat"
    if row["is_out_of_scope"] and not row["lines"]:
        return "out_of_scope"
    if row["basis"] == "none" or (row["lines"] and not row["is_counted"]):
        return "no_source"
    if row["is_mixed"]:
        return "not_comparable"
    if expected is None:
        return "no_count"
    variance = expected - (billed or 0)
    if abs(variance) <= tolerance:
        inside = row["bundle_service_id"] and (row["is_anchor"] or not row["lines"])
        return "timing" if row["later_qty"] else "covered" if inside else "matched"
    if not row["lines"]:
        return "new_revenue"
    if row["raw_qty"] == 0 and expected == 0:
        return "orphan_line"
    return "under_billed" if variance > 0 else "over_billed"


def money_a_month(quantity: Decimal, unit_price: Decimal, cycle_months: int, currency: str) -> Decimal:
    """Money a month of a quantity at a price a cycle: multiplied exactly, divided once, rounded half up (T112).

    Example:
        >>> money_a_month(Decimal(7), Decimal("36.00"), 1, "USD"), money_a_month(Decimal(1), Decimal("100"), 12, "USD")
        (Decimal('252.00'), Decimal('8.33'))
    """
    with localcontext(prec=60):
        return round_amount(quantity * unit_price / cycle_months, currency)


def _half_up(price: Decimal, cycle_months: int) -> Decimal:
    return (price / cycle_months).quantize(Decimal("0.000001"), rounding="ROUND_HALF_UP")


def _line_buckets(lines: list[Row], cells: list[Row]) -> pa.Table:
    status = {(row["client_id"], row["service_id"]): row["status"] for row in cells}
    return make_table(
        LINE_BUCKETS,
        (
            {
                **{name: row[name] for name in ("agreement_line_id", "client_id", "service_id", "quantity_qty", "evidence")},
                "bucket": status[row["client_id"], row["service_id"]] if row["scope"] == "compare" else row["scope"],
            }
            for row in lines
        ),
    )
