"""Spark for tests: one session of two threads, with the settings of small data; skipped where pyspark or Java is absent."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from unittest.mock import patch

import pytest

from reconlib import engine
from reconlib.engine import Engine

SMALL = {  # compiling and shuffling cost more than a few hundred rows do
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
    "spark.default.parallelism": "1",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
}


def skip_without_spark() -> None:
    if find_spec("pyspark") is None:
        pytest.skip("pyspark is not installed: pip install 'reconlib[spark]'")
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("Spark needs Java 17: install the package openjdk-17-jre-headless")


@pytest.fixture(scope="session")
def spark() -> Iterator[Engine]:
    """An engine whose session is up."""
    skip_without_spark()
    with patch.dict(engine.SPARK_SETTINGS, SMALL):
        made = Engine(name="spark", master="local[2]")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pyspark's own, about its libraries
            session = engine.open_spark(made)
        yield made
        session.stop()
