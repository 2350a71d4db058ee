"""NinjaOne: bare lists after the last id, every device a record, placeholders no keys."""

from __future__ import annotations

from datetime import date
from urllib.parse import parse_qs

import httpx
import pytest

from reconlib.connectors import CONNECTORS
from reconlib.errors import ShapeError, VendorError

NINJA = CONNECTORS["ninjaone"]


def device(number, **more):
    return {
        "id": number,
        "organizationId": 1,
        "nodeClass": "WINDOWS_WORKSTATION",
        "approvalStatus": "APPROVED",
        "systemName": f"WS-{number}",
        "created": 1767225599.5,
        "lastContact": 1793491200,
        "system": {"serialNumber": f"SN{number}"},
    } | more


def after(records, cap=1000):
    def answer(request):
        last = int(request.url.params.get("after", 0))
        return httpx.Response(200, json=[r for r in records if r["id"] > last][:cap])

    return answer


@pytest.fixture
def ninja(vendor):
    vendor.answers = {
        "/ws/oauth/token": {"access_token": "t1", "expires_in": 3600},
        "/v2/organizations": after([{"id": 1, "name": "Birch"}]),
        "/v2/devices-detailed": after([device(11)]),
    }
    return vendor


@pytest.mark.parametrize("cap", [1, 2, 5, 1000])
def test_every_device_is_read_also_where_the_vendor_caps_the_page(ninja, read, cap):
    ninja.answers["/v2/devices-detailed"] = after([device(n) for n in (11, 12, 15, 20, 33)], cap)
    tables, _ = read(NINJA, ninja.fetch(NINJA))
    assert [r["usage_record_id"] for r in tables["usage_records"]] == ["11", "12", "15", "20", "33"]
    assert {q["pageSize"] for q in ninja.sent("/v2/devices-detailed")} == {"1000"}


def test_the_cursor_is_the_last_id_and_the_token_a_form_with_scope(ninja):
    ninja.answers["/v2/devices-detailed"] = after([device(n) for n in (11, 12, 15)], 2)
    ninja.fetch(NINJA)
    assert [q.get("after") for q in ninja.sent("/v2/devices-detailed")] == [None, "12", "15"]
    assert parse_qs(ninja.requests[0].content.decode())["scope"] == ["monitoring"]


def test_a_vendor_that_ignores_the_cursor_is_a_circle(ninja):
    ninja.answers["/v2/devices-detailed"] = [device(11)]
    with pytest.raises(VendorError, match="circle"):
        ninja.fetch(NINJA)


def test_values_of_a_device(ninja, read):
    ninja.answers["/v2/devices-detailed"] = after([device(11, approvalStatus="PENDING", nodeClass="SOMETHING_NEW")])
    tables, _ = read(NINJA, ninja.fetch(NINJA))
    row = tables["usage_records"][0]
    assert (row["created_date"], row["last_seen_date"]) == (date(2025, 12, 31), date(2026, 11, 1))
    assert (row["unit_state"], row["unit_class"], row["unit_name"], row["unit_key"]) == ("PENDING", "SOMETHING_NEW", "WS-11", "SN11")
    assert [p["vendor_product_id"] for p in tables["vendor_products"]] == ["device"]


@pytest.mark.parametrize(
    "serial", ["", "  ", "0", "None", "Default string", "To be filled by O.E.M.", "System Serial Number", "0000000", None]
)
def test_t61_a_placeholder_is_no_serial_number(ninja, read, serial):
    ninja.answers["/v2/devices-detailed"] = after([device(11, system={"serialNumber": serial}), device(12, system={"serialNumber": "00X"})])
    tables, _ = read(NINJA, ninja.fetch(NINJA))
    assert [r["unit_key"] for r in tables["usage_records"]] == [None, "00X"]


def test_a_product_is_there_also_without_devices(ninja, read):
    ninja.answers["/v2/devices-detailed"] = after([])
    tables, _ = read(NINJA, ninja.fetch(NINJA))
    assert [p["vendor_product_id"] for p in tables["vendor_products"]] == ["device"]
    assert "usage_records" not in tables


@pytest.mark.parametrize("field", ["organizationId", "nodeClass", "approvalStatus"])
def test_a_missing_field_stops_the_source(ninja, read, field):
    renamed = device(11)
    renamed[f"{field}X"] = renamed.pop(field)
    ninja.answers["/v2/devices-detailed"] = after([renamed])
    with pytest.raises(ShapeError, match=rf"source v, devices, record 0 .*'{field}'.*\n.*did you mean '{field}X'"):
        read(NINJA, ninja.fetch(NINJA))


def test_milliseconds_are_rejected_not_read_as_the_far_future(ninja, read):
    ninja.answers["/v2/devices-detailed"] = after([device(11, lastContact=1793491200000), device(12)])
    tables, rejects = read(NINJA, ninja.fetch(NINJA))
    assert [r["usage_record_id"] for r in tables["usage_records"]] == ["12"]
    assert [(r.column_name, r.value) for r in rejects] == [("lastContact", "1793491200000")]


def test_an_envelope_where_a_list_was_is_a_changed_shape(ninja):
    ninja.answers["/v2/devices-detailed"] = {"results": [], "cursor": {}}
    with pytest.raises(ShapeError, match="source v, devices: expected a list of objects"):
        ninja.fetch(NINJA)
