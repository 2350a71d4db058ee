"""What a click and a name do: one decision at once, under the name given, or none at all."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from reconlib.errors import SettingsError
from reconlib.month import Month, month_events, open_month
from reconlib.people import check_name, decide_finding_by


@pytest.fixture
def month(tmp_path: Path) -> Month:
    (tmp_path / "params").mkdir()
    path = tmp_path / "params" / "tiny.yaml"
    path.write_text('book: tiny\nperiod: "2026-10"\nsources:\n  psa: {connector: connectwise_psa}\n', "utf-8")
    return open_month(path, environ={}, now=lambda: datetime(2026, 11, 3, 6, tzinfo=UTC))


def test_a_name_is_asked_for_and_never_taken_from_the_machine() -> None:
    assert check_name(" the analyst ") == "the analyst"
    with pytest.raises(SettingsError, match="nobody is named"):
        check_name("  ")


def test_a_finding_is_decided_on_the_values_that_were_shown(month: Month) -> None:
    numbers = ("billed_qty", "expected_qty", "purchased_qty", "used_qty", "variance_qty", "unit_price", "unit_cost", "monthly_impact")
    names = ("currency", "client_id", "service_id", "vendor_account_id", "vendor_product_id", "agreement_line_id")
    finding = {"finding_id": "f1", "kind": "under_billed", **dict.fromkeys(numbers, Decimal(2)), **dict.fromkeys(names, "x")}
    decide_finding_by(month, "the analyst")(finding, "approve", "", "")
    event = month_events(month)[0]
    assert (event.kind, event.subject, event.values["decision"]) == ("finding_decided", "f1", "approve")
