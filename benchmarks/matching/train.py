"""Makes the prior that reconlib ships, and one for each labelled set that has not seen that set: ``python -m benchmarks.matching.train``.

No labelled set but one has phones and addresses, and none has domains on both sides, so what those are worth is taught by a plain
assumption, written down in ``CONTACTS``: how often the same client is known under the same one, and how often two clients share one.
``SHORTENINGS`` says how people shorten registered names. Everything else is learned from the sets.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.matching.sets import Case, Relation, SharedDataAbsentError, load_case, open_world
from reconlib.matching.assignment import assign_pairs
from reconlib.matching.comparing import compare_frames
from reconlib.matching.features import FEATURES, NAMES
from reconlib.matching.scoring import LINK_FEATURES, PRIOR_DECISIONS, Prior, fit_weights, link_bounds, link_rows, pair_points, sign_bounds
from reconlib.matching.sides import common_words

LEARNED = ("canlobby", "sec_listings", "sec_yahoo", "chicago_sites", "twofa_name_domain", "fd_name_domain")
SEEDS = (101, 102)  # other open worlds than the one that is scored
SET_WEIGHT = 1000.0  # every set counts the same, however many rows it has
SAMPLE = 240  # links kept in the prior to weigh decisions against
SHIPPED = Path(__file__).resolve().parents[2] / "reconlib" / "matching" / "prior.json"
PRIORS = Path(__file__).resolve().parent / "priors"

# (known on both sides, the same, nearly the same) for one client, and for two whose names are alike.
CONTACTS = {
    "domain": {True: (0.5, 0.65, 0.15), False: (0.5, 0.01, 0.005)},  # nearly: acme.com and acme.de
    "phone": {True: (0.6, 0.6, 0.0), False: (0.6, 0.05, 0.0)},  # branches share a switchboard
    "address": {True: (0.6, 0.85, 0.06), False: (0.6, 0.03, 0.03)},
}
RENAMED = 0.08  # of the clients with a phone or an address have a name at the vendor that says nothing


SHORTENED = ("sec_listings", "sec_yahoo")  # full registered names, which people shorten
# How people shorten a name: share of names, words kept from the front (0: all but the last), whether a common word is put behind.
SHORTENINGS = ((0.35, 99, False), (0.1, 1, False), (0.2, 2, False), (0.15, 0, False), (0.1, 0, True), (0.1, 1, True))


@dataclass(frozen=True, slots=True)
class Lesson:
    """One open world of one set, compared."""

    name: str
    relation: Relation
    left: np.ndarray
    right: np.ndarray
    features: np.ndarray
    truth: np.ndarray


def read_lesson(name: str, seed: int) -> Lesson:
    """A set's compared pairs and which of them are true."""
    return compare_case(open_world(load_case(name), seed))


def shorten(case: Case, seed: int) -> Case:
    """The case with its right names shortened as people do, by ``SHORTENINGS``."""
    chance = np.random.default_rng(seed)
    common = sorted(common_words())
    shares = [share for share, _, _ in SHORTENINGS]
    names = []
    for name in case.right["name"]:
        _, kept, behind = SHORTENINGS[chance.choice(len(SHORTENINGS), p=shares)]
        words = str(name).split()
        words = words[: kept or max(1, len(words) - 1)]
        names.append(" ".join([*words, chance.choice(common).title()] if behind else words))
    return replace(case, name=f"{case.name} shortened", right=case.right.assign(name=names))


def compare_case(case: Case) -> Lesson:
    """A case's compared pairs and which of them are true."""
    pairs = compare_frames(case.left, case.right, relation=case.relation)
    true = set(zip(case.truth["right_id"], case.truth["left_id"], strict=True))
    left_ids, right_ids = case.left["id"].to_numpy()[pairs.left_at], case.right["id"].to_numpy()[pairs.right_at]
    truth = np.array([pair in true for pair in zip(right_ids, left_ids, strict=True)], dtype=bool)
    return Lesson(case.name, case.relation, pairs.left_at, pairs.right_at, pairs.features, truth)


def add_contacts(lesson: Lesson, seed: int) -> Lesson:
    """The lesson as it would be with phones and addresses, by ``CONTACTS``; some true names replaced by ones that say nothing."""
    chance = np.random.default_rng(seed)
    features = lesson.features.copy()
    column = {name: at for at, name in enumerate(NAMES)}
    renamed = lesson.truth & (chance.random(len(features)) < RENAMED)
    strangers = np.flatnonzero(~lesson.truth)
    named = np.array([at for at, name in enumerate(NAMES) if FEATURES[name] in {"name", "conflict"}])
    features[np.ix_(np.flatnonzero(renamed), named)] = features[np.ix_(chance.choice(strangers, renamed.sum()), named)]
    columns = (
        ("domain", "same_host", "hosts_differ"),
        ("phone", "same_phone", "phones_differ"),
        ("address", "same_address", "address_differs"),
    )
    for kind, same, differs in columns:
        for truth, (known, equal, near) in CONTACTS[kind].items():
            rows = np.flatnonzero((lesson.truth == truth) & (chance.random(len(features)) < known))
            drawn = chance.random(len(rows))
            is_near = (drawn >= equal) & (drawn < equal + near)
            features[rows, column[same]] = np.where(drawn < equal, 1.0, np.where(is_near & (kind == "address"), 0.5, 0.0))
            if kind == "domain":
                features[rows, column["same_label"]] = is_near
            features[rows, column[differs]] = np.where(drawn < equal + near, 0.0, 1.0)
    return Lesson(f"{lesson.name} with contacts", lesson.relation, lesson.left, lesson.right, features, lesson.truth)


def fit_prior(lessons: Sequence[Lesson]) -> Prior:
    """Weights of the pairs' features, then of the links', every lesson counting the same."""
    features = np.vstack([lesson.features for lesson in lessons])
    truth = np.concatenate([lesson.truth for lesson in lessons])
    counts = np.concatenate([np.full(len(lesson.truth), SET_WEIGHT / lesson.truth.sum()) for lesson in lessons])
    based = np.column_stack([features, np.ones(len(features))])
    firmness = np.array([1.0] * len(NAMES) + [1e-6])
    weights = fit_weights(based, truth, counts=counts, centre=np.zeros(len(firmness)), firmness=firmness, bounds=sign_bounds())
    names = tuple(sorted({lesson.name for lesson in lessons}))
    prior = Prior(float(weights[-1]), dict(zip(NAMES, map(float, weights[:-1]), strict=True)), (), (), names)
    links = [lesson_links(lesson, prior) for lesson in lessons]
    rows = np.vstack([found for found, _ in links])
    right = np.concatenate([found for _, found in links])
    counts = np.concatenate([np.full(len(found), SET_WEIGHT / len(found)) for found, _ in links])
    width = len(LINK_FEATURES)
    link_weights = fit_weights(rows, right, counts=counts, centre=np.zeros(width), firmness=1e-3, bounds=link_bounds())
    return Prior(prior.base, prior.weights, tuple(map(float, link_weights)), _sample(rows, right, counts), names)


def lesson_links(lesson: Lesson, prior: Prior) -> tuple[np.ndarray, np.ndarray]:
    """Link features of the assigned pairs, and whether they are right."""
    points = pair_points(lesson.features, prior)
    links = assign_pairs(lesson.left, lesson.right, points, lesson.relation)
    return link_rows(points[links.pairs], links.margins), lesson.truth[links.pairs]


def _sample(rows: np.ndarray, right: np.ndarray, counts: np.ndarray) -> tuple[tuple[float, ...], ...]:
    """Links drawn by their weight, the same ones every time."""
    chance = np.random.default_rng(PRIOR_DECISIONS)
    drawn = np.sort(chance.choice(len(rows), SAMPLE, replace=False, p=counts / counts.sum()))
    return tuple((*(round(float(value), 3) for value in rows[at]), float(right[at])) for at in drawn)


def write_prior(path: Path, prior: Prior) -> None:
    """The prior as JSON, six decimals, the same bytes for the same weights."""
    path.parent.mkdir(exist_ok=True)
    body = {
        "base": round(prior.base, 6),
        "weights": {name: round(prior.weights[name], 6) for name in NAMES},
        "link_weights": [round(weight, 6) for weight in prior.link_weights],
        "trained_on": prior.trained_on,
        "link_sample": prior.link_sample,
    }
    text = json.dumps(body, indent=1).replace("\n   ", " ").replace("\n  ]", " ]")
    path.write_text(text + "\n", "utf-8")


def main() -> None:
    """The shipped prior from all sets, and each set's from the others."""
    try:
        lessons = {name: [read_lesson(name, seed) for seed in SEEDS] for name in LEARNED}
        for name in SHORTENED:
            lessons[name] += [compare_case(shorten(open_world(load_case(name), seed), seed)) for seed in SEEDS]
    except SharedDataAbsentError as error:
        sys.exit(str(error))
    for left_out in (None, *LEARNED):
        taken = [lesson for name, found in lessons.items() if name != left_out for lesson in found]
        taken += [add_contacts(lesson, seed) for seed, lesson in enumerate(taken) if lesson.name != "chicago_sites"]
        path = PRIORS / f"{left_out}.json" if left_out else SHIPPED
        write_prior(path, fit_prior(taken))
        sys.stdout.write(f"{path.name}: {len(taken)} lessons\n")


if __name__ == "__main__":
    main()
