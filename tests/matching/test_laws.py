"""Laws of the matcher: the same input gives the same links, whatever the order, the ids, the side; what a person decided stays."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from matching.pairs import OWN_DOMAINS, frame, lefts, links, ordinary, rights

from reconlib.matching import suggest_links

RELATIONS = ("many_to_one", "one_to_one")
COLUMNS = [
    "right_id", "left_id", "probability", "verdict",
    "points_id", "points_alias", "points_domain", "points_phone",
    "points_address", "points_name", "points_conflict", "points_context",
    "left_explained", "left_unexplained", "right_explained", "right_unexplained",
    "conflicts", "runner_up_id", "runner_up_probability", "proposals", "decided_by", "reason",
]  # fmt: skip
VERDICTS = {"AUTO", "PROPOSE", "UNMATCHED", "CONTRADICTION"}
DECIDERS = {"decision", "id", "alias", "domain", "phone", "address", "name", "none"}
WORDS = (
    "Acme",
    "Dental",
    "Northwind",
    "Lab",
    "Canada",
    "II",
    "2",
    "Birch",
    "Birches",
    "GmbH",
    "Inc",
    "& Sons",
    "St. Mary's",
    "مكتبة",
    "🦊",
    "DENTAL",
)
names = st.lists(st.sampled_from(WORDS), min_size=0, max_size=4).map(" ".join)
few = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate, Phase.shrink),
)
rows = st.lists(st.tuples(names, st.sampled_from((None, "acme.example", "birch.example", "gmail.com"))), min_size=1, max_size=8)


def sides() -> tuple[pd.DataFrame, pd.DataFrame]:
    """A book of middle size: hard clients and ordinary ones."""
    return frame(lefts("client") | ordinary("L", 120)), frame(rights("client") | ordinary("R", 120))


def match(left: pd.DataFrame, right: pd.DataFrame, relation: str = "many_to_one", **more: Any) -> pd.DataFrame:
    return suggest_links(left, right, relation=relation, own_domains=OWN_DOMAINS, **more)


def shuffled(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    order = list(range(len(table)))
    Random(seed).shuffle(order)  # noqa: S311 - an order, not a secret
    return table.iloc[order].reset_index(drop=True)


def told(answers: pd.DataFrame) -> dict[str, tuple[Any, ...]]:
    """What is said of each right row, probabilities to nine places."""
    return {row["right_id"]: tuple(_plain(row[name]) for name in COLUMNS[1:]) for row in links(answers)}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_plain(part) for part in value)
    if isinstance(value, float):
        return None if pd.isna(value) else round(value, 9)
    return None if value is None or value is pd.NA else value


def table(given_rows: list[tuple[str, str | None]], side: str) -> pd.DataFrame:
    return pd.DataFrame([{"id": f"{side}{n}", "name": name, "domain": domain} for n, (name, domain) in enumerate(given_rows)], dtype=object)


@pytest.mark.parametrize("relation", RELATIONS)
def test_answers_have_the_agreed_columns_one_row_a_right_row_in_its_order(relation: str) -> None:
    left, right = sides()
    answers = match(left, right, relation)
    assert sorted(answers.columns) == sorted(COLUMNS)
    assert answers["right_id"].tolist() == right["id"].tolist()
    assert set(answers["verdict"]) <= VERDICTS
    assert set(answers["decided_by"]) <= DECIDERS
    known = set(left["id"])
    for row in links(answers):
        assert row["left_id"] is None or row["left_id"] in known
        assert pd.isna(row["probability"]) or 0 <= row["probability"] <= 1
        assert len(row["proposals"]) <= 3
        assert {key for key, _ in row["proposals"]} <= known
        assert row["verdict"] != "AUTO" or (row["left_id"] and row["conflicts"] == "")
        assert row["reason"]


@pytest.mark.parametrize("relation", RELATIONS)
def test_twice_is_the_same_and_the_input_is_left_alone(relation: str) -> None:
    left, right = sides()
    before = left.copy(), right.copy()
    assert told(match(left, right, relation)) == told(match(left, right, relation))
    pd.testing.assert_frame_equal(left, before[0])
    pd.testing.assert_frame_equal(right, before[1])


@pytest.mark.parametrize("relation", RELATIONS)
def test_the_order_of_rows_does_not_matter(relation: str) -> None:
    left, right = sides()
    expected = told(match(left, right, relation))
    for seed in (1, 2):
        assert told(match(shuffled(left, seed), shuffled(right, seed + 10), relation)) == expected


@few
@given(left=rows, right=rows, seed=st.integers(0, 99), relation=st.sampled_from(RELATIONS))
def test_the_order_of_a_few_rows_does_not_matter(left: list[Any], right: list[Any], seed: int, relation: str) -> None:
    ours, theirs = table(left, "L"), table(right, "R")
    assert told(match(shuffled(ours, seed), shuffled(theirs, seed), relation)) == told(match(ours, theirs, relation))


def test_one_to_one_links_are_the_same_from_either_side() -> None:
    left, right = (side.drop(columns="external_id") for side in sides())  # a vendor carries our ids, we do not carry the vendor's
    assert pairs_of(match(left, right, "one_to_one"), "left_id", "right_id") == pairs_of(
        match(right, left, "one_to_one"), "right_id", "left_id"
    )


@few
@given(left=rows, right=rows)
def test_a_few_one_to_one_links_are_the_same_from_either_side(left: list[Any], right: list[Any]) -> None:
    ours, theirs = table(left, "L"), table(right, "R")
    forth = pairs_of(match(ours, theirs, "one_to_one"), "left_id", "right_id")
    assert forth == pairs_of(match(theirs, ours, "one_to_one"), "right_id", "left_id")


def pairs_of(answers: pd.DataFrame, ours: str, theirs: str) -> dict[tuple[str, str], tuple[float, str]]:
    """Link → probability and verdict."""
    return {(row[ours], row[theirs]): (round(row["probability"], 6), row["verdict"]) for row in links(answers) if row["left_id"]}


@few
@given(left=rows, right=rows)
def test_one_to_one_never_gives_a_left_row_twice(left: list[Any], right: list[Any]) -> None:
    given_out = [row["left_id"] for row in links(match(table(left, "L"), table(right, "R"), "one_to_one")) if row["left_id"]]
    assert len(given_out) == len(set(given_out))


@pytest.mark.parametrize("relation", RELATIONS)
def test_ids_of_two_systems_that_happen_to_be_equal_say_nothing(relation: str) -> None:
    left, right = sides()
    new_left = {old: f"{n:05}" for n, old in enumerate(sorted(left["id"]))}
    new_right = {old: f"{n:05}" for n, old in enumerate(sorted(right["id"]))}
    plain = {new_right[key]: (new_left.get(row[0]), row[1], row[2]) for key, row in told(match(left, right, relation)).items()}
    renamed = match(left.assign(id=left["id"].map(new_left)), right.assign(id=right["id"].map(new_right)), relation)
    assert {key: row[:3] for key, row in told(renamed).items()} == plain


@pytest.mark.parametrize("relation", RELATIONS)
def test_a_rejected_pair_never_comes_back(relation: str) -> None:
    left, right = sides()
    first = [row for row in links(match(left, right, relation)) if row["left_id"]]
    rejected = {(row["right_id"], row["left_id"]) for row in first}
    decisions = decided({key: (ours, "reject") for key, ours in rejected})
    assert rejected
    for row in links(match(left, right, relation, decisions=decisions)):
        named = {row["left_id"], row["runner_up_id"], *(key for key, _ in row["proposals"])}
        assert not {(row["right_id"], key) for key in named} & rejected


@pytest.mark.parametrize("relation", RELATIONS)
def test_decided_rows_stay_decided(relation: str) -> None:
    left, right = sides()
    first = [row for row in links(match(left, right, relation)) if row["verdict"] == "AUTO"]
    mapped = {row["right_id"]: (row["left_id"], "map") for row in first[::2]}
    excluded = {row["right_id"]: (None, "exclude") for row in first[1::4]}
    nobody = {row["right_id"]: (None, "map") for row in first[3::4]}
    decisions = decided(mapped | excluded | nobody)
    after = {row["right_id"]: row for row in links(match(left, right, relation, decisions=decisions))}
    assert mapped
    assert excluded
    assert nobody
    for key, (ours, _) in (mapped | excluded | nobody).items():
        assert after[key]["left_id"] == ours, after[key]
        assert after[key]["decided_by"] == "decision"


def test_a_left_row_given_by_decision_is_not_given_again_one_to_one() -> None:
    left = table([("Birch Dental", None), ("Elm Freight", None)], "L")
    right = table([("Quarry Hotels", None), ("Birch Dental", None)], "R")
    answers = list(links(match(left, right, "one_to_one", decisions=decided({"R0": ("L0", "map")}))))
    assert answers[0]["left_id"] == "L0"
    assert answers[1]["left_id"] != "L0"


def test_a_remembered_name_is_evidence_for_the_next_row_of_that_name() -> None:
    left = table([("Birch Dental", None), ("Elm Freight", None)], "L")
    right = table([("Smilemakers of Alderton", None), ("Smilemakers of Alderton LLC", None)], "R")
    assert [row["left_id"] for row in links(match(left, right))] == [None, None]
    taught = list(links(match(left, right, decisions=decided({"R0": ("L0", "map")}))))
    assert "L0" in {taught[1]["left_id"], *(key for key, _ in taught[1]["proposals"])}


def test_two_left_rows_of_one_name_are_never_chosen_between_by_the_name() -> None:
    left = table([("Bluewater Legal", None), ("Bluewater Legal", None), ("Elm Freight", None)], "L")
    right = table([("Bluewater Legal", None), ("Elm Freight", None)], "R")
    for relation in RELATIONS:
        verdicts = [row["verdict"] for row in links(match(left, right, relation))]
        assert verdicts[0] != "AUTO"
        assert verdicts[1] == "AUTO"


def decided(decisions: Mapping[str, tuple[str | None, str]]) -> pd.DataFrame:
    return pd.DataFrame(
        [(key, ours, word) for key, (ours, word) in decisions.items()], columns=["right_id", "left_id", "decision"], dtype=object
    )
