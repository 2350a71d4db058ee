"""A month among its months: what moved since the last one, what has been open for long, which terms end soon; read from disk on demand.

Nothing here is a step's product: it follows from the products that stand, so that a signature need not cover it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconlib.history import Billing, Key, change_since, chronic, recent_change, sum_billing
from reconlib.mapping import list_gone
from reconlib.month import Month, has_stage, month_events, read_stage
from reconlib.period import parse_period
from reconlib.renewals import renewals
from reconlib.schema import CANONICAL, CELL_CHANGES, RECENT_CHANGES, SPLIT_PARTS, make_table
from reconlib.splits import sum_parts

if TYPE_CHECKING:
    import pyarrow as pa


def list_changes_since(month: Month) -> tuple[pa.Table, pa.Table]:
    """What moved since the month before: CELL_CHANGES and, client by client, RECENT_CHANGES; both empty without a month before."""
    before = month.previous
    if not has_stage(before, "comparison"):
        return make_table(CELL_CHANGES, []), make_table(RECENT_CHANGES, [])
    billing = _billing(before), _billing(month)
    cells = change_since(read_stage(before, "comparison"), read_stage(month, "comparison"), *billing, currency=month.params.currency)
    names = {row["client_id"]: row["client_name"] for one in (before, month) for row in read_stage(one, "clients").to_pylist()}
    return cells, recent_change(*billing, names)


def list_chronic(month: Month, verified: pa.Table) -> pa.Table:
    """Every finding of this month and the months on disk before it, over time. ``verified`` is what this month found of earlier changes."""
    home = month.workspace / "periods"
    names = sorted(path.name for path in home.iterdir() if re.fullmatch(r"\d{4}-\d{2}", path.name) and path.name <= str(month.period))
    findings = {}
    for name in names:
        one = month if name == str(month.period) else _earlier(month, name)
        if has_stage(one, "findings"):
            findings[one.period] = read_stage(one, "findings")
    return chronic(findings, verified, month_events(month), period=month.period)


def list_gone_mappings(month: Month) -> tuple[pa.Table, ...]:
    """Accounts and products that last month's mapping had and no source lists any more (T25); none without a month before."""
    return tuple(
        list_gone(relation, read_stage(month, f"{relation}_mapping"), read_stage(month.previous, f"{relation}_mapping"))
        for relation in ("account", "product")
        if has_stage(month.previous, f"{relation}_mapping")
    )


def sum_split_tenants(month: Month, accounts: pa.Table) -> pa.Table:
    """Usage of every part of a split tenant and of its remainder, beside the tenant's as it was received (T32). Returns SPLIT_PARTS.

    ``accounts``: the month's mapping. Without a split no usage is read.

    Raises:
        TieOutError: Σ parts + remainder is not the tenant.
    """
    if not month.rules.tenant_splits:
        return make_table(SPLIT_PARTS, [])
    return sum_parts(read_stage(month, "usage_records"), month.rules, accounts, month.engine)


def list_renewals(month: Month) -> pa.Table:
    """Purchases whose term ends soon, or whose last day to reduce is not over, soonest first. Returns RENEWALS."""
    tables = {name: read_stage(month, name) for name in CANONICAL}
    parts = (read_stage(month, name) for name in ("account_mapping", "product_mapping", "comparison"))
    return renewals(tables, *parts, as_of=month.as_of)


def _billing(month: Month) -> dict[Key, Billing]:
    tables = {name: read_stage(month, name) for name in ("clients", "agreements", "agreement_lines")}
    return sum_billing(tables, read_stage(month, "line_buckets"), currency=month.params.currency)


def _earlier(month: Month, name: str) -> Month:
    wanted, one = parse_period(name), month.previous
    while one.period > wanted:
        one = one.previous
    return one
