"""Every pure stage of a month, one after the other: counts, comparison, audit of invoices, findings. No disk, network or clock.

The steps of a month run it on what they read; the rule sandbox runs it again with other rules, on the same frozen inputs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from reconlib.aliases import AliasTable
from reconlib.comparison import Comparison, compare_quantities
from reconlib.counting import Counted, count_units
from reconlib.engine import DUCKDB, Engine
from reconlib.explanations import Known
from reconlib.findings import Facts, find_differences
from reconlib.invoices import audit_charges
from reconlib.mapping import Decisions, measure_stakes, suggest_accounts, suggest_products
from reconlib.period import Period
from reconlib.rates import Rates
from reconlib.rules import Rules
from reconlib.splits import named_parts, split_accounts, split_stakes

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that a month's numbers rest on, beside the rules."""

    book: str
    period: Period
    as_of: date
    currency: str
    tables: Mapping[str, pa.Table]  # canonical
    status: pa.Table  # SOURCE_STATUS
    accounts: pa.Table  # ACCOUNT_MAPPING
    products: pa.Table  # PRODUCT_MAPPING
    rejects: pa.Table | None = None
    previous: pa.Table | None = None  # FINDINGS of the month before
    earlier_counts: tuple[pa.Table, ...] = ()  # COUNTS of the months before, newest first
    history: tuple[pa.Table, ...] = ()  # COMPARISON of the months before, newest first
    matched_before: frozenset[str] | None = None  # rules that caught something last month; null: nobody asks
    rates: Rates = field(default_factory=Rates)
    engine: Engine = DUCKDB


@dataclass(frozen=True, slots=True)
class Made:
    """What the stages made of a month under some rules."""

    counted: Counted
    compared: Comparison
    audit: pa.Table  # VENDOR_AUDIT
    findings: pa.Table  # FINDINGS, no decision applied


def map_vendors(
    tables: Mapping[str, pa.Table],
    status: pa.Table,
    decisions: Decisions,
    rules: Rules,
    *,
    as_of: date,
    before: tuple[pa.Table, pa.Table] | None = None,
    one_each: Collection[str] = (),
    aliases: AliasTable | None = None,
    engine: Engine = DUCKDB,
) -> tuple[pa.Table, pa.Table]:
    """Account and product mapping of a month: tenants that serve several clients split (T32), decisions and rules applied.

    ``before`` is what it was a month earlier (T25); ``one_each`` are the sources in which a client has one account; ``aliases`` is what
    products are called, none: the packaged table.

    Raises:
        SettingsError: a rule splits an account its source does not list, or names a client nobody has.
    """
    connectors = {row["source"]: row["connector"] for row in status.to_pylist()}
    complete = {row["source"] for row in status.to_pylist() if row["status"] == "complete"}
    accounts = split_accounts(tables["vendor_accounts"], rules, complete)
    usage = split_stakes(tables["usage_records"], rules, accounts, engine)
    on_accounts, on_products = measure_stakes({**tables, "usage_records": usage}, as_of=as_of)
    accounts_before, products_before = (table.to_pylist() for table in before) if before else ([], [])
    own = {row["domain"] for row in tables["clients"].to_pylist() if {row["client_id"], row["client_code"]} & set(rules.own_clients)}
    mapped = suggest_accounts(
        *(tables["clients"], accounts, decisions, on_accounts),
        before=accounts_before,
        one_each=one_each,
        own_domains={domain for domain in own if domain},
        ruled=named_parts(rules, tables["clients"]),
    )
    products = suggest_products(
        *(tables["services"], tables["vendor_products"], decisions, on_products),
        rules=rules,
        connectors=connectors,
        before=products_before,
        aliases=aliases,
        as_of=as_of,
    )
    return mapped, products


def run_stages(inputs: Inputs, rules: Rules) -> Made:
    """Counts, comparison and findings of a month.

    Raises:
        SettingsError: a rule is wrong.
        TieOutError: a line or record is in no bucket or in two.
    """
    counted = count_units(
        inputs.tables,
        inputs.accounts,
        inputs.products,
        inputs.status,
        rules,
        as_of=inputs.as_of,
        matched_before=inputs.matched_before,
        engine=inputs.engine,
    )
    compared = compare_quantities(
        inputs.tables,
        counted.counts,
        (inputs.accounts, inputs.products),
        inputs.status,
        rules,
        period=inputs.period,
        as_of=inputs.as_of,
        currency=inputs.currency,
        earlier=inputs.earlier_counts,
        rates=inputs.rates,
        engine=inputs.engine,
    )
    audit = audit_charges(inputs.tables, compared.cells, inputs.accounts, inputs.products, rules, as_of=inputs.as_of)
    findings = find_differences(
        Facts(
            book=inputs.book,
            period=inputs.period,
            as_of=inputs.as_of,
            currency=inputs.currency,
            rules=rules,
            tables=inputs.tables,
            status=inputs.status,
            cells=compared.judged.to_pylist(),
            counts=counted.counts,
            record_buckets=counted.buckets,
            accounts=inputs.accounts,
            products=inputs.products,
            rejects=inputs.rejects,
            unmatched=counted.unmatched,
            gaps=counted.gaps,
            audit=audit.to_pylist(),
            previous=inputs.previous,
            history=inputs.history,
            clients=_names(inputs.tables["clients"], "client"),
            services=_names(inputs.tables["services"], "service"),
            known=Known.of(rules, inputs.status, inputs.accounts, inputs.products),
        )
    )
    return Made(counted, compared, audit, findings)


def _names(table: pa.Table, side: str) -> dict[str, str]:
    return dict(zip(table[f"{side}_id"].to_pylist(), table[f"{side}_name"].to_pylist(), strict=True))
