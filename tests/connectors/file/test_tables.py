"""Rows out of each kind of export, compared whole."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from reconlib.connectors.contract import Row, StoredPage
from reconlib.connectors.file import FILE

PSA = """
table: agreement_lines
columns:
  client: [Company, Company Name]
  agreement: Agreement
  cycle: Billing Cycle
  service_code: Product ID
  service: Description
  agreement_line_id: Line
  quantity: [Qty, Quantity]
  unit_price: Unit Price
  effective_date: Effective Date
optional: [agreement_line_id]
constant: {currency: USD}
"""


def test_agreement_lines_of_a_psa_export_in_csv(tmp_path, read):
    (tmp_path / "psa.csv").write_text(
        "company,Agreement,Billing Cycle,Product ID,Description,Line,Quantity,Unit Price,Effective Date\n"
        "Alder Dental,Care,Monthly,RMM,Managed device,11,4,12.50,10/1/2026\n"
        "Alder Dental,Care,Monthly,BKP,Backup,12,1,9,2026-09-30\n"
        "Birch Law,Care,Annual,RMM,Managed device,13,2,-150,\n",
        "utf-8",
    )
    tables = read(PSA)
    assert "rejects" not in tables
    assert [(c["client_id"], c["client_name"], c["is_billable"], c["evidence"]) for c in tables["clients"]] == [
        ("Alder Dental", "Alder Dental", True, "src/abc/p00001/r0"),
        ("Birch Law", "Birch Law", True, "src/abc/p00001/r2"),
    ]
    assert [(s["service_id"], s["service_code"], s["service_name"]) for s in tables["services"]] == [
        ("RMM", "RMM", "Managed device"),
        ("BKP", "BKP", "Backup"),
    ]
    assert [(a["agreement_id"], a["agreement_name"], a["cycle_months"], a["currency"], a["status"]) for a in tables["agreements"]] == [
        ("Alder Dental|Care", "Care", 1, "USD", "Active"),
        ("Birch Law|Care", "Care", 12, "USD", "Active"),
    ]
    assert tables["agreement_lines"][0] == {
        "agreement_line_id": "11",
        "agreement_id": "Alder Dental|Care",
        "client_id": "Alder Dental",
        "service_id": "RMM",
        "description": None,
        "quantity_qty": Decimal(4),
        "included_qty": Decimal(0),
        "unit_price": Decimal("12.50"),
        "unit_cost": None,
        "billable": "billable",
        "effective_date": date(2026, 10, 1),
        "cancelled_date": None,
        "source": "src",
        "evidence": "src/abc/p00001/r0",
    }
    assert [(r["agreement_line_id"], r["unit_price"], r["effective_date"]) for r in tables["agreement_lines"][1:]] == [
        ("12", Decimal(9), date(2026, 9, 30)),
        ("13", Decimal(-150), None),
    ]


def test_lines_without_ids_and_agreements_are_named_by_file_row_and_cycle(tmp_path, read):
    (tmp_path / "psa.csv").write_text("Company,Cycle,Service,Qty\nAlder,Monthly,RMM,1\nAlder,One Time,Setup,1\n", "utf-8")
    profile = "table: agreement_lines\ncolumns: {client: Company, cycle: Cycle, service: Service, quantity: Qty}"
    tables = read(profile)
    assert [(r["agreement_line_id"], r["agreement_id"]) for r in tables["agreement_lines"]] == [
        ("psa.csv:2", "Alder|monthly"),
        ("psa.csv:3", "Alder|one time"),
    ]
    assert [(a["agreement_name"], a["cycle_months"]) for a in tables["agreements"]] == [("Alder, monthly", 1), ("Alder, one time", None)]


USAGE = """
table: usage
columns:
  account: Organization
  unit_name: Device
  unit_key: Serial
  unit_class: Type
  last_seen_date: Last Seen
attributes: {site: Site}
constant: {product: Managed device}
blank_words: ["n/a"]
"""


def test_usage_of_one_device_a_row(tmp_path, read):
    (tmp_path / "devices.csv").write_text(
        "Organization,Site,Device,Serial,Type,Last Seen\nAlder,Main,AD-01,S1,Workstation,10/30/2026 14:05\nAlder,,AD-02,n/a,Server,N/A\n",
        "utf-8",
    )
    tables = read(USAGE)
    assert tables["usage_records"] == [
        {
            "usage_record_id": "devices.csv:2",
            "vendor_account_id": "Alder",
            "vendor_product_id": "Managed device",
            "quantity_qty": Decimal(1),
            "unit_name": "AD-01",
            "unit_key": "S1",
            "unit_class": "Workstation",
            "unit_state": None,
            "created_date": None,
            "last_seen_date": date(2026, 10, 30),
            "attributes": '{"site": "Main"}',
            "source": "src",
            "evidence": "src/abc/p00001/r0",
        },
        {
            "usage_record_id": "devices.csv:3",
            "vendor_account_id": "Alder",
            "vendor_product_id": "Managed device",
            "quantity_qty": Decimal(1),
            "unit_name": "AD-02",
            "unit_key": None,
            "unit_class": "Server",
            "unit_state": None,
            "created_date": None,
            "last_seen_date": None,
            "attributes": None,
            "source": "src",
            "evidence": "src/abc/p00001/r1",
        },
    ]
    assert len(tables["vendor_accounts"]) == len(tables["vendor_products"]) == 1


DEVICE = b"Organization,Site,Device,Serial,Type,Last Seen\r\nAlder,,AD-01,,,\r\n"

PURCHASES = """
table: purchases
columns:
  account: [Customer, customer.name]
  product: [Product, product.name]
  sku: [SKU, product.sku]
  quantity: [Seats, seats]
  unit_cost: [Cost, cost]
  cycle: [Billing, billing]
  term: [Term, term]
  status: [State, state]
  start_date: [Start, start]
constant: {currency: USD}
"""


def test_purchases_of_a_workbook_with_real_dates_and_numbers(tmp_path, read, workbook):
    (tmp_path / "licences.xlsx").write_bytes(
        workbook(
            {
                "Notes": [["read me"]],
                "Licences": [
                    ["Licences of October"],
                    [],
                    ["Customer", "Product", "SKU", "Seats", "Cost", "Billing", "Term", "State", "Start"],
                    ["Alder", "Mail", 4711, 12, 0.1 + 0.2, "Monthly", "1-Month", "Active", date(2026, 10, 31)],
                    ["Alder", "Mail", "4711", 5, 100, "Annual", "1-Year", "Cancelled", "10/1/2026"],
                    ["Birch", "Mail", "4711", 1, 3.2, "Monthly", "1-Month", "Trial", date(2026, 2, 1)],
                    ["Total", None, None, 18],
                ],
            }
        )
    )
    tables = read(PURCHASES + "sheet: Licences\nheader_row: 3\nstop_at: Total\n")
    assert "rejects" not in tables
    found = [
        (p["vendor_product_id"], p["quantity_qty"], p["unit_cost"], p["is_active"], p["is_free"], p["start_date"])
        for p in tables["purchases"]
    ]
    assert found == [
        ("Mail|1-Month", Decimal(12), Decimal("0.300000"), True, False, date(2026, 10, 31)),
        ("Mail|1-Year", Decimal(5), Decimal("8.333333"), False, False, date(2026, 10, 1)),
        ("Mail|1-Month", Decimal(1), Decimal("3.200000"), True, True, date(2026, 2, 1)),
    ]
    assert (tables["purchases"][0]["purchase_id"], tables["purchases"][0]["evidence"]) == ("licences.xlsx:4", "src/abc/p00001/r0")
    assert [(p["vendor_product_id"], p["product_name"], p["sku"], p["term"]) for p in tables["vendor_products"]] == [
        ("Mail|1-Month", "Mail", "4711", "1-Month"),
        ("Mail|1-Year", "Mail", "4711", "1-Year"),
    ]


def test_where_an_account_is_to_be_reached(tmp_path, read):
    (tmp_path / "seats.csv").write_text("Customer,Phone,Street,Mail,Tenant\nAlder,303-555-0101,1 Quay St,AP@alder.example,g-1\n", "utf-8")
    columns = "{account: Customer, phone: Phone, address: Street, email: Mail, tenant_id: Tenant}"
    (account,) = read(f"table: usage\ncolumns: {columns}\nconstant: {{product: Seat}}")["vendor_accounts"]
    assert [account[name] for name in ("phone", "address", "email", "tenant_id")] == [
        "303-555-0101",
        "1 Quay St",
        "ap@alder.example",
        "g-1",
    ]


def test_purchases_of_nested_json_keep_exact_decimals(tmp_path, read):
    (tmp_path / "licences.json").write_text(
        '{"data": {"items": [{"customer": {"name": "Alder"}, "product": {"name": "Mail", "sku": "M1"}, "seats": 3, "cost": 0.1,'
        ' "billing": "Monthly", "term": null, "state": "Active", "start": "2026-10-31T23:30:00-05:00"}]}}',
        "utf-8",
    )
    tables = read(PURCHASES + "records: data.items\n")
    (row,) = tables["purchases"]
    assert (row["quantity_qty"], row["unit_cost"], row["vendor_product_id"]) == (Decimal(3), Decimal("0.1"), "Mail")
    assert row["start_date"] == date(2026, 11, 1), "T8: the day in UTC"


def test_several_files_are_one_source_in_order_of_name_with_their_bytes(tmp_path, fetch):
    (tmp_path / "b.csv").write_bytes(DEVICE.replace(b"Alder", b"Birch"))
    (tmp_path / "a.csv").write_bytes(DEVICE)
    (tmp_path / "~$a.csv").write_bytes(b"lock file of a spreadsheet program")
    pages = fetch(USAGE, "*.csv")
    assert [(p.endpoint, p.request.split()[0], p.body) for p in pages] == [
        ("file", "a.csv", DEVICE),
        ("file", "b.csv", DEVICE.replace(b"Alder", b"Birch")),
    ]
    assert pages[0].context["profile"] == USAGE
    assert str(tmp_path) not in str(pages[0]), "a snapshot names no folder of this machine"


def test_a_stored_page_is_read_without_the_profile_file(tmp_path, fetch):
    (tmp_path / "a.csv").write_bytes(DEVICE)
    pages = fetch(USAGE)
    (tmp_path / "profiles" / "export.yaml").unlink()
    rows = list(FILE.normalize((StoredPage(page, "src/abc/p00001") for page in pages), "src"))
    assert [row.table for row in rows if isinstance(row, Row)] == ["usage_records", "vendor_accounts", "vendor_products"]


def test_a_changed_meaning_of_the_profile_changes_the_request_and_a_comment_does_not(tmp_path, fetch):
    (tmp_path / "a.csv").write_bytes(DEVICE)
    plain, commented, changed = (fetch(text)[0].request for text in (USAGE, f"# why\n{USAGE}", f"{USAGE}aggregate: sum\n"))
    assert plain == commented != changed


def test_the_pattern_may_name_the_month(tmp_path, read):
    for month in ("2026-09", "2026-10"):
        (tmp_path / f"d-{month}.csv").write_text(f"Organization,Site,Device,Serial,Type,Last Seen\nAlder,,{month},,,\n", "utf-8")
    assert [r["unit_name"] for r in read(USAGE, path="d-{period}.csv")["usage_records"]] == ["2026-10"]


@pytest.mark.parametrize("aggregate", ["keep", "sum"])
def test_t12_several_rows_of_one_account_and_product_are_summed_only_when_the_profile_says_so(tmp_path, read, aggregate):
    (tmp_path / "l.csv").write_text("Customer,Product,Seats\nAlder,Mail,2\nBirch,Mail,1\nAlder,Mail,3\n", "utf-8")
    profile = f"table: purchases\ncolumns: {{account: Customer, product: Product, quantity: Seats}}\naggregate: {aggregate}\n"
    found = [(p["vendor_account_id"], p["quantity_qty"], p["evidence"]) for p in read(profile)["purchases"]]
    at = "src/abc/p00001/r"
    assert (
        found
        == {
            "keep": [("Alder", Decimal(2), f"{at}0"), ("Birch", Decimal(1), f"{at}1"), ("Alder", Decimal(3), f"{at}2")],
            "sum": [("Alder", Decimal(5), f"{at}0 {at}2"), ("Birch", Decimal(1), f"{at}1")],
        }[aggregate]
    )
