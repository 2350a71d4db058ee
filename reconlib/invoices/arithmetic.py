"""One vendor line against its own arithmetic: price × units × rate, and the price against the days charged (T72–T80, T95–T98).

Microsoft rounds in ways its pages contradict (T78), so a line is right within a coin a unit; equality to the cent is never asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any

from reconlib.invoices.charge_types import charge_kind, direction, is_trial, plain_type
from reconlib.invoices.cycles import cycle_days, days_between
from reconlib.money import minor_units, round_amount

Row = Mapping[str, Any]
DIGITS = 60  # enough for every product of three 38-digit numbers this project multiplies


@dataclass(frozen=True, slots=True)
class Checked:
    """One line after its arithmetic: what it should cost; null where the line does not say enough."""

    expected_amount: Decimal | None
    is_off: bool
    why: str = ""  # in words, where it is off


def allowed(row: Row) -> Decimal:
    """Money a line may be off: a coin a unit, at least one; and a coin of the pricing currency where that was rounded first (T78).

    Example:
        >>> allowed({"currency": "EUR", "pricing_currency": None, "exchange_rate": None, "quantity_qty": Decimal(12)})
        Decimal('0.12')
    """
    with localcontext(prec=DIGITS):
        coin = Decimal(1).scaleb(-minor_units(row["currency"]))
        money: Decimal = coin * max(Decimal(1), abs(row["quantity_qty"]))
        if row["pricing_currency"] not in (None, row["currency"]):
            money += Decimal(1).scaleb(-minor_units(row["pricing_currency"])) * rate_of(row)
        return money


def rate_of(row: Row) -> Decimal:
    """Pricing to billing currency by the line's own rate, never by one of ours (T98)."""
    return Decimal(1) if row["exchange_rate"] is None else row["exchange_rate"]


def prorated(full_price: Decimal, billing_days: int, cycle: int) -> Decimal:
    """Price of some days of a cycle, both ends counted, all digits kept (T73, T79).

    Example:
        >>> prorated(Decimal("10.08"), 28, 30), round(prorated(Decimal("12"), 29, 31), 8)
        (Decimal('9.408'), Decimal('11.22580645'))
    """
    with localcontext(prec=DIGITS):
        return full_price * billing_days / cycle


def check_line(row: Row, others: Sequence[Row] = ()) -> Checked:
    """Whether a line costs what its own price, units, days and rate say.

    Args:
        row: one of vendor_charges.
        others: lines of the same subscription and product, this one too: what a whole cycle cost, and the other half of a seat change.
    """
    with localcontext(prec=DIGITS):
        return _check_line(row, others)


def _check_line(row: Row, others: Sequence[Row]) -> Checked:
    price, units, amount = row["unit_cost"], row["quantity_qty"], row["amount"]
    if charge_kind(row) == "credit":
        off = amount > 0 and plain_type(row) == "customercredit"
        return Checked(-amount if off else amount, off, "a credit that charges" if off else "")
    fair = _fair_prices(row, others)
    if price is None:
        guess = _nearest(row, fair)
        return Checked(None, is_off=False) if guess.is_off else guess  # a flat or rebated item does not say what a unit of it came to
    expected = price * units * rate_of(row)
    if abs(amount - expected) > allowed(row):
        best = _nearest(row, fair)
        if not best.is_off:
            return best  # the price is printed short, the days say the same as the amount (T79)
        return Checked(expected, is_off=True, why=f"{_n(price)} × {_n(units)} is {_money(expected, row)}")
    if charge_kind(row) != "change" or is_trial(row) or not price or not fair:
        return Checked(expected, is_off=False)
    return _check_price(row, others, fair, expected)


def _check_price(row: Row, others: Sequence[Row], fair: list[Decimal], expected: Decimal) -> Checked:
    """Price of a seat change against the days it covers; a charge below them is a discount, a refund below them is money lost."""
    mine, sign, coin = abs(row["unit_cost"]), direction(row), Decimal(1).scaleb(-minor_units(row["pricing_currency"] or row["currency"]))
    pair = [abs(o["unit_cost"]) for o in others if o is not row and _is_pair(row, o) and direction(o) == -sign]
    if any(abs(mine - one) <= coin for one in fair) or (sign > 0 and mine < max(fair)):
        return Checked(expected, is_off=False)
    if sign < 0 and any(abs(mine - one) <= coin for one in pair) and mine < max(fair):
        return Checked(expected, is_off=False)  # refunded at the discounted price it is charged at
    best = min(fair, key=lambda one: (abs(mine - one), one))
    right = sign * best * abs(row["quantity_qty"]) * rate_of(row)
    days = days_between(row["start_date"], row["end_date"])
    return Checked(right, is_off=True, why=f"{days} days cost {_n(round(best, 6))} a unit, the line says {_n(mine)}")


def _nearest(row: Row, prices: Sequence[Decimal]) -> Checked:
    """The line at the price nearest to what it says; off where none is near, or there is none."""
    sums = [(direction(row) or 1) * one * abs(row["quantity_qty"]) * rate_of(row) for one in prices]
    if not sums:
        return Checked(None, is_off=True)
    best = min(sums, key=lambda one: (abs(row["amount"] - one), one))
    return Checked(best, is_off=abs(row["amount"] - best) > allowed(row))


def _fair_prices(row: Row, others: Sequence[Row]) -> list[Decimal]:
    """Prices a unit the days of a line may cost, by the list price and by what a whole cycle of the subscription cost (T72)."""
    if row["start_date"] is None or row["end_date"] is None or charge_kind(row) not in ("start", "change"):
        return []
    days = days_between(row["start_date"], row["end_date"])
    whole = [o for o in others if charge_kind(o) == "start" and o["end_date"] == row["end_date"] and o["start_date"] and not is_trial(o)]
    spans = [days_between(o["start_date"], o["end_date"]) for o in whole] or cycle_days(row)
    spans = sorted({span for span in spans if span >= days})
    full = {abs(o["unit_cost"]) for o in whole if o is not row and o["unit_cost"]}
    if row["list_price"]:
        full.add(abs(row["list_price"]))
    if charge_kind(row) == "start" and not spans:
        spans = [days]
    return [prorated(one, days, span) for one in sorted(full) for span in spans]


def _is_pair(one: Row, other: Row) -> bool:
    return one["reference_id"] is not None and one["reference_id"] == other["reference_id"]


def _money(amount: Decimal, row: Row) -> str:
    return f"{round_amount(amount, row['currency']):,}"


def _n(number: Decimal) -> str:
    text = f"{number:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
