"""One tool over one set or size, in a process of its own; tells figures and cost as one line of JSON.

``python -m benchmarks.matching.one_run quality TOOL SET WAY [SHARED]`` or ``… speed TOOL ROWS``. Processor time is the user and system time
of the calls themselves, a mean over the removals; the peak is that of the whole process.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict

import numpy as np

from benchmarks.clock import cpu_s, peak_mb
from benchmarks.matching.measures import Measures, measure_case
from benchmarks.matching.organisations import make_organisations
from benchmarks.matching.plan import asked_case, removals
from benchmarks.matching.sets import Case, load_case
from benchmarks.matching.tools import TOOLS, Suggest


def main(kind: str, tool: str, what: str, *more: str) -> None:
    """Runs and prints."""
    suggest = TOOLS[tool].load()
    if kind == "speed":
        cases: Iterable[Case] = [make_organisations(int(what))]
    else:
        way, *shared = more
        whole = load_case(what, *shared)
        cases = (asked_case(whole, way, seed) for seed in removals(what))
    sys.stdout.write(json.dumps(_run(suggest, cases)) + "\n")


def _run(suggest: Suggest, cases: Iterable[Case]) -> dict[str, object]:
    found: list[Measures] = []
    spent_s: list[float] = []
    for case in cases:
        before = cpu_s()
        links = suggest(case)
        spent_s.append(cpu_s() - before)
        found.append(measure_case(case, links))
    return {
        "measures": {name: float(np.nanmean(values)) if not np.isnan(values).all() else None for name, values in _columns(found).items()},
        "cpu_s": sum(spent_s) / len(spent_s),
        "peak_mb": peak_mb(),
    }


def _columns(found: list[Measures]) -> dict[str, np.ndarray]:
    rows = [asdict(one) for one in found]
    return {name: np.array([row[name] for row in rows], dtype=float) for name in rows[0]}


if __name__ == "__main__":
    main(*sys.argv[1:])
