"""Whatever stands in place of any value of any answer: the source is read, rejects a row, or fails in words; the run never breaks."""

from __future__ import annotations

import copy
import gzip
import json

import httpx
import pytest

from reconlib.connectors import CONNECTORS
from reconlib.errors import ReconError
from reconlib.schema import CANONICAL, make_table

GONE = object()
HOSTILE = (GONE, None, [], 10**30, "\ud800\x00")
GRAPH, LOGIN = "https://graph.vendor.example", "https://login.vendor.example/{tenant}/token"
STORE, EXPORT = "https://lease7.blob.core.windows.net", f"{GRAPH}/v1.0/reports/partners/billing"
TOKEN_URLS = {"pax8": f"{GRAPH}/token", "ninjaone": "", "connectwise_psa": "", "huntress": ""}  # the others sign in at LOGIN
TOKEN = {"access_token": "t0ken", "expires_in": 3599}


def paged(*records):
    return {"content": list(records), "page": {"size": 200, "totalElements": len(records), "totalPages": 1, "number": 0}}


def counted(*records):
    return {"totalCount": len(records), "items": list(records)}


ADDITION = {"id": 1, "product": {"id": 7, "identifier": "EDR"}, "quantity": 12, "unitPrice": 4.1, "effectiveDate": "2026-10-15T00:00:00Z"}
ITEM = {
    "id": "x1", "type": "subscription", "companyId": "c1", "startPeriod": "2026-10-01", "endPeriod": "2026-10-31", "quantity": 10, "term": "Monthly",
    "cost": 10.0, "costTotal": 100.0, "productId": "p1", "subscriptionId": "s1",
}  # fmt: skip
LINE = {
    "customerId": "c1", "productId": "P1", "skuId": "0001", "chargeType": "new", "billableQuantity": 1, "effectiveUnitPrice": 12.0, "subtotal": 12.0,
    "currency": "EUR", "chargeStartDate": "2026-10-01T00:00:00Z", "productQualifiers": ["Add-on"],
}  # fmt: skip
INVOICE = {"id": "G1", "invoiceDate": "2026-11-07", "billingPeriodEndDate": "2026-10-31", "totalCharges": 12.0, "currencyCode": "EUR"}
MANIFEST = {
    "id": "m1",
    "dataFormat": "compressedJSONLines",
    "rootDirectory": STORE,
    "sasToken": "sig=x",
    "blobCount": 1,
    "blobs": [{"name": "a.gz"}],
}
SUBSCRIPTION = {"id": "s1", "offerId": "CFQ7TTC0LH18:0001", "quantity": 2, "status": "active", "termDuration": "P1Y", "isTrial": False}
ANSWERS = {
    "connectwise_psa": {
        "/company/companies": [{"id": 1, "name": "Birch", "status": {"name": "Active"}, "types": [{"name": "Client"}]}],
        "/procurement/catalog": [{"id": 7, "identifier": "EDR", "price": 4.1}],
        "/finance/agreements": [{"id": 30, "name": "Care", "company": {"id": 1}, "billingCycle": {"name": "Monthly"}, "endDate": "2026-12-31"}],
        "/finance/agreements/30/additions": [ADDITION],
    },
    "pax8": {
        "/token": TOKEN,
        "/companies": paged({"id": "c1", "name": "Birch", "website": "birch.example", "address": {"city": "Denver"}}),
        "/products": paged({"id": "p1", "name": "Mail"}),
        "/subscriptions": paged({"id": "s1", "companyId": "c1", "productId": "p1", "quantity": 1, "status": "Active", "billingTerm": "Annual", "price": 9}),
        "/invoices": paged({"id": "i1", "invoiceDate": "2026-11-01", "total": 104.0, "carriedBalance": 0, "currencyCode": "USD"}),
        "/invoices/i1/items": paged(ITEM),
    },
    "ninjaone": {
        "/ws/oauth/token": TOKEN,
        "/v2/organizations": [{"id": 1, "name": "Birch"}],
        "/v2/devices-detailed": [
            {"id": 11, "organizationId": 1, "nodeClass": "MAC", "approvalStatus": "APPROVED", "created": 1767225599.5, "system": {"serialNumber": "S"}}
        ],
    },
    "huntress": {
        "/v1/organizations": {"organizations": [{"id": 1, "name": "B", "billable_identity_count": 9, "sat_learner_count": 0}], "pagination": {}},
        "/v1/agents": {"agents": [{"id": 1, "organization_id": 1, "created_at": "2024-03-01T20:05:10Z"}], "pagination": {}},
    },
    "msgraph": {
        "/s3cr3t-value-TENANT/token": TOKEN,
        "/t1/token": TOKEN,
        "/v1.0/contracts": {"value": [{"customerId": "t1", "displayName": "Birch", "defaultDomainName": "B.Example"}]},
        "/v1.0/subscribedSkus": {"value": [{"skuId": "g", "skuPartNumber": "SPE_E3", "consumedUnits": 14, "prepaidUnits": {"enabled": 25}}]},
    },
    "partner_center": {
        "/s3cr3t-value-TENANT/token": TOKEN,
        "/v1/invoices": counted(INVOICE),
        "/v1.0/reports/partners/billing/reconciliation/billed/export": httpx.Response(202, headers={"Location": f"{EXPORT}/operations/op1"}),
        "/v1.0/reports/partners/billing/operations/op1": {"status": "succeeded", "resourceLocation": MANIFEST},
        "/a.gz": LINE,
    },
    "partner_center_purchases": {
        "/s3cr3t-value-TENANT/token": TOKEN,
        "/v1/customers": counted({"id": "c1", "companyProfile": {"companyName": "Birch", "domain": "b.example"}, "relationshipToPartner": "reseller"}),
        "/v1/customers/c1/subscriptions": counted(SUBSCRIPTION),
    },
}  # fmt: skip


def places(value, at=()):
    """Where every value of an answer stands, the whole first."""
    yield at
    for key, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(part, (*at, key))


def replaced(answer, at, value):
    if not at:
        return None if value is GONE else value
    changed = copy.deepcopy(answer)
    inner = changed
    for key in at[:-1]:
        inner = inner[key]
    if value is GONE:
        del inner[at[-1]]
    else:
        inner[at[-1]] = value
    return changed


def read_whole(vendor, read, name, answers):
    """Rows a table and rejects; or the words the source fails with."""

    def reply(path, answer):
        if isinstance(answer, httpx.Response):
            return answer
        body = json.dumps(answer).encode()
        if path.startswith("/v2/"):
            return lambda request: httpx.Response(200, content=b"[]" if "after" in request.url.params else body)
        return httpx.Response(200, content=gzip.compress(body) if path.endswith(".gz") else body)

    vendor.answers = {path: reply(path, answer) for path, answer in answers.items()}
    try:
        tables, rejects = read(CONNECTORS[name], vendor.fetch(CONNECTORS[name], GRAPH, TOKEN_URLS.get(name, LOGIN)))
    except ReconError as error:
        return str(error)
    for table, rows in tables.items():
        make_table(CANONICAL[table], rows)
    return {table: len(rows) for table, rows in tables.items()}, rejects


def is_list_made_shorter(at, value):
    """An empty list, or one with a record less: it says so itself, and nothing in the answer contradicts it."""
    return value == [] or (value is GONE and bool(at) and isinstance(at[-1], int))


@pytest.mark.parametrize("name", ANSWERS)
def test_no_value_breaks_the_run_and_no_record_goes_without_a_word(vendor, read, name):
    answers = ANSWERS[name]
    whole, none = read_whole(vendor, read, name, answers)
    assert len(whole) > 1
    assert none == []
    failed = 0
    for path, answer in answers.items():
        for at in places(answer) if not isinstance(answer, httpx.Response) else ():
            for value in HOSTILE:
                found = read_whole(vendor, read, name, {**answers, path: replaced(answer, at, value)})
                if isinstance(found, str):
                    failed += 1
                    assert found.encode()  # it can be written
                    continue
                rows, rejects = found
                kept = all(rows.get(table, 0) >= count for table, count in whole.items())
                assert kept or rejects or is_list_made_shorter(at, value), (path, at, value)
    assert failed > len(HOSTILE)
