"""What one runner costs: its own processor time, wall time and peak memory, told to whoever started it as one line of JSON.

Linux: the peak is read from /proc, because a child's ``ru_maxrss`` starts at its parent's. Children (Spark's Java) are added.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.book import Book

if TYPE_CHECKING:
    import pyarrow as pa

TICKS_A_SECOND = 100  # USER_HZ of every Linux that runs Python


def run_timed(load: Callable[[], None], work: Callable[[Book, argparse.Namespace], pa.Table | None]) -> None:
    """Runs ``work`` on the book named on the command line, after ``load`` has imported what it needs, and prints what it cost."""
    parser = argparse.ArgumentParser()
    parser.add_argument("book", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--memory", default=None)
    parser.add_argument("--engine", default="duckdb")
    given = parser.parse_args()
    started = time.perf_counter()
    load()
    imported = cpu_s()
    at = time.perf_counter()
    result = work(Book(given.book), given)
    ended = time.perf_counter()
    cost = {
        "cpu_s": cpu_s() - imported,
        "cpu_start_s": cpu_s(),
        "wall_s": ended - at,
        "wall_start_s": ended - started,
        "peak_mb": peak_mb(),
    }
    if result is not None:
        write_result(result, given.out)
    sys.stdout.write(json.dumps(cost) + "\n")


def write_result(result: pa.Table, path: Path) -> None:
    """A runner's cells, sorted and typed alike, so that two runners' files can be held against each other."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    quantity = pa.decimal128(18, 6)
    kinds = {"client_id": pa.string(), "service_id": pa.string(), "used_qty": quantity, "expected_qty": quantity}
    schema = pa.schema([*kinds.items(), ("variance_qty", quantity), ("monthly_amount", quantity)])
    made = result.select(schema.names).cast(schema).sort_by([("client_id", "ascending"), ("service_id", "ascending")])
    pq.write_table(made.combine_chunks(), path)


def cpu_s() -> float:
    """User and system seconds of this process so far, its children's among them."""
    own, ended = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    running = sum(_child_cpu_s(pid) for pid in _children(Path("/proc/self")))
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime + running


def peak_mb() -> float:
    """The most memory this process and its children have held."""
    return (
        sum(_peak_kb(process) for process in (Path("/proc/self"), *(Path("/proc") / pid for pid in _children(Path("/proc/self"))))) / 1024
    )


def _children(process: Path) -> list[str]:
    found: list[str] = []
    for listed in process.glob("task/*/children"):
        for pid in listed.read_text().split():
            found += [pid, *_children(Path("/proc") / pid)]
    return found


def _child_cpu_s(pid: str) -> float:
    try:
        fields = (Path("/proc") / pid / "stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:  # it has ended meanwhile
        return 0
    return sum(int(ticks) for ticks in fields[11:15]) / TICKS_A_SECOND  # its own, and of those it had that have ended


def _peak_kb(process: Path) -> int:
    try:
        lines = [line for line in (process / "status").read_text().splitlines() if line.startswith("VmHWM")]
    except FileNotFoundError:
        return 0
    return int(lines[0].split()[1]) if lines else 0  # a child that has ended holds nothing
