"""FOCUS exports: rows in, charges out; everything the public sample and its providers get wrong, and every file that must be refused."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from reconlib.connectors import CONNECTORS
from reconlib.connectors.contract import Fetch, Page, StoredPage
from reconlib.connectors.focus import find_rows
from reconlib.errors import DataError, SettingsError
from reconlib.period import Period
from reconlib.schema import CANONICAL, make_table
from reconlib.settings import Source
from reconlib.sync import sync_source

FOCUS = CONNECTORS["focus"]
ROW = {
    "BilledCost": "10.00",
    "BillingAccountId": "B1",
    "BillingAccountName": "Harbor MSP",
    "BillingCurrency": "USD",
    "BillingPeriodStart": "2026-10-01T00:00:00Z",
    "BillingPeriodEnd": "2026-11-01T00:00:00Z",
    "ChargeCategory": "Usage",
    "ChargeClass": "NULL",
    "ChargePeriodStart": "2026-10-05T00:00:00Z",
    "ChargePeriodEnd": "2026-10-06T00:00:00Z",
    "InvoiceId": "INV-1",
    "ProviderName": "Microsoft",
    "ServiceName": "Virtual Machines",
    "SubAccountId": "S1",
    "SubAccountName": "Birch production",
    "EffectiveCost": "9.00",
    "Tags": '{"owner": "a, ""b"""}',
    "x_SkuMeter": "D2s v5",
}


def export(*rows, without=(), header=None):
    out = io.StringIO()
    names = header or [name for name in ROW if name not in without]
    writer = csv.DictWriter(out, names, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(ROW | row for row in rows)
    return out.getvalue().encode()


def pages(*bodies):
    return [Page("focus", f"f{n}.csv", body, {"file": f"f{n}.csv", "period": "2026-10"}) for n, body in enumerate(bodies, 1)]


@pytest.fixture
def charges(read):
    def run(*rows, **how):
        run.tables, run.rejects = read(FOCUS, pages(export(*rows, **how)))
        return run.tables["vendor_charges"]

    return run


def refused(body):
    with pytest.raises(DataError) as error:
        list(FOCUS.normalize((StoredPage(page, "v/-/p1") for page in pages(body)), "v"))
    return str(error.value)


def test_rows_of_one_sub_account_service_and_category_are_one_charge_summed_exactly(charges):
    found = charges(
        {"BilledCost": "0.00000000000000000049"},
        {"BilledCost": "0.1"},
        {"BilledCost": "0.2"},
        {"BilledCost": "1.2345E-05"},
        {"BilledCost": "0.00000000000000000002"},
    )
    (charge,) = found
    assert charge["amount"] == Decimal("0.300012345000000001")  # the last decimals are summed before they are rounded
    assert (charge["vendor_account_id"], charge["vendor_product_id"]) == ("S1", "Microsoft|Virtual Machines")
    assert charge["description"] == "Usage of Virtual Machines, 5 rows"


def test_what_is_billed_apart_stays_apart(charges):
    found = charges(
        {},
        {"SubAccountId": "S2"},
        {"ServiceName": "Storage"},
        {"ChargeCategory": "Credit", "BilledCost": "-3"},
        {"ChargeCategory": "Adjustment", "BilledCost": "-1"},
        {"ChargeClass": "Correction", "BilledCost": "-2"},
        {"InvoiceId": "INV-2"},
        {"BillingCurrency": "EUR"},
        {"ChargeCategory": "Something new"},
    )
    assert len({c["charge_id"] for c in found}) == len(found) == 9
    assert [(c["charge_type"], c["qualifiers"], c["amount"]) for c in found[3:6]] == [
        ("Credit", None, Decimal(-3)),
        ("Adjustment", None, Decimal(-1)),
        ("Usage", "Correction", Decimal(-2)),
    ]
    assert [row["invoice_id"] for row in charges.tables["vendor_invoices"]] == ["INV-1", "INV-2"]
    assert sum(c["amount"] for c in found) == Decimal(54)


def test_the_order_of_rows_changes_no_charge(charges):
    rows = [{"BilledCost": f"0.{n}", "SubAccountId": f"S{n % 3}", "ChargePeriodStart": f"2026-10-{n:02d}"} for n in range(1, 31)]
    keep = ("charge_id", "amount", "start_date", "end_date", "description")
    first, again = ([tuple(c[name] for name in keep) for c in charges(*some)] for some in (rows, rows[::-1]))
    assert sorted(first) == sorted(again)
    assert len(first) == 3


def test_every_charge_leads_back_to_its_rows():
    bodies = [export({"ServiceName": "Storage"}, {}, {"BilledCost": "5"}), export({"BilledCost": "7"})]
    stored = [StoredPage(page, f"v/s/p{n}") for n, page in enumerate(pages(*bodies), 1)]
    (charge,) = [r.values for r in FOCUS.normalize(iter(stored), "v") if r.table == "vendor_charges" and r.values["amount"] == 22]
    assert charge["evidence"] == "v/s/p1/r1 v/s/p2/r0"
    found = [(index, cells["BilledCost"]) for page in stored for index, cells in find_rows(page, charge["charge_id"])]
    assert found == [(1, "10.00"), (2, "5"), (0, "7")]


def test_the_traps_of_the_public_sample(charges):
    sample = {
        "BillingPeriodStart": "2026-10-01 00:00:00",
        "ChargePeriodStart": "2026-10-05 00:00:00",
        "ChargePeriodEnd": "2026-10-06 00:00:00",
        "SubAccountName": "null",
        "BilledCost": "0.000123456789012",
        "Id": "17",
        "ListUnitPrice": "1,234.5",
    }
    (charge,) = charges(sample, header=["Id", "ListUnitPrice", *ROW])
    assert (charge["amount"], charge["start_date"], charge["end_date"]) == (
        Decimal("0.000123456789012"),
        date(2026, 10, 5),
        date(2026, 10, 5),
    )
    assert charges.tables["vendor_accounts"][0]["account_name"] == "S1"
    assert charges.rejects == []


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        ("2026-10-05", "2026-10-06", (5, 5)),
        ("2026-10-05T00:00:00Z", "2026-10-08T00:00:00Z", (5, 7)),
        ("2026-10-05T22:00:00-05:00", "2026-10-05T23:00:00-05:00", (6, 6)),
        ("2026-10-05 01:00:00 UTC", "2026-10-05 02:00:00 UTC", (5, 5)),
        ("2026-10-05T00:00:00.000Z", "2026-10-05T00:00:00.000Z", (5, 5)),
    ],
)
def test_t8_an_end_is_where_the_next_begins_and_days_are_utc(charges, start, end, days):
    (charge,) = charges({"ChargePeriodStart": start, "ChargePeriodEnd": end})
    assert (charge["start_date"].day, charge["end_date"].day) == days


def test_gzip_and_a_byte_order_mark_are_read(read):
    body = b"\xef\xbb\xbf" + export({})
    tables, _ = read(FOCUS, pages(body, gzip.compress(export({"BilledCost": "2"}))))
    assert [c["amount"] for c in tables["vendor_charges"]] == [Decimal(12)]


def test_what_is_given_fits_the_schema(charges):
    charges({}, {"ChargeCategory": "Tax", "BilledCost": "0.123456789012345678"})
    for name, rows in charges.tables.items():
        make_table(CANONICAL[name], rows)


def test_before_version_1_2_no_file_says_what_is_invoiced(charges):
    (charge,) = charges({}, without=("InvoiceId", "PricingCurrency", "SubAccountName"))
    assert (charge["is_billed"], charge["invoice_id"]) == (False, None)


def test_a_row_not_yet_on_an_invoice_is_not_billed(charges):
    assert [c["is_billed"] for c in charges({}, {"InvoiceId": "NULL"})] == [True, False]


def test_t19_cost_of_no_sub_account_stays_in_view(charges):
    charges({"SubAccountId": "NULL", "SubAccountName": ""}, {"SubAccountId": "B1"})
    assert [(a["vendor_account_id"], a["account_name"]) for a in charges.tables["vendor_accounts"]] == [
        ("(no sub account) B1", "Harbor MSP (no sub account)"),
        ("B1", "Birch production"),
    ]


@pytest.mark.parametrize(
    ("bad", "column"),
    [
        ({"BilledCost": "1,234.50"}, "BilledCost"),
        ({"BilledCost": "NaN"}, "BilledCost"),
        ({"BilledCost": "1_000"}, "BilledCost"),
        ({"BilledCost": "1e12"}, "BilledCost"),
        ({"BilledCost": "NULL"}, "BilledCost"),
        ({"BillingCurrency": "dollars"}, "BillingCurrency"),
        ({"ChargePeriodEnd": "10/06/2026"}, "ChargePeriodEnd"),
        ({"ChargeCategory": ""}, "ChargeCategory"),
        ({"BillingAccountId": "NULL"}, "BillingAccountId"),
    ],
)
def test_a_row_that_cannot_be_used_is_a_reject(charges, bad, column):
    found = charges(bad, {"BilledCost": "3"})
    assert [c["amount"] for c in found] == [Decimal(3)]
    (reject,) = charges.rejects
    assert (reject.column_name, reject.evidence) == (column, "v/0123456789ab/p00001/r0")
    assert reject.reason.startswith("row 2 ")


def test_a_row_of_another_width_is_a_reject(read):
    body = export({}) + b"1,2,3\r\n" + export({}).split(b"\r\n", 1)[1]
    tables, rejects = read(FOCUS, pages(body))
    assert ([c["amount"] for c in tables["vendor_charges"]], [(r.column_name, r.value) for r in rejects]) == (
        [Decimal(20)],
        [("(row)", "3 cells")],
    )


def test_t2_rows_of_another_billing_period_are_left_aside_with_their_number(charges):
    late = {"BillingPeriodStart": "2026-09-01", "BilledCost": "99"}
    correction = {"ChargePeriodStart": "2026-08-03", "ChargePeriodEnd": "2026-08-04", "ChargeClass": "Correction"}
    found = charges(late, {}, late, correction)
    assert [(c["amount"], c["start_date"]) for c in found] == [(Decimal(10), date(2026, 10, 5)), (Decimal(10), date(2026, 8, 3))]
    (reject,) = charges.rejects
    assert reject.reason == "2 rows are of billing period 2026-09, the month is 2026-10: left aside"


def test_t2_a_file_of_another_month_is_refused():
    assert "no row of the month; there are 2 of 2026-09" in refused(export(*[{"BillingPeriodStart": "2026-09-01"}] * 2))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (export({}).split(b"\r\n", 1)[1], "has no header"),
        (export(), "has a header and no row"),
        (export({}, {})[:-90], "ends inside"),
        (export({})[:-20].rsplit(b",", 2)[0], "ends inside row 2: 16 of 18 columns"),
        (gzip.compress(export({}, {}))[:-30], "is not a whole gzip file"),
        (b"\x1f\x8bnot gzip at all", "is not a whole gzip file"),
        (export({"ServiceName": "é"}).decode().encode("cp1252"), "is not UTF-8"),
        (export({}, header=[*ROW, "billedcost"]), "has two columns called 'billedcost'"),
        (export({}, without=("BilledCost",)) .replace(b"EffectiveCost", b"BilldCost"), "has no column 'BilledCost'\nHint: did you mean 'BilldCost'?"),
        (export({"BilledCost": "x"}), "no row of the month; there are none that can be read"),
    ],
)  # fmt: skip
def test_t5_a_file_that_cannot_be_trusted_is_refused(body, words):
    assert words in refused(body)


def test_a_source_is_read_through_its_pattern_and_kept_with_what_was_left_out(tmp_path):
    (tmp_path / "focus-2026-10.csv").write_bytes(export({}))
    asked = Fetch("v", "", "", {}, Period(2026, 10), date(2026, 10, 31), path=str(tmp_path / "focus-{period}.csv"))
    (page,) = FOCUS.fetch(asked)
    assert page.context == {"file": "focus-2026-10.csv", "period": "2026-10", "columns_read": "14", "columns_left_out": "4"}
    with pytest.raises(SettingsError, match="needs a path"):
        list(FOCUS.fetch(Fetch("v", "", "", {}, Period(2026, 10), date(2026, 10, 31))))


def test_t11_the_same_file_again_changes_nothing_and_a_new_one_is_read(tmp_path):
    def sync():
        return sync_source(
            "cloud", Source(connector="focus", path="f.csv"), snapshots_root=tmp_path / "s", root=tmp_path, period=Period(2026, 10),
            as_of=date(2026, 10, 31), environ={}, now=lambda: datetime(2026, 11, 3, tzinfo=UTC),
        )  # fmt: skip

    (tmp_path / "f.csv").write_bytes(export({}))
    first, second = sync(), sync()
    assert (first.status, first.snapshot.id, first.records) == ("complete", second.snapshot.id, 4)
    (tmp_path / "f.csv").write_bytes(export({"BilledCost": "11"}))
    assert sync().snapshot.id != first.snapshot.id
    (tmp_path / "f.csv").write_bytes(b"")
    failed = sync()
    assert (failed.status, failed.exit_code, "is empty" in failed.error) == ("failed", 5, True)
