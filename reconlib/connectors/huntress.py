"""Huntress: organisations, one record an agent, and each organisation's count of identities and learners.

A page names the next by ``pagination.next_page_token``; 60 requests a minute, sliding. A count of zero is a count (T1).
Source: vendor's REST API v1.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconlib.connectors.contract import Connector, Fetch, Page, Reject, Row, StoredPage
from reconlib.connectors.fields import Record, items, read_records, read_rows
from reconlib.connectors.sign_in import basic_auth
from reconlib.connectors.transport import Answer, Transport
from reconlib.errors import ShapeError

PAGE_SIZE = 500  # the vendor's most
RATE_PER_S, BURST = 0.9, 5  # at most 59 requests in any minute
PRODUCTS = {"edr": "Huntress Managed EDR", "itdr": "Huntress Managed ITDR", "sat": "Huntress Security Awareness Training"}
_COUNTS = {"itdr": "billable_identity_count", "sat": "sat_learner_count"}
_ENDPOINTS = ("organizations", "agents")


def fetch(f: Fetch) -> Iterator[Page]:
    """Pages of organisations and agents."""
    auth = basic_auth(f.credentials["KEY"].get_secret_value(), f.credentials["SECRET"])
    base_url = f.base_url.rstrip("/").removesuffix("/v1")  # the address is written with the version and without
    with Transport(base_url, source=f.source, auth=auth, rate_per_s=RATE_PER_S, burst=BURST, sleep=f.sleep, now=f.now) as transport:
        for endpoint in _ENDPOINTS:
            for answer in _walk(transport, endpoint, f.source):
                yield Page(endpoint, answer.request, answer.body)


def _walk(transport: Transport, endpoint: str, source: str) -> Iterator[Answer]:
    params: dict[str, str | int] = {"limit": PAGE_SIZE, "sort_field": "id", "sort_direction": "asc"}
    while True:
        answer = transport.get(endpoint, f"v1/{endpoint}", params)
        yield answer
        items(answer.content, endpoint, source=source, endpoint=endpoint)
        pagination = answer.content.get("pagination")
        if not isinstance(pagination, dict):
            raise ShapeError("no object 'pagination'", where=f"source {source}, {endpoint}", hint="the vendor changed its answers")
        token = pagination.get("next_page_token")
        if not token:
            return
        params = {**params, "page_token": str(token)}


def normalize(pages: Iterator[StoredPage], source: str) -> Iterator[Row | Reject]:
    """Accounts, products, one record an agent and one count an organisation for each of the others."""
    products_said = False
    for stored in pages:
        endpoint = stored.page.endpoint
        records = read_records(stored, endpoint, source)
        if not products_said:
            products_said = True
            for product, name in PRODUCTS.items():
                values = {"source": source, "vendor_product_id": product, "product_name": name, "sku": None, "term": None}
                yield Row("vendor_products", {**values, "is_free": False, "evidence": stored.address})
        match endpoint:
            case "organizations":
                yield from read_rows(records, lambda r: _organization(r, source))
            case "agents":
                yield from read_rows(records, lambda r: _agent(r, source))


def _organization(r: Record, source: str) -> Iterator[Row]:
    organization = r.text("id")
    account = {
        "source": source,
        "vendor_account_id": organization,
        "account_name": r.text("name"),
        "domain": None,
        "external_id": None,
        "tenant_id": r.optional_text("identity_provider_tenant_id"),
        "status": None,
        "evidence": r.evidence,
    }
    counts = [
        {
            "source": source,
            "usage_record_id": f"{organization}:{product}",
            "vendor_account_id": organization,
            "vendor_product_id": product,
            "quantity_qty": r.count(field),
            "evidence": r.evidence,
        }
        for product, field in _COUNTS.items()
    ]
    yield Row("vendor_accounts", account)
    yield from (Row("usage_records", count) for count in counts)


def _agent(r: Record, source: str) -> Iterator[Row]:
    values = {
        "source": source,
        "usage_record_id": r.text("id"),
        "vendor_account_id": r.text("organization_id"),
        "vendor_product_id": "edr",
        "quantity_qty": 1,
        "unit_name": r.optional_text("hostname"),
        "unit_key": r.serial("serial_number"),
        "unit_class": r.optional_text("platform"),
        "unit_state": None,
        "created_date": r.day("created_at"),
        "last_seen_date": r.day("last_callback_at"),
        "attributes": None,
        "evidence": r.evidence,
    }
    yield Row("usage_records", values)


CONNECTOR = Connector(
    fetch=fetch,
    normalize=normalize,
    role="vendor",
    credential_fields=("KEY", "SECRET"),
    base_url="https://api.huntress.io",
)
