"""Cloud cost from FOCUS 1.0–1.2 exports: what each sub account was billed for each cloud service in a month.

Grain: one charge a sub account, service, charge category and class, invoice and currency, summed exactly over its rows; a month of millions
of rows becomes hundreds of charges, and ``find_rows`` leads from each back to the rows it sums. BilledCost is read and never EffectiveCost:
a reservation costs when it is charged, and its use costs nothing (T99). Tax has an amount of its own and none that counts (T117).
Rows of another billing period are left aside with their number (T2). An export has no row ids: two files that overlap cannot be told apart.
Source: FOCUS specification, columns; dates end where the next begins.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from typing import Any

from reconlib.connectors.contract import Connector, Fetch, Page, Reject, Row, StoredPage
from reconlib.connectors.fields import UnreadableError, utc_moment
from reconlib.connectors.file import read_files
from reconlib.connectors.focus_table import count_columns, read_header, read_rows
from reconlib.errors import DataError, SettingsError
from reconlib.money import FINE_SCALE
from reconlib.period import Period, parse_period

NO_SUB_ACCOUNT = "(no sub account)"  # cost of the whole billing account, or a row that names none (T19)
NO_SERVICE = "(no service)"
_EXACT = Context(prec=60)
_FINEST = Decimal(1).scaleb(-FINE_SCALE)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class _Line:
    """One row of an export."""

    account: tuple[str, str]  # id, name
    product: tuple[str, str]  # id, name
    category: str
    charge_class: str | None
    invoice_id: str | None
    currency: str
    pricing_currency: str | None
    cost: Decimal
    month: Period
    first: date
    last: date

    @property
    def key(self) -> tuple[str, ...]:
        """What is summed into one charge."""
        parts = (self.account[0], self.product[0], self.category, self.charge_class, self.invoice_id, self.currency, self.pricing_currency)
        return tuple(part or "" for part in parts)


@dataclass(slots=True)
class _Sum:
    """One charge so far."""

    line: _Line  # its first row
    cost: Decimal
    first: date
    last: date
    rows: int
    evidence: dict[str, str] = field(default_factory=dict)  # page -> its first row there


def fetch(f: Fetch) -> Iterator[Page]:
    """Bytes of every export the pattern matches; ``{period}`` in it stands for the billing month. All are read once before one is given.

    Raises:
        SettingsError: no pattern.
        DataError: no file, the same file twice, one that cannot be trusted, or none with a row of the month.
    """
    if not f.path:
        raise SettingsError(
            "a FOCUS source needs a path",
            where=f"source {f.source}",
            hint="name the file or a pattern, such as exports/focus-{period}.csv.gz",
        )
    pages = []
    for name, body in read_files(f.path.replace("{period}", str(f.period)), f.source):
        taken = len(read_header(body, name))
        context = {
            "file": name,
            "period": str(f.period),
            "columns_read": str(taken),
            "columns_left_out": str(count_columns(body, name) - taken),
        }
        pages.append(Page("focus", name, body, context))
    for _ in normalize((StoredPage(page, f"{f.source}/-/p{n:05d}") for n, page in enumerate(pages, 1)), f.source):
        pass
    yield from pages


def normalize(pages: Iterator[StoredPage], source: str) -> Iterator[Row | Reject]:
    """Accounts, products, charges and invoices of the exports; a row that cannot be used is a reject.

    Raises:
        DataError: a file cannot be trusted, or no file has a row of the month (T2).
    """
    sums: dict[tuple[str, ...], _Sum] = {}
    seen: dict[Period, int] = {}
    for stored in pages:
        month, others = parse_period(stored.page.context["period"]), dict[Period, tuple[int, int]]()
        for index, _, line in _lines(stored):
            if isinstance(line, Reject):
                yield line
            elif line.month != month:
                first, rows = others.get(line.month, (index, 0))
                others[line.month] = first, rows + 1
            else:
                _add(sums, line, stored, index)
        for other, (first, rows) in sorted(others.items()):
            seen[other] = seen.get(other, 0) + rows
            reason = f"{rows} {'row is' if rows == 1 else 'rows are'} of billing period {other}, the month is {month}: left aside"
            yield Reject("BillingPeriodStart", str(other), reason, stored.evidence(first))
    if not sums:
        there = ", ".join(f"{rows} of {month}" for month, rows in sorted(seen.items())) or "none that can be read"
        raise DataError(
            f"no row of the month; there are {there}",
            where=f"source {source}",
            hint="export the month you bill, or name another file",
        )
    yield from _rows_of(sums, source)


def find_rows(stored: StoredPage, charge_id: str) -> Iterator[tuple[int, Mapping[str, str | None]]]:
    """The rows of one export a charge sums, each with its 0-based number: from a figure back to what the vendor wrote."""
    month = parse_period(stored.page.context["period"])
    for index, cells, line in _lines(stored):
        if isinstance(line, _Line) and line.month == month and _charge_id(line) == charge_id:
            yield index, cells


def _lines(stored: StoredPage) -> Iterator[tuple[int, Mapping[str, str | None], _Line | Reject]]:
    """Every row of one page: its number, its cells, and what it says or why it cannot be used."""
    for index, cells in read_rows(stored.page.body, stored.page.context["file"]):
        if isinstance(cells, int):
            reason = f"row {index + 2} has another number of cells than the header; a quote may be wrong"
            yield index, {}, Reject("(row)", f"{cells} cells", reason, stored.evidence(index))
            continue
        try:
            yield index, cells, _line(cells)
        except UnreadableError as error:
            yield index, cells, Reject(error.column_name, error.value, f"row {index + 2} {error.reason}", stored.evidence(index))


def _line(cells: Mapping[str, str | None]) -> _Line:
    billing = _text(cells, "BillingAccountId")
    sub, provider, service = cells.get("SubAccountId"), cells.get("ProviderName"), cells["ServiceName"] or NO_SERVICE
    name = cells.get("SubAccountName") if sub else f"{cells.get('BillingAccountName') or billing} {NO_SUB_ACCOUNT}"
    currency = _text(cells, "BillingCurrency").upper()
    if not _CURRENCY.fullmatch(currency):
        raise UnreadableError("BillingCurrency", currency, "is not a currency code such as USD")
    begins, ends = (
        _moment(_text(cells, "ChargePeriodStart"), "ChargePeriodStart"),
        _moment(_text(cells, "ChargePeriodEnd"), "ChargePeriodEnd"),
    )
    billed_from = _moment(_text(cells, "BillingPeriodStart"), "BillingPeriodStart")
    return _Line(
        account=(sub or f"{NO_SUB_ACCOUNT} {billing}", name or sub or billing),
        product=(f"{provider}|{service}" if provider else service, service),
        category=_text(cells, "ChargeCategory"),
        charge_class=cells.get("ChargeClass"),
        invoice_id=cells.get("InvoiceId"),
        currency=currency,
        pricing_currency=cells.get("PricingCurrency"),
        cost=_cost(_text(cells, "BilledCost")),
        month=Period(billed_from.year, billed_from.month),
        first=begins.date(),
        last=max(begins, ends - timedelta(microseconds=1)).date(),
    )


def _text(cells: Mapping[str, str | None], name: str) -> str:
    text = cells[name]
    if text is None:
        raise UnreadableError(name, "", "is empty")
    return text


def _cost(text: str) -> Decimal:
    """Every digit the vendor wrote: sums are exact, and rounded to 18 decimals once."""
    if not _NUMBER.fullmatch(text):
        raise UnreadableError("BilledCost", text, "is not a number such as 12.50")
    cost = Decimal(text)
    if cost and not -40 < cost.adjusted() < 12:
        raise UnreadableError("BilledCost", text, "is not a usable amount")
    return cost


@lru_cache(maxsize=4096)
def _moment(text: str, name: str) -> datetime:
    """A moment in UTC (T8)."""
    try:
        return utc_moment(text)
    except ValueError:
        raise UnreadableError(name, text, "is not an ISO date") from None


def _add(sums: dict[tuple[str, ...], _Sum], line: _Line, stored: StoredPage, index: int) -> None:
    known = sums.get(line.key)
    if known is None:
        sums[line.key] = _Sum(line, line.cost, line.first, line.last, 1, {stored.address: stored.evidence(index)})
        return
    known.cost = _EXACT.add(known.cost, line.cost)
    known.first, known.last = min(known.first, line.first), max(known.last, line.last)
    known.rows += 1
    known.evidence.setdefault(stored.address, stored.evidence(index))


def _charge_id(line: _Line) -> str:
    return hashlib.sha256("\x1f".join(line.key).encode()).hexdigest()[:16]


def _rows_of(sums: Mapping[tuple[str, ...], _Sum], source: str) -> Iterator[Row]:
    named: dict[tuple[str, str], dict[str, Any]] = {}
    for part in sums.values():
        line, evidence = part.line, " ".join(part.evidence.values())
        about = {"source": source, "evidence": evidence}
        (account, account_name), (product, product_name) = line.account, line.product
        named.setdefault(("vendor_accounts", account), {**about, "vendor_account_id": account, "account_name": account_name})
        named.setdefault(
            ("vendor_products", product), {**about, "vendor_product_id": product, "product_name": product_name, "is_free": False}
        )
        if line.invoice_id:
            named.setdefault(("vendor_invoices", line.invoice_id), {**about, "invoice_id": line.invoice_id, "currency": line.currency})
        yield Row("vendor_charges", {**about, **_charge(part)})
    yield from (Row(table, values) for (table, _), values in named.items())


def _charge(part: _Sum) -> dict[str, Any]:
    line = part.line
    cost = part.cost.quantize(_FINEST, rounding=ROUND_HALF_UP, context=_EXACT)
    is_tax = line.category.casefold() == "tax"
    return {
        "charge_id": _charge_id(line),
        "invoice_id": line.invoice_id,
        "is_billed": line.invoice_id is not None,  # before 1.2 a file does not say: its cost may still change
        "vendor_account_id": line.account[0],
        "vendor_product_id": line.product[0],
        "charge_type": line.category,
        "qualifiers": line.charge_class,
        "description": f"{line.category} of {line.product[1]}, {part.rows} {'row' if part.rows == 1 else 'rows'}",
        "start_date": part.first,
        "end_date": part.last,
        "quantity_qty": Decimal(1),  # rows of many units have no quantity together
        "amount": Decimal(0) if is_tax else cost,
        "tax_amount": cost if is_tax else None,
        "currency": line.currency,
        "pricing_currency": line.pricing_currency,
    }


CONNECTOR = Connector(fetch=fetch, normalize=normalize, role="file")
