"""What people do to a month: decide, sign, approve, reopen. Each is one call that ends in the ledger, under their own name.

The same calls serve the command line, the notebooks' widget and the demo; a name is never taken from the machine (T126, T127).
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from reconlib.changes import record_planned_changes
from reconlib.errors import SettingsError
from reconlib.ledger import open_ledger
from reconlib.review import Imported, import_decisions
from reconlib.signoff import PeriodState, period_state, reopen, sign
from reconlib.steps import Month, build_canonical, compare_month, month_events, prepare_sign_off, read_stage

if TYPE_CHECKING:
    from reconlib.steps import SignOffState


def check_name(who: str) -> str:
    """The name an event will carry.

    Raises:
        SettingsError: none was given; the machine's user is not a person.
    """
    if not who.strip():
        raise SettingsError("nobody is named", where="--who", hint="say who decides: --who NAME, or set RECON_WHO")
    return who.strip()


def import_month_decisions(month: Month, file: Path, *, who: str, at: datetime) -> Imported:
    """Every decision of a file into the ledger, or none of them; vendor ids and findings are those of this month.

    Raises:
        DataError: the file cannot be read, or the month has not been compared yet.
        SignOffError: the month is signed.
    """
    tables = build_canonical(month)
    findings = compare_month(month).findings
    with open_ledger(month.ledger_url) as ledger:
        return import_decisions(
            ledger,
            file,
            book=month.params.book,
            period=month.period,
            who=check_name(who),
            at=at,
            clients=tables["clients"],
            services=tables["services"],
            findings=findings,
            accounts=read_stage(month, "account_mapping"),
            products=read_stage(month, "product_mapping"),
        )


def sign_month(month: Month, *, role: Literal["preparer", "reviewer"], who: str, at: datetime) -> PeriodState:
    """A signature on exactly what stands there now; a reviewer's also plans the changes that next month looks for.

    Raises:
        SignOffError: a gate is closed, the person or the order is wrong, or the month changed since it was prepared.
    """
    prepared: SignOffState = prepare_sign_off(month)
    book, period, version = month.params.book, month.period, prepared.state.version
    name = check_name(who)
    with open_ledger(month.ledger_url) as ledger:
        sign(
            ledger,
            book=book,
            period=period,
            version=version,
            role=role,
            who=name,
            at=at,
            hashes=prepared.hashes,
            gates=prepared.gates,
        )
        if role == "reviewer":
            record_planned_changes(ledger, prepared.changes, book=book, period=period, version=version, who=name, at=at)
    return period_state(month_events(month), book, period)


def reopen_month(month: Month, *, who: str, at: datetime, why: str) -> PeriodState:
    """A signed month open again as the next version; the signed one stays (T129).

    Raises:
        SignOffError: not signed, or no reason.
    """
    with open_ledger(month.ledger_url) as ledger:
        reopen(ledger, book=month.params.book, period=month.period, who=check_name(who), at=at, why=why)
    return period_state(month_events(month), month.params.book, month.period)
