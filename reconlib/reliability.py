"""How often a probability was right: what people decided, against what the row they decided on had said.

Each decided row showed one candidate with a probability: the suggestion, what it was mapped to already, or the nearest one where neither
was. It was right where the vendor account or product is mapped to it now, wrong where it was rejected or something else was chosen. An
exclusion says nothing about whose it is, and a decision taken back says nothing at all; neither is counted. Each candidate counts once,
with the probability shown when it was first decided on. Below 30 of them a share says too little to be shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from reconlib.ledger import Event
from reconlib.review.folds import Key, MappingDecision

ShownAs = Literal["suggestion", "mapping", "nearest"]
NEEDED = 30  # judged candidates below which nothing is said
EDGES = tuple(Decimal(edge) for edge in ("0", "0.5", "0.7", "0.8", "0.9", "0.95", "0.98", "1"))  # of the bins; the last one is p ≥ .98
_CONFIDENT = Decimal("1.96")  # normal quantile of the 95 % interval
_PLACES = Decimal("0.0001")
_CHOSEN, _NEAREST = ("suggested_id", "probability"), ("runner_up_id", "runner_up_probability")
_SHOWN_AS: Mapping[str, ShownAs] = {"suggested": "suggestion", "mapped": "mapping"}  # state of the row


@dataclass(frozen=True, slots=True)
class Judged:
    """One candidate somebody was shown and decided on, and whether it was right."""

    relation: str  # account or product
    source: str
    vendor_id: str
    name: str  # as the vendor shows it
    shown_as: ShownAs
    candidate_id: str  # client or service
    probability: Decimal  # as it was shown
    is_right: bool
    became: tuple[str, ...]  # what it is mapped to instead; empty: rejected only, or right
    who: str  # decided on it first
    at: str


@dataclass(frozen=True, slots=True)
class Bin:
    """Candidates whose probability lies in one range, lower edge included, upper edge not, except 1."""

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
    """How far probabilities can be believed. ``bins`` is empty and ``ece`` None while decisions are missing."""

    judged: int
    missing: int  # decisions still needed before a share says anything
    bins: tuple[Bin, ...]  # those with any suggestion, lowest probability first
    ece: Decimal | None  # mean distance between said and true share, each bin by its count


def judge_candidates(events: Iterable[Event], standing: Mapping[Key, MappingDecision]) -> list[Judged]:
    """The candidate of every row that was decided on, in the order it was first decided.

    Args:
        events: of the ledger; only mapping decisions whose ``seen`` holds a candidate and its probability take part.
        standing: what stands decided now, as ``review.mapping_decisions`` folds it.
    """
    found: dict[tuple[Key, str], Judged] = {}
    for event in events:
        if event.kind != "mapping_decided":
            continue
        values, seen = event.values, event.values.get("seen") or {}
        key = (values["relation"], values["source"], values["vendor_id"])
        shown_as = _SHOWN_AS.get(seen.get("state") or "", "nearest")
        candidate, probability = (seen.get(name) for name in (_NEAREST if shown_as == "nearest" else _CHOSEN))
        now = standing.get(key)
        if now is None or not candidate or probability is None or (key, candidate) in found:
            continue
        is_right = candidate in now.targets
        if is_right or candidate in now.rejected or now.state == "mapped":
            found[key, candidate] = Judged(
                *key,
                name=seen.get("name") or values["vendor_id"],
                shown_as=shown_as,
                candidate_id=candidate,
                probability=Decimal(probability),
                is_right=is_right,
                became=() if is_right else now.targets,
                who=event.who,
                at=event.at,
            )
    return list(found.values())


def measure_reliability(judged: Sequence[Judged], *, needed: int = NEEDED) -> Reliability:
    """Said against true share, bin by bin, and the expected calibration error.

    Example:
        >>> shown = [Judged("account", "m365", str(i), "", "suggestion", "7", Decimal("0.9"), i < 8, (), "", "") for i in range(10)]
        >>> found = measure_reliability(shown, needed=10)
        >>> found.ece, found.bins[0].said, found.bins[0].true
        (Decimal('0.1000'), Decimal('0.9000'), Decimal('0.8000'))
        >>> measure_reliability(shown).missing
        20
    """
    missing = max(0, needed - len(judged))
    if missing or not judged:
        return Reliability(len(judged), missing, (), None)
    groups: dict[int, list[Judged]] = {}
    for one in judged:
        groups.setdefault(_bin_of(one.probability), []).append(one)
    bins = tuple(_bin(EDGES[index], EDGES[index + 1], groups[index]) for index in sorted(groups))
    gaps = sum(
        (abs(sum((one.probability for one in group), Decimal(0)) - sum(one.is_right for one in group)) for group in groups.values()),
        Decimal(0),
    )
    return Reliability(len(judged), 0, bins, _rounded(gaps / len(judged)))


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
