"""The records behind a finding's counts, and the proof that they come to the counts shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from reconlib.counting import count_units, list_records
from reconlib.errors import TieOutError
from reconlib.inputs import Mapped, stage_inputs
from reconlib.money import format_qty
from reconlib.month import Month, has_stage, read_stage
from reconlib.schema import RECORDS, make_table

if TYPE_CHECKING:
    import pyarrow as pa

    from reconlib.pipeline import Inputs

Row = dict[str, Any]
ZERO, MICRO = Decimal(0), Decimal("0.000001")
_ORDER = ("counted", "duplicate", "stale", "other_day", "after_as_of")  # what counts stands first, then what was left out and why


def anchor_of(cell: Mapping[str, Any] | None) -> str | None:
    """The service a cell is counted at: a bundle's is its anchor (T65)."""
    if cell is None:
        return None
    return str(cell["anchor_service_id"] if cell["is_bundle"] and cell["anchor_service_id"] else cell["service_id"])


def bearing_records(month: Month, inputs: Inputs, finding: Row, service: str | None) -> pa.Table:
    """Records that were counted for the finding, and those left out beside them: RECORDS, the counted ones first."""
    kind, source = finding["kind"], finding["source"]
    service = service or finding["service_id"]
    if finding["client_id"] and kind == "unaccounted_usage":
        rows = [r for r in _listed(inputs, month, finding["client_id"]) if r["source"] == source and r["bucket"] == "unaccounted"]
    elif finding["client_id"] and service:
        counted = _counted_month(month, inputs, service)
        if counted is None:
            return make_table(RECORDS, [])
        inputs = counted
        products = {
            (row["source"], row["vendor_product_id"])
            for row in inputs.products.to_pylist()
            if row["service_id"] == service and row["state"] == "mapped"
        }
        listed = _listed(inputs, month, finding["client_id"])
        rows = [
            row
            for row in listed
            if row["service_id"] == service or (row["service_id"] is None and (row["source"], row["vendor_product_id"]) in products)
        ]
        if kind in ("duplicate_unit", "stale_unit"):
            rows = [row for row in rows if row["source"] == source]
    elif source and finding["vendor_account_id"]:
        listed = list_records(
            *_given(inputs, month), as_of=inputs.as_of, account=(source, finding["vendor_account_id"]), engine=inputs.engine
        )
        rows = [row for row in _rows(listed) if finding["vendor_product_id"] in (None, row["vendor_product_id"])]
    elif source and finding["vendor_product_id"]:
        rows = _of_product(inputs, month, source, finding["vendor_product_id"])
    else:
        rows = []
    import pyarrow as pa

    return pa.Table.from_pylist(sorted(_once(rows), key=_place), schema=RECORDS.arrow())


def tie_out_records(month: Month, inputs: Inputs, records: pa.Table, counts: list[Row], finding: Row, service: str | None) -> list[str]:
    """Nothing where the records listed come to the counts shown; else what would be counted differently today, in words.

    Raises:
        TieOutError: they do not even come to what the same rules count today. Always a bug.
    """
    counted = None if service is None else _counted_month(month, inputs, service)
    if service is None or counted is None:
        return []
    inputs = counted
    rows = [row for row in records.to_pylist() if row["bucket"] == "counted" and row["service_id"] == service]
    wrong = [(row, _tally(rows, row)) for row in counts if row["is_known"] and _tally(rows, row) != row["quantity_qty"]]
    if not wrong:
        return []
    made = count_units(*_given(inputs, month), as_of=inputs.as_of, engine=inputs.engine).counts.to_pylist()
    again = {
        (row["measure"], row["source"]): row for row in made if (row["client_id"], row["service_id"]) == (finding["client_id"], service)
    }
    notes = []
    for row, _ in wrong:
        now = again.get((row["measure"], row["source"]))
        tally = _tally(rows, now or row)
        if (now["quantity_qty"] if now and now["is_known"] else ZERO) != tally:
            told = f"{row['measure']} in {row['source']}: the records listed come to {format_qty(tally)}, the count to "
            raise TieOutError(f"{told}{format_qty(now['quantity_qty'] if now else ZERO)}", where=f"finding {finding['finding_id']}")
        shown, units = format_qty(row["quantity_qty"]), format_qty(tally)
        notes.append(f"Today {row['source']} would count {units} {row['measure']}, not {shown}: rules or mapping changed since.")
    return notes


def _tally(records: Iterable[Row], count: Row) -> Decimal:
    """What the counted records of one measure and source come to, by the day the rule takes (T46)."""
    kind = "purchase" if count["measure"] == "purchased" else "usage"
    days: dict[Any, Decimal] = defaultdict(Decimal)
    for row in records:
        if row["source"] == count["source"] and row["record_kind"] == kind:
            days[row["usage_date"]] += row["quantity_qty"]
    total = sum(days.values(), ZERO)
    if count["take"] == "peak":
        return max(days.values(), default=ZERO)
    if count["take"] == "average" and (count["days"] or 0) > 1:
        return (total / int(count["days"])).quantize(MICRO, rounding=ROUND_HALF_UP)
    return total


def _counted_month(month: Month, inputs: Inputs, service: str) -> Inputs | None:
    """Inputs of the month whose records are counted: the one before where the vendor bills in arrears (T110), none if that was not run."""
    code = next((row["service_code"] for row in inputs.tables["services"].to_pylist() if row["service_id"] == service), "")
    rule = month.rules.services.get(code)
    if rule is None or not rule.period_offset:
        return inputs
    before = month.previous
    if not has_stage(before, "product_mapping"):
        return None
    return stage_inputs(before, Mapped(read_stage(before, "account_mapping"), read_stage(before, "product_mapping")))


def _given(inputs: Inputs, month: Month) -> tuple[Any, ...]:
    return inputs.tables, inputs.accounts, inputs.products, inputs.status, month.rules


def _listed(inputs: Inputs, month: Month, client: str) -> list[Row]:
    return _rows(list_records(*_given(inputs, month), as_of=inputs.as_of, client_id=client, engine=inputs.engine))


def _of_product(inputs: Inputs, month: Month, source: str, product: str) -> list[Row]:
    """Records of a product over all accounts."""
    import pyarrow.compute as pc

    listed = list_records(*_given(inputs, month), as_of=inputs.as_of, engine=inputs.engine)
    return _rows(listed.filter((pc.field("source") == source) & (pc.field("vendor_product_id") == product)))


def _rows(table: pa.Table) -> list[Row]:
    return list(table.to_pylist())


def _once(rows: list[Row]) -> list[Row]:
    """Each record and service once, whatever lists it came from."""
    return list({(row["source"], row["record_kind"], row["record_id"], row["service_id"]): row for row in rows}.values())


def _place(row: Mapping[str, Any]) -> tuple[Any, ...]:
    place = _ORDER.index(row["bucket"]) if row["bucket"] in _ORDER else len(_ORDER)
    return (place, row["bucket"], row["source"], row["record_kind"], row["unit_name"] or "", row["record_id"], row["service_id"] or "")
