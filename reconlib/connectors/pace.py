"""A token bucket: requests a second, with a small burst, for vendors that publish a limit."""

from __future__ import annotations

from collections.abc import Callable


class Bucket:
    """The right to send requests, refilled at a steady rate."""

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
