"""Recorded exchange rates: what a person wrote in params, with its day and its source; never a live one (T98).

They serve one purpose: the MSP's cost in one currency beside the client's price in another. A vendor charge's own conversion uses the
rate printed on the charge (``vendor_charges.exchange_rate``), never one of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, localcontext

from reconlib.errors import SettingsError
from reconlib.settings import Rate

_DIGITS = 100  # 38 of an amount × 30 of a rate: the product is exact


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates of a book, by the pair (from, to); none where params name none."""

    by_pair: Mapping[tuple[str, str], Rate] = field(default_factory=dict)
    where: str = "params: rates"  # file and key they stand under, for an error

    def __bool__(self) -> bool:
        return bool(self.by_pair)

    def has(self, source: str, target: str) -> bool:
        """Whether an amount in ``source`` can be said in ``target``.

        Example:
            >>> Rates().has("USD", "USD"), Rates().has("CAD", "USD")
            (True, False)
        """
        return source == target or (source, target) in self.by_pair

    def convert(self, amount: Decimal, source: str, target: str) -> Decimal:
        """The amount in another currency: the exact product, not rounded; in its own currency as it is.

        Raises:
            SettingsError: no rate stands for this pair, in this direction.

        Example:
            >>> from datetime import date
            >>> cad = Rate(**{"from": "CAD", "to": "USD", "rate": "0.73", "date": date(2026, 10, 31), "source": "central bank"})
            >>> make_rates([cad]).convert(Decimal("10.55"), "CAD", "USD")
            Decimal('7.7015')
        """
        rate = self.require(source, target)
        if rate is None:
            return amount
        with localcontext(prec=_DIGITS):
            return amount * rate.rate

    def require(self, source: str, target: str, *, where: str = "") -> Rate | None:
        """The rate of a pair, for what cannot go on without it; null where the two currencies are one.

        Raises:
            SettingsError: no rate stands for this pair. ``where`` says which row asked for it.
        """
        if source == target:
            return None
        if found := self.by_pair.get((source, target)):
            return found
        asked = f" ({where} asks for it)" if where else ""
        write = f'{{from: {source}, to: {target}, rate: "…", date: …, source: …}}'
        hint = f"record {write}"
        if (target, source) in self.by_pair:
            hint += f"; the rate {target} to {source} is not turned round, because a division is not exact and banks quote the two apart"
        raise SettingsError(f"no rate from {source} to {target}{asked}", where=self.where, hint=hint)

    def explain(self, source: str, target: str) -> str:
        """How one currency became another, for an explanation; empty where the two are one.

        Raises:
            SettingsError: no rate stands for this pair.

        Example:
            >>> from datetime import date
            >>> cad = Rate(**{"from": "CAD", "to": "USD", "rate": "0.73", "date": date(2026, 10, 31), "source": "central bank"})
            >>> make_rates([cad]).explain("CAD", "USD")
            '1 CAD = 0.73 USD on 2026-10-31 (central bank)'
        """
        rate = self.require(source, target)
        return "" if rate is None else f"1 {source} = {rate.rate:f} {target} on {rate.day} ({rate.source})"


def make_rates(recorded: Iterable[Rate], *, params_file: str = "params") -> Rates:
    """The rates of one params file. Params have refused a pair that stands twice."""
    return Rates({(rate.from_currency, rate.to_currency): rate for rate in recorded}, f"{params_file}: rates")
