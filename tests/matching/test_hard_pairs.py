"""AUTO is never wrong on hand-written look-alikes: alone, among all of them, and in a book of ordinary clients.

Look-alikes and pairs that cannot be told without an id (``no`` and ``unknown`` in hard_pairs.csv) must never be AUTO; a right row whose left
row is known must never be AUTO elsewhere. What is the same under two names must at least be proposed, in the share set below.
"""

from __future__ import annotations

from collections import Counter

import pandas as pd
import pytest
from matching.pairs import ATTRIBUTES, KINDS, OWN_DOMAINS, Truth, frame, lefts, links, ordinary, read_pairs, rights, wrong_autos

from reconlib.matching import suggest_links

PROPOSED = {"client": 0.97, "product": 0.95}  # share of the pairs that are the same whose left row is the link or among the proposals


def report(wrong: list[str]) -> str:
    return f"{len(wrong)} wrong AUTO\n" + "\n".join(wrong)


def test_the_pairs_are_many_mixed_and_explained() -> None:
    pairs = read_pairs()
    assert [pair.number for pair in pairs] == list(range(1, len(pairs) + 1))
    assert len({(pair.kind, pair.left, pair.right) for pair in pairs}) == len(pairs) >= 220
    assert all(pair.reason.endswith(".") and len(pair.reason) > 10 for pair in pairs)
    assert {key for pair in pairs for item in (pair.left, pair.right) for key, _ in item.more} <= set(ATTRIBUTES)
    shares = Counter(pair.same for pair in pairs)
    assert set(shares) == {"yes", "no", "unknown"}
    assert shares["no"] + shares["unknown"] >= 0.5 * len(pairs)
    assert shares["yes"] >= 0.3 * len(pairs)
    assert {kind: sum(pair.kind == kind for pair in pairs) >= 100 for kind in KINDS} == dict.fromkeys(KINDS, True)


@pytest.mark.parametrize("kind", KINDS)
def test_no_wrong_auto_where_a_pair_stands_alone(kind: str) -> None:
    truth, wrong = Truth(kind), []
    for pair in read_pairs(kind):
        left, right = {"L": pair.left}, {"R": pair.right}
        wrong += wrong_autos(suggest_links(frame(left), frame(right), relation="many_to_one", own_domains=OWN_DOMAINS), left, right, truth)
    assert not wrong, report(wrong)


@pytest.mark.parametrize("relation", ["many_to_one", "one_to_one"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_wrong_auto_where_all_pairs_stand_together(kind: str, relation: str) -> None:
    left, right = lefts(kind), rights(kind)
    wrong = wrong_autos(suggest_links(frame(left), frame(right), relation=relation, own_domains=OWN_DOMAINS), left, right, Truth(kind))
    assert not wrong, report(wrong)


@pytest.mark.parametrize("kind", KINDS)
def test_no_wrong_auto_for_one_look_alike_among_all_we_own(kind: str) -> None:
    """No other vendor name is there to show that the name has a better owner, or that its words are common."""
    left, truth, wrong = lefts(kind), Truth(kind), []
    owned = frame(left)
    for item in dict.fromkeys(pair.right for pair in read_pairs(kind) if pair.same != "yes"):
        right = {"R": item}
        wrong += wrong_autos(suggest_links(owned, frame(right), relation="many_to_one", own_domains=OWN_DOMAINS), left, right, truth)
    assert not wrong, report(wrong)


@pytest.mark.parametrize("relation", ["many_to_one", "one_to_one"])
def test_no_wrong_auto_in_a_book_of_ordinary_clients(relation: str) -> None:
    left, right = lefts("client") | ordinary("L"), rights("client") | ordinary("R")
    answers = suggest_links(frame(left), frame(right), relation=relation, own_domains=OWN_DOMAINS)
    wrong = wrong_autos(answers, left, right, Truth("client"))
    assert not wrong, report(wrong)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_the_same_is_proposed(kind: str) -> None:
    share, missed = proposed(kind)
    assert share >= PROPOSED[kind], f"{share:.3f} of the pairs that are the same are proposed; not these:\n" + "\n".join(missed)


def proposed(kind: str) -> tuple[float, list[str]]:
    """Share of the pairs that are the same whose left row is offered, all pairs together, and the ones that are not."""
    left, right = lefts(kind), rights(kind)
    answers = suggest_links(frame(left), frame(right), relation="many_to_one", own_domains=OWN_DOMAINS)
    offered: dict[str, set[str]] = {row["right_id"]: {row["left_id"], *(key for key, _ in row["proposals"])} for row in links(answers)}
    name = {item: key for key, item in left.items()}, {item: key for key, item in right.items()}
    same = [pair for pair in read_pairs(kind) if pair.same == "yes"]
    missed = [f"pair {p.number}: {p.left} = {p.right}. {p.reason}" for p in same if name[0][p.left] not in offered[name[1][p.right]]]
    return 1 - len(missed) / len(same), missed


def test_a_wrong_auto_would_be_seen() -> None:
    """The rest of this file would pass with nothing in it if the check could not fail."""
    pair = next(pair for pair in read_pairs("client") if pair.same == "no")
    left, right = {"L": pair.left}, {"R": pair.right}
    answer = suggest_links(frame(left), frame(right), relation="many_to_one", own_domains=OWN_DOMAINS)
    forced = answer.assign(verdict="AUTO", left_id=pd.Series(["L"], dtype=object), probability=0.99)
    assert pair.reason in report(wrong_autos(forced, left, right, Truth("client")))
