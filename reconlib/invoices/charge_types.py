"""What kind of charge a line is, by the vendor's own word; a word nobody knows passes through and is named (T100).

Sources: Partner Center "Reconciliation file charge types" (new commerce and legacy), Pax8 invoice items, Sherweb payable charges,
FOCUS ChargeCategory.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

Row = Mapping[str, Any]
Kind = Literal["start", "change", "usage", "once", "credit", "tax", "unknown"]

# Legacy files credit a whole cycle and charge both parts anew; their wording tells them apart (T100).
LEGACY = (
    *("cycle fee", "new purchase cycle fee", "prorate fees when purchase", "prorate fee when renew", "prorate fees when renew"),
    *("activation fee", "cancel fee", "cancel instance prorate", "cycle instance prorate", "prorate fees when cancel"),
    *("prorate fees when convert away from current offering", "prorate fees when convert to a new offering"),
    *("prorate fees when activate", "convert from instance prorate", "offset a line item"),
    *("assess usage fee when cancel", "assess usage fee for current cycle"),
    *("activation discount", "cycle discount", "renew discount", "cancel discount"),
)
_START = {"new", "renew", "cyclecharge", "changebillingplan", "subscription", "recurring", *LEGACY[:5]}
_CHANGE = {"addquantity", "removequantity", "movequantity", "cancelimmediate", "convert", "extendterm", "prorate"}
_CHANGE |= {word for word in LEGACY if "prorate" in word or word == "cancel fee"} - _START
_CREDIT = {"customercredit", "offset a line item", "rebate", "service-credit", "payment-credit", "invoice-credit", "credit", "adjustment"}
_CREDIT |= {word for word in LEGACY if word.endswith("discount")}
_USAGE = {"usage", "assess usage fee when cancel", "assess usage fee for current cycle", "arrears"}
_ONCE = {"one-time", "onetime", "setup", "purchase", "service-charge", "activation fee"}
_KINDS: dict[str, Kind] = {
    **dict.fromkeys(_START, "start"),
    **dict.fromkeys(_CHANGE, "change"),
    **dict.fromkeys(_CREDIT, "credit"),
    **dict.fromkeys(_USAGE, "usage"),
    **dict.fromkeys(_ONCE, "once"),
    "tax": "tax",
}
_NO_SEATS = {"azure", "reservation", "savings_plan", "perpetual"}  # classes whose lines are not seats of a subscription (T99)


def charge_kind(row: Row) -> Kind:
    """Kind of a charge: what begins a cycle, what changes one, usage, once, credit, tax, or unknown.

    Azure meters, reservations and savings plans call a line "new" too: their class says they are no seats (T99, T101).

    Example:
        >>> charge_kind({"charge_type": "cycleCharge", "product_class": "licence"})
        'start'
        >>> charge_kind({"charge_type": "One Time Refund", "product_class": None})
        'unknown'
    """
    kind = _KINDS.get(plain_type(row), "unknown")
    if kind in ("start", "change") and row["product_class"] in _NO_SEATS:
        return "once" if row["product_class"] == "perpetual" else "usage"
    return kind


def plain_type(row: Row) -> str:
    """The vendor's word without case: files write ``New`` and ``new`` (T9)."""
    return " ".join((row["charge_type"] or "").split()).casefold()


def is_trial(row: Row) -> bool:
    """Whether the line is of a trial: free, and without a sign (T77)."""
    return "trial" in (row["qualifiers"] or "").casefold()


def direction(row: Row) -> int:
    """1 for a charge, -1 for a refund, 0 where the line's price is zero and says nothing (T75, T77).

    Example:
        >>> direction({"amount": Decimal("-94.08"), "unit_cost": Decimal("-9.408"), "quantity_qty": Decimal(10)})
        -1
    """
    for value in (row["amount"], row["unit_cost"]):
        if value:
            return 1 if value > 0 else -1
    return -1 if row["quantity_qty"] < 0 else 0


def signed_qty(row: Row) -> Decimal:
    """Units with the sign Microsoft leaves out: a refund's are negative (T75)."""
    units: Decimal = abs(row["quantity_qty"])
    return -units if direction(row) < 0 else units
