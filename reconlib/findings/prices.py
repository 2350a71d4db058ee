"""Prices that are odd: against other clients, the catalogue, and the rise a contract allows (T33, T88, T89, T120).

A price is only shown, never changed: no cost and no finding of this file ever becomes a change (T119). Prices are without tax (T117).
Compared are lines that are billed by quantity at a price of their own. A flat fee is negotiated with each client, and a price model states
its prices in the rules: neither is compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from functools import lru_cache

from reconlib.comparison import money_a_month
from reconlib.findings.kinds import Facts, Row, cell_of
from reconlib.findings.paid import credit_a_cycle
from reconlib.money import SCALE, format_qty, round_amount
from reconlib.pricing import escalated_price, format_price
from reconlib.rules import Escalator, Outlier

NOT_PRICED = ("out_of_scope", "not_comparable", "own_use", "ignored", "not_resold", "cloud")  # statuses whose price says nothing
PREMIA = {  # what a vendor's cost over the line's often means (T88, T89)
    Decimal("1.03"): "what a subscription costs that runs on month to month after its term has expired",
    Decimal("1.05"): "what an annual term costs that is billed monthly",
    Decimal("1.20"): "what a monthly term costs against an annual one",
    Decimal("1.23"): "what a subscription costs that runs on after its term has expired, where no monthly term is sold",
}
_HALF_COIN, _CLOSE = Decimal("0.005"), Decimal("0.005")  # of money; of the price, so that two premia never fit one cost


def check_prices(facts: Facts) -> Iterator[Row]:
    """``price_outlier``: far from the median over clients or from the list price, or below the contract's rise; one a client × service.

    ``monthly_impact`` is what the rise would bring on the units billed; null for what is merely unusual, and where the lines of a client
    have several prices. Prices are compared a month. A credit can excuse a price and never accuses it: what is odd stays odd with the
    credit taken off (T33). The rise is compared with the line itself, and like the catalogue it speaks the book's currency: a line in
    another one is not held against it.
    """
    outlier = facts.rules.price_outlier
    listed = {row["service_id"]: row["unit_price"] for row in facts.tables["services"].to_pylist()}
    groups: dict[tuple[str, str], list[tuple[Row, Fraction]]] = {}
    for row in facts.cells:
        if _is_priced(row, facts):
            price = _month_price(row["unit_price"], row["cycle_months"])
            groups.setdefault((row["service_id"], row["currency"]), []).append((row, price))
    for (service_id, currency), priced in groups.items():
        prices = Counter(price for _, price in priced)
        median = _median(prices) if outlier and len({row["client_id"] for row, _ in priced}) >= outlier.clients else None
        price_list = listed.get(service_id) if currency == facts.currency else None  # the catalogue speaks the book's currency
        rule = facts.rules.services.get(priced[0][0]["service_code"])
        for row, price in priced:
            said, net = [], _net_price(row, price)
            below = _below_rise(row, rule.escalator, facts) if rule and rule.escalator and currency == facts.currency else None
            if below:
                said.append(below[0])
            if outlier and median is not None and (text := _odd(price, net, median, outlier)):
                said.append(f"The median over {len(priced)} clients is {_text(median, currency)}: {text}.")
            monthly_list = None if price_list is None or row["cycle_months"] != 1 else Fraction(price_list)
            if outlier and monthly_list is not None and (text := _odd(price, net, monthly_list, outlier)):
                said.append(f"The catalogue lists {_text(monthly_list, currency)}: {text}.")
            if said:
                yield {
                    **cell_of(row),
                    "kind": "price_outlier",
                    "monthly_impact": below[1] if below else None,
                    "confidence": Decimal(1),  # a price rests on no count and no mapping
                    "certainty": "estimated" if row["has_several_prices"] else "calculated",
                    "rule": f"services.{row['service_code']}.escalator" if below else "price_outlier",
                    "explanation": " ".join([_priced_at(row, price, net), *said]),
                }


def cost_hint(vendor: Decimal, line: Decimal) -> str:
    """The likely cause of a vendor's cost being a known premium over the line's, as a sentence; empty where none fits (T88, T89).

    Fits within half a coin of the cost, and within half a percent. A hint only: it maps and changes nothing.

    Example:
        >>> cost_hint(Decimal("26.40"), Decimal("22.00"))
        'That is × 1.20: what a monthly term costs against an annual one.'
        >>> cost_hint(Decimal("25.00"), Decimal("22.00"))
        ''
    """
    for factor, cause in PREMIA.items():
        if line > 0 and abs(vendor - line * factor) <= min(_HALF_COIN, line * _CLOSE):
            return f"That is × {factor}: {cause}."
    return ""


def _is_priced(row: Row, facts: Facts) -> bool:
    if not row["lines"] or not row["is_billable"] or row["unit_price"] is None or row["status"] in NOT_PRICED:
        return False
    rule = facts.rules.services.get(row["service_code"])
    return rule is None or (rule.price is None and rule.basis != "flat")


def _net_price(row: Row, price: Fraction) -> Fraction:
    """The price a month with the credits of the client and service taken off (T33); without those of another cycle or currency."""
    credit, billed = credit_a_cycle(row), row["billed_qty"]
    if not credit or not billed or row["has_several_prices"]:
        return price
    return price + Fraction(credit) / Fraction(billed) / int(row["cycle_months"])


@lru_cache(maxsize=4096)
def _month_price(unit_price: Decimal, cycle_months: int) -> Fraction:
    return Fraction(unit_price) / cycle_months


def _median(prices: Mapping[Fraction, int]) -> Fraction:
    """The middle price; of an even number the mean of the two in the middle, divided at the end."""
    number = sum(prices.values())
    low = high = None
    seen = 0
    for price in sorted(prices):
        seen += prices[price]
        low = price if low is None and seen > (number - 1) // 2 else low
        high = price if high is None and seen > number // 2 else high
    assert low is not None
    assert high is not None
    return (low + high) / 2


def _odd(price: Fraction, net: Fraction, middle: Fraction, outlier: Outlier) -> str:
    return _far(price, middle, outlier) if _far(net, middle, outlier) else ""


def _far(price: Fraction, middle: Fraction, outlier: Outlier) -> str:
    """How far a price is from another, where it is further than the rules let pass; nothing is far from a price of zero."""
    if not middle or abs(price - middle) * 100 <= Fraction(outlier.percent) * middle:
        return ""
    percent = _decimal(abs(price - middle) * 100 / middle).quantize(Decimal("0.1"), rounding=ROUND_HALF_UP)
    return f"{format_qty(percent)} % {'above' if price > middle else 'below'} it"


def _below_rise(row: Row, escalator: Escalator, facts: Facts) -> tuple[str, Decimal | None] | None:
    """The rise a price has not followed, and the money; a price that differs from it only by rounding to a coin has followed it."""
    fair, cycle, currency = escalated_price(escalator, facts.as_of), row["cycle_months"], row["currency"]
    if fair is None or row["unit_price"] >= round_amount(fair * cycle, currency, "down"):
        return None
    impact = None if row["has_several_prices"] else money_a_month(row["billed_qty"], fair * cycle - row["unit_price"], cycle, currency)
    base, now = format_price(escalator.base_price, currency), _text(_month_price(row["unit_price"], cycle), currency)
    rise = f"A rise of {format_qty(escalator.percent)} % a year on {base} since {escalator.since}"
    text = f"{rise} makes it {format_price(fair, currency)} on {facts.as_of}; the line bills {now}."
    return text, impact


def _priced_at(row: Row, price: Fraction, net: Fraction) -> str:
    text = f"{row['service_name']} is priced {_text(price, row['currency'])} {row['currency']} a unit and month"
    if net != price:
        text += f", {_text(net, row['currency'])} with its credits taken off"
    return text + (f" on line {row['agreement_line_id']}, others differ." if row["has_several_prices"] else ".")


def _text(price: Fraction, currency: str) -> str:
    return format_price(_decimal(price), currency)


def _decimal(price: Fraction) -> Decimal:
    with localcontext(prec=60):
        return (Decimal(price.numerator) / price.denominator).quantize(Decimal(1).scaleb(-SCALE), rounding=ROUND_HALF_UP)
