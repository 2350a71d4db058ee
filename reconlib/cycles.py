"""The days a billing cycle or term runs over: month ends, windows in advance and in arrears, co-termination (T80, T81, T90, T109).

Dates a vendor states are read from its file. These are for what no file states, and to warn where a file says otherwise (T81).
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from reconlib.errors import DataError

MonthEnd = Literal["clamp", "last_but_one"]
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Cycle:
    """First and last day, both part of it."""

    start: date
    end: date

    @property
    def days(self) -> int:
        """Days from the first to the last, both counted (T80): not the days of the month the cycle starts in.

        Example:
            >>> Cycle(date(2026, 2, 21), date(2026, 3, 20)).days, Cycle(date(2026, 1, 31), date(2026, 2, 27)).days
            (28, 28)
        """
        return (self.end - self.start).days + 1


def add_months(day: date, months: int, *, keeps: MonthEnd = "clamp") -> date:
    """The same day so many months on, or the last day of a month too short for it (T81).

    ``last_but_one``: the last-but-one day of a long month stays the last-but-one day, as annual terms bought on 30 January do.

    Example:
        >>> str(add_months(date(2026, 1, 31), 1)), str(add_months(date(2026, 1, 31), 2))
        ('2026-02-28', '2026-03-31')
        >>> str(add_months(date(2026, 1, 30), 1)), str(add_months(date(2026, 1, 30), 1, keeps="last_but_one"))
        ('2026-02-28', '2026-02-27')
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = monthrange(year, month + 1)[1]
    if keeps == "last_but_one" and day.day >= 29 and day.day == _last_day(day) - 1:
        return date(year, month + 1, last - 1)
    return date(year, month + 1, min(day.day, last))


def cycle_of(anchor: date, months: int, on: date, *, keeps: MonthEnd = "clamp") -> Cycle:
    """The cycle of so many months that holds a day, where one cycle begins on ``anchor`` (T81).

    Example:
        >>> found = cycle_of(date(2026, 1, 31), 1, date(2026, 3, 15))
        >>> str(found.start), str(found.end)
        ('2026-02-28', '2026-03-30')
    """
    number = ((on.year - anchor.year) * 12 + on.month - anchor.month) // months
    if add_months(anchor, number * months, keeps=keeps) > on:
        number -= 1
    after = add_months(anchor, (number + 1) * months, keeps=keeps)
    return Cycle(add_months(anchor, number * months, keeps=keeps), after - _DAY)


def month_starts(start: date, after: date) -> list[date]:
    """Days on which the months of a span begin, ``after`` (the day after its last) included; empty where it is no whole number of months.

    Where a month end hides the day the span is anchored on, it is taken from the other end of the span.

    Example:
        >>> [str(day) for day in month_starts(date(2026, 2, 28), date(2026, 4, 30))]
        ['2026-02-28', '2026-03-30', '2026-04-30']
        >>> month_starts(date(2026, 3, 15), date(2026, 5, 1))
        []
    """
    months = (after.year - start.year) * 12 + after.month - start.month
    for keeps in ("clamp", "last_but_one"):
        for anchor in (start, after):  # either may be the day a shorter month was clamped from
            behind = 0 if anchor == start else months
            found = [add_months(anchor, number - behind, keeps=keeps) for number in range(months + 1)]
            if found and (found[0], found[-1]) == (start, after):
                return found
    return []


def charged_in_advance(anchor: date, billed_on: date) -> Cycle:
    """What a monthly charge of a quantity covers: the cycle that begins on the billing day (T109).

    Example:
        >>> str(charged_in_advance(date(2026, 1, 25), date(2026, 1, 25)).end)
        '2026-02-24'
    """
    return cycle_of(anchor, 1, billed_on)


def used_in_arrears(anchor: date, billed_on: date) -> Cycle:
    """What a monthly bill of usage covers: from the day after the billing day before, the billing day included (T109).

    Example:
        >>> found = used_in_arrears(date(2026, 1, 25), date(2026, 2, 25))
        >>> str(found.start), str(found.end)
        ('2026-01-26', '2026-02-25')
    """
    return Cycle(cycle_of(anchor, 1, billed_on - _DAY).start + _DAY, billed_on)


def first_usage_bill(anchor: date, started: date) -> date:
    """The first billing day that bills usage: the one after the first charge of the subscription (T109).

    Until then no usage on a bill is no missing usage.

    Example:
        >>> str(first_usage_bill(date(2025, 12, 25), date(2026, 1, 10)))
        '2026-02-25'
    """
    first_charge = cycle_of(anchor, 1, started - _DAY).end + _DAY
    return cycle_of(anchor, 1, first_charge).end + _DAY


def first_term(start: date, renews_on: date, term_months: int) -> Cycle:
    """The first term of a subscription that is aligned to renew with another one: shorter than its own (T90).

    Raises:
        DataError: the day to renew on is not inside the term.

    Example:
        >>> term = first_term(date(2022, 7, 1), date(2024, 10, 1), 36)
        >>> str(term.end), len(month_starts(term.start, date(2024, 10, 1))) - 1
        ('2024-09-30', 27)
    """
    if not start < renews_on <= add_months(start, term_months):
        raise DataError(
            f"a term of {term_months} months from {start} cannot renew on {renews_on}",
            where="co-termination",
            hint=f"choose a day up to {add_months(start, term_months)}",
        )
    return Cycle(start, renews_on - _DAY)


def calendar_end(start: date, term_months: int) -> date:
    """Last day of a term aligned to calendar months: the month's end before it would be over (T90).

    Example:
        >>> str(calendar_end(date(2026, 7, 15), 12))
        '2027-06-30'
    """
    return add_months(start.replace(day=1), term_months) - _DAY


def coterm_refusal(term_months: int, other_term_months: int, ends: date) -> str:
    """Why a subscription cannot end together with another; empty where it can (T90). The end date changes at a renewal only.

    Example:
        >>> coterm_refusal(12, 1, date(2026, 10, 31))
        'a term of 12 months cannot end with a monthly one'
        >>> coterm_refusal(1, 12, date(2026, 10, 30)), coterm_refusal(1, 12, date(2026, 11, 30))
        ('a monthly term ends on the 28th, 29th or 30th only where that is the last day of the month', '')
    """
    if term_months > 1 and other_term_months == 1:
        return f"a term of {term_months} months cannot end with a monthly one"
    if term_months == 1 and ends.day in (28, 29, 30) and ends.day != _last_day(ends):
        return "a monthly term ends on the 28th, 29th or 30th only where that is the last day of the month"
    return ""


def _last_day(day: date) -> int:
    return monthrange(day.year, day.month)[1]
