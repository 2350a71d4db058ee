"""A made-up MSP in one month: the same seed gives the same MSP, and the next month's world is the same MSP one month on.

Everything is invented. What is wrong with it is planted (``planting``), so that it is known beforehand (``labels``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from reconlib.period import Period
from reconlib.sandbox import machines, psa_records, vendor_records
from reconlib.sandbox.accounts import Book, open_accounts
from reconlib.sandbox.cast import Member, members
from reconlib.sandbox.planting import Slot, plant_slots
from reconlib.sandbox.records import Addition, Agent, Agreement, Company, Device, SecurityCounts, Sku, Subscription
from reconlib.sandbox.timeline import Fact, fact_of, month_number


@dataclass(frozen=True, slots=True)
class World:
    """One MSP, as every vendor would show it at ``now``."""

    seed: int
    period: Period
    now: datetime
    members: tuple[Member, ...]
    slots: tuple[Slot, ...]
    facts: tuple[Fact, ...]
    book: Book
    companies: tuple[Company, ...]
    agreements: tuple[Agreement, ...]
    additions: tuple[Addition, ...]
    subscriptions: tuple[Subscription, ...]
    skus: tuple[Sku, ...]
    devices: tuple[Device, ...]
    agents: tuple[Agent, ...]
    security: tuple[SecurityCounts, ...]


def make_world(seed: int, clients: int, period: Period) -> World:
    """The MSP of this seed in this month; for months from 2025 on."""
    month = month_number(period)
    people = members(seed, clients)
    slots = plant_slots(seed, people)
    facts = [fact_of(slot, month) for slot in slots]
    book = open_accounts(seed, people, slots)
    agreements = psa_records.agreements(people, month)
    lines = [line for fact in facts for line in psa_records.additions_of(fact, month)]
    lines += psa_records.decoy_additions(agreements, month)
    agents, security = machines.agents(seed, slots, book, period)
    return World(
        seed=seed,
        period=period,
        now=machines.world_now(period),
        members=tuple(people),
        slots=tuple(slots),
        facts=tuple(facts),
        book=book,
        companies=tuple(psa_records.companies(people)),
        agreements=tuple(sorted(agreements, key=lambda a: a.id)),
        additions=tuple(sorted(lines, key=lambda a: a.id)),
        subscriptions=tuple(vendor_records.subscriptions(seed, facts, book, period)),
        skus=tuple(vendor_records.skus(facts, book)),
        devices=tuple(machines.devices(seed, slots, book, period)),
        agents=tuple(agents),
        security=tuple(security),
    )


def make_history(seed: int, clients: int, period: Period, months: int = 3) -> list[World]:
    """The months that end with ``period``, oldest first."""
    worlds = [make_world(seed, clients, period)]
    while len(worlds) < months:
        worlds.insert(0, make_world(seed, clients, worlds[0].period.previous))
    return worlds
