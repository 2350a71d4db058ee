"""Pax8: OAuth client credentials in JSON, pages counted from 0 as ``{content, page}``."""

from __future__ import annotations

from typing import Any

from reconlib.sandbox.accounts import uid
from reconlib.sandbox.catalogue import PAX8_PRODUCTS
from reconlib.sandbox.records import Account, Subscription
from reconlib.sandbox.web import Reply, Request, Site, drop_empty, is_bearer, json_reply

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


def _error(status: int, message: str, request: Request) -> Reply:
    return json_reply({"type": message.upper().replace(" ", "_"), "message": message, "instance": request.path, "status": status}, status)
