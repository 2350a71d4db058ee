"""Part of a price for part of a cycle, and the days a cycle runs over (T73, T79–T81, T90, T91, T104–T109, T111, T112)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from reconlib.cycles import (
    Cycle,
    add_months,
    calendar_end,
    charged_in_advance,
    coterm_refusal,
    cycle_of,
    first_term,
    first_usage_bill,
    month_starts,
    used_in_arrears,
)
from reconlib.errors import DataError
from reconlib.proration import (
    catch_up,
    coterm_price,
    cycle_price,
    first_invoice,
    prorate,
    prorate_all,
    prorated_price,
    share_of,
    split_amount,
    which_fits,
)

MARCH = Cycle(date(2026, 3, 1), date(2026, 3, 31))
APRIL = Cycle(date(2026, 4, 1), date(2026, 4, 30))
YEAR = Cycle(date(2026, 1, 1), date(2026, 12, 31))
FROM_JUNE = Cycle(date(2026, 6, 1), date(2027, 5, 31))


def day(text: str) -> date:
    return date.fromisoformat(text)


def part(price: str, start: str, cycle: Cycle, convention: str, rounding: str = "half_up") -> Decimal:
    return prorate(Decimal(price), day(start), cycle.start, cycle.end, convention=convention, currency="USD", rounding=rounding)


def test_t73_a_vendors_unit_price_is_prorated_by_billing_days_of_charge_cycle_days() -> None:
    cycle = Cycle(day("2026-02-21"), day("2026-03-20"))
    assert prorated_price(Decimal("28.00"), day("2026-03-07"), cycle.start, cycle.end) == Decimal("14.00")
    # 11.23 is only printed: the price behind it is 11.22580645… (T79)
    assert prorated_price(Decimal("12.00"), day("2026-03-03"), MARCH.start, MARCH.end) == Decimal("11.225806451612903226")


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        ("2026-02-21", "2026-03-20", 28),
        ("2026-03-21", "2026-04-20", 31),
        ("2026-01-31", "2026-02-27", 28),
        ("2024-02-21", "2024-03-20", 29),
    ],
)
def test_t80_charge_cycle_days_are_counted_from_its_dates(start: str, end: str, days: int) -> None:
    assert Cycle(day(start), day(end)).days == days
    assert share_of(day(start), day(start), day(end), "inclusive").of_days == days


@pytest.mark.parametrize(
    ("anchor", "keeps", "cycles"),
    [
        ("2026-01-31", "clamp", "01-31 02-27  02-28 03-30  03-31 04-29  04-30 05-30  05-31 06-29"),
        ("2024-01-31", "clamp", "01-31 02-28  02-29 03-30  03-31 04-29"),
        ("2026-01-30", "clamp", "01-30 02-27  02-28 03-29  03-30 04-29"),
        ("2026-01-30", "last_but_one", "01-30 02-26  02-27 03-29  03-30 04-28"),
        ("2026-01-29", "last_but_one", "01-29 02-27  02-28 03-28"),
        ("2026-01-15", "clamp", "01-15 02-14  02-15 03-14"),
    ],
)
def test_t81_cycle_dates_at_a_months_end(anchor: str, keeps: str, cycles: str) -> None:
    year = anchor[:4]
    for pair in cycles.split("  "):
        first, last = (day(f"{year}-{text}") for text in pair.split())
        for on in (first, last):  # neither the first nor the last day falls into a neighbour
            assert cycle_of(day(anchor), 1, on, keeps=keeps) == Cycle(first, last)


def test_t81_a_cycle_of_a_year_keeps_its_day() -> None:
    assert cycle_of(day("2024-02-29"), 12, day("2026-02-28")) == Cycle(day("2026-02-28"), day("2027-02-27"))
    assert cycle_of(day("2024-02-29"), 12, day("2026-02-27")) == Cycle(day("2025-02-28"), day("2026-02-27"))
    assert cycle_of(day("2026-03-15"), 12, day("2026-03-14")) == Cycle(day("2025-03-15"), day("2026-03-14"))


def test_t90_a_first_term_is_cut_short_to_end_with_another() -> None:
    def months(start: str, renews_on: str, term_months: int) -> int:
        term = first_term(day(start), day(renews_on), term_months)
        return len(month_starts(term.start, day(renews_on))) - 1

    assert months("2022-07-01", "2022-10-01", 12) == 3
    assert months("2022-07-01", "2024-10-01", 36) == 27
    assert calendar_end(day("2022-07-15"), 12) == day("2023-06-30")
    with pytest.raises(DataError, match="a term of 12 months from 2022-07-01 cannot renew on 2023-07-02"):
        first_term(day("2022-07-01"), day("2023-07-02"), 12)


def test_t90_a_first_term_cut_short_is_charged_in_part() -> None:
    year = first_term(day("2022-07-01"), day("2022-10-01"), 12)
    three_years = first_term(day("2022-07-01"), day("2024-10-01"), 36)
    assert coterm_price(Decimal("120.00"), year, 12, convention="months", currency="USD") == Decimal("30.00")
    assert coterm_price(Decimal("360.00"), three_years, 36, convention="months", currency="USD") == Decimal("270.00")
    assert coterm_price(Decimal("365.00"), year, 12, convention="inclusive", currency="USD") == Decimal("92.00")  # July to September


@pytest.mark.parametrize(
    ("term", "other", "ends", "said"),
    [
        (12, 1, "2026-10-31", "cannot end with a monthly one"),
        (1, 12, "2026-10-31", ""),
        (1, 36, "2026-10-28", "only where that is the last day"),
        (1, 12, "2026-10-29", "only where that is the last day"),
        (1, 12, "2026-10-30", "only where that is the last day"),
        (1, 12, "2026-11-30", ""),
        (1, 12, "2026-02-28", ""),
        (1, 12, "2028-02-28", "only where that is the last day"),
        (1, 1, "2026-10-15", ""),
        (36, 12, "2026-10-30", ""),
    ],
)
def test_t90_which_terms_may_end_together(term: int, other: int, ends: str, said: str) -> None:
    refusal = coterm_refusal(term, other, day(ends))
    assert said in refusal
    assert bool(said) is bool(refusal)


def test_t91_a_change_of_billing_plan_is_charged_by_months() -> None:
    cycle = (day("2026-07-01"), FROM_JUNE.start, FROM_JUNE.end)
    assert part("250.00", "2026-07-01", FROM_JUNE, "months", "down") == Decimal("229.16")
    exact = prorated_price(Decimal(250), *cycle, convention="months")
    assert exact.quantize(Decimal("0.0001")) == Decimal("229.1667")
    assert part("250.00", "2026-07-01", FROM_JUNE, "inclusive") == Decimal("229.45")
    assert which_fits(Decimal("229.16"), Decimal("250.00"), *cycle, currency="USD") == ["months"]


def test_t104_inclusive_counts_the_first_day() -> None:
    assert part("22.00", "2026-03-15", MARCH, "inclusive") == Decimal("12.06")
    invoice = first_invoice(Decimal("22.00"), day("2026-03-15"), [MARCH], prorates=True, convention="inclusive", currency="USD")
    assert invoice == Decimal("34.06")


def test_t105_conventions_side_by_side_differ_by_a_day() -> None:
    rows = prorate_all(Decimal("22.00"), day("2026-03-15"), MARCH.start, MARCH.end, currency="USD", vendor_amount=Decimal("12.06"))
    assert [f"{row.convention} {row.days}/{row.of_days} {row.amount} {row.difference}" for row in rows] == [
        "inclusive 17/31 12.06 0.00",
        "exclusive 16/31 11.35 -0.71",
        "actual_30 17/30 12.47 0.41",
        "months 1/1 22.00 9.94",
    ]
    assert prorate_all(Decimal("22.00"), day("2026-03-15"), MARCH.start, MARCH.end, currency="USD")[0].difference is None


@pytest.mark.parametrize(
    ("amount", "tolerance", "fits"),
    [
        ("11.35", "0", ["exclusive"]),
        ("11.36", "0", []),
        ("11.36", "0.01", ["exclusive"]),
        ("12.46", "0", ["actual_30"]),  # rounded down
        ("22.00", "0", ["months"]),
        ("12.06", "0.41", ["inclusive", "actual_30"]),
    ],
)
def test_t105_the_convention_that_makes_a_vendors_amount_is_named(amount: str, tolerance: str, fits: list[str]) -> None:
    cycle = (day("2026-03-15"), MARCH.start, MARCH.end)
    assert which_fits(Decimal(amount), Decimal("22.00"), *cycle, currency="USD", tolerance=Decimal(tolerance)) == fits


def test_t106_without_proration_the_next_invoice_bears_the_full_amount() -> None:
    invoice = first_invoice(Decimal("22.00"), day("2026-03-15"), [MARCH], prorates=False, convention="inclusive", currency="USD")
    assert invoice == Decimal("22.00")


def test_t107_turning_proration_on_charges_from_the_last_change_on() -> None:
    changed_on = day("2026-03-10")  # without proration; turned on on the 20th, the charge reaches back to the 10th all the same
    assert catch_up(Decimal("31.00"), changed_on, [MARCH], convention="inclusive", currency="USD") == Decimal("22.00")


def test_t108_billed_a_month_in_advance_reaches_to_the_end_of_what_is_billed() -> None:
    owed = catch_up(Decimal("31.00"), day("2026-03-17"), [MARCH, APRIL], convention="inclusive", currency="USD")
    assert owed == Decimal("15.00") + Decimal("31.00")
    # rounded once: 22 × 15/31 + 22 = 32.645…
    assert catch_up(Decimal("22.00"), day("2026-03-17"), [MARCH, APRIL], convention="inclusive", currency="USD") == Decimal("32.65")


def test_t109_quantities_are_charged_in_advance_and_usage_in_arrears() -> None:
    anchor = day("2025-12-25")
    assert charged_in_advance(anchor, day("2026-01-25")) == Cycle(day("2026-01-25"), day("2026-02-24"))
    assert used_in_arrears(anchor, day("2026-02-25")) == Cycle(day("2026-01-26"), day("2026-02-25"))
    assert first_usage_bill(anchor, day("2026-01-10")) == day("2026-02-25")
    assert first_usage_bill(anchor, day("2026-01-25")) == day("2026-02-25")
    assert first_usage_bill(anchor, day("2026-01-26")) == day("2026-03-25")


@pytest.mark.parametrize(
    ("start", "months"),
    [("2026-01-01", 12), ("2026-01-02", 12), ("2026-02-01", 11), ("2026-11-30", 2), ("2026-12-01", 1), ("2026-12-31", 1)],
)
def test_t111_months_are_whole_and_one_that_has_begun_counts(start: str, months: int) -> None:
    assert share_of(day(start), YEAR.start, YEAR.end, "months").days == months
    assert part("120.00", start, YEAR, "months") == Decimal(10 * months)


def test_t111_months_need_a_cycle_of_whole_months() -> None:
    with pytest.raises(DataError, match="2026-03-15 to 2026-04-30 is no whole number of months"):
        share_of(day("2026-03-20"), day("2026-03-15"), day("2026-04-30"), "months")
    rows = prorate_all(Decimal("22.00"), day("2026-03-20"), day("2026-03-15"), day("2026-04-30"), currency="USD")
    assert [(row.convention, row.amount is None) for row in rows] == [
        ("inclusive", False),
        ("exclusive", False),
        ("actual_30", True),  # not known, not zero
        ("months", True),
    ]


@pytest.mark.parametrize(
    ("start", "after", "starts"),
    [
        ("2026-01-31", "2026-04-30", "2026-01-31 2026-02-28 2026-03-31 2026-04-30"),
        ("2026-02-28", "2026-03-31", "2026-02-28 2026-03-31"),
        ("2026-02-27", "2026-03-30", "2026-02-27 2026-03-30"),
        ("2026-02-27", "2026-03-29", ""),
        ("2026-03-15", "2026-03-20", ""),
    ],
)
def test_t81_whole_months_are_known_at_a_months_end_too(start: str, after: str, starts: str) -> None:
    assert " ".join(str(found) for found in month_starts(day(start), day(after))) == starts


def test_t105_by_thirty_days_never_charges_more_than_the_whole() -> None:
    assert part("30.00", "2026-03-01", MARCH, "actual_30") == Decimal("30.00")
    assert part("30.00", "2026-03-02", MARCH, "actual_30") == Decimal("30.00")
    assert part("30.00", "2026-03-03", MARCH, "actual_30") == Decimal("29.00")


@pytest.mark.parametrize("start", ["2026-02-28", "2026-04-01"])
def test_a_day_outside_the_cycle_is_refused(start: str) -> None:
    with pytest.raises(DataError, match=f"{start} is not a day of 2026-03-01 to 2026-03-31"):
        part("22.00", start, MARCH, "inclusive")


def test_t112_a_price_a_cycle_is_divided_by_its_months() -> None:
    assert cycle_price(Decimal("120.96"), 12, 1, "USD") == Decimal("10.08")
    assert cycle_price(Decimal("100.00"), 12, 1, "USD") == Decimal("8.33")
    assert cycle_price(Decimal("30.00"), 3, 12, "USD") == Decimal("120.00")


@pytest.mark.parametrize(
    ("total", "parts", "remainder", "made"),
    [
        ("100.00", [1, 1, 1], "last", "33.33 33.33 33.34"),
        ("100.00", [1, 1, 1], "first", "33.34 33.33 33.33"),
        ("100.00", [1, 1, 1, 0], "last", "33.33 33.33 33.34 0.00"),
        ("0.05", [1, 1, 1], "largest", "0.02 0.02 0.01"),
        ("-0.05", [1, 1, 1], "last", "-0.01 -0.01 -0.03"),
        ("22.00", [14, 17], "largest", "9.94 12.06"),
    ],
)
def test_parts_of_an_amount_add_up_to_it(total: str, parts: list[int], remainder: str, made: str) -> None:
    assert " ".join(f"{p:.2f}" for p in split_amount(Decimal(total), parts, currency="USD", remainder=remainder)) == made


@pytest.mark.parametrize(("total", "parts"), [("1.005", [1]), ("1.00", []), ("1.00", [0, 0]), ("1.00", [2, -1])])
def test_an_amount_is_not_split_where_it_cannot_be(total: str, parts: list[int]) -> None:
    with pytest.raises(DataError):
        split_amount(Decimal(total), parts, currency="USD")


def test_the_last_but_one_day_is_kept_only_where_it_is_one() -> None:
    assert add_months(day("2026-02-27"), 1, keeps="last_but_one") == day("2026-03-27")
    assert add_months(day("2026-04-29"), 1, keeps="last_but_one") == day("2026-05-30")
