"""The queue as one widget: its rows as plain data to the browser, its clicks as messages back. All text is shown as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypedDict

from reconlib.errors import ReconError
from reconlib.report.cells import words

Row = Mapping[str, Any]
Answer = Callable[[Row, Mapping[str, Any]], object]
"""``answer(row, click)`` records one decision; a ReconError it raises is shown at the row, which stays open."""

_DONE = {"accept": "accepted", "reject": "rejected", "exclude": "excluded", "approve": "approved", "dismiss": "dismissed"}


class ShownCell(TypedDict):
    """One cell: a line, a smaller line below it, and whether it is a number."""

    text: str
    sub: str
    number: bool


class Action(TypedDict):
    """One button of a row. With ``needs_reason`` it stands in the row's opened part, beside the reason."""

    name: str
    label: str
    target: str
    needs_reason: bool


class ShownRow(TypedDict):
    """One row as the browser draws it."""

    name: str  # what its buttons are about, for a screen reader
    cells: list[ShownCell]
    actions: list[Action]
    tags: list[str]
    is_doubtful: bool  # no button is offered as the likely one
    state: str  # how it was decided just now; empty while open
    error: str


def shown_cell(text: str, sub: str = "", *, number: bool = False) -> ShownCell:
    """A cell of a row."""
    return {"text": text, "sub": sub, "number": number}


def action(name: str, label: str, target: str = "", *, needs_reason: bool = False) -> Action:
    """A button of a row."""
    return {"name": name, "label": label, "target": target, "needs_reason": needs_reason}


def make_queue(columns: Sequence[str], shown: Sequence[ShownRow], rows: Sequence[Row], answer: Answer, **traits: Any) -> Any:
    """The widget, with its clicks connected; None without the ``lab`` extra.

    Args:
        columns: headings; the last column, of buttons, has its own.
        shown: what is drawn, one for each of ``rows``.
        rows: what ``answer`` gets.
        answer: records a click.
        traits: what else the browser is told; see ``DecisionQueue``.
    """
    widget_class = _widget_class()
    if widget_class is None:
        return None
    queue = widget_class(columns=list(columns), rows=list(shown), **traits)

    def receive(_widget: object, click: Any, _buffers: object) -> None:
        if "index" in click:
            queue.rows = apply_click(queue.rows, rows, click, answer)

    queue.on_msg(receive)
    return queue


def apply_click(shown: Sequence[ShownRow], rows: Sequence[Row], click: Mapping[str, Any], answer: Answer) -> list[ShownRow]:
    """The rows shown after a click: the decision is recorded first; what could not be recorded says why and stays as it was."""
    index = int(click["index"])
    name = str(click["action"])
    after = shown[index].copy()
    try:
        answer(rows[index], click)
        after["state"], after["error"] = "" if name == "undo" else _DONE.get(name, words(name)), ""
    except ReconError as error:
        after["error"] = str(error)
    return [after if i == index else row for i, row in enumerate(shown)]


@cache
def _widget_class() -> Any:
    """The widget, defined only where anywidget is installed: importing this module stays free of it."""
    try:
        import anywidget
        import traitlets
    except ImportError:
        return None

    class DecisionQueue(anywidget.AnyWidget):  # type: ignore[misc,unused-ignore] # of an extra, typed only where it is installed
        """One table of rows to decide."""

        _esm = Path(__file__).with_suffix(".js")
        _css = Path(__file__).with_suffix(".css")
        columns: traitlets.List[Any] = traitlets.List().tag(sync=True)
        rows: traitlets.List[Any] = traitlets.List().tag(sync=True)  # ShownRow
        choices: traitlets.List[Any] = traitlets.List().tag(sync=True)  # id and name of what a row may be mapped to instead
        more: traitlets.Unicode[Any, Any] = traitlets.Unicode("More…").tag(sync=True)  # label of what opens a row
        choose: traitlets.Unicode[Any, Any] = traitlets.Unicode("").tag(sync=True)  # label of the choices
        until: traitlets.Unicode[Any, Any] = traitlets.Unicode("").tag(sync=True)  # day an exclusion is looked at again; empty: not asked
        locked: traitlets.Unicode[Any, Any] = traitlets.Unicode("").tag(sync=True)  # why nothing can be decided; empty: it can
        threshold: traitlets.Unicode[Any, Any] = traitlets.Unicode("").tag(sync=True)  # of bulk accept; empty: there is none
        preview: traitlets.Dict[Any, Any] = traitlets.Dict().tag(sync=True)  # what bulk accept would do; empty: nothing asked

    return DecisionQueue
