"""Pax8: companies, products, the subscriptions the distributor charges for, and what it charges.

Pages are 0-based and end by ``totalPages``. One product with two billing or commitment terms is two products, because the term is priced
(T28). Costs are brought to a month. Source: vendor's partner endpoints v1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from reconlib.connectors.contract import Connector, Fetch, Page, Reject, Row, StoredPage
from reconlib.connectors.fields import Record, domain_of, items, joined, read_records, read_rows
from reconlib.connectors.pax8_invoices import NOT_CHARGED, Learned, charge, check_window, draft_offset, head, heads, invoice_window
from reconlib.connectors.sign_in import ClientCredentials
from reconlib.connectors.transport import Answer, Transport
from reconlib.errors import ShapeError, VendorError

PAGE_SIZE = 200  # the vendor's most
AUDIENCE = "https://api.pax8.com"
_SORT = {"companies": "name", "products": "name", "subscriptions": "createdDate,asc"}  # the lists read, in this order
_ID = re.compile(r"[A-Za-z0-9-]{1,64}")  # what may stand in a path
_ADDRESS = ("street", "street2", "city", "stateOrProvince", "postalCode")
# Not charged: over, or not begun. Everything else is, suspended and unknown words included (T52).
_NOT_CHARGED = {"Cancelled", "Converted", "WaitingForDetails", "PendingActivation"}
_BILLED_MONTHS = {"Monthly": 1, "Annual": 12, "2-Year": 24, "3-Year": 36}
_RIGHTS = {403: "the key needs the rights to read companies, products, subscriptions and invoices: charges that are not read are not zero"}


def fetch(f: Fetch) -> Iterator[Page]:
    """Pages of companies, products, subscriptions, and the month's invoices, or of the draft where there is none yet (T7).

    A key that may read subscriptions and no invoices fails the source: a feed without its charges looks like one that charges nothing.
    The vendor publishes no pace; the transport waits when it is told to.

    Raises:
        VendorError: a list changed while it was read, or was refused.
    """
    auth = ClientCredentials(
        f.token_url,
        f.credentials["CLIENT_ID"],
        f.credentials["CLIENT_SECRET"],
        source=f.source,
        encoding="json",
        extra={"audience": AUDIENCE},
        now=f.now,
    )
    headers = {"Accept": "application/json"}
    with Transport(f.base_url, source=f.source, auth=auth, headers=headers, hints=_RIGHTS, sleep=f.sleep, now=f.now) as transport:
        for endpoint, sort in _SORT.items():
            for answer in _walk(transport, endpoint, f.source, endpoint, {"sort": sort}):
                yield Page(endpoint, answer.request, answer.body)
        yield from _fetch_charges(transport, f)


def _fetch_charges(transport: Transport, f: Fetch) -> Iterator[Page]:
    """The month's invoices with their items; without one, the draft that becomes it."""
    invoices: list[Mapping[str, Any]] = []
    for answer in _walk(transport, "invoices", f.source, "invoices", {"sort": "invoiceDate", **invoice_window(f.period)}):
        yield Page("invoices", answer.request, answer.body)  # kept as evidence before it is judged
        invoices += items(answer.content, "content", source=f.source, endpoint="invoices")
    check_window(invoices, f.period, f.source)
    for invoice in invoices:
        number = str(invoice.get("id", ""))
        if invoice.get("status") in NOT_CHARGED:
            continue  # its head stays in view
        if not _ID.fullmatch(number):
            raise ShapeError(f"an invoice with id {number!r}", where=f"source {f.source}, invoices", hint="the vendor changed its answers")
        for answer in _walk(transport, "invoice_items", f.source, f"invoices/{number}/items", {}):
            yield Page("invoice_items", answer.request, answer.body, {"invoice_id": number})
    offset = draft_offset(f.period, (f.now() if f.now else datetime.now(UTC)).astimezone(UTC).date())
    if not invoices and offset is not None:
        for answer in _walk(transport, "draft_items", f.source, "invoices/draftItems", {"monthOffset": offset}):
            yield Page("draft_items", answer.request, answer.body)


def _walk(transport: Transport, endpoint: str, source: str, path: str, query: Mapping[str, str | int]) -> Iterator[Answer]:
    """Pages of one list; what was received must be what the vendor says there is.

    Raises:
        VendorError: the list changed while it was read, so a record may be missing or twice.
    """
    page = received = 0
    while True:
        answer = transport.get(endpoint, path, {"page": page, "size": PAGE_SIZE, **query})
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


def _size(answer: Answer, name: str, source: str, endpoint: str) -> int:
    page = answer.content.get("page")
    value = page.get(name) if isinstance(page, dict) else None
    if not isinstance(value, int):
        raise ShapeError(f"no number 'page.{name}'", where=f"source {source}, {endpoint}", hint="the vendor changed its answers")
    return value


def normalize(pages: Iterator[StoredPage], source: str) -> Iterator[Row | Reject]:
    """Accounts, the products somebody bought, each with its term, purchases, charges and invoice heads."""
    learned = Learned()
    for stored in pages:
        records = read_records(stored, "content", source)
        invoice_id = stored.page.context.get("invoice_id")
        match stored.page.endpoint:
            case "companies":
                yield from read_rows(records, lambda r: _account(r, source, learned))
            case "products":
                yield from read_rows(records, lambda r: _learn(r, learned))
            case "subscriptions":
                yield from read_rows(records, lambda r: _purchase(r, source, learned))
            case "invoices":
                yield from read_rows(records, lambda r: head(r, source, learned))
            case "invoice_items" | "draft_items":
                yield from read_rows(records, lambda r, of=invoice_id: charge(r, source, learned, of))  # type: ignore[misc] # mypy infers no lambda with a default
    yield from heads(learned)


def _account(r: Record, source: str, learned: Learned) -> Iterator[Row]:
    values = {
        "source": source,
        "vendor_account_id": r.text("id"),
        "account_name": r.text("name"),
        "domain": domain_of(r.optional_text("website")),
        "email": None,
        "phone": r.optional_text("phone"),
        "address": joined(*(r.optional_text(f"address.{part}") for part in _ADDRESS)),
        "external_id": r.optional_text("externalId"),
        "status": r.optional_text("status"),
        "evidence": r.evidence,
    }
    learned.companies.add(r.text("id"))
    yield Row("vendor_accounts", values)


def _learn(r: Record, learned: Learned) -> Iterator[Row]:
    learned.catalogue[r.text("id")] = (r.text("name"), r.optional_text("vendorSku") or r.optional_text("sku"))
    yield from ()


def _purchase(r: Record, source: str, learned: Learned) -> Iterator[Row]:
    product, billing, status = r.text("productId"), r.text("billingTerm"), r.text("status")
    commitment = r.optional_text("commitmentTerm.term")
    term = f"billing {billing}, commitment {commitment}" if commitment else f"billing {billing}"
    product_id = f"{product}|{billing}|{commitment or '-'}"
    is_free = "Trial" in (status, billing)
    is_committed = commitment is not None or _BILLED_MONTHS.get(billing, 1) > 1  # month by month, an end is only when it was cancelled for
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
        "commitment_end_date": r.day("commitmentTerm.endDate") or (r.day("endDate") if is_committed else None),
        "term": term,
        "unit_price": _a_month(r.optional_number("price"), billing),
        "unit_cost": _a_month(r.optional_number("partnerCost"), billing),
        "currency": r.optional_text("currencyCode"),
        "evidence": r.evidence,
    }
    learned.subscriptions[r.text("id")] = (product, product_id)
    if product_id not in learned.products:
        learned.products.add(product_id)
        name, sku = learned.catalogue.get(product) or (r.optional_text("productName") or product, r.optional_text("vendorSkuId"))
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
