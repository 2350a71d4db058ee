"""What a quantity costs, which prices are odd, and what a rise in a contract should have done (T33, T40–T43, T88, T89, T117, T119, T120)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from small_month import Result, rows_of, run_month

from reconlib.errors import DataError, SettingsError
from reconlib.findings.prices import cost_hint
from reconlib.pricing import (
    escalated_price,
    explain_price,
    net_amount,
    net_unit_price,
    price_difference,
    price_lines,
    price_month,
)
from reconlib.review import CHANGE_KINDS
from reconlib.rules import Escalator, PriceModel, Rules, read_rules
from reconlib.schema import CANONICAL, CHANGES, COMPARISON, FINDINGS

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


def outliers(result: Result) -> dict[str, tuple[Decimal | None, str]]:
    """Money and words of the price findings, by client."""
    return {row["client_id"]: (row["monthly_impact"], row["explanation"]) for row in result.findings if row["kind"] == "price_outlier"}


FLEET = """
client  service  qty  price
A       EDR      5    4.00
B       EDR      5    4.00
C       EDR      5    4.10
D       EDR      5    4.40
"""
SERVICE = "service\nEDR\n"


@pytest.mark.parametrize(
    ("price", "said"),
    [
        ("5.125", None),  # 25 % above 4.10, the median of the five: not further
        ("5.126", "EDR is priced 5.126 USD a unit and month. The median over 5 clients is 4.10: 25 % above it."),
        ("3.075", None),
        ("2.05", "EDR is priced 2.05 USD a unit and month. The median over 5 clients is 4.00: 48.8 % below it."),
    ],
)
def test_t89_a_price_far_from_what_other_clients_pay_is_shown(price: str, said: str | None) -> None:
    found = outliers(run_month(FLEET + f"E       EDR      5    {price}", services=SERVICE))
    assert found == ({} if said is None else {"E": (None, said)})  # odd is not wrong: no money is claimed


def test_t89_of_an_even_number_the_median_lies_between_the_two_in_the_middle() -> None:
    found = outliers(run_month(FLEET + "E  EDR  5  4.20\nF  EDR  5  9.00", services=SERVICE))
    assert found == {"F": (None, "EDR is priced 9.00 USD a unit and month. The median over 6 clients is 4.15: 116.9 % above it.")}


def test_t89_fewer_clients_than_the_rule_asks_for_say_nothing() -> None:
    wide = FLEET.replace("4.40", "44.00")
    assert outliers(run_month(wide, services=SERVICE)) == {}
    assert set(outliers(run_month(wide, services=SERVICE, rules={"price_outlier": {"clients": 4}}))) == {"D"}
    assert outliers(run_month(wide, services=SERVICE, rules={"price_outlier": None})) == {}


def test_t89_prices_are_compared_a_month_in_one_currency_and_only_where_they_are_billed() -> None:
    result = run_month(
        FLEET
        + """
        E  EDR  5  48.00
        F  EDR  5  900
        G  EDR  5  900
        """,
        agreements="agreement  client  cycle  currency\nagreement of E  E  12  -\nagreement of F  F  1  EUR",
        clients="client  billable\nG  no",
        services=SERVICE,
    )
    assert outliers(result) == {}  # 48.00 a year is 4.00 a month; one client in EUR; one not billed


def test_t89_neither_a_flat_fee_nor_a_price_of_the_rules_is_compared() -> None:
    text = FLEET.replace("4.40", "44.00") + "E       EDR      5    4.00"
    flat = {"services": {"EDR": {"basis": "flat"}}}
    by_model = {"services": {"EDR": {"price": {"model": "flat", "price": "9.00"}}}}
    assert set(outliers(run_month(text, services=SERVICE))) == {"D"}
    assert outliers(run_month(text, services=SERVICE, rules=flat)) == {}
    assert outliers(run_month(text, services=SERVICE, rules=by_model)) == {}


@pytest.mark.parametrize(
    ("price", "said"),
    [
        ("3.00", None),  # 25 %: not further
        ("5.00", None),
        ("2.99", "EDR is priced 2.99 USD a unit and month. The catalogue lists 4.00: 25.3 % below it."),
        ("5.01", "EDR is priced 5.01 USD a unit and month. The catalogue lists 4.00: 25.3 % above it."),
    ],
)
def test_t89_a_price_far_from_the_catalogue_is_shown(price: str, said: str | None) -> None:
    found = outliers(run_month(f"client  service  qty  price\nA  EDR  5  {price}", services="service  price\nEDR  4.00"))
    assert found == ({} if said is None else {"A": (None, said)})


def test_t89_the_catalogue_says_nothing_of_another_currency_or_a_longer_cycle() -> None:
    lines = "client  service  qty  price\nA  EDR  5  40.00\nB  EDR  5  40.00\nC  EDR  5  40.00"
    agreements = "agreement  client  cycle  currency\nagreement of A  A  12  -\nagreement of B  B  1  EUR"
    assert set(outliers(run_month(lines, agreements=agreements, services="service  price\nEDR  4.00"))) == {"C"}


@pytest.mark.parametrize(
    ("price", "credit", "said"),
    [
        ("4.00", "-10.00", None),  # a credit alone is not an odd price
        ("8.00", "-20.00", None),  # it brings the odd price back to 4.00
        (
            "8.00",
            "-5.00",
            "EDR is priced 8.00 USD a unit and month, 7.00 with its credits taken off. The median over 5 clients is 4.10: 95.1 % above it.",
        ),
    ],
)
def test_t33_a_credit_can_excuse_a_price_and_never_accuses_it(price: str, credit: str, said: str | None) -> None:
    found = outliers(run_month(FLEET + f"E  EDR  5  {price}\nE  EDR  1  {credit}", services=SERVICE))
    assert found == ({} if said is None else {"E": (None, said)})


RISE = {"services": {"EDR": {"escalator": {"base_price": "10.00", "since": "2023-04-01", "percent": 3}}}}


@pytest.mark.parametrize(
    ("price", "cycle", "impact"),
    [
        ("10.00", 1, "18.55"),  # 20 × (10.927270 − 10.00)
        ("10.61", 1, "6.35"),  # one rise missed
        ("10.92", 1, None),  # the rise, rounded down to the cent
        ("10.93", 1, None),
        ("15.00", 1, None),
        ("120.00", 12, "18.55"),  # 20 × (131.127240 − 120.00) ÷ 12
        ("131.12", 12, None),
    ],
)
def test_t120_a_rise_that_was_never_billed_is_money_lost(price: str, cycle: int, impact: str | None) -> None:
    found = outliers(
        run_month(
            f"client  service  qty  price\nA  EDR  20  {price}",
            agreements=f"agreement  client  cycle\nagreement of A  A  {cycle}",
            services=SERVICE,
            rules=RISE,
        )
    )
    assert {client: money for client, (money, _) in found.items()} == ({} if impact is None else {"A": Decimal(impact)})


def test_t120_says_both_prices() -> None:
    result = run_month("client  service  qty  price\nA  EDR  20  10.00", services=SERVICE, rules=RISE)
    assert outliers(result)["A"][1] == (
        "EDR is priced 10.00 USD a unit and month. A rise of 3 % a year on 10.00 since 2023-04-01 "
        "makes it 10.92727 on 2026-10-31; the line bills 10.00."
    )


def test_t120_lines_of_several_prices_claim_no_money() -> None:
    result = run_month("client  service  qty  price  line\nA  EDR  20  12.00  1\nA  EDR  5  10.00  2", services=SERVICE, rules=RISE)
    (found,) = [row for row in result.findings if row["kind"] == "price_outlier"]
    assert (found["monthly_impact"], found["certainty"]) == (None, "estimated")
    assert found["explanation"].startswith("EDR is priced 10.00 USD a unit and month on line 2, others differ.")


@pytest.mark.parametrize(
    ("vendor", "line", "said"),
    [tuple(row.values()) for row in rows_of("""
        vendor    line   said
        22.66     22.00  × 1.03: what a subscription costs that runs on month to month
        23.10     22.00  × 1.05: what an annual term costs that is billed monthly
        26.40     22.00  × 1.20: what a monthly term costs
        27.06     22.00  × 1.23: what a subscription costs that runs on after its term
        11.54     10.99  × 1.05
        11.5395   10.99  × 1.05
        0.12      0.10   × 1.20
    """)],
)  # fmt: skip
def test_t89_a_cost_that_is_a_known_premium_names_its_likely_cause(vendor: str, line: str, said: str) -> None:
    assert said in cost_hint(Decimal(vendor), Decimal(line))


@pytest.mark.parametrize(
    ("vendor", "line"), [("22.67", "22.00"), ("22.00", "26.40"), ("0.00", "0.00"), ("1.00", "0.00"), ("0.104", "0.10")]
)
def test_t89_another_difference_gets_no_hint(vendor: str, line: str) -> None:
    assert cost_hint(Decimal(vendor), Decimal(line)) == ""


def test_t88_a_term_that_ran_on_is_only_hinted_at() -> None:
    result = run_month(
        "client  service  qty  price  cost\nA  BP  5  30.00  22.00",
        usage="client  service  qty\nA  BP  5",
        purchases="client  service  qty  cost\nA  BP  5  27.06",
    )
    (found,) = [row for row in result.findings if row["kind"] == "cost_change"]
    assert found["explanation"] == (
        "BP costs 27.06 a unit, the agreement line says 22.00. "
        "That is × 1.23: what a subscription costs that runs on after its term has expired, where no monthly term is sold."
    )
    assert found["cost_impact"] == Decimal("25.30")
    assert result.cell("A", "BP")["unit_price"] == Decimal("30.00")


def margins(result: Result) -> list[tuple[Decimal, str]]:
    return [(row["cost_impact"], row["explanation"]) for row in result.findings if row["kind"] == "negative_margin"]


BELOW = "client  service  qty  price  cost\nA  EDR  10  5.00  4.00"


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ("A  EDR  1  -8.00  -", None),  # 42.00 for what costs 40.00
        ("A  EDR  1  -10.00  -", None),  # 40.00: no loss
        ("A  EDR  2  -10.00  -", ("10.00", "EDR is sold at 5.00, 3.00 with its credits taken off, and costs 4.00 a unit and month.")),
        (
            "A  EDR  1  3.00  4.00",
            ("1.00", "1 of 2 lines of EDR are priced below its cost of 4.00 a unit and month."),
        ),  # the others earn 10.00
        (
            "A  EDR  1  3.00  4.00\nA  EDR  2  -10.00  -",  # 53.00 − 20.00 for what costs 44.00
            ("11.00", "EDR is sold at 4.818182 over its lines, 3 with its credits taken off, and costs 4.00 a unit and month."),
        ),
    ],
)
def test_t33_a_credit_is_taken_off_before_a_price_is_held_against_its_cost(lines: str, found: tuple[str, str] | None) -> None:
    made = margins(run_month(f"{BELOW}\n{lines}"))
    assert made == ([] if found is None else [(Decimal(found[0]), found[1].replace(" 3 with", " 3.00 with"))])


def test_t33_t112_a_credit_of_another_cycle_or_currency_is_not_added_to_a_months_money() -> None:
    lines = "client  service  qty  price  cost  agreement\nA  EDR  10  5.00  4.00  month\nA  EDR  1  -60.00  -  year"
    yearly = "agreement  client  cycle  currency\nmonth  A  1  -\nyear  A  {}"
    assert margins(run_month(lines, agreements=yearly.format("12  -"))) == []  # 5.00 a month, not 60.00
    assert margins(run_month(lines, agreements=yearly.format("1  EUR"))) == []
    assert margins(run_month(lines, agreements=yearly.format("1  -")))[0][0] == Decimal("50.00")


def test_t43_a_margin_is_of_the_money_a_price_model_makes() -> None:
    rules = {"services": {"EDR": {"price": {"model": "per_unit", "price": "{}"}}}}
    for price, found in (("9.00", []), ("3.00", [Decimal("10.00")])):
        rules["services"]["EDR"]["price"]["price"] = price
        made = run_month("client  service  qty  price  cost\nA  EDR  10  0.00  4.00", rules=rules)
        assert [money for money, _ in margins(made)] == found


def test_a_margin_in_yen_is_said_in_yen() -> None:
    made = run_month("client  service  qty  price  cost\nA  EDR  10  100  120", clients="client  currency\nA  JPY")
    assert margins(made) == [(Decimal(200), "EDR is sold at 100 and costs 120 a unit and month.")]


def test_t120_a_rise_in_the_books_currency_is_not_held_against_a_line_in_another() -> None:
    lines = "client  service  qty  price\nA  EDR  20  10.00\nB  EDR  20  10.00"
    assert set(outliers(run_month(lines, clients="client  currency\nA  CAD\nB  -", services=SERVICE, rules=RISE))) == {"B"}


def test_t119_no_change_sets_a_price() -> None:
    assert {"cost_change", "price_outlier", "negative_margin"} & set(CHANGE_KINDS) == set()
    assert [name for name in CHANGES.names() if name.startswith(("old_", "new_"))] == ["old_qty", "new_qty"]


def test_t117_prices_and_costs_are_compared_without_tax() -> None:
    compared = [COMPARISON, FINDINGS, CHANGES, *(table for name, table in CANONICAL.items() if not name.startswith("vendor_"))]
    assert [f"{table.name}.{name}" for table in compared for name in table.names() if "tax" in name or "vat" in name] == []
    about = {f"{table.name}.{column.name}": column.about for table in CANONICAL.values() for column in table.columns}
    assert "tax excluded" in about["vendor_charges.amount"]
    assert "tax excluded" in about["vendor_invoices.amount"]


def test_t43_what_no_line_bills_is_worth_its_whole_price_with_the_fee() -> None:
    calls = {"price": {"model": "overage", "price": "10.00", "included": 100, "over_price": "0.10"}}
    result = run_month(usage="client  service  qty\nA  CALLS  150", rules={"services": {"CALLS": calls}})
    (found,) = [row for row in result.findings if row["kind"] == "new_revenue"]
    assert found["monthly_impact"] == Decimal("15.00")


IN_CAD = {"agreements": "agreement  client  currency\nagreement of Acme  Acme  CAD", "clients": "client  currency\nAcme  CAD"}


def test_t98_a_list_price_in_the_book_s_currency_is_no_price_in_another() -> None:
    given: dict[str, Any] = {"usage": "client  service  qty\nAcme  EDR  3\nBirch  EDR  3", "services": "service  price\nEDR  10.00"}
    month = run_month(**given, clients="client  currency\nAcme  CAD\nBirch  -")
    found = {row["client_id"]: row for row in month.findings}
    assert (found["Birch"]["monthly_impact"], found["Birch"]["currency"]) == (Decimal("30.00"), "USD")
    assert (found["Acme"]["monthly_impact"], found["Acme"]["currency"]) == (None, "CAD")
    assert found["Acme"]["explanation"].endswith("no agreement line bills them: no list price in CAD is known.")


def test_t43_t98_a_price_model_in_the_book_s_currency_prices_no_line_in_another() -> None:
    rules = {"services": {"EDR": {"price": {"model": "per_unit", "price": "4.00"}}}}
    usage, lines = "client  service  qty\nAcme  EDR  7", "client  service  qty  price  cost\nAcme  EDR  5  5.00  9.00"
    (here,) = [row for row in run_month(lines, usage=usage, rules=rules).findings if row["kind"] == "under_billed"]
    assert here["monthly_impact"] == Decimal("8.00")
    abroad = run_month(lines, usage=usage, rules=rules, **IN_CAD).findings
    assert [(row["kind"], row["variance_qty"], row["monthly_impact"], row["cost_impact"]) for row in abroad] == [
        ("under_billed", Decimal(2), None, None)
    ]
    assert abroad[0]["explanation"].endswith("an unknown amount lost. Its price model is not in CAD.")


@pytest.mark.parametrize(
    ("terms", "credit"),
    [
        ("monthly  1  USD", "-15.00"),  # the cell's own cycle and currency: both are one sum
        ("yearly  12  USD", "-5.00"),
        ("abroad  1  CAD", "-5.00"),
    ],
)
def test_t33_credits_of_another_cycle_or_currency_are_never_added_up(terms: str, credit: str) -> None:
    name, cycle, currency = terms.split()
    agreements = f"agreement  client  cycle  currency\ncare  Acme  1  USD\n{name}  Acme  {cycle}  {currency}"
    lines = f"client  service  qty  price  agreement\nAcme  EDR  5  20.00  care\nAcme  EDR  1  -5.00  care\nAcme  EDR  1  -10.00  {name}"
    month = run_month(lines, usage="client  service  qty\nAcme  EDR  5", agreements=agreements)
    assert month.cell("Acme", "EDR")["credit_amount"] == Decimal(credit)
