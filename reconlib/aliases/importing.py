"""Rows for a user's own alias table out of files they have: Microsoft's licensing list, a price list, an offer matrix.

A price list repeats a product for each term, billing plan and month; only its names and ids are read. A row that names a product the table
knows adds its ids to it; any other becomes a product of its own. What cannot be told apart is left out and counted, never guessed.
Source: Microsoft, "Product names and service plan identifiers for licensing"; Partner Center, "Get a price sheet", "Get an offer matrix".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, time
from pathlib import Path

from reconlib.aliases.attributes import split_attributes
from reconlib.aliases.files import GUID, check_value
from reconlib.aliases.gathering import Gatherer, Imported
from reconlib.aliases.table import ID_KINDS, AliasTable, Product, name_key
from reconlib.aliases.words import plain_words
from reconlib.connectors.cells import Cell, UnreadableCell, read_text
from reconlib.connectors.file_table import FileTable, read_table
from reconlib.connectors.profile import Profile, plain
from reconlib.errors import DataError, SettingsError, nearest

MICROSOFT = {"name": ("Product_Display_Name",), "string_id": ("String_Id",), "guid": ("GUID",)}
PRICE_LIST = {  # role -> headers it has in Microsoft's price sheet and offer matrix, in Pax8's products, and in distributors' lists
    "name": ("SkuTitle", "ProductTitle", "Product Name", "Product", "name", "Description"),
    "vendor": ("Publisher", "vendorName", "Vendor Name", "Vendor", "Manufacturer"),
    "product_id": ("ProductId", "Product Id"),
    "sku_id": ("SkuId", "Sku Id"),
    "part_number": ("vendorSku", "Vendor Sku", "Part Number", "PartNumber", "MFPN", "Manufacturer Part Number"),
    "guid": ("ProvisioningId",),
    "string_id": ("ProvisioningString",),
    "segment": ("Segment",),
}
_COMMERCIAL = frozenset(("", "commercial"))
_SHAPE = Profile(table="usage", columns={"account": ["-"], "product": ["-"]})  # how cells and cuts are read; its columns play no part


def read_microsoft(path: Path, table: AliasTable, *, source: str, since: date | None = None) -> Imported:
    """Products, string ids and today's names of Microsoft's licensing list; its service plans are left out.

    Raises:
        DataError: the file cannot be read, or a row lacks its GUID, string id or name; names file, row and column.
    """
    found = Gatherer(table, source, since)
    rows = list(_rows(path, MICROSOFT, {}, needed=("name", "string_id", "guid")))
    for _, cells in rows:
        found.offer_id("string_id", cells["string_id"], cells["guid"])
    for here, cells in rows:
        guid = _guid(cells["guid"], here)
        found.add_product(guid, cells["name"], label=cells["string_id"])
        found.add("string_id", cells["string_id"], guid)
    return found.done()


def read_price_list(
    path: Path, table: AliasTable, *, source: str, vendor: str = "", columns: Mapping[str, str] | None = None, since: date | None = None
) -> Imported:
    """Products, product and SKU ids, part numbers and names of a price list or an offer matrix (CSV or XLSX).

    ``columns``: role -> its header, where the file calls it otherwise. ``vendor``: of every row, where the file has no such column.

    Raises:
        DataError: the file cannot be read, or a row lacks its name, vendor or ids; names file, row and column.
        SettingsError: a column is mapped to no known role.
    """
    found = Gatherer(table, source, since)
    rows = [
        (here, cells | {"vendor": cells["vendor"] or vendor}) for here, cells in _rows(path, PRICE_LIST, columns or {}, needed=("name",))
    ]
    seen: dict[str, tuple[str, str]] = {}  # id -> name and row that had it first
    keys = {product.key: name_key(product.name) for product in table.products.values()}  # of products, to what they are called
    for here, cells in sorted(rows, key=lambda row: plain(row[1]["segment"]) not in _COMMERCIAL):
        name, ids = _titled(cells), _ids(cells, here)
        if _seen_before(seen, ids, name, here):
            continue
        key = _product_of(cells, name, ids, table, here) or _new_key(cells, name, ids, keys, here)
        seen |= {value.casefold(): (name, here) for kind, value in ids.items() if kind != "string_id"}
        found.add_product(key, name, label=cells["string_id"] or next(iter(ids.values())))
        for kind, value in ids.items():
            found.add(kind, value, key)
    return found.done()


def _rows(
    path: Path, roles: Mapping[str, tuple[str, ...]], columns: Mapping[str, str], *, needed: tuple[str, ...]
) -> Iterator[tuple[str, dict[str, str]]]:
    """Each row by role, blank where the file has no such column, with where it stands."""
    if wrong := [role for role in columns if role not in roles]:
        raise SettingsError(f"no role {wrong[0]!r}", where="--column", hint=nearest(wrong[0], roles))
    try:
        body = path.read_bytes()
    except OSError as error:
        raise DataError("cannot be read", where=str(path), hint=error.strerror or "check the path and its rights") from None
    table = read_table(body, _SHAPE, path.name)
    places = {role: _place(table, (columns[role],) if role in columns else roles[role]) for role in roles}
    missing = [role for role in roles if places[role] is None and (role in needed or role in columns)]
    if missing:
        headers = (columns[missing[0]],) if missing[0] in columns else roles[missing[0]]
        hint = nearest(headers[0], [name for name in table.header if name])
        raise DataError(
            f"no column {' or '.join(headers)}", where=f"{path} row 1", hint=f"{hint}; --column {missing[0]}=HEADER names another"
        )
    for number, cells in table.rows:
        here = f"{path} row {number}"
        found = {role: _text(cells, place, table, here) for role, place in places.items()}
        for role in needed:
            if not found[role]:
                raise DataError("is empty", where=f"{here}, column {table.header[places[role] or 0]}", hint="every row says it")
        yield here, found


def _place(table: FileTable, headers: tuple[str, ...]) -> int | None:
    there = [plain(name) for name in table.header]
    return next((there.index(plain(name)) for name in headers if plain(name) in there), None)


def _text(cells: list[Cell], place: int | None, table: FileTable, here: str) -> str:
    if place is None or place >= len(cells):
        return ""
    cell, where = cells[place], f"{here}, column {table.header[place]}"
    if isinstance(cell, (date, time)):
        raise DataError(f"{cell} is a date or a time", where=where, hint="Excel made it of a name or number; format the column as text")
    try:
        text = " ".join(read_text(cell).split())
    except UnreadableCell as error:
        raise DataError(f"{cell!r} is no name or id", where=where, hint=str(error)) from None
    return check_value(text, where) if text else ""


def _guid(text: str, here: str) -> str:
    if not GUID.fullmatch(text.lower()):
        raise DataError(f"{text!r} is no GUID", where=f"{here}, column GUID", hint="such as cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46")
    return text.lower()


def _titled(cells: Mapping[str, str]) -> str:
    """The row's name, with its segment where the name does not say it."""
    segment = cells["segment"]
    if plain(segment) in _COMMERCIAL or split_attributes(cells["name"]).segments:
        return cells["name"]
    return f"{cells['name']} ({segment})"


def _ids(cells: Mapping[str, str], here: str) -> dict[str, str]:
    ids: dict[str, str] = {}
    if cells["product_id"] and cells["sku_id"]:
        sku = cells["sku_id"].zfill(4) if cells["sku_id"].isdigit() else cells["sku_id"]  # Excel takes the zeros away
        ids["product_id"] = f"{cells['product_id']}:{sku}"
    ids |= {kind: cells[kind] for kind in ("part_number", "string_id") if cells[kind]}
    if not ids:
        raise DataError(
            "has no id", where=f"{here}, columns ProductId and SkuId, or a part number", hint="--column part_number=HEADER names it"
        )
    return ids


def _seen_before(seen: Mapping[str, tuple[str, str]], ids: Mapping[str, str], name: str, here: str) -> bool:
    """Whether the file had this id above. One id is one product; its rows may differ in term, plan and segment only."""
    said = split_attributes(name)
    for value in ids.values():
        if value.casefold() in seen:
            before, where = seen[value.casefold()]
            other = split_attributes(before)
            if (other.core, other.plan, other.without) != (said.core, said.plan, said.without):
                raise DataError(
                    f"{value!r} is {before!r} in {where} and {name!r} here", where=here, hint="one id has one product; mend the file"
                )
    own = [value for kind, value in ids.items() if kind != "string_id"]
    return bool(own) and all(value.casefold() in seen for value in own)


def _product_of(cells: Mapping[str, str], name: str, ids: Mapping[str, str], table: AliasTable, here: str) -> str | None:
    """Key of the product a row is about: by its GUID, by an id or a name the table knows; none where it is a new one."""
    if cells["guid"]:
        return _guid(cells["guid"], here)
    for value in (*ids.values(), name):
        found = [alias for alias in table.find(value) if alias.until is None] or list(table.find(value))
        if len(found) == 1 and (found[0].kind in ID_KINDS or _may_be_of(cells["vendor"], name, table.products[found[0].product])):
            return found[0].product
    return None


def _may_be_of(vendor: str, name: str, product: Product) -> bool:
    """Whether a name means a product: its vendor says so, or the name does, or nobody says whose it is. Many sell "Audio Conferencing"."""
    owner, said = set(plain_words(product.vendor)), set(plain_words(vendor))
    return not said or owner <= said or said <= owner or owner <= set(plain_words(name))


def _new_key(cells: Mapping[str, str], name: str, ids: Mapping[str, str], keys: dict[str, str], here: str) -> str:
    """Key of a new product by vendor and name, with its id where another product has that key: "Gold+" beside "Gold"."""
    if not cells["vendor"]:
        raise DataError(
            "says no vendor", where=f"{here}, column vendor", hint="--vendor names it for every row, --column vendor=HEADER a column"
        )
    key = f"{slug(cells['vendor'])}:{slug(name)}"
    if keys.setdefault(key, name_key(name)) != name_key(name):
        key = f"{key}-{slug(next(iter(ids.values())))}"
    return key


def guess_kind(value: str) -> str:
    """Kind of an id or name by what it looks like; a part number looks like a name and has to be said.

    Example:
        >>> guess_kind("cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46"), guess_kind("CFQ7TTC0LCHC:0002"), guess_kind("SPE_E3"), guess_kind("Core")
        ('guid', 'product_id', 'string_id', 'name')
    """
    if GUID.fullmatch(value.lower()):
        return "guid"
    if re.fullmatch(r"CFQ7TTC0[0-9A-Z]{4}:[0-9A-Z]{4}", value):
        return "product_id"
    return "string_id" if re.fullmatch(r"[A-Z0-9]+(?:_[A-Z0-9]+)+", value) else "name"


def slug(text: str) -> str:
    """Text as part of a product key.

    Example:
        >>> slug("Acme Corp."), slug("Backup – Gold (1 TB)")
        ('acme-corp', 'backup-gold-1-tb')
    """
    return re.sub(r"[^a-z0-9]+", "-", text.casefold().removesuffix(" corporation")).strip("-") or "unnamed"
