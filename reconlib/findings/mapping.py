"""Accounts and products that belong nowhere yet."""

from __future__ import annotations

from collections.abc import Iterator

from reconlib.explanations import units
from reconlib.findings.kinds import Facts, Row


def check_accounts(facts: Facts) -> Iterator[Row]:
    """Vendor accounts with units on them that belong to no client yet (T19, T22)."""
    for row in facts.accounts.to_pylist():
        if row["state"] in ("unmapped", "suggested") and row["units_qty"]:
            yield {
                "kind": "unmapped_account",
                "source": row["source"],
                "vendor_account_id": row["vendor_account_id"],
                "variance_qty": row["units_qty"],
                "currency": row["currency"] or facts.currency,
                "explanation": f"Account {row['account_name']} in {row['source']} has {units(row['units_qty'])} and no client.",
                "evidence": row["evidence"],
            }


def check_products(facts: Facts) -> Iterator[Row]:
    """Vendor products with units on them that count for no service yet (T20, T22)."""
    for row in facts.products.to_pylist():
        if row["state"] in ("unmapped", "suggested") and row["units_qty"]:
            yield {
                "kind": "unmapped_service",
                "source": row["source"],
                "vendor_product_id": row["vendor_product_id"],
                "variance_qty": row["units_qty"],
                "currency": row["currency"] or facts.currency,
                "explanation": f"Product {row['product_name']} in {row['source']} has {units(row['units_qty'])} and no service.",
                "evidence": row["evidence"],
            }
