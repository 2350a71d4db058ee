"""The results as a Markdown page: quality a set and tool, what was to be reached, calibration, speed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from benchmarks.machine import machine_words
from benchmarks.matching.plan import CALIBRATION, FIFTY, HALF, PLAIN, SIZES, TARGETS, Target, removals
from benchmarks.matching.results import Result
from benchmarks.matching.tools import OURS, RECIPE
from benchmarks.matching.with_reconlib import has_seen

PACKAGES = ("pandas", "numpy", "scipy", "scikit-learn", "rapidfuzz", "sparse-dot-topn", "recordlinkage", "splink", "duckdb")
WORDS = {
    "ap": "AP",
    "f1": "F1",
    "r_at_p99": "R@P99",
    "top1": "top-1",
    "ece": "ECE",
    "auto_precision": "precision of AUTO",
    "auto_share": "true links AUTO",
}

HEAD = """# Matching benchmarks

Written by `make bench-matching`; what is run stands in [benchmarks/matching/README.md](../benchmarks/matching/README.md).
One machine's figures: compare rows of one table, not pages.

{machine}

"""
QUALITY = """## {title}

{text}

| set | tool | AP | F1 | R@P99 | top-1 | ECE | CPU s | peak MB |
|---|---|---:|---:|---:|---:|---:|---:|---:|
"""
PLAIN_TEXT = """30 % of the left rows that have a partner are removed by a hash, so that about 30 % of the right rows have no right answer;
figures are means over several draws
({draws}).
The product sets (`ms_sku_*`) and the shop pairs (`amazon_google`, best links among pairs somebody labelled) are whole.
AP is the area under precision over recall of the best links; R@P99 the share of true links that can be accepted with 99 of 100 right;
ECE the calibration error over the proposed links, in ten bins."""
HALF_TEXT = """Half of the right rows, by hash, are decisions known beforehand; the figures are those of the other half. The recipe takes a
known name as a second name of its left row. The other tools take no single decisions."""


def render_page(results: Sequence[Result], *, said: str = "") -> str:
    """The whole page; ``said`` stands at its top."""
    parts = [HEAD.format(machine=machine_words(PACKAGES, "one thread each, DuckDB two"))]
    if said:
        parts.append(f"{said}\n\n")
    draws = "; ".join(f"{name} {len(removals(name))}" for name in dict.fromkeys(one.what for one in _of(results, PLAIN)))
    parts += _quality(results, PLAIN, "Quality without labels", PLAIN_TEXT.format(draws=draws))
    parts += _quality(results, HALF, "Quality with half of the labels known", HALF_TEXT)
    if any(one.way in (PLAIN, HALF) for one in results):
        parts += [_prior_words(results), _targets(results), _beaten(results)]
    parts += _calibration(results)
    parts += _speed(results)
    return "".join(parts).rstrip("\n") + "\n"


def _quality(results: Sequence[Result], way: str, title: str, text: str) -> list[str]:
    found = _of(results, way)
    return [QUALITY.format(title=title, text=text), *(_quality_row(one) for one in found), "\n"] if found else []


def _quality_row(one: Result) -> str:
    if one.said:
        return f"| {one.what} | {one.tool} | {one.said} | | | | | | |\n"
    figures = [_three(one.value(name)) for name in ("ap", "f1", "r_at_p99", "top1", "ece")]
    return f"| {one.what} | {one.tool} | {' | '.join(figures)} | {one.cpu_s:.2f} | {one.peak_mb:,.0f} |\n"


def _prior_words(results: Iterable[Result]) -> str:
    names = dict.fromkeys(one.what for one in results if one.tool == OURS.name and one.way in (PLAIN, HALF, FIFTY))
    seen = [name for name in names if has_seen(name)]
    if not seen:
        return "reconlib judges each set by a prior that was learnt without it.\n\n"
    return f"reconlib judges by the shipped prior, which has seen the set, for: {', '.join(seen)}; else by one learnt without it.\n\n"


def _targets(results: Sequence[Result]) -> str:
    head = "## To reach\n\n| set | labels | figure | reconlib | best other here | to reach | |\n|---|---|---|---:|---:|---:|---|\n"
    rows = []
    for target in TARGETS:
        if (ours := _ours(results, target)) is None:
            continue
        others = [one for one in _of(results, target.way) if one.what == target.set_name and one.tool != OURS.name and not one.said]
        best = max(others, key=lambda one: one.value(target.measure), default=None)
        beside = f"{_three(best.value(target.measure))} {best.tool}" if best else ""
        rows.append(
            f"| {target.set_name} | {target.way} | {WORDS[target.measure]} | {_three(ours.value(target.measure))} | {beside} "
            f"| ≥ {target.limit:.3f} | {_met(target.is_met(ours.value(target.measure)))} |\n"
        )
    return "".join([head, *rows, "\n"]) if rows else ""


def _beaten(results: Sequence[Result]) -> str:
    text = "The TF-IDF recipe must be beaten on every set, by AP and F1:\n\n"
    head = f"{text}| set | labels | AP − recipe's | F1 − recipe's | |\n|---|---|---:|---:|---|\n"
    rows = []
    for ours in results:
        theirs = next((one for one in results if (one.tool, one.what, one.way) == (RECIPE.name, ours.what, ours.way)), None)
        if ours.tool != OURS.name or ours.way not in (PLAIN, HALF) or theirs is None or theirs.said or ours.said:
            continue
        ahead = [ours.value(name) - theirs.value(name) for name in ("ap", "f1")]
        rows.append(f"| {ours.what} | {ours.way} | {ahead[0]:+.3f} | {ahead[1]:+.3f} | {_met(min(ahead) > 0)} |\n")
    return "".join([head, *rows, "\n"]) if rows else ""


def _calibration(results: Sequence[Result]) -> list[str]:
    found = [one for one in results if one.tool == OURS.name and one.way in (PLAIN, FIFTY) and not one.said]
    if not found:
        return []
    text = "## Calibration\n\nreconlib's own verdicts; AUTO is p ≥ .98 with a margin, no conflict and enough kinds of evidence.\n\n"
    head = "| set | decisions | precision of AUTO | true links AUTO | ECE |\n|---|---:|---:|---:|---:|\n"
    figures = ("auto_precision", "auto_share", "ece")
    rows = [
        f"| {one.what} | {_decisions(one.way)} | {' | '.join(_three(one.value(name)) for name in figures)} |\n"
        for one in sorted(found, key=lambda one: one.what)
    ]
    aims = "\n| set | decisions | figure | reconlib | to reach | |\n|---|---:|---|---:|---:|---|\n"
    met = []
    for target in CALIBRATION:
        if (ours := _ours(results, target)) is not None:
            value, sign = ours.value(target.measure), "≤" if target.is_most else "≥"
            met.append(
                f"| {target.set_name} | {_decisions(target.way)} | {WORDS[target.measure]} | {_three(value)} "
                f"| {sign} {target.limit:.3f} | {_met(target.is_met(value))} |\n"
            )
    return [text, head, *rows, *([aims, *met] if met else []), "\n"]


def _speed(results: Sequence[Result]) -> list[str]:
    found = _of(results, "speed")
    if not found:
        return []
    text = (
        "## Speed\n\nMade-up organisation names, one to one, seven of ten with a partner; processor time of the call after imports, the\n"
        "least of three runs (of one at the largest size). F1 is that of the made-up names: it says that the work was done,\n"
        "not how good it is.\n\n"
    )
    head = "| rows | tool | CPU s | × recipe | peak MB | F1 | to reach | |\n|---|---|---:|---:|---:|---:|---|---|\n"
    return [text, head, *(_speed_row(one, found) for one in found), "\n"]


def _speed_row(one: Result, found: Sequence[Result]) -> str:
    rows = f"{int(one.what):,} × {int(one.what):,}"
    if one.said:
        return f"| {rows} | {one.tool} | {one.said} | | | | | {'not met' if one.tool == OURS.name else ''} |\n"
    recipe = next((other for other in found if other.what == one.what and other.tool == RECIPE.name and not other.said), None)
    ratio = f"{one.cpu_s / recipe.cpu_s:.1f}" if recipe else ""
    aim = SIZES.get(int(one.what)) if one.tool == OURS.name else None
    wanted = met = ""
    if aim:
        wanted = f"≤ {aim.cpu_s:g} CPU s" + (f", ≤ {aim.peak_mb:,.0f} MB" if aim.peak_mb else "")
        met = _met(one.cpu_s <= aim.cpu_s and (aim.peak_mb is None or one.peak_mb <= aim.peak_mb))
    return f"| {rows} | {one.tool} | {one.cpu_s:.2f} | {ratio} | {one.peak_mb:,.0f} | {_three(one.value('f1'))} | {wanted} | {met} |\n"


def _of(results: Iterable[Result], way: str) -> list[Result]:
    return [one for one in results if one.way == way]


def _ours(results: Iterable[Result], target: Target) -> Result | None:
    return next((one for one in results if (one.tool, one.what, one.way) == (OURS.name, target.set_name, target.way)), None)


def _decisions(way: str) -> int:
    return 50 if way == FIFTY else 0


def _three(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"


def _met(is_met: bool) -> str:  # noqa: FBT001 - the word for it
    return "met" if is_met else "not met"
