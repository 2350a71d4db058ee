"""What Pax8 charges: items of its invoices, and of the draft before there is one, as vendor charges (T7, T19, T28, T117).

An item says less than a subscription: its term is the billing term only. It lands on the subscription's own vendor product where it names a
listed subscription of the same product, else on the product without a term. A draft leaves out usage that is billed in arrears; the usage
summaries, one call a subscription, are not read for it. Source: vendor's partner endpoints v1, "Invoices"; its guide "Invoice & Billing
Integrations" for credited invoices.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal, localcontext
from typing import Any

from reconlib.connectors.contract import Row
from reconlib.connectors.fields import Record, UnreadableError
from reconlib.cycles import add_months
from reconlib.errors import DataError, ShapeError
from reconlib.money import FINE_SCALE, to_decimal
from reconlib.period import Period

NO_COMPANY = "(no company)"  # vendor account of what is charged for nobody in particular (T19)
NOT_CHARGED = ("Void", "Credited")  # a credited invoice is taken back whole, and a corrected one stands beside it
_CYCLE_MONTHS = {"Monthly": 1, "Annual": 12, "2 Year": 24, "3 Year": 36, "One-Time": 0, "One-time": 0, "Activation": 0}
_CREDITS = ("rebate", "payment-credit", "service-credit", "invoice-credit")  # may carry no cost of a service, only what is due


@dataclass(slots=True)
class Learned:
    """What the pages before said, and what the pages after need."""

    catalogue: dict[str, tuple[str, str | None]] = field(default_factory=dict)  # product id -> name, part number
    companies: set[str] = field(default_factory=set)
    products: set[str] = field(default_factory=set)  # vendor product ids given
    subscriptions: dict[str, tuple[str, str]] = field(default_factory=dict)  # id -> product id, vendor product id
    heads: dict[str, dict[str, Any]] = field(default_factory=dict)  # invoice id -> row
    items: dict[str, int] = field(default_factory=dict)  # invoice id, or "draft" -> items seen


def invoice_window(period: Period) -> dict[str, str | int]:
    """Query for the invoices of a month: they are dated in the month after it, and reach the API on its 5th (T7)."""
    return {"invoiceDateRangeStart": period.next.start.isoformat(), "invoiceDateRangeEnd": period.next.end.isoformat()}


def draft_offset(period: Period, today: date) -> int | None:
    """``monthOffset`` of the draft that becomes the month's invoice; null where the vendor has none of that month any more.

    Example:
        >>> draft_offset(Period(2026, 10), date(2026, 11, 3)), draft_offset(Period(2026, 10), date(2026, 10, 20))
        (0, 1)
        >>> draft_offset(Period(2026, 10), date(2026, 12, 1)) is None
        True
    """
    month = Period(today.year, today.month)
    return 0 if month == period.next else 1 if month == period else None


def check_window(invoices: list[Mapping[str, Any]], period: Period, source: str) -> None:
    """That the vendor answered for the month it was asked for.

    Raises:
        ShapeError: an invoice of another month, or without a date: another month's charges would be taken for this one's (T2).
    """
    for invoice in invoices:
        day = str(invoice.get("invoiceDate", ""))[:10]
        if not period.next.start.isoformat() <= day <= period.next.end.isoformat():
            raise ShapeError(
                f"asked for invoices dated in {period.next}, got one of {day or 'no date'}",
                where=f"source {source}, invoices",
                hint="the vendor changed its answers",
            )


def head(r: Record, source: str, learned: Learned) -> Iterator[Row]:
    """Keeps an invoice's head for its items' currency; a void or credited one charges nothing and states no amount."""
    number = r.text("id")
    is_void = r.optional_text("status") in NOT_CHARGED
    carried = _optional_fine(r, "carriedBalance") or Decimal(0)
    learned.heads[number] = {
        "source": source,
        "invoice_id": number,
        "invoice_date": r.day("invoiceDate"),
        # What is carried over from older invoices is in the total or not: the vendor does not say, so nothing can be held against it.
        "total_amount": None if is_void or carried else _fine(r, "total"),
        "currency": r.text("currencyCode"),
        "status": r.optional_text("status"),
        "evidence": r.evidence,
    }
    yield from ()


def heads(learned: Learned) -> Iterator[Row]:
    """The invoices' heads: their totals are with tax, as their lines say it (T6, T117)."""
    yield from (Row("vendor_invoices", row) for row in learned.heads.values())


def charge(r: Record, source: str, learned: Learned, invoice_id: str | None) -> Iterator[Row]:
    """One item as a charge, with the account and product it needs where no other page gave them; tax stays apart (T117)."""
    within = invoice_id or "draft"
    learned.items[within] = learned.items.get(within, 0) + 1
    kind, term = r.text("type"), r.optional_text("term")
    start, end = r.day("startPeriod"), r.day("endPeriod")
    quantity, cost, amount = _fine(r, "quantity"), _optional_fine(r, "cost"), _amount(r, kind)
    subscription, company = r.optional_text("subscriptionId"), r.optional_text("companyId")
    currency = r.optional_text("currencyCode") or learned.heads.get(within, {}).get("currency")
    if currency is None:
        raise UnreadableError("currencyCode", "", "is empty: an amount without a currency is none")
    product, rows = _product(r, source, learned, kind, subscription)
    if account := _account(r, source, learned, company):
        rows.append(account)
    is_product = cost is not None and _is_product(cost, quantity, amount)
    values = {
        "source": source,
        "charge_id": r.optional_text("id") or f"{within}#{learned.items[within]}",  # the vendor's examples have no id
        "invoice_id": invoice_id,
        "is_billed": invoice_id is not None,
        "vendor_account_id": company or NO_COMPANY,
        "vendor_product_id": product,
        "subscription_id": subscription,
        "charge_type": kind,
        "description": r.optional_text("description") or r.optional_text("productName"),
        "qualifiers": "Trial" if term == "Trial" else None,
        "start_date": start,
        "end_date": _last_day(start, end),
        "term": term,
        "cycle_months": _CYCLE_MONTHS.get(term or ""),
        "quantity_qty": quantity,
        "list_price": None if is_product and kind == "prorate" else cost,  # a part's own price is no price of the whole
        "unit_cost": cost if is_product or _must_be_product(r, kind, start, end) else None,
        "amount": amount,
        "tax_amount": _optional_fine(r, "salesTax"),
        "currency": currency,
        "evidence": r.evidence,
    }
    yield from rows
    yield Row("vendor_charges", values)


def _amount(r: Record, kind: str) -> Decimal:
    """What the MSP pays for the item; a credit without a cost of its own is what it takes off."""
    if kind in _CREDITS and r.values.get("costTotal") is None:
        return _fine(r, "amountDue")
    return _fine(r, "costTotal")


def _product(r: Record, source: str, learned: Learned, kind: str, subscription: str | None) -> tuple[str, list[Row]]:
    """Vendor product id of an item, and its row where it has none yet."""
    product = r.optional_text("productId")
    listed, with_term = learned.subscriptions.get(subscription or "", (None, ""))
    if product is not None and product == listed:
        return with_term, []
    number = product or f"({kind})"
    if number in learned.products:
        return number, []
    learned.products.add(number)
    name, sku = learned.catalogue.get(product or "", (None, None))
    values = {
        "source": source,
        "vendor_product_id": number,
        "product_name": name or r.optional_text("productName") or r.optional_text("description") or number,
        "sku": sku or r.optional_text("sku"),
        "term": "not known: charged without a listed subscription",
        "is_free": False,
        "evidence": r.evidence,
    }
    return number, [Row("vendor_products", values)]


def _account(r: Record, source: str, learned: Learned, company: str | None) -> Row | None:
    """An account for a company the list of companies does not have, or for none at all (T19)."""
    number = company or NO_COMPANY
    if number in learned.companies:
        return None
    learned.companies.add(number)
    name = "No company assigned" if company is None else r.optional_text("companyName") or f"{company} (not listed by the source)"
    values = {"source": source, "vendor_account_id": number, "account_name": name, "evidence": r.evidence}
    return Row("vendor_accounts", {**values, "domain": None, "external_id": r.optional_text("externalId"), "status": None})


def _last_day(start: date | None, end: date | None) -> date | None:
    """Last day charged; the vendor writes it as the last day, or as the day the next charge begins (both stand in its examples).

    Example:
        >>> _last_day(date(2025, 2, 1), date(2025, 2, 28)), _last_day(date(2019, 4, 1), date(2019, 5, 1))
        (datetime.date(2025, 2, 28), datetime.date(2019, 4, 30))
    """
    return end - timedelta(days=1) if start and end and end > start and end.day == start.day else end


def _must_be_product(r: Record, kind: str, start: date | None, end: date | None) -> bool:
    """Whether an item's total must be its unit cost × quantity: a recurring one, priced a unit, over one whole cycle.

    A part of a cycle, a flat rate, a tier or a markup does not say what one unit of it came to.
    """
    months, last = _CYCLE_MONTHS.get(r.optional_text("term") or ""), _last_day(start, end)
    if kind != "subscription" or r.optional_text("chargeType") != "per" or not months or start is None or last is None:
        return False
    rate = (r.optional_text("rateType") or "").casefold()
    return not rate.startswith(("tiered", "markup")) and last + timedelta(days=1) == add_months(start, months)


def _is_product(price: Decimal, quantity: Decimal, amount: Decimal) -> bool:
    """Whether a price times a quantity is the amount, up to half a cent a unit."""
    with localcontext(prec=60):
        return abs(price * quantity - amount) <= Decimal("0.005") * max(Decimal(1), abs(quantity))


def _fine(r: Record, path: str) -> Decimal:
    """Required number with every decimal the vendor wrote."""
    found = _optional_fine(r, path)
    return r.number(path) if found is None else found  # which says what is wrong


def _optional_fine(r: Record, path: str) -> Decimal | None:
    """The same; null where omitted or null."""
    value = r.values.get(path)
    try:
        return None if value is None else to_decimal(value, scale=FINE_SCALE)
    except DataError as error:
        raise UnreadableError(path, value, error.what) from None
