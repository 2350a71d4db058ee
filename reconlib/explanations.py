"""One sentence for every cell of the comparison: what differs, what it is worth, and why nothing can be said where nothing can."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from reconlib.mapping import reads_source
from reconlib.money import format_amount, format_qty
from reconlib.rules import Count, Rules
from reconlib.splits import part_keys

if TYPE_CHECKING:
    import pyarrow as pa

Row = Mapping[str, Any]
LIKELY = Decimal("0.50")  # a suggestion likelier right than wrong: the count it is left out of is not certain
_SPEAKS = ("id", "alias", "domain", "phone", "address", "name", "conflict")  # evidence of its own; that nothing else is near is none


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to know about why a count is missing: sources, accounts and products with their states."""

    rules: Rules
    connectors: Mapping[str, str]  # source -> connector
    failed: frozenset[str]
    accounts: Sequence[Row]
    products: Sequence[Row]
    reads: dict[str, list[str]] = field(default_factory=dict)  # service_code -> sources read, as asked for

    @classmethod
    def of(cls, rules: Rules, status: pa.Table, accounts: pa.Table, products: pa.Table) -> Known:
        """From the tables of a month."""
        read = status.to_pylist()
        failed = frozenset(row["source"] for row in read if row["status"] != "complete")
        return cls(rules, {row["source"]: row["connector"] for row in read}, failed, accounts.to_pylist(), products.to_pylist())

    def sources(self, service_code: str) -> list[str]:
        """Sources the expected count of a service comes from."""
        if service_code not in self.reads:
            self.reads[service_code] = sources_read(service_code, self.rules, self.connectors)
        return self.reads[service_code]


def explain_cell(row: Row, known: Known) -> str:
    """The sentence of one cell."""
    said = _SENTENCES[row["status"]](row, known)
    return " ".join([said, *(f"Not counted yet: {text}." for text in waiting_for(row, known))])


def _no_count(row: Row, known: Known) -> str:
    return f"No count for {row['service_name']}: {why_unknown(row, known)}. Nothing can be said about the {_billed(row)} billed."


def _gap(row: Row, known: Known) -> str:
    more, end = ("fewer", "lost") if row["variance_qty"] > 0 else ("more", "too much")
    against = "due under the commitment" if row["is_held"] else _against(row)
    numbers = f"{_billed(row)} billed, {format_qty(row['expected_qty'])} expected"
    text = f"Billing {format_qty(abs(row['variance_qty']))} {more} {row['service_name']} than {against}: {numbers}, {_amount(row)} {end}."
    rule = known.rules.services.get(row["service_code"])
    if rule and rule.price and row["monthly_impact"] is not None and row["monthly_impact"] * row["variance_qty"] < 0:
        text += f" At {rule.price.model} prices the expected quantity comes to less money, not more."
    if rule and rule.price and row["monthly_impact"] is None:
        text += f" Its price model is not in {row['currency']}."
    return text


def _new_revenue(row: Row, _: Known) -> str:
    gap = format_qty(row["variance_qty"])
    counted = _against(row).removeprefix("is ")
    money = f"{_amount(row)} at list price" if row["monthly_impact"] is not None else f"no list price in {row['currency']} is known"
    return f"{gap} {row['service_name']} {counted} and no agreement line bills them: {money}."


def _orphan(row: Row, _: Known) -> str:
    return f"{_billed(row)} {row['service_name']} billed and none {_basis(row)}: {_amount(row)} too much."


def _counted_beside(text: str) -> Callable[[Row, Known], str]:
    """A sentence about a client or product that is in use and not billed."""

    def say(row: Row, _: Known) -> str:
        return f"{row['service_name']}: {format_qty(row['used_qty'] or row['purchased_qty']) or 'an unknown number'} {text}"

    return say


_SENTENCES: dict[str, Callable[[Row, Known], str]] = {
    "no_count": _no_count,
    "under_billed": _gap,
    "over_billed": _gap,
    "new_revenue": _new_revenue,
    "orphan_line": _orphan,
    "no_source": lambda row, _: f"No vendor is connected for {row['service_name']}. Nothing can be said about the {_billed(row)} billed.",
    "flat": lambda row, _: f"{row['service_name']} is a flat fee; units are not counted.",
    "cloud": lambda row, _: f"{row['service_name']} is compared in money: cost and markup against what is billed.",
    "timing": lambda row, _: f"{row['service_name']} agrees on the as-of date; {format_qty(row['later_qty'])} more came after it.",
    "covered": lambda row, _: f"{row['service_name']} is inside a bundle, which is compared with its count.",
    "out_of_scope": _counted_beside("on a client that is not billed."),
    "own_use": _counted_beside("for the MSP itself: its own cost, never billed."),
    "not_resold": _counted_beside("in use and bought elsewhere by the client: not resold, so neither bought nor billed here."),
    "ignored": lambda row, _: f"{row['service_name']} is not compared for this client: {row['rule']}.",
    "not_comparable": lambda row, _: (
        f"{row['service_name']} is billed in several currencies or cycles, or by bundles that share one anchor: it cannot be summed."
    ),
    "matched": lambda row, _: f"{_billed(row)} {row['service_name']} billed, {format_qty(row['expected_qty'])} expected.",
    "matched_within_tolerance": lambda row, _: (
        f"{_billed(row)} {row['service_name']} billed, {format_qty(row['expected_qty'])} expected: within the tolerance the rules allow."
    ),
}


def why_unknown(row: Row, known: Known) -> str:
    """Why no count reached a client and service: a failed source, an unmapped product, or an unmapped account (T1)."""
    rule = known.rules.services.get(row["service_code"])
    if rule and rule.bundle:
        return f"its anchor {rule.bundle.anchor} has none"
    if row["bundle_service_id"] and not row["is_anchor"] and row["raw_qty"] is not None:
        return f"{format_qty(row['raw_qty'])} are in use, but the bundle that covers it has no count"
    if rule and rule.period_offset:
        return "it is counted a month in arrears, and the month before has no count of it"
    read = known.sources(row["service_code"])
    if failed := [source for source in read if source in known.failed]:
        return f"{' and '.join(failed)} could not be read"
    if not any(p["source"] in read and p["service_id"] == row["service_id"] and p["state"] == "mapped" for p in known.products):
        return f"no product of {' or '.join(read) or 'any source'} is mapped to it"
    waiting = [a for a in known.accounts if a["source"] in read and a["client_id"] == row["client_id"] and a["state"] == "suggested"]
    if waiting:
        return f"account {waiting[0]['account_name']} in {waiting[0]['source']} waits for a decision"
    own = [a for a in known.accounts if a["source"] in read and a["client_id"] == row["client_id"] and a["state"] == "mapped"]
    if not own:
        return f"no account in {' or '.join(read)} is mapped to {row['client_name']}"
    parts = part_keys(known.rules)
    if rule and rule.expect != "used" and all((a["source"], a["vendor_account_id"]) in parts for a in own):
        return f"what was bought stands on the whole tenant that {own[0]['account_name']} is a part of (T32)"
    return f"{' and '.join(read)} named none of it for any client"


def waiting_for(row: Row, known: Known) -> list[str]:
    """Accounts and products with units that probably belong to a cell and wait for a decision: what makes its count uncertain."""
    if not row["is_waiting"]:
        return []
    read = known.sources(row["service_code"])
    accounts = [
        f"account {a['account_name']} in {a['source']} with {units(a['units_qty'])} waits for a decision"
        for a in known.accounts
        if a["source"] in read and a["client_id"] == row["client_id"] and is_likely(a)
    ]
    products = [
        f"product {p['product_name']} in {p['source']} with {units(p['units_qty'])} over all clients waits for a decision"
        for p in known.products
        if p["source"] in read and p["service_id"] == row["service_id"] and is_likely(p)
    ]
    return accounts + products


def is_likely(suggestion: Row) -> bool:
    """Whether a suggestion with units on it is likelier right than wrong, by evidence of its own: what counts without it is not certain."""
    if suggestion["state"] != "suggested" or not suggestion["units_qty"] or suggestion["probability"] < LIKELY:
        return False
    return sum(suggestion[f"points_{kind}"] or Decimal(0) for kind in _SPEAKS) > 0


def sources_read(service_code: str, rules: Rules, connectors: Mapping[str, str]) -> list[str]:
    """Sources the expected count of a service comes from; a bundle's are its anchor's."""
    rule = rules.services.get(service_code)
    if rule and rule.bundle:
        rule = rules.services.get(rule.bundle.anchor)
    counts = [*rule.used, *rule.purchased] if rule else []
    if rule and rule.expect != "greater":
        counts = rule.used if rule.expect == "used" else rule.purchased
    counts = counts or [Count()]
    return [source for source, connector in sorted(connectors.items()) if any(reads_source(c, source, connector) for c in counts)]


def _amount(row: Row) -> str:
    if row["monthly_impact"] is None:
        return "an unknown amount"
    return f"{format_amount(abs(row['monthly_impact']), row['currency'])} {row['currency']} a month"


def _against(row: Row) -> str:
    """What the expected quantity is: the count itself, or what rounding, minimum, included units or a bundle make of it."""
    counted = row["counted_qty"]
    basis = _basis(row)
    if counted is None or counted == row["expected_qty"]:
        return basis
    return f"is due for {format_qty(counted)} {basis}{' beside its bundle' if row['bundle_service_id'] else ''}"


def _basis(row: Row) -> str:
    return {"used": "in use", "purchased": "purchased", "greater": "in use or purchased"}[row["expect"]]


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
