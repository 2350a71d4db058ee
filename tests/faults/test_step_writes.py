"""A step's product is whole whoever writes at once and whenever a writer is killed."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from small_book import AT, make_book, open_book, settle, write_devices
from small_project import HERE, digest_files

from reconlib.errors import DataError, SettingsError
from reconlib.locks import hold_lock
from reconlib.month import Month, has_stage, read_stage
from reconlib.people import sign_month
from reconlib.products import has_table, read_table, write_product
from reconlib.steps import compare_month, map_month, sync_month

TIMES = 20
WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from small_book import open_book
from reconlib.rules import Count, Rules, ServiceRule
from reconlib.month import read_stage
from reconlib.steps import map_month

month, turn = open_book(Path(sys.argv[1])), int(sys.argv[3])
by_rule = Rules(version=1, services={"DEVICE": ServiceRule(used=[Count(source="rmm", products=["Managed device"])])})
rules = (month.rules, by_rule)
for number in range(int(sys.argv[2])):
    map_month(replace(month, rules=rules[(number + turn) % 2]))  # each time something else than the last time
    assert read_stage(month, "product_mapping").num_rows == 1
"""
PRODUCER = """
import sys
from pathlib import Path
import pyarrow as pa
from reconlib.products import read_table, write_product

final, lock, name = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
for number in range(int(sys.argv[4])):
    table = pa.table({"who": [name] * 50, "number": [number] * 50})
    write_product(final, {"a": table, "b": table}, lock=lock, check=lambda *_: None)
    found = read_table(final, "a", lock=lock)
    assert found.num_rows == 50 and len(set(found["who"].to_pylist())) == 1
"""


@pytest.fixture
def month(tmp_path: Path) -> Month:
    opened = open_book(make_book(tmp_path))
    settle(opened)
    return opened


def together(code: str, *arguments: tuple[str, ...]) -> None:
    """Runs the code once for each set of arguments, at once, each to its end without an error."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join((str(HERE), str(HERE / "tests")))}
    running = [subprocess.Popen([sys.executable, "-c", code, *own], stderr=subprocess.PIPE, text=True, env=environ) for own in arguments]
    said = [process.communicate(timeout=300)[1] for process in running]
    assert [(process.returncode, text) for process, text in zip(running, said, strict=True)] == [(0, "")] * len(running)


def left_over(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(".*") if path.is_dir()]


def test_two_processes_map_one_month_at_once_without_an_error(month: Month) -> None:
    before = digest_files(month.folder("mapping"))
    together(WRITER, *((str(month.root), str(TIMES), turn) for turn in ("0", "1")))
    assert left_over(month.workspace) == []
    map_month(month)
    assert digest_files(month.folder("mapping")) == before


def test_two_processes_that_write_different_tables_take_turns(tmp_path: Path) -> None:
    final, lock = tmp_path / "periods" / "step", tmp_path / "locks" / "lock"
    together(PRODUCER, *((str(final), str(lock), name, "60") for name in ("ana", "bo")))
    assert read_table(final, "a", lock=lock).equals(read_table(final, "b", lock=lock))
    assert left_over(tmp_path) == []


def test_the_same_content_is_not_written_again(month: Month) -> None:
    def marks() -> list[tuple[str, int]]:
        return [(path.name, path.stat().st_ino) for path in sorted(month.folder("comparison").iterdir())]

    before = marks()
    compare_month(month)
    assert marks() == before
    write_devices(month.root, 4)
    sync_month(month)
    compare_month(month)
    assert marks() != before


def test_the_writers_own_version_is_no_difference_and_a_broken_file_is(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    final, lock, table = tmp_path / "step", tmp_path / "lock", pa.table({"x": [1, 2]})
    final.mkdir()
    pq.write_table(table, final / "a.parquet", compression="snappy")  # other bytes, the same rows
    before = digest_files(final)
    asked: list[list[str]] = []
    write_product(final, {"a": table}, lock=lock, check=lambda changed, _: asked.append(changed))
    assert (asked, digest_files(final)) == ([], before)
    (final / "a.parquet").write_bytes(b"cut")
    write_product(final, {"a": table}, lock=lock, check=lambda changed, _: asked.append(changed))
    assert asked == [["a"]]
    assert read_table(final, "a", lock=lock).equals(table)


def kill_between_the_renames(month: Month, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a process ends that is killed after the step was moved aside and before the new one stands there."""
    rename = Path.rename

    def killed(path: Path, target: Path) -> Path:
        if path.name.startswith(".comparison-"):
            raise KeyboardInterrupt
        return rename(path, target)

    write_devices(month.root, 4)
    sync_month(month)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            compare_month(month)
    assert not month.folder("comparison").exists()
    assert len(left_over(month.folder("comparison").parent)) == 2


def test_a_kill_between_the_renames_loses_no_history(month: Month, monkeypatch: pytest.MonkeyPatch) -> None:
    before = read_stage(month, "findings")
    kill_between_the_renames(month, monkeypatch)
    november = open_book(month.root, "2026-11")
    assert has_stage(november.previous, "findings")
    assert read_stage(november.previous, "findings").equals(before)
    compare_month(month)
    assert [row["used_qty"] for row in read_stage(month, "findings").to_pylist()] == [4]
    assert left_over(month.workspace) == []


def test_a_step_moved_aside_is_compared_with_before_it_is_written(month: Month, monkeypatch: pytest.MonkeyPatch) -> None:
    kill_between_the_renames(month, monkeypatch)
    write_devices(month.root, 3)
    sync_month(month)
    standing = digest_files(month.folder("comparison").with_name(".comparison-old"))
    compare_month(month)
    assert digest_files(month.folder("comparison")) == standing
    assert left_over(month.workspace) == []


def test_a_signed_month_that_was_cut_between_the_renames_is_still_the_signed_one(month: Month, monkeypatch: pytest.MonkeyPatch) -> None:
    sign_month(month, role="preparer", who="the preparer", at=AT)
    folder = month.folder("comparison")
    folder.rename(folder.with_name(".comparison-old"))
    assert sign_month(month, role="reviewer", who="the reviewer", at=AT).state == "approved"
    assert left_over(month.workspace) == []


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    final, lock = tmp_path / "sync", tmp_path / "lock"
    write_product(final, {"clients": pa.table({"x": [1]})}, lock=lock, check=lambda *_: None)
    whole = (final / "clients.parquet").read_bytes()
    (final / "clients.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"clients\.parquet: is damaged and cannot be read\nHint: run the month from that step again"):
        read_table(final, "clients", lock=lock)


def test_a_writer_waits_for_the_one_at_work_and_leaves_its_building_folder_alone(month: Month) -> None:
    building = month.folder("mapping").with_name(".mapping-other")
    write = "import sys; from small_book import *; from reconlib.steps import map_month; from pathlib import Path\n"
    write += "print('up', flush=True); map_month(open_book(Path(sys.argv[1])))"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join((str(HERE), str(HERE / "tests")))}
    with hold_lock(month.steps_lock):
        building.mkdir()
        process = subprocess.Popen([sys.executable, "-c", write, str(month.root)], stdout=subprocess.PIPE, text=True, env=environ)
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)
        assert building.is_dir()
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert left_over(month.workspace) == []  # once its writer is gone it is a left-over


def test_a_disk_without_locks_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl", reason="Windows locks another way")

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(SettingsError, match="2026-10: cannot be locked\nHint: No locks available"), hold_lock(tmp_path / "2026-10"):
        pass


def test_a_lock_is_taken_again_by_who_holds_it_and_by_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "a.lock"
    with hold_lock(path) as first, hold_lock(path) as again:
        assert first == again
        code = "import sys; from pathlib import Path; from reconlib.locks import hold_lock\n"
        code += "hold_lock(Path(sys.argv[1]), print, wait_seconds=0).__enter__()"
        environ = {**os.environ, "PYTHONPATH": str(HERE)}
        other = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, env=environ, check=False)
        assert "waiting for it" in other.stdout
        assert SettingsError.__name__ in other.stderr
    with hold_lock(path, wait_seconds=0):
        assert not has_table(tmp_path / "step", "a", lock=path)
