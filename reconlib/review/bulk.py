"""Accepting many suggestions at once: first a preview that lists each of them with its money, then one ordinary decision for each.

Nothing is accepted in bulk that speaks against itself: no row with a conflict, no contradiction of a mapping that stands, nothing that has
no suggestion. What is left out is counted, with the reason (T21: a suggestion never decides by itself).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from reconlib.errors import DataError

LEAST = Decimal("0.5")  # below it a suggestion is more likely wrong than right
USUAL = Decimal("0.98")  # from here on the matcher itself says AUTO
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BulkPreview:
    """What accepting everything above a threshold would accept, and what it would leave; ``rows`` are recorded exactly as they stand."""

    threshold: Decimal
    relation: str  # account or product
    rows: tuple[dict[str, Any], ...]  # of the mapping table: AUTO first, then most money
    left_out: Mapping[str, int]  # rows of the queue it leaves, by why

    @property
    def why(self) -> str:
        """What each decision says as its reason, the row's own verdict and probability beside it in ``seen``."""
        return f"bulk: p ≥ {self.threshold}, one of {len(self.rows)} listed in a preview"


def preview_bulk(rows: Iterable[Row], threshold: Decimal | str) -> BulkPreview:
    """Rows of ACCOUNT_MAPPING or PRODUCT_MAPPING that would be accepted at this probability; nothing is recorded.

    Raises:
        DataError: the threshold is no number from .5 to 1.

    Example:
        >>> sure = {"vendor_account_id": "1", "state": "suggested", "client_id": "7", "probability": Decimal("0.99"), "verdict": "AUTO"}
        >>> preview = preview_bulk([sure, sure | {"conflicts": "north / south"}], "0.98")
        >>> len(preview.rows), dict(preview.left_out)
        (1, {'speaks against itself': 1})
    """
    least = read_threshold(threshold)
    queue = [dict(row) for row in rows]
    relation = "product" if queue and "vendor_product_id" in queue[0] else "account"
    reasons = [why_not_in_bulk(row, least) for row in queue]
    kept = [row for row, reason in zip(queue, reasons, strict=True) if not reason]
    kept.sort(key=lambda row: (row.get("verdict") != "AUTO", -(row.get("monthly_cost") or Decimal(0)), row.get("evidence") or ""))
    return BulkPreview(least, relation, tuple(kept), Counter(reason for reason in reasons if reason))


def why_not_in_bulk(row: Row, threshold: Decimal) -> str:
    """Why a row is not accepted in bulk, in words; empty where it would be."""
    target = row.get("client_id") or row.get("service_id")
    if row.get("verdict") == "CONTRADICTION":
        return "contradicts a mapping that stands"
    if row.get("state") != "suggested" or not target or row.get("probability") is None:
        return "without a suggestion"
    if row.get("conflicts"):
        return "speaks against itself"
    return "" if row["probability"] >= threshold else f"less sure than {threshold}"


def read_threshold(text: Decimal | str) -> Decimal:
    """A threshold as people write it: .98, 0.98 or 98 %.

    Raises:
        DataError: no number, or outside .5 to 1.
    """
    try:
        plain = str(text).strip().replace(",", ".")
        value = Decimal(plain.removesuffix("%").strip()) / (100 if plain.endswith("%") else 1)
    except InvalidOperation:
        raise DataError(f"{text!r} is no probability", where="threshold", hint=f"write it as {USUAL}") from None
    if value.is_nan() or not LEAST <= value <= 1:
        hint = f"from {LEAST} to 1: below it a suggestion is more likely wrong than right"
        raise DataError(f"{text} is not possible", where="threshold", hint=hint)
    return value
