"""Every subscription the vendors charge for: its seats on the as-of day and what a seat costs a month (T71, T72, T75, T84)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal, localcontext
from typing import Any

from reconlib.invoices.arithmetic import DIGITS, rate_of
from reconlib.invoices.charge_types import charge_kind, direction, is_trial
from reconlib.invoices.cycles import cycle_days, days_between, months_between, plan_months
from reconlib.invoices.seats import commitment_words, covers, net_seats, seats_on
from reconlib.invoices.three_way import Charged

Row = Mapping[str, Any]
Group = tuple[str, str, str | None, str]  # source, account, subscription, product
KEPT = 10  # lines whose evidence is kept
SIX = Decimal("0.000001")


def charged_seats(
    kept: Mapping[Group, Sequence[Row]],
    *,
    as_of: date,
    touched: Collection[tuple[str, str | None]],
    clients: Mapping[tuple[str, str], str],
    services: Mapping[tuple[str, str], frozenset[str]],
) -> Iterator[Charged]:
    """Seats of each subscription and product whose lines charge seats; a product left for another one of the subscription says nothing.

    Args:
        kept: lines that begin or change a cycle, each once.
        as_of: the day.
        touched: (source, subscription) with lines on an invoice that is not audited: their seats are not known.
        clients: (source, account) -> client.
        services: (source, product) -> services.
    """
    running = {(g[0], g[1], g[2]) for g, rows in kept.items() if any(covers(row, as_of) for row in rows)}
    for group, rows in sorted(kept.items(), key=lambda item: tuple(part or "" for part in item[0])):
        source, account, subscription, product = group
        if all(is_trial(row) for row in rows):
            continue
        on_day = [row for row in rows if covers(row, as_of)]
        if not on_day and (source, account, subscription) in running:
            continue  # its plan or product was changed: another product of the subscription is charged now
        seats = seats_on(rows, as_of)
        starts = [row for row in on_day if charge_kind(row) == "start" and not is_trial(row)]
        yield Charged(
            source=source,
            account=account,
            product=product,
            subscription=subscription,
            client=clients.get((source, account)),
            services=services.get((source, product), frozenset()),
            seats=None if (source, subscription) in touched else seats,
            later_seats=net_seats(on_day),
            monthly_cost=monthly_cost(on_day),
            currency=rows[0]["currency"],
            has_refund=any(direction(row) < 0 for row in rows),
            is_committed=commitment_words(rows) == "committed",
            is_ahead=any(plan_months(row) not in (None, 1) for row in starts),
            term_end=max((row["term_end_date"] for row in starts if row["term_end_date"]), default=None),
            lines=len(rows),
            evidence=" ".join(row["evidence"] for row in rows[:KEPT]),
            why_not=_why_not(rows, on_day, as_of, is_touched=(source, subscription) in touched),
        )


def _why_not(rows: Sequence[Row], on_day: Sequence[Row], as_of: date, *, is_touched: bool) -> str:
    if is_touched:
        return "Some of its lines stand on an invoice that does not add up: its seats are not known."
    if on_day:
        return "Its lines begin no cycle and do not say how many seats there were before: its seats are not known."
    last = max((row["end_date"] for row in rows if row["end_date"]), default=None)
    if last is not None and last < as_of:
        return f"Charged until {last}, no line charges {as_of}: not compared with what is bought."
    return f"Charged from after {as_of} on: not compared with what is bought."


def monthly_cost(rows: Sequence[Row]) -> Decimal | None:
    """What a seat costs a month in the billing currency, by the lines that begin the cycle; the parts of a split product together (T70).

    By the price charged, not the list price, which may be a newer one (T72); a shortened first cycle is brought back to a whole one.
    A year paid ahead is a twelfth of its price (T84). Null where no line begins a cycle or its months are not said.
    """
    starts = [row for row in rows if charge_kind(row) == "start" and direction(row) > 0 and not is_trial(row)]
    if not starts:
        return None
    last = max(row["start_date"] or date.min for row in starts)
    parts = {(row["unit_cost"], row["list_price"]): row for row in starts if (row["start_date"] or date.min) == last}
    costs = [_a_month(row) for row in parts.values()]
    if None in costs:
        return None
    return sum((cost for cost in costs if cost is not None), Decimal(0))


def _a_month(row: Row) -> Decimal | None:
    if row["unit_cost"] is None or row["start_date"] is None or row["end_date"] is None:
        return None
    days, spans = days_between(row["start_date"], row["end_date"]), cycle_days(row)
    months = row["cycle_months"] or months_between(row["start_date"], row["end_date"])
    if not months:
        return None
    with localcontext(prec=DIGITS):
        whole = row["unit_cost"] * rate_of(row)
        if spans and days < min(spans):
            whole = whole * max(spans) / days
        cost: Decimal = (whole / months).quantize(SIX)
        return cost
