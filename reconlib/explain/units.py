"""``units.csv``: the records behind each billing finding that may bill something: a page's reader walks back without this tool."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconlib.counting import list_units
from reconlib.findings.kinds import BILLING_KINDS
from reconlib.inputs import Mapped, stage_inputs
from reconlib.month import Month, read_stage
from reconlib.report.export import write_csv
from reconlib.report.pages.tables import build_table

if TYPE_CHECKING:
    import pyarrow as pa

UNITS = "units.csv"
_MAY_BILL = ("open", "approved", "disputed")  # a signed month has no open one, and its reader asks about the approved
MOST = 200_000  # rows; a last line says how many more there are
_COLUMNS: Mapping[str, Any] = {
    **dict.fromkeys(("finding_id", "kind", "client_name", "service_name", "counted_as", "source", "record_kind", "bucket"), "text"),
    "quantity_qty": "qty",
    **dict.fromkeys(("unit_name", "unit_key", "unit_class", "unit_state"), "text"),
    **dict.fromkeys(("since_date", "last_seen_date", "usage_date"), "date"),
    **dict.fromkeys(("vendor_account_id", "vendor_product_id", "record_id", "rule", "evidence"), "text"),
}


def write_units(month: Month, folder: Path, *, most: int = MOST) -> Path:
    """The records behind every billing finding of a month that may bill something, one a row, into ``folder``."""
    return write_csv(find_units(month, most=most), folder / UNITS)


def find_units(month: Month, *, most: int = MOST) -> pa.Table:
    """Records behind billing findings that are open, approved or disputed: counted, or left out beside them, each with its bucket.

    Grain: one finding and record. A bundle's are those of its anchor (T65). With more than ``most`` the last row says how many more.
    """
    billing = [
        row
        for row in read_stage(month, "findings").to_pylist()
        if row["kind"] in BILLING_KINDS and row["status"] in _MAY_BILL and row["service_id"]
    ]
    anchors, names = _anchors(month)
    behind: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in billing:
        behind.setdefault((row["client_id"], anchors.get(row["service_id"], row["service_id"])), []).append(row)
    if not behind:
        return build_table([], _COLUMNS)
    inputs = stage_inputs(month, Mapped(read_stage(month, "account_mapping"), read_stage(month, "product_mapping")))
    units, total = list_units(
        *(inputs.tables, inputs.accounts, inputs.products, inputs.status, month.rules),
        as_of=inputs.as_of,
        cells=list(behind),
        most=most,
        engine=inputs.engine,
    )
    rows = [
        {
            **record,
            **{name: finding[name] for name in ("finding_id", "kind", "client_name", "service_name")},
            "counted_as": names[record["service_id"]],
        }
        for record in units.to_pylist()
        for finding in behind[record["client_id"], record["service_id"]]
    ]
    rows.sort(key=lambda row: (row["client_name"], row["service_name"], row["finding_id"], row["bucket"], row["source"], row["record_id"]))
    if total > units.num_rows:
        rows.append({"finding_id": f"… and {total - units.num_rows} records more: recon explain FINDING lists them"})
    return build_table(rows, _COLUMNS)


def _anchors(month: Month) -> tuple[dict[str, str], dict[str, str]]:
    """Anchor of each bundle, and the name of each service, by id."""
    services = read_stage(month, "services").to_pylist()
    ids = {row["service_code"]: row["service_id"] for row in services}
    bundles = {code: rule.bundle.anchor for code, rule in month.rules.services.items() if rule.bundle is not None}
    anchors = {ids[code]: ids[anchor] for code, anchor in bundles.items() if code in ids and anchor in ids}
    return anchors, {row["service_id"]: row["service_name"] for row in services}
