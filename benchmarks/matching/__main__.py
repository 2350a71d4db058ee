"""``make bench-matching``: every tool over every set, then speed; a table to the terminal and to docs/matching_benchmarks.md.

Exit code 0, also when a target is missed (the page says so); 1 when a run of reconlib fails; 3 when the labelled sets are absent: then the
speed is taken, and the page says that quality was not measured.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.matching.page import render_page
from benchmarks.matching.plan import HALF, PLAIN, SIZES, WAYS
from benchmarks.matching.results import Result, read_results, run_quality, run_speed, write_results
from benchmarks.matching.sets import SETS, SharedDataAbsentError, shared_data
from benchmarks.matching.tools import OURS, RECIPE, TOOLS

PAGE = Path("docs/matching_benchmarks.md")
ABSENT = 3
EARLIER = "The quality of the other tools was taken in an earlier run on this machine, of the same rows."
REPEATED_UP_TO = 10_000  # rows; larger sizes run once


def main() -> int:
    """Exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.matching")
    parser.add_argument("--sets", nargs="*", choices=SETS, default=None, metavar="SET", help=f"of {', '.join(SETS)}; default: all")
    parser.add_argument("--sizes", nargs="*", type=int, default=None, metavar="ROWS", help="default: 200 10000 100000")
    parser.add_argument("--tools", nargs="*", choices=TOOLS, default=list(TOOLS), metavar="TOOL", help=f"of {', '.join(TOOLS)}")
    parser.add_argument("--shared", type=Path, default=None, help="folder of the labelled sets; default: RECON_SHARED or ../shared")
    parser.add_argument("--out", type=Path, default=None, help=f"default: {PAGE} when everything is run, else only the terminal")
    parser.add_argument(
        "--keep", type=Path, default=None, help="file that keeps the other tools' quality, so that only reconlib runs again"
    )
    given = parser.parse_args()
    is_whole = given.sets is None and given.sizes is None and len(given.tools) == len(TOOLS)
    only_sizes = given.sets is None and given.sizes is not None
    sets = [] if only_sizes else list(SETS) if given.sets is None else given.sets
    only_sets = given.sizes is None and given.sets is not None
    sizes = [] if only_sets else list(SIZES) if given.sizes is None else given.sizes
    said, kept = "", read_results(given.keep)
    try:
        results = _measure_quality(sets, given.tools, given.shared, kept)
        if given.keep:
            write_results(given.keep, [*kept, *(one for one in results if one.tool != OURS.name and one not in kept)])
    except SharedDataAbsentError as error:
        results, said = [], str(error)
        _say(said)
    results += _measure_speed(sizes, given.tools)
    page = render_page(results, said=said or (EARLIER if kept else ""))
    _say(page)
    if out := given.out or (PAGE if is_whole and not said else None):
        out.write_text(page, encoding="utf-8")
    if said:
        return ABSENT
    return 1 if any(one.tool == OURS.name and one.said for one in results) else 0


def _measure_quality(sets: list[str], tools: list[str], shared: Path | None, kept: list[Result]) -> list[Result]:
    if sets:
        shared_data(shared)
    found = []
    for way, asked in WAYS.items():
        for set_name in (name for name in asked if name in sets):
            for tool in (TOOLS[name] for name in tools):
                if way == PLAIN or tool == OURS or (way == HALF and tool.knows_labels):
                    known = next((one for one in kept if (one.tool, one.what, one.way) == (tool.name, set_name, way)), None)
                    found.append(known or run_quality(tool, set_name, way, shared))
                    _say_result(found[-1])
    return found


def _measure_speed(sizes: list[int], tools: list[str]) -> list[Result]:
    found = []
    for rows in sizes:
        for tool in (tool for tool in (OURS, RECIPE) if tool.name in tools):
            found.append(run_speed(tool, rows, 3 if rows <= REPEATED_UP_TO else 1))
            _say_result(found[-1])
    return found


def _say_result(one: Result) -> None:
    figures = one.said or f"F1 {one.value('f1'):.3f}, {one.cpu_s:.2f} CPU s"
    _say(f"  {one.what}, {one.way}, {one.tool}: {figures}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
