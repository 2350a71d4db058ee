"""Microsoft Graph: a token for each tenant, assigned licences counted, next links kept at home."""

from __future__ import annotations

import json
from decimal import Decimal
from urllib.parse import parse_qs

import httpx
import pytest

from reconlib.connectors import CONNECTORS
from reconlib.errors import AuthenticationError, ShapeError, VendorError

GRAPH = CONNECTORS["msgraph"]
BASE, TOKEN = "https://graph.vendor.example", "https://login.vendor.example/{tenant}/oauth2/v2.0/token"
PARTNER = "s3cr3t-value-TENANT"


def contract(tenant, **more):
    return {"id": f"k-{tenant}", "customerId": tenant, "displayName": f"Client {tenant}", "defaultDomainName": f"{tenant}.Example"} | more


def sku(part="SPE_E3", consumed=14, **more):
    return {
        "skuId": f"guid-{part}",
        "skuPartNumber": part,
        "consumedUnits": consumed,
        "capabilityStatus": "Enabled",
        "appliesTo": "User",
        "prepaidUnits": {"enabled": 25, "suspended": 0, "warning": 2, "lockedOut": 0},
    } | more


@pytest.fixture
def graph(vendor):
    skus = {"t1": [sku()], "t2": [sku(consumed=0), sku("FLOW_FREE", 3)]}

    def licences(request):
        return httpx.Response(200, json={"value": skus[request.headers["Authorization"].removeprefix("Bearer token-of-")]})

    vendor.answers = {"/v1.0/contracts": {"value": [contract("t1"), contract("t2")]}, "/v1.0/subscribedSkus": licences}
    for tenant in (PARTNER, "t1", "t2"):
        vendor.answers[f"/{tenant}/oauth2/v2.0/token"] = {"access_token": f"token-of-{tenant}", "expires_in": 3599}
    vendor.skus = skus
    return vendor


def test_each_tenant_is_read_with_its_own_token(graph, read):
    tables, rejects = read(GRAPH, graph.fetch(GRAPH, BASE, TOKEN))
    assert [(r["usage_record_id"], r["quantity_qty"]) for r in tables["usage_records"]] == [
        ("t1:guid-SPE_E3", 14),
        ("t2:guid-SPE_E3", 0),
        ("t2:guid-FLOW_FREE", 3),
    ]
    assert [r.headers["Authorization"] for r in graph.requests if r.url.host == "graph.vendor.example"] == [
        f"Bearer token-of-{PARTNER}",
        "Bearer token-of-t1",
        "Bearer token-of-t2",
    ]
    assert rejects == []
    assert "purchases" not in tables


def test_token_request_is_a_form_with_the_scope(graph):
    graph.fetch(GRAPH, BASE, TOKEN)
    asked = parse_qs(graph.requests[0].content.decode())
    assert asked["scope"] == ["https://graph.microsoft.com/.default"]
    assert asked["grant_type"] == ["client_credentials"]


@pytest.mark.parametrize("address", [BASE, f"{BASE}/v1.0", f"{BASE}/v1.0/"])
def test_the_address_may_name_the_version(graph, address):
    assert len(graph.fetch(GRAPH, address, TOKEN)) == 3


def test_t51_values_of_a_count(graph, read):
    tables, _ = read(GRAPH, graph.fetch(GRAPH, BASE, TOKEN))
    row = tables["usage_records"][0]
    assert json.loads(row["attributes"]) == {"enabled": "25", "warning": "2", "suspended": "0", "locked_out": "0"}
    assert (row["unit_state"], row["unit_class"], row["vendor_account_id"]) == ("Enabled", "User", "t1")
    assert [(p["vendor_product_id"], p["sku"], p["is_free"]) for p in tables["vendor_products"]] == [
        ("guid-SPE_E3", "SPE_E3", False),
        ("guid-FLOW_FREE", "FLOW_FREE", True),
    ]
    assert (tables["vendor_accounts"][0]["domain"], tables["vendor_accounts"][0]["tenant_id"]) == ("t1.example", "t1")
    assert isinstance(row["quantity_qty"], Decimal)


def test_next_link_is_followed_and_a_customer_with_two_contracts_is_one_account(graph, read):
    first = {"value": [contract("t1")], "@odata.nextLink": f"{BASE}/v1.0/contracts?$skiptoken=abc"}
    second = {"value": [contract("t1", id="k-2"), contract("t2")]}
    graph.answers["/v1.0/contracts"] = [httpx.Response(200, json=first), httpx.Response(200, json=second)]
    tables, _ = read(GRAPH, graph.fetch(GRAPH, BASE, TOKEN))
    assert [a["vendor_account_id"] for a in tables["vendor_accounts"]] == ["t1", "t2"]
    assert graph.sent("/v1.0/contracts") == [{}, {"$skiptoken": "abc"}]
    assert len(graph.sent("/v1.0/subscribedSkus")) == 2


def test_a_next_link_elsewhere_gets_no_token(graph):
    graph.answers["/v1.0/contracts"] = {"value": [contract("t1")], "@odata.nextLink": "https://graph.attacker.example/v1.0/contracts?x=1"}
    with pytest.raises(VendorError, match=r"graph\.attacker\.example.*not followed"):
        graph.fetch(GRAPH, BASE, TOKEN)
    assert {r.url.host for r in graph.requests} == {"login.vendor.example", "graph.vendor.example"}


def test_a_tenant_without_consent_is_named(graph):
    graph.answers["/t2/oauth2/v2.0/token"] = httpx.Response(400, json={"error": "unauthorized_client"})
    with pytest.raises(AuthenticationError, match="tenant t2"):
        graph.fetch(GRAPH, BASE, TOKEN)


def test_a_tenant_id_cannot_lead_a_secret_elsewhere(graph):
    graph.answers["/v1.0/contracts"] = {"value": [contract("../../evil?x=")]}
    with pytest.raises(VendorError, match="source v, token"):
        graph.fetch(GRAPH, BASE, TOKEN)
    assert b"/..%2F..%2Fevil%3Fx%3D/oauth2/v2.0/token" in [r.url.raw_path for r in graph.requests]


def test_a_renamed_count_stops_the_source_with_the_nearest_name(graph, read):
    renamed = sku()
    renamed["consumedUnitCount"] = renamed.pop("consumedUnits")
    graph.skus["t1"] = [renamed]
    with pytest.raises(ShapeError, match=r"subscribedSkus, record 0 .*'consumedUnits'.*\n.*'consumedUnitCount'"):
        read(GRAPH, graph.fetch(GRAPH, BASE, TOKEN))


def test_a_changed_envelope_is_found_while_fetching(graph):
    graph.answers["/v1.0/subscribedSkus"] = {"values": []}
    with pytest.raises(ShapeError, match=r"source v, subscribedSkus: no field 'value'.*\n.*did you mean 'values'"):
        graph.fetch(GRAPH, BASE, TOKEN)
