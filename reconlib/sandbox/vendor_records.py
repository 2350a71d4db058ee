"""The vendors' side of one month: accounts, subscriptions, licences, devices and agents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from reconlib.period import Period
from reconlib.sandbox.accounts import Book, uid
from reconlib.sandbox.cast import Member
from reconlib.sandbox.catalogue import FREE_SKUS, KEEPER, PAX8, PAX8_PRODUCTS, SERVICE, VISIO, Pax8Product, term_of
from reconlib.sandbox.planting import HUNTRESS, M365, Slot, rng
from reconlib.sandbox.psa_records import first_of
from reconlib.sandbox.records import Account, Agent, Device, SecurityCounts, Sku, Subscription
from reconlib.sandbox.timeline import Fact, fact_of, month_number, phase_of

COST_RISE = Decimal("1.10")
KEEPER_CLIENTS, VISIO_CLIENTS = (0, 8, 11), (1, 4)
HYPERVISOR_CLIENTS = (2, 8, 12)  # devices no rule counts and none ignores
_PLACEHOLDERS = ("To be filled by O.E.M.", "Default string", "None", "0", "")


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
    return sorted(found, key=lambda s: s.id)


def _seasonal(seed: int, slot: Slot, account: Account, month: int) -> Iterator[Subscription]:
    yield _subscription(seed, slot, account, slot.base, _since(slot), "base")
    for odd in range(month - 2, month + 2):
        if (odd + slot.offset) % 2:
            status = "Cancelled" if odd < month else "Active"
            yield _subscription(seed, slot, account, slot.step, first_of(odd) + timedelta(days=1), f"season {odd}", status)


def _subscription(seed: int, slot: Slot, account: Account, quantity: int, since: date, key: str, status: str = "Active") -> Subscription:
    service, product = SERVICE[slot.code], PAX8[slot.code]
    billing, commitment = term_of(slot.code, yearly=slot.yearly)
    months = 12 if billing == "Annual" else 1
    cost = service.cost + (COST_RISE if slot.pattern == "cost_up" else 0)
    currency = "CAD" if slot.client.role == "cad" and slot.pattern != "currency" else "USD"
    return Subscription(
        uid(seed, "subscription", slot.client.index, slot.code, key), account.id, product.product_id, product.name, product.vendor_sku, quantity,
        service.price * months, cost * months, currency, billing, commitment, since, date(since.year + 3, since.month, since.day) if commitment else None, status,
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
    return Subscription(
        uid(seed, "extra", account.id, product.product_id, status), account.id, product.product_id, product.name, product.vendor_sku, quantity,
        price, product.cost, "USD", billing, None, since, None, status,
    )  # fmt: skip


def skus(facts: Iterable[Fact], book: Book) -> list[Sku]:
    """Licences each tenant sees."""
    found = []
    for fact in facts:
        account = book.account("m365", fact.slot.client)
        if account and fact.slot.code in M365 and fact.purchased:
            service = SERVICE[fact.slot.code]
            found.append(Sku(account.id, service.sku_id, service.vendor_sku, fact.used, fact.purchased))
    for account in book.accounts("m365"):
        index = (account.client_id or 0) - 1001
        if account.mapping not in ("unmapped", "exclude"):
            found += [Sku(account.id, guid, part, 3 + index % 4, 10000) for part, guid in FREE_SKUS[: 1 + index % 2] if index % 3]
            found += [Sku(account.id, VISIO[1], VISIO[0], 2 + index % 3, 5)] if index in VISIO_CLIENTS else []
        if account.mapping == "exclude":
            found.append(Sku(account.id, SERVICE["M365-E3"].sku_id, "SPE_E3", 18, 20))
    return found


def devices(seed: int, slots: Iterable[Slot], book: Book, period: Period) -> list[Device]:
    """Every device the RMM vendor shows, with what must not be counted."""
    found: list[Device] = []
    by_client: dict[int, list[Slot]] = {}
    for slot in slots:
        by_client.setdefault(slot.client.index, []).append(slot)
    for own in by_client.values():
        member = own[0].client
        organizations = book.all_of("ninja", member)
        if organizations:
            maker = _Maker(seed, member, period)
            found += maker.devices([int(o.id) for o in organizations], own)
    for account in book.strangers("ninja"):
        found += [_stranger(int(account.id), k, period) for k in range(5)]
    return sorted(found, key=lambda d: d.id)


def agents(seed: int, slots: Iterable[Slot], book: Book, period: Period) -> tuple[list[Agent], list[SecurityCounts]]:
    """Agents and identity counts at the security vendor."""
    found: list[Agent] = []
    counts: dict[int, list[int]] = {int(a.id): [0, 0] for a in book.accounts("huntress")}
    by_client: dict[int, list[Slot]] = {}
    for slot in slots:
        by_client.setdefault(slot.client.index, []).append(slot)
    month = month_number(period)
    for own in by_client.values():
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


def _stranger(organization: int, k: int, period: Period) -> Device:
    seen = datetime.combine(period.end, time(15, 0), UTC)
    return Device(organization * 1000 + k, organization, "WINDOWS_WORKSTATION", f"WS-{organization}-{k:02d}", f"X{organization}{k:03d}", datetime(2024, 5, 6, 9, tzinfo=UTC), seen)  # fmt: skip


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
        rows = [self._agent(k, organization, created, self._agent_serial(k)) for k, created in self._present(own, deployed=True)]
        for slot in (s for s in own if s.code == "EDR"):
            rows += [self._agent(700 + k, organization, _long_ago(k), self._agent_serial(k)) for k in range(slot.step * (slot.pattern == "duplicate"))]
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
        day = (1, 2, 9, 17, 24)[(k + self.member.index) % 5]
        return datetime.combine(first_of(month).replace(day=day), time(14, 20), UTC)

    def _device(self, kind: int, k: int, org: int, node: str, created: datetime, serial: str | None, seen: datetime | None = None) -> Device:
        name = f"{self.member.code[:5]}-{('WS', 'SRV', 'NET', 'ESX')[kind]}{k:03d}"
        number = 1_000_000 + self.member.index * 4000 + kind * 1000 + k
        return Device(number, org, node, name, serial, created, seen or self._seen(k, created))

    def _agent(self, k: int, organization: int, created: datetime, serial: str | None, seen: datetime | None = None) -> Agent:
        return Agent(500_000 + self.member.index * 1000 + k, organization, f"{self.member.code[:5]}-{k:03d}".lower(), serial, created, seen or self._seen(k, created))  # fmt: skip

    def _seen(self, k: int, created: datetime) -> datetime:
        """Last contact: mostly today; one machine on the last day that still counts (T59)."""
        if k == 5 and created.year < 2025:
            return datetime.combine(self.period.end - timedelta(days=30), time(12), UTC)
        return max(created, self.now - timedelta(hours=1 + k % 90))

    def _serial(self, kind: int, k: int) -> str | None:
        draw = rng(self.seed, "serial", self.member.index, kind, k)
        serial = f"{'5CG PF2 VMW'.split()[draw.randint(0, 2)]}{draw.randint(10**6, 10**7 - 1)}"
        if k >= 4 and draw.random() < 0.12:
            return draw.choice(_PLACEHOLDERS)
        if kind == 0 and k == 6 and self.member.index in (10, 11):
            return "VMware-56 4d 9f 1a"  # the same virtual machine image at two clients: never merged
        return serial

    def _agent_serial(self, k: int) -> str | None:
        draw = rng(self.seed, "agent serial", self.member.index, k)
        return f"AG{self.member.index:03d}{k:03d}{draw.randint(100, 999)}"

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
        if index % 5 == 1:
            waiting = self._device(0, 900, org, "WINDOWS_WORKSTATION", _long_ago(0), f"NEW{index}")
            yield Device(waiting.id, org, waiting.node_class, waiting.name, waiting.serial, waiting.created, waiting.last_contact, approved=False)
        for k in range(1 + index % 2 if index in HYPERVISOR_CLIENTS else 0):
            yield self._device(3, k, org, "VMWARE_VM_HOST", _long_ago(k), f"ESX{index}{k}")


def world_now(period: Period) -> datetime:
    """When the made-up vendors are read: three days after the month, early in the morning."""
    return datetime.combine(period.end + timedelta(days=3), time(6), UTC)


def _long_ago(k: int) -> datetime:
    return datetime(2023, 1 + k % 12, 1 + k % 28, 8, 15, tzinfo=UTC)


def _since(slot: Slot) -> date:
    return date(2024, 1 + slot.client.index % 12, 1 + slot.base % 27)
