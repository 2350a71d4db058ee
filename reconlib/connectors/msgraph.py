"""Microsoft Graph: licences assigned in each customer's tenant. What was bought is the distributor's to say (T29).

The partner's contracts name the tenants; each tenant is read with a token of its own, which is sent nowhere else.
Source: Microsoft Graph v1.0, "List contracts" and "List subscribedSkus".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote

from reconlib.connectors.contract import Connector, Fetch, Page, Reject, Row, StoredPage
from reconlib.connectors.fields import Record, items, read_records, read_rows
from reconlib.connectors.sign_in import ClientCredentials
from reconlib.connectors.transport import Answer, Transport
from reconlib.errors import ShapeError

SCOPE = "https://graph.microsoft.com/.default"
# Free, viral and trial part numbers, which nobody bills (T53); as published by Microsoft, read 2026-11.
FREE_PARTS = frozenset(
    {
        "CCIBOTS_PRIVPREV_VIRAL",
        "DYN365_ENTERPRISE_VIRAL_TRIAL",
        "FLOW_FREE",
        "FORMS_PRO",
        "MCOPSTNC",
        "MICROSOFT_BUSINESS_CENTER",
        "POWERAPPS_DEV",
        "POWERAPPS_VIRAL",
        "POWER_BI_STANDARD",
        "POWER_PAGES_VTRIAL_FOR_MAKERS",
        "POWER_VIRTUAL_AGENTS_VIRAL",
        "RIGHTSMANAGEMENT_ADHOC",
        "SHAREPOINTSTORAGE_TRIAL",
        "STREAM",
        "TEAMS_EXPLORATORY",
        "WINDOWS_STORE",
    }
)
_UNITS = {"enabled": "enabled", "warning": "warning", "suspended": "suspended", "locked_out": "lockedOut"}


def fetch(f: Fetch) -> Iterator[Page]:
    """Pages of the partner's contracts, then of each tenant's licences."""
    tenants: dict[str, None] = {}
    with _open(f, f.credentials["TENANT"].get_secret_value()) as transport:
        for answer in _walk(transport, "contracts", f.source):
            yield Page("contracts", answer.request, answer.body)
            for index, values in enumerate(items(answer.content, "value", source=f.source, endpoint="contracts")):
                tenants[Record(values, f"source {f.source}, contracts, record {index}", "").text("customerId")] = None
    for tenant in tenants:
        with _open(f, tenant) as transport:
            for answer in _walk(transport, "subscribedSkus", f.source):
                yield Page("subscribedSkus", answer.request, answer.body, {"tenant_id": tenant})


def _open(f: Fetch, tenant: str) -> Transport:
    token_url = f.token_url.replace("{tenant}", quote(tenant, safe=""))
    client_id, secret = f.credentials["CLIENT_ID"], f.credentials["CLIENT_SECRET"]
    auth = ClientCredentials(token_url, client_id, secret, source=f.source, extra={"scope": SCOPE}, now=f.now)
    who = "the partner's tenant" if tenant == f.credentials["TENANT"].get_secret_value() else f"tenant {tenant}"
    hints = dict.fromkeys((400, 401, 403), f"check the app's secret, its consent in {who} and its right Organization.Read.All")
    base_url = f.base_url.rstrip("/").removesuffix("/v1.0")  # the address is written with the version and without
    return Transport(base_url, source=f.source, auth=auth, hints=hints, sleep=f.sleep, now=f.now)


def _walk(transport: Transport, endpoint: str, source: str) -> Iterator[Answer]:
    answer = transport.get(endpoint, f"v1.0/{endpoint}")
    while True:
        yield answer
        items(answer.content, "value", source=source, endpoint=endpoint)
        next_url = answer.content.get("@odata.nextLink")
        if next_url is None:
            return
        if not isinstance(next_url, str):
            raise ShapeError("'@odata.nextLink' is not a text", where=f"source {source}, {endpoint}", hint="the vendor changed its answers")
        answer = transport.follow(endpoint, next_url)


def normalize(pages: Iterator[StoredPage], source: str) -> Iterator[Row | Reject]:
    """Accounts, products and one count of assigned licences a tenant and SKU."""
    tenants: set[str] = set()
    products: set[str] = set()
    for stored in pages:
        records = read_records(stored, "value", source)
        match stored.page.endpoint:
            case "contracts":
                yield from read_rows(records, lambda r: _account(r, source, tenants))
            case "subscribedSkus":
                tenant = stored.page.context["tenant_id"]
                yield from read_rows(records, lambda r, tenant=tenant: _usage(r, source, tenant, products))  # type: ignore[misc] # mypy infers no lambda with a default


def _account(r: Record, source: str, seen: set[str]) -> Iterator[Row]:
    tenant, domain = r.text("customerId"), r.optional_text("defaultDomainName")
    values = {
        "source": source,
        "vendor_account_id": tenant,
        "account_name": r.text("displayName"),
        "domain": domain.lower() if domain else None,
        "external_id": None,
        "tenant_id": tenant,
        "status": r.optional_text("contractType"),
        "evidence": r.evidence,
    }
    if tenant not in seen:  # one customer may have several contracts
        seen.add(tenant)
        yield Row("vendor_accounts", values)


def _usage(r: Record, source: str, tenant: str, products: set[str]) -> Iterator[Row]:
    sku_id, part = r.text("skuId"), r.text("skuPartNumber")
    units = {name: r.optional_number(f"prepaidUnits.{key}") for name, key in _UNITS.items()}
    usage = {
        "source": source,
        "usage_record_id": f"{tenant}:{sku_id}",
        "vendor_account_id": tenant,
        "vendor_product_id": sku_id,
        "quantity_qty": r.count("consumedUnits"),
        "unit_name": None,
        "unit_key": None,
        "unit_class": r.optional_text("appliesTo"),
        "unit_state": r.optional_text("capabilityStatus"),
        "created_date": None,
        "last_seen_date": None,
        "attributes": json.dumps({name: f"{number:f}" for name, number in units.items() if number is not None}),
        "evidence": r.evidence,
    }
    if sku_id not in products:
        products.add(sku_id)
        values = {"source": source, "vendor_product_id": sku_id, "product_name": part, "sku": part, "term": None}
        yield Row("vendor_products", {**values, "is_free": part in FREE_PARTS, "evidence": r.evidence})
    yield Row("usage_records", usage)


CONNECTOR = Connector(
    fetch=fetch,
    normalize=normalize,
    role="vendor",
    credential_fields=("TENANT", "CLIENT_ID", "CLIENT_SECRET"),
    base_url="https://graph.microsoft.com",
    token_url="https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",  # noqa: S106 - an address
)
