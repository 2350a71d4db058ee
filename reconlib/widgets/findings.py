"""The queue of open findings, to approve, dismiss or investigate by click."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from reconlib.report.cells import format_value, header, is_missing, rows_of
from reconlib.widgets.queue import Row, ShownRow, action, make_queue, shown_cell

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Decide = Callable[[Row, str, str, str], object]
"""``decide(row, action, target, reason)`` records one decision."""

_COLUMNS = ("client_name", "service_name", "kind", "billed_qty", "expected_qty", "monthly_impact", "explanation")
_ACTIONS = (
    action("approve", "Approve"),
    action("investigate", "Investigate"),
    action("dismiss", "Dismiss", needs_reason=True),
)


def finding_queue(rows: pa.Table | pd.DataFrame, decide: Decide) -> Any:
    """The open findings with approve, dismiss (with a reason), investigate and undo on every row; None without the ``lab`` extra.

    Args:
        rows: FINDINGS, in the order to decide.
        decide: called with the row, the action, an empty target and the reason.
    """
    names, found = rows_of(rows)
    columns = [name for name in _COLUMNS if name in names]

    def answer(row: Row, click: Mapping[str, Any]) -> None:
        decide(row, str(click["action"]), "", str(click.get("reason") or ""))

    return make_queue([header(name) for name in columns], [_shown(row, columns) for row in found], found, answer, more="Dismiss…")


def _shown(row: Row, columns: list[str]) -> ShownRow:
    cells = []
    for name in columns:
        code = "" if is_missing(row.get("currency")) else str(row.get("currency") or "")
        cell = format_value(name, row[name], currency=code or None if name == "monthly_impact" else None)
        sub = f"{cell.word} {code}".strip() if name == "monthly_impact" and cell.number is not None else ""
        cells.append(shown_cell(cell.text, sub, number=cell.number is not None))
    about = " / ".join(str(row[name]) for name in ("client_name", "service_name") if name in row and not is_missing(row[name]))
    return {"name": about, "cells": cells, "actions": list(_ACTIONS), "tags": [], "is_doubtful": False, "state": "", "error": ""}
