"""Bulk accept: what a preview lists, and what it never does."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from reconlib.errors import DataError
from reconlib.report.pages.mapping_bulk import say_left_out, say_preview, sum_preview
from reconlib.review.bulk import preview_bulk, read_threshold


def row(name: str, p: str | None = "0.99", **more: Any) -> dict[str, Any]:
    facts = {
        "source": "m365",
        "vendor_account_id": name,
        "account_name": name,
        "state": "suggested",
        "client_id": "7",
        "client_name": "Acme",
    }
    facts |= {"probability": p and Decimal(p), "verdict": "AUTO", "conflicts": None, "units_qty": Decimal(3), "reason": "same name"}
    return facts | {"monthly_cost": Decimal("10.00"), "currency": "USD", "evidence": name} | more


ROWS = [
    row("sure"),
    row("dear", monthly_cost=Decimal("90.00")),
    row("likely", "0.98", verdict="PROPOSE", monthly_cost=None),
    row("dearest", "0.98", verdict="PROPOSE", monthly_cost=Decimal("500.00")),
    row("unsure", "0.97"),
    row("torn", "1", conflicts="north / south"),
    row("mapped", "1", verdict="CONTRADICTION", state="mapped"),
    row("nothing", None, state="unmapped", client_id=None),
]


def test_only_suggestions_at_least_as_sure_that_nothing_speaks_against_auto_first_then_most_money() -> None:
    preview = preview_bulk(ROWS, "0.98")
    assert [one["account_name"] for one in preview.rows] == ["dear", "sure", "dearest", "likely"]
    assert dict(preview.left_out) == {
        "less sure than 0.98": 1,
        "speaks against itself": 1,
        "contradicts a mapping that stands": 1,
        "without a suggestion": 1,
    }
    assert len(preview.rows) + sum(preview.left_out.values()) == len(ROWS)
    assert preview.why == "bulk: p ≥ 0.98, one of 4 listed in a preview"


def test_a_preview_says_what_it_would_accept_with_its_money_and_what_it_leaves() -> None:
    preview = preview_bulk(ROWS, "0.98")
    assert sum_preview(preview) == "4 accounts would be accepted, worth 600.00 USD a month, 1 of them without a known amount."
    assert sum_preview(preview_bulk(ROWS[2:3], "0.98")) == "1 account would be accepted, without a known amount."
    heads, lines = say_preview(preview)
    assert heads == ["Vendor account", "Source", "Becomes", "p", "Why", "A month"]
    assert lines[0] == ["dear", "m365", "Acme", "0.99", "same name", "90.00 USD"]
    assert lines[3][5] == "no amount"
    assert "1 speaks against itself" in say_left_out(preview)
    assert sum_preview(preview_bulk(ROWS[4:5], "0.98")) == "Nothing is as sure as 0.98: nothing would be accepted."


@pytest.mark.parametrize(("text", "value"), [(".98", "0.98"), ("0,98", "0.98"), ("98 %", "0.98"), (" 1 ", "1"), (Decimal("0.5"), "0.5")])
def test_a_threshold_is_read_as_people_write_it(text: str | Decimal, value: str) -> None:
    assert read_threshold(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "sure", "98", "0.49", "-1", "nan", "1.01", "∞", "Infinity"])
def test_any_other_threshold_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="threshold"):
        read_threshold(text)
