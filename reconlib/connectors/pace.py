"""How long to wait before a vendor is asked: at the pace it publishes, and as long as it says when it was asked too often."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


class Bucket:
    """A token bucket: the right to send requests, refilled at a steady rate, with a small burst."""

    def __init__(self, rate_per_s: float, burst: int, sleep: Callable[[float], None], clock: Callable[[], float]) -> None:
        self._rate, self._burst, self._sleep, self._clock = rate_per_s, burst, sleep, clock
        self._tokens, self._at = float(burst), clock()

    def take(self) -> None:
        """One request's right; waits for it where there is none."""
        at = self._clock()
        self._tokens = min(float(self._burst), self._tokens + max(0.0, at - self._at) * self._rate)
        self._at = max(self._at, at)
        if self._tokens < 1:
            wait = (1 - self._tokens) / self._rate
            self._sleep(wait)
            self._tokens, self._at = 1.0, self._at + wait
        self._tokens -= 1


def retry_after(headers: Mapping[str, str], now: Callable[[], datetime]) -> float | None:
    """Seconds a vendor asks to wait, written as seconds or as a date; null when it does not say."""
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,12}(\.\d+)?", text, re.ASCII):
        return float(text)
    until = _http_date(text)
    if until is None:
        return None
    sent = _http_date(headers.get("Date", "")) or now()  # the vendor's clock, where it shows it
    return max(0.0, (until - sent).total_seconds())


def _http_date(text: str) -> datetime | None:
    """Moment of a header; one without a zone is UTC, whatever this machine's zone is."""
    try:
        at = parsedate_to_datetime(text)
        return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
