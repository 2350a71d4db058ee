"""The PSA's side of one month: companies, agreements and their lines, decoys included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from reconlib.sandbox import unlike
from reconlib.sandbox.cast import MSP_NAME, OWN_CODE, OWN_ID, Member
from reconlib.sandbox.catalogue import DORMANT, SERVICE, SERVICES
from reconlib.sandbox.planting import BOUGHT, GOODWILL, Slot, rng
from reconlib.sandbox.records import Addition, Agreement, Company
from reconlib.sandbox.timeline import Fact, phase_of

CYCLE_NAMES = {1: "Monthly", 3: "Quarterly", 12: "Annual"}
_INDEX = {service.code: i for i, service in enumerate((*SERVICES, *DORMANT))}
_ALL = {service.code: service for service in (*SERVICES, *DORMANT)}
TWIN, INACTIVE, PROSPECT, UNAPPROVED = 901, 902, 903, 904


def companies(members: Iterable[Member]) -> list[Company]:
    """Clients, and the companies that must stay out of the month (T13, T14)."""
    found = [
        Company(OWN_ID, OWN_CODE, MSP_NAME, "harbor-msp.example", types=("Owner",)),
        Company(TWIN, "BLUEWTR2", "Bluewater Legal", "bluewater-legal.example", deleted=True),
        Company(INACTIVE, "OLDHARBR", "Old Harbour Antiques", "", status="Inactive"),
        Company(PROSPECT, "WINDMILL", "Windmill Toys", "windmill-toys.example", types=("Prospect",)),
        Company(UNAPPROVED, "COPPERLN", "Copperline Travel", "", status="Not-Approved"),
    ]
    for member in members:
        currency = "CAD" if member.role == "cad" else "USD" if member.index % 2 == 0 else ""
        website = f"https://www.{member.code.lower()}.example" if member.index % 5 else ""
        types = ("Client", "Prospect") if member.index == 9 else ("Client",)  # a client who is also asked for more
        found.append(Company(member.client_id, member.code, member.name, website, types=types, currency=currency))
    return found


def agreements(members: list[Member], month: int) -> list[Agreement]:
    """Every agreement: the ones that bill this month, and the ones that do not."""
    found = []
    for member in members:
        draw = rng("agreement", member.index)
        start = date(2023, draw.randint(1, 12), 1)
        currency = "CAD" if member.role == "cad" else "USD" if member.index % 2 == 0 else ""
        cycle = CYCLE_NAMES[_cycle(member)]
        main = agreement_id(member)
        found.append(Agreement(main, member.client_id, "Managed Services", "Managed Services", start, cycle, currency=currency))
        if member.role == "child":
            found.append(Agreement(main + 1, member.client_id, "Cloud Services", "Cloud", start, cycle, parent_id=main, currency=currency))
    found += _decoy_agreements({m.index: m for m in members}, month)
    return found


def _decoy_agreements(members: dict[int, Member], month: int) -> Iterator[Agreement]:
    quarter = first_of(month - month % 3)
    number, kind = month // 3 % 4, "Managed Services"
    if 1 in members:
        old = Agreement(20_015 + number, members[1].client_id, "Legacy support", kind, date(2022, 1, 1), status="Cancelled")
        yield replace(old, cancelled=quarter + timedelta(days=9))
    if 3 in members:
        old = Agreement(20_035 + number, members[3].client_id, "Trial support", kind, date(2023, 6, 1), status="Expired")
        yield replace(old, end=quarter - timedelta(days=1))
    if 4 in members:
        yield Agreement(20048, members[4].client_id, "Onboarding", "Project", date(2024, 2, 1), cycle="One Time")
    if 0 in members:
        yield Agreement(20008, members[0].client_id, "Office move", "Project", date(2024, 3, 1), cycle="")
    if 10 in members:
        yield Agreement(20108, members[10].client_id, "Frame agreement, not started", "Managed Services", date(2099, 1, 1))
    for k, company in enumerate((TWIN, INACTIVE, PROSPECT, UNAPPROVED), 1):
        yield Agreement(30000 + k, company, "Managed Services", "Managed Services", date(2022, 4, 1))


def decoy_additions(agreements: Iterable[Agreement], month: int) -> Iterator[Addition]:
    """Lines on agreements that do not bill this month."""
    for agreement in agreements:
        code = "ONBOARD" if agreement.type == "Project" else "RMM-WS"
        if agreement.id % 10 >= 5 or agreement.id > 30000:
            yield _dormant(5_000_000 + agreement.id * 10, agreement.id, code, 4, date(2024, 1, 1))
            if agreement.cancelled:
                yield _dormant(5_000_000 + agreement.id * 10 + 1, agreement.id, "AV-LEGACY", 9, date(2022, 1, 1))
    # A line cancelled before this month on an agreement that goes on.
    yield replace(_dormant(990_001, 20_000, "AV-LEGACY", 12, date(2023, 2, 1)), cancelled=first_of(month - month % 6))


def additions_of(fact: Fact, month: int) -> list[Addition]:
    """The lines of one slot, in every state a month can see."""
    slot = fact.slot
    line = _line(slot, month)
    contracted = fact.billed + slot.included
    if slot.pattern == "appears":
        return _appearing(slot, month)
    if slot.pattern == "seasonal":
        return _seasonal(slot, month)
    if not fact.has_line:
        return []
    if slot.pattern == "split":
        part = contracted // 3
        return [replace(line, quantity=contracted - part), replace(line, id=line.id + 1, quantity=part, effective=date(2025, 1, 1))]
    if slot.pattern == "internal":
        return [replace(line, quantity=contracted, price=Decimal("0.00"), bill="DoNotBill")]
    if slot.pattern == "mixed":
        free = replace(line, id=line.id + 1, quantity=2, price=Decimal("0.00"), bill="NoCharge")
        return [replace(line, quantity=contracted - 2), free]
    rows = [replace(line, quantity=contracted, included=slot.included)]
    if slot.pattern == "credit":
        credit = replace(line, id=line.id + 2, quantity=1, price=-GOODWILL, cost=None, effective=date(2023, 12, 1))
        rows.append(replace(credit, description="Goodwill credit"))
    if slot.pattern == "helper":
        for helper in (month - 1, month):
            day = first_of(helper)
            partial = replace(line, id=line.id + 3 + helper % 8, quantity=2, effective=day.replace(day=12), cancelled=day.replace(day=28))
            rows.append(replace(partial, description="Partial month"))
    return rows


def _appearing(slot: Slot, month: int) -> list[Addition]:
    """The line is added the month after its usage is found, and cancelled the month after the usage is found gone."""
    line = _line(slot, month)
    start = month - phase_of(slot, month)
    rows = []
    for block in (start - 4, start):
        since, until = block + 1, block + 3
        if since <= month:
            number = line.id + 10 + (block + slot.offset) // 4 % 20
            rows.append(replace(line, id=number, effective=first_of(since), cancelled=first_of(until) if until <= month else None))
    return rows


def _seasonal(slot: Slot, month: int) -> list[Addition]:
    """Every second month a further line is in force; the month before it is seen with a later effective date (T3)."""
    line = _line(slot, month)
    rows = [line]
    for odd in range(month - 2, month + 2):
        if (odd + slot.offset) % 2:
            number = line.id + 10 + (odd + slot.offset) // 2 % 20
            cancelled = first_of(odd + 1) if odd < month else None
            rows.append(replace(line, id=number, quantity=slot.step, effective=first_of(odd), cancelled=cancelled))
    return rows


def _line(slot: Slot, month: int) -> Addition:
    """The slot's first line, with its base quantity."""
    price = unlike.raised_price(month) if slot.code == "PWM" and slot.pattern != "unraised" else slot.price
    service = SERVICE[slot.code]
    agreement = agreement_id(slot.client) + (slot.client.role == "child" and slot.code in BOUGHT)
    number = 100_000 + slot.client.index * 1000 + _INDEX[slot.code] * 40
    start = date(2024, 1 + (slot.client.index + _INDEX[slot.code]) % 12, 1)
    cost = service.cost * slot.cycle
    return Addition(number, agreement, service.service_id, slot.code, service.name, slot.base, price, cost, start)


def _dormant(number: int, agreement: int, code: str, quantity: int, since: date) -> Addition:
    service = _ALL[code]
    return Addition(number, agreement, service.service_id, code, service.name, quantity, service.price, None, since)


def first_of(month: int) -> date:
    """First day of a month by number."""
    return date(month // 12, month % 12 + 1, 1)


def agreement_id(member: Member) -> int:
    """Main agreement of a client."""
    return 20000 + member.index * 10


def _cycle(member: Member) -> int:
    return {"quarterly": 3, "annual": 12}.get(member.role, 1)
