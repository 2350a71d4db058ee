"""How far a month is, who signs it, and that a signed one stays as it is (T126, T127, T129)."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from reconlib.errors import SignOffError
from reconlib.ledger import Event, Ledger, canonical_json, utc_text
from reconlib.period import Period
from reconlib.signoff.gates import Gate


@dataclass(frozen=True, slots=True)
class PeriodState:
    """How far a month is."""

    state: Literal["collecting", "in_review", "signed", "approved"]
    version: int  # of the archive; reopening makes the next
    preparer: str = ""
    reviewer: str = ""
    signed_at: str = ""
    approved_at: str = ""
    hashes: Mapping[str, str] = field(default_factory=dict)  # what was signed
    locked: bool = False  # approved: only reopening with a reason goes on
    reopened_why: str = ""


def period_state(events: Iterable[Event], book: str, period: Period | str) -> PeriodState:
    """How far a month is, folded from its events."""
    state = PeriodState("collecting", 1)
    for event in events:
        if (event.book, event.period) != (book, str(period)):
            continue
        values = event.values
        if event.kind == "preparer_signed":
            opened = PeriodState("signed", values["version"], reopened_why=state.reopened_why)
            state = replace(opened, preparer=event.who, signed_at=event.at, hashes=dict(values["hashes"]))
        elif event.kind == "reviewer_approved":
            state = replace(state, state="approved", reviewer=event.who, approved_at=event.at, locked=True)
        elif event.kind == "reopened":
            state = PeriodState("in_review", values["version"] + 1, reopened_why=event.why)
        elif event.kind == "run_finished" and state.state == "collecting":
            state = PeriodState("in_review", max(state.version, values.get("version", 1)))
    return state


def next_version(events: Iterable[Event], book: str, period: Period | str, existing_versions: Iterable[int] = ()) -> int:
    """Number of the archive version a run writes: the draft's or the signed one's own; above all the ledger does not know of."""
    state = period_state(events, book, period)
    unknown = max((version for version in existing_versions if version > state.version), default=0)
    return unknown + 1 if unknown else state.version


def check_unchanged(state: PeriodState, hashes: Mapping[str, str]) -> None:
    """Stop when a run would change what somebody signed (T129). The same hashes are the same month, and fine.

    Raises:
        SignOffError: the month is signed or approved, and something differs; names what.
    """
    if state.state in ("signed", "approved") and (changed := differing(state.hashes, hashes)):
        raise SignOffError(
            f"v{state.version} is {state.state}, and this run differs in {', '.join(changed)}",
            where="sign-off",
            hint="reopen the month with a reason; the run then makes the next version",
        )


def refuse_refresh(state: PeriodState, period: Period) -> None:
    """Stop before a signed month's sources are read again: they would say something else (T129).

    Raises:
        SignOffError: the month is signed or approved.
    """
    if state.state in ("signed", "approved"):
        what = f"{period} v{state.version} is {state.state}; reading the sources again would change it"
        raise SignOffError(what, where="--refresh", hint="reopen the month with a reason: recon reopen")


def record_run(ledger: Ledger, *, book: str, period: Period, version: int, who: str, at: datetime, hashes: Mapping[str, str]) -> Event:
    """Append that a run finished, once for the same hashes.

    Raises:
        SignOffError: the month is signed and this run differs.
    """
    sign = hashlib.sha256(canonical_json(hashes).encode()).hexdigest()[:16]
    values = {"version": version, "hashes": hashes}
    key = f"run/{period}/v{version}/{sign}"
    event = Event(book, str(period), "run_finished", f"v{version}", who, utc_text(at), values=values, key=key)
    return ledger.append(event, check=lambda events: check_unchanged(period_state(events, book, period), hashes))


def sign(
    ledger: Ledger,
    *,
    book: str,
    period: Period,
    version: int,
    role: Literal["preparer", "reviewer"],
    who: str,
    at: datetime,
    hashes: Mapping[str, str],
    gates: Sequence[Gate],
    seen: int | None = None,
    planned: Iterable[Event] = (),
) -> Event:
    """Append a signature: the preparer's when every gate is open, then a different reviewer's on the same hashes.

    Nothing comes between the check and the signature. ``seen`` is the number of the last event the gates were computed from; ``planned``
    are the changes a reviewer's signature plans, written with it or not at all.

    Raises:
        SignOffError: a gate is closed, the order or the person is wrong, or what is signed changed; says which.
    """
    where = f"sign-off {book} {period} v{version}"
    if not hashes:
        raise SignOffError("there is nothing to sign", where=where, hint="run the month first; a name and a date are no evidence (T127)")
    if not who.strip():
        raise SignOffError("a signature needs a name", where=where, hint="say who signs")

    def check(events: list[Event]) -> None:
        state = period_state(events, book, period)
        if role == "reviewer":
            _check_reviewer(state, version, who, hashes, where)
            return
        _check_preparer(state, version, gates, where)
        if seen is not None:
            _check_nothing_decided(events, period, seen, where)

    kind = "preparer_signed" if role == "preparer" else "reviewer_approved"
    values = {"version": version, "hashes": hashes, "gates": [{"name": gate.name, "count": gate.count} for gate in gates]}
    event = Event(book, str(period), kind, f"v{version}", who.strip(), utc_text(at), values=values, key=f"{kind}/{period}/v{version}")
    return ledger.append_all([event, *planned], check=check)[0]


def reopen(ledger: Ledger, *, book: str, period: Period, who: str, at: datetime, why: str) -> Event:
    """Append that a signed month is open again, as the next version; the signed one is kept (T129).

    Raises:
        SignOffError: not signed, or no reason.
    """
    where = f"sign-off {book} {period}"
    state = period_state(ledger.events(book=book), book, period)

    def check(events: list[Event]) -> None:
        now = period_state(events, book, period)
        if now.state not in ("signed", "approved") or now.version != state.version:
            raise SignOffError("is not signed, so there is nothing to reopen", where=where, hint="go on reviewing")

    if not why.strip():
        raise SignOffError("reopening needs a reason", where=where, hint="say what was found")
    values = {"version": state.version, "hashes": state.hashes}
    key = f"reopened/{period}/v{state.version}"
    event = Event(book, str(period), "reopened", f"v{state.version}", who, utc_text(at), why.strip(), values, key)
    return ledger.append(event, check=check)


def _check_preparer(state: PeriodState, version: int, gates: Sequence[Gate], where: str) -> None:
    if state.state in ("signed", "approved"):
        raise SignOffError(f"is {state.state} by {state.reviewer or state.preparer} already", where=where, hint="reopen it with a reason")
    if version < state.version:
        raise SignOffError(f"v{version} is not open, v{state.version} is", where=where, hint=f"sign v{state.version}")
    closed = [gate for gate in gates if not gate.ok]
    if closed or not gates:
        listed = "\n".join(f"  {gate.name}: {gate.detail} → {gate.where_to_go}" for gate in closed) or "  no gate was checked"
        raise SignOffError(f"is not ready\n{listed}", where=where, hint="settle these, run the month again, then sign")


def _check_nothing_decided(events: Iterable[Event], period: Period, seen: int, where: str) -> None:
    decided = ("mapping_decided", "finding_decided")
    late = [event for event in events if event.seq > seen and event.kind in decided and event.period <= str(period)]
    if late:
        what = f"{late[-1].who} has decided {late[-1].subject} in the meantime"
        raise SignOffError(what, where=where, hint="look at what follows from it, then sign")


def _check_reviewer(state: PeriodState, version: int, who: str, hashes: Mapping[str, str], where: str) -> None:
    if state.state == "approved":
        raise SignOffError(f"is approved by {state.reviewer} already", where=where, hint="nothing is left to do")
    if state.state != "signed":
        raise SignOffError("no preparer has signed", where=where, hint="the preparer signs first")
    if version != state.version:
        raise SignOffError(f"the preparer signed v{state.version}, not v{version}", where=where, hint=f"approve v{state.version}")
    if _person(who) == _person(state.preparer):
        raise SignOffError(f"{state.preparer} prepared this month", where=where, hint="somebody else approves it (T126)")
    if changed := differing(state.hashes, hashes):
        raise SignOffError(
            f"changed since the preparer signed: {', '.join(changed)}", where=where, hint="reopen, and sign what is there now"
        )


def differing(signed: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Names of what is not the same in two sets of hashes, or only in one."""
    return sorted(name for name in signed.keys() | now.keys() if signed.get(name) != now.get(name))


def _person(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
