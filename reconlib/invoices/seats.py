"""Seats a subscription is charged for, from lines that state them without a sign and in no order (T70, T74–T77, T83, T92).

A change of seats is two lines: the old seats refunded, the new ones charged. So the seats on a day are charged minus refunded, over the
lines whose days hold it, from the last line on that began a cycle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from reconlib.invoices.charge_types import charge_kind, direction, is_trial, plain_type, signed_qty

Row = Mapping[str, Any]
_REFUNDS_ALL = {"addquantity", "removequantity", "cancelimmediate"}  # their refund states every seat there was before


def by_order(rows: Iterable[Row]) -> list[Row]:
    """Lines in the order things happened, the halves of one event together: files have no order (T76)."""
    return sorted(
        rows, key=lambda r: (happened(r) or date.min, charge_kind(r) != "start", r["reference_id"] or "", direction(r), r["charge_id"])
    )


def happened(row: Row) -> date | None:
    """Day of the event: a cycle begins with its first day, a change on the day it was ordered (UTC, T8)."""
    first, second = ("start_date", "order_date") if charge_kind(row) == "start" else ("order_date", "start_date")
    found: date | None = row[first] or row[second]
    return found


def seat_lines(rows: Iterable[Row]) -> list[Row]:
    """Lines that say something about seats: no credits, usage or trials (T76, T77), and one of each split product (T70)."""
    kept: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        if charge_kind(row) in ("start", "change") and not is_trial(row):
            kept.setdefault(_event(row), row)
    return list(kept.values())


def _event(row: Row) -> tuple[Any, ...]:
    """What the telephony and the other line of one product share: everything but the money (T70)."""
    named = ("charge_type", "order_date", "start_date", "end_date", "reference_id", "quantity_qty")
    return (*(row[name] for name in named), direction(row))


def net_seats(rows: Iterable[Row]) -> Decimal | None:
    """Charged minus refunded seats of one subscription and product, from the last line on that began a cycle; null: cannot be told.

    Source: Partner Center, "How do I calculate the total number of seats (licenses) after multiple changes".
    """
    lines = by_order(seat_lines(rows))
    starts = [row for row in lines if charge_kind(row) == "start"]
    if starts:
        since = happened(starts[-1])
        lines = [row for row in lines if since is None or (happened(row) or date.min) >= since]
        base: Decimal | None = Decimal(0)
    else:
        base = _seats_before(lines)
    if base is None or any(direction(row) == 0 and charge_kind(row) == "change" for row in lines):
        return None  # a price of zero has no sign
    return base + sum((signed_qty(row) for row in lines), Decimal(0))


def _seats_before(lines: Sequence[Row]) -> Decimal | None:
    """Seats before the first change, where the cycle began on an earlier invoice: its refund names them (T74)."""
    if not lines:
        return None
    first = [row for row in lines if happened(row) == happened(lines[0])]
    refunded = Counter(row["quantity_qty"] for row in first if direction(row) < 0)
    refunded.subtract(row["quantity_qty"] for row in first if direction(row) > 0)
    left = list(refunded.elements())
    if not left and not any(direction(row) < 0 for row in first):
        return Decimal(0) if all(plain_type(row) == "convert" for row in first) else None  # an upgrade into a new subscription (T92)
    if len(left) != 1 or any(plain_type(row) not in _REFUNDS_ALL for row in first):
        return None
    return Decimal(left[0])


def seats_on(rows: Iterable[Row], day: date) -> Decimal | None:
    """Seats of one subscription and product on one day; events after it are not yet so (T3). Null: not known."""
    return net_seats(row for row in rows if covers(row, day) and (row["order_date"] is None or row["order_date"] <= day))


def covers(row: Row, day: date) -> bool:
    """Whether the days a line charges hold a day."""
    return (row["start_date"] is None or row["start_date"] <= day) and (row["end_date"] is None or day <= row["end_date"])


def commitment_words(rows: Iterable[Row]) -> str:
    """What the lines prove about the term: a cycle charge a commitment, a renewal each month a monthly term (T83)."""
    words = {plain_type(row) for row in rows}
    if "cyclecharge" in words:
        return "committed"
    return "renewed" if "renew" in words else ""
