"""What waits for a decision on page 20, each row with why and runner-up, and the mappings the evidence is against. Table in, table out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from reconlib.mapping import rank_key
from reconlib.report.pages.mapping_why import floor_probability, say_points, say_runner_up, say_why
from reconlib.report.pages.tables import Columns, Row, build_table, each_once

ACCOUNT = {"name": "account_name", "vendor_id": "vendor_account_id", "target": "client"}
PRODUCT = {"name": "product_name", "vendor_id": "vendor_product_id", "target": "service"}
QUEUE_HEADS = {
    "name": "Vendor account",
    "source": "Source",
    "suggested": "Suggested",
    "probability": "p",
    "why": "Why",
    "runner_up": "Runner-up",
    "units_qty": "Units",
    "monthly_cost": "A month",
}
QUEUE_DETAILS = ("points", "change", "verdict", "domain", "sku", "vendor_id", "evidence")
CONTRADICTION_HEADS = {
    "name": "Vendor name",
    "source": "Source",
    "mapped_to": "Mapped to",
    "decided_by": "By",
    "probability": "p",
    "better": "The evidence is for",
    "why": "Why",
    "monthly_cost": "A month",
}
CONTRADICTION_DETAILS = ("points", "vendor_id", "evidence")
CHANGED_HEADS = {
    "name": "Vendor name",
    "source": "Source",
    "change": "What changed",
    "state": "State",
    "target": "Mapped or suggested",
    "units_qty": "Units",
    "monthly_cost": "A month",
}
_QUEUE: Columns = {
    "name": "text",
    "source": "text",
    "suggested": "text",
    "probability": "qty",
    "why": "text",
    "runner_up": "text",
    "units_qty": "qty",
    "monthly_cost": "amount",
    "currency": "text",
    "points": "text",
    "change": "text",
    "verdict": "text",
    "domain": "text",
    "sku": "text",
    "vendor_id": "text",
    "evidence": "text",
}
_CONTRADICTION: Columns = {
    "name": "text",
    "source": "text",
    "mapped_to": "text",
    "decided_by": "text",
    "probability": "qty",
    "better": "text",
    "why": "text",
    "units_qty": "qty",
    "monthly_cost": "amount",
    "currency": "text",
    "points": "text",
    "vendor_id": "text",
    "evidence": "text",
}
_CHANGE: Columns = {
    "name": "text",
    "source": "text",
    "change": "text",
    "state": "text",
    "target": "text",
    "units_qty": "qty",
    "monthly_cost": "amount",
    "currency": "text",
    "vendor_id": "text",
    "evidence": "text",
}


def waits(row: Row) -> bool:
    """Whether somebody has to decide it: suggested, unmapped, or mapped against the evidence."""
    return row["state"] in ("suggested", "unmapped") or row["verdict"] == "CONTRADICTION"


def rank_queue(mapping: pa.Table) -> pa.Table:
    """What waits for a decision, most money × most doubt first; then what has no known money, most units × most doubt first.

    Grain: as the mapping; suggested and unmapped rows, and mapped ones the evidence contradicts.
    """
    return pa.Table.from_pylist(sorted(filter(waits, mapping.to_pylist()), key=rank_key), schema=mapping.schema)


def words_of(mapping: pa.Table) -> dict[str, str]:
    """What accounts and products call their columns."""
    return ACCOUNT if "vendor_account_id" in mapping.column_names else PRODUCT


def list_queue(mapping: pa.Table) -> pa.Table:
    """The queue as people read it: vendor account or product, what it is suggested to be, how sure, why, runner-up, money a month.

    Grain: as ``rank_queue``, in its order.
    """
    words = words_of(mapping)
    rows = [
        _common(row, words)
        | {
            "suggested": say_suggested(row, words["target"]),
            "runner_up": say_runner_up(row),
            "change": row["change"],
            "verdict": row["verdict"],
            "domain": row.get("domain"),
            "sku": row.get("sku"),
        }
        for row in rank_queue(mapping).to_pylist()
    ]
    return build_table(rows, _QUEUE)


def say_suggested(row: Mapping[str, Any], target: str) -> str:
    """What the row is suggested to be; of a contradiction, what it is mapped to, in words."""
    name = row[f"{target}_name"] or row[f"{target}_id"] or ""
    if row["verdict"] == "CONTRADICTION":
        return f"mapped to {name}: contradicted"
    return str(name) or "no suggestion"


def list_contradictions(*mappings: pa.Table) -> pa.Table:
    """Mappings that stand and the evidence is against: what they are mapped to, and what speaks for the better one."""
    rows = [
        _common(row, words_of(mapping))
        | {
            "mapped_to": row[f"{words_of(mapping)['target']}_name"],
            "decided_by": row["decided_by"],
            "better": say_runner_up(row),
        }
        for mapping in mappings
        for row in rank_queue(mapping).to_pylist()
        if row["verdict"] == "CONTRADICTION"
    ]
    return build_table(rows, _CONTRADICTION)


def list_changed(*mappings: pa.Table) -> pa.Table:
    """Accounts and products the vendor renamed, added or gave a new id since last month, most money first (T25).

    Grain: one account or product; one that counts for several services names them all.
    """
    rows = []
    for mapping in mappings:
        words = words_of(mapping)
        targets: dict[tuple[str, str], list[str]] = {}
        for row in mapping.to_pylist():
            if name := row[f"{words['target']}_name"]:
                targets.setdefault((row["source"], row[words["vendor_id"]]), []).append(name)
        for row in each_once(mapping):
            if row["change"]:
                target = ", ".join(targets.get((row["source"], row[words["vendor_id"]]), [])) or None
                rows.append(_common(row, words) | {"change": row["change"], "state": row["state"], "target": target})
    return build_table(sorted(rows, key=lambda row: (-(row["monthly_cost"] or 0), row["source"], row["evidence"])), _CHANGE)


def _common(row: Row, words: dict[str, str]) -> Row:
    kept = {name: row[name] for name in ("source", "units_qty", "monthly_cost", "currency", "evidence")}
    return kept | {
        "name": row[words["name"]],
        "vendor_id": row[words["vendor_id"]],
        "probability": floor_probability(row["probability"]) if row[f"{words['target']}_id"] else None,
        "why": say_why(row),
        "points": f"points: {say_points(row) or 'none'}",
    }
