"""Laws of prices and parts: nothing is lost at a tier's edge, in a rounding, or by the order of rows."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from reconlib.comparison import money_a_month, unit_money
from reconlib.cycles import Cycle, add_months, cycle_of, month_starts
from reconlib.money import round_amount
from reconlib.pricing import net_amount, price_difference, price_lines, price_month
from reconlib.proration import CONVENTIONS, catch_up, prorate, share_of, split_amount, which_fits
from reconlib.rules import PriceModel, Tier

law = settings(derandomize=True, database=None, deadline=None, max_examples=200)
units = st.decimals(min_value=0, max_value=100_000, places=6)
prices = st.decimals(min_value=0, max_value=10_000, places=6)
amounts = st.decimals(min_value=-100_000, max_value=100_000, places=2)
days = st.dates(min_value=date(2020, 1, 1), max_value=date(2032, 12, 31))
ATOM = Decimal("0.000001")  # the smallest quantity there is


@st.composite
def tiers(draw: st.DrawFn) -> list[Tier]:
    bounds = sorted(draw(st.sets(st.decimals(min_value="0.000001", max_value=1000, places=6), min_size=1, max_size=4)))
    made = [Tier(up_to=bound, price=draw(prices)) for bound in bounds]
    return [*made, Tier(price=draw(prices))]


@st.composite
def models(draw: st.DrawFn) -> PriceModel:
    kind = draw(st.sampled_from(["flat", "per_unit", "tiered", "volume", "overage"]))
    minimum = draw(st.one_of(st.just(Decimal(0)), prices))
    if kind in ("tiered", "volume"):
        return PriceModel(model=kind, tiers=draw(tiers()), minimum=minimum)
    if kind == "overage":
        return PriceModel(model=kind, price=draw(prices), included=draw(units), over_price=draw(prices), minimum=minimum)
    return PriceModel(model=kind, price=draw(prices), minimum=minimum)


@st.composite
def cycles(draw: st.DrawFn) -> tuple[Cycle, date]:
    """A cycle of whole months, and one of its days."""
    cycle = cycle_of(draw(days), draw(st.sampled_from([1, 3, 12])), draw(days))
    return cycle, cycle.start + timedelta(days=draw(st.integers(0, cycle.days - 1)))


@law
@given(tiers(), units)
def test_t41_a_tiered_price_is_the_sum_of_what_each_unit_costs_in_its_tier(steps: list[Tier], quantity: Decimal) -> None:
    floors = [Decimal(0), *(tier.up_to for tier in steps if tier.up_to is not None)]
    by_hand = sum(
        (max(Decimal(0), min(quantity, tier.up_to or quantity) - floor) * tier.price for floor, tier in zip(floors, steps, strict=True)),
        Decimal(0),
    )
    assert price_month(PriceModel(model="tiered", tiers=steps), quantity) == by_hand


@law
@given(tiers(), units, units)
def test_t41_a_tiered_price_never_falls(steps: list[Tier], one: Decimal, other: Decimal) -> None:
    model = PriceModel(model="tiered", tiers=steps)
    assert price_month(model, min(one, other)) <= price_month(model, max(one, other))


@law
@given(tiers())
def test_t42_at_a_bound_a_tiered_price_steps_by_one_units_price_and_a_volume_price_by_all(steps: list[Tier]) -> None:
    tiered, volume = PriceModel(model="tiered", tiers=steps), PriceModel(model="volume", tiers=steps)
    for tier, after in pairwise(steps):
        assert tier.up_to is not None
        over = tier.up_to + ATOM
        assert price_month(tiered, over) - price_month(tiered, tier.up_to) == ATOM * after.price
        assert price_month(volume, tier.up_to) == tier.up_to * tier.price
        assert price_month(volume, over) == over * after.price


def test_t43_a_volume_price_does_fall() -> None:
    model = PriceModel(model="volume", tiers=[Tier(up_to=Decimal(100), price=Decimal(1)), Tier(price=Decimal("0.50"))])
    assert price_month(model, Decimal(101)) < price_month(model, Decimal(100))


@law
@given(models(), units)
def test_t40_the_parts_of_a_price_add_up_to_it(model: PriceModel, quantity: Decimal) -> None:
    parts = price_lines(model, quantity)
    assert sum((part.amount for part in parts), Decimal(0)) == price_month(model, quantity) >= model.minimum
    assert all(part.amount == part.quantity * part.unit_price for part in parts)


@law
@given(models(), units, units)
def test_t43_a_difference_of_prices_turns_its_sign_with_its_sides(model: PriceModel, one: Decimal, other: Decimal) -> None:
    assert price_difference(model, one, other, "USD") == -price_difference(model, other, one, "USD")
    assert price_difference(model, one, one, "USD") == 0


@law
@given(st.lists(st.tuples(units, amounts), max_size=6), st.randoms(use_true_random=False))
def test_t33_the_order_of_lines_does_not_matter(lines: list[tuple[Decimal, Decimal]], chance: object) -> None:
    shuffled = list(lines)
    chance.shuffle(shuffled)
    assert net_amount(shuffled) == net_amount(lines)
    assert net_amount(lines)[0] == sum((quantity for quantity, price in lines if price >= 0), Decimal(0))


@law
@given(cycles())
def test_t104_the_days_before_and_from_a_day_on_are_the_whole_cycle(found: tuple[Cycle, date]) -> None:
    cycle, day = found
    rest = share_of(day, cycle.start, cycle.end, "inclusive")
    assert rest.days + (day - cycle.start).days == rest.of_days == cycle.days
    assert share_of(day, cycle.start, cycle.end, "exclusive").days == rest.days - 1


@law
@given(amounts, cycles())
def test_t105_no_convention_charges_more_than_the_whole_or_grows_with_a_later_day(price: Decimal, found: tuple[Cycle, date]) -> None:
    cycle, day = found
    for name in CONVENTIONS:
        made = [prorate(price, on, cycle.start, cycle.end, convention=name, currency="USD") for on in (cycle.start, day, cycle.end)]
        assert abs(price) >= abs(made[0]) >= abs(made[1]) >= abs(made[2])
        assert name in which_fits(made[1], price, day, cycle.start, cycle.end, currency="USD")


@law
@given(amounts, cycles())
def test_t107_to_start_with_a_cycle_is_to_pay_it_whole(price: Decimal, found: tuple[Cycle, date]) -> None:
    cycle, _ = found
    assert prorate(price, cycle.start, cycle.start, cycle.end, convention="inclusive", currency="USD") == price
    assert catch_up(price, cycle.start, [cycle, cycle], convention="inclusive", currency="USD") == 2 * price


@law
@given(amounts, st.lists(st.integers(0, 400), min_size=1, max_size=12).filter(any), st.sampled_from(["first", "last", "largest"]))
def test_parts_add_up_to_the_whole(total: Decimal, parts: list[int], remainder: str) -> None:
    made = split_amount(total, parts, currency="USD", remainder=remainder)
    assert sum(made) == total
    assert all(part == round_amount(part, "USD") for part in made)
    assert all(part == 0 for part, weight in zip(made, parts, strict=True) if not weight)
    spread = Decimal("0.01") * (1 if remainder == "largest" else len(parts))
    assert all(abs(part - total * weight / sum(parts)) <= spread for part, weight in zip(made, parts, strict=True))


@law
@given(days, st.sampled_from([1, 3, 12]), days, st.sampled_from(["clamp", "last_but_one"]))
def test_t81_cycles_follow_each_other_without_a_gap(anchor: date, months: int, on: date, keeps: str) -> None:
    cycle = cycle_of(anchor, months, on, keeps=keeps)
    assert cycle.start <= on <= cycle.end
    after = cycle_of(anchor, months, cycle.end + timedelta(days=1), keeps=keeps)
    assert after.start == cycle.end + timedelta(days=1)
    assert cycle_of(anchor, months, cycle.start, keeps=keeps) == cycle == cycle_of(anchor, months, cycle.end, keeps=keeps)


@law
@given(days, st.integers(1, 40))
def test_t81_a_span_of_whole_months_is_seen_as_one(start: date, months: int) -> None:
    starts = month_starts(start, add_months(start, months))
    assert len(starts) == months + 1
    assert starts == sorted(set(starts))


@law
@given(st.lists(st.tuples(st.decimals(min_value=-100_000, max_value=100_000, places=6), prices, st.sampled_from(["USD", "JPY", "KWD"]))))
def test_money_of_many_cells_is_the_money_of_each(cells: list[tuple[Decimal, Decimal, str]]) -> None:
    units, unit_prices, currencies = [list(column) for column in zip(*cells, strict=True)] or [[], [], []]
    table = pa.table(
        {
            "variance_qty": pa.array(units, pa.decimal128(38, 6)),
            "unit_price": pa.array(unit_prices, pa.decimal128(18, 6)),
            "currency": pa.array(currencies, pa.string()),
        }
    )
    assert unit_money(table).to_pylist() == [money_a_month(unit, price, 1, currency) for unit, price, currency in cells]
