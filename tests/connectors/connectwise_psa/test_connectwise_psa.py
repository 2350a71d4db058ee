"""ConnectWise PSA: ids out, requests sent, nulls omitted, shapes changed."""

from __future__ import annotations

import base64
from datetime import date
from decimal import Decimal

import httpx
import pytest

from reconlib.connectors import CONNECTORS
from reconlib.errors import ShapeError, VendorError

CW = CONNECTORS["connectwise_psa"]
HOST = "https://api.vendor.example"
BASE = f"{HOST}/v4_6_release/apis/3.0"
AT = "/v4_6_release/apis/3.0"


def company(number, **more):
    return {"id": number, "identifier": f"C{number}", "name": f"Client {number}", "status": {"id": 1, "name": "Active"}} | more


def agreement(number, **more):
    return {
        "id": number,
        "name": f"Agreement {number}",
        "company": {"id": 1, "identifier": "C1", "name": "Client 1"},
        "startDate": "2025-01-01T00:00:00Z",
        "billingCycle": {"id": 2, "name": "Monthly"},
        "agreementStatus": "Active",
    } | more


def addition(number, **more):
    return {"id": number, "product": {"id": 7, "identifier": "EDR"}, "quantity": 12.5, "billCustomer": "Billable"} | more


def small_month(vendor, additions=None, agreements=None, companies=None):
    vendor.answers = {
        f"{AT}/company/companies": companies or [company(1)],
        f"{AT}/procurement/catalog": [{"id": 7, "identifier": "EDR", "description": "Endpoint protection", "price": 4.10, "cost": 2}],
        f"{AT}/finance/agreements": agreements or [agreement(30)],
        f"{AT}/finance/agreements/30/additions": [addition(1)] if additions is None else additions,
    }


def test_two_pages_give_every_id_and_the_cursor_is_sent(vendor, read):
    small_month(vendor)

    def companies(request):
        if request.url.params["page"] == "1":
            link = f'<{BASE}/company/companies?pageSize=1000&page=2&orderBy=id>; rel="next"'
            return httpx.Response(200, json=[company(1), company(2)], headers={"Link": link})
        return httpx.Response(200, json=[company(3)])

    vendor.answers[f"{AT}/company/companies"] = companies
    tables, _ = read(CW, vendor.fetch(CW, BASE))
    assert [row["client_id"] for row in tables["clients"]] == ["1", "2", "3"]
    assert [(q["page"], q["pageSize"]) for q in vendor.sent(f"{AT}/company/companies")] == [("1", "1000"), ("2", "1000")]
    assert tables["clients"][2]["evidence"] == "v/0123456789ab/p00002/r0"


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_records_do_not_depend_on_the_page_size(vendor, read, size):
    everyone = [company(n) for n in range(1, 6)]
    small_month(vendor)

    def companies(request):
        page = int(request.url.params["page"])
        more = {"Link": f'<{BASE}/company/companies?page={page + 1}>; rel="next"'} if page * size < len(everyone) else {}
        return httpx.Response(200, json=everyone[(page - 1) * size : page * size], headers=more)

    vendor.answers[f"{AT}/company/companies"] = companies
    tables, _ = read(CW, vendor.fetch(CW, BASE))
    assert [row["client_id"] for row in tables["clients"]] == ["1", "2", "3", "4", "5"]


def test_a_full_page_whose_link_got_lost_is_not_the_last(vendor, read):
    small_month(vendor)
    everyone = [company(n) for n in range(1, 1002)]
    vendor.answers[f"{AT}/company/companies"] = lambda request: httpx.Response(
        200, json=everyone[(int(request.url.params["page"]) - 1) * 1000 :][:1000]
    )
    tables, _ = read(CW, vendor.fetch(CW, BASE))
    assert len(tables["clients"]) == 1001
    assert [q["page"] for q in vendor.sent(f"{AT}/company/companies")] == ["1", "2"]
    assert [q["page"] for q in vendor.sent(f"{AT}/procurement/catalog")] == ["1"]


def test_every_request_carries_key_client_id_and_the_vendors_media_type(vendor):
    small_month(vendor)
    vendor.fetch(CW, BASE)
    expected = base64.b64encode(b"s3cr3t-value-COMPANY+s3cr3t-value-PUBLIC_KEY:s3cr3t-value-PRIVATE_KEY").decode()
    for request in vendor.requests:
        assert request.headers["Authorization"] == f"Basic {expected}"
        assert request.headers["clientId"] == "s3cr3t-value-CLIENT_ID"
        assert request.headers["Accept"] == "application/vnd.connectwise.com+json; version=2025.1"


def test_where_a_company_is_to_be_reached(vendor, read):
    place = {"addressLine1": "1 Quay St", "city": "Denver", "state": "CO", "zip": "80202", "phoneNumber": "303-555-0101"}
    small_month(vendor, companies=[company(1, **place, invoiceToEmailAddress="AP@c1.example; boss@c1.example"), company(2)])
    tables, _ = read(CW, vendor.fetch(CW, BASE))
    reached = [(row["phone"], row["address"], row["email"]) for row in tables["clients"]]
    assert reached == [("303-555-0101", "1 Quay St, Denver, CO, 80202", "ap@c1.example"), (None, None, None)]


def test_omitted_nulls_and_exact_numbers(vendor, read):
    small_month(vendor, additions=[addition(1, unitPrice=4.10, effectiveDate="2026-10-15T00:00:00Z"), addition(2, lessIncluded=2)])
    tables, rejects = read(CW, vendor.fetch(CW, BASE))
    first, second = tables["agreement_lines"]
    assert (first["quantity_qty"], first["unit_price"], first["included_qty"], first["unit_cost"]) == (
        Decimal("12.5"),
        Decimal("4.10"),
        0,
        None,
    )
    assert (first["effective_date"], first["cancelled_date"], first["client_id"], first["agreement_id"]) == (
        date(2026, 10, 15),
        None,
        "1",
        "30",
    )
    assert second["included_qty"] == 2
    assert tables["agreements"][0]["end_date"] is None
    assert rejects == []


@pytest.mark.parametrize(
    ("more", "asked"),
    [
        ({}, True),
        ({"endDate": "2026-09-01T00:00:00Z"}, True),
        ({"endDate": "2026-08-31T00:00:00Z"}, False),
        ({"endDate": "2026-08-31T00:00:00Z", "noEndingDateFlag": True}, True),
        ({"dateCancelled": "2026-08-31T00:00:00Z", "cancelledFlag": True}, False),
        ({"cancelledFlag": True, "agreementStatus": "Cancelled"}, True),
    ],
)
def test_additions_are_read_for_what_could_be_billed_this_month_or_last(vendor, more, asked):
    small_month(vendor, agreements=[agreement(30, **more)])
    vendor.fetch(CW, BASE)
    assert bool(vendor.sent(f"{AT}/finance/agreements/30/additions")) is asked


@pytest.mark.parametrize(
    ("more", "billable", "deleted"),
    [
        ({}, True, False),
        ({"status": {"name": "Inactive"}}, False, False),
        ({"status": {"name": "Not-Approved"}}, False, False),
        ({"types": [{"id": 1, "name": "Prospect"}]}, False, False),
        ({"types": [{"id": 1, "name": "Prospect"}, {"id": 2, "name": "Client"}]}, True, False),
        ({"deletedFlag": True}, True, True),
    ],
)
def test_t13_t14_who_is_a_customer(vendor, read, more, billable, deleted):
    small_month(vendor, companies=[company(1, **more)])
    tables, _ = read(CW, vendor.fetch(CW, BASE))
    assert (tables["clients"][0]["is_billable"], tables["clients"][0]["is_deleted"]) == (billable, deleted)


@pytest.mark.parametrize(
    ("cycle", "months", "rejected"),
    [
        ("Monthly", 1, 0),
        ("Quarterly", 3, 0),
        ("Semi-Annual", 6, 0),
        ("Annual", 12, 0),
        ("2 Years", 24, 0),
        ("One Time", None, 0),
        ("Fortnightly", None, 1),
    ],
)
def test_billing_cycle_in_months(vendor, read, cycle, months, rejected):
    small_month(vendor, agreements=[agreement(30, billingCycle={"id": 1, "name": cycle})])
    tables, rejects = read(CW, vendor.fetch(CW, BASE))
    assert tables["agreements"][0]["cycle_months"] == months
    assert len(rejects) == rejected


def test_a_renamed_quantity_stops_the_source_with_the_nearest_name(vendor, read):
    renamed = addition(2)
    renamed["quantityQty"] = renamed.pop("quantity")
    small_month(vendor, additions=[addition(1), renamed])
    pages = vendor.fetch(CW, BASE)
    with pytest.raises(ShapeError, match=r"source v, additions, record 1 .*'quantity'.*\n.*'quantityQty'"):
        read(CW, pages)


@pytest.mark.parametrize(
    ("bad", "column"),
    [
        ({"effectiveDate": "2026-02-31T00:00:00Z"}, "effectiveDate"),
        ({"quantity": "many"}, "quantity"),
        ({"quantity": None}, "quantity"),
        ({"quantity": -1.7976931348623157e308}, "quantity"),
        ({"unitPrice": 1.23456789}, "unitPrice"),
        ({"billCustomer": "Perhaps"}, "billCustomer"),
    ],
)
def test_one_bad_value_rejects_one_row_with_its_evidence(vendor, read, bad, column):
    small_month(vendor, additions=[addition(1), addition(2, **bad), addition(3)])
    tables, rejects = read(CW, vendor.fetch(CW, BASE))
    assert [row["agreement_line_id"] for row in tables["agreement_lines"]] == ["1", "3"]
    assert [(r.column_name, r.evidence) for r in rejects] == [(column, "v/0123456789ab/p00004/r1")]


@pytest.mark.parametrize("endpoint", ["companies", "agreements", "additions"])
def test_an_envelope_where_a_list_was_is_a_changed_shape_already_while_fetching(vendor, endpoint):
    small_month(vendor, **{endpoint: {"data": []}})
    with pytest.raises(ShapeError, match=f"source v, {endpoint}: expected a list of objects, got an object"):
        vendor.fetch(CW, BASE)


def test_404_hints_at_codebase_and_credentials(vendor):
    with pytest.raises(VendorError, match=r"codebase.*credentials"):
        vendor.fetch(CW, BASE)


def test_a_product_gone_from_the_catalogue_is_still_a_service(vendor, read):
    small_month(vendor, additions=[addition(1, product={"id": 99, "identifier": "OLD"})])
    tables, _ = read(CW, vendor.fetch(CW, BASE))
    assert {(s["service_id"], s["service_code"], s["is_active"]) for s in tables["services"]} == {("7", "EDR", True), ("99", "OLD", False)}
