"""Whether a decision is new: beside what stands, beside another of its file, beside what came meanwhile (T125)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from reconlib.ledger import Event
from reconlib.money import format_qty
from reconlib.review.folds import MappingDecision, values_changed


def finding_stands(event: Event, decided: Mapping[str, Event], by_id: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a decision on a finding stands already, this month and on the values the finding has now."""
    values, last = event.values, decided.get(event.subject)
    if last is None or values["decision"] == "undo":
        return last is None and values["decision"] == "undo"
    same = all(_text(values[name]) == _text(last.values[name]) for name in ("decision", "new_qty", "effective_date", "until", "cause"))
    return same and last.why == event.why and last.period == event.period and not values_changed(by_id[event.subject], last)


def mapping_stands(event: Event, mapped: Mapping[tuple[str, str, str], MappingDecision]) -> bool:
    """Whether a mapping decision stands already, so that recording it again would say nothing new."""
    values = event.values
    known = mapped.get((values["relation"], values["source"], values["vendor_id"]))
    if known is None or values["decision"] == "undo":
        return known is None and values["decision"] == "undo"
    if values["decision"] == "exclude":
        return (known.state, known.review_by, known.why) == ("excluded", values["until"], event.why)
    stands = values["target_id"] in (known.targets if values["decision"] == "map" else known.rejected)
    return stands and not _is_new_knowledge(values["decision"], values["seen"], known.seen.get(values["target_id"], {}))


def contradicts(event: Event, other: Event) -> bool:
    """Whether two decisions of one file, about the same thing, cannot both be meant."""
    if event.kind == "finding_decided":
        return True
    pair = (event.values, other.values)
    # a product may count for several services, and several suggestions may be rejected: each pair is decided once
    several = all(values["decision"] in ("map", "reject") for values in pair)
    both_mapped = all(values["decision"] == "map" for values in pair) and event.values["relation"] == "account"
    targets = {values["target_id"] for values in pair}
    takes_the_place = any(values.get("replaces") in targets for values in pair)
    return not several or both_mapped or takes_the_place or len(targets) == 1


def _is_new_knowledge(decision: str, seen: Mapping[str, Any], then: Mapping[str, Any]) -> bool:
    """Whether saying the same again says more: a rejection of what looks different now, a contradiction that is accepted."""
    if decision == "reject":
        return "bound" in seen and "bound" in then and seen["bound"] != then["bound"]
    names = ("verdict", "runner_up_id", "bound")
    return seen.get("verdict") == "CONTRADICTION" and any(seen.get(name) != then.get(name) for name in names)


def _text(value: object) -> str:
    if isinstance(value, Decimal):
        return format_qty(value).replace(",", "")
    return "" if value is None else str(value)
