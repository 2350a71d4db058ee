"""Exports as a source: CSV, XLSX and JSON files, each read by an import profile (T2, T5, T9–T12).

The profile travels with the bytes into the snapshot, so that a month is read the same way years later. A file that cannot be
trusted stops its source before anything is kept; a row that cannot be used becomes a reject, never a gap.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import yaml

from reconlib.connectors.contract import Connector, Fetch, Page, Reject, Row, StoredPage
from reconlib.connectors.file_canonical import BUILD
from reconlib.connectors.file_rows import Record, read_records
from reconlib.connectors.profile import Profile, read_profile
from reconlib.errors import DataError, SettingsError, nearest
from reconlib.settings import parse

_ID = {"agreement_lines": "agreement_line_id", "usage_records": "usage_record_id", "purchases": "purchase_id"}


@dataclass(slots=True)
class _Said:
    """What one source has said so far."""

    named: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)  # (table, id) -> values of a client, account …
    ids: dict[str, str] = field(default_factory=dict)  # record id -> place
    pairs: dict[tuple[str, ...], str] = field(default_factory=dict)  # account and product -> place (T12)
    sums: dict[tuple[str, ...], dict[str, Any]] = field(default_factory=dict)  # the same -> record summed so far


def fetch(f: Fetch) -> Iterator[Page]:
    """Bytes of every file the source's pattern matches, in order of name, each with the profile that reads it.

    ``{period}`` in the pattern stands for the billing month. All files are read once before the first is given, so a source is
    taken whole or not at all.

    Raises:
        SettingsError: no pattern, no profile, or a wrong profile.
        DataError: no file, the same file twice, or a file that cannot be trusted.
    """
    if not f.path or not f.profile:
        raise SettingsError("a file source needs path and profile", where=f"source {f.source}", hint="see params/files.yaml")
    profile = read_profile(f.profile)
    text = Path(f.profile).read_text("utf-8")
    meaning = hashlib.sha256(profile.model_dump_json(exclude_defaults=True).encode()).hexdigest()[:12]
    pages = []
    for name, body in read_files(f.path.replace("{period}", str(f.period)), f.source):
        context = {"file": name, "profile": text, "profile_name": Path(f.profile).name, "period": str(f.period)}
        pages.append(Page("file", f"{name} profile={meaning}", body, context))
    for _ in normalize((StoredPage(page, f"{f.source}/-/p{n:05d}") for n, page in enumerate(pages, 1)), f.source):
        pass
    yield from pages


def read_files(pattern: str, source: str) -> list[tuple[str, bytes]]:
    """Name and bytes of every file a pattern matches, in order of name.

    Raises:
        DataError: no file, one that cannot be read, or the same file twice (T11).
    """
    found = glob.glob(pattern, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
    paths = sorted(path for path in found if Path(path).is_file() and not Path(path).name.startswith("~$"))
    if not paths:
        wanted = Path(re.sub(r"\[([*?[])\]", r"\1", pattern))  # as people write it: signs that stand for themselves are escaped in it
        there = [path.name for path in wanted.parent.iterdir() if path.is_file()] if wanted.parent.is_dir() else []
        asked = "/".join(wanted.parts[-2:])  # the whole path would tell a report's reader about this machine
        hint = nearest(wanted.name, there) if there else f"put the export into the folder {wanted.parent.name}"
        raise DataError(f"no file matches {asked}", where=f"source {source}", hint=hint)
    try:
        bodies = [Path(path).read_bytes() for path in paths]
    except OSError as error:
        raise DataError(
            f"cannot read {Path(str(error.filename)).name}", where=f"source {source}", hint=error.strerror or "check its rights"
        ) from error
    together = os.path.commonpath([Path(path).parent for path in paths])
    names = [Path(os.path.relpath(path, together)).as_posix() for path in paths]
    first: dict[bytes, str] = {}
    for name, body in zip(names, bodies, strict=True):
        if body in first:
            what = f"{first[body]} and {name} are the same file twice"
            raise DataError(what, where=f"source {source}", hint="its rows would count double; remove one of them")
        first[body] = name
    return list(zip(names, bodies, strict=True))


def normalize(pages: Iterator[StoredPage], source: str) -> Iterator[Row | Reject]:
    """Canonical rows of the exports, by the profile each page carries.

    Clients, services, agreements, accounts and products come once each, after the records that name them; what one row leaves
    blank is filled from a later one.

    Raises:
        DataError: a file cannot be trusted, a record id stands twice, or rows cannot be summed as the profile asks.
    """
    said = _Said()
    profiles: dict[str, Profile] = {}
    for stored in pages:
        text = stored.page.context["profile"]
        profile = profiles.setdefault(text, _parse_profile(text, stored.page.context.get("profile_name", "profile")))
        for record in read_records(stored, profile):
            if isinstance(record, Reject):
                yield record
                continue
            table, values, named = BUILD[profile.table](record, profile)
            if clash := _agreement_clash(said, named, record):
                yield clash
                continue
            for kind, key, about in named:
                _remember(said, kind, key, {**about, "source": source, "evidence": record.evidence})
            values |= {"source": source, "evidence": record.evidence}
            _refuse_repeated_id(said, values[_ID[table]], record)
            if not _is_summed(said, table, values, profile, record):
                yield Row(table, values)
    yield from (Row(key[0], values) for key, values in said.sums.items())
    yield from (Row(table, values) for (table, _), values in said.named.items())


def _parse_profile(text: str, name: str) -> Profile:
    content = yaml.safe_load(text)
    return parse(content if isinstance(content, dict) else {}, Profile, where=name)


def _agreement_clash(said: _Said, named: list[tuple[str, str, dict[str, Any]]], record: Record) -> Reject | None:
    """An agreement bills one client by one cycle; a row that says otherwise would be billed wrongly."""
    for table, key, about in named:
        known = said.named.get((table, key))
        if table != "agreements" or known is None:
            continue
        for column in ("client_id", "cycle_months", "currency", "start_date", "end_date", "cancelled_date", "status"):
            if about[column] is not None and known[column] is not None and about[column] != known[column]:
                row = record.place.rpartition(":")[2]
                reason = f"row {row}: agreement {key!r} has {column} {known[column]} in an earlier row; name agreements apart by id"
                return Reject(column, str(about[column]), reason, record.evidence)
    return None


def _remember(said: _Said, table: str, key: str, values: dict[str, Any]) -> None:
    known = said.named.setdefault((table, key), values)
    if known is not values:
        known.update({name: value for name, value in values.items() if known[name] is None and value is not None})


def _refuse_repeated_id(said: _Said, record_id: str, record: Record) -> None:
    if record_id in said.ids:
        _stop(
            f"id {record_id!r} stands in {said.ids[record_id]} and in {record.place}",
            record,
            "two files may overlap, or the column is no id: leave it out of the profile",
        )
    said.ids[record_id] = record.place


def _is_summed(said: _Said, table: str, values: dict[str, Any], profile: Profile, record: Record) -> bool:
    """Whether the record was taken into a sum, as ``aggregate`` asks (T12)."""
    if profile.aggregate == "keep":
        return False
    who = ("agreement_id", "service_id") if table == "agreement_lines" else ("vendor_account_id", "vendor_product_id")
    key = (table, *(values[name] for name in who))
    before = said.pairs.setdefault(key, record.place)
    if profile.aggregate == "refuse":
        if before != record.place:
            what = f"{before} and {record.place} are both of {' and '.join(map(repr, key[1:]))}"
            _stop(what, record, "aggregate: refuse allows one; say keep or sum in the profile")
        return False
    total = said.sums.setdefault(key, values)
    if total is values:
        return True
    for name in values.keys() - {"quantity_qty", "evidence", _ID[table]}:
        if values[name] != total[name]:
            what = f"{before} and {record.place} cannot be summed: {name} is {total[name]} and {values[name]}"
            _stop(what, record, "say aggregate: keep in the profile; different terms stay apart (T12)")
    total["quantity_qty"] += values["quantity_qty"]
    total["evidence"] += f" {values['evidence']}"
    return True


def _stop(what: str, record: Record, hint: str) -> NoReturn:
    raise DataError(what, where=f"file {record.place.rpartition(':')[0]}", hint=hint)


FILE = Connector(fetch=fetch, normalize=normalize, role="file")
