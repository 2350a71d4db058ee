"""What a click and a name do: one decision at once, under the name given, or none at all."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from small_book import open_empty

from reconlib.errors import DataError, SettingsError
from reconlib.month import Month, month_events
from reconlib.people import check_name, decide_finding_by


@pytest.fixture
def month(tmp_path: Path) -> Month:
    return open_empty(tmp_path)


def test_a_name_is_asked_for_and_never_taken_from_the_machine() -> None:
    assert check_name(" the analyst ") == "the analyst"
    with pytest.raises(SettingsError, match="nobody is named"):
        check_name("  ")


NUMBERS = ("billed_qty", "expected_qty", "purchased_qty", "used_qty", "variance_qty", "unit_price", "unit_cost", "monthly_impact")
NAMES = ("currency", "client_id", "service_id", "vendor_account_id", "vendor_product_id", "agreement_line_id")
FINDING = {"finding_id": "f1", "kind": "under_billed", **dict.fromkeys(NUMBERS, Decimal(2)), **dict.fromkeys(NAMES, "x")}


def test_what_somebody_else_decided_meanwhile_is_not_decided_over(month: Month) -> None:
    mine, hers = decide_finding_by(month, "the analyst"), decide_finding_by(month, "another analyst")
    hers(FINDING, "dismiss", "", "agreed with them")
    with pytest.raises(DataError, match="decided meanwhile by another analyst: dismiss"):
        mine(FINDING, "approve", "", "")
    hers(FINDING, "undo", "", "")
    mine(FINDING | {"finding_id": "f2"}, "approve", "", "")
    decide_finding_by(month, "the analyst")(FINDING, "approve", "", "")
    assert [(event.who, event.subject, event.values["decision"]) for event in month_events(month)] == [
        ("another analyst", "f1", "dismiss"),
        ("another analyst", "f1", "undo"),
        ("the analyst", "f2", "approve"),
        ("the analyst", "f1", "approve"),
    ]


def test_a_finding_is_decided_on_the_values_that_were_shown(month: Month) -> None:
    decide_finding_by(month, "the analyst")(FINDING, "approve", "", "")
    event = month_events(month)[0]
    assert (event.kind, event.subject, event.values["decision"]) == ("finding_decided", "f1", "approve")
