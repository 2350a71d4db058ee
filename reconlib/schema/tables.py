"""What a table is: typed columns with a meaning, a grain and a key; and how rows become one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from reconlib.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

Kind = Literal["text", "qty", "price", "amount", "fine", "int", "bool", "date", "timestamp"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its type, what it means, and whether it may be unknown."""

    name: str
    kind: Kind
    about: str
    null: bool = True


@dataclass(frozen=True, slots=True)
class TableSchema:
    """One table: its grain in words, its key, and its columns in order."""

    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    def names(self) -> list[str]:
        """Column names in order."""
        return [column.name for column in self.columns]

    def arrow(self) -> pa.Schema:
        """The same columns as an Arrow schema."""
        import pyarrow as pa

        types: dict[Kind, pa.DataType] = {
            "text": pa.string(),
            "qty": pa.decimal128(18, 6),
            "price": pa.decimal128(18, 6),
            "amount": pa.decimal128(18, 6),
            "fine": pa.decimal128(38, 18),
            "int": pa.int64(),
            "bool": pa.bool_(),
            "date": pa.date32(),
            "timestamp": pa.timestamp("us", tz="UTC"),
        }
        return pa.schema([pa.field(c.name, types[c.kind], nullable=c.null) for c in self.columns])


def column(name: str, kind: Kind, about: str, *, null: bool = True) -> Column:
    """One column that may be unknown, unless said otherwise."""
    return Column(name, kind, about, null)


def required(name: str, about: str) -> Column:
    """One text column every row must have."""
    return Column(name, "text", about, null=False)


def make_table(schema: TableSchema, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Typed table of rows, sorted by the key, with the key unique and required columns filled.

    Raises:
        DataError: an unknown or missing column, a null where none may be, a wrong type, or a key twice.
    """
    import pyarrow as pa

    rows = list(rows)
    names = set(schema.names())
    for row in rows:
        if unknown := row.keys() - names:
            raise DataError(f"column {min(unknown)!r} is not in the schema", where=f"table {schema.name}")
    try:
        table = pa.Table.from_pylist([dict(row) for row in rows], schema=schema.arrow())
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(str(error), where=f"table {schema.name}", hint="a value has the wrong type or scale") from error
    return check_table(schema, table)


def check_table(schema: TableSchema, table: pa.Table) -> pa.Table:
    """The table sorted by its key, if its key is unique and its required columns are filled.

    Raises:
        DataError: a null where none may be, or a key twice.
    """
    import pyarrow.compute as pc

    for column in schema.columns:
        if not column.null and table[column.name].null_count:
            raise DataError(f"{table[column.name].null_count} rows without {column.name}", where=f"table {schema.name}")
    if _first_out_of_order(table, schema.key) is None:
        return table  # what stands in order already is neither sorted nor copied
    table = table.take(pc.sort_indices(table, sort_keys=[(name, "ascending") for name in schema.key]))
    place = _first_out_of_order(table, schema.key)
    if place is not None:
        twice = table.select(list(schema.key)).slice(place, 1).to_pylist()[0]
        raise DataError(
            f"key {twice} stands more than once",
            where=f"table {schema.name}",
            hint="two sources may deliver the same records, or a page came twice",
        )
    return table


def _first_out_of_order(table: pa.Table, key: tuple[str, ...]) -> int | None:
    """First row whose key does not lie before the next row's, nulls last; none: sorted, and every key once."""
    import pyarrow.compute as pc

    before, after = table.slice(0, max(table.num_rows - 1, 0)), table.slice(1)
    lies_before: Any = None
    for name in reversed(key):
        one, other = before[name], after[name]
        less = pc.or_(pc.fill_null(pc.less(one, other), False), pc.and_(pc.is_valid(one), pc.is_null(other)))
        if lies_before is not None:
            same = pc.or_(pc.fill_null(pc.equal(one, other), False), pc.and_(pc.is_null(one), pc.is_null(other)))
            less = pc.or_(less, pc.and_(same, lies_before))
        lies_before = less
    place = pc.index(lies_before, value=False).as_py() if lies_before is not None else -1
    return None if place < 0 else int(place)


EVIDENCE = required("evidence", "where the vendor's bytes stand")
SOURCE = required("source", "name of the source in params")
