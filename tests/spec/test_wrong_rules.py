"""A wrong rule stops the run with an error that names file and key: one test a kind of wrong (T41, T63, T98)."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_book import make_book, open_book
from small_month import run_month

from reconlib.errors import SettingsError
from reconlib.rates import Rates, make_rates
from reconlib.rules import Rules, read_rules
from reconlib.settings import Rate, parse
from reconlib.steps import compare_month, sync_month

RULES = "params/rules.yaml"
OF_ALDER = "{client: ALDER, service: DEVICE, exclude_units: 1, reason: kiosk, review_by: 2027-01-31}"


def compare(root: Path) -> None:
    """The steps of a run up to the comparison."""
    month = open_book(root)
    sync_month(month)
    compare_month(month)


def run(root: Path, *texts: str) -> str:
    """What a run of a book of exports says with these rules files; its rules name themselves in it."""
    make_book(root)
    names = [RULES, *(f"params/more{number}.yaml" for number in range(1, len(texts)))]
    for name, text in zip(names, texts, strict=True):
        (root / name).write_text("version: 1\n" + text, "utf-8")
    params = root / "params" / "mini.yaml"
    params.write_text(params.read_text("utf-8").replace(f"rules: [{RULES}]", f"rules: [{', '.join(names)}]"), "utf-8")
    with pytest.raises(SettingsError) as stopped:
        compare(root)
    return str(stopped.value).replace(f"{root}/", "")


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        # what cannot be read at all
        ("services: [", f"{RULES}: not YAML"),
        ("services:\n  DEVICE: {minimum: 1}\n  DEVICE: {minimum: 2}", f"{RULES} line 4: key 'DEVICE' stands twice"),
        ("servces: {}", f"{RULES}: servces: unknown key; did you mean 'services'?"),
        (
            "services:\n  DEVICE: {used: [{source: rmm, dedup: true}]}",
            f"{RULES}: services.DEVICE.used.0.dedup: unknown key; did you mean 'dedupe'?",
        ),
        ("services:\n  DEVICE: {minimum: 1.5}", f"{RULES}: services.DEVICE.minimum: YAML read this as a binary float"),
        ("services:\n  DEVICE: {minimum: 5, maximum: 4}", f"{RULES}: services.DEVICE: maximum: 4 lies below the minimum 5"),
        ("services:\n  DEVICE: {purchased: [{source: rmm, dedupe: true}]}", f"{RULES}: services.DEVICE.purchased: a purchase has no class"),
        (
            "services:\n  DEVICE: {used: [{source: rmm, take: billing_day}]}",
            f"{RULES}: services.DEVICE.used.0: billing_day: take: billing_day and",
        ),
        # names nothing is called
        ("services:\n  DEVISE: {}", f"{RULES}: services.DEVISE: no service 'DEVISE' in the PSA catalogue\nHint: did you mean 'DEVICE'?"),
        (
            "services:\n  DEVICE: {used: [{source: rmn}]}",
            f"{RULES}: services.DEVICE.used.0: no source 'rmn' in params\nHint: did you mean 'rmm'?",
        ),
        (
            "services:\n  DEVICE: {used: [{source: rmm, where: {unit_clas: [x]}}]}",
            f"{RULES}: services.DEVICE.used.0: no record has a field 'unit_clas'\nHint: did you mean 'unit_class'?",
        ),
        (
            "services:\n  DEVICE: {used: [{source: rmm, unless: {unit_nam: [x]}}]}",
            f"{RULES}: services.DEVICE.used.0: no record has a field 'unit_nam'\nHint: did you mean 'unit_name'?",
        ),
        ("ignore: [{source: rmn, reason: typo}]", f"{RULES}: ignore.0: no source 'rmn' in params"),
        ("ignore: [{source: rmm, where: {unit_clas: [x]}, reason: typo}]", f"{RULES}: ignore.0: no record has a field 'unit_clas'"),
        ("own_clients: [ALDR]", f"{RULES}: own_clients: nothing is called 'ALDR'\nHint: did you mean 'ALDER'?"),
        (
            "overrides: [{client: ALDR, service: DEVICE, reason: x, review_by: 2027-01-31}]",
            f"{RULES}: overrides.0.client: nothing is called 'ALDR'\nHint: did you mean 'ALDER'?",
        ),
        (
            "overrides: [{client: ALDER, service: DEVISE, reason: x, review_by: 2027-01-31}]",
            f"{RULES}: overrides.0.service: nothing is called 'DEVISE'\nHint: did you mean 'DEVICE'?",
        ),
        ("expected: [{with_service: DEVICE, services: [EDR]}]", f"{RULES}: expected.0.services: no service 'EDR' in the PSA catalogue"),
        ("together: [{services: [DEVICE, EDR]}]", f"{RULES}: together.0.services: no service 'EDR' in the PSA catalogue"),
        (
            "services:\n  DEVICE: {bundle: {anchor: EDR, covers: {EDR: 1}}}",
            f"{RULES}: services.DEVICE.bundle.covers: nothing is called 'EDR'",
        ),
        (
            "services:\n  DEVICE: {bundle: {anchor: EDR, covers: {DEVICE: 1}}}",
            f"{RULES}: services.DEVICE.bundle: anchor 'EDR' is not among what the bundle covers",
        ),
        # two rules claim one thing
        (
            f"overrides:\n  - {OF_ALDER}\n  - {OF_ALDER.replace('ALDER', 'Alder')}",
            f"{RULES}: overrides.1: Alder × DEVICE is claimed twice",
        ),
        (
            f"overrides:\n  - {OF_ALDER}\n  - {OF_ALDER}",
            f"{RULES}: overrides.1: ALDER × DEVICE is claimed twice\nHint: keep one; the other is {RULES}: overrides.0",
        ),
        (
            f"overrides:\n  - {{{OF_ALDER.strip('{}')}, minimum: 10, maximum: 5}}",
            f"{RULES}: overrides.0: maximum: 5 lies below the minimum 10",
        ),
        # matches nothing
        (
            "services:\n  DEVICE: {used: [{source: rmm, products: [Sever]}]}",
            f"{RULES}: services.DEVICE.used.0: this count matches no record of rmm",
        ),
        # a price nobody can work out
        (
            "services:\n  DEVICE: {price: {model: tiered, tiers: [{up_to: 10, price: 5}, {up_to: 20, price: 4}]}}",
            f"{RULES}: services.DEVICE.price: tiers.1: a gap above 20: the last tier leaves up_to out",
        ),
        (
            "services:\n  DEVICE: {price: {model: tiered, tiers: [{price: 5}, {up_to: 20, price: 4}]}}",
            f"{RULES}: services.DEVICE.price: tiers.0: only the last tier may leave up_to out",
        ),
        (
            "services:\n  DEVICE: {price: {model: volume, tiers: [{up_to: 10, price: 5}, {up_to: 5, price: 4}, {price: 3}]}}",
            f"{RULES}: services.DEVICE.price: tiers.1: overlaps: up_to 5 does not lie above 10",
        ),
        ("services:\n  DEVICE: {price: {model: per_unit}}", f"{RULES}: services.DEVICE.price: price: a per_unit price needs one"),
    ],
)
def test_a_wrong_rule_stops_the_run_and_names_file_and_key(tmp_path: Path, rules: str, said: str) -> None:
    assert said in run(tmp_path / "book", rules)


def test_two_files_that_rule_one_service_are_both_named(tmp_path: Path) -> None:
    said = run(tmp_path / "book", "services: {DEVICE: {}}", "services: {DEVICE: {}}")
    assert "params/more1.yaml: services.DEVICE: service 'DEVICE' is ruled in two files" in said
    assert f"the other is {RULES}: services.DEVICE" in said


def test_what_one_file_says_of_the_whole_book_holds_for_all_and_stands_once(tmp_path: Path) -> None:
    for name, text in (
        ("one", "stale_days: 60\ntolerance: {units: 2}"),
        ("two", "own_clients: [US]"),
        ("three", "tolerance: {percent: 5}"),
    ):
        (tmp_path / f"{name}.yaml").write_text(f"version: 1\n{text}\n", "utf-8")
    rules = read_rules([tmp_path / "one.yaml", tmp_path / "two.yaml"])
    assert (rules.stale_days, rules.tolerance.units, rules.own_clients) == (60, 2, ["US"])
    assert rules.where("tolerance.units") == f"{tmp_path / 'one.yaml'}: tolerance.units"
    with pytest.raises(
        SettingsError, match=r"three\.yaml: tolerance: tolerance stands in two files\nHint: keep one; the other is .*one\.yaml"
    ):
        read_rules([tmp_path / "one.yaml", tmp_path / "three.yaml"])


def test_a_fault_in_the_second_file_is_named_by_its_own_place_in_it(tmp_path: Path) -> None:
    said = run(tmp_path / "book", f"overrides: [{OF_ALDER}]", f"overrides: [{OF_ALDER.replace('ALDER', 'ALDR')}]")
    assert "params/more1.yaml: overrides.0.client: nothing is called 'ALDR'" in said


def test_every_wrong_key_of_a_file_is_said_at_once(tmp_path: Path) -> None:
    said = run(tmp_path / "book", "servces: {}\nservices:\n  DEVICE: {minimum: 1.5, maximun: 3}")
    assert all(key in said for key in ("servces: unknown key", "services.DEVICE.minimum", "services.DEVICE.maximun: unknown key"))


def test_t46_units_of_a_whole_month_without_a_key_cannot_be_counted_once() -> None:
    usage = """
    client  service  day         key
    acme    EDR      2026-10-01  s1
    acme    EDR      2026-10-02  -
    """
    with pytest.raises(SettingsError, match=r"services\.EDR\.used\.0: any_time counts each unit once"):
        run_month(usage=usage, rules={"services": {"EDR": {"used": [{"source": "vendor", "take": "any_time"}]}}})


def test_t98_a_currency_without_a_rate_is_named_where_rates_are_recorded() -> None:
    cad = Rate.model_validate({"from": "CAD", "to": "USD", "rate": "0.73", "date": "2026-10-31", "source": "central bank"})
    given = {
        "lines": "client  service  qty  price\nacme  EDR  5  10.00",
        "purchases": "client  service  qty  cost  currency  source\nacme  EDR  5  7.00  EUR  pax8",
        "rules": {"services": {"EDR": {"purchased": [{"source": "pax8"}], "expect": "purchased"}}},
    }
    with pytest.raises(SettingsError, match=r"params/mini\.yaml: rates: no rate from EUR to USD") as stopped:
        run_month(**given, rates=make_rates([cad], params_file="params/mini.yaml"))
    assert "record {from: EUR, to: USD" in str(stopped.value)
    assert run_month(**given, rates=Rates()).kinds()  # without any rate cost and price are not compared, and said so


def test_too_many_different_conditions_are_refused_with_the_first_too_many() -> None:
    counts = [{"source": "vendor", "where": {"unit_class": [f"class {number}"]}} for number in range(63)]
    with pytest.raises(SettingsError, match=r"services\.EDR\.used\.62: more than 62 different where and unless"):
        run_month(usage="client  service\nacme  EDR", rules={"services": {"EDR": {"used": counts}}})


def test_a_key_with_dots_is_named_whole() -> None:
    rules = parse({"version": 1, "services": {"A.B": {"used": [{"source": "x"}]}}}, Rules, where="test")
    assert rules.where("services.A.B.used.0") == "rules: services.A.B.used.0"
    assert rules.without("services.A.B.used.0").services == {}
