"""The reconciliation file as people download it: both namings of its columns, US dates, and what makes a file unusable."""

from __future__ import annotations

import gzip
from datetime import date
from decimal import Decimal

import pytest

from reconlib.connectors import CONNECTORS
from reconlib.connectors.contract import Fetch
from reconlib.connectors.partner_center_rows import read_line
from reconlib.errors import DataError, SettingsError, ShapeError
from reconlib.period import Period

FILE = CONNECTORS["partner_center_file"]
HEADER = "CustomerId,CustomerName,InvoiceNumber,OrderDate,ProductId,SkuId,ChargeType,UnitPrice,Quantity,BillableQuantity,EffectiveUnitPrice,Subtotal,TaxTotal,Total,Currency,ChargeStartDate,ChargeEndDate"
ROW = 'c1,"Contoso, Ltd",G1,10/3/2026,P1,0001,New,10.08,99,10,9.408,94.08,0,94.08,EUR,10/3/2026,10/31/2026'


@pytest.fixture
def open_file(tmp_path):
    def opened(body, name="nce-2026-10.csv"):
        (tmp_path / name).write_bytes(body.encode() if isinstance(body, str) else body)
        path = str(tmp_path / "nce-{period}.csv*")
        return list(FILE.fetch(Fetch("hand", "", "", {}, Period(2026, 10), date(2026, 10, 31), path=path)))

    return opened


def test_t9_both_namings_of_the_columns_make_the_same_charge(open_file, read):
    lower = ",".join("totalForCustomer" if name == "Total" else name[0].lower() + name[1:] for name in HEADER.split(","))
    made = []
    for header in (HEADER, lower, HEADER.upper()):
        tables, rejects = read(FILE, open_file(f"{header}\n{ROW}\n"))
        assert rejects == []
        made.append(tables["vendor_charges"][0])
    assert made[0] == made[1] == made[2]
    assert (made[0]["quantity_qty"], made[0]["unit_cost"], made[0]["amount"]) == (10, Decimal("9.408"), Decimal("94.08"))
    assert made[0]["charge_type"] == "New"


def test_t9_a_percentage_that_became_a_rate_keeps_its_value():
    needed = dict.fromkeys(
        ("customerId", "productId", "skuId", "chargeType", "billableQuantity", "effectiveUnitPrice", "subtotal", "currency")
    )
    old = read_line({**needed, "PartnerEarnedCreditPercentage": "15", "CreditPercentage": "100", "Unit": "1 Hour"}, "w", "e")
    new = read_line({**needed, "rateOfPartnerEarnedCredit": "0.15", "rateOfCredit": "1.00", "unitOfMeasure": "1 Hour"}, "w", "e")
    for line in (old, new):
        assert (line.number("rateOfPartnerEarnedCredit"), line.number("rateOfCredit")) == (Decimal("0.15"), Decimal(1))
        assert line.text("unitOfMeasure") == "1 Hour"
    assert read_line({**needed, "Tier2MpnId": "7"}, "w", "e").text("resellerMpnId") == "7"


def test_t10_dates_are_month_first_and_amounts_are_exact(open_file, read):
    (row,) = read(FILE, open_file(f"{HEADER}\n{ROW}\n"))[0]["vendor_charges"]
    assert (row["order_date"], row["end_date"]) == (date(2026, 10, 3), date(2026, 10, 31))
    assert isinstance(row["amount"], Decimal)
    _, rejects = read(FILE, open_file(f"{HEADER}\n{ROW.replace('10/3/2026,P1', '31.10.2026,P1')}\n"))
    assert [r.column_name for r in rejects] == ["orderDate"]


def test_t5_a_file_that_cannot_be_trusted_is_refused(open_file):
    for body, fault in ((b"", DataError), (f"{HEADER}\n{ROW[:40]}", DataError), (f"{HEADER}\n{ROW}\n".encode("utf-16"), DataError)):
        with pytest.raises(fault):
            open_file(body)
    with pytest.raises(ShapeError, match="'subtotal'"):
        open_file(f"{HEADER.replace('Subtotal', 'SubTotal2')}\n{ROW}\n")


def test_t2_last_months_file_is_refused_and_what_was_ordered_this_month_is_of_it(open_file, read):
    september = ROW.replace("10/3/2026", "9/3/2026").replace("10/31/2026", "9/2/2027")  # a year's charge, which ends far later
    with pytest.raises(DataError, match="no line begins or was ordered in 2026-10: all are of 2026-09-03 to 2026-09-03"):
        open_file(f"{HEADER}\n{september}\n")
    credit = september.replace("9/3/2026", "10/9/2026", 1)
    undated = ROW.replace("10/3/2026", "").replace("10/31/2026", "")
    for kept in (f"{september}\n{ROW}", credit, undated):
        assert read(FILE, open_file(f"{HEADER}\n{kept}\n"))[0]["vendor_charges"]


def test_t5_a_header_without_a_row_is_no_month_without_charges(open_file):
    with pytest.raises(DataError, match="has a header and no row"):
        open_file(f"{HEADER}\n")


def test_a_compressed_file_is_read_too_and_a_cut_one_refused(open_file, read, tmp_path):
    whole = gzip.compress(f"{HEADER}\n{ROW}\n".encode())
    assert len(read(FILE, open_file(whole, "nce-2026-10.csv.gz"))[0]["vendor_charges"]) == 1
    with pytest.raises(DataError, match="cut"):
        open_file(whole[:-10], "nce-2026-10.csv.gz")


def test_a_path_is_needed():
    with pytest.raises(SettingsError):
        list(FILE.fetch(Fetch("hand", "", "", {}, Period(2026, 10), date(2026, 10, 31))))
