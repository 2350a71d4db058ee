"""A signed month stays as it was signed, whatever arrives later and whoever comes at the same moment (T129)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from small_book import AT, PARAMS, make_book, open_book, settle, write_devices
from small_project import HERE, digest_files

from reconlib import cli, ledger, people, steps
from reconlib import month as months
from reconlib.errors import SignOffError
from reconlib.ledger import Ledger, open_ledger, store
from reconlib.mapping_review import MappingReview
from reconlib.month import Month, month_events, month_hashes, read_stage
from reconlib.people import decide_finding_by, reopen_month, sign_month
from reconlib.report.archive import read_manifest, verify_version
from reconlib.signoff import period_state, record_run
from reconlib.steps import compare_month, map_month, prepare_sign_off, sync_month


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(make_book(tmp_path))
    monkeypatch.delenv("RECON_WHO", raising=False)
    return tmp_path


@pytest.fixture
def month(root: Path) -> Month:
    opened = open_book(root)
    settle(opened)
    return opened


@pytest.fixture
def signed(month: Month) -> Month:
    sign_month(month, role="preparer", who="the preparer", at=AT)
    return month


@pytest.fixture
def approved(signed: Month) -> Month:
    sign_month(signed, role="reviewer", who="the reviewer", at=AT)
    return signed


def products(month: Month) -> dict[str, str]:
    return digest_files(month.workspace / "periods")


def recon(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["recon", *arguments])
    try:
        cli.main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def new_quantities(folder: Path) -> list[tuple[str, str]]:
    return [(row["old_qty"], row["new_qty"]) for row in json.loads((folder / "changes.json").read_text("utf-8"))]


def test_a_sync_of_a_signed_month_is_refused_where_an_export_has_changed_and_fine_where_not(signed: Month) -> None:
    before = products(signed)
    sync_month(signed)
    prepare_sign_off(signed)
    assert products(signed) == before
    write_devices(signed.root, 5)
    with pytest.raises(SignOffError, match=r"2026-10 v1 is signed, and this would change .*usage_records") as refused:
        sync_month(signed)
    assert "recon reopen" in refused.value.hint
    assert products(signed) == before


@pytest.mark.parametrize(
    ("step", "rule", "changed"),
    [
        (map_month, "used: [{source: rmm, products: [Managed device]}]", "product_mapping"),
        (compare_month, "used: [{source: rmm}], included: 1", "findings"),
        (prepare_sign_off, "basis: none", "findings"),
    ],
)
def test_a_step_of_an_approved_month_is_refused_where_it_would_write_something_else(
    approved: Month, step: Callable[[Month], object], rule: str, changed: str
) -> None:
    before = products(approved)
    (approved.root / "params" / "rules.yaml").write_text(f"version: 1\nservices:\n  DEVICE: {{{rule}}}\n", "utf-8")
    with pytest.raises(SignOffError, match=f"2026-10 v1 is approved, and this would change .*{changed}"):
        step(open_book(approved.root))
    assert products(approved) == before


def test_reading_the_sources_again_is_refused_before_anything_is_read(signed: Month) -> None:
    write_devices(signed.root, 5)
    before = digest_files(signed.workspace / "snapshots")
    with pytest.raises(SignOffError, match="reading the sources again would change it"):
        sync_month(signed, refresh=True)
    assert digest_files(signed.workspace / "snapshots") == before


def test_what_was_signed_may_be_put_back_and_nothing_else(signed: Month) -> None:
    before = products(signed)
    shutil.rmtree(signed.folder("mapping"))
    map_month(signed)
    assert products(signed) == before
    shutil.rmtree(signed.folder("sync"))
    write_devices(signed.root, 5)
    with pytest.raises(SignOffError, match=r"would change .*usage_records"):
        sync_month(signed)


def test_after_reopening_the_steps_write_again(signed: Month) -> None:
    write_devices(signed.root, 5)
    reopen_month(signed, who="the reviewer", at=AT, why="a late export")
    sync_month(signed)
    assert read_stage(signed, "usage_records").num_rows == 5


def test_the_change_file_is_the_approved_one_whatever_came_later(approved: Month, monkeypatch: pytest.MonkeyPatch) -> None:
    signed, before = approved.root / "approved", products(approved)
    signed.mkdir()
    assert recon(monkeypatch, "changes", "export", PARAMS, "--to", str(signed)) == 0
    assert new_quantities(signed) == [("2", "3")]

    write_devices(approved.root, 5)
    (approved.root / "params" / "rules.yaml").write_text("version: 1\nservices:\n  DEVICE: {basis: none}\n", "utf-8")
    assert recon(monkeypatch, "sync", PARAMS) != 0
    later = approved.root / "later"
    later.mkdir()
    assert recon(monkeypatch, "changes", "export", PARAMS, "--to", str(later)) == 0
    assert digest_files(later) == digest_files(signed)
    assert products(approved) == before


def test_the_change_file_of_a_version_is_that_versions(approved: Month, monkeypatch: pytest.MonkeyPatch) -> None:
    reopen_month(approved, who="the reviewer", at=AT, why="a late export")
    write_devices(approved.root, 5)
    assert recon(monkeypatch, "changes", "export", PARAMS) == 7
    settle(approved)
    sign_month(approved, role="preparer", who="the preparer", at=AT)
    assert recon(monkeypatch, "changes", "export", PARAMS) == 7
    sign_month(approved, role="reviewer", who="the reviewer", at=AT)
    assert recon(monkeypatch, "changes", "export", PARAMS) == 0
    assert new_quantities(approved.root) == [("2", "5")]


def test_looking_at_a_signed_month_leaves_it_as_it_is(
    approved: Month, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = products(approved)
    write_devices(approved.root, 5)
    assert recon(monkeypatch, "changes", "verify", PARAMS) == 0
    finding = read_stage(approved, "findings").to_pylist()[0]["finding_id"]
    decision = ("--decide", "dismiss", "--on", f"finding/{finding}", "--reason", "late", "--who", "the analyst")
    assert recon(monkeypatch, "review", PARAMS, *decision) == 7
    assert "2026-10 is signed" in capsys.readouterr().err
    assert recon(monkeypatch, "review", PARAMS) == 0
    assert products(approved) == before


@pytest.mark.slow
def test_signing_publishes_what_was_signed_though_an_export_has_changed(root: Path, month: Month, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    assert recon(monkeypatch, "run", PARAMS) == 0
    before, version = products(month), root / "reports" / "mini" / "2026-10" / "v1"
    findings = (version / "findings.csv").read_bytes()
    write_devices(root, 5)
    snapshots = digest_files(month.workspace / "snapshots")
    for role, status in (("preparer", "signed"), ("reviewer", "approved")):
        assert recon(monkeypatch, "sign", PARAMS, "--role", role, "--who", f"the {role}") == 0
        manifest = read_manifest(version)
        assert (manifest["status"], manifest["hashes"]) == (status, month_hashes(month))
        assert manifest["hashes"] == dict(period_state(month_events(month), "mini", "2026-10").hashes)
        assert verify_version(version) == []
    assert new_quantities(version) == [("2", "3")]
    assert (version / "findings.csv").read_bytes() == findings
    assert products(month) == before
    assert digest_files(month.workspace / "snapshots") == snapshots
    published = digest_files(root / "reports")
    assert recon(monkeypatch, "run", PARAMS) == 0
    assert digest_files(root / "reports") == published

    # signed, and then the machine went down before anything was published
    shutil.rmtree(version)
    assert recon(monkeypatch, "run", PARAMS) == 0
    assert (version / "findings.csv").read_bytes() == findings
    assert read_manifest(version)["status"] == "approved"


def test_the_environment_cannot_make_an_open_month_stand_still(root: Path, month: Month) -> None:
    write_devices(root, 5)
    asked = months.open_month(root / PARAMS, environ={months.AS_SIGNED: "2026-10"}, now=lambda: AT)
    assert not asked.as_signed
    sync_month(asked)
    assert read_stage(asked, "usage_records").num_rows == 5


def test_a_signature_waits_for_whoever_holds_the_month(month: Month) -> None:
    code = "import sys; from small_book import *; from reconlib.people import sign_month; from pathlib import Path\n"
    code += "print('up', flush=True); sign_month(open_book(Path(sys.argv[1])), role='preparer', who='Ana', at=AT)"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join((str(HERE), str(HERE / "tests")))}
    with months.hold_month(month):
        process = subprocess.Popen([sys.executable, "-c", code, str(month.root)], stdout=subprocess.PIPE, text=True, env=environ)
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)
        assert months.month_state(month).state != "signed"
    process.communicate(timeout=60)
    assert (process.returncode, months.month_state(month).state) == (0, "signed")


def test_a_step_made_while_the_month_is_prepared_is_not_signed(root: Path, month: Month, monkeypatch: pytest.MonkeyPatch) -> None:
    def prepare(opened: Month) -> steps.SignOffState:
        made = prepare_sign_off(opened)
        write_devices(root, 5)
        sync_month(opened)
        return made

    monkeypatch.setattr(people, "prepare_sign_off", prepare)
    with pytest.raises(SignOffError, match=r"usage_records.* changed while 2026-10 was being prepared"):
        sign_month(month, role="preparer", who="the preparer", at=AT)
    assert months.month_state(month).state != "signed"


def test_a_decision_made_while_the_month_is_prepared_is_not_signed_over(month: Month, monkeypatch: pytest.MonkeyPatch) -> None:
    def prepare(opened: Month) -> steps.SignOffState:
        made = prepare_sign_off(opened)
        decide_finding_by(opened, "the analyst")(made.findings.to_pylist()[0], "dismiss", "", "no, it is right")
        return made

    monkeypatch.setattr(people, "prepare_sign_off", prepare)
    with pytest.raises(SignOffError, match=r"the analyst has decided .* in the meantime"):
        sign_month(month, role="preparer", who="the preparer", at=AT)
    assert months.month_state(month).state != "signed"


@pytest.fixture
def signed_between(month: Month, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody signs in another process after the ledger was read, right before anything is appended."""
    append_all, busy = Ledger.append_all, []

    def late(opened: Ledger, events: object, **more: object) -> object:
        if not busy:
            busy.append(True)
            sign_month(month, role="preparer", who="the preparer", at=AT)
        return append_all(opened, events, **more)

    monkeypatch.setattr(ledger.Ledger, "append_all", late)


def test_no_decision_lands_after_the_signature(month: Month, signed_between: None) -> None:
    finding = compare_month(month).findings.to_pylist()[0]
    with pytest.raises(SignOffError, match="2026-10 is signed by the preparer: no decision can be added"):
        decide_finding_by(month, "the analyst")(finding, "dismiss", "", "late")
    assert month_events(month)[-1].kind == "preparer_signed"


def test_no_mapping_lands_after_the_signature(month: Month, signed_between: None) -> None:
    row = {**read_stage(month, "account_mapping").to_pylist()[0], "probability": None}
    with pytest.raises(SignOffError, match="no decision can be added"):
        MappingReview(month, "the analyst").decide(row, "exclude", "", "late")
    assert month_events(month)[-1].kind == "preparer_signed"


def test_no_file_of_decisions_lands_after_the_signature(root: Path, month: Month, signed_between: None) -> None:
    finding = read_stage(month, "findings").to_pylist()[0]["finding_id"]
    (root / "late.csv").write_text(f"relation,decision,finding_id,reason\nfinding,dismiss,{finding},late\n", "utf-8")
    with pytest.raises(SignOffError, match="no decision can be added"):
        people.import_month_decisions(month, root / "late.csv", who="the analyst", at=AT)
    assert month_events(month)[-1].kind == "preparer_signed"


def test_no_run_of_something_else_lands_after_the_signature(month: Month, signed_between: None) -> None:
    run = {"book": "mini", "period": month.period, "version": 1, "who": "recon run", "at": AT}
    with open_ledger(month.ledger_url) as opened, pytest.raises(SignOffError, match="this run differs in findings"):
        record_run(opened, **run, hashes={**month_hashes(month), "findings": "0"})
    assert month_events(month)[-1].kind == "preparer_signed"


def test_the_check_sees_what_stands_and_nobody_writes_until_the_event_does(month: Month) -> None:
    seen: list[int] = []
    event = ledger.Event("mini", "2026-10", "run_finished", "v1", "recon run", "2026-11-03T06:00:00Z")
    other = f"""
import sqlalchemy as sa
engine = sa.create_engine({month.ledger_url!r}, connect_args={{"timeout": 0}})
with engine.connect() as connection:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
"""

    def check(events: list[ledger.Event]) -> None:
        seen.append(len(events))
        tried = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True, check=False)
        assert "database is locked" in tried.stderr

    with open_ledger(month.ledger_url) as opened:
        before = len(opened.events(book="mini"))
        opened.append(event, check=check)
        assert (seen, len(opened.events(book="mini"))) == ([before], before + 1)


def test_an_approval_stands_with_its_changes_or_not_at_all(signed: Month, monkeypatch: pytest.MonkeyPatch) -> None:
    written = store._append

    def cut(connection: object, event: ledger.Event) -> ledger.Event:
        if event.kind == "change_planned":
            raise KeyboardInterrupt
        return written(connection, event)

    with monkeypatch.context() as patch:
        patch.setattr(store, "_append", cut)
        with pytest.raises(KeyboardInterrupt):
            sign_month(signed, role="reviewer", who="the reviewer", at=AT)
    assert months.month_state(signed).state == "signed"
    sign_month(signed, role="reviewer", who="the reviewer", at=AT)
    assert [event.kind for event in month_events(signed)][-2:] == ["reviewer_approved", "change_planned"]
