"""Every connector over real HTTP against the sandbox's vendors: nothing lost, and each fault fails its own source in words."""

from __future__ import annotations

import logging
from datetime import UTC

import pytest

from reconlib.connectors import CONNECTORS
from reconlib.period import Period
from reconlib.sandbox.faults import MODES
from reconlib.sandbox.server import sandbox_sources, serve
from reconlib.sandbox.world import make_world
from reconlib.settings import Source
from reconlib.snapshots import latest_any, read_pages, verify
from reconlib.sync import sync_source

PERIOD = Period(2026, 10)
SOURCES = {
    "psa": ("connectwise_psa", "CW"),
    "pax8": ("pax8", "PAX8"),
    "m365": ("msgraph", "GRAPH"),
    "ninja": ("ninjaone", "NINJA"),
    "huntress": ("huntress", "HUNTRESS"),
}


@pytest.fixture(scope="module")
def server():
    with serve(make_world(7, 12, PERIOD)) as running:
        yield running


@pytest.fixture
def sync(server, tmp_path):
    def run(name, environ=None, **changes):
        connector, prefix = SOURCES[name]
        source = Source(connector=connector, credentials=prefix, **{**sandbox_sources(server)[name], **changes})
        return sync_source(
            name,
            source,
            snapshots_root=tmp_path,
            root=tmp_path,
            period=PERIOD,
            as_of=PERIOD.end,
            environ=environ or server.environ,
            now=lambda: server.now.astimezone(UTC),
            sleep=run.slept.append,
            refresh=True,
        )

    run.slept, run.root = [], tmp_path
    yield run
    for name in SOURCES:
        server.heal(name)


def rows(result, table):
    connector = CONNECTORS[result.connector]
    return [row.values for row in connector.normalize(read_pages(result.snapshot), result.source) if row.table == table]


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_is_read_whole_and_twice_gives_the_same_bytes(sync, name):
    first, second = sync(name), sync(name)
    assert (first.error, first.status, first.rejects) == (None, "complete", 0)
    verify(first.snapshot)
    assert first.snapshot.id == second.snapshot.id


def test_nothing_the_vendors_hold_is_lost(sync, server):
    world = server.world
    devices = rows(sync("ninja"), "usage_records")
    assert {row["usage_record_id"] for row in devices} == {str(d.id) for d in world.devices}
    purchases = rows(sync("pax8"), "purchases")
    assert {row["purchase_id"] for row in purchases} == {s.id for s in world.subscriptions}
    assert sum(row["quantity_qty"] for row in purchases) == sum(s.quantity for s in world.subscriptions)
    licences = rows(sync("m365"), "usage_records")
    assert sum(row["quantity_qty"] for row in licences) == sum(s.consumed for s in world.skus)
    agents = [row for row in rows(sync("huntress"), "usage_records") if row["vendor_product_id"] == "edr"]
    assert {row["usage_record_id"] for row in agents} == {str(a.id) for a in world.agents}
    lines = rows(sync("psa"), "agreement_lines")
    assert {row["agreement_line_id"] for row in lines} == {str(a.id) for a in world.additions}  # every agreement reaches into the month


WORDS = {
    "down": "answered 500",
    "unauthorized": "credentials refused (401)",
    "cut": "cut or not JSON",
    "dropped": "cut its answer",
    "empty": "cut or not JSON",
    "reshaped": "no field",
    "loop": "circle",
    "foreign": "not followed",
    "pax8 loop": "the list changed while it was read",
}


# Huntress's next page is asked for by token, never by the vendor's link: one elsewhere is not even looked at.
FAULTS = [(name, mode) for name in SOURCES for mode in MODES if mode != "rate_limited" and (name, mode) != ("huntress", "foreign")]


@pytest.mark.parametrize(("name", "mode"), FAULTS)
def test_a_fault_fails_the_source_in_words(sync, server, name, mode):
    server.fail(name, mode)
    result = sync(name)
    assert (result.status, result.snapshot) == ("failed", None)
    assert result.error.startswith(f"source {name}, ")
    assert WORDS.get(f"{name} {mode}", WORDS[mode]) in result.error
    assert not [secret for secret in server.environ.values() if len(secret) > 8 and secret in result.error]
    assert latest_any(sync.root, str(PERIOD), name).status == "failed"


@pytest.mark.parametrize("name", SOURCES)
def test_asked_to_wait_it_waits_and_reads_everything(sync, server, name):
    server.fail(name, "rate_limited")
    result = sync(name)
    assert (result.error, result.status) == (None, "complete")
    assert set(sync.slept) >= {1.0}


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("psa", "CW_PRIVATE_KEY"),
        ("pax8", "PAX8_CLIENT_SECRET"),
        ("m365", "GRAPH_CLIENT_SECRET"),
        ("ninja", "NINJA_CLIENT_SECRET"),
        ("huntress", "HUNTRESS_SECRET"),
    ],
)
def test_a_wrong_secret_is_an_authentication_failure_that_shows_none(sync, server, name, field, caplog):
    with caplog.at_level(logging.DEBUG):
        result = sync(name, environ={**server.environ, field: "wr0ng-secret"})
    assert (result.status, result.exit_code) == ("failed", 3)
    shown = f"{result.error} {caplog.text}"
    assert not [value for value in (*server.environ.values(), "wr0ng-secret") if len(value) > 8 and value in shown]
