"""Partner Center's subscriptions: every customer's, by the cursor of the page before; what may not be read is never zero."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qs

import httpx
import pytest

from reconlib.connectors import CONNECTORS
from reconlib.connectors.partner_center_purchases import CURSOR
from reconlib.connectors.partner_center_rows import Seen, charge_rows, read_line
from reconlib.errors import AuthenticationError, ShapeError, VendorError
from reconlib.invoices.three_way import Charged, compare_seats
from reconlib.renewals import is_new_commerce
from reconlib.schema import CANONICAL, make_table

PURCHASES = CONNECTORS["partner_center_purchases"]
BASE, TOKEN = "https://graph.vendor.example", "https://login.vendor.example/{tenant}/oauth2/v2.0/token"
C1, C2 = "0c1-aaaa", "0c2-bbbb"


def customer(number, **more):
    profile = {"tenantId": number, "domain": f"{number}.OnMicrosoft.example", "companyName": f"Client {number}"}
    return {"id": number, "companyProfile": profile, "relationshipToPartner": "reseller"} | more


def subscription(number="s1", **more):
    return {
        "id": number,
        "offerId": "CFQ7TTC0LH18:0001:CFQ7TTC0K971",
        "offerName": "Microsoft 365 Business Basic",
        "quantity": 25,
        "unitType": "Licenses",
        "creationDate": "2025-11-03T23:30:00-05:00",
        "effectiveStartDate": "2025-11-04T00:00:00Z",
        "commitmentEndDate": "2026-11-03T00:00:00Z",
        "status": "active",
        "isTrial": False,
        "billingType": "license",
        "billingCycle": "monthly",
        "termDuration": "P1Y",
    } | more


def listed(*records, **more):
    return {"totalCount": len(records), "items": list(records)} | more


def seeking(records, size, *, counts_all=False):
    """A list in pages: each names the next by a header, and counts itself or everything."""

    def answer(request):
        start = int(request.headers.get(CURSOR, "c0").removeprefix("c"))
        assert ("seekOperation" in request.url.params) == (CURSOR in request.headers)
        page = records[start : start + size]
        body = listed(*page, totalCount=len(records) if counts_all else len(page), links={"self": {"uri": "/customers", "headers": []}})
        if start + size < len(records):
            cursor = [{"key": CURSOR, "value": f"c{start + size}"}]
            body["links"]["next"] = {"uri": "https://elsewhere.example/customers", "method": "GET", "headers": cursor}
        return httpx.Response(200, json=body)

    return answer


@pytest.fixture
def center(vendor):
    vendor.answers = {
        "/s3cr3t-value-TENANT/oauth2/v2.0/token": {"access_token": "t0ken", "expires_in": 3599},
        "/v1/customers": listed(customer(C1), customer(C2)),
        f"/v1/customers/{C1}/subscriptions": listed(subscription()),
        f"/v1/customers/{C2}/subscriptions": listed(),
    }
    return vendor


@pytest.fixture
def bought(center, read):
    def run(*subscriptions):
        center.answers[f"/v1/customers/{C1}/subscriptions"] = listed(*subscriptions)
        run.tables, run.rejects = read(PURCHASES, center.fetch(PURCHASES, BASE, TOKEN))
        return run.tables.get("purchases", [])

    return run


def test_values_of_a_subscription(bought):
    (row,) = bought(subscription())
    assert (row["purchase_id"], row["vendor_account_id"], row["quantity_qty"], row["status"]) == ("s1", C1, Decimal(25), "active")
    assert (row["start_date"], row["commitment_end_date"], row["term"]) == (
        date(2025, 11, 4),
        date(2026, 11, 3),
        "12 months, billed every 1",
    )
    assert (row["is_active"], row["is_free"], row["unit_cost"], row["currency"]) == (True, False, None, None)
    assert bought.rejects == []
    assert [(a["vendor_account_id"], a["tenant_id"], a["account_name"], a["domain"]) for a in bought.tables["vendor_accounts"]] == [
        (C1, C1, f"Client {C1}", f"{C1}.onmicrosoft.example"),
        (C2, C2, f"Client {C2}", f"{C2}.onmicrosoft.example"),
    ]
    (product,) = bought.tables["vendor_products"]
    assert (product["sku"], product["product_name"]) == ("CFQ7TTC0LH18:0001", "Microsoft 365 Business Basic")
    assert is_new_commerce(product)
    for name, rows in bought.tables.items():
        assert make_table(CANONICAL[name], rows).num_rows == len(rows)


@pytest.mark.parametrize("size", [1, 2, 5, 500])
@pytest.mark.parametrize("counts_all", [False, True])
def test_every_customer_is_read_for_any_page_size_and_the_cursor_is_sent(center, read, size, counts_all):
    numbers = [f"0c-{n}" for n in range(5)]
    center.answers["/v1/customers"] = seeking([customer(n) for n in numbers], size, counts_all=counts_all)
    center.answers |= {f"/v1/customers/{n}/subscriptions": listed(subscription(f"s-{n}")) for n in numbers}
    tables, _ = read(PURCHASES, center.fetch(PURCHASES, BASE, TOKEN))
    assert [row["purchase_id"] for row in tables["purchases"]] == [f"s-{n}" for n in numbers]
    asked = [r for r in center.requests if r.url.path == "/v1/customers"]
    assert [r.headers.get(CURSOR) for r in asked] == [None, *(f"c{n}" for n in range(size, 5, size))]
    assert {r.url.params["size"] for r in asked} == {"500"}
    assert {r.url.host for r in center.requests} == {"login.vendor.example", "graph.vendor.example"}


def test_subscriptions_in_pages_are_read_whole(center, read):
    every = [subscription(f"s{n}") for n in range(3)]
    center.answers[f"/v1/customers/{C1}/subscriptions"] = seeking(every, 2)
    tables, _ = read(PURCHASES, center.fetch(PURCHASES, BASE, TOKEN))
    assert [row["purchase_id"] for row in tables["purchases"]] == ["s0", "s1", "s2"]


@pytest.mark.parametrize(
    "headers", [[], None, [{"key": CURSOR, "value": ""}], [{"key": CURSOR, "value": "a\nb"}], [{"key": "Other", "value": "x"}]]
)
def test_a_next_page_that_nothing_names_is_not_left_out(center, headers):
    following = {"next": {"uri": "/customers?size=500&seekOperation=Next", "headers": headers}}
    center.answers["/v1/customers"] = listed(customer(C1), links=following)
    with pytest.raises(ShapeError, match="source v, customers: there is a next page"):
        center.fetch(PURCHASES, BASE, TOKEN)


def test_a_cursor_that_leads_back_is_a_circle(center):
    back = {"next": {"headers": [{"key": CURSOR, "value": "same"}]}}
    numbers = iter(range(9))
    center.answers["/v1/customers"] = lambda _: httpx.Response(200, json=listed(customer(f"c-{next(numbers)}"), links=back))
    with pytest.raises(VendorError, match="circle"):
        center.fetch(PURCHASES, BASE, TOKEN)


@pytest.mark.parametrize("path", ["/v1/customers", f"/v1/customers/{C1}/subscriptions"])
def test_a_list_that_is_not_what_the_vendor_says_there_is_is_not_trusted(center, path):
    center.answers[path] = listed(customer(C1) if path == "/v1/customers" else subscription(), totalCount=3)
    with pytest.raises(VendorError, match="1 records received of 3"):
        center.fetch(PURCHASES, BASE, TOKEN)
    center.answers[path] = {"items": []}
    with pytest.raises(ShapeError, match="no number 'totalCount'"):
        center.fetch(PURCHASES, BASE, TOKEN)
    center.answers[path] = {"totalCount": 0, "value": []}
    with pytest.raises(ShapeError, match="no field 'items'"):
        center.fetch(PURCHASES, BASE, TOKEN)


def test_a_customer_listed_twice_is_a_list_that_changed(center):
    center.answers["/v1/customers"] = listed(customer(C1), customer(C1))
    with pytest.raises(VendorError, match=f"customer {C1} is listed twice"):
        center.fetch(PURCHASES, BASE, TOKEN)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    ("path", "named"), [("/v1/customers", "customers"), (f"/v1/customers/{C2}/subscriptions", f"subscriptions of customer {C2}")]
)
def test_t1_what_may_not_be_read_fails_the_source_and_says_whose(center, path, named, status):
    center.answers[path] = httpx.Response(status, json={"code": "40301", "description": "no right"})
    with pytest.raises(AuthenticationError, match=rf"source v, {named}: credentials refused \({status}\)\nHint: .*not zero"):
        center.fetch(PURCHASES, BASE, TOKEN)


@pytest.mark.parametrize("relation", ["advisor", "none", "microsoft_support", "MicrosoftSupport"])
def test_a_customer_who_buys_nothing_from_this_partner_is_not_asked_about(center, read, relation):
    center.answers["/v1/customers"] = listed(customer(C1), customer(C2, relationshipToPartner=relation))
    center.answers[f"/v1/customers/{C2}/subscriptions"] = httpx.Response(403)
    tables, _ = read(PURCHASES, center.fetch(PURCHASES, BASE, TOKEN))
    assert [row["status"] for row in tables["vendor_accounts"]] == ["reseller", relation]
    assert len(tables["purchases"]) == 1


@pytest.mark.parametrize("relation", ["reseller", "syndication", "unknown", None])
def test_every_other_customer_is(center, relation):
    center.answers["/v1/customers"] = listed(customer(C2, relationshipToPartner=relation))
    center.fetch(PURCHASES, BASE, TOKEN)
    assert center.sent(f"/v1/customers/{C2}/subscriptions") == [{}]


def test_an_id_cannot_lead_the_token_to_another_path(center):
    center.answers["/v1/customers"] = listed(customer("../invoices?x="))
    with pytest.raises(ShapeError, match="a customer with id"):
        center.fetch(PURCHASES, BASE, TOKEN)
    assert [r.url.path for r in center.requests][1:] == ["/v1/customers"]


def test_in_microsofts_own_cloud_it_is_asked_at_partner_center_with_a_token_for_it(center):
    center.fetch(PURCHASES, PURCHASES.base_url, TOKEN)
    token = parse_qs(center.requests[0].content.decode())
    assert token["scope"] == ["https://api.partnercenter.microsoft.com/.default"]
    assert {r.url.host for r in center.requests[1:]} == {"api.partnercenter.microsoft.com"}
    assert {(r.headers["Authorization"], r.headers["Accept"]) for r in center.requests[1:]} == {("Bearer t0ken", "application/json")}


def test_more_than_the_limit_a_minute_waits(center):
    numbers = [f"0c-{n}" for n in range(12)]
    center.answers["/v1/customers"] = listed(*map(customer, numbers))
    center.answers |= {f"/v1/customers/{n}/subscriptions": listed() for n in numbers}
    center.fetch(PURCHASES, BASE, TOKEN)
    assert len(center.slept) >= 12 + 1 - 5
    assert all(0 < seconds <= 1 / 8 for seconds in center.slept)


def test_an_answer_with_a_byte_order_mark_is_read(center, read):
    body = b"\xef\xbb\xbf" + json.dumps(listed(subscription())).encode()
    center.answers[f"/v1/customers/{C1}/subscriptions"] = body
    assert len(read(PURCHASES, center.fetch(PURCHASES, BASE, TOKEN))[0]["purchases"]) == 1


@pytest.mark.parametrize(
    ("status", "active"),
    [
        ("active", True),
        ("suspended", True),
        ("Active", True),
        ("somethingNew", True),
        ("expired", False),
        ("disabled", False),
        ("deleted", False),
        ("Deleted", False),
        ("pending", False),
        ("none", False),
    ],
)
def test_t52_suspended_is_charged_and_what_is_over_is_not(bought, status, active):
    (row,) = bought(subscription(status=status))
    assert (row["is_active"], row["status"]) == (active, status)


def test_t53_a_trial_is_free(bought):
    assert [row["is_free"] for row in bought(subscription(isTrial=True), subscription("s2", isTrial=None))] == [True, False]


@pytest.mark.parametrize(
    ("more", "ends"),
    [
        ({}, date(2026, 11, 3)),
        ({"termDuration": "P3Y", "commitmentEndDate": "2028-11-03T23:59:59.9999999Z"}, date(2028, 11, 3)),
        ({"termDuration": "P1M"}, None),
        ({"commitmentEndDate": "9999-12-10T00:00:00Z"}, None),
        ({"commitmentEndDate": "0001-01-01T00:00:00Z"}, None),
        ({"commitmentEndDate": None}, None),
        ({"offerId": "DB2E705F-B82A-4024-A3D5-D88E12F2DB35"}, None),
    ],
)
def test_t83_t86_a_commitment_ends_on_the_last_day_of_a_term_longer_than_a_month(bought, more, ends):
    (row,) = bought(subscription(**more))
    assert row["commitment_end_date"] == ends


def test_t28_one_sku_under_two_terms_or_plans_is_two_products_and_another_availability_is_the_same(bought):
    terms = [
        {"termDuration": "P1M"},
        {"billingCycle": "annual"},
        {"offerId": "CFQ7TTC0LH18:0001:OTHER"},
        {"offerId": "MS-AZR-0145P", "termDuration": ""},
    ]
    found = bought(subscription(), *(subscription(f"s{n}", **more) for n, more in enumerate(terms, 2)))
    assert [row["vendor_product_id"] for row in found] == [
        "CFQ7TTC0LH18:0001|12 months, billed every 1",
        "CFQ7TTC0LH18:0001|1 months, billed every 1",
        "CFQ7TTC0LH18:0001|12 months, billed every 12",
        "CFQ7TTC0LH18:0001|12 months, billed every 1",
        "MS-AZR-0145P",
    ]
    assert len(bought.tables["vendor_products"]) == 4


def test_t28_a_purchase_and_an_invoice_line_of_the_same_term_name_one_product(bought):
    (row,) = bought(subscription())
    values = {
        "customerId": C1, "productId": "CFQ7TTC0LH18", "skuId": "0001", "chargeType": "cycleCharge", "billableQuantity": 25, "effectiveUnitPrice": 6,
        "subtotal": 150, "currency": "USD", "subscriptionStartDate": "2025-11-04", "subscriptionEndDate": "2026-11-03", "billingFrequency": "Monthly",
    }  # fmt: skip
    charge = list(charge_rows(read_line(values, "w", "e"), "csp", "1", is_billed=True, seen=Seen()))[-1]
    assert charge.values["vendor_product_id"] == row["vendor_product_id"]


def test_t29_seats_charged_by_one_source_meet_what_another_lists_by_client_and_service(bought):
    """The id of an invoice line is not the one listed: nothing is called missing for that."""
    (row,) = bought(subscription())
    charged = Charged("csp", C1, "p", "another id", "1001", frozenset({"301"}), Decimal(27), Decimal(27), Decimal(6), "USD", lines=1)
    services = {("v", row["vendor_product_id"]): frozenset({"301"}), ("csp", "p"): frozenset({"301"})}
    (compared,) = compare_seats([charged], [row], services=services, clients={("v", C1): "1001", ("csp", C1): "1001"})
    assert (compared["status"], compared["stated_qty"], compared["expected_qty"]) == ("mismatch", 27, 25)
    assert "(by client and service)" in compared["explanation"]


@pytest.mark.parametrize("field", ["id", "offerId", "quantity", "status"])
def test_a_renamed_field_stops_the_source(bought, field):
    renamed = subscription()
    renamed[f"{field}X"] = renamed.pop(field)
    with pytest.raises(ShapeError, match=rf"source v, subscriptions, record 0 .*'{field}'.*\n.*did you mean '{field}X'"):
        bought(renamed)


@pytest.mark.parametrize(
    ("bad", "column"),
    [
        ({"quantity": None}, "quantity"),
        ({"quantity": -1}, "quantity"),
        ({"quantity": "25 seats"}, "quantity"),
        ({"commitmentEndDate": "soon"}, "commitmentEndDate"),
        ({"termDuration": "P18X"}, "termDuration"),
    ],
)
def test_one_bad_value_rejects_one_row_with_its_evidence(bought, bad, column):
    found = bought(subscription(), subscription("s2", **bad), subscription("s3"))
    assert [row["purchase_id"] for row in found] == ["s1", "s3"]
    assert [(r.column_name, r.evidence) for r in bought.rejects] == [(column, "v/0123456789ab/p00002/r1")]


SPEC = Path(__file__).parents[4] / "shared/specs/partner-center/PartnerService.json"


@pytest.mark.skipif(not SPEC.exists(), reason="Microsoft's table of paths is not beside this project (shared/specs)")
def test_paths_and_the_cursors_header_are_those_of_microsofts_own_client(center):
    table = json.loads(SPEC.read_text("utf-8"))["Apis"]
    center.answers["/v1/customers"] = seeking([customer(C1), customer(C2)], 1)
    center.fetch(PURCHASES, BASE, TOKEN)
    first, second, third, _ = (r for r in center.requests if r.method == "GET")
    assert first.url.path == f"/v1/{table['GetCustomers']['Path']}"
    assert set(second.url.params) == {table["GetCustomers"]["Parameters"][name] for name in ("Size", "SeekOperation")}
    assert second.headers[table["GetCustomers"]["AdditionalHeaders"]["ContinuationToken"]] == "c1"
    assert third.url.path == "/v1/" + table["GetCustomerSubscriptions"]["Path"].format(C1)
