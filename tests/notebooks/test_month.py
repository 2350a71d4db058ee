"""The four notebooks as production runs them, on a small made-up MSP: two months, decided, signed, published."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pyarrow.parquet as pq
import pytest
from small_project import HERE, PARAMS, digest_files, make_project

from reconlib.demo import run_demo
from reconlib.errors import DataError, SettingsError, SignOffError
from reconlib.month import open_month
from reconlib.monthly import RunResult, run_month
from reconlib.notebooks import check_parameters, execute_notebook, restore_error
from reconlib.people import import_month_decisions, reopen_month, sign_month
from reconlib.report.archive import read_manifest, verify_version
from reconlib.review import write_queue
from reconlib.steps import compare_month

pytestmark = pytest.mark.slow

FILES = {
    *(f"{page}.{kind}" for page in ("10_sync", "20_mapping_review", "30_comparison", "40_sign_off") for kind in ("ipynb", "html")),
    *("index.html", "manifest.json", "findings.parquet", "findings.csv", "findings.xlsx", "units.csv", "changes.csv", "changes.json"),
    *("chronic.csv", "renewals.csv", "since_last_month.csv"),
}


@dataclass(frozen=True)
class Demo:
    """What ``recon demo`` left."""

    root: Path
    result: RunResult
    said: list[str]

    @property
    def book(self) -> Path:
        return self.root / "reports" / "harbor-msp"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    root = make_project(tmp_path_factory.mktemp("demo"))
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("PYTHONPATH", str(HERE))  # the kernels find this code, installed or not
        result = run_demo(said.append)
    return Demo(root, result, said)


@pytest.fixture
def inside(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> Demo:
    monkeypatch.chdir(demo.root)
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    return demo


def test_it_publishes_both_months_whole_and_says_where(demo: Demo) -> None:
    for period in ("2026-09", "2026-10"):
        folder = demo.book / period / "v1"
        assert set(digest_files(folder)) == FILES
        assert verify_version(folder) == []
        assert sorted(path.name for path in (demo.book / period).iterdir()) == ["v1"]
    assert demo.result.exit_code == 0
    assert str(demo.book / "2026-10" / "v1" / "index.html") in demo.said[-1]
    index = (demo.root / "reports" / "index.html").read_text("utf-8")
    assert "2026-09" in index
    assert "2026-10" in index


def test_the_first_month_is_approved_and_has_a_change_file_the_second_is_a_draft(demo: Demo) -> None:
    first, second = (read_manifest(demo.book / period / "v1") for period in ("2026-09", "2026-10"))
    assert (first["status"], first["preparer"], first["reviewer"]) == ("approved", "demo preparer", "demo reviewer")
    assert (second["status"], second["preparer"]) == ("draft", "")
    changes = json.loads((demo.book / "2026-09" / "v1" / "changes.json").read_text("utf-8"))
    assert changes
    assert {change["effective_date"] for change in changes} == {"2026-10-01"}
    assert json.loads((demo.book / "2026-10" / "v1" / "changes.json").read_text("utf-8")) == []


def test_the_pages_hold_the_sections_and_the_charts(demo: Demo) -> None:
    folder = demo.book / "2026-10" / "v1"
    pages = {path.stem: path.read_text("utf-8") for path in folder.glob("*.html")}
    assert sum(page.count('<figure class="chart">') for page in pages.values()) >= 4
    assert "Under-billed" in pages["30_comparison"]
    assert "Over-billed" in pages["30_comparison"]
    assert "Not comparable" in pages["30_comparison"]
    assert "Not ready" in pages["40_sign_off"]
    assert "approved by demo reviewer" in (demo.book / "2026-09" / "v1" / "40_sign_off.html").read_text("utf-8")
    assert all("This page answers" in pages[name] for name in ("10_sync", "20_mapping_review", "30_comparison", "40_sign_off"))


def test_nothing_of_the_machine_or_the_run_stands_in_the_archive(demo: Demo) -> None:
    for path in demo.book.rglob("*"):
        if path.suffix in (".html", ".ipynb", ".json", ".csv"):
            text = path.read_text("utf-8")
            assert str(demo.root) not in text, path
            assert "papermill" not in text, path
            assert "sandbox-" not in text, f"a credential stands in {path}"
    for path in demo.book.rglob("*.ipynb"):
        outputs = [output for cell in nbformat.read(path, as_version=4).cells for output in cell.get("outputs", [])]
        assert outputs
        assert not [output for output in outputs if output.output_type == "stream"], path


def test_running_again_changes_nothing(inside: Demo) -> None:
    before = digest_files(inside.root / "reports")
    result = run_month(PARAMS, "2026-10")
    assert (result.changed, result.exit_code) == (False, 0)
    assert digest_files(inside.root / "reports") == before


def test_from_a_later_step_the_pages_before_it_are_kept(inside: Demo) -> None:
    before = digest_files(inside.root / "reports")
    said: list[str] = []
    assert not run_month(PARAMS, "2026-10", from_step="sign_off", say=said.append).changed
    assert said == ["40_sign_off …"]
    assert digest_files(inside.root / "reports") == before


def test_an_approved_month_is_neither_run_nor_read_again(inside: Demo) -> None:
    before = digest_files(inside.root / "reports")
    said: list[str] = []
    assert not run_month(PARAMS, "2026-09", say=said.append).changed
    assert said == ["2026-09 v1 is approved and published; nothing to do"]
    with pytest.raises(SignOffError, match="reading the sources again would change it"):
        run_month(PARAMS, "2026-09", refresh=True)
    assert digest_files(inside.root / "reports") == before


def test_a_signed_month_whose_rules_changed_is_refused_before_anything_is_touched(inside: Demo) -> None:
    rules = inside.root / "params" / "rules" / "default.yaml"
    text = rules.read_text("utf-8")
    before = digest_files(inside.root / "reports") | digest_files(inside.root / ".recon" / "harbor-msp" / "periods")
    rules.write_text(text.replace("stale_days: 30", "stale_days: 60"), "utf-8")
    try:
        with pytest.raises(SignOffError, match=r"differs in params/rules/default\.yaml"):
            run_month(PARAMS, "2026-09")
    finally:
        rules.write_text(text, "utf-8")
    assert digest_files(inside.root / "reports") | digest_files(inside.root / ".recon" / "harbor-msp" / "periods") == before


def test_no_decision_can_be_added_to_a_signed_month(inside: Demo) -> None:
    month = open_month(PARAMS, "2026-09")
    finding = compare_month(month).findings.to_pylist()[0]
    row = {"relation": "finding", "finding_id": finding["finding_id"], "decision": "dismiss", "reason": "late"}
    write_queue(inside.root / "late.csv", [row])
    with pytest.raises(SignOffError, match="2026-09 is signed"):
        import_month_decisions(month, inside.root / "late.csv", who="the analyst", at=month.now())


def test_an_unknown_step_and_an_unknown_parameter_are_refused_with_the_nearest(inside: Demo) -> None:
    with pytest.raises(SettingsError, match="no step 'compare'") as caught:
        run_month(PARAMS, "2026-10", from_step="compare")
    assert "comparison" in caught.value.hint
    with pytest.raises(SettingsError, match="no parameter 'PERIODE'") as unknown:
        check_parameters(inside.root / "notebooks" / "10_sync.ipynb", {"PARAMS": "x", "PERIODE": "2026-10"})
    assert unknown.value.hint == "did you mean 'PERIOD'?"


def test_a_page_opened_before_the_sync_stops_and_says_so(inside: Demo) -> None:
    page = inside.root / "notebooks" / "20_mapping_review.ipynb"
    parameters = {"PARAMS": PARAMS, "PERIOD": "2026-06"}
    with pytest.raises(DataError, match="2026-06 is not there") as caught:
        execute_notebook(page, inside.root / "early.ipynb", parameters, cwd=inside.root / "notebooks", log=inside.root / "run.log")
    assert "10_sync" in caught.value.hint


def test_all_four_run_top_to_bottom_with_their_own_parameters_from_their_own_folder(inside: Demo) -> None:
    folder = inside.root / "notebooks"
    for page in sorted(folder.glob("*.ipynb")):
        execute_notebook(page, inside.root / f"interactive-{page.name}", {}, cwd=folder, log=inside.root / "run.log")


def test_an_error_inside_a_page_keeps_its_class_its_text_and_its_hint() -> None:
    error = restore_error("30_comparison", "TieOutError", "lines: 3 rows lost\nHint: report it")
    assert (error.exit_code, str(error)) == (6, "lines: 3 rows lost\nHint: report it")
    assert restore_error("30_comparison", "KeyError", "'x'").exit_code == 1


def test_what_the_system_refused_inside_a_page_is_no_defect() -> None:
    error = restore_error("10_sync", "PermissionError", "[Errno 13] Permission denied: 'periods'")
    assert (error.exit_code, str(error).split("\n")[0]) == (5, "10_sync: [Errno 13] Permission denied: 'periods'")
    assert "space left" in error.hint


def test_a_page_that_is_not_there_and_a_kernel_that_dies_are_one_message(tmp_path: Path) -> None:
    given = {"cwd": tmp_path, "log": tmp_path / "run.log"}
    with pytest.raises(SettingsError, match="there is no notebook\nHint: run inside the project's folder"):
        execute_notebook(tmp_path / "10_sync.ipynb", tmp_path / "out.ipynb", {}, **given)
    cell = nbformat.v4.new_code_cell("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "dies.ipynb")
    with pytest.raises(DataError, match="dies: the notebook's kernel was ended from outside\nHint: memory may have run out"):
        execute_notebook(tmp_path / "dies.ipynb", tmp_path / "out.ipynb", {}, **given)


def test_a_reopened_month_becomes_the_next_version_and_keeps_the_signed_one(inside: Demo) -> None:
    month = open_month(PARAMS, "2026-09")
    before = digest_files(inside.book / "2026-09" / "v1")
    reopen_month(month, who="the reviewer", at=month.now(), why="a late credit note")
    result = run_month(PARAMS, "2026-09")
    assert (result.version, result.changed) == (2, True)
    assert read_manifest(result.folder)["status"] == "draft"
    assert read_manifest(result.folder)["reopened_why"] == "a late credit note"
    assert digest_files(inside.book / "2026-09" / "v1") == before

    for role, who, status in (("preparer", "the analyst", "signed"), ("reviewer", "the reviewer", "approved")):
        sign_month(month, role=role, who=who, at=month.now())
        published = run_month(PARAMS, "2026-09")
        assert (published.version, published.changed, read_manifest(published.folder)["status"]) == (2, True, status)
        assert verify_version(published.folder) == []
        assert not run_month(PARAMS, "2026-09").changed
    assert "approved by the reviewer" in (published.folder / "40_sign_off.html").read_text("utf-8")


def test_findings_are_the_same_in_every_form(demo: Demo) -> None:
    folder = demo.book / "2026-10" / "v1"
    table = pq.read_table(folder / "findings.parquet")
    assert table.num_rows
    assert len((folder / "findings.csv").read_text("utf-8-sig").splitlines()) >= table.num_rows + 1
