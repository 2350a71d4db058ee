"""The alias table on disk: Microsoft's and other vendors' products as packaged, and a user's own rows beside the params.

``products.csv`` has a line a product, ``aliases.csv`` a line for each other id or name, ``sources.csv`` says where each fact is written. A
user's file has the columns of ``aliases.csv``, and a row of kind ``product`` for each product the packaged table does not have.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from reconlib.aliases.table import ID_KINDS, KINDS, Alias, AliasTable, Product, id_key, make_table, name_key
from reconlib.errors import DataError, nearest

COLUMNS = ("product", "kind", "value", "since", "until", "source")
PRODUCT_COLUMNS = ("product", "vendor", "name", "since", "string_id", "source")
GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
SLUG = re.compile(r"[a-z0-9][a-z0-9-]*:[a-z0-9][a-z0-9-]*")


class Row(NamedTuple):
    """One alias and where it stands, for messages."""

    alias: Alias
    where: str


def read_aliases(*extra_paths: str | Path) -> AliasTable:
    """The packaged table with the rows of these files.

    Raises:
        DataError: a row is wrong, names no known product, stands twice, or gives one id to two products; names file, row and column.
    """
    return _packaged_table() if not extra_paths else check_table(*packaged_rows(), [row for path in extra_paths for row in read_rows(path)])


def read_rows(path: str | Path) -> list[Row]:
    """Rows of a user's file, checked one by one.

    Raises:
        DataError: the file cannot be read, or a cell is wrong.
    """
    try:
        text = Path(path).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        hint = getattr(error, "strerror", None) or "save it as CSV UTF-8"
        raise DataError("cannot be read", where=str(path), hint=hint) from None
    return list(_alias_rows(text, str(path), kinds=(*KINDS, "product")))


def check_table(products: dict[str, Product], base: list[Row], extra: list[Row]) -> AliasTable:
    """One table of packaged rows and a user's.

    Raises:
        DataError: unknown product, a row twice, or one id for two products.
    """
    products = dict(products)
    for row in extra:
        if row.alias.kind == "product":
            if row.alias.product in products:
                raise DataError(f"product {row.alias.product!r} is there already", where=f"{row.where}, column product", hint="take it out")
            products[row.alias.product] = Product(row.alias.product, vendor_of(row.alias.product), row.alias.value)
    rows = base + [_as_name(row) for row in extra]
    rows += [_own_guid(row) for row in extra if row.alias.kind == "product" and GUID.fullmatch(row.alias.product)]
    _check_products(rows, products)
    _check_overlaps(rows, products)
    return make_table(products.values(), [row.alias for row in rows])


def vendor_of(product: str) -> str:
    """Vendor a product key speaks of; a GUID is Microsoft's."""
    return "Microsoft" if GUID.fullmatch(product) else product.partition(":")[0]


@lru_cache(maxsize=1)
def read_sources() -> dict[str, tuple[str, str]]:
    """What each packaged source key stands for: title and address."""
    text = files("reconlib.aliases").joinpath("sources.csv").read_text("utf-8")
    return {row["source"]: (row["title"], row["address"]) for row in csv.DictReader(text.splitlines())}


@lru_cache(maxsize=1)
def _packaged_table() -> AliasTable:
    """The packaged table. A test checks its names; here only ids are, so that no name is taken apart before one is asked for."""
    products, rows = packaged_rows()
    _check_products(rows, products)
    _check_overlaps([row for row in rows if row.alias.kind in ID_KINDS], products)
    return make_table(products.values(), [row.alias for row in rows])


@lru_cache(maxsize=1)
def packaged_rows() -> tuple[dict[str, Product], list[Row]]:
    """Products and aliases of the package, each with where it stands."""
    folder = files("reconlib.aliases")
    products, rows = _product_rows(folder.joinpath("products.csv").read_text("utf-8"), "products.csv")
    rows += _alias_rows(folder.joinpath("aliases.csv").read_text("utf-8"), "aliases.csv", kinds=KINDS)
    for row in rows:
        if row.alias.source not in read_sources():
            hint = nearest(row.alias.source, read_sources())
            raise DataError(f"no source {row.alias.source!r}", where=f"{row.where}, column source", hint=hint)
    return products, rows


def _product_rows(text: str, where: str) -> tuple[dict[str, Product], list[Row]]:
    products: dict[str, Product] = {}
    rows: list[Row] = []
    for number, cells in _lines(text, where, PRODUCT_COLUMNS):
        here = f"{where} row {number}"
        key = _product_key(cells["product"], here)
        if key in products:
            raise DataError(f"product {key!r} stands twice", where=f"{here}, column product", hint="keep one row")
        products[key] = Product(key, _filled(cells, "vendor", here), _filled(cells, "name", here))
        since, source = _day(cells, "since", here), _filled(cells, "source", here)
        found: list[tuple[str, str, date | None]] = [("guid", key, None)] if GUID.fullmatch(key) else []
        found += [("name", cells["name"], since)] + ([("string_id", cells["string_id"], None)] if cells["string_id"] else [])
        rows += [Row(Alias(key, kind, value, day, None, source), here) for kind, value, day in found]
    return products, rows


def _alias_rows(text: str, where: str, *, kinds: tuple[str, ...]) -> Iterator[Row]:
    for number, cells in _lines(text, where, COLUMNS):
        here = f"{where} row {number}"
        if cells["kind"] not in kinds:
            raise DataError(f"no kind {cells['kind']!r}", where=f"{here}, column kind", hint=nearest(cells["kind"], kinds))
        since, until = _day(cells, "since", here), _day(cells, "until", here)
        if since and until and until < since:
            raise DataError(f"ends on {until}, before it begins on {since}", where=f"{here}, column until", hint="swap or mend the dates")
        value = check_value(_filled(cells, "value", here), f"{here}, column value")
        if cells["kind"] in ("name", "product") and not any(sign.isalnum() for sign in value):
            raise DataError(f"{value!r} is no name", where=f"{here}, column value", hint="it has no letter and no digit")
        if cells["kind"] == "guid" and not GUID.fullmatch(value.lower()):
            raise DataError(f"{value!r} is no GUID", where=f"{here}, column value", hint="such as cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46")
        source = check_value(_filled(cells, "source", here), f"{here}, column source", "source")
        yield Row(Alias(_product_key(cells["product"], here), cells["kind"], value, since, until, source), here)


def _lines(text: str, where: str, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows with the line each ends on; every column is there and every row has as many cells."""
    reader = csv.DictReader(io.StringIO(text, newline=None), strict=True)  # a line break in a cell stays in it, and is refused
    try:
        missing = [name for name in columns if name not in (reader.fieldnames or ())]
        if missing:
            hint = "the first line is: " + ",".join(columns)
            raise DataError(f"no column {', '.join(missing)}", where=f"{where} row 1", hint=hint)
        for cells in reader:
            if None in cells or None in cells.values():
                raise DataError("another number of cells than the first line", where=f"{where} row {reader.line_num}", hint="quote commas")
            yield reader.line_num, {name: cells[name].strip() for name in columns}
    except csv.Error as error:
        raise DataError("not CSV", where=f"{where} row {reader.line_num}", hint=str(error)) from None


def _product_key(text: str, here: str) -> str:
    key = text.lower()
    if not GUID.fullmatch(key) and not SLUG.fullmatch(key):
        hint = "Microsoft's SKU GUID, else vendor:product in a-z, 0-9 and '-'"
        raise DataError(f"{text!r} is no product key", where=f"{here}, column product", hint=hint)
    return key


def _filled(cells: dict[str, str], column: str, here: str) -> str:
    if not cells[column]:
        raise DataError("is empty", where=f"{here}, column {column}", hint="every row says it")
    return cells[column]


def check_value(text: str, where: str, what: str = "name or id") -> str:
    """The text, unless a spreadsheet would run it or a terminal would obey it; ``what`` it should be.

    Raises:
        DataError: it begins like a formula, or holds a control character.
    """
    if text.startswith(("=", "+", "-", "@")) or not text.isprintable():
        raise DataError(f"{text!r} is no {what}", where=where, hint="it begins like a formula, or holds a character nobody sees")
    return text


def _day(cells: dict[str, str], column: str, here: str) -> date | None:
    try:
        return date.fromisoformat(cells[column]) if cells[column] else None
    except ValueError:
        raise DataError(f"{cells[column]!r} is no day", where=f"{here}, column {column}", hint="write it as 2020-04-21") from None


def _as_name(row: Row) -> Row:
    return Row(row.alias._replace(kind="name"), row.where) if row.alias.kind == "product" else row


def _own_guid(row: Row) -> Row:
    return Row(Alias(row.alias.product, "guid", row.alias.product, None, None, row.alias.source), row.where)


def _check_products(rows: list[Row], products: dict[str, Product]) -> None:
    for row in rows:
        if row.alias.product not in products:
            hint = f"{nearest(row.alias.product, products)}; a new one is a row of kind product"
            raise DataError(f"no product {row.alias.product!r}", where=f"{row.where}, column product", hint=hint)


def _check_overlaps(rows: list[Row], products: dict[str, Product]) -> None:
    """One id names one product at a time, and no row stands twice."""
    seen: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        alias = row.alias
        key = ("id" if alias.kind in ID_KINDS else "name", id_key(alias.value) if alias.kind in ID_KINDS else name_key(alias.value))
        for other in seen.setdefault(key, []):
            same = other.alias.product == alias.product
            if (same or alias.kind in ID_KINDS) and _meet(alias, other.alias):
                whose = "this product" if same else repr(products[other.alias.product].name)
                hint = f"it is there in {other.where}; end one before the other begins, or take one out"
                raise DataError(f"{alias.value!r} is {whose}'s already", where=f"{row.where}, column value", hint=hint)
        seen[key].append(row)


def _meet(a: Alias, b: Alias) -> bool:
    return (a.until or date.max) >= (b.since or date.min) and (b.until or date.max) >= (a.since or date.min)
