"""What every command shares: its usual arguments, and lines that no vendor's text can steer."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from reconlib.month import Month

Params = Annotated[Path, typer.Argument(metavar="BOOK", help="The book: a params file, such as params/demo.yaml.")]
PeriodOption = Annotated[str, typer.Option("--period", help="Billing month, such as 2026-10, or 'last'; default: the params' own.")]
Refresh = Annotated[bool, typer.Option("--refresh", help="Read every source again, complete snapshots too.")]
Who = Annotated[str, typer.Option("--who", envvar="RECON_WHO", help="Who decides: a person, as the ledger shall name them.")]


def plain(text: str) -> str:
    """Text that cannot steer the terminal: vendors' words may hold control characters."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def say(text: str) -> None:
    """One plain line of progress."""
    typer.echo(plain(text))


def open_book(params: Path, period: str) -> Month:
    """The month a command is about."""
    from reconlib.month import open_month

    return open_month(params, period)


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Plain lines when a scheduler reads; a moving line when a person watches."""
    if not sys.stdout.isatty():
        yield say
        return
    from rich.console import Console
    from rich.text import Text

    console = Console()
    with console.status("starting") as status:

        def show(text: str) -> None:
            console.print(Text(plain(text)), soft_wrap=True)
            status.update(Text(plain(text)))

        yield show


def say_table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> None:
    """A table: drawn when a person watches, lines of columns when another program reads. Every cell is one line of plain text."""
    cells = [[plain(" ".join(cell.split())) for cell in row] for row in rows]
    if sys.stdout.isatty():
        from rich.box import SIMPLE_HEAD
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(title=Text(plain(title)), title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
        for head, is_number in zip(heads, right, strict=True):
            table.add_column(Text(head), justify="right" if is_number else "left", overflow="fold")
        for row in cells:
            table.add_row(*[Text(cell) for cell in row])
        Console().print(table)
        return
    say(f"\n{title}")
    widths = [max(len(line[place]) for line in [list(heads), *cells]) for place in range(len(heads))]
    for line in [list(heads), *cells]:
        parts = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, widths, right, strict=True)]
        say(f"  {'  '.join(parts)}".rstrip())
