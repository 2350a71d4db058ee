"""The tables of mapping: whose a vendor account is, what a vendor product counts for, how sure that is and why (docs/mapping.md)."""

from __future__ import annotations

from reconlib.schema.tables import EVIDENCE, SOURCE, Column, TableSchema, column, required

EVIDENCE_KINDS = ("id", "alias", "domain", "phone", "address", "name", "conflict", "context")  # what the matcher gives points for


def _judged(ours: str) -> tuple[Column, ...]:
    """What every row says about how sure it is, why, and what hangs on it; ``ours`` is client or service."""
    return (
        required("state", "unmapped, suggested, mapped or excluded"),
        column("verdict", "text", "AUTO, PROPOSE, UNMATCHED or CONTRADICTION, of the evidence; null: not judged"),
        column("change", "text", "what changed at the vendor since last month; null: nothing, or nothing known"),
        column(f"{ours}_id", "text", f"mapped or suggested {ours}"),
        column(f"{ours}_code", "text", "its identifier in the PSA"),
        column(f"{ours}_name", "text", "its name"),
        column("service_sku", "text", "part number the catalogue carries")
        if ours == "service"
        else column("client_domain", "text", "its domain"),
        column("decided_by", "text", "id, exact_name, rule or decision; null while undecided"),
        column("best_evidence", "text", "what speaks loudest for it: id, alias, domain, phone, address or name; null: nothing"),
        column("probability", "qty", f"0..1, 4 decimals: that this is the right {ours}; null: not judged"),
        column("reason", "text", "why, in words"),
        column("runner_up_id", "text", f"next best {ours}; of a contradiction: the better one"),
        column("runner_up_name", "text", "its name"),
        column("runner_up_probability", "qty", "0..1, 4 decimals"),
        *(column(f"points_{kind}", "qty", f"log-odds points of {kind}, 2 decimals; null: not judged") for kind in EVIDENCE_KINDS),
        column("our_explained", "text", f"words of the {ours} that the vendor's name explains"),
        column("our_unexplained", "text", f"words of the {ours} that nothing explains"),
        column("vendor_explained", "text", f"words of the vendor's name that the {ours} explains"),
        column("vendor_unexplained", "text", "words of the vendor's name that nothing explains"),
        column("conflicts", "text", "what speaks against it, '; ' between; null: nothing, or not judged"),
        column("proposals", "text", f"JSON object of up to 3 {ours} ids with their probability, best first; null: none"),
        column("units_qty", "qty", "units that hang on it", null=False),
        column("monthly_cost", "amount", "monthly cost that hangs on it, where known"),
        column("currency", "text", "ISO 4217 of that cost"),
        column("stake", "amount", "monthly cost that hangs on it, units where none is known"),
        column("doubt", "qty", "0..1: how likely the choice is wrong; 1: nothing is known, 0: settled"),
        EVIDENCE,
    )


ACCOUNT_MAPPING = TableSchema(
    "account_mapping",
    "one vendor account and the client it belongs to",
    ("source", "vendor_account_id"),
    (
        SOURCE,
        required("vendor_account_id", "the vendor's own id"),
        required("account_name", "as the vendor shows it"),
        column("domain", "text", "default domain"),
        column("external_id", "text", "PSA id or code the vendor carries"),
        column("tenant_id", "text", "Microsoft tenant it stands for"),
        *_judged("client"),
    ),
)

PRODUCT_MAPPING = TableSchema(
    "product_mapping",
    "one vendor product and one service it counts for; several rows where it counts for several (T27)",
    ("source", "vendor_product_id", "service_id"),
    (
        SOURCE,
        required("vendor_product_id", "the vendor's own id"),
        required("product_name", "as the vendor shows it"),
        column("sku", "text", "part number or SKU id"),
        *_judged("service"),
    ),
)

SPLIT_PARTS = TableSchema(
    "split_parts",
    "usage of one part of a tenant that serves several clients, or of its remainder, beside the tenant's as it was received (T32)",
    ("source", "vendor_account_id"),
    (
        SOURCE,
        required("vendor_account_id", "the part's own account; of the remainder the tenant's"),
        required("tenant_account_id", "the vendor's id of the tenant"),
        required("part", "its name in the rule, or remainder"),
        column("records", "int", "usage records of the part", null=False),
        column("quantity_qty", "qty", "their units", null=False),
        column("tenant_records", "int", "usage records of the tenant before it was split", null=False),
        column("tenant_qty", "qty", "their units", null=False),
    ),
)
