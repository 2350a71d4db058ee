"""What one run gave, and how it is started: a process of its own, one thread, a limit of time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.matching.tools import Tool

TIME_LIMIT_S = 3600
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True, slots=True)
class Result:
    """The figures of one tool over one set or size, or why there are none."""

    tool: str
    what: str  # set, or rows
    way: str  # how it was asked; "speed" for a size
    measures: dict[str, float | None] = field(default_factory=dict)
    cpu_s: float = float("nan")
    peak_mb: float = float("nan")
    said: str = ""

    def value(self, measure: str) -> float:
        """One figure; NaN where it could not be taken."""
        found = self.measures.get(measure)
        return float("nan") if found is None else found


def run_quality(tool: Tool, set_name: str, way: str, shared: Path | None) -> Result:
    """Quality of a tool over a set."""
    return _run(tool, set_name, way, ["quality", tool.name, set_name, way, *([str(shared)] if shared else [])])


def run_speed(tool: Tool, rows: int, repeat: int) -> Result:
    """Cost of a tool over a size: the least processor time and the highest peak of the runs."""
    found = [_run(tool, str(rows), "speed", ["speed", tool.name, str(rows)]) for _ in range(repeat)]
    failed = next((one for one in found if one.said), None)
    least = min(found, key=lambda one: one.cpu_s)
    return failed or Result(tool.name, str(rows), "speed", least.measures, least.cpu_s, max(one.peak_mb for one in found))


def read_results(path: Path | None) -> list[Result]:
    """What an earlier run kept; nothing where there is none."""
    return [Result(**one) for one in json.loads(path.read_text("utf-8"))] if path and path.is_file() else []


def write_results(path: Path, results: Iterable[Result]) -> None:
    """Keeps what can be taken up again; a run that failed is not kept."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(one) for one in results if not one.said], indent=1) + "\n", "utf-8")


def _run(tool: Tool, what: str, way: str, arguments: list[str]) -> Result:
    command = [sys.executable, "-m", "benchmarks.matching.one_run", *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            command, capture_output=True, text=True, check=True, timeout=TIME_LIMIT_S, env=os.environ | ONE_THREAD
        )
    except subprocess.TimeoutExpired:
        return Result(tool.name, what, way, said=f"not finished in {TIME_LIMIT_S} s")
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stderr.strip().splitlines() if not line.startswith("Hint:")]
        last = lines[-1] if lines else f"ended with {error.returncode}"
        return Result(tool.name, what, way, said=f"failed: {last[:160]}".replace("|", "/"))
    return Result(tool.name, what, way, **json.loads(done.stdout.splitlines()[-1]))
