"""Who runs: the yardsticks, reconlib, and its rivals; and what each run cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Runner:
    """One way to go over a book's records, as a module run in a process of its own."""

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    compares: bool = True  # makes the comparison's cells; a yardstick makes nothing
    mb_a_million: int = 0  # memory it needs for a million records, roughly; 0: flat
    least: int = 0  # records below which it says nothing
    most: int = 10**12
    repeat: int = 99

    @property
    def is_ours(self) -> bool:
        """Whether its failure is the project's."""
        return self.module == "with_reconlib"

    def runs_at(self, records: int) -> bool:
        """Whether it is worth running on so many records."""
        return self.least <= records <= self.most


GROUP_BY = Runner("cheapest GROUP BY", "with_group_by", compares=False)
GROUP_BY_KEYS = Runner("GROUP BY, each unit once", "with_group_by", ("--engine", "keys"), compares=False)
OURS = Runner("reconlib, DuckDB", "with_reconlib")
OURS_1GB = Runner("reconlib, DuckDB, 1 GB", "with_reconlib", ("--memory", "1GB"), least=50_000_000)
PANDAS_PLAIN = Runner("pandas, Arrow decimals, plain", "with_plain_pandas", mb_a_million=400, most=10_000_000)
PANDAS = Runner("pandas, Arrow decimals, tuned", "with_pandas", mb_a_million=220)
POLARS_PLAIN = Runner("polars, streaming, plain", "with_plain_polars", mb_a_million=200, most=10_000_000)
POLARS = Runner("polars, streaming, tuned", "with_polars", mb_a_million=90)
SPARK = Runner("reconlib, Spark local[2]", "with_reconlib", ("--engine", "spark"), least=10_000_000, most=10_000_000, repeat=1)
RUNNERS = (GROUP_BY, GROUP_BY_KEYS, OURS, OURS_1GB, PANDAS_PLAIN, PANDAS, POLARS_PLAIN, POLARS, SPARK)


@dataclass(frozen=True)
class Run:
    """What one run cost."""

    cpu_s: float  # user and system, children included, after imports
    cpu_start_s: float  # from the start of the process
    wall_s: float
    wall_start_s: float
    peak_mb: float


@dataclass
class Cost:
    """A runner's runs over one book, or why there are none."""

    runner: Runner
    runs: list[Run] = field(default_factory=list)
    said: str = ""
    is_wrong: bool = False

    def add(self, cost: Mapping[str, float]) -> None:
        """Notes one run."""
        self.runs.append(Run(**cost))

    def fail(self, said: str, *, is_wrong: bool = False) -> None:
        """Notes why there is nothing to note."""
        self.said, self.is_wrong = said, is_wrong

    @property
    def best(self) -> Run | None:
        """The run with the least processor time; none where it did not run."""
        return min(self.runs, key=lambda run: run.cpu_s) if self.runs and not self.said else None

    @property
    def peak_mb(self) -> float:
        """The highest peak of all runs."""
        return max(run.peak_mb for run in self.runs)
