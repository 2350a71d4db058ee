"""How often suggestions of a given probability were right: what people decided, against the probability they were shown.

A suggestion is judged by what stands decided now: right where the vendor account or product is mapped to what was suggested, wrong where
that was rejected or it is mapped to something else. An exclusion says nothing about whose it is, and a decision taken back says nothing at
all; neither is counted. Each suggestion counts once, with the probability shown when it was first decided on. Below 30 of them a share
says too little to be shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from reconlib.ledger import Event
from reconlib.review.folds import Key, MappingDecision

NEEDED = 30  # judged suggestions below which nothing is said
EDGES = tuple(Decimal(edge) for edge in ("0", "0.5", "0.7", "0.8", "0.9", "0.95", "0.98", "1"))  # of the bins; the last one is p ≥ .98
_CONFIDENT = Decimal("1.96")  # normal quantile of the 95 % interval
_PLACES = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Judged:
    """One suggestion somebody was shown, and whether it was right."""

    relation: str  # account or product
    source: str
    vendor_id: str
    name: str  # as the vendor shows it
    suggested_id: str  # client or service
    probability: Decimal  # as it was shown
    verdict: str  # as it was shown; empty where none was
    is_right: bool
    became: tuple[str, ...]  # what it is mapped to instead; empty: rejected only, or right
    who: str  # decided on it first
    at: str


@dataclass(frozen=True, slots=True)
class Bin:
    """Suggestions whose probability lies in one range, lower edge included, upper edge not, except 1."""

    low: Decimal
    high: Decimal
    count: int
    right: int
    said: Decimal  # mean probability shown
    true: Decimal  # share that was right
    least: Decimal  # 95 % interval of that share (Wilson)
    most: Decimal


@dataclass(frozen=True, slots=True)
class Reliability:
    """How far suggestions can be believed. ``bins`` is empty and ``ece`` None while suggestions are missing."""

    judged: int
    right: int
    missing: int  # suggestions still to be decided before a share says anything
    bins: tuple[Bin, ...]  # those with any suggestion, lowest probability first
    ece: Decimal | None  # mean distance between said and true share, each bin by its count


def judge_suggestions(events: Iterable[Event], standing: Mapping[Key, MappingDecision]) -> list[Judged]:
    """Every suggestion that was decided on, in the order it was first decided.

    Args:
        events: of the ledger; only mapping decisions whose ``seen`` holds a probability and what was suggested take part.
        standing: what stands decided now, as ``review.mapping_decisions`` folds it.
    """
    found: dict[tuple[Key, str], Judged] = {}
    for event in events:
        if event.kind != "mapping_decided":
            continue
        values, seen = event.values, event.values.get("seen") or {}
        key = (values["relation"], values["source"], values["vendor_id"])
        suggested, probability, now = seen.get("suggested_id"), seen.get("probability"), standing.get(key)
        shown_open = seen.get("state") == "suggested"  # of a mapping that stands already, the probability is no suggestion
        if not shown_open or not suggested or probability is None or (key, suggested) in found or now is None:
            continue
        if suggested in now.targets or suggested in now.rejected or now.state == "mapped":
            is_right = suggested in now.targets
            found[key, suggested] = Judged(
                *key,
                name=seen.get("name") or values["vendor_id"],
                suggested_id=suggested,
                probability=Decimal(probability),
                verdict=seen.get("verdict") or "",
                is_right=is_right,
                became=() if is_right else now.targets,
                who=event.who,
                at=event.at,
            )
    return list(found.values())


def measure_reliability(judged: Sequence[Judged], *, needed: int = NEEDED) -> Reliability:
    """Said against true share, bin by bin, and the expected calibration error.

    Example:
        >>> shown = [Judged("account", "m365", str(i), "", "7", Decimal("0.9"), "", i < 8, (), "", "") for i in range(10)]
        >>> found = measure_reliability(shown, needed=10)
        >>> found.ece, found.bins[0].said, found.bins[0].true
        (Decimal('0.1000'), Decimal('0.9000'), Decimal('0.8000'))
        >>> measure_reliability(shown).missing
        20
    """
    right = sum(one.is_right for one in judged)
    missing = max(0, needed - len(judged))
    if missing or not judged:
        return Reliability(len(judged), right, missing, (), None)
    groups: dict[int, list[Judged]] = {}
    for one in judged:
        groups.setdefault(_bin_of(one.probability), []).append(one)
    bins = tuple(_bin(EDGES[index], EDGES[index + 1], groups[index]) for index in sorted(groups))
    gaps = sum(
        (abs(sum((one.probability for one in group), Decimal(0)) - sum(one.is_right for one in group)) for group in groups.values()),
        Decimal(0),
    )
    return Reliability(len(judged), right, 0, bins, _rounded(gaps / len(judged)))


def count_unjudged(events: Iterable[Event], standing: Mapping[Key, MappingDecision]) -> Counter[str]:
    """What was decided and says nothing about a suggestion, by why: without a suggestion, excluded, taken back."""
    last = {event.subject: event for event in events if event.kind == "mapping_decided"}
    counted: Counter[str] = Counter()
    for event in last.values():
        values, seen = event.values, event.values.get("seen") or {}
        now = standing.get((values["relation"], values["source"], values["vendor_id"]))
        if now is None or (now.state == "open" and not now.rejected):
            counted["taken back"] += 1
        elif now.state == "excluded":
            counted["excluded"] += 1
        elif not seen.get("suggested_id"):
            counted["without a suggestion"] += 1
    return counted


def _bin_of(probability: Decimal) -> int:
    return max(index for index, low in enumerate(EDGES[:-1]) if probability >= low)


def _bin(low: Decimal, high: Decimal, group: Sequence[Judged]) -> Bin:
    count, right = len(group), sum(one.is_right for one in group)
    said = sum((one.probability for one in group), Decimal(0)) / count
    least, most = _wilson(right, count)
    return Bin(low, high, count, right, _rounded(said), _rounded(Decimal(right) / count), least, most)


def _wilson(right: int, count: int) -> tuple[Decimal, Decimal]:
    """95 % interval of a share.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference (1927).
    """
    share, z2 = Decimal(right) / count, _CONFIDENT**2
    middle = share + z2 / (2 * count)
    width = _CONFIDENT * (share * (1 - share) / count + z2 / (4 * count * count)).sqrt()
    low, high = ((middle + sign * width) / (1 + z2 / count) for sign in (-1, 1))
    return max(Decimal(0), _rounded(low)), min(Decimal(1), _rounded(high))


def _rounded(value: Decimal) -> Decimal:
    return value.quantize(_PLACES, ROUND_HALF_UP)
