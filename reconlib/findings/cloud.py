"""Cloud cost passed on with a markup: what the vendor charged against what the lines come to, in money (T1, T99, T117).

Such a service has no count. What should be billed is the sum of the charges of its products, tax excluded, with the markup; what is billed
is quantity × price of its lines, credits beside them included (T33). Nothing is said in money unless all its sources were received whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, localcontext

from reconlib.errors import SettingsError
from reconlib.findings.kinds import Facts, Row, cell_of, excepted
from reconlib.findings.paid import Lines, lines_of, paid_a_cycle
from reconlib.mapping import reads_cloud
from reconlib.markup import cloud_due
from reconlib.money import format_amount, format_qty, round_amount
from reconlib.rules import Cloud

DRAFT = " The vendor has not invoiced all of it yet, it may still change."
WAITING = " Cost of an account that may be this client's waits for a mapping."
HALF_SURE = Decimal("0.5")


@dataclass(slots=True)
class CloudCost:
    """What a vendor charged for one client and one service; tax is in no amount."""

    amounts: dict[str, Decimal] = field(default_factory=dict)  # currency -> sum, not rounded
    is_billed: bool = True  # all of it is on an invoice (T7)
    sources: set[str] = field(default_factory=set)
    evidence: set[str] = field(default_factory=set)


def check_cloud(facts: Facts) -> Iterator[Row]:
    """Under-billed, over-billed and unbilled cloud cost, in money; with empty money where the cost is not known (T1).

    ``variance_qty`` is null: there is no count, and the quantity stays as it is billed. ``monthly_impact`` is due less billed.

    Raises:
        SettingsError: one product's cost would be billed by two services.
    """
    rules = {code: rule.cloud for code, rule in facts.rules.services.items() if rule.cloud is not None}
    if not rules:
        return
    ids = {row["service_code"]: row["service_id"] for row in facts.tables["services"].to_pylist()}
    clouds = {ids[code]: (code, cloud) for code, cloud in rules.items() if code in ids}
    status = facts.status.to_pylist() if facts.status is not None else []
    costs = cloud_costs(facts, {service: cloud for service, (_, cloud) in clouds.items()}, status)
    cells = {(row["client_id"], row["service_id"]): row for row in facts.cells if row["service_id"] in clouds}
    clients = {row["client_id"]: row for row in facts.tables["clients"].to_pylist()}
    lines = lines_of(facts, clouds)
    suggested = {(row["client_id"], row["source"]) for row in facts.accounts.to_pylist() if row["state"] == "suggested"}
    out = _left_out(facts, clients)
    for client, service in sorted({*costs, *cells}):
        if client in out or (client, service) in out:
            continue
        code, cloud = clouds[service]
        cell, cost = cells.get((client, service)), costs.get((client, service))
        row = _place(facts, clients[client], service, cell) | {"rule": facts.rules.where(f"services.{code}.cloud")}
        sources = {s["source"]: s["status"] == "complete" for s in status if reads_cloud(cloud, s["source"], s["connector"])}
        row |= {"source": " ".join(sorted(sources)) or None, "variance_qty": None, "expected_qty": None, "monthly_impact": None}
        if unknown := _why_unknown(sources, cost):
            if cell is not None and cell["lines"]:
                yield row | {"kind": "no_count" if sources else "no_source", "explanation": unknown}
            continue
        assert cost is not None
        waits = any((client, source) in suggested for source in sources)
        yield from _judged(row, cost, cloud, _billed(cell, lines), has_line=bool(cell and cell["lines"]), waits=waits)


def cloud_costs(facts: Facts, clouds: Mapping[str, Cloud], status: Sequence[Row]) -> dict[tuple[str, str], CloudCost]:
    """What vendors charged, a client and cloud service; only mapped accounts and products. Charges in several currencies stay apart.

    Raises:
        SettingsError: one product's cost would be billed by two services.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    services: dict[tuple[str, str], str] = {}
    connectors = {row["source"]: row["connector"] for row in status}
    codes = {row["service_id"]: row["service_code"] for row in facts.tables["services"].to_pylist()}
    for row in facts.products.to_pylist():
        cloud = clouds.get(row["service_id"]) if row["state"] == "mapped" else None
        if cloud is None or not reads_cloud(cloud, row["source"], connectors.get(row["source"], "")):
            continue
        key = (row["source"], row["vendor_product_id"])
        if services.setdefault(key, row["service_id"]) != row["service_id"]:
            both = " and ".join(sorted((facts.services[services[key]], facts.services[row["service_id"]])))
            raise SettingsError(
                f"the cost of {row['product_name']!r} would be billed by {both}",
                where=facts.rules.where(f"services.{codes[row['service_id']]}.cloud"),
                hint="name products under one of them, so that each cost is billed once",
            )
    clients = {(r["source"], r["vendor_account_id"]): r["client_id"] for r in facts.accounts.to_pylist() if r["state"] == "mapped"}
    found: dict[tuple[str, str], CloudCost] = {}
    table = facts.tables["vendor_charges"]
    names = ["source", "vendor_account_id", "vendor_product_id", "amount", "currency", "is_billed", "evidence"]
    read = table.filter(pc.field("source").isin(pa.array({source for source, _ in services}, pa.string()))).select(names)
    with localcontext(prec=60):
        for row in read.to_pylist():
            client = clients.get((row["source"], row["vendor_account_id"]))
            service = services.get((row["source"], row["vendor_product_id"]))
            if client is None or service is None:
                continue
            cost = found.setdefault((client, service), CloudCost())
            cost.amounts[row["currency"]] = cost.amounts.get(row["currency"], Decimal(0)) + row["amount"]
            cost.is_billed &= row["is_billed"]
            cost.sources.add(row["source"])
            cost.evidence |= set(row["evidence"].split())
    return found


def _why_unknown(sources: Mapping[str, bool], cost: CloudCost | None) -> str:
    """Why nothing can be said in money; empty where it can."""
    if not sources:
        return "No source of its cost is connected."
    failed = sorted(source for source, is_complete in sources.items() if not is_complete)
    if failed:
        return f"{', '.join(failed)} was not received whole: what it charged is not known."
    return "" if cost else f"{', '.join(sorted(sources))} names no cost of this client: not known, not zero."


def _judged(row: Row, cost: CloudCost, cloud: Cloud, billed: Decimal | None, *, has_line: bool, waits: bool) -> Iterator[Row]:
    currency = row["currency"]
    row["evidence"] = " ".join(filter(None, [row.get("evidence"), *sorted(cost.evidence)])) or None
    if set(cost.amounts) != {currency}:
        text = f"Charged in {' and '.join(sorted(cost.amounts))}, billed in {currency}: cost and amount are not compared."
        yield row | {"kind": "currency_or_cycle_mismatch", "explanation": text}
        return
    amount = cost.amounts[currency]
    due = cloud_due(amount, cloud.markup_percent, currency)
    after = (DRAFT if not cost.is_billed else "") + (WAITING if waits else "")
    sure = {"certainty": "estimated" if after else "calculated"} | ({"confidence": HALF_SURE} if waits else {})
    money = {name: f"{format_amount(value, currency)} {currency}" for name, value in (("cost", amount), ("due", due), ("billed", billed))}
    said = f"Cost {money['cost']} with {format_qty(cloud.markup_percent)} % markup is {money['due']} due"
    if billed is None:
        yield row | sure | {"kind": "no_count", "explanation": f"{said}; what its lines come to cannot be said.{after}"}
        return
    impact = due - billed
    if not impact:
        return
    kind = "new_revenue" if not has_line and due > 0 else "under_billed" if impact > 0 else "over_billed"
    gap = f"{format_amount(abs(impact), currency)} {currency} {'under' if impact > 0 else 'over'}-billed"
    against = f"{money['billed']} billed" if has_line else "no line bills it"
    text = f"{said}, {against}: {gap}.{after}"
    yield row | sure | {"kind": kind, "monthly_impact": impact, "explanation": text}


def _billed(cell: Row | None, lines: Lines) -> Decimal | None:
    """Money a month the lines come to, credits included; null where they cannot be added up."""
    if cell is None or not cell["lines"] or not cell["is_billable"]:
        return Decimal(0)
    if cell["is_mixed"]:
        return None
    with localcontext(prec=60):
        amount = paid_a_cycle(cell, lines)
        return None if amount is None else round_amount(amount / cell["cycle_months"], cell["currency"])


def _place(facts: Facts, client: Row, service: str, cell: Row | None) -> Row:
    if cell is not None:
        return cell_of(cell) | {"confidence": Decimal(1), "certainty": "calculated"}
    about = {"client_id": client["client_id"], "client_name": client["client_name"], "service_id": service}
    return about | {"service_name": facts.services[service], "currency": client["currency"] or facts.currency}


def _left_out(facts: Facts, clients: Mapping[str, Row]) -> set[str | tuple[str, str]]:
    """Clients nothing is billed to: deleted, no customers, the MSP itself (T13, T14, T55); clients and services a contract takes out."""
    own = set(facts.rules.own_clients)
    out: set[str | tuple[str, str]] = {
        row["client_id"]
        for row in clients.values()
        if row["is_deleted"] or not row["is_billable"] or row["client_id"] in own or row["client_code"] in own
    }
    return out | excepted(facts, "ignore") | excepted(facts, "not_resold")
