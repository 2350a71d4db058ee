"""Snapshots: exactly what was received, all or nothing, never changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta

import pytest

from reconlib.connectors.contract import Page
from reconlib.errors import DataError, SnapshotError, VendorError
from reconlib.snapshot_writing import writing
from reconlib.snapshots import latest_any, read_pages, read_snapshot, verify

NOW = datetime(2026, 11, 3, 6, tzinfo=UTC)
PAGES = [Page("companies", "GET /companies?page=1", b'[{"id": 1}]'), Page("additions", "GET /a", b"\xff\x00raw", {"agreement_id": "12"})]


def take(root, pages=PAGES, *, fail=None, at=NOW, source="psa"):
    with writing(root, period="2026-10", source=source, connector="connectwise_psa", version="0.1.0", now=lambda: at) as writer:
        for page in pages:
            writer.add(page)
        if fail:
            raise fail
    return writer.snapshot


def test_pages_come_back_as_received_with_their_address(tmp_path):
    snapshot = take(tmp_path)
    stored = list(read_pages(snapshot))
    assert [s.page for s in stored] == PAGES
    assert stored[1].evidence(3) == f"psa/{snapshot.id}/p00002/r3"
    verify(snapshot)
    assert latest_any(tmp_path, "2026-10", "psa") == snapshot


def test_pages_read_while_writing_have_the_address_they_get(tmp_path):
    with writing(tmp_path, period="2026-10", source="psa", connector="c", version="0", now=lambda: NOW) as writer:
        for page in PAGES:
            writer.add(page)
        before = list(writer.pages())
    assert before == list(read_pages(writer.snapshot))


def test_equal_bytes_have_an_equal_id_and_both_snapshots_are_kept(tmp_path):
    first, second = take(tmp_path), take(tmp_path)
    other = take(tmp_path, [*PAGES[:1], Page("additions", "GET /a", b"\xff\x00raw2", {"agreement_id": "12"})])
    assert first.id == second.id != other.id
    assert first.folder.name < second.folder.name < other.folder.name
    assert latest_any(tmp_path, "2026-10", "psa") == other


def test_what_a_page_says_cannot_move_into_its_request(tmp_path):
    assert take(tmp_path / "a", [Page("e", "GET /a", b"bc")]).id != take(tmp_path / "b", [Page("e", "GET /ab", b"c")]).id


def test_newest_is_the_last_taken_even_when_the_clock_goes_back(tmp_path):
    take(tmp_path, at=NOW)
    second = take(tmp_path, PAGES[:1], at=NOW - timedelta(days=1))
    assert latest_any(tmp_path, "2026-10", "psa") == second
    assert second.started_at == NOW - timedelta(days=1)


def test_t2_a_failure_is_kept_as_evidence_and_is_the_last_attempt_whatever_was_complete_before(tmp_path):
    take(tmp_path, at=NOW - timedelta(hours=1))
    with pytest.raises(VendorError):
        take(tmp_path, fail=VendorError("answered 500", where="source psa, additions"))
    failed = latest_any(tmp_path, "2026-10", "psa")
    assert (failed.status, failed.pages, failed.error) == ("failed", 2, "source psa, additions: answered 500")
    verify(failed)


def test_an_unknown_failure_shows_its_kind_only(tmp_path):
    with pytest.raises(RuntimeError):
        take(tmp_path, fail=RuntimeError("token s3cr3t"))
    assert "s3cr3t" not in (latest_any(tmp_path, "2026-10", "psa").folder / "manifest.json").read_text()


def test_an_interrupted_run_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        take(tmp_path, fail=KeyboardInterrupt())
    assert list((tmp_path / "2026-10" / "psa").iterdir()) == []


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from reconlib.connectors.contract import Page
from reconlib.snapshot_writing import writing
with writing(Path(sys.argv[1]), period="2026-10", source="psa", connector="c", version="0", now=lambda: datetime.now(UTC)) as writer:
    writer.add(Page("companies", "GET /companies", b"[]"))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_run_leaves_no_snapshot_and_its_remains_go_with_the_next(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    folder = tmp_path / "2026-10" / "psa"
    assert [path.name[:5] for path in folder.iterdir()] == [".tmp-"]
    assert latest_any(tmp_path, "2026-10", "psa") is None
    snapshot = take(tmp_path)
    assert list(folder.iterdir()) == [snapshot.folder]


def test_a_snapshot_another_run_is_writing_is_left_alone(tmp_path):
    with writing(tmp_path, period="2026-10", source="psa", connector="c", version="0", now=lambda: NOW) as slow:
        slow.add(PAGES[0])
        quick = take(tmp_path)
        slow.add(PAGES[1])
    verify(slow.snapshot)
    verify(quick)
    assert slow.snapshot.id == quick.id


def test_a_folder_just_made_is_not_taken_for_one_a_crash_left(tmp_path, monkeypatch):
    """Between making and holding it, nobody else may look for leftovers there."""
    fcntl = pytest.importorskip("fcntl", reason="an open folder cannot be removed where there is no fcntl")
    make = tempfile.mkdtemp
    refused = []

    def made(**how):
        handle = os.open(how["dir"], os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            refused.append(True)
        finally:
            os.close(handle)
        return make(**how)

    monkeypatch.setattr("reconlib.snapshot_writing.tempfile.mkdtemp", made)
    verify(take(tmp_path))
    assert refused == [True]


def change(folder, name, how):
    path = folder / name
    path.chmod(0o644)
    how(path)


@pytest.mark.parametrize("name", ["pages/00001.zst", "requests.jsonl"])
@pytest.mark.parametrize("how", [lambda p: p.write_bytes(p.read_bytes()[:-1]), lambda p: p.write_bytes(b"x"), lambda p: p.unlink()])
def test_a_cut_altered_or_missing_file_is_an_error(tmp_path, name, how):
    snapshot = take(tmp_path)
    change(snapshot.folder, name, how)
    with pytest.raises(SnapshotError, match="snapshot psa/"):
        list(read_pages(snapshot))


def test_a_left_over_file_and_a_rewritten_id_are_found(tmp_path):
    snapshot = take(tmp_path)
    (snapshot.folder / "pages" / "00003.zst").write_bytes(b"")
    with pytest.raises(SnapshotError, match="00003"):
        verify(snapshot)
    (snapshot.folder / "pages" / "00003.zst").unlink()
    change(snapshot.folder, "manifest.json", lambda p: p.write_text(json.dumps(json.loads(p.read_text()) | {"id": "000000000000"})))
    with pytest.raises(SnapshotError, match="id"):
        verify(read_snapshot(snapshot.folder))


def test_an_unreadable_manifest_is_an_error_not_an_absence(tmp_path):
    snapshot = take(tmp_path)
    change(snapshot.folder, "manifest.json", lambda p: p.write_text("{"))
    with pytest.raises(SnapshotError, match="manifest"):
        latest_any(tmp_path, "2026-10", "psa")


@pytest.mark.parametrize("place", ["2026-11/psa", "2026-10/pax8"])
def test_t2_a_snapshot_copied_to_another_month_or_source_is_not_read_there(tmp_path, place):
    snapshot = take(tmp_path)
    shutil.copytree(snapshot.folder, tmp_path / place / snapshot.folder.name)
    with pytest.raises(SnapshotError, match="it is of source psa in 2026-10"):
        latest_any(tmp_path, *place.split("/"))


def test_a_folder_that_cannot_be_written_is_said_in_words(tmp_path):
    (tmp_path / "2026-10").write_text("a file in the way")
    with pytest.raises(DataError, match="cannot write") as caught:
        take(tmp_path)
    assert str(tmp_path.parent) not in str(caught.value), "the error stands in reports"
