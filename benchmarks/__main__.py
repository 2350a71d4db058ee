"""``make bench``: every runner over every book, each in a process of its own; a table to the terminal and to docs/benchmarks.md.

Each runs three times in rotated order, because machines are shared; the smallest processor time counts. Runners whose cells differ from
reconlib's by one digit end the bench with exit code 1; a missed target is said, and is not an error.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from benchmarks.machine import available_mb
from benchmarks.runners import OURS, RUNNERS, Cost, Runner
from benchmarks.table import render_page

SIZES = {"small": 60_000, "1M": 1_000_000, "10M": 10_000_000, "50M": 50_000_000, "100M": 100_000_000}
PAGE = Path("docs/benchmarks.md")
TIME_LIMIT_S = 3600


def main() -> int:
    """Exit code: 0; 1 when two runners disagree or one of ours fails."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("sizes", nargs="+", choices=SIZES)
    parser.add_argument("--folder", type=Path, default=Path(".recon/bench"), help="where the books are made, and kept")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[], help="runners by module, such as with_polars")
    given = parser.parse_args()
    costs: dict[str, list[Cost]] = {}
    for size in dict.fromkeys(["small", *given.sizes]):
        book = given.folder / size
        _say(f"{size}: {SIZES[size]:,} records")
        subprocess.run([sys.executable, "-m", "benchmarks.making", str(book), str(SIZES[size])], check=True)  # noqa: S603 - our own module
        chosen = [r for r in RUNNERS if r.runs_at(SIZES[size]) and (not given.only or r.module in given.only)]
        costs[size] = _measure(chosen, book, SIZES[size], given.repeat)
    page = render_page(costs, SIZES, given.repeat)
    if not given.only:
        PAGE.write_text(page, encoding="utf-8")
    _say(page)
    wrong = [cost for found in costs.values() for cost in found if cost.is_wrong]
    for cost in wrong:
        _say(f"{cost.runner.name}: {cost.said}")
    return 1 if wrong else 0


def _measure(runners: list[Runner], book: Path, records: int, repeat: int) -> list[Cost]:
    costs = [Cost(runner) for runner in runners]
    for turn in range(repeat):
        for cost in [*costs[turn % len(costs) :], *costs[: turn % len(costs)]]:
            if not cost.said and turn < cost.runner.repeat:
                _run(cost, book, records)
                _say(f"  {cost.runner.name}: {cost.said or f'{cost.runs[-1].cpu_s:.2f} CPU s'}")
    ran = [cost for cost in costs if cost.runner.compares and not cost.said]
    for cost in ran if any(cost.runner == OURS for cost in ran) else ():
        if found := _difference(_out(book, OURS), _out(book, cost.runner)):
            cost.fail(f"other cells than {OURS.name}: {found}", is_wrong=True)
    return costs


def _run(cost: Cost, book: Path, records: int) -> None:
    runner = cost.runner
    needed = runner.mb_a_million * records // 1_000_000
    if needed > available_mb():
        cost.fail(f"not run: would need about {needed:,} MB, more than is free")
        return
    command = [sys.executable, "-m", f"benchmarks.{runner.module}", str(book), str(_out(book, runner)), *runner.arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=TIME_LIMIT_S)  # noqa: S603 - our own module
    except subprocess.TimeoutExpired:
        cost.fail(f"not finished in {TIME_LIMIT_S} s", is_wrong=runner.is_ours)
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip() or f"ended with {error.returncode}").splitlines()[-1]
        cost.fail(f"failed: {last[:200]}", is_wrong=runner.is_ours)
    else:
        cost.add(json.loads(done.stdout.splitlines()[-1]))


def _out(book: Path, runner: Runner) -> Path:
    return book / f"cells_{runner.module}_{'_'.join(runner.arguments).strip('-') or 'plain'}.parquet"


def _difference(one: Path, other: Path) -> str:
    """What differs between two files of cells; empty: nothing, to the last digit."""
    import pyarrow.parquet as pq

    ours, theirs = pq.read_table(one), pq.read_table(other)
    if ours.num_rows != theirs.num_rows:
        return f"{theirs.num_rows} cells instead of {ours.num_rows}"
    wrong = [name for name in ours.schema.names if not ours[name].equals(theirs[name])]
    return f"columns {', '.join(wrong)}" if wrong else ""


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
