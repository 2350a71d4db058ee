"""What a click and a name do: one decision at once, under the name given, or none at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from reconlib.errors import DataError, SettingsError
from reconlib.month import Month, month_events, open_month
from reconlib.people import check_name, decide_finding_by, decide_mapping_by
from reconlib.review import mapping_decisions

ACCOUNT = {"source": "ninja", "vendor_account_id": "7", "account_name": "Acme", "units_qty": Decimal(3)}
SHOWN: dict[str, Any] = {**ACCOUNT, "monthly_cost": None, "probability": Decimal("0.9"), "reason": "similar letters"}


@pytest.fixture
def month(tmp_path: Path) -> Month:
    (tmp_path / "params").mkdir()
    path = tmp_path / "params" / "tiny.yaml"
    path.write_text('book: tiny\nperiod: "2026-10"\nsources:\n  psa: {connector: connectwise_psa}\n', "utf-8")
    return open_month(path, environ={}, now=lambda: datetime(2026, 11, 3, 6, tzinfo=UTC))


def decided(month: Month) -> Any:
    return mapping_decisions(month_events(month), as_of=month.as_of, period=month.period).get(("account", "ninja", "7"))


def test_accept_maps_and_undo_is_a_decision_too(month: Month) -> None:
    decide = decide_mapping_by(month, "the analyst")
    decide(SHOWN, "accept", "12", "")
    assert (decided(month).state, decided(month).targets) == ("mapped", ("12",))
    decide(SHOWN, "undo", "12", "")
    assert decided(month) is None or decided(month).state == "open"
    assert [event.who for event in month_events(month)] == ["the analyst", "the analyst"]


def test_an_exclusion_has_a_reason_and_comes_back_after_a_year(month: Month) -> None:
    decide = decide_mapping_by(month, "the analyst")
    with pytest.raises(DataError):
        decide(SHOWN, "exclude", "", "")
    decide(SHOWN, "exclude", "", "our own devices")
    assert str(decided(month).review_by) == "2027-10-31"


def test_without_a_name_nothing_is_decided(month: Month) -> None:
    with pytest.raises(SettingsError, match="nobody is named"):
        decide_mapping_by(month, "")(SHOWN, "accept", "12", "")
    assert month_events(month) == []
    named = replace(month, environ={"RECON_WHO": "the analyst"})
    decide_mapping_by(named, "")(SHOWN, "accept", "12", "")
    assert month_events(month)[0].who == "the analyst"
    with pytest.raises(SettingsError):
        check_name("  ")


def test_a_finding_is_decided_on_the_values_that_were_shown(month: Month) -> None:
    numbers = ("billed_qty", "expected_qty", "purchased_qty", "used_qty", "variance_qty", "unit_price", "unit_cost", "monthly_impact")
    names = ("currency", "client_id", "service_id", "vendor_account_id", "vendor_product_id", "agreement_line_id")
    finding = {"finding_id": "f1", "kind": "under_billed", **dict.fromkeys(numbers, Decimal(2)), **dict.fromkeys(names, "x")}
    decide_finding_by(month, "the analyst")(finding, "approve", "", "")
    event = month_events(month)[0]
    assert (event.kind, event.subject, event.values["decision"]) == ("finding_decided", "f1", "approve")
