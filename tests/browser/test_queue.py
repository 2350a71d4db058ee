"""The decision queue in a browser: names are text, a click sends what it says, and no reason means no exclusion."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

import reconlib.widgets

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=window.PWNED=1>"
MODEL = {
    "columns": ["Vendor account"],
    "rows": [
        {"cells": [{"text": HOSTILE, "number": False}], "target": "7", "target_name": HOSTILE, "state": "", "error": HOSTILE},
        {"cells": [{"text": "Cedar", "number": False}], "target": "", "target_name": "", "state": "accepted", "error": ""},
    ],
    "actions": [
        {"name": "accept", "label": "Accept", "needs_reason": False, "needs_target": True},
        {"name": "exclude", "label": "Exclude", "needs_reason": True, "needs_target": False},
    ],
    "choices": [["8", HOSTILE]],
    "with_target": True,
}
START = """async ([source, values]) => {
  window.sent = [];
  const model = { get: (name) => values[name], send: (message) => window.sent.push(message), on: () => {}, off: () => {} };
  (await import(source)).default.render({ model, el: document.body });
}"""


@pytest.fixture
def queue(open_page, tmp_path):
    blank = tmp_path / "blank.html"
    blank.write_text("<!doctype html><title>queue</title>")
    page, _ = open_page(blank, wait=False)
    source = base64.b64encode(Path(reconlib.widgets.__file__).with_suffix(".js").read_bytes()).decode()
    page.evaluate(START, [f"data:text/javascript;base64,{source}", MODEL])
    return page


def test_names_are_text(queue):
    assert queue.locator("td").first.inner_text() == HOSTILE
    assert queue.locator("img").count() == 0
    assert queue.evaluate("window.PWNED") is None


def test_a_click_sends_what_it_says(queue):
    assert queue.get_by_role("status").inner_text() == "1 of 2 rows wait for a decision"
    queue.get_by_role("button", name="Accept").click()
    queue.get_by_role("button", name="Exclude").click()
    queue.get_by_label("Reason").fill(" our own tenant ")
    queue.get_by_role("button", name="Exclude").click()
    queue.get_by_role("button", name="Undo").click()
    assert queue.evaluate("window.sent") == [
        {"index": 0, "action": "accept", "target": "7", "reason": ""},
        {"index": 0, "action": "exclude", "target": "", "reason": "our own tenant"},
        {"index": 1, "action": "undo", "target": "", "reason": ""},
    ]
