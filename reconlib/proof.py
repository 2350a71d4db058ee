"""What of a book's archive is proved by its ledger, what is only as its own manifest says, and what is not as it was written (T127, T129).

A manifest proves the files beside it and nothing proves the manifest, so a version that nobody signed proves only itself. A signed one is
held against its signature: its manifest's hashes, the step products in the workspace, and the exports that can be made of them again.
What the vendors sent is held against its own id, which every record's evidence names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from reconlib import __version__
from reconlib.errors import DataError, SettingsError, SnapshotError
from reconlib.ledger import Event, open_ledger
from reconlib.month import STEPS, Month, month_hashes, read_stage
from reconlib.period import parse_period
from reconlib.report.archive import MANIFEST, SIGNED, hash_file, hash_files, read_manifest, verify_version
from reconlib.report.export import write_changes, write_findings
from reconlib.signoff import period_state
from reconlib.snapshots import find_folder, read_snapshot, verify

_STATE = {"preparer_signed": "signed", "reviewer_approved": "approved"}
_PRODUCTS = frozenset(name for names in STEPS.values() for name in names)


@dataclass(frozen=True, slots=True)
class Proof:
    """What was looked at, in words: one sentence each."""

    faults: tuple[str, ...]
    proved: tuple[str, ...]
    not_proved: tuple[str, ...]


def check_archive(month: Month, *, one_period: bool) -> Proof:
    """Every version of the book, or of the month alone, its ledger, and what ties them together.

    Raises:
        SettingsError: the month is neither published nor signed.
    """
    home = month.root / month.params.archive / month.params.book
    found = {(p.parent.name, int(p.name[1:])): p for p in home.glob("*/v*") if re.fullmatch(r"v\d+", p.name)}
    with open_ledger(month.ledger_url) as ledger:
        every = ledger.events(book=month.params.book)
        events = [event for event in every if "unreadable" not in event.values]  # the ledger's own check names those
        signed = {(event.period, event.values["version"]): event for event in events if event.kind in _STATE}
        versions = sorted(key for key in found.keys() | signed.keys() if not one_period or key[0] == str(month.period))
        if one_period and not versions:
            known = ", ".join(sorted({period for period, _ in found})) or "none"
            raise SettingsError(f"{month.period} is not published", where="--period", hint=f"published months: {known}")
        checked = [_check_version(month, key, found.get(key), signed.get(key), events) for key in versions]
        heads = [read_manifest(found[key]).get("ledger_head") for key in versions if key in found and _is_readable(found[key])]
        broken = [f"ledger: {fault}" for fault in ledger.verify(head for head in heads if head)]
    checked += [
        _check_after(path) for path in sorted(home.glob("*/post_invoice")) if not one_period or path.parent.name == str(month.period)
    ]
    whole = [] if broken else [f"the ledger is whole: {len(every)} events, the head of every manifest among them"]
    return Proof(
        tuple(broken + [text for one in checked for text in one.faults]),
        tuple(whole + [text for one in checked for text in one.proved]),
        tuple(text for one in checked for text in one.not_proved),
    )


def _check_version(month: Month, key: tuple[str, int], folder: Path | None, signature: Event | None, events: list[Event]) -> Proof:
    faults: list[str] = []
    proved: list[str] = []
    not_proved: list[str] = []
    if folder is None:
        assert signature is not None
        faults.append(f"{_STATE[signature.kind]} by {signature.who} in the ledger, and missing from the archive")
    elif not _is_readable(folder):
        faults.append(f"its {MANIFEST} is missing or not readable")
    else:
        facts = read_manifest(folder)
        faults += verify_version(folder)
        wrong, said, unsaid = _check_snapshots(month, key[0], facts)
        faults, proved, not_proved = faults + wrong, proved + said, not_proved + unsaid
        if signature is None:
            not_proved.append("nobody has signed it: a draft proves only itself, its files are as its own manifest says")
            faults += (
                [f"its manifest says {facts.get('status')}, the ledger knows no signature on it"] if facts.get("status") in SIGNED else []
            )
        else:
            stands = period_state(events, month.params.book, key[0]).version == key[1]
            wrong, said, unsaid = _check_signed(replace(month, period=parse_period(key[0])), folder, facts, signature, stands=stands)
            faults, proved, not_proved = faults + wrong, proved + said, not_proved + unsaid
            not_proved.append("its pages and the amounts in its manifest: only the manifest vouches for them")
    name = f"{key[0]}/v{key[1]}: "
    return Proof(*(tuple(f"{name}{text}" for text in texts) for texts in (faults, proved, not_proved)))


def _check_after(folder: Path) -> Proof:
    """The pass after invoicing: nobody signs it, so it proves only itself."""
    name = f"{folder.parent.name}/{folder.name}: "
    if not _is_readable(folder):
        return Proof((f"{name}its {MANIFEST} is missing or not readable",), (), ())
    said = f"{name}nobody signs the pass after invoicing: its files are as its own manifest says"
    return Proof(tuple(f"{name}{fault}" for fault in verify_version(folder)), (), (said,))


def _check_snapshots(month: Month, period: str, facts: Mapping[str, Any]) -> tuple[list[str], list[str], list[str]]:
    """Faults, what is proved and what is not of the vendors' bytes a version was made of: each against the hash that is its id."""
    whole: list[str] = []
    faults: list[str] = []
    gone: list[str] = []
    named = {source: known["snapshot"] for source, known in sorted((facts.get("sources") or {}).items()) if known.get("snapshot")}
    for source, number in named.items():
        folder = find_folder(month.workspace / "snapshots", source, number, period)
        if folder is None:
            gone.append(f"{source}/{number}")
            continue
        try:
            verify(read_snapshot(folder))
        except SnapshotError as error:
            faults.append(f"{error.where}: {error.what}")
        else:
            whole.append(source)
    proved = [f"what it was made of is as the vendors sent it: {', '.join(whole)}"] if whole else []
    not_proved = [f"what the vendors sent: not in this workspace: {', '.join(gone)}"] if gone else []
    return faults, proved, not_proved


def _is_readable(folder: Path) -> bool:
    try:
        read_manifest(folder)
    except DataError:
        return False
    return True


def _check_signed(
    month: Month, folder: Path, facts: Mapping[str, Any], event: Event, *, stands: bool
) -> tuple[list[str], list[str], list[str]]:
    """Faults, what is proved and what is not of one signed version; the workspace holds the products of the one that stands only."""
    signed: Mapping[str, str] = event.values["hashes"]
    faults, proved = [], []
    if differing := _differing(signed, facts.get("hashes") or {}):
        faults.append(f"its manifest does not carry what {event.who} signed: {', '.join(differing)}")
    else:
        proved.append(f"its manifest carries the {len(signed)} hashes that were {_STATE[event.kind]}")
    if not stands:
        return faults, proved, ["reopened since: its step products are no longer in the workspace"]
    if facts.get("status") != _STATE[event.kind]:
        faults.append(f"{_STATE[event.kind]} by {event.who} in the ledger, {facts.get('status')} in the archive: recon run publishes it")
    more = _check_products(month, folder, facts, signed)
    return faults + more[0], proved + more[1], more[2]


def _check_products(
    month: Month, folder: Path, facts: Mapping[str, Any], signed: Mapping[str, str]
) -> tuple[list[str], list[str], list[str]]:
    here = month_hashes(month)
    changed = [name for name in _differing(signed, here) if name in here and name in signed]
    later = [f"{name} is not what was signed; a later month may have changed it" for name in changed if name not in _PRODUCTS]
    if wrong := [f"step product {name} in the workspace is not what was signed" for name in changed if name in _PRODUCTS]:
        return wrong, [], later
    if missing := sorted(signed.keys() & _PRODUCTS - here.keys()):
        return [], [], [*later, f"its step products, which are not in this workspace: {', '.join(missing)}"]
    proved = ["its step products are what was signed"]
    if facts.get("code_version") != __version__:
        return [], proved, [*later, f"its exports: release {facts.get('code_version')} wrote them"]
    if wrong := [f"{name} is not the export of what was signed" for name in _other_exports(month, folder)]:
        return wrong, proved, later
    return [], [*proved, "its findings.csv, changes.csv and changes.json are the exports of what was signed"], later


def _other_exports(month: Month, folder: Path) -> Iterator[str]:
    """Published exports that differ from those the step products make."""
    with TemporaryDirectory() as made:
        write_findings(read_stage(month, "findings"), Path(made))
        write_changes(read_stage(month, "changes"), Path(made))
        for name, digest in hash_files(Path(made)).items():
            if name.endswith((".csv", ".json")) and (not (folder / name).is_file() or hash_file(folder / name) != digest):
                yield name


def _differing(signed: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return sorted(name for name in signed.keys() | now.keys() if signed.get(name) != now.get(name))
