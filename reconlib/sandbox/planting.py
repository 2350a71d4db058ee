"""Which client has which service, and what is wrong with it: planted once per seed, the same in every month.

A slot is a client × service with one pattern; ``timeline`` plays the pattern month by month. At most one plant a slot.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random

from reconlib.sandbox import unlike
from reconlib.sandbox.cast import Member
from reconlib.sandbox.catalogue import SERVICE

M365 = ("M365-BP", "M365-BS", "M365-E3", "EXO-P1")
BOUGHT = (*M365, "PROOFPT-A", "PROOFPT-M", "DROPSUITE")
DEVICES = ("RMM-WS", "RMM-SRV")
HUNTRESS = ("EDR", "ITDR", "SAT")
MEASURED = (*BOUGHT, *DEVICES, *HUNTRESS)
BY_MONTH = (*M365, "DROPSUITE", "PROOFPT-M")  # charged month by month, where not bought with yearly billing
CHARGED = ("twice", "dearer", "unrefunded", "phantom", "stray", "rebate")  # patterns of the distributor's charges
GOODWILL = Decimal("25.00")  # what a credit line takes off a cycle
IN_OCTOBER = 3  # offset of a pattern of four months that begins in a February, June or October

# pattern, services it may sit on, how many, smallest count it needs
PLANTS: tuple[tuple[str, tuple[str, ...], int, int], ...] = (
    # discrepancies
    ("appears", ("SAT", "ITDR", "DROPSUITE", "PROOFPT-M", "EXO-P1"), 4, 3),  # new_revenue, then corrected, then orphan_line, then corrected
    ("wrong", MEASURED, 4, 6),  # under_billed, then corrected to a wrong quantity, then to the right one
    ("cycle", MEASURED, 16, 4),  # under_billed, corrected, over_billed, corrected
    ("short", MEASURED, 2, 6),  # under_billed, month after month
    ("over", MEASURED, 2, 4),  # over_billed, month after month
    ("unbilled", ("ITDR", "SAT", "PROOFPT-A", "EXO-P1"), 2, 2),  # new_revenue
    ("orphan", ("DROPSUITE", "PROOFPT-M", "SAT", "EXO-P1"), 2, 2),  # orphan_line
    ("unused", M365, 4, 8),  # unused_commitment; the client is billed what was committed: not over-billed
    ("shadow", M365, 3, 5),  # shadow_usage
    ("cost_up", BOUGHT, 3, 3),  # cost_change
    ("below_cost", BOUGHT, 3, 3),  # negative_margin
    ("stale", ("RMM-WS", "EDR"), 4, 6),  # stale_unit
    ("duplicate", ("RMM-WS", "EDR", "RMM-SRV"), 3, 3),  # duplicate_unit
    (
        "seasonal",
        ("RMM-WS", "M365-BP", "M365-BS", "DROPSUITE"),
        4,
        6,
    ),  # timing: dated after the as-of date in one month, billed in the next
    # decoys: nothing to report
    ("split", MEASURED, 4, 5),  # two lines sum (T17)
    ("included", ("RMM-WS", "M365-BP", "DROPSUITE", "EDR"), 3, 8),  # included units (T39)
    ("credit", MEASURED, 3, 3),  # a credit line beside it (T33); negative_margin where it takes more than the line earns
    ("helper", MEASURED, 3, 3),  # a proration helper line beside it (T18)
    ("internal", ("DROPSUITE", "PROOFPT-A", "SAT", "M365-BS"), 2, 3),  # cost-only line (T69)
    ("mixed", MEASURED, 1, 6),  # billable and no-charge lines cover together
    # discrepancies beside the billed quantity, and their decoys
    ("dear", ("RMM-WS", "M365-BP", "DROPSUITE", "SAT", "EXO-P1"), 2, 3),  # price_outlier: half as much again
    ("less_dear", ("RMM-WS", "RMM-SRV", "M365-E3"), 2, 2),  # decoy: above the catalogue, inside what the rules let pass
    ("surge", ("SAT", "ITDR", "DROPSUITE"), 2, 7),  # unusual_count: twice as many for a month, and billed
    ("silent", ("SAT", "ITDR"), 1, 8),  # unusual_count and orphan_line: the count falls to nothing for a month
    ("elsewhere", ("EDR",), 1, 6),  # coverage_gap, both ways: agents on machines the RMM vendor does not know, instead of those it knows
    ("twice", BY_MONTH, 1, 3),  # vendor_invoice_mismatch: charged twice
    ("dearer", BY_MONTH, 1, 3),  # … charged above the price it was bought at
    ("unrefunded", BY_MONTH, 1, 3),  # … seats given back and still charged
    ("phantom", M365, 1, 3),  # … a subscription nobody bought
    ("stray", ("M365-BP", "M365-BS"), 1, 3),  # … usage of something no agreement bills to this client
    ("rebate", BY_MONTH, 1, 3),  # decoy: a rebate beside the charge
)


@dataclass(frozen=True, slots=True)
class Slot:
    """One client × service."""

    client: Member
    code: str
    base: int  # units it has when nothing moves
    pattern: str = "clean"
    step: int = 0  # size of the plant
    offset: int = 0  # where in its cycle month 0 stands
    moves: bool = False  # the count drifts with the months, and billing follows
    included: int = 0
    price: Decimal = Decimal(0)  # a unit and cycle, as on the line
    cycle: int = 1  # months
    yearly: bool = False  # bought with yearly billing


def rng(*parts: object) -> Random:
    """Random numbers that belong to one thing, whatever is drawn elsewhere."""
    return Random("/".join(str(part) for part in parts))  # noqa: S311 - made-up data, not a secret


def plant_slots(seed: int, members: Iterable[Member]) -> list[Slot]:
    """Every client × service of the MSP, with what is planted on it."""
    slots = [slot for member in members for slot in _portfolio(seed, member)]
    watched = {slot.client.index for slot in slots if slot.code == "RMM-WS"}
    for pattern, services, copies, least in PLANTS:
        draw = rng(seed, "plant", pattern)
        order = list(range(len(slots)))
        draw.shuffle(order)
        free = [i for i in order if _is_free(slots[i], pattern) and slots[i].code in services and slots[i].base >= least]
        if pattern == "elsewhere":
            free = [i for i in free if slots[i].client.index in watched]
        for copy, i in enumerate(_spread(free, slots, copies)):
            step = max(1, min(draw.choice((2, 3, 3, 4)), slots[i].base // 2))
            step = 3 if pattern == "wrong" else step
            included = 3 if pattern == "included" else 0
            offset = IN_OCTOBER if pattern in ("surge", "silent") else copy
            slots[i] = replace(slots[i], pattern=pattern, step=step, offset=offset, moves=False, included=included)
            slots[i] = replace(slots[i], price=_planted_price(slots[i]))
    return _in_step(slots)


def _planted_price(slot: Slot) -> Decimal:
    listed = SERVICE[slot.code].price
    if slot.pattern == "below_cost":
        return (SERVICE[slot.code].cost - Decimal("0.85")) * slot.cycle
    if slot.pattern in ("dear", "less_dear"):
        return (listed * (Decimal("1.50") if slot.pattern == "dear" else Decimal("1.24"))).quantize(Decimal("0.01"))
    return slot.price


def _in_step(slots: list[Slot]) -> list[Slot]:
    """A client's workstations and their agents come and go together, or stay."""
    still = {slot.client.index for slot in slots if slot.code in ("RMM-WS", "EDR") and not slot.moves}
    return [replace(slot, moves=False) if slot.code in ("RMM-WS", "EDR") and slot.client.index in still else slot for slot in slots]


def _is_free(slot: Slot, pattern: str) -> bool:
    """Cast members keep their own story; new lines and prices are planted on monthly agreements only."""
    if slot.pattern != "clean" or slot.client.role in ("cad", "lost_ninja", "lost_m365", "no_huntress", "no_pax8"):
        return False
    if slot.client.role.startswith("bundle") and slot.code in (*DEVICES, "EDR"):
        return False
    if pattern == "duplicate" and slot.client.role == "two_orgs":
        return False
    if pattern in CHARGED and (slot.yearly or slot.client.index in (index for code, index, *_ in unlike.SOLD if code == "STORE")):
        return False
    return slot.cycle == 1 or pattern in ("cycle", "short", "over", "wrong", "split", "credit")


def _spread(free: list[int], slots: list[Slot], copies: int) -> list[int]:
    """So many slots, different services first, then different clients."""
    chosen: list[int] = []
    for fresh in (True, False):
        for i in free:
            used = {slots[j].code for j in chosen}
            if len(chosen) < copies and i not in chosen and (slots[i].code not in used or not fresh):
                chosen.append(i)
    return chosen


def _portfolio(seed: int, member: Member) -> list[Slot]:
    draw = rng(seed, "portfolio", member.index)
    role = member.role
    workstations, servers = draw.randint(7, 34), draw.randint(1, 5)
    users = workstations + draw.randint(1, 8)
    parts: list[tuple[str, int]] = []
    if draw.random() < 0.94 or role:
        parts.append(("RMM-WS", workstations))
        parts += [("RMM-SRV", servers)] if draw.random() < 0.75 else []
    has_servers = parts[-1:] and parts[-1][0] == "RMM-SRV"
    if draw.random() < 0.85 or role.startswith("bundle"):
        parts.append(("EDR", workstations + (servers if has_servers else 0)))
        parts += [("ITDR", users)] if draw.random() < 0.6 else []
        parts += [("SAT", users)] if draw.random() < 0.55 else []
    parts.append((draw.choice(("M365-BP",) * 5 + ("M365-BS",) * 3 + ("M365-E3",) * 2), users))
    parts += [("EXO-P1", draw.randint(3, 9))] if draw.random() < 0.45 else []
    parts += [("PROOFPT-A", users)] if draw.random() < 0.35 else []
    parts += [("PROOFPT-M", draw.randint(3, 10))] if draw.random() < 0.35 else []
    parts += [("DROPSUITE", users)] if draw.random() < 0.5 else []
    parts += [("VCIO", 1)] if draw.random() < 0.25 else []
    story = [*_story(role, dict(parts), servers), *unlike.sold_to(member.index)]
    return [_slot(seed, member, code, base, pattern, step) for code, base, pattern, step in story]


# What the overrides of the demo book speak of: service, units (0: as drawn), pattern, size.
_EXCEPTIONS = {
    "exempt": ("RMM-WS", 0, "exempt", 2),
    "twin": ("DROPSUITE", 8, "floor", 10),
    "not_resold": ("EXO-P1", 6, "not_resold", 0),
    "ignored": ("DROPSUITE", 16, "ignored", 3),
}


def _story(role: str, parts: dict[str, int], servers: int) -> list[tuple[str, int, str, int]]:
    """The role's own plants; everything else starts clean."""
    if role.startswith("bundle"):
        return _bundle(role, parts, servers)
    own: dict[str, tuple[str, int]] = {}
    lost = {
        "no_huntress": (HUNTRESS, {"SAT": 11, "RMM-SRV": servers}),
        "no_pax8": (BOUGHT, {"DROPSUITE": 14}),
        "lost_ninja": ((), {"RMM-SRV": servers}),
    }
    if role in lost:
        gone, kept = lost[role]
        parts = {code: base for code, base in parts.items() if code not in gone} | kept
        own = dict.fromkeys([*kept, *(["RMM-WS"] if role == "lost_ninja" else [])], ("no_account", 0))
        if role == "no_huntress":
            own.pop("RMM-SRV")  # servers are watched, and nothing protects them: missing_expected_service
    elif role in _EXCEPTIONS:
        code, base, pattern, step = _EXCEPTIONS[role]
        parts |= {code: base} if base else {}
        own[code] = (pattern, step)
    elif role == "voip":
        parts["VOIP"] = 6 + servers
    elif role in ("quarterly", "annual"):
        own["RMM-WS"] = ("short", 2) if role == "quarterly" else ("over", 1)  # money a month out of a longer cycle (T112)
    elif role == "cad":
        users = parts["RMM-WS"] + 2
        parts = {"RMM-WS": parts["RMM-WS"], "M365-BP": users, "EXO-P1": 4, "DROPSUITE": users}
        own |= {"M365-BP": ("currency", 0), "EXO-P1": ("currency", 0)}  # bought in US dollars; the backup seats are not
    return [(code, base, *own.get(code, ("clean", 0))) for code, base in parts.items()]


def _bundle(role: str, parts: dict[str, int], servers: int) -> list[tuple[str, int, str, int]]:
    """Workstations are sold as bundles; endpoint protection on servers stands beside them (T65 to T67)."""
    story: dict[str, tuple[int, str, int]] = {code: (base, "clean", 0) for code, base in parts.items() if code not in ("RMM-WS", "EDR")}
    pattern = {"bundle_short": "short", "bundle_gap": "undeployed"}.get(role, "clean")
    story["CARE"] = (parts["RMM-WS"], pattern, 2)
    if role == "bundle_gap":
        story.pop("RMM-SRV", None)
    else:
        story |= {"RMM-SRV": (servers, "clean", 0), "EDR": (servers, "clean", 0)}
    if role == "bundle_mixed":
        story["RMM-WS"] = (3, "anchor", 0)
    return [(code, *rest) for code, rest in story.items()]


def _slot(seed: int, member: Member, code: str, base: int, pattern: str, step: int) -> Slot:
    draw = rng(seed, "slot", member.index, code)
    shared = rng(seed, "wave", member.index).randint(0, 11)  # workstations and their agents move together
    cycle = {"quarterly": 3, "annual": 12}.get(member.role, 1)
    service = SERVICE[code]
    off_list = Decimal(0) if code in unlike.CODES else Decimal(draw.choice((-25, 0, 0, 0, 15, 40))) / 100
    price = unlike.RISE_FROM if pattern == "unraised" else service.price + off_list
    # A year or quarter is not sold at a round multiple: the monthly figure then has to be rounded (T112).
    line_price = price * cycle + (Decimal("0.01") * draw.choice((1, 2, 4)) if cycle > 1 else 0)
    return Slot(
        client=member,
        code=code,
        base=base,
        pattern=pattern,
        step=step,
        offset=shared if code in ("RMM-WS", "EDR", "CARE") else draw.randint(0, 11),
        moves=pattern == "late" or (pattern == "clean" and service.measure not in ("flat", "none") and _may_move(member, code)),
        price=line_price,
        cycle=cycle,
        yearly=code in M365 and draw.random() < 0.2,
    )


def _may_move(member: Member, code: str) -> bool:
    if code == "RMM-SRV" or code in unlike.CODES:
        return False  # the first agents of a client are its servers', so servers stay
    return member.role not in ("cad", "no_huntress", "no_pax8") and not (member.role.startswith("bundle") and code in ("RMM-WS", "EDR"))
