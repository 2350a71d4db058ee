"""What the client is billed against what should be billed."""

from __future__ import annotations

from collections.abc import Iterator

from reconlib.findings.kinds import BILLING_KINDS, UNKNOWN_KINDS, Facts, Row, cell_of
from reconlib.money import format_qty


def check_billing(facts: Facts) -> Iterator[Row]:
    """Under-billed, over-billed, orphan lines, new revenue; and lines nothing can be said about, with empty money (T1)."""
    for row in facts.cells:
        if row["status"] in BILLING_KINDS or row["status"] in UNKNOWN_KINDS:
            yield {
                **cell_of(row),
                "kind": row["status"],
                "source": row["count_source"],
                "variance_qty": row["variance_qty"],
                "monthly_impact": row["monthly_impact"],
                "explanation": facts.explain(row),
            }
        elif row["status"] == "not_comparable":
            yield {**cell_of(row), "kind": "currency_or_cycle_mismatch", "explanation": facts.explain(row)}


def check_bundles(facts: Facts) -> Iterator[Row]:
    """Units a bundle covers that are not deployed (T66): a gap in coverage, not in billing."""
    for row in facts.cells:
        if row["missing_qty"]:
            text = f"The bundle covers {format_qty(row['missing_qty'])} more {row['service_name']} than are deployed."
            yield {**cell_of(row), "kind": "dependent_mismatch", "variance_qty": row["missing_qty"], "explanation": text}
