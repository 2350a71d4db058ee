"""What the pages show of time: what moved since invoicing, since last month, and what lies ahead. Table in, table out.

Money of the two directions stands apart and is never netted (T131); what is not known is empty, never zero (T1).
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

import pyarrow as pa

from reconlib.report.pages.tables import ZERO, Card, Columns, Row, build_table, sum_money

_UNKNOWN = ("became_unknown", "not_known")
_MOVES = {
    "late_count": "count changed late",
    "other_rule": "included units, a bundle or a rule changed",
    "became_known": "became known",
    "became_unknown": "became unknown",
    "changed_in_psa": "changed in the PSA since",
    "new_line": "line added since",
    "line_gone": "line gone since",
}
_PROPOSALS = {"none": "nothing", "back_charge": "back-charge", "credit": "credit", "wait": "wait"}
_ORDER = ("credit", "back_charge", "wait", "none")


def roll_forward_cards(moved: pa.Table) -> list[Card]:
    """What the pass after invoicing found: money for the next invoice, each direction apart, and what has to wait."""
    rows = moved.to_pylist()
    by = {word: [row for row in rows if row["proposal"] == word] for word in _ORDER}
    lost = sum(row["expected_move"] == "became_unknown" for row in rows)
    return [
        ("To back-charge", sum_money(by["back_charge"], "proposal_amount"), _pairs(by["back_charge"], "found after invoicing"), "under"),
        ("To credit", sum_money(by["credit"], "proposal_amount"), _pairs(by["credit"], "found after invoicing"), "over"),
        ("To wait for", len(by["wait"]), "client and service pairs nobody can settle yet", "unknown"),
        ("No count any more", lost, "pairs counted before invoicing and not now: not zero", "bad" if lost else "good"),
        ("As before", len(by["none"]), "client and service pairs with nothing to carry over", "neutral"),
    ]


def _pairs(rows: list[Row], words: str) -> str:
    unpriced = sum(row["proposal_amount"] is None for row in rows)
    return f"in {len(rows)} pairs, {words}" + (f"; {unpriced} without an amount" if unpriced else "")


def list_moved(moved: pa.Table) -> pa.Table:
    """The client and service pairs where anything moved or is to be carried over, credits and back-charges first, most money first."""
    rows = [
        row | {"what_to_do": _PROPOSALS[row["proposal"]]}
        for row in moved.to_pylist()
        if row["proposal"] != "none"
        or row["expected_move"] not in ("none", "not_known")
        or row["billed_move"] != "none"
        or row["later_qty"]
    ]
    rows.sort(key=lambda r: (_ORDER.index(r["proposal"]), -abs(r["proposal_amount"] or ZERO), r["client_name"], r["service_name"]))
    fields = [*(field.with_nullable(True) for field in moved.schema), pa.field("what_to_do", pa.string())]
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))


def sum_moves(moved: pa.Table) -> pa.Table:
    """From the one pass to the other, step by step: what should be billed, what is billed, and the money of the difference.

    Grain: one number, step and currency; the steps between "before" and "after" add up to the way between them.
    """
    found: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in moved.to_pylist():
        for what, name in (("should be billed", "expected"), ("billed", "billed")):
            steps: dict[str, Decimal | None] = {"before": row[f"{name}_before_qty"], "after": row[f"{name}_after_qty"]}
            if (move := row[f"{name}_move"]) in _MOVES:
                steps[move] = _step(row, f"{name}_before_qty", f"{name}_moved_qty", f"{name}_after_qty")
            for step, units in steps.items():
                if units is not None:
                    found[row["currency"], what, step].append({"units": units, "amount": None})
        amounts = {"before": row["monthly_before"], "after": row["monthly_after"]}
        if row["monthly_before"] != row["monthly_after"]:
            word = "moved" if row["monthly_moved"] is not None else "became_known" if row["monthly_before"] is None else "became_unknown"
            amounts[word] = _step(row, "monthly_before", "monthly_moved", "monthly_after")
        for step, amount in amounts.items():
            if amount is not None:
                found[row["currency"], "difference, money a month", step].append({"units": None, "amount": amount})
    order = ["before", *_MOVES, "moved", "after"]
    rows = [
        {
            "what": what,
            "step": {"before": "before invoicing", "after": "after invoicing"}.get(step) or _MOVES.get(step, step),
            "pairs": len(parts),
            "units": _sum(parts, "units"),
            "amount": _sum(parts, "amount"),
            "currency": currency,
        }
        for (currency, what, step), parts in sorted(
            found.items(), key=lambda item: (item[0][0], item[0][1] != "should be billed", item[0][1], order.index(item[0][2]))
        )
    ]
    columns: Columns = {"what": "text", "step": "text", "pairs": "int", "units": "qty", "amount": "amount", "currency": "text"}
    return build_table(rows, columns)


def _step(row: Row, before: str, moved: str, after: str) -> Decimal:
    if row[moved] is not None:
        return Decimal(row[moved])
    return Decimal(row[after]) if row[before] is None else -Decimal(row[before])


def _sum(parts: list[Row], name: str) -> Decimal | None:
    known = [part[name] for part in parts if part[name] is not None]
    return sum(known, ZERO) if known else None


def keep_lasting(chronic: pa.Table) -> pa.Table:
    """The findings that were there for two months or more, or that a verified change has settled; most money first."""
    rows = [row for row in chronic.to_pylist() if row["months_open"] > 1 or row["verified_in"]]
    rows.sort(key=lambda r: (-(r["under_amount"] + r["over_amount"]), -(r["recovered_amount"] or ZERO), r["finding_id"]))
    return pa.Table.from_pylist(rows, schema=chronic.schema)


def sort_changes(cells: pa.Table) -> pa.Table:
    """What moved since last month, most money first; what has no amount after it."""
    rows = sorted(cells.to_pylist(), key=lambda r: (-abs(r["monthly_change"] or ZERO), r["client_name"], r["service_name"]))
    return pa.Table.from_pylist(rows, schema=cells.schema)


def keep_marked(recent: pa.Table) -> pa.Table:
    """The clients whose monthly billing moved by a tenth or more, most money first."""
    rows = [row for row in recent.to_pylist() if row["is_marked"]]
    return pa.Table.from_pylist(sorted(rows, key=lambda r: (-abs(r["change_amount"]), r["client_name"])), schema=recent.schema)
