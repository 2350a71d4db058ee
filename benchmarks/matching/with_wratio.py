"""rapidfuzz's WRatio of every right row with every left row, the score most first attempts decide by."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.matching.baseline import CANDIDATES, chosen_links
from benchmarks.matching.sets import Case

ROWS_AT_ONCE = 500


def suggest_by_wratio(case: Case) -> pd.DataFrame:
    """Links as the recipe gives them; the score is WRatio / 100. Names only, as written but for case and punctuation."""
    from rapidfuzz import fuzz, process, utils

    left = [utils.default_process(name) for name in case.left["name"]]
    right = [utils.default_process(name) for name in case.right["name"]]
    kept = min(CANDIDATES, len(left))
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for start in range(0, len(right), ROWS_AT_ONCE):
        scores = process.cdist(right[start : start + ROWS_AT_ONCE], left, scorer=fuzz.WRatio, workers=1)
        best = np.argpartition(-scores, kept - 1, axis=1)[:, :kept]
        rows = np.repeat(np.arange(len(scores)), kept)
        found.append((rows + start, best.ravel(), scores[rows, best.ravel()] / 100))
    rows, cols, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return chosen_links(case, rows, cols, scores)
