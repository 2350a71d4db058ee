"""Products under all their names: ids, part numbers, dated old and new names, and what a name says beside the product.

"Office 365 Business Premium" of 2019 is today's "Microsoft 365 Business Standard", and no comparison of strings can know it. So products
go through ids and a dated table first, and only what the table does not know is compared as words (docs/aliases.md).
"""

from __future__ import annotations

from datetime import date

from reconlib.aliases.attributes import Attributes, split_attributes
from reconlib.aliases.conflicts import compare_attributes
from reconlib.aliases.files import read_aliases
from reconlib.aliases.phrases import modern_name
from reconlib.aliases.table import Alias, AliasTable, Product, name_key
from reconlib.aliases.words import plain_words

__all__ = [
    "Alias",
    "AliasTable",
    "Attributes",
    "Product",
    "compare_attributes",
    "find_products",
    "modern_name",
    "name_key",
    "plain_words",
    "read_aliases",
    "split_attributes",
]


def find_products(value: str, *, on: date | None = None, table: AliasTable | None = None) -> tuple[str, ...]:
    """Keys of the products an id or name means on a day; none where it is not known, several where it is ambiguous.

    Example:
        >>> find_products("Office 365 Business Premium") == find_products("O365_BUSINESS_PREMIUM")
        True
        >>> len(find_products("Microsoft 365 F1")), len(find_products("Microsoft 365 F1", on=date(2026, 10, 31)))
        (2, 1)
    """
    return (table or read_aliases()).keys(value, on=on)
