"""From two frames to compared pairs: read, find what is worth comparing, compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconlib.matching.assignment import Relation
from reconlib.matching.blocking import find_pairs
from reconlib.matching.features import compare_pairs
from reconlib.matching.sides import Lent, Sides, read_sides

if TYPE_CHECKING:
    from datetime import date

    import numpy as np
    import pandas as pd

    from reconlib.aliases import AliasTable


@dataclass(frozen=True, slots=True)
class Pairs:
    """Compared pairs. ``left`` and ``right`` are rows of ``sides``; a row of a frame may stand in it under several names."""

    sides: Sides
    left: np.ndarray
    right: np.ndarray
    left_at: np.ndarray  # position in the left frame
    right_at: np.ndarray
    letters: np.ndarray  # cosine of letters, 0..1
    features: np.ndarray  # one row a pair, one column a feature

    def take(self, kept: np.ndarray) -> Pairs:
        """Some of the pairs, by a mask or by positions."""
        arrays = (one[kept] for one in (self.left, self.right, self.left_at, self.right_at, self.letters, self.features))
        return Pairs(self.sides, *arrays)


def compare_frames(
    left: pd.DataFrame,
    right: pd.DataFrame,
    *,
    relation: Relation,
    own: frozenset[str] = frozenset(),
    lent: Mapping[int, Sequence[Lent]] | None = None,
    decided: Mapping[int, int] | None = None,
    aliases: AliasTable | None = None,
    as_of: date | None = None,
) -> Pairs:
    """Every pair worth comparing, compared, the decided ones (right → left) among them. No row is compared with the name it lent."""
    import numpy as np

    sides = read_sides(left, right, own=own, lent=lent or {}, aliases=aliases, as_of=as_of)
    a, b, letters = find_pairs(sides, both_ways=relation == "one_to_one")
    a, b, letters = _with_decided(sides, a, b, letters, decided or {})
    at = [np.array([row.at for row in rows], dtype=np.int64) for rows in (sides.left, sides.right)]
    lenders = np.array([-1 if row.lent_by is None else row.lent_by for row in sides.left], dtype=np.int64)
    apart = lenders[a] != at[1][b] if len(a) else np.zeros(0, dtype=bool)
    a, b, letters = a[apart], b[apart], letters[apart]
    return Pairs(sides, a, b, at[0][a], at[1][b], letters, compare_pairs(sides, a, b, letters))


def _with_decided(
    sides: Sides, a: np.ndarray, b: np.ndarray, letters: np.ndarray, decided: Mapping[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pairs found, and those that people decided and nothing else would have brought together."""
    import numpy as np

    places: tuple[dict[int, int], dict[int, int]] = ({}, {})
    for found, rows in zip(places, (sides.left, sides.right), strict=True):
        for place, row in enumerate(rows):
            found.setdefault(row.at, place)
    known = set(zip(a.tolist(), b.tolist(), strict=True))
    more = sorted({(places[0][left], places[1][right]) for right, left in decided.items()} - known, key=lambda pair: (pair[1], pair[0]))
    if not more:
        return a, b, letters
    extra = np.array(more, dtype=np.int64)
    return np.concatenate([a, extra[:, 0]]), np.concatenate([b, extra[:, 1]]), np.concatenate([letters, np.zeros(len(more))])
