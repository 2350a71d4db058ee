"""The audit of what vendors charge: one row a thing that was checked (T6, T19, T29, T70–T101)."""

from __future__ import annotations

from reconlib.schema.tables import SOURCE, TableSchema, column, required

VENDOR_AUDIT = TableSchema(
    "vendor_audit",
    "one thing of a vendor's charges that was checked, agreeing ones too",
    ("source", "check", "invoice_id", "vendor_account_id", "vendor_product_id", "subscription_id", "currency"),
    (
        SOURCE,
        required("check", "lines, invoice_sum, double_charge, seats, refund, price, unbilled, unmapped or charge_type"),
        required("status", "agrees, mismatch, stopped, unchecked, reported or timing"),
        column("invoice_id", "text", "the vendor's invoice; null: none yet, or several"),
        column("vendor_account_id", "text", "account charged for; null: the whole source or invoice"),
        column("vendor_product_id", "text", "product charged"),
        column("subscription_id", "text", "subscription charged"),
        column("client_id", "text", "client of the account, where mapped"),
        column("client_name", "text", "its name"),
        column("service_id", "text", "first service the product counts for, where mapped"),
        column("service_name", "text", "its name"),
        column("lines", "int", "charges looked at", null=False),
        column("stated_qty", "fine", "units charged; null: not counted"),
        column("expected_qty", "fine", "units that should be charged; null: not known (T1)"),
        column("stated_amount", "fine", "money charged, tax excluded unless the explanation says so"),
        column("expected_amount", "fine", "money that should be charged; null: not known"),
        column("difference_amount", "fine", "stated − expected; positive: the vendor charges too much"),
        column("currency", "text", "ISO 4217 of the amounts", null=False),
        column("confidence", "qty", "0..1: ids that met are surer than names that met (T29)", null=False),
        column("explanation", "text", "one sentence", null=False),
        column("evidence", "text", "charges a person should look at first"),
    ),
)
