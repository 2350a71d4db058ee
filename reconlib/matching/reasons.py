"""Why a link was made, as an analyst reads it: points by kind of evidence, words explained and not, one sentence."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from reconlib.matching.alignment import align_words
from reconlib.matching.contacts import compare_addresses, same_house, same_phone
from reconlib.matching.features import FEATURES, NAMES
from reconlib.matching.names import LITTLE_WORDS
from reconlib.matching.scoring import Prior
from reconlib.matching.sides import Row, shared_hosts, shared_labels

if TYPE_CHECKING:
    import numpy as np

EVIDENCE = ("id", "alias", "domain", "phone", "address", "name")  # in this order, the first that speaks decides
EXPLAINED = 0.5  # credit from which a word counts as explained
FEWEST_POINTS = 0.5  # a kind that gives less is not named as what decided
SHOWN_WORDS = 12


def points_by_kind(features: np.ndarray, extra: np.ndarray, prior: Prior, chance: float) -> dict[str, float]:
    """Log-odds points by kind; they add up to the log-odds of ``chance``. ``context`` is the rest: base rate, strength of the rivals.

    A point counts twice, in the sum and in the margin over the runner-up.
    """
    points = dict.fromkeys((*EVIDENCE, "conflict", "context"), 0.0)
    worth = prior.link_weights[1] + prior.link_weights[2]
    for name, value in zip(NAMES, features.tolist(), strict=True):
        points[FEATURES[name]] += worth * prior.weights[name] * value
    for kind, value in zip(("id", "alias", "conflict"), extra.tolist(), strict=True):
        points[kind] += worth * value
    bounded = min(max(chance, 1e-12), 1 - 1e-12)
    points["context"] = math.log(bounded / (1 - bounded)) - sum(points.values())
    return {kind: round(value, 4) + 0.0 for kind, value in points.items()}


def leading_kind(points: Mapping[str, float]) -> str:
    """What decided: an id or alias where there is one, else the kind of evidence with most points."""
    for kind in ("id", "alias"):
        if points[kind] > 0:
            return kind
    best = max(EVIDENCE, key=lambda kind: points[kind])
    return best if points[best] >= FEWEST_POINTS else "none"


def explain_pair(left: Row, right: Row) -> dict[str, str]:
    """Words of both names that the other side explains, and those it does not."""
    words = align_words(left.name, right.name)
    said = {}
    for side, credits_ in (("left", words.left), ("right", words.right)):
        said[f"{side}_explained"] = _shown(word for word, credit in credits_.items() if credit >= EXPLAINED)
        said[f"{side}_unexplained"] = _shown(word for word, credit in credits_.items() if credit < EXPLAINED and word not in LITTLE_WORDS)
    return said


def give_reason(left: Row, right: Row, points: Mapping[str, float], words: Mapping[str, str], conflicts: Sequence[str]) -> str:
    """One sentence: what speaks for the link, heaviest kind first, then what speaks against it."""
    texts = {
        "id": "the same id",
        "alias": "one product by its ids or dated names",
        "domain": _say_domain(left, right),
        "phone": f"phone {right.phone}" if same_phone(left.phone, right.phone) else "",
        "address": _say_address(left, right),
        "name": _say_name(left, right, words),
    }
    told = [
        texts[kind] for kind in sorted(EVIDENCE, key=lambda kind: (-points[kind], EVIDENCE.index(kind))) if points[kind] > 0 and texts[kind]
    ]
    against = f"; against it: {', '.join(conflicts)}" if conflicts else ""
    return (", ".join(told) or "little speaks for it") + against


def _say_name(left: Row, right: Row, words: Mapping[str, str]) -> str:
    if left.core and left.core == right.core:
        return "the same name"
    shared, lost = words["right_explained"], words["right_unexplained"] or words["left_unexplained"]
    if not shared:
        return ""
    return f"words {shared}" + (f" (not {lost})" if lost else "")


def _say_domain(left: Row, right: Row) -> str:
    if hosts := shared_hosts(left, right):
        return f"domain {min(hosts)}"
    if labels := shared_labels(left, right):
        return f"domains that both begin with {min(labels)}"
    found = [one.host for row, other in ((left, right), (right, left)) for one in row.domains if other.name.words]
    return f"domain {found[0]} spells the name" if found else ""


def _say_address(left: Row, right: Row) -> str:
    if same_house(left.address, right.address):
        return "the same address"
    return "an address like it" if compare_addresses(left.address, right.address)[0] >= 0.5 else ""


def _shown(words: Iterable[str]) -> str:
    found = list(words)
    return " ".join(found[:SHOWN_WORDS]) + (" …" if len(found) > SHOWN_WORDS else "")
