"""Who matches: reconlib, the recipe, and the tools people use; each is one function from a case to its links."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from benchmarks.matching.sets import Case

Suggest = Callable[[Case], pd.DataFrame]


@dataclass(frozen=True, slots=True)
class Tool:
    """One way to suggest links, and what it imports when it is first used (kept out of its processor time)."""

    name: str
    module: str
    function: str
    imports: tuple[str, ...]
    knows_labels: bool  # whether known decisions can change what it suggests

    def load(self) -> Suggest:
        """Its function, with everything imported."""
        for name in self.imports:
            importlib.import_module(name)
        found: Suggest = getattr(importlib.import_module(f"benchmarks.matching.{self.module}"), self.function)
        return found


OURS = Tool(
    "reconlib",
    "with_reconlib",
    "suggest_by_reconlib",
    ("reconlib.matching", "anyascii", "rapidfuzz.process", "scipy.sparse", "sklearn.feature_extraction.text", "tldextract"),
    knows_labels=True,
)
RECIPE = Tool(
    "TF-IDF recipe", "baseline", "suggest_by_recipe", ("anyascii", "sklearn.feature_extraction.text", "sparse_dot_topn"), knows_labels=True
)
WRATIO = Tool("rapidfuzz WRatio", "with_wratio", "suggest_by_wratio", ("rapidfuzz.process",), knows_labels=False)
RECORDLINKAGE = Tool("recordlinkage", "with_recordlinkage", "suggest_by_recordlinkage", ("recordlinkage",), knows_labels=False)
SPLINK = Tool("splink", "with_splink", "suggest_by_splink", ("splink", "splink.backends.duckdb"), knows_labels=False)
TOOLS = {tool.name: tool for tool in (OURS, RECIPE, WRATIO, RECORDLINKAGE, SPLINK)}
