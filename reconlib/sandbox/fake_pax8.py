"""Pax8: OAuth client credentials in JSON, pages counted from 0 as ``{content, page}``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from reconlib.money import round_amount
from reconlib.period import Period
from reconlib.sandbox.accounts import uid
from reconlib.sandbox.catalogue import PAX8_PRODUCTS
from reconlib.sandbox.records import Account, Subscription
from reconlib.sandbox.web import Reply, Request, Site, drop_empty, is_bearer, json_reply
from reconlib.sandbox.world import World

MAX_PAGE_SIZE, DEFAULT_PAGE_SIZE = 200, 10
INVOICE_DAY = 5  # of the month after; before it, the month's charges are a draft (T7)
TOKEN_PATHS = ("/oauth/token", "/v1/token")


def answer(site: Site, request: Request) -> Reply:
    """One call to the distributor."""
    if request.path in TOKEN_PATHS:
        form = request.form()
        good = form.get("client_id") == site.environ["PAX8_CLIENT_ID"] and form.get("client_secret") == site.environ["PAX8_CLIENT_SECRET"]
        if request.method != "POST" or not good or form.get("grant_type") != "client_credentials" or not form.get("audience"):
            return _error(401, "Unauthorized", request)
        return json_reply({"access_token": site.token("pax8"), "token_type": "Bearer", "expires_in": 86400})
    if not is_bearer(request, site.token("pax8")):
        return _error(401, "Unauthorized", request)
    world = site.world
    rows: list[dict[str, Any]]
    if request.path == "/v1/companies":
        rows = [_company(a) for a in world.book.accounts("pax8")]
    elif request.path == "/v1/products":
        rows = [
            {
                "id": p.product_id,
                "name": p.name,
                "vendorName": p.vendor,
                "shortDescription": p.name,
                "sku": p.sku,
                "vendorSku": p.vendor_sku,
                "requiresCommitment": p.vendor == "Microsoft",
            }
            for p in PAX8_PRODUCTS
        ]
    elif request.path == "/v1/subscriptions":
        rows = [_subscription(world.seed, s) for s in world.subscriptions]
    elif request.path.startswith("/v1/invoices"):
        return _billing(world, request)
    else:
        return _error(404, "Not Found", request)
    wanted = {k: v for k, v in request.query.items() if k in ("status", "companyId", "productId", "billingTerm", "vendorName")}
    return _page([row for row in rows if all(row.get(k) == v for k, v in wanted.items())], request)


def _page(rows: list[dict[str, Any]], request: Request) -> Reply:
    number, size = request.number("page", 0), request.number("size", DEFAULT_PAGE_SIZE)
    if number < 0 or not 1 <= size <= MAX_PAGE_SIZE:
        return _error(400, "Bad Request", request)
    pages = -(-len(rows) // size)
    content = rows[number * size : (number + 1) * size]
    return json_reply({"content": content, "page": {"size": size, "totalElements": len(rows), "totalPages": pages, "number": number}})


def _company(account: Account) -> dict[str, Any]:
    return drop_empty(
        id=account.id,
        name=account.name,
        address={"street": "1 Harbor Way", "city": "Denver", "stateOrProvince": "CO", "postalCode": "80202", "country": "US"},
        phone="555-010-0199",
        website=account.domain,
        externalId=account.external_id,
        billOnBehalfOfEnabled=False,
        selfServiceAllowed=False,
        orderApprovalRequired=False,
        status="Active",
    )


def _subscription(seed: int, s: Subscription) -> dict[str, Any]:
    commitment = {"id": uid(seed, "commitment", s.id), "term": s.commitment, "endDate": s.end}
    return drop_empty(
        id=s.id,
        companyId=s.company,
        productId=s.product_id,
        vendorSkuId=s.vendor_sku,
        quantity=s.quantity,
        startDate=s.start,
        endDate=s.end,
        createdDate=s.start,
        billingStart=s.start.isoformat(),
        status=s.status,
        price=s.price,
        currencyCode=s.currency,
        partnerCost=s.cost,
        productName=s.product_name,
        billingTerm=s.billing,
        commitmentTerm=commitment if s.commitment else None,
    )


def _billing(world: World, request: Request) -> Reply:
    """Invoices of the month, one a currency, from their day on; the draft before it."""
    is_out = world.now.date() >= world.period.next.start.replace(day=INVOICE_DAY)
    items = list(_items(world))
    heads = {uid(world.seed, "invoice", world.period, money): money for money in sorted({row["currencyCode"] for row in items}) if is_out}
    if request.path == "/v1/invoices":
        rows = [_head(world, number, [row for row in items if row["currencyCode"] == money]) for number, money in heads.items()]
        start, end = request.query.get("invoiceDateRangeStart", ""), request.query.get("invoiceDateRangeEnd", "9999")
        return _page([row for row in rows if start <= row["invoiceDate"] <= end], request)
    if request.path == "/v1/invoices/draftItems":
        offset = request.number("monthOffset", 1)
        if offset not in (0, 1):
            return _error(422, "Invalid monthOffset value", request)
        month = Period(world.now.year, world.now.month)
        is_asked = world.period.next == (month.next if offset else month)
        return _page([] if is_out or not is_asked else items, request)
    money_of = heads.get(request.path.removeprefix("/v1/invoices/").removesuffix("/items"))
    if money_of is None or not request.path.endswith("/items"):
        return _error(404, "Not Found", request)
    return _page([row for row in items if row["currencyCode"] == money_of], request)


def _head(world: World, number: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    total = sum((row["costTotal"] + row["salesTax"] for row in items), Decimal(0))
    day = world.period.next.start
    return {
        "id": number,
        "invoiceDate": day.isoformat(),
        "dueDate": day.replace(day=15).isoformat(),
        "balance": total,
        "carriedBalance": 0,
        "total": total,
        "currencyCode": items[0]["currencyCode"],
        "partnerName": "Harbor MSP",
    }


def _items(world: World) -> Iterator[dict[str, Any]]:
    """What each subscription costs in the month: whole, or from its first day on; a year's price in the month its year begins (T84)."""
    names = {account.id: account.name for account in world.book.accounts("pax8")}
    vendors = {product.product_id: product for product in PAX8_PRODUCTS}
    first, last = world.period.start, world.period.end
    for s in world.subscriptions:
        start = s.start.date() if isinstance(s.start, datetime) else s.start
        is_yearly = s.billing == "Annual"
        if s.status not in ("Active", "Trial") or start > last or (is_yearly and start.month != first.month):
            continue
        if is_yearly:
            begin, end, share = date(first.year, first.month, start.day), None, Decimal(1)
        else:
            begin, end = max(start, first), last
            share = Decimal((end - begin).days + 1) / ((last - first).days + 1)
        until = end or begin.replace(year=begin.year + 1)  # a year's end is written as the day the next begins
        cost = Decimal(0) if s.billing == "Trial" else s.cost
        price = Decimal(0) if s.billing == "Trial" else s.price
        cost_total, sub_total = (round_amount(each * s.quantity * share, s.currency) for each in (cost, price))
        product = vendors[s.product_id]
        yield {
            "id": uid(world.seed, "item", world.period, s.id),
            "type": "subscription" if share == 1 else "prorate",
            "companyId": s.company,
            "companyName": names[s.company],
            "startPeriod": begin.isoformat(),
            "endPeriod": until.isoformat(),
            "quantity": s.quantity,
            "unitOfMeasure": "User",
            "term": s.billing,
            "sku": product.sku,
            "description": s.product_name,
            "rateType": "single (Single price for any quantity, same as flat)",
            "chargeType": "per",
            "price": price,
            "subTotal": sub_total,
            "cost": cost,
            "costTotal": cost_total,
            "offeredBy": "Pax8",
            "billedByPax8": False,
            "total": sub_total,
            "productId": s.product_id,
            "productName": s.product_name,
            "billingFee": 0,
            "billingFeeRate": 0,
            "amountDue": cost_total,
            "currencyCode": s.currency,
            "salesTax": round_amount(cost_total * Decimal("0.04"), s.currency),
            "subscriptionId": s.id,
            "vendorName": product.vendor,
        }


def _error(status: int, message: str, request: Request) -> Reply:
    return json_reply({"type": message.upper().replace(" ", "_"), "message": message, "instance": request.path, "status": status}, status)
