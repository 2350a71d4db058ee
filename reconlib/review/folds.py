"""What stands decided: pure folds over the ledger's events (T31, T124, T125, T130).

A decision applies from its billing month on, so an old month can be run again with what was known of it. Later months win over earlier
ones, then later events over earlier ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from reconlib.ledger import Event
from reconlib.money import format_qty
from reconlib.period import Period
from reconlib.review.decisions import BOUND, ROW_KINDS, bound_values, say_reopened

if TYPE_CHECKING:
    import pyarrow as pa

Key = tuple[str, str, str]  # relation, source, vendor id
_STATUS = {"approve": "approved", "adjust": "approved", "credit_client": "approved", "dispute_vendor": "disputed"}
_STATUS |= {"dismiss": "dismissed", "snooze": "snoozed", "exclude": "excluded", "investigate": "open"}
_THIS_MONTH_ONLY = ("approve", "adjust", "credit_client", "dismiss")
_WORD = {"dismiss": "dismissed", "credit_client": "credited", "snooze": "snoozed", "exclude": "excluded", "dispute_vendor": "disputed"}
_WORD |= {"investigate": "looked into"}
_FOLLOWS = ("units ", "money a month ")  # from the other values: said only where none of them changed


@dataclass(frozen=True, slots=True)
class Said:
    """Who decided something, when and why."""

    who: str
    at: str
    why: str


@dataclass(frozen=True, slots=True)
class MappingDecision:
    """What people decided about one vendor account or product."""

    state: Literal["mapped", "excluded", "open"]  # open: only rejections are known, or an exclusion has run out
    targets: tuple[str, ...]  # clients or services; several services allowed (T27)
    rejected: frozenset[str]  # never to be suggested again
    who: str  # who made the state what it is, when and why
    at: str
    why: str
    review_by: date | None  # of an exclusion, run out or not
    seen: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # target -> what the row showed when it was mapped or rejected
    said: Mapping[str, Said] = field(default_factory=dict)  # target -> who mapped or rejected it


def mapping_decisions(events: Iterable[Event], *, as_of: date, period: Period | None = None) -> dict[Key, MappingDecision]:
    """Standing decision of every account and product somebody decided on.

    ``period`` is the month ``as_of`` lies in, unless said otherwise. A later ``map`` of a product adds a service, of an account replaces
    the client; ``exclude`` clears both; ``undo`` takes back one target, or everything. An exclusion past its review-by date is open again.
    """
    month = str(period or Period(as_of.year, as_of.month))
    standing: dict[Key, MappingDecision] = {}
    for event in _in_force(events, "mapping_decided", month):
        values = event.values
        key = (values["relation"], values["source"], values["vendor_id"])
        after = _mapped(standing.get(key), event)
        if after.targets or after.rejected or after.review_by:
            standing[key] = after
        else:
            standing.pop(key, None)
    return {key: _run_out(decision, as_of) for key, decision in standing.items()}


def finding_decisions(events: Iterable[Event], period: Period) -> dict[str, Event]:
    """Last decision on each finding that this month can know of, undone ones left out."""
    last = {event.subject: event for event in _in_force(events, "finding_decided", str(period))}
    return {subject: event for subject, event in last.items() if event.values["decision"] != "undo"}


def apply_finding_decisions(findings: pa.Table, events: Iterable[Event], *, period: Period, as_of: date | None = None) -> pa.Table:
    """The findings with ``status``, ``cause`` and ``explanation`` as decided; rows and their order stay.

    Approvals and dismissals hold for their own month: what is still there next month is open again and says so (T124). Snoozes hold until
    their date, exclusions until their review-by date, disputes and investigations until settled; on rows nobody can use, each for its own
    month: next month's are other rows. Every decision is void once its values changed (T125).
    """
    import pyarrow as pa

    decided = finding_decisions(events, period)
    rows = findings.to_pylist()
    for row in rows:
        if event := decided.get(row["finding_id"]):
            row.update(_decided(row, event, period, as_of or period.end))
    for name in ("status", "cause", "explanation"):
        column = pa.array([row[name] for row in rows], findings.schema.field(name).type)
        findings = findings.set_column(findings.schema.get_field_index(name), findings.schema.field(name), column)
    return findings


def values_changed(finding: Mapping[str, Any], event: Event) -> list[str]:
    """What differs between a finding and the values a decision was made on, in words; empty while the decision holds.

    Example:
        A finding decided at 44 billed seats, now 46, gives ``["billed 44 → 46"]``.
    """
    bound, now = event.values["bound"], bound_values(finding)
    changed = []
    for name, value in now.items():
        if name not in bound:
            continue  # decided before this value was asked for
        if name == "explanation":
            changed += ["other rows"] if bound[name] != value else []
            continue
        before = Decimal(bound[name]) if isinstance(value, Decimal) and bound.get(name) else bound.get(name)
        if before != value:
            changed.append(f"{BOUND[name]} {_shown(before)} → {_shown(value)}")
    return [text for text in changed if not text.startswith(_FOLLOWS)] or changed[:1]


def _decided(row: Mapping[str, Any], event: Event, period: Period, as_of: date) -> dict[str, Any]:
    values = event.values
    decision, until = values["decision"], date.fromisoformat(values["until"]) if values["until"] else None
    over = ""
    if changed := values_changed(row, event):
        over = ", ".join(changed)
    elif until and as_of > until:
        over = f"{_WORD[decision]} until {until}"
    elif event.period != str(period) and (decision in _THIS_MONTH_ONLY or row["kind"] in ROW_KINDS):
        over = f"{_WORD.get(decision, 'approved')} in {event.period}, still there"
    if over:
        return {"status": "open", "explanation": say_reopened(row["explanation"], over)}
    return {"status": _STATUS[decision], "cause": values["cause"] or row["cause"]}


def _mapped(before: MappingDecision | None, event: Event) -> MappingDecision:
    after = _after(before, event)
    is_beside = event.values["decision"] in ("reject", "undo") and before is not None and before.state == after.state != "open"
    return after if is_beside else replace(after, who=event.who, at=event.at, why=event.why)


def _after(before: MappingDecision | None, event: Event) -> MappingDecision:
    decision, target = event.values["decision"], event.values["target_id"]
    known = before or MappingDecision("open", (), frozenset(), "", "", "", None)
    others = tuple(one for one in known.targets if one != target)
    if target is not None and decision in ("map", "reject"):
        seen, said = event.values.get("seen") or {}, Said(event.who, event.at, event.why)
        known = replace(known, seen={**known.seen, target: seen}, said={**known.said, target: said})
    if decision == "map":
        kept = tuple(one for one in others if one != event.values.get("replaces")) if event.values["relation"] == "product" else ()
        return replace(known, state="mapped", targets=(*kept, target), rejected=known.rejected - {target}, review_by=None)
    if decision == "exclude":
        return replace(known, state="excluded", targets=(), review_by=date.fromisoformat(event.values["until"]))
    if decision == "reject":
        state: Literal["mapped", "excluded", "open"] = known.state if known.state == "excluded" or others else "open"
        return replace(known, state=state, targets=others, rejected=known.rejected | {target})
    if target is None:
        return replace(known, state="open", targets=(), rejected=frozenset(), review_by=None)
    state = known.state if known.state == "excluded" or others else "open"
    return replace(known, state=state, targets=others, rejected=known.rejected - {target})


def _run_out(decision: MappingDecision, as_of: date) -> MappingDecision:
    over = decision.state == "excluded" and decision.review_by is not None and decision.review_by < as_of
    return replace(decision, state="open") if over else decision


def _in_force(events: Iterable[Event], kind: str, month: str) -> list[Event]:
    known = [event for event in events if event.kind == kind and event.period <= month]
    return sorted(known, key=lambda event: (event.period, event.seq))


def _shown(value: object) -> str:
    return "unknown" if value is None else format_qty(value) if isinstance(value, Decimal) else str(value)
