"""The same SQL on Spark gives the same tables as on DuckDB, byte for byte, and as the naive reference."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from properties.books import make_book, run_book
from properties.reference import differences, make_month

from reconlib.counting import list_records
from reconlib.engine import DUCKDB, Engine, run_sql
from reconlib.pipeline import Made
from reconlib.schema import ACCOUNT_MAPPING, CANONICAL, PRODUCT_MAPPING, SOURCE_STATUS, make_table

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # pyspark warns about its own libraries


def tables_of(made: Made) -> dict[str, pa.Table]:
    return {
        "comparison": made.compared.cells,
        "line_buckets": made.compared.line_buckets,
        "counts": made.counted.counts,
        "record_buckets": made.counted.buckets,
        "findings": made.findings,
        "vendor_audit": made.audit,
    }


def parquet(table: pa.Table) -> bytes:
    file = BytesIO()
    pq.write_table(table, file, compression="zstd")
    return file.getvalue()


@pytest.mark.parametrize("seed", [3])
def test_spark_duckdb_and_the_reference_agree_on_random_books(seed: int, spark: Engine) -> None:
    book = make_book(seed, clients=10)
    made, same = run_book(book.given, engine=spark), run_book(book.given)
    said = differences(make_month(book.given), *(tables_of(made)[name].to_pylist() for name in list(tables_of(made))[:4]))
    assert not said, "\n".join(said[:20])
    for name, table in tables_of(made).items():
        assert table.schema == tables_of(same)[name].schema
        assert parquet(table) == parquet(tables_of(same)[name]), name


def test_spark_lists_the_same_records_and_reads_a_folder_of_parquet_files(tmp_path: Path, spark: Engine) -> None:
    given = make_book(7, clients=6).given
    tables: dict[str, pa.Table | Path] = {name: make_table(CANONICAL[name], rows) for name, rows in given.tables.items()}
    usage = make_table(CANONICAL["usage_records"], given.tables["usage_records"])
    folder = tmp_path / "usage_records"
    folder.mkdir()
    for number in range(2):
        pq.write_table(usage.slice(number * (usage.num_rows // 2), None if number else usage.num_rows // 2), folder / f"{number}.parquet")
    mapped = (make_table(ACCOUNT_MAPPING, given.accounts), make_table(PRODUCT_MAPPING, given.products))
    status = make_table(SOURCE_STATUS, given.status)

    def listed(engine: Engine) -> pa.Table:
        place: Path = folder if engine is spark else folder / "*.parquet"
        return list_records({**tables, "usage_records": place}, *mapped, status, given.rules, as_of=given.as_of, engine=engine)

    assert parquet(listed(spark)) == parquet(listed(DUCKDB))


def test_long_decimals_dates_nulls_and_order_come_back_as_duckdb_gives_them(spark: Engine) -> None:
    script = """
    CREATE TABLE made AS
    SELECT k.word, CAST(sum(k.qty) AS DECIMAL(18, 6)) AS qty, min(k.day) AS day, bool_or(k.qty > 1) AS is_any, bool_and(k.qty > 1) AS is_all,
           string_agg(k.word, ' ' ORDER BY k.word) AS words, count(*) AS rows
    FROM given AS k GROUP BY k.word;
    CREATE TABLE ranked AS
    SELECT word, row_number() OVER (ORDER BY day DESC NULLS LAST, word NULLS LAST) AS place, greatest(qty, 2) AS high, qty % 2 AS rest FROM made;
    """
    given = pa.table(
        {
            "word": pa.array(["b", "a", None, "b", "ä", "A"]),
            "qty": pa.array(
                [*map(_decimal, ["1", "2.5", "999999999999.999999"]), None, _decimal("0"), _decimal("-1")], pa.decimal128(18, 6)
            ),
            "day": pa.array([20000, None, 20001, 20002, None, None], pa.date32()),
        }
    )

    def run(engine: Engine) -> list[list[dict[str, object]]]:
        out = run_sql(script, {"given": given}, results=("made", "ranked"), order={"made": ("word",), "ranked": ("place",)}, engine=engine)
        return [out[name].to_pylist() for name in ("made", "ranked")]

    made = run(DUCKDB)
    assert run(spark) == made
    assert [row["word"] for row in made[0]] == ["A", "a", "b", "ä", None]


def _decimal(text: str) -> object:
    from decimal import Decimal

    return Decimal(text)
