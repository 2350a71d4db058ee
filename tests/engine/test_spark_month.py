"""A whole month with ``engine: spark``: every product on disk has the bytes DuckDB gives it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from books import conftest as books

from reconlib.engine import Engine
from reconlib.settings import read_params

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # pyspark warns about its own libraries
BOOK = Path(books.__file__).parent / "bundle"


def test_a_month_on_spark_leaves_the_bytes_that_duckdb_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spark: Engine) -> None:
    made = {}
    for name in ("duckdb", "spark"):
        root = tmp_path / name
        shutil.copytree(BOOK / "in", root)
        with (root / "params.yaml").open("a", encoding="utf-8") as file:
            file.write(f"engine: {name}\nspark: {spark.master}\n")
        monkeypatch.chdir(root)
        texts = dict(books.run_month(root, read_params(root / "params.yaml"), "2026-10"))
        assert texts == {path.name: path.read_text("utf-8") for path in (BOOK / "out").iterdir()}
        made[name] = {path.relative_to(root).as_posix(): path.read_bytes() for path in (root / ".recon").glob("*/periods/**/*.parquet")}
    assert len(made["duckdb"]) > 10
    assert made["spark"] == made["duckdb"]
