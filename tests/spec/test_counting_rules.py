"""T1, T3, T26–T28, T34, T39, T48, T53, T58–T61: from records to counts."""

from __future__ import annotations

from decimal import Decimal

import pytest
from small_month import run_month

from reconlib.errors import SettingsError

ONE_LINE = """
client  service  qty
Acme    EDR      10
"""


def test_t1_no_vendor_row_for_the_client_is_unknown_not_zero() -> None:
    month = run_month(ONE_LINE, usage="client  service  qty\nBlue  EDR  5")
    cell = month.cell("Acme", "EDR")
    assert (cell["status"], cell["expected_qty"], cell["variance_qty"], cell["monthly_impact"]) == ("no_count", None, None, None)


def test_t1_a_mapped_account_without_units_is_a_known_zero() -> None:
    month = run_month(ONE_LINE, usage="client  service  qty\nBlue  EDR  5", accounts="account\nAcme")
    cell = month.cell("Acme", "EDR")
    assert (cell["status"], cell["used_qty"], cell["monthly_impact"]) == ("orphan_line", 0, Decimal("-100.00"))


def test_t1_a_failed_source_is_unknown_for_every_client() -> None:
    month = run_month(ONE_LINE, usage="client  service  qty\nAcme  EDR  5", failed=("vendor",))
    cell = month.cell("Acme", "EDR")
    assert (cell["status"], cell["used_qty"], cell["monthly_impact"]) == ("no_count", None, None)


def test_t1_a_failed_source_named_by_a_rule_leaves_no_count() -> None:
    rules = {"services": {"EDR": {"used": [{"connector": "vendor", "products": ["EDR"]}]}}}
    month = run_month(ONE_LINE, usage="client  service  qty\nAcme  EDR  5", failed=("vendor",), rules=rules)
    assert month.cell("Acme", "EDR")["status"] == "no_count"


def test_t1_no_source_is_another_word_than_no_count() -> None:
    month = run_month(ONE_LINE, rules={"services": {"EDR": {"basis": "none"}}})
    assert month.kinds() == [("Acme", "EDR", "no_source")]


def test_t3_units_dated_after_the_as_of_date_are_timing_not_a_difference() -> None:
    month = run_month(
        ONE_LINE,
        usage="""
        client  service  qty  since
        Acme    EDR      10   2026-10-31
        Acme    EDR      2    2026-11-01
        """,
    )
    assert month.cell("Acme", "EDR")["status"] == "timing"
    assert [(row["kind"], row["variance_qty"], row["monthly_impact"]) for row in month.findings] == [("timing", 2, None)]
    assert month.buckets() == {"u1": "counted", "u2": "after_as_of"}


def test_t26_many_products_of_one_service_are_summed() -> None:
    rules = {"services": {"MAIL": {"used": [{"products": ["plan 1", "plan 2"]}]}}}
    month = run_month(
        "client  service  qty\nAcme  MAIL  7",
        usage="""
        client  product  qty
        Acme    plan 1   4
        Acme    plan 2   3
        """,
        rules=rules,
    )
    assert month.cell("Acme", "MAIL")["used_qty"] == 7


def test_t27_one_product_feeds_every_target_line_in_full() -> None:
    rules = {"services": {"LICENCE": {"used": [{"products": ["filter"]}]}, "SERVICE": {"used": [{"products": ["filter"]}]}}}
    month = run_month(
        "client  service  qty\nAcme  LICENCE  5\nAcme  SERVICE  4", usage="client  product  qty\nAcme  filter  5", rules=rules
    )
    assert month.kinds() == [("Acme", "SERVICE", "under_billed")]
    assert month.buckets() == {"u1": "counted"}


def test_t28_one_sku_with_two_terms_is_two_products() -> None:
    rules = {
        "services": {
            "ANNUAL": {"purchased": [{"products": ["spb annual"]}], "expect": "purchased"},
            "MONTHLY": {"purchased": [{"products": ["spb monthly"]}], "expect": "purchased"},
        }
    }
    month = run_month(
        "client  service  qty\nAcme  ANNUAL  30\nAcme  MONTHLY  5",
        purchases="client  product  qty\nAcme  spb annual  25\nAcme  spb monthly  10",
        rules=rules,
    )
    assert month.kinds() == [("Acme", "ANNUAL", "over_billed"), ("Acme", "MONTHLY", "under_billed")]


@pytest.mark.parametrize(("raw", "excluded", "expected"), [("6", "2", 4), ("1", "2", 0)])
def test_t34_units_excluded_by_contract(raw: str, excluded: str, expected: int) -> None:
    override = {"client": "Acme", "service": "EDR", "exclude_units": excluded, "reason": "two loan laptops", "review_by": "2027-01-31"}
    month = run_month(ONE_LINE, usage=f"client  service  qty\nAcme  EDR  {raw}", rules={"overrides": [override]})
    assert month.cell("Acme", "EDR")["expected_qty"] == expected


@pytest.mark.parametrize(
    ("line", "included", "used", "billed", "variance"), [("10", "2", "10", 8, 0), ("10", "2", "13", 8, 3), ("1", "2", "1", 0, 0)]
)
def test_t39_included_units_are_free_on_both_sides(line: str, included: str, used: str, billed: int, variance: int) -> None:
    month = run_month(f"client  service  qty  included\nAcme  EDR  {line}  {included}", usage=f"client  service  qty\nAcme  EDR  {used}")
    cell = month.cell("Acme", "EDR")
    assert (cell["contracted_qty"], cell["billed_qty"], cell["variance_qty"]) == (int(line), billed, variance)


def test_t39_included_units_of_one_line_do_not_spill_over_to_another() -> None:
    month = run_month("client  service  qty  included\nAcme  EDR  1  2\nAcme  EDR  5  0", usage="client  service  qty\nAcme  EDR  6")
    assert month.cell("Acme", "EDR")["status"] == "matched"


def test_a_service_no_rule_names_and_that_is_only_bought_is_compared_with_what_was_bought() -> None:
    month = run_month("client  service  qty\nAcme  MAIL  3", purchases="client  service  qty  cost\nAcme  MAIL  4  2.00")
    assert [(r["kind"], r["variance_qty"]) for r in month.findings] == [("under_billed", 1)]


@pytest.mark.parametrize(("used", "expected"), [("80", 100), ("120", 120)])
def test_t36_a_committed_minimum_is_due_when_use_is_below_it(used: str, expected: int) -> None:
    rules = {"services": {"SAAS": {"used": [{"products": ["SAAS"]}], "minimum": 100}}}
    month = run_month("client  service  qty\nAcme  SAAS  100", usage=f"client  service  qty\nAcme  SAAS  {used}", rules=rules)
    assert month.cell("Acme", "SAAS")["expected_qty"] == expected


@pytest.mark.parametrize(("tolerance", "status"), [("0", "under_billed"), ("1", "under_billed"), ("2", "matched_within_tolerance")])
def test_t122_every_unit_counts_unless_the_rules_tolerate_it(tolerance: str, status: str) -> None:
    month = run_month(ONE_LINE, usage="client  service  qty\nAcme  EDR  12", rules={"tolerance": {"units": tolerance}})
    assert month.cell("Acme", "EDR")["status"] == status


MAILBOXES = """
client  service  class
Acme    MAIL     user
Acme    MAIL     shared
"""


def test_t48_shared_mailboxes_count_only_where_a_rule_says_so() -> None:
    line = "client  service  qty\nAcme  MAIL  1"
    users = {"services": {"MAIL": {"used": [{"products": ["MAIL"], "where": {"unit_class": ["user"]}}]}}}
    ignored = {**users, "ignore": [{"where": {"unit_class": ["shared"]}, "reason": "shared mailboxes are free"}]}
    assert run_month(line, usage=MAILBOXES, rules=ignored).findings == []
    assert run_month(line, usage=MAILBOXES, rules=users).kinds() == [("Acme", None, "unaccounted_usage")]


def test_t53_free_and_trial_products_never_count() -> None:
    month = run_month(
        "client  service  qty\nAcme  M365  5",
        usage="client  service  product  qty\nAcme  -  free flow  40\nAcme  M365  -  5",
        purchases="client  service  qty  trial\nAcme  M365  25  yes",
    )
    assert month.buckets() == {"u1": "free", "u2": "counted", "b1": "free"}
    assert [row["kind"] for row in month.findings] == ["shadow_usage"]  # five in use, none bought: the trial is not a purchase


def test_t58_device_classes_are_counted_by_rule() -> None:
    rules = {
        "services": {
            "WORKSTATION": {"used": [{"products": ["device"], "where": {"unit_class": ["WINDOWS_WORKSTATION", "MAC"]}}]},
            "SERVER": {"used": [{"products": ["device"], "where": {"unit_class": ["WINDOWS_SERVER"]}}]},
        },
        "ignore": [{"products": ["device"], "where": {"unit_class": ["PRINTER"]}, "reason": "in the network fee"}],
    }
    month = run_month(
        "client  service  qty\nAcme  WORKSTATION  2\nAcme  SERVER  1",
        usage="""
        client  product  class
        Acme    device   WINDOWS_WORKSTATION
        Acme    device   MAC
        Acme    device   WINDOWS_SERVER
        Acme    device   PRINTER
        """,
        rules=rules,
    )
    assert month.findings == []
    assert month.buckets()["u4"] == "ignored"


@pytest.mark.parametrize(("seen", "bucket"), [("2026-10-01", "counted"), ("2026-09-30", "stale")])
def test_t59_last_seen_thirty_days_before_is_active_thirty_one_is_stale(seen: str, bucket: str) -> None:
    month = run_month(ONE_LINE, usage=f"client  service  qty  seen\nAcme  EDR  10  {seen}")
    assert month.buckets() == {"u1": bucket}


def test_t60_a_stale_unit_is_out_of_the_expected_count_and_still_shown() -> None:
    month = run_month(ONE_LINE, usage="client  service  qty  seen\nAcme  EDR  10  2026-10-20\nAcme  EDR  3  2026-01-01")
    assert month.cell("Acme", "EDR")["status"] == "matched"
    assert [(row["kind"], row["variance_qty"]) for row in month.findings] == [("stale_unit", 3)]


def test_t61_the_same_serial_counts_once_inside_a_client_and_the_last_seen_stays() -> None:
    rules = {"services": {"EDR": {"used": [{"products": ["EDR"], "dedupe": True}]}}}
    month = run_month(
        "client  service  qty\nAcme  EDR  2\nBlue  EDR  1",
        usage="""
        client  service  key  seen
        Acme    EDR      S1   2026-10-01
        Acme    EDR      S1   2026-10-30
        Acme    EDR      -    2026-10-30
        Blue    EDR      S1   2026-10-30
        """,
        rules=rules,
    )
    assert month.buckets() == {"u1": "duplicate", "u2": "counted", "u3": "counted", "u4": "counted"}
    assert [(row["client_id"], row["kind"]) for row in month.findings] == [("Acme", "duplicate_unit")]


def test_a_rule_on_a_field_no_record_has_stops() -> None:
    rules = {"services": {"EDR": {"used": [{"products": ["EDR"], "where": {"unit_clas": ["x"]}}]}}}
    with pytest.raises(SettingsError, match=r"services\.EDR\.used\.0: no record has a field 'unit_clas'\nHint: did you mean 'unit_class'"):
        run_month(ONE_LINE, usage="client  service  qty\nAcme  EDR  1", rules=rules)


def test_a_rule_for_a_service_the_catalogue_lacks_stops() -> None:
    with pytest.raises(SettingsError, match=r"no service 'ERD' in the PSA catalogue\nHint: did you mean 'EDR'"):
        run_month(ONE_LINE, rules={"services": {"ERD": {"basis": "none"}}})


def test_t1_a_rule_that_catches_nothing_is_reported_and_its_counts_are_not_known() -> None:
    rules = {"services": {"EDR": {"used": [{"products": ["EDR"], "where": {"unit_class": ["Serverr"]}}]}}}
    month = run_month(ONE_LINE, usage="client  service  class\nAcme  EDR  Server", rules=rules)
    assert month.kinds() == [("Acme", "EDR", "no_count"), ("Acme", None, "unaccounted_usage"), (None, "EDR", "unmatched_rule")]


def test_t1_units_of_an_ignored_or_free_product_are_not_a_known_zero() -> None:
    ignored = {"ignore": [{"products": ["EDR"], "reason": "pilot"}], "services": {"EDR": {"used": [{"products": ["EDR"]}]}}}
    assert run_month(ONE_LINE, usage="client  service  qty\nAcme  EDR  8", rules=ignored).kinds() == [("Acme", "EDR", "no_count")]
    free = {"services": {"EDR": {"used": [{"products": ["free EDR"]}]}}}
    assert run_month(ONE_LINE, usage="client  product  qty\nAcme  free EDR  8", rules=free).kinds() == [("Acme", "EDR", "no_count")]


def test_t22_a_count_that_a_likely_account_is_missing_from_is_an_estimate_and_says_so() -> None:
    month = run_month(
        "client  service  qty\nAcme Dental  EDR  8",
        usage="account  client  service  qty\nAcme Dental  Acme Dental  EDR  5\nAcme Dental LLC  Acme Dental  EDR  3",
    )
    cell = month.cell("Acme Dental", "EDR")
    assert (cell["status"], cell["certainty"], cell["confidence"]) == ("over_billed", "estimated", Decimal("0.4500"))
    assert cell["explanation"].endswith("Not counted yet: account Acme Dental LLC in vendor with 3 units waits for a decision.")


def test_a_rule_that_filters_purchases_by_unit_fields_stops() -> None:
    with pytest.raises(SettingsError, match=r"services\.EDR\.purchased: .*belong under used"):
        run_month(ONE_LINE, rules={"services": {"EDR": {"purchased": [{"where": {"unit_class": ["x"]}}]}}})


def test_a_connector_nobody_has_stops_and_one_of_another_book_does_not() -> None:
    rules = {"services": {"EDR": {"used": [{"connector": "ninjaon"}]}}}
    with pytest.raises(SettingsError, match=r"services\.EDR\.used\.0: no connector 'ninjaon'\nHint: did you mean 'ninjaone'"):
        run_month(ONE_LINE, usage="client  service  qty\nAcme  EDR  1", rules=rules)
    elsewhere = run_month(
        ONE_LINE, usage="client  service  qty\nAcme  EDR  1", rules={"services": {"EDR": {"used": [{"connector": "ninjaone"}]}}}
    )
    assert elsewhere.cell("Acme", "EDR")["status"] == "no_count"


def test_a_count_that_matches_nothing_stops_and_names_its_key_even_where_the_service_code_holds_dots() -> None:
    rules = {"services": {"M365.BP": {"used": [{"products": ["nothing like it"]}]}}}
    with pytest.raises(SettingsError, match=r"services\.M365\.BP\.used\.0: this count matches no record of vendor"):
        run_month("client  service  qty\nAcme  M365.BP  1", usage="client  service\nAcme  EDR", rules=rules, matched_before=frozenset())
