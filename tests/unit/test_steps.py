"""What a run is refused for before any source is read, and with which exit code."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_book import PARAMS, make_book, open_book

from reconlib.errors import DataError, ReconError, SettingsError
from reconlib.month import has_stage
from reconlib.steps import compare_month, sync_month

PSA = "  psa: {connector: file, path: psa.csv, profile: params/profiles/psa-lines.yaml}\n"


def rewrite(root: Path, old: str, new: str) -> None:
    text = (root / PARAMS).read_text("utf-8")
    assert old in text
    (root / PARAMS).write_text(text.replace(old, new), "utf-8")


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (PSA, "", "params/mini.yaml: sources: no source gives agreement lines\nHint: name the PSA"),
        (PSA, "  psa: {connector: fil, path: psa.csv}\n", "sources.psa.connector: 'fil' is no connector\nHint: did you mean 'file'"),
    ],
)
def test_a_book_that_would_bill_nothing_is_refused(old: str, new: str, error: str, tmp_path: Path) -> None:
    rewrite(make_book(tmp_path), old, new)
    month = open_book(tmp_path)
    with pytest.raises(SettingsError, match=error):
        sync_month(month)
    assert not has_stage(month, "source_status")
    assert not month.snapshots.exists()


def test_a_psa_that_cannot_be_read_ends_as_its_own_fault_does(tmp_path: Path) -> None:
    (make_book(tmp_path) / "psa.csv").unlink()
    month = open_book(tmp_path)
    sync_month(month)
    with pytest.raises(DataError, match=r"^source psa: the PSA could not be read: no file matches \S*psa\.csv\nHint: ") as stopped:
        compare_month(month)
    assert str(stopped.value).count("Hint: ") == 1


def test_a_failed_source_that_params_name_no_longer_may_have_been_the_psa(tmp_path: Path) -> None:
    (make_book(tmp_path) / "psa.csv").rename(tmp_path / "lines.csv")
    sync_month(open_book(tmp_path))
    rewrite(tmp_path, PSA, PSA.replace("psa:", "lines:").replace("psa.csv", "lines.csv"))
    with pytest.raises(ReconError, match="source psa: the PSA could not be read"):
        compare_month(open_book(tmp_path))
