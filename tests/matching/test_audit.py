"""People map wrongly too: a decision the evidence is against is shown beside the better row, and a right one is left in peace."""

from __future__ import annotations

import pandas as pd
import pytest
from matching.pairs import OWN_DOMAINS, Item, frame, lefts, links, ordinary, read_pairs, rights

from reconlib.matching import suggest_links

RELATIONS = ("many_to_one", "one_to_one")
CLIENTS = {
    "L1": Item("Birch Dental", (("domain", "birchdental.example"),)),
    "L2": Item("Elm Street Freight", (("domain", "elmfreight.example"),)),
    "L3": Item("Quarry Hotels", (("domain", "quarryhotels.example"),)),
    "L4": Item("Umber Optometry", (("domain", "umber.example"),)),
}
ACCOUNTS = {
    "R1": Item("Birch Dental LLC", (("domain", "birchdental.onmicrosoft.com"),)),
    "R2": Item("ELM STREET FREIGHT", (("domain", "elmfreight.example"),)),
    "R3": Item("Quarry Hotels Inc", (("domain", "quarryhotels.example"),)),
    "R4": Item("Umber Eyewear Studio", (("domain", "umbereyewear.example"),)),
}


def audit(
    mapped: dict[str, str | None], relation: str = "many_to_one", left: dict[str, Item] = CLIENTS, right: dict[str, Item] = ACCOUNTS
) -> dict[str, dict[str, object]]:
    decisions = pd.DataFrame(
        [(key, ours, "map") for key, ours in mapped.items()], columns=["right_id", "left_id", "decision"], dtype=object
    )
    answers = suggest_links(frame(left), frame(right), relation=relation, decisions=decisions, own_domains=OWN_DOMAINS)
    return {row["right_id"]: row for row in links(answers)}


@pytest.mark.parametrize("relation", RELATIONS)
def test_two_accounts_mapped_crosswise_are_contradicted_and_stay(relation: str) -> None:
    found = audit({"R1": "L2", "R2": "L1", "R3": "L3"}, relation)
    for key, mapped, better in (("R1", "L2", "L1"), ("R2", "L1", "L2")):
        row = found[key]
        assert (row["verdict"], row["left_id"], row["runner_up_id"]) == ("CONTRADICTION", mapped, better), row
        assert row["decided_by"] == "decision"
    assert found["R3"]["verdict"] != "CONTRADICTION"


@pytest.mark.parametrize("relation", RELATIONS)
def test_right_mappings_are_left_in_peace(relation: str) -> None:
    found = audit({"R1": "L1", "R2": "L2", "R3": "L3"}, relation)
    assert {row["verdict"] for row in found.values()} & {"CONTRADICTION"} == set()


def test_a_mapping_by_knowledge_that_no_name_shows_is_left_in_peace() -> None:
    """The analyst knows a name the lists do not: nothing speaks for another client, so nothing contradicts."""
    found = audit({"R4": "L4", "R1": "L1"})
    assert (found["R4"]["left_id"], found["R4"]["verdict"] == "CONTRADICTION") == ("L4", False)


def test_an_account_said_to_be_nobodys_is_not_given_away_again() -> None:
    found = audit({"R1": None})
    assert found["R1"]["left_id"] is None
    assert found["R1"]["decided_by"] == "decision"


def test_right_decisions_on_hard_names_are_rarely_contradicted_and_crossed_ones_are_found() -> None:
    """Half of a book's pairs that are the same are mapped; of these some crosswise."""
    left, right = lefts("client") | ordinary("L", 120), rights("client") | ordinary("R", 120)
    name = {item: key for key, item in left.items()}, {item: key for key, item in right.items()}
    same = [(name[1][pair.right], name[0][pair.left]) for pair in read_pairs("client") if pair.same == "yes"]
    easy = [(f"RO{n}", f"LO{n}") for n in range(24, 84)]
    crossed = {easy[n][0]: easy[n + 1][1] for n in range(0, 12, 2)} | {easy[n + 1][0]: easy[n][1] for n in range(0, 12, 2)}
    found = audit(dict(same + easy) | crossed, left=left, right=right)
    contradicted = {key for key, row in found.items() if row["verdict"] == "CONTRADICTION"}
    assert len(contradicted & crossed.keys()) >= 0.9 * len(crossed), f"crossed and not seen: {sorted(crossed.keys() - contradicted)}"
    alarms = contradicted - crossed.keys()
    assert len(alarms) <= 0.03 * len(same + easy), [
        f"{found[key]['right_id']} {right[key]} ~ {left[str(found[key]['left_id'])]}" for key in sorted(alarms)
    ]
