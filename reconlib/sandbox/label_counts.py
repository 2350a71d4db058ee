"""What is true of a month's counts beside what is billed: units that came later, counts against their own past, devices one vendor lacks.

Each is worked out from the planting and from what the vendors hold, in words of its own; the rules it speaks of are those of the demo book.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from reconlib.sandbox.accounts import Book
from reconlib.sandbox.cast import Member
from reconlib.sandbox.catalogue import DORMANT, PAX8, SERVICE, term_of
from reconlib.sandbox.label import Label
from reconlib.sandbox.machines import PLACEHOLDERS
from reconlib.sandbox.planting import BOUGHT, DEVICES, Slot
from reconlib.sandbox.records import Agent, Device
from reconlib.sandbox.timeline import fact_of, month_number
from reconlib.sandbox.world import World

STALE_DAYS = 30
UNUSUAL_PERCENT, UNUSUAL_UNITS, UNUSUAL_MONTHS, LOOKED_BACK = 50, 5, 3, 6
SAT_POOL = 600  # seats of training the MSP is committed to over all clients (T38)
_CLASSES = {"RMM-WS": ("WINDOWS_WORKSTATION", "MAC"), "RMM-SRV": ("WINDOWS_SERVER",)}


def later_labels(world: World) -> Iterator[Label]:
    """Units dated after the month where what is billed agrees (T3)."""
    for fact in world.facts:
        if fact.expected == fact.billed and fact.has_line and (units := later_units(world, fact.slot)):
            place = str(fact.slot.client.client_id), str(SERVICE[fact.slot.code].service_id)
            yield Label(str(world.period), "timing", *place, variance_qty=Decimal(units))


def later_units(world: World, slot: Slot) -> int:
    """Units of one client × service that came after the month and before it was read."""
    if not _is_mapped(world.book, slot):
        return 0
    end = world.period.end
    if slot.code in BOUGHT:
        account, product = world.book.account("pax8", slot.client), PAX8[slot.code].product_id
        billing = term_of(slot.code, yearly=slot.yearly)[0]
        own = [s for s in world.subscriptions if account and (s.company, s.product_id, s.billing) == (account.id, product, billing)]
        return sum(s.quantity for s in own if s.start > end and s.status == "Active")
    if slot.code in DEVICES:
        return sum(1 for d in _devices(world, slot.client) if d.created.date() > end and d.node_class in _CLASSES[slot.code])
    if slot.code == "EDR":
        return sum(1 for a in _agents(world, slot.client) if a.created.date() > end)
    return 0


def unusual_labels(world: World, months_before: int) -> Iterator[Label]:
    """Counts far from their own months before: the median of those that are known, and the last one."""
    month = month_number(world.period)
    for slot in world.slots:
        if slot.pattern not in ("surge", "silent", "appears"):
            continue
        seen = [_count(slot, m) for m in range(month, month - min(months_before, LOOKED_BACK) - 1, -1)]
        now, past = seen[0], [count for count in seen[1:] if count is not None]
        if now is None and seen[1:2] not in ([None], []):
            now = 0  # listed last month and gone: its count is zero, and known
        if now is None or len(past) < UNUSUAL_MONTHS:
            continue
        middle = (Decimal(sorted(past)[(len(past) - 1) // 2]) + sorted(past)[len(past) // 2]) / 2
        if all(_is_far(Decimal(now), then) for then in (middle, Decimal(past[0]))):
            place = str(slot.client.client_id), str(SERVICE[slot.code].service_id)
            yield Label(str(world.period), "unusual_count", *place, variance_qty=now - middle)


def _is_far(now: Decimal, then: Decimal) -> bool:
    return abs(now - then) > UNUSUAL_UNITS and abs(now - then) * 100 > UNUSUAL_PERCENT * then


def _count(slot: Slot, month: int) -> int | None:
    """The count a month's comparison holds; None where it holds neither a line nor a unit."""
    fact = fact_of(slot, month)
    return fact.units if fact.has_line or fact.units else None


def gap_labels(world: World) -> Iterator[Label]:
    """Machines protected and not watched, or watched and not protected: by serial, where both vendors' accounts are mapped (T62).

    A server the RMM vendor knows is watched, whatever class it has there.
    """
    for member in world.members:
        both = [world.book.all_of(source, member) for source in ("ninja", "huntress")]
        if not all(both) or any(a.mapping == "unmapped" for accounts in both for a in accounts):
            continue
        devices = [d for d in _devices(world, member) if _counts(world, d.created, d.last_contact, d.serial)]
        agents = {a.serial for a in _agents(world, member) if _counts(world, a.created, a.last_callback, a.serial)}
        stations = {d.serial for d in devices if d.node_class in _CLASSES["RMM-WS"]}
        known = {d.serial for d in devices if d.node_class in (*_CLASSES["RMM-WS"], *_CLASSES["RMM-SRV"])}
        for code, missing in (("EDR", stations - agents), ("RMM-WS", agents - known)):
            if missing:
                place = str(member.client_id), str(SERVICE[code].service_id)
                yield Label(str(world.period), "coverage_gap", *place, variance_qty=Decimal(len(missing)))


def standard_labels(world: World) -> Iterator[Label]:
    """Servers that are billed without protection, and training seats nobody uses."""
    lines: dict[int, set[str]] = {}
    for fact in world.facts:
        if fact.has_line:
            lines.setdefault(fact.slot.client.client_id, set()).add(fact.slot.code)
    for client, codes in sorted(lines.items()):
        if "RMM-SRV" in codes and not codes & {"EDR", "CARE"}:
            yield Label(str(world.period), "missing_expected_service", str(client), str(SERVICE["EDR"].service_id))
    service = SERVICE["SAT"]
    mapped = {int(a.id) for a in world.book.accounts("huntress") if a.client_id is not None and a.mapping != "unmapped"}
    rest = SAT_POOL - sum(row.learners for row in world.security if row.organization in mapped)
    if rest > 0:
        quantity, cost = Decimal(rest), rest * service.cost
        yield Label(str(world.period), "unused_commitment", None, str(service.service_id), variance_qty=quantity, cost_impact=cost)


def row_labels(world: World) -> Iterator[Label]:
    """Devices whose row cannot be read, and the rule of a service nobody has yet."""
    if unreadable := sum(1 for d in world.devices if d.in_milliseconds):
        yield Label(str(world.period), "unusable_rows", source="ninja", variance_qty=Decimal(unreadable))
    siem = next(s for s in DORMANT if s.code == "SIEM")
    yield Label(str(world.period), "unmatched_rule", None, str(siem.service_id), "huntress", rule="services.SIEM.used.0")


def _is_mapped(book: Book, slot: Slot) -> bool:
    source = SERVICE[slot.code].sources[0] if SERVICE[slot.code].sources else ""
    return any(a.mapping != "unmapped" for a in book.all_of(source, slot.client))


def _devices(world: World, member: Member) -> list[Device]:
    organizations = {int(a.id) for a in world.book.all_of("ninja", member)}
    return [d for d in world.devices if d.organization in organizations and d.approved and not d.in_milliseconds]


def _agents(world: World, member: Member) -> list[Agent]:
    organizations = {int(a.id) for a in world.book.all_of("huntress", member)}
    return [a for a in world.agents if a.organization in organizations]


def _counts(world: World, created: datetime, seen: datetime, serial: str | None) -> bool:
    end = world.period.end
    return serial not in (None, *PLACEHOLDERS) and created.date() <= end and seen.date() >= end - timedelta(days=STALE_DAYS)
