"""The command line: ``recon``. Each command is a few lines around a function an analyst can also call from a notebook.

Exit codes are those of ``errors``: 0 done · 2 settings · 3 authentication · 4 vendor · 5 data · 6 tie-out · 7 not signable.
Nothing heavy is imported before a command needs it, so that ``recon --help`` answers at once.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from reconlib import __version__
from reconlib.cli.aliases import aliases
from reconlib.cli.changes import changes
from reconlib.cli.deciding import reopen, review, sign
from reconlib.cli.looking import explain, rules
from reconlib.cli.mappings import mappings
from reconlib.cli.words import Params, PeriodOption, Refresh, Who, open_book, plain, progress, say
from reconlib.errors import DataError, ReconError, SettingsError, describe_disk

app = typer.Typer(
    name="recon",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Prove, every month, that what is about to be invoiced equals what is delivered.",
)
app.add_typer(changes, name="changes")
app.add_typer(aliases, name="aliases")
app.add_typer(mappings, name="mappings")
app.add_typer(rules, name="rules")


class Pass(StrEnum):
    """Before invoicing, on counts; or after it, about the 8th, when vendors' invoices are there (T7)."""

    PRE_INVOICE = "pre_invoice"
    POST_INVOICE = "post_invoice"


class Step(StrEnum):
    """Where a run starts; the pages before it are kept from the run before."""

    SYNC = "sync"
    MAPPING = "mapping"
    COMPARISON = "comparison"
    SIGN_OFF = "sign_off"


def main() -> None:
    """Run the command line; an error ends in one line on stderr and its exit code, never in a traceback."""
    try:
        app()
    except (ReconError, OSError) as error:  # a folder nobody may write, a full disk: no defect of the program
        known = error if isinstance(error, ReconError) else describe_disk(error)
        typer.echo(f"error: {plain(str(known))}", err=True)
        raise SystemExit(known.exit_code) from None


def _version(value: bool) -> None:  # noqa: FBT001 - called by the option parser
    if value:
        typer.echo(f"recon {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *, version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version this is.")] = False
) -> None:
    del version


@app.command()
def demo() -> None:
    """Two months of a made-up MSP, end to end, over real HTTP; prints where the report is."""
    from reconlib.demo import run_demo

    with progress() as show:
        run_demo(show)


@app.command()
def sync(
    params: Params,
    period: PeriodOption = "",
    *,
    refresh: Refresh = False,
) -> None:
    """Read every source of a book into snapshots; says for each: complete, partial or failed. Ends with the worst source's exit code."""
    from reconlib.demo import start_sandbox
    from reconlib.month import hold_month
    from reconlib.steps import sync_month

    month = start_sandbox(open_book(params, period))
    with hold_month(month, say):  # a run under way counts what it has read
        rows = sync_month(month, refresh=refresh).to_pylist()
    for row in rows:
        say(f"{row['source']:<16} {row['status']:<9} {row['pages']:>5} pages {row['records']:>8} records  {row['error'] or ''}".rstrip())
    raise typer.Exit(max((row["exit_code"] for row in rows), default=0))


@app.command()
def run(
    params: Params,
    period: PeriodOption = "",
    from_step: Annotated[Step, typer.Option("--from", help="Start at this page; the ones before it are kept.")] = Step.SYNC,
    moment: Annotated[
        Pass, typer.Option("--pass", help="post_invoice: read every source again after invoicing, beside what was signed.")
    ] = Pass.PRE_INVOICE,
    *,
    refresh: Refresh = False,
) -> None:
    """Run the month's four pages and publish them in the archive; after invoicing, what moved since."""
    from reconlib.monthly import run_after_invoicing, run_month

    with progress() as show:
        if moment is Pass.POST_INVOICE:
            result = run_after_invoicing(params, period, from_step=from_step.value, say=show)
        else:
            result = run_month(params, period, from_step=from_step.value, refresh=refresh, say=show)
    if result.failed_sources:
        typer.echo(f"warning: no usable answer from {', '.join(result.failed_sources)}; their lines have no count and no money", err=True)
    say(f"{'published' if result.changed else 'unchanged'}: {result.folder / 'index.html'}")
    raise typer.Exit(result.exit_code)


for command in (review, sign, reopen, explain):
    app.command()(command)


@app.command()
def explore(params: Params, period: PeriodOption = "") -> None:
    """Look around in a month, in the browser: filters, and the units behind a count."""
    _open_app("explore", params, period)


@app.command()
def board(params: Params, period: PeriodOption = "", who: Who = "") -> None:
    """Decide a month's mappings in the browser: most money × most doubt first, one by one or in bulk after a preview."""
    _open_app("mapping_board", params, period, "--who", who)


def _open_app(name: str, params: Path, period: str, *more: str) -> None:
    from importlib.util import find_spec

    month = open_book(params, period)
    if find_spec("marimo") is None:
        raise SettingsError("marimo is not installed", where=name, hint="pip install 'reconlib[marimo]'")
    command = [sys.executable, "-m", "marimo", "run", str(month.root / "apps" / f"{name}.py"), "--host", "127.0.0.1", "--"]
    command += ["--params", str(month.params_path), "--period", str(month.period), *more]
    raise typer.Exit(subprocess.run(command, cwd=month.root, check=False).returncode)  # noqa: S603 - our own app


@app.command()
def verify(params: Params, period: PeriodOption = "") -> None:
    """Recompute every hash of a book's archive, or of one month of it, and of its ledger; says what that proves and what it does not."""
    from reconlib.proof import check_archive

    month = open_book(params, period)
    proof = check_archive(month, one_period=bool(period))
    for text in proof.proved:
        say(f"proved      {text}")
    for text in proof.not_proved:
        say(f"not proved  {text}")
    for fault in proof.faults:
        typer.echo(plain(f"fault       {fault}"), err=True)
    if proof.faults:
        hint = "restore it from a backup; what is there now is not what was published"
        raise DataError(f"{len(proof.faults)} things are not as they were written", where=f"book {month.params.book}", hint=hint)
    say("nothing is other than it was written")


@app.command()
def index(params: Params) -> None:
    """Write the index of all months again."""
    from reconlib.report.archive import refresh_index

    month = open_book(params, "")
    say(str(refresh_index(month.root / month.params.archive)))


@app.command()
def sandbox(
    period: Annotated[str, typer.Option(help="Billing month it shows.")] = "2026-10",
    seed: Annotated[int, typer.Option(help="Another seed is another MSP.")] = 7,
    clients: Annotated[int, typer.Option(min=8, help="How many clients it has.")] = 40,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine; 0: the seed's own.")] = 0,
    labels: Annotated[Path | None, typer.Option(help="Write what is planted to this file; no step of a month reads it.")] = None,
) -> None:
    """Serve a made-up MSP's vendors on this machine until Ctrl-C; prints the params and the environment to use."""
    import signal
    from time import sleep

    from reconlib.period import parse_period
    from reconlib.sandbox.labels import write_labels
    from reconlib.sandbox.server import DEFAULT_PORT, sandbox_sources, serve
    from reconlib.sandbox.world import make_world

    world = make_world(seed, clients, parse_period(period))
    if labels is not None:
        try:
            write_labels(world, labels)
        except OSError as error:
            raise SettingsError("cannot be written", where=str(labels), hint=error.strerror or "check the path and its rights") from None
        say(f"# labels: {labels}")
    for stop in (signal.SIGINT, signal.SIGTERM):  # a shell that starts it in the background has it ignore Ctrl-C
        signal.signal(stop, signal.default_int_handler)
    with suppress(KeyboardInterrupt), serve(world, port or DEFAULT_PORT + seed % 1000) as server:
        say(f"# {world.period} as the vendors show it on {server.now:%Y-%m-%d %H:%M} UTC\nsources:")
        for name, addresses in sandbox_sources(server).items():
            say(f"  {name}: " + "{" + ", ".join(f'{key}: "{url}"' for key, url in addresses.items()) + "}")
        say("\n".join(f"export {name}={value}" for name, value in server.environ.items()))
        say("# made-up credentials of this sandbox; Ctrl-C stops it")
        while True:
            sleep(3600)
    say("stopped")
