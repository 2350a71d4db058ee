"""How good suggestions have been: judged by what stands, once each, and silent while there are too few."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from reconlib.ledger import Event, canonical_json
from reconlib.period import Period
from reconlib.reliability import Judged, judge_candidates, measure_reliability
from reconlib.review import mapping_decisions, mapping_event

AT = datetime(2026, 11, 3, 6, tzinfo=UTC)


NEAREST = {"state": "unmapped", "runner_up_id": "7", "runner_up_probability": "0.04", "verdict": "UNMATCHED"}


def event(vendor_id: str, decision: str, target: str | None, shown: str | None = "7", p: str | None = "0.9", **more: Any) -> Event:
    seen = {"name": vendor_id, "state": "suggested", "suggested_id": shown, "probability": p and Decimal(p), "verdict": "PROPOSE"}
    facts = {"book": "b", "period": Period(2026, 10), "who": "the analyst", "at": AT, "relation": "account", "source": "m365"}
    values = {"vendor_id": vendor_id, "decision": decision, "target_id": target, "seen": seen | more.pop("seen", {})}
    return mapping_event(**facts | values | more)


def judge(*events: Event) -> list[Judged]:
    numbered = [replace(e, seq=i, values=json.loads(canonical_json(e.values))) for i, e in enumerate(events)]
    return judge_candidates(numbered, mapping_decisions(numbered, as_of=date(2026, 10, 31)))


@pytest.mark.parametrize(
    ("events", "right"),
    [
        ([event("a", "map", "7")], [True]),
        ([event("a", "map", "8")], [False]),
        ([event("a", "reject", "7")], [False]),
        ([event("a", "map", "7"), event("a", "undo", None)], []),
        ([event("a", "exclude", None, why="ours", until=date(2027, 10, 31))], []),
        ([event("a", "map", "7", shown=None)], []),
        ([event("a", "map", "7", shown=None, seen=NEAREST)], [True]),
        ([event("a", "map", "8", shown=None, seen=NEAREST)], [False]),
        ([event("a", "map", "7", p=None)], []),
        ([event("a", "map", "7"), event("a", "map", "8", p="0.2")], [False]),
        ([event("a", "reject", "7"), event("a", "map", "8", shown="8")], [False, True]),
        ([event("a", "map", "7", seen={"state": "mapped"})], [True]),
        ([event("a", "map", "8", seen={"state": "mapped", "verdict": "CONTRADICTION"})], [False]),
    ],
)
def test_what_was_shown_is_judged_by_what_stands_now(events: list[Event], right: list[bool]) -> None:
    assert [one.is_right for one in judge(*events)] == right


def test_where_nothing_was_suggested_the_nearest_one_is_judged_by_its_own_probability() -> None:
    (one,) = judge(event("a", "map", "8", shown=None, p=None, seen=NEAREST))
    assert (one.candidate_id, one.probability, one.shown_as, one.is_right) == ("7", Decimal("0.04"), "nearest", False)


def test_a_suggestion_counts_once_with_the_probability_first_shown() -> None:
    found = judge(event("a", "map", "7", p="0.6"), event("a", "map", "7", p="0.99"))
    assert [(one.probability, one.shown_as) for one in found] == [(Decimal("0.6"), "suggestion")]
    assert judge(event("a", "map", "8"))[0].became == ("8",)


def test_a_product_of_two_services_makes_its_suggestion_right() -> None:
    both = [event("p", "map", target, relation="product") for target in ("7", "8")]
    assert [one.is_right for one in judge(*both)] == [True]


def suggestions(*counts: tuple[str, int, int]) -> list[Judged]:
    """``(probability, right, wrong)``."""
    return [
        Judged("account", "m365", f"{p}-{i}", "", "suggestion", "7", Decimal(p), i < right, (), "", "")
        for p, right, wrong in counts
        for i in range(right + wrong)
    ]


def test_below_thirty_it_says_how_many_are_missing_and_nothing_else() -> None:
    found = measure_reliability(suggestions(("0.9", 29, 0)))
    assert (found.judged, found.missing, found.bins, found.ece) == (29, 1, (), None)
    assert measure_reliability([]).missing == 30
    assert measure_reliability(suggestions(("0.9", 30, 0))).missing == 0


def test_said_and_true_share_by_range_and_the_error_by_hand() -> None:
    found = measure_reliability(suggestions(("0.99", 20, 0), ("0.85", 8, 2), ("0.98", 9, 1)))
    # .98 to 1: 30 suggestions said .9867 on average, 29 right; .8 to .9: 10 said .85, 8 right
    assert [(one.low, one.count, one.right, one.said, one.true) for one in found.bins] == [
        (Decimal("0.8"), 10, 8, Decimal("0.8500"), Decimal("0.8000")),
        (Decimal("0.98"), 30, 29, Decimal("0.9867"), Decimal("0.9667")),
    ]
    # (10 × .05 + |29.6 − 29|) ÷ 40
    assert found.ece == Decimal("0.0275")


def test_the_interval_is_wilsons() -> None:
    """8 of 10: .4902 to .9433, as every table of it says."""
    one = measure_reliability(suggestions(("0.85", 8, 2)), needed=1).bins[0]
    assert (one.least, one.most) == (Decimal("0.4902"), Decimal("0.9433"))
    sure = measure_reliability(suggestions(("1", 5, 0)), needed=1).bins[0]
    assert (sure.high, sure.most) == (Decimal(1), Decimal(1))


def test_every_suggestion_lies_in_exactly_one_range() -> None:
    edges = suggestions(*((p, 1, 0) for p in ("0", "0.4999", "0.5", "0.7", "0.8", "0.9", "0.95", "0.98", "1")))
    found = measure_reliability(edges, needed=1)
    assert [one.count for one in found.bins] == [2, 1, 1, 1, 1, 1, 2]
    assert measure_reliability(list(reversed(edges)), needed=1) == found
