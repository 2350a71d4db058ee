"""Pax8: companies, products and the subscriptions the distributor charges for.

Pages are 0-based and end by ``totalPages``. One product with two billing or commitment terms is two products, because the term is priced
(FIELD.md T28). Costs are brought to a month. Source: vendor's partner endpoints v1.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal

from reconlib.connectors.contract import Connector, Fetch, Page, Reject, Row, StoredPage
from reconlib.connectors.fields import Record, domain_of, items, read_records, read_rows
from reconlib.connectors.transport import Answer, ClientCredentials, Transport
from reconlib.errors import ShapeError, VendorError

PAGE_SIZE = 200  # the vendor's most
AUDIENCE = "https://api.pax8.com"
_ENDPOINTS = ("companies", "products", "subscriptions")
# Not charged: over, or not begun. Everything else is, suspended and unknown words included (T52).
_NOT_CHARGED = {"Cancelled", "Converted", "WaitingForDetails", "PendingActivation"}
_BILLED_MONTHS = {"Monthly": 1, "Annual": 12, "2-Year": 24, "3-Year": 36}


def fetch(f: Fetch) -> Iterator[Page]:
    """Pages of companies, products and subscriptions."""
    auth = ClientCredentials(
        f.token_url,
        f.credentials["CLIENT_ID"],
        f.credentials["CLIENT_SECRET"],
        source=f.source,
        encoding="json",
        extra={"audience": AUDIENCE},
        now=f.now,
    )
    with Transport(f.base_url, source=f.source, auth=auth, headers={"Accept": "application/json"}, sleep=f.sleep, now=f.now) as transport:
        for endpoint in _ENDPOINTS:
            for answer in _walk(transport, endpoint, f.source):
                yield Page(endpoint, answer.request, answer.body)


def _walk(transport: Transport, endpoint: str, source: str) -> Iterator[Answer]:
    """Pages of one list; what was received must be what the vendor says there is.

    Raises:
        VendorError: the list changed while it was read, so a record may be missing or twice.
    """
    page = received = 0
    while True:
        answer = transport.get(endpoint, endpoint, {"page": page, "size": PAGE_SIZE, "sort": _SORT[endpoint]})
        yield answer
        found = items(answer.content, "content", source=source, endpoint=endpoint)
        received += len(found)
        pages, total = _size(answer, "totalPages", source, endpoint), _size(answer, "totalElements", source, endpoint)
        page += 1
        if page >= pages or not found or received > total:
            break
    if received != total:
        raise VendorError(
            f"{received} records received of {total}: the list changed while it was read",
            where=f"source {source}, {endpoint}",
            hint="run again",
        )


_SORT = {"companies": "name", "products": "name", "subscriptions": "createdDate,asc"}


def _size(answer: Answer, name: str, source: str, endpoint: str) -> int:
    page = answer.content.get("page")
    value = page.get(name) if isinstance(page, dict) else None
    if not isinstance(value, int):
        raise ShapeError(f"no number 'page.{name}'", where=f"source {source}, {endpoint}", hint="the vendor changed its answers")
    return value


def normalize(pages: Iterator[StoredPage], source: str) -> Iterator[Row | Reject]:
    """Accounts, the products somebody bought, each with its term, and purchases."""
    catalogue: dict[str, tuple[str, str | None]] = {}
    seen: set[str] = set()
    for stored in pages:
        records = read_records(stored, "content", source)
        match stored.page.endpoint:
            case "companies":
                yield from read_rows(records, lambda r: _account(r, source))
            case "products":
                yield from read_rows(records, lambda r: _learn(r, catalogue))
            case "subscriptions":
                yield from read_rows(records, lambda r: _purchase(r, source, catalogue, seen))


def _account(r: Record, source: str) -> Iterator[Row]:
    values = {
        "source": source,
        "vendor_account_id": r.text("id"),
        "account_name": r.text("name"),
        "domain": domain_of(r.optional_text("website")),
        "external_id": r.optional_text("externalId"),
        "status": r.optional_text("status"),
        "evidence": r.evidence,
    }
    yield Row("vendor_accounts", values)


def _learn(r: Record, catalogue: dict[str, tuple[str, str | None]]) -> Iterator[Row]:
    catalogue[r.text("id")] = (r.text("name"), r.optional_text("vendorSku") or r.optional_text("sku"))
    yield from ()


def _purchase(r: Record, source: str, catalogue: dict[str, tuple[str, str | None]], seen: set[str]) -> Iterator[Row]:
    product, billing, status = r.text("productId"), r.text("billingTerm"), r.text("status")
    commitment = r.optional_text("commitmentTerm.term")
    term = f"billing {billing}, commitment {commitment}" if commitment else f"billing {billing}"
    product_id = f"{product}|{billing}|{commitment or '-'}"
    is_free = "Trial" in (status, billing)
    purchase = {
        "source": source,
        "purchase_id": r.text("id"),
        "vendor_account_id": r.text("companyId"),
        "vendor_product_id": product_id,
        "quantity_qty": r.count("quantity"),
        "status": status,
        "is_active": status not in _NOT_CHARGED,
        "is_free": is_free,
        "start_date": r.day("startDate"),
        "commitment_end_date": r.day("commitmentTerm.endDate") or r.day("endDate"),
        "term": term,
        "unit_price": _a_month(r.optional_number("price"), billing),
        "unit_cost": _a_month(r.optional_number("partnerCost"), billing),
        "currency": r.optional_text("currencyCode"),
        "evidence": r.evidence,
    }
    if product_id not in seen:
        seen.add(product_id)
        name, sku = catalogue.get(product) or (r.optional_text("productName") or product, r.optional_text("vendorSkuId"))
        values = {"source": source, "vendor_product_id": product_id, "product_name": name, "sku": sku, "term": term}
        yield Row("vendor_products", {**values, "is_free": billing == "Trial", "evidence": r.evidence})
    yield Row("purchases", purchase)


def _a_month(amount: Decimal | None, billing: str) -> Decimal | None:
    """Amount a month; null where nothing recurs."""
    months = _BILLED_MONTHS.get(billing)
    if amount is None or months is None:
        return None
    return amount if months == 1 else (amount / months).quantize(Decimal("0.000001"), rounding=ROUND_HALF_UP)


CONNECTOR = Connector(
    fetch=fetch,
    normalize=normalize,
    role="vendor",
    credential_fields=("CLIENT_ID", "CLIENT_SECRET"),
    base_url="https://api.pax8.com/v1",
    token_url="https://api.pax8.com/v1/token",  # noqa: S106 - an address
)
