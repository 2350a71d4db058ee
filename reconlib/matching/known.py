"""What people decided, as the matcher takes it: positions for ids, rejections apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconlib.errors import DataError, nearest
from reconlib.matching.sides import Lent

if TYPE_CHECKING:
    import pandas as pd

WORDS = ("map", "reject", "exclude")


@dataclass(frozen=True, slots=True)
class Known:
    """Decisions by position. A right row mapped to none, or excluded, has no partner."""

    mapped: Mapping[int, int] = field(default_factory=dict)  # right → left
    without: frozenset[int] = frozenset()  # right rows that have no partner
    rejected: frozenset[tuple[int, int]] = frozenset()  # (left, right) never to be suggested again

    @property
    def settled(self) -> frozenset[int]:
        """Right rows that are decided."""
        return frozenset(self.mapped) | self.without


def read_known(decisions: pd.DataFrame | None, left: pd.DataFrame, right: pd.DataFrame) -> Known:
    """The decisions in force; of several on one right row, or on one pair, the last.

    Raises:
        DataError: a column that is missing, an unknown word, or an id that neither side has.
    """
    if decisions is None or not len(decisions):
        return Known()
    for column in ("right_id", "left_id"):
        if column not in decisions:
            raise DataError(f"no column {column!r}", where="decisions", hint="give right_id, left_id and, where it is not 'map', decision")
    at_left, at_right = ({one: at for at, one in enumerate(frame["id"].tolist())} for frame in (left, right))
    words = decisions["decision"].tolist() if "decision" in decisions else [None] * len(decisions)
    mapped: dict[int, int] = {}
    without: set[int] = set()
    rejected: set[tuple[int, int]] = set()
    for right_id, left_id, said in zip(decisions["right_id"].tolist(), decisions["left_id"].tolist(), words, strict=True):
        word = said if isinstance(said, str) else "map"
        if word not in WORDS:
            raise DataError(f"{word!r} is no decision", where="decisions, column decision", hint=nearest(word, WORDS))
        b = _position(right_id, at_right, "right_id")
        a = None if _is_null(left_id) else _position(left_id, at_left, "left_id")
        if word == "reject":
            if a is None:
                raise DataError(f"{right_id!r} is rejected with nothing", where="decisions, column left_id", hint="name the left row")
            rejected.add((a, b))
            if mapped.get(b) == a:
                del mapped[b]
            continue
        mapped.pop(b, None)
        without.discard(b)
        if word == "map" and a is not None:
            mapped[b] = a
            rejected.discard((a, b))
        else:
            without.add(b)
    return Known(mapped, frozenset(without), frozenset(rejected))


def lend_names(known: Known, right: pd.DataFrame) -> dict[int, Sequence[Lent]]:
    """Names that decisions lend to left rows: what is called so once is called so again."""
    names = right["name"].tolist()
    out: dict[int, list[Lent]] = {}
    for b, a in known.mapped.items():
        if isinstance(names[b], str):
            out.setdefault(a, []).append(Lent(names[b], b))
    return {a: tuple(found) for a, found in out.items()}


def _position(one: object, positions: Mapping[str, int], column: str) -> int:
    if _is_null(one) or read_id(one) not in positions:
        raise DataError(f"no row {one!r}", where=f"decisions, column {column}", hint="leave out decisions about rows that are gone")
    return positions[read_id(one)]


def read_id(one: object) -> str:
    """An id as text; numbers are ids too."""
    return one if isinstance(one, str) else str(one)


def _is_null(one: object) -> bool:
    import pandas as pd

    return one is None or one is pd.NA or one != one  # noqa: PLR0124 - NaN is no id
