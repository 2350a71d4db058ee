"""The decision queue: a click records first, then shows; what could not be recorded stays open with the reason."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from reconlib.errors import DataError
from reconlib.review.bulk import BulkPreview
from reconlib.widgets import finding_queue, mapping_queue
from reconlib.widgets.queue import apply_click


def account(name: str, **more: Any) -> dict[str, Any]:
    facts = {
        "source": "m365",
        "vendor_account_id": name,
        "account_name": name,
        "state": "suggested",
        "verdict": "PROPOSE",
        "reason": "names",
    }
    facts |= {"client_id": None, "client_name": None, "probability": None, "runner_up_id": None, "runner_up_name": None}
    return (
        facts
        | {"units_qty": Decimal(3), "monthly_cost": None, "currency": None, "conflicts": None, "change": None, "evidence": name}
        | more
    )


ACME = {"client_id": "7", "client_name": "Acme", "probability": Decimal("0.9912"), "verdict": "AUTO"}
ROWS = [
    account("<b>acme</b>", **ACME, runner_up_id="8", runner_up_name="Acme Capital", runner_up_probability=Decimal("0.11")),
    account("Cedar", state="unmapped", verdict="UNMATCHED"),
    account("torn", **ACME | {"client_id": "9"}, conflicts="north / south"),
    account("moved", **ACME | {"verdict": "CONTRADICTION", "state": "mapped"}, runner_up_id="8", runner_up_name="Acme Capital"),
]


class Review:
    """Records what it is asked."""

    refusal = ""
    review_by = date(2027, 10, 31)

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def decide(self, row: Any, action: str, target: str = "", reason: str = "", until: date | None = None) -> None:
        if reason == "bad":
            raise DataError("no such reason")
        self.seen.append((row["account_name"], action, target, reason, until))

    def accept_all(self, preview: BulkPreview) -> None:
        if self.seen == ["meanwhile"]:
            raise DataError("decided meanwhile by another analyst: reject")
        self.seen.append([row["account_name"] for row in preview.rows])


@pytest.fixture
def queue() -> tuple[Any, Review]:
    pytest.importorskip("anywidget", reason="the extra 'lab' is not installed: no queue to click")
    review = Review()
    return mapping_queue(ROWS, review, choices=[("8", "Acme Capital")]), review


def click(widget: Any, index: int = 0, **content: Any) -> None:
    widget._handle_custom_msg({"index": index, "target": "", "reason": "", "until": ""} | content, [])


def ask(widget: Any, step: str, **content: Any) -> dict[str, Any]:
    widget._handle_custom_msg({"bulk": step} | content, [])
    return widget.preview


def test_a_click_is_recorded_with_the_row_it_was_made_on(queue: Any) -> None:
    widget, review = queue
    click(widget, action="accept", target="7")
    assert review.seen == [("<b>acme</b>", "accept", "7", "", None)]
    assert [row["state"] for row in widget.rows] == ["accepted", "", "", ""]
    click(widget, action="undo")
    assert [row["state"] for row in widget.rows] == [""] * 4
    assert review.seen[-1][1] == "undo"


def test_what_could_not_be_recorded_stays_open_and_says_why(queue: Any) -> None:
    widget, review = queue
    click(widget, 1, action="exclude", reason="bad")
    assert widget.rows[1]["state"] == ""
    assert "no such reason" in widget.rows[1]["error"]
    click(widget, 1, action="exclude", reason="ours", until="31.10.2027")
    assert "is not a day" in widget.rows[1]["error"]
    click(widget, 1, action="exclude", reason="ours", until="2026-12-31")
    assert (widget.rows[1]["state"], widget.rows[1]["error"]) == ("excluded", "")
    assert review.seen[-1][-1] == date(2026, 12, 31)


def test_a_row_shows_why_runner_up_and_money_and_what_can_be_done_with_it(queue: Any) -> None:
    widget, _ = queue
    first, second, torn, moved = widget.rows
    assert [cell["text"] for cell in first["cells"]] == ["<b>acme</b>", "Acme", "0.99", "names", "Acme Capital 0.11", "no amount"]
    assert [(a["label"], a["target"]) for a in first["actions"]] == [("Accept", "7"), ("Reject", "7"), ("Exclude", "")]
    assert [cell["text"] for cell in second["cells"]][1:3] == ["no suggestion", "–"]
    assert [a["label"] for a in second["actions"]] == ["Exclude"]
    assert (torn["tags"], moved["tags"]) == (["conflict"], ["contradicts a mapping"])
    assert [(a["label"], a["target"]) for a in moved["actions"]][:2] == [("Change to Acme Capital", "8"), ("Keep", "7")]


def test_bulk_shows_first_and_records_exactly_what_it_showed(queue: Any) -> None:
    widget, review = queue
    shown = ask(widget, "preview", threshold=".98")
    assert (shown["count"], [line[0] for line in shown["rows"]]) == (1, ["<b>acme</b>"])
    assert shown["left_out"].startswith("Left to decide one by one: 1 contradicts a mapping that stands, 1 speaks against itself")
    assert review.seen == []
    assert ask(widget, "record")["done"] == "1 decision recorded."
    assert review.seen == [["<b>acme</b>"]]
    assert [row["state"] for row in widget.rows] == ["accepted in bulk", "", "", ""]
    assert ask(widget, "record") == {}, "what was recorded is not recorded again"
    assert ask(widget, "preview", threshold=".98")["count"] == 0, "what is decided is not offered again"


def test_nothing_is_recorded_without_a_preview_of_what_stands_now(queue: Any) -> None:
    widget, review = queue
    ask(widget, "record")
    ask(widget, "preview", threshold="0.9")
    ask(widget, "close")
    ask(widget, "record")
    ask(widget, "preview", threshold="0.9")
    click(widget, 2, action="reject", target="9")
    assert widget.preview == {}
    ask(widget, "record")
    assert [one[1] for one in review.seen] == ["reject"]


def test_a_wrong_threshold_and_a_refused_recording_say_why(queue: Any) -> None:
    widget, review = queue
    assert "no probability" in ask(widget, "preview", threshold="sure")["error"]
    review.seen.append("meanwhile")
    ask(widget, "preview", threshold="0.9")
    assert "meanwhile" in ask(widget, "record")["error"]
    assert widget.rows[0]["state"] == ""


def test_where_nothing_can_be_decided_the_queue_says_why() -> None:
    pytest.importorskip("anywidget", reason="the extra 'lab' is not installed: no queue to click")
    review = Review()
    review.refusal = "2026-10 is signed by the preparer"
    assert mapping_queue(ROWS, review).locked == "2026-10 is signed by the preparer"


def test_findings_are_approved_or_dismissed_with_a_reason() -> None:
    pytest.importorskip("anywidget", reason="the extra 'lab' is not installed: no queue to click")
    seen = []
    row = {"client_name": "Acme", "service_name": "EDR", "kind": "under_billed", "billed_qty": None, "monthly_impact": Decimal("-12.5")}
    widget = finding_queue([row | {"currency": "USD"}], lambda _, *answer: seen.append(answer))
    assert [cell["text"] for cell in widget.rows[0]["cells"]] == ["Acme", "EDR", "under-billed", "no line", "−12.50"]
    assert widget.rows[0]["cells"][-1]["sub"] == "over-billed USD"
    assert [(a["label"], a["needs_reason"]) for a in widget.rows[0]["actions"]] == [
        ("Approve", False),
        ("Investigate", False),
        ("Dismiss", True),
    ]
    click(widget, action="dismiss", reason="late")
    assert seen == [("dismiss", "", "late")]
    assert widget.rows[0]["state"] == "dismissed"


def test_a_defect_is_not_swallowed() -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    row: Any = {"name": "", "cells": [], "actions": [], "tags": [], "is_doubtful": False, "state": "", "error": ""}
    with pytest.raises(ZeroDivisionError):
        apply_click([row], [{}], {"index": 0, "action": "accept"}, broken)
