"""What is truly wrong with the distributor's charges: worked out from what was planted on them."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from reconlib.sandbox import unlike
from reconlib.sandbox.catalogue import PAX8, SERVICE, term_of
from reconlib.sandbox.charges import DEARER, PHANTOM, STRAY, UNREFUNDED, is_invoiced, stray_cost
from reconlib.sandbox.label import Label, cents
from reconlib.sandbox.timeline import Fact
from reconlib.sandbox.world import World

KIND = "vendor_invoice_mismatch"


def charge_labels(world: World) -> Iterator[Label]:
    """One a plant; and the invoice whose head says more than its lines, once it is out."""
    for fact in world.facts:
        yield from _of_fact(world, fact)
    canadian = any(s.currency == "CAD" for s in world.subscriptions)
    if canadian and is_invoiced(world):
        yield Label(str(world.period), KIND, source="pax8", rule="vendor_audit.invoice_sum")


def _of_fact(world: World, fact: Fact) -> Iterator[Label]:
    slot, product = fact.slot, PAX8.get(fact.slot.code)
    account = world.book.account("pax8", slot.client)
    if product is None or account is None:
        return
    cost = SERVICE[slot.code].cost
    billing, commitment = term_of(slot.code, yearly=slot.yearly)
    bought = f"{product.product_id}|{billing}|{commitment or '-'}"

    def label(check: str, money: Decimal, units: int | None = None, product_id: str = bought, code: str = slot.code) -> Label:
        return Label(
            str(world.period), KIND, str(slot.client.client_id), str(SERVICE[code].service_id), "pax8", account.id, product_id,
            None if units is None else Decimal(units), None, cents(money), f"vendor_audit.{check}",
        )  # fmt: skip

    if slot.pattern == "twice":
        yield label("double_charge", cost * fact.purchased)
    elif slot.pattern == "dearer":
        yield label("price", DEARER * fact.purchased)
    elif slot.pattern == "unrefunded":
        yield label("refund", cost * UNREFUNDED, UNREFUNDED)
    elif slot.pattern == "phantom":
        yield label("seats", cost * PHANTOM, PHANTOM, product.product_id)  # a product without the term no list of purchases gives
    elif slot.pattern == "stray":
        assert not any(code == STRAY for code, *_ in unlike.sold_to(slot.client.index))
        yield label("unbilled", stray_cost(world.period), None, PAX8[STRAY].product_id, STRAY)
