"""Pax8: 0-based pages, terms apart, costs a month."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import httpx
import pytest

from reconlib.connectors import CONNECTORS
from reconlib.errors import ShapeError, VendorError

PAX8 = CONNECTORS["pax8"]
BASE, TOKEN = "https://api.vendor.example/v1", "https://login.vendor.example/oauth/token"


def subscription(number, **more):
    return {
        "id": f"s{number}",
        "companyId": "c1",
        "productId": "p1",
        "quantity": 10,
        "status": "Active",
        "billingTerm": "Monthly",
        "startDate": "2026-01-05T00:00:00.000+0000",
        "price": 22.0,
        "partnerCost": 18.6,
        "currencyCode": "USD",
    } | more


def paged(records, size=200, total=None):
    def answer(request):
        page = int(request.url.params["page"])
        facts = {
            "size": size,
            "totalElements": len(records) if total is None else total,
            "totalPages": -(-len(records) // size),
            "number": page,
        }
        return httpx.Response(200, json={"content": records[page * size : (page + 1) * size], "page": facts})

    return answer


@pytest.fixture
def pax8(vendor):
    vendor.answers = {
        "/oauth/token": {"access_token": "t1", "expires_in": 86400, "token_type": "Bearer"},
        "/v1/companies": paged(
            [{"id": "c1", "name": "Birch", "website": "https://www.birch.example", "status": "Active", "externalId": "1001"}]
        ),
        "/v1/products": paged([{"id": "p1", "name": "Business Premium", "sku": "MST-BP", "vendorSku": "CFQ7"}]),
        "/v1/subscriptions": paged([subscription(1)]),
        "/v1/invoices": paged([]),
        "/v1/invoices/draftItems": paged([]),
    }
    return vendor


@pytest.mark.parametrize("size", [1, 2, 3, 200])
def test_every_page_is_read_from_0_for_any_page_size(pax8, read, size):
    pax8.answers["/v1/subscriptions"] = paged([subscription(n) for n in range(5)], size)
    tables, rejects = read(PAX8, pax8.fetch(PAX8, BASE, TOKEN))
    assert [row["purchase_id"] for row in tables["purchases"]] == ["s0", "s1", "s2", "s3", "s4"]
    assert [q["page"] for q in pax8.sent("/v1/subscriptions")] == [str(n) for n in range(-(-5 // size))]
    assert rejects == []


def test_token_is_asked_for_in_json_and_sent_to_the_vendor_only(pax8):
    pax8.fetch(PAX8, BASE, TOKEN)
    asked = json.loads(pax8.requests[0].content)
    assert asked == {
        "grant_type": "client_credentials",
        "client_id": "s3cr3t-value-CLIENT_ID",
        "client_secret": "s3cr3t-value-CLIENT_SECRET",
        "audience": "https://api.pax8.com",
    }
    assert {r.headers["Authorization"] for r in pax8.requests[1:]} == {"Bearer t1"}


def test_no_page_at_all_is_an_empty_list(pax8, read):
    pax8.answers["/v1/subscriptions"] = paged([])
    tables, _ = read(PAX8, pax8.fetch(PAX8, BASE, TOKEN))
    assert "purchases" not in tables
    assert tables["vendor_accounts"][0]["external_id"] == "1001"


def test_where_a_company_is_to_be_reached(pax8, read):
    address = {"street": "1 Quay St", "street2": None, "city": "Denver", "stateOrProvince": "CO", "postalCode": "80202", "country": "US"}
    pax8.answers["/v1/companies"] = paged([{"id": "c1", "name": "Birch", "phone": "303-555-0101", "address": address}])
    (account,) = read(PAX8, pax8.fetch(PAX8, BASE, TOKEN))[0]["vendor_accounts"]
    assert (account["phone"], account["address"]) == ("303-555-0101", "1 Quay St, Denver, CO, 80202")


def test_a_list_that_changes_while_it_is_read_is_not_trusted(pax8):
    pax8.answers["/v1/subscriptions"] = paged([subscription(1)], total=2)
    with pytest.raises(VendorError, match="source v, subscriptions: 1 records received of 2"):
        pax8.fetch(PAX8, BASE, TOKEN)


def test_t28_one_sku_with_two_terms_is_two_products(pax8, read):
    yearly = {"commitmentTerm": {"term": "1-Year", "endDate": "2027-01-04T00:00:00Z"}}
    pax8.answers["/v1/subscriptions"] = paged([subscription(1, **yearly), subscription(2), subscription(3, **yearly, billingTerm="Annual")])
    tables, _ = read(PAX8, pax8.fetch(PAX8, BASE, TOKEN))
    assert [(p["vendor_product_id"], p["term"], p["sku"], p["product_name"]) for p in tables["vendor_products"]] == [
        ("p1|Monthly|1-Year", "billing Monthly, commitment 1-Year", "CFQ7", "Business Premium"),
        ("p1|Monthly|-", "billing Monthly", "CFQ7", "Business Premium"),
        ("p1|Annual|1-Year", "billing Annual, commitment 1-Year", "CFQ7", "Business Premium"),
    ]
    assert [p["commitment_end_date"] for p in tables["purchases"]] == [date(2027, 1, 4), None, date(2027, 1, 4)]


@pytest.mark.parametrize(
    ("more", "ends"),
    [
        ({"billingTerm": "Monthly"}, None),
        ({"billingTerm": "Annual"}, date(2026, 11, 30)),
        ({"commitmentTerm": {"term": "1-Year"}}, date(2026, 11, 30)),
        ({"commitmentTerm": {"term": "1-Year", "endDate": "2027-01-04T00:00:00Z"}}, date(2027, 1, 4)),
    ],
)
def test_t86_what_is_bought_month_by_month_and_ends_is_not_committed_until_then(pax8, read, more, ends):
    pax8.answers["/v1/subscriptions"] = paged([subscription(1, status="PendingCancel", endDate="2026-11-30T00:00:00Z", **more)])
    (row,) = read(PAX8, pax8.fetch(PAX8, BASE, TOKEN))[0]["purchases"]
    assert (row["is_active"], row["commitment_end_date"]) == (True, ends)


@pytest.mark.parametrize(
    ("billing", "cost"),
    [
        ("Monthly", Decimal("100.00")),
        ("Annual", Decimal("8.333333")),
        ("2-Year", Decimal("4.166667")),
        ("3-Year", Decimal("2.777778")),
        ("One-Time", None),
    ],
)
def test_cost_a_month(pax8, read, billing, cost):
    pax8.answers["/v1/subscriptions"] = paged([subscription(1, billingTerm=billing, partnerCost=100.00, price=100.00)])
    tables, _ = read(PAX8, pax8.fetch(PAX8, BASE, TOKEN))
    assert (tables["purchases"][0]["unit_cost"], tables["purchases"][0]["unit_price"]) == (cost, cost)


@pytest.mark.parametrize(
    ("more", "active", "free"),
    [
        ({"status": "Suspended"}, True, False),
        ({"status": "PendingCancel"}, True, False),
        ({"status": "Cancelled"}, False, False),
        ({"status": "Converted"}, False, False),
        ({"status": "Trial"}, True, True),
        ({"billingTerm": "Trial"}, True, True),
        ({"status": "SomethingNew"}, True, False),
    ],
)
def test_t52_t53_suspended_is_charged_and_a_trial_is_free(pax8, read, more, active, free):
    pax8.answers["/v1/subscriptions"] = paged([subscription(1, **more)])
    tables, _ = read(PAX8, pax8.fetch(PAX8, BASE, TOKEN))
    assert (tables["purchases"][0]["is_active"], tables["purchases"][0]["is_free"]) == (active, free)


def test_a_renamed_quantity_stops_the_source(pax8, read):
    renamed = subscription(1)
    renamed["qty"] = renamed.pop("quantity")
    pax8.answers["/v1/subscriptions"] = paged([renamed])
    with pytest.raises(ShapeError, match=r"source v, subscriptions, record 0 .*no field 'quantity'"):
        read(PAX8, pax8.fetch(PAX8, BASE, TOKEN))


@pytest.mark.parametrize("body", [{"items": [], "page": {}}, {"content": []}, {"content": {}, "page": {}}, []])
def test_a_changed_envelope_is_found_while_fetching(pax8, body):
    pax8.answers["/v1/subscriptions"] = lambda _: httpx.Response(200, json=body)
    with pytest.raises(ShapeError, match="source v, subscriptions"):
        pax8.fetch(PAX8, BASE, TOKEN)


@pytest.mark.parametrize(
    ("bad", "column"), [({"startDate": "2026-13-01"}, "startDate"), ({"quantity": -3}, "quantity"), ({"price": "n/a"}, "price")]
)
def test_one_bad_value_rejects_one_row(pax8, read, bad, column):
    pax8.answers["/v1/subscriptions"] = paged([subscription(1, **bad), subscription(2)])
    tables, rejects = read(PAX8, pax8.fetch(PAX8, BASE, TOKEN))
    assert [row["purchase_id"] for row in tables["purchases"]] == ["s2"]
    assert [(r.column_name, r.evidence) for r in rejects] == [(column, "v/0123456789ab/p00003/r0")]
