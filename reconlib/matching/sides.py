"""Both sides of a match, read once: names, domains, phones, addresses, and how much each word weighs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

from reconlib.matching.alignment import initials_run
from reconlib.matching.contacts import Address, read_address, read_phone
from reconlib.matching.domains import Domain, looks_like_domain, name_of, read_domain
from reconlib.matching.names import LITTLE_WORDS, Name, other_names, read_name
from reconlib.matching.products import Product, ReadProduct, readers_of_products

if TYPE_CHECKING:
    from datetime import date

    import pandas as pd

    from reconlib.aliases import AliasTable

Side = Literal["left", "right"]
COMMON_SHARE = 0.02  # a word of the shipped list is taken as one that stands in 2 of 100 names, however small the book
LITTLE_WEIGHT = 0.05
QUALIFIER = 0.2
FEWEST_ROWS = 50  # before a side's habits can be told
ADDED_SHARE, ADDED_TIMES = 0.02, 8
PLACES = frozenset(
    """america american americas california canada canadian european florida michigan ohio texas ukraine york north northern northwest south
    southern southwest east eastern west western midwest central us usa""".split()  # noqa: SIM905 - thirty quoted words read worse
)
_FILLERS = frozenset(("n/a", "na", "none", "null", "nil", "nan", "unknown", "tbd", "tba", "test", "default", "?", "x", "xxx"))
OWN_ACRONYM = 0.2  # "(FAME)" behind the words it abbreviates says little that is new


@dataclass(frozen=True, slots=True)
class Row:
    """One name of one row of a side, and what else is known of it."""

    at: int  # which row of the frame; several where it has several names
    name: Name
    core: str  # the words its identity is judged by: without legal form, little words, and words its source adds
    domains: tuple[Domain, ...]
    phone: str
    address: Address | None
    from_domain: bool  # the name itself is a web address
    ids: frozenset[str]  # left: its own id and the external one, which the other side may carry; right: the one it carries
    trading: frozenset[str]  # the names it trades as
    sku: str
    product: Product | None
    lent_by: int | None = None  # the right row that lent the name, by a decision


@dataclass(frozen=True, slots=True)
class Sides:
    """What is compared: rows of both sides, and the weight of every word of either, 0..1, where 1 is a word no other name has."""

    left: tuple[Row, ...]
    right: tuple[Row, ...]
    weights: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Lent:
    """A right row's name that a decision lent to a left row."""

    name: str
    right_at: int


def read_sides(
    left: pd.DataFrame,
    right: pd.DataFrame,
    *,
    own: frozenset[str],
    lent: Mapping[int, Sequence[Lent]],
    aliases: AliasTable | None,
    as_of: date | None,
) -> Sides:
    """Both frames read.

    Args:
        left: what we own.
        right: what a vendor calls it.
        own: domains that say nothing.
        lent: position in ``left`` → names it is known by.
        aliases: what products are called; None: the packaged table.
        as_of: the day on which the right side's products are called so; None: not known.
    """
    read_ours, read_theirs = readers_of_products(left, right, aliases, as_of)
    rows = _read_rows(left, own, read_ours, lent, side="left"), _read_rows(right, own, read_theirs, {}, side="right")
    counts = [Counter(word for row in side for word in row.name.words) for side in rows]
    sizes = [max(len(side), 1) for side in rows]
    added = [_added_words(counts[at], sizes[at], counts[1 - at], sizes[1 - at]) for at in (0, 1)]
    weights = _weigh_words(counts, sizes) | dict.fromkeys(added[0] | added[1], LITTLE_WEIGHT)
    plain = [tuple(_without(row, words) for row in side) for side, words in zip(rows, added, strict=True)]
    return Sides(plain[0], plain[1], weights)


def _read_rows(
    frame: pd.DataFrame, own: frozenset[str], read_product: ReadProduct | None, lent: Mapping[int, Sequence[Lent]], *, side: Side
) -> tuple[Row, ...]:
    columns = {name: _texts(frame, name) for name in ("id", "name", "domain", "email", "phone", "address", "external_id", "sku", "term")}
    rows = []
    for at, (own_id, name, domain, email, phone, address, external, sku, term) in enumerate(zip(*columns.values(), strict=True)):
        from_domain = looks_like_domain(name)
        found = [read_domain(text, own) for text in (domain, email, name if from_domain else None)]
        product = read_product(name, own_id, _id(sku), term) if read_product else None
        told = name_of(found[2]) if from_domain and found[2] else product.name if product else name
        country = found[2].country if from_domain and found[2] else ""
        first = Row(
            at=at,
            name=read_name(f"{told} {country}") if country else read_name(told),
            core=read_name(told).core,
            domains=tuple(dict.fromkeys(one for one in found if one)),
            phone=read_phone(phone),
            address=read_address(address),
            from_domain=from_domain,
            ids=frozenset(text for one in ((own_id, external) if side == "left" else (external,)) if (text := _id(one))),
            trading=frozenset(read_name(text).core for text in other_names(name)[1:]),
            sku=_id(sku).casefold(),
            product=product,
        )
        rows.append(first)
        others = [Lent(text, -1) for text in other_names(name)] + list(lent.get(at, ()))
        rows += [_renamed(first, one, own) for one in others]
    return tuple(rows)


def shared_hosts(left: Row, right: Row) -> set[str]:
    """Registered domains both rows have."""
    return {one.host for one in left.domains} & {one.host for one in right.domains}


def shared_labels(left: Row, right: Row) -> set[str]:
    """What their owners chose before the ending, where both rows have it: acme of acme.com and acme.de."""
    return {one.label for one in left.domains} & {one.label for one in right.domains}


def _renamed(row: Row, other: Lent, own: frozenset[str]) -> Row:
    """The row under another name; a web address that was lent is a domain as well."""
    domain = read_domain(other.name, own) if looks_like_domain(other.name) else None
    name = read_name(name_of(domain) if domain else other.name)
    domains = tuple(dict.fromkeys((*row.domains, domain))) if domain else row.domains
    lent_by = None if other.right_at < 0 else other.right_at
    return replace(row, name=name, core=name.core, domains=domains, from_domain=bool(domain), lent_by=lent_by)


def _id(text: object) -> str:
    """An id as text, a whole number without decimals; empty where a filler stands in its place."""
    plain = text.strip() if isinstance(text, str) else ""
    if isinstance(text, (int, float)) and not isinstance(text, bool) and text == text // 1:
        plain = str(int(text))
    return "" if plain.casefold() in _FILLERS or not plain.strip("0.- ") else plain


def _weigh_words(counts: Sequence[Counter[str]], sizes: Sequence[int]) -> dict[str, float]:
    """Weight of every word by the side where it is commonest.

    Books of twenty clients do not show which words are common, so a list of words common in organisations' names is shipped.
    """
    rarest = math.log(max(*sizes, 50))
    weights = {}
    for word in counts[0].keys() | counts[1].keys():
        share = max(count[word] / size for count, size in zip(counts, sizes, strict=True))
        if word in common_words():
            share = max(share, COMMON_SHARE)
        weights[word] = LITTLE_WEIGHT if word in LITTLE_WORDS else min(1.0, max(LITTLE_WEIGHT, -math.log(share) / rarest))
    return weights


def _added_words(mine: Counter[str], size: int, other: Counter[str], other_size: int) -> set[str]:
    """Words a source adds to its names ("Common Stock", "(tenant)"): common ones, on many of its rows, and hardly on the other side's.

    Never a place: "Harbor Canada" is not Harbor.
    """
    if size < FEWEST_ROWS or other_size < FEWEST_ROWS:
        return set()
    least, often = ADDED_SHARE * size, ADDED_TIMES * size / other_size
    return {word for word in common_words() - PLACES if mine[word] >= max(least, often * (other[word] + 1))}


def _without(row: Row, added: set[str]) -> Row:
    kept = [word for word in row.core.split() if word not in added]
    return replace(row, core=" ".join(kept)) if kept and len(kept) < len(row.core.split()) else row


def weights_of(name: Name, weights: Mapping[str, float]) -> dict[str, float]:
    """The weights of one name's words; an acronym of its own words counts little."""
    return {word: min(weights[word], _most(word, at, name)) for at, word in enumerate(name.words)}


def _most(word: str, at: int, name: Name) -> float:
    if len(word) <= 2 and at and word.isalpha():  # "/DE/", "NV": where it is registered
        return QUALIFIER
    return OWN_ACRONYM if 3 <= len(word) <= 6 and len(name.words) > 3 and initials_run(word, name.words) else 1.0


@cache
def common_words() -> frozenset[str]:
    """Words common in names of organisations, by hand."""
    text = files("reconlib.matching").joinpath("common_words.txt").read_text("utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())


def _texts(frame: pd.DataFrame, column: str) -> list[Any]:
    return frame[column].tolist() if column in frame else [None] * len(frame)
