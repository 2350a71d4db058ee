"""Mapping: what maps by itself, what only suggests, and what a person decided (FIELD.md T14, T21, T24, T27)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from small_month import run_month


@dataclass(frozen=True)
class Decision:
    state: str = "open"
    targets: tuple[str, ...] = ()
    rejected: frozenset[str] = frozenset()
    seen: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def account(month_accounts: list[dict[str, object]], name: str) -> dict[str, object]:
    (row,) = [row for row in month_accounts if row["account_name"] == name]
    return row


LINE = "client  service  qty\nAcme Corp  EDR  5\nAcme Capital  EDR  2"


def test_t21_a_name_equal_character_for_character_maps() -> None:
    month = run_month(LINE, usage="client  service  qty\nAcme Corp  EDR  5\nAcme Capital  EDR  2")
    assert [row["decided_by"] for row in month.accounts] == ["exact_name", "exact_name"]


def test_t21_t24_anything_else_is_a_suggestion_with_probability_reason_and_runner_up() -> None:
    month = run_month(LINE, usage="account  client  service  qty\nacme corp inc  Acme Corp  EDR  5")
    row = account(month.accounts, "acme corp inc")
    assert (row["state"], row["client_id"], row["reason"], row["runner_up_id"]) == (
        "suggested",
        "Acme Corp",
        "the same name",
        "Acme Capital",
    )
    assert Decimal(0) < row["runner_up_probability"] < row["probability"] <= 1
    assert ("Acme Corp", "EDR", "no_count") in month.kinds()


def test_t21_a_name_two_clients_share_maps_to_neither() -> None:
    month = run_month(LINE, usage="account  client  service  qty\nAcme Corp  Acme Corp  EDR  5")
    assert account(month.accounts, "Acme Corp")["state"] == "mapped"
    twins = run_month(
        LINE,
        usage="client  service  qty\nAcme Corp  EDR  5",
        clients="client  name\nAcme Corp  Acme Corp\nC2  Acme Corp",
    )
    assert account(twins.accounts, "Acme Corp")["state"] == "suggested"


def test_t14_a_deleted_twin_takes_no_part() -> None:
    month = run_month(
        LINE,
        usage="client  service  qty\nAcme Corp  EDR  5",
        clients="client  name  deleted\nAcme Corp  Acme Corp  -\nC2  Acme Corp  deleted",
    )
    row = account(month.accounts, "Acme Corp")
    assert (row["state"], row["client_id"]) == ("mapped", "Acme Corp")


def test_a_decision_beats_a_name_and_an_exclusion_leaves_no_finding() -> None:
    usage = "client  service  qty\nAcme Corp  EDR  5"
    mapped = run_month(LINE, usage=usage, decisions={("account", "vendor", "Acme Corp"): Decision("mapped", ("Acme Capital",))})
    assert account(mapped.accounts, "Acme Corp")["client_id"] == "Acme Capital"
    excluded = run_month("", usage=usage, decisions={("account", "vendor", "Acme Corp"): Decision("excluded")})
    assert excluded.findings == []
    assert excluded.buckets() == {"u1": "excluded"}


def test_a_rejected_pair_neither_maps_nor_is_suggested_again() -> None:
    decision = Decision(rejected=frozenset(("Acme Corp",)))
    month = run_month(LINE, usage="client  service  qty\nAcme Corp  EDR  5", decisions={("account", "vendor", "Acme Corp"): decision})
    row = account(month.accounts, "Acme Corp")
    assert (row["state"], row["client_id"]) == ("suggested", "Acme Capital")


def test_t27_a_product_may_count_for_several_services_by_decision() -> None:
    month = run_month(
        "client  service  qty\nAcme  A  5\nAcme  B  5",
        usage="client  product  qty\nAcme  filter  5",
        decisions={("product", "vendor", "filter"): Decision("mapped", ("A", "B"))},
    )
    assert month.findings == []


def test_usage_nobody_mapped_stays_in_view() -> None:
    month = run_month("", usage="account  client  product  qty\nNobody  Acme  strange  5\nNobody  Acme  stranger  2")
    assert month.kinds() == [(None, None, "unmapped_account"), (None, None, "unmapped_service"), (None, None, "unmapped_service")]
