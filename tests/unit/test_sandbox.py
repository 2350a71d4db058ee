"""The made-up MSP: the same for the same seed, one month apart for neighbouring months, and every planted thing labelled."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal

import pytest

from reconlib.findings import KINDS
from reconlib.period import Period
from reconlib.sandbox.catalogue import SERVICE
from reconlib.sandbox.charges import items
from reconlib.sandbox.labels import Label, answers, labels, write_labels
from reconlib.sandbox.vendor_records import COST_RISE
from reconlib.sandbox.world import World, make_history, make_world

OCTOBER = Period(2026, 10)
BILLING = ("under_billed", "over_billed", "orphan_line", "new_revenue")
BY_SOURCE = (
    *("duplicate_unit", "stale_unit", "unaccounted_usage", "unmapped_account", "unmapped_service"),
    *("unusable_rows", "unmatched_rule", "vendor_invoice_mismatch"),
)
TABLES = ("companies", "agreements", "additions", "subscriptions", "devices", "agents")


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(7, 40, OCTOBER)


def cell(label: Label) -> tuple[str | None, str | None]:
    return label.client_id, label.service_id


def test_the_same_seed_gives_the_same_world(world):
    assert make_world(7, 40, OCTOBER) == world


def test_another_seed_gives_another_world(world):
    assert make_world(8, 40, OCTOBER).devices != world.devices


def test_more_clients_change_nothing_about_the_first_ones(world):
    fewer = make_world(7, 12, OCTOBER)
    assert fewer.members == world.members[:12]
    assert {a.id: a for a in fewer.book.rows if a.client_id}.items() <= {a.id: a for a in world.book.rows}.items()


@pytest.mark.parametrize("table", TABLES)
def test_ids_are_unique(world, table):
    ids = [row.id for row in getattr(world, table)]
    assert len(set(ids)) == len(ids) > 0


def test_ids_are_stable_between_months(world):
    later = make_world(7, 40, OCTOBER.next)
    assert later.companies == world.companies
    assert later.book == world.book
    names = {device.id: (device.name, device.serial, device.organization) for device in world.devices}
    both = [device for device in later.devices if device.id in names]
    assert len(both) > 0.9 * len(world.devices)
    assert all(names[device.id] == (device.name, device.serial, device.organization) for device in both)
    lines = {line.id: (line.agreement_id, line.code) for line in world.additions}
    assert all(lines.get(line.id, (line.agreement_id, line.code)) == (line.agreement_id, line.code) for line in later.additions)


def test_a_machine_keeps_the_day_it_appeared(world):
    created = {device.id: device.created for device in world.devices}
    later = {device.id: device.created for device in make_world(7, 40, OCTOBER.next).devices}
    same = created.keys() & later.keys()
    assert sum(created[i] == later[i] for i in same) > 0.98 * len(same)


@pytest.mark.parametrize("seed", [7, 11, 23])
@pytest.mark.parametrize("period", [Period(2026, 9), OCTOBER, Period(2027, 1)], ids=str)
def test_every_kind_is_planted_in_every_month(seed, period):
    """A count that jumps does so in one month of four."""
    missing = set(KINDS) ^ {label.kind for label in labels(make_world(seed, 40, period))}
    assert missing <= (set() if period == OCTOBER else {"unusual_count"})


def test_a_first_month_has_no_past(world):
    first = {label.kind for label in labels(world, 0)}
    assert "unusual_count" not in first
    late = {label.client_id for label in labels(world, 0) if label.service_id == "321"}
    assert {label.kind for label in labels(world, 0) if label.service_id == "321"} == {"no_count"}  # billed a month late (T110)
    assert len(late) == 3


@pytest.mark.parametrize("seed", range(5))
def test_a_kind_stands_once_a_client_and_service(seed):
    found = [(label.kind, label.rule, *cell(label)) for label in labels(make_world(seed, 40, OCTOBER)) if label.client_id]
    assert max(Counter(found).values()) == 1
    billed = Counter(cell(label) for label in labels(make_world(seed, 40, OCTOBER)) if label.kind in (*BILLING, "timing", "no_count"))
    assert max(billed.values()) == 1


def test_labels_carry_what_their_kind_is_keyed_by(world):
    for label in labels(world):
        assert (label.source is not None) == (label.kind in BY_SOURCE)
        assert (label.vendor_account_id is not None) == (label.kind in ("unmapped_account", "vendor_invoice_mismatch"))
        assert (label.vendor_product_id is not None) == (label.kind in ("unmapped_service", "vendor_invoice_mismatch"))
        assert (label.rule is not None) == (label.kind in ("unmatched_rule", "vendor_invoice_mismatch"))
        assert (label.monthly_impact is not None) == (label.kind in BILLING or (label.kind, label.service_id) == ("price_outlier", "322"))
        assert label.monthly_impact is None or label.monthly_impact == label.monthly_impact.quantize(Decimal("0.01"))
        assert label.variance_qty is None or label.variance_qty != 0


def test_an_account_nobody_mapped_leaves_its_clients_lines_without_a_count(world):
    lost = next(member for member in world.members if member.role == "lost_ninja")
    uncounted = {cell(label) for label in labels(world) if label.kind == "no_count"}
    assert {(str(lost.client_id), "308"), (str(lost.client_id), "309")} <= uncounted


def test_about_half_of_a_months_differences_are_corrected_and_one_wrongly():
    for earlier, later in zip(*(make_history(7, 40, Period(2027, 2), 5)[i:] for i in (0, 1)), strict=False):
        before = {cell(label): label for label in labels(earlier) if label.kind in BILLING}
        after = {cell(label): label for label in labels(later) if label.kind in BILLING}
        corrected = [key for key in before if key not in after]
        wrongly = [key for key in before if key in after and after[key].variance_qty != before[key].variance_qty]
        assert 0.4 <= len(corrected) / len(before) <= 0.6
        assert len(wrongly) == 1


def test_a_correction_is_exactly_the_expected_quantity():
    earlier, later = make_history(7, 40, OCTOBER, 2)
    then = {(f.slot.client.index, f.slot.code): f for f in earlier.facts}
    wrong = {cell(label) for label in labels(earlier) if label.kind in BILLING}
    still = {cell(label) for label in labels(later) if label.kind in BILLING}
    corrected = wrong - still
    checked = 0
    for fact in later.facts:
        key = (str(fact.slot.client.client_id), next(str(a.service_id) for a in later.additions if a.code == fact.slot.code))
        if key in corrected:
            assert fact.billed == then[fact.slot.client.index, fact.slot.code].expected
            checked += 1
    assert checked == len(corrected) > 0


def test_a_neighbouring_month_shows_what_comes_after_the_as_of_date(world):
    end = OCTOBER.end
    assert any(device.created.date() > end for device in world.devices)
    assert any(agent.created.date() > end for agent in world.agents)
    assert any(line.effective > end for line in world.additions)
    assert any(subscription.start > end for subscription in world.subscriptions)
    assert all(device.created <= world.now for device in world.devices)
    assert world.now.date() == end + timedelta(days=3)


@pytest.mark.parametrize("seed", range(20))
def test_only_planted_lines_are_sold_below_cost(seed):
    for slot in make_world(seed, 40, OCTOBER).slots:
        cost = SERVICE[slot.code].cost + (COST_RISE if slot.pattern == "cost_up" else 0)
        assert (slot.price / slot.cycle < cost) == (slot.pattern == "below_cost")


def test_a_device_and_its_agent_carry_one_serial(world):
    """Servers too; what one vendor shows and the other does not was planted."""
    serials = {device.serial for device in world.devices}
    agents = [agent for agent in world.agents if agent.serial and agent.serial.startswith(("5CG", "PF2", "VMW"))]
    assert len(agents) > 0.6 * len(world.agents)
    assert sum(agent.serial in serials for agent in agents) > 0.9 * len(agents)


def test_what_is_charged_is_what_was_bought_but_for_the_plants(world):
    bought = {s.id: s.quantity for s in world.subscriptions}
    whole = [item for item in items(world) if item.type == "subscription"]
    off = [item for item in whole if item.quantity != bought.get(item.subscription)]
    assert len(off) == 2  # seats not refunded, and a subscription nobody bought
    assert len(whole) - len({(item.subscription, item.start) for item in whole}) == 1  # charged twice
    kinds = Counter(item.type for item in items(world))
    assert kinds["rebate"] == 1
    assert kinds["prorate"] > 1


def test_decoys_are_there(world):
    patterns = {slot.pattern for slot in world.slots}
    assert patterns >= {"credit", "helper", "internal", "mixed", "split", "seasonal", "included", "exempt", "floor", "unused", "anchor"}
    assert patterns >= {"less_dear", "rebate", "near", "late", "not_resold", "ignored"}
    names = Counter(company.name for company in world.companies)
    assert names["Bluewater Legal"] == 2
    assert sum(company.deleted for company in world.companies) == 1
    assert any(line.price < 0 for line in world.additions)
    assert {agreement.cycle for agreement in world.agreements} == {"Monthly", "Quarterly", "Annual", "One Time", ""}


def test_answers_decide_what_does_not_map_by_itself_and_leave_the_planted_ones(world):
    decided = {row["vendor_id"] for row in answers(world) if row["relation"] == "account"}
    waiting = {account.id for account in world.book.rows if account.mapping in ("answer", "exclude")}
    assert decided == waiting
    assert not decided & {label.vendor_account_id for label in labels(world)}
    assert 0.08 < len(waiting) / len(world.book.rows) < 0.30
    assert all(row["until"] > str(OCTOBER.end) and row["reason"] for row in answers(world) if row["decision"] == "exclude")


def test_labels_are_written_with_decimals_as_text(world, tmp_path):
    write_labels(world, tmp_path / "labels.json")
    rows = json.loads((tmp_path / "labels.json").read_text("utf-8"))
    assert len(rows) == len(labels(world))
    assert rows[0].keys() == asdict(labels(world)[0]).keys()
    assert all(isinstance(row[name], str | None) for row in rows for name in ("variance_qty", "monthly_impact", "cost_impact"))


@pytest.mark.parametrize("clients", [8, 9, 16])
def test_a_small_world_can_be_made(clients):
    small = make_world(7, clients, OCTOBER)
    assert len(small.members) == clients
    assert labels(small)
