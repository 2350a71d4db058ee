"""Rows of an export as records: columns found by their accepted names, cells read by what they should hold (T2, T9)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reconlib.connectors.cells import READ, Cell, UnreadableCell, is_blank, show_cell
from reconlib.connectors.contract import Reject, StoredPage
from reconlib.connectors.file_table import NO_RECORDS, FileTable, read_table, refuse
from reconlib.connectors.profile import TARGETS, Profile, Target, plain
from reconlib.errors import nearest

# Microsoft renamed these columns; either name is accepted for the other (T9).
_RENAMED = {"total": "totalforcustomer", "tier2mpnid": "resellermpnid", "unit": "unitofmeasure"}
_RENAMED |= {new: old for old, new in _RENAMED.items()}
_SHOWN = 200  # characters of a rejected value that are kept


@dataclass(frozen=True, slots=True)
class Record:
    """One row of an export, its cells read by what the profile says they are."""

    values: Mapping[str, Any]  # target -> value; None: blank, or no such column
    attributes: Mapping[str, str]
    place: str  # "<file>:<row>", for people, and as an id where the export has none
    evidence: str


def read_records(stored: StoredPage, profile: Profile) -> Iterator[Record | Reject]:
    """Every row of one export as a record or a reject; rows the profile says are none are left out.

    Raises:
        DataError: the file cannot be trusted, a column is missing, or a row is of another month (T2).
    """
    file, period = stored.page.context["file"], stored.page.context.get("period", "")
    table = read_table(stored.page.body, profile, file)
    if table.header == NO_RECORDS:
        return
    targets = TARGETS[profile.table]
    columns = {name: _find(name, accepted, table, profile, file) for name, accepted in profile.columns.items()}
    others = {name: _find(name, accepted, table, profile, file) for name, accepted in profile.attributes.items()}
    for index, (row, cells) in enumerate(table.rows):
        if all(is_blank(cell, profile) for cell in cells):
            continue
        evidence = stored.evidence(index)
        if len(cells) < len(table.header) or not all(is_blank(cell, profile) for cell in cells[len(table.header) :]):
            reason = f"row {row} has {len(cells)} cells under {len(table.header)} headers; a delimiter or quote is wrong"
            yield Reject("(row)", _shown(profile.delimiter.join(map(str, cells))), reason, evidence)
            continue
        found = {name: cells[at] for name, at in columns.items() if at is not None}
        if any(is_blank(found[name], profile) for name in profile.skip_where_blank if name in found):
            continue
        values = _values(found, targets, profile, row, evidence)
        if isinstance(values, Reject):
            yield values
            continue
        if values["period"] and values["period"] != period:
            refuse(f"row {row} is of {values['period']}, the month is {period}", file, "export the month you bill, or name another file")
        kept = {name: show_cell(cells[at]) for name, at in others.items() if at is not None and not is_blank(cells[at], profile)}
        yield Record(values, kept, f"{file}:{row}", evidence)


def _find(target: str, accepted: list[str], table: FileTable, profile: Profile, file: str) -> int | None:
    header = [plain(name) for name in table.header]
    names = [plain(name) for name in accepted]
    for name in [*names, *(_RENAMED[name] for name in names if name in _RENAMED)]:
        if name in header:
            return header.index(name)
    if target in profile.optional:
        return None
    what = f"has no column for {target}: none is called {' or '.join(map(repr, accepted))}"
    return refuse(what, file, _column_hint(accepted, [name for name in table.header if name]))


def _column_hint(accepted: list[str], there: list[str]) -> str:
    if len(there) > 1:
        return nearest(accepted[0], there) if accepted else "name its header in the profile"
    other = next((sign for sign in ";\t|," if sign in there[0]), None)
    return f"say delimiter: {other!r} in the profile" if other else "check header_row and delimiter in the profile"


def _values(found: Mapping[str, Cell], targets: Mapping[str, Target], profile: Profile, row: int, evidence: str) -> dict[str, Any] | Reject:
    """Cells of one row by target, or why the row cannot be used: the first fault, so that one row is one reject."""
    values: dict[str, Any] = dict.fromkeys(targets)
    for name, target in targets.items():
        cell = found.get(name)
        if is_blank(cell, profile):
            cell = profile.constant.get(name)
        if cell is None:
            if target.need or (name == "quantity" and name in found):
                return Reject(name, "", f"row {row} has no {name}: {target.about}", evidence)
            continue
        try:
            values[name] = READ[target.kind](cell, profile)
        except UnreadableCell as fault:
            return Reject(name, _shown(show_cell(cell)), f"row {row}: {_shown(show_cell(cell))!r} {fault}", evidence)
    if profile.table != "agreement_lines" and (values["quantity"] or 0) < 0:
        reason = f"row {row} has a quantity below zero: a credit or correction is no {profile.table.removesuffix('s')} record"
        return Reject("quantity", str(values["quantity"]), reason, evidence)
    return values


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
