"""reconlib's own suggestions, by a prior that has not seen the set it is asked about."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.matching.sets import Case
from reconlib.matching.scoring import Prior, read_prior, shipped_prior

PRIORS = Path(__file__).with_name("priors")  # <set>.json: learnt on all sets but that one (train.py)


def suggest_by_reconlib(case: Case) -> pd.DataFrame:
    """What ``suggest_links`` returns."""
    from reconlib.matching import suggest_links

    return suggest_links(case.left, case.right, relation=case.relation, decisions=case.decisions, prior=prior_without(case.name))


def prior_without(set_name: str) -> Prior:
    """The prior learnt without that set; the shipped one where there is none (see ``has_seen``)."""
    path = PRIORS / f"{set_name}.json"
    return read_prior(path.read_text("utf-8")) if path.is_file() else shipped_prior()


def has_seen(set_name: str) -> bool:
    """Whether the prior it is judged by was learnt on that set too."""
    return any(name.split()[0] == set_name for name in prior_without(set_name).trained_on)
