"""Days and months of charge cycles, terms and the window in which seats may go down (T71, T80–T87).

Dates are read from the vendor's lines; what is worked out here only fills what a line does not say, and every reading a source allows.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

WINDOW_DAYS = 7  # seats may go down so many days after a purchase or renewal: 168 hours (T85)


def days_between(start: date, end: date) -> int:
    """Days from the first to the last, both counted.

    Example:
        >>> days_between(date(2021, 6, 20), date(2021, 7, 17))
        28
    """
    return (end - start).days + 1


def months_between(start: date, end: date) -> int:
    """Whole months a span of days covers, the nearest; 0 below half a month (T82).

    Example:
        >>> months_between(date(2021, 4, 15), date(2022, 4, 14)), months_between(date(2021, 1, 31), date(2021, 2, 27))
        (12, 1)
        >>> months_between(date(2026, 10, 10), date(2026, 10, 16)), months_between(date(2026, 10, 26), date(2026, 11, 1))
        (0, 0)
    """
    after = end + timedelta(days=1)
    months = (after.year - start.year) * 12 + after.month - start.month
    return max(0, months + (1 if after.day - start.day > 15 else -1 if start.day - after.day > 15 else 0))


def cycle_starts(end: date, months: int, anchor: date | None) -> list[date]:
    """First days a charge cycle of so many months may have that ends on ``end`` (T80, T81).

    Two where the sources differ: the anchor's day, cut to the month's end, or as far from the month's end as the cycle's last day.

    Example:
        >>> cycle_starts(date(2021, 7, 17), 1, date(2021, 6, 18))
        [datetime.date(2021, 6, 18)]
        >>> cycle_starts(date(2021, 3, 29), 1, date(2021, 1, 30))  # Microsoft says 27 February
        [datetime.date(2021, 2, 27), datetime.date(2021, 2, 28)]
    """
    after = end + timedelta(days=1)
    number = after.year * 12 + after.month - 1 - months
    year, month = number // 12, number % 12 + 1
    last = monthrange(year, month)[1]
    from_end = monthrange(after.year, after.month)[1] - after.day
    days = {min((anchor or after).day, last), min(after.day, last)}
    if after.day > 28 or (anchor is not None and anchor.day > 28):
        days.add(max(1, last - from_end))
    return sorted(date(year, month, day) for day in days)


def cycle_days(row: Mapping[str, Any]) -> list[int]:
    """Days the whole charge cycle of a line may have: its span, or the days of the month it starts in (T80)."""
    if row["end_date"] is None or not row["cycle_months"]:
        return []
    spans = set()
    for start in cycle_starts(row["end_date"], row["cycle_months"], row["term_start_date"]):
        spans.add(days_between(start, row["end_date"]))
        if row["cycle_months"] == 1:
            spans.add(monthrange(start.year, start.month)[1])
    return sorted(spans)


def plan_months(row: Mapping[str, Any]) -> int | None:
    """Months one charge covers: what the vendor says, else by the charge's days; 0 for one charge over the whole term (T82)."""
    if row["cycle_months"] is not None:
        return int(row["cycle_months"])
    if row["start_date"] is None or row["end_date"] is None:
        return None
    if (row["start_date"], row["end_date"]) == (row["term_start_date"], row["term_end_date"]):
        return 0
    return max(1, months_between(row["start_date"], row["end_date"]))


def term_months(row: Mapping[str, Any]) -> int | None:
    """Months of the subscription's term, by its own first and last day: the wording has no fixed form (T82)."""
    if row["term_start_date"] is None or row["term_end_date"] is None:
        return None
    return months_between(row["term_start_date"], row["term_end_date"])


def reduction_window(term_end: date) -> tuple[date, date]:
    """First and last day on which seats may go down again: the renewal day and seven days after it (T85, T87).

    Example:
        >>> reduction_window(date(2026, 12, 31))
        (datetime.date(2027, 1, 1), datetime.date(2027, 1, 8))
    """
    renewal = term_end + timedelta(days=1)
    return renewal, renewal + timedelta(days=WINDOW_DAYS)
