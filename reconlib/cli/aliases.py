"""``recon aliases find``, ``add`` and ``import``: what a product's name or id means, and how a user's own table grows."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconlib.cli.words import say
from reconlib.errors import DataError, SettingsError

if TYPE_CHECKING:
    from reconlib.aliases import AliasTable
    from reconlib.aliases.gathering import Imported

aliases = typer.Typer(no_args_is_help=True, help="Products under all their names: look one up, add one, import a price list.")
OWN_FILE = Path("params/aliases.csv")
MOST_SHOWN = 20
Own = Annotated[Path, typer.Option("--file", help="Your own table; params name it under 'aliases'.")]
Since = Annotated[str, typer.Option("--since", help="First day it was valid, such as 2026-04-01; left out: always was.")]
Source = Annotated[str, typer.Option("--source", help="Where it is written: a list and its month, a letter, an address.")]


class Format(StrEnum):
    """What kind of file is imported."""

    MICROSOFT = "microsoft"
    PRICE_LIST = "price-list"


@aliases.command("find")
def find_alias(
    value: Annotated[str, typer.Argument(help="A GUID, string id, part number or name.")],
    on: Annotated[str, typer.Option("--on", help="The day it was used on, where products shared a name.")] = "",
    file: Own = OWN_FILE,
) -> None:
    """Say which product a name or id means, since when, until when and by which source; ends with 5 when none is known."""
    from reconlib.aliases import split_attributes
    from reconlib.aliases.files import read_sources
    from reconlib.aliases.writing import read_with

    table, day, sources = read_with(file), _day(on, "--on"), read_sources()
    keys = table.keys(value, on=day)
    if not keys:
        near = [product.name for product in table.products_named(split_attributes(value).core)][:MOST_SHOWN] if value.strip() else []
        raise DataError(f"{value!r} is not in the table", where="aliases find", hint=_near(near))
    for key in keys:
        product, _, segment = key.partition("+")
        say(f"{table.products[product].name}  ({product}{f', segment {segment}' if segment else ''})")
        if why := table.why(value, product):
            say(f"  {why}")
            said = sources.get(why.rpartition("source: ")[2].removesuffix(")"))
            if said:
                say(f"  {' · '.join(filter(None, said))}")
        for alias in table.aliases_of(product):
            dates = " ".join(f"{word} {day}" for word, day in (("from", alias.since), ("until", alias.until)) if day)
            say(f"    {alias.kind:<11} {alias.value}{f'  {dates}' if dates else ''}")
    if len(keys) > 1:
        say(f"{len(keys)} products: ambiguous; an id tells them apart{', or --on a day' if day is None else ''}")


@aliases.command("add")
def add_alias(
    value: Annotated[str, typer.Argument(help="The name or id to add.")],
    product: Annotated[str, typer.Option("--product", help="Whose it is: a product's key, id or name; vendor:product for a new one.")],
    source: Source,
    since: Since = "",
    until: Annotated[str, typer.Option("--until", help="Last day it was valid.")] = "",
    kind: Annotated[
        str, typer.Option("--kind", help="name, guid, string_id, product_id or part_number; left out: by what it looks like.")
    ] = "",
    name: Annotated[str, typer.Option("--name", help="Name of the product, where it is a new one.")] = "",
    file: Own = OWN_FILE,
) -> None:
    """Add one name or id to your own table; the row is checked against the whole table first."""
    from reconlib.aliases.importing import guess_kind
    from reconlib.aliases.table import Alias
    from reconlib.aliases.writing import check_new_name, read_with, write_aliases

    table = read_with(file)
    first, last = _day(since, "--since"), _day(until, "--until")
    key, rows = product.strip().lower(), []
    if name and key not in table.products:
        rows.append(Alias(key, "product", name, None, None, source))
    elif not name:
        key = _product(product, table)
    if not (rows and value == name):
        rows.append(Alias(key, kind or guess_kind(value), value, first, last, source))
    for row in rows:
        check_new_name(row, table)
    new = write_aliases(file, rows)
    say(f"{'added' if new else 'there already'}: {value} → {key}, in {file}")


@aliases.command("import")
def import_aliases(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Microsoft's licensing CSV, a price list or an offer matrix (CSV or XLSX).")],
    form: Annotated[
        Format, typer.Option("--format", help="microsoft: the list of GUIDs and string ids; price-list: a distributor's list.")
    ],
    source: Source = "",
    vendor: Annotated[str, typer.Option("--vendor", help="Vendor of every row, where the list does not say it.")] = "",
    column: Annotated[
        list[str] | None, typer.Option("--column", help="role=HEADER, where a column is called otherwise; several times.")
    ] = None,
    since: Since = "",
    file: Own = OWN_FILE,
) -> None:
    """Add the products, ids and names of a list to your own table: all of them, or none where a row is wrong."""
    from reconlib.aliases.importing import read_microsoft, read_price_list
    from reconlib.aliases.writing import read_with, write_aliases

    table, first = read_with(file), _day(since, "--since")
    found: Imported
    if form is Format.MICROSOFT:
        found = read_microsoft(path, table, source=source or path.name, since=first)
    else:
        found = read_price_list(path, table, source=source or path.name, vendor=vendor, columns=_columns(column or []), since=first)
    added = write_aliases(file, found.aliases)
    say(f"added {added}, known already {found.known}, in {file}")
    if found.shared:
        say(f"left out, because the list gives them to several products: {', '.join(found.shared)}")


def _day(text: str, option: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise SettingsError(f"{text!r} is no day", where=option, hint="write it as 2026-04-01") from None


def _columns(said: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in said]
    if wrong := [text for text, (_, sign, header) in zip(said, pairs, strict=True) if not sign or not header]:
        raise SettingsError(f"{wrong[0]!r} maps nothing", where="--column", hint="role=HEADER, such as part_number=Stock Code")
    return {role.strip(): header.strip() for role, _, header in pairs}


def _product(said: str, table: AliasTable) -> str:
    if said.strip().lower() in table.products:
        return said.strip().lower()
    keys = [alias.product for alias in table.find(said)]
    if len(keys) == 1:
        return keys[0]
    if keys:
        raise SettingsError(f"{said!r} is several products", where="--product", hint=f"one of these keys: {', '.join(keys)}")
    near = [f"{product.key} ({product.name})" for product in table.products_named(said)][:MOST_SHOWN]
    raise SettingsError(f"no product {said!r}", where="--product", hint=f"{_near(near)}; a new one needs --name")


def _near(names: list[str]) -> str:
    return f"these are near: {', '.join(names)}" if names else "nothing is near; 'recon aliases import' reads whole lists"
