"""The machine in words, and how much of its memory is free. No host, no user, no path."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("duckdb", "pyarrow", "pandas", "polars", "pyspark")


def machine_words(packages: Sequence[str] = PACKAGES, threads: str = "two threads each") -> str:
    """One sentence about processor, memory and versions."""
    names = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory_gb = _memory_kb("MemTotal") / 1024**2
    versions = ", ".join(f"{name} {found}" for name in packages if (found := _version(name)))
    what = f"{os.cpu_count()} cores ({names[0] if names else platform.machine()}), {memory_gb:.0f} GB, {platform.system()}"
    return f"{what}; Python {platform.python_version()}, {versions}; {threads}."


def available_mb() -> int:
    """Memory a process could still take."""
    return _memory_kb("MemAvailable") // 1024


def _memory_kb(name: str) -> int:
    return int(next(line for line in _lines("/proc/meminfo") if line.startswith(name)).split()[1])


def _lines(path: str) -> list[str]:
    return Path(path).read_text("utf-8").splitlines()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
