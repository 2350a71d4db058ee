"""The queue of undecided things as a CSV an analyst fills in, and its way back into the ledger: all rows, or none (T4, T125)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconlib.errors import DataError, ReconError, nearest
from reconlib.ledger import Event, Ledger
from reconlib.money import format_qty
from reconlib.period import Period
from reconlib.review.decisions import (
    RELATIONS,
    finding_event,
    keyed,
    mapping_event,
    refuse_decided_since,
    refuse_signed,
    replaced_service,
    shown_values,
)
from reconlib.review.folds import finding_decisions, mapping_decisions
from reconlib.review.sheets import read_sheet, write_sheet
from reconlib.review.standing import contradicts, finding_stands, mapping_stands

if TYPE_CHECKING:
    import pyarrow as pa

DECISION_COLUMNS = (
    "relation",
    "source",
    "vendor_id",
    "decision",
    "target",
    "finding_id",
    "new_qty",
    "effective_date",
    "until",
    "cause",
    "reason",
)
CONTEXT_COLUMNS = ("name", "about", "units", "monthly", "currency")  # for the reader; ignored on the way back
QUEUE_COLUMNS = DECISION_COLUMNS + CONTEXT_COLUMNS

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """One row of a decision file that cannot be used."""

    row: int  # as a spreadsheet counts: the header is 1
    column: str
    reason: str
    hint: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did. With any reject nothing was recorded."""

    recorded: int
    unchanged: int
    rejects: tuple[RejectedRow, ...]


def export_queue(accounts: pa.Table, products: pa.Table, findings: pa.Table) -> list[dict[str, str]]:
    """Everything that waits for a decision, one row each, most money first; a suggestion stands in ``target``, ``decision`` is empty.

    Of a mapping the evidence contradicts, ``target`` is the better one.
    """
    rows: list[tuple[Decimal, dict[str, str]]] = []
    for relation, table, target in (("account", accounts, "client"), ("product", products, "service")):
        for row in table.to_pylist():
            contradicted = row["verdict"] == "CONTRADICTION"
            if row["units_qty"] and (contradicted or row["state"] in ("unmapped", "suggested")):
                meant = row["runner_up_id" if contradicted else f"{target}_id"]
                rows.append((row["monthly_cost"] or Decimal(0), _queued_mapping(relation, row, meant, _about(row, target))))
    rows += [
        (abs(row["monthly_impact"] or row["cost_impact"] or Decimal(0)), _queued_finding(row))
        for row in findings.to_pylist()
        if row["status"] == "open" and row["kind"] not in ("unmapped_account", "unmapped_service")
    ]
    ranked = sorted(
        rows, key=lambda item: (-item[0], *(item[1].get(name, "") for name in ("relation", "finding_id", "source", "vendor_id")))
    )
    return [{name: row.get(name, "") for name in QUEUE_COLUMNS} for _, row in ranked]


def write_queue(path: Path, rows: Iterable[Row]) -> None:
    """The queue as a CSV that opens in a spreadsheet; vendor text that looks like a formula is made plain text.

    Raises:
        DataError: the file cannot be written.
    """
    write_sheet(path, QUEUE_COLUMNS, rows, numbers=("units", "monthly", "new_qty"))


def read_decisions(path: Path) -> list[dict[str, str]]:
    """Rows of a decision CSV that carry a decision, with ``row`` as a spreadsheet counts them. Comma or semicolon.

    Raises:
        DataError: not readable, not text, or a column that is missing or unknown.
    """
    rows = read_sheet(path, QUEUE_COLUMNS, needed=("relation", "decision"), start_from="start from the exported queue")
    return [{name: row[name] for name in (*DECISION_COLUMNS, "row")} for row in rows if row["decision"]]


def import_decisions(
    ledger: Ledger,
    path: Path,
    *,
    book: str,
    period: Period,
    who: str,
    at: datetime,
    clients: pa.Table,
    services: pa.Table,
    findings: pa.Table,
    accounts: pa.Table | None = None,
    products: pa.Table | None = None,
) -> Imported:
    """Append every decision of a file, or none: any wrong row and all wrong rows come back as rejects.

    A decision that stands already is counted as unchanged, so importing a file twice changes nothing. With ``accounts`` and ``products``
    (the mapping tables) vendor ids are checked too, and what they showed is kept with the decision.

    Raises:
        DataError: the file cannot be read, or somebody decided one of its rows while it was.
        SignOffError: the month is signed.
    """
    rows = read_decisions(path)
    events = ledger.events(book=book)
    refuse_signed(events, book, str(period))
    facts = {"book": book, "period": period, "who": who, "at": at}
    targets = {"account": _by_id_or_code(clients, "client"), "product": _by_id_or_code(services, "service")}
    seen = {"account": _seen(accounts, "vendor_account_id"), "product": _seen(products, "vendor_product_id")}
    by_id = {row["finding_id"]: row for row in findings.to_pylist()}
    wanted: list[Event] = []
    about: dict[tuple[str, str], list[Event]] = {}
    rejects: list[RejectedRow] = []
    for row in rows:
        try:
            event = _finding(row, facts, by_id) if row["relation"] == "finding" else _mapping(row, facts, targets, seen)
            same = about.setdefault((event.kind, event.subject), [])
            if any(contradicts(event, other) for other in same):
                raise DataError("is decided twice in this file", where="decision", hint="keep one of the rows")
            same.append(event)
            wanted.append(event)
        except ReconError as error:
            rejects.append(RejectedRow(int(row["row"]), error.where, error.what, error.hint))
    if rejects:
        return Imported(0, 0, tuple(rejects))
    mapped, decided = mapping_decisions(events, as_of=period.end, period=period), finding_decisions(events, period)
    new = [
        event
        for event in wanted
        if not (finding_stands(event, decided, by_id) if event.kind == "finding_decided" else mapping_stands(event, mapped))
    ]
    last = {(event.kind, event.subject): event for event in events}
    newest = max((event.seq for event in events), default=0)

    def check(now: list[Event]) -> None:  # a signature or a decision may have come since the file was read
        refuse_signed(now, book, str(period))
        refuse_decided_since(now, {(event.kind, event.subject): newest for event in wanted})

    ledger.append_all([keyed(event, last.get((event.kind, event.subject))) for event in new], check=check)
    return Imported(len(new), len(wanted) - len(new), ())


def _about(row: Mapping[str, Any], target: str) -> str:
    if row["verdict"] == "CONTRADICTION":
        return f"contradicted: mapped to {row[f'{target}_name']} ({row['reason']})"
    return f"suggested: {row[f'{target}_name']} ({row['reason']})" if row[f"{target}_id"] else row["reason"] or "no suggestion"


def _queued_mapping(relation: str, row: Mapping[str, Any], target: str | None, about: str) -> dict[str, str]:
    name, vendor_id = ("account_name", "vendor_account_id") if relation == "account" else ("product_name", "vendor_product_id")
    return {
        "relation": relation,
        "source": row["source"],
        "vendor_id": row[vendor_id],
        "target": target or "",
        "name": row[name],
        "about": about,
        "units": format_qty(row["units_qty"]).replace(",", ""),
        "monthly": "" if row["monthly_cost"] is None else f"{row['monthly_cost']:.2f}",
        "currency": row["currency"] or "",
    }


def _queued_finding(row: Mapping[str, Any]) -> dict[str, str]:
    money = row["monthly_impact"] if row["monthly_impact"] is not None else row["cost_impact"]
    return {
        "relation": "finding",
        "finding_id": row["finding_id"],
        "name": " / ".join(text for text in (row["client_name"], row["service_name"]) if text),
        "about": f"{row['kind']}: {row['explanation']}",
        "units": format_qty(row["variance_qty"]).replace(",", ""),
        "monthly": "" if money is None else f"{money:.2f}",
        "currency": row["currency"],
    }


def _mapping(row: Row, facts: Mapping[str, Any], targets: Mapping[str, Any], seen: Mapping[str, Any]) -> Event:
    relation, vendor = row["relation"], (row["source"], row["vendor_id"])
    if relation not in RELATIONS:
        raise DataError(f"{relation!r} is no relation", where="relation", hint=nearest(relation, (*RELATIONS, "finding")))
    for name in ("source", "vendor_id"):
        if not row[name]:
            raise DataError("is empty", where=name, hint="take the row from the exported queue")
    known = seen[relation]
    if known is not None and vendor not in known:
        raise DataError(f"{row['vendor_id']!r} is not known in source {row['source']!r}", where="vendor_id", hint="export the queue again")
    # a suggestion left in the column of an exclusion or an undo is not meant
    target = _target(row["target"], relation, targets[relation]) if row["target"] and row["decision"] not in ("exclude", "undo") else None
    shown = (known or {}).get(vendor, {})
    return mapping_event(
        **facts,
        relation=relation,
        source=row["source"],
        vendor_id=row["vendor_id"],
        decision=row["decision"],
        target_id=target,
        replaces=replaced_service(shown, target) if row["decision"] == "map" else None,
        why=row["reason"],
        until=_day(row, "until"),
        seen=shown,
    )


def _finding(row: Row, facts: Mapping[str, Any], by_id: Mapping[str, Mapping[str, Any]]) -> Event:
    finding = by_id.get(row["finding_id"])
    if finding is None:
        raise DataError(f"{row['finding_id']!r} is not a finding of this month", where="finding_id", hint="export the queue again")
    return finding_event(
        **facts,
        finding=finding,
        decision=row["decision"],
        new_qty=row["new_qty"] or None,
        effective_date=_day(row, "effective_date"),
        until=_day(row, "until"),
        cause=row["cause"],
        why=row["reason"],
    )


def _target(text: str, relation: str, known: Mapping[str, list[str]]) -> str:
    found = known.get(text, [])
    if len(found) == 1:
        return found[0]
    what = "client" if relation == "account" else "service"
    if found:
        raise DataError(f"{text!r} names {len(found)} {what}s", where="target", hint=f"use the {what} id: {', '.join(found)}")
    raise DataError(
        f"{text!r} is no {what}", where="target", hint=nearest(text, list(known)) if len(known) < 30 else f"use a {what} id or code"
    )


def _by_id_or_code(table: pa.Table, what: str) -> dict[str, list[str]]:
    rows = [row for row in table.to_pylist() if not row.get("is_deleted")]
    known: dict[str, list[str]] = {}
    for row in rows:
        if row[f"{what}_code"]:
            known.setdefault(row[f"{what}_code"], []).append(row[f"{what}_id"])
    return known | {row[f"{what}_id"]: [row[f"{what}_id"]] for row in rows}  # an id wins over a code


def _seen(table: pa.Table | None, id_column: str) -> dict[tuple[str, str], dict[str, Any]] | None:
    if table is None:
        return None
    return {(row["source"], row[id_column]): shown_values(row) for row in table.to_pylist()}


def _day(row: Row, name: str) -> date | None:
    if not row[name]:
        return None
    try:
        return date.fromisoformat(row[name])
    except ValueError:
        raise DataError(f"{row[name]!r} is not a day", where=name, hint="write it as 2026-11-01") from None
