"""Huntress: page tokens, agents one by one, counts of zero kept."""

from __future__ import annotations

from datetime import date

import httpx
import pytest

from reconlib.connectors import CONNECTORS
from reconlib.errors import AuthenticationError, ShapeError, VendorError

HUNTRESS, BASE = CONNECTORS["huntress"], "https://api.vendor.example"


def organization(number, **more):
    return {"id": number, "name": f"Client {number}", "key": f"c{number}", "billable_identity_count": 9, "sat_learner_count": 0} | more


def agent(number, **more):
    return {
        "id": number,
        "organization_id": 1,
        "hostname": f"ws-{number}",
        "serial_number": f"SN{number}",
        "platform": "windows",
        "created_at": "2024-03-01T20:05:10Z",
        "last_callback_at": "2026-10-31 23:07:08 UTC",
    } | more


def tokened(name, records, size=500):
    def answer(request):
        start = int(request.url.params.get("page_token", "0"))
        stop = start + min(size, int(request.url.params["limit"]))
        pagination = {"next_page_token": str(stop), "next_page_url": "https://elsewhere.example"} if stop < len(records) else {}
        return httpx.Response(200, json={name: records[start:stop], "pagination": pagination})

    return answer


@pytest.fixture
def huntress(vendor):
    vendor.answers = {
        "/v1/organizations": tokened("organizations", [organization(1), organization(2)]),
        "/v1/agents": tokened("agents", [agent(1)]),
    }
    return vendor


@pytest.mark.parametrize("size", [1, 2, 500])
def test_every_agent_for_any_page_size_and_the_token_is_sent(huntress, read, size):
    huntress.answers["/v1/agents"] = tokened("agents", [agent(n) for n in range(1, 6)], size)
    tables, _ = read(HUNTRESS, huntress.fetch(HUNTRESS, BASE))
    agents = [r["usage_record_id"] for r in tables["usage_records"] if r["vendor_product_id"] == "edr"]
    assert agents == ["1", "2", "3", "4", "5"]
    assert [q.get("page_token") for q in huntress.sent("/v1/agents")] == [None, *(str(n) for n in range(size, 5, size))]
    assert huntress.requests[0].headers["Authorization"].startswith("Basic ")


def test_t1_zero_is_a_count_and_all_three_products_are_there(huntress, read):
    tables, rejects = read(HUNTRESS, huntress.fetch(HUNTRESS, BASE))
    counts = {r["usage_record_id"]: r["quantity_qty"] for r in tables["usage_records"] if r["vendor_product_id"] != "edr"}
    assert counts == {"1:itdr": 9, "1:sat": 0, "2:itdr": 9, "2:sat": 0}
    assert [p["vendor_product_id"] for p in tables["vendor_products"]] == ["edr", "itdr", "sat"]
    assert rejects == []


def test_an_organisation_names_its_microsoft_tenant(huntress, read):
    huntress.answers["/v1/organizations"] = tokened(
        "organizations", [organization(1, identity_provider_tenant_id="guid-1"), organization(2)]
    )
    tables, _ = read(HUNTRESS, huntress.fetch(HUNTRESS, BASE))
    assert [a["tenant_id"] for a in tables["vendor_accounts"]] == ["guid-1", None]


def test_values_of_an_agent_in_both_of_the_vendors_date_styles(huntress, read):
    huntress.answers["/v1/agents"] = tokened("agents", [agent(7), agent(8, serial_number="Default string", last_callback_at=None)])
    tables, _ = read(HUNTRESS, huntress.fetch(HUNTRESS, BASE))
    first, second = (r for r in tables["usage_records"] if r["vendor_product_id"] == "edr")
    assert (first["created_date"], first["last_seen_date"], first["unit_key"]) == (date(2024, 3, 1), date(2026, 10, 31), "SN7")
    assert (second["unit_key"], second["last_seen_date"]) == (None, None)


def test_more_than_the_limit_a_minute_waits(huntress):
    huntress.answers["/v1/agents"] = tokened("agents", [agent(n) for n in range(1, 11)], 1)
    huntress.fetch(HUNTRESS, BASE)
    assert huntress.slept
    assert all(0 < seconds <= 1 / 0.9 for seconds in huntress.slept)


def test_a_token_that_leads_back_is_a_circle(huntress):
    huntress.answers["/v1/agents"] = {"agents": [agent(1)], "pagination": {"next_page_token": "same"}}
    with pytest.raises(VendorError, match="circle"):
        huntress.fetch(HUNTRESS, BASE)


@pytest.mark.parametrize("field", ["billable_identity_count", "sat_learner_count"])
def test_a_renamed_count_stops_the_source(huntress, read, field):
    renamed = organization(1)
    renamed[f"{field}s"] = renamed.pop(field)
    huntress.answers["/v1/organizations"] = tokened("organizations", [renamed])
    with pytest.raises(ShapeError, match=rf"source v, organizations, record 0 .*'{field}'.*\n.*did you mean '{field}s'"):
        read(HUNTRESS, huntress.fetch(HUNTRESS, BASE))


def test_a_null_count_leaves_the_whole_organisation_out_never_at_zero(huntress, read):
    huntress.answers["/v1/organizations"] = tokened("organizations", [organization(1, sat_learner_count=None), organization(2)])
    tables, rejects = read(HUNTRESS, huntress.fetch(HUNTRESS, BASE))
    assert [a["vendor_account_id"] for a in tables["vendor_accounts"]] == ["2"]
    assert [r.column_name for r in rejects] == ["sat_learner_count"]


@pytest.mark.parametrize("body", [{"agent": [], "pagination": {}}, {"agents": []}, []])
def test_a_changed_envelope_is_found_while_fetching(huntress, body):
    huntress.answers["/v1/agents"] = lambda _: httpx.Response(200, json=body)
    with pytest.raises(ShapeError, match="source v, agents"):
        huntress.fetch(HUNTRESS, BASE)


@pytest.mark.parametrize("address", [BASE, f"{BASE}/v1", f"{BASE}/v1/"])
def test_the_address_may_name_the_version(huntress, address):
    assert len(huntress.fetch(HUNTRESS, address)) == 2


def test_refused_key(huntress):
    huntress.answers["/v1/organizations"] = httpx.Response(401)
    with pytest.raises(AuthenticationError, match="source v, organizations"):
        huntress.fetch(HUNTRESS, BASE)
