"""``recon explain``, ``recon rules try`` and ``recon rules check``: they look, and write nothing into a book."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconlib.cli.words import Params, PeriodOption, open_book, plain, say, say_table
from reconlib.errors import SettingsError

if TYPE_CHECKING:
    import pyarrow as pa

    from reconlib.explain import Explanation
    from reconlib.month import Month

rules = typer.Typer(no_args_is_help=True, help="Try changed rules on a month that stands, and check a book's rules; nothing is written.")
MOST_BYTES = 20  # records whose bytes are printed for one finding


def explain(
    finding: Annotated[str, typer.Argument(help="Id of a finding or its beginning; with --bytes also a record, as evidence names it.")],
    params: Annotated[Path, typer.Argument(metavar="BOOK", envvar="RECON_PARAMS", help="The book: a params file.")],
    period: PeriodOption = "",
    *,
    show_bytes: Annotated[
        bool, typer.Option("--bytes", help="Show what the vendor sent: of one record, or of all behind the finding.")
    ] = False,
    show_all: Annotated[bool, typer.Option("--all", help="List every record, however many.")] = False,
) -> None:
    """Say how a finding's numbers came about: the rule, the inputs, the sum, and the evidence down to page and record."""
    from reconlib.explain import explain_finding, is_address

    month = open_book(params, period)
    if show_bytes and is_address(finding):
        _say_record(month, finding)
        return
    explanation = explain_finding(month, finding)
    _say_explanation(explanation, show_all=show_all)
    if show_bytes:
        addresses = [text for table in (explanation.lines, explanation.records, explanation.charges) for text in _addresses(table)]
        for address in addresses[: None if show_all else MOST_BYTES]:
            _say_record(month, address)
        if len(addresses) > MOST_BYTES and not show_all:
            say(f"\n… and {len(addresses) - MOST_BYTES} records more: --all shows them")


def _addresses(table: pa.Table) -> list[str]:
    from reconlib.explain import is_address

    found = (address for text in table["evidence"].to_pylist() for address in (text or "").split())
    return [address for address in dict.fromkeys(found) if is_address(address)]


def _say_record(month: Month, address: str) -> None:
    from reconlib.explain import read_vendor_record

    record = read_vendor_record(month.workspace / "snapshots", address)
    say(f"\n{record.evidence}\n  {record.request}\n  received {record.received}")
    say("\n".join(f"  {line}" for line in record.text.split("\n")))


def _say_explanation(explanation: Explanation, *, show_all: bool) -> None:
    from reconlib.explain import MANY_RECORDS, count_months, explain_sections, text_rows

    finding = explanation.finding
    say(" ".join(explanation.title.split()))
    say(" ".join(explanation.said.split()))
    months = count_months(finding["months_open"])
    say(f"finding {finding['finding_id']} · {finding['kind']} · {finding['status']} · first seen {finding['first_seen']}, {months}")
    for note in explanation.notes:
        say(f"note: {note}")
    for section in explain_sections(explanation):
        most = None if show_all else MANY_RECORDS
        say_table(section.title, *text_rows(section, most))
        if most is not None and section.table.num_rows > most:
            say(f"  … and {section.table.num_rows - most} more: --all lists them")
        for name in section.texts:
            for row in section.table.to_pylist():
                if row[name]:
                    say("\n".join(f"    {line}" for line in str(row[name]).split("\n")))


@rules.command("try")
def try_changed(
    params: Params,
    files: Annotated[list[Path], typer.Option("--rules", help="Changed rules, in place of all of the book's; may be given several times.")],
    period: PeriodOption = "",
    client: Annotated[str, typer.Option("--client", help="Only this client: id, code or name.")] = "",
    csv: Annotated[Path | None, typer.Option("--csv", help="Write what differs to this file.")] = None,
) -> None:
    """Run changed rules over a month as it stands and say what would be different. Nothing of the book is touched."""
    from reconlib.report.export import write_csv
    from reconlib.trial import try_rules

    month = open_book(params, period)
    trial = try_rules(month, files, client=client)
    _say_rows("Clients and services that would come out differently", trial.cells, _CELLS)
    _say_rows("Findings that would be gone, new or worth other money", trial.findings, _FINDINGS)
    _say_rows("Each direction apart, a month", trial.totals, {})
    say(f"\n{trial.cells.num_rows} of {trial.cells.num_rows + trial.same} clients × services differ")
    if csv is not None:
        try:
            write_csv(trial.cells, csv)
        except OSError as error:
            raise SettingsError("cannot be written", where=str(csv), hint=error.strerror or "check the path and its rights") from None
        say(str(csv))


_CELLS = {
    "client_name": "Client",
    "service_name": "Service",
    "billed_qty": "Billed",
    "expected_before_qty": "Expected before",
    "expected_after_qty": "after",
    "variance_before_qty": "Difference before",
    "variance_after_qty": "after",
    "monthly_before": "A month before",
    "monthly_after": "after",
    "currency": "Currency",
    "status_before": "Status before",
    "status_after": "after",
}
_FINDINGS = {
    "what": "",
    "kind": "What is wrong",
    "client_name": "Client",
    "service_name": "Service",
    "monthly_before": "A month before",
    "monthly_after": "after",
    "cost_before": "Own cost before",
    "cost_after": "after",
    "currency": "Currency",
    "finding_id": "Finding",
}


def _say_rows(title: str, table: pa.Table, columns: dict[str, str]) -> None:
    from reconlib.explain import MANY_RECORDS, Section, text_rows

    if table.num_rows:
        money = tuple(name for name in table.column_names if name.startswith(("monthly_", "under_", "over_")))
        say_table(title, *text_rows(Section(title, table, columns or _headed(table), money), MANY_RECORDS))
    if table.num_rows > MANY_RECORDS:
        say(f"  … and {table.num_rows - MANY_RECORDS} more")


def _headed(table: pa.Table) -> dict[str, str]:
    return {name: name.replace("_", " ").capitalize() for name in table.column_names}


@rules.command("check")
def check_book(params: Params, period: PeriodOption = "") -> None:
    """Read the rules against the month on disk and list every problem; ends with 2 when there is one."""
    from reconlib.trial import check_rules

    month = open_book(params, period)
    problems = check_rules(month, month.rules)
    for problem in problems:
        where = problem.where.replace(f"{month.root}/", "")
        typer.echo(plain(f"{where}: {problem.what}" + (f"\n  Hint: {problem.hint}" if problem.hint else "")), err=True)
    if problems:
        typer.echo(f"{len(problems)} problem{'' if len(problems) == 1 else 's'} in the rules of {month.params.book}", err=True)
        raise typer.Exit(SettingsError.exit_code)
    say(f"the rules of {month.params.book} fit {month.period}: every name is known and every count catches something")
