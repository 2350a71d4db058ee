"""Golden books: a tiny month each, raw vendor pages in, every output out; the README of each holds the sum done by hand."""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
BOOKS = sorted(path.name for path in HERE.iterdir() if path.is_dir() and not path.name.startswith(("_", ".")))


@pytest.mark.parametrize("name", BOOKS)
def test_book_gives_what_was_worked_out_by_hand(name: str, run_book: Callable[[Path], dict[str, str]], update_golden: bool) -> None:  # noqa: FBT001 - a fixture
    book = HERE / name
    assert (book / "README.md").is_file(), f"{name} has no README.md with its hand calculation"
    made = run_book(book)
    if update_golden:
        write_expected(book / "out", made)
    difference = compare_expected(book / "out", made)
    assert not difference, f"{name} gives something else; check every amount by hand before --update-golden\n{difference}"


def test_a_missing_a_left_over_and_a_different_file_are_each_reported(tmp_path: Path) -> None:
    write_expected(tmp_path, {"left.csv": "a\n", "2026-09/same.csv": "b\n", "other.csv": "qty\n1\n"})
    difference = compare_expected(tmp_path, {"2026-09/same.csv": "b\n", "new.csv": "c\n", "other.csv": "qty\n2\n"})
    assert "left.csv is expected and was not made" in difference
    assert "new.csv was made and is not expected" in difference
    assert "-1\n+2" in difference
    assert "same.csv" not in difference


def compare_expected(folder: Path, made: dict[str, str]) -> str:
    """What differs between the files of a folder and what was made; empty when nothing does."""
    expected = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    said = [f"{name} is expected and was not made\n" for name in sorted(expected.keys() - made.keys())]
    said += [f"{name} was made and is not expected\n" for name in sorted(made.keys() - expected.keys())]
    for name in sorted(made.keys() & expected.keys()):
        before, after = expected[name].read_text("utf-8").splitlines(keepends=True), made[name].splitlines(keepends=True)
        said += difflib.unified_diff(before, after, f"expected {name}", f"made {name}", n=1)
    return "".join(said)


def write_expected(folder: Path, made: dict[str, str]) -> None:
    """Write what was made as what is expected."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, text in made.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", newline="\n")
