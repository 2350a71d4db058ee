"""How a connector signs in: HTTP Basic, or an OAuth2 token that is fetched when there is none and renewed when it ends."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal

import httpx
from pydantic import SecretStr

from reconlib.connectors.addresses import check_address
from reconlib.connectors.fields import read_json
from reconlib.errors import ShapeError

TOKEN_MARGIN_S = 60  # a token is renewed this long before it ends


def basic_auth(user: str, password: SecretStr) -> httpx.Auth:
    """HTTP Basic."""
    return httpx.BasicAuth(user, password.get_secret_value())


class ClientCredentials(httpx.Auth):
    """OAuth2 client credentials: fetches a token when there is none, when it ends, and once when the vendor refuses it."""

    requires_response_body = True

    def __init__(
        self,
        token_url: str,
        client_id: SecretStr,
        client_secret: SecretStr,
        *,
        source: str,
        encoding: Literal["form", "json"] = "form",
        extra: Mapping[str, str] | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._url = check_address(token_url, source=source, key="token_url")
        self._id, self._secret, self._source = client_id, client_secret, source
        self._encoding, self._extra = encoding, dict(extra or {})
        self._now = now or (lambda: datetime.now(UTC))
        self._token: SecretStr | None = None
        self._ends_at = datetime.min.replace(tzinfo=UTC)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Token first where needed, then the request."""
        fresh = self._token is None or self._now() >= self._ends_at
        if fresh:
            self._read_token((yield self._token_request()))
        response = yield self._signed(request)
        if response.status_code == 401 and not fresh:
            self._read_token((yield self._token_request()))
            yield self._signed(request)

    def _token_request(self) -> httpx.Request:
        fields = {"grant_type": "client_credentials", "client_id": self._id.get_secret_value()}
        fields |= {"client_secret": self._secret.get_secret_value(), **self._extra}
        headers = {"Accept": "application/json"}
        if self._encoding == "json":
            return httpx.Request("POST", self._url, json=fields, headers=headers)
        return httpx.Request("POST", self._url, data=fields, headers=headers)

    def _read_token(self, response: httpx.Response) -> None:
        if response.status_code != 200:
            raise TokenRefusedError(response)
        where = f"source {self._source}, token"
        content = read_json(response.content, where=where)
        token = content.get("access_token") if isinstance(content, dict) else None
        if not isinstance(token, str) or not token:
            raise ShapeError("the token answer has no text 'access_token'", where=where, hint="check token_url")
        if not re.fullmatch(r"[\x21-\x7e]+", token):  # no header carries it, and the fault would show it
            raise ShapeError(
                "the token answer's 'access_token' holds blanks or signs that are not ASCII", where=where, hint="check token_url"
            )
        lifetime = content.get("expires_in")
        seconds = float(lifetime) if isinstance(lifetime, (int, Decimal)) and 0 < lifetime < 10**9 else 300.0
        self._token = SecretStr(token)
        self._ends_at = self._now() + timedelta(seconds=max(seconds - TOKEN_MARGIN_S, seconds / 2))

    def _signed(self, request: httpx.Request) -> httpx.Request:
        assert self._token is not None
        request.headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        return request


class TokenRefusedError(Exception):
    """The token endpoint did not give a token; the transport decides whether to wait or to stop, and nobody else sees it."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        super().__init__("token refused")
