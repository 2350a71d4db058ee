"""Decisions as the matcher takes them: of several on one row or one pair the last holds."""

from __future__ import annotations

import pandas as pd
import pytest

from reconlib.matching.known import read_known

SIDES = pd.DataFrame({"id": ["L0", "L1"]}), pd.DataFrame({"id": ["R0", "R1"]})


@pytest.mark.parametrize(
    ("said", "mapped", "without", "rejected"),
    [
        ([("R0", "L0", "map"), ("R0", "L1", "map")], {0: 1}, [], []),
        ([("R0", "L0", "map"), ("R0", None, "exclude")], {}, [0], []),
        ([("R0", None, "exclude"), ("R0", "L1", None)], {0: 1}, [], []),
        ([("R0", "L0", "map"), ("R0", "L0", "reject")], {}, [], [(0, 0)]),
        ([("R0", "L0", "reject"), ("R0", "L0", "map")], {0: 0}, [], []),
        ([("R0", "L0", "map"), ("R0", "L1", "reject")], {0: 0}, [], [(1, 0)]),
    ],
)
def test_the_last_decision_holds(
    said: list[tuple[str, str | None, str | None]], mapped: dict[int, int], without: list[int], rejected: list[tuple[int, int]]
) -> None:
    found = read_known(pd.DataFrame(said, columns=["right_id", "left_id", "decision"], dtype=object), *SIDES)
    assert (dict(found.mapped), sorted(found.without), sorted(found.rejected)) == (mapped, without, rejected)
