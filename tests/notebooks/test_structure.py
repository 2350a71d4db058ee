"""Every notebook is a thin, readable page: checked on the files as they stand in git."""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
MAX_LINES = 15
DANGEROUS = ("HTML(", "Markdown(", "display(", "escape=False", ".style", "allow_html", "fmt_markdown", "Styler", "print(", "!", "%")
FORBIDDEN_NODES = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.Lambda,
    ast.ClassDef,
    ast.Try,
    ast.For,
    ast.While,
    ast.With,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)
FORBIDDEN_CALLS = {"merge", "join", "apply", "iterrows", "itertuples", "to_html", "exec", "eval"}

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def code(path: Path) -> list[Any]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def test_all_four_pages_are_there(path: Path) -> None:
    assert [p.stem for p in NOTEBOOKS] == ["10_sync", "20_mapping_review", "30_comparison", "40_sign_off"], path


def test_it_opens_with_a_title_a_question_and_what_it_reads_and_writes(path: Path) -> None:
    first = read(path).cells[0]
    assert first.cell_type == "markdown"
    assert re.match(r"# \w", first.source)
    assert "This page answers" in first.source
    assert "reads" in first.source
    assert "writes" in first.source


def test_the_second_cell_is_the_only_one_tagged_parameters_typed_and_commented(path: Path) -> None:
    cells = read(path).cells
    assert [i for i, cell in enumerate(cells) if "parameters" in cell.metadata.get("tags", [])] == [1]
    for line in cells[1].source.splitlines():
        assert re.match(r"[A-Z]+: \w+ = .+  # .+", line), line


def test_papermill_reads_the_parameters_with_their_help(path: Path) -> None:
    found = papermill.inspect_notebook(str(path))
    assert {"PARAMS", "PERIOD"} <= set(found)
    assert all(about["help"] and about["inferred_type_name"] != "None" for about in found.values())


def test_imports_stand_in_one_cell_after_the_parameters(path: Path) -> None:
    cells = code(path)
    importing = [
        i for i, cell in enumerate(cells) if any(isinstance(n, (ast.Import, ast.ImportFrom)) for n in ast.walk(ast.parse(cell.source)))
    ]
    assert importing == [1]


def test_prose_stands_above_every_code_cell(path: Path) -> None:
    cells = read(path).cells
    for before, cell in pairwise(cells):
        if cell.cell_type == "code":
            assert before.cell_type == "markdown", cell.source


def test_cells_are_short_and_end_in_one_shown_value(path: Path) -> None:
    for cell in code(path)[2:]:
        assert len(cell.source.splitlines()) < MAX_LINES, cell.source
        assert isinstance(ast.parse(cell.source).body[-1], ast.Expr), cell.source


def test_no_logic_stands_in_a_page(path: Path) -> None:
    for cell in code(path):
        for node in ast.walk(ast.parse(cell.source)):
            assert not isinstance(node, FORBIDDEN_NODES), f"{type(node).__name__} in: {cell.source}"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                assert node.func.attr not in FORBIDDEN_CALLS, cell.source


def test_nothing_that_could_run_vendor_text_is_used(path: Path) -> None:
    for cell in code(path)[1:]:
        for word in DANGEROUS:
            assert word not in cell.source, f"{word} in: {cell.source}"
        assert not re.search(r"\bmd\(\s*f['\"]", cell.source), "values go to md() by name, never into its template"


def test_outputs_are_stripped_and_ids_do_not_change(path: Path) -> None:
    node = read(path)
    assert [cell["id"] for cell in node.cells] == [str(i) for i in range(len(node.cells))]
    assert set(node.metadata) == {"kernelspec", "language_info"}
    assert node.metadata.kernelspec.name == "python3"
    for cell in code(path):
        assert cell.outputs == []
        assert cell.execution_count is None


def test_money_tables_end_with_their_total(path: Path) -> None:
    for cell in code(path):
        for call in (node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call)):
            names = {keyword.arg for keyword in call.keywords}
            assert "money" not in names or "total" in names, cell.source


def test_every_name_a_page_imports_exists(path: Path) -> None:
    namespace: dict[str, Any] = {}
    exec(code(path)[1].source, namespace)  # noqa: S102 - our own file
    assert namespace
