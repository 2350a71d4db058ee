"""Mapping decisions of one book, as a CSV, and their way into another book's ledger (T14, T21, T31).

What is carried is what people decided and what still stands. A vendor account is the same in another book only by its id at the same kind
of source; a client or service by the PSA's id only in the same PSA and with the same code or name, else by a code or name that is equal
character for character and unique. Nothing is guessed, and what this book decided itself is never replaced.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconlib.errors import DataError, ReconError, nearest
from reconlib.ledger import Event, Ledger
from reconlib.period import Period
from reconlib.review.decisions import RELATIONS, keyed, mapping_event, refuse_decided_since, refuse_signed, shown_values
from reconlib.review.folds import MappingDecision, mapping_decisions
from reconlib.review.queue import RejectedRow
from reconlib.review.sheets import read_sheet, write_sheet
from reconlib.review.standing import contradicts, mapping_stands

if TYPE_CHECKING:
    import pyarrow as pa

Row = Mapping[str, Any]
DECISIONS = ("map", "exclude", "reject")
COLUMNS = (
    *("book", "psa", "relation", "connector", "source", "vendor_id", "vendor_name", "decision"),
    *("target_id", "target_code", "target_name", "until", "who", "at", "why"),
)
NEEDED = ("book", "relation", "connector", "vendor_id", "decision")


@dataclass(frozen=True, slots=True)
class Book:
    """What of a book a decision is written out with, or looked up in."""

    name: str
    period: Period
    psa: str  # which PSA its ids are of; empty: nobody can say, so its ids mean nothing elsewhere
    connectors: Mapping[str, str]  # source -> connector
    clients: pa.Table
    services: pa.Table
    accounts: pa.Table  # account_mapping
    products: pa.Table  # product_mapping


@dataclass(frozen=True, slots=True)
class Brought:
    """What an import makes of a file."""

    new: tuple[Event, ...]  # not in the ledger before
    unchanged: int
    rejects: tuple[RejectedRow, ...]  # rows this book has no place for, each with its reason
    newest: int  # number of the last event of this book the file was held against; 0: there was none


def export_mappings(book: Book, decisions: Mapping[tuple[str, str, str], MappingDecision]) -> list[dict[str, str]]:
    """Standing decisions, one row a vendor account or product and client or service, in the order of their ids."""
    targets = {"account": _rows(book.clients, "client"), "product": _rows(book.services, "service")}
    names = {**_vendor_names(book.accounts, "account"), **_vendor_names(book.products, "product")}
    out = []
    for (relation, source, vendor_id), decided in sorted(decisions.items()):
        base = {"book": book.name, "psa": book.psa, "relation": relation, "connector": book.connectors.get(source, ""), "source": source}
        base |= {"vendor_id": vendor_id, "vendor_name": names.get((relation, source, vendor_id), "")}
        stands = [("exclude", "")] if decided.state == "excluded" else [("map", one) for one in decided.targets]
        for decision, target in [*stands, *(("reject", one) for one in sorted(decided.rejected))]:
            about = targets[relation].get(target, {})
            row = {
                "decision": decision,
                "target_id": target,
                "target_code": about.get("code") or "",
                "target_name": about.get("name") or "",
            }
            until = str(decided.review_by) if decision == "exclude" and decided.review_by else ""
            said = decided.said.get(target, decided)
            row |= {"until": until, "who": said.who, "at": said.at, "why": said.why}
            out.append({name: {**base, **row}[name] for name in COLUMNS})
    return out


def write_mappings(path: Path, rows: Iterable[Mapping[str, str]]) -> None:
    """The decisions as a CSV that opens in a spreadsheet.

    Raises:
        DataError: the file cannot be written.
    """
    write_sheet(path, COLUMNS, rows)


def bring_mappings(path: Path, book: Book, events: Sequence[Event], *, who: str, at: datetime) -> Brought:
    """What a file of another book's decisions says about this one. Writes nothing.

    Raises:
        DataError: the file cannot be read, or lacks a column.
    """
    rows = read_sheet(path, COLUMNS, needed=NEEDED, start_from="start from 'recon mappings export'")
    standing = mapping_decisions(events, as_of=book.period.end, period=book.period)
    wanted: list[Event] = []
    about: dict[str, list[Event]] = {}
    rejects: list[RejectedRow] = []
    for row in rows:
        try:
            event = _event(row, book, who=who, at=at)
            if why := _decided_otherwise(event, standing):
                raise DataError(why, where="vendor_id", hint="what this book decided stands; undo it first: recon review")
            same = about.setdefault(event.subject, [])
            if any(contradicts(event, other) for other in same):
                raise DataError("is decided twice in this file", where="decision", hint="keep one of the rows")
            same.append(event)
            wanted.append(event)
        except ReconError as error:
            rejects.append(RejectedRow(int(row["row"]), error.where, error.what, error.hint))
    new = [event for event in wanted if not mapping_stands(event, standing)]
    newest = max((event.seq for event in events), default=0)
    return Brought(tuple(new), len(wanted) - len(new), tuple(rejects), newest)


def record_brought(ledger: Ledger, brought: Brought, *, book: str, period: Period) -> None:
    """Every new decision into the ledger, or none.

    Raises:
        DataError: somebody decided one of them here since the file was read.
        SignOffError: the month is signed.
    """
    last = {(event.kind, event.subject): event for event in ledger.events(book=book)}

    def check(now: list[Event]) -> None:
        refuse_signed(now, book, str(period))
        refuse_decided_since(now, {(event.kind, event.subject): brought.newest for event in brought.new})

    ledger.append_all([keyed(event, last.get((event.kind, event.subject))) for event in brought.new], check=check)


def _event(row: Mapping[str, str], book: Book, *, who: str, at: datetime) -> Event:
    for name, valid in (("relation", RELATIONS), ("decision", DECISIONS)):
        if row[name] not in valid:
            raise DataError(f"{row[name]!r} is no {name}", where=name, hint=nearest(row[name], valid))
    relation = row["relation"]
    source, shown = _vendor_row(row, book)
    target = None if row["decision"] == "exclude" else _target(row, book)
    said = f"imported from book {row['book']}: {row['who'] or 'somebody'} on {row['at'] or 'a day not said'}"
    return mapping_event(
        book=book.name,
        period=book.period,
        who=who,
        at=at,
        relation=relation,
        source=source,
        vendor_id=row["vendor_id"],
        decision=row["decision"],
        target_id=target,
        why=f"{said}: {row['why']}" if row["why"] else said,
        until=_day(row["until"]),
        seen=shown_values(shown),
    )


def _vendor_row(row: Mapping[str, str], book: Book) -> tuple[str, Row]:
    """The source here that has this very account or product, and its row of the mapping."""
    relation = row["relation"]
    table = (book.accounts if relation == "account" else book.products).to_pylist()
    sources = [source for source, connector in book.connectors.items() if connector == row["connector"]]
    if not sources:
        raise DataError(f"this book reads nothing with connector {row['connector']!r}", where="connector", hint="leave the row out")
    known = {one["source"]: one for one in table if one[f"vendor_{relation}_id"] == row["vendor_id"] and one["source"] in sources}
    if row["source"] in known:
        return row["source"], known[row["source"]]
    if len(known) == 1:
        return next(iter(known.items()))
    if known:
        raise DataError(f"{row['vendor_id']!r} is in {' and '.join(sorted(known))}", where="source", hint="name one of them")
    what = f"no {relation} {row['vendor_id']!r} in {' or '.join(sorted(sources))}"
    raise DataError(what, where="vendor_id", hint="it is another book's; leave the row out")


def _target(row: Mapping[str, str], book: Book) -> str:
    """The client or service here that the row means."""
    what = "client" if row["relation"] == "account" else "service"
    known = _rows(book.clients if what == "client" else book.services, what)
    own = known.get(row["target_id"], {})
    if book.psa and row["psa"] == book.psa and own and (own["code"] or own["name"]) in (row["target_code"], row["target_name"]):
        return row["target_id"]
    for name in ("code", "name"):
        text = row[f"target_{name}"]
        found = [one for one, about in known.items() if text and about[name] == text]
        if len(found) == 1:
            return found[0]
        if found:
            hint = "give it another here, or leave the row out"
            raise DataError(f"{len(found)} {what}s have the {name} {text!r}", where=f"target_{name}", hint=hint)
    shown = row["target_name"] or row["target_code"] or row["target_id"]
    raise DataError(f"no {what} {shown!r} here, by code or by name", where="target_name", hint="leave the row out, or write its code here")


def _decided_otherwise(event: Event, standing: Mapping[tuple[str, str, str], MappingDecision]) -> str:
    """What this book's people decided about the account or product, where it is something else; empty where it is not."""
    values = event.values
    known = standing.get((values["relation"], values["source"], values["vendor_id"]))
    if known is None or mapping_stands(event, standing):
        return ""
    decision, target = values["decision"], values["target_id"]
    if decision == "map" and target in known.rejected:
        return f"{values['vendor_id']!r} was told apart from {target!r} here already, by {known.said[target].who}"
    if known.state == "open" or (decision == "reject" and target not in known.targets):
        return ""
    return f"{values['vendor_id']!r} is {known.state} here already, by {known.who}"


def _rows(table: pa.Table, what: str) -> dict[str, dict[str, str | None]]:
    """Code and name of every client or service that is not in the recycle bin, by id (T14)."""
    rows = [row for row in table.to_pylist() if not row.get("is_deleted")]
    return {row[f"{what}_id"]: {"code": row[f"{what}_code"], "name": row[f"{what}_name"]} for row in rows}


def _vendor_names(table: pa.Table, relation: str) -> dict[tuple[str, str, str], str]:
    return {(relation, row["source"], row[f"vendor_{relation}_id"]): row[f"{relation}_name"] for row in table.to_pylist()}


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise DataError(f"{text!r} is not a day", where="until", hint="write it as 2026-11-01") from None
