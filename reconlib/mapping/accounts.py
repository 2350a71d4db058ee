"""Every vendor account with its client: what stands, what the evidence suggests, and where the two disagree (T14, T21, T25).

The first that applies stands: a person's decision, a rule that names the account's client, the PSA id the account carries, the Microsoft
tenant it shares with an account that stands, the client it had last month under the same id, a name equal character for character and
unique on both sides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from reconlib.mapping.changes import find_changes, is_copy
from reconlib.mapping.decided import Decided, Decisions, asked_again
from reconlib.mapping.links import Relation, audit_links
from reconlib.mapping.merging import contradict, excluded, mapped, merge_link, quiet_accepted, say_better, say_lost
from reconlib.mapping.stakes import NOTHING, Stakes, weigh
from reconlib.schema import ACCOUNT_MAPPING, make_table

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]
Key = tuple[str, str]  # source, vendor_account_id
_KEPT = ("source", "vendor_account_id", "account_name", "domain", "external_id", "tenant_id", "evidence")


def suggest_accounts(
    clients: pa.Table,
    accounts: pa.Table,
    decisions: Decisions,
    stakes: Stakes,
    *,
    before: Iterable[Mapping[str, Any]] = (),
    one_each: Collection[str] = (),
    own_domains: Collection[str] = (),
    ruled: Mapping[Key, tuple[str, str]] = MappingProxyType({}),
) -> pa.Table:
    """Every vendor account with its client, state and verdict. Returns ACCOUNT_MAPPING.

    Args:
        clients: of the PSA; those in the recycle bin take no part (T14).
        accounts: of every source.
        decisions: what people decided.
        stakes: what hangs on each account.
        before: rows of last month's ACCOUNT_MAPPING.
        one_each: sources in which a client has one account; others may have several.
        own_domains: the MSP's own, which say nothing about a client.
        ruled: client of the accounts whose client a rule names, and the rule's key (T32).
    """
    listed, rows, before = clients.to_pylist(), accounts.to_pylist(), list(before)
    ours = {row["client_id"]: _as_ours(row) for row in listed}
    live = [row for row in listed if not row["is_deleted"]]
    decided = {_key(row): decisions.get(("account", *_key(row))) for row in rows}
    asked = {_key(row): asked_again("account", decided[_key(row)], row, ours) for row in rows}
    changes = find_changes("account", rows, before)
    stands = _decide(rows, decided, ours)
    for key, (client, rule) in ruled.items():
        stands.setdefault(key, mapped(client, "rule", f"named by {rule}"))
    settled = _settle(rows, live, stands, {key: (*pair, changes.get(key)) for key, pair in asked.items()}, before)
    judged = _judge(rows, live, decided, settled, asked, one_each, own_domains)
    links = {}
    for row in rows:
        key = _key(row)
        link = merge_link(settled.get(key), judged.get(key, {}), asked[key][1])
        link = say_better(link, ours.get(link.get("runner_up_id"), {}).get("client_name"))
        links[key] = say_lost("account", link, decided[key], ours)
    against = _conflicts(links, ours, {row["client_id"] for row in live}, one_each)
    for key, conflicts in against.items():
        for conflict in conflicts:
            links[key] = contradict(links[key], conflict)
    had = {_key(row): row for row in before}
    out = []
    for row in rows:
        key = _key(row)
        mine = ours.get(links[key].get("id"), {})
        link = quiet_accepted("account", links[key], decided[key], row, mine, against.get(key, ()))
        change = changes.get(key) or _moved(link, had.get(key))
        about = {**ours.get(link.pop("id", None), {}), "runner_up_name": ours.get(link.get("runner_up_id"), {}).get("client_name")}
        kept = {name: row[name] for name in _KEPT}
        out.append({**kept, **link, **about, "change": change, **weigh(link, stakes.get(key, NOTHING))})
    return make_table(ACCOUNT_MAPPING, out)


def _settle(
    rows: Sequence[Row],
    live: Sequence[Row],
    stands: Mapping[Key, Row],
    asked: Mapping[Key, tuple[frozenset[str], dict[str, str], str | None]],
    before: Iterable[Mapping[str, Any]],
) -> dict[Key, Row]:
    """What stands without the matcher, by account.

    ``stands``: what people and rules say. ``asked``: rejected clients, those asked again, and what changed.
    """
    found = dict(stands)
    known = {row["client_id"] for row in live}
    ids = _unique({r["client_code"]: r["client_id"] for r in live if r["client_code"]}, [r["client_code"] for r in live])
    ids |= {client: client for client in known}

    def settle(row: Row, client: str | None, decided_by: str, reason: str) -> None:
        rejected, again, _ = asked[_key(row)]
        if client is not None and client in known and client not in rejected and client not in again:
            found.setdefault(_key(row), mapped(client, decided_by, reason))

    def settle_tenants() -> None:
        tenants = _tenants(rows, found)
        for row in rows:
            client, where = tenants.get(row["tenant_id"], (None, ""))
            settle(row, client, "id", f"the same Microsoft tenant as {where}")

    for row in rows:
        settle(row, ids.get(row["external_id"]), "id", f"the vendor carries PSA id {row['external_id']}")
    settle_tenants()
    names = _unique({r["client_name"]: r["client_id"] for r in live}, [r["client_name"] for r in live])
    twice = Counter((row["source"], row["account_name"]) for row in rows)
    had = {_key(row): row for row in before if row["state"] == "mapped" and row["decided_by"] in ("id", "exact_name")}
    for row in rows:
        named = names.get(row["account_name"]) if twice[row["source"], row["account_name"]] == 1 else None
        last = had.get(_key(row))
        if last and last["client_id"] != named:
            settle(row, last["client_id"], "id", f"mapped last month under the same id, when it was called {last['account_name']}")
        if not is_copy(asked[_key(row)][2]):
            settle(row, named, "exact_name", "name equal character for character")
    settle_tenants()
    return found


def _decide(rows: Sequence[Row], decided: Mapping[Key, Decided | None], ours: Mapping[str, Row]) -> dict[Key, Row]:
    found = {}
    for row in rows:
        one = decided[_key(row)]
        if one and one.state == "excluded":
            found[_key(row)] = excluded()
        elif one and one.state == "mapped" and one.targets[0] in ours:
            found[_key(row)] = mapped(one.targets[0], "decision", "decided by a person")
    return found


def _tenants(rows: Sequence[Row], found: Mapping[Key, Row]) -> dict[str | None, tuple[str | None, str]]:
    """Client of every Microsoft tenant, and the account that says so; none where accounts of one tenant stand for several clients."""
    clients: dict[str | None, dict[str, str]] = {}
    for row in rows:
        link = found.get(_key(row), {})
        if row["tenant_id"] and link.get("state") == "mapped":
            clients.setdefault(row["tenant_id"], {}).setdefault(link["id"], f"{row['account_name']} in {row['source']}")
    return {tenant: next(iter(of.items())) for tenant, of in clients.items() if len(of) == 1}


def _judge(
    rows: Sequence[Row],
    live: Sequence[Row],
    decided: Mapping[Key, Decided | None],
    settled: Mapping[Key, Row],
    asked: Mapping[Key, tuple[frozenset[str], dict[str, str]]],
    one_each: Collection[str],
    own_domains: Collection[str],
) -> dict[Key, Row]:
    """What the evidence says about every account, source by source; names people mapped elsewhere help where a client may have several."""
    names = {row["client_id"]: row["client_name"] for row in live}
    known = names.keys()
    left = [{"id": r["client_id"], "name": r["client_name"], "external_id": r["client_code"]} | _contact(r) for r in live]
    found: dict[Key, Row] = {}
    for source in sorted({row["source"] for row in rows}):
        relation: Relation = "one_to_one" if source in one_each else "many_to_one"
        mine = [row for row in rows if row["source"] == source]
        if relation == "many_to_one":
            mine += [row for row in rows if row["source"] != source and _is_taught(row, decided[_key(row)], names)]
        right = [{"id": _joint(row), "name": row["account_name"], "external_id": row["external_id"]} | _contact(row) for row in mine]
        standing: list[Row] = []
        named = {}
        for row in mine:
            link = settled.get(_key(row), {})
            if link.get("state") == "excluded":
                standing.append({"right_id": _joint(row), "left_id": None, "decision": "exclude"})
            elif link.get("id") in known and link["decided_by"] == "exact_name":
                named[_joint(row)] = link["id"]
            elif link.get("id") in known and link["decided_by"] != "rule":  # a rule says nothing about names
                standing.append({"right_id": _joint(row), "left_id": link["id"], "decision": "map"})
            rejected = sorted(asked[_key(row)][0] & known)
            standing += [{"right_id": _joint(row), "left_id": client, "decision": "reject"} for client in rejected]
        answer = audit_links(left, right, standing, named, relation=relation, own_domains=own_domains)
        found |= {_key(row): answer[_joint(row)] for row in mine if row["source"] == source}
    return found


def _contact(row: Mapping[str, Any]) -> Row:
    return {name: row.get(name) for name in ("domain", "email", "phone", "address")}


def _is_taught(row: Row, decided: Decided | None, names: Mapping[str, str]) -> bool:
    """Whether a person mapped this account although its name is another: the name is one more of the client's."""
    if decided is None or decided.state != "mapped":
        return False
    known = names.get(decided.targets[0])
    return known is not None and known != row["account_name"]


def _conflicts(links: Mapping[Key, Row], ours: Mapping[str, Row], live: Collection[str], one_each: Collection[str]) -> dict[Key, list[str]]:
    """What speaks against mapped accounts beside the evidence: a deleted client, or two accounts where a client is declared to have one."""
    found: dict[Key, list[str]] = {}
    groups: dict[Key, list[Key]] = {}
    for key, link in links.items():
        if link["state"] != "mapped":
            continue
        if link["id"] not in live:
            found[key] = ["the client is in the PSA's recycle bin"]
        if key[0] in one_each:
            groups.setdefault((key[0], link["id"]), []).append(key)
    for (source, client), group in groups.items():
        said = f"{ours[client]['client_name']} has {len(group)} accounts in {source}, which is declared to have one a client"
        for key in group if len(group) > 1 else ():
            found.setdefault(key, []).append(said)
    return found


def _moved(link: Row, last: Mapping[str, Any] | None) -> str | None:
    if last is None or last["state"] != "mapped" or link["state"] != "mapped" or link["decided_by"] == "decision":
        return None
    return f"was mapped to {last['client_name']} last month" if last["client_id"] != link["id"] else None


def _as_ours(row: Mapping[str, Any]) -> Row:
    return {name: row[name] for name in ("client_id", "client_name", "client_code")} | {"client_domain": row["domain"]}


def _unique(found: dict[str, str], names: Sequence[str | None]) -> dict[str, str]:
    times = Counter(names)
    return {name: target for name, target in found.items() if times[name] == 1}


def _key(row: Mapping[str, Any]) -> Key:
    return row["source"], row["vendor_account_id"]


def _joint(row: Mapping[str, Any]) -> str:
    return f"{row['source']}\x1f{row['vendor_account_id']}"
