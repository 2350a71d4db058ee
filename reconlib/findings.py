"""What needs a person, ranked by money: each check is a pure function from tables to findings (FIELD.md section 6)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from reconlib.comparison import money_a_month
from reconlib.explanations import units
from reconlib.money import format_amount, format_qty
from reconlib.schema import FINDINGS, make_table

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
    "currency_or_cycle_mismatch",
    "dependent_mismatch",
)
STATUSES = ("open", "approved", "dismissed", "snoozed", "excluded", "disputed", "verified")
SEVERAL = "XXX"  # stands for several currencies (ISO 4217: no currency)
_CELL = (
    *("client_id", "client_name", "service_id", "service_name", "agreement_id", "agreement_line_id"),
    *("contracted_qty", "billed_qty", "purchased_qty", "used_qty", "expected_qty", "unit_price", "unit_cost", "currency"),
    *("confidence", "certainty", "rule", "evidence"),
)


def find_differences(
    cells: list[Row],
    counts: pa.Table,
    buckets: pa.Table,
    mappings: tuple[pa.Table, pa.Table],
    *,
    book: str,
    period: str,
    currency: str,
    names: Mapping[str, Mapping[str, str]],
    previous: pa.Table | None,
    rejects: pa.Table | None = None,
    unmatched: Iterable[Row] = (),
) -> pa.Table:
    """Every finding of a month, ranked by absolute monthly impact, unknown money last.

    ``cells`` are the judged cells of the comparison; ``names`` holds ``clients`` and ``services``: id -> name;
    ``previous`` is last month's findings, for how long each has been open (T118).
    """
    accounts, products = mappings
    rows = [
        *check_billing(cells),
        *check_cost(cells),
        *check_purchases(cells),
        *check_bundles(cells),
        *check_units(counts, names, currency),
        *check_unaccounted(buckets, names, currency),
        *check_accounts(accounts, currency),
        *check_products(products, currency),
        *(check_rejects(rejects, currency) if rejects is not None else ()),
        *check_rules(unmatched, names, currency),
    ]
    import pyarrow as pa

    history = {row["finding_id"]: row for row in previous.to_pylist()} if previous is not None else {}
    made = [_finished(row, book, period, history) for row in rows]
    table = make_table(FINDINGS, made)
    order = sorted(
        range(table.num_rows),
        key=lambda i: (
            -abs(table["monthly_impact"][i].as_py() or 0),
            -abs(table["cost_impact"][i].as_py() or 0),
            table["kind"][i].as_py(),
            table["finding_id"][i].as_py(),
        ),
    )
    return table.take(pa.array(order, pa.int64()))


def check_billing(cells: Iterable[Row]) -> Iterator[Row]:
    """Under-billed, over-billed, orphan lines, new revenue; and lines nothing can be said about, with empty money (T1)."""
    for row in cells:
        if row["status"] in BILLING_KINDS or row["status"] in UNKNOWN_KINDS:
            yield {
                **_cell(row),
                "kind": row["status"],
                "source": row["count_source"],
                "variance_qty": row["variance_qty"],
                "monthly_impact": row["monthly_impact"],
                "explanation": row["explanation"],
            }
        elif row["status"] == "not_comparable":
            yield {**_cell(row), "kind": "currency_or_cycle_mismatch", "explanation": row["explanation"]}


def check_cost(cells: Iterable[Row]) -> Iterator[Row]:
    """A vendor cost the PSA does not know, a price below cost, a purchase in another currency (T98, T113)."""
    for row in cells:
        if not row["lines"]:
            continue
        vendor, line = row["vendor_cost"], row["line_cost"]
        if row["vendor_currency"] not in (None, row["currency"]):
            bought = "several currencies" if row["vendor_currency"] == SEVERAL else row["vendor_currency"]
            text = f"Bought in {bought}, billed in {row['currency']}: cost and price are not compared."
            yield {**_cell(row), "kind": "currency_or_cycle_mismatch", "explanation": text}
            continue
        if vendor is not None and line is not None and vendor != line:
            bought = row["purchased_qty"]  # null where another of its sources failed: then the money is not known either (T1)
            impact = None if bought is None else money_a_month(bought, vendor - line, 1, row["currency"])
            text = f"{row['service_name']} costs {_price(vendor)} a unit, the agreement line says {_price(line)}."
            yield {**_cell(row), "kind": "cost_change", "cost_impact": impact, "explanation": text}
        cost, price = row["unit_cost"], row["unit_price"]
        if cost is not None and price is not None and row["is_billable"] and price < cost * row["cycle_months"]:
            impact = money_a_month(row["billed_qty"], cost * row["cycle_months"] - price, row["cycle_months"], row["currency"])
            text = f"{row['service_name']} is sold at {_price(price / row['cycle_months'])} and costs {_price(cost)} a unit and month."
            yield {**_cell(row), "kind": "negative_margin", "cost_impact": impact, "explanation": text}


def check_purchases(cells: Iterable[Row]) -> Iterator[Row]:
    """Bought and not used (waste, never claimed as over-billing: T86), or used and not bought (T57)."""
    for row in cells:
        bought, used = row["purchased_qty"], row["used_qty"]
        if bought is None or used is None or bought == used:
            continue
        gap = abs(bought - used)
        if bought > used:
            cost = row["vendor_cost"] if row["vendor_currency"] in (None, row["currency"]) else None  # never in another currency's name
            impact = None if cost is None else money_a_month(gap, cost, 1, row["currency"])
            text = f"{format_qty(bought)} {row['service_name']} bought, {format_qty(used)} in use: {format_qty(gap)} paid for and idle."
            yield {**_cell(row), "kind": "unused_commitment", "variance_qty": gap, "cost_impact": impact, "explanation": text}
        else:
            text = f"{format_qty(used)} {row['service_name']} in use, {format_qty(bought)} bought: {format_qty(gap)} without a purchase."
            yield {**_cell(row), "kind": "shadow_usage", "variance_qty": gap, "explanation": text}


def check_bundles(cells: Iterable[Row]) -> Iterator[Row]:
    """Units a bundle covers that are not deployed (T66): a gap in coverage, not in billing."""
    for row in cells:
        if row["missing_qty"]:
            text = f"The bundle covers {format_qty(row['missing_qty'])} more {row['service_name']} than are deployed."
            yield {**_cell(row), "kind": "dependent_mismatch", "variance_qty": row["missing_qty"], "explanation": text}


def check_units(counts: pa.Table, names: Mapping[str, Mapping[str, str]], currency: str) -> Iterator[Row]:
    """Units seen twice (T61) and units not seen for too long (T59), left out of the count."""
    words = {
        "duplicate_unit": ("duplicate_qty", "seen twice, counted once"),
        "stale_unit": ("stale_qty", "not seen for too long, not counted; the vendor may still charge them"),
    }
    for row in counts.to_pylist():
        for kind, (column, text) in words.items():
            if row[column]:
                yield {
                    "kind": kind,
                    "client_id": row["client_id"],
                    "client_name": names["clients"][row["client_id"]],
                    "service_id": row["service_id"],
                    "service_name": names["services"][row["service_id"]],
                    "source": row["source"],
                    "variance_qty": row[column],
                    "currency": currency,
                    "explanation": f"{units(row[column])} {text}.",
                    "evidence": row["evidence"],
                }


def check_unaccounted(buckets: pa.Table, names: Mapping[str, Mapping[str, str]], currency: str) -> Iterator[Row]:
    """Usage of a known client and product that no rule catches and none names as ignored (T63)."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in buckets.to_pylist():
        if row["bucket"] == "unaccounted":
            found.setdefault((row["client_id"], row["source"]), []).append(row)
    for (client_id, source), rows in found.items():
        caught = sum((row["quantity_qty"] for row in rows), Decimal(0))
        yield {
            "kind": "unaccounted_usage",
            "client_id": client_id,
            "client_name": names["clients"][client_id],
            "source": source,
            "variance_qty": caught,
            "currency": currency,
            "explanation": f"{units(caught)} in {source} that no count rule catches; add a rule or name them as ignored.",
            "evidence": " ".join(row["evidence"] for row in rows),
        }


def check_accounts(accounts: pa.Table, currency: str) -> Iterator[Row]:
    """Vendor accounts with units on them that belong to no client yet (T19, T22)."""
    for row in accounts.to_pylist():
        if row["state"] in ("unmapped", "suggested") and row["units_qty"]:
            yield {
                "kind": "unmapped_account",
                "source": row["source"],
                "vendor_account_id": row["vendor_account_id"],
                "variance_qty": row["units_qty"],
                "currency": row["currency"] or currency,
                "explanation": f"Account {row['account_name']} in {row['source']} has {units(row['units_qty'])} and no client.",
                "evidence": row["evidence"],
            }


def check_products(products: pa.Table, currency: str) -> Iterator[Row]:
    """Vendor products with units on them that count for no service yet (T20, T22)."""
    for row in products.to_pylist():
        if row["state"] in ("unmapped", "suggested") and row["units_qty"]:
            yield {
                "kind": "unmapped_service",
                "source": row["source"],
                "vendor_product_id": row["vendor_product_id"],
                "variance_qty": row["units_qty"],
                "currency": row["currency"] or currency,
                "explanation": f"Product {row['product_name']} in {row['source']} has {units(row['units_qty'])} and no service.",
                "evidence": row["evidence"],
            }


def check_rejects(rejects: pa.Table, currency: str) -> Iterator[Row]:
    """Rows of a source that could not be used: every count and line they belong to may be too low, so a person looks at them."""
    found: dict[str, list[Row]] = {}
    for row in rejects.to_pylist():
        found.setdefault(row["source"], []).append(row)
    for source, rows in found.items():
        first = f"{rows[0]['column_name']} {rows[0]['value']!r}: {rows[0]['reason']}"
        yield {
            "kind": "unusable_rows",
            "source": source,
            "variance_qty": Decimal(len(rows)),
            "currency": currency,
            "explanation": f"{len(rows)} {'row' if len(rows) == 1 else 'rows'} of {source} could not be used; the first: {first}.",
            "evidence": " ".join(row["evidence"] for row in rows),
        }


def check_rules(unmatched: Iterable[Row], names: Mapping[str, Mapping[str, str]], currency: str) -> Iterator[Row]:
    """Count rules that caught no record of any source: a typo, a renamed product, or a feed that went quiet."""
    for row in unmatched:
        yield {
            "kind": "unmatched_rule",
            "service_id": row["service_id"],
            "service_name": names["services"][row["service_id"]],
            "source": row["sources"],
            "currency": currency,
            "explanation": f"Rule {row['rule']} caught no record of {row['sources']}; its counts are not known.",
            "rule": row["rule"],
        }


def finding_id(book: str, row: Mapping[str, Any]) -> str:
    """Id that stays the same from month to month for the same kind of gap in the same place."""
    place = ("kind", "client_id", "service_id", "source", "vendor_account_id", "vendor_product_id")
    parts = [book, *(row.get(name) or "" for name in place if name != "source" or row["kind"] not in (*BILLING_KINDS, *UNKNOWN_KINDS))]
    parts += [row["rule"]] if row["kind"] == "unmatched_rule" else []  # a service may have two
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:12]


def _finished(row: Row, book: str, period: str, history: Mapping[str, Row]) -> Row:
    made = {"confidence": Decimal(1), "certainty": "calculated", "status": "open", **row}
    made["finding_id"] = finding_id(book, made)
    before = history.get(made["finding_id"])
    made["first_seen"] = before["first_seen"] if before else period
    made["months_open"] = before["months_open"] + 1 if before else 1
    return made


def _cell(row: Row) -> Row:
    return {name: row[name] for name in _CELL}


def _price(value: Decimal) -> str:
    return format_amount(value)
