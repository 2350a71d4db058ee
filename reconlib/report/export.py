"""Tables as files for Excel and for the PSA: exact numbers, and no vendor text that a spreadsheet would run.

A cell that begins like a formula (also in full-width signs) gets an apostrophe in CSV and Excel's own text mark in XLSX. The same table
gives the same bytes.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconlib.report.cells import is_missing, rows_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


_FORMULA = re.compile(r"\s*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")
_CREATED = datetime(2000, 1, 1)  # noqa: DTZ001 (a constant: the file must not depend on the clock)
_CELL_MAX_CHARS = 32_767  # Excel's limit of one cell
_EXACT_DIGITS = 15  # digits a spreadsheet keeps
_WIDTH_MAX_CHARS = 48


def neutralize_text(text: str) -> str:
    """Text a spreadsheet shows and does not run.

    Example:
        >>> neutralize_text("=1+1"), neutralize_text("Acme")
        ("'=1+1", 'Acme')
    """
    return f"'{text}" if _FORMULA.match(text) else text


def format_plain(value: object) -> str:
    """A value as a file holds it: no grouping, no exponent, ISO dates; not known is empty.

    Example:
        >>> format_plain(Decimal("1240.500000")), format_plain(None), format_plain("-x")
        ('1240.5', '', "'-x")
    """
    if is_missing(value):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        text = f"{value:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if value.tzinfo else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, (int, float)) else neutralize_text(str(value))


def write_csv(table: pa.Table | pd.DataFrame, path: Path) -> Path:
    """Table as RFC 4180 CSV that Excel opens as UTF-8."""
    names, rows = rows_of(table)
    out = StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([neutralize_text(name) for name in names])
    writer.writerows([format_plain(row[name]) for name in names] for row in rows)
    path.write_bytes(b"\xef\xbb\xbf" + out.getvalue().encode())
    return path


def write_xlsx(sheets: Mapping[str, pa.Table | pd.DataFrame], path: Path) -> Path:
    """Tables as sheets of one workbook: heads frozen, filters on, numbers as numbers where a spreadsheet keeps them exact."""
    import xlsxwriter

    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "in_memory": True}
    with xlsxwriter.Workbook(str(path), options) as book:
        book.set_properties({"created": _CREATED})
        formats = {
            "head": book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"}),
            "text": book.add_format({"quote_prefix": True}),
            "whole": book.add_format({"num_format": "#,##0"}),
            "money": book.add_format({"num_format": "#,##0.00"}),
            "exact": book.add_format({"num_format": "#,##0.00####"}),
            "date": book.add_format({"num_format": "yyyy-mm-dd"}),
        }
        used: set[str] = set()
        for title, table in sheets.items():
            names, rows = rows_of(table)
            sheet = book.add_worksheet(_sheet_name(title, used))
            for column, name in enumerate(names):
                _write_text(sheet, 0, column, name, formats["head"], formats["head"])
                widest = max([len(name), *(len(format_plain(row[name])) for row in rows[:200])])
                sheet.set_column(column, column, min(_WIDTH_MAX_CHARS, widest + 2))
            for index, row in enumerate(rows, start=1):
                for column, name in enumerate(names):
                    _write_cell(sheet, index, column, row[name], formats)
            sheet.freeze_panes(1, 0)
            if names:
                sheet.autofilter(0, 0, max(1, len(rows)), len(names) - 1)
    return path


def write_findings(findings: pa.Table, folder: Path) -> list[Path]:
    """Findings for machines (Parquet), for any tool (CSV) and for Excel."""
    import pyarrow.parquet as pq

    parquet = folder / "findings.parquet"
    pq.write_table(findings, parquet, compression="zstd")
    return [parquet, write_csv(findings, folder / "findings.csv"), write_xlsx({"Findings": findings}, folder / "findings.xlsx")]


def write_changes(changes: pa.Table, folder: Path) -> list[Path]:
    """The change file for the PSA: CSV for a person, JSON for a script; quantities and money as exact text."""
    names, rows = rows_of(changes)
    plain = [{name: None if is_missing(row[name]) else _exact(row[name]) for name in names} for row in rows]
    path = folder / "changes.json"
    path.write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return [write_csv(changes, folder / "changes.csv"), path]


def _exact(value: object) -> Any:
    return value if isinstance(value, (bool, int, str)) else format_plain(value)


def _write_cell(sheet: Any, row: int, column: int, value: Any, formats: Mapping[str, Any]) -> None:
    if is_missing(value):
        return
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, (Decimal, int)):
        number = Decimal(value)
        digits = number.normalize().as_tuple()
        if len(digits.digits) > _EXACT_DIGITS:
            sheet.write_string(row, column, format_plain(number))
            return
        decimals = -int(digits.exponent)
        sheet.write_number(row, column, float(number), formats["whole" if decimals <= 0 else "money" if decimals <= 2 else "exact"])
    elif isinstance(value, datetime):
        sheet.write_string(row, column, format_plain(value))
    elif isinstance(value, date):
        sheet.write_datetime(row, column, value, formats["date"])
    elif isinstance(value, float):
        sheet.write_number(row, column, value)
    else:
        _write_text(sheet, row, column, str(value), None, formats["text"])


def _write_text(sheet: Any, row: int, column: int, text: str, style: Any, risky: Any) -> None:
    if len(text) > _CELL_MAX_CHARS:
        text = text[: _CELL_MAX_CHARS - 20] + " … (cut by Excel)"
    sheet.write_string(row, column, text, risky if _FORMULA.match(text) else style)


def _sheet_name(title: str, used: set[str]) -> str:
    name = re.sub(r"[\[\]:*?/\\']", " ", title)[:28].strip() or "Sheet"
    while name.lower() in used:
        name = f"{name[:26]} {len(used)}"
    used.add(name.lower())
    return name
