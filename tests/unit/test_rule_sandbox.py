"""Changed rules over a frozen month: before and after, each direction apart, and not one byte of the book touched."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from small_book import PARAMS, make_book, open_book, settle
from small_project import digest_files

from reconlib import cli
from reconlib.errors import DataError, SettingsError
from reconlib.month import Month, read_stage
from reconlib.people import sign_month
from reconlib.rules import read_rules
from reconlib.steps import compare_month, prepare_sign_off, sync_month
from reconlib.trial import check_rules, list_changed, try_rules

Recon = Callable[..., tuple[int, str, str]]
CHANGED = "version: 1\nservices:\n  DEVICE: {used: [{source: rmm, where: {unit_name: [A1]}}]}\n"


@pytest.fixture
def month(tmp_path: Path) -> Month:
    """Two devices billed, three in use, compared."""
    month = open_book(make_book(tmp_path / "book"))
    sync_month(month)
    compare_month(month)
    prepare_sign_off(month)
    return month


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """Rules that count one device only; not among the book's files."""
    path = tmp_path / "changed.yaml"
    path.write_text(CHANGED, "utf-8")
    return path


@pytest.fixture
def recon(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Recon:
    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["recon", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        said = capsys.readouterr()
        return int(stop.value.code or 0), said.out, said.err

    return run


def test_before_and_after_stand_side_by_side_and_never_net(month: Month, changed: Path) -> None:
    trial = try_rules(month, [changed])
    (cell,) = trial.cells.to_pylist()
    assert (cell["status_before"], cell["status_after"]) == ("under_billed", "over_billed")
    assert (cell["expected_before_qty"], cell["expected_after_qty"], cell["billed_qty"]) == (3, 1, 2)
    assert (cell["variance_before_qty"], cell["variance_after_qty"]) == (1, -1)
    assert (cell["monthly_before"], cell["monthly_after"]) == (Decimal("45.00"), Decimal("-45.00"))
    (total,) = trial.totals.to_pylist()
    sides = {name: total[name] for name in ("under_before", "under_after", "over_before", "over_after")}
    assert sides == {"under_before": 45, "under_after": 0, "over_before": 0, "over_after": 45}
    kinds = {(row["what"], row["kind"]) for row in trial.findings.to_pylist()}
    assert {("gone", "under_billed"), ("new", "over_billed"), ("new", "unaccounted_usage")} <= kinds
    assert trial.same == 0


def test_the_books_own_rules_change_nothing(month: Month) -> None:
    trial = try_rules(month, month.rules)
    assert (trial.cells.num_rows, trial.findings.num_rows, trial.same) == (0, 0, 1)


def test_mapping_is_made_anew_because_rules_name_products(month: Month, changed: Path) -> None:
    text = "version: 1\nservices:\n  DEVICE: {used: [{source: rmm, products: [Workstation]}]}\n"
    products = {row["product_name"]: row["state"] for row in read_stage(month, "product_mapping").to_pylist()}
    changed.write_text(text.replace("Workstation", next(iter(products))), "utf-8")
    trial = try_rules(month, [changed])
    assert trial.cells.num_rows + trial.same == 1


def test_nothing_is_written_and_a_signed_month_may_be_tried(month: Month, changed: Path) -> None:
    settle(month)
    for role, who in (("preparer", "Ana"), ("reviewer", "Ben")):
        sign_month(month, role=role, who=who, at=month.now())
    before = digest_files(month.root)
    trial = try_rules(open_book(month.root), [changed])
    assert digest_files(month.root) == before
    (cell,) = trial.cells.to_pylist()
    assert (cell["expected_before_qty"], cell["expected_after_qty"]) == (3, 1)


def test_a_signed_month_is_set_beside_what_was_signed_whatever_its_rules_say_today(month: Month, changed: Path) -> None:
    settle(month)
    sign_month(month, role="preparer", who="Ana", at=month.now())
    (month.root / "params" / "rules.yaml").write_text(CHANGED, "utf-8")
    (cell,) = try_rules(open_book(month.root), [changed]).cells.to_pylist()
    assert (cell["expected_before_qty"], cell["expected_after_qty"]) == (3, 1)


def test_one_client_is_chosen_by_code_or_name_and_a_wrong_one_is_said(month: Month, changed: Path) -> None:
    assert try_rules(month, [changed], client="ALDER").cells.num_rows == 1
    assert try_rules(month, [changed], client="Alder").cells.num_rows == 1
    with pytest.raises(SettingsError, match=r"--client: no client 'ALDR'\nHint: did you mean 'ALDER'"):
        try_rules(month, [changed], client="ALDR")


def test_a_month_that_was_never_compared_is_said(tmp_path: Path, changed: Path) -> None:
    month = open_book(make_book(tmp_path / "new"))
    with pytest.raises(DataError, match="run the"):
        try_rules(month, [changed])


def test_recon_rules_try_prints_both_sides_and_writes_only_its_csv(month: Month, changed: Path, tmp_path: Path, recon: Recon) -> None:
    before = digest_files(month.root)
    code, out, _ = recon("rules", "try", month.root / PARAMS, "--rules", changed, "--csv", tmp_path / "out.csv")
    assert code == 0
    assert "1 of 1 clients × services differ" in out
    assert re.search(r"under-billed +over-billed", out)
    assert digest_files(month.root) == before
    head, row = (tmp_path / "out.csv").read_text("utf-8-sig").splitlines()
    assert dict(zip(head.split(","), row.split(","), strict=True))["monthly_after"] == "-45"


def test_recon_rules_try_names_file_and_key_of_a_wrong_rule(month: Month, changed: Path, recon: Recon) -> None:
    changed.write_text("version: 1\nservices:\n  DEVISE: {used: [{source: rmm}]}\n", "utf-8")
    code, _, err = recon("rules", "try", month.root / PARAMS, "--rules", changed)
    assert code == 2
    assert f"{changed}: services.DEVISE: no service 'DEVISE' in the PSA catalogue" in err
    assert "did you mean 'DEVICE'" in err


ALL_WRONG = """version: 1
own_clients: [NOBODY]
ignore:
  - {source: rmm, where: {unit_clas: [x]}, reason: typo}
  - {connector: ninjaonee, reason: typo}
services:
  DEVICE: {used: [{source: rmn}]}
  DEVISE: {used: [{source: rmm}]}
overrides:
  - {client: ALDER, service: DEVICE, exclude_units: 1, reason: a, review_by: 2027-01-31}
  - {client: ALDER, service: DEVICE, exclude_units: 2, reason: b, review_by: 2027-01-31}
  - {client: ALDR, service: DEVICE, exclude_units: 1, reason: c, review_by: 2027-01-31}
expected:
  - {with_service: DEVICE, services: [EDR]}
together:
  - {services: [DEVICE, EDR]}
"""


def test_check_lists_every_problem_with_its_file_and_key_and_not_only_the_first(month: Month, changed: Path) -> None:
    changed.write_text(ALL_WRONG, "utf-8")
    problems = check_rules(month, read_rules([changed]))
    found = {problem.where.removeprefix(f"{changed}: "): problem.what for problem in problems}
    assert found == {
        "ignore.1": "no connector 'ninjaonee'",
        "services.DEVISE": "no service 'DEVISE' in the PSA catalogue",
        "services.DEVICE.used.0": "no source 'rmn' in params",
        "ignore.0": "no record has a field 'unit_clas'",
        "together.0.services": "no service 'EDR' in the PSA catalogue",
        "overrides.1": "ALDER × DEVICE is claimed twice",
        "overrides.2.client": "nothing is called 'ALDR'",
        "own_clients": "nothing is called 'NOBODY'",
        "expected.0.services": "no service 'EDR' in the PSA catalogue",
    }
    assert all(str(changed) in problem.where for problem in problems)


def test_recon_rules_check_ends_with_2_and_says_where(month: Month, recon: Recon) -> None:
    (month.root / "params" / "rules.yaml").write_text(ALL_WRONG, "utf-8")
    before = digest_files(month.root)
    code, _, err = recon("rules", "check", month.root / PARAMS)
    assert code == 2
    assert "params/rules.yaml: overrides.2.client: nothing is called 'ALDR'\n  Hint: did you mean 'ALDER'?" in err
    assert "9 problems in the rules of mini" in err
    assert digest_files(month.root) == before


def test_a_count_that_catches_nothing_is_a_problem_unless_it_may_be_empty(month: Month, changed: Path) -> None:
    text = "version: 1\nservices:\n  DEVICE: {used: [{source: rmm, where: {unit_name: [ZZ]}}]}\n"
    changed.write_text(text, "utf-8")
    (problem,) = check_rules(month, read_rules([changed]))
    assert problem.where == f"{changed}: services.DEVICE.used.0"
    assert "matches no record of rmm" in problem.what
    changed.write_text(text.replace("[ZZ]}", "[ZZ]}, may_be_empty: true"), "utf-8")
    assert check_rules(month, read_rules([changed])) == []


def test_right_rules_have_no_problem(month: Month, recon: Recon) -> None:
    assert check_rules(month, month.rules) == []
    code, out, _ = recon("rules", "check", month.root / PARAMS)
    assert code == 0
    assert "the rules of mini fit 2026-10" in out


def test_rules_without_one_keep_the_files_and_keys_of_the_others(tmp_path: Path) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    entry: dict[str, Any] = {"one": one, "two": two}
    for name, path in entry.items():
        path.write_text(f"version: 1\nignore:\n  - {{source: {name}, reason: first}}\n  - {{source: {name}, reason: second}}\n", "utf-8")
    rules = read_rules([one, two])
    assert rules.key_at(f"{two}: ignore.0.where") == "ignore.2.where"
    fewer = rules.without("ignore.1")
    assert [item.reason for item in fewer.ignore] == ["first", "first", "second"]
    assert fewer.where("ignore.1") == f"{two}: ignore.0"
    assert fewer.where("ignore.2") == f"{two}: ignore.1"
    assert rules.without("stale_days") == rules
    assert rules.key_at("params: rates") is None


def test_own_cost_that_differs_is_said_with_both_amounts() -> None:
    money = {"monthly_impact": None, "variance_qty": None, "expected_qty": None, "status": "open"}
    old, new = ({"f1": {"finding_id": "f1", **money, "cost_impact": Decimal(cost)}} for cost in (10, 6))
    (row,) = list_changed(old, new)
    assert (row["what"], row["cost_before"], row["cost_after"], row["monthly_after"]) == ("changed", Decimal(10), Decimal(6), None)
    (gone,) = list_changed(old, {})
    assert (gone["what"], gone["cost_before"], gone["cost_after"]) == ("gone", Decimal(10), None)
    assert list_changed(old, old) == []
