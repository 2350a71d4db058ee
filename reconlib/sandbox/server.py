"""The made-up vendors on loopback HTTP: one server, a path prefix for each vendor, and switches for what can go wrong."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

from reconlib.sandbox import fake_connectwise, fake_huntress, fake_msgraph, fake_ninjaone, fake_pax8
from reconlib.sandbox.faults import MODES, Fault, before, is_token, spoil
from reconlib.sandbox.web import Reply, Request, Site, json_reply
from reconlib.sandbox.world import World

HOST = "127.0.0.1"
DEFAULT_PORT = 47_000  # plus seed % 1000, so that a demo has the same addresses every time
PREFIXES = {"psa": "/connectwise", "pax8": "/pax8", "m365": "/graph", "ninja": "/ninja", "huntress": "/huntress"}
_BASES = {
    "psa": fake_connectwise.PREFIX,
    "pax8": "/v1",
    "m365": "",
    "ninja": "",
    "huntress": "/v1",
}  # where it is empty, each path names the version
_TOKENS = {"psa": "", "pax8": "/oauth/token", "m365": "/{tenant}/oauth2/v2.0/token", "ninja": "/ws/oauth/token", "huntress": ""}
_ANSWERS: dict[str, Callable[[Site, Request], Reply]] = {
    "psa": fake_connectwise.answer,
    "pax8": fake_pax8.answer,
    "m365": fake_msgraph.answer,
    "ninja": fake_ninjaone.answer,
    "huntress": fake_huntress.answer,
}
_SECRETS = (
    "CW_COMPANY", "CW_PUBLIC_KEY", "CW_PRIVATE_KEY", "CW_CLIENT_ID", "PAX8_CLIENT_ID", "PAX8_CLIENT_SECRET", "GRAPH_TENANT",
    "GRAPH_CLIENT_ID", "GRAPH_CLIENT_SECRET", "NINJA_CLIENT_ID", "NINJA_CLIENT_SECRET", "HUNTRESS_KEY", "HUNTRESS_SECRET",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Call:
    """One request the vendors saw."""

    source: str
    method: str
    path: str  # with query, below the vendor's prefix
    status: int


class Server:
    """The running vendors."""

    def __init__(self, world: World, port: int) -> None:
        self.world = world
        self.environ: dict[str, str] = {name: _secret(world.seed, name) for name in _SECRETS}
        self.site = Site(world, self.environ)
        self.requests: list[Call] = []
        self.port = port
        self._faults: dict[str, Fault] = {}
        self._lock = threading.Lock()

    @property
    def now(self) -> datetime:
        """The vendors' clock."""
        return self.world.now

    def url(self, source: str) -> str:
        """Base address of a source's API."""
        return f"http://{HOST}:{self.port}{PREFIXES[source]}{_BASES[source]}"

    def token_url(self, source: str) -> str:
        """Address of a source's token endpoint; empty where it has none."""
        return f"http://{HOST}:{self.port}{PREFIXES[source]}{_TOKENS[source]}" if _TOKENS[source] else ""

    def fail(self, source: str, mode: str) -> None:
        """Make a source fail in one way from now on; one of ``faults.MODES``."""
        if source not in PREFIXES or mode not in MODES:
            raise ValueError(f"no fault {mode!r} for {source!r}; modes: {', '.join(MODES)}")
        self._faults[source] = Fault(mode)

    def heal(self, source: str) -> None:
        """Make a source work again."""
        self._faults.pop(source, None)

    def respond(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Answer of the vendor the path belongs to."""
        parts = urlsplit(target)
        source = next((s for s, prefix in PREFIXES.items() if parts.path.startswith(f"{prefix}/")), None)
        if source is None:
            return json_reply({"message": "no such vendor"}, 404)
        path = parts.path.removeprefix(PREFIXES[source])
        request = Request(method, path, dict(parse_qsl(parts.query)), headers, body, f"http://{HOST}:{self.port}{PREFIXES[source]}")
        reply = self._answer(source, request)
        with self._lock:
            self.requests.append(Call(source, method, f"{path}?{parts.query}" if parts.query else path, reply.status))
        return reply

    def _answer(self, source: str, request: Request) -> Reply:
        fault = self._faults.get(source)
        if fault is None:
            return _ANSWERS[source](self.site, request)
        if early := before(fault, request):
            return early
        if is_token(request):
            return _ANSWERS[source](self.site, request)
        seen = (
            replace(request, query={k: v for k, v in request.query.items() if k not in ("after", "page")})
            if fault.mode == "loop"
            else request
        )
        return spoil(fault, source, request, _ANSWERS[source](self.site, seen))


@contextmanager
def serve(world: World, port: int = 0) -> Iterator[Server]:
    """The vendors of this world, for as long as the context lasts; ``port`` 0 is any free one.

    Example:
        >>> from reconlib.period import Period
        >>> from reconlib.sandbox.world import make_world
        >>> with serve(make_world(7, 8, Period(2026, 10))) as server:
        ...     server.url("pax8").endswith("/pax8/v1")
        True
    """
    http = _listen(port)
    server = Server(world, http.server_address[1])
    http.respond = server.respond
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, name="sandbox", daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def sandbox_sources(server: Server) -> dict[str, dict[str, str]]:
    """Addresses to fill into a book's sources: ``{source: {base_url, token_url}}``; no token_url where there is none."""
    found = {}
    for source in PREFIXES:
        found[source] = {"base_url": server.url(source)}
        if server.token_url(source):
            found[source]["token_url"] = server.token_url(source)
    return found


def _secret(seed: int, name: str) -> str:
    """Made-up credential; opens nothing but this sandbox."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).hexdigest()
    if name == "GRAPH_TENANT":
        return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"
    return "harbor" if name == "CW_COMPANY" else f"sandbox-{digest[:24]}"


class _Http(ThreadingHTTPServer):
    daemon_threads = False
    respond: Callable[[str, str, Mapping[str, str], bytes], Reply]


def _listen(port: int) -> _Http:
    try:
        return _Http((HOST, port), _Handler)
    except OSError:
        if not port:
            raise
        return _Http((HOST, 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "sandbox"
    sys_version = ""
    timeout = 10
    _allowed: ClassVar[set[str]] = {HOST}

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        assert isinstance(self.server, _Http)
        reply = self.server.respond(self.command, self.path, headers, body)
        self.close_connection = True  # one call a connection: nothing is left open when the server stops
        self.send_response(reply.status)
        sent = {"Content-Length": str(len(reply.body)), **reply.headers, "Connection": "close"}
        for name, value in sent.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
        """Requests are kept in ``Server.requests``; nothing is printed."""
