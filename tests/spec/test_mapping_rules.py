"""What maps by itself, what only suggests, what changed at the vendor, and what people rejected (T21, T23, T25, T31)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from small_month import Decision, rows_of

from reconlib.explanations import is_likely
from reconlib.mapping import list_gone, suggest_accounts
from reconlib.mapping.decided import asked_again
from reconlib.period import Period
from reconlib.review import mapping_decisions, mapping_event
from reconlib.review.decisions import shown_values
from reconlib.schema import ACCOUNT_MAPPING, CANONICAL, make_table
from reconlib.signoff import check_gates

Row = dict[str, Any]
CLIENTS = """
id  name                 domain
1   Alder Dental Group   alderdental.example
2   Birch Logistics      birchlogistics.example
3   Cedar & Stone        cedarstone.example
4   Dover Freight        doverfreight.example
"""
OCTOBER, NOVEMBER = Period(2026, 10), Period(2026, 11)


def map_accounts(
    accounts: str, *, clients: str = CLIENTS, decisions: Mapping[tuple[str, str, str], Any] | None = None, before: pa.Table | None = None,
    one_each: tuple[str, ...] = (),
) -> pa.Table:  # fmt: skip
    """ACCOUNT_MAPPING of a text table; every account has three units."""
    ours = [
        {"client_id": r["id"], "client_name": r["name"], "client_code": r.get("code"), "domain": r.get("domain"), "source": "psa"}
        | {"is_deleted": "deleted" in r, "is_billable": True, "evidence": f"psa/{r['id']}"}
        for r in rows_of(clients)
    ]
    theirs = [
        {"source": r.get("source", "vendor"), "vendor_account_id": r["id"], "account_name": r["name"], "domain": r.get("domain")}
        | {"external_id": r.get("carries"), "tenant_id": r.get("tenant"), "evidence": f"vendor/{r['id']}"}
        for r in rows_of(accounts)
    ]
    return suggest_accounts(
        make_table(CANONICAL["clients"], ours),
        make_table(CANONICAL["vendor_accounts"], theirs),
        decisions or {},
        {(row["source"], row["vendor_account_id"]): (Decimal(3), None, None) for row in theirs},
        before=before.to_pylist() if before else (),
        one_each=one_each,
    )


def row_of(mapping: pa.Table, vendor_id: str) -> Row:
    """The row of one account."""
    (found,) = [row for row in mapping.to_pylist() if row["vendor_account_id"] == vendor_id]
    return dict(found)


def states(mapping: pa.Table) -> list[tuple[str, str, str | None, str | None]]:
    """Id, state, client and what decided it."""
    return [(r["vendor_account_id"], r["state"], r["client_id"], r["decided_by"]) for r in mapping.to_pylist()]


def decide(row: Row, decision: str, target: str, period: Period = OCTOBER) -> dict[tuple[str, str, str], Any]:
    """What stands after one decision on a row as it was shown."""
    event = mapping_event(
        book="b", period=period, who="the analyst", at=datetime(2026, 11, 1, tzinfo=UTC), relation="account", source=row["source"],
        vendor_id=row["vendor_account_id"], decision=decision, target_id=target, seen=shown_values(row),
    )  # fmt: skip
    return dict(mapping_decisions([event], as_of=period.end, period=period))


def test_t21_only_ids_and_exact_unique_names_map_however_sure_the_evidence_is() -> None:
    mapped = map_accounts("""
        id  name                 domain                  carries
        a   Alder Dental Group   -                       -
        b   Birch Logistics Inc  birchlogistics.example  -
        c   anything             -                       3
        d   dover freight        doverfreight.example    -
    """)
    assert states(mapped) == [
        ("a", "mapped", "1", "exact_name"),
        ("b", "suggested", "2", None),
        ("c", "mapped", "3", "id"),
        ("d", "suggested", "4", None),
    ]
    assert [row_of(mapped, one)["verdict"] for one in "bd"] == ["AUTO", "AUTO"]


def test_t21_a_name_two_accounts_of_one_source_share_maps_neither_and_one_in_each_of_two_sources_maps_both() -> None:
    both = "source  id  name\n{}  a  Alder Dental Group\nrmm  b  Alder Dental Group"
    assert states(map_accounts(both.format("rmm"))) == [("a", "suggested", "1", None), ("b", "suggested", "1", None)]
    assert states(map_accounts(both.format("edr"))) == [("a", "mapped", "1", "exact_name"), ("b", "mapped", "1", "exact_name")]


def test_t21_a_code_two_clients_share_maps_nothing_and_an_id_wins_over_a_code() -> None:
    clients = "id  name  code\n1  Alder  X\n2  Birch  X\n3  Cedar  4\n4  Dover  Y"
    carried = map_accounts("id  name  carries\na  Zzyzx  X\nb  Qwerty  4\nc  Plugh  Y", clients=clients)
    assert [(row["state"], row["client_id"]) for row in carried.to_pylist()] == [("unmapped", None), ("mapped", "4"), ("mapped", "4")]


def test_t21_the_same_microsoft_tenant_is_the_same_client_at_every_vendor() -> None:
    accounts = """
        source    id  name             tenant
        m365      t1  Birch Logistics  guid-1
        huntress  h1  BL (old)         guid-1
        huntress  h2  Dover            guid-2
        m365      t2  Zzyzx Holding    guid-2
    """
    assert states(map_accounts(accounts)) == [
        ("h1", "mapped", "2", "id"),
        ("h2", "suggested", "4", None),
        ("t1", "mapped", "2", "exact_name"),
        ("t2", "unmapped", None, None),
    ]
    assert row_of(map_accounts(accounts), "h1")["reason"] == "the same Microsoft tenant as Birch Logistics in m365"
    decided = {("account", "huntress", "h2"): Decision("mapped", ("4",))}
    assert states(map_accounts(accounts, decisions=decided))[3] == ("t2", "mapped", "4", "id")


def test_t21_a_tenant_whose_accounts_stand_for_two_clients_says_nothing_of_a_third() -> None:
    accounts = """
        source    id  name             tenant
        m365      t1  Birch Logistics  guid-1
        huntress  h1  Dover Freight    guid-1
        ninja     n1  Zzyzx            guid-1
    """
    found = {row[0]: row[1:] for row in states(map_accounts(accounts))}
    assert found == {
        "t1": ("mapped", "2", "exact_name"),
        "h1": ("mapped", "4", "exact_name"),
        "n1": ("unmapped", None, None),
    }


def test_t21_a_name_a_person_mapped_at_one_vendor_is_suggested_at_another_where_a_client_may_have_several() -> None:
    accounts = "source  id  name\nedr  e1  Zzyzx Holding\nrmm  r1  Zzyzx Holding"
    decided = {("account", "edr", "e1"): Decision("mapped", ("4",))}
    taught = {one: row_of(map_accounts(accounts, decisions=decided, one_each=one), "r1")["client_id"] for one in ((), ("rmm",))}
    assert taught == {(): "4", ("rmm",): None}
    assert row_of(map_accounts(accounts), "r1")["client_id"] is None


def test_t23_likeness_never_maps_and_below_even_odds_it_casts_no_doubt_on_a_count() -> None:
    row = row_of(map_accounts("id  name\na  Alder Dental Grp"), "a")
    assert (row["state"], row["client_id"]) == ("suggested", "1")
    points = {f"points_{kind}": None for kind in ("id", "alias", "domain", "phone", "address", "conflict")} | {"points_name": Decimal(2)}
    shown = {**row, **points}
    assert [is_likely({**shown, "probability": Decimal(p)}) for p in ("0.4999", "0.5")] == [False, True]
    assert not is_likely({**shown, "probability": Decimal("0.9"), "points_name": Decimal(-1)})  # only that nothing else is near


def test_t25_an_account_keeps_its_client_by_its_id_whatever_its_name_becomes() -> None:
    before = map_accounts("id  name\na  Alder Dental Group\nb  Birch Logistics")
    after = map_accounts("id  name\na  Alder Smiles\nb  Birch Logistics", before=before)
    assert states(after) == [("a", "mapped", "1", "id"), ("b", "mapped", "2", "exact_name")]
    assert [(r["change"], r["reason"]) for r in after.to_pylist()] == [
        ("renamed from Alder Dental Group", "mapped last month under the same id, when it was called Alder Dental Group"),
        (None, "name equal character for character"),
    ]
    third = map_accounts("id  name\na  Alder Smiles", before=after)
    assert states(third) == [("a", "mapped", "1", "id")]  # and the month after
    assert row_of(third, "a")["change"] is None


def test_t25_an_id_that_takes_the_name_of_another_client_is_a_contradiction_and_holds_the_gate() -> None:
    before = map_accounts("id  name\na  Alder Dental Group")
    after = map_accounts("id  name                domain\na  Cedar & Stone  cedarstone.example", before=before)
    row = row_of(after, "a")
    assert (row["state"], row["client_id"], row["verdict"], row["runner_up_name"]) == ("mapped", "1", "CONTRADICTION", "Cedar & Stone")
    assert row["change"] == "renamed from Alder Dental Group"
    assert ", but it looks like Cedar & Stone: " in row["reason"]
    assert row["doubt"] > Decimal("0.8")
    assert blocked(after) == ["vendor/a"]


def blocked(accounts: pa.Table) -> list[str]:
    """What the gate of contradictions names."""
    from reconlib.schema import FINDINGS, PRODUCT_MAPPING, SOURCE_STATUS

    gates = check_gates(
        status=make_table(SOURCE_STATUS, []), accounts=accounts, products=make_table(PRODUCT_MAPPING, []),
        findings=make_table(FINDINGS, []), events=[], materiality=Decimal(0), as_of=date(2026, 10, 31),
    )  # fmt: skip
    (gate,) = [gate for gate in gates if gate.name == "contradictions"]
    return [] if gate.ok else gate.detail.partition(": ")[2].split(", ")


def test_t25_an_accepted_contradiction_stays_quiet_until_its_evidence_changes() -> None:
    before = map_accounts("id  name\na  Alder Dental Group")
    renamed = "id  name           domain\na  Cedar & Stone  cedarstone.example"
    shown = row_of(map_accounts(renamed, before=before), "a")
    accepted = decide(shown, "map", "1")
    quiet = map_accounts(renamed, decisions=accepted, before=before)
    assert (row_of(quiet, "a")["verdict"], row_of(quiet, "a")["doubt"], blocked(quiet)) == (None, 0, [])
    moved = map_accounts("id  name           domain\na  Cedar and Stone  cedarstone.example", decisions=accepted, before=before)
    assert blocked(moved) == ["vendor/a"]


def test_t25_a_decision_made_before_the_contradiction_does_not_accept_it() -> None:
    shown = row_of(map_accounts("id  name\na  Alder Dental Grp"), "a")
    decided = decide(shown, "map", "1")
    assert blocked(map_accounts("id  name\na  Alder Dental Grp", decisions=decided)) == []
    assert blocked(map_accounts("id  name           domain\na  Cedar & Stone  cedarstone.example", decisions=decided)) == ["vendor/a"]


def test_t25_a_known_name_under_a_new_id_is_said_and_maps_by_itself_only_where_the_old_one_is_gone() -> None:
    before = map_accounts("id  name\na  Alder Dental Group\nb  Birch Logistics")
    moved = map_accounts("id  name\na  Alder Dental Group (old)\na2  Alder Dental Group\nb2  Birch Logistics", before=before)
    assert [(r["vendor_account_id"], r["state"], r["client_id"], r["change"]) for r in moved.to_pylist()] == [
        ("a", "mapped", "1", "renamed from Alder Dental Group"),
        ("a2", "suggested", "1", "new under a known name: a still exists"),
        ("b2", "mapped", "2", "new under a known name: b is gone"),
    ]
    assert [(row["vendor_account_id"], row["change"]) for row in list_gone("account", moved, before).to_pylist()] == [("b", "gone")]


def test_t25_a_source_that_lists_nothing_says_nothing_of_what_is_gone() -> None:
    before = map_accounts("id  name\na  Alder Dental Group")
    assert list_gone("account", make_table(ACCOUNT_MAPPING, []), before).num_rows == 0


def test_t25_an_id_that_now_carries_another_client_says_whose_it_was() -> None:
    before = map_accounts("id  name  carries\na  Alder  1")
    assert (
        row_of(map_accounts("id  name  carries\na  Alder  2", before=before), "a")["change"]
        == "was mapped to Alder Dental Group last month"
    )


def test_t25_what_a_person_moved_is_no_change_at_the_vendor() -> None:
    before = map_accounts("id  name\na  Alder Dental Group")
    row = row_of(
        map_accounts("id  name\na  Alder Dental Group", before=before, decisions={("account", "vendor", "a"): Decision("mapped", ("2",))}),
        "a",
    )
    assert (row["client_id"], row["change"]) == ("2", None)


def test_t25_a_decision_taken_back_is_not_kept_from_last_month() -> None:
    before = map_accounts("id  name\na  Zzyzx", decisions={("account", "vendor", "a"): Decision("mapped", ("1",))})
    assert states(map_accounts("id  name\na  Zzyzx", before=before)) == [("a", "unmapped", None, None)]


@pytest.mark.parametrize(
    ("now", "clients", "why"),
    [
        ("a  Alder Dental LLC  -", CLIENTS, "its name"),
        ("a  Alder Dental  alderdental.example", CLIENTS, "its domain"),
        ("a  Alder Dental  -", CLIENTS.replace("Alder Dental Group", "Alder Dental Partners"), "the client's name"),
    ],
)
def test_t25_a_rejected_pair_comes_back_only_when_its_evidence_changed(now: str, clients: str, why: str) -> None:
    shown = row_of(map_accounts("id  name  domain\na  Alder Dental  -"), "a")
    rejected = decide(shown, "reject", "1")
    same = row_of(map_accounts("id  name  domain\na  Alder Dental  -", decisions=rejected), "a")
    assert same["client_id"] != "1"
    again = row_of(map_accounts(f"id  name  domain\n{now}", clients=clients, decisions=rejected), "a")
    assert (again["state"], again["client_id"]) == ("suggested", "1")
    assert again["reason"].startswith(f"asked again: {why} changed; ")


def test_t25_a_rejection_of_another_than_was_suggested_stands_on_what_the_vendor_shows_alone() -> None:
    row = row_of(map_accounts("id  name  domain\na  Alder Dental  -"), "a")
    rejected = decide(row, "reject", "4")["account", "vendor", "a"]
    ours = {"4": {"client_name": "Dover", "client_domain": None, "client_code": None}}
    assert asked_again("account", rejected, row, ours) == (frozenset("4"), {})
    assert asked_again("account", rejected, row | {"domain": "dover.example"}, ours)[1] == {"4": "asked again: its domain changed"}


def test_a_rejected_pair_that_is_asked_again_never_maps_by_itself() -> None:
    rejected = decide(row_of(map_accounts("id  name\na  Alder Dental"), "a"), "reject", "1")
    assert states(map_accounts("id  name\na  Alder Dental Group", decisions=rejected)) == [("a", "suggested", "1", None)]


def test_a_source_declared_to_have_one_account_a_client_shows_doubles_as_contradictions() -> None:
    accounts = "id  name\na  Alder Dental Group\nb  Dentists North\nc  Birch Logistics"
    decided = {("account", "vendor", "b"): Decision("mapped", ("1",))}
    assert blocked(map_accounts(accounts, decisions=decided)) == []
    found = map_accounts(accounts, decisions=decided, one_each=("vendor",))
    assert blocked(found) == ["vendor/a", "vendor/b"]
    assert row_of(found, "b")["conflicts"].endswith("Alder Dental Group has 2 accounts in vendor, which is declared to have one a client")


def test_t14_a_decision_for_a_client_that_was_deleted_since_is_a_contradiction() -> None:
    clients = "id  name  deleted\n1  Alder Dental Group  deleted\n2  Birch Logistics  -"
    decided = {("account", "vendor", "a"): Decision("mapped", ("1",))}
    row = row_of(map_accounts("id  name\na  Dentists", clients=clients, decisions=decided), "a")
    assert (row["state"], row["client_id"], row["verdict"]) == ("mapped", "1", "CONTRADICTION")
    assert row["reason"] == "decided by a person, but the client is in the PSA's recycle bin"


@pytest.mark.parametrize("gone", [False, True])
def test_t14_two_accounts_that_were_accepted_do_not_accept_that_the_client_is_deleted(*, gone: bool) -> None:
    clients = f"id  name  deleted\n1  Alder Dental Group  {'deleted' if gone else '-'}\n2  Birch Logistics  -"
    accounts = "id  name\na  Dentists North\nb  Dentists South"
    doubled = {("account", "vendor", one): Decision("mapped", ("1",)) for one in "ab"}
    shown = map_accounts(accounts, clients="id  name\n1  Alder Dental Group", decisions=doubled, one_each=("vendor",))
    assert blocked(shown) == ["vendor/a", "vendor/b"]
    accepted = decide(row_of(shown, "a"), "map", "1") | decide(row_of(shown, "b"), "map", "1")
    assert blocked(map_accounts(accounts, clients=clients, decisions=accepted, one_each=("vendor",))) == (
        ["vendor/a", "vendor/b"] if gone else []
    )


def test_a_decision_for_a_client_that_is_not_listed_any_more_is_said_and_what_would_stand_without_it_does_not_hide_it() -> None:
    decided = {("account", "vendor", one): Decision("mapped", ("9",)) for one in "ab"}
    found = map_accounts("id  name\na  Zzyzx\nb  Birch Logistics", decisions=decided)
    assert [(row["state"], row["client_id"]) for row in found.to_pylist()] == [("unmapped", None), ("mapped", "2")]
    assert {row["reason"].partition("; ")[0] for row in found.to_pylist()} == {
        "a person mapped it to client 9, which the PSA does not list any more"
    }


def test_t31_an_old_month_is_run_with_later_decisions_where_it_is_told_so() -> None:
    shown = row_of(map_accounts("id  name\na  Zzyzx"), "a")
    event = mapping_event(
        book="b", period=NOVEMBER, who="the analyst", at=datetime(2026, 12, 1, tzinfo=UTC), relation="account", source="vendor",
        vendor_id="a", decision="map", target_id="1", seen=shown_values(shown),
    )  # fmt: skip
    assert mapping_decisions([event], as_of=OCTOBER.end, period=OCTOBER) == {}
    later = mapping_decisions([event], as_of=OCTOBER.end, period=NOVEMBER)
    assert states(map_accounts("id  name\na  Zzyzx", decisions=dict(later))) == [("a", "mapped", "1", "decision")]
