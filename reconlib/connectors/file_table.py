"""The bytes of an export as one header and its rows; a file that is empty, cut or has no header is refused (T5)."""

from __future__ import annotations

import csv
import io
import json
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import PurePath
from typing import Any, NoReturn

from reconlib.connectors.cells import Cell, show_cell
from reconlib.connectors.fields import whole_texts
from reconlib.connectors.profile import Profile, plain
from reconlib.errors import DataError, nearest

_FORMATS = {".csv": "csv", ".txt": "csv", ".tsv": "csv", ".xlsx": "xlsx", ".xlsm": "xlsx", ".xls": "xlsx", ".json": "json"}
_AGAIN = "export it again and import the whole file"
NO_RECORDS = ("(no records)",)  # header of a JSON list that holds nothing
_MAX_FIELD = 16 * 1024 * 1024  # characters of one CSV field; csv's own limit is 131,072


@dataclass(frozen=True, slots=True)
class FileTable:
    """One export: its header, and every row below it with the number it has in the file."""

    header: tuple[str, ...]
    rows: list[tuple[int, list[Cell]]]


def read_table(body: bytes, profile: Profile, file: str) -> FileTable:
    """Header and rows of one export; nothing below the profile's ``stop_at``.

    Raises:
        DataError: empty, cut, not of its format, wrongly encoded, without a header, or a header name twice.
    """
    if not body.strip():
        refuse("is empty", file, _AGAIN)
    form = profile.format or _FORMATS.get(PurePath(file).suffix.lower())
    if form == "csv":
        grid = _read_csv(body, profile, file)
    elif form == "xlsx":
        grid = _read_xlsx(body, profile, file)
    elif form == "json":
        grid = _read_json(body, profile, file)
    else:
        refuse(f"ends in {PurePath(file).suffix!r}, which names no format", file, "say format: csv, xlsx or json in the profile")
    first = 1 if form == "json" else profile.header_row
    header = _header(grid, first, file)
    rows = _until_stop(list(enumerate(grid[first:], start=first + 1)), header, profile, file)
    while rows and not any(map(_filled, rows[-1][1])):
        rows.pop()
    if not rows and not profile.may_be_empty:
        refuse("has a header and no row", file, "export it again; where nothing really means none, say may_be_empty: true")
    if form == "csv" and rows and not profile.stop_at and len(rows[-1][1]) < len(header):
        refuse(f"ends inside row {rows[-1][0]}: {len(rows[-1][1])} of {len(header)} columns", file, f"the file is cut; {_AGAIN}")
    return FileTable(header, rows)


def refuse(what: str, file: str, hint: str) -> NoReturn:
    """Stop at a file that cannot be used, saying what to do."""
    raise DataError(what, where=f"file {file}", hint=hint)


def _filled(cell: Cell) -> bool:
    return cell is not None and (not isinstance(cell, str) or bool(cell.strip()))


def _header(grid: list[list[Cell]], first: int, file: str) -> tuple[str, ...]:
    if len(grid) < first:
        refuse(f"has {len(grid)} rows, the header should be row {first}", file, "check header_row in the profile")
    header = tuple(show_cell(cell) for cell in grid[first - 1])
    if not any(header):
        refuse(f"has no header: row {first} is blank", file, "check header_row in the profile")
    known: set[str] = set()
    for name in filter(None, map(plain, header)):
        if name in known:
            refuse(f"has two columns called {name!r}", file, "rename one of them in the export; which one counts cannot be guessed")
        known.add(name)
    return header


def _until_stop(rows: list[tuple[int, list[Cell]]], header: tuple[str, ...], profile: Profile, file: str) -> list[tuple[int, list[Cell]]]:
    if not profile.stop_at:
        return rows
    words = {plain(word) for word in profile.stop_at}
    first = next(place for place, name in enumerate(header) if name)
    for place, (_, cells) in enumerate(rows):
        if len(cells) > first and plain(show_cell(cells[first])).removesuffix(":") in words:
            _refuse_rows_after(rows[place + 1 :], rows[:place], cells, file)
            return rows[:place]
    said = " or ".join(repr(word) for word in profile.stop_at)
    refuse(f"ends without the row {said} that closes this export", file, f"the file is cut; {_AGAIN}")


def _refuse_rows_after(after: list[tuple[int, list[Cell]]], before: list[tuple[int, list[Cell]]], stop: list[Cell], file: str) -> None:
    """A footer is sparse; a row as full as the records is a record, so the stop was not the end."""
    fullest = min((sum(map(_filled, cells)) for _, cells in before), default=0)
    for row, cells in after:
        if fullest > 1 and sum(map(_filled, cells)) >= fullest:
            name = next(show_cell(cell) for cell in stop if _filled(cell))
            refuse(f"has records after {name!r}, at row {row}", file, "use skip_where_blank for subtotals, stop_at for the last row only")


def _read_csv(body: bytes, profile: Profile, file: str) -> list[list[Cell]]:
    text = _decode(body, profile.encoding, file)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=profile.delimiter, strict=True)
    csv.field_size_limit(max(csv.field_size_limit(), _MAX_FIELD))
    try:
        return [list[Cell](row) for row in reader]
    except csv.Error as error:
        why = "ends inside a quoted field" if "unexpected end" in str(error) else f"is not CSV: {error}"
        refuse(f"{why} (line {reader.line_num})", file, f"the file is cut or a quote is not doubled; {_AGAIN}")


def _decode(body: bytes, encoding: str, file: str) -> str:
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        better = "utf-16" if body[:2] in (b"\xff\xfe", b"\xfe\xff") else "windows-1252"
        what = f"is not {encoding}: line {line}, byte {error.start + 1} is 0x{body[error.start]:02x}"
        refuse(what, file, f"say encoding: {better} in the profile, or export as UTF-8")
    if text.startswith("ï»¿"):
        refuse(f"is UTF-8, not {encoding}", file, "say encoding: utf-8-sig in the profile")
    return text


def _read_xlsx(body: bytes, profile: Profile, file: str) -> list[list[Cell]]:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        if body.startswith(b"PK") and (broken := zipfile.ZipFile(io.BytesIO(body)).testzip()):
            refuse(f"is a broken workbook: {broken}", file, _AGAIN)
        book = CalamineWorkbook.from_filelike(io.BytesIO(body))
        if profile.sheet is not None and profile.sheet not in book.sheet_names:
            refuse(f"has no sheet {profile.sheet!r}", file, nearest(profile.sheet, book.sheet_names))
        sheet = book.get_sheet_by_name(profile.sheet or book.sheet_names[0])
        return [list(row) for row in sheet.to_python(skip_empty_area=False)]
    except (CalamineError, zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError) as error:
        refuse(f"is not a whole workbook: {error}", file, f"the file is cut, or is no XLSX; {_AGAIN}")


def _read_json(body: bytes, profile: Profile, file: str) -> list[list[Cell]]:
    text = _decode(body, profile.encoding, file)
    try:
        found: Any = json.loads(text, parse_float=Decimal, parse_constant=_no_number, object_pairs_hook=_unique_keys)
        found = whole_texts(found) if "\\ud" in text.lower() else found
    except json.JSONDecodeError as error:
        refuse(f"is not whole JSON: {error.msg} (line {error.lineno}, column {error.colno})", file, f"the file is cut; {_AGAIN}")
    except (ValueError, RecursionError) as error:
        refuse(f"is not usable JSON: {error}", file, _AGAIN)
    for key in profile.records.split(".") if profile.records else ():
        if not isinstance(found, dict) or key not in found:
            refuse(
                f"has no {key!r} of records: {profile.records}", file, nearest(key, found) if isinstance(found, dict) else "it is a list"
            )
        found = found[key]
    if not isinstance(found, list) or not all(isinstance(record, dict) for record in found):
        hint = f"say records: {min(found, key=len)}" if isinstance(found, dict) and found else "records names the list in the profile"
        refuse("does not hold a list of records", file, hint)
    flat = [_flatten(record) for record in found]
    header = list(dict.fromkeys(name for record in flat for name in record)) or list(NO_RECORDS)
    return [list(header), *([record.get(name) for name in header] for record in flat)]


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a number")


def _unique_keys(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    pairs = list(pairs)
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a record names one of its fields twice")
    return found


def _flatten(record: dict[str, Any], before: str = "") -> dict[str, Cell]:
    flat: dict[str, Cell] = {}
    for key, value in record.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{before}{key}.")
        else:
            flat[before + key] = json.dumps(value, default=str, ensure_ascii=False) if isinstance(value, list) else value
    return flat
