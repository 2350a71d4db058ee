"""What a quantity costs, which prices are odd, and what a rise in a contract should have done (FIELD.md T33, T40–T43, T88, T89, T117, T119, T120)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from small_month import rows_of

from reconlib.errors import DataError, SettingsError
from reconlib.pricing import (
    escalated_price,
    explain_price,
    net_amount,
    net_unit_price,
    price_difference,
    price_lines,
    price_month,
)
from reconlib.rules import Escalator, PriceModel, Rules, read_rules

RULES = """
version: 1
services:
  FEE: {price: {model: flat, price: "99.00"}}
  SEAT: {price: {model: per_unit, price: "3.50"}}
  SEAT-MIN: {price: {model: per_unit, price: "3.50", minimum: "50.00"}}
  TIERED: {price: {model: tiered, tiers: [{up_to: 100, price: "1.00"}, {price: "0.50"}]}}
  VOLUME: {price: {model: volume, tiers: [{up_to: 100, price: "1.00"}, {price: "0.50"}]}}
  THREE: {price: {model: tiered, tiers: [{up_to: 10, price: "3.00"}, {up_to: 20, price: "2.00"}, {price: "1.00"}]}}
  CALLS: {price: {model: overage, price: "10.00", included: 100, over_price: "0.10"}}
  FINE: {price: {model: per_unit, price: "0.005"}}
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PriceModel]:
    path = tmp_path_factory.mktemp("rules") / "prices.yaml"
    path.write_text(RULES, "utf-8")
    return {code: rule.price for code, rule in read_rules([path]).services.items() if rule.price}


def lines(model: PriceModel, quantity: int | str) -> list[str]:
    return [f"{p.what}: {p.quantity} × {p.unit_price} = {p.amount}" for p in price_lines(model, Decimal(quantity))]


def test_t40_overage_is_billed_above_what_the_fee_holds_in_a_line_of_its_own(models: dict[str, PriceModel]) -> None:
    calls = models["CALLS"]
    assert lines(calls, 150) == ["fee: 1 × 10.00 = 10.00", "above 100: 50 × 0.10 = 5.00"]
    assert price_month(calls, Decimal(150)) == Decimal("15.00")
    assert lines(calls, 100) == ["fee: 1 × 10.00 = 10.00"]
    assert price_month(calls, Decimal(0)) == Decimal("10.00")


@pytest.mark.parametrize(
    ("service", "quantity", "amount"),
    [tuple(row.values()) for row in rows_of("""
        service   quantity  amount
        TIERED    150       125.00
        VOLUME    150       75.00
        THREE     10        30.00
        THREE     25        55.00
        FEE       0         99.00
        FEE       1000      99.00
        SEAT      7         24.50
        SEAT      0         0
        SEAT-MIN  10        50.00
        SEAT-MIN  20        70.00
        SEAT-MIN  0         50.00
        FINE      3         0.015
    """)],
)  # fmt: skip
def test_t41_each_model_has_its_own_price(models: dict[str, PriceModel], service: str, quantity: str, amount: str) -> None:
    assert price_month(models[service], Decimal(quantity)) == Decimal(amount)


def test_t42_the_upper_bound_belongs_to_the_tier(models: dict[str, PriceModel]) -> None:
    assert lines(models["TIERED"], 100) == ["up to 100: 100 × 1.00 = 100.00"]
    assert lines(models["TIERED"], 101) == ["up to 100: 100 × 1.00 = 100.00", "above 100: 1 × 0.50 = 0.50"]
    assert lines(models["VOLUME"], 100) == ["up to 100: 100 × 1.00 = 100.00"]
    assert lines(models["VOLUME"], 101) == ["above 100: 101 × 0.50 = 50.50"]
    assert lines(models["VOLUME"], "100.000001") == ["above 100: 100.000001 × 0.50 = 50.00000050"]


def test_t43_money_is_the_difference_of_two_prices_not_units_times_a_rate(models: dict[str, PriceModel]) -> None:
    def difference(service: str, expected: int, billed: int | None) -> Decimal:
        return price_difference(models[service], Decimal(expected), None if billed is None else Decimal(billed), "USD")

    assert price_month(models["VOLUME"], Decimal(100)) == Decimal("100.00")
    assert price_month(models["VOLUME"], Decimal(101)) == Decimal("50.50")
    assert difference("VOLUME", 101, 100) == Decimal("-49.50")  # one unit too few billed, and money too much
    assert difference("TIERED", 150, 90) == Decimal("35.00")
    assert difference("CALLS", 99, 12) == Decimal(0)
    assert difference("SEAT-MIN", 16, 10) == Decimal("6.00")
    # rounded once, after the difference: 0.015 − 0.005 = 0.01, where each alone would round to 0.02 and 0.01
    assert difference("FINE", 3, 1) == Decimal("0.01")
    # no line at all: nothing is paid, not even the fee; a line of no units does pay it
    assert difference("CALLS", 150, None) == Decimal("15.00")
    assert difference("CALLS", 150, 0) == Decimal("5.00")


def test_t43_a_price_is_explained_with_its_parts(models: dict[str, PriceModel]) -> None:
    assert explain_price(models["CALLS"], Decimal(150), "USD") == "overage: 1 × 10.00 fee + 50 × 0.10 above 100 = 15.00 USD"
    assert explain_price(models["SEAT-MIN"], Decimal(10), "USD") == "per unit: 10 × 3.50 a unit + 1 × 15.00 minimum = 50.00 USD"
    assert explain_price(models["FINE"], Decimal(3), "USD") == "per unit: 3 × 0.005 a unit = 0.02 USD"
    assert explain_price(models["VOLUME"], Decimal(0), "USD") == "volume: nothing = 0.00 USD"


def test_no_price_is_given_for_less_than_nothing(models: dict[str, PriceModel]) -> None:
    with pytest.raises(DataError, match="-1 units have no price"):
        price_month(models["SEAT"], Decimal(-1))


@pytest.mark.parametrize(
    ("price", "said"),
    [
        ("{model: tiered}", "tiers: none given"),
        ('{model: tiered, tiers: [{up_to: 100, price: "1"}]}', "tiers.0: a gap above 100: the last tier leaves up_to out"),
        ('{model: tiered, tiers: [{price: "1"}, {up_to: 9, price: "1"}]}', "tiers.0: only the last tier may leave up_to out"),
        (
            '{model: volume, tiers: [{up_to: 9, price: "1"}, {up_to: 9, price: "1"}, {price: "1"}]}',
            "tiers.1: overlaps: up_to 9 does not lie above 9",
        ),
        ('{model: volume, tiers: [{up_to: 0, price: "1"}, {price: "1"}]}', "tiers.0: holds no unit"),
        ('{model: volume, price: "1", tiers: [{price: "1"}]}', "price: a volume price has it in its tiers"),
        ('{model: per_unit, price: "1", tiers: [{price: "1"}]}', "tiers: a per_unit price has none; say model: tiered or model: volume"),
        ("{model: flat}", "price: a flat price needs one"),
        ('{model: overage, price: "1", over_price: "1"}', "included: an overage price needs it, however small"),
        ('{model: overage, price: "1", included: 5}', "over_price: an overage price needs it, however small"),
        ('{model: per_unit, price: "1", included: 5}', "included: a per_unit price has none; model: overage has"),
        ('{model: flat, price: "1", over_price: "1"}', "over_price: a flat price has none; model: overage has"),
    ],
)
def test_t42_tiers_that_leave_a_gap_or_overlap_stop_with_file_and_key(tmp_path: Path, price: str, said: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(f"version: 1\nservices:\n  EDR: {{price: {price}}}\n", "utf-8")
    with pytest.raises(SettingsError) as stopped:
        read_rules([path])
    assert str(stopped.value).startswith(f"{path}: services.EDR.price: {said}")


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("escalator: {base_price: 1.5, since: 2024-01-01, percent: 3}", "services.EDR.escalator.base_price: YAML read this as a binary float"),
        ('escalator: {base_price: "1.5", since: 2024, percent: 3}', "services.EDR.escalator.since: 2024 is no day: write it as 2026-10-31"),
        ('escalator: {base_price: "1.5", percent: 3}', "services.EDR.escalator.since: Field required"),
        ('escalator: {base_price: "1.5", since: 2024-01-01, percent: -3}', "services.EDR.escalator.percent: Input should be greater than or equal to 0"),
        ('price: {model: flat, prise: "1"}', "services.EDR.price.prise: unknown key; did you mean 'price'?"),
    ],
)  # fmt: skip
def test_a_wrong_key_of_a_price_is_named(tmp_path: Path, rule: str, said: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(f"version: 1\nservices:\n  EDR:\n    {rule}\n", "utf-8")
    with pytest.raises(SettingsError) as stopped:
        read_rules([path])
    assert str(path) in str(stopped.value)
    assert said in str(stopped.value)


def test_t33_a_credit_changes_the_money_of_its_line_never_its_units() -> None:
    seats, discount = (Decimal(10), Decimal("5.00")), (Decimal(1), Decimal("-8.00"))
    assert net_amount([seats, discount]) == (Decimal(10), Decimal("42.00"))
    assert net_unit_price([seats, discount]) == Decimal("4.20")
    assert net_unit_price([discount]) is None  # money without a unit: no price a unit
    assert net_unit_price([(Decimal(3), Decimal("10.00")), (Decimal(1), Decimal("-0.01"))]) == Decimal("9.996667")


@pytest.mark.parametrize(
    ("since", "percent", "on", "price"),
    [tuple(row.values()) for row in rows_of("""
        since       percent  on          price
        2023-04-01  3        2023-04-01  10.000000
        2023-04-01  3        2024-03-31  10.000000
        2023-04-01  3        2024-04-01  10.300000
        2023-04-01  3        2026-10-31  10.927270
        2023-04-01  4.5      2026-10-31  11.411661
        2024-02-29  5        2025-02-27  10.000000
        2024-02-29  5        2025-02-28  10.500000
        2024-02-29  5        2028-02-28  11.576250
        2024-02-29  5        2028-02-29  12.155063
        1996-10-31  3.25     2026-10-31  26.103684
    """)],
)  # fmt: skip
def test_t120_a_rise_counts_from_its_anniversary_on(since: str, percent: str, on: str, price: str) -> None:
    rise = Escalator(base_price=Decimal("10.00"), since=date.fromisoformat(since), percent=Decimal(percent))
    assert escalated_price(rise, date.fromisoformat(on)) == Decimal(price)


def test_t120_before_its_first_day_a_rise_says_nothing() -> None:
    rise = Escalator(base_price=Decimal("10.00"), since=date(2026, 11, 1), percent=Decimal(3))
    assert escalated_price(rise, date(2026, 10, 31)) is None


def test_rules_without_a_price_have_none() -> None:
    assert Rules.model_validate({"version": 1, "services": {"EDR": {}}}).services["EDR"].price is None
