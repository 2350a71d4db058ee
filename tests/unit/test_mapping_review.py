"""One person at the mappings: recorded at once with what was shown, taken back whole, never over somebody else's head."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from small_book import open_empty

from reconlib.errors import DataError, SettingsError, SignOffError
from reconlib.ledger import Event, open_ledger
from reconlib.mapping_review import MappingReview, judge_month
from reconlib.month import Month, month_events
from reconlib.review import mapping_decisions
from reconlib.review.bulk import preview_bulk

ACCOUNT: dict[str, Any] = {
    "source": "ninja",
    "vendor_account_id": "7",
    "account_name": "Acme",
    "state": "suggested",
    "client_id": "12",
    "verdict": "AUTO",
    "probability": Decimal("0.9812"),
    "runner_up_id": "13",
    "runner_up_probability": Decimal("0.0100"),
    "reason": "same domain",
    "conflicts": None,
    "units_qty": Decimal(3),
    "monthly_cost": Decimal("40.00"),
    "currency": "USD",
}
PRODUCT = {
    "source": "pax8",
    "vendor_product_id": "p",
    "product_name": "E3",
    "state": "mapped",
    "service_id": "1",
    "verdict": "CONTRADICTION",
}


@pytest.fixture
def month(tmp_path: Path) -> Month:
    return open_empty(tmp_path)


def standing(month: Month, relation: str = "account", source: str = "ninja", vendor_id: str = "7") -> Any:
    decisions = mapping_decisions(month_events(month), as_of=month.as_of, period=month.period)
    return decisions.get((relation, source, vendor_id))


def state(month: Month, *key: str) -> Any:
    """What stands, without who and when."""
    found = standing(month, *key)
    return None if found is None else (found.state, found.targets, found.rejected, found.review_by)


def sign(month: Month) -> None:
    with open_ledger(month.ledger_url) as ledger:
        ledger.append(Event("tiny", "2026-10", "preparer_signed", "2026-10", "the preparer", "2026-11-04T06:00:00Z"))


def test_a_decision_keeps_what_was_shown(month: Month) -> None:
    (event,) = MappingReview(month, "the analyst").decide(ACCOUNT, "accept", "12")
    assert (event.who, event.values["decision"], event.values["target_id"]) == ("the analyst", "map", "12")
    seen = event.values["seen"]
    assert (seen["suggested_id"], seen["verdict"], seen["probability"], seen["state"]) == ("12", "AUTO", "0.9812", "suggested")
    assert (seen["name"], seen["runner_up_id"], seen["monthly_cost"], seen["currency"]) == ("Acme", "13", "40", "USD")
    (judged,) = judge_month(month)
    assert (judged.probability, judged.is_right, judged.name) == (Decimal("0.9812"), True, "Acme")


def test_an_exclusion_has_a_reason_and_a_day_it_is_looked_at_again(month: Month) -> None:
    review = MappingReview(month, "the analyst")
    with pytest.raises(DataError):
        review.decide(ACCOUNT, "exclude")
    with pytest.raises(DataError, match="review-by"):
        review.decide(ACCOUNT, "exclude", "", "our own devices", date(2026, 10, 1))
    review.decide(ACCOUNT, "exclude", "", "our own devices")
    assert standing(month).review_by == date(2027, 10, 31)
    review.decide(ACCOUNT, "exclude", "", "our own devices", date(2026, 12, 31))
    assert standing(month).review_by == date(2026, 12, 31)


def test_without_a_name_nothing_is_decided(month: Month) -> None:
    with pytest.raises(SettingsError, match="nobody is named"):
        MappingReview(month).decide(ACCOUNT, "accept", "12")
    assert month_events(month) == []
    named = replace(month, environ={"RECON_WHO": "the analyst"})
    assert "nobody is named" in MappingReview(month).refusal
    assert MappingReview(named).refusal == ""
    MappingReview(named).decide(ACCOUNT, "accept", "12")
    assert month_events(month)[0].who == "the analyst"


@pytest.mark.parametrize(
    "before",
    [
        [],
        [("reject", "13", "")],
        [("accept", "13", "")],
        [("reject", "13", ""), ("reject", "14", "")],
        [("reject", "13", ""), ("exclude", "", "our own")],
        [("exclude", "", "our own"), ("reject", "13", "")],
        [("accept", "13", ""), ("undo", "", "")],
    ],
)
@pytest.mark.parametrize("last", [("accept", "12", ""), ("reject", "12", ""), ("reject", "13", ""), ("exclude", "", "test tenant")])
def test_undo_leads_back_to_what_stood_before_rejections_too(month: Month, before: list[Any], last: tuple[str, str, str]) -> None:
    review = MappingReview(month, "the analyst")
    for answer in before:
        review.decide(ACCOUNT, *answer)
    stood, count = state(month), len(month_events(month))
    review.decide(ACCOUNT, *last)
    review.decide(ACCOUNT, "undo")
    assert state(month) == stood
    assert len(month_events(month)) > count + 1  # nothing is deleted


def test_undo_asked_for_again_goes_back_one_decision_more_whatever_stood_beside_it(month: Month) -> None:
    review = MappingReview(month, "the analyst")
    stood = []
    for answer in [("reject", "13", ""), ("reject", "14", ""), ("accept", "15", ""), ("exclude", "", "our own"), ("accept", "12", "")]:
        stood.append(state(month))
        review.decide(ACCOUNT, *answer)
    for before in reversed(stood[1:]):
        review.decide(ACCOUNT, "undo")
        assert state(month) == before
    review.decide(ACCOUNT, "accept", "16")  # a decision in between is taken back first
    for before in (stood[1], stood[0]):
        review.decide(ACCOUNT, "undo")
        assert state(month) == before
    with pytest.raises(DataError, match="nothing was decided about it in 2026-10"):
        review.decide(ACCOUNT, "undo")


def test_what_undo_sets_again_still_stands_on_what_was_seen_then(month: Month) -> None:
    review = MappingReview(month, "the analyst")
    review.decide(ACCOUNT, "reject", "12")
    review.decide(ACCOUNT | {"account_name": "Acme renamed"}, "accept", "13")
    review.decide(ACCOUNT | {"account_name": "Acme renamed"}, "undo")
    assert standing(month).seen["12"]["bound"]["account_name"] == "Acme"


def test_undo_of_what_an_earlier_month_decided_is_refused(month: Month) -> None:
    MappingReview(month.previous, "the analyst").decide(ACCOUNT, "accept", "12")
    with pytest.raises(DataError, match="nothing was decided about it in 2026-10"):
        MappingReview(month, "the analyst").decide(ACCOUNT, "undo")


def test_an_exclusion_that_had_run_out_is_not_set_again(month: Month) -> None:
    september = replace(month.previous, environ=month.environ)
    MappingReview(september, "the analyst").decide(ACCOUNT, "exclude", "", "trial", date(2026, 10, 15))
    review = MappingReview(month, "the analyst")
    review.decide(ACCOUNT, "accept", "12")
    review.decide(ACCOUNT, "undo")
    assert standing(month) is None


def test_what_somebody_else_decided_meanwhile_is_not_decided_over(month: Month) -> None:
    mine, hers = MappingReview(month, "the analyst"), MappingReview(month, "another analyst")
    hers.decide(ACCOUNT, "reject", "12")
    with pytest.raises(DataError, match="decided meanwhile by another analyst: reject"):
        mine.decide(ACCOUNT, "accept", "12")
    other = ACCOUNT | {"vendor_account_id": "8"}
    with pytest.raises(DataError, match="meanwhile"):
        mine.accept_all(preview_bulk([other, ACCOUNT], "0.9"))
    assert standing(month, "account", "ninja", "8") is None
    mine.decide(other, "accept", "12")
    hers.decide(ACCOUNT, "accept", "13")
    assert state(month)[1] == ("13",)


def test_bulk_records_one_ordinary_decision_for_each_row_with_what_it_showed(month: Month) -> None:
    rows = [ACCOUNT | {"vendor_account_id": str(i), "client_id": str(20 + i)} for i in range(3)]
    rows.append(ACCOUNT | {"vendor_account_id": "9", "conflicts": "north / south"})
    review = MappingReview(month, "the analyst")
    events = review.accept_all(preview_bulk(rows, "0.98"))
    assert [(e.subject, e.values["decision"], e.values["target_id"]) for e in events] == [
        (f"account/ninja/{i}", "map", str(20 + i)) for i in range(3)
    ]
    assert {event.why for event in events} == {"bulk: p ≥ 0.98, one of 3 listed in a preview"}
    assert [event.values["seen"]["probability"] for event in events] == ["0.9812"] * 3
    review.decide(rows[0], "undo")
    assert standing(month, "account", "ninja", "0") is None
    assert state(month, "account", "ninja", "1")[1] == ("21",)
    with pytest.raises(DataError, match="no row would be accepted"):
        review.accept_all(preview_bulk([], "0.98"))


def test_what_was_taken_back_from_before_the_page_hides_no_later_decision_from_bulk(month: Month) -> None:
    MappingReview(month, "the analyst").decide(ACCOUNT, "reject", "14")
    review = MappingReview(month, "the analyst")
    review.decide(ACCOUNT, "undo")
    assert not review.has_decided(ACCOUNT)
    review.decide(ACCOUNT, "accept", "13")
    assert review.has_decided(ACCOUNT)
    with pytest.raises(DataError, match="was decided since this was listed"):
        review.accept_all(preview_bulk([ACCOUNT], "0.9"))
    assert state(month)[1] == ("13",)


def test_another_service_for_a_contradicted_product_takes_the_place_of_the_first(month: Month) -> None:
    review = MappingReview(month, "the analyst")
    shown = PRODUCT | {"probability": Decimal("0.02"), "units_qty": Decimal(1)}
    for service in ("1", "2"):
        review.decide(shown | {"verdict": None}, "accept", service)
    review.decide(shown, "accept", "3")
    assert state(month, "product", "pax8", "p")[1] == ("2", "3")
    review.decide(shown, "undo")
    assert state(month, "product", "pax8", "p")[1] == ("1", "2")


def test_t129_a_signed_month_refuses_and_says_so_before_any_click(month: Month) -> None:
    opened = MappingReview(month, "the analyst")
    sign(month)
    assert opened.refusal == ""
    for act in (lambda: opened.decide(ACCOUNT, "accept", "12"), lambda: opened.accept_all(preview_bulk([ACCOUNT], "0.9"))):
        with pytest.raises(SignOffError, match="2026-10 is signed by the preparer"):
            act()
    assert "2026-10 is signed by the preparer" in MappingReview(month, "the analyst").refusal
    assert "reopen it" in MappingReview(month, "the analyst").refusal
