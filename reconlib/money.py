"""Exact quantities and money: decimals from the wire to the page, rounded once, by a named rule (T10, T78)."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, InvalidOperation, localcontext
from typing import Literal

from reconlib.errors import DataError

Rounding = Literal["half_up", "half_even", "down"]

# ISO 4217 currencies whose minor unit is not two decimals.
MINOR_UNITS = {"BIF": 0, "CLP": 0, "ISK": 0, "JPY": 0, "KRW": 0, "PYG": 0, "UGX": 0, "VND": 0, "XAF": 0, "XOF": 0} | {
    "BHD": 3,
    "IQD": 3,
    "JOD": 3,
    "KWD": 3,
    "LYD": 3,
    "OMR": 3,
    "TND": 3,
}
FINE_SCALE = 18  # decimals kept of what a vendor's invoice line says: DECIMAL(38, 18)
SEVERAL = "XXX"  # stands for several currencies (ISO 4217: no currency)
SCALE = 6  # decimals kept for every quantity, price and amount: DECIMAL(18, 6)
_MODES = {"half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN, "down": ROUND_DOWN}


def to_decimal(value: object, *, where: str = "", scale: int = SCALE) -> Decimal:
    """Exact decimal of a number as a vendor wrote it.

    JSON must be read with ``parse_float=Decimal``: a binary float is refused, because it has already lost cents.

    Raises:
        DataError: not a finite number, more decimals that matter than ``scale``, or a binary float.

    Example:
        >>> to_decimal("12.50")
        Decimal('12.50')
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise DataError(f"{value!r} is not an exact number", where=where, hint="send it as text or an integer")
    try:
        number = Decimal(value.strip() if isinstance(value, str) else value)
    except InvalidOperation:
        raise DataError(f"{value!r} is not a number", where=where, hint="expected digits such as 12 or 12.50") from None
    if not number.is_finite() or number.adjusted() > 11:
        raise DataError(f"{value!r} is not a usable number", where=where, hint="expected below 1,000,000,000,000")
    with localcontext(prec=60):
        is_exact = number == number.quantize(Decimal(1).scaleb(-scale))
    if not is_exact:
        raise DataError(f"{value!r} has more than {scale} decimals", where=where, hint="round it at its origin")
    return number


def minor_units(currency: str) -> int:
    """Decimals of a currency's smallest coin.

    Example:
        >>> minor_units("USD"), minor_units("JPY")
        (2, 0)
    """
    return MINOR_UNITS.get(currency, 2)


def round_amount(amount: Decimal, currency: str, rounding: Rounding = "half_up") -> Decimal:
    """Amount rounded to the currency's smallest coin by a named rule.

    Example:
        >>> round_amount(Decimal("2.345"), "USD"), round_amount(Decimal("2.345"), "USD", "down")
        (Decimal('2.35'), Decimal('2.34'))
    """
    return amount.quantize(Decimal(1).scaleb(-minor_units(currency)), rounding=_MODES[rounding])


def format_amount(amount: Decimal | None, currency: str = "USD") -> str:
    """Amount for people: grouped, with the currency's decimals; empty when unknown.

    Example:
        >>> format_amount(Decimal("1240"), "USD")
        '1,240.00'
        >>> format_amount(None)
        ''
    """
    return "" if amount is None else f"{round_amount(amount, currency):,.{minor_units(currency)}f}"


def format_qty(quantity: Decimal | None) -> str:
    """Quantity for people: no trailing zeros, never an exponent; empty when unknown.

    Example:
        >>> format_qty(Decimal("33.000000")), format_qty(Decimal("1.5")), format_qty(None)
        ('33', '1.5', '')
    """
    if quantity is None:
        return ""
    text = f"{quantity:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
