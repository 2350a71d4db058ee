"""The bytes of a FOCUS export as a header and its rows, one at a time: CSV, plain or gzip; what is empty, cut or headless is refused (T5).

Rows are streamed: of a file of millions only its own bytes are in memory.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Mapping
from typing import NoReturn

from reconlib.errors import DataError, nearest

# What a month's cost cannot be read without; every version from 1.0 on has them.
REQUIRED = (
    "BilledCost",
    "BillingAccountId",
    "BillingCurrency",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ServiceName",
)
# Read where they are there: names, sub accounts, and what versions 1.1 and 1.2 added.
OPTIONAL = (
    "BillingAccountName",
    "ChargeClass",
    "InvoiceId",
    "PricingCurrency",
    "ProviderName",
    "SubAccountId",
    "SubAccountName",
)
_AGAIN = "export it again and import the whole file"
_MAX_FIELD = 16 * 1024 * 1024  # characters of one field: Tags may be long


def read_header(body: bytes, file: str) -> dict[str, int]:
    """Where each column read here stands in the file, by its FOCUS name.

    Raises:
        DataError: empty, cut, without a header, without a required column, or a column twice.
    """
    return _columns(next(_rows(body, file), []), file)


def count_columns(body: bytes, file: str) -> int:
    """Columns the file has, those nothing is read from (``x_…`` and the like) included."""
    return len(next(_rows(body, file), []))


def read_rows(body: bytes, file: str) -> Iterator[tuple[int, Mapping[str, str | None] | int]]:
    """Every row by its 0-based number: its cells by FOCUS name, null for ``NULL`` and blank; or how many cells a malformed one has.

    Raises:
        DataError: as ``read_header``, or the file ends inside a row or has none.
    """
    rows = _rows(body, file)
    header = next(rows, [])
    columns, width = _columns(header, file), len(header)
    index = -1
    short = 0
    for cells in rows:
        if not cells:
            continue
        index += 1
        short = len(cells) if len(cells) < width else 0
        if len(cells) != width:
            yield index, len(cells)
        else:
            yield index, {name: _cell(cells[at]) for name, at in columns.items()}
    if index < 0:
        _refuse("has a header and no row", file, "an account without cost has rows of 0; export it again")
    if short:
        _refuse(f"ends inside row {index + 2}: {short} of {width} columns", file, f"the file is cut; {_AGAIN}")


def _rows(body: bytes, file: str) -> Iterator[list[str]]:
    if not body.strip():
        _refuse("is empty", file, _AGAIN)
    csv.field_size_limit(max(csv.field_size_limit(), _MAX_FIELD))
    raw = gzip.GzipFile(fileobj=io.BytesIO(body)) if body[:2] == b"\x1f\x8b" else io.BytesIO(body)
    reader = csv.reader(io.TextIOWrapper(raw, "utf-8-sig", newline=""), strict=True)
    try:
        yield from reader
    except (EOFError, gzip.BadGzipFile, zlib.error):
        _refuse("is not a whole gzip file", file, f"the file is cut; {_AGAIN}")
    except UnicodeDecodeError:
        _refuse(f"is not UTF-8 after line {reader.line_num}", file, "FOCUS exports are UTF-8; export it again")
    except csv.Error as error:
        why = "ends inside a quoted field" if "unexpected end" in str(error) else f"is not CSV: {error}"
        _refuse(f"{why} (line {reader.line_num})", file, f"the file is cut or a quote is not doubled; {_AGAIN}")


def _columns(header: list[str], file: str) -> dict[str, int]:
    there: dict[str, int] = {}
    for at, name in enumerate(header):
        if there.setdefault(name.strip().casefold(), at) != at and name.strip():
            _refuse(f"has two columns called {name.strip()!r}", file, "which one counts cannot be guessed; export it again")
    if not any(name.casefold() in there for name in REQUIRED):
        _refuse("has no header: no column of FOCUS stands in its first row", file, f"the first row names columns such as {REQUIRED[0]}")
    for name in REQUIRED:
        if name.casefold() not in there:
            _refuse(f"has no column {name!r}", file, nearest(name, [other.strip() for other in header if other.strip()]))
    return {name: there[name.casefold()] for name in (*REQUIRED, *OPTIONAL) if name.casefold() in there}


def _cell(text: str) -> str | None:
    found = text.strip()
    return None if not found or found.upper() == "NULL" else found


def _refuse(what: str, file: str, hint: str) -> NoReturn:
    raise DataError(what, where=f"file {file}", hint=hint)
