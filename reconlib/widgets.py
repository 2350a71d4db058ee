"""Decisions by click in a live notebook: one table, every click handed to a function that records it.

A headless run never waits: the widget only shows, the ledger decides, and a static table of the same rows always stands beside it
(STYLE, "Notebooks", 4). Without the ``lab`` extra there is no widget and nothing is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconlib.errors import ReconError
from reconlib.report.cells import format_value, header, is_missing, rows_of, words

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


Row = Mapping[str, Any]
Decide = Callable[[Row, str, str, str], object]
"""``decide(row, action, target, reason)`` records one decision; a ReconError it raises is shown beside the row."""

_STYLE = """
.recon-queue table{border-collapse:collapse;width:100%;font-size:.88em}
.recon-queue th,.recon-queue td{text-align:left;padding:.3em .6em;vertical-align:baseline}
.recon-queue tr{border-bottom:1px solid var(--jp-border-color2,#ccc)}
.recon-queue .num{text-align:right;font-variant-numeric:tabular-nums}
.recon-queue .acts{white-space:nowrap}.recon-queue .acts>*{margin-right:.35em;font:inherit}
.recon-queue select{max-width:14em}.recon-queue input{width:9em}.recon-queue .done{font-weight:600}
.recon-queue .error{color:var(--jp-error-color1,#a81b2e);white-space:normal;margin:.2em 0 0}
"""
_MAPPING_ACTIONS = (
    {"name": "accept", "label": "Accept", "needs_reason": False, "needs_target": True},
    {"name": "reject", "label": "Reject", "needs_reason": False, "needs_target": True},
    {"name": "exclude", "label": "Exclude", "needs_reason": True, "needs_target": False},
)
_FINDING_ACTIONS = (
    {"name": "approve", "label": "Approve", "needs_reason": False, "needs_target": False},
    {"name": "dismiss", "label": "Dismiss", "needs_reason": True, "needs_target": False},
    {"name": "investigate", "label": "Investigate", "needs_reason": False, "needs_target": False},
)
_DONE = {"accept": "accepted", "reject": "rejected", "exclude": "excluded", "approve": "approved", "dismiss": "dismissed"}


def mapping_queue(rows: pa.Table | pd.DataFrame, decide: Decide, *, choices: Sequence[tuple[str, str]] = ()) -> Any:
    """The mapping queue with accept, reject, exclude (with a reason) and undo on every row; None without the ``lab`` extra.

    Args:
        rows: ACCOUNT_MAPPING or PRODUCT_MAPPING, in the order to decide.
        decide: called with the row, ``accept``, ``reject``, ``exclude`` or ``undo``, the chosen client or service, and the reason.
        choices: id and name of what a row may be mapped to, other than its suggestion.
    """
    names, _ = rows_of(rows)
    accounts = "account_name" in names
    columns = [
        "account_name" if accounts else "product_name",
        "source",
        "client_name" if accounts else "service_name",
        "probability",
        "reason",
    ]
    columns += ["runner_up_name", "units_qty", "monthly_cost"]
    return _queue(rows, columns, _MAPPING_ACTIONS, decide, choices, target="client_id" if accounts else "service_id")


def finding_queue(rows: pa.Table | pd.DataFrame, decide: Decide) -> Any:
    """The open findings with approve, dismiss (with a reason), investigate and undo on every row; None without the ``lab`` extra.

    Args:
        rows: FINDINGS, in the order to decide.
        decide: called with the row, the action, an empty target and the reason.
    """
    columns = ["client_name", "service_name", "kind", "billed_qty", "expected_qty", "monthly_impact", "currency", "explanation"]
    return _queue(rows, columns, _FINDING_ACTIONS, decide, (), target="")


def _queue(
    table: Any,
    columns: Sequence[str],
    actions: Sequence[Mapping[str, Any]],
    decide: Decide,
    choices: Sequence[tuple[str, str]],
    *,
    target: str,
) -> Any:
    widget_class = _widget_class()
    if widget_class is None:
        return None
    names, rows = rows_of(table)
    shown = [name for name in columns if name in names]
    queue = widget_class(
        columns=[header(name) for name in shown],
        rows=[_show(row, shown, target) for row in rows],
        actions=[dict(action) for action in actions],
        choices=[list(choice) for choice in choices],
        with_target=bool(target),
    )

    def answer(_widget: object, content: Any, _buffers: object) -> None:
        queue.rows = apply_click(queue.rows, rows, content, decide)

    queue.on_msg(answer)
    return queue


def apply_click(shown: list[dict[str, Any]], rows: Sequence[Row], click: Mapping[str, Any], decide: Decide) -> list[dict[str, Any]]:
    """The rows shown after a click: the decision is recorded first; what could not be recorded says why and stays open."""
    index = int(click["index"])
    action = str(click["action"])
    after = dict(shown[index])
    try:
        decide(rows[index], action, str(click.get("target") or ""), str(click.get("reason") or ""))
        after |= {"state": "" if action == "undo" else _DONE.get(action, words(action)), "error": ""}
    except ReconError as error:
        after["error"] = str(error)
    return [after if i == index else row for i, row in enumerate(shown)]


def _show(row: Row, columns: Sequence[str], target: str) -> dict[str, Any]:
    cells = [format_value(name, row[name], currency=_currency(row) if name == "monthly_cost" else None) for name in columns]
    suggestion = "" if not target or is_missing(row.get(target)) else str(row[target])
    name = row.get(target.replace("_id", "_name")) if target else None
    return {
        "cells": [{"text": cell.text, "number": cell.number is not None} for cell in cells],
        "target": suggestion,
        "target_name": suggestion if is_missing(name) else str(name),
        "state": "",
        "error": "",
    }


def _currency(row: Row) -> str | None:
    code = row.get("currency")
    return None if is_missing(code) else str(code)


@cache
def _widget_class() -> Any:
    """The widget, defined only where anywidget is installed: importing this module stays free of it."""
    try:
        import anywidget
        import traitlets
    except ImportError:
        return None

    class DecisionQueue(anywidget.AnyWidget):  # type: ignore[misc,unused-ignore]
        """One table of rows to decide."""

        _esm = Path(__file__).with_suffix(".js")
        _css = _STYLE
        columns: traitlets.List[Any] = traitlets.List().tag(sync=True)
        rows: traitlets.List[Any] = traitlets.List().tag(sync=True)
        actions: traitlets.List[Any] = traitlets.List().tag(sync=True)
        choices: traitlets.List[Any] = traitlets.List().tag(sync=True)
        with_target = traitlets.Bool(default_value=True).tag(sync=True)

    return DecisionQueue
