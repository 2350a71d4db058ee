"""Huntress: Basic ``key:secret``, ``limit`` and ``page_token``, no token on the last page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from reconlib.sandbox.accounts import uid
from reconlib.sandbox.records import Account, Agent
from reconlib.sandbox.web import Reply, Request, Site, drop_empty, is_basic, json_reply

MAX_LIMIT, DEFAULT_LIMIT = 500, 10
ACCOUNT_ID = 4412
_SINCE = datetime(2023, 3, 1, 18, 54, 2, tzinfo=UTC)


def answer(site: Site, request: Request) -> Reply:
    """One call to the security vendor."""
    if not is_basic(request, site.environ["HUNTRESS_KEY"], site.environ["HUNTRESS_SECRET"]):
        return json_reply({"error": "Your request could not be authenticated."}, 401)
    rows: list[dict[str, Any]]
    if request.path == "/v1/organizations":
        rows, name = organizations(site), "organizations"
    elif request.path == "/v1/agents":
        rows, name = [_agent(a) for a in site.world.agents], "agents"
        if wanted := request.query.get("organization_id"):
            rows = [row for row in rows if str(row["organization_id"]) == wanted]
    else:
        return json_reply({"error": "The requested resource is unavailable."}, 404)
    limit, token = request.number("limit", DEFAULT_LIMIT), request.query.get("page_token", "p0")
    if not 1 <= limit <= MAX_LIMIT or not token.removeprefix("p").isdecimal():
        return json_reply({"error": "There is an unexpected value in the API request."}, 400)
    start = int(token.removeprefix("p"))
    pagination = {}
    if len(rows) > start + limit:
        following = f"p{start + limit}"
        pagination = {"next_page_token": following, "next_page_url": request.url(page_token=following, limit=str(limit))}
    return json_reply({name: rows[start : start + limit], "pagination": pagination})


def organizations(site: Site) -> list[dict[str, Any]]:
    """Organisations with what is billed for each."""
    world = site.world
    agents: dict[int, int] = {}
    for agent in world.agents:
        agents[agent.organization] = agents.get(agent.organization, 0) + 1
    counts = {row.organization: row for row in world.security}
    found = []
    for account in world.book.accounts("huntress"):
        number = int(account.id)
        found.append(
            {
                "id": number,
                "account_id": ACCOUNT_ID,
                "name": account.name,
                "key": f"org-{number}",
                "agents_count": agents.get(number, 0),
                "billable_identity_count": counts[number].identities,
                "sat_learner_count": counts[number].learners,
                "logs_sources_count": 0,
                "incident_reports_count": 0,
                "identity_provider_tenant_id": _tenant(site, account),
                "microsoft_365_tenant_id": _tenant(site, account),
                "microsoft_365_users_count": counts[number].identities,
                "notify_emails": [],
                "report_recipients": [],
                "created_at": _SINCE,
                "updated_at": world.now,
            }
        )
    return found


def _tenant(site: Site, account: Account) -> str:
    """The client's own Microsoft tenant, where the two vendors were ever connected."""
    tenant = next((a for a in site.world.book.accounts("m365") if a.client_id == account.client_id and a.mapping == "name"), None)
    return tenant.id if tenant else uid(site.world.seed, "idp", account.id)


def _agent(agent: Agent) -> dict[str, Any]:
    windows = agent.id % 9 != 8
    return drop_empty(
        id=agent.id,
        account_id=ACCOUNT_ID,
        organization_id=agent.organization,
        hostname=agent.hostname,
        platform="windows" if windows else "darwin",
        os="Windows 11 Pro" if windows else "macOS 15",
        arch="x86_64" if windows else "arm64",
        serial_number=agent.serial,
        version="0.14.32",
        tags=[],
        created_at=agent.created,
        updated_at=agent.last_callback,
        last_callback_at=agent.last_callback,
        last_survey_at=agent.last_callback,
    )
