"""The rules of a comparison as rows that comparison.sql joins: one a service, override, bundle part, and what a count may be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from reconlib.count_rules import BY_MAPPING
from reconlib.engine import input_table
from reconlib.errors import SettingsError
from reconlib.explanations import is_likely, sources_read
from reconlib.period import Period
from reconlib.product_overrides import moved_products
from reconlib.rules import Rounded, Rules, ServiceRule
from reconlib.rules.names import Named

if TYPE_CHECKING:
    from datetime import date

    import pyarrow as pa

Row = dict[str, Any]
ZERO = Decimal(0)
EXACT_NAME_FACTOR = Decimal("0.98")
NOT_FRESH_FACTOR = Decimal("0.9")
FRESH_DAYS = 10  # a count read this long after the as-of date still speaks for it


def rule_tables(
    rules: Rules,
    tables: Mapping[str, pa.Table],
    counts: pa.Table,
    mappings: tuple[pa.Table, pa.Table],
    status: pa.Table,
    earlier: Sequence[pa.Table],
    *,
    period: Period,
    as_of: date,
) -> dict[str, pa.Table]:
    """What comparison.sql reads of the rules, by the names it calls them."""
    accounts, products = mappings
    return {
        "service_rules": _service_rules(rules, tables, products, status, counts),
        "overrides": _overrides(rules, tables),
        "bundles": _bundles(rules, tables),
        "peaks": _peaks(rules, tables, earlier, period),
        "own_clients": _own_clients(rules, tables),
        "trust": _trust(accounts, status, as_of),
        "reads": _reads(rules, tables, status),
        "waiting": _waiting(accounts, products),
    }


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
    texts = "service_id basis expect round_to tolerance_side rule"
    return input_table(texts, rows, quantities=quantities, flags="is_counted", whole="period_offset")


def _moved_to(rules: Rules, tables: Mapping[str, pa.Table]) -> dict[str, set[str]]:
    """Sources whose products exceptions of clients move to a service."""
    moved: dict[str, set[str]] = {}
    for one in moved_products(rules, tables):
        moved.setdefault(one.service_id, set()).add(one.source)
    return moved


def _overrides(rules: Rules, tables: Mapping[str, pa.Table]) -> pa.Table:
    clients, services = Named(tables["clients"].to_pylist(), "client"), Named(tables["services"].to_pylist(), "service")
    rows: list[Row] = []
    claimed: dict[tuple[str, str], str] = {}
    for number, override in enumerate(rules.overrides):
        where = rules.where(f"overrides.{number}")
        client, service = clients.find(override.client, f"{where}.client"), services.find(override.service, f"{where}.service")
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
    return input_table("client_id service_id rule", rows, quantities=quantities, flags="ignore not_resold")


def _bundles(rules: Rules, tables: Mapping[str, pa.Table]) -> pa.Table:
    services = Named(tables["services"].to_pylist(), "service")
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
                    "bundle_service_id": services.find(code, where),
                    "service_id": services.find(part, f"{where}.covers"),
                    "units_qty": units,
                    "is_anchor": part == rule.bundle.anchor,
                }
            )
    return input_table("bundle_service_id service_id", rows, quantities="units_qty", flags="is_anchor")


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
    return input_table("client_id service_id", rows, quantities="peak_qty")


def _sold(quantity: Decimal, rounding: Rounded | None) -> Decimal:
    """A count in the units it is sold in (T47), as ``comparison.sql`` does it for this month's."""
    if rounding is None or not (rest := quantity % rounding.block):
        return quantity
    goes_up = rounding.to == "up" or (rounding.to == "nearest" and rest * 2 >= rounding.block)
    return quantity - rest + (rounding.block if goes_up else ZERO)


def _measure(rule: ServiceRule) -> str:
    return "purchased" if rule.expect == "purchased" else "used"


def _own_clients(rules: Rules, tables: Mapping[str, pa.Table]) -> pa.Table:
    clients = Named(tables["clients"].to_pylist(), "client")
    named = dict.fromkeys(rules.own_clients)
    return input_table("client_id", [{"client_id": clients.find(name, rules.where("own_clients"))} for name in named])


def _reads(rules: Rules, tables: Mapping[str, pa.Table], status: pa.Table) -> pa.Table:
    """Sources the expected count of a service comes from."""
    connectors = {row["source"]: row["connector"] for row in status.to_pylist()}
    rows = [
        {"service_id": service["service_id"], "source": source}
        for service in tables["services"].to_pylist()
        for source in sources_read(service["service_code"], rules, connectors)
    ]
    return input_table("service_id source", rows)


def _waiting(accounts: pa.Table, products: pa.Table) -> pa.Table:
    """Suggestions good enough to doubt a count for: of an account for a client, of a product for a service."""
    rows = [{"client_id": row["client_id"], "service_id": None, "source": row["source"]} for row in accounts.to_pylist() if is_likely(row)]
    rows += [
        {"client_id": None, "service_id": row["service_id"], "source": row["source"]} for row in products.to_pylist() if is_likely(row)
    ]
    return input_table("client_id service_id source", rows)


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
    return input_table("client_id source", rows, quantities="factor")
