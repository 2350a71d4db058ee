"""Products under all their names: ids, part numbers, dated old and new names, and what a name says beside the product.

"Office 365 Business Premium" of 2019 is today's "Microsoft 365 Business Standard", and no comparison of strings can know it. So products
go through ids and a dated table first, and only what the table does not know is compared as words (docs/aliases.md).
"""

from __future__ import annotations

from reconlib.aliases.attributes import Attributes, compare_attributes, split_attributes
from reconlib.aliases.words import plain_words

__all__ = ["Attributes", "compare_attributes", "plain_words", "split_attributes"]
