"""Links in vendor text made unclickable, for tables that would make pictures and links of them by themselves."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

_LINK = r"(?i)(https?:|data:)"


def break_links(table: pa.Table) -> pa.Table:
    """The table with an invisible joint in every address: a cell of an app would fetch a picture that a vendor's name points at."""
    for index, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            table = table.set_column(index, field, pc.replace_substring_regex(table[index], _LINK, "\\1\u2060"))
    return table
