"""What can go wrong with a vendor, on demand: each mode is one thing a connector must survive or refuse."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from reconlib.sandbox.web import Reply, Request, json_reply

MODES = (
    "down",  # 500 to everything
    "unauthorized",  # 401 to everything
    "rate_limited",  # every call is told to wait once (429, Retry-After 1), then answered
    "cut",  # half of the JSON
    "dropped",  # the connection ends before the announced length
    "empty",  # 200 with no body
    "reshaped",  # the field the count depends on is renamed
    "loop",  # the next page is this page
    "foreign",  # the next page, or a redirect, lies at another origin
)
FOREIGN = "http://vendor.invalid/next"
_RENAMED = {
    "psa": (b'"quantity":', b'"qty":'),
    "pax8": (b'"quantity":', b'"seats":'),
    "m365": (b'"consumedUnits":', b'"unitsConsumed":'),
    "ninja": (b'"organizationId":', b'"orgId":'),
    "huntress": (b'"organization_id":', b'"org":'),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One switch that is on."""

    mode: str
    seen: set[str] = field(default_factory=set)


def is_token(request: Request) -> bool:
    """Whether the call asks for a token."""
    return request.path.endswith("/token")


def before(fault: Fault, request: Request) -> Reply | None:
    """Answer given instead of the vendor's, if any."""
    if fault.mode == "down":
        return json_reply({"message": "Internal Server Error"}, 500)
    if fault.mode == "unauthorized":
        return json_reply({"message": "Unauthorized", "error": "invalid_client"}, 401)
    if fault.mode == "rate_limited":
        key = f"{request.method} {request.url()}"
        if key not in fault.seen:
            fault.seen.add(key)
            return json_reply({"message": "Too many requests"}, 429, Retry_After="1")
    return None


def spoil(fault: Fault, source: str, request: Request, reply: Reply) -> Reply:
    """The vendor's answer, made wrong."""
    if reply.status != 200:
        return reply
    if fault.mode == "cut":
        return replace(reply, body=reply.body[: len(reply.body) // 2])
    if fault.mode == "dropped":
        return replace(reply, body=reply.body[: len(reply.body) // 2], headers={**reply.headers, "Content-Length": str(len(reply.body))})
    if fault.mode == "empty":
        return replace(reply, body=b"")
    if fault.mode == "reshaped":
        return replace(reply, body=reply.body.replace(*_RENAMED[source]))
    if fault.mode in ("loop", "foreign"):
        return _misled(source, request, reply, request.url() if fault.mode == "loop" else FOREIGN)
    return reply


def _misled(source: str, request: Request, reply: Reply, following: str) -> Reply:
    loops = following != FOREIGN
    if source == "psa":
        return replace(reply, headers={**reply.headers, "Link": f'<{following}>; rel="next"'})
    if source in ("pax8", "ninja") and not loops:
        return Reply(302, b"", {"Location": following})
    content: Any = json.loads(reply.body)
    if source == "pax8":
        content["page"] |= {"totalPages": 1_000_000, "number": request.number("page", 0)}
    elif source == "ninja":
        size = request.number("pageSize", len(content))
        content = (content * (size // max(1, len(content)) + 1))[:size]
    elif source == "m365":
        content["@odata.nextLink"] = following
    else:
        content["pagination"] = {"next_page_token": request.query.get("page_token", "p0"), "next_page_url": following}
    return json_reply(content, reply.status)
