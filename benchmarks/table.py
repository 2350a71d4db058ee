"""The results as a page: a row a size and runner, ratios of processor time within one run, and each target with met or not met."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.machine import machine_words
from benchmarks.runners import GROUP_BY, GROUP_BY_KEYS, OURS, OURS_1GB, PANDAS, PANDAS_PLAIN, POLARS, POLARS_PLAIN, Cost, Run, Runner

Costs = Mapping[str, list[Cost]]
COLUMNS = ("records", "runner", "CPU s", "from start", "wall s", "peak MB")
RATIOS = {  # name of the column -> beside whom, and how many times its time may be taken
    "GROUP BY": (GROUP_BY, 2.5),
    "units once": (GROUP_BY_KEYS, 2.5),
    "plain pandas": (PANDAS_PLAIN, 0.25),
    "tuned pandas": (PANDAS, 0.25),
    "plain polars": (POLARS_PLAIN, 0.8),
    "tuned polars": (POLARS, 0.8),
}

HEAD = """# Benchmarks

Written by `make bench`; what is run stands in [benchmarks/README.md](../benchmarks/README.md). One machine's figures: read the ratios.

CPU is user and system time of the whole process after imports, the smallest of {repeat} runs in rotated order; "from start" has imports
in it. × is CPU beside that runner's in the same run of the bench. Peak is the highest of all runs. The cells of all runners were equal to
the last digit, or the row says otherwise.

{machine}

"""


def render_page(costs: Costs, sizes: Mapping[str, int], repeat: int) -> str:
    """The whole page as Markdown."""
    rows = [_row(cost, f"{sizes[size]:,}", found) for size, found in costs.items() for cost in found]
    targets = ["", "| target | records | measured | |", "|---|---|---:|---|", *_targets(costs, sizes)]
    heads = [" | ".join([*COLUMNS, *(f"× {name}" for name in RATIOS)]), "---|---" + "|---:" * (len(COLUMNS) - 2 + len(RATIOS))]
    table = [f"| {heads[0]} |", f"|{heads[1]}|", *rows]
    return HEAD.format(repeat=repeat, machine=machine_words()) + "\n".join([*table, *targets]) + "\n"


def _row(cost: Cost, records: str, found: list[Cost]) -> str:
    best = cost.best
    if best is None:
        return f"| {records} | {cost.runner.name} | {cost.said} |" + " |" * (len(COLUMNS) - 3 + len(RATIOS))
    ratios = [_ratio(best, _best(found, other)) for other, _ in RATIOS.values()]
    numbers = [f"{best.cpu_s:.2f}", f"{best.cpu_start_s:.2f}", f"{best.wall_s:.2f}", f"{cost.peak_mb:,.0f}", *ratios]
    return f"| {records} | {cost.runner.name} | {' | '.join(numbers)} |"


def _targets(costs: Costs, sizes: Mapping[str, int]) -> list[str]:
    rows = []
    for size, found in costs.items():
        records, ours = sizes[size], _best(found, OURS)
        if ours is None:
            continue
        if size == "small":
            rows.append(_target("200 clients × 30 services: under 0.5 s CPU after import", records, ours.cpu_s, 0.5, " s"))
            continue
        for other, most in RATIOS.values():
            if theirs := _best(found, other):
                rows.append(_target(f"CPU at most {most} × {other.name}", records, ours.cpu_s / theirs.cpu_s, most, " ×"))
        if size == "10M":
            rows.append(_target("peak memory at most 400 MB", records, _cost(found, OURS).peak_mb, 400, " MB"))
        if limited := _best(found, OURS_1GB):
            rows.append(f"| finishes with memory_limit 1 GB | {records:,} | whole process {limited.peak_mb:,.0f} MB | met |")
        elif any(cost.runner == OURS_1GB for cost in found):
            rows.append(f"| finishes with memory_limit 1 GB | {records:,} | | not met |")
    return rows


def _target(what: str, records: int, value: float, most: float, unit: str) -> str:
    return f"| {what} | {records:,} | {value:,.{0 if unit == ' MB' else 2}f}{unit} | {'met' if value <= most else 'not met'} |"


def _cost(found: list[Cost], runner: Runner) -> Cost:
    return next(cost for cost in found if cost.runner == runner)


def _best(found: list[Cost], runner: Runner) -> Run | None:
    return next((cost.best for cost in found if cost.runner == runner), None)


def _ratio(one: Run, other: Run | None) -> str:
    return f"{one.cpu_s / other.cpu_s:.2f}" if other else ""
