"""Runs the stages' SQL over tables in memory or on disk; the SQL files beside the stages are the definition an auditor reads.

DuckDB by default. The same text runs on Spark through sqlglot, for books that have outgrown one machine: tables a script creates
become views there, and results come back as the same Arrow types, so that every later step gives the same bytes.
Rules people write become views through sqlglot's expression builder: values are quoted literals, columns are checked names, and
no text of theirs is ever pasted into SQL.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import sqlglot
from sqlglot import exp

from reconlib.errors import SettingsError, nearest

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Engine:
    """Where the SQL runs."""

    name: Literal["duckdb", "spark"] = "duckdb"
    master: str = "local[2]"  # spark: local[n], spark://host:port, or Spark Connect sc://host:port
    memory_limit: str | None = None  # duckdb: "1GB"; what does not fit goes to a temporary folder
    threads: int = 2


DUCKDB = Engine()


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
    engine: Engine = DUCKDB,
) -> dict[str, pa.Table]:
    """Tables a script makes out of other tables.

    ``tables`` are Arrow tables or Parquet paths; ``values`` stand in the script as one-row table ``run``; ``views`` are built
    expressions. ``results`` names the tables and views the script creates that are returned. Rows come in no order.
    """
    import pyarrow as pa

    inputs = {**tables, "run": pa.Table.from_pylist([dict(values or {"_": 0})])}
    run = _run_spark if engine.name == "spark" else _run_duckdb
    return run(script, inputs, views or {}, results, engine)


def _run_duckdb(
    script: str, tables: Mapping[str, pa.Table | Path], views: Mapping[str, exp.Expression], results: tuple[str, ...], engine: Engine
) -> dict[str, pa.Table]:
    import duckdb

    config: dict[str, Any] = {"threads": engine.threads, "preserve_insertion_order": False}
    if engine.memory_limit:
        config["memory_limit"] = engine.memory_limit
    with duckdb.connect(config=config) as connection:
        for name, table in tables.items():
            if isinstance(table, Path):
                connection.read_parquet(str(table)).create_view(name)
            else:
                connection.register(name, table)
        for name, view in views.items():
            connection.execute(exp.Create(this=exp.to_identifier(name), kind="VIEW", expression=view).sql("duckdb"))
        connection.execute(script)
        return {name: connection.table(name).to_arrow_table() for name in results}


def _run_spark(
    script: str, tables: Mapping[str, pa.Table | Path], views: Mapping[str, exp.Expression], results: tuple[str, ...], engine: Engine
) -> dict[str, pa.Table]:
    session = open_spark(engine)
    made = []
    for name, table in tables.items():
        frame = session.read.parquet(str(table.resolve())) if isinstance(table, Path) else session.createDataFrame(table)
        frame.createOrReplaceTempView(name)
        made.append(name)
    for name, view in views.items():
        session.sql(view.sql("spark")).createOrReplaceTempView(name)
        made.append(name)
    kept = []
    try:
        for statement in sqlglot.parse(script, read="duckdb"):
            if not isinstance(statement, exp.Create):
                raise TypeError(f"a stage's script only creates tables and views, and this is {type(statement).__name__}")
            name, frame = statement.this.name, session.sql(statement.expression.sql("spark"))
            if statement.kind == "TABLE":  # read more than once
                frame = frame.persist()
                kept.append(frame)
            frame.createOrReplaceTempView(name)
            made.append(name)
        return {name: session.table(name).toArrow() for name in results}
    finally:
        for frame in kept:
            frame.unpersist()
        for name in made:
            session.catalog.dropTempView(name)


def open_spark(engine: Engine) -> Any:
    """The Spark session of an engine; one a process, as Spark has it.

    Raises:
        SettingsError: pyspark is not installed, or there is no Java to run it.
    """
    try:
        from pyspark.errors import PySparkRuntimeError
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise SettingsError(
            "pyspark is not installed", where="params: engine", hint="pip install 'reconlib[spark]', and Java 17"
        ) from error
    builder = SparkSession.builder.appName("reconlib")
    builder = builder.remote(engine.master) if engine.master.startswith("sc://") else builder.master(engine.master)
    settings = {
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "true",  # an overflow is an error, not a null
        "spark.sql.shuffle.partitions": "8",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.memory": os.environ.get("RECON_SPARK_MEMORY", "2g"),
        "spark.log.level": "ERROR",
    }
    for key, value in settings.items():
        builder = builder.config(key, value)
    try:
        return builder.getOrCreate()
    except PySparkRuntimeError as error:
        raise SettingsError(
            f"Spark at {engine.master} did not start: {error}", where="params: spark", hint="it needs Java 17 or newer"
        ) from error


@dataclass(frozen=True, slots=True)
class Traits:
    """What rules can tell apart about a usage record, beside its source, account and product."""

    COLUMNS: ClassVar[tuple[str, ...]] = ("unit_name", "unit_key", "unit_class", "unit_state")  # of usage_records, what a rule may name

    conditions: Sequence[tuple[str, Mapping[str, list[str]], Mapping[str, list[str]]]]  # rule key, where, unless; one bit each
    attributes: set[str]  # vendors' own fields that exist
    stale_before: Sequence[date]  # last seen before this day is stale; one a distinct stale_days, ascending days
    as_of: date
    needs_key: bool  # whether a record without unit_key is told apart


def traits_view(traits: Traits, where: Callable[[str], str] = str) -> exp.Expression:
    """``usage_records`` with ``passes`` (one bit a condition), ``stale_level`` (how many limits are exceeded), ``is_later``, ``has_key``.

    Raises:
        SettingsError: a condition names a field no record has.
    """
    passes: Any = exp.cast(exp.Literal.number(0), "bigint")
    for number, (key, wanted, unwanted) in enumerate(traits.conditions):
        tests = [_one_of(field, values, where(key), traits.attributes) for field, values in sorted(wanted.items())]
        for field, values in sorted(unwanted.items()):
            tests.append(exp.not_(exp.func("coalesce", _one_of(field, values, where(key), traits.attributes), exp.false())))
        passes = exp.Add(this=passes, expression=_case(exp.and_(*tests), 1 << number))
    level: Any = exp.cast(exp.Literal.number(0), "bigint")
    for day in traits.stale_before:
        level = exp.Add(this=level, expression=_case(exp.LT(this=exp.column("last_seen_date"), expression=_day(day)), 1))
    later = exp.or_(*(exp.GT(this=exp.column(name), expression=_day(traits.as_of)) for name in ("created_date", "usage_date")))
    has_key: Any = exp.Not(this=exp.Is(this=exp.column("unit_key"), expression=exp.null())) if traits.needs_key else exp.true()
    return exp.select(
        exp.Star(),
        exp.alias_(passes, "passes"),
        exp.alias_(level, "stale_level"),
        exp.alias_(exp.func("coalesce", later, exp.false()), "is_later"),
        exp.alias_(has_key, "has_key"),
    ).from_("usage_records")


def _case(condition: Any, value: int) -> exp.Expression:
    number = exp.cast(exp.Literal.number(value), "bigint")
    return exp.Case().when(condition, number).else_(exp.cast(exp.Literal.number(0), "bigint"))


def _day(day: date) -> exp.Expression:
    return exp.cast(exp.Literal.string(day.isoformat()), "date")


def _one_of(field: str, wanted: list[str], key: str, attributes: set[str]) -> exp.Expression:
    if field in Traits.COLUMNS:
        column: Any = exp.column(field)
    elif field in attributes:
        path = exp.JSONPath(expressions=[exp.JSONPathRoot(), exp.JSONPathKey(this=field)])
        column = exp.JSONExtractScalar(this=exp.column("attributes"), expression=path)
    else:
        raise SettingsError(f"no record has a field {field!r}", where=key, hint=nearest(field, {*Traits.COLUMNS, *attributes}))
    return exp.In(this=column, expressions=[exp.Literal.string(value) for value in wanted])
