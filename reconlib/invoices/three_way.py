"""Seats charged against seats bought, and their cost against the purchase's, by ids where they meet and by client and product where not.

The subscription's id in a vendor's file need not be the one its portal shows (T29): what meets only by account and product, or by
client and service, says so and is trusted less. What no purchase list speaks of is unchecked, never zero (T1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

from reconlib.invoices.cycles import reduction_window
from reconlib.money import format_amount, format_qty

Row = Mapping[str, Any]
T = TypeVar("T")
BY_ID, BY_PRODUCT, BY_SERVICE = Decimal(1), Decimal("0.8"), Decimal("0.6")
_HOW = {BY_ID: "by subscription id", BY_PRODUCT: "by account and product, the ids do not meet", BY_SERVICE: "by client and service"}
A_COIN = Decimal("0.01")  # a unit and month: less is rounding (T78)


@dataclass(slots=True)
class Charged:
    """Seats of one subscription and product as the vendor charges them on the as-of day."""

    source: str
    account: str
    product: str
    subscription: str | None
    client: str | None
    services: frozenset[str]
    seats: Decimal | None  # null: not known
    later_seats: Decimal | None  # with the events after the as-of day (T3)
    monthly_cost: Decimal | None  # a unit and month, in currency
    currency: str
    has_refund: bool = False
    is_committed: bool = False
    is_ahead: bool = False  # a charge covers more than a month: the months after it are silent (T84)
    term_end: date | None = None
    lines: int = 0
    evidence: str | None = None
    why_not: str = ""  # why seats are not known
    purchases: list[Row] = field(default_factory=list)


def compare_seats(
    charged: Iterable[Charged],
    purchases: Iterable[Row],
    *,
    services: Mapping[tuple[str, str], frozenset[str]],
    clients: Mapping[tuple[str, str], str],
) -> list[dict[str, Any]]:
    """One row a group of subscriptions and purchases that meet: seats charged, seats bought, and each unit's cost on both sides.

    Args:
        charged: what the vendors charge.
        purchases: those that have begun; ended ones too, as bought zero.
        services: (source, product) -> services it counts for.
        clients: (source, account) -> client.
    """
    bought = list(purchases)
    charging = list(charged)
    rows = _by_id(charging, bought)
    rest = [c for c in charging if not c.purchases]
    met = {(p["source"], p["purchase_id"]) for c in charging for p in c.purchases}
    free = [p for p in bought if (p["source"], p["purchase_id"]) not in met]
    listing, billing = {p["source"] for p in bought}, {c.source for c in charging}
    by_product = _grouped(free, lambda p: (p["source"], p["vendor_account_id"], p["vendor_product_id"]))
    for product_key, group in _grouped(rest, lambda c: (c.source, c.account, c.product)).items():
        if own := by_product.get(product_key):
            rows.append(_compared(group, own, BY_PRODUCT))
            _use(group, own)
    rest = [c for c in rest if not c.purchases]
    elsewhere: dict[tuple[str, str], list[Row]] = {}
    for p in free:
        client = clients.get((p["source"], p["vendor_account_id"]))
        if client is not None and p["source"] not in billing:  # who sends invoices of its own sells something else
            for service in services.get((p["source"], p["vendor_product_id"]), frozenset()):
                elsewhere.setdefault((client, service), []).append(p)
    for place, group in _grouped(rest, lambda c: (c.client, min(c.services, default=None))).items():
        own = elsewhere.get(place, [])
        if own and not {c.source for c in group} & listing:
            rows.append(_compared(group, own, BY_SERVICE))
            _use(group, own)
    rows += [_alone(c, is_listed=c.source in listing) for c in rest if not c.purchases]
    return rows


def _by_id(charging: Sequence[Charged], bought: Sequence[Row]) -> list[dict[str, Any]]:
    named = {(p["source"], p["purchase_id"]): p for p in bought}
    met: dict[tuple[str, str], list[Charged]] = {}
    for one in charging:
        if one.subscription is not None and (one.source, one.subscription) in named:
            met.setdefault((one.source, one.subscription), []).append(one)
    rows = []
    for key, group in met.items():
        rows.append(_compared(group, [named[key]], BY_ID))
        _use(group, [named[key]])
    return rows


def _use(group: Iterable[Charged], purchases: Sequence[Row]) -> None:
    for one in group:
        one.purchases.extend(purchases)


def _grouped(rows: Iterable[T], key: Callable[[T], Any]) -> dict[Any, list[T]]:
    found: dict[Any, list[T]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


def _compared(group: Sequence[Charged], own: Sequence[Row], confidence: Decimal) -> dict[str, Any]:
    row = _placed(group, confidence)
    if unknown := next((c for c in group if c.seats is None), None):
        return row | {"status": "unchecked", "explanation": unknown.why_not}
    seats = sum((c.seats for c in group if c.seats is not None), Decimal(0))
    bought = sum((p["quantity_qty"] for p in own if p["is_active"]), Decimal(0))
    row |= {"stated_qty": seats, "expected_qty": bought}
    said = f"Charged for {format_qty(seats)}, bought {format_qty(bought)} ({_HOW[confidence]})"
    if seats == bought:
        return row | {"status": "agrees", "explanation": f"{said}."}
    later = [c.later_seats for c in group]
    if None not in later and sum((s for s in later if s is not None), Decimal(0)) == bought:
        return row | {"status": "timing", "explanation": f"{said}: the change is dated after the as-of day."}
    if seats < bought and confidence < BY_ID and any(c.is_ahead for c in group):
        text = f"{said}: of what is paid ahead some may have been charged in an earlier month, so this is no difference (T84)."
        return row | {"status": "unchecked", "explanation": text}
    cost = _one({c.monthly_cost for c in group})
    off = None if cost is None else (seats - bought) * cost
    money = "" if off is None else f", {format_amount(abs(off), row['currency'])} {row['currency']} a month"
    row |= {"status": "mismatch", "difference_amount": off}
    if seats < bought:
        return row | {
            "explanation": f"{said}: {format_qty(bought - seats)} bought and not charged{money}; a later invoice may charge them."
        }
    missing = not any(c.has_refund for c in group)
    row["check"] = "refund" if missing else "seats"
    text = f"{said}: {format_qty(seats - bought)} charged and not bought{money}"
    text += "; no line refunds them" if missing else ""
    return row | {"explanation": f"{text}{_window(group)}."}


def _window(group: Sequence[Charged]) -> str:
    """When seats may go down again, where the lines prove a commitment (T83, T85–T87)."""
    ends = [c.term_end for c in group if c.term_end is not None and c.is_committed]
    if not ends:
        return ""
    first, last = reduction_window(min(ends))
    return (
        f". Committed until {min(ends)}: unless they were given back within 7 days of purchase, seats go down from {first} to {last} only"
    )


def _alone(one: Charged, *, is_listed: bool) -> dict[str, Any]:
    row = _placed([one], BY_SERVICE)
    if one.seats is None:
        return row | {"status": "unchecked", "explanation": one.why_not}
    row["stated_qty"] = one.seats
    if not is_listed:
        text = f"Charged for {format_qty(one.seats)}; no source lists what was bought, so that is not known."
        return row | {"status": "unchecked", "explanation": text}
    if one.seats == 0:
        return row | {"status": "agrees", "expected_qty": Decimal(0), "explanation": "Charged and refunded whole."}
    off = None if one.monthly_cost is None else one.seats * one.monthly_cost
    text = f"Charged for {format_qty(one.seats)} of a subscription that {one.source} does not list as bought."
    return row | {"status": "mismatch", "expected_qty": Decimal(0), "difference_amount": off, "explanation": text}


def compare_cost(one: Charged) -> dict[str, Any] | None:
    """A unit's cost a month as charged against the purchase's; null where one of them is not known or speaks another currency (T95, T98).

    Usage never stands here: its price moves with credits from day to day, and is no price to compare or to sell at (T95).
    """
    costs = {(p["unit_cost"], p["currency"]) for p in one.purchases if p["is_active"] and p["unit_cost"] is not None}
    if len(costs) != 1 or one.monthly_cost is None or not one.seats:
        return None
    ((cost, currency),) = costs
    if currency != one.currency:
        return None
    row = _placed([one], BY_ID) | {"check": "price", "stated_amount": one.monthly_cost, "expected_amount": cost}
    if abs(one.monthly_cost - cost) <= A_COIN:
        return row | {"status": "agrees", "explanation": f"Charged at {_cost(cost, row)} a unit and month, as bought."}
    said = f"Charged at {_cost(one.monthly_cost, row)} a unit and month, the purchase says {_cost(cost, row)}"
    bought = sum((p["quantity_qty"] for p in one.purchases if p["is_active"]), Decimal(0))
    off = (one.monthly_cost - cost) * min(one.seats, bought)
    text = f"{said}: {format_amount(off, row['currency'])} {row['currency']} a month for {format_qty(min(one.seats, bought))}."
    return row | {"status": "mismatch", "difference_amount": off, "explanation": text}


def _placed(group: Sequence[Charged], confidence: Decimal) -> dict[str, Any]:
    first = group[0]
    return {
        "source": first.source,
        "check": "seats",
        "vendor_account_id": first.account,
        "vendor_product_id": _one({c.product for c in group}) or first.product,
        "subscription_id": _one({c.subscription for c in group}),
        "lines": sum(c.lines for c in group),
        "currency": first.currency,
        "confidence": confidence,
        "evidence": " ".join(c.evidence for c in group if c.evidence) or None,
    }


def _one(values: set[Any]) -> Any:
    return next(iter(values)) if len(values) == 1 else None


def _cost(amount: Decimal, row: Mapping[str, Any]) -> str:
    return f"{format_amount(amount, row['currency'])} {row['currency']}"
