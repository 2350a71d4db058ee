"""ConnectWise PSA: Basic ``company+public:private`` and clientId, vendor media type, Link header paging, nulls omitted."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from reconlib.sandbox.contacts import contact_of
from reconlib.sandbox.records import Addition, Agreement, Company
from reconlib.sandbox.web import Reply, Request, Site, drop_empty, is_basic, json_reply

PREFIX = "/v4_6_release/apis/3.0"
MEDIA_TYPE = "application/vnd.connectwise.com+json; version=2026.4"
MAX_PAGE_SIZE, DEFAULT_PAGE_SIZE = 1000, 25
_CYCLES = {"Monthly": 2, "Quarterly": 3, "Annual": 4, "One Time": 7}
_CURRENCIES = {"USD": (1, "$", "US Dollar"), "CAD": (2, "CA$", "Canadian Dollar")}


def answer(site: Site, request: Request) -> Reply:
    """One call to the PSA."""
    env = site.environ
    user = f"{env['CW_COMPANY']}+{env['CW_PUBLIC_KEY']}"
    if not is_basic(request, user, env["CW_PRIVATE_KEY"]) or request.headers.get("clientid") != env["CW_CLIENT_ID"]:
        return json_reply({"code": "Unauthorized", "message": "Provided credentials or clientId are invalid."}, 401)
    accept = request.headers.get("accept", "")
    if accept and "application/vnd.connectwise.com+json" not in accept and "*/*" not in accept:
        return json_reply({"code": "NotAcceptable", "message": "Send the vendor media type."}, 406)
    rows = _rows(site, request.path.removeprefix(PREFIX))
    if rows is None or request.method != "GET":
        return json_reply({"code": "NotFound", "message": "No such resource."}, 404)
    try:
        rows = [row for row in rows if _matches(row, request.query.get("conditions", ""))]
    except ValueError:
        return json_reply({"code": "InvalidObject", "message": "conditions are not understood"}, 400)
    if request.path.endswith("/count"):
        return json_reply({"count": len(rows)}, Content_Type=MEDIA_TYPE)
    return _page(rows, request)


def _rows(site: Site, path: str) -> list[dict[str, Any]] | None:
    world = site.world
    path = path.removesuffix("/count")
    if path == "/company/companies":
        return [_company(c) for c in world.companies]
    if path == "/procurement/catalog":
        return catalog()
    agreements = {a.id: a for a in world.agreements}
    companies = {c.id: c for c in world.companies}
    if path == "/finance/agreements":
        return [_agreement(a, companies[a.company_id], agreements) for a in world.agreements]
    if (match := re.fullmatch(r"/finance/agreements/(\d+)/additions", path)) and int(match[1]) in agreements:
        parent = agreements[int(match[1])]
        return [_addition(a, parent) for a in world.additions if a.agreement_id == parent.id]
    return None


def _page(rows: list[dict[str, Any]], request: Request) -> Reply:
    page, size = request.number("page", 1), request.number("pageSize", DEFAULT_PAGE_SIZE)
    if page < 1 or not 1 <= size <= MAX_PAGE_SIZE:
        return json_reply({"code": "InvalidObject", "message": "page or pageSize is out of range"}, 400)
    if request.headers.get("pagination-type") == "forward-only":
        after = request.number("pageId", 0)
        rest = sorted((row for row in rows if row["id"] > after), key=lambda row: int(row["id"]))
        shown, following = rest[:size], {"pageId": str(rest[size - 1]["id"])} if len(rest) > size else None
    else:
        shown = rows[(page - 1) * size : page * size]
        following = {"page": str(page + 1)} if len(rows) > page * size else None
    headers = {"Content-Type": MEDIA_TYPE}
    links = [f'<{request.url(**following)}>; rel="next"'] if following else []
    if page > 1:
        links.append(f'<{request.url(page="1")}>; rel="first"')
    if links:
        headers["Link"] = ", ".join(links)
    return Reply(200, json_reply(shown).body, headers)


_CONDITION = re.compile(r'\s*([\w/]+)\s*(!=|>=|<=|=|>|<)\s*("(?:[^"]*)"|\[[^\]]*\]|true|false|null|-?[\d.]+)\s*', re.IGNORECASE)


def _matches(row: dict[str, Any], conditions: str) -> bool:
    """The part of the vendor's condition language a connector needs: comparisons joined by and."""
    for part in filter(str.strip, re.split(r"\s+and\s+", conditions, flags=re.IGNORECASE)):
        match = _CONDITION.fullmatch(part)
        if not match:
            raise ValueError(part)
        value: Any = row
        for key in match[1].split("/"):
            value = value.get(key) if isinstance(value, dict) else None
        actual = value.isoformat() if isinstance(value, date) else str(value).lower() if isinstance(value, bool) else value
        wanted: Any = match[3].strip('"[]')
        if isinstance(actual, int):
            wanted = int(wanted)
        elif match[3].startswith("["):
            wanted = wanted[:10]
        known = actual is not None
        held = {
            "=": actual == wanted or (wanted == "null" and not known),
            "!=": actual != wanted,
            ">": known and actual > wanted,
            ">=": known and actual >= wanted,
            "<": known and actual < wanted,
            "<=": known and actual <= wanted,
        }
        if not held[match[2]]:
            return False
    return True


def _company(company: Company) -> dict[str, Any]:
    return drop_empty(
        id=company.id,
        identifier=company.code,
        name=company.name,
        status={"id": 1 if company.status == "Active" else 2, "name": company.status},
        **_reached(company),
        website=company.website,
        types=[{"id": i + 1, "name": name} for i, name in enumerate(company.types)],
        deletedFlag=company.deleted,
        currency=_currency(company.currency),
        _info={"companies_href": f"{PREFIX}/company/companies/{company.id}"},
    )


def _reached(company: Company) -> dict[str, str]:
    contact = contact_of(company.id)
    if contact is None:
        return {}
    place = {"addressLine1": contact.street, "city": contact.city, "state": contact.state, "zip": contact.postcode}
    return {**place, "phoneNumber": contact.phone}


def catalog() -> list[dict[str, Any]]:
    """The PSA's catalogue."""
    from reconlib.sandbox.catalogue import DORMANT, SERVICES

    return [
        drop_empty(
            id=s.service_id,
            identifier=s.code,
            description=s.name,
            inactiveFlag=not s.is_active,
            subcategory={"id": 12, "name": "Recurring"},
            type={"id": 3, "name": "Service"},
            productClass="Agreement" if s.measure != "flat" else "Service",
            unitOfMeasure={"id": 1, "name": "Each"},
            price=s.price,
            cost=s.cost,
            customerDescription=s.name,
            vendorSku=s.vendor_sku,
            recurringFlag=s.code != "ONBOARD",
            taxableFlag=True,
        )
        for s in (*SERVICES, *DORMANT)
    ]


def _agreement(agreement: Agreement, company: Company, every: dict[int, Agreement]) -> dict[str, Any]:
    parent = every.get(agreement.parent_id or 0)
    return drop_empty(
        id=agreement.id,
        name=agreement.name,
        type={"id": 5, "name": agreement.type},
        company={"id": company.id, "identifier": company.code, "name": company.name},
        contact={"id": agreement.id + 1, "name": "Accounts Payable"},
        startDate=agreement.start,
        endDate=agreement.end,
        noEndingDateFlag=agreement.end is None,
        cancelledFlag=agreement.cancelled is not None,
        dateCancelled=agreement.cancelled,
        billingCycle={"id": _CYCLES[agreement.cycle], "name": agreement.cycle} if agreement.cycle else None,
        prorateFlag=agreement.prorates,
        periodType="Current",
        agreementStatus=agreement.status,
        parentAgreement={"id": parent.id, "name": parent.name} if parent else None,
        currency=_currency(agreement.currency),
    )


def _addition(addition: Addition, agreement: Agreement) -> dict[str, Any]:
    billed = max(0, addition.quantity - addition.included)
    return drop_empty(
        id=addition.id,
        product={"id": addition.service_id, "identifier": addition.code},
        quantity=addition.quantity,
        lessIncluded=addition.included or None,
        unitPrice=addition.price,
        unitCost=addition.cost,
        billCustomer=addition.bill,
        effectiveDate=addition.effective,
        cancelledDate=addition.cancelled,
        taxableFlag=True,
        invoiceDescription=addition.description,
        agreementId=agreement.id,
        description=addition.description,
        billedQuantity=billed,
        uom="Each",
        extPrice=addition.price * billed,
        extCost=None if addition.cost is None else addition.cost * addition.quantity,
        agreementStatus=agreement.status,
    )


def _currency(code: str) -> dict[str, Any] | None:
    if not code:
        return None
    number, symbol, name = _CURRENCIES[code]
    return {"id": number, "symbol": symbol, "currencyCode": code, "numberOfDecimals": 2, "name": name}
