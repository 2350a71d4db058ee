"""The one door to vendors: authenticated questions that wait when asked, give up in time, and never carry a secret elsewhere.

Held here for every connector: credentials stay on the origin they were given for, redirects and next links to another
origin stop the source, retries and pages are bounded, and no message or log line shows a query or a secret.
"""

from __future__ import annotations

import logging
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NoReturn, Self
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from reconlib.connectors.addresses import check_address, is_loopback_host, origin, read_url, request_line, show_url
from reconlib.connectors.fields import read_json
from reconlib.connectors.pace import Bucket, retry_after
from reconlib.connectors.sign_in import TokenRefusedError
from reconlib.errors import AuthenticationError, ReconError, ShapeError, VendorError

MAX_TRIES = 4
BACK_OFF_S = 1.0  # doubles with each try
_RETRIED = {429, 500, 502, 503, 504}


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: the bytes as received, what they say, and the request that asked, without host and secrets."""

    body: bytes
    content: Any  # the JSON, numbers as int or Decimal
    next_url: str | None  # Link rel=next
    request: str


class Transport:
    """Open connection to one vendor; one walk over its pages, in which none is read twice.

    Raises:
        SettingsError: an address that is not https (plain http is for loopback only) or holds a user, a query or nothing.
        AuthenticationError: a credential that stands in a header holds a blank or a sign no header carries.
    """

    def __init__(
        self,
        base_url: str,
        *,
        source: str,
        auth: httpx.Auth | None = None,
        headers: Mapping[str, str] | None = None,
        hints: Mapping[int, str] | None = None,
        timeout_s: float = 30.0,
        rate_per_s: float | None = None,
        burst: int = 1,
        max_pages: int = 20_000,
        max_wait_s: float = 60.0,
        sleep: Callable[[float], None] | None = None,
        now: Callable[[], datetime] | None = None,
        clock: Callable[[], float] = time.monotonic,
        http_transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._base = check_address(base_url, source=source, key="base_url")
        self._source, self._auth, self._hints = source, auth, dict(hints or {})
        self._max_pages, self._max_wait_s = max_pages, max_wait_s
        self._sleep, self._now = sleep or time.sleep, now or (lambda: datetime.now(UTC))
        self._bucket = Bucket(rate_per_s, burst, self._sleep, clock) if rate_per_s else None
        self._asked: set[str] = set()
        logging.getLogger("httpx").addFilter(_without_query)
        direct = is_loopback_host(self._base.host)  # a proxy of the environment must not see loopback traffic
        self._client = httpx.Client(
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, 10.0)),
            headers={"User-Agent": "reconlib", **_sendable(headers or {}, source)},
            follow_redirects=False,
            trust_env=not direct,
            verify=_certificates(not direct),
            transport=http_transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(
        self, endpoint: str, path: str, params: Mapping[str, str | int] | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Answer to ``path`` below the base address; ``endpoint`` is the name errors use, ``headers`` those of this question alone.

        Raises:
            AuthenticationError: the credentials are refused.
            VendorError: no usable answer within the tries and waits allowed, a redirect, a loop, or too many pages.
            ShapeError: the answer is cut or not JSON.
        """
        base = str(self._base).rstrip("/")
        return self._answer(endpoint, httpx.URL(f"{base}/{path.lstrip('/')}", params=dict(params) if params else None), headers)

    def follow(self, endpoint: str, next_url: str) -> Answer:
        """Answer to a next link the vendor sent, if it stays on the vendor's own origin.

        Raises:
            VendorError: the link is relative or leads to another scheme, host or port; nothing is sent there.
        """
        return self._answer(endpoint, self._own(next_url, "the next page", endpoint))

    def ask(self, endpoint: str, path: str, body: Mapping[str, str]) -> str:
        """Address at which the answer to a long question will stand: POST, answered by 202 and a Location on the vendor's own origin.

        Raises:
            AuthenticationError, VendorError: as ``get``; or the vendor names no place, or one elsewhere.
        """
        url = httpx.URL(f"{str(self._base).rstrip('/')}/{path.lstrip('/')}")
        response = self._send(endpoint, url, question=body)
        place = response.headers.get("Location", "")
        if not place:
            raise ShapeError("accepted, and no Location says where the answer will be", where=self._where(endpoint), hint="tell the vendor")
        return str(self._own(place, "the answer", endpoint))

    def poll(self, endpoint: str, place: str) -> tuple[Any, float | None]:
        """What stands at the place of a long answer by now, and seconds the vendor asks to wait before looking again; never kept.

        Raises:
            AuthenticationError, VendorError, ShapeError: as ``get``.
        """
        response = self._send(endpoint, self._own(place, "the answer", endpoint))
        return read_json(response.content, where=self._where(endpoint)), retry_after(response.headers, self._now)

    def wait(self, endpoint: str, seconds: float) -> None:
        """Wait as a vendor asked, if a run can."""
        self._wait(endpoint, seconds)

    def download(self, endpoint: str, folder: str, name: str, signature: SecretStr, *, hosts: tuple[str, ...]) -> bytes:
        """Bytes of one file in a store the vendor leases for a while, asked for by the lease's signature and by nothing else.

        The signature is a credential: it goes to a host under one of ``hosts`` only (or the vendor's own), in a request that carries no
        other, and stands in no message.

        Raises:
            VendorError: the folder is elsewhere; nothing is sent there. And as ``get``.
        """
        root = read_url(folder)
        leased = root.scheme == "https" and any(root.host.endswith(f".{host}") for host in hosts)
        if root.userinfo or root.query or not (leased or origin(root) == origin(self._base)):
            raise VendorError(
                f"the files are said to be at {root.scheme or '?'}://{root.host or '?'}; not fetched",
                where=self._where(endpoint),
                hint="their signature goes to the vendor's own stores only; tell the vendor",
            )
        path = f"{root.raw_path.decode('ascii').rstrip('/')}/{quote(name, safe='')}"
        url = root.copy_with(raw_path=f"{path}?{signature.get_secret_value().lstrip('?')}".encode("ascii", "replace"))
        return self._send(endpoint, url, is_signed=True).content

    def _own(self, place: str, what: str, endpoint: str) -> httpx.URL:
        """An address the vendor names, if it is on its own origin; else an error, and nothing is sent."""
        url = read_url(place)
        if not url.host or url.userinfo or origin(url) != origin(self._base):
            raise VendorError(
                f"{what} is said to be at {url.scheme or '?'}://{url.host or '?'}, not at {self._base.host}; not followed",
                where=self._where(endpoint),
                hint="credentials never leave the address in params; set base_url to the host the vendor names, if it is the vendor's",
            )
        return url

    def _answer(self, endpoint: str, url: httpx.URL, headers: Mapping[str, str] | None = None) -> Answer:
        line, whole = request_line(url), f"{url} {sorted((headers or {}).items())}"
        if whole in self._asked:
            raise VendorError(f"the pages lead in a circle: {line} again", where=self._where(endpoint), hint="tell the vendor")
        if len(self._asked) >= self._max_pages:
            raise VendorError(f"more than {self._max_pages} pages", where=self._where(endpoint), hint="the paging may not end")
        self._asked.add(whole)
        response = self._send(endpoint, url, headers=headers)
        content = read_json(response.content, where=self._where(endpoint))
        next_url = response.links.get("next", {}).get("url")
        return Answer(response.content, content, next_url, line)

    def _send(
        self,
        endpoint: str,
        url: httpx.URL,
        *,
        question: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        is_signed: bool = False,
    ) -> httpx.Response:
        """The answer with status 200, or 202 to a question, after as many tries as allowed. A signed address carries no credentials."""
        for attempt in range(1, MAX_TRIES + 1):
            if self._bucket:
                self._bucket.take()
            try:
                response = self._once(url, question, headers, is_signed=is_signed)
            except TokenRefusedError as refused:
                wait = None if refused.response.status_code not in (429, 503) else retry_after(refused.response.headers, self._now)
                if wait is None or attempt == MAX_TRIES:
                    self._refuse("token", refused.response)
                self._wait("token", wait)
                continue
            except (httpx.TimeoutException, httpx.RemoteProtocolError, httpx.ReadError) as error:
                if attempt == MAX_TRIES or error.request.method == "POST":  # a token is not asked for twice blindly
                    raise self._broken(endpoint, error, url) from None
                self._sleep(BACK_OFF_S * 2 ** (attempt - 1))
                continue
            except httpx.HTTPError as error:
                raise self._broken(endpoint, error, url) from None
            if response.status_code == (200 if question is None else 202):
                return response
            if response.status_code not in _RETRIED or attempt == MAX_TRIES:
                self._refuse(endpoint, response)
            wait = retry_after(response.headers, self._now)
            self._wait(endpoint, BACK_OFF_S * 2 ** (attempt - 1) if wait is None else wait)
        raise AssertionError("unreachable")

    def _once(
        self, url: httpx.URL, question: Mapping[str, str] | None, headers: Mapping[str, str] | None, *, is_signed: bool
    ) -> httpx.Response:
        if is_signed:  # sent bare: neither credentials nor headers nor cookies of this vendor
            return self._client.send(httpx.Request("GET", url), auth=None)
        if question is None:
            return self._client.get(url, auth=self._auth, headers=headers)
        return self._client.send(self._client.build_request("POST", url, json=dict(question)), auth=self._auth)

    def _wait(self, endpoint: str, seconds: float) -> None:
        if seconds > self._max_wait_s:
            until = self._now() + timedelta(seconds=min(seconds, 10 * 365 * 86_400.0))
            raise VendorError(
                f"vendor asks to wait until {until:%Y-%m-%d %H:%M:%S} UTC ({seconds:.0f} s), a run waits at most {self._max_wait_s:.0f} s",
                where=self._where(endpoint),
                hint="run again after that time",
            )
        self._sleep(seconds)

    def _refuse(self, endpoint: str, response: httpx.Response) -> NoReturn:
        status, where = response.status_code, self._where(endpoint)
        hint = self._hints.get(status, "")
        if status in (401, 403) or (endpoint == "token" and status == 400):
            raise AuthenticationError(f"credentials refused ({status})", where=where, hint=hint or "check key, rights and expiry")
        if response.is_redirect:
            target = read_url(response.headers.get("Location", "")).host or "another path"
            raise VendorError(f"redirects to {target}, not followed ({status})", where=where, hint=hint or "correct base_url in params")
        raise VendorError(f"answered {status}", where=where, hint=hint or ("try again later" if status in _RETRIED else "check base_url"))

    def _broken(self, endpoint: str, error: httpx.HTTPError, asked: httpx.URL) -> ReconError:
        host = error.request.url.host
        where = self._where("token" if error.request.method == "POST" and error.request.url != asked else endpoint)
        if isinstance(error, httpx.TimeoutException):
            return VendorError(f"{host} did not answer in time", where=where, hint="try again later; check base_url and the network")
        if isinstance(error, (httpx.RemoteProtocolError, httpx.ReadError, httpx.DecodingError)):
            return VendorError(f"{host} cut its answer", where=where, hint="try again later")
        # Only what the network said: the words of other faults may hold what was to be sent, a credential among them.
        reason = (" ".join(str(error).split())[:120] if isinstance(error, httpx.ConnectError) else "") or type(error).__name__
        return VendorError(f"cannot reach {host}: {reason}", where=where, hint="check base_url, token_url and the network")

    def _where(self, endpoint: str) -> str:
        return f"source {self._source}, {endpoint}"


def _sendable(headers: Mapping[str, str], source: str) -> Mapping[str, str]:
    """The headers, if they can be sent as they stand."""
    for name, value in headers.items():
        if not re.fullmatch(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?", value):
            raise AuthenticationError(
                f"the value for {name} holds a blank, a line break or a sign that is not ASCII",
                where=f"source {source}",
                hint="copy the credential again, without what stands around it",
            )
    return headers


@cache
def _certificates(trust_env: bool) -> ssl.SSLContext:  # noqa: FBT001 - named as httpx names it
    """Trusted authorities, loaded once: a transport may be opened for each of many tenants."""
    return httpx.create_ssl_context(trust_env=trust_env)


def _without_query(record: logging.LogRecord) -> bool:
    """Log filter: addresses lose user, query and fragment, those of tokens their path too."""
    if isinstance(record.args, tuple):
        record.args = tuple(show_url(arg) if isinstance(arg, httpx.URL) else arg for arg in record.args)
    return True
