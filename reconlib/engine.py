"""Runs the stages' SQL over tables in memory or on disk; the SQL files beside the stages are the definition an auditor reads.

DuckDB by default. The same text runs on Spark through sqlglot, for books that have outgrown one machine: tables a script creates
become views there, and results come back as the same Arrow types, so that every later step gives the same bytes.
"""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

import sqlglot
import sqlglot.dialects.duckdb  # loaded here, not in the first run
from sqlglot import exp

from reconlib.errors import SettingsError

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Engine:
    """Where the SQL runs."""

    name: Literal["duckdb", "spark"] = "duckdb"
    master: str = "local[2]"  # spark: local[n], spark://host:port, or Spark Connect sc://host:port
    memory_limit: str | None = None  # duckdb, such as "1GB"; what does not fit goes to a temporary folder; null: as little as does
    threads: int = 2


DUCKDB = Engine()
SPARK_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",  # an overflow is an error, not a null
    "spark.sql.shuffle.partitions": "8",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
}


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
    repeats: Mapping[str, str] | None = None,
    order: Mapping[str, Sequence[str]] | None = None,
    engine: Engine = DUCKDB,
) -> dict[str, pa.Table]:
    """Tables a script makes out of other tables.

    ``tables`` are Arrow tables or Parquet paths; ``values`` stand in the script as one-row table ``run``; ``views`` are built
    expressions. ``repeats`` names tables that hold what a view of one column of hashes, made by the script, says more than once.
    ``results`` names the tables and views the script creates that are returned; their rows come in no order, or in that of the columns
    ``order`` names for one, nulls last.
    """
    import pyarrow as pa

    inputs = {**tables, "run": pa.Table.from_pylist([dict(values or {"_": 0})])}
    stage = _Stage(script, inputs, views or {}, repeats or {}, results, order or {})
    return _run_spark(stage, engine) if engine.name == "spark" else _run_duckdb(stage, engine)


def input_table(
    texts: str, rows: Sequence[Mapping[str, Any]], *, quantities: str = "", flags: str = "", whole: str = "", dates: str = ""
) -> pa.Table:
    """Rows a stage's script reads, with the names of its columns by type; what a row lacks is null."""
    import pyarrow as pa

    kinds = {texts: pa.string(), quantities: pa.decimal128(18, 6), flags: pa.bool_(), whole: pa.int64(), dates: pa.date32()}
    schema = pa.schema([(name, kind) for names, kind in kinds.items() for name in names.split()])
    return pa.Table.from_pylist([dict(row) for row in rows], schema=schema)


@dataclass(frozen=True, slots=True)
class _Stage:
    """What ``run_sql`` is given."""

    script: str
    tables: Mapping[str, pa.Table | Path]
    views: Mapping[str, exp.Expression]
    repeats: Mapping[str, str]
    results: tuple[str, ...]
    order: Mapping[str, Sequence[str]]


def _run_duckdb(stage: _Stage, engine: Engine) -> dict[str, pa.Table]:
    import duckdb

    *tries, last = (engine.memory_limit,) if engine.memory_limit else _memory_limits(stage.tables)
    for limit in (*tries, last):
        try:
            with TemporaryDirectory(prefix="reconlib-") as spill:
                config: dict[str, Any] = {
                    "threads": 1 if is_small(stage.tables) else engine.threads,
                    "preserve_insertion_order": False,
                    "temp_directory": spill,
                    "memory_limit": limit,
                }
                with duckdb.connect(config=config) as connection:
                    return _executed(connection, stage)
        except duckdb.OutOfMemoryException as error:
            if limit == last:
                hint = "give params a larger memory_limit, or run engine: spark"
                raise SettingsError(f"{limit} of memory are not enough", where="params: memory_limit", hint=hint) from error
    raise AssertionError("the last limit either does or raises")


def is_small(tables: Mapping[str, pa.Table | Path]) -> bool:
    """Whether sharing the work out costs more than it saves."""
    paths = [table for table in tables.values() if isinstance(table, Path)]
    return _held_bytes(tables) < SMALL_BYTES and all(path.is_file() and path.stat().st_size < SMALL_BYTES // 4 for path in paths)


def _held_bytes(tables: Mapping[str, pa.Table | Path]) -> int:
    return sum(table.nbytes for table in tables.values() if not isinstance(table, Path))


BATCH_ROWS = 1 << 17
SMALL_BYTES = 64_000_000  # in memory; a quarter of it as Parquet
MEMORY_LIMITS = {
    128_000_000: "128MB",
    512_000_000: "512MB",
    2_000_000_000: "2GB",
    8_000_000_000: "8GB",
}  # bytes of Parquet -> where to begin
HELD_WEIGHT = 4  # what is in memory already is joined whole; what is on disk is summed while it is read


def _memory_limits(tables: Mapping[str, pa.Table | Path]) -> list[str]:
    """Limits to try in turn. A small one is quicker too, because buffers stay in the processor's cache."""
    paths = [table for table in tables.values() if isinstance(table, Path) and table.is_file()]
    read = sum(path.stat().st_size for path in paths) + HELD_WEIGHT * _held_bytes(tables)
    *lower, highest = MEMORY_LIMITS.items()
    return [*(limit for most, limit in lower if read <= most), highest[1]]


def _executed(connection: Any, stage: _Stage) -> dict[str, pa.Table]:
    for name, table in stage.tables.items():
        if isinstance(table, Path):
            connection.read_parquet(str(table)).create_view(name)
        else:
            connection.register(name, table)
    built = _Views(stage.views, set(stage.tables))
    statements = connection.extract_statements(stage.script)
    unread = _read_last([statement.query for statement in statements], stage)
    for statement, names in zip(statements, unread, strict=True):
        for name, view in built.ready():
            connection.execute(f"CREATE VIEW {exp.to_identifier(name).sql('duckdb')} AS {view.sql('duckdb', copy=False)}")
        connection.execute(statement)
        built.standing.add(made := _created(statement.query))
        for name in (name for name, view in stage.repeats.items() if view == made):
            connection.register(name, _repeated(connection, made))
            built.standing.add(name)
        for name in names:  # make room
            connection.execute(f"DROP TABLE {name}")
    return {name: _ordered(connection.table(name), stage.order.get(name)).to_arrow_table() for name in stage.results}


def _ordered(relation: Any, columns: Sequence[str] | None) -> Any:
    return relation.order(", ".join(f"{exp.to_identifier(name).sql('duckdb')} NULLS LAST" for name in columns)) if columns else relation


def _repeated(connection: Any, view: str) -> pa.Table:
    """Hashes a view says more than once: all of them in one array, sorted there, at half of what grouping by hash costs."""
    import numpy as np
    import pyarrow as pa

    hashes = connection.table(view)
    grown = array("Q")
    for batch in hashes.to_arrow_reader(BATCH_ROWS):
        grown.frombytes(batch.column(0).to_numpy().view(np.uint8))
    found = np.frombuffer(grown, np.uint64)
    found.sort()
    twice = found[1:][found[1:] == found[:-1]]
    return pa.table({hashes.columns[0]: twice[np.append(twice[1:] != twice[:-1], True)[: len(twice)]]})


def _run_spark(stage: _Stage, engine: Engine) -> dict[str, pa.Table]:
    session = open_spark(engine)
    built, kept = _Views(stage.views, set(stage.tables)), []
    try:
        for name, table in stage.tables.items():
            _frame(session, table).createOrReplaceTempView(name)
        for statement in sqlglot.parse(stage.script, read="duckdb"):
            for name, view in built.ready():
                session.sql(spark_text(view)).createOrReplaceTempView(name)
            if not isinstance(statement, exp.Create):
                raise TypeError(f"a stage's script only creates tables and views, and this is {type(statement).__name__}")
            name, frame = statement.this.name, session.sql(spark_text(statement.expression))
            if statement.kind == "TABLE":  # read more than once
                frame = frame.persist()
                kept.append(frame)
            frame.createOrReplaceTempView(name)
            built.standing.add(name)
            for repeat in (repeat for repeat, view in stage.repeats.items() if view == name):
                column = frame.columns[0]
                frame.groupBy(column).count().where("count > 1").select(column).createOrReplaceTempView(repeat)
                built.standing.add(repeat)
        return {name: _ordered_frame(session.table(name), stage.order.get(name)).toArrow() for name in stage.results}
    finally:
        for frame in kept:
            frame.unpersist()
        for name in built.standing:
            session.catalog.dropTempView(name)


def _ordered_frame(frame: Any, columns: Sequence[str] | None) -> Any:
    return frame.orderBy(*(frame[name].asc_nulls_last() for name in columns)) if columns else frame


def _frame(session: Any, table: pa.Table | Path) -> Any:
    from pyspark.sql.pandas.types import from_arrow_schema

    if isinstance(table, Path):
        return session.read.parquet(str(table.resolve()))
    return session.createDataFrame(table, None if table.num_rows else from_arrow_schema(table.schema))  # Connect infers nothing of no rows


def spark_text(query: exp.Expression) -> str:
    """A query in Spark's words. A path there cannot name every field, so a field of a JSON object is looked up by its whole name."""

    def by_name(node: exp.Expression) -> exp.Expression:
        key = node.expression.find(exp.JSONPathKey) if isinstance(node, exp.JSONExtractScalar) else None
        if key is None:
            return node
        whole = exp.Anonymous(this="FROM_JSON", expressions=[node.this, exp.Literal.string("MAP<STRING, STRING>")])
        return exp.Anonymous(this="TRY_ELEMENT_AT", expressions=[whole, exp.Literal.string(key.this)])

    return query.transform(by_name).sql("spark", unsupported_level=sqlglot.ErrorLevel.RAISE)


class _Views:
    """Built views, each made as soon as everything it reads is there."""

    def __init__(self, views: Mapping[str, exp.Expression], standing: set[str]) -> None:
        self.standing = standing
        self._waiting = {name: (view, {table.name for table in view.find_all(exp.Table)}) for name, view in views.items()}

    def ready(self) -> list[tuple[str, exp.Expression]]:
        """Views that can be made now and were not, in the order they read one another."""
        now: list[tuple[str, exp.Expression]] = []
        while names := [name for name, (_, reads) in self._waiting.items() if reads <= self.standing]:
            now += [(name, self._waiting.pop(name)[0]) for name in names]
            self.standing.update(names)
        return now


def _created(statement: str) -> str:
    found = re.search(r"CREATE (?:TABLE|VIEW) (\w+) AS", statement)
    if not found:
        raise TypeError("a stage's script only creates tables and views")
    return found[1]


def _read_last(statements: Sequence[str], stage: _Stage) -> list[list[str]]:
    """Tables that nothing reads any more after each statement, neither by itself nor through a view, and that are no result."""
    reads = {name: {table.name for table in view.find_all(exp.Table)} for name, view in stage.views.items()}
    made: set[str] = set()
    last: dict[str, int] = {}
    for place, statement in enumerate(statements):
        words = set(re.findall(r"\w+", statement))
        while more := set().union(*(reads[word] for word in words & reads.keys())) - words:
            words |= more
        last |= dict.fromkeys(words, place)
        if "CREATE VIEW" in statement:
            reads[_created(statement)] = words
        else:
            made.add(_created(statement))
    kept = {*stage.results, *(name for result in stage.results for name in reads.get(result, ()))}
    return [[name for name in made - kept if last[name] == place] for place in range(len(statements))]


def open_spark(engine: Engine) -> Any:
    """The Spark session of an engine; one a process, as Spark has it. ``RECON_SPARK_MEMORY``: memory of its Java, 2g unless said.

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
    for key, value in {"spark.driver.memory": os.environ.get("RECON_SPARK_MEMORY", "2g"), **SPARK_SETTINGS}.items():
        builder = builder.config(key, value)
    try:
        return builder.getOrCreate()
    except PySparkRuntimeError as error:
        raise SettingsError(
            f"Spark at {engine.master} did not start: {error}", where="params: spark", hint="it needs Java 17 or newer"
        ) from error
