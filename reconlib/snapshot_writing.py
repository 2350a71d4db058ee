"""A snapshot under way: pages kept as they come, then a manifest and a name; there whole or not at all.

It is written to a temporary sibling folder and renamed, so a crash leaves none. A failed attempt is kept too, as evidence of what was read.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import zstandard

from reconlib.connectors.contract import Page, StoredPage
from reconlib.errors import ReconError, SnapshotError
from reconlib.snapshots import Snapshot, add_content, page_address, page_name, read_page, read_snapshot

_STAMP = "%Y%m%dT%H%M%S%fZ"
_TEMPORARY = ".tmp-"
_FORMAT = 1


class SnapshotWriter:
    """Snapshot being written; lives inside ``writing``."""

    def __init__(self, folder: Path, *, source: str) -> None:
        self.records: int | None = None
        self.warnings: list[str] = []
        self.snapshot: Snapshot | None = None  # set when it is in place
        self._folder, self._source = folder, source
        self._lines: list[dict[str, Any]] = []
        self._files: dict[str, str] = {}
        self._content = hashlib.sha256()

    def add(self, page: Page) -> None:
        """Keep one page, as received."""
        with _writable(self._folder.parent):
            self._write(page_name(len(self._lines)), zstandard.ZstdCompressor().compress(page.body))
        add_content(self._content, page)
        self._lines.append(
            {
                "endpoint": page.endpoint,
                "request": page.request,
                "context": dict(page.context),
                "sha256": hashlib.sha256(page.body).hexdigest(),
                "bytes": len(page.body),
            }
        )

    def pages(self) -> Iterator[StoredPage]:
        """Pages kept so far, read back from disk, under the address they will have."""
        for index, line in enumerate(self._lines):
            yield StoredPage(read_page(self._folder, index, line), page_address(self._source, self._id, index))

    @property
    def _id(self) -> str:
        return self._content.hexdigest()[:12]

    def _write(self, name: str, content: bytes) -> None:
        _write_file(self._folder / name, content)
        self._files[name] = hashlib.sha256(content).hexdigest()

    def _finish(self, facts: dict[str, Any]) -> str:
        lines = "".join(json.dumps(line, sort_keys=True) + "\n" for line in self._lines)
        self._write("requests.jsonl", lines.encode())
        manifest = {**facts, "id": self._id, "pages": len(self._lines), "records": self.records, "warnings": self.warnings}
        manifest |= {"format": _FORMAT, "files": self._files}
        _write_file(self._folder / "manifest.json", (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode())
        return self._id


@contextmanager
def writing(
    root: Path,
    *,
    period: str,
    source: str,
    connector: str,
    version: str,
    now: Callable[[], datetime],
    read_from: Mapping[str, str] | None = None,
) -> Iterator[SnapshotWriter]:
    """A snapshot under way: complete when the block ends, failed when it raises, absent when the process dies.

    ``read_from`` says where and for which day the source is read, without a secret; it decides whether the snapshot may be used again.

    Raises:
        SnapshotError: the folder cannot be written.
    """
    facts: dict[str, Any] = {"source": source, "period": period, "connector": connector, "version": version}
    facts["read_from"] = None if read_from is None else dict(read_from)
    facts["started_at"] = now().astimezone(UTC).isoformat()
    with _temporary(root / period / source) as folder:
        writer = SnapshotWriter(folder, source=source)
        try:
            yield writer
        except Exception as error:  # whatever stopped it: what was read until then is kept as evidence, and the error goes on
            # only our own errors are known to hold no secret
            what = str(error) if isinstance(error, ReconError) else f"stopped by {type(error).__name__}"
            writer.snapshot = _place(writer, folder, {**facts, "status": "failed", "error": what}, now)
            raise
        writer.snapshot = _place(writer, folder, {**facts, "status": "complete", "error": None}, now)


@contextmanager
def _temporary(parent: Path) -> Iterator[Path]:
    """A folder of this run's own, held while it is written, and gone afterwards unless it got a name."""
    with ExitStack() as until_done:
        with _writable(parent):
            parent.mkdir(parents=True, exist_ok=True)
            with _held(parent, waits=True):  # nobody takes a folder that is made and not held yet for one a crash left
                _remove_leftovers(parent)
                folder = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=parent))
                until_done.callback(lambda: shutil.rmtree(folder, ignore_errors=True))
                until_done.enter_context(_held(folder))
            (folder / "pages").mkdir()
        yield folder


def _place(writer: SnapshotWriter, folder: Path, facts: dict[str, Any], now: Callable[[], datetime]) -> Snapshot:
    """Finish the folder and give it its name: the moment it comes to exist."""
    finished = now().astimezone(UTC)
    with _writable(folder.parent):
        content_id = writer._finish({**facts, "finished_at": finished.isoformat()})  # noqa: SLF001 - one object in two halves
        _sync_folder(folder / "pages")
        _sync_folder(folder)
        while True:
            target = folder.parent / f"{_stamp_after(folder.parent, finished)}-{content_id}"
            try:
                folder.rename(target)
            except OSError:
                if target.exists():  # another run took the same name just now
                    continue
                raise
            break
        _sync_folder(folder.parent)
    return read_snapshot(target)


def _stamp_after(parent: Path, at: datetime) -> str:
    """Time stamp of a name, later than every snapshot there is: names are the order snapshots were taken in, whatever the clock did."""
    last = max((path.name.partition("-")[0] for path in parent.glob("[0-9]*")), default="")
    if last and at.strftime(_STAMP) <= last:
        at = datetime.strptime(last, _STAMP).replace(tzinfo=UTC) + timedelta(microseconds=1)
    return at.strftime(_STAMP)


def _write_file(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(0o444)


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return  # folders cannot be synced there
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _held(folder: Path, *, waits: bool = False) -> Iterator[bool]:
    """Mark the folder as being written by a live process; false when another one holds it, unless this one waits for it."""
    if sys.platform == "win32":
        yield True  # an open file cannot be removed there
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def _remove_leftovers(parent: Path) -> None:
    """Remove what a crash left: temporary folders nobody holds."""
    for folder in parent.glob(f"{_TEMPORARY}*"):
        with suppress(FileNotFoundError), _held(folder) as free:
            if free:
                shutil.rmtree(folder)


@contextmanager
def _writable(parent: Path) -> Iterator[None]:
    """Turn what the disk refuses into words."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        where = f"folder {'/'.join(parent.parts[-3:])}"  # the whole path would tell a report's reader about this machine
        raise SnapshotError(f"cannot write: {reason}", where=where, hint="check rights and free space") from error
