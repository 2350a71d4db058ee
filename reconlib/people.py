"""What people do to a month: decide, sign, approve, reopen. Each is one call that ends in the ledger, under their own name.

The same calls serve the command line, the notebooks' widget and the demo; a name is never taken from the machine (T126, T127).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from reconlib.changes import list_planned
from reconlib.errors import SettingsError, SignOffError
from reconlib.inputs import build_canonical
from reconlib.ledger import open_ledger
from reconlib.month import STEPS, Month, as_signed, hold_month, hold_steps, month_events, month_hashes, month_state, read_stage
from reconlib.review import Imported, import_decisions, record_finding_decision
from reconlib.review.decisions import refuse_signed
from reconlib.signoff import PeriodState, differing, reopen, sign
from reconlib.steps import compare_month, prepare_sign_off

if TYPE_CHECKING:
    from reconlib.steps import SignOffState

Decide = Callable[[Mapping[str, Any], str, str, str], None]  # row, action, target, reason


def check_name(who: str) -> str:
    """The name an event will carry.

    Raises:
        SettingsError: none was given; the machine's user is not a person.
    """
    if not who.strip():
        raise SettingsError(
            "nobody is named",
            where="--who",
            hint="say who decides: --who NAME on the command line, WHO in a notebook, or RECON_WHO in the environment",
        )
    return who.strip()


def import_month_decisions(month: Month, file: Path, *, who: str, at: datetime) -> Imported:
    """Every decision of a file into the ledger, or none of them; vendor ids and findings are those of this month.

    Raises:
        SettingsError: nobody is named.
        DataError: the file cannot be read, or the month has not been compared yet.
        SignOffError: the month is signed.
    """
    name = check_name(who)
    refuse_signed(month_events(month), month.params.book, str(month.period))
    tables = build_canonical(month)
    findings = compare_month(month).findings
    with open_ledger(month.ledger_url) as ledger:
        return import_decisions(
            ledger,
            file,
            book=month.params.book,
            period=month.period,
            who=name,
            at=at,
            clients=tables["clients"],
            services=tables["services"],
            findings=findings,
            accounts=read_stage(month, "account_mapping"),
            products=read_stage(month, "product_mapping"),
        )


def decide_finding_by(month: Month, who: str) -> Decide:
    """What a click on a finding does: one decision in the ledger, at once, bound to the finding's values.

    What somebody else decided since this was asked for is not decided over: the click is refused and says so.
    """
    known = {event.subject: event.seq for event in month_events(month) if event.kind == "finding_decided"}

    def decide(row: Mapping[str, Any], action: str, target: str, reason: str) -> None:
        del target
        facts, seen = _facts(month, who), known.get(row["finding_id"], 0)
        with open_ledger(month.ledger_url) as ledger:
            recorded = record_finding_decision(ledger, known=seen, **facts, finding=row, decision=action, why=reason)
        known[recorded.subject] = recorded.seq

    return decide


def _facts(month: Month, who: str) -> dict[str, Any]:
    name = check_name(who or month.environ.get("RECON_WHO", ""))
    return {"book": month.params.book, "period": month.period, "who": name, "at": month.now()}


def sign_month(month: Month, *, role: Literal["preparer", "reviewer"], who: str, at: datetime) -> PeriodState:
    """A signature on exactly what stands on disk; a reviewer's also plans the changes that later months look for.

    No source is read: what has arrived since the sync is not part of what was looked at. A reviewer approves what the preparer signed, as
    it stands, and nothing is made anew.

    Raises:
        SignOffError: a gate is closed, the person or the order is wrong, or the month changed since it was prepared.
    """
    name, book, period = check_name(who), month.params.book, month.period
    with hold_month(month), open_ledger(month.ledger_url) as ledger:
        month = as_signed(month)
        seen = max((event.seq for event in ledger.events(book=book)), default=0)
        before = _inputs(month_hashes(month))
        prepared: SignOffState = prepare_sign_off(month)
        version = prepared.state.version
        facts: dict[str, Any] = {"book": book, "period": period, "version": version, "who": name, "at": at}
        planned = list_planned(prepared.changes, **facts) if role == "reviewer" else []
        with hold_steps(month):  # no step is put in place between this look and the signature
            now = month_hashes(month)
            if changed := differing(prepared.hashes, now) + differing(before, _inputs(now)):
                what = f"{', '.join(sorted(set(changed)))} changed while {period} was being prepared"
                raise SignOffError(what, where=f"sign-off {book} {period}", hint="look at what is there now, then sign")
            sign(ledger, **facts, role=role, hashes=now, gates=prepared.gates, seen=seen, planned=planned)
    return month_state(month)


def _inputs(hashes: Mapping[str, str]) -> dict[str, str]:
    """What the steps of a month are made from: params, rules and what was synced."""
    made = {name for step, names in STEPS.items() if step != "sync" for name in names}
    return {name: text for name, text in hashes.items() if name not in made}


def reopen_month(month: Month, *, who: str, at: datetime, why: str) -> PeriodState:
    """A signed month open again as the next version; the signed one stays (T129).

    Raises:
        SignOffError: not signed, or no reason.
    """
    with hold_month(month), open_ledger(month.ledger_url) as ledger:
        reopen(ledger, book=month.params.book, period=month.period, who=check_name(who), at=at, why=why)
    return month_state(month)
