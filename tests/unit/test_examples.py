"""Every ``Example:`` of a docstring gives what it says."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import reconlib

MODULES = sorted(module.name for module in pkgutil.walk_packages(reconlib.__path__, "reconlib."))
WITH_EXAMPLES = ("reconlib.money", "reconlib.period", "reconlib.matching", "reconlib.errors", "reconlib.comparison")


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0
    assert result.attempted or name not in WITH_EXAMPLES
