"""The fakes over real loopback HTTP: who is let in, every record once for any page size, the same bytes twice, faults on demand."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from reconlib.period import Period
from reconlib.sandbox.faults import FOREIGN, MODES
from reconlib.sandbox.server import DEFAULT_PORT, PREFIXES, Server, sandbox_sources, serve
from reconlib.sandbox.world import make_world

HTTP = httpx.Client(trust_env=False)  # one for all: making one reads every certificate of the machine
WORLD = make_world(7, 12, Period(2026, 10))
LISTS = {
    "psa": "/company/companies",
    "pax8": "/subscriptions",
    "m365": "/v1.0/contracts",
    "ninja": "/v2/devices-detailed",
    "huntress": "/agents",
}


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(WORLD) as running:
        yield running


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def headers_for(server: Server, source: str) -> dict[str, str]:
    env = server.environ
    if source == "psa":
        user = f"{env['CW_COMPANY']}+{env['CW_PUBLIC_KEY']}"
        return {"Authorization": basic(user, env["CW_PRIVATE_KEY"]), "clientId": env["CW_CLIENT_ID"]}
    if source == "huntress":
        return {"Authorization": basic(env["HUNTRESS_KEY"], env["HUNTRESS_SECRET"])}
    prefix = {"pax8": "PAX8", "m365": "GRAPH", "ninja": "NINJA"}[source]
    form = {"grant_type": "client_credentials", "client_id": env[f"{prefix}_CLIENT_ID"], "client_secret": env[f"{prefix}_CLIENT_SECRET"]}
    url = server.token_url(source).replace("{tenant}", env["GRAPH_TENANT"])
    if source == "pax8":
        answer = HTTP.post(url, json={**form, "audience": "https://api.pax8.com"})
    else:
        answer = HTTP.post(url, data={**form, "scope": "monitoring" if source == "ninja" else "https://graph.microsoft.com/.default"})
    return {"Authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}


def get(server: Server, source: str, path: str = "", **params: str | int) -> httpx.Response:
    return HTTP.get(server.url(source) + (path or LISTS[source]), headers=headers_for(server, source), params=params)


def walk(server: Server, source: str, path: str, size: int) -> list[dict[str, object]]:
    """Every record of a list, page by page as the vendor's documents say."""
    headers, found = headers_for(server, source), []
    url: str | None = server.url(source) + path
    size_name = {"psa": "pageSize", "pax8": "size", "m365": "$top", "ninja": "pageSize", "huntress": "limit"}[source]
    params: dict[str, str | int] | None = {size_name: size}
    while url:
        answer = HTTP.get(url, headers=headers, params=params).raise_for_status()
        body = answer.json()
        if source == "psa":
            link = re.search(r'<([^>]+)>; rel="next"', answer.headers.get("Link", ""))
            found, url, params = found + body, link[1] if link else None, None
        elif source == "pax8":
            page = body["page"]
            found, params = found + body["content"], {size_name: size, "page": page["number"] + 1}
            url = url if page["number"] + 1 < page["totalPages"] else None
        elif source == "m365":
            found, url, params = found + body["value"], body.get("@odata.nextLink"), None
        elif source == "ninja":
            found, url = found + body, url if len(body) == size else None
            params = {size_name: size, "after": body[-1]["id"] if body else 0}
        else:
            found, url, params = found + body[path.strip("/")], body["pagination"].get("next_page_url"), None
    return found


@pytest.mark.parametrize("source", PREFIXES)
@pytest.mark.parametrize("size", [1, 7, 100])
def test_paging_returns_every_record_once_for_any_page_size(server, source, size):
    if source == "ninja" and size == 1:
        size = 3  # some two hundred devices
    whole = {"psa": WORLD.companies, "pax8": WORLD.subscriptions, "m365": WORLD.book.accounts("m365"), "ninja": WORLD.devices, "huntress": WORLD.agents}  # fmt: skip
    key = "customerId" if source == "m365" else "id"
    size = max(size, 3) if source == "huntress" else size
    ids = [str(row[key]) for row in walk(server, source, LISTS[source], size)]
    assert sorted(ids) == sorted(str(row.id) for row in whole[source])


def test_forward_only_paging_of_the_psa_follows_ids(server):
    headers = headers_for(server, "psa") | {"pagination-type": "forward-only"}
    url: str | None = f"{server.url('psa')}/company/companies?pageSize=5"
    ids: list[int] = []
    while url:
        answer = HTTP.get(url, headers=headers)
        ids += [row["id"] for row in answer.json()]
        link = re.search(r'<([^>]+)>; rel="next"', answer.headers.get("Link", ""))
        url = link[1] if link else None
    assert ids == sorted(company.id for company in WORLD.companies)


@pytest.mark.parametrize("source", PREFIXES)
def test_without_credentials_nothing_is_shown(server, source):
    assert HTTP.get(server.url(source) + LISTS[source]).status_code == 401
    wrong = {"Authorization": basic("a", "b"), "clientId": server.environ["CW_CLIENT_ID"]}
    assert HTTP.get(server.url(source) + LISTS[source], headers=wrong).status_code == 401


def test_the_psa_wants_its_client_id_and_its_media_type(server):
    headers = headers_for(server, "psa")
    assert get(server, "psa").headers["Content-Type"].startswith("application/vnd.connectwise.com+json")
    assert HTTP.get(server.url("psa") + LISTS["psa"], headers={**headers, "clientId": "other"}).status_code == 401
    assert HTTP.get(server.url("psa") + LISTS["psa"], headers={**headers, "Accept": "application/json"}).status_code == 406


@pytest.mark.parametrize("source", ["pax8", "m365", "ninja"])
def test_a_wrong_secret_gets_no_token(server, source):
    url = server.token_url(source).replace("{tenant}", server.environ["GRAPH_TENANT"])
    form = {"grant_type": "client_credentials", "client_id": "x", "client_secret": "y", "scope": "monitoring", "audience": "a"}
    assert HTTP.post(url, data=form).status_code == 401


def test_a_tenants_token_opens_that_tenant_only(server):
    first, second = (account.id for account in WORLD.book.accounts("m365")[:2])

    def skus(tenant: str) -> list[dict[str, object]]:
        env = server.environ
        form = {"grant_type": "client_credentials", "client_id": env["GRAPH_CLIENT_ID"], "client_secret": env["GRAPH_CLIENT_SECRET"]}
        url = server.token_url("m365").replace("{tenant}", tenant)
        token = HTTP.post(url, data={**form, "scope": "https://graph.microsoft.com/.default"}).json()["access_token"]
        return HTTP.get(f"{server.url('m365')}/v1.0/subscribedSkus", headers={"Authorization": f"Bearer {token}"}).json()["value"]

    assert {row["accountId"] for row in skus(first)} == {first}
    assert {row["accountId"] for row in skus(second)} == {second}


def test_the_same_request_gives_the_same_bytes(server):
    with serve(make_world(7, 12, Period(2026, 10))) as other:
        for source in PREFIXES:
            mine, theirs = get(server, source).content, get(other, source).content
            assert mine.replace(f":{server.port}/".encode(), b":/") == theirs.replace(f":{other.port}/".encode(), b":/")


def test_conditions_of_the_psa_filter(server):
    shown = get(
        server, "psa", "/finance/agreements", conditions='agreementStatus="Active" and company/identifier="ACME"', pageSize=1000
    ).json()
    assert {row["company"]["identifier"] for row in shown} == {"ACME"}
    late = get(server, "psa", "/finance/agreements", conditions="startDate>[2098-01-01T00:00:00Z]").json()
    assert [row["name"] for row in late] == ["Frame agreement, not started"]
    assert get(server, "psa", "/finance/agreements", conditions="nonsense").status_code == 400


def test_additions_are_counted_and_omit_what_is_not_set(server):
    agreement = WORLD.agreements[0].id
    rows = get(server, "psa", f"/finance/agreements/{agreement}/additions", pageSize=1000).json()
    assert get(server, "psa", f"/finance/agreements/{agreement}/additions/count").json() == {"count": len(rows)}
    assert all(value is not None for row in rows for value in row.values())
    assert get(server, "psa", "/finance/agreements/1/additions").status_code == 404


def test_addresses_to_fill_into_params(server):
    found = sandbox_sources(server)
    assert found.keys() == PREFIXES.keys()
    assert "{tenant}" in found["m365"]["token_url"]
    assert all(urlsplit(url).hostname == "127.0.0.1" for part in found.values() for url in part.values())
    assert "token_url" not in found["psa"]


def test_a_busy_port_falls_back_to_a_free_one():
    with serve(WORLD, DEFAULT_PORT + 931) as first, serve(WORLD, first.port) as second:
        assert first.port != second.port


def test_requests_are_logged_without_secrets(server):
    get(server, "pax8", size=5)
    assert [(call.source, call.method, call.path, call.status) for call in server.requests] == [
        ("pax8", "POST", "/oauth/token", 200),
        ("pax8", "GET", "/v1/subscriptions?size=5", 200),
    ]


@pytest.mark.parametrize("source", PREFIXES)
def test_a_source_goes_down_and_comes_back(server, source):
    headers = headers_for(server, source)
    url = server.url(source) + LISTS[source]
    server.fail(source, "down")
    assert HTTP.get(url, headers=headers).status_code == 500
    server.fail(source, "unauthorized")
    assert HTTP.get(url, headers=headers).status_code == 401
    server.fail(source, "rate_limited")
    waiting = HTTP.get(url, headers=headers)
    assert (waiting.status_code, waiting.headers["Retry-After"]) == (429, "1")
    assert HTTP.get(url, headers=headers).status_code == 200
    server.heal(source)
    assert HTTP.get(url, headers=headers).status_code == 200


@pytest.mark.parametrize("source", PREFIXES)
def test_answers_are_spoiled_on_demand(server, source):
    headers = headers_for(server, source)
    url = server.url(source) + LISTS[source]
    whole = HTTP.get(url, headers=headers).content
    server.fail(source, "cut")
    with pytest.raises(ValueError, match=r"Expecting|Unterminated|delimiter"):
        json.loads(HTTP.get(url, headers=headers).content)
    server.fail(source, "empty")
    assert HTTP.get(url, headers=headers).content == b""
    server.fail(source, "dropped")
    with pytest.raises(httpx.RemoteProtocolError):
        HTTP.get(url, headers=headers)
    server.heal(source)
    assert HTTP.get(url, headers=headers).content == whole


def test_a_field_the_count_depends_on_is_renamed(server):
    agreement = f"/finance/agreements/{WORLD.agreements[4].id}/additions"
    for source, path, field in (
        ("psa", agreement, "quantity"),
        ("pax8", "", "quantity"),
        ("ninja", "", "organizationId"),
        ("huntress", "", "organization_id"),
    ):
        assert f'"{field}":' in get(server, source, path).text
        server.fail(source, "reshaped")
        assert f'"{field}":' not in get(server, source, path).text


@pytest.mark.parametrize("source", PREFIXES)
def test_the_next_page_is_this_page(server, source):
    server.fail(source, "loop")
    headers = headers_for(server, source)
    first = HTTP.get(server.url(source) + LISTS[source], headers=headers)
    match source:
        case "psa":
            again = re.search(r'<([^>]+)>; rel="next"', first.headers["Link"])
            assert again is not None
            assert again[1] == str(first.url)
        case "m365":
            assert first.json()["@odata.nextLink"] == str(first.url)
        case "huntress":
            assert HTTP.get(first.json()["pagination"]["next_page_url"], headers=headers).json() == first.json()
        case "pax8":
            later = HTTP.get(server.url(source) + LISTS[source], headers=headers, params={"page": 3}).json()
            assert later["content"] == first.json()["content"]
        case _:
            later = HTTP.get(server.url(source) + LISTS[source], headers=headers, params={"after": first.json()[-1]["id"]}).json()
            assert later == first.json()


@pytest.mark.parametrize("source", PREFIXES)
def test_the_next_page_lies_elsewhere(server, source):
    server.fail(source, "foreign")
    answer = get(server, source)
    assert FOREIGN in answer.text + answer.headers.get("Link", "") + answer.headers.get("Location", "")


def test_an_unknown_fault_is_refused(server):
    with pytest.raises(ValueError, match=MODES[0]):
        server.fail("psa", "sleepy")
