"""The machines of one month: devices at the RMM vendor, agents and identity counts at the security vendor.

A client's k-th workstation is the same machine in every month and at every vendor. Machines that appeared after the period's end,
were not seen for too long, sit there twice, wait for approval or are network gear stand beside the ones that count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

from reconlib.period import Period
from reconlib.sandbox.accounts import Book
from reconlib.sandbox.cast import Member
from reconlib.sandbox.planting import HUNTRESS, Slot, rng
from reconlib.sandbox.psa_records import first_of
from reconlib.sandbox.records import Agent, Device, SecurityCounts
from reconlib.sandbox.timeline import fact_of, month_number

HYPERVISOR_CLIENTS = (2, 8, 12)  # devices no rule counts and none ignores
UNREADABLE_CLIENT = 20  # one of its devices has times no connector can read
PLACEHOLDERS = ("To be filled by O.E.M.", "Default string", "None", "0", "")
_NAMES = ("WS", "SRV", "NET", "ESX")


def devices(seed: int, slots: Iterable[Slot], book: Book, period: Period) -> list[Device]:
    """Every device the RMM vendor shows, with what must not be counted."""
    found: list[Device] = []
    for own in _by_client(slots):
        member = own[0].client
        organizations = book.all_of("ninja", member)
        if organizations:
            maker = _Maker(seed, member, period)
            found += maker.devices([int(o.id) for o in organizations], own)
    for account in book.strangers("ninja"):
        found += [_stranger(int(account.id), k, period) for k in range(5)]
    return sorted(found, key=lambda d: d.id)


def agents(seed: int, slots: Iterable[Slot], book: Book, period: Period) -> tuple[list[Agent], list[SecurityCounts]]:
    """Agents, and per organisation what is billed beside them."""
    found: list[Agent] = []
    counts: dict[int, list[int]] = {int(a.id): [0, 0] for a in book.accounts("huntress")}
    month = month_number(period)
    for own in _by_client(slots):
        account = book.account("huntress", own[0].client)
        if account is None:
            continue
        found += _Maker(seed, own[0].client, period).agents(int(account.id), own)
        for slot in own:
            if slot.code in HUNTRESS[1:]:
                counts[int(account.id)][HUNTRESS.index(slot.code) - 1] = fact_of(slot, month).units
    for account in book.strangers("huntress"):
        organization = int(account.id)
        made = (_stranger(organization, k, period) for k in range(4))
        found += [Agent(d.id, organization, d.name, f"S{d.id}", d.created, d.last_contact) for d in made]
        counts[organization] = [3, 0]
    return sorted(found, key=lambda a: a.id), [SecurityCounts(o, i, s) for o, (i, s) in counts.items()]


def _by_client(slots: Iterable[Slot]) -> Iterable[list[Slot]]:
    found: dict[int, list[Slot]] = {}
    for slot in slots:
        found.setdefault(slot.client.index, []).append(slot)
    return found.values()


def _stranger(organization: int, k: int, period: Period) -> Device:
    seen = datetime.combine(period.end, time(15, 0), UTC)
    name, serial, created = f"WS-{organization}-{k:02d}", f"X{organization}{k:03d}", datetime(2024, 5, 6, 9, tzinfo=UTC)
    return Device(organization * 1000 + k, organization, "WINDOWS_WORKSTATION", name, serial, created, seen)


class _Maker:
    """Devices and agents of one client: the k-th workstation is the same machine in every month and at every vendor."""

    def __init__(self, seed: int, member: Member, period: Period) -> None:
        self.seed, self.member, self.period = seed, member, period
        self.month = month_number(period)
        self.now = world_now(period)

    def devices(self, organizations: list[int], slots: list[Slot]) -> list[Device]:
        """Devices of the client; every fifth one sits in its second organisation, where it has two."""
        rows: list[Device] = []
        for node, codes, kind in (("WINDOWS_WORKSTATION", ("RMM-WS", "CARE"), 0), ("WINDOWS_SERVER", ("RMM-SRV",), 1)):
            own = [s for s in slots if s.code in codes]
            for k, created in self._present(own):
                org = organizations[k % 5 == 4 and len(organizations) > 1]
                node_class = "MAC" if kind == 0 and k % 9 == 8 else node
                rows.append(self._device(kind, k, org, node_class, created, self._serial(kind, k)))
            for slot in own:
                rows += self._planted(slot, kind, node, organizations[0])
        rows += self._uncounted(organizations[0])
        return rows

    def agents(self, organization: int, slots: list[Slot]) -> list[Agent]:
        """Agents of the client: servers first, then workstations."""
        own = [s for s in slots if s.code in ("EDR", "CARE")]
        servers = sum(s.base for s in slots if s.code == "RMM-SRV")
        away = sum(s.step for s in own if s.pattern == "elsewhere")

        def serial(k: int) -> str | None:
            """Of the machine it runs on, which the RMM vendor shows under the same serial: servers first, then workstations."""
            if servers <= k < servers + away:
                return f"HM{organization}{k:03d}"
            return self._serial(1, k) if k < servers else self._serial(0, k - servers)

        rows = [self._agent(k, organization, created, serial(k)) for k, created in self._present(own, deployed=True)]
        for slot in (s for s in own if s.code == "EDR"):
            twice = slot.step if slot.pattern == "duplicate" else 0
            rows += [self._agent(700 + k, organization, _long_ago(k), serial(k)) for k in range(twice)]
            rows += [self._agent(key, organization, _long_ago(key), f"ST{organization}{key}", seen) for key, seen in self._gone(slot)]
        return rows

    def _present(self, slots: list[Slot], *, deployed: bool = False) -> Iterator[tuple[int, datetime]]:
        """Machines that exist now, with the day they appeared: also those that appeared after the period's end."""
        if not slots:
            return

        def level(month: int) -> int:
            return sum(fact_of(s, month).units - (s.step if deployed and s.pattern == "undeployed" else 0) for s in slots)

        here, coming = level(self.month), level(self.month + 1)
        for k in range(max(here, coming)):
            if k < here:
                since = next((m for m in range(self.month, self.month - 25, -1) if level(m - 1) <= k), None)
                yield k, _long_ago(k) if since is None else self._arrival(since, k)
            elif self._arrival(self.month + 1, k) <= self.now:
                yield k, self._arrival(self.month + 1, k)

    def _arrival(self, month: int, k: int) -> datetime:
        days = (9, 17, 24) if self.member.role.startswith("bundle") else (1, 2, 9, 17, 24)
        day = days[(k + self.member.index) % len(days)]
        return datetime.combine(first_of(month).replace(day=day), time(14, 20), UTC)

    def _device(
        self, kind: int, k: int, org: int, node: str, created: datetime, serial: str | None, seen: datetime | None = None
    ) -> Device:
        name = f"{self.member.code[:5]}-{_NAMES[kind]}{k:03d}"
        number = 1_000_000 + self.member.index * 4000 + kind * 1000 + k
        return Device(number, org, node, name, serial, created, seen or self._seen(k, created))

    def _agent(self, k: int, organization: int, created: datetime, serial: str | None, seen: datetime | None = None) -> Agent:
        number, name = 500_000 + self.member.index * 1000 + k, f"{self.member.code[:5]}-{k:03d}".lower()
        return Agent(number, organization, name, serial, created, seen or self._seen(k, created))

    def _seen(self, k: int, created: datetime) -> datetime:
        """Last contact: mostly today; one machine on the last day that still counts (T59)."""
        if k == 5 and created.year < 2025:
            return datetime.combine(self.period.end - timedelta(days=30), time(12), UTC)
        return max(created, self.now - timedelta(hours=1 + k % 90))

    def _serial(self, kind: int, k: int) -> str | None:
        draw = rng(self.seed, "serial", self.member.index, kind, k)
        serial = f"{draw.choice(('5CG', 'PF2', 'VMW'))}{draw.randint(10**6, 10**7 - 1)}"
        if k >= 4 and draw.random() < 0.12:
            return draw.choice(PLACEHOLDERS)
        if kind == 0 and k == 6 and self.member.index in (10, 11):
            return "VMware-56 4d 9f 1a"  # the same virtual machine image at two clients: never merged
        return serial

    def _planted(self, slot: Slot, kind: int, node: str, org: int) -> Iterator[Device]:
        if slot.pattern == "duplicate":
            for k in range(slot.step):
                yield self._device(kind, 700 + k, org, node, _long_ago(k), self._serial(kind, k))
        for key, seen in self._gone(slot):
            yield self._device(kind, key, org, node, _long_ago(key), f"ST{org}{key}", seen)

    def _gone(self, slot: Slot) -> Iterator[tuple[int, datetime]]:
        """Machines not seen for too long; the first one for exactly a day too long in the first month."""
        if slot.pattern == "stale":
            half_year = self.month // 6
            last = first_of(half_year * 6 + 1) - timedelta(days=1)
            for k in range(slot.step):
                yield 800 + half_year % 2 * 50 + k, datetime.combine(last - timedelta(days=31 + 17 * k), time(23, 30), UTC)

    def _uncounted(self, org: int) -> Iterator[Device]:
        """Network gear and devices waiting for approval (ignored on purpose), and hypervisors no rule names."""
        index = self.member.index
        if self.member.role == "lost_ninja":
            return
        for k in range(index % 4):
            yield self._device(2, k, org, ("NMS_SWITCH", "NMS_FIREWALL", "NMS_PRINTER")[k], _long_ago(k), None)
        if index == UNREADABLE_CLIENT:
            yield replace(self._device(3, 900, org, "WINDOWS_SERVER", _long_ago(0), f"ML{index}"), in_milliseconds=True)
        if index % 5 == 1:
            yield replace(self._device(0, 900, org, "WINDOWS_WORKSTATION", _long_ago(0), f"NEW{index}"), approved=False)
        for k in range(1 + index % 2 if index in HYPERVISOR_CLIENTS else 0):
            yield self._device(3, k, org, "VMWARE_VM_HOST", _long_ago(k), f"ESX{index}{k}")


def world_now(period: Period) -> datetime:
    """When the made-up vendors are read: three days after the month, early in the morning."""
    return datetime.combine(period.end + timedelta(days=3), time(6), UTC)


def _long_ago(k: int) -> datetime:
    return datetime(2023, 1 + k % 12, 1 + k % 28, 8, 15, tzinfo=UTC)
