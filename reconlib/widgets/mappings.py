"""The mapping queue by click: accept, reject, choose, exclude, undo, and bulk accept after a preview."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

from reconlib.errors import DataError, ReconError
from reconlib.report.cells import rows_of
from reconlib.report.pages.mapping_bulk import say_left_out, say_preview, sum_preview
from reconlib.report.pages.mapping_queue import say_suggested
from reconlib.report.pages.mapping_why import say_points, say_probability, say_runner_up, say_stake, say_why
from reconlib.review.bulk import LEAST, USUAL, BulkPreview, preview_bulk
from reconlib.widgets.queue import Action, Row, ShownRow, action, make_queue, shown_cell

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_EXCLUDE = action("exclude", "Exclude", needs_reason=True)


class Review(Protocol):
    """What records the clicks: ``mapping_review.MappingReview``."""

    refusal: str
    review_by: date

    def decide(self, row: Row, action: str, target: str = "", reason: str = "", until: date | None = None) -> Any:
        """Record one answer."""

    def accept_all(self, preview: BulkPreview) -> Any:
        """Record a decision for every row of a preview."""


def mapping_queue(rows: pa.Table | pd.DataFrame, review: Review, *, choices: Sequence[tuple[str, str]] = ()) -> Any:
    """The mapping queue with its buttons on every row, and bulk accept above it; None without the ``lab`` extra.

    Args:
        rows: ACCOUNT_MAPPING or PRODUCT_MAPPING, in the order to decide.
        review: records the clicks; says where nothing can be decided, such as in a signed month.
        choices: id and name of what a row may be mapped to, other than its suggestion.
    """
    names, found = rows_of(rows)
    target = "client" if "vendor_account_id" in names or "account_name" in names else "service"

    def answer(row: Row, click: Mapping[str, Any]) -> None:
        until = _day(click.get("until")) if click["action"] == "exclude" else None
        review.decide(row, str(click["action"]), str(click.get("target") or ""), str(click.get("reason") or ""), until)

    queue = make_queue(
        [f"Vendor {'account' if target == 'client' else 'product'}", f"Suggested {target}", "p", "Why", "Runner-up", "A month"],
        [show_row(row, target) for row in found],
        found,
        answer,
        choices=[list(choice) for choice in choices],
        more=f"Other {target} or exclude…",
        choose=f"Map to another {target}",
        until=str(review.review_by),
        locked=review.refusal,
        threshold=str(USUAL),
    )
    if queue is not None:
        _Bulk(queue, found, review)
    return queue


def show_row(row: Row, target: str) -> ShownRow:
    """One row of the queue as the browser draws it; ``target`` is client or service."""
    name = str(row["account_name"] if target == "client" else row["product_name"])
    tags = [text for text in (_say_verdict(row), str(row.get("change") or "")) if text]
    cells = [
        shown_cell(name, str(row.get("source") or "")),
        shown_cell(say_suggested(row, target)),
        shown_cell(_say_sure(row, target), number=True),
        shown_cell(say_why(row), say_points(row)),
        shown_cell(say_runner_up(row) or "–"),
        shown_cell(*say_stake(row), number=True),
    ]
    doubtful = bool(row.get("conflicts")) or row.get("verdict") == "CONTRADICTION" or (row.get("probability") or 0) < LEAST
    actions = _actions(row, target)
    return {"name": name, "cells": cells, "actions": actions, "tags": tags, "is_doubtful": doubtful, "state": "", "error": ""}


def _say_sure(row: Row, target: str) -> str:
    return (say_probability(row.get("probability")) if row.get(f"{target}_id") else "") or "–"


def _actions(row: Row, target: str) -> list[Action]:
    suggested, better = (str(row.get(name) or "") for name in (f"{target}_id", "runner_up_id"))
    if row.get("verdict") == "CONTRADICTION":
        change = [action("accept", f"Change to {row['runner_up_name']}", better)] if better else []
        return [*change, action("accept", "Keep", suggested), _EXCLUDE]
    if not suggested:
        return [_EXCLUDE]
    return [action("accept", "Accept", suggested), action("reject", "Reject", suggested), _EXCLUDE]


def _say_verdict(row: Row) -> str:
    if row.get("verdict") == "CONTRADICTION":
        return "contradicts a mapping"
    return "conflict" if row.get("conflicts") else "sure" if row.get("verdict") == "AUTO" else ""


def _day(text: Any) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        raise DataError(f"{text!r} is not a day", where="look again on", hint="write it as 2027-10-31") from None


class _Bulk:
    """Bulk accept of one queue: a preview first; what is recorded is exactly what the preview listed."""

    def __init__(self, queue: Any, rows: Sequence[Row], review: Review) -> None:
        self._queue, self._rows, self._review = queue, rows, review
        self._asked: BulkPreview | None = None
        queue.on_msg(self._receive)

    def _receive(self, _widget: object, click: Any, _buffers: object) -> None:
        asked, self._asked = self._asked, None  # a row decided meanwhile makes it another list: it is asked for again
        try:
            shown: dict[str, Any] = {}
            if click.get("bulk") == "preview":
                shown = self._preview(str(click.get("threshold") or ""))
            elif click.get("bulk") == "record" and asked is not None:
                shown = self._record(asked)
        except ReconError as error:
            shown = {"error": str(error)}
        self._queue.preview = shown

    def _preview(self, threshold: str) -> dict[str, Any]:
        waiting = [row for row, shown in zip(self._rows, self._queue.rows, strict=True) if not shown["state"]]
        self._asked = asked = preview_bulk(waiting, threshold)
        columns, lines = say_preview(asked)
        facts = {"title": sum_preview(asked), "left_out": say_left_out(asked), "count": len(asked.rows)}
        return {**facts, "columns": columns, "rows": lines}

    def _record(self, asked: BulkPreview) -> dict[str, Any]:
        self._review.accept_all(asked)
        done = {_key(row) for row in asked.rows}
        self._queue.rows = [
            {**shown, "state": "accepted in bulk", "error": ""} if _key(row) in done else shown
            for row, shown in zip(self._rows, self._queue.rows, strict=True)
        ]
        count = len(asked.rows)
        return {"done": "1 decision recorded." if count == 1 else f"{count} decisions recorded, one for each row; each can be taken back."}


def _key(row: Row) -> tuple[Any, Any]:
    return row["source"], row.get("vendor_account_id") or row.get("vendor_product_id")
