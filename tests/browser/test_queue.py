"""The decision queue in a browser: names are text, a click sends what it says, no reason means no exclusion, bulk shows before it records."""

from __future__ import annotations

import base64
import copy
from pathlib import Path

import pytest

import reconlib.widgets.queue

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=window.PWNED=1>"
SCRIPT = Path(reconlib.widgets.queue.__file__).with_suffix(".js")
STYLE = SCRIPT.with_suffix(".css")
START = """async ([source, style, values]) => {
  window.sent = [];
  window.changed = {};
  const sheet = document.createElement("style");
  sheet.textContent = style;
  document.head.append(sheet);
  const model = {
    get: (name) => values[name],
    send: (message) => window.sent.push(message),
    on: (name, call) => (window.changed[name] = call),
    off: () => {},
  };
  window.change = (name, value) => { values[name] = value; window.changed[`change:${name}`](); };
  (await import(source)).default.render({ model, el: document.body });
}"""


def button(name: str, label: str, target: str = "", *, needs_reason: bool = False) -> dict:
    return {"name": name, "label": label, "target": target, "needs_reason": needs_reason}


def row(name: str, **more: object) -> dict:
    texts = ((name, "m365"), ("Acme Dental, LLC", ""), ("0.97", ""), ("domain acmedental.com", "domain +4.1"), ("Acme Capital 0.11", ""))
    cells = [{"text": text, "sub": sub, "number": text == "0.97"} for text, sub in texts]
    actions = [button("accept", "Accept", "7"), button("reject", "Reject", "7"), button("exclude", "Exclude", needs_reason=True)]
    return {"name": name, "cells": cells, "actions": actions, "tags": [], "is_doubtful": False, "state": "", "error": ""} | more


MODEL = {
    "columns": ["Vendor account", "Suggested client", "p", "Why", "Runner-up"],
    "rows": [row(HOSTILE, error=HOSTILE, tags=[HOSTILE]), row("Cedar", state="accepted")],
    "choices": [["8", HOSTILE]],
    "more": "Other client or exclude…",
    "choose": "Map to another client",
    "until": "2027-10-31",
    "locked": "",
    "threshold": "0.98",
    "preview": {},
}
PREVIEW = {
    "title": "1 account would be accepted",
    "columns": ["Vendor account", "A month"],
    "rows": [[HOSTILE, "40.00 USD"]],
    "left_out": HOSTILE,
    "count": 1,
}


@pytest.fixture
def draw(open_page, tmp_path):
    def draw_(**more):
        blank = tmp_path / "blank.html"
        blank.write_text("<!doctype html><title>queue</title>")
        page, _ = open_page(blank, wait=False)
        source = base64.b64encode(SCRIPT.read_bytes()).decode()
        page.evaluate(START, [f"data:text/javascript;base64,{source}", STYLE.read_text("utf-8"), copy.deepcopy(MODEL) | more])
        return page

    return draw_


def sent(page):
    return page.evaluate("window.sent")


def test_names_are_text_wherever_they_stand(draw):
    page = draw(preview=PREVIEW)
    page.get_by_role("button", name="Other client").click()
    assert page.locator("td .main").first.inner_text() == HOSTILE
    assert HOSTILE in page.get_by_role("alert").inner_text()
    assert page.locator("img").count() == 0
    assert page.evaluate("window.PWNED") is None


def test_a_click_sends_what_it_says(draw):
    page = draw()
    assert page.locator("p.count").inner_text() == "1 of 2 rows wait for a decision"
    page.get_by_role("button", name="Accept").click()
    page.get_by_role("button", name="Reject").click()
    page.get_by_role("button", name="Undo").click()
    assert sent(page) == [
        {"index": 0, "action": "accept", "target": "7", "reason": "", "until": ""},
        {"index": 0, "action": "reject", "target": "7", "reason": "", "until": ""},
        {"index": 1, "action": "undo", "target": "", "reason": "", "until": ""},
    ]


def test_an_exclusion_needs_a_reason_and_carries_its_review_day(draw):
    page = draw()
    page.get_by_role("button", name="Other client").click()
    page.get_by_role("button", name="Exclude", exact=True).click()
    assert sent(page) == []
    assert page.evaluate("document.activeElement === document.querySelector('.panel input[type=text]')")
    page.get_by_label("Reason").fill(" our own tenant ")
    page.get_by_label("Look again on").fill("2026-12-31")
    page.get_by_role("button", name="Exclude", exact=True).click()
    assert sent(page) == [{"index": 0, "action": "exclude", "target": "", "reason": "our own tenant", "until": "2026-12-31"}]


def test_another_client_can_be_chosen(draw):
    page = draw()
    page.get_by_role("button", name="Other client").click()
    page.get_by_role("button", name="Map", exact=True).click()
    assert sent(page) == []
    page.get_by_label("Map to another client").select_option("8")
    page.get_by_role("button", name="Map", exact=True).click()
    assert sent(page)[0] == {"index": 0, "action": "accept", "target": "8", "reason": "", "until": ""}


def test_an_answer_draws_its_row_and_keeps_the_keyboard_there(draw):
    page = draw()
    page.get_by_role("button", name="Accept").focus()
    page.evaluate("rows => window.change('rows', rows)", [row(HOSTILE, state="accepted"), row("Cedar", state="accepted")])
    assert page.locator("p.count").inner_text() == "0 of 2 rows wait for a decision"
    assert page.evaluate("document.activeElement.textContent") == "Undo"


def test_bulk_accept_shows_before_it_records(draw):
    page = draw()
    page.get_by_label("Accept all suggestions with p at least").fill("0.95")
    page.get_by_role("button", name="Preview").click()
    assert page.get_by_role("button", name="Record").count() == 0
    page.evaluate("preview => window.change('preview', preview)", PREVIEW)
    page.get_by_role("button", name="Record this decision").click()
    assert sent(page) == [{"bulk": "preview", "threshold": "0.95"}, {"bulk": "record"}]
    page.evaluate("window.change('preview', {done: '1 decision recorded.'})")
    assert page.get_by_role("button", name="Record").count() == 0


def test_a_locked_queue_has_nothing_to_click_and_says_why(draw):
    page = draw(locked="2026-10 is signed by the preparer", rows=[row("Cedar")])
    assert page.get_by_role("note").inner_text() == "2026-10 is signed by the preparer"
    assert page.get_by_role("button").count() == 0


def test_what_could_not_be_recorded_is_not_typed_twice(draw):
    page = draw()
    page.get_by_role("button", name="Other client").click()
    page.get_by_label("Reason").fill("our own tenant")
    page.get_by_label("Look again on").fill("2026-01-31")
    page.get_by_label("Map to another client").select_option("8")
    page.evaluate("rows => window.change('rows', rows)", [row(HOSTILE, error="2026-01-31 is not possible"), row("Cedar", state="accepted")])
    assert page.get_by_role("alert").inner_text() == "2026-01-31 is not possible"
    filled = [page.get_by_label(label).input_value() for label in ("Reason", "Look again on", "Map to another client")]
    assert filled == ["our own tenant", "2026-01-31", "8"]
    page.evaluate("rows => window.change('rows', rows)", [row(HOSTILE, state="excluded"), row("Cedar", state="accepted")])
    page.evaluate("rows => window.change('rows', rows)", [row(HOSTILE), row("Cedar", state="accepted")])
    page.get_by_role("button", name="Other client").click()
    assert page.get_by_label("Reason").input_value() == ""


@pytest.mark.parametrize("width", [420, 640, 760, 940, 1280])
def test_it_fits_narrow_and_wide_and_why_has_room_to_be_read(draw, width):
    why = {"text": "domain acmedental.example spells the name; words 3 of 3 of ours", "sub": "domain +4.1, names −1.1", "number": False}
    cells = [cell if place != 3 else why for place, cell in enumerate(row("x")["cells"])]
    page = draw(rows=[row("x", cells=cells), row("acmedental-with-a-long-name.onmicrosoft.com")])
    page.add_style_tag(content="body { font-size: 13px; }")  # as JupyterLab has it
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".recon-queue").bounding_box()["width"] <= width
    assert all(box["width"] > 0 for box in (cell.bounding_box() for cell in page.locator("td").all()))
    assert all(box["width"] > 150 for box in (cell.bounding_box() for cell in page.locator('td[data-label="Why"]').all()))
    buttons = [button.bounding_box() for button in page.get_by_role("button").all()]
    assert all(box["x"] + box["width"] <= width for box in buttons)
