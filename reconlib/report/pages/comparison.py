"""What page 30 shows: what would be invoiced wrongly, and what is it worth? Table in, table out.

Under- and over-billing stand apart and are never netted (T131). An unknown amount is empty, never zero (T1).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa

from reconlib.money import format_qty
from reconlib.report.pages.tables import NO_MONEY, ZERO, Card, Columns, Row, add_directions, build_table, sum_money

UNDER, OVER = ("under_billed", "new_revenue"), ("over_billed", "orphan_line")
NOT_COMPARABLE = ("no_count", "no_source", "not_comparable")
MATCHED = ("matched", "matched_within_tolerance", "flat", "cloud", "covered", "timing", "own_use", "ignored", "not_resold")
_NO_NUMBERS = ("no_count", "no_source", "currency_or_cycle_mismatch")
SURE = Decimal("0.9")  # from here a figure rests on a confirmed mapping and a fresh count


def keep_kinds(findings: pa.Table, *kinds: str) -> pa.Table:
    """The findings of these kinds, in the order given."""
    return pa.Table.from_pylist([row for row in findings.to_pylist() if row["kind"] in kinds], schema=findings.schema)


def keep_open(findings: pa.Table) -> pa.Table:
    """The findings nobody has decided, most absolute money first."""
    rows = [row for row in findings.to_pylist() if row["status"] == "open"]
    return pa.Table.from_pylist(sorted(rows, key=_weight), schema=findings.schema)


def count_not_comparable(cells: pa.Table) -> int:
    """Client and service pairs that could not be compared: no count, or no source for one."""
    return sum(status in NOT_COMPARABLE for status in cells["status"].to_pylist())


def share_confident(findings: pa.Table) -> str:
    """Share of the money that rests on confirmed mappings and fresh counts, as text, each currency apart; empty when there is no money."""
    sums: dict[str, list[Decimal]] = defaultdict(lambda: [ZERO, ZERO])
    for row in findings.to_pylist():
        if row["monthly_impact"]:
            sums[row["currency"]][0] += abs(row["monthly_impact"])
            sums[row["currency"]][1] += abs(row["monthly_impact"]) if row["confidence"] >= SURE else ZERO
    shares = {code: f"{100 * sure / total:.0f} %" for code, (total, sure) in sorted(sums.items())}
    return ", ".join(shares.values() if len(shares) == 1 else (f"{share} of {code}" for code, share in shares.items())) or "–"


def comparison_cards(findings: pa.Table, cells: pa.Table, sources: pa.Table) -> list[Card]:
    """The first screen: what would be invoiced wrongly, each direction apart (T131), and what is not known."""
    under, over = keep_kinds(findings, *UNDER).to_pylist(), keep_kinds(findings, *OVER).to_pylist()
    waste = keep_kinds(findings, "unused_commitment").to_pylist()
    failed = [row["source"] for row in sources.to_pylist() if row["status"] != "complete"]
    missing = Counter(cells["status"].to_pylist())
    why = f"{missing['no_count']} without a count, {missing['no_source']} without a source"
    why += f"; no usable answer from {', '.join(failed)}" if failed else ""
    priced = [row for row in keep_kinds(findings, "price_outlier").to_pylist() if row["monthly_impact"]]
    besides = f"; {sum_money(priced, 'monthly_impact')} more by prices that never rose" if priced else ""
    return [
        ("Under-billed", sum_money(under, "monthly_impact"), f"a month, in {len(under)} client and service pairs{besides}", "under"),
        ("Over-billed", sum_money(over, "monthly_impact"), f"a month, in {len(over)} client and service pairs", "over"),
        ("Not comparable", count_not_comparable(cells), why, "unknown"),
        ("Confidence", share_confident(findings), "of the money rests on confirmed mappings and fresh counts", "neutral"),
        ("Paid for, not used", sum_money(waste, "cost_impact"), f"a month of own cost, in {len(waste)} pairs", "neutral"),
    ]


def rank_findings(findings: pa.Table, effective_date: date) -> pa.Table:
    """Findings by absolute money, with the direction and the next step in words.

    Grain: one finding. Order: client money, then own cost, then units; unknown money last. ``effective_date``: when a change would bill.
    """
    rows = []
    for rank, row in enumerate(sorted(findings.to_pylist(), key=_weight), 1):
        about = row["client_name"] or f"{row['source']}: nobody yet"
        step = describe_step(row, effective_date)
        rows.append({"rank": rank, "about": about, **row, "difference": describe_difference(row), "what_to_do": step})
    texts = [pa.field(name, pa.string()) for name in ("about", "difference", "what_to_do")]
    fields = [pa.field("rank", pa.int64()), *(f.with_nullable(True) for f in findings.schema), *texts]
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))


def _weight(row: Row) -> tuple[Decimal, Decimal, Decimal, str]:
    return (-abs(row["monthly_impact"] or ZERO), -abs(row["cost_impact"] or ZERO), -abs(row["variance_qty"] or ZERO), row["finding_id"])


_DIFFERENCE = {
    "under_billed": "billing {qty} fewer than expected",
    "over_billed": "billing {qty} more than expected",
    "new_revenue": "{qty} not billed at all",
    "orphan_line": "{qty} billed, none in use",
    "no_count": "no count this month: not zero",
    "no_source": "no source to compare with",
    "unmapped_account": "{qty} units on an account nobody mapped",
    "unmapped_service": "{qty} units of a product nobody mapped",
    "unaccounted_usage": "{qty} units no rule accounts for",
    "unusable_rows": "{qty} rows could not be used",
    "unmatched_rule": "a rule that caught nothing",
    "duplicate_unit": "{qty} seen twice, counted once",
    "stale_unit": "{qty} not seen for too long, not counted",
    "timing": "{qty} more since the as-of day",
    "unusual_count": "{qty} away from its own months before",
    "unused_commitment": "{qty} paid for and not used",
    "shadow_usage": "{qty} used beyond what was bought",
    "cost_change": "the vendor's cost differs from the agreement's",
    "negative_margin": "sold below cost",
    "currency_or_cycle_mismatch": "bought in another currency than sold",
    "dependent_mismatch": "{qty} fewer than the bundle promises",
}


def describe_difference(row: Mapping[str, Any]) -> str:
    """A finding's direction in words, never colour or sign alone."""
    qty = row["variance_qty"]
    words = _DIFFERENCE.get(row["kind"]) or str(row["kind"]).replace("_", " ")
    return words.format(qty=format_qty(abs(qty)) if qty is not None else "some")


_STEP = {
    "under_billed": "bill {expected} from {day}",
    "over_billed": "bill {expected} from {day}",
    "new_revenue": "add a line of {expected} from {day}, or say why not",
    "orphan_line": "end the line from {day}, or say why not",
    "no_count": "mend or map the source; bill as before until then",
    "no_source": "connect a source, or rule that there is none",
    "unmapped_account": "map or exclude it (page 20)",
    "unmapped_service": "map or exclude it (page 20)",
    "unaccounted_usage": "add it to a count rule, or ignore it there with a reason",
    "unmatched_rule": "mend the rule, or take it out",
    "unusable_rows": "mend them at their source, or say why they do not matter",
    "duplicate_unit": "remove the second entry at the vendor",
    "stale_unit": "remove the units at the vendor, or bring them back online",
    "timing": "nothing this month; the next one counts them",
    "unusual_count": "see whether the feed still gives everything",
    "unused_commitment": "reduce when the commitment allows",
    "shadow_usage": "buy the missing seats, or take them back",
    "cost_change": "reprice the line, or dispute the cost",
    "negative_margin": "reprice the line",
    "currency_or_cycle_mismatch": "agree on one currency",
    "dependent_mismatch": "deploy what the bundle promises",
}


def describe_step(row: Mapping[str, Any], effective_date: date) -> str:
    """What would settle a finding, as a proposal to a person."""
    return _STEP.get(row["kind"], "look into it").format(expected=format_qty(row["expected_qty"]), day=effective_date)


def sum_by(findings: pa.Table, column: str) -> pa.Table:
    """Findings of one client or service: under- and over-billed money apart, own cost that rose or is wasted and that fell apart (T131).

    Grain: one value of ``column`` and currency. Order: most money first.
    """
    groups: dict[tuple[str, str], Row] = {}
    for row in findings.to_pylist():
        if row[column] is None:
            continue
        empty = {
            column: row[column],
            "findings": 0,
            "own_cost": ZERO,
            "cost_fall": ZERO,
            "unknown": 0,
            "currency": row["currency"],
            **NO_MONEY,
        }
        group = groups.setdefault((row[column], row["currency"]), empty)
        add_directions(group, row["monthly_impact"])
        group["findings"] += 1
        group["unknown"] += row["kind"] in NOT_COMPARABLE
        group["own_cost"] += max(ZERO, row["cost_impact"] or ZERO)
        group["cost_fall"] += max(ZERO, -(row["cost_impact"] or ZERO))
    rows = sorted(groups.values(), key=lambda g: (-(g["under_billed"] + g["over_billed"]), -g["own_cost"], g[column]))
    money: Columns = {"under_billed": "amount", "over_billed": "amount", "own_cost": "amount", "cost_fall": "amount"}
    return build_table(rows, {column: "text", "findings": "int", **money, "unknown": "int", "currency": "text"})


_PATTERNS = (
    ("billed as expected", "nothing to do"),
    ("used above billed", "raise the line, or say why not"),
    ("used below billed", "lower the line, unless a minimum or commitment holds it"),
    ("purchased above used", "seats paid for and idle; reduce when the commitment ends"),
    ("purchased below used", "assigned without being bought: order them or take them back"),
    ("no line, in use", "sold or given away? add a line or record why not"),
    ("a count is missing", "not comparable; nothing is assumed"),
    ("a flat fee", "no unit is counted"),
    ("a client that is not billed", "inactive or a prospect: its usage has no line to go to"),
)


def count_patterns(cells: pa.Table) -> pa.Table:
    """The four numbers side by side: how many client and service pairs show each pattern, and what it means.

    Grain: one pattern; a pair is counted under the first that fits.
    """
    found = Counter(_pattern(row) for row in cells.to_pylist())
    return build_table(
        [{"pattern": p, "pairs": found[p], "meaning": m} for p, m in _PATTERNS], {"pattern": "text", "pairs": "int", "meaning": "text"}
    )


def _pattern(row: Row) -> str:
    billed, used, bought, expected = row["billed_qty"], row["used_qty"], row["purchased_qty"], row["expected_qty"]
    if row["status"] == "flat":
        index = 7
    elif row["status"] == "out_of_scope":
        index = 8
    elif expected is None:
        index = 6
    elif not row["lines"] and expected:
        index = 5
    elif used is not None and bought is not None and used != bought:
        index = 3 if bought > used else 4
    else:
        index = 1 if expected > (billed or ZERO) else 2 if expected < (billed or ZERO) else 0
    return str(_PATTERNS[index][0])


def keep_status(cells: pa.Table, *statuses: str) -> pa.Table:
    """The comparison's rows with one of these statuses."""
    return pa.Table.from_pylist([row for row in cells.to_pylist() if row["status"] in statuses], schema=cells.schema)


def list_not_comparable(cells: pa.Table, findings: pa.Table) -> pa.Table:
    """Client and service pairs nothing can be said about, and clients that are not billed, each with why.

    Grain: one pair. ``explanation`` is its finding's; null for a client that is not billed, which has none.
    """
    why = {(row["client_id"], row["service_id"]): row["explanation"] for row in findings.to_pylist() if row["kind"] in _NO_NUMBERS}
    rows = [row for row in cells.to_pylist() if row["status"] in (*NOT_COMPARABLE, "out_of_scope")]
    fields = [*(field.with_nullable(True) for field in cells.schema), pa.field("explanation", pa.string())]
    made = [row | {"explanation": why.get((row["client_id"], row["service_id"]))} for row in rows]
    return pa.Table.from_pylist(made, schema=pa.schema(fields))


def list_commitments(findings: pa.Table, purchases: pa.Table, accounts: pa.Table, products: pa.Table) -> pa.Table:
    """Seats paid for and not used, with the day the quantity can go down (T86).

    Grain: one finding ``unused_commitment``. The day is the first end among the purchases behind it; empty: any day, as one has no term.
    """
    clients = {(r["source"], r["vendor_account_id"]): r["client_id"] for r in accounts.to_pylist() if r["state"] == "mapped"}
    services: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in products.to_pylist():
        if row["state"] == "mapped":
            services[row["source"], row["vendor_product_id"]].add(row["service_id"])
    ends: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in purchases.to_pylist():
        client = clients.get((row["source"], row["vendor_account_id"]))
        if client is not None and row["is_active"] and row["quantity_qty"]:
            for service_id in services[row["source"], row["vendor_product_id"]]:
                ends[client, service_id].append(row["commitment_end_date"])
    rows = [
        {**row, "unused_qty": row["variance_qty"], "can_reduce_date": _first_end(ends[row["client_id"], row["service_id"]])}
        for row in findings.to_pylist()
        if row["kind"] == "unused_commitment"
    ]
    columns: Columns = {
        "client_name": "text",
        "service_name": "text",
        "purchased_qty": "qty",
        "used_qty": "qty",
        "unused_qty": "qty",
        "unit_cost": "price",
        "cost_impact": "amount",
        "currency": "text",
        "can_reduce_date": "date",
    }
    return build_table(sorted(rows, key=lambda r: (-(r["cost_impact"] or ZERO), r["client_name"], r["service_name"])), columns)


def _first_end(ends: list[Any]) -> date | None:
    return None if None in ends else min(ends, default=None)


def count_buckets(lines: pa.Table, records: pa.Table) -> pa.Table:
    """Where every agreement line and every record ended: each in exactly one bucket, so the totals are the inputs'.

    Grain: kind of row × bucket.
    """
    found: dict[tuple[str, str], list[Any]] = defaultdict(lambda: [0, ZERO])
    tagged = [("agreement line", row) for row in lines.to_pylist()] + [(row["record_kind"], row) for row in records.to_pylist()]
    for kind, row in tagged:
        found[kind, row["bucket"]][0] += row.get("records", 1)  # a row of record_buckets stands for as many
        found[kind, row["bucket"]][1] += row["quantity_qty"]
    rows = [{"rows_of": k[0], "bucket": k[1], "rows": v[0], "quantity_qty": v[1]} for k, v in sorted(found.items())]
    return build_table(rows, {"rows_of": "text", "bucket": "text", "rows": "int", "quantity_qty": "qty"})
