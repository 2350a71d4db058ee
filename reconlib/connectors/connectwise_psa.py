"""ConnectWise PSA: companies, catalogue, agreements and their additions.

The live service omits null properties, pages by ``Link: rel=next`` and answers 404 to an old codebase. Every number is a decimal.
Source: vendor's public endpoints 2026.4; developer guide, "Pagination" and "Throttling".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from reconlib.connectors.contract import Connector, Fetch, Page, Reject, Row, StoredPage
from reconlib.connectors.fields import Record, UnreadableError, domain_of, email_of, items, joined, read_records, read_rows
from reconlib.connectors.sign_in import basic_auth
from reconlib.connectors.transport import Answer, Transport
from reconlib.period import Period

PAGE_SIZE = 1000  # the vendor's most
ACCEPT = "application/vnd.connectwise.com+json; version=2025.1"
_PATHS = {"companies": "company/companies", "catalog": "procurement/catalog", "agreements": "finance/agreements"}
_CYCLE_MONTHS = {
    "monthly": 1,
    "bimonthly": 2,
    "quarterly": 3,
    "semiannual": 6,
    "semiannually": 6,
    "annual": 12,
    "annually": 12,
    "yearly": 12,
}
_NO_CYCLE = {"onetime", "none", ""}
_ADDRESS = ("addressLine1", "addressLine2", "city", "state", "zip")
_NOT_BILLED = {"inactive", "notapproved", "prospect", "lead", "former"}  # statuses of companies that are no customers (T13)
_BILLABLE = {"Billable": "billable", "DoNotBill": "do_not_bill", "NoCharge": "no_charge"}


def fetch(f: Fetch) -> Iterator[Page]:
    """Pages of companies, catalogue and agreements, then the additions of each agreement that was active in the last two months."""
    user = f"{f.credentials['COMPANY'].get_secret_value()}+{f.credentials['PUBLIC_KEY'].get_secret_value()}"
    headers = {"Accept": ACCEPT, "clientId": f.credentials["CLIENT_ID"].get_secret_value()}
    hints = {404: "check base_url (the codebase in it changes at upgrades) and the credentials: ConnectWise answers 404 to both"}
    auth = basic_auth(user, f.credentials["PRIVATE_KEY"])
    with Transport(f.base_url, source=f.source, auth=auth, headers=headers, hints=hints, sleep=f.sleep, now=f.now) as transport:
        agreements: list[Mapping[str, Any]] = []
        for endpoint, path in _PATHS.items():
            for answer in _walk(transport, endpoint, path, f.source):
                yield Page(endpoint, answer.request, answer.body)
                if endpoint == "agreements":
                    agreements += items(answer.content, None, source=f.source, endpoint=endpoint)
        for index, agreement in enumerate(agreements):
            record = Record(agreement, f"source {f.source}, agreements, record {index}", "")
            if not _is_relevant(record, f.period):
                continue
            context = {"agreement_id": record.text("id"), "client_id": record.text("company.id")}
            for answer in _walk(transport, "additions", f"finance/agreements/{int(record.number('id'))}/additions", f.source):
                yield Page("additions", answer.request, answer.body, context)


def normalize(pages: Iterator[StoredPage], source: str) -> Iterator[Row | Reject]:
    """Clients, services, agreements and agreement lines."""
    services: set[str] = set()
    agreements: set[str] = set()
    for stored in pages:
        records = read_records(stored, None, source)
        match stored.page.endpoint:
            case "companies":
                yield from read_rows(records, lambda r: _client(r, source))
            case "catalog":
                yield from read_rows(records, lambda r: _service(r, source, services))
            case "agreements":
                yield from read_rows(records, lambda r: _agreement(r, source, agreements))
            case "additions":
                context = stored.page.context
                if context["agreement_id"] in agreements:
                    yield from read_rows(records, lambda r, context=context: _line(r, source, context, services))  # type: ignore[misc] # mypy infers no lambda with a default
                else:
                    reason = "its agreement could not be used"
                    yield from (Reject("agreement", context["agreement_id"], reason, record.evidence) for record in records)


def _walk(transport: Transport, endpoint: str, path: str, source: str) -> Iterator[Answer]:
    """Pages of one list, by the vendor's links; a full page without one is followed too: a proxy may have taken the header off."""
    page = 1
    answer = transport.get(endpoint, path, _page(page))
    while True:
        yield answer  # kept as evidence before it is judged
        found = items(answer.content, None, source=source, endpoint=endpoint)
        page += 1
        if answer.next_url:
            answer = transport.follow(endpoint, answer.next_url)
        elif len(found) >= PAGE_SIZE:
            answer = transport.get(endpoint, path, _page(page))
        else:
            return


def _page(number: int) -> dict[str, str | int]:
    return {"pageSize": PAGE_SIZE, "page": number, "orderBy": "id"}


def _is_relevant(agreement: Record, period: Period) -> bool:
    """Whether an agreement could be billed in this period or the one before; what ended earlier is out of every scope."""
    try:
        ends = [_end(agreement), agreement.day("dateCancelled")]
    except UnreadableError:
        return True  # normalize returns it as a reject
    return all(end is None or end >= period.previous.start for end in ends)


def _end(agreement: Record) -> date | None:
    return None if agreement.flag("noEndingDateFlag") else agreement.day("endDate")


def _client(r: Record, source: str) -> Iterator[Row]:
    status = r.optional_text("status.name")
    types = r.values.get("types")
    kinds = {str(kind.get("name", "")).lower() for kind in types if isinstance(kind, Mapping)} if isinstance(types, list) else set()
    prospect = "prospect" in kinds and not kinds & {"client", "customer"}
    values = {
        "client_id": r.text("id"),
        "client_name": r.text("name"),
        "client_code": r.optional_text("identifier"),
        "domain": domain_of(r.optional_text("website")),
        "email": email_of(r.optional_text("invoiceToEmailAddress")),
        "phone": r.optional_text("phoneNumber"),
        "address": joined(*(r.optional_text(part) for part in _ADDRESS)),
        "status": status,
        "is_deleted": r.flag("deletedFlag"),
        "is_billable": _letters(status) not in _NOT_BILLED and not prospect,
        "currency": _currency(r),
        "source": source,
        "evidence": r.evidence,
    }
    yield Row("clients", values)


def _service(r: Record, source: str, seen: set[str]) -> Iterator[Row]:
    service_id, code = r.text("id"), r.text("identifier")
    values = {
        "service_id": service_id,
        "service_code": code,
        "service_name": r.optional_text("description") or code,
        "unit_price": r.optional_number("price"),
        "unit_cost": r.optional_number("cost"),
        "vendor_sku": r.optional_text("vendorSku") or r.optional_text("manufacturerPartNumber"),
        "is_active": not r.flag("inactiveFlag"),
        "source": source,
        "evidence": r.evidence,
    }
    seen.add(service_id)
    yield Row("services", values)


def _agreement(r: Record, source: str, seen: set[str]) -> Iterator[Row | Reject]:
    agreement_id = r.text("id")
    cycle = r.optional_text("billingCycle.name")
    months = None if r.flag("oneTimeFlag") or r.flag("billOneTimeFlag") else _cycle_months(cycle)
    values = {
        "agreement_id": agreement_id,
        "agreement_name": r.text("name"),
        "agreement_type": r.optional_text("type.name"),
        "client_id": r.text("company.id"),
        "parent_agreement_id": r.optional_text("parentAgreement.id"),
        "start_date": r.day("startDate"),
        "end_date": _end(r),
        "cancelled_date": r.day("dateCancelled"),
        "status": r.optional_text("agreementStatus") or ("Cancelled" if r.flag("cancelledFlag") else "Active"),
        "cycle_months": months,
        "prorates": r.flag("prorateFlag"),
        "currency": _currency(r),
        "source": source,
        "evidence": r.evidence,
    }
    seen.add(agreement_id)
    yield Row("agreements", values)
    if months is None and _letters(cycle) not in _NO_CYCLE:
        yield Reject("billingCycle.name", cycle or "", "is no known cycle: the agreement's lines are out of scope", r.evidence)


def _line(r: Record, source: str, context: Mapping[str, str], services: set[str]) -> Iterator[Row]:
    service_id = r.text("product.id")
    billing = r.optional_text("billCustomer") or "Billable"
    if billing not in _BILLABLE:
        raise UnreadableError("billCustomer", billing, f"is none of {', '.join(_BILLABLE)}")
    description = r.optional_text("description") or r.optional_text("invoiceDescription")
    values = {
        "agreement_line_id": r.text("id"),
        "agreement_id": context["agreement_id"],
        "client_id": context["client_id"],
        "service_id": service_id,
        "description": description,
        "quantity_qty": r.number("quantity"),
        "included_qty": r.optional_number("lessIncluded") or 0,
        "unit_price": r.optional_number("unitPrice"),
        "unit_cost": r.optional_number("unitCost"),
        "billable": _BILLABLE[billing],
        "effective_date": r.day("effectiveDate"),
        "cancelled_date": r.day("cancelledDate"),
        "source": source,
        "evidence": r.evidence,
    }
    if service_id not in services:  # sold once, gone from the catalogue
        services.add(service_id)
        code = r.optional_text("product.identifier") or f"product {service_id}"
        seen = {"service_id": service_id, "service_code": code, "service_name": description or code, "is_active": False}
        yield Row("services", {**seen, "source": source, "evidence": r.evidence})
    yield Row("agreement_lines", values)


def _cycle_months(cycle: str | None) -> int | None:
    if found := re.fullmatch(r"(\d{1,2}) ?(month|year)s?", (cycle or "").strip().lower()):
        return int(found[1]) * (12 if found[2] == "year" else 1)
    return _CYCLE_MONTHS.get(_letters(cycle))


def _currency(r: Record) -> str | None:
    for path in ("currency.currencyCode", "currency.currencyIdentifier"):
        code = r.optional_text(path)
        if code and re.fullmatch(r"[A-Z]{3}", code):
            return code
    return None


def _letters(text: str | None) -> str:
    return re.sub(r"[^a-z]", "", (text or "").lower())


CONNECTOR = Connector(
    fetch=fetch,
    normalize=normalize,
    role="psa",
    credential_fields=("COMPANY", "PUBLIC_KEY", "PRIVATE_KEY", "CLIENT_ID"),
    base_url="https://api-na.myconnectwise.net/v4_6_release/apis/3.0",
)
