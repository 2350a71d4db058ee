"""``recon review``, ``sign`` and ``reopen``: what people do to a month, under their own name."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconlib.cli.words import Params, PeriodOption, Who, open_book, plain, say
from reconlib.errors import DataError, SettingsError

if TYPE_CHECKING:
    from reconlib.month import Month


class Role(StrEnum):
    """Who signs: the one who prepared the month, then somebody else who reviewed it (T126)."""

    PREPARER = "preparer"
    REVIEWER = "reviewer"


def review(
    params: Params,
    period: PeriodOption = "",
    file: Annotated[Path | None, typer.Option("--import", help="Record the decisions of this CSV: all of them, or none.")] = None,
    export: Annotated[Path | None, typer.Option("--export", help="Write the queue as a CSV to fill in.")] = None,
    decide: Annotated[str, typer.Option(help="One decision: map, exclude, reject, approve, adjust, dismiss, snooze, …")] = "",
    item: Annotated[str, typer.Option("--on", help="What it is about: account/SOURCE/ID, product/SOURCE/ID or finding/ID.")] = "",
    to: Annotated[str, typer.Option(help="Client or service it maps to, by id or code.")] = "",
    qty: Annotated[str, typer.Option(help="New quantity of an adjustment.")] = "",
    effective_date: Annotated[str, typer.Option(help="First day of the change, such as 2026-11-01.")] = "",
    until: Annotated[str, typer.Option(help="Day a snooze ends or an exclusion is reviewed.")] = "",
    cause: Annotated[str, typer.Option(help="Why the difference arose.")] = "",
    reason: Annotated[str, typer.Option(help="Why it was decided so.")] = "",
    who: Who = "",
) -> None:
    """List what waits for a decision, or record decisions: from a CSV, or one given here."""
    from reconlib.month import hold_month

    if len(given := [name for name, value in (("--import", file), ("--export", export), ("--decide", decide)) if value]) > 1:
        raise SettingsError(f"{' and '.join(given)} do different things", where="review", hint="give one of them")
    facts = {"--on": item, "--to": to, "--qty": qty, "--effective-date": effective_date, "--until": until, "--cause": cause}
    if not decide and (lost := [name for name, text in (facts | {"--reason": reason}).items() if text]):
        raise SettingsError(f"{', '.join(lost)} belong to --decide, which is missing", where="review", hint="say what is decided")
    month = open_book(params, period)
    with hold_month(month, say):  # it compares the month again with what was decided: no run comes between
        if decide:
            row = {"decision": decide, "target": to, "new_qty": qty, "effective_date": effective_date}
            _import_row(month, _about(item) | row | {"until": until, "cause": cause, "reason": reason}, who)
        elif file is not None:
            _import(month, file, who)
        else:
            _list_queue(month, export)


def _about(item: str) -> dict[str, str]:
    relation, _, rest = item.partition("/")
    source, _, vendor_id = rest.partition("/")
    if relation == "finding" and rest:
        return {"relation": relation, "finding_id": rest}
    if relation in ("account", "product") and source and vendor_id:
        return {"relation": relation, "source": source, "vendor_id": vendor_id}
    raise SettingsError(f"{item!r} names nothing to decide", where="--on", hint="account/SOURCE/ID, product/SOURCE/ID or finding/ID")


_OPTIONS = {"decision": "--decide", "target": "--to", "new_qty": "--qty", "source": "--on", "vendor_id": "--on", "finding_id": "--on"}


def _import_row(month: Month, row: dict[str, str], who: str) -> None:
    from tempfile import TemporaryDirectory

    from reconlib.people import import_month_decisions
    from reconlib.review import write_queue

    with TemporaryDirectory() as folder:
        path = Path(folder) / "decision"
        write_queue(path, [row])
        done = import_month_decisions(month, path, who=who, at=month.now())
    for reject in done.rejects:
        option = _OPTIONS.get(reject.column, f"--{reject.column.replace('_', '-')}")
        raise SettingsError(f"{reject.reason}; nothing was recorded", where=option, hint=reject.hint)
    say(f"recorded {done.recorded}, unchanged {done.unchanged}")


def _import(month: Month, file: Path, who: str) -> None:
    from reconlib.people import import_month_decisions

    done = import_month_decisions(month, file, who=who, at=month.now())
    for reject in done.rejects:
        hint = f" ({reject.hint})" if reject.hint else ""
        typer.echo(plain(f"row {reject.row}, {reject.column}: {reject.reason}{hint}"), err=True)
    if done.rejects:
        raise DataError(
            f"{len(done.rejects)} rows cannot be used; nothing was recorded", where=str(file), hint="mend them, then import again"
        )
    say(f"recorded {done.recorded}, unchanged {done.unchanged}")


def _list_queue(month: Month, export: Path | None) -> None:
    from reconlib.month import as_signed, read_stage
    from reconlib.review import export_queue, write_queue
    from reconlib.steps import compare_month

    names = ("account_mapping", "product_mapping", "findings")
    for name in names:
        read_stage(month, name)  # says which step has not run
    compare_month(as_signed(month))  # with what was decided since
    rows = export_queue(*(read_stage(month, name) for name in names))
    if export is not None:
        write_queue(export, rows)
        say(f"{len(rows)} rows to decide: {export}")
        return
    for row in rows:
        about = f"finding/{row['finding_id']}" if row["relation"] == "finding" else f"{row['relation']}/{row['source']}/{row['vendor_id']}"
        money = f"{row['monthly']} {row['currency']}" if row["monthly"] else "no amount"
        say(f"{money:>16}  {about}  {row['name']}: {row['about']}")
    say(f"{len(rows)} to decide")


def sign(
    params: Params,
    role: Annotated[Role, typer.Option(help="Who signs: the preparer first, then another person as reviewer.")],
    period: PeriodOption = "",
    who: Who = "",
) -> None:
    """Sign a month as preparer, or approve it as reviewer; the signed pages are published."""
    from reconlib.month import hold_month
    from reconlib.monthly import run_month
    from reconlib.people import sign_month

    month = open_book(params, period)
    with hold_month(month, say):  # what is signed is what is published: no run comes between
        state = sign_month(month, role=role.value, who=who, at=month.now())
        result = run_month(params, str(month.period), say=say)
    say(f"{month.period} v{state.version} is {state.state}: {result.folder / 'index.html'}")


def reopen(params: Params, reason: Annotated[str, typer.Option(help="What was found.")], period: PeriodOption = "", who: Who = "") -> None:
    """Open a signed month again, with a reason; the next run writes the next version and keeps the signed one."""
    from reconlib.people import reopen_month

    month = open_book(params, period)
    state = reopen_month(month, who=who, at=month.now(), why=reason)
    say(f"{month.period} is open again as v{state.version}")
