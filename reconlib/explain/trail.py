"""What a finding hangs on besides numbers: rules as written, mapping and who decided it, lines with their buckets, the months before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from reconlib.explain.written import rule_text
from reconlib.ledger import Event
from reconlib.month import Month, has_stage, read_stage
from reconlib.product_overrides import moved_products
from reconlib.report.pages.tables import build_table, index_rows
from reconlib.review import mapping_decisions

if TYPE_CHECKING:
    import pyarrow as pa

    from reconlib.pipeline import Inputs

Row = dict[str, Any]
HISTORY_MONTHS = 12  # how far back a finding's own months are listed
_RULES: Mapping[str, Any] = {"key": "text", "file": "text", "line": "int", "text": "text"}
_MAPPING: Mapping[str, Any] = {
    **dict.fromkeys(("relation", "source", "vendor_id", "name", "state", "target", "decided_by", "who", "at", "why"), "text"),
    "probability": "qty",
    "units_qty": "qty",
    "evidence": "text",
}
_LINES: Mapping[str, Any] = {
    **dict.fromkeys(("agreement_line_id", "agreement_name", "description", "bucket", "billable"), "text"),
    "quantity_qty": "qty",
    "included_qty": "qty",
    "unit_price": "price",
    "unit_cost": "price",
    "cycle_months": "int",
    "currency": "text",
    "effective_date": "date",
    "cancelled_date": "date",
    "evidence": "text",
}
_HISTORY: Mapping[str, Any] = {
    "period": "text",
    "variance_qty": "qty",
    "monthly_impact": "amount",
    "cost_impact": "amount",
    "currency": "text",
    "status": "text",
}


def finding_rules(month: Month, finding: Row, cell: Row | None, counted_code: str | None) -> pa.Table:
    """The rules in force for a finding: key, file, line, and the text as written; no text where nothing is written (counted by mapping)."""
    keys = []
    if cell is not None:
        keys.append(f"services.{cell['service_code']}")
        if counted_code and counted_code != cell["service_code"]:
            keys.append(f"services.{counted_code}")
        keys += [
            f"overrides.{number}"
            for number, override in enumerate(month.rules.overrides)
            if {override.client} & {finding["client_id"], cell.get("client_code"), _code(month, finding["client_id"])}
            and override.service in (cell["service_code"], cell["service_id"])
        ]
    keys += [*_split_keys(month, finding, cell), *_moved_keys(month, finding)]
    said = finding["rule"] or ""
    named = said.partition(":")[0].strip()
    if not any(named == key or named.startswith(f"{key}.") for key in keys) and named.partition(".")[0] in _KEYS:
        keys.append(named)
    if named == "together" and cell is not None:
        keys.remove(named)
        keys += [f"together.{number}" for number, pair in enumerate(month.rules.together) if cell["service_code"] in pair.services]
    rows = [rule_text(month.rules, key, month.root) for key in keys]
    if cell is not None and rows[0]["text"] is None:
        rows[0] |= {"file": None, "text": "no rule names this service: whatever is mapped to it is counted"}
    return build_table(rows, _RULES)


def _moved_keys(month: Month, finding: Row) -> list[str]:
    """Exceptions that count a product of the finding's client for its service, or for another than its own (T130)."""
    if not month.rules.product_overrides:
        return []
    tables = {name: read_stage(month, name) for name in ("clients", "services", "vendor_products")}
    feeds = {
        (row["source"], row["vendor_product_id"])
        for row in read_stage(month, "product_mapping").to_pylist()
        if row["state"] == "mapped" and row["service_id"] == finding["service_id"]
    }
    moved = [one for one in moved_products(month.rules, tables) if one.client_id == finding["client_id"]]
    return [one.key for one in moved if one.service_id == finding["service_id"] or any(place[1:] in feeds for place in one.places())]


def _split_keys(month: Month, finding: Row, cell: Row | None) -> list[str]:
    """Rules that split a tenant some of the finding's units come from (T32)."""
    if not month.rules.tenant_splits:
        return []
    sources = set(f"{finding['source'] or ''} {(cell or {}).get('count_source') or ''}".split())
    ours = {
        (row["source"], row["vendor_account_id"])
        for row in read_stage(month, "account_mapping").to_pylist()
        if row["source"] in sources
        and (row["vendor_account_id"] == finding["vendor_account_id"] or (row["client_id"] and row["client_id"] == finding["client_id"]))
    }
    splits = enumerate(month.rules.tenant_splits)
    return [f"tenant_splits.{number}" for number, one in splits if not ours.isdisjoint((one.source, a) for a in one.account_ids())]


_KEYS = (
    "services",
    "overrides",
    "product_overrides",
    "tenant_splits",
    "ignore",
    "expected",
    "together",
    "price_outlier",
    "unusual",
    "tolerance",
    "invoice_tolerance",
)


def list_mapping(month: Month, inputs: Inputs, finding: Row, service: str | None, events: Iterable[Event]) -> pa.Table:
    """Vendor accounts and products that feed the finding, or wait to, with who decided each and when."""
    decided = mapping_decisions(events, as_of=month.as_of, period=month.mapping_period)
    sources = _sources(inputs, finding, service)
    rows = []
    for relation, table in (("account", inputs.accounts), ("product", inputs.products)):
        for row in table.to_pylist():
            if not _feeds(relation, row, finding, service, sources):
                continue
            decision = decided.get((relation, row["source"], row[f"vendor_{relation}_id"]))
            target = row["client_id" if relation == "account" else "service_id"]
            made = decision.said.get(target, decision) if decision is not None and row["decided_by"] == "decision" else None
            rows.append(
                {
                    **row,
                    "relation": relation,
                    "vendor_id": row[f"vendor_{relation}_id"],
                    "name": row[f"{relation}_name"],
                    "target": row["client_name" if relation == "account" else "service_name"],
                    "who": made.who if made else None,
                    "at": made.at if made else None,
                    "why": (made.why if made else "") or row["reason"],
                }
            )
    return build_table(sorted(rows, key=lambda r: (r["relation"], r["source"], r["state"], r["vendor_id"])), _MAPPING)


def _sources(inputs: Inputs, finding: Row, service: str | None) -> set[str]:
    """Sources the finding's count, or its service's products, come from."""
    named = set((finding["source"] or "").split())
    return named | {row["source"] for row in inputs.products.to_pylist() if service and row["service_id"] == service}


def _feeds(relation: str, row: Row, finding: Row, service: str | None, sources: set[str]) -> bool:
    if finding[f"vendor_{relation}_id"] is not None:
        return bool(row["source"] == finding["source"] and row[f"vendor_{relation}_id"] == finding[f"vendor_{relation}_id"])
    if relation == "account":
        return bool(finding["client_id"] and row["client_id"] == finding["client_id"] and row["source"] in sources)
    return bool(service and row["service_id"] == service and row["source"] in sources)


def list_lines(inputs: Inputs, buckets: pa.Table, client: str | None, service: str | None) -> pa.Table:
    """Every agreement line of a client and service, compared or not, with its bucket."""
    import pyarrow.compute as pc

    if client is None or service is None:
        return build_table([], _LINES)
    where = (pc.field("client_id") == client) & (pc.field("service_id") == service)
    agreements, ended = index_rows(inputs.tables["agreements"], "agreement_id"), index_rows(buckets.filter(where), "agreement_line_id")
    of_client = next((row["currency"] for row in inputs.tables["clients"].to_pylist() if row["client_id"] == client), None)
    rows = []
    for row in inputs.tables["agreement_lines"].filter(where).to_pylist():
        agreement = agreements.get(row["agreement_id"], {})
        rows.append(
            {
                **row,
                "agreement_name": agreement.get("agreement_name"),
                "cycle_months": agreement.get("cycle_months"),
                "currency": agreement.get("currency") or of_client or inputs.currency,
                "bucket": ended.get(row["agreement_line_id"], {}).get("bucket"),
            }
        )
    return build_table(sorted(rows, key=lambda r: (r["bucket"] or "", r["agreement_line_id"])), _LINES)


def list_history(month: Month, finding: Row) -> pa.Table:
    """The same finding in this month and the months before, newest first, as long as it stands there without a break."""
    rows, before = [{**finding, "period": str(month.period)}], month
    for _ in range(HISTORY_MONTHS):
        before = before.previous
        if not has_stage(before, "findings"):
            break
        found = [row for row in read_stage(before, "findings").to_pylist() if row["finding_id"] == finding["finding_id"]]
        if not found:
            break
        rows.append({**found[0], "period": str(before.period)})
    return build_table(rows, _HISTORY)


def _code(month: Month, client_id: str | None) -> str | None:
    clients = read_stage(month, "clients").to_pylist() if client_id else []
    return next((row["client_code"] for row in clients if row["client_id"] == client_id), None)
