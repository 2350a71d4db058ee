"""Products' names as the matcher compares them: ids and dated aliases first, attributes apart, old words brought to today's.

Microsoft's renames are the reason (MATCHING.md, lesson 2): "Office 365 Business Premium" of 2018 is today's Business Standard, whatever the
letters say. Only an id or a dated alias knows; data beats algorithm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from reconlib.aliases import AliasTable, Attributes, compare_attributes, find_products, modern_name, read_aliases, split_attributes

if TYPE_CHECKING:
    import pandas as pd

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


def reader_of_products(left: pd.DataFrame, right: pd.DataFrame, aliases: AliasTable | None) -> ReadProduct | None:
    """How to read these rows as products; none where they are something else.

    They are products where a part number or a term is given, or where the alias table knows some of their names.
    """
    said = any(column in frame and frame[column].notna().any() for frame in (left, right) for column in ("sku", "term"))
    if not said and not any(_are_known(frame, aliases) for frame in (left, right)):
        return None
    table = aliases or read_aliases()
    return lambda name, own_id, sku, term: _read_product(name, own_id, sku, term, table)


def _are_known(frame: pd.DataFrame, aliases: AliasTable | None) -> bool:
    names = sorted(name for name in frame["name"].unique().tolist() if isinstance(name, str))[:: max(1, len(frame) // LOOKED_AT)]
    known = sum(bool(find_products(name, table=aliases)) for name in names)
    return known > KNOWN_SHARE * len(names)


def _read_product(name: object, own_id: object, sku: object, term: object, table: AliasTable) -> Product:
    text = name if isinstance(name, str) else ""
    spoken = f"{text} {term}" if isinstance(term, str) else text
    for one in (own_id, sku):
        if isinstance(one, str) and (keys := _keys(one, table, ids_only=True)):
            return Product(modern_name(text), keys, by_id=True, attributes=_attributes(spoken))
    return Product(modern_name(text), _keys(text, table, ids_only=False) if text else (), by_id=False, attributes=_attributes(spoken))


def _keys(value: str, table: AliasTable, *, ids_only: bool) -> tuple[str, ...]:
    if ids_only:
        return tuple(alias.product for alias in table.find(value) if alias.kind != "name")
    return table.keys(value)


@lru_cache(maxsize=1 << 14)
def _attributes(text: str) -> Attributes:
    return split_attributes(text)


def product_conflicts(left: Product | None, right: Product | None) -> tuple[str, ...]:
    """What speaks against two products being one, in words.

    Example:
        >>> table = read_aliases()
        >>> one, two = (_read_product(name, None, None, None, table) for name in ("Visio Plan 1", "Visio Plan 2"))
        >>> bool(product_conflicts(one, two)), product_conflicts(one, one)
        (True, ())
    """
    if left is None or right is None:
        return ()
    said = compare_attributes(left.attributes, right.attributes, one_product=same_product(left, right))
    if same_product(left, right):
        return said  # one id is sold to several segments, at a price each
    if left.keys and right.keys and not set(left.keys) & set(right.keys):
        return (*said, "the alias table knows two products")
    if len(right.keys) > 1 or len(left.keys) > 1:
        return (*said, "the name was that of several products")
    return said


def same_product(left: Product | None, right: Product | None) -> bool:
    """Whether ids or dated names say that it is one product, and only one."""
    return bool(left and right and len(left.keys) == 1 and left.keys == right.keys)
