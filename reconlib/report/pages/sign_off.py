"""What page 40 shows: is this month ready, and what will change? Table in, table out; under and over apart (T131)."""

from __future__ import annotations

import pyarrow as pa

from reconlib.report.pages.tables import NO_MONEY, Columns, Row, add_directions, build_table


def sum_outcomes(findings: pa.Table) -> pa.Table:
    """Findings by what was decided, under- and over-billed money apart (T131). Grain: one status and currency."""
    groups: dict[tuple[str, str], Row] = {}
    for row in findings.to_pylist():
        key = (row["status"], row["currency"])
        group = groups.setdefault(key, {"status": row["status"], "findings": 0, "currency": row["currency"], **NO_MONEY})
        group["findings"] += 1
        add_directions(group, row["monthly_impact"])
    columns: Columns = {"status": "text", "findings": "int", "under_billed": "amount", "over_billed": "amount", "currency": "text"}
    return build_table((groups[key] for key in sorted(groups)), columns)
