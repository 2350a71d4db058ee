"""Every way a run can be unable to go on, as a tree by what the reader should do.

    ReconError
    ├── SettingsError        2  mend params, rules, profile or the command line
    ├── AuthenticationError  3  mend the credentials
    ├── VendorError          4  wait, or tell the vendor
    │   └── ShapeError       4  the vendor's answer changed shape
    ├── DataError            5  mend or re-export the input
    │   └── SnapshotError    5  a snapshot is missing, cut or altered
    ├── TieOutError          6  a bug: totals do not add up; never tolerated
    └── SignOffError         7  the month is not signable, or is signed already

The number is the command line's exit code. A discrepancy is never an error: it is a finding, and is returned.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

DISK_HINT = "check that it is there, who may read and write it, and the space left on its disk"


class ReconError(Exception):
    """The program cannot go on. The text says what is wrong with which value, where, and what to do."""

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        self.what, self.where, self.hint = what, where, hint
        super().__init__(what, where, hint)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}\nHint: {self.hint}" if self.hint else text


class SettingsError(ReconError):
    """Params, rules, a profile or the command line are wrong."""

    exit_code = 2


class AuthenticationError(ReconError):
    """A vendor refused the credentials, or they are missing."""

    exit_code = 3


class VendorError(ReconError):
    """A vendor did not answer, or asked to wait longer than a run can."""

    exit_code = 4


class ShapeError(VendorError):
    """A vendor's answer lacks a field the count depends on; reading on would count wrong."""


class DataError(ReconError):
    """A file or table cannot be used."""

    exit_code = 5


class SnapshotError(DataError):
    """A snapshot is missing, cut, or not what its manifest says."""


class TieOutError(ReconError):
    """Rows went missing or doubled between two stages. Always a bug, never tolerated."""

    exit_code = 6


class SignOffError(ReconError):
    """The month cannot be signed, or is signed and would change."""

    exit_code = 7


def describe_disk(error: OSError) -> DataError:
    """What the system refused, as an error of ours: which file, why, and what to look at."""
    return DataError(error.strerror or str(error), where=str(error.filename or ""), hint=DISK_HINT)


def nearest(name: str, valid: Iterable[str]) -> str:
    """Hint naming the valid names closest to a wrong one.

    Example:
        >>> nearest("perod", ["period", "book"])
        "did you mean 'period'?"
        >>> nearest("x", ["period", "book"])
        'valid names: book, period'
    """
    names = sorted(set(valid))
    close = get_close_matches(name, names, n=1)
    return f"did you mean {close[0]!r}?" if close else "valid names: " + ", ".join(names)
