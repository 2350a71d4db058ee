"""The pass after invoicing: beside the signed month, in folders of its own, over its own run before (T7)."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from reconlib import month as months
from reconlib import steps
from reconlib.errors import DataError, SettingsError, SignOffError
from reconlib.monthly import run_after_invoicing, run_month
from reconlib.people import sign_month
from reconlib.proof import check_archive
from reconlib.report.archive import verify_version
from tests.small_book import AT, PARAMS, make_book, open_book, settle, write_devices
from tests.small_project import digest_files


def after(month: months.Month) -> months.Month:
    return replace(month, moment="post_invoice")


def sign(month: months.Month) -> None:
    sign_month(month, role="preparer", who="Ana", at=AT)
    sign_month(month, role="reviewer", who="Ben", at=AT)


def test_it_reads_and_compares_a_signed_month_again_and_leaves_it_as_it_was(tmp_path: Path) -> None:
    month = open_book(make_book(tmp_path))
    settle(month)
    sign(month)
    before = {name: digest for name, digest in digest_files(month.workspace).items() if not name.startswith("locks/")}
    write_devices(tmp_path, 5)
    steps.sync_month(after(month), refresh=True)
    (row,) = steps.roll_forward_month(after(month)).to_pylist()
    assert (row["expected_before_qty"], row["expected_after_qty"], row["expected_move"]) == (3, 5, "late_count")
    assert (row["proposal"], row["proposal_qty"], str(row["proposal_amount"])) == ("back_charge", 2, "90.000000")
    now = digest_files(month.workspace)
    assert {name: now.get(name) for name in before} == before
    added = {name.removeprefix("periods/2026-10/").removeprefix("snapshots/").split("/")[0] for name in now.keys() - before.keys()}
    assert added <= {"post_invoice", "locks"}
    steps.prepare_sign_off(months.as_signed(month))


def test_a_later_run_before_invoicing_does_not_count_from_what_was_read_after(tmp_path: Path) -> None:
    month = open_book(make_book(tmp_path))
    settle(month)
    kept = steps.sync_month(month)["snapshot_id"].to_pylist()
    (tmp_path / "rmm.csv").rename(tmp_path / "rmm-kept.csv")
    steps.sync_month(after(month), refresh=True)
    assert steps.sync_month(month)["snapshot_id"].to_pylist() == kept


def test_a_source_that_does_not_answer_after_invoicing_leaves_its_rows_unknown(tmp_path: Path) -> None:
    month = open_book(make_book(tmp_path))
    settle(month)
    (tmp_path / "rmm.csv").unlink()
    steps.sync_month(after(month), refresh=True)
    (row,) = steps.roll_forward_month(after(month)).to_pylist()
    assert (row["expected_after_qty"], row["used_after_qty"], row["monthly_after"], row["proposal"]) == (None, None, None, "wait")


def test_it_needs_a_month_that_was_compared_before(tmp_path: Path) -> None:
    month = open_book(make_book(tmp_path))
    steps.sync_month(month)
    with pytest.raises(DataError, match="2026-10 was not compared before invoicing"):
        steps.sync_month(after(month))


def test_it_refuses_a_signed_month_that_is_not_what_was_signed(tmp_path: Path) -> None:
    month = open_book(make_book(tmp_path))
    settle(month)
    sign(month)
    counts = month.folder("comparison") / "counts.parquet"
    counts.write_bytes((month.folder("comparison") / "comparison.parquet").read_bytes())
    with pytest.raises(SignOffError, match="differs in counts"):
        steps.sync_month(after(month))


def test_the_rules_may_be_the_next_months_by_then(tmp_path: Path) -> None:
    month = open_book(make_book(tmp_path))
    settle(month)
    sign(month)
    with (tmp_path / "params" / "rules.yaml").open("a") as rules:
        rules.write("stale_days: 60\n")
    steps.sync_month(after(open_book(tmp_path)), refresh=True)


def test_nobody_signs_it_and_an_unknown_pass_is_refused(tmp_path: Path) -> None:
    month = open_book(make_book(tmp_path))
    with pytest.raises(SignOffError, match="the pass after invoicing is not signed"):
        steps.prepare_sign_off(after(month))
    with pytest.raises(SettingsError, match="no pass 'post'"):
        months.open_month(tmp_path / PARAMS, moment="post")


def test_before_invoicing_nothing_has_moved(tmp_path: Path) -> None:
    month = open_book(make_book(tmp_path))
    settle(month)
    assert steps.roll_forward_month(month).num_rows == 0
    assert not months.has_stage(month, "roll_forward")


def test_its_pages_stand_beside_the_version_and_the_index_leads_to_them(tmp_path: Path) -> None:
    root = make_book(tmp_path)
    first = run_month(root / PARAMS)
    signed = digest_files(first.folder)
    write_devices(root, 6)
    second = run_after_invoicing(root / PARAMS)
    assert second.changed
    assert second.folder == first.folder.with_name("post_invoice")
    assert digest_files(first.folder) == signed
    assert verify_version(second.folder) == []
    manifest = json.loads((second.folder / "manifest.json").read_text("utf-8"))
    assert (manifest["status"], manifest["beside_version"]) == ("post_invoice", 1)
    with (second.folder / "roll_forward.csv").open(encoding="utf-8-sig") as file:
        (row,) = csv.DictReader(file)
    assert (row["expected_before_qty"], row["expected_after_qty"], row["proposal"], row["proposal_amount"]) == (
        "3",
        "6",
        "back_charge",
        "135",
    )
    page = (second.folder / "30_comparison.html").read_text("utf-8")
    assert "What moved since the invoices went out" in page
    assert "What moved since the invoices went out" not in (first.folder / "30_comparison.html").read_text("utf-8")
    assert "mini/2026-10/post_invoice/index.html" in (root / "reports" / "index.html").read_text("utf-8")
    assert not run_after_invoicing(root / PARAMS, from_step="comparison").changed  # nothing is read again
    checked = check_archive(open_book(root), one_period=True)
    assert checked.faults == ()
    assert any(text.startswith("2026-10/post_invoice: nobody signs") for text in checked.not_proved)
    with (second.folder / "roll_forward.csv").open("a") as file:
        file.write("x")
    assert check_archive(open_book(root), one_period=True).faults == (
        "2026-10/post_invoice: roll_forward.csv: changed since it was published",
    )
    write_devices(root, 7)
    assert run_after_invoicing(root / PARAMS).changed
    with pytest.raises(SettingsError, match="no step 'sign_off' after invoicing"):
        run_after_invoicing(root / PARAMS, from_step="sign_off")
