"""The matcher: for each right row the left row it is, how likely, why, and what comes second (docs/matching.md).

Order of evidence: what people decided, ids, dated aliases, domains, phones and addresses, names. Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reconlib.errors import DataError, nearest
from reconlib.matching.assignment import RELATIONS, Relation, assign_pairs, link_margins
from reconlib.matching.comparing import Pairs, compare_frames
from reconlib.matching.domains import read_domain
from reconlib.matching.evidence import say_conflicts, set_points
from reconlib.matching.known import Known, lend_names, read_id, read_known
from reconlib.matching.learning import learn
from reconlib.matching.reasons import explain_pair, give_reason, leading_kind, points_by_kind
from reconlib.matching.scoring import Prior, link_chances, pair_points, shipped_prior
from reconlib.matching.verdicts import (
    AUTO,
    CONTRADICTION,
    PROPOSE,
    SHOWN,
    UNMATCHED,
    Unique,
    contradicts,
    count_names,
    is_certain,
    is_same_name,
    may_be_auto,
    shared_contacts,
)

if TYPE_CHECKING:
    from datetime import date

    import numpy as np
    import pandas as pd

    from reconlib.aliases import AliasTable

KINDS = ("id", "alias", "domain", "phone", "address", "name", "conflict", "context")
COLUMNS = (
    *("right_id", "left_id", "probability", "verdict", "decided_by", "reason"),
    *(f"points_{kind}" for kind in KINDS),
    *("left_explained", "left_unexplained", "right_explained", "right_unexplained", "conflicts"),
    *("runner_up_id", "runner_up_probability", "proposals"),
)
NOTED = 1e-6  # a runner-up less likely is none
PROPOSED = 3  # left rows shown for one right row


@dataclass(frozen=True, slots=True)
class Scored:
    """Pairs, one for each left and right row, with their points and the probability each would have as a link."""

    pairs: Pairs
    points: np.ndarray
    extra: np.ndarray  # set points by id, alias, conflict
    chances: np.ndarray
    margins: np.ndarray  # points ahead of the best other pair of the same row, see scoring.LINK_FEATURES
    prior: Prior


def suggest_links(
    left: pd.DataFrame,
    right: pd.DataFrame,
    *,
    relation: Relation,
    decisions: pd.DataFrame | None = None,
    own_domains: Iterable[str] = (),
    aliases: AliasTable | None = None,
    as_of: date | None = None,
    prior: Prior | None = None,
) -> pd.DataFrame:
    """The left row each right row is, one row a right row, in its order. Suggestions only: nothing is decided.

    Grain: one row a ``right_id``. ``left_id`` is null where nothing is likely. ``probability`` 0..1; ``points_*`` are log-odds by kind of
    evidence and add up to the probability's; ``verdict`` see ``verdicts``; ``decided_by`` names the evidence that weighs most, or
    ``decision``. A decided row keeps what was decided; its probability is what the evidence says of it without the decision.

    Args:
        left: what we own; columns id, name, and any of domain, email, phone, address, external_id, sku, term. Text, nulls allowed; ids
            may be numbers and come back as they were.
        right: what a vendor calls it; the same columns. An ``external_id`` is an id of the left side that the vendor carries.
        relation: ``one_to_one``, or ``many_to_one`` where many right rows may be one left row.
        decisions: right_id, left_id, decision (map, reject, exclude; null: map). Settles its rows and teaches the others.
        own_domains: domains that say nothing, as the MSP's own.
        aliases: product aliases; None: the packaged table.
        as_of: the day on which the right side's products are called so. It decides between products that had a name or id one after
            another, where the last change lies a year back or more; None: such a name is ambiguous.
        prior: weights before the first decision; None: the shipped ones.

    Raises:
        DataError: an unknown relation, a missing column, an id that stands twice, or a decision about a row that is not there.
    """
    if relation not in RELATIONS:
        raise DataError(f"{relation!r} is no relation", where="relation", hint=nearest(str(relation), RELATIONS))
    given = [dict(zip(map(read_id, frame["id"]), frame["id"], strict=True)) if "id" in frame else {} for frame in (left, right)]
    left, right = _checked(left, "left"), _checked(right, "right")
    known = read_known(decisions, left, right)
    own = frozenset(found.host for text in own_domains if (found := read_domain(text)))
    lent = lend_names(known, right)
    pairs = compare_frames(left, right, relation=relation, own=own, lent=lent, decided=known.mapped, aliases=aliases, as_of=as_of)
    scored = _score(_without_rejected(pairs, known), known, prior or shipped_prior(), relation)
    rows = _rows([given[0][one] for one in left["id"]], right["id"].tolist(), scored, known, relation)
    made = {row["right_id"]: row for row in rows}
    return _frame([made[text] | {"right_id": one} for text, one in given[1].items()])


def _checked(frame: pd.DataFrame, side: str) -> pd.DataFrame:
    for column in ("id", "name"):
        if column not in frame:
            raise DataError(f"no column {column!r}", where=side, hint="each side needs id and name")
    if frame["id"].isna().any():
        raise DataError("an id is missing", where=f"{side}, column id", hint="give every row its own id")
    frame = frame.assign(id=frame["id"].map(read_id))
    ids = frame["id"]
    if (twice := ids[ids.duplicated()]).size:
        raise DataError(f"id {twice.iloc[0]!r} stands twice", where=f"{side}, column id", hint="give every row its own id")
    return frame.sort_values("id", ignore_index=True)  # so that the order of rows plays no part


def _without_rejected(pairs: Pairs, known: Known) -> Pairs:
    if not known.rejected:
        return pairs
    import numpy as np

    return pairs.take(np.array([pair not in known.rejected for pair in zip(pairs.left_at.tolist(), pairs.right_at.tolist(), strict=True)]))


def _score(pairs: Pairs, known: Known, prior: Prior, relation: Relation) -> Scored:
    """Points and chances, the prior taught by the decisions; of a row's several names the one that fits best."""
    import numpy as np

    extra = set_points(pairs)
    best = _best_names(pairs, pair_points(pairs.features, prior) + extra.sum(axis=1))
    pairs, extra = pairs.take(best), extra[best]
    learned = learn(pairs, extra.sum(axis=1), known, prior, relation)
    points = pair_points(pairs.features, learned) + extra.sum(axis=1)
    everything = np.arange(len(points))
    margins = link_margins(pairs.left_at, pairs.right_at, points, everything, relation)
    return Scored(pairs, points, extra, link_chances(points, margins, learned), margins, learned)


def _best_names(pairs: Pairs, points: np.ndarray) -> np.ndarray:
    """Positions of the best pair of each left and right row, in the order of the pairs."""
    import numpy as np

    order = np.lexsort((pairs.left, -np.round(points, 9), pairs.left_at, pairs.right_at))
    a, b = pairs.left_at[order], pairs.right_at[order]
    first = np.concatenate([[True], (a[1:] != a[:-1]) | (b[1:] != b[:-1])]) if len(order) else np.zeros(0, dtype=bool)
    return np.sort(order[first])


def _assign(scored: Scored, known: Known, relation: Relation) -> dict[int, int]:
    """Right position → position in the table of pairs, for rows that are not decided; one to one, decided left rows are taken."""
    import numpy as np

    pairs = scored.pairs
    free = ~np.isin(pairs.right_at, sorted(known.settled))
    if relation == "one_to_one":
        free &= ~np.isin(pairs.left_at, sorted(known.mapped.values()))
    at = np.flatnonzero(free)
    links = assign_pairs(pairs.left_at[at], pairs.right_at[at], scored.points[at], relation)
    return {int(pairs.right_at[one]): int(one) for one in at[links.pairs]}


def _exclude_others(scored: Scored, chosen: dict[int, int], known: Known, relation: Relation) -> np.ndarray:
    """Chances of what was not chosen: no more than what the chosen link of the same row leaves over."""
    import numpy as np

    pairs, chances = scored.pairs, scored.chances.copy()
    taken = np.zeros(len(chances), dtype=bool)
    taken[list(chosen.values())] = True
    sides = [pairs.right_at] + ([pairs.left_at] if relation == "one_to_one" else [])
    for side in sides:
        spent = np.zeros(int(side.max(initial=0)) + 1)
        np.maximum.at(spent, side[taken], scored.chances[taken])
        if side is pairs.left_at:
            spent[[a for a in known.mapped.values() if a < len(spent)]] = 1.0
        chances = np.where(taken | np.isin(pairs.right_at, sorted(known.settled)), chances, np.minimum(chances, 1 - spent[side]))
    return chances


def _rows(left_ids: list[Any], right_ids: list[str], scored: Scored, known: Known, relation: Relation) -> list[dict[str, Any]]:
    chosen = _assign(scored, known, relation)
    scored = replace(scored, chances=_exclude_others(scored, chosen, known, relation))
    by_right: dict[int, list[int]] = {}
    order = sorted(range(len(scored.points)), key=lambda at: (-scored.chances[at], -scored.points[at], int(scored.pairs.left_at[at])))
    for at in order:
        by_right.setdefault(int(scored.pairs.right_at[at]), []).append(at)
    names = count_names(scored.pairs.sides)
    rows = []
    for b, right_id in enumerate(right_ids):
        found = by_right.get(b, [])
        settled = b in known.settled
        row = _decided(scored, found, known.mapped.get(b), names) if settled else _suggested(scored, found, chosen.get(b), names)
        others = [at for at in found if at != row["pair"] and scored.chances[at] >= NOTED]
        at = row.pop("pair")
        row |= {
            "right_id": right_id,
            "left_id": None if row["left_at"] is None else left_ids[row["left_at"]],
            "runner_up_id": left_ids[int(scored.pairs.left_at[others[0]])] if others else None,
            "runner_up_probability": float(scored.chances[others[0]]) if others else None,
            "proposals": tuple(
                (left_ids[int(scored.pairs.left_at[one])], float(scored.chances[one])) for one in ([at] if at is not None else []) + others
            )[:PROPOSED],
        }
        del row["left_at"]
        rows.append(row)
    return rows


def _suggested(scored: Scored, found: list[int], at: int | None, names: Unique) -> dict[str, Any]:
    """One undecided right row."""
    if at is None or scored.chances[at] < SHOWN:
        near = None if at is None or scored.chances[at] < NOTED else float(scored.chances[at])
        return _nothing("nothing is like it" if not found else "nothing is like it enough", near) | {"pair": at}
    told = _explained(scored, at)
    points = {kind: told[f"points_{kind}"] for kind in KINDS}
    if not told["right_explained"] and all(points[kind] <= 0 for kind in ("id", "alias", "domain", "phone", "address")):
        return _nothing("no word in common, nor anything else", float(scored.chances[at])) | {"pair": at}
    return told | {"verdict": _verdict(scored, at, told, names), "decided_by": leading_kind(points)}


def _decided(scored: Scored, found: list[int], left_at: int | None, names: Unique) -> dict[str, Any]:
    """One right row people settled: what they said, and what the evidence says of it."""
    if left_at is None:
        return _nothing("decided: it has no partner", None) | {"decided_by": "decision"}
    at = next(one for one in found if int(scored.pairs.left_at[one]) == left_at)  # decided pairs are always compared
    better = next((float(scored.chances[one]) for one in found if one != at), None)
    told = _explained(scored, at)
    against = contradicts(float(scored.chances[at]), better)
    said = "decided, but the evidence is against it" if against else "decided by a person"
    verdict = CONTRADICTION if against else _verdict(scored, at, told, names)
    return told | {"verdict": verdict, "decided_by": "decision", "reason": f"{said}; {told['reason']}"}


def _verdict(scored: Scored, at: int, told: Mapping[str, Any], names: Unique) -> str:
    """What the evidence says of one pair."""
    left, right = scored.pairs.sides.left[int(scored.pairs.left[at])], scored.pairs.sides.right[int(scored.pairs.right[at])]
    chance, margin = float(scored.chances[at]), float(scored.margins[at])
    if chance < SHOWN:
        return UNMATCHED
    by_alias = told["points_alias"] > 0 and is_certain(left, right, names)
    certain = told["points_id"] > 0 or by_alias or is_same_name(left, right, names)
    contacts = shared_contacts(left, right)
    sure = may_be_auto(chance=chance, margin=margin, conflicts=bool(told["conflicts"]), certain=certain, contacts=contacts, words=told)
    return AUTO if sure else PROPOSE


def _explained(scored: Scored, at: int) -> dict[str, Any]:
    pairs, sides = scored.pairs, scored.pairs.sides
    left, right = sides.left[int(pairs.left[at])], sides.right[int(pairs.right[at])]
    chance = float(scored.chances[at])
    points = points_by_kind(pairs.features[at], scored.extra[at], scored.prior, chance)
    words = explain_pair(left, right)
    conflicts = say_conflicts(left, right)
    return {
        "pair": at,
        "left_at": int(pairs.left_at[at]),
        "probability": chance,
        "reason": give_reason(left, right, points, words, conflicts),
        **{f"points_{kind}": points[kind] for kind in KINDS},
        **words,
        "conflicts": "; ".join(conflicts),
    }


def _nothing(reason: str, chance: float | None) -> dict[str, Any]:
    return {
        "pair": None,
        "left_at": None,
        "probability": chance,
        "verdict": UNMATCHED,
        "decided_by": "none",
        "reason": reason,
        **{f"points_{kind}": 0.0 for kind in KINDS},
        **dict.fromkeys(("left_explained", "left_unexplained", "right_explained", "right_unexplained", "conflicts"), ""),
    }


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    for column in ("probability", "runner_up_probability", *(f"points_{kind}" for kind in KINDS)):
        frame[column] = frame[column].astype("float64")
    for column in ("left_id", "runner_up_id"):
        frame[column] = pd.Series([row[column] for row in rows], dtype="object")
    return frame
