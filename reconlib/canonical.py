"""From raw pages to typed tables: every vendor row becomes one canonical row or one reject, never nothing.

A line or record that names a client, service, account or product its source did not list gets a stub, so that its quantity stays
in view (T19) instead of falling out of a join.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from reconlib.connectors import CONNECTORS
from reconlib.connectors.contract import Reject
from reconlib.errors import DataError
from reconlib.schema import CANONICAL, make_table
from reconlib.snapshots import Snapshot, read_pages

if TYPE_CHECKING:
    import pyarrow as pa

Rows = dict[str, list[dict[str, Any]]]


def read_rows(source: str, connector: str, snapshot: Snapshot) -> tuple[Rows, list[dict[str, Any]]]:
    """Canonical rows and rejects of one complete snapshot.

    Raises:
        ShapeError: a page lacks a field the count depends on.
        SnapshotError: a page is not what its manifest says.
    """
    rows: Rows = {}
    rejects: list[dict[str, Any]] = []
    for item in CONNECTORS[connector].normalize(read_pages(snapshot), source):
        if isinstance(item, Reject):
            fault = {"column_name": item.column_name, "value": item.value, "reason": item.reason, "evidence": item.evidence}
            rejects.append({**fault, "source": source})
        else:
            rows.setdefault(item.table, []).append({**item.values, "source": source})
    return rows, rejects


def normalize_snapshots(sources: Mapping[str, Rows]) -> dict[str, pa.Table]:
    """Canonical tables of every source's rows.

    Raises:
        DataError: the same record came twice, or a line names an agreement the PSA did not list.
    """
    rows: Rows = {name: [row for source in sources.values() for row in source.get(name, [])] for name in CANONICAL}
    _fill_references(rows)
    return {name: make_table(CANONICAL[name], part) for name, part in rows.items()}


def _fill_references(rows: Rows) -> None:
    agreements = {row["agreement_id"] for row in rows["agreements"]}
    for line in rows["agreement_lines"]:
        if line["agreement_id"] not in agreements:
            raise DataError(
                f"line {line['agreement_line_id']} belongs to agreement {line['agreement_id']}, which the PSA did not list",
                where=f"source {line['source']}",
                hint="the API user may lack the right to see that agreement",
            )
    lines, records = rows["agreement_lines"], rows["usage_records"] + rows["purchases"] + rows["vendor_charges"]
    _stub(rows["clients"], rows["agreements"] + lines, ("client_id",), "client_name", {"is_deleted": False, "is_billable": True})
    service = {"service_code": "", "is_active": False}
    _stub(rows["services"], lines, ("service_id",), "service_name", service)
    _stub(rows["vendor_accounts"], records, ("source", "vendor_account_id"), "account_name", {})
    _stub(rows["vendor_products"], records, ("source", "vendor_product_id"), "product_name", {"is_free": False})


def _stub(known: list[dict[str, Any]], users: list[dict[str, Any]], key: tuple[str, ...], name: str, rest: dict[str, Any]) -> None:
    seen = {tuple(row[part] for part in key) for row in known}
    for row in users:
        found = tuple(row[part] for part in key)
        if found not in seen:
            seen.add(found)
            stub = {**{part: row[part] for part in key}, name: f"{row[key[-1]]} (not listed by the source)", **rest}
            if "service_code" in rest:
                stub["service_code"] = str(row[key[-1]])
            known.append({**stub, "source": row["source"], "evidence": row["evidence"]})
