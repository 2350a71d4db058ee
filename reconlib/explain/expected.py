"""How what should be billed came about, step by step, from the count to the expected quantity (T34–T39, T47, T56, T65–T67, T86).

The numbers are those comparison.sql made on the way; here they are only put in order and named. Each step says what it did to the number
before it, and the last one is the expected quantity, or the explanation stops.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from reconlib.errors import TieOutError
from reconlib.money import format_qty
from reconlib.rules import Rules

Row = Mapping[str, Any]
ZERO = Decimal(0)
_MEASURED = {"used": "counted in use", "purchased": "counted as bought", "greater": "counted: the greater of in use and bought"}


class _Steps:
    """The way so far: every step with what it changed."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    @property
    def at(self) -> Decimal:
        return Decimal(self.rows[-1]["quantity_qty"])

    def start(self, step: str, quantity: Decimal, says: str = "") -> None:
        self.rows.append({"step": step, "change_qty": None, "quantity_qty": quantity, "says": says})

    def to(self, step: str, quantity: Decimal, says: str = "", *, always: bool = False) -> None:
        """One step more; what changes nothing is left out."""
        if always or quantity != self.at:
            self.rows.append({"step": step, "change_qty": quantity - self.at, "quantity_qty": quantity, "says": says})


def expected_steps(cell: Row, others: Mapping[str, Row], rules: Rules) -> list[dict[str, Any]]:
    """Steps from count to expected quantity of one judged cell: step, change_qty, quantity_qty, says. None where nothing is expected.

    ``others`` are the judged cells of the same client, by service_id: a bundle is counted at its anchor.

    Raises:
        TieOutError: the steps do not end at what the comparison expects. Always a bug.
    """
    if cell["expected_qty"] is None:
        return []
    way = _Steps()
    if cell["is_bundle"]:
        _bundle(way, cell, others[cell["anchor_service_id"]])
    else:
        _gross(way, cell)
        if cell["bundle_service_id"] is not None:
            _component(way, cell, others[cell["bundle_service_id"]]["service_name"])
        else:
            _included(way, cell)
            if cell["is_held"]:
                ends = f"{format_qty(cell['committed_qty'])} committed until {cell['commitment_end_date']}"
                way.to(
                    "held by a commitment", cell["held_qty"], f"{ends}, {format_qty(cell['billed_qty'])} billed: due until it ends (T86)"
                )
    if cell["is_not_resold"] and cell["lines"]:
        way.to("not resold", ZERO, "the client buys it elsewhere (T57)")
    way.start("expected", way.at, _tolerance(cell))
    if way.at != cell["expected_qty"]:
        told = f"the steps end at {format_qty(way.at)}, the comparison expects {format_qty(cell['expected_qty'])}"
        raise TieOutError(told, where=f"{cell['client_id']} × {cell['service_id']}", hint=rules.where(f"services.{cell['service_code']}"))
    return way.rows


def _gross(way: _Steps, cell: Row) -> None:
    """What the count alone asks for: rounded, or the highest month, or what the contract fixes; less excluded; within its limits."""
    if cell["count_qty"] is not None:
        if cell["counted_qty"] is not None:
            way.start(_MEASURED[cell["expect"]], cell["counted_qty"])
            way.to("fixed by the contract", cell["count_qty"], "whatever is counted (T56)", always=True)
        else:
            way.start("fixed by the contract", cell["count_qty"], "whatever is counted; no count was received (T56)")
    else:
        way.start(_MEASURED[cell["expect"]], cell["counted_qty"])
        way.to("rounded to what is sold", cell["rounded_qty"], "T47")
        way.to("highest month of the term", cell["raw_qty"] if cell["peak_qty"] is not None else way.at, "never below it (T37)")
    way.to("less excluded units", way.at - cell["exclude_qty"], "T34")
    _limits(way, cell)


def _limits(way: _Steps, cell: Row) -> None:
    way.to("not below zero", max(way.at, ZERO))
    if cell["minimum"] is not None:
        way.to("raised to the minimum", max(way.at, cell["minimum"]), f"at least {format_qty(cell['minimum'])} (T36)")
    if cell["maximum"] is not None:
        way.to("capped at the maximum", min(way.at, cell["maximum"]), f"at most {format_qty(cell['maximum'])} (T36)")


def _included(way: _Steps, cell: Row) -> None:
    way.to("less included units", max(way.at - cell["all_included_qty"], ZERO), f"{format_qty(cell['all_included_qty'])} included (T39)")


def _component(way: _Steps, cell: Row, bundle: str) -> None:
    if cell["is_anchor"]:
        _included(way, cell)
        billed = cell["billed_qty"] or ZERO
        way.to(
            "the rest is the bundle's", min(way.at, billed), f"{bundle} is compared with this count; what has a line of its own stays (T65)"
        )
        return
    way.to(
        "less covered by the bundle", max(way.at - cell["covered_qty"], ZERO), f"{format_qty(cell['covered_qty'])} inside {bundle} (T67)"
    )
    _included(way, cell)


def _bundle(way: _Steps, cell: Row, anchor: Row) -> None:
    """A bundle is due as often as its anchor is counted, less what the anchor has on lines of its own (T65)."""
    _gross(way, anchor)
    first = way.rows[0]
    first["step"] = f"{first['step']}: {anchor['service_name']}, its anchor"
    own = anchor["contracted_qty"] or ZERO
    way.to("less the anchor's own lines", max(way.at - own, ZERO), f"{format_qty(own)} contracted there")
    way.to("this bundle's share", cell["share_qty"], "several bundles of the client stand on one anchor")
    way.to("less excluded units", max(way.at - cell["exclude_qty"], ZERO), "T34")
    _limits(way, cell)
    _included(way, cell)


def _tolerance(cell: Row) -> str:
    if cell["status"] != "matched_within_tolerance":
        return ""
    return f"the rules let {format_qty(cell['tolerance_units'])} units or {format_qty(cell['tolerance_percent'])} % pass (T121)"
