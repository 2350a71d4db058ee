"""Log-odds points for a pair, and the probability of a link; both logistic, so that an analyst can read what each fact was worth.

Two steps: every pair gets points from its features; then the links that were assigned are calibrated by their
points and their margins to the runners-up. The shipped weights (prior.json) come from public sets by
``python -m benchmarks.matching.train``; they weigh as ``PRIOR_DECISIONS`` decisions of the analyst, whose own count as one each.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from reconlib.errors import DataError
from reconlib.matching.features import AGAINST, FOR, NAMES

if TYPE_CHECKING:
    import numpy as np

PRIOR_DECISIONS = 60
WIDEST_MARGIN = 8.0  # points; what lies further away says no more
LINK_FEATURES = ("base", "points", "margin")  # margin: points ahead of the next left row; one to one, of the next right row too


@dataclass(frozen=True, slots=True)
class Prior:
    """What is known before the first decision. ``link_sample``: links of the public sets, right or not, that decisions weigh against."""

    base: float
    weights: Mapping[str, float]  # by feature
    link_weights: tuple[float, ...]  # by LINK_FEATURES
    link_sample: tuple[tuple[float, ...], ...]  # LINK_FEATURES, then 1.0 right or 0.0 wrong
    trained_on: tuple[str, ...] = ()


def read_prior(text: str) -> Prior:
    """A prior from its JSON.

    Raises:
        DataError: its features are not the ones this version computes.
    """
    found = json.loads(text)
    if set(found["weights"]) != set(NAMES):
        wrong = ", ".join(sorted(set(found["weights"]) ^ set(NAMES)))
        raise DataError(
            f"weights do not fit the features: {wrong}", where="prior", hint="train it again: python -m benchmarks.matching.train"
        )
    sample = tuple(tuple(row) for row in found["link_sample"])
    return Prior(found["base"], found["weights"], tuple(found["link_weights"]), sample, tuple(found["trained_on"]))


@cache
def shipped_prior() -> Prior:
    """The prior in the package."""
    return read_prior(files("reconlib.matching").joinpath("prior.json").read_text("utf-8"))


def sign_bounds() -> list[tuple[float | None, float | None]]:
    """What each feature's weight may be, in the order of ``NAMES``; the base after them may be anything."""
    return [(0.0 if name in FOR else None, 0.0 if name in AGAINST else None) for name in NAMES] + [(None, None)]


def link_bounds() -> list[tuple[float | None, float | None]]:
    """More points and wider margins never make a link less likely."""
    return [(None, None), *[(0.0, None)] * (len(LINK_FEATURES) - 1)]


def pair_points(features: np.ndarray, prior: Prior) -> np.ndarray:
    """Points of each pair: the log of the odds that it is one and the same, margins not yet seen."""
    import numpy as np

    return np.asarray(features @ np.array([prior.weights[name] for name in NAMES]) + prior.base)


def fit_weights(
    features: np.ndarray,
    truth: np.ndarray,
    *,
    counts: np.ndarray,
    centre: np.ndarray,
    firmness: np.ndarray | float,
    bounds: Sequence[tuple[float | None, float | None]] | None = None,
) -> np.ndarray:
    """Logistic weights drawn to ``centre`` as firmly as said, and kept within ``bounds``.

    Deterministic: the sum is convex and is solved to its one minimum.
    """
    import numpy as np
    from scipy.optimize import minimize

    signs = np.where(truth, 1.0, -1.0)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        margin = signs * (features @ weights)
        pull = weights - centre
        slope = -signs * counts / (1 + np.exp(np.clip(margin, -500, 500)))
        value = (counts * np.logaddexp(0, -margin)).sum() + 0.5 * (firmness * pull**2).sum()
        return float(value), features.T @ slope + firmness * pull

    return np.asarray(
        minimize(loss, centre, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500, "ftol": 1e-12, "gtol": 1e-8}).x
    )


def link_rows(points: np.ndarray, margins: np.ndarray) -> np.ndarray:
    """``LINK_FEATURES`` of links."""
    import numpy as np

    return np.column_stack([np.ones(len(points)), points, margins])


def link_chances(points: np.ndarray, margins: np.ndarray, prior: Prior) -> np.ndarray:
    """Probability of each link."""
    import numpy as np

    odds = link_rows(points, margins) @ np.array(prior.link_weights)
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -500, 500))))
