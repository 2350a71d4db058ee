"""Reading exports of a temporary folder as the pipeline does: fetched, stored, normalised."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from reconlib.connectors.contract import Fetch, Page, Reject, Row, StoredPage
from reconlib.connectors.file import FILE
from reconlib.period import Period
from reconlib.schema import CANONICAL, make_table

OCTOBER = Period(2026, 10)


@pytest.fixture
def fetch(tmp_path: Path) -> Callable[..., list[Page]]:
    """Pages of the exports in the temporary folder."""

    def pages(profile: str, path: str = "*.*") -> list[Page]:
        (tmp_path / "profiles").mkdir(exist_ok=True)
        (tmp_path / "profiles" / "export.yaml").write_text(profile, "utf-8")
        where = {"path": str(tmp_path / path), "profile": str(tmp_path / "profiles" / "export.yaml")}
        return list(FILE.fetch(Fetch("src", "", "", {}, OCTOBER, OCTOBER.end, **where)))

    return pages


@pytest.fixture
def read(fetch: Callable[..., list[Page]]) -> Callable[..., dict[str, list[Any]]]:
    """Everything those exports say, by table, each row fitting the schema; rejects under ``rejects``."""

    def tables(profile: str, path: str = "*.*") -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        stored = (StoredPage(page, f"src/abc/p{n:05d}") for n, page in enumerate(fetch(profile, path), 1))
        for item in FILE.normalize(stored, "src"):
            assert isinstance(item, (Row, Reject))
            name, value = (item.table, dict(item.values)) if isinstance(item, Row) else ("rejects", item)
            found.setdefault(name, []).append(value)
        for name, rows in found.items():
            if name != "rejects":
                make_table(CANONICAL[name], rows)
        return found

    return tables


@pytest.fixture
def workbook() -> Callable[[dict[str, list[list[Any]]]], bytes]:
    """A small XLSX with the given cells."""

    def build(sheets: dict[str, list[list[Any]]]) -> bytes:
        buffer = io.BytesIO()
        book = xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
        day = book.add_format({"num_format": "m/d/yyyy"})
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for r, row in enumerate(rows):
                for c, value in enumerate(row):
                    if isinstance(value, date):
                        sheet.write_datetime(r, c, value, day)
                    elif value is not None:
                        sheet.write(r, c, value)
        book.close()
        return buffer.getvalue()

    return build
