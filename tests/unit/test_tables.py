"""A table's key holds, and its rows stand in the key's order; a result comes in the order asked for."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconlib.engine import run_sql
from reconlib.errors import DataError
from reconlib.schema.tables import TableSchema, check_table, column, required

PAIR = TableSchema("pairs", "one pair", ("one", "other"), (required("one", "text"), column("other", "int", "number or null")))
Pair = tuple[str, int | None]


def table(rows: Sequence[Pair]) -> pa.Table:
    return pa.table([[one for one, _ in rows], [other for _, other in rows]], schema=PAIR.arrow())


def place(row: Pair) -> tuple[str, bool, int]:
    return row[0], row[1] is None, row[1] or 0  # nulls last


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["", "a", "A", "ä", "b"]), st.none() | st.integers(-2, 2)), unique=True))
def test_rows_come_in_the_order_of_their_key_nulls_last(rows: list[Pair]) -> None:
    made = check_table(PAIR, table(rows))
    assert [(row["one"], row["other"]) for row in made.to_pylist()] == sorted(rows, key=place)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.none() | st.integers(0, 1)), min_size=1, max_size=4, unique=True), st.data())
def test_a_key_that_stands_twice_is_named_wherever_it_stands(rows: list[Pair], data: st.DataObject) -> None:
    again = data.draw(st.sampled_from(rows))
    twice = data.draw(st.permutations([*rows, again]))
    with pytest.raises(DataError, match="stands more than once") as stopped:
        check_table(PAIR, table(twice))
    assert str({"one": again[0], "other": again[1]}) in str(stopped.value)


def test_what_stands_in_order_is_not_copied() -> None:
    given = table([("a", 1), ("a", None), ("b", 0)])
    assert check_table(PAIR, given) is given


def test_a_result_comes_in_the_order_of_the_columns_named() -> None:
    rows: list[Pair] = [("b", 1), ("a", None), ("B", 3), ("a", 2)]
    script = 'CREATE TABLE made AS SELECT "one", other FROM pairs;'
    out = run_sql(script, {"pairs": table(rows)}, results=("made",), order={"made": ("one", "other")})["made"]
    assert [(row["one"], row["other"]) for row in out.to_pylist()] == sorted(rows, key=place)
