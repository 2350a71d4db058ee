"""What the MSP pays its vendors for against what is used and billed."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from reconlib.comparison import money_a_month
from reconlib.findings.kinds import Facts, Row, cell_of
from reconlib.findings.prices import cost_hint
from reconlib.money import SEVERAL, format_qty, round_amount
from reconlib.pricing import format_price


def check_cost(facts: Facts) -> Iterator[Row]:
    """A vendor cost the PSA does not know, a purchase in another currency (T98, T113)."""
    for row in facts.cells:
        if not row["lines"]:
            continue
        vendor, line = row["vendor_cost"], row["line_cost"]
        if row["vendor_currency"] not in (None, row["currency"]):
            bought = "several currencies" if row["vendor_currency"] == SEVERAL else row["vendor_currency"]
            text = f"Bought in {bought}, billed in {row['currency']}: cost and price are not compared."
            if row["status"] != "not_comparable":  # said once already, by what is billed
                yield {**cell_of(row), "kind": "currency_or_cycle_mismatch", "explanation": text}
            continue
        if vendor is not None and line is not None and not _is_same_cost(row, vendor, line):
            bought = row["purchased_qty"]  # null where another of its sources failed: then the money is not known either (T1)
            impact = None if bought is None else money_a_month(bought, vendor - line, 1, row["currency"])
            costs, says = format_price(vendor, row["currency"]), format_price(line, row["currency"])
            text = f"{row['service_name']} costs {costs} a unit, the agreement line says {says}."
            text = " ".join(part for part in (text, row["cost_rate"], cost_hint(vendor, line)) if part)
            yield {**cell_of(row), "kind": "cost_change", "cost_impact": impact, "explanation": text}


def _is_same_cost(row: Row, vendor: Decimal, line: Decimal) -> bool:
    """Whether two costs are one; a cost that was converted is held against the line's in whole coins, because no line says fractions."""
    if row["cost_rate"]:
        return round_amount(vendor, row["currency"]) == round_amount(line, row["currency"])
    return vendor == line


def check_purchases(facts: Facts) -> Iterator[Row]:
    """Bought and not used (waste, never claimed as over-billing: T86), or used and not bought (T57).

    What was bought for a tenant that serves several clients is set beside what all of them use: it cannot be told apart (T32).
    """
    shared = _shared(facts)
    together: dict[tuple[int, str], list[Row]] = {}
    for row in facts.cells:
        if row["status"] in ("ignored", "not_resold"):
            continue
        if (tenant := shared.get((row["client_id"], row["service_id"]))) is not None:
            together.setdefault((tenant, row["service_id"]), []).append(row)
        elif row["purchased_qty"] is not None and row["used_qty"] is not None:
            yield from _gap(facts, row, row["purchased_qty"], row["used_qty"], "")
    for (tenant, _), rows in sorted(together.items()):
        bought = [row for row in rows if row["purchased_qty"] is not None]
        if bought and all(row["used_qty"] is not None for row in rows):
            holder = max(bought, key=lambda row: (row["purchased_qty"], row["client_id"]))
            total, used = (sum((row[name] or Decimal(0) for row in rows), Decimal(0)) for name in ("purchased_qty", "used_qty"))
            yield from _gap(facts, holder, total, used, f" over the clients of tenant {facts.rules.tenant_splits[tenant].account}")


def _gap(facts: Facts, row: Row, bought: Decimal, used: Decimal, over: str) -> Iterator[Row]:
    """What is said of a difference between bought and used; ``over`` whom, where it is not the client alone."""
    gap = abs(bought - used)
    rule = facts.rules.services.get(row["service_code"])
    if not gap or (bought > used and rule and (rule.never_assigned or rule.pool is not None)):  # of a pool check_pools speaks (T38)
        return
    if bought > used:
        cost = row["vendor_cost"] if row["vendor_currency"] in (None, row["currency"]) else None  # never in another currency's name
        impact = None if cost is None else money_a_month(gap, cost, 1, row["currency"])
        text = f"{format_qty(bought)} {row['service_name']} bought{over}, {format_qty(used)} in use: {format_qty(gap)} paid for and idle."
        if row["commitment_end_date"]:
            text += f" {format_qty(row['committed_qty'])} are committed; the first term ends on {row['commitment_end_date']}."
        yield {**cell_of(row), "kind": "unused_commitment", "variance_qty": gap, "cost_impact": impact, "explanation": text}
    else:
        text = f"{format_qty(used)} {row['service_name']} in use{over}, {format_qty(bought)} bought: {format_qty(gap)} without a purchase."
        yield {**cell_of(row), "kind": "shadow_usage", "variance_qty": gap, "explanation": text}


def _shared(facts: Facts) -> dict[tuple[str, str], int]:
    """Clients and services counted from a tenant of several clients: (client_id, service_id) -> number of the split."""
    if not facts.rules.tenant_splits:
        return {}
    clients = {(r["source"], r["vendor_account_id"]): r["client_id"] for r in facts.accounts.to_pylist() if r["state"] == "mapped"}
    counted = [(r["source"], r["client_id"], r["service_id"]) for r in facts.counts.to_pylist() if r["measure"] == "used"]
    found: dict[tuple[str, str], int] = {}
    for number, one in enumerate(facts.rules.tenant_splits):
        members = {clients.get((one.source, account)) for account in one.account_ids()}
        for source, client, service in counted:
            if source == one.source and client in members:
                found.setdefault((client, service), number)
    return found
