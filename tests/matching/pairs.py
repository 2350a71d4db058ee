"""The hand-written hard pairs as tables, and what the right answer is wherever a right row meets a left row.

``hard_pairs.csv``: one row a pair. ``left`` is what we own, ``right`` what a vendor calls it; ``left_more`` and ``right_more`` are further
attributes (``domain=…; phone=…``); ``same`` is yes, no or unknown (cannot be told without an id). ``\\uXXXX`` stands for signs nobody sees.
The file is one world: a left row that several pairs name is one row, and two left rows are two companies, or two services, unless a pair
says yes to both.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import pandas as pd

from reconlib.sandbox.cast import members

PATH = Path(__file__).with_name("hard_pairs.csv")
OWN_DOMAINS = ("harbormsp.example",)
KINDS = ("client", "product")
ATTRIBUTES = ("domain", "email", "phone", "address", "external_id", "sku", "term")
COLUMNS = ("id", "name", *ATTRIBUTES)
Same = Literal["yes", "no", "unknown"]


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a side: name and attributes, sorted."""

    name: str
    more: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return self.name + "".join(f" · {key} {value}" for key, value in self.more)


@dataclass(frozen=True, slots=True)
class Pair:
    """One hand-written pair."""

    number: int
    kind: str
    left: Item
    right: Item
    same: Same
    reason: str


def read_pairs(kind: str | None = None) -> list[Pair]:
    """The pairs of one kind, or all."""
    with PATH.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = [
        Pair(
            *(int(r["number"]), r["kind"], _item(r["left"], r["left_more"]), _item(r["right"], r["right_more"])),
            *(cast("Same", r["same"]), r["reason"]),
        )
        for r in rows
    ]
    return [pair for pair in found if kind in (None, pair.kind)]


def lefts(kind: str) -> dict[str, Item]:
    """Every left row of one kind by its id."""
    return {f"L{n}": item for n, item in enumerate(dict.fromkeys(pair.left for pair in read_pairs(kind)), 1)}


def rights(kind: str) -> dict[str, Item]:
    """Every right row of one kind by its id."""
    return {f"R{n}": item for n, item in enumerate(dict.fromkeys(pair.right for pair in read_pairs(kind)), 1)}


def frame(items: Mapping[str, Item]) -> pd.DataFrame:
    """A side as the matcher reads it."""
    return pd.DataFrame(
        [{"id": key, "name": item.name, **dict(item.more)} for key, item in items.items()], columns=list(COLUMNS), dtype=object
    )


def ordinary(side: str, count: int = 300) -> dict[str, Item]:
    """Clients nobody would confuse by their whole name, the same on both sides: the rest of a book."""
    return {f"{side}O{member.index}": Item(member.name) for member in members(7, count) if member.index >= 24}


class Truth:
    """Which left rows a right row of one kind truly is."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.pairs = {(pair.left, pair.right): pair for pair in read_pairs(kind)}

    def allows(self, left: Item, right: Item) -> bool:
        """May this link be offered for bulk acceptance? Products of one spelling are one product, companies of one spelling may be two."""
        if pair := self.pairs.get((left, right)):
            return pair.same == "yes"
        return left == right or (self.kind == "product" and not right.more and left.name.casefold() == right.name.casefold())

    def reason(self, left: Item, right: Item) -> str:
        """Why the right row is hard."""
        pair = self.pairs.get((left, right)) or next((p for (_, r), p in self.pairs.items() if r == right), None)
        return f"pair {pair.number}, same={pair.same}: {pair.reason}" if pair else "an ordinary row"


def links(answers: pd.DataFrame) -> Iterable[dict[str, Any]]:
    """The rows of an answer as plain dicts; no link is None."""
    for row in answers.to_dict("records"):
        yield row | {"left_id": None if pd.isna(row["left_id"]) else row["left_id"]}


def wrong_autos(answers: pd.DataFrame, left: Mapping[str, Item], right: Mapping[str, Item], truth: Truth) -> list[str]:
    """Every AUTO that is not surely right, one readable paragraph each."""
    return [
        _told(row, left[row["left_id"]], right[row["right_id"]], truth)
        for row in links(answers)
        if row["verdict"] == "AUTO" and not truth.allows(left[row["left_id"]], right[row["right_id"]])
    ]


def _told(row: Mapping[str, Any], left: Item, right: Item, truth: Truth) -> str:
    points = ", ".join(f"{name[7:]} {row[name]:+.1f}" for name in row if name.startswith("points_") and row[name])
    return (
        f"{truth.reason(left, right)}\n"
        f"    ours    {left}\n    theirs  {right}\n"
        f"    p {row['probability']:.4f}, decided by {row['decided_by']}; {points}\n"
        f"    unexplained: ours “{row['left_unexplained']}”, theirs “{row['right_unexplained']}”; conflicts: {row['conflicts'] or 'none'}"
    )


def _item(name: str, more: str) -> Item:
    fields = (part.split("=", 1) for part in more.split("; ") if part)
    return Item(_unescaped(name), tuple(sorted((key, value) for key, value in fields)))


def _unescaped(text: str) -> str:
    return re.sub(r"\\u([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), text)
