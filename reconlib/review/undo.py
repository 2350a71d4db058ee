"""Taking the last decision about one vendor account or product back: new events that lead to what stood before it; nothing is deleted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from reconlib.errors import DataError
from reconlib.ledger import Event
from reconlib.period import Period
from reconlib.review.folds import MappingDecision, mapping_decisions


def take_back(events: Iterable[Event], *, relation: str, source: str, vendor_id: str, period: Period) -> list[dict[str, Any]]:
    """Decisions that undo the last one of this month: what ``mapping_event`` takes, in the order to record them.

    The first clears what stands; the others set again what stood before, rejections too. An exclusion whose review-by date the month has
    reached is not set again: it had run out.

    Raises:
        DataError: nothing was decided about it in this month.
    """
    key = (relation, source, vendor_id)
    known = [event for event in events if event.kind == "mapping_decided" and event.subject == "/".join(key)]
    known = [event for event in known if event.period <= str(period)]
    last = max((event for event in known if event.period == str(period)), key=lambda event: event.seq, default=None)
    if last is None:
        hint = "decide anew: a later decision stands above an earlier one"
        raise DataError(f"nothing was decided about it in {period}", where="/".join(key), hint=hint)
    # date.min: an exclusion that ran out is told apart below, not here
    before = mapping_decisions((event for event in known if event is not last), as_of=date.min, period=period).get(key)
    steps: list[dict[str, Any]] = [{"decision": "undo", "target_id": None, "until": None, "why": f"takes back: {last.values['decision']}"}]
    if before is None:
        return steps
    steps += [_again("map", target, before) for target in before.targets]
    if before.state == "excluded" and before.review_by is not None and before.review_by > period.end:
        steps.append({"decision": "exclude", "target_id": None, "until": before.review_by, "why": before.why})
    return steps + [_again("reject", target, before) for target in sorted(before.rejected)]


def _again(decision: str, target: str, before: MappingDecision) -> dict[str, Any]:
    """A decision set again, on what was seen when it was made."""
    why = f"as before: {before.why}" if before.why else "as before"
    return {"decision": decision, "target_id": target, "until": None, "why": why, "seen": before.seen.get(target, {})}
