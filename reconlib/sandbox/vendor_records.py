"""What was bought and assigned in one month: the distributor's subscriptions and every tenant's licences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from reconlib.period import Period
from reconlib.sandbox.accounts import Book, uid
from reconlib.sandbox.cast import OWN_ID
from reconlib.sandbox.catalogue import FREE_SKUS, KEEPER, PAX8, PAX8_PRODUCTS, SERVICE, VISIO, Pax8Product, term_of
from reconlib.sandbox.planting import Slot
from reconlib.sandbox.psa_records import first_of
from reconlib.sandbox.records import Account, Sku, Subscription
from reconlib.sandbox.timeline import Fact, month_number, phase_of

COST_RISE = Decimal("0.65")  # below every margin: a rise is not also a loss
KEEPER_CLIENTS, VISIO_CLIENTS = (0, 8, 11), (1, 4)


def subscriptions(seed: int, facts: Iterable[Fact], book: Book, period: Period) -> list[Subscription]:
    """What the distributor sold, cancelled, trial and later ones included."""
    month = month_number(period)
    found = []
    for fact in facts:
        slot = fact.slot
        account = book.account("pax8", slot.client)
        if slot.code not in PAX8 or account is None:
            continue
        if fact.purchased and slot.pattern != "seasonal":
            block = (month + slot.offset) // 4 if slot.pattern == "appears" else 0
            since = first_of(month - phase_of(slot, month)) if slot.pattern == "appears" else _since(slot)
            found.append(_subscription(seed, slot, account, fact.purchased, since, f"{block}"))
        if slot.pattern == "seasonal":
            found += _seasonal(seed, slot, account, month)
    found += _extra_subscriptions(seed, book, period)
    found = [replace(s, end=_term_end(s.start, period)) if s.commitment else s for s in found]
    return sorted(found, key=lambda s: s.id)


def _term_end(since: date, period: Period) -> date:
    """End of the year a commitment is in; it renews by itself."""
    years = max(1, period.end.year - since.year)
    end = since.replace(year=since.year + years)
    return end if end > period.end else since.replace(year=end.year + 1)


def _seasonal(seed: int, slot: Slot, account: Account, month: int) -> Iterator[Subscription]:
    yield _subscription(seed, slot, account, slot.base, _since(slot), "base")
    for odd in range(month - 2, month + 2):
        if (odd + slot.offset) % 2:
            status = "Cancelled" if odd < month else "Active"
            yield _subscription(seed, slot, account, slot.step, first_of(odd) + timedelta(days=1), f"season {odd}", status)


def _subscription(seed: int, slot: Slot, account: Account, quantity: int, since: date, key: str, status: str = "Active") -> Subscription:
    service, product = SERVICE[slot.code], PAX8[slot.code]
    billing, commitment = ("Monthly", None) if slot.pattern == "uncommitted" else term_of(slot.code, yearly=slot.yearly)
    months = 12 if billing == "Annual" else 1
    cost = service.cost + (COST_RISE if slot.pattern == "cost_up" else 0)
    currency = "CAD" if slot.client.role == "cad" and slot.pattern != "currency" else "USD"
    number = uid(seed, "subscription", slot.client.index, slot.code, key)
    return Subscription(
        number, account.id, product.product_id, product.name, product.vendor_sku, quantity,
        service.price * months, cost * months, currency, billing, commitment, since, None, status,
    )  # fmt: skip


def _extra_subscriptions(seed: int, book: Book, period: Period) -> Iterator[Subscription]:
    """Products nobody maps, and subscriptions that count for nothing: trial, cancelled."""
    for index in KEEPER_CLIENTS:
        if account := book.of_index("pax8", index):
            yield _plain(seed, account, KEEPER, 4 + index % 5, "Active", "Monthly", date(2024, 9, 3))
    for index, status, billing in ((3, "Trial", "Trial"), (6, "Cancelled", "Monthly"), (7, "Cancelled", "Monthly")):
        if account := book.of_index("pax8", index):
            yield _plain(seed, account, PAX8_PRODUCTS[0], 25, status, billing, first_of(month_number(period) - 1))
    for account in book.strangers("pax8"):
        yield _plain(seed, account, PAX8["DROPSUITE"], 6, "Active", "Monthly", date(2024, 5, 2))


def _plain(seed: int, account: Account, product: Pax8Product, quantity: int, status: str, billing: str, since: date) -> Subscription:
    price = (product.cost * Decimal("1.4")).quantize(Decimal("0.01"))
    number = uid(seed, "extra", account.id, product.product_id, status)
    return Subscription(
        number, account.id, product.product_id, product.name, product.vendor_sku, quantity,
        price, product.cost, "USD", billing, None, since, None, status,
    )  # fmt: skip


def skus(facts: Iterable[Fact], book: Book) -> list[Sku]:
    """Licences each tenant sees."""
    found = []
    for fact in facts:
        account = book.account("m365", fact.slot.client)
        service = SERVICE[fact.slot.code]
        if account and service.sku_id and fact.units:
            found.append(Sku(account.id, service.sku_id, service.vendor_sku, fact.used, fact.units))
    for account in book.accounts("m365"):
        index = (account.client_id or 0) - 1001
        if account.mapping != "unmapped" and account.client_id != OWN_ID:
            found += [Sku(account.id, guid, part, 3 + index % 4, 10000) for part, guid in FREE_SKUS[: 1 + index % 2] if index % 3]
            found += [Sku(account.id, VISIO[1], VISIO[0], 2 + index % 3, 5)] if index in VISIO_CLIENTS else []
        if account.client_id == OWN_ID:
            found.append(Sku(account.id, SERVICE["M365-E3"].sku_id, "SPE_E3", 18, 20))
    return found


def _since(slot: Slot) -> date:
    return date(2024, 1 + slot.client.index % 12, 1 + slot.base % 27)
