"""AUTO is never wrong on the sandbox: several made-up MSPs, every vendor's accounts and products against their true answers."""

from __future__ import annotations

import pandas as pd
import pytest
from matching.pairs import links

from reconlib.matching import suggest_links
from reconlib.period import Period
from reconlib.sandbox.accounts import SOURCES
from reconlib.sandbox.catalogue import DORMANT, FREE_SKUS, PAX8_PRODUCTS, SERVICES, SKU_IDS, VISIO
from reconlib.sandbox.world import World, make_world

SEEDS = (7, 11, 20, 2026, 4711)
OWN_DOMAINS = ("harbormsp.onmicrosoft.com", "harbor-msp.example")
LINKED = 0.9  # share of the accounts that are a client's whose client is offered


@pytest.fixture(scope="module", params=SEEDS)
def world(request: pytest.FixtureRequest) -> World:
    return make_world(request.param, 120, Period(2026, 10))


def clients(world: World) -> pd.DataFrame:
    """Every company of the PSA that is there, prospects and the MSP's own included."""
    rows = [{"id": str(c.id), "name": c.name, "domain": c.website or None, "external_id": c.code} for c in world.companies if not c.deleted]
    return pd.DataFrame(rows, dtype=object)


def accounts(world: World, source: str, *, with_ids: bool) -> pd.DataFrame:
    rows = [
        {"id": a.id, "name": a.name, "domain": a.domain or None, "external_id": (a.external_id or None) if with_ids else None}
        for a in world.book.accounts(source)
    ]
    return pd.DataFrame(rows, dtype=object)


@pytest.mark.parametrize("with_ids", [True, False])
@pytest.mark.parametrize("source", SOURCES)
def test_no_wrong_auto_among_the_accounts_of_a_source(world: World, source: str, *, with_ids: bool) -> None:
    truth = {a.id: None if a.client_id is None else str(a.client_id) for a in world.book.accounts(source)}
    told = {a.id: a.name for a in world.book.accounts(source)}
    ours = clients(world)
    named = dict(zip(ours["id"], ours["name"], strict=True))
    answers = list(links(suggest_links(ours, accounts(world, source, with_ids=with_ids), relation="many_to_one", own_domains=OWN_DOMAINS)))
    wrong = [
        f"{told[row['right_id']]} ≠ {named[row['left_id']]} (p {row['probability']:.3f}, {row['reason']})"
        for row in answers
        if row["verdict"] == "AUTO" and row["left_id"] != truth[row["right_id"]]
    ]
    assert not wrong, "\n".join(wrong)
    offered = [
        truth[row["right_id"]] in {row["left_id"], *(key for key, _ in row["proposals"])} for row in answers if truth[row["right_id"]]
    ]
    assert offered
    assert sum(offered) >= LINKED * len(offered)


# How an account of somebody else looks like a client: every one of these is another company.
LOOK_ALIKES = (
    "{0} Canada", "{0} of Texas", "{0} II", "{0} 2", "North {0}", "New {0}", "{0} Foundation", "{0} Supply", "{0} Staffing", "{0} Alumni Club",
    "{0} Credit Union", "Friends of {0}", "{0} Tenants Association", "Old {0}", "{0} (TEST)", "Demo - {0}", "{0} Capital",
)  # fmt: skip


@pytest.mark.parametrize("relation", ["many_to_one", "one_to_one"])
def test_no_auto_for_accounts_of_others_that_look_like_clients(world: World, relation: str) -> None:
    ours = clients(world)
    strangers = {f"S{n}": LOOK_ALIKES[n % len(LOOK_ALIKES)].format(name) for n, name in enumerate(ours["name"])}
    named = dict(zip(ours["id"], ours["name"], strict=True))
    right = pd.DataFrame([{"id": key, "name": name} for key, name in strangers.items() if name not in set(ours["name"])], dtype=object)
    answers = links(suggest_links(ours, right, relation=relation, own_domains=OWN_DOMAINS))
    wrong = [
        f"{strangers[row['right_id']]} ≠ {named[row['left_id']]} (p {row['probability']:.3f}, {row['reason']})"
        for row in answers
        if row["verdict"] == "AUTO"
    ]
    assert not wrong, "\n".join(wrong)


def test_no_wrong_auto_between_one_msps_clients_and_anothers() -> None:
    """Two books drawn from the same words: most names of the one look like some of the other, and few are the same."""
    cast = 24
    here, there = make_world(7, 120, Period(2026, 10)), make_world(11, 120, Period(2026, 10))
    left = pd.DataFrame([{"id": f"L{m.index}", "name": m.name} for m in here.members], dtype=object)
    right = pd.DataFrame([{"id": f"R{m.index}", "name": m.name} for m in there.members[cast:]], dtype=object)
    names = dict(zip(left["id"], left["name"], strict=True)) | dict(zip(right["id"], right["name"], strict=True))
    for relation in ("many_to_one", "one_to_one"):
        autos = [row for row in links(suggest_links(left, right, relation=relation)) if row["verdict"] == "AUTO"]
        assert autos
        assert [
            f"{names[row['right_id']]} ≠ {names[row['left_id']]}" for row in autos if names[row["right_id"]] != names[row["left_id"]]
        ] == []


@pytest.mark.parametrize("with_ids", [True, False])
def test_no_wrong_auto_among_the_products(*, with_ids: bool) -> None:
    services = [s for s in (*SERVICES, *DORMANT) if s.is_active]
    left = pd.DataFrame(
        [{"id": s.code, "name": s.name, "sku": (s.vendor_sku or None) if with_ids else None} for s in services], dtype=object
    )
    found = [(p.product_id, p.name, p.vendor_sku, {p.service} - {""}) for p in PAX8_PRODUCTS]
    # One part under two terms is two services: without its term it cannot be told which (T28).
    found = [(i, n, s, set() if owner == {"PROOFPT"} else owner) for i, n, s, owner in found]
    by_part = {s.vendor_sku: s.code for s in services if s.vendor_sku in SKU_IDS}
    found += [(guid, part, guid, {by_part[part]}) for part, guid in SKU_IDS.items()]
    found += [(guid, part, guid, set()) for part, guid in (*FREE_SKUS, VISIO)]
    right = pd.DataFrame([{"id": i, "name": n, "sku": s if with_ids else None} for i, n, s, _ in found], dtype=object)
    truth = {i: owners for i, _, _, owners in found}
    answers = list(links(suggest_links(left, right, relation="many_to_one")))
    wrong = [
        f"{row['right_id']} → {row['left_id']}: {row['reason']}"
        for row in answers
        if row["verdict"] == "AUTO" and row["left_id"] not in truth[row["right_id"]]
    ]
    assert not wrong, "\n".join(wrong)
    if with_ids:
        microsoft = {guid: by_part[part] for part, guid in SKU_IDS.items()}
        assert {row["right_id"]: row["left_id"] for row in answers if row["right_id"] in microsoft} == microsoft
