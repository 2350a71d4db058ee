"""What should be there by the MSP's own standard: services sold together, agents on the same devices, commitments shared by all clients."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from reconlib.comparison import money_a_month
from reconlib.errors import SettingsError, nearest
from reconlib.explanations import units
from reconlib.findings.kinds import Facts, Row, excepted
from reconlib.money import format_qty

_NOT_SOLD = ("out_of_scope", "own_use", "ignored", "not_resold")


def check_expected(facts: Facts) -> Iterator[Row]:
    """Clients billed one service that lack another the rules say is sold with it; having it inside a bundle counts."""
    ids = {row["service_code"]: row["service_id"] for row in facts.tables["services"].to_pylist()}
    cells = {(row["client_id"], row["service_id"]): row for row in facts.cells if row["status"] not in _NOT_SOLD}
    done = excepted(facts, "ignore") | excepted(facts, "not_resold")  # what a contract leaves out is not missed (T35, T57)
    for number, standard in enumerate(facts.rules.expected):
        where = f"expected.{number}"
        having = _service(standard.with_service, ids, facts, f"{where}.with_service")
        for code in standard.services:
            wanted = _service(code, ids, facts, f"{where}.services")
            for (client_id, service_id), row in cells.items():
                found = cells.get((client_id, wanted))
                is_there = found is not None and (found["lines"] or found["bundle_service_id"])
                if service_id != having or not row["lines"] or is_there or (client_id, wanted) in done:
                    continue
                done.add((client_id, wanted))
                text = f"{row['client_name']} has {row['service_name']} and no line of {facts.services[wanted]}: {standard.reason}."
                yield {
                    "kind": "missing_expected_service",
                    "client_id": client_id,
                    "client_name": row["client_name"],
                    "service_id": wanted,
                    "service_name": facts.services[wanted],
                    "currency": row["currency"],
                    "billed_qty": Decimal(0),
                    "used_qty": found["used_qty"] if found else None,
                    "explanation": text,
                    "rule": where,
                    "evidence": row["evidence"],
                }


def check_gaps(facts: Facts) -> Iterator[Row]:
    """Devices that one service sees and its pair does not (T62): they may be unprotected, or gone and still counted."""
    found: dict[tuple[str, str], list[Row]] = {}
    elsewhere = excepted(facts, "not_resold")
    for row in facts.gaps:
        if (row["client_id"], row["other_id"]) in elsewhere:
            continue  # bought elsewhere: whether it runs there is not the MSP's to say (T57)
        found.setdefault((row["client_id"], row["other_id"]), []).append(row)
    for (client_id, lacks), rows in found.items():
        quantity = Decimal(sum(row["units"] for row in rows))
        parts = [f"{row['units']} with {facts.services[row['service_id']]} (first key {row['first_key']})" for row in rows]
        yield {
            "kind": "coverage_gap",
            "client_id": client_id,
            "client_name": facts.clients[client_id],
            "service_id": lacks,
            "service_name": facts.services[lacks],
            "variance_qty": quantity,
            "currency": facts.currency,
            "explanation": f"{units(quantity)} without {facts.services[lacks]}: {' and '.join(parts)}.",
            "rule": "together",
        }


def check_pools(facts: Facts) -> Iterator[Row]:
    """Units of a commitment over all clients that nobody uses: the MSP's own cost, never a client's difference (T38)."""
    services = {row["service_code"]: row for row in facts.tables["services"].to_pylist()}
    for code, rule in facts.rules.services.items():
        if rule.pool is None or code not in services:
            continue
        service = services[code]
        counts = [r for r in facts.counts.to_pylist() if r["service_id"] == service["service_id"] and r["measure"] == "used"]
        if not counts or not all(row["is_known"] for row in counts):
            continue  # a count that is missing is not a seat nobody uses
        used = sum((row["quantity_qty"] for row in counts), Decimal(0))
        rest, cost = rule.pool - used, service["unit_cost"]
        if rest <= 0:
            continue
        yield {
            "kind": "unused_commitment",
            "service_id": service["service_id"],
            "service_name": service["service_name"],
            "purchased_qty": rule.pool,
            "used_qty": used,
            "variance_qty": rest,
            "unit_cost": cost,
            "currency": facts.currency,
            "cost_impact": None if cost is None else money_a_month(rest, cost, 1, facts.currency),
            "explanation": (
                f"{format_qty(rule.pool)} {service['service_name']} committed over all clients, {format_qty(used)} in use: "
                f"{format_qty(rest)} are the MSP's own cost."
            ),
            "rule": f"services.{code}.pool",
        }


def _service(code: str, ids: dict[str, str], facts: Facts, key: str) -> str:
    if code not in ids:
        raise SettingsError(f"no service {code!r} in the PSA catalogue", where=facts.rules.where(key), hint=nearest(code, ids))
    return ids[code]
