"""What a count says against its own past: units that only came later (T3), and a jump or fall against the months before.

A count that falls to nothing in a source that answered completely is the classic broken feed: a filter, a tenant or a consent was lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from reconlib.findings.kinds import Facts, Row, cell_of
from reconlib.money import format_qty
from reconlib.rules import Unusual

MEASURES = {"used_qty": "in use", "purchased_qty": "bought"}
_LEFT_OUT = ("out_of_scope", "ignored", "not_resold")
Key = tuple[str, str]  # client, service


def check_timing(facts: Facts) -> Iterator[Row]:
    """Units dated after the as-of day where everything else agrees: no difference of this month, the next one's to expect (T3)."""
    for row in facts.cells:
        if row["status"] == "timing":
            yield {**cell_of(row), "kind": "timing", "variance_qty": row["later_qty"], "explanation": facts.explain(row)}


def check_history(facts: Facts) -> Iterator[Row]:
    """Counts that jumped or fell beyond the rule, against the median of the same client and service's own months and against the last one.

    A count that is not known is compared with nothing, and months in which it was not known are left out; with fewer months known than the
    rule asks for, nothing is said.
    """
    rule = facts.rules.unusual
    if rule is None or len(facts.history) < rule.months:
        return
    past = [{(row["client_id"], row["service_id"]): row for row in table.to_pylist()} for table in facts.history]
    for key, cell in _cells_now(facts, past[0]).items():
        found = [text for name, word in MEASURES.items() if (text := _unusual(cell, [month.get(key) for month in past], name, word, rule))]
        if found and cell["status"] not in _LEFT_OUT:
            units, explanation = found[0][0], " ".join(text for _, text in found)
            yield {**cell_of(cell), "kind": "unusual_count", "variance_qty": units, "explanation": explanation}


def median(values: list[Decimal]) -> Decimal:
    """The middle value, or half the sum of the two middle ones.

    Example:
        >>> median([Decimal(24), Decimal(3), Decimal(23), Decimal(25)])
        Decimal('23.5')
    """
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _cells_now(facts: Facts, last: Mapping[Key, Row]) -> dict[Key, Row]:
    """This month's cells, and last month's that are not listed any more because everything of them was counted and is nothing."""
    cells = {(row["client_id"], row["service_id"]): dict(row) for row in facts.cells}
    known: dict[tuple[str, str, str], bool] = {}
    for row in facts.counts.to_pylist():
        part = (row["client_id"], row["service_id"], row["measure"])
        known[part] = known.get(part, True) and row["is_known"]
    for key in sorted(last.keys() - cells.keys()):
        zero = {f"{measure}_qty": Decimal(0) for measure in ("used", "purchased") if known.get((*key, measure))}
        if zero:
            nothing = {"expected_qty": None, "billed_qty": None, "contracted_qty": None, "used_qty": None, "purchased_qty": None}
            cells[key] = {**last[key], **nothing, **zero, "certainty": "calculated"}
    return cells


def _unusual(cell: Row, past: list[Row | None], name: str, word: str, rule: Unusual) -> tuple[Decimal, str] | None:
    now = cell[name]
    known = [month[name] for month in past if month is not None and month[name] is not None]
    if now is None or len(known) < rule.months or not (_is_far(now, median(known), rule) and _is_far(now, known[0], rule)):
        return None
    before = ", ".join(format_qty(value) for value in known)
    text = f"{format_qty(now)} {cell['service_name']} {word}; in the months before, newest first: {before}."
    if not now:
        text += (
            " The source answered completely: a count that falls to nothing is more often a feed that lost its filter, tenant or consent."
        )
    return now - median(known), text


def _is_far(now: Decimal, then: Decimal, rule: Unusual) -> bool:
    gap = abs(now - then)
    return gap > rule.units and gap * 100 > rule.percent * then
