"""What a client pays for a service: its lines at their own prices, the credits beside them taken off (T17, T33, T112).

The comparison carries one price a client and service, that of the line a change would go to, and the sum of its credits on the
same terms. Where lines differ in price, only the lines themselves say what is paid.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from reconlib.findings.kinds import Facts, Row

ZERO = Decimal(0)
_DIGITS = 60  # of an exact product


@dataclass(frozen=True, slots=True)
class Lines:
    """Agreement lines by client and service, of any date or status, and what their agreements say."""

    by_cell: Mapping[tuple[str, str], Sequence[Row]]
    terms: Mapping[str, tuple[int | None, str]]  # agreement_id -> months of its cycle, currency

    def of(self, cell: Row) -> Sequence[Row]:
        """Every line of the client and service."""
        return self.by_cell.get((cell["client_id"], cell["service_id"]), ())


def lines_of(facts: Facts, services: Collection[str]) -> Lines:
    """The lines of some services."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not services:
        return Lines({}, {})
    found: dict[tuple[str, str], list[Row]] = {}
    for row in facts.tables["agreement_lines"].filter(pc.field("service_id").isin(pa.array(sorted(services), pa.string()))).to_pylist():
        found.setdefault((row["client_id"], row["service_id"]), []).append(row)
    clients = {row["client_id"]: row["currency"] for row in facts.tables["clients"].select(["client_id", "currency"]).to_pylist()}
    agreements = facts.tables["agreements"].select(["agreement_id", "client_id", "cycle_months", "currency"]).to_pylist()
    terms = {r["agreement_id"]: (r["cycle_months"], r["currency"] or clients.get(r["client_id"]) or facts.currency) for r in agreements}
    return Lines(found, terms)


def priced_lines(cell: Row, lines: Lines) -> list[tuple[Decimal, Decimal]] | None:
    """Units billed and price a unit and cycle of each billable line of a cell, credits apart; null where a price is not known."""
    if not cell["has_several_prices"]:
        return None if cell["unit_price"] is None else [(cell["billed_qty"], cell["unit_price"])]
    behind = set((cell["evidence"] or "").split())
    found = [row for row in lines.of(cell) if row["evidence"] in behind and (row["unit_price"] is None or row["unit_price"] >= 0)]
    if len(found) != cell["lines"] or any(row["unit_price"] is None for row in found):
        return None
    return [(max(row["quantity_qty"] - row["included_qty"], ZERO), row["unit_price"]) for row in found if row["billable"] == "billable"]


def credit_a_cycle(cell: Row) -> Decimal | None:
    """What credits take off a cell in one cycle, zero or below (T33); null where one stands on another cycle or in another currency."""
    return None if cell["other_credits"] else cell["credit_amount"] or ZERO


def paid_a_cycle(cell: Row, lines: Lines) -> Decimal | None:
    """Money a cycle the client pays for a cell, exact; null where its lines cannot be added up."""
    priced, credit = priced_lines(cell, lines), credit_a_cycle(cell)
    if priced is None or credit is None:
        return None
    with localcontext(prec=_DIGITS):
        return sum((quantity * price for quantity, price in priced), ZERO) + credit
