"""One writer at a time: a lock is a file that the system frees when the last process that holds it is gone.

A lock is held by a thread, not by a block: what holds it may ask for it again. Two threads or processes wait for each other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from reconlib.errors import SettingsError

LOCK_WAIT_SECONDS = 900  # a run takes seconds; a quarter of an hour means the other one hangs
_POLL_SECONDS = 0.2

_HELD = threading.local()  # the locks this thread holds: a second handle on the same file would wait for the first for ever


@contextmanager
def hold_lock(
    path: Path,
    say: Callable[[str], None] = lambda _: None,
    *,
    wait_seconds: float = LOCK_WAIT_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[int]:
    """Keeps two writers of one thing from interleaving; gives the lock's file descriptor, which a child process may keep open.

    Raises:
        SettingsError: another one holds it for longer than ``wait_seconds``, or its disk knows no locks.
    """
    held: dict[Path, int] = _HELD.__dict__.setdefault("locks", {})
    key = path.resolve()
    if key in held:
        yield held[key]
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as handle:
        waited = 0.0
        while not _try_lock(handle.fileno(), path):
            if waited == 0:
                say("another run of this month is under way; waiting for it")
            if waited >= wait_seconds:
                raise SettingsError("another run of this month does not end", where=str(path), hint="stop it, then start again")
            sleep(_POLL_SECONDS)
            waited += _POLL_SECONDS
        held[key] = handle.fileno()
        try:
            yield handle.fileno()
        finally:
            del held[key]


def _try_lock(descriptor: int, path: Path) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore] # on Windows alone
        except OSError:
            return False
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # to wait for a lock no disk can give would be for ever
        hint = f"{error.strerror}: the workspace belongs on a disk that has file locks"
        raise SettingsError("cannot be locked", where=str(path), hint=hint) from None
    return True
