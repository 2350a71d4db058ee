"""What a quantity costs a client a month, under every price model (T33, T40–T43, T120).

Amounts are exact until the last step: tiers are multiplied and added, a difference is taken between two exact amounts, and only then is it
rounded, once. A tiered price is never applied as a volume price or the other way round (T41).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, localcontext

from reconlib.errors import DataError
from reconlib.money import SCALE, format_amount, format_qty, round_amount
from reconlib.rules import Escalator, PriceModel, Tier

_ZERO = Decimal(0)
_DIGITS = 60  # of an exact product: quantity × price and their sums
_COIN = Decimal(1).scaleb(-SCALE)


@dataclass(frozen=True, slots=True)
class PricePart:
    """One line of how a price comes about; the parts of a price add up to it exactly."""

    what: str  # fee, units, up to …, above …, minimum
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal  # quantity × unit_price, not rounded


def price_month(model: PriceModel, quantity: Decimal) -> Decimal:
    """Money a month of a quantity, exact and not rounded.

    A tier's upper bound belongs to the tier (T42). A fee and a minimum are due at zero units too.

    Raises:
        DataError: a quantity below zero.

    Example:
        >>> steps = [Tier(up_to=Decimal(100), price=Decimal("1.00")), Tier(price=Decimal("0.50"))]
        >>> [price_month(PriceModel(model=name, tiers=steps), Decimal(150)) for name in ("tiered", "volume")]
        [Decimal('125.00'), Decimal('75.00')]
    """
    with localcontext(prec=_DIGITS):
        return sum((part.amount for part in price_lines(model, quantity)), _ZERO)


def price_lines(model: PriceModel, quantity: Decimal) -> list[PricePart]:
    """The parts a month's price is made of, in order: fee and overage as two lines (T40), a line a tier reached, what a minimum adds.

    Raises:
        DataError: a quantity below zero.

    Example:
        >>> calls = PriceModel(model="overage", price=Decimal(10), included=Decimal(100), over_price=Decimal("0.10"))
        >>> [(part.what, str(part.amount)) for part in price_lines(calls, Decimal(150))]
        [('fee', '10'), ('above 100', '5.00')]
    """
    if quantity < 0:
        raise DataError(f"{format_qty(quantity)} units have no price", where=f"price model {model.model}", hint="a credit has its own line")
    parts = _parts(model, quantity)
    with localcontext(prec=_DIGITS):
        total = sum((part.amount for part in parts), _ZERO)
        return [*parts, _part("minimum", Decimal(1), model.minimum - total)] if total < model.minimum else parts


def price_difference(model: PriceModel, expected: Decimal, billed: Decimal | None, currency: str) -> Decimal:
    """Money a month the client should additionally pay: price(expected) − price(billed), rounded once, half up (T43).

    Null ``billed``: no line bills the service, so nothing is paid yet, not even a fee or a minimum.
    A quantity billed too low may be money billed too much, where the price of every unit falls.

    Example:
        >>> steps = [Tier(up_to=Decimal(100), price=Decimal("1.00")), Tier(price=Decimal("0.50"))]
        >>> price_difference(PriceModel(model="volume", tiers=steps), Decimal(101), Decimal(100), "USD")
        Decimal('-49.50')
    """
    with localcontext(prec=_DIGITS):
        paid = _ZERO if billed is None else price_month(model, billed)
        return round_amount(price_month(model, expected) - paid, currency)


def explain_price(model: PriceModel, quantity: Decimal, currency: str) -> str:
    """How a month's price comes about, for an explanation.

    Example:
        >>> steps = [Tier(up_to=Decimal(100), price=Decimal("1.00")), Tier(price=Decimal("0.50"))]
        >>> explain_price(PriceModel(model="tiered", tiers=steps), Decimal(150), "USD")
        'tiered: 100 × 1.00 up to 100 + 50 × 0.50 above 100 = 125.00 USD'
    """
    words = [
        f"{format_qty(part.quantity)} × {format_price(part.unit_price, currency)} {part.what}" for part in price_lines(model, quantity)
    ]
    amount = format_amount(price_month(model, quantity), currency)
    return f"{model.model.replace('_', ' ')}: {' + '.join(words) or 'nothing'} = {amount} {currency}"


def format_price(value: Decimal, currency: str) -> str:
    """A price for people: in coins where it is in coins, else with every decimal; never shown rounded to something it is not.

    Example:
        >>> format_price(Decimal("4.200000"), "USD"), format_price(Decimal("0.005"), "USD")
        ('4.20', '0.005')
    """
    return format_amount(value, currency) if value == round_amount(value, currency) else format_qty(value)


def net_amount(lines: Iterable[tuple[Decimal, Decimal]]) -> tuple[Decimal, Decimal]:
    """Units and money of the lines of one client and service, (quantity, price) each: a negative price adds money and no units (T33).

    The lines share one currency and one cycle. Exact, a cycle.

    Example:
        >>> net_amount([(Decimal(10), Decimal("5.00")), (Decimal(1), Decimal("-8.00"))])
        (Decimal('10'), Decimal('42.00'))
    """
    units, money = _ZERO, _ZERO
    with localcontext(prec=_DIGITS):
        for quantity, price in lines:
            money += quantity * price
            units += _ZERO if price < 0 else quantity
    return units, money


def net_unit_price(lines: Iterable[tuple[Decimal, Decimal]]) -> Decimal | None:
    """What the client really pays a unit and cycle, credits and discounts tied to it included (T33); null where no unit is billed.

    Divided once, six decimals, half up: for margins and outliers. What one unit more costs is the price of its line, not this.

    Example:
        >>> net_unit_price([(Decimal(10), Decimal("5.00")), (Decimal(1), Decimal("-8.00"))])
        Decimal('4.200000')
    """
    units, money = net_amount(lines)
    if not units:
        return None
    with localcontext(prec=_DIGITS):
        return (money / units).quantize(_COIN, rounding=ROUND_HALF_UP)


def escalated_price(escalator: Escalator, on: date) -> Decimal | None:
    """The price a unit and month the contract has reached on a day: base × (1 + rate) ^ full years (T120); null before it begins.

    Multiplied exactly, rounded once at the end to six decimals, half up. A rise counts from the anniversary on; that of 29 February is
    28 February in a year without one.

    Example:
        >>> rise = Escalator(base_price=Decimal("10.00"), since=date(2023, 4, 1), percent=Decimal(3))
        >>> escalated_price(rise, date(2026, 3, 31)), escalated_price(rise, date(2026, 4, 1))
        (Decimal('10.609000'), Decimal('10.927270'))
    """
    years = _full_years(escalator.since, on)
    if years < 0:
        return None
    with localcontext(prec=_DIGITS + 12 * years):  # a percentage has six decimals at most: every power is exact
        return (escalator.base_price * (1 + escalator.percent / 100) ** years).quantize(_COIN, rounding=ROUND_HALF_UP)


def _full_years(since: date, on: date) -> int:
    try:
        anniversary = since.replace(year=on.year)
    except ValueError:
        anniversary = date(on.year, 2, 28)
    return on.year - since.year - (on < anniversary)


def _parts(model: PriceModel, quantity: Decimal) -> list[PricePart]:
    if model.model in ("tiered", "volume"):
        return _tiers(model.tiers, quantity, is_volume=model.model == "volume")
    assert model.price is not None  # the rules refuse one without
    if model.model == "per_unit":
        return [_part("a unit", quantity, model.price)]
    fee = _part("fee", Decimal(1), model.price)
    if model.over_price is None or quantity <= model.included:
        return [fee]
    return [fee, _part(f"above {format_qty(model.included)}", quantity - model.included, model.over_price)]


def _tiers(tiers: list[Tier], quantity: Decimal, *, is_volume: bool) -> list[PricePart]:
    parts, floor = [], _ZERO
    for tier in tiers:
        if quantity <= floor:
            break
        top = quantity if tier.up_to is None else min(quantity, tier.up_to)
        what = f"above {format_qty(floor)}" if tier.up_to is None else f"up to {format_qty(tier.up_to)}"
        parts.append(_part(what, top - floor, tier.price))
        floor = top if tier.up_to is None else tier.up_to
    return [_part(parts[-1].what, quantity, parts[-1].unit_price)] if is_volume and parts else parts


def _part(what: str, quantity: Decimal, unit_price: Decimal) -> PricePart:
    with localcontext(prec=_DIGITS):
        return PricePart(what, quantity, unit_price, quantity * unit_price)
