"""Partner Center: an export asked for, waited for and fetched; the lease's signature kept nowhere and sent to its store alone."""

from __future__ import annotations

import gzip
import json
import logging
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from reconlib.connectors import CONNECTORS
from reconlib.connectors.contract import Fetch
from reconlib.errors import AuthenticationError, ShapeError, VendorError
from reconlib.period import Period

PC = CONNECTORS["partner_center"]
BASE, TOKEN = "https://graph.vendor.example", "https://login.vendor.example/{tenant}/oauth2/v2.0/token"
STORE = "https://lease7.blob.core.windows.net/billed/PartnerTenantId=p1/InvoiceId=G1"
SIGNATURE = "sv=2021-08-06&se=2026-11-08T12%3A37%3A17Z&sp=rl&sig=RpVY0WBGUHJ2%2FaoJX1bM%3D"
REPORTS = "/v1.0/reports/partners/billing"
PLACE = f"{BASE}{REPORTS}/operations/op1"


def line(**more):
    return {
        "customerId": "c1",
        "customerName": "Contoso",
        "customerDomainName": "Contoso.onmicrosoft.example",
        "invoiceNumber": "G1",
        "orderDate": "2026-10-20T23:30:00-05:00",
        "productId": "CFQ7TTC0LH18",
        "skuId": "0001",
        "skuName": "Business Standard",
        "chargeType": "new",
        "unitPrice": 12,
        "quantity": 1,
        "billableQuantity": 10,
        "effectiveUnitPrice": 12.0,
        "subtotal": 120.0,
        "taxTotal": 24.0,
        "totalForCustomer": 144.0,
        "currency": "EUR",
        "publisherName": "Microsoft",
        "subscriptionId": "s1",
        "chargeStartDate": "2026-10-01T00:00:00Z",
        "chargeEndDate": "2026-10-31T00:00:00Z",
        "termAndBillingCycle": "One-Year commitment for monthly/yearly billing",
        "billingFrequency": "Monthly",
        "pricingCurrency": "USD",
        "pcToBCExchangeRate": 0.846202666,
        "subscriptionStartDate": "2026-10-01T00:00:00Z",
        "subscriptionEndDate": "2027-09-30T00:00:00Z",
        "referenceId": "r1",
        "productQualifiers": ["Add-on"],
    } | more


def invoice(number="G1", **more):
    return {
        "id": number,
        "invoiceDate": "2026-11-07T00:00:00Z",
        "billingPeriodStartDate": "2026-10-01T00:00:00Z",
        "billingPeriodEndDate": "2026-10-31T00:00:00Z",
        "totalCharges": 144.0,
        "currencyCode": "EUR",
        "documentType": "invoice",
        "invoiceType": "OneTime",
    } | more


def manifest(**more):
    return {
        "id": "m1",
        "schemaVersion": "2",
        "dataFormat": "compressedJSONLines",
        "eTag": "e",
        "rootDirectory": STORE,
        "sasToken": SIGNATURE,
        "partitionType": "default",
        "blobCount": 1,
        "blobs": [{"name": "part-0.json.gz", "partitionValue": "default"}],
    } | more


def packed(*lines):
    return gzip.compress("\n".join(json.dumps(one) for one in lines).encode())


@pytest.fixture
def center(vendor):
    succeeded = {"id": "op1", "status": "succeeded", "resourceLocation": manifest()}
    vendor.answers = {
        "/s3cr3t-value-TENANT/oauth2/v2.0/token": {"access_token": "t0ken", "expires_in": 3599},
        "/v1/invoices": {"totalCount": 2, "items": [invoice(), invoice("G0", billingPeriodEndDate="2026-09-30T00:00:00Z")]},
        f"{REPORTS}/reconciliation/billed/export": httpx.Response(202, headers={"Location": PLACE}),
        f"{REPORTS}/reconciliation/unbilled/export": httpx.Response(202, headers={"Location": PLACE}),
        f"{REPORTS}/operations/op1": [
            httpx.Response(200, json={"status": "notStarted"}),
            httpx.Response(200, headers={"Retry-After": "5"}, json={"status": "running"}),
            httpx.Response(200, json=succeeded),
        ],
        "/billed/PartnerTenantId=p1/InvoiceId=G1/part-0.json.gz": httpx.Response(200, content=packed(line())),
    }
    return vendor


def finished(center, **more):
    center.answers[f"{REPORTS}/operations/op1"] = {"status": "succeeded", "resourceLocation": manifest(**more)}


def test_an_export_is_asked_for_waited_for_and_fetched(center, read):
    tables, rejects = read(PC, center.fetch(PC, BASE, TOKEN))
    (row,) = tables["vendor_charges"]
    assert rejects == []
    assert center.slept == [10.0, 5.0]
    asked = next(r for r in center.requests if r.method == "POST" and "export" in r.url.path)
    assert json.loads(asked.content) == {"invoiceId": "G1", "attributeSet": "full"}
    assert (row["quantity_qty"], row["unit_cost"], row["list_price"], row["amount"], row["tax_amount"]) == (10, 12, 12, 120, 24)
    assert (row["invoice_id"], row["is_billed"], row["cycle_months"], row["product_class"]) == ("G1", True, 1, "licence")
    assert (row["start_date"], row["end_date"], row["term_end_date"]) == (date(2026, 10, 1), date(2026, 10, 31), date(2027, 9, 30))
    assert (row["exchange_rate"], row["pricing_currency"]) == (Decimal("0.846202666"), "USD")
    assert row["vendor_product_id"] == "CFQ7TTC0LH18:0001|12 months, billed every 1"
    assert [a["vendor_account_id"] for a in tables["vendor_accounts"]] == ["c1"]
    assert [p["sku"] for p in tables["vendor_products"]] == ["CFQ7TTC0LH18:0001"]


def test_t6_the_head_of_the_months_invoice_is_with_tax(center, read):
    tables, _ = read(PC, center.fetch(PC, BASE, TOKEN))
    (head,) = tables["vendor_invoices"]
    assert (head["invoice_id"], head["total_amount"], head.get("amount")) == ("G1", 144, None)


def test_t8_an_event_late_in_the_day_of_another_zone_belongs_to_its_utc_day(center, read):
    tables, _ = read(PC, center.fetch(PC, BASE, TOKEN))
    assert tables["vendor_charges"][0]["order_date"] == date(2026, 10, 21)


def test_the_signature_is_sent_to_the_store_alone_and_stands_nowhere(center, caplog):
    caplog.set_level(logging.DEBUG)
    pages = center.fetch(PC, BASE, TOKEN)
    (leased,) = [r for r in center.requests if r.url.host.endswith("blob.core.windows.net")]
    assert leased.url.query.decode() == SIGNATURE
    assert not {"authorization", "accept", "user-agent", "cookie"} & set(leased.headers)
    assert [r for r in center.requests if "sig=" in str(r.url) and r is not leased] == []
    said = " ".join(f"{page.request} {page.context}" for page in pages) + caplog.text
    kept = b"".join(page.body for page in pages if page.endpoint != "billed")
    assert "RpVY0WBGUHJ2" not in said
    assert b"RpVY0WBGUHJ2" not in kept
    assert {r.headers["Authorization"] for r in center.requests if r.url.host == "graph.vendor.example"} == {"Bearer t0ken"}


def test_the_manifest_may_be_a_link_and_its_body_is_not_kept(center):
    link = f"{BASE}{REPORTS}/manifests/m1"
    center.answers[f"{REPORTS}/operations/op1"] = {"status": "succeeded", "resourceLocation@odata.navigationLink": link}
    center.answers[f"{REPORTS}/manifests/m1"] = manifest()
    assert [page.endpoint for page in center.fetch(PC, BASE, TOKEN)] == ["invoices", "manifest", "billed"]


@pytest.mark.parametrize(
    "folder",
    [
        "https://blob.core.windows.net.attacker.example/x",
        "https://attacker.example/x",
        "http://lease7.blob.core.windows.net/x",
        "https://user:pass@lease7.blob.core.windows.net/x",
        "x",
    ],
)
def test_a_store_elsewhere_gets_no_signature(center, folder):
    finished(center, rootDirectory=folder)
    with pytest.raises(VendorError, match="not fetched") as caught:
        center.fetch(PC, BASE, TOKEN)
    assert "sig=" not in str(caught.value)
    assert {r.url.host for r in center.requests} == {"login.vendor.example", "graph.vendor.example"}


@pytest.mark.parametrize("place", ["https://graph.attacker.example/op", "/op1", ""])
def test_an_answer_placed_elsewhere_gets_no_token(center, place):
    center.answers[f"{REPORTS}/reconciliation/billed/export"] = httpx.Response(202, headers={"Location": place})
    with pytest.raises(VendorError):
        center.fetch(PC, BASE, TOKEN)
    assert {r.url.host for r in center.requests} == {"login.vendor.example", "graph.vendor.example"}


def test_a_file_name_cannot_lead_the_signature_elsewhere(center):
    finished(center, blobs=[{"name": "../../other?x="}])
    with pytest.raises(VendorError, match="answered 404"):
        center.fetch(PC, BASE, TOKEN)
    assert b"/InvoiceId=G1/..%2F..%2Fother%3Fx%3D?sv=" in center.requests[-1].url.raw_path


def test_a_refused_lease_names_no_signature(center):
    center.answers["/billed/PartnerTenantId=p1/InvoiceId=G1/part-0.json.gz"] = httpx.Response(403)
    with pytest.raises(AuthenticationError) as caught:
        center.fetch(PC, BASE, TOKEN)
    assert "RpVY0WBGUHJ2" not in str(caught.value)


def test_a_failed_export_comes_with_200_and_stops_the_source(center):
    failed = {"status": "failed", "error": {"code": "5000", "message": "No data available"}}
    center.answers[f"{REPORTS}/operations/op1"] = failed
    with pytest.raises(VendorError, match=r"source v, billed: the export of G1 full failed: No data available \(5000\)"):
        center.fetch(PC, BASE, TOKEN)


def test_an_export_that_never_ends_is_given_up(center, monkeypatch):
    monkeypatch.setattr("reconlib.connectors.partner_center.WAIT_S", 60.0)
    place = f"{REPORTS}/operations/op1"
    for headers, slept in (({}, [10.0] * 6), ({"Retry-After": "0"}, [10.0] * 6), ({"Retry-After": "45"}, [45.0] * 2)):
        center.slept.clear()
        center.answers[place] = httpx.Response(200, headers=headers, json={"status": "running"})
        with pytest.raises(VendorError, match="did not end within 60 s"):
            center.fetch(PC, BASE, TOKEN)
        assert center.slept == slept


@pytest.mark.parametrize("field", ["id", "totalCharges", "currencyCode"])
def test_an_invoice_that_lost_a_field_stops_the_source_in_words(center, read, field):
    lost = invoice()
    del lost[field]
    center.answers["/v1/invoices"] = {"totalCount": 1, "items": [lost]}
    with pytest.raises(ShapeError, match=f"source v, invoices.*no field '{field}'"):
        read(PC, center.fetch(PC, BASE, TOKEN))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"blobs": [{"name": "part\x07"}]}, "names 0 files of 1"),
        ({"blobs": [{"name": "a"}, {"name": "a"}], "blobCount": 2}, "names 1 files of 2"),
        ({"blobCount": 2}, "names 1 files of 2"),
        ({"dataFormat": "parquet"}, "not compressed JSON"),
        ({"sasToken": None}, "how to get them"),
    ],
)
def test_an_export_that_is_not_whole_stops_the_source(center, more, said):
    finished(center, **more)
    with pytest.raises(ShapeError, match=said):
        center.fetch(PC, BASE, TOKEN)


def test_t7_before_the_invoice_the_unbilled_lines_stand_for_the_month(center, read):
    center.answers["/v1/invoices"] = {"totalCount": 1, "items": [invoice("G0", billingPeriodEndDate="2026-09-30T00:00:00Z")]}
    tables, _ = read(PC, center.fetch(PC, BASE, TOKEN))
    asked = next(r for r in center.requests if r.method == "POST" and "export" in r.url.path)
    assert json.loads(asked.content) == {"currencyCode": "EUR", "billingPeriod": "last", "attributeSet": "full"}
    assert [(r["is_billed"], r["invoice_id"]) for r in tables["vendor_charges"]] == [(False, None)]
    assert "vendor_invoices" not in tables


def test_t1_without_any_invoice_the_currency_of_unbilled_lines_is_not_guessed(center):
    center.answers["/v1/invoices"] = {"totalCount": 0, "items": []}
    with pytest.raises(VendorError, match="currency of unbilled lines is not known"):
        center.fetch(PC, BASE, TOKEN)


def test_t94_a_credit_note_is_a_head_below_zero_and_asks_for_no_lines(center, read):
    note = invoice("G2", documentType="credit_note", amendsOf="G1", totalCharges=12)
    center.answers["/v1/invoices"] = {"totalCount": 2, "items": [invoice(), note]}
    tables, _ = read(PC, center.fetch(PC, BASE, TOKEN))
    assert [(h["invoice_id"], h["total_amount"], h["amends_invoice_id"]) for h in tables["vendor_invoices"]] == [
        ("G1", 144, None),
        ("G2", -12, "G1"),
    ]
    assert len([r for r in center.requests if "export" in r.url.path]) == 1


def test_an_invoice_of_the_older_commerce_is_told_and_not_dropped(center, read):
    center.answers["/v1/invoices"] = {"totalCount": 2, "items": [invoice(), invoice("D9", invoiceType="Recurring")]}
    tables, rejects = read(PC, center.fetch(PC, BASE, TOKEN))
    assert [h["invoice_id"] for h in tables["vendor_invoices"]] == ["G1"]
    assert [(r.column_name, "D9" in r.reason) for r in rejects] == [("invoiceType", True)]


def test_invoices_are_paged_until_all_are_there(center):
    pages = [{"totalCount": 2, "items": [invoice()]}, {"totalCount": 2, "items": [invoice("G0", billingPeriodEndDate="2026-09-30")]}]
    center.answers["/v1/invoices"] = [httpx.Response(200, json=page) for page in pages]
    center.fetch(PC, BASE, TOKEN)
    assert center.sent("/v1/invoices") == [{"size": "500", "offset": "0"}, {"size": "500", "offset": "1"}]
    center.answers["/v1/invoices"] = [
        httpx.Response(200, json={"totalCount": 3, "items": [invoice()]}),
        httpx.Response(200, json={"totalCount": 3, "items": []}),
    ]
    with pytest.raises(VendorError, match="1 invoices received of 3"):
        center.fetch(PC, BASE, TOKEN)


def test_microsofts_own_cloud_lists_invoices_on_another_host_with_a_token_of_its_own(center):
    place = f"https://graph.microsoft.com{REPORTS}/operations/op1"
    center.answers[f"{REPORTS}/reconciliation/billed/export"] = httpx.Response(202, headers={"Location": place})
    scopes = []

    def token(request):
        scopes.append(request.content.decode())
        return httpx.Response(200, json={"access_token": f"t{len(scopes)}", "expires_in": 3599})

    center.answers["/s3cr3t-value-TENANT/oauth2/v2.0/token"] = token
    center.fetch(PC, PC.base_url, TOKEN)
    sent = {(r.url.host, r.headers.get("Authorization")) for r in center.requests if r.url.host.endswith("microsoft.com")}
    assert sent == {("api.partnercenter.microsoft.com", "Bearer t1"), ("graph.microsoft.com", "Bearer t2")}
    assert "api.partnercenter.microsoft.com" in scopes[0]


def test_a_cut_file_and_a_renamed_field_stop_the_source(center, read):
    name = "/billed/PartnerTenantId=p1/InvoiceId=G1/part-0.json.gz"
    center.answers[name] = httpx.Response(200, content=packed(line())[:-12])
    with pytest.raises(ShapeError, match="cut or not compressed"):
        read(PC, center.fetch(PC, BASE, TOKEN))
    renamed = line()
    renamed["billedQuantity"] = renamed.pop("billableQuantity")
    center.answers[name] = httpx.Response(200, content=packed(renamed))
    with pytest.raises(ShapeError, match=r"'billableQuantity'.*\n.*'billedQuantity'"):
        read(PC, center.fetch(PC, BASE, TOKEN))


def test_a_file_served_already_unpacked_is_read_too(center, read):
    name = "/billed/PartnerTenantId=p1/InvoiceId=G1/part-0.json.gz"
    center.answers[name] = httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=packed(line()))
    tables, _ = read(PC, center.fetch(PC, BASE, TOKEN))
    assert len(tables["vendor_charges"]) == 1


def test_t11_a_line_sent_twice_stays_two_and_read_twice_has_the_same_ids(center, read):
    name = "/billed/PartnerTenantId=p1/InvoiceId=G1/part-0.json.gz"
    center.answers[name] = httpx.Response(200, content=packed(line(), line(), line(referenceId="r2")))
    pages = center.fetch(PC, BASE, TOKEN)
    first, second = (read(PC, pages)[0]["vendor_charges"] for _ in range(2))
    assert len({row["charge_id"] for row in first}) == 3
    assert first == second


def test_an_unreadable_number_costs_one_line(center, read):
    name = "/billed/PartnerTenantId=p1/InvoiceId=G1/part-0.json.gz"
    center.answers[name] = httpx.Response(200, content=packed(line(subtotal="many"), line()))
    tables, rejects = read(PC, center.fetch(PC, BASE, TOKEN))
    assert len(tables["vendor_charges"]) == 1
    assert [(r.column_name, r.evidence) for r in rejects] == [("subtotal", "v/0123456789ab/p00003/r0")]


def test_a_month_long_over_without_an_invoice_asks_for_nothing(center):
    center.answers["/v1/invoices"] = {"totalCount": 1, "items": [invoice()]}
    fetch = Fetch(
        "v",
        BASE,
        TOKEN,
        {name: SecretStr("x") for name in PC.credential_fields},
        Period(2026, 7),
        date(2026, 7, 31),
        now=lambda: datetime(2026, 11, 3, tzinfo=UTC),
    )
    center.answers["/x/oauth2/v2.0/token"] = {"access_token": "t0ken"}
    assert [page.endpoint for page in PC.fetch(fetch)] == ["invoices"]


SPEC = Path(__file__).parents[4] / "shared/specs/msgraph/partner-billing-examples.json"


@pytest.mark.skipif(not SPEC.exists(), reason="Microsoft's examples are not beside this project (shared/specs)")
def test_microsofts_own_examples_are_understood(center):
    said = json.loads(SPEC.read_text("utf-8"))
    asked = said["export_request"]
    assert asked["path"] == f"{REPORTS}/reconciliation/billed/export"
    assert sorted(asked["body"]) == ["attributeSet", "invoiceId"]
    place = said["export_response"]["headers"]["Location"].replace("https://graph.microsoft.com", BASE)
    center.answers[asked["path"]] = httpx.Response(said["export_response"]["status"], headers={"Location": place})
    link = said["operation_succeeded"]["resourceLocation@odata.navigationLink"].replace("https://graph.microsoft.com", BASE)
    succeeded = said["operation_succeeded"] | {"resourceLocation@odata.navigationLink": link}
    steps = [httpx.Response(200, json=said["operation_running"]), httpx.Response(200, json=succeeded)]
    center.answers[httpx.URL(place).path] = steps
    center.answers[httpx.URL(link).path] = manifest()
    assert [page.endpoint for page in center.fetch(PC, BASE, TOKEN)] == ["invoices", "manifest", "billed"]
    center.answers[httpx.URL(place).path] = said["operation_failed"]
    with pytest.raises(VendorError, match=r"No data available \(5000\)"):
        center.fetch(PC, BASE, TOKEN)
