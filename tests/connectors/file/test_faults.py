"""What is refused, and in which words: files that cannot be trusted, rows that cannot be used, profiles that are wrong."""

from __future__ import annotations

import pytest

from reconlib.connectors.contract import Fetch
from reconlib.connectors.file import FILE
from reconlib.connectors.profile import Profile
from reconlib.errors import DataError, SettingsError
from reconlib.period import Period
from reconlib.settings import parse

SEATS = """
table: purchases
columns: {account: Customer, product: [Product, Product Name], quantity: Seats, unit_cost: Cost, start_date: Start}
optional: [unit_cost, start_date]
"""
HEAD = "Customer,Product,Seats\n"


@pytest.mark.parametrize(
    ("name", "body", "extra", "said"),
    [
        ("l.csv", b"", "", ["file l.csv: is empty", "export it again"]),
        ("l.csv", b" \n\n", "", ["is empty"]),
        ("l.csv", b"\n\nAlder,Mail,1\n", "", ["has no header: row 1 is blank", "header_row"]),
        ("l.csv", HEAD.encode(), "", ["has a header and no row", "may_be_empty"]),
        ("l.csv", HEAD.encode(), "header_row: 4", ["has 1 rows, the header should be row 4"]),
        ("l.csv", b"Alder,Mail,1\nBirch,Mail,2\n", "", ["has no column for account: none is called 'Customer'", "valid names"]),
        ("l.csv", b"Customer,Prodct Name,Seats\nA,M,1\n", "", ["no column for product", "did you mean 'Prodct Name'?"]),
        ("l.csv", b"Customer;Product;Seats\nA;M;1\n", "", ["no column for account", "say delimiter: ';'"]),
        ("l.csv", b"Customer,Product,Seats, customer\nA,M,1,B\n", "", ["two columns called 'customer'"]),
        ("l.csv", f"{HEAD}Alder,Mail,1\nBirch,Ma".encode(), "", ["ends inside row 3: 2 of 3 columns", "is cut"]),
        ("l.csv", f'{HEAD}Alder,Mail,1\nBirch,"Mail, 1'.encode(), "", ["ends inside a quoted field (line 3)", "is cut"]),
        ("l.csv", f"{HEAD}Alder,Mail,1\n".encode(), "stop_at: Total", ["ends without the row 'Total'", "is cut"]),
        ("l.csv", f"{HEAD}Alder,Mail,1\nTotal,,1\nBirch,Mail,2\n".encode(), "stop_at: Total", ["has records after 'Total', at row 4"]),
        ("l.csv", f"{HEAD}Café,Mail,1\n".encode("windows-1252"), "", ["is not utf-8-sig: line 2, byte 27 is 0xe9", "windows-1252"]),
        ("l.csv", f"{HEAD}Alder,Mail,1\n".encode("utf-16"), "", ["is not utf-8-sig: line 1, byte 1", "say encoding: utf-16"]),
        ("l.csv", f"{HEAD}Alder,Mail,1\n".encode("utf-8-sig"), "encoding: windows-1252", ["is UTF-8, not windows-1252"]),
        ("l.json", b'[{"Customer": "Alder", "Product": "Mail", "Sea', "", ["is not whole JSON", "is cut"]),
        ("l.json", b'{"items": [{"Customer": "A"}]}', "", ["does not hold a list of records", "say records: items"]),
        ("l.json", b'{"items": [{"Customer": "A"}]}', "records: data.item", ["has no 'data' of records", "valid names: items"]),
        ("l.json", b'[{"Customer": "A", "Customer": "B"}]', "", ["names one of its fields twice"]),
        ("l.json", b'[{"Customer": "A", "Product": "P", "Seats": NaN}]', "", ["NaN is not a number"]),
        ("l.json", b"[" * 100_000, "", ["is not usable JSON"]),
        ("l.json", b"[]", "", ["has a header and no row"]),
        ("l.xlsx", b"PK\x03\x04 not a workbook", "", ["is not a whole workbook", "is cut"]),
        ("l.xlsx", b"Customer,Product,Seats", "", ["is not a whole workbook"]),
        ("l.dat", b"x", "", ["'.dat', which names no format"]),
        (
            "l.csv",
            f"{HEAD}Alder,Mail,1\nAlder,Mail,2\n".encode(),
            "aggregate: refuse",
            ["l.csv:2 and l.csv:3 are both of 'Alder' and 'Mail'"],
        ),
        (
            "l.csv",
            b"Customer,Product,Seats,Cost\nAlder,Mail,1,2\nAlder,Mail,2,3\n",
            "aggregate: sum",
            ["cannot be summed: unit_cost is 2.000000 and 3.000000", "aggregate: keep"],
        ),
    ],
)
def test_t5_a_file_that_cannot_be_trusted_is_refused_whole_and_says_what_to_do(tmp_path, fetch, name, body, extra, said):
    (tmp_path / name).write_bytes(body)
    with pytest.raises(DataError) as error:
        fetch(f"{SEATS}{extra}\n", "l.*")
    for words in said:
        assert words in str(error.value)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_a_cut_workbook_is_refused(tmp_path, fetch, workbook, kept):
    body = workbook({"S": [["Customer", "Product", "Seats"], ["Alder", "Mail", 1]]})
    (tmp_path / "l.xlsx").write_bytes(body[: int(len(body) * kept)])
    with pytest.raises(DataError, match="is not a whole workbook"):
        fetch(SEATS)


def test_a_locked_workbook_is_refused(tmp_path, fetch, workbook):
    body = bytearray(workbook({"S": [["Customer", "Product", "Seats"], ["Alder", "Mail", 1]]}))
    for start in (b"PK\x03\x04", b"PK\x01\x02"):  # bit 0 of the flags, in the entry and in the directory: a password is needed
        body[body.index(start) + (6 if start.endswith(b"\x04") else 8)] |= 1
    (tmp_path / "l.xlsx").write_bytes(bytes(body))
    with pytest.raises(DataError, match=r"is not a whole workbook: .*password"):
        fetch(SEATS, "l.*")


def test_a_damaged_workbook_and_a_missing_sheet_are_refused(tmp_path, fetch, workbook):
    body = workbook({"Seats 2026": [["Customer", "Product", "Seats"], ["Alder", "Mail", 1]]})
    (tmp_path / "l.xlsx").write_bytes(body)
    with pytest.raises(DataError, match="no sheet 'Seats'") as error:
        fetch(f"{SEATS}sheet: Seats\n")
    assert "did you mean 'Seats 2026'?" in str(error.value)
    at = body.index(b"PK\x03\x04") + 60
    (tmp_path / "l.xlsx").write_bytes(body[:at] + bytes([body[at] ^ 255]) + body[at + 1 :])
    with pytest.raises(DataError, match="workbook"):
        fetch(SEATS)


def test_t11_the_same_file_twice_is_refused_and_read_again_gives_the_same_pages(tmp_path, fetch):
    (tmp_path / "l.csv").write_text(f"{HEAD}Alder,Mail,1\n", "utf-8")
    assert fetch(SEATS) == fetch(SEATS)
    (tmp_path / "l (1).csv").write_bytes((tmp_path / "l.csv").read_bytes())
    with pytest.raises(DataError, match=r"l \(1\)\.csv and l\.csv are the same file twice"):
        fetch(SEATS)


def test_t11_one_record_id_in_two_files_is_refused_with_both_places(tmp_path, fetch):
    profile = "table: usage\ncolumns: {account: Org, product: Kind, usage_record_id: Id}\n"
    (tmp_path / "september.csv").write_text("Org,Kind,Id\nAlder,Device,7\n", "utf-8")
    (tmp_path / "october.csv").write_text("Org,Kind,Id\nAlder,Device,8\nAlder,Device,7\n", "utf-8")
    with pytest.raises(DataError, match=r"id '7' stands in october\.csv:3 and in september\.csv:2"):
        fetch(profile)


@pytest.mark.parametrize(
    ("written", "other"), [("2026-09", True), ("9/2026", True), ("10/31/2026", False), ("Oct 2026", False), ("202610", False)]
)
def test_t2_rows_of_another_month_stop_the_import(tmp_path, fetch, written, other):
    (tmp_path / "l.csv").write_text(f"Customer,Product,Seats,Month\nAlder,Mail,1,{written}\n", "utf-8")
    profile = "table: purchases\ncolumns: {account: Customer, product: Product, quantity: Seats, period: Month}\n"
    if other:
        with pytest.raises(DataError, match="row 2 is of 2026-09, the month is 2026-10"):
            fetch(profile)
    else:
        assert len(fetch(profile)) == 1


def test_no_file_names_the_nearest_one(tmp_path, fetch):
    (tmp_path / "licenses-2026-10.csv").write_text("x", "utf-8")
    with pytest.raises(DataError, match="no file matches") as error:
        fetch(SEATS, "licences-*.csv")
    assert "did you mean 'licenses-2026-10.csv'?" in str(error.value)
    assert str(tmp_path.parent) not in str(error.value), "the error stands in reports"


@pytest.mark.parametrize(
    ("row", "column", "value", "why"),
    [
        (",Mail,1,,", "account", "", "has no account"),
        ("Alder,,1,,", "product", "", "has no product"),
        ("Alder,Mail,,,", "quantity", "", "has no quantity"),
        ("Alder,Mail,ten,,", "quantity", "ten", "is not a number"),
        ('Alder,Mail,"1,200",,', "quantity", "1,200", "thousands None"),
        ("Alder,Mail,1e3,,", "quantity", "1e3", "is not a number"),
        ("Alder,Mail,-1,,", "quantity", "-1", "below zero"),
        ("Alder,Mail,1,$5,", "unit_cost", "$5", "'$' is a currency sign"),
        ("Alder,Mail,1,0.1234567,", "unit_cost", "0.1234567", "more than 6 decimals"),
        ("Alder,Mail,1,1234567890123,", "unit_cost", "1234567890123", "expected below"),
        ("Alder,Mail,1,,31/10/2026", "start_date", "31/10/2026", "is not a day written M/D/Y"),
        ("Alder,Mail,1,,2/29/2026", "start_date", "2/29/2026", "is not a day"),
        ("Alder,Mail,1,,0001-01-01T00:00:00Z", "start_date", "0001-01-01T00:00:00Z", "is no real day"),
        ("Alder,Mail,1,,46326", "start_date", "46326", "is not a day"),
        ("Alder,Mail,1", "(row)", "Alder,Mail,1", "row 2 has 3 cells under 5 headers"),
        ("Alder, Inc,Mail,1,,", "(row)", "Alder, Inc,Mail,1,,", "row 2 has 6 cells"),
    ],
)
def test_a_row_that_cannot_be_used_is_one_reject_and_the_others_are_kept(tmp_path, read, row, column, value, why):
    row = f"{row}x" if row.startswith("Alder, Inc") else row
    (tmp_path / "l.csv").write_text(f"Customer,Product,Seats,Cost,Start\n{row}\nBirch,Mail,2,,\n", "utf-8")
    tables = read(SEATS)
    (reject,) = tables["rejects"]
    assert (reject.column_name, reject.evidence) == (column, "src/abc/p00001/r0")
    assert reject.value.startswith(value)
    assert why in reject.reason
    assert "row 2" in reject.reason
    assert [p["vendor_account_id"] for p in tables["purchases"]] == ["Birch"]


def test_a_workbook_number_with_too_many_decimals_or_digits_is_a_reject(tmp_path, read, workbook):
    rows = [
        ["Customer", "Product", "Seats", "Cost"],
        ["Alder", "Mail", 1, 100 / 3],
        [1.2345678901234567e16, "Mail", 1, 1],
        ["Birch", "Mail", 1, 0.07],
    ]
    (tmp_path / "l.xlsx").write_bytes(workbook({"S": rows}))
    tables = read(SEATS)
    assert [(r.column_name, r.evidence[-2:]) for r in tables["rejects"]] == [("unit_cost", "r0"), ("account", "r1")]
    assert "15 digits" in tables["rejects"][1].reason
    assert len(tables["purchases"]) == 1


def test_an_agreement_cannot_be_monthly_and_annual_at_once(tmp_path, read):
    (tmp_path / "p.csv").write_text("C,A,Y,S,Q\nAlder,Care,Monthly,RMM,1\nAlder,Care,Annual,BKP,1\n", "utf-8")
    tables = read("table: agreement_lines\ncolumns: {client: C, agreement: A, cycle: Y, service: S, quantity: Q}\n")
    (reject,) = tables["rejects"]
    assert (reject.column_name, reject.value) == ("cycle_months", "12")
    assert "agreement 'Alder|Care' has cycle_months 1 in an earlier row" in reject.reason


def test_an_unknown_cycle_or_billable_word_is_a_reject(tmp_path, read):
    (tmp_path / "p.csv").write_text(
        "C,Y,S,Q,B\nAlder,Fortnightly,RMM,1,Yes\nAlder,Monthly,RMM,1,maybe\nAlder,Bimonthly,RMM,1,No Charge\n", "utf-8"
    )
    profile = "table: agreement_lines\ncolumns: {client: C, cycle: Y, service: S, quantity: Q, billable: B}\ncycles: {Bimonthly: 2}\n"
    tables = read(profile)
    assert [r.column_name for r in tables["rejects"]] == ["cycle", "billable"]
    assert [(line["billable"], a["cycle_months"]) for line, a in zip(tables["agreement_lines"], tables["agreements"], strict=True)] == [
        ("no_charge", 2)
    ]


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ({"table": "usage", "columns": {"acount": "A", "product": "P"}}, "columns.acount: nothing of usage; did you mean 'account'?"),
        ({"table": "usage", "columns": {"account": "A"}}, "columns.product is missing"),
        ({"table": "usages", "columns": {}}, "table"),
        ({"table": "usage", "columns": {"account": "A", "product": "P"}, "colums": {}}, "did you mean 'columns'?"),
        ({"table": "usage", "columns": {"account": "A", "product": "P"}, "optional": ["account"]}, "every row of usage needs it"),
        ({"table": "usage", "columns": {"account": "A", "product": "P"}, "skip_where_blank": ["quantity"]}, "columns does not name it"),
        ({"table": "usage", "columns": {"account": "A", "product": "P"}, "encoding": "latin-nine"}, "is not an encoding"),
        ({"table": "usage", "columns": {"account": "A", "product": "P"}, "date_format": "DMY"}, "is not a date format"),
        ({"table": "usage", "columns": {"account": "A", "product": "P"}, "thousands": "."}, "decimal and thousands are both '.'"),
        ({"table": "usage", "columns": {"account": "A", "product": 5}}, "put it in quotes"),
        ({"table": "purchases", "columns": {"account": "A", "product": "P", "quantity": "Q"}, "attributes": {"a": "A"}}, "only usage"),
        (
            {"table": "agreement_lines", "columns": {"client": "C", "service": "S", "quantity": "Q", "cycle": "Y"}, "aggregate": "sum"},
            "never merged at import",
        ),
        ({"table": "agreement_lines", "columns": {"client": "C", "service": "S", "quantity": "Q"}}, "columns.cycle is missing"),
        ({"table": "usage", "columns": {"account": "A", "product": "P"}, "cycles": {"x": 0}}, "at least one month"),
    ],
)
def test_a_wrong_profile_names_the_key_and_what_is_right(profile, said):
    with pytest.raises(SettingsError) as error:
        parse(profile, Profile, where="params/profiles/x.yaml")
    assert said in str(error.value)
    assert "params/profiles/x.yaml" in str(error.value)


def test_a_source_without_path_or_profile_is_a_settings_error():
    with pytest.raises(SettingsError, match="needs path and profile"):
        list(FILE.fetch(Fetch("src", "", "", {}, Period(2026, 10), Period(2026, 10).end, path="x.csv")))
