"""Addresses secrets may be sent to: https, or plain http on this machine, and never another origin than the one in params."""

from __future__ import annotations

import re
from ipaddress import ip_address

import httpx

from reconlib.errors import SettingsError

_SECRET_NAMES = re.compile(r"(?i)\b(access_token|api_?key|client_secret|key|password|secret|sig|signature|token)=[^&]*")


def check_address(address: str, *, source: str, key: str) -> httpx.URL:
    """The address, if secrets may be sent to it: https, or http on loopback.

    Raises:
        SettingsError: it is not.
    """
    where = f"source {source}, {key}"
    url = read_url(address)
    if url.userinfo or url.query or url.fragment:
        raise SettingsError("holds a user, a query or a fragment", where=where, hint="give the plain address; secrets stay outside params")
    if not url.host or url.scheme not in ("http", "https"):
        shown = re.sub(r"//.*@", "//…@", address.partition("?")[0], flags=re.DOTALL)  # what cannot be read may still hold a password
        raise SettingsError(f"{shown!r} is not a web address", where=where, hint="write it as https://host/path")
    if url.scheme == "http" and not is_loopback_host(url.host):
        raise SettingsError(f"plain http to {url.host} would show the secrets", where=where, hint="use https; http is for loopback only")
    return url


def read_url(text: str) -> httpx.URL:
    """The address, or an empty one where it is none."""
    try:
        return httpx.URL(text)
    except (httpx.InvalidURL, ValueError):  # a sign no address can hold
        return httpx.URL("")


def is_loopback(address: str) -> bool:
    """Whether an address stays on this machine."""
    return is_loopback_host(read_url(address).host)


def is_loopback_host(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """Scheme, host and port: what credentials are given for."""
    return url.scheme, url.host.lower(), url.port or {"http": 80, "https": 443}.get(url.scheme)


def request_line(url: httpx.URL) -> str:
    """Method, path and query of a page asked for, without host and secrets, as a snapshot keeps it."""
    return "GET " + _SECRET_NAMES.sub(r"\1=***", url.raw_path.decode("ascii", "replace"))


def show_url(url: httpx.URL) -> str:
    """Address without user, query and fragment, that of a token without its path, as a log may show it."""
    return f"{url.scheme}://{url.netloc.decode('ascii')}{'/…/token' if url.path.endswith('/token') else url.path}"
