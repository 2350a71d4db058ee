"""The recipe that must always be beaten: legal forms off, TF-IDF of three characters, best cosine; greedy where the relation is 1:1.

What most people write when they first match names. It knows names only; where a set has phones and addresses they are words like others.
Known labels help it in the one way it can take: a known right name is a second name of its left row.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from anyascii import anyascii

from benchmarks.matching.sets import Case

LEGAL_FORMS = frozenset(
    """ab ag as asa bv co company corp corporation gmbh inc incorporated kg limited limitee llc llp lp ltd ltee nv oy oyj pc plc pllc
    pty sa sarl se sl spa srl the""".split()  # noqa: SIM905 - a list of forty quoted words reads worse
)
CANDIDATES = 10  # best left rows kept for each right row
_WORD = re.compile(r"[a-z0-9]+")


def suggest_by_recipe(case: Case) -> pd.DataFrame:
    """right_id, left_id (null: none), probability (the cosine; nothing calibrated) of every right row, in their order."""
    left_of, texts = _left_texts(case)
    rows, cols, scores = _nearest(_right_texts(case), texts)
    return chosen_links(case, rows, left_of[cols], scores)


def chosen_links(case: Case, rows: np.ndarray, cols: np.ndarray, scores: np.ndarray) -> pd.DataFrame:
    """One left row for each right row out of scored pairs (positions), the best pair first; where 1:1, a left row is given away once.

    Known decisions come first: a decided right row takes no part, and where 1:1 neither does its left row.
    """
    at_left = {one: at for at, one in enumerate(case.left["id"])}
    decided = {} if case.decisions is None else dict(zip(case.decisions["right_id"], case.decisions["left_id"], strict=True))
    taken = {at_left[one] for one in decided.values() if one in at_left} if case.relation == "one_to_one" else set()
    right_ids, left_ids = case.right["id"].tolist(), case.left["id"].tolist()
    best: dict[int, tuple[int, float]] = {}
    order = np.lexsort((cols, rows, -scores))
    for row, col, score in zip(rows[order].tolist(), cols[order].tolist(), scores[order].tolist(), strict=True):
        if row in best or col in taken or right_ids[row] in decided:
            continue
        best[row] = (col, score)
        if case.relation == "one_to_one":
            taken.add(col)
    found = [best.get(row) for row in range(len(right_ids))]
    return pd.DataFrame(
        {
            "right_id": right_ids,
            "left_id": pd.Series([None if one is None else left_ids[one[0]] for one in found], dtype="object"),
            "probability": [np.nan if one is None else min(max(one[1], 0.0), 1.0) for one in found],
            "verdict": "PROPOSE",
        }
    )


def plain_name(name: str) -> str:
    """Lower-case words without legal forms, unless nothing else is left."""
    words = _WORD.findall(anyascii(name).lower().replace("'", ""))
    return " ".join([word for word in words if word not in LEGAL_FORMS] or words)


def plain_texts(frame: pd.DataFrame) -> list[str]:
    """Name, and address and phone where the set has them, as one text a row."""
    columns = [frame[name].fillna("") for name in ("name", "address", "phone") if name in frame]
    return [" ".join((plain_name(name), *(plain_name(one) for one in others))) for name, *others in zip(*columns, strict=True)]


def _left_texts(case: Case) -> tuple[np.ndarray, list[str]]:
    """Position of the left row, and text, of every left row and every known right row."""
    texts, positions = plain_texts(case.left), np.arange(len(case.left))
    if case.decisions is None:
        return positions, texts
    at_left = {one: at for at, one in enumerate(case.left["id"])}
    text_of = dict(zip(case.right["id"], _right_texts(case), strict=True))
    pairs = zip(case.decisions["right_id"], case.decisions["left_id"], strict=True)
    known = [(at_left[one], text_of[other]) for other, one in pairs if one in at_left]
    return np.append(positions, [at for at, _ in known]).astype(int), [*texts, *(text for _, text in known)]


def _right_texts(case: Case) -> list[str]:
    return plain_texts(case.right)


def _nearest(right: list[str], left: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions of right and left text and cosine, the best few a right text."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sparse_dot_topn import sp_matmul_topn

    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3), dtype=np.float32).fit(left + right)
    near = sp_matmul_topn(vectors.transform(right), vectors.transform(left).T.tocsr(), top_n=CANDIDATES, threshold=0.1).tocoo()
    return near.row, near.col, near.data
