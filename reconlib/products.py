"""What a step made, on disk: a folder of tables that is there whole or not at all, whoever writes at once and whenever one is killed.

A writer holds the lock while its building folder is there, so a building folder seen under the lock is what a killed one left. Two renames
put a step in place; killed between them, the step stands under ``.<step>-old`` and is put back before anybody reads or writes.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from reconlib.errors import DataError
from reconlib.locks import hold_lock


def write_product(
    final: Path, tables: Mapping[str, pa.Table], *, lock: Path, check: Callable[[list[str], Mapping[str, bytes]], None]
) -> None:
    """Puts a step's tables in place of those that stand there; writes nothing where they are the same.

    ``check`` is called under the lock with the names that differ and the bytes they would become, and may refuse by raising.
    """
    made = {name: _parquet(table) for name, table in tables.items()}
    with hold_lock(lock):
        _put_back(final)
        for left in final.parent.glob(f".{final.name}-*"):
            shutil.rmtree(left)
        standing = {path.stem for path in final.glob("*.parquet")}
        changed = sorted((standing - made.keys()) | {name for name, data in made.items() if not _is_same(final / f"{name}.parquet", data)})
        if not changed:
            return
        check(changed, made)
        building, old = (final.with_name(f".{final.name}-{word}") for word in (uuid4().hex, "old"))
        building.mkdir(parents=True)
        for name, data in made.items():
            (building / f"{name}.parquet").write_bytes(data)
        if final.exists():
            final.rename(old)
        building.rename(final)
        shutil.rmtree(old, ignore_errors=True)


def has_table(final: Path, name: str, *, lock: Path) -> bool:
    """Whether a step's table stands on disk; a step that a killed writer moved aside is put back first."""
    if not final.exists() and final.with_name(f".{final.name}-old").exists():
        with hold_lock(lock):
            _put_back(final)
    return (final / f"{name}.parquet").is_file()


def read_table(final: Path, name: str, *, lock: Path) -> pa.Table:
    """One table of a step.

    Raises:
        DataError: the file is damaged.
    """
    path = final / f"{name}.parquet"
    try:
        try:
            return pq.read_table(path)
        except FileNotFoundError:  # somebody is putting the step in place right now
            with hold_lock(lock):
                _put_back(final)
                return pq.read_table(path)
    except pa.ArrowInvalid:
        hint = "run the month from that step again; what was signed is restored from a backup"
        raise DataError("is damaged and cannot be read", where=str(path), hint=hint) from None


def _put_back(final: Path) -> None:
    old = final.with_name(f".{final.name}-old")
    if not final.exists() and old.exists():
        old.rename(final)


def _parquet(table: pa.Table) -> bytes:
    file = BytesIO()
    pq.write_table(table, file, compression="zstd")
    return file.getvalue()


def _is_same(path: Path, data: bytes) -> bool:
    """Whether a file holds these rows; the writer's version in its footer is no difference."""
    if not path.is_file():
        return False
    if path.read_bytes() == data:
        return True
    try:
        return bool(pq.read_table(path).equals(pq.read_table(BytesIO(data))))
    except pa.ArrowException:
        return False  # unreadable is different
