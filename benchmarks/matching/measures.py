"""What suggested links are worth: each right row has one best left row and a probability, held against the true pairs.

Recall counts every true link that was still possible, found or not. Rows of equal probability are accepted together: an order among
them would be chance. Probabilities are floats here; nothing of this is money.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.matching.sets import Case

HIGH_PRECISION = 0.99
BINS = 10


@dataclass(frozen=True, slots=True)
class Measures:
    """The figures of one run. Shares 0..1; NaN where nothing can be said (no true link, no proposed link, no AUTO row)."""

    ap: float  # area under precision over recall
    f1: float  # at the best threshold
    threshold: float  # that threshold
    r_at_p99: float  # share of true links that can be accepted with 99 of 100 accepted ones right
    top1: float  # share of right rows with an answer whose best left row is a right one
    ece: float  # calibration error over the proposed links, ten bins
    auto_precision: float  # of the rows with verdict AUTO
    auto_share: float  # share of the true links that are AUTO and right
    true_links: int  # right rows that have an answer
    proposed: int  # right rows with a best left row
    unjudged: int = 0  # links left out because nobody labelled the pair


def measure_case(case: Case, suggested: pd.DataFrame) -> Measures:
    """The measures over the rows that are asked of a case: decided rows and pairs nobody labelled are left out."""
    links = best_links(suggested)
    if case.asked is not None:
        links = links[links["right_id"].isin(case.asked)]
    if case.judged is None:
        return measure(links, case.truth)
    pairs = zip(links["right_id"], links["left_id"], strict=True)
    known = np.array([pair in case.judged for pair in pairs], dtype=bool) | links["left_id"].isna().to_numpy()
    return measure(links[known], case.truth, unjudged=int((~known).sum()))


def best_links(suggested: pd.DataFrame) -> pd.DataFrame:
    """right_id, left_id, probability, verdict of what ``suggest_links`` returned.

    A row whose best link is too unlikely to be shown keeps that link's probability: it counts by its first proposal. A row without
    a probability has no link; where the relation is 1:1 its proposals belong to other rows.
    """
    links = suggested[["right_id", "left_id", "probability", "verdict"]].astype({"left_id": "object"})
    unlikely = links["left_id"].isna() & links["probability"].notna()
    if unlikely.any():
        links.loc[unlikely, "left_id"] = [found[0][0] for found in suggested.loc[unlikely, "proposals"]]
    return links


def measure(links: pd.DataFrame, truth: pd.DataFrame, *, unjudged: int = 0) -> Measures:
    """The measures of one best link a right row.

    Args:
        links: right_id, left_id (null: none), probability, and verdict if there is one. One row a right row.
        truth: right_id, left_id of the pairs that are true and possible; a right row with several has any of them as its answer.
        unjudged: Carried into the result.
    """
    true_pairs = set(zip(truth["right_id"], truth["left_id"], strict=True))
    possible = truth["right_id"].nunique()
    made = links[links["left_id"].notna() & links["probability"].notna()]
    right = np.array([pair in true_pairs for pair in zip(made["right_id"], made["left_id"], strict=True)], dtype=bool)
    p = made["probability"].to_numpy(dtype=float)
    thresholds, precision, recall = _curve(p, right, possible)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    auto = (made["verdict"] == "AUTO").to_numpy() if "verdict" in made else np.zeros(len(made), dtype=bool)
    return Measures(
        ap=float(np.sum(np.diff(recall, prepend=0.0) * precision)) if possible else np.nan,
        f1=float(f1.max()) if len(f1) else np.nan,
        threshold=float(thresholds[f1.argmax()]) if len(f1) else np.nan,
        r_at_p99=float(recall[precision >= HIGH_PRECISION].max(initial=0.0)),
        top1=right.sum() / possible if possible else np.nan,
        ece=calibration_error(p, right),
        auto_precision=float(right[auto].mean()) if auto.any() else np.nan,
        auto_share=right[auto].sum() / possible if possible else np.nan,
        true_links=possible,
        proposed=len(made),
        unjudged=unjudged,
    )


def calibration_error(p: np.ndarray, right: np.ndarray, bins: int = BINS) -> float:
    """Mean distance between what was promised and what came true, by equal bins of probability, weighted by rows. NaN: no rows.

    Example:
        >>> calibration_error(np.array([0.95, 0.95]), np.array([True, False])).round(2)
        np.float64(0.45)
    """
    if not len(p):
        return float("nan")
    bin_of = np.clip((p * bins).astype(int), 0, bins - 1)
    rows = np.bincount(bin_of, minlength=bins)
    gap = np.abs(np.bincount(bin_of, weights=p, minlength=bins) - np.bincount(bin_of, weights=right, minlength=bins))
    return float(gap.sum() / rows.sum())


def _curve(p: np.ndarray, right: np.ndarray, possible: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Threshold, precision and recall where each distinct probability, from the highest down, is the last one accepted."""
    order = np.argsort(-p, kind="stable")
    p, hits = p[order], np.cumsum(right[order])
    last = np.flatnonzero(np.append(p[1:] != p[:-1], True)) if len(p) else np.array([], dtype=int)
    return p[last], hits[last] / (last + 1), hits[last] / max(possible, 1)
