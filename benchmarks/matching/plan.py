"""What is run, and what is to be reached: sets, ways to ask, how many removals are averaged, and the figures each must have."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.matching.sets import CLOSED, SETS, Case, half_labels, open_world, some_labels

PLAIN, HALF, FIFTY = "no labels", "half labels", "50 decisions"
WAYS = {
    PLAIN: tuple(SETS),
    HALF: ("canlobby", "chicago_sites"),
    FIFTY: tuple(name for name in SETS if name not in CLOSED),
}
REMOVALS = 4  # how often the 30 % are drawn anew; the figures are means
FEWER_REMOVALS = {"sec_listings": 2, "twofa_name_domain": 2, "fd_name_domain": 1} | dict.fromkeys(CLOSED, 1)
ONE_TO_ONE_NAMES = ("sec_listings", "sec_yahoo")
AUTO_PRECISION, AUTO_SHARE, ECE = 0.995, 0.75, 0.03


@dataclass(frozen=True, slots=True)
class Target:
    """One figure to reach."""

    set_name: str
    way: str
    measure: str  # a field of Measures
    limit: float
    is_most: bool = False  # at most instead of at least

    def is_met(self, value: float) -> bool:
        """Whether the value, as printed, reaches it; a figure that could not be taken does not."""
        shown = round(value, 3)
        return shown <= self.limit if self.is_most else shown >= self.limit


TARGETS = (
    Target("canlobby", PLAIN, "ap", 0.93),
    Target("canlobby", PLAIN, "f1", 0.90),
    Target("canlobby", HALF, "ap", 0.96),
    Target("canlobby", HALF, "f1", 0.94),
    Target("canlobby", HALF, "r_at_p99", 0.85),
    Target("sec_listings", PLAIN, "f1", 0.990),
    Target("sec_listings", PLAIN, "r_at_p99", 0.985),
    Target("sec_yahoo", PLAIN, "f1", 0.992),
    Target("sec_yahoo", PLAIN, "top1", 0.990),
    Target("chicago_sites", PLAIN, "f1", 0.95),
    Target("chicago_sites", HALF, "f1", 0.97),
    Target("chicago_sites", HALF, "r_at_p99", 0.93),
    Target("twofa_name_domain", PLAIN, "f1", 0.93),
    Target("fd_name_domain", PLAIN, "f1", 0.84),
    Target("ms_sku_drift", PLAIN, "top1", 0.90),
)
CALIBRATION = (
    *(Target(name, PLAIN, "auto_precision", AUTO_PRECISION) for name in ONE_TO_ONE_NAMES),
    *(Target(name, PLAIN, "auto_share", AUTO_SHARE) for name in ONE_TO_ONE_NAMES),
    *(Target(name, FIFTY, "ece", ECE, is_most=True) for name in WAYS[FIFTY]),
)


@dataclass(frozen=True, slots=True)
class SpeedTarget:
    """Processor seconds and peak memory of one size, one thread."""

    cpu_s: float
    peak_mb: float | None = None


SIZES = {200: SpeedTarget(0.3), 10_000: SpeedTarget(10, 500), 100_000: SpeedTarget(300)}


def removals(set_name: str) -> range:
    """The seeds a set is measured with."""
    return range(FEWER_REMOVALS.get(set_name, REMOVALS))


def asked_case(case: Case, way: str, seed: int) -> Case:
    """The case as it is asked: with its left rows removed (the sets of products are whole), and with what is known beforehand."""
    case = case if case.name in CLOSED else open_world(case, seed)
    if way == HALF:
        return half_labels(case, seed)
    return some_labels(case, 50, seed) if way == FIFTY else case
