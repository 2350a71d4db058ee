"""Page 20's tables: why in plain words, contradictions, what changed, how good suggestions were, what was decided."""

from __future__ import annotations

import doctest
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa

from reconlib import reliability
from reconlib.charts import plot_reliability
from reconlib.ledger import Event
from reconlib.period import Period
from reconlib.reliability import Judged, ShownAs, measure_reliability
from reconlib.report.pages import mapping as mapping_pages
from reconlib.report.pages import mapping_history, mapping_queue, mapping_why
from reconlib.review import MappingDecision, bulk
from reconlib.schema import ACCOUNT_MAPPING, CANONICAL, PRODUCT_MAPPING, TableSchema, make_table

NAMES = {"account": {"7": "Acme", "8": "Acme Capital"}, "product": {"1": "EDR"}}


def mapping(schema: TableSchema, *rows: dict[str, Any]) -> pa.Table:
    empty: dict[str, Any] = {"text": "x", "qty": Decimal(0), "amount": Decimal(0)}
    full = [
        {c.name: None if c.null else empty[c.kind] for c in schema.columns} | {"doubt": Decimal(0), schema.key[1]: str(i)} | row
        for i, row in enumerate(rows)
    ]
    return make_table(schema, full)


def account(name: str, **more: Any) -> dict[str, Any]:
    return {"account_name": name, "state": "suggested", "doubt": Decimal("0.5"), "units_qty": Decimal(2), "evidence": name} | more


def test_the_examples_hold() -> None:
    for module in (mapping_why, reliability, bulk):
        assert doctest.testmod(module, extraglobs={"Decimal": Decimal}).failed == 0


def test_why_says_evidence_words_and_what_is_against_it_in_plain_words() -> None:
    row = account("North Dental Group", reason="domain northdental.com", conflicts="North / South", points_domain=Decimal("4.10"))
    row |= {"our_explained": "dental", "our_unexplained": "south", "vendor_explained": "dental", "vendor_unexplained": "north group"}
    row |= {
        "points_conflict": Decimal("-3.27"),
        "points_phone": Decimal(0),
        "client_id": "9",
        "client_name": "South Dental",
        "probability": Decimal("0.6249"),
    }
    row |= {"runner_up_name": "Acme Capital", "runner_up_probability": Decimal("0.1100")}
    (shown,) = mapping_queue.list_queue(mapping(ACCOUNT_MAPPING, row)).to_pylist()
    words = "words 1 of 2 of ours (not: south), 1 of 3 of theirs (not: north group)"
    assert shown["why"] == f"domain northdental.com; {words}; against it: North / South"
    assert shown["points"] == "points: domain +4.1, conflicts −3.3"
    assert (shown["suggested"], shown["probability"], shown["runner_up"]) == ("South Dental", Decimal("0.62"), "Acme Capital 0.11")


def test_a_probability_is_never_shown_higher_than_it_is() -> None:
    assert mapping_why.say_probability(Decimal("0.9799")) == "0.97"
    assert mapping_why.floor_probability(Decimal("0.9999")) == Decimal("0.99")


def test_a_contradicted_mapping_waits_with_the_better_one_and_a_settled_one_does_not() -> None:
    rows = [
        account(
            "moved",
            state="mapped",
            verdict="CONTRADICTION",
            client_name="Acme",
            runner_up_name="Acme Capital",
            runner_up_probability=Decimal("0.9"),
            decided_by="rule",
        ),
        account("fine", state="mapped", verdict="AUTO", client_name="Acme"),
        account("new", change="new account"),
    ]
    accounts = mapping(ACCOUNT_MAPPING, *rows)
    products = mapping(PRODUCT_MAPPING, {"product_name": "E3", "state": "mapped", "verdict": "CONTRADICTION", "service_name": "EDR"})
    assert mapping_queue.list_queue(accounts)["suggested"].to_pylist() == ["mapped to Acme: contradicted", "no suggestion"]
    found = mapping_queue.list_contradictions(accounts, products).to_pylist()
    assert [(row["name"], row["mapped_to"], row["better"], row["decided_by"]) for row in found] == [
        ("moved", "Acme", "Acme Capital 0.90", "rule"),
        ("E3", "EDR", "", None),
    ]
    assert mapping_queue.list_changed(accounts, products)["change"].to_pylist() == ["new account"]


def judged(number: int, *, right: bool = True, p: str = "0.9", shown_as: ShownAs = "suggestion") -> Judged:
    became = () if right else ("8",)
    about = ("account", "m365", str(number), f"tenant {number}")
    return Judged(*about, shown_as, "7", Decimal(p), right, became, "Ana", "2026-11-03T06:00:00Z")


def test_reliability_is_a_table_from_thirty_on_and_a_sentence_below() -> None:
    few = measure_reliability([judged(i) for i in range(28)])
    assert mapping_history.list_bins(few).num_rows == 0
    assert mapping_history.say_missing(few) == "28 decisions judge it so far; 2 more are needed before a share says anything."
    cards = mapping_history.reliability_cards(few, [judged(1, right=False), judged(2), judged(3, shown_as="mapping")])
    assert [card[1] for card in cards] == [28, "too early", "1 of 2", "0 of 1"]
    assert "2 more" in plot_reliability(few).layout.title.text
    found = measure_reliability([judged(i, right=i % 2 == 0) for i in range(40)])
    (row,) = mapping_history.list_bins(found).to_pylist()
    assert (row["range"], row["candidates"], row["right"], row["true_share"]) == ("0.90 to under 0.95", 40, 20, Decimal("0.50"))
    assert row["gap"] == "says too much"
    assert mapping_history.reliability_cards(found, [])[1][1] == "40.0 points"
    assert list(plot_reliability(found).data[1].y) == [0.5]


def test_wrong_suggestions_are_named_the_surest_first() -> None:
    shown = [judged(1, right=False, p="0.6"), judged(2), judged(5, p="0.3", shown_as="nearest"), judged(6, right=False, shown_as="nearest")]
    shown += [judged(3, right=False, p="0.99", shown_as="mapping"), judged(4, shown_as="mapping")]
    table = mapping_history.list_errors(shown, NAMES)
    assert [(row["name"], row["what"], row["said"], row["became"], row["probability"]) for row in table.to_pylist()] == [
        ("tenant 3", "mapping", "Acme", "Acme Capital", Decimal("0.99")),
        ("tenant 1", "suggestion", "Acme", "Acme Capital", Decimal("0.60")),
        ("tenant 5", "not suggested", "Acme", "right", Decimal("0.30")),
    ]


def test_decisions_of_the_month_say_who_what_and_what_was_shown_latest_first() -> None:
    def event(decision: str, target: str | None, period: str = "2026-10", **seen: Any) -> Event:
        values = {
            "relation": "account",
            "source": "m365",
            "vendor_id": "t",
            "decision": decision,
            "target_id": target,
            "until": None,
            "seen": seen,
        }
        return Event("b", period, "mapping_decided", "account/m365/t", "Ana", "2026-11-03T06:00:00Z", "why", values)

    shown = {"name": "Acme tenant", "probability": "0.9812", "verdict": "AUTO", "monthly_cost": "40", "currency": "USD"}
    events = [event("map", "7", **shown), event("undo", None), event("map", "7", period="2026-09"), event("exclude", None)]
    table = mapping_history.list_mapping_decisions(events, Period(2026, 10), NAMES)
    assert [(row["decision"], row["name"], row["target"]) for row in table.to_pylist()] == [
        ("excluded", "t", None),
        ("taken back", "t", None),
        ("mapped", "Acme tenant", "Acme"),
    ]
    assert (table.to_pylist()[2]["probability"], table.to_pylist()[2]["at"]) == (Decimal("0.98"), "2026-11-03 06:00 UTC")
    (ana,) = mapping_history.sum_by_person(table).to_pylist()
    assert ana == {"who": "Ana", "decisions": 3, "mapped": 1, "rejected": 0, "excluded": 1, "taken_back": 1}


def test_a_renamed_product_that_counts_for_several_services_is_one_row_and_its_units_stand_once() -> None:
    renamed = {"product_name": "E3", "vendor_product_id": "p", "state": "mapped", "change": "renamed from E2", "units_qty": Decimal(40)}
    rows = [renamed | {"service_id": number, "service_name": name} for number, name in (("1", "EDR"), ("2", "Backup"))]
    found = mapping_queue.list_changed(mapping(PRODUCT_MAPPING, *rows), mapping(ACCOUNT_MAPPING, account("Acme"))).to_pylist()
    assert [(row["name"], row["target"], row["units_qty"]) for row in found] == [("E3", "EDR, Backup", 40)]
    dear = [account(str(cost), change="renamed from x", monthly_cost=Decimal(cost)) for cost in (5, 90, 20)]
    assert [row["name"] for row in mapping_queue.list_changed(mapping(ACCOUNT_MAPPING, *dear)).to_pylist()] == ["90", "20", "5"]


def test_t130_what_is_excluded_says_why_by_whom_and_until_when() -> None:
    excluded = {"state": "excluded", "reason": "excluded by decision", "units_qty": Decimal(3)}
    table = mapping(ACCOUNT_MAPPING, account("Ours", source="m365", **excluded), account("Acme"), account("Lab", source="m365", **excluded))
    until = date(2027, 10, 31)
    decided = MappingDecision("excluded", (), frozenset(), "the analyst", "2026-10-03T06:00:00Z", "our own devices", until)
    other = MappingDecision("excluded", (), frozenset(), "somebody", "2026-10-03T06:00:00Z", "another thing", None)
    found = mapping_pages.list_excluded(table, {("account", "m365", "0"): decided, ("product", "m365", "2"): other}).to_pylist()
    assert [tuple(row[name] for name in mapping_pages.EXCLUDED_HEADS) for row in found] == [
        ("Ours", "m365", "our own devices", until, "the analyst", 3),
        ("Lab", "m365", None, None, None, 3),
    ]


def test_t14_two_clients_of_one_name_are_told_apart_where_one_is_chosen_and_deleted_ones_are_not_offered() -> None:
    rows = [("9", "Acme", False), ("7", "Acme", False), ("8", "Birch", True), ("5", "Birch", False)]
    about = {"source": "psa", "is_billable": True, "evidence": "e"}
    clients = [about | {"client_id": key, "client_name": name, "is_deleted": gone} for key, name, gone in rows]
    found = mapping_pages.list_choices(make_table(CANONICAL["clients"], clients), "client")
    assert found == [("7", "Acme (7)"), ("9", "Acme (9)"), ("5", "Birch")]
