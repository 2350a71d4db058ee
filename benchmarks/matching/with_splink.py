"""splink on DuckDB, as its tutorial for linking shows it: blocking rules, comparisons with levels, weights by expectation maximisation.

Names block on any rarer word in common and on their first four letters; words that more than a hundredth of the rows have do not block.
It learns without labels; a known label is not given to it, because it takes labels only to estimate weights from whole labelled tables.
"""

from __future__ import annotations

import warnings
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.matching.baseline import chosen_links, plain_name
from benchmarks.matching.sets import Case

COMMON_WORD_SHARE = 0.01
SAMPLED_PAIRS = 1_000_000
SEED = 7
EXPECTED_RECALL = 0.5  # of the rule "the names are equal"


def suggest_by_splink(case: Case) -> pd.DataFrame:
    """Links as the recipe gives them; the score is splink's match probability."""
    import splink.comparison_library as cl
    from splink import Linker, SettingsCreator, block_on
    from splink.backends.duckdb import DuckDBAPI

    warnings.simplefilter("ignore")
    comparisons: list[Any] = [
        cl.JaroWinklerAtThresholds("name", [0.97, 0.93, 0.88, 0.8, 0.7]).configure(term_frequency_adjustments=True),
        cl.ArrayIntersectAtSizes("rare_words", [3, 2, 1]),
        cl.ExactMatch("first_word").configure(term_frequency_adjustments=True),
    ]
    rules: list[Any] = [block_on("rare_words", arrays_to_explode=["rare_words"]), block_on("substr(name, 1, 4)")]
    learnt_on = ["first_word", "substr(name, 1, 4)"]
    if "phone" in case.left:
        comparisons += [cl.LevenshteinAtThresholds("phone", [1, 2]), cl.JaroWinklerAtThresholds("address", [0.95, 0.85])]
        rules += [block_on("phone"), block_on("address")]
        learnt_on += ["phone", "address"]
    settings = SettingsCreator(link_type="link_only", comparisons=comparisons, blocking_rules_to_generate_predictions=rules)
    left, right = _prepared(case)
    api = DuckDBAPI()
    tables = [api.register(left, dataset_display_name="a_left"), api.register(right, dataset_display_name="b_right")]
    linker = Linker(tables, settings)
    if left["name"].isin(right["name"]).any():  # with no equal names splink fails: logarithm of nothing
        linker.training.estimate_probability_two_random_records_match([block_on("name")], recall=EXPECTED_RECALL)
    linker.training.estimate_u_using_random_sampling(max_pairs=SAMPLED_PAIRS, seed=SEED)
    for column in learnt_on:
        linker.training.estimate_parameters_using_expectation_maximisation(block_on(column))
    pairs = linker.inference.predict().as_pandas_dataframe()
    return chosen_links(
        case,
        pairs["unique_id_r"].to_numpy(dtype=int),
        pairs["unique_id_l"].to_numpy(dtype=int),
        np.nan_to_num(pairs["match_probability"].to_numpy(dtype=float)),
    )


def _prepared(case: Case) -> list[pd.DataFrame]:
    """Both sides with the columns splink compares; ``unique_id`` is the row's position."""
    names = [[plain_name(name) for name in side["name"]] for side in (case.left, case.right)]
    counts = Counter(word for side in names for name in side for word in set(name.split()))
    common = max(5, COMMON_WORD_SHARE * sum(len(side) for side in names))
    return [
        pd.DataFrame(
            {
                "unique_id": range(len(side)),
                "name": side,
                "first_word": [(name.split() or [""])[0] for name in side],
                "rare_words": [sorted({word for word in name.split() if counts[word] <= common}) for name in side],
                **{column: frame[column].str.lower() for column in ("phone", "address") if column in frame},
            }
        )
        for side, frame in zip(names, (case.left, case.right), strict=True)
    ]
