"""Microsoft Partner Center: what was bought, each customer's subscriptions with seats, term and end of commitment (T28, T52, T53).

A source of its own beside ``partner_center``, which reads what is charged: an invoice line's subscription id is not the one listed here
(T29), so the two meet by client and service; and an app that may read invoices only goes on reading them. The list says what is there now,
ended subscriptions included, and no price. Source: Partner Center REST, "Get a list of customers", "Get a customer's subscriptions" and
"Subscription resources"; the way to the next page is that of Microsoft's own client.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from reconlib.connectors.contract import Connector, Fetch, Page, Reject, Row, StoredPage
from reconlib.connectors.fields import Record, UnreadableError, items, read_records, read_rows
from reconlib.connectors.partner_center_access import GRAPH, TOKEN_URL, open_partner_center
from reconlib.connectors.partner_center_rows import CYCLE_MONTHS, term_words
from reconlib.connectors.transport import Answer, Transport
from reconlib.errors import ShapeError, VendorError

PAGE_SIZE = 500
RATE_PER_S, BURST = 8.0, 5  # subscriptions may be asked for 500 times in any minute
CURSOR = "MS-ContinuationToken"
NEVER = 2200  # from this year on an end is no end: what does not renew by itself ends "far away in the future"
_RIGHTS = (
    "register the app in Partner Center (App management) and let it read customers and their subscriptions, or take this source out of "
    "params: purchases that may not be read are not zero"
)
_NO_BUYERS = {"advisor", "microsoftsupport", "none"}  # customers who buy nothing from this partner
_NOT_CHARGED = {"none", "pending", "expired", "disabled", "deleted"}  # every other word is, suspended and unknown ones included (T52)
_ID = re.compile(r"[A-Za-z0-9-]{1,64}")  # what may stand in a path
_NEW_COMMERCE = re.compile(r"([A-Z0-9]{12}):([A-Z0-9]{4})(?::[A-Z0-9]+)?")  # product, SKU, availability
_TERM = re.compile(r"P(\d{1,2})([MY])")


def fetch(f: Fetch) -> Iterator[Page]:
    """Pages of the partner's customers, then of the subscriptions of each who buys.

    Raises:
        AuthenticationError: the app may not read customers, or one customer's subscriptions: the source fails, and counts nothing (T1).
        VendorError: a list changed while it was read.
    """
    with open_partner_center(f, _RIGHTS, rate_per_s=RATE_PER_S, burst=BURST) as transport:
        buyers: dict[str, bool] = {}
        for answer in _walk(transport, "customers", "v1/customers", f.source, {"size": PAGE_SIZE}):
            yield Page("customers", answer.request, answer.body)
            for index, values in enumerate(items(answer.content, "items", source=f.source, endpoint="customers")):
                number, is_buyer = _customer(Record(values, f"source {f.source}, customers, record {index}", ""))
                if number in buyers:
                    raise VendorError(
                        f"customer {number} is listed twice: the list changed while it was read",
                        where=f"source {f.source}, customers",
                        hint="run again",
                    )
                buyers[number] = is_buyer
        for number in (number for number, is_buyer in buyers.items() if is_buyer):
            for answer in _walk(transport, f"subscriptions of customer {number}", f"v1/customers/{number}/subscriptions", f.source, {}):
                yield Page("subscriptions", answer.request, answer.body, {"customer_id": number})


def _customer(r: Record) -> tuple[str, bool]:
    """Id of a customer, and whether anything can be bought through this partner."""
    number = r.text("id")
    if not _ID.fullmatch(number):
        raise ShapeError(f"a customer with id {number!r}", where=r.where, hint="the vendor changed its answers")
    return number, (r.optional_text("relationshipToPartner") or "").replace("_", "").casefold() not in _NO_BUYERS


def _walk(transport: Transport, endpoint: str, path: str, source: str, query: Mapping[str, str | int]) -> Iterator[Answer]:
    """Pages of one list. The next one is asked for by a header the page before names, never by the vendor's own link.

    Raises:
        VendorError: less or more was received than the vendor says there is; it counts a page, or all of them.
    """
    stated: list[tuple[int, int]] = []
    answer = transport.get(endpoint, path, query)
    while True:
        yield answer
        found = items(answer.content, "items", source=source, endpoint=endpoint)
        total = answer.content.get("totalCount")
        if not isinstance(total, int):
            raise ShapeError("no number 'totalCount'", where=f"source {source}, {endpoint}", hint="the vendor changed its answers")
        stated.append((total, len(found)))
        cursor = _cursor(answer.content, f"source {source}, {endpoint}")
        if cursor is None:
            break
        answer = transport.get(endpoint, path, {**query, "seekOperation": "Next"}, headers={CURSOR: cursor})
    received = sum(count for _, count in stated)
    if any(total not in (count, received) for total, count in stated):
        raise VendorError(
            f"{received} records received of {max(total for total, _ in stated)}: the list changed while it was read",
            where=f"source {source}, {endpoint}",
            hint="run again",
        )


def _cursor(content: Mapping[str, Any], where: str) -> str | None:
    """What names the next page; null on the last one.

    Raises:
        ShapeError: there is a next page, and nothing a header can carry names it.
    """
    links = content.get("links")
    following = links.get("next") if isinstance(links, Mapping) else None
    if following is None:
        return None
    headers = following.get("headers") if isinstance(following, Mapping) else None
    for header in headers if isinstance(headers, list) else []:
        if isinstance(header, Mapping) and str(header.get("key")).casefold() == CURSOR.casefold():
            value = header.get("value")
            if isinstance(value, str) and re.fullmatch(r"[\x21-\x7e]+", value):
                return value
    raise ShapeError(f"there is a next page, and no {CURSOR} names it", where=where, hint="the vendor changed its paging")


def normalize(pages: Iterator[StoredPage], source: str) -> Iterator[Row | Reject]:
    """Accounts, products with their terms, and purchases."""
    products: set[str] = set()
    for stored in pages:
        records = read_records(stored, "items", source)
        match stored.page.endpoint:
            case "customers":
                yield from read_rows(records, lambda r: _account(r, source))
            case "subscriptions":
                customer = stored.page.context["customer_id"]
                yield from read_rows(records, lambda r, customer=customer: _purchase(r, source, customer, products))  # type: ignore[misc] # mypy infers no lambda with a default


def _account(r: Record, source: str) -> Iterator[Row]:
    number, domain = r.text("id"), r.optional_text("companyProfile.domain")
    values = {
        "source": source,
        "vendor_account_id": number,
        "account_name": r.optional_text("companyProfile.companyName") or number,
        "domain": domain.lower() if domain else None,
        "external_id": None,
        "tenant_id": r.optional_text("companyProfile.tenantId") or number,
        "status": r.optional_text("relationshipToPartner"),
        "evidence": r.evidence,
    }
    yield Row("vendor_accounts", values)


def _purchase(r: Record, source: str, customer: str, products: set[str]) -> Iterator[Row]:
    """One subscription. A SKU under two terms or plans is two products, called as an invoice line's is (T28)."""
    offer, status = r.text("offerId"), r.text("status")
    new = _NEW_COMMERCE.fullmatch(offer)
    sku = f"{new[1]}:{new[2]}" if new else offer
    months = _term_months(r)
    term = term_words(months, CYCLE_MONTHS.get((r.optional_text("billingCycle") or "").casefold()))
    product_id = f"{sku}|{term}" if term else sku
    purchase = {
        "source": source,
        "purchase_id": r.text("id"),
        "vendor_account_id": customer,
        "vendor_product_id": product_id,
        "quantity_qty": r.count("quantity"),
        "status": status,
        "is_active": status.casefold() not in _NOT_CHARGED,
        "is_free": r.flag("isTrial"),
        "start_date": r.day("effectiveStartDate") or r.day("creationDate"),
        "commitment_end_date": _commitment_end(r, months) if new else None,
        "term": term,
        "unit_price": None,
        "unit_cost": None,
        "currency": None,
        "evidence": r.evidence,
    }
    if product_id not in products:
        products.add(product_id)
        about = {"source": source, "vendor_product_id": product_id, "product_name": r.optional_text("offerName") or product_id}
        yield Row("vendor_products", {**about, "sku": sku, "term": term, "is_free": False, "evidence": r.evidence})
    yield Row("purchases", purchase)


def _term_months(r: Record) -> int | None:
    """Months of the term, written ``P1M``, ``P1Y``; null where there is none: older commerce, usage, bought for good."""
    text = r.optional_text("termDuration")
    if text is None or text in ("P0D", "P0M", "P0Y"):
        return None
    found = _TERM.fullmatch(text)
    if found is None:
        raise UnreadableError("termDuration", text, "is no term in months or years, such as P1Y")
    return int(found[1]) * (12 if found[2] == "Y" else 1)


def _commitment_end(r: Record, months: int | None) -> date | None:
    """Last day on which seats cannot go down: new commerce says it inclusively. A monthly term is no commitment (T83)."""
    ends = r.day("commitmentEndDate")
    return ends if ends and months and months > 1 and 1900 < ends.year < NEVER else None


CONNECTOR = Connector(
    fetch=fetch,
    normalize=normalize,
    role="vendor",
    credential_fields=("TENANT", "CLIENT_ID", "CLIENT_SECRET"),
    base_url=GRAPH,
    token_url=TOKEN_URL,
)
