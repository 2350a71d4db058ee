"""CSV for spreadsheets and back: what looks like a formula is plain text on the way out, and itself again on the way in."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from reconlib.errors import DataError, nearest

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run what starts with these


def write_sheet(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]], *, numbers: Sequence[str] = ()) -> None:
    """Rows as a CSV with a header; ``numbers`` are columns whose sign is theirs.

    Raises:
        DataError: the file cannot be written.
    """
    try:
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            for row in rows:
                writer.writerow({name: text if name in numbers else _harmless(text) for name, text in row.items()})
    except OSError as error:
        raise DataError("cannot be written", where=str(path), hint=error.strerror or "check the path and its rights") from error


def read_sheet(path: Path, columns: Sequence[str], *, needed: Sequence[str], start_from: str) -> list[dict[str, str]]:
    """Rows of such a CSV, with ``row`` as a spreadsheet counts them (the header is 1). Comma or semicolon; columns left out are empty.

    Rows without any text are passed over.

    Raises:
        DataError: not readable, not text, a column that is missing, unknown or there twice, or a row with more cells than the header.
    """
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise DataError("cannot be read", where=str(path), hint=error.strerror or "check the path") from error
    except UnicodeDecodeError as error:
        raise DataError("is not UTF-8 text", where=str(path), hint="save it as 'CSV UTF-8'") from error
    head = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if head.count(";") > head.count(",") else ",")
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        lines = list(enumerate(reader, start=2))
    except csv.Error as error:
        raise DataError(f"is no CSV: {error}", where=str(path), hint=start_from) from error
    while names and not names[-1]:
        names.pop()  # a spreadsheet's empty columns
    _check_header(names, path, columns, needed, start_from)
    rows = []
    for number, cells in lines:
        if any(cell.strip() for cell in cells[len(names) :]):
            hint = "a text that holds the separator belongs in double quotes"
            raise DataError(f"row {number} has {len(cells)} cells, its header {len(names)}", where=str(path), hint=hint)
        if any(cell.strip() for cell in cells):
            found = {name: _itself(cell) for name, cell in zip(names, cells, strict=False)}
            rows.append(dict.fromkeys(columns, "") | found | {"row": str(number)})
    return rows


def _check_header(names: Sequence[str], path: Path, columns: Sequence[str], needed: Sequence[str], start_from: str) -> None:
    for place, name in enumerate(names):
        if name not in columns:
            raise DataError(f"unknown column {name!r}", where=str(path), hint=nearest(name, columns))
        if name in names[:place]:
            raise DataError(f"column {name!r} is there twice", where=str(path), hint="keep one of them")
    if missing := [name for name in needed if name not in names]:
        raise DataError(f"column {missing[0]!r} is missing", where=str(path), hint=start_from)


def _harmless(text: str) -> str:
    return f"'{text}" if text.lstrip("'").startswith(_FORMULA) else text


def _itself(cell: str) -> str:
    cell = cell.strip()
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA) else cell
