"""One finding and everything it rests on, read from a month as it stands on disk; nothing is written.

The numbers shown are those of the comparison, signed or not. What stands behind them (steps, rules, records) is worked out again from the
same frozen inputs under today's rules: where the two differ, the explanation says so first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from reconlib.comparison import compare_quantities
from reconlib.errors import DataError
from reconlib.explain.expected import expected_steps
from reconlib.explain.money import money_parts
from reconlib.explain.records import anchor_of, bearing_records, tie_out_records
from reconlib.explain.trail import finding_rules, list_history, list_lines, list_mapping
from reconlib.inputs import Mapped, stage_inputs
from reconlib.money import format_qty
from reconlib.month import Month, has_stage, month_events, month_state, read_stage
from reconlib.report.pages.comparison import describe_difference
from reconlib.report.pages.tables import build_table

if TYPE_CHECKING:
    import pyarrow as pa

    from reconlib.pipeline import Inputs

Row = dict[str, Any]
_SHOWN = (
    "expected_qty",
    "billed_qty",
    "used_qty",
    "purchased_qty",
    "monthly_impact",
    "status",
)  # of a cell, for "would be different today"


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a finding says what it says. A table without rows: nothing of the kind stands behind it."""

    finding: Mapping[str, Any]  # FINDINGS row as it stands
    title: str
    said: str  # the finding in one sentence
    notes: tuple[str, ...]  # what to know before the numbers: signed, changed since, not known
    numbers: pa.Table  # number, quantity_qty, says: contracted, billed, bought, in use, expected
    steps: pa.Table  # step, change_qty, quantity_qty, says: from the count to the expected quantity
    counts: pa.Table  # one measure and source: COUNTS without client and service
    money: pa.Table  # part, sum, amount, currency: the parts of the money, its total last
    rules: pa.Table  # key, file, line, text: as written in YAML
    mapping: pa.Table  # what feeds the count: relation, source, vendor_id, name, state, target, decided_by, who, at, why, probability
    lines: pa.Table  # agreement lines of the client and service, each with its bucket and evidence
    records: pa.Table  # RECORDS behind the counts, counted or left out, each with its evidence
    charges: pa.Table  # what the vendor charged or the audit found, each with its evidence
    rejects: pa.Table  # rows nobody could read
    history: pa.Table  # the same finding in the months before
    decisions: pa.Table  # what people decided on it so far


def explain_finding(month: Month, finding_id: str) -> Explanation:
    """Everything behind one finding of a month; ``finding_id`` may be the beginning of one.

    Raises:
        DataError: the month was not compared, or no finding, or several, begin so.
        TieOutError: the records listed do not come to the count, or the steps not to what is expected. Always a bug.
    """
    return _explain(month, find_finding(read_stage(month, "findings"), finding_id))


def explain_first(month: Month) -> Explanation | None:
    """The finding worth most money, explained; null where a month has none."""
    findings = read_stage(month, "findings")
    return _explain(month, findings.slice(0, 1).to_pylist()[0]) if findings.num_rows else None


def find_finding(findings: pa.Table, finding_id: str) -> Row:
    """The one finding of this id, or whose id begins so.

    Raises:
        DataError: none, or several; names near ids.
    """
    found = [row for row in findings.to_pylist() if finding_id and row["finding_id"].startswith(finding_id)]
    if len(found) == 1:
        return dict(found[0])
    ids = [row["finding_id"] for row in found]
    if not found:
        from difflib import get_close_matches

        known = findings["finding_id"].to_pylist()
        near = get_close_matches(finding_id, known, n=3, cutoff=0.5) or sorted(known)[:3]
        raise DataError(
            f"no finding {finding_id!r} in this month", where="explain", hint=f"near: {', '.join(near)}" if near else "it has none"
        )
    raise DataError(f"{len(found)} findings begin with {finding_id!r}", where="explain", hint=", ".join(sorted(ids)[:5]))


def _explain(month: Month, finding: Row) -> Explanation:
    inputs = stage_inputs(month, Mapped(read_stage(month, "account_mapping"), read_stage(month, "product_mapping")))
    counts, lines = read_stage(month, "counts"), read_stage(month, "line_buckets")
    client, service = finding["client_id"], finding["service_id"]
    judged = _judged(inputs, month, counts, client) if client and service else {}
    cell = judged.get(service)
    counted = anchor_of(cell)
    stood = _stood(month, client, service)
    notes = _notes(month, stood, cell)
    steps = expected_steps(cell, judged, month.rules) if cell else []
    measured = _counts(inputs, month, counts, finding, counted)
    records = bearing_records(month, inputs, finding, counted)
    notes += tie_out_records(month, inputs, records, measured, finding, counted)
    audit = _audit(month, finding)
    charges = _charges(inputs, finding, audit)
    money, more = money_parts(finding, cell, month.rules, inputs, is_as_shown=not notes, audit=audit, charges=charges)
    events = month_events(month)
    rejects = [row for row in read_stage(month, "rejects").to_pylist() if row["source"] == finding["source"]]
    return Explanation(
        finding=finding,
        title=_title(finding),
        said=finding["explanation"],
        notes=(*notes, *more),
        numbers=build_table(_numbers(finding, stood, measured, cell), {"number": "text", "quantity_qty": "qty", "says": "text"}),
        steps=build_table(steps, {"step": "text", "change_qty": "qty", "quantity_qty": "qty", "says": "text"}),
        counts=build_table(measured, _COUNTS),
        money=build_table(money, {"part": "text", "sum": "text", "amount": "amount", "currency": "text"}),
        rules=finding_rules(month, finding, cell, counted_code=_code(inputs, counted)),
        mapping=list_mapping(month, inputs, finding, counted, events),
        lines=list_lines(inputs, lines, client, service),
        records=records,
        charges=_charge_table(audit, charges),
        rejects=build_table(rejects if finding["kind"] == "unusable_rows" else [], _REJECTS),
        history=list_history(month, finding),
        decisions=_decisions(finding, events),
    )


def _judged(inputs: Inputs, month: Month, counts: pa.Table, client: str) -> dict[str, Row]:
    """The client's cells with every number comparison.sql made on the way, by service_id; from the counts as they stand."""
    import pyarrow.compute as pc

    compared = compare_quantities(
        inputs.tables,
        counts,
        (inputs.accounts, inputs.products),
        inputs.status,
        month.rules,
        period=inputs.period,
        as_of=inputs.as_of,
        currency=inputs.currency,
        earlier=inputs.earlier_counts,
        rates=inputs.rates,
        engine=inputs.engine,
    )
    rows = compared.judged.filter(pc.field("client_id") == client).to_pylist()
    return {row["service_id"]: row for row in rows}


def _stood(month: Month, client: str | None, service: str | None) -> Row | None:
    """The cell as the comparison on disk says it."""
    if client is None or service is None:
        return None
    rows = read_stage(month, "comparison").to_pylist()
    return next((row for row in rows if (row["client_id"], row["service_id"]) == (client, service)), None)


def _notes(month: Month, stood: Row | None, cell: Row | None) -> list[str]:
    """What changed since the numbers were made."""
    notes, state = [], month_state(month)
    if state.state in ("signed", "approved") and not month.is_post_invoice:
        notes.append(f"{month.period} v{state.version} is {state.state}: the numbers are the signed ones.")
        names = [rule for rule in month.params.rules if state.hashes.get(rule) not in (None, _hash(month, rule))]
        if names:
            notes.append(
                f"The rules have changed since it was signed: {', '.join(names)}. Steps and records below are under today's rules."
            )
    if stood and cell and (changed := [name for name in _SHOWN if stood[name] != cell[name]]):
        told = [f"{name.removesuffix('_qty').replace('_', ' ')} {_plain(stood[name])} → {_plain(cell[name])}" for name in changed]
        notes.append(f"Under today's rules this would be different: {', '.join(told)}.")
    return notes


def _numbers(finding: Row, stood: Row | None, counts: list[Row], cell: Row | None) -> list[Row]:
    """The four numbers and what is expected: the finding's own, else its cell's; a number nobody received is not known."""
    lines = "" if cell is None or not cell["lines"] else f"{cell['lines']} {'line' if cell['lines'] == 1 else 'lines'}"
    from_sources = {
        measure: ", ".join(sorted({row["source"] for row in counts if row["measure"] == measure})) for measure in ("used", "purchased")
    }
    says = {
        "contracted_qty": lines,
        "billed_qty": f"{lines}, included units taken off" if lines else "",
        "purchased_qty": from_sources["purchased"],
        "used_qty": from_sources["used"],
        "expected_qty": "as below",
        "variance_qty": "expected − billed" if finding["expected_qty"] is not None else "units concerned",
    }
    words = {"purchased_qty": "bought", "used_qty": "in use", "variance_qty": "difference"}
    rows = []
    for name, text in says.items():
        value = finding[name] if finding[name] is not None or stood is None or name == "variance_qty" else stood[name]
        if value is not None or (stood is not None and name != "variance_qty"):
            said = text if value is not None else _unknown(name, cell)
            rows.append({"number": words.get(name, name.removesuffix("_qty")), "quantity_qty": value, "says": said})
    return rows


def _unknown(name: str, cell: Row | None) -> str:
    if cell and cell["is_bundle"] and name in ("used_qty", "purchased_qty"):
        return "a bundle is counted at its anchor (T65)"
    return _UNKNOWN.get(name, "")


_UNKNOWN = {
    "contracted_qty": "no agreement line in scope",
    "billed_qty": "no agreement line in scope",
    "purchased_qty": "no purchase was received: not known, not zero",
    "used_qty": "no count was received: not known, not zero",
    "expected_qty": "nothing can be expected without a count",
}
_COUNTS: Mapping[str, Any] = {
    "measure": "text",
    "source": "text",
    "is_known": "bool",
    "quantity_qty": "qty",
    "take": "text",
    "records": "int",
    "duplicate_qty": "qty",
    "stale_qty": "qty",
    "later_qty": "qty",
    "committed_qty": "qty",
    "commitment_end_date": "date",
    "evidence": "text",
}
_REJECTS: Mapping[str, Any] = {"source": "text", "column_name": "text", "value": "text", "reason": "text", "evidence": "text"}
_CHARGES: Mapping[str, Any] = {
    "what": "text",
    "about": "text",
    "quantity": "fine",
    "amount": "fine",
    "expected_amount": "fine",
    "currency": "text",
    "evidence": "text",
}


def _counts(inputs: Inputs, month: Month, counts: pa.Table, finding: Row, service: str | None) -> list[Row]:
    """The counts the cell was compared with; those of the month before where the vendor bills in arrears (T110)."""
    rule = month.rules.services.get(_code(inputs, service) or "")
    if rule and rule.period_offset:
        counts = inputs.earlier_counts[0] if inputs.earlier_counts else counts.slice(0, 0)
    one = finding["source"] if finding["kind"] in ("duplicate_unit", "stale_unit") else None
    rows = [row for row in counts.to_pylist() if service and (row["client_id"], row["service_id"]) == (finding["client_id"], service)]
    return [row for row in rows if one in (None, row["source"])]


def _code(inputs: Inputs, service_id: str | None) -> str | None:
    return next((row["service_code"] for row in inputs.tables["services"].to_pylist() if row["service_id"] == service_id), None)


def _audit(month: Month, finding: Row) -> list[Row]:
    """What the audit of the vendor's charges found, for a finding about them."""
    if not (finding["rule"] or "").startswith("vendor_audit.") or not has_stage(month, "vendor_audit"):
        return []
    return [row for row in read_stage(month, "vendor_audit").to_pylist() if _is_about(row, finding)]


def _charges(inputs: Inputs, finding: Row, audit: list[Row]) -> list[Row]:
    """The vendor's charges that the finding's evidence, or the audit's, names."""
    import pyarrow as pa
    import pyarrow.compute as pc

    named = {word for text in (finding["evidence"], *(row["evidence"] for row in audit)) for word in (text or "").split()}
    sources = pa.array(sorted({word.partition("/")[0] for word in named}), pa.string())
    rows = inputs.tables["vendor_charges"].filter(pc.field("source").isin(sources)).to_pylist()
    return [row for row in rows if not named.isdisjoint(row["evidence"].split())]


def _charge_table(audit: list[Row], charges: list[Row]) -> pa.Table:
    rows = [
        {
            **row,
            "what": f"audit: {row['check']}",
            "about": row["explanation"],
            "amount": row["stated_amount"],
            "quantity": row["stated_qty"],
        }
        for row in audit
    ]
    for row in charges:
        term = f"{row['start_date']} to {row['end_date']}" if row["start_date"] and row["end_date"] else ""
        told = " · ".join(filter(None, [row["description"], row["invoice_id"] or "not invoiced yet", term]))
        rows.append({**row, "what": f"charge: {row['charge_type'] or 'charge'}", "about": told, "quantity": row["quantity_qty"]})
    return build_table(rows, _CHARGES)


def _is_about(row: Row, finding: Row) -> bool:
    same = ("source",) if finding["client_id"] is None and finding["vendor_account_id"] is None else _PLACE
    return f"vendor_audit.{row['check']}" == finding["rule"] and row["status"] in ("mismatch", "stopped") and _same(row, finding, same)


_PLACE = ("client_id", "service_id", "source", "vendor_account_id", "vendor_product_id")


def _same(row: Row, finding: Row, names: tuple[str, ...]) -> bool:
    return all(row[name] == finding[name] for name in names)


def _decisions(finding: Row, events: list[Any]) -> pa.Table:
    rows = [
        {"period": event.period, "at": event.at, "who": event.who, "decision": event.values.get("decision"), "why": event.why}
        for event in events
        if event.kind == "finding_decided" and event.subject == finding["finding_id"]
    ]
    return build_table(rows, dict.fromkeys(("period", "at", "who", "decision", "why"), "text"))


def _title(finding: Row) -> str:
    about = " / ".join(filter(None, [finding["client_name"] or finding["source"], finding["service_name"]]))
    return f"{about}: {describe_difference(finding)}" if about else describe_difference(finding)


def _hash(month: Month, name: str) -> str:
    return sha256((month.root / name).read_bytes()).hexdigest()


def _plain(value: object) -> str:
    return "not known" if value is None else format_qty(value) if isinstance(value, Decimal) else str(value)
