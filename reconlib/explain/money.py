"""The money of a finding, written out: what was multiplied with what, divided by what, and from which price (FIELD.md T43, T98, T112)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, localcontext
from typing import Any

from reconlib.comparison import money_a_month
from reconlib.errors import TieOutError
from reconlib.findings.kinds import BILLING_KINDS
from reconlib.money import format_amount, format_qty, round_amount
from reconlib.pricing import explain_price, format_price, price_difference, price_month
from reconlib.rates import Rates
from reconlib.rules import PriceModel, Rules

Row = Mapping[str, Any]
ZERO = Decimal(0)


def money_parts(finding: Row, cell: Row | None, rules: Rules, rates: Rates, *, is_as_shown: bool) -> tuple[list[dict[str, Any]], list[str]]:
    """Parts of a finding's money (part, sum, amount, currency), its total last; and what is to be said about rate and credits.

    ``is_as_shown``: nothing changed since the finding was made, so the parts must come to its amount.

    Raises:
        TieOutError: they do not. Always a bug.
    """
    currency, parts = finding["currency"], list[dict[str, Any]]()
    rule = rules.services.get(cell["service_code"]) if cell else None
    if cell is not None and finding["kind"] in BILLING_KINDS and finding["monthly_impact"] is not None and cell["basis"] != "cloud":
        parts = _billing(cell, rule.price if rule else None)
        total = parts[-1]["amount"] if parts else None
        if is_as_shown and total != finding["monthly_impact"]:
            told = f"the parts come to {total}, the finding says {finding['monthly_impact']}"
            raise TieOutError(told, where=f"finding {finding['finding_id']}", hint="the money of a finding is the sum of its parts")
    elif cell is not None and finding["cost_impact"] is not None:
        parts = _cost(finding, cell)
    if not parts:
        stated = (("client, a month", "monthly_impact"), ("own cost, a month", "cost_impact"))
        parts = [_part(name, "as the sentence says", finding[key], currency) for name, key in stated if finding[key] is not None]
    return parts, _remarks(finding, cell, rates)


def _billing(cell: Row, model: PriceModel | None) -> list[dict[str, Any]]:
    currency, variance, cycle = cell["currency"], cell["variance_qty"], cell["cycle_months"]
    if variance is None:
        return []
    if cell["lines"] and not cell["is_billable"]:
        return [_part("no revenue", "its lines carry cost only", ZERO, currency)]
    if model is None:
        if cell["unit_price"] is None:
            return []
        text = f"{_signed(format_qty(variance))} × {format_price(cell['unit_price'], currency)}" + (
            f" ÷ {cycle} months" if cycle != 1 else ""
        )
        total = money_a_month(variance, cell["unit_price"], cycle, currency)
        return [_part("a month", f"{text} = {_signed(format_amount(total, currency))}", total, currency)]
    due, billed = cell["due_qty"], cell["billed_qty"]
    total = price_difference(model, due, billed, currency)
    said = "nothing is billed yet" if billed is None else explain_price(model, billed, currency)
    paid = ZERO if billed is None else price_month(model, billed)
    return [
        _part("price of what is expected", explain_price(model, due, currency), _shown(price_month(model, due), currency), currency),
        _part("less price of what is billed", said, -_shown(paid, currency), currency),
        _part("a month", "the one less the other, rounded once", total, currency),
    ]


def _cost(finding: Row, cell: Row) -> list[dict[str, Any]]:
    """Own cost of a finding: units × what a unit differs by; empty where that is not how it was worked out."""
    currency, stated = finding["currency"], finding["cost_impact"]
    tried: list[tuple[Decimal | None, Decimal | None, int, str]] = []
    if finding["kind"] == "cost_change" and cell["line_cost"] is not None and cell["vendor_cost"] is not None:
        tried.append((cell["purchased_qty"], cell["vendor_cost"] - cell["line_cost"], 1, "vendor's cost − the line's"))
    elif finding["kind"] == "negative_margin" and cell["unit_cost"] is not None and cell["unit_price"] is not None:
        cycle = cell["cycle_months"]
        tried.append((cell["billed_qty"], cell["unit_cost"] * cycle - cell["unit_price"], cycle, "cost − price"))
    elif finding["kind"] == "unused_commitment":
        tried.append((finding["variance_qty"], cell["vendor_cost"], 1, "cost of a unit"))
    for quantity, price, cycle, says in tried:
        if quantity is not None and price is not None and money_a_month(quantity, price, cycle, currency) == stated:
            text = f"{format_qty(quantity)} × {_signed(format_price(price, currency))}{_cycle(cycle)}"
            return [_part("own cost, a month", f"{text} ({says}) = {_signed(format_amount(stated, currency))}", stated, currency)]
    return []


def _remarks(finding: Row, cell: Row | None, rates: Rates) -> list[str]:
    if cell is None:
        return []
    said = []
    if cell["credit_amount"]:
        credit = f"{format_amount(cell['credit_amount'], cell['currency'])} {cell['currency']}"
        said.append(f"A credit of {credit} a cycle stands beside the lines: it changes money, never a quantity (T33).")
    if rate := cell.get("cost_rate"):
        said.append(f"Its cost came into {cell['currency']} at a recorded rate: {rate} (T98).")
    elif cell["vendor_currency"] not in (None, cell["currency"]) and not rates.has(cell["vendor_currency"], cell["currency"]):
        said.append(f"Bought in {cell['vendor_currency']}: no rate to {cell['currency']} is recorded, so cost and price are not compared.")
    if cell["has_several_prices"] and finding["monthly_impact"] is not None:
        said.append(f"The lines have several prices: that of line {cell['agreement_line_id']} is used, so the money is an estimate.")
    return said


def _cycle(months: int) -> str:
    return f" ÷ {months} months" if months != 1 else ""


def _signed(text: str) -> str:
    """A number with a minus sign that cannot be read as a dash."""
    return text.replace("-", "−")


def _shown(amount: Decimal, currency: str) -> Decimal:
    with localcontext(prec=60):
        return round_amount(amount, currency)


def _part(part: str, text: str, amount: Decimal, currency: str) -> dict[str, Any]:
    return {"part": part, "sum": text, "amount": amount, "currency": currency}
