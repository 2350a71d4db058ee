"""Which client is called what at which vendor: ids and exact names that map by themselves, near names that wait for a decision."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID, uuid5

from reconlib.sandbox import unlike
from reconlib.sandbox.cast import MSP_NAME, OWN_CODE, OWN_ID, Member
from reconlib.sandbox.planting import BOUGHT, DEVICES, HUNTRESS, M365, Slot, rng
from reconlib.sandbox.records import Account, MappedBy

SOURCES = ("pax8", "m365", "ninja", "huntress")
_NAMESPACE = UUID("6c5f2f0e-0c39-4d0b-9d5a-7f3b1f0a4c11")
_USES = {
    "pax8": frozenset((*BOUGHT, *unlike.CODES)),
    "m365": frozenset(M365),
    "ninja": frozenset((*DEVICES, "CARE")),
    "huntress": frozenset((*HUNTRESS, "CARE")),
}
_ABSENT = {"no_pax8": "pax8", "no_huntress": "huntress"}
_LOST = {"lost_ninja": "ninja", "lost_m365": "m365"}
_LOST_NAMES = {"ninja": "HFH Retail Floor", "m365": "QMS Holdings"}


def uid(seed: int, *parts: object) -> str:
    """Stable GUID of a thing of this world."""
    return str(uuid5(_NAMESPACE, "/".join(str(part) for part in (seed, *parts))))


@dataclass(frozen=True, slots=True)
class Book:
    """Every vendor account of the MSP."""

    rows: tuple[Account, ...]

    def accounts(self, source: str) -> list[Account]:
        """Accounts of one source."""
        return [a for a in self.rows if a.source == source]

    def all_of(self, source: str, member: Member) -> list[Account]:
        """Accounts that are this client's, mapped or not; usually one."""
        return [a for a in self.rows if a.source == source and a.client_id == member.client_id]

    def account(self, source: str, member: Member) -> Account | None:
        """The client's first account there."""
        return next(iter(self.all_of(source, member)), None)

    def of_index(self, source: str, index: int) -> Account | None:
        """The account of the client with that number."""
        return next((a for a in self.accounts(source) if a.client_id == 1001 + index), None)

    def strangers(self, source: str) -> list[Account]:
        """Accounts with something on them that belong to no client: the MSP's own too."""
        return [a for a in self.accounts(source) if a.client_id in (None, OWN_ID) and a.mapping != "empty"]


def open_accounts(seed: int, members: list[Member], slots: Iterable[Slot]) -> Book:
    """Every vendor account: the clients', the MSP's own, and some of nobody."""
    has: dict[int, set[str]] = {}
    for slot in slots:
        has.setdefault(slot.client.index, set()).add(slot.code)
    taken = {member.name for member in members}
    rows = [
        account
        for member in members
        for source in SOURCES
        if has.get(member.index, set()) & _USES[source] and _ABSENT.get(member.role) != source
        for account in _accounts_of(seed, source, member, taken)
    ]
    own = f"{MSP_NAME} (internal)"
    rows += [
        Account("ninja", "9001", own, "", "exclude", None),
        Account("ninja", "9002", "Template Organization", "", "empty", None),
        Account("huntress", "90001", own, "", "answer", OWN_ID, OWN_CODE),  # its own use is seen, and billed to nobody
        Account("huntress", "90002", "Demo Lab", "", "empty", None),
        Account("huntress", "90003", "Seaglass Pop-up Store", "", "unmapped", None),
        Account("m365", uid(seed, "tenant", "own"), own, "harbormsp.onmicrosoft.com", "answer", OWN_ID, OWN_CODE),
        Account("pax8", uid(seed, "company", "nobody"), "Tallow & Wick Studio", "tallowandwick.example", "unmapped", None),
    ]
    return Book(tuple(rows))


def _accounts_of(seed: int, source: str, member: Member, taken: set[str]) -> list[Account]:
    draw = rng(seed, "account", source, member.index)
    chance = draw.random()
    near = _near_name(seed, source, member, taken)
    if _LOST.get(member.role) == source:
        return [_account(seed, source, member, _LOST_NAMES[source], "unmapped")]
    if member.role == "twin" and source != "pax8":
        return [_account(seed, source, member, member.name, "answer")]  # the name is not unique in the PSA
    if member.index == 0 and source == "ninja":
        return [_account(seed, source, member, member.name.lower(), "answer")]  # T21: a case differs, so a person decides
    if source == "pax8":
        if chance < 0.82 or member.role == "twin":
            return [_account(seed, source, member, near if draw.random() < 0.3 else member.name, "id", member.code)]
        if chance < 0.92:
            return [_account(seed, source, member, member.name, "name", "OLD-0042" if chance < 0.87 else "")]
        return [_account(seed, source, member, near, "answer")]
    first = _account(seed, source, member, near if chance < 0.17 else member.name, "answer" if chance < 0.17 else "name")
    if member.role == "two_orgs" and source == "ninja":
        return [first, Account(source, str(200 + member.index), f"{member.name} - Workshop", "", "answer", member.client_id, member.code)]
    return [first]


def _account(seed: int, source: str, member: Member, name: str, mapping: MappedBy, external_id: str = "") -> Account:
    slug = member.code.lower()
    ident, domain = {
        "pax8": (uid(seed, "company", member.index), f"{slug}.example"),
        "m365": (uid(seed, "tenant", member.index), f"{slug}.onmicrosoft.com"),
        "ninja": (str(11 + member.index), ""),
        "huntress": (str(70_001 + member.index), ""),
    }[source]
    return Account(source, ident, name, domain, mapping, member.client_id, member.code, external_id)


def _near_name(seed: int, source: str, member: Member, taken: set[str]) -> str:
    name = member.name
    near = [name.upper(), name.replace(" & ", " and "), f"{name} Inc.", f"{name} (HQ)", f"{name}, LLC", name.replace(" ", "  ", 1)]
    return rng(seed, "near", source, member.index).choice([n for n in near if n not in taken])
