"""reconlib's own suggestions, by a prior that has not seen the set it is asked about."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.matching.sets import Case

PRIORS = Path(__file__).with_name("priors")  # <set>.json: learnt on all sets but that one (train.py)


def suggest_by_reconlib(case: Case) -> pd.DataFrame:
    """What ``suggest_links`` returns."""
    from reconlib.matching import suggest_links

    return suggest_links(case.left, case.right, relation=case.relation, decisions=case.decisions, prior=prior_without(case.name))


def prior_without(set_name: str) -> Path | None:
    """The prior learnt without that set; none where there is none, so that the shipped one is taken (the page says so)."""
    path = PRIORS / f"{set_name}.json"
    return path if path.is_file() else None
