"""One sentence for every cell of the comparison: what differs, what it is worth, and why nothing can be said where nothing can."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from reconlib.mapping import reads_source
from reconlib.money import format_amount, format_qty
from reconlib.rules import Count, Rules

Row = Mapping[str, Any]
LIKELY_SCORE = Decimal("0.60")  # a suggestion this good may well be right: the count it is left out of is not certain
BASIS = {"used": "in use", "purchased": "purchased", "greater": "in use or purchased"}


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to know about why a count is missing: sources, accounts and products with their states."""

    rules: Rules
    connectors: Mapping[str, str]  # source -> connector
    failed: frozenset[str]
    accounts: Iterable[Row]
    products: Iterable[Row]


def explain_cell(row: Row, known: Known) -> str:
    """The sentence of one cell."""
    if row["status"] == "no_count":
        return f"No count for {row['service_name']}: {why_unknown(row, known)}. Nothing can be said about the {_billed(row)} billed."
    expected, billed, service = format_qty(row["expected_qty"]), _billed(row), row["service_name"]
    gap = format_qty(abs(row["variance_qty"])) if row["variance_qty"] is not None else ""
    amount = "an unknown amount"
    if row["monthly_impact"] is not None:
        amount = f"{format_amount(abs(row['monthly_impact']), row['currency'])} {row['currency']} a month"
    basis = BASIS[row["expect"]]
    words = {
        "under_billed": f"Billing {gap} fewer {service} than {basis}: {billed} billed, {expected} expected, {amount} lost.",
        "over_billed": f"Billing {gap} more {service} than {basis}: {billed} billed, {expected} expected, {amount} too much.",
        "new_revenue": f"{gap} {service} {basis} and no agreement line bills them: {amount} at list price.",
        "orphan_line": f"{billed} {service} billed and none {basis}: {amount} too much.",
        "no_source": f"No vendor is connected for {service}. Nothing can be said about the {billed} billed.",
        "flat": f"{service} is a flat fee; units are not counted.",
        "timing": f"{service} agrees on the as-of date; {format_qty(row['later_qty'])} more came after it.",
        "covered": f"{service} is inside a bundle, which is compared with its count.",
        "out_of_scope": f"{service}: {format_qty(row['used_qty'] or row['purchased_qty'])} on a client that is not billed.",
        "not_comparable": f"{service} is billed in several currencies or cycles, or by bundles that share one anchor: it cannot be summed.",
        "matched": f"{billed} {service} billed, {expected} expected.",
    }
    return " ".join([words[row["status"]], *(f"Not counted yet: {text}." for text in row["waiting"])])


def why_unknown(row: Row, known: Known) -> str:
    """Why no count reached a client and service: a failed source, an unmapped product, or an unmapped account (T1)."""
    rule = known.rules.services.get(row["service_code"])
    if rule and rule.bundle:
        return f"its anchor {rule.bundle.anchor} has none"
    if row["bundle_service_id"] and not row["is_anchor"] and row["raw_qty"] is not None:
        return f"{format_qty(row['raw_qty'])} are in use, but the bundle that covers it has no count"
    read = _sources_read(row, known)
    if failed := [source for source in read if source in known.failed]:
        return f"{' and '.join(failed)} could not be read"
    if not any(p["source"] in read and p["service_id"] == row["service_id"] and p["state"] == "mapped" for p in known.products):
        return f"no product of {' or '.join(read) or 'any source'} is mapped to it"
    waiting = [a for a in known.accounts if a["source"] in read and a["client_id"] == row["client_id"] and a["state"] == "suggested"]
    if waiting:
        return f"account {waiting[0]['account_name']} in {waiting[0]['source']} waits for a decision"
    if not any(a["source"] in read and a["client_id"] == row["client_id"] and a["state"] == "mapped" for a in known.accounts):
        return f"no account in {' or '.join(read)} is mapped to {row['client_name']}"
    return f"{' and '.join(read)} named none of it for any client"


def waiting_for(row: Row, known: Known) -> list[str]:
    """Accounts and products with units that probably belong to a cell and wait for a decision: what makes its count uncertain."""
    read = _sources_read(row, known)
    accounts = [
        f"account {a['account_name']} in {a['source']} with {units(a['units_qty'])} waits for a decision"
        for a in known.accounts
        if a["source"] in read and a["client_id"] == row["client_id"] and _is_likely(a)
    ]
    products = [
        f"product {p['product_name']} in {p['source']} with {units(p['units_qty'])} over all clients waits for a decision"
        for p in known.products
        if p["source"] in read and p["service_id"] == row["service_id"] and _is_likely(p)
    ]
    return accounts + products


def _is_likely(suggestion: Row) -> bool:
    return bool(suggestion["state"] == "suggested" and suggestion["units_qty"] and suggestion["score"] >= LIKELY_SCORE)


def _sources_read(row: Row, known: Known) -> list[str]:
    """Sources the expected count of a cell comes from; a bundle's are its anchor's."""
    rule = known.rules.services.get(row["service_code"])
    if rule and rule.bundle:
        rule = known.rules.services.get(rule.bundle.anchor)
    counts = [*rule.used, *rule.purchased] if rule else []
    if rule and rule.expect != "greater":
        counts = rule.used if rule.expect == "used" else rule.purchased
    counts = counts or [Count()]
    return [source for source, connector in sorted(known.connectors.items()) if any(reads_source(c, source, connector) for c in counts)]


def units(quantity: Any) -> str:
    """A quantity with its noun.

    Example:
        >>> from decimal import Decimal
        >>> units(Decimal("1.000000")), units(Decimal(3))
        ('1 unit', '3 units')
    """
    return f"{format_qty(quantity)} {'unit' if quantity == 1 else 'units'}"


def _billed(row: Row) -> str:
    return format_qty(row["billed_qty"]) or "0"
