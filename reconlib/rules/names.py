"""The client or service a rule means by an id or a code (T14: what is in the recycle bin does not stand in for what is not)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reconlib.errors import SettingsError, nearest


class Named:
    """Clients or services as rules call them."""

    def __init__(self, rows: Iterable[Mapping[str, Any]], what: str) -> None:
        """Rows of ``clients`` or ``services``; ``what`` is client or service."""
        self._what = what
        self._ids: set[str] = set()
        live: dict[str, list[str]] = {}
        gone: dict[str, list[str]] = {}
        for row in rows:
            self._ids.add(row[f"{what}_id"])
            if code := row[f"{what}_code"]:
                (gone if _is_gone(row) else live).setdefault(code, []).append(row[f"{what}_id"])
        self._codes = gone | live

    def find(self, name: str, where: str) -> str:
        """The id of what is named; an id wins over a code, what is in use over what is deleted or inactive.

        Raises:
            SettingsError: nothing is called that, or several are.
        """
        if name in self._ids:
            return name
        found = self._codes.get(name, [])
        if len(found) > 1:
            hint = f"use the {self._what} id: {', '.join(found)}"
            raise SettingsError(f"{len(found)} {self._what}s have the code {name!r}", where=where, hint=hint)
        if not found:
            raise SettingsError(f"nothing is called {name!r}", where=where, hint=nearest(name, [*self._codes, *self._ids]))
        return found[0]


def _is_gone(row: Mapping[str, Any]) -> bool:
    return bool(row.get("is_deleted")) or not row.get("is_active", True)
