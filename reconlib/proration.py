"""Part of a price for part of a cycle, by a named convention (T73, T90, T91, T104–T108, T111, T112).

Systems differ by a day: 22.00 a month from 15 March on is 12.06 by one and 11.35 by another (T104, T105). So a convention is always named:

- ``inclusive``: days left, the first day counted, of all days of the cycle (ConnectWise; Microsoft's seats)
- ``exclusive``: the first day not counted (CloudBlue); the formula as printed, on the first day of a cycle too
- ``actual_30``: days left, the first counted, of 30 days a month; never more than the whole
- ``months``: months left of the months of the cycle; a month that has begun counts (Work 365; Microsoft's change of billing plan)

Multiplied exactly, divided once, rounded once by a named rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Literal, get_args

from reconlib.cycles import Cycle, add_months, month_starts
from reconlib.errors import DataError
from reconlib.money import FINE_SCALE, Rounding, minor_units, round_amount
from reconlib.rules import Convention

Remainder = Literal["first", "last", "largest"]
CONVENTIONS: tuple[Convention, ...] = get_args(Convention)
_DIGITS = 80  # of an exact product: a fine amount × days
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Share:
    """The part of a cycle that is charged: days of days, or months of months."""

    days: int
    of_days: int


@dataclass(frozen=True, slots=True)
class Prorated:
    """What one convention makes of a price, beside the line of a vendor."""

    convention: Convention
    days: int | None  # months, by ``months``; null: the cycle is no whole number of months, which this convention needs
    of_days: int | None
    amount: Decimal | None
    difference: Decimal | None  # amount − the vendor's; null without one


def share_of(start: date, period_start: date, period_end: date, convention: Convention) -> Share:
    """The part of a cycle from ``start`` to its end, both cycle days included in the cycle.

    Raises:
        DataError: ``start`` outside the cycle, or a convention in months on a cycle that is no whole number of months.

    Example:
        >>> march = (date(2026, 3, 15), date(2026, 3, 1), date(2026, 3, 31))
        >>> [(share.days, share.of_days) for share in (share_of(*march, name) for name in CONVENTIONS)]
        [(17, 31), (16, 31), (17, 30), (1, 1)]
    """
    if not period_start <= start <= period_end:
        raise DataError(f"{start} is not a day of {period_start} to {period_end}", where="proration", hint="name the cycle that holds it")
    left = Cycle(start, period_end).days
    if convention in ("inclusive", "exclusive"):
        return Share(left - (convention == "exclusive"), Cycle(period_start, period_end).days)
    starts = month_starts(period_start, period_end + _DAY)
    if not starts:
        raise DataError(
            f"{period_start} to {period_end} is no whole number of months", where=f"proration {convention}", hint="prorate it by days"
        )
    months = len(starts) - 1
    if convention == "months":
        return Share(sum(day > start for day in starts[1:]), months)
    return Share(min(left, 30 * months), 30 * months)


def prorate(
    price: Decimal,
    start: date,
    period_start: date,
    period_end: date,
    *,
    convention: Convention,
    currency: str,
    rounding: Rounding = "half_up",
) -> Decimal:
    """Money for a cycle's rest from ``start`` on, of the price of the whole cycle.

    Raises:
        DataError: as ``share_of``.

    Example:
        >>> march = (date(2026, 3, 15), date(2026, 3, 1), date(2026, 3, 31))
        >>> [str(prorate(Decimal("22.00"), *march, convention=name, currency="USD")) for name in ("inclusive", "exclusive")]
        ['12.06', '11.35']
    """
    return round_amount(_times(price, share_of(start, period_start, period_end, convention)), currency, rounding)


def prorated_price(price: Decimal, start: date, period_start: date, period_end: date, *, convention: Convention = "inclusive") -> Decimal:
    """Price a unit for a cycle's rest, as Microsoft's effective unit price: unit price × billing days ÷ charge cycle days (T73, T79).

    Not an amount: eighteen decimals, half up.

    Example:
        >>> prorated_price(Decimal("12.00"), date(2026, 3, 3), date(2026, 3, 1), date(2026, 3, 31))
        Decimal('11.225806451612903226')
    """
    with localcontext(prec=_DIGITS):
        exact = _times(price, share_of(start, period_start, period_end, convention))
        return exact.quantize(Decimal(1).scaleb(-FINE_SCALE), rounding=ROUND_HALF_UP)


def prorate_all(
    price: Decimal,
    start: date,
    period_start: date,
    period_end: date,
    *,
    currency: str,
    rounding: Rounding = "half_up",
    vendor_amount: Decimal | None = None,
) -> list[Prorated]:
    """Every convention side by side, and by how much each differs from a vendor's line.

    Raises:
        DataError: ``start`` outside the cycle.
    """
    rows = []
    for name in CONVENTIONS:
        if name in ("months", "actual_30") and not month_starts(period_start, period_end + _DAY):
            rows.append(Prorated(name, None, None, None, None))
            continue
        share = share_of(start, period_start, period_end, name)
        amount = round_amount(_times(price, share), currency, rounding)
        rows.append(Prorated(name, share.days, share.of_days, amount, None if vendor_amount is None else amount - vendor_amount))
    return rows


def which_fits(
    amount: Decimal,
    price: Decimal,
    start: date,
    period_start: date,
    period_end: date,
    *,
    currency: str,
    tolerance: Decimal = Decimal(0),
) -> list[Convention]:
    """The conventions that reproduce a vendor's amount, half up or rounded down; none: it was made in another way (T78, T105).

    ``tolerance`` is money either way, inclusive; for a line of many seats T78 allows 0.01 a seat.

    Example:
        >>> which_fits(Decimal("11.35"), Decimal("22.00"), date(2026, 3, 15), date(2026, 3, 1), date(2026, 3, 31), currency="USD")
        ['exclusive']
    """
    roundings: tuple[Rounding, ...] = ("half_up", "down")
    rows = [
        row
        for rounding in roundings
        for row in prorate_all(price, start, period_start, period_end, currency=currency, rounding=rounding, vendor_amount=amount)
    ]
    fits = {row.convention for row in rows if row.difference is not None and abs(row.difference) <= tolerance}
    return [name for name in CONVENTIONS if name in fits]


def catch_up(price: Decimal, start: date, cycles: Sequence[Cycle], *, convention: Convention, currency: str) -> Decimal:
    """What is charged for time that is invoiced already: from ``start`` to the end of the last cycle invoiced (T104, T108).

    Billed a month in advance, a seat added on 17 March owes the rest of March and the whole of April. The same money comes as a surprise
    when proration is turned on in the middle of a cycle: it reaches back to the last change (T107).
    ``cycles`` are those already invoiced, oldest first; ``start`` is a day of the first. Rounded once, half up.

    Example:
        >>> billed = [Cycle(date(2026, 3, 1), date(2026, 3, 31)), Cycle(date(2026, 4, 1), date(2026, 4, 30))]
        >>> catch_up(Decimal("31.00"), date(2026, 3, 17), billed, convention="inclusive", currency="USD")
        Decimal('46.00')
    """
    with localcontext(prec=_DIGITS):
        rest = _times(price, share_of(start, cycles[0].start, cycles[0].end, convention))
        return round_amount(rest + price * (len(cycles) - 1), currency)


def first_invoice(
    price: Decimal, start: date, cycles: Sequence[Cycle], *, prorates: bool, convention: Convention, currency: str
) -> Decimal:
    """By how much the first invoice that knows a change differs: what is caught up, and the whole cycle it is for (T104).

    Without proration there is nothing to catch up: the full amount, from the next invoice on (T106).

    Example:
        >>> march = [Cycle(date(2026, 3, 1), date(2026, 3, 31))]
        >>> [
        ...     str(first_invoice(Decimal("22.00"), date(2026, 3, 15), march, prorates=yes, convention="inclusive", currency="USD"))
        ...     for yes in (True, False)
        ... ]
        ['34.06', '22.00']
    """
    owed = catch_up(price, start, cycles, convention=convention, currency=currency) if prorates else Decimal(0)
    return owed + round_amount(price, currency)


def coterm_price(price: Decimal, term: Cycle, term_months: int, *, convention: Convention, currency: str) -> Decimal:
    """Money for a first term cut short, of the price of a whole term that ends on the same day (T90)."""
    after = term.end + _DAY
    return prorate(price, term.start, add_months(after, -term_months), term.end, convention=convention, currency=currency)


def cycle_price(price: Decimal, cycle_months: int, to_months: int, currency: str) -> Decimal:
    """A price a cycle as the price of a cycle of another length, by months: price × months ÷ months, rounded half up (T112).

    Example:
        >>> cycle_price(Decimal("100"), 12, 1, "USD"), cycle_price(Decimal("8.33"), 1, 12, "USD")
        (Decimal('8.33'), Decimal('99.96'))
    """
    return round_amount(_times(price, Share(to_months, cycle_months)), currency)


def split_amount(total: Decimal, parts: Sequence[Decimal | int], *, currency: str, remainder: Remainder = "last") -> list[Decimal]:
    """An amount over parts by weight, so that the parts add up to it: each is rounded down, what is left goes where ``remainder`` says.

    ``first`` and ``last``: to the first or last part with any weight; ``largest``: a coin each to those that lost most by rounding,
    the earlier one where two lost the same. A part of no weight gets nothing.

    Raises:
        DataError: a total finer than the currency's coin, a weight below zero, or no weight at all.

    Example:
        >>> [str(part) for part in split_amount(Decimal("100.00"), [1, 1, 1], currency="USD")]
        ['33.33', '33.33', '33.34']
        >>> [str(part) for part in split_amount(Decimal("22.00"), [14, 17], currency="USD", remainder="largest")]
        ['9.94', '12.06']
    """
    weights = [Decimal(part) for part in parts]
    if total != round_amount(total, currency):
        raise DataError(f"{total} is finer than the smallest coin of {currency}", where="split_amount", hint="round it first")
    if min(weights, default=Decimal(0)) < 0 or not any(weights):
        raise DataError("parts need weights, none below zero and one above", where="split_amount", hint="give days or units of each part")
    coin = Decimal(1).scaleb(-minor_units(currency)).copy_sign(total)
    with localcontext(prec=_DIGITS):
        exact = [total * weight / sum(weights) for weight in weights]
        made = [round_amount(amount, currency, "down") for amount in exact]
        coins = int((total - sum(made)) / coin)
        lost = sorted((i for i, weight in enumerate(weights) if weight), key=lambda i: (-abs(exact[i] - made[i]), i))
        places = {"first": [min(lost)] * coins, "last": [max(lost)] * coins, "largest": lost[:coins]}[remainder]
        for place in places:
            made[place] += coin
    return made


def _times(price: Decimal, share: Share) -> Decimal:
    with localcontext(prec=_DIGITS):
        return price * share.days / share.of_days
