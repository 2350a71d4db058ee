"""Kinds of findings, what they are made of, and the row every check starts from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from reconlib.explanations import Known, explain_cell
from reconlib.period import Period
from reconlib.rules import Rules

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]
BILLING_KINDS = ("under_billed", "over_billed", "orphan_line", "new_revenue")
UNKNOWN_KINDS = ("no_count", "no_source")
KINDS = (
    *BILLING_KINDS,
    *UNKNOWN_KINDS,
    "unmapped_account",
    "unmapped_service",
    "unaccounted_usage",
    "unusable_rows",
    "unmatched_rule",
    "duplicate_unit",
    "stale_unit",
    "unused_commitment",
    "shadow_usage",
    "cost_change",
    "negative_margin",
    "price_outlier",
    "missing_expected_service",
    "currency_or_cycle_mismatch",
    "dependent_mismatch",
    "coverage_gap",
    "vendor_invoice_mismatch",
    "timing",
    "unusual_count",
)
STATUSES = ("open", "approved", "dismissed", "snoozed", "excluded", "disputed", "verified")
_CELL = (
    *("client_id", "client_name", "service_id", "service_name", "agreement_id", "agreement_line_id"),
    *("contracted_qty", "billed_qty", "purchased_qty", "used_qty", "expected_qty", "unit_price", "unit_cost", "currency"),
    *("confidence", "certainty", "rule", "evidence"),
)


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the checks of one month look at; every table is a stage's product."""

    book: str
    period: Period
    as_of: date
    currency: str
    rules: Rules
    tables: Mapping[str, pa.Table]  # canonical
    status: pa.Table | None = field(default=None, kw_only=True)  # source_status; null: no source is known to be complete
    cells: Sequence[Row]  # judged cells of the comparison
    counts: pa.Table
    record_buckets: pa.Table
    accounts: pa.Table  # account_mapping
    products: pa.Table  # product_mapping
    rejects: pa.Table | None = None
    unmatched: Sequence[Row] = ()  # count rules that caught nothing
    gaps: Sequence[Row] = ()  # units one service has and another lacks (T62)
    audit: Sequence[Row] = ()  # VENDOR_AUDIT: what vendors charge, checked
    previous: pa.Table | None = None  # last month's findings, for how long each has been open (T118)
    history: Sequence[pa.Table] = ()  # comparison tables of the months before, newest first
    clients: Mapping[str, str] = field(default_factory=dict)  # id -> name
    services: Mapping[str, str] = field(default_factory=dict)  # id -> name
    known: Known | None = None  # what there is to know about missing counts

    def explain(self, row: Row) -> str:
        """The sentence of one cell."""
        if self.known is None:
            raise ValueError("nothing is known about the month's sources and mappings: give Facts a Known")
        return explain_cell(row, self.known)


def cell_of(row: Row) -> Row:
    """What a finding about one cell takes over from it."""
    return {name: row[name] for name in _CELL}


def excepted(facts: Facts, why: Literal["ignore", "not_resold"]) -> set[tuple[str, str]]:
    """Clients and services a contract exception takes out, as (client_id, service_id): ``ignore`` (T35) or ``not_resold`` (T57)."""
    named = [override for override in facts.rules.overrides if getattr(override, why)]
    if not named:
        return set()
    clients = {row["client_code"]: row["client_id"] for row in facts.tables["clients"].to_pylist() if row["client_code"]}
    services = {row["service_code"]: row["service_id"] for row in facts.tables["services"].to_pylist()}
    return {(clients.get(one.client, one.client), services.get(one.service, one.service)) for one in named}
