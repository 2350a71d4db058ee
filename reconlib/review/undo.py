"""Taking the last decision about one vendor account or product back: new events that lead to what stood before it; nothing is deleted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from reconlib.errors import DataError
from reconlib.ledger import Event
from reconlib.period import Period, parse_period
from reconlib.review.folds import Key, MappingDecision, mapping_decisions

_TAKES_BACK = "takes back: "  # how the reason begins of what clears a decision before what stood is set again


def take_back(events: Iterable[Event], *, relation: str, source: str, vendor_id: str, period: Period) -> list[dict[str, Any]]:
    """Decisions that undo the last one of this month: what ``mapping_event`` takes, in the order to record them.

    The first clears what stands; the others set again what stood before, rejections too. An exclusion whose review-by date the month has
    reached is not set again: it had run out. Asked for again, it takes back the decision before that one.

    Raises:
        DataError: nothing was decided about it in this month, or all of it was taken back.
    """
    key = (relation, source, vendor_id)
    known = [event for event in events if event.kind == "mapping_decided" and event.subject == "/".join(key)]
    known = _not_taken_back(sorted((event for event in known if event.period <= str(period)), key=lambda event: event.seq), key)
    last = _last(known, str(period))
    if last is None:
        hint = "decide anew: a later decision stands above an earlier one"
        raise DataError(f"nothing was decided about it in {period}", where="/".join(key), hint=hint)
    return _steps([event for event in known if event is not last], last, key, period)


def _last(known: Sequence[Event], month: str) -> Event | None:
    return next((event for event in reversed(known) if event.period == month), None)


def _steps(others: Sequence[Event], last: Event, key: Key, period: Period) -> list[dict[str, Any]]:
    """What takes ``last`` back and sets again what the ``others`` say."""
    # date.min: an exclusion that ran out is told apart below, not here
    before = mapping_decisions(others, as_of=date.min, period=period).get(key)
    said = f"{_TAKES_BACK}{last.values['decision']}"
    steps: list[dict[str, Any]] = [{"decision": "undo", "target_id": None, "until": None, "why": said}]
    if before is None:
        return steps
    steps += [_again("map", target, before) for target in before.targets]
    if before.state == "excluded" and before.review_by is not None and before.review_by > period.end:
        steps.append({"decision": "exclude", "target_id": None, "until": before.review_by, "why": before.why})
    return steps + [_again("reject", target, before) for target in sorted(before.rejected)]


def _not_taken_back(events: Sequence[Event], key: Key) -> list[Event]:
    """Decisions that still stand for themselves: without those taken back, and without what taking them back recorded."""
    kept: list[Event] = []
    again: list[tuple[str, str | None]] = []  # what a taking back set again, still to come
    for event in events:
        said = (event.values["decision"], event.values["target_id"])
        if again and said == again[0]:
            again.pop(0)
            continue
        again = []
        last = _last(kept, event.period)
        if said == ("undo", None) and event.why.startswith(_TAKES_BACK) and last is not None:
            kept.remove(last)
            steps = _steps(kept, last, key, parse_period(event.period))
            again = [(step["decision"], step["target_id"]) for step in steps[1:]]
        else:
            kept.append(event)
    return kept


def _again(decision: str, target: str, before: MappingDecision) -> dict[str, Any]:
    """A decision set again, on what was seen when it was made."""
    said = before.said[target].why
    why = f"as before: {said}" if said else "as before"
    return {"decision": decision, "target_id": target, "until": None, "why": why, "seen": before.seen.get(target, {})}
