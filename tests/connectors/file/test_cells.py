"""Locale, encodings, renamed columns and hostile text (T8, T9, T10)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from reconlib.connectors.cells import UnreadableCell, read_date, read_number
from reconlib.connectors.profile import Profile


def profile(**more: object) -> Profile:
    return Profile.model_validate({"table": "usage", "columns": {"account": "A", "product": "P"}, **more})


@pytest.mark.parametrize(
    ("written", "locale", "number"),
    [
        ("1200.5", {}, "1200.5"),
        ("1,200.50", {"thousands": ","}, "1200.50"),
        ("1.200,50", {"decimal": ",", "thousands": "."}, "1200.50"),
        ("1\u202f234\u00a0567,8", {"decimal": ",", "thousands": " "}, "1234567.8"),
        ("1’200.00", {"thousands": "'"}, "1200"),
        ("(12.50)", {}, "-12.50"),
        ("\u221212.50", {}, "-12.50"),
        ("-$1,000", {"thousands": ",", "currency_signs": ["$"]}, "-1000"),
        ("$-5", {"currency_signs": ["$"]}, "-5"),
        ("($5)", {"currency_signs": ["$"]}, "-5"),
        ("12,00 EUR", {"decimal": ",", "currency_signs": ["EUR", "€"]}, "12.00"),
        (".5", {}, "0.5"),
        (0.1, {}, "0.1"),
        (1e-06, {}, "0.000001"),
        (12.0, {}, "12"),
        (Decimal("0.10"), {}, "0.10"),
    ],
)
def test_t10_amounts_are_exact_by_the_separators_the_profile_states(written, locale, number):
    assert read_number(written, profile(**locale)) == Decimal(number)


@pytest.mark.parametrize(
    ("written", "locale"),
    [
        ("1,5", {"thousands": ","}),  # a decimal comma read as thousands would be ten times too much
        ("1.5", {"decimal": ",", "thousands": "."}),
        ("1,200", {}),
        ("12,34,567", {"thousands": ","}),
        ("--5", {}),
        ("(-5)", {}),
        ("5-", {}),
        ("€5", {"currency_signs": ["$"]}),
        ("١٢", {}),
        ("NaN", {}),
        ("1_000", {}),
        ("0x10", {}),
        ("", {}),
        (True, {}),
        (float("inf"), {}),
        (1.1 + 2.2e-9, {}),
    ],
)
def test_t10_an_amount_in_another_notation_is_refused_not_guessed(written, locale):
    with pytest.raises(UnreadableCell):
        read_number(written, profile(**locale))


@pytest.mark.parametrize(
    ("written", "form", "day"),
    [
        ("10/11/2026", "M/D/Y", date(2026, 10, 11)),
        ("10/11/2026", "D/M/Y", date(2026, 11, 10)),
        ("1.2.26", "D/M/Y", date(2026, 2, 1)),
        ("2026/10/11", "Y/M/D", date(2026, 10, 11)),
        ("10/11/2026 2:05:00 PM", "M/D/Y", date(2026, 10, 11)),
        ("2026-10-11", "D/M/Y", date(2026, 10, 11)),
        ("2026-01-31T23:30:00-05:00", "M/D/Y", date(2026, 2, 1)),
        ("2026-10-31 23:59:59.9999999Z", "M/D/Y", date(2026, 10, 31)),
        ("11-Oct-2026", "%d-%b-%Y", date(2026, 10, 11)),
        (1793404800, "epoch", date(2026, 10, 31)),
        ("1793404800000", "epoch_ms", date(2026, 10, 31)),
    ],
)
def test_t8_t10_a_day_is_read_as_the_profile_says_and_iso_always(written, form, day):
    assert read_date(written, profile(date_format=form)) == day


@pytest.mark.parametrize("form", ["epoch", "epoch_ms", "M/D/Y", "%d/%m/%Y"])
@pytest.mark.parametrize("written", ["99999999999", "9" * 15, "9999-12-31T23:59:59-05:00", "1/2", "soon", "2026-13-01", "=TODAY()", 1e11])
def test_t10_no_day_is_refused(written, form):
    with pytest.raises(UnreadableCell):
        read_date(written, profile(date_format=form))


MICROSOFT = """
table: purchases
columns: {account: CustomerName, account_id: CustomerId, product: SkuName, product_id: SkuId, quantity: BillableQuantity, unit_cost: UnitPrice}
"""


@pytest.mark.parametrize(
    "header",
    [
        "CustomerName,CustomerId,SkuName,SkuId,BillableQuantity,UnitPrice",
        "customerName,customerId,skuName,skuId,billableQuantity,unitPrice",
    ],
)
def test_t9_both_cases_of_every_microsoft_column(tmp_path, read, header):
    (tmp_path / "recon.csv").write_text(f"{header}\nAlder,c-1,Mail,s-1,3,2.5\n", "utf-8")
    (row,) = read(MICROSOFT)["purchases"]
    assert (row["vendor_account_id"], row["vendor_product_id"], row["quantity_qty"], row["unit_cost"]) == (
        "c-1",
        "s-1",
        Decimal(3),
        Decimal("2.5"),
    )


@pytest.mark.parametrize(
    ("asked", "there"),
    [("Total", "totalForCustomer"), ("totalForCustomer", "Total"), ("Unit", "unitOfMeasure"), ("resellerMpnId", "Tier2MpnId")],
)
def test_t9_microsoft_renamed_columns_are_found_by_either_name(tmp_path, read, asked, there):
    (tmp_path / "recon.csv").write_text(f"C,S,{there}\nAlder,Mail,7\n", "utf-8")
    (row,) = read(f"table: purchases\ncolumns: {{account: C, product: S, quantity: {asked}}}\n")["purchases"]
    assert row["quantity_qty"] == Decimal(7)


@pytest.mark.parametrize(
    ("encoding", "said"), [("utf-8", "utf-8-sig"), ("utf-8-sig", "utf-8-sig"), ("windows-1252", "windows-1252"), ("utf-16", "utf-16")]
)
def test_names_survive_every_encoding_the_profile_names(tmp_path, read, encoding, said):
    (tmp_path / "d.csv").write_bytes("Kunde;Gerät\nMüller & Søn – Ålesund;PC\n".encode(encoding))
    tables = read(f"table: usage\nencoding: {said}\ndelimiter: ';'\ncolumns: {{account: Kunde, product: Gerät}}\n")
    assert tables["vendor_accounts"][0]["account_name"] == "Müller & Søn – Ålesund"


HOSTILE = [
    '=HYPERLINK("http://x","y")',
    "+1+1",
    "@SUM(A1)",
    "<script>alert(1)</script>",
    "a\x00b\x1b[31mc",
    "' or 1=1 --",
    "{{7*7}}",
    "x" * 10_000,
    "مرحبا\u202e",
    "a\nb",
]


@pytest.mark.parametrize("form", ["csv", "json"])
def test_hostile_cells_pass_through_as_text(tmp_path, read, form):
    import csv
    import json

    with (tmp_path / f"d.{form}").open("w", encoding="utf-8", newline="") as file:
        if form == "csv":
            csv.writer(file).writerows([["Org", "Kind"], *([name, "Device"] for name in HOSTILE)])
        else:
            json.dump([{"Org": name, "Kind": "Device"} for name in HOSTILE], file)
    tables = read("table: usage\ncolumns: {account: Org, product: Kind}\n")
    assert [a["account_name"] for a in tables["vendor_accounts"]] == HOSTILE
    assert len(tables["usage_records"]) == len(HOSTILE)


def test_half_a_pair_in_json_becomes_a_text_that_can_be_stored(tmp_path, read):
    (tmp_path / "d.json").write_bytes(b'[{"Org": "Al\\ud83der \\ud83e\\udd8a", "Kind": "Device"}]')
    tables = read("table: usage\ncolumns: {account: Org, product: Kind}\n")
    assert [a["account_name"] for a in tables["vendor_accounts"]] == ["Al?er 🦊"]


def test_hostile_cells_of_a_workbook_stay_text_and_a_long_reject_is_cut(tmp_path, read, workbook):
    rows = [["Org", "Kind", "Qty"], ["=1+1", "Device", 1], ["<b>", "Device", "y" * 10_000]]
    (tmp_path / "d.xlsx").write_bytes(workbook({"S": rows}))
    tables = read("table: usage\ncolumns: {account: Org, product: Kind, quantity: Qty}\n")
    assert [a["account_name"] for a in tables["vendor_accounts"]] == ["=1+1"]
    (reject,) = tables["rejects"]
    assert len(reject.value) < 300
    assert len(reject.reason) < 400


def test_rows_the_profile_says_are_none_are_left_out(tmp_path, read):
    (tmp_path / "d.csv").write_text(
        "Report of October,,\n\nOrg,Kind,Qty\nAlder,Device,2\n,,\nAlder subtotal,,\nTotal Health,Device,1\nGrand Total:,,3\n\nprinted 11/1/2026,,\n",
        "utf-8",
    )
    text = "table: usage\nheader_row: 3\nstop_at: [Total, Grand Total]\nskip_where_blank: [product]\n"
    tables = read(f"{text}columns: {{account: Org, product: Kind, quantity: Qty}}\n")
    assert "rejects" not in tables
    assert [(r["vendor_account_id"], r["quantity_qty"], r["evidence"]) for r in tables["usage_records"]] == [
        ("Alder", Decimal(2), "src/abc/p00001/r0"),
        ("Total Health", Decimal(1), "src/abc/p00001/r3"),
    ]


@pytest.mark.parametrize(("name", "body"), [("d.csv", "Org,Kind\n"), ("d.json", "[]")])
def test_an_empty_export_is_accepted_only_where_the_profile_says_so(tmp_path, read, name, body):
    (tmp_path / name).write_text(body, "utf-8")
    assert read("table: usage\nmay_be_empty: true\ncolumns: {account: Org, product: Kind}\n") == {}
