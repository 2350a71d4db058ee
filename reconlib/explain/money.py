"""The money of a finding, written out: what was multiplied with what, divided by what, and from which price (T43, T98, T112)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext
from typing import Any

from reconlib.comparison import money_a_month
from reconlib.errors import TieOutError
from reconlib.findings.kinds import BILLING_KINDS
from reconlib.markup import cloud_due
from reconlib.money import format_amount, format_qty, round_amount
from reconlib.pipeline import Inputs
from reconlib.pricing import escalated_price, explain_price, format_price, price_difference, price_month
from reconlib.rates import Rates
from reconlib.rules import PriceModel, Rules

Row = Mapping[str, Any]
ZERO = Decimal(0)


def money_parts(
    finding: Row,
    cell: Row | None,
    rules: Rules,
    inputs: Inputs,
    *,
    is_as_shown: bool,
    audit: Sequence[Row] = (),
    charges: Sequence[Row] = (),
) -> tuple[list[dict[str, Any]], list[str]]:
    """Parts of a finding's money (part, sum, amount, currency), its total last; and what is to be said about rate and credits.

    ``is_as_shown``: nothing changed since the finding was made, so the parts must come to its amount. ``audit`` and ``charges`` are those
    the finding is about.

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
    elif cell is not None and rule and rule.cloud and charges and finding["monthly_impact"] is not None:
        parts = _cloud(finding, rule.cloud.markup_percent, charges)
    elif audit and finding["cost_impact"] is not None:
        parts = _audited(finding, audit)
    elif finding["cost_impact"] is not None:
        parts = _cost(finding, cell)
    elif cell is not None and rule and rule.escalator and finding["kind"] == "price_outlier" and finding["monthly_impact"] is not None:
        parts = _escalated(finding, cell, escalated_price(rule.escalator, inputs.as_of))
    if not parts:
        stated = (("client, a month", "monthly_impact"), ("own cost, a month", "cost_impact"))
        parts = [_part(name, "as the sentence says", finding[key], currency) for name, key in stated if finding[key] is not None]
    return parts, _remarks(finding, cell, inputs.rates)


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


def _cost(finding: Row, cell: Row | None) -> list[dict[str, Any]]:
    """Own cost of a finding: units × what a unit differs by; empty where that is not how it was worked out."""
    kind, cost = finding["kind"], finding["unit_cost"]
    if kind == "unused_commitment":
        return _multiplied(finding, finding["variance_qty"], cell["vendor_cost"] if cell else cost, 1, "cost of a unit")
    if cell is not None and kind == "cost_change" and None not in (cell["line_cost"], cell["vendor_cost"]):
        return _multiplied(finding, cell["purchased_qty"], cell["vendor_cost"] - cell["line_cost"], 1, "vendor's cost − the line's")
    if cell is not None and kind == "negative_margin" and None not in (cell["unit_cost"], cell["unit_price"]):
        cycle = cell["cycle_months"]
        plain = _multiplied(finding, cell["billed_qty"], cell["unit_cost"] * cycle - cell["unit_price"], cycle, "cost − price")
        return plain or ([] if cell["has_several_prices"] else _margin(finding, cell))
    return []


def _margin(finding: Row, cell: Row) -> list[dict[str, Any]]:
    """Cost of the units billed, less what is paid for them with credits taken off (T33)."""
    currency = finding["currency"]
    with localcontext(prec=60):
        cost = round_amount(cell["billed_qty"] * cell["unit_cost"], currency)
    text = f"{format_qty(cell['billed_qty'])} × {format_price(cell['unit_cost'], currency)}"
    paid = "lines and credits, a month" if cell["credit_amount"] else "what its lines or its price model come to"
    lost = finding["cost_impact"]
    return [
        _part("cost of what is billed", text, cost, currency),
        _part("less what is paid", paid, lost - cost, currency),
        _part("own cost, a month", "the one less the other", lost, currency),
    ]


def _escalated(finding: Row, cell: Row, fair: Decimal | None) -> list[dict[str, Any]]:
    """What a rise of the contract would bring on the units billed (T120)."""
    if fair is None or cell["unit_price"] is None:
        return []
    cycle = cell["cycle_months"]
    return _multiplied(finding, cell["billed_qty"], fair * cycle - cell["unit_price"], cycle, "price after the rise − price billed")


def _multiplied(finding: Row, quantity: Decimal | None, price: Decimal | None, cycle: int, says: str) -> list[dict[str, Any]]:
    """Quantity × price, where that is the amount the finding states; else nothing."""
    currency, name = finding["currency"], "cost_impact" if finding["cost_impact"] is not None else "monthly_impact"
    stated = finding[name]
    if quantity is None or price is None or money_a_month(quantity, price, cycle, currency) != stated:
        return []
    text = f"{format_qty(quantity)} × {_signed(format_price(price, currency))}{_cycle(cycle)}"
    whose = "own cost, a month" if name == "cost_impact" else "a month"
    return [_part(whose, f"{text} ({says}) = {_signed(format_amount(stated, currency))}", stated, currency)]


def _audited(finding: Row, audit: Sequence[Row]) -> list[dict[str, Any]]:
    """What a vendor charges too much, one part a thing charged; the last one is their exact sum, rounded once."""
    currency = finding["currency"]
    if any(row["difference_amount"] is None or row["currency"] != currency for row in audit):
        return []
    parts = []
    for row in audit:
        stated, due = row["stated_amount"], row["expected_amount"]
        sums = f"{format_qty(stated)} charged − {format_qty(due)} due" if None not in (stated, due) else "as the audit says"
        about = row["subscription_id"] or row["invoice_id"] or row["check"]
        parts.append(_part(str(about), sums, _shown(row["difference_amount"], currency), currency))
    with localcontext(prec=60):
        total = round_amount(sum((row["difference_amount"] for row in audit), ZERO), currency)
    return [*parts, _part("own cost, a month", "the sum, rounded once", total, currency)] if total == finding["cost_impact"] else []


def _cloud(finding: Row, markup: Decimal, charges: Sequence[Row]) -> list[dict[str, Any]]:
    """Cost with its markup, less what the lines come to."""
    currency, impact = finding["currency"], finding["monthly_impact"]
    if any(row["currency"] != currency for row in charges):
        return []
    with localcontext(prec=60):
        cost = sum((row["amount"] for row in charges), ZERO)
    due = cloud_due(cost, markup, currency)
    return [
        _part("cost", f"{len(charges)} charges, tax excluded", _shown(cost, currency), currency),
        _part("with markup", f"× (100 + {format_qty(markup)}) ÷ 100, rounded once", due, currency),
        _part("less what its lines come to", "quantity × price, credits beside them included", impact - due, currency),
        _part("a month", "the one less the other", impact, currency),
    ]


def _remarks(finding: Row, cell: Row | None, rates: Rates) -> list[str]:
    if cell is None:
        return []
    said = []
    if cell["credit_amount"]:
        credit = f"{format_amount(cell['credit_amount'], cell['currency'])} {cell['currency']}"
        said.append(f"A credit of {credit} a cycle stands beside the lines: it changes money, never a quantity (T33).")
    if cell["other_credits"]:
        lines = "A credit line" if cell["other_credits"] == 1 else f"{cell['other_credits']} credit lines"
        said.append(f"{lines} beside it on another cycle or in another currency: not added to any sum (T33).")
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
