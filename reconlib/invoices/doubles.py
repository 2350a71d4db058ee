"""Days of one subscription charged twice, and two subscriptions of one product where a plan was changed (T93)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, localcontext
from typing import Any

from reconlib.invoices.arithmetic import DIGITS
from reconlib.invoices.charge_types import charge_kind, direction, is_trial, plain_type
from reconlib.invoices.cycles import days_between, plan_months, term_months
from reconlib.invoices.seats import by_order, happened

Row = Mapping[str, Any]
_SAME = ("charge_type", "order_date", "start_date", "end_date", "reference_id", "quantity_qty", "unit_cost", "amount")


@dataclass(frozen=True, slots=True)
class Double:
    """A charge that stands twice: the line too many, the money, and how sure that is."""

    line: Row
    other: Row
    amount: Decimal
    why: str
    confidence: Decimal


def find_repeats(rows: Sequence[Row]) -> list[Double]:
    """Lines of one subscription and product charged again for days another line charges already.

    Two lines that differ in nothing but their id are one line twice; so are two cycles begun over the same days without a refund between.
    The halves of a split product differ in price and share their event, and are no double (T70). Changes without a reference are left
    alone: two of one day may be alike.
    """
    kept: list[Row] = []
    found: list[Double] = []
    for row in by_order(r for r in rows if charge_kind(r) in ("start", "change") and direction(r) and not is_trial(r)):
        if charge_kind(row) == "change" and row["reference_id"] is None:
            continue
        twin = next((k for k in kept if all(k[name] == row[name] for name in _SAME)), None)
        if twin is not None:
            found.append(Double(row, twin, row["amount"], "stands twice", Decimal("0.95")))
            continue
        if charge_kind(row) == "start" and direction(row) > 0 and (again := _begun_again(row, kept)):
            found.append(again)
            continue
        kept.append(row)
    return found


def _begun_again(row: Row, kept: Iterable[Row]) -> Double | None:
    for other in kept:
        if charge_kind(other) != "start" or direction(other) < 0 or other["reference_id"] == row["reference_id"] is not None:
            continue
        if _is_split(row, other) or plain_type(row) == "changebillingplan" or _ended(other, row, kept):
            continue
        if days := _shared_days(other, row):
            amount = _share(row, days)
            return Double(row, other, amount, f"begins a cycle over {days} days already charged", Decimal("0.9"))
    return None


def _is_split(one: Row, other: Row) -> bool:
    """Telephony and the rest of one product: the same event at another price (T70)."""
    same = ("charge_type", "order_date", "start_date", "end_date", "reference_id", "quantity_qty")
    return all(one[name] == other[name] for name in same) and one["unit_cost"] != other["unit_cost"]


def _ended(other: Row, row: Row, kept: Iterable[Row]) -> bool:
    """Whether the earlier cycle was refunded by the day the later one begins."""
    begins = row["start_date"]
    refunds = (
        k for k in kept if direction(k) < 0 and k["end_date"] == other["end_date"] and plain_type(k) in ("cancelimmediate", "convert")
    )
    return any(begins is not None and (happened(k) or date.max) <= begins for k in refunds)


def find_plan_overlaps(subscriptions: Mapping[str, Sequence[Row]]) -> list[Double]:
    """A change of plan whose old subscription was not ended: both are charged (T93).

    It shows as a second subscription of the product begun inside a cycle of the first, with as many units and another term or plan.
    Seats of two terms side by side, bought apart, are no double (T28).

    Args:
        subscriptions: lines of one client's subscriptions of one product, all its terms, by subscription.
    """
    found = []
    starts = {
        key: [r for r in rows if charge_kind(r) == "start" and direction(r) > 0 and not is_trial(r)] for key, rows in subscriptions.items()
    }
    for new, begun in sorted(starts.items()):
        for row in begun:
            if plain_type(row) != "new" or row["start_date"] is None:
                continue
            for old, earlier in sorted(starts.items()):
                if old != new and (double := _overlap(row, earlier, subscriptions[old])):
                    found.append(double)
    return found


def _overlap(row: Row, earlier: Sequence[Row], lines: Sequence[Row]) -> Double | None:
    for other in earlier:
        if not other["start_date"] or not other["end_date"] or not other["start_date"] < row["start_date"] <= other["end_date"]:
            continue
        if other["quantity_qty"] != row["quantity_qty"] or (plan_months(other), term_months(other)) == (plan_months(row), term_months(row)):
            continue
        if any(direction(k) < 0 and (happened(k) or date.min) >= row["start_date"] - timedelta(days=1) for k in lines):
            continue
        days = days_between(row["start_date"], other["end_date"])
        why = f"runs on for {days} days beside subscription {row['subscription_id']}, begun {row['start_date']} with the same units"
        return Double(other, row, _share(other, days), why, Decimal("0.7"))
    return None


def _shared_days(one: Row, other: Row) -> int:
    if None in (one["start_date"], one["end_date"], other["start_date"], other["end_date"]):
        return 0
    return max(0, days_between(max(one["start_date"], other["start_date"]), min(one["end_date"], other["end_date"])))


def _share(row: Row, days: int) -> Decimal:
    """Part of a line's amount that some of its days cost, to six decimals."""
    with localcontext(prec=DIGITS):
        whole = days_between(row["start_date"], row["end_date"])
        part: Decimal = row["amount"] * days / whole
        return part.quantize(Decimal("0.000001"))
