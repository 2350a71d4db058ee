"""One decision of one person, checked and appended to the ledger with the values it was made on (docs/rules.md T125, T130)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from reconlib.errors import DataError, SignOffError, nearest
from reconlib.ledger import Event, Ledger, canonical_json, standing_signature, utc_text
from reconlib.mapping import bound_pair
from reconlib.money import to_decimal
from reconlib.period import Period

RELATIONS = ("account", "product")
MAPPING_DECISIONS = ("map", "exclude", "reject", "undo")
FINDING_DECISIONS = ("approve", "adjust", "dismiss", "snooze", "exclude", "investigate", "credit_client", "dispute_vendor", "undo")
CHANGE_KINDS = ("under_billed", "over_billed", "new_revenue", "orphan_line")  # kinds a change in the PSA can settle
UNKNOWN_KINDS = ("no_count", "no_source")  # nothing is known to bill: there is nothing to approve (T1)
COST_KINDS = ("cost_change", "negative_margin", "unused_commitment")
ROW_KINDS = ("unusable_rows",)  # next month's are other rows: what was decided on these says nothing about them
CAUSES = (
    "source stale",
    "client mapping",
    "service mapping",
    "real quantity gap",
    "contract exception",
    "commitment",
    "timing",
    "vendor error",
    "catalogue/price",
    "unknown",
)
# What a decision on a finding is bound to, and how people call it (T125).
BOUND = {
    "billed_qty": "billed",
    "expected_qty": "expected",
    "purchased_qty": "purchased",
    "used_qty": "used",
    "variance_qty": "units",
    "unit_price": "price",
    "unit_cost": "cost",
    "currency": "currency",
    "client_id": "client",
    "service_id": "service",
    "vendor_account_id": "vendor account",
    "vendor_product_id": "vendor product",
    "agreement_line_id": "agreement line",
    "monthly_impact": "money a month",
    "explanation": "rows",
}
_BOUND_ONLY = {  # where nothing else says that it is the same thing, or the money is what was decided
    "unit_cost": COST_KINDS,
    "agreement_line_id": CHANGE_KINDS,
    "monthly_impact": CHANGE_KINDS,
    "explanation": ROW_KINDS,
}
_REOPENED = "; reopened: "
_JUDGED = ("state", "verdict", "probability", "runner_up_id", "runner_up_probability", "reason", "conflicts")
_SHOWN = (*_JUDGED, "units_qty", "monthly_cost", "currency")


def bound_values(finding: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a finding a decision stands on.

    Cost only where the finding is about cost; the line and the money where a change bills them; the words where nothing but them names the
    rows, without what a reopening added to them.
    """
    kind = finding["kind"]
    bound = {name: finding[name] for name in BOUND if kind in _BOUND_ONLY.get(name, (kind,))}
    return bound | ({"explanation": say_reopened(finding["explanation"])} if "explanation" in bound else {})


def say_reopened(explanation: str, why: str = "") -> str:
    """An explanation with why it is open again; what an earlier reopening said is taken out."""
    plain = explanation.partition(_REOPENED)[0]
    return f"{plain.removesuffix('.')}{_REOPENED}{why}" if why else plain.removesuffix(".")


def mapping_event(
    *,
    book: str,
    period: Period,
    who: str,
    at: datetime,
    relation: str,
    source: str,
    vendor_id: str,
    decision: str,
    target_id: str | None = None,
    replaces: str | None = None,
    why: str = "",
    until: date | None = None,
    seen: Mapping[str, Any],
) -> Event:
    """A checked mapping decision, not yet in the ledger.

    ``map`` and ``reject`` name a client or service; ``undo`` without a target takes back everything about this vendor id. ``seen`` is what
    the row showed, as ``shown_values`` gives it. ``replaces`` is the service a ``map`` puts another in place of; without it a product
    counts for both (T27). An account has one client, which every ``map`` replaces.

    Raises:
        DataError: a wrong word, a target missing or too many, an exclusion without reason or review-by date (T130).
    """
    _one_of("relation", relation, RELATIONS)
    _one_of("decision", decision, MAPPING_DECISIONS)
    if decision in ("map", "reject") and not target_id:
        raise _wrong("target", target_id, f"a {'client' if relation == 'account' else 'service'} is needed to {decision}")
    if decision == "exclude" and target_id:
        raise _wrong("target", target_id, "an exclusion has no target; leave it empty")
    _check_exclusion(decision, why, until, period)
    values: dict[str, Any] = {"relation": relation, "source": source, "vendor_id": vendor_id, "decision": decision}
    values |= {"target_id": target_id or None, "until": until, "seen": dict(seen)} | ({"replaces": replaces} if replaces else {})
    subject = f"{relation}/{source}/{vendor_id}"
    return Event(book, str(period), "mapping_decided", subject, who, utc_text(at), why.strip(), values)


def shown_values(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a row of a mapping table said when it was decided on; kept with the decision, so that suggestions can be judged by it later."""
    name, suggested = ("account_name", "client_id") if "vendor_account_id" in row else ("product_name", "service_id")
    shown = {"name": row[name], "suggested_id": row.get(suggested)} | {column: row.get(column) for column in _SHOWN}
    return shown | {"bound": bound_pair(row)}


def replaced_service(seen: Mapping[str, Any], target: str | None) -> str | None:
    """The service a product's ``map`` puts another in place of: the contradicted one it was shown with. None of an account."""
    known = seen.get("suggested_id")
    is_product = "sku" in (seen.get("bound") or {})
    return known if is_product and seen.get("verdict") == "CONTRADICTION" and known != target else None


def finding_event(
    *,
    book: str,
    period: Period,
    who: str,
    at: datetime,
    finding: Mapping[str, Any],
    decision: str,
    new_qty: Decimal | int | str | None = None,
    effective_date: date | None = None,
    until: date | None = None,
    cause: str = "",
    why: str = "",
) -> Event:
    """A checked decision on one row of FINDINGS, bound to its values, not yet in the ledger.

    Raises:
        DataError: a wrong word, or a value that does not belong to this decision or this kind of finding; names the value.
    """
    _one_of("decision", decision, FINDING_DECISIONS)
    cause = cause.strip().lower().replace("_", " ")
    if cause:
        _one_of("cause", cause, CAUSES)
    kind, qty = finding["kind"], None if new_qty is None else to_decimal(new_qty, where="new_qty")
    _check_approval(decision, finding)
    if decision == "adjust" and (qty is None or kind not in CHANGE_KINDS):
        raise _wrong("new_qty", qty, f"adjust sets a quantity, on one of: {', '.join(CHANGE_KINDS)}")
    if decision != "adjust" and qty is not None:
        raise _wrong("new_qty", qty, f"{decision} takes no quantity; use adjust")
    if qty is not None and qty < 0:
        raise _wrong("new_qty", qty, "a quantity cannot be negative")
    if effective_date and decision not in ("approve", "adjust", "credit_client"):
        raise _wrong("effective_date", effective_date, f"{decision} changes nothing in the PSA")
    if effective_date and effective_date < period.start:
        raise _wrong("effective_date", effective_date, f"invoiced before {period} already; use credit_client, or a later date (T114)")
    _check_exclusion(decision, why, until, period)
    if until and decision not in ("snooze", "exclude"):
        raise _wrong("until", until, f"{decision} has no end; use snooze or exclude")
    if until and until <= period.end:
        raise _wrong("until", until, f"not after {period.end}, the end of the billing month")
    values = {"decision": decision, "kind": kind, "new_qty": qty, "effective_date": effective_date, "until": until, "cause": cause or None}
    values |= {"monthly_impact": finding["monthly_impact"], "bound": bound_values(finding)}
    return Event(book, str(period), "finding_decided", finding["finding_id"], who, utc_text(at), why.strip(), values)


def record_mapping_decision(ledger: Ledger, **decision: Any) -> Event:
    """Append one mapping decision; takes what ``mapping_event`` takes.

    Raises:
        DataError: see ``mapping_event``.
        SignOffError: the month is signed.
    """
    return _record(ledger, mapping_event(**decision))


def record_finding_decision(ledger: Ledger, *, known: int | None = None, **decision: Any) -> Event:
    """Append one decision on a finding; takes what ``finding_event`` takes.

    ``known`` is the number of the newest decision about it that was seen, 0 where there was none; null: whatever stands is decided over.

    Raises:
        DataError: see ``finding_event``; or somebody decided it since.
        SignOffError: the month is signed.
    """
    return _record(ledger, finding_event(**decision), known)


def refuse_signed(events: Iterable[Event], book: str, period: str) -> None:
    """Stop when a month is signed: what was signed does not change (T129).

    Raises:
        SignOffError: it is signed, or approved.
    """
    if signature := standing_signature(events, book, period):
        raise SignOffError(
            f"{period} is signed by {signature.who}: no decision can be added", where=f"book {book}", hint="reopen it with a reason first"
        )


def refuse_decided_since(standing: Iterable[Event], known: Mapping[tuple[str, str], int]) -> None:
    """Stop where somebody decided meanwhile on what is about to be decided.

    ``standing`` are the ledger's events now; ``known``: kind and subject of what is decided -> number of the newest event it was made with.

    Raises:
        DataError: there is a newer one; names who decided what.
    """
    for event in standing:
        if event.seq > known.get((event.kind, event.subject), event.seq):
            what = f"decided meanwhile by {event.who}: {event.values['decision']}"
            raise DataError(what, where=event.subject, hint="run the page or export the queue again to see it, then decide")


def keyed(event: Event, before: Event | None) -> Event:
    """The event with a key: the same decision after the same predecessor is one decision, however often it is sent."""
    said = [event.kind, event.period, event.subject, event.why, event.values, before.hash if before else ""]
    return Event(
        event.book,
        event.period,
        event.kind,
        event.subject,
        event.who,
        event.at,
        event.why,
        event.values,
        "decision/" + hashlib.sha256(canonical_json(said).encode()).hexdigest()[:24],
    )


def _record(ledger: Ledger, event: Event, known: int | None = None) -> Event:
    before = [known for known in ledger.events(book=event.book, kind=event.kind) if known.subject == event.subject]
    event = keyed(event, before[-1] if before else None)

    def check(events: list[Event]) -> None:
        refuse_signed(events, event.book, event.period)
        if known is not None:
            refuse_decided_since(events, {(event.kind, event.subject): known})

    return ledger.append(event, check=check)


def _check_approval(decision: str, finding: Mapping[str, Any]) -> None:
    kind = finding["kind"]
    if decision in ("approve", "adjust", "credit_client") and kind in UNKNOWN_KINDS:
        raise _wrong("decision", decision, f"nothing is known to bill for {kind}; dismiss, snooze, exclude or investigate")
    if decision in ("approve", "credit_client") and kind in CHANGE_KINDS and finding["expected_qty"] is None:
        raise _wrong("decision", decision, "this difference is one of money, with no quantity to set; adjust it with one, or dismiss it")


def _check_exclusion(decision: str, why: str, until: date | None, period: Period) -> None:
    if decision != "exclude":
        return
    if not why.strip():
        raise _wrong("reason", "", "an exclusion needs a reason (T130)")
    if until is None or until <= period.end:
        raise _wrong("until", until, f"an exclusion needs a review-by date after {period.end} (T130)")


def _one_of(name: str, value: str, valid: tuple[str, ...]) -> None:
    if value not in valid:
        raise DataError(f"{value!r} is no {name}", where=name, hint=nearest(value, valid))


def _wrong(name: str, value: object, hint: str) -> DataError:
    shown = "nothing" if value in (None, "") else f"{value}"
    return DataError(f"{shown} is not possible", where=name, hint=hint)
