"""Microsoft Partner Center: the lines of the month's new commerce invoices, or of what is not invoiced yet, and the invoices' heads.

Lines come through an export: asked for, waited for, then fetched as compressed files from a store Microsoft leases for half a day. The
lease's signature is a credential: it is kept nowhere, and goes to that store alone, which gets no token. Invoices of a month appear from
the 6th to the 8th of the next (T7); before, the unbilled lines stand for them and may still change.
Source: Microsoft Graph v1.0, partner billing reports; Partner Center, "Get a collection of invoices".
"""

from __future__ import annotations

import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import SecretStr

from reconlib.connectors.contract import Connector, Fetch, Page, Reject, Row, StoredPage
from reconlib.connectors.fields import Record, UnreadableError, items, read_json, read_records, read_rows, utc_day
from reconlib.connectors.partner_center_access import GRAPH, TOKEN_URL, open_graph, open_partner_center
from reconlib.connectors.partner_center_rows import Numbers, Seen, line_rows, read_line
from reconlib.connectors.transport import Transport
from reconlib.errors import DataError, ShapeError, VendorError
from reconlib.money import FINE_SCALE, to_decimal
from reconlib.period import Period, parse_period

STORES = ("blob.core.windows.net", "dfs.core.windows.net")  # whose names only Microsoft's storage has
PAGE_SIZE = 500
POLL_S, WAIT_S = 10.0, 3600.0  # between two looks at an export, and for all of them
_SENDABLE = re.compile(r"[\x21-\x7e]+")  # what an address can hold of a signature
_REPORTS = "v1.0/reports/partners/billing"
_RIGHT = "check the app's secret and its right PartnerBilling.Read.All, granted in the partner's tenant"


def fetch(f: Fetch) -> Iterator[Page]:
    """The month's invoices; then the lines of each, or the unbilled lines where there is no invoice of the month yet.

    Raises:
        VendorError: an export failed or did not end, or there are neither invoices nor a currency to ask for unbilled lines in.
    """
    heads: list[Mapping[str, Any]] = []
    with open_partner_center(f, _RIGHT) as transport:  # heads are not on Graph
        for page in _invoice_pages(transport, f.source, f.period):
            yield page
            heads += items(read_json(page.body, where=f"source {f.source}, invoices"), "items", source=f.source, endpoint="invoices")
    ours = [head for head in heads if _is_of(head, f.period, f.source) and not _is_legacy(head) and not _is_note(head)]
    with open_graph(f, _RIGHT) as transport:
        for head in ours:
            number = Record(head, f"source {f.source}, invoices", "").text("id")
            question = {"invoiceId": number, "attributeSet": "full"}
            yield from _export(transport, f.source, "billed", question)
        if not ours and (which := _unbilled_period(f)):
            for currency in _currencies(heads, f.source):
                question = {"currencyCode": currency, "billingPeriod": which, "attributeSet": "full"}
                yield from _export(transport, f.source, "unbilled", question)


def _invoice_pages(transport: Transport, source: str, period: Period) -> Iterator[Page]:
    received = 0
    while True:
        answer = transport.get("invoices", "v1/invoices", {"size": PAGE_SIZE, "offset": received})
        yield Page("invoices", answer.request, answer.body, {"period": str(period)})
        found = items(answer.content, "items", source=source, endpoint="invoices")
        total = answer.content.get("totalCount")
        if not isinstance(total, int):
            raise ShapeError("no number 'totalCount'", where=f"source {source}, invoices", hint="the vendor changed its answers")
        received += len(found)
        if not found or received >= total:
            break
    if received != total:
        raise VendorError(f"{received} invoices received of {total}", where=f"source {source}, invoices", hint="run again")


def _is_of(head: Mapping[str, Any], period: Period, source: str) -> bool:
    """Whether an invoice is of a month: its billing period is that calendar month (T71)."""
    end = head.get("billingPeriodEndDate")
    try:
        return period.start <= utc_day(str(end)) <= period.end
    except ValueError:
        raise ShapeError(
            f"an invoice's 'billingPeriodEndDate' is {end!r}", where=f"source {source}, invoices", hint="the vendor changed its answers"
        ) from None


def _is_legacy(head: Mapping[str, Any]) -> bool:
    """Whether an invoice is of the commerce before the new one: its lines are in no export."""
    return str(head.get("invoiceType", "")).casefold() == "recurring"


def _is_note(head: Mapping[str, Any]) -> bool:
    """Whether a document is a credit note: it takes from an invoice and has no lines of its own (T94)."""
    return str(head.get("documentType", "")).replace("_", "").replace(" ", "").casefold() == "creditnote"


def _unbilled_period(f: Fetch) -> str | None:
    """Which open month the vendor calls the one asked for; null: long over, and no invoice means nothing was charged."""
    today = f.now().date() if f.now else f.as_of
    this = Period(today.year, today.month)
    return "current" if this == f.period else "last" if this.previous == f.period else None


def _currencies(heads: list[Mapping[str, Any]], source: str) -> list[str]:
    found = sorted({str(head["currencyCode"]) for head in heads if head.get("currencyCode")})
    if not found:
        raise VendorError(
            "there is no invoice yet, so the currency of unbilled lines is not known",
            where=f"source {source}, unbilled",
            hint="run again after the first invoice, or import the file by hand: connector partner_center_file",
        )
    return found


def _export(transport: Transport, source: str, kind: str, question: Mapping[str, str]) -> Iterator[Page]:
    """Pages of one export: what it is of, without the lease's signature, then every file as it was stored."""
    manifest = _manifest(transport, source, kind, question)
    where = f"source {source}, {kind}"
    signature, folder, blobs = manifest.get("sasToken"), manifest.get("rootDirectory"), manifest.get("blobs")
    if not isinstance(signature, str) or not _SENDABLE.fullmatch(signature) or not isinstance(folder, str) or not isinstance(blobs, list):
        raise ShapeError(
            "the export says neither where its files are nor how to get them", where=where, hint="the vendor changed its answers"
        )
    names = [blob.get("name") if isinstance(blob, Mapping) else None for blob in blobs]
    usable = {name for name in names if isinstance(name, str) and name and name.isprintable()}
    if not len(usable) == len(names) == manifest.get("blobCount"):
        raise ShapeError(
            f"the export names {len(usable)} files of {manifest.get('blobCount')}", where=where, hint="run again; tell the vendor"
        )
    if not str(manifest.get("dataFormat", "")).startswith("compressedJSON"):
        raise ShapeError(
            f"the export's format is {manifest.get('dataFormat')!r}, not compressed JSON lines", where=where, hint="tell the vendor"
        )
    context = {"kind": kind, **question}
    about = {key: manifest.get(key) for key in ("id", "schemaVersion", "dataFormat", "createdDateTime", "eTag", "blobCount")} | {
        "blobs": names
    }
    yield Page("manifest", f"{kind} {' '.join(question.values())}", json.dumps(about, sort_keys=True, default=str).encode(), context)
    for name in names:
        body = transport.download(kind, folder, str(name), SecretStr(signature), hosts=STORES)
        yield Page(kind, f"GET {name}", body, context)


def _manifest(transport: Transport, source: str, kind: str, question: Mapping[str, str]) -> Mapping[str, Any]:
    """What an export became, once it is ready. A failed one comes with HTTP 200."""
    where = f"source {source}, {kind}"
    place = transport.ask(kind, f"{_REPORTS}/reconciliation/{kind}/export", question)
    waited = 0.0
    while waited < WAIT_S:
        content, wait = transport.poll(kind, place)
        state = str(content.get("status", "")).casefold() if isinstance(content, Mapping) else ""
        if state == "failed":
            error = content.get("error") if isinstance(content.get("error"), Mapping) else {}
            said = f"{error.get('message', 'no reason given')} ({error.get('code', 'no code')})"
            hint = "unbilled lines are withheld until the last month is invoiced, from the 6th to the 8th; run again then"
            raise VendorError(f"the export of {' '.join(question.values())} failed: {said}", where=where, hint=hint)
        if state == "succeeded":
            found = content.get("resourceLocation")
            link = content.get("resourceLocation@odata.navigationLink")
            if found is None and isinstance(link, str):
                found, _ = transport.poll(kind, link)
            if not isinstance(found, Mapping):
                raise ShapeError("the export succeeded and names no manifest", where=where, hint="the vendor changed its answers")
            return found
        if state not in ("running", "notstarted"):
            raise ShapeError(f"the export's status is {state!r}", where=where, hint="the vendor changed its answers")
        pause = wait or POLL_S  # asked to wait for nothing, a run still does not hurry
        transport.wait(kind, pause)
        waited += pause
    raise VendorError(f"the export did not end within {WAIT_S:.0f} s", where=where, hint="run again later")


def normalize(pages: Iterator[StoredPage], source: str) -> Iterator[Row | Reject]:
    """Invoices, accounts, products and charges; an invoice of the older commerce is a reject: its lines are in no export.

    Raises:
        ShapeError: a file is cut or lacks a field money or seats depend on.
    """
    seen, numbers = Seen(), Numbers()
    for stored in pages:
        endpoint, where = stored.page.endpoint, f"source {source}, {stored.page.endpoint}"
        if endpoint == "invoices":
            period = parse_period(stored.page.context["period"])
            yield from read_rows(read_records(stored, "items", source), lambda r, period=period: _head(r, source, period))  # type: ignore[misc] # mypy infers no lambda with a default
        elif endpoint in ("billed", "unbilled"):
            for index, values in enumerate(_lines(stored, source)):
                line = read_line(values, f"{where}, record {index} of page {stored.address}", stored.evidence(index))
                yield from line_rows(line, source, numbers.of(values), is_billed=endpoint == "billed", seen=seen)


def _lines(stored: StoredPage, source: str) -> Iterator[Mapping[str, Any]]:
    """Lines of one file: JSON, one a line, compressed as it was stored unless the way here took that off."""
    where = f"source {source}, {stored.page.endpoint}, page {stored.address}"
    body = stored.page.body
    opened: io.BufferedIOBase = gzip.GzipFile(fileobj=io.BytesIO(body)) if body[:2] == b"\x1f\x8b" else io.BytesIO(body)
    try:
        for text in opened:
            if text.strip():
                values = read_json(text, where=where)
                if not isinstance(values, Mapping):
                    raise ShapeError("a line is no JSON object", where=where, hint="the vendor changed its answers")
                yield values
    except (EOFError, OSError, zlib.error):
        raise ShapeError("the file is cut or not compressed as it says", where=where, hint="run again") from None


def _head(r: Record, source: str, period: Period) -> Iterator[Row | Reject]:
    """Head of an invoice or credit note of the month. Its total is with tax, a credit note's below zero (T6, T94, T117)."""
    if not _is_of(r.values, period, source):
        return
    number, total = r.text("id"), r.values.get("totalCharges")
    if _is_legacy(r.values):
        yield Reject("invoiceType", "Recurring", f"invoice {number} is of the older commerce, whose lines no export holds", r.evidence)
        return
    if "totalCharges" not in r.values:
        r.number("totalCharges")  # which says it is gone: without it no sum would be held against the lines
    try:
        amount = None if total is None else to_decimal(total, scale=FINE_SCALE)
    except DataError as error:
        raise UnreadableError("totalCharges", total, error.what) from None
    values = {
        "source": source,
        "invoice_id": number,
        "invoice_date": r.day("invoiceDate"),
        "start_date": r.day("billingPeriodStartDate"),
        "end_date": r.day("billingPeriodEndDate"),
        "total_amount": -abs(amount) if amount is not None and _is_note(r.values) else amount,
        "amends_invoice_id": r.optional_text("amendsOf"),
        "currency": r.text("currencyCode"),
        "status": r.optional_text("documentType"),
        "evidence": r.evidence,
    }
    yield Row("vendor_invoices", values)


CONNECTOR = Connector(
    fetch=fetch,
    normalize=normalize,
    role="vendor",
    credential_fields=("TENANT", "CLIENT_ID", "CLIENT_SECRET"),
    base_url=GRAPH,
    token_url=TOKEN_URL,
)
