"""Pax8: OAuth client credentials in JSON, pages counted from 0 as ``{content, page}``."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from reconlib.money import round_amount
from reconlib.period import Period
from reconlib.sandbox import charges
from reconlib.sandbox.accounts import uid
from reconlib.sandbox.catalogue import PAX8_PRODUCTS
from reconlib.sandbox.charges import HEAD_OFF, Item, is_invoiced
from reconlib.sandbox.contacts import STRANGER, contact_of
from reconlib.sandbox.records import Account, Subscription
from reconlib.sandbox.web import Reply, Request, Site, drop_empty, is_bearer, json_reply
from reconlib.sandbox.world import World

MAX_PAGE_SIZE, DEFAULT_PAGE_SIZE = 200, 10
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
        **_reached(account),
        website=account.domain,
        externalId=account.external_id,
        billOnBehalfOfEnabled=False,
        selfServiceAllowed=False,
        orderApprovalRequired=False,
        status="Active",
    )


def _reached(account: Account) -> dict[str, Any]:
    contact = contact_of(account.client_id) or STRANGER
    place = {"street": contact.street, "city": contact.city, "stateOrProvince": contact.state, "postalCode": contact.postcode}
    return {"address": {**place, "country": "US"}, "phone": "+1 " + "".join(sign if sign.isdigit() else " " for sign in contact.phone)}


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
    is_out = is_invoiced(world)
    items = [_item(world, item) for item in charges.items(world)]
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
    total = sum((row.get("costTotal", row["amountDue"]) + row["salesTax"] for row in items), Decimal(0))
    total += HEAD_OFF if items[0]["currencyCode"] == "CAD" else 0
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


def _item(world: World, item: Item) -> dict[str, Any]:
    product = next(p for p in PAX8_PRODUCTS if p.product_id == item.product_id)
    row = {
        "id": item.id,
        "type": item.type,
        "companyId": item.company,
        "companyName": next(a.name for a in world.book.accounts("pax8") if a.id == item.company),
        "startPeriod": item.start.isoformat(),
        "endPeriod": item.end.isoformat(),
        "quantity": item.quantity,
        "unitOfMeasure": "User",
        "term": item.term,
        "sku": product.sku,
        "description": item.product_name,
        "rateType": "single (Single price for any quantity, same as flat)",
        "chargeType": "per",
        "price": item.price,
        "subTotal": item.sub_total,
        "cost": item.cost,
        "costTotal": item.cost_total,
        "offeredBy": "Pax8",
        "billedByPax8": False,
        "total": item.sub_total,
        "productId": item.product_id,
        "productName": item.product_name,
        "billingFee": 0,
        "billingFeeRate": 0,
        "amountDue": item.amount_due,
        "currencyCode": item.currency,
        "salesTax": round_amount(item.amount_due * Decimal("0.04"), item.currency),
        "subscriptionId": item.subscription,
        "vendorName": product.vendor,
    }
    return {name: value for name, value in row.items() if value is not None}


def _error(status: int, message: str, request: Request) -> Reply:
    return json_reply({"type": message.upper().replace(" ", "_"), "message": message, "instance": request.path, "status": status}, status)
