"""The billing month: its days, neighbours and the day a change takes effect (T2, T102)."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date

from reconlib.errors import SettingsError


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """One calendar month.

    Example:
        >>> Period(2026, 2).end, str(Period(2026, 12).next), str(Period(2026, 1).previous)
        (datetime.date(2026, 2, 28), '2027-01', '2025-12')
    """

    year: int
    month: int

    @property
    def start(self) -> date:
        """First day of the month."""
        return date(self.year, self.month, 1)

    @property
    def end(self) -> date:
        """Last day of the month; the default as-of date."""
        return date(self.year, self.month, monthrange(self.year, self.month)[1])

    @property
    def next(self) -> Period:
        """The month after."""
        return Period(self.year + self.month // 12, self.month % 12 + 1)

    @property
    def previous(self) -> Period:
        """The month before."""
        return Period(self.year - (self.month == 1), (self.month - 2) % 12 + 1)

    @property
    def effective_date(self) -> date:
        """Default day an approved change takes effect: the first of the next month (T102)."""
        return self.next.start

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


def parse_period(text: str, *, today: date | None = None) -> Period:
    """Billing month from ``2026-10``, or from ``last`` / ``this`` relative to ``today``.

    Raises:
        SettingsError: not a month, or relative without ``today``.

    Example:
        >>> parse_period("last", today=date(2026, 11, 2))
        Period(year=2026, month=10)
    """
    if text in ("last", "this") and today is not None:
        current = Period(today.year, today.month)
        return current.previous if text == "last" else current
    match = re.fullmatch(r"([12][0-9]{3})-(0[1-9]|1[0-2])", text)
    if not match:
        raise SettingsError(f"{text!r} is not a billing month", where="period", hint="write it as 2026-10, or 'last'")
    return Period(int(match[1]), int(match[2]))
