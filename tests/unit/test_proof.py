"""What ``recon verify`` proves: a signed version by its signature, a draft by nothing but itself."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from small_book import AT, make_book, open_book, settle

from reconlib import __version__
from reconlib.errors import SettingsError
from reconlib.month import Month, month_events, month_hashes, read_stage
from reconlib.people import reopen_month, sign_month
from reconlib.proof import check_archive
from reconlib.report.archive import MANIFEST, hash_files, write_manifest
from reconlib.report.export import write_changes, write_findings
from reconlib.signoff import period_state


@pytest.fixture
def month(tmp_path: Path) -> Month:
    opened = open_book(make_book(tmp_path))
    settle(opened)
    return opened


@pytest.fixture
def approved(month: Month) -> Month:
    sign_month(month, role="preparer", who="the preparer", at=AT)
    sign_month(month, role="reviewer", who="the reviewer", at=AT)
    return month


def publish(month: Month) -> Path:
    """The version as a run publishes it, without its pages."""
    state = period_state(month_events(month), "mini", month.period)
    folder = month.root / "reports" / "mini" / str(month.period) / f"v{state.version}"
    folder.mkdir(parents=True)
    write_findings(read_stage(month, "findings"), folder)
    write_changes(read_stage(month, "changes"), folder)
    words = state.state if state.state in ("signed", "approved") else "draft"
    facts = {"book": "mini", "period": str(month.period), "version": state.version, "status": words, "under_billed": "45.00"}
    facts["sources"] = {row["source"]: {"snapshot": row["snapshot_id"]} for row in read_stage(month, "source_status").to_pylist()}
    write_manifest(folder, {**facts, "hashes": month_hashes(month), "code_version": __version__, "ledger_head": ""})
    return folder


def rewrite(folder: Path, **facts: object) -> None:
    """A manifest somebody changed so that it fits the files beside it."""
    path = folder / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **facts, "files": hash_files(folder)}), "utf-8")


def test_an_approved_version_is_proved_by_its_signature(approved: Month) -> None:
    publish(approved)
    proof = check_archive(approved, one_period=False)
    assert proof.faults == ()
    assert [text.partition(": ")[2] for text in proof.proved[1:]] == [
        "what it was made of is as the vendors sent it: psa, rmm",
        f"its manifest carries the {len(month_hashes(approved))} hashes that were approved",
        "its step products are what was signed",
        "its findings.csv, changes.csv and changes.json are the exports of what was signed",
    ]
    assert proof.not_proved == ("2026-10/v1: its pages and the amounts in its manifest: only the manifest vouches for them",)


def test_a_draft_proves_only_itself(month: Month) -> None:
    folder = publish(month)
    proof = check_archive(month, one_period=True)
    assert (proof.faults, len(proof.proved)) == ((), 2)
    assert proof.not_proved[0].startswith("2026-10/v1: nobody has signed it: a draft proves only itself")
    (folder / "findings.csv").write_text("other", "utf-8")
    assert check_archive(month, one_period=True).faults == ("2026-10/v1: findings.csv: changed since it was published",)


def test_a_file_changed_together_with_its_manifest_shows(approved: Month) -> None:
    folder = publish(approved)
    path = folder / "findings.csv"
    path.write_bytes(path.read_bytes().replace(b",45,", b",4500,"))
    rewrite(folder, under_billed="4500.00")
    assert check_archive(approved, one_period=False).faults == ("2026-10/v1: findings.csv is not the export of what was signed",)


def test_a_signed_version_that_is_gone_shows(approved: Month) -> None:
    shutil.rmtree(publish(approved))
    says = ("2026-10/v1: approved by the reviewer in the ledger, and missing from the archive",)
    assert check_archive(approved, one_period=False).faults == says
    assert check_archive(approved, one_period=True).faults == says


def test_a_manifest_with_other_hashes_or_another_status_shows(approved: Month) -> None:
    folder = publish(approved)
    rewrite(folder, hashes={**month_hashes(approved), "findings": "0"}, status="draft")
    assert check_archive(approved, one_period=False).faults == (
        "2026-10/v1: its manifest does not carry what the reviewer signed: findings",
        "2026-10/v1: approved by the reviewer in the ledger, draft in the archive: recon run publishes it",
    )


def test_a_signature_nobody_gave_shows(month: Month) -> None:
    rewrite(publish(month), status="approved")
    assert check_archive(month, one_period=False).faults == ("2026-10/v1: its manifest says approved, the ledger knows no signature on it",)


def test_a_step_product_that_is_not_what_was_signed_shows(approved: Month) -> None:
    publish(approved)
    (approved.folder("comparison") / "counts.parquet").write_bytes(b"other")
    assert check_archive(approved, one_period=False).faults == ("2026-10/v1: step product counts in the workspace is not what was signed",)


def test_what_is_not_here_is_not_proved_and_no_fault(approved: Month) -> None:
    publish(approved)
    (approved.root / "params" / "rules.yaml").write_text("version: 1\n", "utf-8")
    shutil.rmtree(approved.folder("mapping"))
    proof = check_archive(approved, one_period=False)
    assert proof.faults == ()
    assert "2026-10/v1: params/rules.yaml is not what was signed; a later month may have changed it" in proof.not_proved
    assert "2026-10/v1: its step products, which are not in this workspace: account_mapping, product_mapping" in proof.not_proved


def test_a_reopened_version_still_has_to_be_there(approved: Month) -> None:
    folder = publish(approved)
    reopen_month(approved, who="the reviewer", at=AT, why="a late invoice")
    publish(approved)
    assert check_archive(approved, one_period=False).faults == ()
    shutil.rmtree(folder)
    assert "2026-10/v1: approved by the reviewer in the ledger, and missing" in check_archive(approved, one_period=False).faults[0]


def test_a_month_that_is_nowhere_is_not_called_whole(month: Month) -> None:
    publish(month)
    with pytest.raises(SettingsError, match=r"2026-09 is not published\nHint: published months: 2026-10"):
        check_archive(month.previous, one_period=True)


def test_a_vendor_s_page_that_was_changed_shows_and_one_that_is_gone_is_not_proved(month: Month) -> None:
    publish(month)
    (folder,) = (month.workspace / "snapshots").glob("**/rmm/*")
    page = folder / "pages" / "00001.zst"
    page.write_bytes(page.read_bytes() + b" ")
    proof = check_archive(month, one_period=True)
    assert proof.faults == (f"2026-10/v1: snapshot rmm/{folder.name}: pages/00001.zst is not what was written",)
    assert proof.proved[1:] == ("2026-10/v1: what it was made of is as the vendors sent it: psa",)
    shutil.copytree(folder, month.workspace / "snapshots" / "2026-09" / "rmm" / folder.name)  # another month's stands for nothing
    shutil.rmtree(folder)
    proof = check_archive(month, one_period=True)
    assert proof.faults == ()
    assert proof.not_proved[0] == f"2026-10/v1: what the vendors sent: not in this workspace: rmm/{folder.name.rpartition('-')[2]}"
