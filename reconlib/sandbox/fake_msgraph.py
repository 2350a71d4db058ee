"""Microsoft Graph licences: a token per tenant, ``@odata.nextLink`` paging, the partner's tenant list and each tenant's SKUs."""

from __future__ import annotations

import re
from typing import Any

from reconlib.sandbox.accounts import uid
from reconlib.sandbox.records import Sku
from reconlib.sandbox.web import Reply, Request, Site, is_bearer, json_reply

PAGE_SIZE = 25
_SKU_TYPE = "https://graph.microsoft.com/v1.0/$metadata#"


def answer(site: Site, request: Request) -> Reply:
    """One call to Graph or to the sign-in service."""
    partner = site.environ["GRAPH_TENANT"]
    tenants = {partner, *(a.id for a in site.world.book.accounts("m365"))}
    if match := re.fullmatch(r"/([^/]+)/oauth2/v2\.0/token", request.path):
        return _token(site, request, match[1], tenants)
    tenant = next((t for t in sorted(tenants) if is_bearer(request, site.token(t))), None)
    if tenant is None:
        return _error(401, "InvalidAuthenticationToken", "Access token is empty or invalid.")
    rows: list[dict[str, Any]]
    if request.path == "/v1.0/contracts" and tenant == partner:
        rows = [
            {
                "id": uid(site.world.seed, "contract", a.id),
                "contractType": "SyndicationPartner",
                "customerId": a.id,
                "defaultDomainName": a.domain,
                "displayName": a.name,
            }
            for a in site.world.book.accounts("m365")
        ]
    elif request.path == "/v1.0/contracts":
        rows = []
    elif request.path == "/v1.0/subscribedSkus":
        rows = [_sku(site.world.seed, s) for s in site.world.skus if s.tenant == tenant]
    else:
        return _error(404, "Request_ResourceNotFound", "Resource not found.")
    return _page(rows, request)


def _token(site: Site, request: Request, tenant: str, tenants: set[str]) -> Reply:
    form = request.form()
    if tenant not in tenants:
        return json_reply({"error": "invalid_request", "error_description": "AADSTS90002: Tenant not found."}, 400)
    good = form.get("client_id") == site.environ["GRAPH_CLIENT_ID"] and form.get("client_secret") == site.environ["GRAPH_CLIENT_SECRET"]
    if request.method != "POST" or not good or form.get("grant_type") != "client_credentials":
        return json_reply({"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."}, 401)
    if not form.get("scope", "").endswith("/.default"):
        return json_reply({"error": "invalid_scope", "error_description": "AADSTS1002012: The scope is not valid."}, 400)
    return json_reply({"token_type": "Bearer", "expires_in": 3599, "access_token": site.token(tenant)})


def _page(rows: list[dict[str, Any]], request: Request) -> Reply:
    start, size = request.number("$skiptoken", 0), request.number("$top", PAGE_SIZE)
    if start < 0 or not 1 <= size <= 999:
        return _error(400, "BadRequest", "Invalid page.")
    content: dict[str, Any] = {"@odata.context": f"{_SKU_TYPE}{request.path.rpartition('/')[2]}"}
    if len(rows) > start + size:
        content["@odata.nextLink"] = request.url(**{"$skiptoken": str(start + size)})
    return json_reply(content | {"value": rows[start : start + size]})


def _sku(seed: int, sku: Sku) -> dict[str, Any]:
    return {
        "accountId": sku.tenant,
        "appliesTo": "User",
        "capabilityStatus": "Enabled",
        "consumedUnits": sku.consumed,
        "id": f"{sku.tenant}_{sku.sku_id}",
        "prepaidUnits": {"enabled": sku.enabled, "lockedOut": 0, "suspended": 0, "warning": 0},
        "servicePlans": [],
        "skuId": sku.sku_id,
        "skuPartNumber": sku.part_number,
        "subscriptionIds": [uid(seed, "graph subscription", sku.tenant, sku.sku_id)],
    }


def _error(status: int, code: str, message: str) -> Reply:
    return json_reply({"error": {"code": code, "message": message}}, status)
