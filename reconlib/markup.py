"""What a client owes for cloud cost that is passed on with a markup: multiplied exactly, rounded once."""

from __future__ import annotations

from decimal import Decimal, localcontext

from reconlib.money import Rounding, round_amount


def cloud_due(amount: Decimal, markup_percent: Decimal, currency: str, rounding: Rounding = "half_up") -> Decimal:
    """Money a client owes for what the vendor billed, rounded to the currency's coin. A month that ends in a credit is owed back.

    The sum of a month's costs goes in, never each cost by itself: rounded parts do not add up to the rounded whole.

    Example:
        >>> cloud_due(Decimal("1000.123456789012345"), Decimal(15), "USD"), cloud_due(Decimal("-20.00"), Decimal("12.5"), "JPY")
        (Decimal('1150.14'), Decimal('-23'))
    """
    with localcontext(prec=60):
        return round_amount(amount * (100 + markup_percent) / 100, currency, rounding)
