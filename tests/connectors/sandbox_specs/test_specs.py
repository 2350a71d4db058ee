"""Every body of every fake against the vendor's own specification, which lies beside the project and is not part of it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from xml.etree import ElementTree as ET

import pytest
import yaml
from jsonschema import Draft4Validator, FormatChecker

from reconlib.period import Period
from reconlib.sandbox.server import PREFIXES, Server
from reconlib.sandbox.web import Reply
from reconlib.sandbox.world import make_world

SPECS = Path(__file__).parents[3] / "../shared/specs"
WORLD = make_world(7, 40, Period(2026, 10))

pytestmark = pytest.mark.skipif(not SPECS.is_dir(), reason="the vendors' specifications (../shared/specs) are not on this machine")


@pytest.fixture(scope="module")
def server() -> Server:
    return Server(WORLD, 47_000)  # asked directly: what HTTP adds is tested elsewhere


def ask(server: Server, source: str, path: str, token: str = "", **headers: str) -> Reply:
    env = server.environ
    secrets = {
        "psa": f"{env['CW_COMPANY']}+{env['CW_PUBLIC_KEY']}:{env['CW_PRIVATE_KEY']}",
        "huntress": f"{env['HUNTRESS_KEY']}:{env['HUNTRESS_SECRET']}",
    }
    if source in secrets:
        sent = {"authorization": "Basic " + base64.b64encode(secrets[source].encode()).decode(), "clientid": env["CW_CLIENT_ID"]}
    else:
        sent = {"authorization": f"Bearer {server.site.token(token or source)}"}
    return server.respond("GET", PREFIXES[source] + path, {**sent, **headers}, b"")


def body(server: Server, source: str, path: str, token: str = "") -> Any:
    reply = ask(server, source, path, token)
    assert reply.status == 200, reply.body
    return json.loads(reply.body)


def as_json_schema(node: Any) -> Any:
    """An OpenAPI or Swagger schema as JSON schema: ``nullable``, and type words in the wrong case."""
    if isinstance(node, list):
        return [as_json_schema(part) for part in node]
    if not isinstance(node, dict):
        return node
    made = {
        key: as_json_schema(value) for key, value in node.items() if key not in ("nullable", "example", "examples", "discriminator", "xml")
    }
    if isinstance(made.get("type"), str):
        made["type"] = made["type"].lower()
    if node.get("nullable") and "$ref" not in made:
        if "type" in made:
            made["type"] = [made["type"], "null"]
        if "enum" in made:
            made["enum"] = [*made["enum"], None]
    return made


def read_spec(name: str) -> dict[str, Any]:
    text = (SPECS / name).read_text("utf-8")
    spec: dict[str, Any] = json.loads(text) if name.endswith("json") else yaml.load(text, Loader=yaml.CSafeLoader)
    return spec


def check(spec: dict[str, Any], path: str, content: Any) -> None:
    """Validates against the path's answer; an answer without a schema is a fault of the test."""
    responses = spec["paths"][path]["get"]["responses"]
    answer = responses.get("200") or responses.get(200) or responses["default"]
    schema = answer.get("schema") or next(iter(answer["content"].values()))["schema"]
    whole = {"components": spec.get("components", {}), "definitions": spec.get("definitions", {})}
    validator = Draft4Validator(as_json_schema({**schema, **whole}), format_checker=_formats())
    faults = [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in validator.iter_errors(content)]
    assert not faults, faults[:5]


def _formats() -> FormatChecker:
    checker = FormatChecker(formats=())
    checker.checks("uuid", raises=ValueError)(lambda value: not isinstance(value, str) or bool(UUID(value)))
    checker.checks("date-time", raises=ValueError)(lambda value: not isinstance(value, str) or bool(datetime.fromisoformat(value)))
    checker.checks("int32")(lambda value: not isinstance(value, int) or -(2**31) <= value < 2**31)
    return checker


def test_connectwise(server):
    spec = read_spec("connectwise-psa/cw-psa-2026.4-get-subset.json")
    base = "/v4_6_release/apis/3.0"
    media = next(iter(spec["paths"]["/company/companies"]["get"]["responses"]["200"]["content"]))
    assert ask(server, "psa", f"{base}/company/companies").headers["Content-Type"] == media
    for path in ("/company/companies", "/procurement/catalog", "/finance/agreements"):
        check(spec, path, body(server, "psa", f"{base}{path}?pageSize=1000"))
    for agreement in WORLD.agreements:
        additions = f"{base}/finance/agreements/{agreement.id}/additions"
        check(spec, "/finance/agreements/{parentId}/additions", body(server, "psa", f"{additions}?pageSize=1000"))
        check(spec, "/finance/agreements/{parentId}/additions/count", body(server, "psa", f"{additions}/count"))


def test_connectwise_names_no_field_the_vendor_does_not_know(server):
    schemas = read_spec("connectwise-psa/cw-psa-2026.4-get-subset.json")["components"]["schemas"]
    base = "/v4_6_release/apis/3.0"
    agreement = WORLD.agreements[0].id
    for path, name in (
        ("/company/companies", "Company"),
        ("/procurement/catalog", "CatalogItem"),
        ("/finance/agreements", "Agreement"),
        (f"/finance/agreements/{agreement}/additions", "Addition"),
    ):
        shown = {key for row in body(server, "psa", f"{base}{path}?pageSize=1000") for key in row}
        assert shown <= schemas[name]["properties"].keys()


@pytest.mark.parametrize("path", ["/companies", "/products", "/subscriptions"])
def test_pax8(server, path):
    spec = read_spec("pax8/pax8-partner-apievangelist.json")
    content = body(server, "pax8", f"/v1{path}?size=200")
    check(spec, path, content)
    known = spec["components"]["schemas"][{"/companies": "Company", "/products": "Product", "/subscriptions": "Subscription"}[path]]
    assert {key for row in content["content"] for key in row} <= known["properties"].keys()
    assert content["content"]


def test_pax8_invoices():
    """Three days after the month there is a draft, a week after it the invoices."""
    spec = read_spec("pax8/pax8-partner-apievangelist.json")
    schemas = spec["components"]["schemas"]
    draft = body(Server(WORLD, 47_000), "pax8", "/v1/invoices/draftItems?monthOffset=0&size=200")
    check(spec, "/invoices/draftItems", draft)
    later = Server(replace(WORLD, now=WORLD.now + timedelta(days=7)), 47_000)
    invoices = body(later, "pax8", "/v1/invoices?invoiceDateRangeStart=2026-11-01&invoiceDateRangeEnd=2026-11-30")
    check(spec, "/invoices", invoices)
    assert {key for row in invoices["content"] for key in row} <= schemas["Invoice"]["properties"].keys()
    for invoice in invoices["content"]:
        items = body(later, "pax8", f"/v1/invoices/{invoice['id']}/items?size=200")
        check(spec, "/invoices/{invoiceId}/items", items)
        assert {key for row in (*items["content"], *draft["content"]) for key in row} <= schemas["InvoiceItem"]["properties"].keys()
    assert {row["type"] for row in draft["content"]} == {"subscription", "prorate", "rebate"}


@pytest.mark.parametrize("path", ["/v2/organizations", "/v2/devices", "/v2/devices-detailed"])
def test_ninjaone(server, path):
    spec = read_spec("ninjaone/ninjaone-openapi.yml")
    rows = body(server, "ninja", path)
    check(spec, path, rows)
    schemas = spec["components"]["schemas"]
    name = {"/v2/organizations": "Organization", "/v2/devices": "NodeWithDetailedReferences", "/v2/devices-detailed": "Device"}[path]
    # Live devices carry their hardware as "system", which the specification leaves out; its shape is the one reports use.
    assert {key for row in rows for key in row} - {"system"} <= schemas[name]["properties"].keys()
    assert {key for row in rows for key in row.get("system", {})} <= schemas["ComputerSystem"]["properties"].keys()


@pytest.mark.parametrize("path", ["/v1/organizations", "/v1/agents"])
@pytest.mark.parametrize("query", ["?limit=500", "?limit=3", "?limit=500&page_token=p500"])
def test_huntress(server, path, query):
    spec = read_spec("huntress/huntress-openapi.json")
    content = body(server, "huntress", path + query)
    check(spec, path, content)
    definition = spec["definitions"]["Organization" if path.endswith("organizations") else "Agent"]
    known = {*definition["properties"], *definition.get("required", [])}
    assert {key for row in content[path.removeprefix("/v1/")] for key in row} <= known


def _edm(path: Path) -> dict[str, dict[str, tuple[str, bool]]]:
    """Entity and complex types: property -> (type, may be null), inherited ones included."""
    own: dict[str, tuple[str, dict[str, tuple[str, bool]]]] = {}
    for element in ET.parse(path).iter():  # noqa: S314 - a file of this machine
        if element.tag.endswith(("}EntityType", "}ComplexType")):
            properties = {
                p.get("Name", ""): (p.get("Type", ""), p.get("Nullable") != "false") for p in element if p.tag.endswith("}Property")
            }
            own[element.get("Name", "")] = (element.get("BaseType", "").removeprefix("graph."), properties)

    def whole(name: str) -> dict[str, tuple[str, bool]]:
        base, properties = own.get(name, ("", {}))
        return (
            ({**whole(base)} if base else {})
            | properties
            | ({"id": ("Edm.String", False)} if name in ("entity", "directoryObject") else {})
        )

    return {name: whole(name) for name in own}


def _edm_faults(types: dict[str, dict[str, tuple[str, bool]]], kind: str, value: Any, where: str) -> Iterator[str]:
    if value is None:
        return
    if inner := re.fullmatch(r"Collection\((.+)\)", kind):
        if not isinstance(value, list):
            yield f"{where}: not a list"
            return
        for i, part in enumerate(value):
            yield from _edm_faults(types, inner[1], part, f"{where}/{i}")
    elif kind.startswith("graph."):
        name = kind.removeprefix("graph.")
        for key, part in value.items():
            if key not in types[name]:
                yield f"{where}: no property {key}"
            elif part is None and not types[name][key][1]:
                yield f"{where}/{key}: null"
            else:
                yield from _edm_faults(types, types[name][key][0], part, f"{where}/{key}")
    else:
        good = {"Edm.String": str, "Edm.Int32": int, "Edm.Boolean": bool, "Edm.Guid": str}[kind]
        if not isinstance(value, good) or (kind == "Edm.Guid" and str(UUID(value)) != value):
            yield f"{where}: {value!r} is no {kind}"


def test_msgraph(server):
    types = _edm(SPECS / "msgraph/graph-v1.0-licensing-billing.csdl.xml")
    partner = server.environ["GRAPH_TENANT"]
    lists = [("contract", body(server, "m365", "/v1.0/contracts?$top=999", partner))]
    lists += [("subscribedSku", body(server, "m365", "/v1.0/subscribedSkus", a.id)) for a in WORLD.book.accounts("m365")]
    checked = 0
    for name, content in lists:
        assert {key for key in content if not key.startswith("@odata.")} == {"value"}
        for row in content["value"]:
            assert not list(_edm_faults(types, f"graph.{name}", row, name))
            checked += 1
    assert checked > len(lists)


def test_msgraph_uses_microsofts_words_for_its_licences():
    names = (SPECS / "msgraph/m365-product-names.csv").read_text("utf-8-sig")
    for sku in WORLD.skus:
        assert f",{sku.part_number},{sku.sku_id}," in names


def test_this_test_can_fail(server):
    spec = read_spec("pax8/pax8-partner-apievangelist.json")
    content = body(server, "pax8", "/v1/companies")
    del content["content"][0]["website"]
    with pytest.raises(AssertionError, match="website"):
        check(spec, "/companies", content)
    types = _edm(SPECS / "msgraph/graph-v1.0-licensing-billing.csdl.xml")
    assert list(_edm_faults(types, "graph.subscribedSku", {"consumedUnits": "3"}, "sku")) == ["sku/consumedUnits: '3' is no Edm.Int32"]
