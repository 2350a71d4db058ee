"""``recon changes``: an approved month's change file, and what became of earlier ones. Nothing here writes to a PSA."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reconlib.cli.words import Params, PeriodOption, open_book, say
from reconlib.errors import SettingsError, SignOffError

changes = typer.Typer(no_args_is_help=True, help="The change file: write it, and check that earlier months' changes arrived.")


@changes.command("export")
def export_changes(
    params: Params, period: PeriodOption = "", to: Annotated[Path | None, typer.Option(help="Folder; default: the working folder.")] = None
) -> None:
    """Write an approved month's change file as CSV and JSON: what was approved, whatever has arrived since; no PSA is touched."""
    from reconlib.changes import approved_changes
    from reconlib.month import month_events, month_state
    from reconlib.report.export import write_changes

    month = open_book(params, period)
    state = month_state(month)
    if state.state != "approved":
        hint = "a preparer signs and another person approves first: recon sign"
        raise SignOffError(f"{month.period} is not approved, so there is no change file", where="changes export", hint=hint)
    for path in write_changes(approved_changes(month_events(month), period=month.period, version=state.version), to or Path()):
        say(str(path))


@changes.command("verify")
def verify_month_changes(params: Params, period: PeriodOption = "") -> None:
    """Say what became of earlier months' changes: verified, not arrived, changed since, or planned for later."""
    from reconlib.money import format_qty
    from reconlib.month import as_signed
    from reconlib.steps import prepare_sign_off

    month = as_signed(open_book(params, period))  # a signed month says what it said when it was signed
    rows = prepare_sign_off(month).verified.to_pylist()
    for row in rows:
        units = f"{format_qty(row['old_qty'])} → {format_qty(row['new_qty'])}"
        where = f"{row['client_name']} / {row['service_name']}"
        say(f"{row['status']:<14} {units:>12}  planned in {row['period']}, from {row['effective_date']}  {where}")
    if not rows:
        say(f"{month.period} waits for no change of an earlier month")
    for planned_in in sorted({row["period"] for row in rows}):
        own = [row["status"] for row in rows if row["period"] == planned_in]
        say(f"{own.count('verified')} of {len(own)} changes planned in {planned_in} verified")


@changes.command("push", hidden=True)
def push_changes() -> None:
    """Not available: this version writes nothing to a PSA."""
    raise SettingsError(
        "pushing is not available: this version writes nothing to a PSA",
        where="changes push",
        hint="enter the file of 'recon changes export' by hand",
    )
