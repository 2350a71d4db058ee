"""NinjaOne: OAuth client credentials with scope ``monitoring``, bare arrays, ``after`` = last id."""

from __future__ import annotations

from typing import Any

from reconlib.sandbox.accounts import uid
from reconlib.sandbox.records import Device
from reconlib.sandbox.web import Reply, Request, Site, drop_empty, is_bearer, json_reply

MAX_PAGE_SIZE = DEFAULT_PAGE_SIZE = 1000


def answer(site: Site, request: Request) -> Reply:
    """One call to the RMM vendor."""
    if request.path == "/ws/oauth/token":
        form = request.form()
        good = form.get("client_id") == site.environ["NINJA_CLIENT_ID"] and form.get("client_secret") == site.environ["NINJA_CLIENT_SECRET"]
        if request.method != "POST" or not good or form.get("grant_type") != "client_credentials":
            return json_reply({"error": "invalid_client"}, 401)
        if "monitoring" not in form.get("scope", "").split():
            return json_reply({"error": "invalid_scope"}, 400)
        return json_reply({"access_token": site.token("ninja"), "expires_in": 3600, "scope": "monitoring", "token_type": "Bearer"})
    if not is_bearer(request, site.token("ninja")):
        return json_reply({"resultCode": "FAILURE", "errorMessage": "invalid_token"}, 401)
    rows: list[dict[str, Any]]
    if request.path == "/v2/organizations":
        rows = [
            {"id": int(a.id), "name": a.name, "description": "", "userData": {}, "nodeApprovalMode": "AUTOMATIC", "tags": [], "fields": {}}
            for a in sorted(site.world.book.accounts("ninja"), key=lambda a: int(a.id))
        ]
    elif request.path in ("/v2/devices", "/v2/devices-detailed"):
        detailed = request.path.endswith("-detailed")
        rows = [_device(site.world.seed, d, detailed=detailed) for d in site.world.devices]
    else:
        return json_reply({"resultCode": "FAILURE", "errorMessage": "not_found"}, 404)
    after, size = request.number("after", 0), request.number("pageSize", DEFAULT_PAGE_SIZE)
    if after < 0 or not 1 <= size <= MAX_PAGE_SIZE:
        return json_reply({"resultCode": "FAILURE", "errorMessage": "invalid_parameter"}, 400)
    return json_reply([row for row in rows if row["id"] > after][:size])


def _device(seed: int, device: Device, *, detailed: bool) -> dict[str, Any]:
    row = drop_empty(
        id=device.id,
        uid=uid(seed, "device", device.id),
        organizationId=device.organization,
        locationId=device.organization * 10,
        nodeClass=device.node_class,
        nodeRoleId=101,
        approvalStatus="APPROVED" if device.approved else "PENDING",
        displayName=device.name,
        systemName=device.name,
        dnsName=f"{device.name.lower()}.lan",
    )
    unit = 1000 if device.in_milliseconds else 1
    times = {"created": device.created.timestamp() * unit, "lastContact": device.last_contact.timestamp() * unit}
    row |= {"offline": device.id % 3 == 0, **times}
    if detailed:
        row |= {"tags": [], "ipAddresses": [], "macAddresses": []}
        if device.serial is not None:
            row["system"] = {"name": device.name, "manufacturer": "Generic", "serialNumber": device.serial, "virtualMachine": False}
    return row
