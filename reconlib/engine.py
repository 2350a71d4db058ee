"""Runs the stages' SQL over tables in memory or on disk; the SQL files beside the stages are the definition an auditor reads.

Rules people write become views through sqlglot's expression builder: values are quoted literals, columns are checked names, and
no text of theirs is ever pasted into SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from reconlib.errors import SettingsError, nearest

if TYPE_CHECKING:
    import pyarrow as pa

RECORD_COLUMNS = ("unit_name", "unit_key", "unit_class", "unit_state")  # of usage_records, what a rule's `where` may name


def read_sql(name: str) -> str:
    """Text of one stage's SQL file, such as ``counting.sql``."""
    return resources.files("reconlib").joinpath(name).read_text("utf-8")


def run_sql(
    script: str,
    tables: Mapping[str, pa.Table | Path],
    *,
    results: tuple[str, ...],
    values: Mapping[str, Any] | None = None,
    views: Mapping[str, exp.Expression] | None = None,
) -> dict[str, pa.Table]:
    """Tables a script makes out of other tables.

    ``tables`` are Arrow tables or Parquet paths; ``values`` stand in the script as one-row table ``run``; ``views`` are built
    expressions. ``results`` names the views the script creates that are returned.
    """
    import duckdb
    import pyarrow as pa

    with duckdb.connect(config={"threads": 2, "preserve_insertion_order": False}) as connection:
        for name, table in {**tables, "run": pa.Table.from_pylist([dict(values or {"_": 0})])}.items():
            if isinstance(table, Path):
                connection.read_parquet(str(table)).create_view(name)
            else:
                connection.register(name, table)
        for name, view in (views or {}).items():
            connection.execute(exp.Create(this=exp.to_identifier(name), kind="VIEW", expression=view).sql("duckdb"))
        connection.execute(script)
        return {name: connection.table(name).to_arrow_table() for name in results}


def where_view(conditions: Mapping[int, tuple[str, Mapping[str, list[str]]]], attributes: set[str]) -> exp.Expression:
    """View of (source, record_id, where_id): the usage records that pass each rule's ``where``.

    ``conditions`` maps a where id to the key of the rules file it stands under and its columns; ``attributes`` are the vendor
    fields that exist besides the columns of ``usage_records``.

    Raises:
        SettingsError: a ``where`` names a field no record has.
    """
    parts: list[exp.Expression] = [
        exp.select(exp.column("source"), exp.column("usage_record_id").as_("record_id"), exp.Literal.number(where_id).as_("where_id"))
        .from_("usage_records")
        .where(exp.and_(*[_one_of(field, wanted, key, attributes) for field, wanted in sorted(where.items())]))
        for where_id, (key, where) in sorted(conditions.items())
    ]
    if not parts:
        empty = exp.cast(exp.null(), "text")
        return exp.select(empty.as_("source"), empty.copy().as_("record_id"), exp.Literal.number(0).as_("where_id")).where(exp.false())
    view = parts[0]
    for part in parts[1:]:
        view = exp.union(view, part, distinct=False)
    return view


def _one_of(field: str, wanted: list[str], key: str, attributes: set[str]) -> exp.Expression:
    if field in RECORD_COLUMNS:
        column: Any = exp.column(field)
    elif field in attributes:
        column = exp.func("json_extract_string", exp.column("attributes"), exp.Literal.string(f'$."{field}"'))
    else:
        raise SettingsError(f"no record has a field {field!r}", where=key, hint=nearest(field, {*RECORD_COLUMNS, *attributes}))
    return exp.In(this=column, expressions=[exp.Literal.string(value) for value in wanted])
