"""What is sold below its cost: the money a client pays, credits taken off, against what the units cost (T33, T40–T43, T98).

Prices and costs are those of the comparison, a month and in the agreement's currency; a purchase in another currency without a recorded
rate is not compared. What is never billed, or taken out by a contract, has no margin.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, localcontext

from reconlib.findings.kinds import Facts, Row, cell_of
from reconlib.findings.paid import Lines, credit_a_cycle, lines_of, priced_lines
from reconlib.findings.prices import NOT_PRICED
from reconlib.money import SCALE, round_amount
from reconlib.pricing import format_price, price_month
from reconlib.rules import PriceModel

ZERO = Decimal(0)
_DIGITS = 60  # of an exact product


def check_margins(facts: Facts) -> Iterator[Row]:
    """``negative_margin``: the client pays less than the units billed cost; one a client × service.

    ``cost_impact`` is what is lost a month, positive: on all units together, or on the lines below cost where others earn more than these
    lose (T131). Credits are taken off what is paid (T33), unless one stands on another cycle or currency: then prices alone are compared.
    """
    models = {code: rule.price for code, rule in facts.rules.services.items() if rule.price is not None}
    cells = [row for row in facts.cells if _has_margin(row)]
    lines = lines_of(facts, {row["service_id"] for row in cells if row["has_several_prices"]})
    for row in cells:
        model = models.get(row["service_code"])
        if model is None or row["currency"] == facts.currency:  # a price model speaks the book's currency
            yield from _judged(row, lines, model)


def _has_margin(row: Row) -> bool:
    if not row["lines"] or not row["is_billable"] or not row["billed_qty"] or row["status"] in NOT_PRICED or row["unit_cost"] is None:
        return False
    return row["vendor_currency"] in (None, row["currency"])


def _judged(row: Row, lines: Lines, model: PriceModel | None) -> Iterator[Row]:
    cycle, billed, cost = row["cycle_months"], row["billed_qty"], row["unit_cost"]
    is_plain = model is None and not row["has_several_prices"] and not row["credit_amount"]
    if is_plain and (row["unit_price"] is None or row["unit_price"] >= cost * cycle):
        return  # most of a book
    parts = [(billed, row["unit_price"])] if row["unit_price"] is not None else []
    if row["has_several_prices"]:
        parts = priced_lines(row, lines) or []
    credit = credit_a_cycle(row) or ZERO
    with localcontext(prec=_DIGITS):
        if model is not None:
            paid, losses = price_month(model, billed) * cycle, ZERO
        elif parts:
            paid = sum((quantity * price for quantity, price in parts), ZERO)
            losses = sum((max(ZERO, quantity * (cost * cycle - price)) for quantity, price in parts), ZERO)
        else:
            return
        lost = max(billed * cost * cycle - paid - credit, losses)
        if lost <= 0:
            return
        impact = round_amount(lost / cycle, row["currency"])
        text = _said(row, paid / billed / cycle, (paid + credit) / billed / cycle, parts)
    yield {**cell_of(row), "kind": "negative_margin", "cost_impact": impact, "explanation": text}


def _said(row: Row, price: Decimal, net: Decimal, parts: list[tuple[Decimal, Decimal]]) -> str:
    code, cost = row["currency"], _text(row["unit_cost"], row["currency"])
    below = sum(each < row["unit_cost"] * row["cycle_months"] for _, each in parts)
    if len(parts) > 1 and net >= row["unit_cost"]:
        return f"{below} of {len(parts)} lines of {row['service_name']} are priced below its cost of {cost} a unit and month."
    over = " over its lines" if len(parts) > 1 else ""
    credited = f", {_text(net, code)} with its credits taken off," if net != price else ""
    return f"{row['service_name']} is sold at {_text(price, code)}{over}{credited} and costs {cost} a unit and month."


def _text(price: Decimal, currency: str) -> str:
    return format_price(price.quantize(Decimal(1).scaleb(-SCALE)), currency)
