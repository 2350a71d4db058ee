"""What every fake shares: a request, a reply, JSON as vendors write it, and the tokens they hand out."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlencode

from reconlib.sandbox.world import World


@dataclass(frozen=True, slots=True)
class Request:
    """One call, with the path below the vendor's prefix."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    root: str  # address of the vendor's prefix, "http://127.0.0.1:47007/pax8"

    def url(self, **changes: str) -> str:
        """Address of this call, with query values changed."""
        query = urlencode({**self.query, **changes})
        return f"{self.root}{self.path}?{query}" if query else f"{self.root}{self.path}"

    def number(self, name: str, default: int) -> int:
        """A whole number of the query; -1 when it is none."""
        value = self.query.get(name, str(default))
        return int(value) if value.isdecimal() else -1

    def form(self) -> dict[str, str]:
        """Values of a posted form or JSON object."""
        if "json" in self.headers.get("content-type", ""):
            try:
                content = json.loads(self.body)
            except ValueError:
                return {}
            return {str(k): str(v) for k, v in content.items()} if isinstance(content, dict) else {}
        return dict(parse_qsl(self.body.decode("utf-8", "replace")))


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Site:
    """What the fakes serve and whom they let in."""

    world: World
    environ: Mapping[str, str]

    def token(self, name: str) -> str:
        """Bearer token; the same one every time, so that answers stay the same."""
        return hashlib.sha256(f"{self.world.seed}/token/{name}".encode()).hexdigest()


def json_reply(content: Any, status: int = 200, **headers: str) -> Reply:
    """Answer in JSON; header names with underscores stand for dashes."""
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":"), default=_plain).encode()
    return Reply(status, body, {"Content-Type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()})


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        # A wire number only: the shortest text of a float with at most 6 decimals is the decimal itself.
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, date):
        return f"{value.isoformat()}T00:00:00Z"
    raise TypeError(type(value).__name__)


def drop_empty(**values: Any) -> dict[str, Any]:
    """The object without what is not set: live answers omit nulls."""
    return {key: value for key, value in values.items() if value is not None and value != ""}


def is_basic(request: Request, user: str, password: str) -> bool:
    """Whether the call carries exactly these Basic credentials."""
    expected = base64.b64encode(f"{user}:{password}".encode()).decode()
    return request.headers.get("authorization", "") == f"Basic {expected}"


def is_bearer(request: Request, token: str) -> bool:
    """Whether the call carries this token."""
    return request.headers.get("authorization", "") == f"Bearer {token}"
