"""The tables the stages make of the canonical ones."""

from __future__ import annotations

from reconlib.schema.mapping import ACCOUNT_MAPPING, PRODUCT_MAPPING
from reconlib.schema.tables import EVIDENCE, SOURCE, TableSchema, column, required
from reconlib.schema.vendor_audit import VENDOR_AUDIT

SOURCE_STATUS = TableSchema(
    "source_status",
    "one source of the book in this period: the first thing to read",
    ("source",),
    (
        SOURCE,
        required("connector", "which connector read it"),
        required("status", "complete, partial or failed"),
        column("snapshot_id", "text", "content id of the snapshot; null: none"),
        column("as_of_at", "timestamp", "when the vendor was read"),
        column("pages", "int", "pages kept", null=False),
        column("records", "int", "canonical rows made of them", null=False),
        column("previous_records", "int", "the same, last month"),
        column("rejects", "int", "rows that could not be used", null=False),
        column("error", "text", "what went wrong, in words"),
        column("exit_code", "int", "0, or what the command line ends with because of this source", null=False),
    ),
)

REJECTS = TableSchema(
    "rejects",
    "one vendor row that could not be used, with the reason: nothing is dropped without a count",
    ("evidence", "column_name"),
    (
        SOURCE,
        required("column_name", "field at fault"),
        column("value", "text", "what stood there"),
        required("reason", "what is wrong with it"),
        EVIDENCE,
    ),
)

COUNTS = TableSchema(
    "counts",
    "one client, service, measure (used or purchased) and source: the count and what was left out of it",
    ("client_id", "service_id", "measure", "source"),
    (
        required("client_id", "client"),
        required("service_id", "service"),
        required("measure", "used or purchased"),
        SOURCE,
        column("is_known", "bool", "false: no count was received, quantity is null (T1)", null=False),
        column("quantity_qty", "qty", "units counted; null when not known"),
        required("take", "which of a month's daily counts it is: last_day, peak, average, any_time or billing_day (T46)"),
        column("days", "int", "days with records, where the source counts by the day"),
        column("records", "int", "records counted", null=False),
        column("duplicate_qty", "qty", "units seen twice and counted once (T61)", null=False),
        column("stale_qty", "qty", "units not seen for too long, not counted (T59)", null=False),
        column("later_qty", "qty", "units dated after the as-of date, not counted (T3)", null=False),
        column("committed_qty", "qty", "units inside a term that still runs (T86); null when not known"),
        column("commitment_end_date", "date", "first day such a term ends"),
        column("unit_cost", "price", "vendor cost a unit and month, where bought"),
        column("currency", "text", "ISO 4217 of the cost"),
        column("evidence", "text", "source and snapshot of the records counted; null: none"),
    ),
)

RECORD_BUCKETS = TableSchema(
    "record_buckets",
    "one source, account, product and the bucket its records ended in: how many, and how many units",
    ("source", "record_kind", "vendor_account_id", "vendor_product_id", "bucket", "service_id", "rule"),
    (
        SOURCE,
        required("record_kind", "usage or purchase"),
        required("vendor_account_id", "account"),
        required("vendor_product_id", "product"),
        required(
            "bucket",
            "counted, duplicate, stale, other_day, after_as_of, free, inactive, ignored, unaccounted, excluded, unmapped_account "
            "or unmapped_service",
        ),
        column("client_id", "text", "client, where mapped"),
        column("service_id", "text", "first service they count for"),
        column("rule", "text", "rule that decided"),
        column("records", "int", "how many", null=False),
        column("quantity_qty", "qty", "units", null=False),
        required("evidence", "source and snapshot they came from"),
    ),
)

RECORDS = TableSchema(
    "records",
    "one usage record or purchase and one service it counts for, on demand: what stands behind a count",
    ("source", "record_kind", "record_id", "service_id"),
    (
        SOURCE,
        required("record_kind", "usage or purchase"),
        required("record_id", "unique in its source"),
        column("service_id", "text", "service; null: it counts for none"),
        column("client_id", "text", "client, where mapped"),
        required("vendor_account_id", "account"),
        required("vendor_product_id", "product"),
        required("bucket", "as in record_buckets, for this service"),
        column("quantity_qty", "qty", "units", null=False),
        column("unit_name", "text", "device or user name"),
        column("unit_key", "text", "serial or other key"),
        column("unit_class", "text", "the vendor's word"),
        column("unit_state", "text", "the vendor's word"),
        column("since_date", "date", "day it appeared or was bought"),
        column("last_seen_date", "date", "day it was last seen"),
        column("usage_date", "date", "day it speaks for"),
        column("commitment_end_date", "date", "last day of its term"),
        column("term", "text", "commitment and billing term"),
        column("rule", "text", "rule that decided"),
        EVIDENCE,
    ),
)

COMPARISON = TableSchema(
    "comparison",
    "one client × service with an agreement line in scope or a known count",
    ("client_id", "service_id"),
    (
        required("client_id", "client"),
        required("client_name", "its name"),
        required("service_id", "service"),
        required("service_code", "its identifier"),
        required("service_name", "its name"),
        column("agreement_id", "text", "agreement of the line a change would go to"),
        column("agreement_line_id", "text", "line a change would go to"),
        column("lines", "int", "lines summed (T17)", null=False),
        column("contracted_qty", "qty", "units on the lines, included ones too"),
        column("billed_qty", "qty", "units the client pays"),
        column("included_qty", "qty", "units included"),
        column("purchased_qty", "qty", "units the MSP pays the vendor"),
        column("used_qty", "qty", "units in use"),
        column("committed_qty", "qty", "units bought in a term that still runs (T86)"),
        column("commitment_end_date", "date", "first day such a term ends"),
        column("expected_qty", "qty", "units that should be billed; null: not known (T1)"),
        column("variance_qty", "qty", "expected − billed; positive: under-billed"),
        column("unit_price", "price", "price a unit and cycle"),
        column("credit_amount", "amount", "credit lines beside it on its own cycle and in its currency, a cycle (T33); null: none"),
        column("unit_cost", "price", "vendor cost a unit and month; else the line's"),
        column("cycle_months", "int", "months in the billing cycle"),
        column("currency", "text", "ISO 4217", null=False),
        column("monthly_impact", "amount", "money a month the client should additionally pay; null: not known"),
        required(
            "status",
            "matched, matched_within_tolerance, under_billed, over_billed, new_revenue, orphan_line, no_count, no_source, flat, cloud, "
            "timing, covered, out_of_scope, own_use, ignored, not_resold or not_comparable",
        ),
        column("diagnosis", "text", "what the four numbers say: margin_leak, shadow_licences, refund_risk, waste, unbilled, not_deployed"),
        column("certainty", "text", "calculated or estimated", null=False),
        column("confidence", "qty", "0..1: mapping × count × freshness", null=False),
        column("count_source", "text", "sources of the expected count"),
        column("rule", "text", "rule applied"),
        column("evidence", "text", "lines, and snapshots of the records compared"),
    ),
)

LINE_BUCKETS = TableSchema(
    "line_buckets",
    "one agreement line and the one bucket it ended in",
    ("agreement_line_id",),
    (
        required("agreement_line_id", "line"),
        required("client_id", "client"),
        required("service_id", "service"),
        required(
            "bucket",
            "a comparison status, or credit, proration_helper, cost_only or out_of_scope_<why>",
        ),
        column("quantity_qty", "qty", "units on the line", null=False),
        EVIDENCE,
    ),
)

FINDINGS = TableSchema(
    "findings",
    "one difference that needs a person",
    ("finding_id",),
    (
        required("finding_id", "the same next month for the same client × service × kind"),
        required("kind", "what was found, as in GLOSSARY.md"),
        column("client_id", "text", "client"),
        column("client_name", "text", "its name"),
        column("service_id", "text", "service"),
        column("service_name", "text", "its name"),
        column("agreement_id", "text", "agreement"),
        column("agreement_line_id", "text", "line a change would go to"),
        column("source", "text", "source of the count"),
        column("vendor_account_id", "text", "account"),
        column("vendor_product_id", "text", "product"),
        column("contracted_qty", "qty", "units on the lines"),
        column("billed_qty", "qty", "units the client pays"),
        column("purchased_qty", "qty", "units the MSP pays"),
        column("used_qty", "qty", "units in use"),
        column("expected_qty", "qty", "units that should be billed"),
        column("variance_qty", "qty", "expected − billed; for counts of units: the units concerned"),
        column("unit_price", "price", "price a unit and cycle"),
        column("unit_cost", "price", "cost a unit and month"),
        column("currency", "text", "ISO 4217", null=False),
        column("monthly_impact", "amount", "signed money a month the client should additionally pay; null: not known"),
        column("cost_impact", "amount", "signed money a month on the MSP's own cost; null: none or not known"),
        column("confidence", "qty", "0..1", null=False),
        column("certainty", "text", "calculated or estimated", null=False),
        required("status", "open, approved, dismissed, snoozed, excluded, disputed or verified"),
        column("first_seen", "text", "first period it was seen in", null=False),
        column("months_open", "int", "periods in a row", null=False),
        column("cause", "text", "chosen by the analyst"),
        column("explanation", "text", "one sentence", null=False),
        column("rule", "text", "rule applied"),
        column("evidence", "text", "where the bytes stand"),
    ),
)

CHANGES = TableSchema(
    "changes",
    "one change to make in the PSA",
    ("change_id",),
    (
        required("change_id", "idempotency key: never applied twice"),
        required("finding_id", "finding it comes from"),
        required("period", "billing month it was approved in"),
        required("action", "update, add or cancel"),
        required("client_id", "client"),
        required("client_name", "its name"),
        required("service_id", "service"),
        required("service_name", "its name"),
        column("agreement_id", "text", "agreement; null: choose one when adding"),
        column("agreement_line_id", "text", "line; null when adding"),
        column("old_qty", "qty", "units on the line now", null=False),
        column("new_qty", "qty", "units to set", null=False),
        column("effective_date", "date", "first day of the new quantity", null=False),
        column("unit_price", "price", "price a unit and cycle"),
        column("currency", "text", "ISO 4217", null=False),
        column("monthly_effect", "amount", "money a month the invoice changes by"),
        column("first_effect", "amount", "money the first invoice with the change differs by (T104, T106); null: cycle or price not known"),
        required("status", "planned, verified, not_arrived or changed_since"),
    ),
)

STAGES: dict[str, TableSchema] = {
    t.name: t
    for t in (
        SOURCE_STATUS,
        REJECTS,
        ACCOUNT_MAPPING,
        PRODUCT_MAPPING,
        COUNTS,
        RECORD_BUCKETS,
        COMPARISON,
        LINE_BUCKETS,
        FINDINGS,
        VENDOR_AUDIT,
        CHANGES,
    )
}
