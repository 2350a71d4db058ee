"""A vendor made of a function: every request a connector sends is answered by it, and kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from reconlib.connectors.contract import Fetch, Page, Reject, Row, StoredPage
from reconlib.period import Period

NOW = datetime(2026, 11, 3, 6, tzinfo=UTC)
SECRET = "s3cr3t-value"


@dataclass
class Vendor:
    """Answers by path; a list is given out one by one, the last one stays."""

    answers: dict[str, Any] = field(default_factory=dict)
    requests: list[httpx.Request] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        answer = self.answers.get(request.url.path)
        if isinstance(answer, list) and answer and isinstance(answer[0], httpx.Response):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if callable(answer):
            answer = answer(request)
        if answer is None:
            return httpx.Response(404, json={"message": "no such path"})
        if isinstance(answer, httpx.Response):
            return answer
        return httpx.Response(200, content=answer if isinstance(answer, bytes) else json.dumps(answer).encode())

    def sent(self, path: str) -> list[dict[str, str]]:
        """Queries sent to a path, in order."""
        return [dict(r.url.params) for r in self.requests if r.url.path == path]

    def fetch(self, connector: Any, base_url: str = "https://api.vendor.example", token_url: str = "") -> list[Page]:
        names = {name: SecretStr(f"{SECRET}-{name}") for name in connector.credential_fields}
        return list(
            connector.fetch(
                Fetch(
                    source="v",
                    base_url=base_url,
                    token_url=token_url,
                    credentials=names,
                    period=Period(2026, 10),
                    as_of=date(2026, 10, 31),
                    now=lambda: NOW,
                    sleep=self.slept.append,
                )
            )
        )


def normalized(connector: Any, pages: list[Page]) -> tuple[dict[str, list[dict[str, Any]]], list[Reject]]:
    """Rows by table and rejects of pages."""
    tables: dict[str, list[dict[str, Any]]] = {}
    rejects = []
    stored = (StoredPage(page, f"v/0123456789ab/p{n:05d}") for n, page in enumerate(pages, 1))
    for row in connector.normalize(stored, "v"):
        if isinstance(row, Row):
            tables.setdefault(row.table, []).append(dict(row.values))
        else:
            rejects.append(row)
    return tables, rejects


@pytest.fixture
def read() -> Callable[[Any, list[Page]], tuple[dict[str, list[dict[str, Any]]], list[Reject]]]:
    return normalized


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Vendor]:
    fake = Vendor()
    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", lambda _, request: fake(request))
    return fake
