"""A user's alias table grows: rows are added all together or not at all, and adding them again changes nothing."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from uuid import uuid4

from reconlib.aliases.files import COLUMNS, read_aliases, read_rows
from reconlib.aliases.table import ID_KINDS, Alias, AliasTable, name_key
from reconlib.errors import DataError
from reconlib.locks import hold_lock


def read_with(path: Path) -> AliasTable:
    """The packaged table with the rows of a user's file, where there is one."""
    return read_aliases(path) if path.exists() else read_aliases()


def write_aliases(path: Path, aliases: Sequence[Alias]) -> int:
    """Adds aliases to a user's file and says how many were new. What stands there stays to the byte, its columns in their order.

    Raises:
        DataError: a row contradicts the table, or the file cannot be written; it is then as it was.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError("cannot be written", where=str(path), hint=error.strerror or "check the path and its rights") from None
    with hold_lock(path.with_name(f".{path.name}.lock")):
        standing = {row.alias[:-1] for row in read_rows(path)} if path.exists() else set()
        new = [alias for alias in dict.fromkeys(aliases) if alias[:-1] not in standing]
        if not new:
            return 0
        building = path.with_name(f".{path.name}-{uuid4().hex}")
        try:
            before = path.read_bytes() if path.exists() else (",".join(COLUMNS) + "\n").encode()
            header = next(csv.reader(before.decode("utf-8-sig").splitlines()))
            building.write_bytes(before + (b"" if before.endswith(b"\n") else b"\n") + _lines(new, header).encode())
            _check(building, path)
            os.replace(building, path)  # noqa: PTH105 - replaces on every system
        except OSError as error:
            raise DataError("cannot be written", where=str(path), hint=error.strerror or "check the path and its rights") from None
        finally:
            building.unlink(missing_ok=True)
    return len(new)


def check_new_name(alias: Alias, table: AliasTable) -> None:
    """A name a person adds must not make another product's name ambiguous on a day.

    Raises:
        DataError: another product has the name at that time.
    """
    if alias.kind in ID_KINDS:
        return
    for other in table.find(alias.value):
        same_time = (alias.until is None or other.since is None or other.since <= alias.until) and (
            other.until is None or alias.since is None or alias.since <= other.until
        )
        if other.product != alias.product and other.kind == "name" and name_key(other.value) == name_key(alias.value) and same_time:
            hint = "say --since and --until so that the days differ, or add an id instead of a name"
            raise DataError(f"{alias.value!r} names {table.products[other.product].name!r} then", where="aliases add", hint=hint)


def _lines(aliases: Sequence[Alias], header: Sequence[str]) -> str:
    """Rows in the columns of a file; a column of the user's own stays empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, header, restval="", lineterminator="\n")
    writer.writerows(
        dict(zip(COLUMNS, (day.isoformat() if isinstance(day, date) else day for day in alias), strict=True)) for alias in aliases
    )
    return text.getvalue()


def _check(building: Path, path: Path) -> None:
    try:
        read_aliases(building)
    except DataError as error:
        where, hint = (text.replace(str(building), str(path)) for text in (error.where, error.hint))
        raise DataError(error.what, where=where, hint=hint) from None
