"""Mapping: what maps by itself, what only suggests, and what a person decided (T14, T21, T24, T27)."""

from __future__ import annotations

from decimal import Decimal

from small_month import Decision, run_month

from reconlib.mapping import rank_key


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


def test_the_queue_is_ranked_by_money_then_by_units_each_times_doubt() -> None:
    rows = {
        "settled": ("999", "1", "0"),
        "few units": (None, "2", "1"),
        "many units": (None, "50", "0.5"),
        "little money": ("5", "1", "1"),
        "more money": ("100", "1", "0.1"),
    }
    ranked = [
        {"name": name, "monthly_cost": money and Decimal(money), "units_qty": Decimal(units), "doubt": Decimal(doubt)}
        | {"source": "s", "evidence": name}
        for name, (money, units, doubt) in rows.items()
    ]
    assert [row["name"] for row in sorted(ranked, key=rank_key)] == ["more money", "little money", "many units", "few units", "settled"]


def test_what_hangs_on_an_account_is_what_is_used_and_bought_now_and_its_cost_only_where_all_of_it_is_known() -> None:
    month = run_month(
        usage="account  product  qty  since\nfull  seat  9  2026-12-01\npart  seat  4  -",
        purchases="""
        account  product  qty  cost  active  trial  since       currency
        full     seat     3    2.00  yes     no     -           USD
        full     seat     5    2.00  no      no     -           USD
        full     seat     7    2.00  yes     yes    -           USD
        full     seat     8    2.00  yes     no     2026-11-01  USD
        part     seat     1    2.00  yes     no     -           USD
        mixed    seat     1    2.00  yes     no     -           USD
        mixed    seat     1    2.00  yes     no     -           CAD
        free     free x   6    2.00  yes     no     -           USD
        """,
    )
    found = {row["account_name"]: (row["units_qty"], row["monthly_cost"], row["stake"]) for row in month.accounts}
    assert found == {"full": (3, 6, 6), "part": (5, None, 5), "mixed": (2, None, 2), "free": (0, None, 0)}
