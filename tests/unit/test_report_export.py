"""Files for spreadsheets: exact, and no vendor text that runs."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest
from python_calamine import load_workbook

from reconlib.report.export import write_changes, write_csv, write_xlsx

HOSTILE = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "＝1",
    "＋1",
    "－1",
    "＠x",
    " =1",
    '=HYPERLINK("http://x","y")',
    "=cmd|' /C calc'!A0",
]


def read_csv(path):
    raw = path.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(raw[3:].decode(), newline="")))


def test_no_csv_cell_or_heading_begins_like_a_formula(tmp_path):
    table = pa.table({"=head": HOSTILE, "ok": [f'a,"{i}"\nb' for i in range(len(HOSTILE))]})
    rows = read_csv(write_csv(table, tmp_path / "a.csv"))
    assert rows[0] == ["'=head", "ok"]
    assert [row[0] for row in rows[1:]] == ["'" + text for text in HOSTILE]
    assert rows[1][1] == 'a,"0"\nb'


def test_numbers_are_plain_and_exact(tmp_path):
    table = pa.Table.from_pylist(
        [
            {
                "q": Decimal("-1234567.100000"),
                "n": None,
                "d": date(2026, 10, 31),
                "t": datetime(2026, 10, 31, 22, tzinfo=UTC),
                "b": True,
                "i": -3,
            }
        ]
    )
    assert read_csv(write_csv(table, tmp_path / "a.csv"))[1] == ["-1234567.1", "", "2026-10-31", "2026-10-31T22:00:00Z", "true", "-3"]


def test_xlsx_holds_text_as_text_and_numbers_as_numbers(tmp_path):
    frame = pd.DataFrame({"=head": HOSTILE, "q": [Decimal("12.50")] * len(HOSTILE)})
    sheet = (
        load_workbook(write_xlsx({"A/B": frame, "a b": frame}, tmp_path / "a.xlsx")).get_sheet_by_index(0).to_python(skip_empty_area=False)
    )
    assert [row[0] for row in sheet] == ["=head", *HOSTILE]
    assert [row[1] for row in sheet[1:]] == [12.5] * len(HOSTILE)
    assert b"<f>" not in b"".join(_parts(tmp_path / "a.xlsx").values())


def test_a_number_a_spreadsheet_would_round_is_text(tmp_path):
    write_xlsx({"s": pa.table({"q": pa.array([Decimal("123456789012.123456")], pa.decimal128(18, 6))})}, tmp_path / "a.xlsx")
    assert load_workbook(tmp_path / "a.xlsx").get_sheet_by_index(0).to_python()[1] == ["123456789012.123456"]


def test_the_same_table_gives_the_same_bytes(tmp_path):
    table = pa.table({"a": ["x", "y"], "q": [Decimal("1.5"), None]})
    for name, write in (("a.csv", lambda p: write_csv(table, p)), ("a.xlsx", lambda p: write_xlsx({"s": table}, p))):
        one, two = tmp_path / f"1{name}", tmp_path / f"2{name}"
        assert write(one).read_bytes() == write(two).read_bytes()


def test_the_change_file_for_a_script_keeps_exact_text(tmp_path):
    table = pa.Table.from_pylist(
        [{"change_id": "c1", "new_qty": Decimal("51.000000"), "effective_date": date(2026, 11, 1), "agreement_line_id": None}]
    )
    paths = write_changes(table, tmp_path)
    assert [p.name for p in paths] == ["changes.csv", "changes.json"]
    assert json.loads(paths[1].read_text()) == [
        {"change_id": "c1", "new_qty": "51", "effective_date": "2026-11-01", "agreement_line_id": None}
    ]


def _parts(path):
    import zipfile

    with zipfile.ZipFile(path) as book:
        return {name: book.read(name) for name in book.namelist()}


@pytest.mark.parametrize("title", ["a" * 40, "[x]:*?/\\", ""])
def test_any_sheet_title_is_made_usable(tmp_path, title):
    write_xlsx({title: pa.table({"a": ["1"]})}, tmp_path / "a.xlsx")
