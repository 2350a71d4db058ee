"""The reconciliation file of Partner Center as a person downloads it: CSV, plain or gzip, columns in either naming (T5, T9–T11).

The same lines as the exports of ``partner_center``, read by the same builder; invoice heads are in no file, so nothing proves it whole.
Source: Partner Center, "Use the reconciliation files".
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from reconlib.connectors.contract import Connector, Fetch, Page, Reject, Row, StoredPage
from reconlib.connectors.file import read_files
from reconlib.connectors.partner_center_rows import Numbers, Seen, line_rows, read_line
from reconlib.errors import DataError, SettingsError
from reconlib.period import Period, parse_period

_AGAIN = "download it again and import the whole file"
_MAX_FIELD = 1024 * 1024  # characters


def fetch(f: Fetch) -> Iterator[Page]:
    """Bytes of every file the pattern matches; ``{period}`` in it stands for the billing month. All are read once before one is given.

    Raises:
        SettingsError: no pattern.
        DataError: no file, the same file twice, one that is empty, cut or without its columns, or none of this month (T2).
    """
    if not f.path:
        raise SettingsError("a reconciliation file needs a path", where=f"source {f.source}", hint="such as exports/nce-{period}.csv")
    files = read_files(f.path.replace("{period}", str(f.period)), f.source)
    pages = [Page("file", name, body, {"file": name, "period": str(f.period)}) for name, body in files]
    for _ in normalize((StoredPage(page, f"{f.source}/-/p{n:05d}") for n, page in enumerate(pages, 1)), f.source):
        pass
    yield from pages


def normalize(pages: Iterator[StoredPage], source: str) -> Iterator[Row | Reject]:
    """Accounts, products and charges; a line with an invoice number is billed, one without may still change (T7).

    Raises:
        DataError: a file is empty, cut or no text, or no line of any file begins or was ordered in the month.
        ShapeError: a column is missing that money or seats depend on.
    """
    seen, numbers, days = Seen(), Numbers(), _Days()
    for stored in pages:
        file = stored.page.context["file"]
        if "period" in stored.page.context:
            days.month = parse_period(stored.page.context["period"])
        rows = _rows(stored.page.body, file)
        header = [name.strip() for name in next(rows, [])]
        if not any(header):
            raise DataError("is empty", where=f"file {file}", hint=_AGAIN)
        read_line(dict.fromkeys(header), f"file {file}", "")
        index, last = -1, len(header)
        for index, cells in enumerate(rows):
            last = len(cells)
            evidence = stored.evidence(index)
            if len(cells) != len(header):
                yield Reject("(row)", f"{len(cells)} cells", f"row {index + 2} has another number of cells than the header", evidence)
                continue
            values = dict(zip(header, cells, strict=True))
            line = read_line(values, f"file {file}, row {index + 2}", evidence)
            for row in line_rows(line, source, numbers.of(values), is_billed=line.text("invoiceNumber") is not None, seen=seen):
                days.note(row)
                yield row
        if index < 0:
            raise DataError("has a header and no row", where=f"file {file}", hint=f"a month without charges has no file; {_AGAIN}")
        if last < len(header):
            raise DataError(f"ends inside a row: {last} of {len(header)} columns", where=f"file {file}", hint=f"the file is cut; {_AGAIN}")
    days.check(source)


@dataclass(slots=True)
class _Days:
    """Days the lines speak of: the file names no month, and last month's would be taken for this one's (T2)."""

    month: Period | None = None  # null: a snapshot older than this check
    first: date | None = None
    last: date | None = None
    is_of_month: bool = False

    def note(self, row: Row | Reject) -> None:
        """Take the days one line begins and was ordered on; its end may lie years ahead, and so says nothing."""
        if isinstance(row, Reject) or row.table != "vendor_charges":
            return
        known = [day for day in (row.values["start_date"], row.values["order_date"]) if day is not None]
        for day in known:
            self.first, self.last = min(self.first or day, day), max(self.last or day, day)
        self.is_of_month |= not known or any(self.month is not None and self.month.start <= day <= self.month.end for day in known)

    def check(self, source: str) -> None:
        """Refuse files whose lines are all of other months.

        Raises:
            DataError: none of them is of the month.
        """
        if self.month is not None and self.first is not None and not self.is_of_month:
            raise DataError(
                f"no line begins or was ordered in {self.month}: all are of {self.first} to {self.last}",
                where=f"source {source}",
                hint="download the reconciliation file of the month you bill, or name another file",
            )


def _rows(body: bytes, file: str) -> Iterator[list[str]]:
    raw = io.BytesIO(body)
    opened = gzip.GzipFile(fileobj=raw) if body[:2] == b"\x1f\x8b" else raw
    csv.field_size_limit(max(csv.field_size_limit(), _MAX_FIELD))
    try:
        yield from (row for row in csv.reader(io.TextIOWrapper(opened, encoding="utf-8-sig", newline=""), strict=True) if row)
    except UnicodeDecodeError:
        raise DataError("is not UTF-8", where=f"file {file}", hint="save it as CSV UTF-8, or download it again") from None
    except (csv.Error, EOFError, OSError, zlib.error):
        raise DataError("is cut, or is no CSV", where=f"file {file}", hint=_AGAIN) from None


CONNECTOR = Connector(fetch=fetch, normalize=normalize, role="file")
