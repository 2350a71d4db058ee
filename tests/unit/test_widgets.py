"""The decision queue: a click records first, then shows; what could not be recorded stays open with the reason."""

from __future__ import annotations

from decimal import Decimal

import pytest

from reconlib.errors import DataError
from reconlib.widgets import apply_click, mapping_queue

ROWS = [
    {
        "account_name": "<b>acme</b>",
        "source": "m365",
        "client_id": "7",
        "client_name": "Acme",
        "probability": Decimal("0.97"),
        "units_qty": Decimal(3),
        "monthly_cost": None,
    },
    {
        "account_name": "Cedar",
        "source": "m365",
        "client_id": None,
        "client_name": None,
        "probability": None,
        "units_qty": Decimal(1),
        "monthly_cost": None,
    },
]


@pytest.fixture
def queue():
    pytest.importorskip("anywidget")
    seen = []

    def decide(row, action, target, reason):
        if action == "exclude" and reason == "bad":
            raise DataError("no such reason")
        seen.append((row["account_name"], action, target, reason))

    return mapping_queue(ROWS, decide), seen


def click(widget, **content):
    widget._handle_custom_msg({"index": 0, "target": "", "reason": ""} | content, [])


def test_a_click_is_recorded_with_the_row_it_was_made_on(queue):
    widget, seen = queue
    click(widget, action="accept", target="7")
    assert seen == [("<b>acme</b>", "accept", "7", "")]
    assert [row["state"] for row in widget.rows] == ["accepted", ""]
    click(widget, action="undo")
    assert [row["state"] for row in widget.rows] == ["", ""]
    assert seen[-1][1] == "undo"


def test_what_could_not_be_recorded_stays_open_and_says_why(queue):
    widget, _ = queue
    click(widget, action="exclude", reason="bad", index=1)
    assert widget.rows[1]["state"] == ""
    assert "no such reason" in widget.rows[1]["error"]


def test_unknown_values_and_suggestions_are_shown_as_such(queue):
    widget, _ = queue
    assert widget.rows[0]["target"] == "7"
    assert widget.rows[1]["target"] == ""
    assert "–" in [cell["text"] for cell in widget.rows[1]["cells"]]


def test_a_defect_is_not_swallowed():
    def broken(*_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        apply_click([{"state": ""}], [{}], {"index": 0, "action": "accept"}, broken)
