"""What the analyst's decisions teach: the weights of the evidence first, then how sure a link of so many points is.

The shipped prior counts as ``PRIOR_DECISIONS`` decisions, each decision as one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reconlib.matching.assignment import Relation, assign_pairs
from reconlib.matching.features import NAMES
from reconlib.matching.scoring import LINK_FEATURES, PRIOR_DECISIONS, Prior, fit_weights, link_bounds, link_rows, pair_points, sign_bounds

if TYPE_CHECKING:
    import numpy as np

    from reconlib.matching.comparing import Pairs
    from reconlib.matching.known import Known

FEWEST_DECISIONS = 5  # before the weights move
BEYOND = -4.0  # points: a decision that nothing speaks for was made on other knowledge, or is wrong; that pair teaches nothing
FIRMNESS = 1.0  # pull of a shipped weight: one point off costs half as much as a certain decision gone wrong


def learn(pairs: Pairs, extra: np.ndarray, known: Known, prior: Prior, relation: Relation) -> Prior:
    """The prior after the decisions. Every decided row is taken as if it were not: its own name was not lent to it."""
    import numpy as np

    settled = np.array(sorted(known.settled), dtype=np.int64)
    if len(settled) < FEWEST_DECISIONS:
        return prior
    taught = np.isin(pairs.right_at, settled)
    partner = np.full(int(max(pairs.right_at.max(initial=0), settled.max())) + 1, -1, dtype=np.int64)
    for b, a in known.mapped.items():
        partner[b] = a
    truth = pairs.left_at == partner[pairs.right_at]
    taught &= ~(truth & (pair_points(pairs.features, prior) + extra < BEYOND))
    if not truth[taught].any():
        return prior
    features = np.column_stack([pairs.features[taught], np.ones(int(taught.sum()))])
    centre = np.array([*(prior.weights[name] for name in NAMES), prior.base])
    weights = fit_weights(features, truth[taught], counts=np.ones(len(features)), centre=centre, firmness=FIRMNESS, bounds=sign_bounds())
    learned = replace(prior, base=float(weights[-1]), weights=dict(zip(NAMES, map(float, weights[:-1]), strict=True)))
    points = pair_points(pairs.features, learned) + extra
    links = assign_pairs(pairs.left_at, pairs.right_at, points, relation)
    rows = link_rows(points[links.pairs], links.margins)
    asked = np.isin(pairs.right_at[links.pairs], settled)
    sample = np.array(prior.link_sample)
    width = len(LINK_FEATURES)
    link_weights = fit_weights(
        np.vstack([sample[:, :width], rows[asked]]),
        np.concatenate([sample[:, width] > 0.5, truth[links.pairs][asked]]),
        counts=np.concatenate([np.full(len(sample), PRIOR_DECISIONS / len(sample)), np.ones(int(asked.sum()))]),
        centre=np.array(prior.link_weights),
        firmness=0.1,
        bounds=link_bounds(),
    )
    return replace(learned, link_weights=tuple(map(float, link_weights)))
