"""What the distributor charges for a month: every subscription's items, and the wrong ones among them (``planting.CHARGED``)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from reconlib.money import round_amount
from reconlib.period import Period
from reconlib.sandbox.accounts import uid
from reconlib.sandbox.catalogue import PAX8
from reconlib.sandbox.planting import CHARGED

if TYPE_CHECKING:
    from reconlib.sandbox.planting import Slot
    from reconlib.sandbox.records import Subscription
    from reconlib.sandbox.world import World

INVOICE_DAY = 5  # of the month after; before it, the month's charges are a draft (T7)
DEARER = Decimal("0.40")  # a unit, above what it was bought at
UNREFUNDED = 2  # seats given back and still charged
PHANTOM = 5  # seats of a subscription nobody bought
STRAY, STRAY_QTY, STRAY_DAYS = "STORE", 310, 12  # what ended inside the month, and no agreement bills
REBATE = Decimal("-5.00")
HEAD_OFF = Decimal("12.40")  # the head of the invoice in Canadian dollars says so much more than its lines


@dataclass(frozen=True, slots=True)
class Item:
    """One line of an invoice or of the draft; amounts for the whole quantity are without tax."""

    id: str
    type: str
    company: str
    product_id: str
    product_name: str
    subscription: str | None
    term: str
    start: date
    end: date
    quantity: int
    price: Decimal
    cost: Decimal | None  # a unit and term
    sub_total: Decimal
    cost_total: Decimal | None
    amount_due: Decimal
    currency: str


def is_invoiced(world: World) -> bool:
    """Whether the month's invoices are out; before, there is a draft."""
    return world.now.date() >= world.period.next.start.replace(day=INVOICE_DAY)


def items(world: World) -> list[Item]:
    """All that is charged for the month."""
    found = {s.id: item for s in world.subscriptions if (item := _charge(world.seed, s, world.period))}
    extra: list[Item] = []
    for slot, s in _planted(world):
        item = found[s.id]
        if slot.pattern == "twice":
            extra.append(replace(item, id=uid(world.seed, "item again", item.id)))
        elif slot.pattern == "dearer" and item.cost is not None:
            found[s.id] = _priced(item, item.quantity, item.cost + DEARER)
        elif slot.pattern == "unrefunded" and item.cost is not None:
            found[s.id] = _priced(item, item.quantity + UNREFUNDED, item.cost)
        elif slot.pattern == "phantom" and item.cost is not None:
            other = replace(item, id=uid(world.seed, "item of nothing", item.id), subscription=uid(world.seed, "no subscription", s.id))
            extra.append(_priced(other, PHANTOM, item.cost))
        elif slot.pattern == "stray":
            extra.append(_stray(world, item))
        else:
            rebate = replace(item, id=uid(world.seed, "rebate", item.id), type="rebate", cost=None, cost_total=None, sub_total=REBATE)
            extra.append(replace(rebate, quantity=1, amount_due=REBATE))
    return [*found.values(), *extra]


def stray_cost(period: Period) -> Decimal:
    """Cost of what ended inside the month."""
    return round_amount(PAX8[STRAY].cost * STRAY_QTY * STRAY_DAYS / period.end.day, "USD")


def _planted(world: World) -> Iterator[tuple[Slot, Subscription]]:
    """Each client × service whose charges are wrong, or look so, with its subscription."""
    for slot in world.slots:
        account = world.book.account("pax8", slot.client)
        if slot.pattern in CHARGED and account:
            wanted = account.id, PAX8[slot.code].product_id, "Active", "Monthly"
            yield slot, next(s for s in world.subscriptions if (s.company, s.product_id, s.status, s.billing) == wanted)


def _charge(seed: int, s: Subscription, period: Period) -> Item | None:
    """What one subscription costs in the month: whole, or from its first day on; a year's price in the month its year begins (T84)."""
    first, last = period.start, period.end
    start = s.start.date() if isinstance(s.start, datetime) else s.start
    is_yearly = s.billing == "Annual"
    if s.status not in ("Active", "Trial") or start > last or (is_yearly and start.month != first.month):
        return None
    if is_yearly:
        begin, share = date(first.year, first.month, start.day), Decimal(1)
        end = begin.replace(year=begin.year + 1)  # a year's end is written as the day the next begins
    else:
        begin, end = max(start, first), last
        share = Decimal((end - begin).days + 1) / ((last - first).days + 1)
    cost, price = (Decimal(0) if s.billing == "Trial" else each for each in (s.cost, s.price))
    cost_total, sub_total = (round_amount(each * s.quantity * share, s.currency) for each in (cost, price))
    return Item(
        id=uid(seed, "item", period, s.id),
        type="subscription" if share == 1 else "prorate",
        company=s.company,
        product_id=s.product_id,
        product_name=s.product_name,
        subscription=s.id,
        term=s.billing,
        start=begin,
        end=end,
        quantity=s.quantity,
        price=price,
        cost=cost,
        sub_total=sub_total,
        cost_total=cost_total,
        amount_due=cost_total,
        currency=s.currency,
    )


def _priced(item: Item, quantity: int, cost: Decimal) -> Item:
    total, price = round_amount(cost * quantity, item.currency), round_amount(item.price * quantity, item.currency)
    return replace(item, quantity=quantity, cost=cost, cost_total=total, amount_due=total, sub_total=price)


def _stray(world: World, item: Item) -> Item:
    """Part of a month of something that ended in it; its subscription is listed no more."""
    product, total = PAX8[STRAY], stray_cost(world.period)
    return replace(
        item,
        id=uid(world.seed, "stray item", item.id),
        type="prorate",
        product_id=product.product_id,
        product_name=product.name,
        subscription=uid(world.seed, "ended subscription", item.id),
        term="Monthly",
        start=world.period.start,
        end=world.period.start + timedelta(days=STRAY_DAYS - 1),
        quantity=STRAY_QTY,
        price=product.cost * 2,
        cost=product.cost,
        sub_total=total * 2,
        cost_total=total,
        amount_due=total,
    )
