"""The numbered rules, the tests of each, and whether they pass: what ``make rules`` prints. Ends with 1 where a rule has neither a passing test nor a reason."""

from __future__ import annotations

import os
import re
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RULES = range(1, 132)
WIDTH = 96


class Outcomes:
    """What became of each test that carries a rule's number in its name."""

    def __init__(self) -> None:
        self.found: dict[int, dict[str, set[str]]] = {}  # rule -> file -> outcomes

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if numbers(item.name)]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            path, _, name = report.nodeid.partition("::")
            for number in numbers(name):
                self.found.setdefault(number, {}).setdefault(path, set()).add(report.outcome)


def numbers(name: str) -> list[int]:
    """Rules a test's name carries.

    Example:
        >>> numbers("test_t34_t56_a_clients_exception[more0-28]")
        [34, 56]
    """
    return [int(number) for number in re.findall(r"_t(\d+)(?=_)", name.partition("[")[0])]


def read_table() -> tuple[dict[int, tuple[str, list[str]]], dict[int, str]]:
    """Rules in force (text, files that test them), and rules left out (reason)."""
    in_force, left = (ROOT / "docs/rules.md").read_text("utf-8").split("## Left out")
    rows = re.findall(r"^\| T(\d+) \| (.*) \| (.*) \|$", in_force, re.MULTILINE)
    reasons = re.findall(r"^\| T(\d+) \| (.*) \|$", left, re.MULTILINE)
    return {int(n): (text, re.findall(r"`([^`]+)`", files)) for n, text, files in rows}, {int(n): why for n, why in reasons}


def main() -> int:
    """Runs the tests and prints the table."""
    in_force, left = read_table()
    outcomes = Outcomes()
    files = sorted({path for _, paths in in_force.values() for path in paths})
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        pytest.main(files, plugins=[outcomes])
    bad = 0
    for number in RULES:
        text, paths = in_force.get(number, (left.get(number, ""), []))
        here = {path: found for path, found in outcomes.found.get(number, {}).items() if path in paths}
        words = set().union(*here.values()) if here else set()
        if number in in_force and set(paths) <= here.keys() and words == {"passed"}:
            status = "passed"
        elif number in left and number not in in_force:
            status = "left out"
        else:
            status, bad = (" and ".join(sorted(words)) or "no test"), bad + 1
        shown = text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"
        sys.stdout.write(f"T{number:<4} {status:<9} {shown:<{WIDTH}} {' '.join(sorted(here))}\n")
    counted = len(in_force)
    sys.stdout.write(f"{counted} rules in force, {len(left)} left out with a reason, {bad} without a passing test or a reason\n")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
