"""recordlinkage, as its manual shows it: index by first word and by sorted neighbourhood, compare, classify by expectation maximisation.

Small sets are compared in full. Its classifier sees whether each comparison is above a limit; equal probabilities are put in order by the
mean similarity, because most pairs of a set share the same few probabilities.
"""

from __future__ import annotations

import logging
import warnings

import numpy as np
import pandas as pd

from benchmarks.matching.baseline import chosen_links, plain_name
from benchmarks.matching.sets import Case

FULL_PAIRS = 1_000_000  # up to here every pair is compared
NEIGHBOURS = 9
ALIKE = 0.85  # similarity from which a comparison counts as agreeing


def suggest_by_recordlinkage(case: Case) -> pd.DataFrame:
    """Links as the recipe gives them; the score is the classifier's probability, the mean similarity within it."""
    import recordlinkage

    logging.getLogger("recordlinkage").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    left, right = _prepared(case.left), _prepared(case.right)
    index = recordlinkage.Index()
    if len(left) * len(right) <= FULL_PAIRS:
        index.full()
    else:
        index.block("first_word")
        index.sortedneighbourhood("name", window=NEIGHBOURS)
    pairs = index.index(left, right)
    compare = recordlinkage.Compare()
    compare.string("name", "name", method="jarowinkler", label="jarowinkler")
    compare.string("name", "name", method="qgram", label="qgram")
    compare.string("name", "name", method="cosine", label="cosine")
    if "phone" in left:
        compare.string("phone", "phone", method="levenshtein", label="phone")
        compare.string("address", "address", method="jarowinkler", label="address")
    alike = compare.compute(pairs, left, right)
    agrees = (alike >= ALIKE).astype(int)
    classifier = recordlinkage.ECMClassifier(binarize=None)
    classifier.fit(agrees)
    probability = classifier.prob(agrees).to_numpy(dtype=float)
    scores = 0.9 * probability + 0.1 * alike.mean(axis=1).to_numpy()
    rows, cols = alike.index.get_level_values(1).to_numpy(), alike.index.get_level_values(0).to_numpy()
    return chosen_links(case, rows.astype(int), cols.astype(int), np.nan_to_num(scores))


def _prepared(frame: pd.DataFrame) -> pd.DataFrame:
    name = frame["name"].map(plain_name)
    made = pd.DataFrame({"name": name, "first_word": name.str.split().str[0]})
    for column in ("phone", "address"):
        if column in frame:
            made[column] = frame[column].fillna("").str.lower()
    return made
