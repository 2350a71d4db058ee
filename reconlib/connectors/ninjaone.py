"""NinjaOne: organisations and every device, each one record; which of them count is for the rules to say.

Bare lists; the next page comes after the last id of this one, and an empty page ends the walk: a short one may only mean that the vendor
caps the size asked for. Source: vendor's public API 2.0.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconlib.connectors.contract import Connector, Fetch, Page, Reject, Row, StoredPage
from reconlib.connectors.fields import Record, items, read_records, read_rows
from reconlib.connectors.sign_in import ClientCredentials
from reconlib.connectors.transport import Answer, Transport

PAGE_SIZE = 1000
PRODUCT = "device"
_PATHS = {"organizations": "v2/organizations", "devices": "v2/devices-detailed"}
_SERIALS = ("system.serialNumber", "system.biosSerialNumber", "serialNumber")


def fetch(f: Fetch) -> Iterator[Page]:
    """Pages of organisations and devices."""
    token_url = f.token_url or f"{f.base_url.rstrip('/')}/ws/oauth/token"
    client_id, secret = f.credentials["CLIENT_ID"], f.credentials["CLIENT_SECRET"]
    auth = ClientCredentials(token_url, client_id, secret, source=f.source, extra={"scope": "monitoring"}, now=f.now)
    with Transport(f.base_url, source=f.source, auth=auth, sleep=f.sleep, now=f.now) as transport:
        for endpoint, path in _PATHS.items():
            for answer in _walk(transport, endpoint, path, f.source):
                yield Page(endpoint, answer.request, answer.body)


def _walk(transport: Transport, endpoint: str, path: str, source: str) -> Iterator[Answer]:
    params: dict[str, str | int] = {"pageSize": PAGE_SIZE}
    while True:
        answer = transport.get(endpoint, path, params)
        yield answer
        found = items(answer.content, None, source=source, endpoint=endpoint)
        if not found:
            return
        last = Record(found[-1], f"source {source}, {endpoint}, record {len(found) - 1}", "")
        params = {"pageSize": PAGE_SIZE, "after": last.text("id")}


def normalize(pages: Iterator[StoredPage], source: str) -> Iterator[Row | Reject]:
    """Accounts, the one product, and one usage record a device."""
    product_said = False
    for stored in pages:
        records = read_records(stored, None, source)
        if not product_said:
            product_said = True
            values = {"source": source, "vendor_product_id": PRODUCT, "product_name": "NinjaOne device", "sku": None, "term": None}
            yield Row("vendor_products", {**values, "is_free": False, "evidence": stored.address})
        match stored.page.endpoint:
            case "organizations":
                yield from read_rows(records, lambda r: _account(r, source))
            case "devices":
                yield from read_rows(records, lambda r: _device(r, source))


def _account(r: Record, source: str) -> Iterator[Row]:
    values = {
        "source": source,
        "vendor_account_id": r.text("id"),
        "account_name": r.text("name"),
        "domain": None,
        "external_id": None,
        "status": None,
        "evidence": r.evidence,
    }
    yield Row("vendor_accounts", values)


def _device(r: Record, source: str) -> Iterator[Row]:
    values = {
        "source": source,
        "usage_record_id": r.text("id"),
        "vendor_account_id": r.text("organizationId"),
        "vendor_product_id": PRODUCT,
        "quantity_qty": 1,
        "unit_name": r.optional_text("systemName") or r.optional_text("displayName"),
        "unit_key": next((serial for path in _SERIALS if (serial := r.serial(path))), None),
        "unit_class": r.text("nodeClass"),
        "unit_state": r.text("approvalStatus"),
        "created_date": r.epoch_day("created"),
        "last_seen_date": r.epoch_day("lastContact"),
        "attributes": None,
        "evidence": r.evidence,
    }
    yield Row("usage_records", values)


CONNECTOR = Connector(
    fetch=fetch,
    normalize=normalize,
    role="vendor",
    credential_fields=("CLIENT_ID", "CLIENT_SECRET"),
    base_url="https://app.ninjarmm.com",
)
