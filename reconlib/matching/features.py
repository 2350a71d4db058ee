"""What speaks for and against a pair, in some thirty numbers between 0 and 1 that an analyst can read; both sides are treated alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconlib.matching.alignment import Alignment, align_words
from reconlib.matching.contacts import compare_addresses, same_phone
from reconlib.matching.domains import Cover, cover_label
from reconlib.matching.sides import Row, Sides, shared_hosts, shared_labels, weights_of

if TYPE_CHECKING:
    import numpy as np

# Evidence by kind: the points of a kind are the sum of its features' points.
FEATURES: dict[str, str] = {
    "letters": "name",  # cosine of three-letter pieces, of words, or of letters without spaces: the best; 0 where others are nearer
    "same_name": "name",  # all words that count are equal
    "same_letters": "name",  # equal without spaces
    "unexplained": "name",  # share of word weight that nothing on the other side explains, on the side where it is more
    "partly_unexplained": "name",  # on the side where it is less, as far as the other side has something explained
    "heaviest_fewer": "name",  # weight of the heaviest unexplained word, on the side where it is less
    "heaviest_more": "name",
    "explained": "name",  # weight explained, up to two rare words
    "inexact": "name",  # share explained by typos, beginnings and abbreviations only
    "first_word": "name",  # the first words are the same
    "acronym": "name",
    "numbers_differ": "conflict",
    "number_missing": "conflict",
    "forms_differ": "conflict",
    "contrast": "conflict",  # North against South
    "retired": "conflict",  # one is marked old, test, do not use
    "same_form": "name",
    "same_host": "domain",
    "same_label": "domain",  # acme.com and acme.de
    "hosts_differ": "domain",
    "label_covered": "domain",  # share of the domain's letters that the name spells
    "name_used": "domain",  # share of the name in it
    "label_is_name": "domain",  # both, whole
    "only_label": "domain",  # nothing but the domain is known of one side
    "same_phone": "phone",
    "phones_differ": "phone",
    "same_address": "address",
    "address_differs": "address",
}
NAMES = tuple(FEATURES)
# What a feature may be worth: never less than nothing, never more than nothing. The others may be either.
FOR = frozenset(("letters", "same_name", "same_letters", "explained", "first_word", "acronym", "same_form", "same_host", "same_label",
                 "label_covered", "name_used", "label_is_name", "same_phone", "same_address"))  # fmt: skip
AGAINST = frozenset(("unexplained", "partly_unexplained", "heaviest_fewer", "heaviest_more", "numbers_differ", "number_missing",
                     "forms_differ", "contrast", "retired", "hosts_differ", "phones_differ", "address_differs"))  # fmt: skip
CONTRASTS = (
    frozenset(("north", "south", "east", "west", "northern", "southern", "eastern", "western", "central")),
    frozenset(("northeast", "northwest", "southeast", "southwest")),
    frozenset(("upper", "lower")),
    frozenset(("old", "new")),
    frozenset(("elementary", "middle", "high", "primary", "secondary", "junior", "senior")),
    frozenset(("boys", "girls", "men", "women")),
    frozenset(("red", "blue", "green", "black", "white", "gold", "golden", "silver", "orange", "purple")),
    frozenset(("canada", "usa", "america", "uk", "europe", "australia", "asia", "india", "china", "japan", "mexico", "france", "germany")),
    frozenset(("canada", "ontario", "quebec", "alberta", "manitoba")),
    frozenset(("male", "female")),
    frozenset(("inbound", "outbound")),
    frozenset(("server", "workstation", "desktop")),
)  # fmt: skip

NO_COVER = Cover(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Compared:
    """One pair's features in the order of ``NAMES``, and its words."""

    values: tuple[float, ...]
    words: Alignment


def compare_pairs(sides: Sides, left: np.ndarray, right: np.ndarray, cosines: np.ndarray) -> np.ndarray:
    """One row of features a pair."""
    import numpy as np

    weights = [[weights_of(row.name, sides.weights) for row in rows] for rows in (sides.left, sides.right)]
    out = np.empty((len(left), len(NAMES)), dtype=np.float64)
    for at, (a, b, cosine) in enumerate(zip(left.tolist(), right.tolist(), cosines.tolist(), strict=True)):
        out[at] = compare_pair(sides.left[a], sides.right[b], weights[0][a], weights[1][b], cosine).values
    return out


def compare_pair(left: Row, right: Row, mine: Mapping[str, float], other: Mapping[str, float], cosine: float) -> Compared:
    """Features of one pair; ``mine`` and ``other`` are the weights of the words of each."""
    words = align_words(left.name, right.name)
    cover = _cover(left, right, mine, other)
    shares = [_unexplained(words.left, mine), _unexplained(words.right, other)]
    if left.from_domain != right.from_domain:  # the letters of a web address are the name there is
        read = (1 - cover.name_share, 1 - cover.label_share)
        shares = [min(found, (share, share)) for found, share in zip(shares, read if right.from_domain else read[::-1], strict=True)]
    fewer, more = sorted(share for share, _ in shares)
    lighter, heavier = sorted(heaviest for _, heaviest in shares)
    both = [(weights[word], credit) for side, weights in ((words.left, mine), (words.right, other)) for word, credit in side.items()]
    exact = sum(weight for weight, credit in both if credit >= 0.95) / 2
    partly = sum(weight * credit for weight, credit in both if 0 < credit < 0.95) / 2
    same = bool(left.core) and left.core == right.core
    glued = bool(left.core) and left.core.replace(" ", "") == right.core.replace(" ", "")
    phone, phones_differ = _phones(left, right)
    address, address_differs = compare_addresses(left.address, right.address)
    values = (
        cosine,
        float(same),
        float(glued),
        more,
        fewer * (1 - more),
        lighter,
        heavier,
        min(exact + 0.8 * partly, 2.0) / 2,
        partly / (exact + partly) if exact + partly else 0.0,
        float(
            bool(left.name.words and right.name.words) and words.left[left.name.words[0]] > 0.9 and words.right[right.name.words[0]] > 0.9
        ),
        float(words.has_acronym),
        *_conflicts(left, right, words),
        float(bool(left.name.forms & right.name.forms)),
        *_domains(left, right, cover),
        phone,
        phones_differ,
        address,
        address_differs,
    )
    return Compared(values, words)


def _unexplained(credits_: Mapping[str, float], weights: Mapping[str, float]) -> tuple[float, float]:
    """(share of the weight no word of the other side explains, weight of the heaviest such word). A name without words explains nothing."""
    total = sum(weights.values())
    if not total:
        return 1.0, 1.0
    lost = [weights[word] * (1 - credit) for word, credit in credits_.items()]
    return sum(lost) / total, max(lost)


def _conflicts(left: Row, right: Row, words: Alignment) -> Iterable[float]:
    mine, other = left.name, right.name
    differ = bool(mine.numbers and other.numbers) and not (mine.numbers <= other.numbers or other.numbers <= mine.numbers)
    missing = mine.numbers != other.numbers and not differ
    forms = bool(mine.forms and other.forms) and not mine.forms & other.forms
    return (float(differ), float(missing), float(forms), float(bool(contrast_of(words))), float(mine.is_retired != other.is_retired))


def contrast_of(words: Alignment) -> tuple[str, str] | None:
    """Two unexplained words that tell one branch from another."""
    mine, other = ({word for word, credit in side.items() if not credit} for side in (words.left, words.right))
    if not mine or not other:
        return None
    for group in CONTRASTS:
        if (a := mine & group) and (b := other & group):
            return min(a), min(b)
    return None


def _domains(left: Row, right: Row, cover: Cover) -> Iterable[float]:
    hosts, labels = shared_hosts(left, right), shared_labels(left, right)
    return (
        float(bool(hosts)),
        float(bool(labels) and not hosts),
        float(bool(left.domains and right.domains) and not labels),
        cover.label_share,
        cover.label_share * cover.name_share,
        float(cover.label_share == 1.0 and cover.name_share > 0.99),
        float(left.from_domain or right.from_domain),
    )


def _cover(left: Row, right: Row, mine: Mapping[str, float], other: Mapping[str, float]) -> Cover:
    """The best reading of a domain of either side as words of the other's name; names that are web addresses themselves are not read."""
    found = [
        cover_label(domain.label, row.name.words, weights)
        for domains, row, weights in ((left.domains, right, other), (right.domains, left, mine))
        if not row.from_domain
        for domain in domains
    ]
    return max(found, key=lambda one: one.label_share * (0.3 + one.name_share), default=NO_COVER)


def _phones(left: Row, right: Row) -> tuple[float, float]:
    if not left.phone or not right.phone:
        return 0.0, 0.0
    same = same_phone(left.phone, right.phone)
    return float(same), float(not same)
