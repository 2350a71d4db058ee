"""What is truly wrong in a made-up month, written from the planting alone: no stage of the pipeline is asked, none reads it.

Labels assume that the decisions of ``answers`` were entered and that ``params/rules/default.yaml`` is the rule book.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path

from reconlib.period import Period
from reconlib.sandbox import unlike
from reconlib.sandbox.catalogue import KEEPER, PAX8, SERVICE, VISIO, term_of
from reconlib.sandbox.label import Label, cents
from reconlib.sandbox.label_charges import charge_labels
from reconlib.sandbox.label_counts import LOOKED_BACK, gap_labels, later_labels, row_labels, standard_labels, unusual_labels
from reconlib.sandbox.planting import DEVICES, GOODWILL, HUNTRESS, Slot
from reconlib.sandbox.timeline import Fact, month_number
from reconlib.sandbox.vendor_records import COST_RISE
from reconlib.sandbox.world import World

_COLUMNS = ("relation", "source", "vendor_id", "decision", "target", "finding_id", "new_qty", "effective_date", "until", "cause", "reason")


def labels(world: World, months_before: int = LOOKED_BACK) -> list[Label]:
    """Every finding the month holds, and nothing else.

    Args:
        world: the month.
        months_before: months in a row that were compared before it: a count is only odd against its own past, and what is billed a month
            late has no count in the first one (T110).
    """
    found = [label for fact in world.facts for label in _of_slot(world, fact, is_first=not months_before)]
    found += [*_unmapped_accounts(world), *_unmapped_products(world), *_unaccounted(world)]
    found += [*later_labels(world), *unusual_labels(world, months_before), *gap_labels(world), *standard_labels(world)]
    found += [*row_labels(world), *charge_labels(world)]
    return sorted(found, key=lambda label: tuple(str(value) for value in asdict(label).values()))


def write_labels(world: World, path: Path, months_before: int = LOOKED_BACK) -> None:
    """The labels as JSON, decimals as text."""
    found = labels(world, months_before)
    rows = [{k: str(v) if isinstance(v, Decimal) else v for k, v in asdict(label).items()} for label in found]
    path.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", "utf-8")


def answers(world: World) -> list[dict[str, str]]:
    """The mapping decisions the MSP's analyst enters, as rows of a decision file."""
    rows = []
    review_by = f"{world.period.year + 1}-12-31"  # the same in every month of a year: entered once
    for account in world.book.rows:
        if account.mapping == "answer":
            rows.append(("account", account.source, account.id, "map", account.code, "", "same company, checked with the client's contact"))
        elif account.mapping == "exclude":
            rows.append(("account", account.source, account.id, "exclude", "", review_by, "our own devices and licences, never billed"))
    billing, commitment = term_of("DROPSUITE", yearly=False)
    product = f"{PAX8['DROPSUITE'].product_id}|{billing}|{commitment or '-'}"
    rows.append(("product", "pax8", product, "map", "DROPSUITE", "", "the backup seat we sell"))
    return [
        dict.fromkeys(_COLUMNS, "")
        | {"relation": r, "source": s, "vendor_id": v, "decision": d, "target": t, "until": until, "reason": why}
        for r, s, v, d, t, until, why in rows
    ]


def _of_slot(world: World, fact: Fact, *, is_first: bool) -> Iterator[Label]:
    slot = fact.slot
    client, service = str(slot.client.client_id), str(SERVICE[slot.code].service_id)
    period = str(world.period)

    def label(
        kind: str, qty: int | None = None, impact: Decimal | None = None, cost: Decimal | None = None, source: str | None = None
    ) -> Label:
        return Label(
            period, kind, client, service, source,
            variance_qty=None if qty is None else Decimal(qty), monthly_impact=cents(impact), cost_impact=cents(cost),
        )  # fmt: skip

    if SERVICE[slot.code].measure in ("none", "flat"):
        if SERVICE[slot.code].measure == "none":
            yield label("no_source")
        return
    if slot.pattern == "no_account" or (slot.code in unlike.ARREARS and is_first):
        yield label("no_count")
        return
    variance = fact.expected - fact.billed
    if variance and slot.pattern not in ("near", "ignored"):
        price = slot.price / slot.cycle if fact.has_line else SERVICE[slot.code].price
        due, billed = (unlike.amount(slot.code, units) for units in (fact.expected, fact.billed))
        yield label(_billing_kind(fact), variance, variance * price if due is None or billed is None else due - billed)
    yield from _beside(world.period, fact, label)


def _billing_kind(fact: Fact) -> str:
    if not fact.has_line:
        return "new_revenue"
    if fact.units == 0:
        return "orphan_line"
    return "under_billed" if fact.expected > fact.billed else "over_billed"


def _beside(period: Period, fact: Fact, label: object) -> Iterator[Label]:
    """What is wrong beside the billed quantity."""
    assert callable(label)
    slot, pattern = fact.slot, fact.slot.pattern
    cost = _vendor_cost(slot)
    if pattern in ("unused", "uncommitted"):
        yield label("unused_commitment", fact.purchased - fact.used, cost=cost * (fact.purchased - fact.used))
    elif pattern == "shadow":
        yield label("shadow_usage", fact.used - fact.purchased)
    elif pattern == "cost_up":
        yield label("cost_change", cost=COST_RISE * fact.purchased)
    elif pattern == "below_cost":
        yield label("negative_margin", cost=(cost - slot.price / slot.cycle) * fact.billed)
    elif pattern == "credit" and (lost := (cost - slot.price / slot.cycle) * fact.billed + GOODWILL / slot.cycle) > 0:
        yield label("negative_margin", cost=lost)  # a credit larger than what the line earns (T33)
    elif pattern == "currency":
        yield label("currency_or_cycle_mismatch")
    elif pattern == "undeployed":
        yield dependent(label, slot)
    elif pattern in ("stale", "duplicate"):
        yield label(f"{pattern}_unit", slot.step, source="huntress" if slot.code in HUNTRESS else "ninja")
    yield from _priced(period, fact, label)


def _priced(period: Period, fact: Fact, label: object) -> Iterator[Label]:
    """A planted price further than a quarter from what is listed, and so from what others pay; one that did not follow its rise."""
    assert callable(label)
    slot, listed = fact.slot, SERVICE[fact.slot.code].price
    if slot.pattern == "unraised":
        yield label("price_outlier", impact=(unlike.raised_price(month_number(period)) - slot.price) * fact.billed)
    elif slot.pattern in ("below_cost", "dear", "less_dear") and abs(slot.price / slot.cycle - listed) * 4 > listed:
        yield label("price_outlier")


def dependent(label: object, slot: Slot) -> Label:
    """A bundle whose agents are not all deployed: the finding stands on the component."""
    assert callable(label)
    made = label("dependent_mismatch", slot.step)
    assert isinstance(made, Label)
    return Label(made.period, made.kind, made.client_id, str(SERVICE["EDR"].service_id), variance_qty=made.variance_qty)


def _vendor_cost(slot: Slot) -> Decimal:
    return SERVICE[slot.code].cost + (COST_RISE if slot.pattern == "cost_up" else 0)


def _unmapped_accounts(world: World) -> Iterator[Label]:
    """Accounts of nobody, or of a client nobody mapped, with something on them."""
    for account in world.book.rows:
        if account.mapping != "unmapped":
            continue
        number = account.id
        units = {
            "pax8": lambda n: sum(s.quantity for s in world.subscriptions if s.company == n),
            "m365": lambda n: sum(s.consumed for s in world.skus if s.tenant == n),
            "ninja": lambda n: sum(1 for d in world.devices if str(d.organization) == n),
            "huntress": lambda n: (
                sum(1 for a in world.agents if str(a.organization) == n)
                + sum(c.identities + c.learners for c in world.security if str(c.organization) == n)
            ),
        }[account.source](number)
        if units:
            yield Label(str(world.period), "unmapped_account", source=account.source, vendor_account_id=number, variance_qty=Decimal(units))


def _unmapped_products(world: World) -> Iterator[Label]:
    period = str(world.period)
    keeper = sum(s.quantity for s in world.subscriptions if s.product_id == KEEPER.product_id)
    visio = sum(s.consumed for s in world.skus if s.sku_id == VISIO[1])
    if keeper:
        product = f"{KEEPER.product_id}|Monthly|-"
        yield Label(period, "unmapped_service", source="pax8", vendor_product_id=product, variance_qty=Decimal(keeper))
    if visio:
        yield Label(period, "unmapped_service", source="m365", vendor_product_id=VISIO[1], variance_qty=Decimal(visio))


def _unaccounted(world: World) -> Iterator[Label]:
    """Hypervisor hosts: no rule counts them and none says they are free."""
    devices = {slot.client for slot in world.slots if slot.code in (*DEVICES, "CARE")}
    for member in sorted(devices, key=lambda m: m.index):
        organizations = {int(a.id) for a in world.book.all_of("ninja", member)}
        hosts = sum(1 for d in world.devices if d.organization in organizations and d.node_class == "VMWARE_VM_HOST")
        if hosts:
            yield Label(str(world.period), "unaccounted_usage", str(member.client_id), source="ninja", variance_qty=Decimal(hosts))
