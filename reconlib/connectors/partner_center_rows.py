"""One line of a Partner Center reconciliation file as a vendor charge, whatever its columns are called (T8–T10, T28, T82, T101).

The file and the exports of Microsoft Graph hold the same line, one with ``BillableQuantity`` as a column, the other with
``billableQuantity`` as a key; renamed columns keep their meaning, and percentages that became rates keep their value (T9).
Source: Partner Center, "Read the new commerce invoice reconciliation file" and the announcement of August 2023 on its columns.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, localcontext
from typing import Any

from reconlib.connectors.contract import Reject, Row
from reconlib.connectors.fields import UnreadableError, utc_day
from reconlib.errors import DataError, ShapeError, nearest
from reconlib.money import FINE_SCALE, to_decimal

# Today's name -> names it has had; case never matters (T9).
RENAMED = {
    "totalforcustomer": ("total",),
    "resellermpnid": ("tier2mpnid",),
    "unitofmeasure": ("unit",),
    "rateofpartnerearnedcredit": ("partnerearnedcreditpercentage",),
    "rateofcredit": ("creditpercentage",),
}
_TODAY = {old: new for new, olds in RENAMED.items() for old in olds}
_PERCENT = {"partnerearnedcreditpercentage", "creditpercentage"}  # 15 where the newer column says 0.15
_NEEDED = ("customerId", "productId", "skuId", "chargeType", "billableQuantity", "effectiveUnitPrice", "subtotal", "currency")
_US_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?:[ T].*)?")
CYCLE_MONTHS = {"monthly": 1, "annual": 12, "annually": 12, "yearly": 12, "triennial": 36, "triennially": 36, "quarterly": 3}


@dataclass(frozen=True, slots=True)
class Line:
    """One line's values by the name they have today, lower case."""

    values: Mapping[str, Any]
    where: str
    evidence: str

    def find(self, name: str) -> tuple[str, Any]:
        """Name and value of a field under any name it has had; a blank is null."""
        wanted = name.lower()
        for known in (wanted, *RENAMED.get(wanted, ())):
            if known in self.values:
                value = self.values[known]
                return known, None if isinstance(value, str) and not value.strip() else value
        return wanted, None

    def text(self, name: str) -> str | None:
        """Text; a list, as ``productQualifiers`` may be, becomes one."""
        value = self.find(name)[1]
        if value is None:
            return None
        if isinstance(value, list):
            value = ", ".join(str(item) for item in value)
        return str(value).strip() or None

    def required(self, name: str) -> str:
        """Text a charge cannot be without."""
        if (text := self.text(name)) is None:
            raise UnreadableError(name, "", "is empty")
        return text

    def number(self, name: str) -> Decimal | None:
        """Exact number with every decimal; a percentage of an older file as the rate it is today (T9)."""
        known, value = self.find(name)
        if value is None:
            return None
        text = value.strip() if isinstance(value, str) else value
        try:
            number = _rounded(Decimal(str(text)))
            found = to_decimal(number, scale=FINE_SCALE)
        except (DataError, ArithmeticError):
            raise UnreadableError(name, value, "is not an exact number") from None
        return found / 100 if known in _PERCENT else found

    def day(self, name: str) -> date | None:
        """UTC day: ISO in an export, month/day/year in a file (T8, T10)."""
        value = self.find(name)[1]
        if value is None:
            return None
        try:
            if us := _US_DATE.fullmatch(str(value).strip()):
                return date(int(us[3]), int(us[1]), int(us[2]))
            return utc_day(str(value).strip())
        except ValueError:
            raise UnreadableError(name, value, "is neither an ISO nor a month/day/year date") from None


@dataclass(slots=True)
class Seen:
    """Accounts and products given so far."""

    accounts: set[str] = field(default_factory=set)
    products: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Numbers:
    """Names for lines that have none."""

    given: dict[str, int] = field(default_factory=dict)  # hash of a line's content -> how often it stood so far

    def of(self, values: Mapping[str, Any]) -> str:
        """The line's own content, and how often that stood before: read twice it is the same, sent twice it stays two (T11)."""
        today = {_TODAY.get(name := str(key).strip().lower(), name): value for key, value in values.items()}
        content = json.dumps(today, sort_keys=True, default=str)
        sign = hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()[:16]
        self.given[sign] = self.given.get(sign, 0) + 1
        return sign if self.given[sign] == 1 else f"{sign}.{self.given[sign]}"


def read_line(values: Mapping[str, Any], where: str, evidence: str) -> Line:
    """The line by lower-case names.

    Raises:
        ShapeError: a field is missing that money or seats depend on.
    """
    found = {key.strip().lower(): value for key, value in values.items() if key is not None}
    line = Line(found, where, evidence)
    for name in _NEEDED:
        if name.lower() not in found:
            raise ShapeError(
                f"no field {name!r}; reading on would audit wrong",
                where=where,
                hint=f"{nearest(name, values)}; the vendor changed its columns",
            )
    return line


def line_rows(line: Line, source: str, number: str, *, is_billed: bool, seen: Seen) -> Iterator[Row | Reject]:
    """Rows of one line, or why it cannot be used."""
    try:
        yield from list(charge_rows(line, source, number, is_billed=is_billed, seen=seen))
    except UnreadableError as error:
        yield Reject(error.column_name, error.value, error.reason, line.evidence)


def charge_rows(line: Line, source: str, number: str, *, is_billed: bool, seen: Seen) -> Iterator[Row]:
    """The charge, with its account and product where they are new.

    Units and price are ``BillableQuantity`` and ``EffectiveUnitPrice``, never ``Quantity`` and ``UnitPrice`` (T72); tax stays apart.
    A product is product, SKU, months of the term and months of the plan: one SKU under two terms is two products (T28).

    Args:
        line: one line.
        source: the source's name.
        number: what makes the line unique in its source: the file has no line id.
        is_billed: from an invoice, not from what is unbilled yet.
        seen: accounts and products given so far.
    """
    account, product, sku = line.required("customerId"), line.required("productId"), line.required("skuId")
    term = line.text("termAndBillingCycle")
    start, end = line.day("chargeStartDate"), line.day("chargeEndDate")
    term_start, term_end = line.day("subscriptionStartDate"), line.day("subscriptionEndDate")
    described = line.text("subscriptionDescription")
    kind = product_class(line.text("publisherName") or "", term or "", described or "", has_end=end is not None)
    cycle = CYCLE_MONTHS.get((line.text("billingFrequency") or "").lower())
    length = term_words(_months(term_start, term_end), cycle)
    product_id = f"{product}:{sku}" + (f"|{length}" if length else "")
    invoice = line.text("invoiceNumber")
    marks = [mark for mark in (line.text("productQualifiers"), line.text("priceAdjustmentDescription")) if mark]
    rate, priced_in, currency = line.number("pcToBCExchangeRate"), line.text("pricingCurrency"), line.required("currency").upper()
    quantity, amount = line.number("billableQuantity"), line.number("subtotal")
    if quantity is None or amount is None:
        raise UnreadableError("billableQuantity" if quantity is None else "subtotal", "", "is empty")
    about = {"source": source, "evidence": line.evidence}
    if account not in seen.accounts:
        seen.accounts.add(account)
        domain = line.text("customerDomainName")
        named = {"vendor_account_id": account, "tenant_id": account, "account_name": line.text("customerName") or account}
        yield Row("vendor_accounts", {**about, **named, "domain": domain.lower() if domain else None, "external_id": None, "status": None})
    if product_id not in seen.products:
        seen.products.add(product_id)
        name = line.text("skuName") or line.text("productName") or product_id
        values = {
            "vendor_product_id": product_id,
            "product_name": name,
            "sku": f"{product}:{sku}",
            "term": length or term,
            "is_free": False,
        }
        yield Row("vendor_products", {**about, **values})
    charge = {
        "charge_id": number,
        "invoice_id": invoice if is_billed else None,
        "is_billed": is_billed,
        "vendor_account_id": account,
        "vendor_product_id": product_id,
        "subscription_id": line.text("reservationOrderId") if kind in ("reservation", "savings_plan") else line.text("subscriptionId"),
        "reference_id": line.text("referenceId"),
        "charge_type": line.text("chargeType"),
        "description": line.text("meterDescription") or described or line.text("skuName"),
        "qualifiers": "; ".join([*marks, *filter(None, [line.text("creditReasonCode")])]) or None,
        "order_date": line.day("orderDate"),
        "start_date": start,
        "end_date": end,
        "term_start_date": term_start,
        "term_end_date": term_end,
        "term": term,
        "cycle_months": 0 if cycle is None and start and (start, end) == (term_start, term_end) else cycle,
        "quantity_qty": quantity,
        "list_price": line.number("unitPrice"),
        "unit_cost": line.number("effectiveUnitPrice"),
        "amount": amount,
        "tax_amount": line.number("taxTotal"),
        "currency": currency,
        "pricing_currency": priced_in.upper() if priced_in else None,
        "exchange_rate": rate,
        "product_class": kind,
    }
    yield Row("vendor_charges", {**about, **charge})


def product_class(publisher: str, term: str, description: str, *, has_end: bool) -> str:
    """What a line is of, by its attributes: no column says it (T101).

    Source: Partner Center, "How do I determine the product category".

    Example:
        >>> product_class("Microsoft", "One-Year commitment for monthly/yearly billing", "Microsoft 365 E3", has_end=True)
        'licence'
    """
    words = term.casefold()
    if publisher and publisher.casefold() not in ("microsoft", "microsoft corporation"):
        return "third_party"
    for word, found in (("reservation", "reservation"), ("savings plan", "savings_plan")):
        if word in words:
            return found
    if description.casefold() == "azure plan":
        return "azure"
    if "subscription" in words:
        return "software"
    if re.search(r"\b(one|three|1|3)[- ](month|year)\b", words):
        return "licence"
    return "perpetual" if not words and not has_end else "azure"


def term_words(months: int | None, cycle: int | None) -> str | None:
    """Term and plan in months, as a product's id and term say them; null where there is no term.

    Example:
        >>> term_words(12, 1), term_words(36, None), term_words(None, 1)
        ('12 months, billed every 1', '36 months, billed once', None)
    """
    return f"{months} months, billed {'once' if not cycle else f'every {cycle}'}" if months else None


def _months(start: date | None, end: date | None) -> int | None:
    """Months of a term by the subscription's days: the wording has no fixed form (T82)."""
    if start is None or end is None:
        return None
    return max(1, round(((end - start).days + 1) / 30.44))


def _rounded(number: Decimal) -> Decimal:
    """Effective prices of usage carry more digits than any price means; the eighteenth decimal is kept."""
    with localcontext(prec=60):
        return number.quantize(Decimal(1).scaleb(-FINE_SCALE)).normalize() if number.is_finite() else number
