"""Spark over its network interface (``spark: sc://…``): a server beside the tests, the client in a process of its own, as Spark has it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from engine.conftest import SMALL, skip_without_spark

pytestmark = pytest.mark.slow
SERVER = """
import json, sys
from pyspark.sql import SparkSession
builder = SparkSession.builder.master("local[2]").config("spark.plugins", "org.apache.spark.sql.connect.SparkConnectPlugin")
for key, value in json.loads(sys.argv[1]).items():
    builder = builder.config(key, value)
builder.getOrCreate()
print("up", flush=True)
sys.stdin.read()
"""
CLIENT = """
import sys
sys.path.insert(0, sys.argv[2])
from properties.books import make_book, run_book
from reconlib.engine import Engine
given = make_book(3, clients=2).given
one, other = run_book(given), run_book(given, engine=Engine(name="spark", master=sys.argv[1]))
pairs = ((one.counted.counts, other.counted.counts), (one.counted.buckets, other.counted.buckets), (one.compared.cells, other.compared.cells))
print("same" if all(a.num_rows and a.equals(b) for a, b in pairs) else "different")
"""


@pytest.fixture
def server() -> Iterator[str]:
    """The address of a server of two threads that stops when its input closes."""
    skip_without_spark()
    if find_spec("grpc") is None:
        pytest.skip("Spark Connect needs grpcio: pip install 'reconlib[spark]'")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    binding = {"spark.connect.grpc.binding.port": str(port), "spark.connect.grpc.binding.address": "127.0.0.1", "spark.ui.enabled": "false"}
    command = [sys.executable, "-c", SERVER, json.dumps({**SMALL, **binding})]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        yield f"sc://127.0.0.1:{port}"
        process.communicate()


def test_tables_go_to_a_spark_connect_server_and_come_back_as_from_duckdb(server: str) -> None:
    tests = str(Path(__file__).parents[1])
    said = subprocess.run([sys.executable, "-c", CLIENT, server, tests], capture_output=True, text=True, check=False, timeout=600)
    assert said.stdout.endswith("same\n"), said.stderr[-3000:]
