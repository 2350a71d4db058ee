"""What changed at the vendor since last month: a renamed account, a known name under a new id, an account that is gone (T25)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

Row = Mapping[str, Any]
Key = tuple[str, str]  # source, vendor id


def find_changes(relation: str, rows: Sequence[Row], before: Iterable[Row]) -> dict[Key, str]:
    """Accounts or products that are not what they were last month, in words; an ordinary new one is not among them.

    Args:
        relation: account or product.
        rows: this month's vendor accounts or products.
        before: rows of last month's mapping.
    """
    id_name, name = f"vendor_{relation}_id", f"{relation}_name"
    names = {(row["source"], row[id_name]): row[name] for row in before}
    ids: dict[Key, list[str]] = {}
    for (source, vendor_id), said in names.items():
        ids.setdefault((source, plain(said)), []).append(vendor_id)
    here = {(row["source"], row[id_name]) for row in rows}
    found = {}
    for row in rows:
        key = (row["source"], row[id_name])
        if key in names:
            if names[key] != row[name]:
                found[key] = f"renamed from {names[key]}"
        elif known := ids.get((row["source"], plain(row[name]))):
            still = [one for one in known if (row["source"], one) in here]
            found[key] = f"{KNOWN_NAME}: {(still or known)[0]} {'still exists' if still else 'is gone'}"
    return found


KNOWN_NAME = "new under a known name"


def is_copy(change: str | None) -> bool:
    """Whether a change says that a name came twice: the account that had it is still there, so the name alone decides nothing."""
    return bool(change and change.startswith(KNOWN_NAME) and change.endswith("still exists"))


def plain(name: str) -> str:
    """A name as it is compared from month to month: case and blanks aside."""
    return " ".join(name.casefold().split())


def list_gone(relation: str, mapping: pa.Table, before: pa.Table) -> pa.Table:
    """Rows of last month's mapping whose account or product no source lists any more; sources that list nothing now say nothing (T1)."""
    import pyarrow as pa

    id_name = f"vendor_{relation}_id"
    here = {(row["source"], row[id_name]) for row in mapping.to_pylist()}
    sources = {source for source, _ in here}
    gone = [row for row in before.to_pylist() if row["source"] in sources and (row["source"], row[id_name]) not in here]
    return pa.Table.from_pylist([row | {"change": "gone"} for row in gone], schema=mapping.schema)
