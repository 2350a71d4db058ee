"""Where Microsoft's partner services are, and how the partner's app signs in there: each host with a token of its own.

Invoices, customers and subscriptions are on Partner Center's host, exports on Graph. A book that names another address (a national cloud, a
fake) has both there. Source: Partner Center, "Partner Center REST URLs"; Microsoft Graph, "National cloud deployments".
"""

from __future__ import annotations

from urllib.parse import quote

from reconlib.connectors.contract import Fetch
from reconlib.connectors.sign_in import ClientCredentials
from reconlib.connectors.transport import Transport

GRAPH = "https://graph.microsoft.com"
PARTNER_CENTER = "https://api.partnercenter.microsoft.com"
TOKEN_URL = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"  # noqa: S105 - an address


def open_graph(f: Fetch, hint: str) -> Transport:
    """Connection to the exports; ``hint`` says which right is missing when the app is refused."""
    return _open(f, f.base_url, f"{GRAPH}/.default", hint)


def open_partner_center(f: Fetch, hint: str, *, rate_per_s: float | None = None, burst: int = 1) -> Transport:
    """Connection to invoices, customers and subscriptions, on Partner Center's own host where the book names Microsoft's public cloud."""
    address = PARTNER_CENTER if _bare(f.base_url) == GRAPH else f.base_url
    return _open(f, address, f"{PARTNER_CENTER}/.default", hint, rate_per_s=rate_per_s, burst=burst)


def _open(f: Fetch, address: str, scope: str, hint: str, *, rate_per_s: float | None = None, burst: int = 1) -> Transport:
    token_url = f.token_url.replace("{tenant}", quote(f.credentials["TENANT"].get_secret_value(), safe=""))
    client_id, secret = f.credentials["CLIENT_ID"], f.credentials["CLIENT_SECRET"]
    auth = ClientCredentials(token_url, client_id, secret, source=f.source, extra={"scope": scope}, now=f.now)
    hints = dict.fromkeys((400, 401, 403), hint)
    return Transport(
        _bare(address),
        source=f.source,
        auth=auth,
        headers={"Accept": "application/json"},  # XML is spoken there too
        hints=hints,
        rate_per_s=rate_per_s,
        burst=burst,
        sleep=f.sleep,
        now=f.now,
    )


def _bare(address: str) -> str:
    """The address without a version: it is written with it and without."""
    return address.rstrip("/").removesuffix("/v1.0")
