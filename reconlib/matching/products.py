"""Products' names as the matcher compares them: ids and dated aliases first, attributes apart, old words brought to today's.

Microsoft's renames are the reason (docs/aliases.md): "Office 365 Business Premium" of 2018 is today's Business Standard, whatever the
letters say. Only an id or a dated alias knows; data beats algorithm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING

from reconlib.aliases import AliasTable, Attributes, compare_attributes, find_products, modern_name, read_aliases, split_attributes
from reconlib.aliases.files import GUID
from reconlib.aliases.table import ID_KINDS

if TYPE_CHECKING:
    import pandas as pd

SETTLED_DAYS = 365  # a name or id that passed to another product since then may still mean the one before: lists are renamed late
KNOWN_SHARE = 0.05  # of the names of either side in the alias table make it a match of products
LOOKED_AT = 100  # names that are looked up to tell


@dataclass(frozen=True, slots=True)
class Product:
    """What is known of a product's row. ``keys``: what the alias table says it is; several when that is not certain."""

    name: str  # in today's words
    keys: tuple[str, ...]
    by_id: bool  # an id said so, not a name
    attributes: Attributes


ReadProduct = Callable[[object, object, object, object], Product]


def readers_of_products(
    left: pd.DataFrame, right: pd.DataFrame, aliases: AliasTable | None, as_of: date | None
) -> tuple[ReadProduct, ReadProduct] | tuple[None, None]:
    """How to read the rows of either side as products; none where they are something else.

    They are products where a part number or a term is given, or where the alias table knows some of their names. Only the right side is
    read with the day: what a vendor says in a month is what it calls a product then, and a catalogue keeps old names for years.
    """
    said = any(_is_said(frame, column) for frame in (left, right) for column in ("sku", "term"))
    if not said and not any(_are_known(frame, aliases) for frame in (left, right)):
        return None, None
    table = aliases or read_aliases()
    return partial(_read_ours, table), partial(_read_product, table, as_of)


def _is_said(frame: pd.DataFrame, column: str) -> bool:
    return column in frame and any(str(one).strip() for one in frame[column].dropna().tolist())


def _are_known(frame: pd.DataFrame, aliases: AliasTable | None) -> bool:
    names = sorted(name for name in frame["name"].unique().tolist() if isinstance(name, str))[:: max(1, len(frame) // LOOKED_AT)]
    known = sum(bool(find_products(name, table=aliases)) for name in names)
    return known > KNOWN_SHARE * len(names)


def _read_ours(table: AliasTable, name: object, own_id: object, sku: object, term: object) -> Product:
    """A row of the catalogue. Its own id is the PSA's, which may be anybody's part number by chance; only a GUID is none by chance."""
    is_guid = isinstance(own_id, str) and GUID.fullmatch(own_id.strip().lower())
    return _read_product(table, None, name, own_id if is_guid else None, sku, term)


def _read_product(table: AliasTable, as_of: date | None, name: object, own_id: object, sku: object, term: object) -> Product:
    text = name if isinstance(name, str) else ""
    said = [keys for one in (own_id, sku) if isinstance(one, str) and (keys := _keys(table, one, as_of, ids_only=True))]
    keys = _agreed(said) if said else _keys(table, text, as_of, ids_only=False) if text else ()
    return Product(modern_name(text), keys, by_id=bool(said), attributes=_read_attributes(text, term))


def _read_attributes(name: str, term: object) -> Attributes:
    """Attributes of a name, with the term beside it. The name is read by itself: with a term behind it, it is not seen to be cut."""
    found = split_attributes(name)
    if not isinstance(term, str) or not term.strip():
        return found
    said = split_attributes(f"{name} {term}")
    return replace(found, term=said.term, billing_plan=said.billing_plan)


def _agreed(said: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """What a row's ids mean together: the products all of them allow; where they contradict each other, every one of them."""
    every = dict.fromkeys(key for keys in said for key in keys)
    return tuple(key for key in every if all(key in keys for keys in said)) or tuple(every)


def _keys(table: AliasTable, value: str, as_of: date | None, *, ids_only: bool) -> tuple[str, ...]:
    """The products a value means: on the day, where it meant the same a year before; else all that it ever meant."""
    days = (None,) if as_of is None else (as_of, as_of - timedelta(SETTLED_DAYS))
    found = {_keys_on(table, value, day, ids_only=ids_only) for day in days}
    return found.pop() if len(found) == 1 else _keys_on(table, value, None, ids_only=ids_only)


def _keys_on(table: AliasTable, value: str, on: date | None, *, ids_only: bool) -> tuple[str, ...]:
    if ids_only:
        return tuple(alias.product for alias in table.find(value, on=on) if alias.kind in ID_KINDS)
    return table.keys(value, on=on)


def product_conflicts(left: Product | None, right: Product | None) -> tuple[str, ...]:
    """What speaks against two products being one, in words.

    Example:
        >>> table = read_aliases()
        >>> one, two = (_read_product(table, None, name, None, None, None) for name in ("Visio Plan 1", "Visio Plan 2"))
        >>> bool(product_conflicts(one, two)), product_conflicts(one, one)
        (True, ())
    """
    if left is None or right is None:
        return ()
    is_same = same_product(left, right)
    said = compare_attributes(left.attributes, right.attributes, one_product=is_same)
    if is_same:
        return said  # one id is sold to several segments, at a price each
    if left.keys and right.keys and not set(left.keys) & set(right.keys):
        return (*said, "the alias table knows two products")
    if unclear := [side for side in (left, right) if len(side.keys) > 1]:
        return (*said, "the id is that of several products" if unclear[0].by_id else "the name was that of several products")
    return said


def same_product(left: Product | None, right: Product | None) -> bool:
    """Whether ids or dated names say that it is one product, and only one."""
    return bool(left and right and len(left.keys) == 1 and left.keys == right.keys)
