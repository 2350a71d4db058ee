"""The tables every stage reads and writes: the only list of columns (DESIGN section 5).

Quantities and money are ``DECIMAL(18, 6)``, never float; dates are days, ``_at`` is UTC. A null is "not known", never zero (T1).
``evidence`` walks a row back to bytes: ``source/snapshot id/p<page>/r<record>``, several separated by a space.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from reconlib.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

Kind = Literal["text", "qty", "price", "amount", "int", "bool", "date", "timestamp"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its type, what it means, and whether it may be unknown."""

    name: str
    kind: Kind
    about: str
    null: bool = True


@dataclass(frozen=True, slots=True)
class TableSchema:
    """One table: its grain in words, its key, and its columns in order."""

    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    def names(self) -> list[str]:
        """Column names in order."""
        return [column.name for column in self.columns]

    def arrow(self) -> pa.Schema:
        """The same columns as an Arrow schema."""
        import pyarrow as pa

        types: dict[Kind, pa.DataType] = {
            "text": pa.string(),
            "qty": pa.decimal128(18, 6),
            "price": pa.decimal128(18, 6),
            "amount": pa.decimal128(18, 6),
            "int": pa.int64(),
            "bool": pa.bool_(),
            "date": pa.date32(),
            "timestamp": pa.timestamp("us", tz="UTC"),
        }
        return pa.schema([pa.field(c.name, types[c.kind], nullable=c.null) for c in self.columns])


def _c(name: str, kind: Kind, about: str, *, null: bool = True) -> Column:
    return Column(name, kind, about, null)


def _id(name: str, about: str) -> Column:
    return Column(name, "text", about, null=False)


_EVIDENCE = _id("evidence", "where the vendor's bytes stand")
_SOURCE = _id("source", "name of the source in params")

CANONICAL: dict[str, TableSchema] = {
    t.name: t
    for t in (
        TableSchema(
            "clients",
            "one company in the PSA, deleted ones included",
            ("client_id",),
            (
                _id("client_id", "the PSA's own id, never the name (T14)"),
                _id("client_name", "as the PSA shows it"),
                _c("client_code", "text", "short identifier in the PSA"),
                _c("domain", "text", "web or mail domain, lower case"),
                _c("status", "text", "the PSA's word"),
                _c("is_deleted", "bool", "in the recycle bin (T14)", null=False),
                _c("is_billable", "bool", "an active customer, not a prospect (T13)", null=False),
                _c("currency", "text", "ISO 4217; null: the book's"),
                _SOURCE,
                _EVIDENCE,
            ),
        ),
        TableSchema(
            "services",
            "one product of the PSA catalogue",
            ("service_id",),
            (
                _id("service_id", "the PSA's own id"),
                _id("service_code", "catalogue identifier; rules name services by it"),
                _id("service_name", "description for people"),
                _c("unit_price", "price", "list price a unit, book currency"),
                _c("unit_cost", "price", "catalogue cost a unit, book currency"),
                _c("vendor_sku", "text", "part number the catalogue carries"),
                _c("is_active", "bool", "still sold", null=False),
                _SOURCE,
                _EVIDENCE,
            ),
        ),
        TableSchema(
            "agreements",
            "one agreement in the PSA, child agreements included (T15)",
            ("agreement_id",),
            (
                _id("agreement_id", "the PSA's own id"),
                _id("agreement_name", "as the PSA shows it"),
                _c("agreement_type", "text", "the PSA's type"),
                _id("client_id", "client billed"),
                _c("parent_agreement_id", "text", "parent of a child agreement"),
                _c("start_date", "date", "first day"),
                _c("end_date", "date", "last day; null: open-ended"),
                _c("cancelled_date", "date", "day it was cancelled"),
                _c("status", "text", "the PSA's word", null=False),
                _c("cycle_months", "int", "months in a billing cycle; null: none or one-time"),
                _c("prorates", "bool", "a mid-period change may be billed in part (T103)"),
                _c("currency", "text", "ISO 4217; null: the client's"),
                _SOURCE,
                _EVIDENCE,
            ),
        ),
        TableSchema(
            "agreement_lines",
            "one line of one agreement, any date or status",
            ("agreement_line_id",),
            (
                _id("agreement_line_id", "the PSA's own id"),
                _id("agreement_id", "its agreement"),
                _id("client_id", "client billed"),
                _id("service_id", "catalogue product"),
                _c("description", "text", "text on the line"),
                _c("quantity_qty", "qty", "units on the line, before included units", null=False),
                _c("included_qty", "qty", "units included and not billed (T39)", null=False),
                _c("unit_price", "price", "price a unit and cycle; negative: a credit (T33)"),
                _c("unit_cost", "price", "cost a unit and cycle the PSA carries"),
                _c("billable", "text", "billable, do_not_bill or no_charge", null=False),
                _c("effective_date", "date", "first day billed"),
                _c("cancelled_date", "date", "first day no longer billed"),
                _SOURCE,
                _EVIDENCE,
            ),
        ),
        TableSchema(
            "vendor_accounts",
            "one customer account, tenant or organisation at one vendor",
            ("source", "vendor_account_id"),
            (
                _SOURCE,
                _id("vendor_account_id", "the vendor's own id"),
                _id("account_name", "as the vendor shows it"),
                _c("domain", "text", "default domain, lower case; evidence, not a key"),
                _c("external_id", "text", "PSA id or code the vendor carries"),
                _c("status", "text", "the vendor's word"),
                _EVIDENCE,
            ),
        ),
        TableSchema(
            "vendor_products",
            "one product of one vendor; terms apart where the term is priced (T28)",
            ("source", "vendor_product_id"),
            (
                _SOURCE,
                _id("vendor_product_id", "the vendor's own id, with the term where it matters"),
                _id("product_name", "as the vendor shows it"),
                _c("sku", "text", "part number or SKU id"),
                _c("term", "text", "commitment and billing term"),
                _c("is_free", "bool", "trial or free: never billed (T53)", null=False),
                _EVIDENCE,
            ),
        ),
        TableSchema(
            "usage_records",
            "one seat, device or meter in use, or one count of them",
            ("source", "usage_record_id"),
            (
                _SOURCE,
                _id("usage_record_id", "unique in its source"),
                _id("vendor_account_id", "account it belongs to"),
                _id("vendor_product_id", "product it uses"),
                _c("quantity_qty", "qty", "units; 1 for a device or seat", null=False),
                _c("unit_name", "text", "device or user name"),
                _c("unit_key", "text", "serial or other key that names the same unit twice (T61)"),
                _c("unit_class", "text", "device class, mailbox kind …, the vendor's word"),
                _c("unit_state", "text", "approval or licence state, the vendor's word"),
                _c("created_date", "date", "day it appeared"),
                _c("last_seen_date", "date", "day it was last seen (T59)"),
                _c("attributes", "text", "other vendor fields rules may use, JSON object of texts"),
                _EVIDENCE,
            ),
        ),
        TableSchema(
            "purchases",
            "one subscription the MSP pays a vendor or distributor for",
            ("source", "purchase_id"),
            (
                _SOURCE,
                _id("purchase_id", "the vendor's own id"),
                _id("vendor_account_id", "account it was bought for"),
                _id("vendor_product_id", "product bought"),
                _c("quantity_qty", "qty", "units bought", null=False),
                _c("status", "text", "the vendor's word"),
                _c("is_active", "bool", "still charged, suspended included (T52)", null=False),
                _c("is_free", "bool", "trial or free (T53)", null=False),
                _c("start_date", "date", "first day"),
                _c("commitment_end_date", "date", "last day of the term; quantity cannot go down before (T86)"),
                _c("term", "text", "commitment and billing term"),
                _c("unit_price", "price", "suggested retail price a unit and month"),
                _c("unit_cost", "price", "what the MSP pays a unit and month"),
                _c("currency", "text", "ISO 4217 of price and cost"),
                _EVIDENCE,
            ),
        ),
        TableSchema(
            "vendor_charges",
            "one line of a vendor's invoice",
            ("source", "charge_id"),
            (
                _SOURCE,
                _id("charge_id", "unique in its source"),
                _c("invoice_id", "text", "the vendor's invoice"),
                _id("vendor_account_id", "account charged for"),
                _id("vendor_product_id", "product charged"),
                _c("charge_type", "text", "the vendor's word"),
                _c("start_date", "date", "first day charged"),
                _c("end_date", "date", "last day charged"),
                _c("quantity_qty", "qty", "units", null=False),
                _c("unit_cost", "price", "cost a unit"),
                _c("amount", "amount", "cost of the line, tax excluded (T117)", null=False),
                _c("currency", "text", "ISO 4217", null=False),
                _EVIDENCE,
            ),
        ),
    )
}

SOURCE_STATUS = TableSchema(
    "source_status",
    "one source of the book in this period: the first thing to read",
    ("source",),
    (
        _SOURCE,
        _id("connector", "which connector read it"),
        _id("status", "complete, partial or failed"),
        _c("snapshot_id", "text", "content id of the snapshot; null: none"),
        _c("as_of_at", "timestamp", "when the vendor was read"),
        _c("pages", "int", "pages kept", null=False),
        _c("records", "int", "canonical rows made of them", null=False),
        _c("previous_records", "int", "the same, last month"),
        _c("rejects", "int", "rows that could not be used", null=False),
        _c("error", "text", "what went wrong, in words"),
        _c("exit_code", "int", "0, or what the command line ends with because of this source", null=False),
    ),
)

REJECTS = TableSchema(
    "rejects",
    "one vendor row that could not be used, with the reason: nothing is dropped without a count",
    ("evidence", "column_name"),
    (
        _SOURCE,
        _id("column_name", "field at fault"),
        _c("value", "text", "what stood there"),
        _id("reason", "what is wrong with it"),
        _EVIDENCE,
    ),
)

ACCOUNT_MAPPING = TableSchema(
    "account_mapping",
    "one vendor account and the client it belongs to",
    ("source", "vendor_account_id"),
    (
        _SOURCE,
        _id("vendor_account_id", "the vendor's own id"),
        _id("account_name", "as the vendor shows it"),
        _c("domain", "text", "default domain"),
        _id("state", "unmapped, suggested, mapped or excluded"),
        _c("client_id", "text", "mapped or suggested client"),
        _c("client_name", "text", "its name"),
        _c("decided_by", "text", "id, exact_name, rule or decision; null while undecided"),
        _c("score", "qty", "0..1 of the suggestion"),
        _c("reason", "text", "why, in words"),
        _c("runner_up_id", "text", "next best client"),
        _c("runner_up_name", "text", "its name"),
        _c("runner_up_score", "qty", "0..1"),
        _c("units_qty", "qty", "units that hang on it", null=False),
        _c("monthly_cost", "amount", "monthly cost that hangs on it, where known"),
        _c("currency", "text", "ISO 4217 of that cost"),
        _EVIDENCE,
    ),
)

PRODUCT_MAPPING = TableSchema(
    "product_mapping",
    "one vendor product and one service it counts for; several rows where it counts for several (T27)",
    ("source", "vendor_product_id", "service_id"),
    (
        _SOURCE,
        _id("vendor_product_id", "the vendor's own id"),
        _id("product_name", "as the vendor shows it"),
        _c("sku", "text", "part number or SKU id"),
        _id("state", "unmapped, suggested, mapped or excluded"),
        _c("service_id", "text", "mapped or suggested service"),
        _c("service_code", "text", "its identifier"),
        _c("service_name", "text", "its name"),
        _c("decided_by", "text", "id, exact_name, rule or decision; null while undecided"),
        _c("score", "qty", "0..1 of the suggestion"),
        _c("reason", "text", "why, in words"),
        _c("runner_up_id", "text", "next best service"),
        _c("runner_up_name", "text", "its name"),
        _c("runner_up_score", "qty", "0..1"),
        _c("units_qty", "qty", "units that hang on it", null=False),
        _c("monthly_cost", "amount", "monthly cost that hangs on it, where known"),
        _c("currency", "text", "ISO 4217 of that cost"),
        _EVIDENCE,
    ),
)

COUNTS = TableSchema(
    "counts",
    "one client, service, measure (used or purchased) and source: the count and what was left out of it",
    ("client_id", "service_id", "measure", "source"),
    (
        _id("client_id", "client"),
        _id("service_id", "service"),
        _id("measure", "used or purchased"),
        _SOURCE,
        _c("is_known", "bool", "false: no count was received, quantity is null (T1)", null=False),
        _c("quantity_qty", "qty", "units counted; null when not known"),
        _c("duplicate_qty", "qty", "units seen twice and counted once (T61)", null=False),
        _c("stale_qty", "qty", "units not seen for too long, not counted (T59)", null=False),
        _c("later_qty", "qty", "units dated after the as-of date, not counted (T3)", null=False),
        _c("unit_cost", "price", "vendor cost a unit and month, where bought"),
        _c("currency", "text", "ISO 4217 of the cost"),
        _c("evidence", "text", "records counted"),
    ),
)

RECORD_BUCKETS = TableSchema(
    "record_buckets",
    "one usage record or purchase and the one bucket it ended in",
    ("source", "record_kind", "record_id"),
    (
        _SOURCE,
        _id("record_kind", "usage or purchase"),
        _id("record_id", "unique in its source"),
        _id(
            "bucket",
            "counted, duplicate, stale, after_as_of, free, inactive, ignored, unaccounted, excluded, unmapped_account or unmapped_service",
        ),
        _c("client_id", "text", "client, where mapped"),
        _c("service_id", "text", "first service it counts for"),
        _c("vendor_account_id", "text", "account"),
        _c("vendor_product_id", "text", "product"),
        _c("quantity_qty", "qty", "units", null=False),
        _c("rule", "text", "rule that decided"),
        _EVIDENCE,
    ),
)

COMPARISON = TableSchema(
    "comparison",
    "one client × service with an agreement line in scope or a known count",
    ("client_id", "service_id"),
    (
        _id("client_id", "client"),
        _id("client_name", "its name"),
        _id("service_id", "service"),
        _id("service_code", "its identifier"),
        _id("service_name", "its name"),
        _c("agreement_id", "text", "agreement of the line a change would go to"),
        _c("agreement_line_id", "text", "line a change would go to"),
        _c("lines", "int", "lines summed (T17)", null=False),
        _c("contracted_qty", "qty", "units on the lines, included ones too"),
        _c("billed_qty", "qty", "units the client pays"),
        _c("included_qty", "qty", "units included"),
        _c("purchased_qty", "qty", "units the MSP pays the vendor"),
        _c("used_qty", "qty", "units in use"),
        _c("expected_qty", "qty", "units that should be billed; null: not known (T1)"),
        _c("variance_qty", "qty", "expected − billed; positive: under-billed"),
        _c("unit_price", "price", "price a unit and cycle"),
        _c("unit_cost", "price", "vendor cost a unit and month; else the line's"),
        _c("cycle_months", "int", "months in the billing cycle"),
        _c("currency", "text", "ISO 4217", null=False),
        _c("monthly_impact", "amount", "money a month the client should additionally pay; null: not known"),
        _id(
            "status",
            "matched, under_billed, over_billed, new_revenue, orphan_line, no_count, no_source, flat, timing, covered, out_of_scope "
            "or not_comparable",
        ),
        _c("certainty", "text", "calculated or estimated", null=False),
        _c("confidence", "qty", "0..1: mapping × count × freshness", null=False),
        _c("count_source", "text", "sources of the expected count"),
        _c("rule", "text", "rule applied"),
        _c("explanation", "text", "one sentence"),
        _c("evidence", "text", "lines and records compared"),
    ),
)

LINE_BUCKETS = TableSchema(
    "line_buckets",
    "one agreement line and the one bucket it ended in",
    ("agreement_line_id",),
    (
        _id("agreement_line_id", "line"),
        _id("client_id", "client"),
        _id("service_id", "service"),
        _id(
            "bucket",
            "a comparison status, or credit, proration_helper, cost_only or out_of_scope_<why>",
        ),
        _c("quantity_qty", "qty", "units on the line", null=False),
        _EVIDENCE,
    ),
)

FINDINGS = TableSchema(
    "findings",
    "one difference that needs a person",
    ("finding_id",),
    (
        _id("finding_id", "the same next month for the same client × service × kind"),
        _id("kind", "FIELD.md section 6"),
        _c("client_id", "text", "client"),
        _c("client_name", "text", "its name"),
        _c("service_id", "text", "service"),
        _c("service_name", "text", "its name"),
        _c("agreement_id", "text", "agreement"),
        _c("agreement_line_id", "text", "line a change would go to"),
        _c("source", "text", "source of the count"),
        _c("vendor_account_id", "text", "account"),
        _c("vendor_product_id", "text", "product"),
        _c("contracted_qty", "qty", "units on the lines"),
        _c("billed_qty", "qty", "units the client pays"),
        _c("purchased_qty", "qty", "units the MSP pays"),
        _c("used_qty", "qty", "units in use"),
        _c("expected_qty", "qty", "units that should be billed"),
        _c("variance_qty", "qty", "expected − billed; for counts of units: the units concerned"),
        _c("unit_price", "price", "price a unit and cycle"),
        _c("unit_cost", "price", "cost a unit and month"),
        _c("currency", "text", "ISO 4217", null=False),
        _c("monthly_impact", "amount", "signed money a month the client should additionally pay; null: not known"),
        _c("cost_impact", "amount", "signed money a month on the MSP's own cost; null: none or not known"),
        _c("confidence", "qty", "0..1", null=False),
        _c("certainty", "text", "calculated or estimated", null=False),
        _id("status", "open, approved, dismissed, snoozed, excluded, disputed or verified"),
        _c("first_seen", "text", "first period it was seen in", null=False),
        _c("months_open", "int", "periods in a row", null=False),
        _c("cause", "text", "chosen by the analyst"),
        _c("explanation", "text", "one sentence", null=False),
        _c("rule", "text", "rule applied"),
        _c("evidence", "text", "where the bytes stand"),
    ),
)

CHANGES = TableSchema(
    "changes",
    "one change to make in the PSA",
    ("change_id",),
    (
        _id("change_id", "idempotency key: never applied twice"),
        _id("finding_id", "finding it comes from"),
        _id("period", "billing month it was approved in"),
        _id("action", "update, add or cancel"),
        _id("client_id", "client"),
        _id("client_name", "its name"),
        _id("service_id", "service"),
        _id("service_name", "its name"),
        _c("agreement_id", "text", "agreement; null: choose one when adding"),
        _c("agreement_line_id", "text", "line; null when adding"),
        _c("old_qty", "qty", "units on the line now", null=False),
        _c("new_qty", "qty", "units to set", null=False),
        _c("effective_date", "date", "first day of the new quantity", null=False),
        _c("unit_price", "price", "price a unit and cycle"),
        _c("currency", "text", "ISO 4217", null=False),
        _c("monthly_effect", "amount", "money a month the invoice changes by"),
        _id("status", "planned, verified, not_arrived or changed_since"),
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
        CHANGES,
    )
}


def make_table(schema: TableSchema, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Typed table of rows, sorted by the key, with the key unique and required columns filled.

    Raises:
        DataError: an unknown or missing column, a null where none may be, a wrong type, or a key twice.
    """
    import pyarrow as pa

    rows = list(rows)
    names = set(schema.names())
    for row in rows:
        if unknown := row.keys() - names:
            raise DataError(f"column {min(unknown)!r} is not in the schema", where=f"table {schema.name}")
    try:
        table = pa.Table.from_pylist([dict(row) for row in rows], schema=schema.arrow())
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(str(error), where=f"table {schema.name}", hint="a value has the wrong type or scale") from error
    return check_table(schema, table)


def check_table(schema: TableSchema, table: pa.Table) -> pa.Table:
    """The table sorted by its key, if its key is unique and its required columns are filled.

    Raises:
        DataError: a null where none may be, or a key twice.
    """
    import pyarrow.compute as pc

    for column in schema.columns:
        if not column.null and table[column.name].null_count:
            raise DataError(f"{table[column.name].null_count} rows without {column.name}", where=f"table {schema.name}")
    keys = table.select(list(schema.key)).group_by(list(schema.key)).aggregate([([], "count_all")])
    if keys.num_rows != table.num_rows:
        twice = keys.filter(pc.field("count_all") > 1).to_pylist()[0]
        raise DataError(
            f"key {dict(list(twice.items())[: len(schema.key)])} stands more than once",
            where=f"table {schema.name}",
            hint="two sources may deliver the same records, or a page came twice",
        )
    return table.sort_by([(name, "ascending") for name in schema.key])
