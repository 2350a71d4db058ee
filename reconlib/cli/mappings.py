"""``recon mappings export`` and ``import``: what people decided in one book, brought into another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconlib.cli.words import Params, PeriodOption, Who, open_book, plain, say
from reconlib.errors import DataError

if TYPE_CHECKING:
    from reconlib.month import Month
    from reconlib.review.transfer import Book

mappings = typer.Typer(no_args_is_help=True, help="Mapping decisions: write them to a file, bring another book's into this one.")


@mappings.command("export")
def export_file(params: Params, file: Annotated[Path, typer.Argument(help="CSV to write.")], period: PeriodOption = "") -> None:
    """Write every standing mapping decision of a book as a CSV: who, when and why, with the vendor's ids and the PSA's codes and names."""
    from reconlib.inputs import standing_mapping
    from reconlib.review.transfer import export_mappings, write_mappings

    month = open_book(params, period)
    rows = export_mappings(_book(month), standing_mapping(month))
    write_mappings(file, rows)
    say(f"{len(rows)} decisions: {file}")


@mappings.command("import")
def import_file(
    params: Params,
    file: Annotated[Path, typer.Argument(help="CSV that 'recon mappings export' wrote for another book.")],
    period: PeriodOption = "",
    *,
    preview: Annotated[bool, typer.Option("--preview", help="Say what would be recorded, and record nothing.")] = False,
    skip: Annotated[
        bool, typer.Option("--skip", help="Leave out the rows this book has no place for; without it, all rows or none.")
    ] = False,
    who: Who = "",
) -> None:
    """Record another book's mapping decisions here, under the name of who imports them; those that stand already are left alone."""
    from reconlib.ledger import open_ledger
    from reconlib.month import month_events
    from reconlib.people import check_name
    from reconlib.review.decisions import refuse_signed
    from reconlib.review.transfer import bring_mappings, record_brought

    month = open_book(params, period)
    name, book, events = "preview" if preview else check_name(who), _book(month), month_events(month)
    refuse_signed(events, book.name, str(month.period))
    brought = bring_mappings(file, book, events, who=name, at=month.now())
    for event in brought.new if preview else ():
        say(f"{event.values['decision']:<8} {event.subject} {f'→ {target}' if (target := event.values['target_id']) else ''}".rstrip())
    for reject in brought.rejects:
        hint = f" ({reject.hint})" if reject.hint else ""
        typer.echo(plain(f"not importable: row {reject.row}, {reject.column}: {reject.reason}{hint}"), err=True)
    if preview:
        say(f"would record {len(brought.new)}, unchanged {brought.unchanged}, not importable {len(brought.rejects)}")
        return
    if brought.rejects and not skip:
        what = f"{len(brought.rejects)} rows cannot be imported; nothing was recorded"
        raise DataError(what, where=str(file), hint="mend them or take them out, or leave them out with --skip")
    with open_ledger(month.ledger_url) as ledger:
        record_brought(ledger, brought, book=book.name, period=month.period)
    say(f"recorded {len(brought.new)}, unchanged {brought.unchanged}, left out {len(brought.rejects)}")


def _book(month: Month) -> Book:
    from reconlib.connectors import CONNECTORS
    from reconlib.month import read_stage
    from reconlib.review.transfer import Book

    tables = {name: read_stage(month, name) for name in ("clients", "services", "account_mapping", "product_mapping")}
    sources = month.params.sources
    psa = [f"{one.connector} {one.base_url}" for one in sources.values() if CONNECTORS[one.connector].role == "psa" and one.base_url]
    return Book(
        name=month.params.book,
        period=month.period,
        psa=psa[0] if len(psa) == 1 else "",
        connectors={name: one.connector for name, one in sources.items()},
        clients=tables["clients"],
        services=tables["services"],
        accounts=tables["account_mapping"],
        products=tables["product_mapping"],
    )
