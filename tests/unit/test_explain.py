"""A finding explained: it ties out, names its rule and evidence, and leads back to the vendor's own bytes."""

from __future__ import annotations

import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import small_month
from small_book import make_book, open_book, settle
from small_project import make_project

from reconlib import cli
from reconlib.demo import start_sandbox
from reconlib.errors import DataError, SettingsError, SnapshotError, TieOutError
from reconlib.explain import (
    Explanation,
    explain_finding,
    explain_first,
    explain_sections,
    find_units,
    is_address,
    read_vendor_record,
    show_explanation,
)
from reconlib.explain import finding as explaining
from reconlib.explain.expected import expected_steps
from reconlib.explain.money import money_parts
from reconlib.explain.records import _tally
from reconlib.explain.vendor_record import show_json
from reconlib.explain.written import written_block
from reconlib.findings.kinds import BILLING_KINDS
from reconlib.month import Month, open_month, read_stage
from reconlib.people import sign_month
from reconlib.pipeline import Made, run_stages
from reconlib.rules import Rules
from reconlib.settings import parse
from reconlib.steps import compare_month, sync_month

Row = dict[str, Any]


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Month:
    """A sandbox month, compared; nothing decided, so that accounts and products nobody mapped are there too."""
    root = make_project(tmp_path_factory.mktemp("explain"), clients=12)
    month = start_sandbox(open_month(root / "params" / "demo.yaml", "2026-10", environ={}))
    sync_month(month)
    compare_month(month)
    return month


@pytest.fixture(scope="module")
def explained(month: Month) -> dict[str, Explanation]:
    """Every billing finding of the month, and the first of every other kind."""
    rows = findings(month)
    first = {row["kind"]: row["finding_id"] for row in reversed(rows)}
    chosen = [row["finding_id"] for row in rows if row["kind"] in BILLING_KINDS or row["finding_id"] in first.values()]
    return {finding_id: explain_finding(month, finding_id) for finding_id in chosen}


def findings(month: Month) -> list[Row]:
    return list(read_stage(month, "findings").to_pylist())


def test_every_billing_finding_ties_out_to_its_records_its_steps_and_its_money(month: Month, explained: dict[str, Explanation]) -> None:
    billing = [row for row in findings(month) if row["kind"] in BILLING_KINDS]
    assert len(billing) > 5
    assert {row["kind"] for row in billing} >= {"under_billed", "over_billed", "new_revenue"}
    for row in billing:
        made = explained[row["finding_id"]]
        assert made.notes == ()
        assert made.steps.to_pylist()[-1]["quantity_qty"] == row["expected_qty"]
        assert made.money.to_pylist()[-1]["amount"] == row["monthly_impact"]
        known = [count for count in made.counts.to_pylist() if count["is_known"]]
        assert known
        counted: Counter[tuple[str, str]] = Counter()
        for record in made.records.to_pylist():
            if record["bucket"] == "counted":
                counted[record["source"], "purchased" if record["record_kind"] == "purchase" else "used"] += record["quantity_qty"]
        for count in known:
            assert counted[count["source"], count["measure"]] == count["quantity_qty"]
        assert all(is_address(record["evidence"]) for record in made.records.to_pylist())


def test_every_kind_the_month_has_is_explained_from_something(month: Month, explained: dict[str, Explanation]) -> None:
    first = {row["kind"]: row for row in reversed(findings(month))}
    assert {"unmapped_account", "unmapped_service", "no_count", "no_source", "stale_unit", "unused_commitment", "price_outlier"} <= set(
        first
    )
    for kind, row in first.items():
        made = explained[row["finding_id"]]
        assert made.said == row["explanation"], kind
        behind = (made.lines, made.records, made.charges, made.rejects, made.rules, made.mapping)
        assert any(table.num_rows for table in behind), kind
        assert made.history.to_pylist()[0]["period"] == "2026-10", kind


def test_what_a_finding_leaves_out_is_taken_from_its_cell_and_money_is_written_out(month: Month, explained: dict[str, Explanation]) -> None:
    cells = {(row["client_id"], row["service_id"]): row for row in read_stage(month, "comparison").to_pylist()}
    for made in explained.values():
        cell = cells.get((made.finding["client_id"], made.finding["service_id"]))
        numbers = {row["number"]: row["quantity_qty"] for row in made.numbers.to_pylist()}
        if cell is not None:
            assert (numbers["billed"], numbers["expected"]) == (cell["billed_qty"], cell["expected_qty"])
        amounts = [made.finding[name] for name in ("monthly_impact", "cost_impact") if made.finding[name] is not None]
        parts = made.money.to_pylist()
        assert bool(parts) == bool(amounts)
        if parts:
            assert parts[-1]["amount"] == amounts[0]
            assert all(part["sum"] != "as the sentence says" for part in parts), made.title


def test_an_unmapped_account_lists_what_hangs_on_it(month: Month) -> None:
    row = next(row for row in findings(month) if row["kind"] == "unmapped_account")
    made = explain_finding(month, row["finding_id"])
    assert (
        sum(record["quantity_qty"] for record in made.records.to_pylist() if record["bucket"] == "unmapped_account") == row["variance_qty"]
    )
    (mapped,) = made.mapping.to_pylist()
    assert mapped["vendor_id"] == row["vendor_account_id"]


def test_records_that_do_not_come_to_the_count_stop_the_explanation(month: Month, monkeypatch: pytest.MonkeyPatch) -> None:
    row = next(row for row in findings(month) if row["kind"] == "under_billed")
    real = explaining.bearing_records
    monkeypatch.setattr(explaining, "bearing_records", lambda *given: real(*given).slice(1))
    with pytest.raises(TieOutError, match="the records listed come to"):
        explain_finding(month, row["finding_id"])


def test_a_price_that_does_not_come_to_the_money_stops_the_explanation(month: Month) -> None:
    table = read_stage(month, "findings")
    row = next(row for row in table.to_pylist() if row["kind"] == "under_billed")
    with pytest.raises(TieOutError, match="the parts come to"):
        explaining._explain(month, row | {"monthly_impact": row["monthly_impact"] + Decimal("0.01")})


def test_a_beginning_is_enough_and_a_wrong_id_names_near_ones(month: Month) -> None:
    row = findings(month)[0]
    assert explain_finding(month, row["finding_id"][:10]).finding == row
    wrong = row["finding_id"][:-1] + ("0" if row["finding_id"][-1] != "0" else "1")
    with pytest.raises(DataError, match=f"near: {row['finding_id']}"):
        explain_finding(month, wrong)
    with pytest.raises(DataError, match="no finding ''"):
        explain_finding(month, "")


def test_one_beginning_of_several_ids_names_them() -> None:
    table = pa.table({"finding_id": ["ab1", "ab2"]})
    with pytest.raises(DataError, match=r"2 findings begin with 'ab'\nHint: ab1, ab2"):
        explaining.find_finding(table, "ab")


def test_units_are_the_records_behind_findings_that_may_bill(month: Month, explained: dict[str, Explanation]) -> None:
    units = find_units(month).to_pylist()
    for row in findings(month):
        if row["kind"] in BILLING_KINDS:
            made = explained[row["finding_id"]]
            ends = {(r["source"], r["record_id"]): r["bucket"] for r in made.records.to_pylist() if r["service_id"] is not None}
            assert {(u["source"], u["record_id"]): u["bucket"] for u in units if u["finding_id"] == row["finding_id"]} == ends
    assert {unit["kind"] for unit in units} <= set(BILLING_KINDS)


def test_units_are_cut_with_a_last_line_that_says_how_many_more(month: Month) -> None:
    whole = find_units(month)
    cut = find_units(month, most=3)
    assert cut.num_rows == 4
    assert cut.to_pylist()[-1]["finding_id"] == f"… and {whole.num_rows - 3} records more: recon explain FINDING lists them"


def test_a_page_shows_hostile_names_as_text(month: Month) -> None:
    made = explain_first(month)
    assert made is not None
    hostile = explaining.Explanation(**{name: getattr(made, name) for name in made.__slots__} | {"title": "<img src=x>", "notes": ("<b>",)})
    shown = show_explanation(hostile).html
    assert "<img" not in shown
    assert "&lt;img src=x&gt;" in shown
    assert "&lt;b&gt;" in shown


def test_no_finding_is_said(month: Month) -> None:
    assert "There is no finding" in show_explanation(None).text


# What the numbers do on the way, as small tables: the last step is what is expected (the comparison says so, or it stops).


def steps(monkeypatch: pytest.MonkeyPatch, client: str, service: str, lines: str, rules: Row, **given: Any) -> list[tuple[str, str]]:
    made: list[Made] = []
    monkeypatch.setattr(small_month, "run_stages", lambda inputs, parsed: made.append(run_stages(inputs, parsed)) or made[0])
    small_month.run_month(lines, rules=rules, **given)
    cells = {row["service_id"]: row for row in made[0].compared.judged.to_pylist() if row["client_id"] == client}
    way = expected_steps(cells[service], cells, parse({"version": 1, **rules}, Rules, where="test"))
    return [(row["step"], f"{row['quantity_qty'].normalize():f}") for row in way]


LINE = """
client  service  qty
acme    EDR      20
"""
USED = """
client  service  qty
acme    EDR      23
"""


def test_t33_a_margin_is_what_units_cost_less_what_is_paid_with_credits_taken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Any] = []
    monkeypatch.setattr(small_month, "run_stages", lambda inputs, parsed: kept.append((inputs, run_stages(inputs, parsed))) or kept[0][1])
    small_month.run_month("client  service  qty  price  cost\nacme  EDR  10  5.00  4.00\nacme  EDR  2  -10.00  -")
    (inputs, made), rules = kept[0], parse({"version": 1}, Rules, where="test")
    (finding,) = [row for row in made.findings.to_pylist() if row["kind"] == "negative_margin"]
    parts, said = money_parts(finding, made.compared.judged.to_pylist()[0], rules, inputs, is_as_shown=True)
    assert [(row["sum"], str(row["amount"])) for row in parts] == [
        ("10 × 4.00", "40.00"),
        ("lines and credits, a month", "-30.000000"),  # 50.00 − 20.00
        ("the one less the other", "10.000000"),
    ]
    assert said == ["A credit of -20.00 USD a cycle stands beside the lines: it changes money, never a quantity (T33)."]


def test_steps_of_a_plain_count(monkeypatch: pytest.MonkeyPatch) -> None:
    assert steps(monkeypatch, "acme", "EDR", LINE, {}, usage=USED) == [("counted in use", "23"), ("expected", "23")]


def test_t34_t36_t39_t47_steps_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = {
        "services": {"EDR": {"used": [{"source": "vendor"}], "rounding": {"to": "up", "block": 5}, "maximum": 22, "included": 2}},
        "overrides": [{"client": "acme", "service": "EDR", "exclude_units": 1, "reason": "kiosk", "review_by": "2027-01-31"}],
    }
    assert steps(monkeypatch, "acme", "EDR", LINE, rules, usage=USED) == [
        ("counted in use", "23"),
        ("rounded to what is sold", "25"),
        ("less excluded units", "24"),
        ("capped at the maximum", "22"),
        ("less included units", "20"),
        ("expected", "20"),
    ]


def test_t56_a_fixed_count_stands_over_what_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = {"overrides": [{"client": "acme", "service": "EDR", "count": 12, "reason": "flat deal", "review_by": "2027-01-31"}]}
    assert steps(monkeypatch, "acme", "EDR", LINE, rules, usage=USED) == [
        ("counted in use", "23"),
        ("fixed by the contract", "12"),
        ("expected", "12"),
    ]


def test_t65_t67_a_bundle_is_counted_at_its_anchor_and_covers_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = {"services": {"CARE": {"bundle": {"anchor": "RMM", "covers": {"RMM": 1, "EDR": 1}}}}}
    lines = """
    client  service  qty
    acme    CARE     8
    acme    RMM      2
    """
    usage = """
    client  service  qty
    acme    RMM      12
    acme    EDR      11
    """
    assert steps(monkeypatch, "acme", "CARE", lines, rules, usage=usage) == [
        ("counted in use: RMM, its anchor", "12"),
        ("less the anchor's own lines", "10"),
        ("expected", "10"),
    ]
    assert steps(monkeypatch, "acme", "EDR", lines, rules, usage=usage) == [
        ("counted in use", "11"),
        ("less covered by the bundle", "1"),
        ("expected", "1"),
    ]


def test_t86_a_commitment_holds_what_is_billed(monkeypatch: pytest.MonkeyPatch) -> None:
    bought = """
    client  service  qty  source  until
    acme    EDR      20   pax8    2027-03-31
    """
    rules = {"services": {"EDR": {"used": [{"source": "vendor"}], "purchased": [{"source": "pax8"}]}}}
    fewer = USED.replace("23", "14")
    assert steps(monkeypatch, "acme", "EDR", LINE, rules, usage=fewer, purchases=bought) == [
        ("counted in use", "14"),
        ("held by a commitment", "20"),
        ("expected", "20"),
    ]


@pytest.mark.parametrize(("take", "days", "tally"), [("peak", 3, "7"), ("average", 3, "4.333333"), ("last_day", None, "13")])
def test_t46_days_come_to_the_count_the_rule_takes(take: str, days: int | None, tally: str) -> None:
    row = {"source": "rmm", "record_kind": "usage"}
    records = [row | {"usage_date": day, "quantity_qty": Decimal(q)} for day, q in ((1, 2), (2, 4), (2, 3), (3, 4))]
    assert _tally(records, {"source": "rmm", "measure": "used", "take": take, "days": days}) == Decimal(tally)


# A book of exports: signed, changed since, and its bytes.


@pytest.fixture
def signed(tmp_path: Path) -> Month:
    month = open_book(make_book(tmp_path))
    settle(month)
    for role, who in (("preparer", "Ana"), ("reviewer", "Ben")):
        sign_month(month, role=role, who=who, at=month.now())
    return open_book(tmp_path)


def test_a_signed_month_is_explained_as_it_was_signed(signed: Month) -> None:
    (row,) = [row for row in findings(signed) if row["kind"] == "under_billed"]
    made = explain_finding(signed, row["finding_id"])
    assert made.notes == ("2026-10 v1 is approved: the numbers are the signed ones.",)
    assert [(d["who"], d["decision"], d["why"]) for d in made.decisions.to_pylist()] == [("the analyst", "approve", "looked at")]
    (rule,) = made.rules.to_pylist()
    assert (rule["file"], rule["key"], rule["text"]) == ("params/rules.yaml", "services.DEVICE", "DEVICE: {used: [{source: rmm}]}")


def test_a_signed_month_says_what_todays_rules_would_count(signed: Month) -> None:
    text = "version: 1\nservices:\n  DEVICE: {used: [{source: rmm, where: {unit_name: [A1]}}], minimum: 1}\n"
    (signed.root / "params" / "rules.yaml").write_text(text, "utf-8")
    month = open_book(signed.root)
    (row,) = [row for row in findings(month) if row["kind"] == "under_billed"]
    made = explain_finding(month, row["finding_id"])
    assert made.finding["expected_qty"] == 3
    assert made.money.to_pylist()[-1]["amount"] == Decimal("45.00")
    assert any("rules have changed since it was signed: params/rules.yaml" in note for note in made.notes)
    assert "Today rmm would count 1 used, not 3: rules or mapping changed since." in made.notes


def test_bytes_are_the_row_of_the_export_and_hold_the_vendors_own_words(signed: Month) -> None:
    (row,) = [row for row in findings(signed) if row["kind"] == "under_billed"]
    made = explain_finding(signed, row["finding_id"])
    (second,) = [record for record in made.records.to_pylist() if record["unit_name"] == "A2"]
    found = read_vendor_record(signed.workspace / "snapshots", second["evidence"])
    assert '"Computer": "A2"' in found.text
    assert '"Serial Number": "S2"' in found.text
    assert "A1" not in found.text
    (line,) = made.lines.to_pylist()
    assert '"Line ID": "1001"' in read_vendor_record(signed.workspace / "snapshots", line["evidence"]).text


def test_bytes_of_every_connector_are_the_record_its_evidence_names(month: Month) -> None:
    seen: dict[str, str] = {}
    for name, key in (("usage_records", "vendor_account_id"), ("purchases", "purchase_id"), ("agreement_lines", "agreement_line_id")):
        for row in read_stage(month, name).to_pylist():
            if row["source"] not in seen and is_address(row["evidence"]) and "/r" in row["evidence"]:
                text = read_vendor_record(month.workspace / "snapshots", row["evidence"]).text
                seen[row["source"]] = text
                assert row[key] in text or row["source"] == "m365"  # a tenant's licences do not name the tenant
    assert set(seen) == {"psa", "pax8", "m365", "ninja", "huntress"}
    assert "skuPartNumber" in seen["m365"]
    assert not any(secret in text for secret in ("secret", "password", "Bearer") for text in seen.values())


@pytest.mark.parametrize(
    ("evidence", "error", "words"),
    [
        ("rmm", SettingsError, "names no record of a snapshot"),
        ("../x/abc/p00001/r0", SettingsError, "names no record of a snapshot"),
        ("rmm/000000000000/p00001/r0", SnapshotError, "there is no such snapshot"),
        ("rmm/{id}/p00009/r0", SnapshotError, "page 00009 is not there"),
        ("rmm/{id}/p00001/r99", SnapshotError, "record 99 is not there"),
    ],
)
def test_evidence_that_leads_nowhere_is_said(signed: Month, evidence: str, error: type[Exception], words: str) -> None:
    ids = {row["source"]: row["snapshot_id"] for row in read_stage(signed, "source_status").to_pylist()}
    with pytest.raises(error, match=words):
        read_vendor_record(signed.workspace / "snapshots", evidence.replace("{id}", ids["rmm"]))


def test_numbers_are_printed_as_the_vendor_wrote_them() -> None:
    assert show_json({"a": Decimal("4.50"), "b": [True, None, "ü"]}) == '{\n  "a": 4.50,\n  "b": [\n    true,\n    null,\n    "ü"\n  ]\n}'


def test_a_rules_text_is_its_own_block_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(
        "version: 1\nservices:\n  A.B: # kept\n    used:\n      - {source: x}\n\n  # of the next\n  C: {basis: flat}\n", "utf-8"
    )
    assert written_block(path, "services.A.B") == ("A.B: # kept\n  used:\n    - {source: x}", 3)
    assert written_block(path, "services.A.B.used.0") == ("- {source: x}", 5)
    assert written_block(path, "services.D") == (None, None)


def test_the_terminal_is_not_steered_by_a_vendors_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_book(tmp_path)
    rmm = root / "rmm.csv"
    rmm.write_text(rmm.read_text("utf-8").replace("Alder,A1,", "Alder,[red]A1\x1b[31m\u202e,"), "utf-8")
    month = open_book(root)
    sync_month(month)
    compare_month(month)
    (row,) = [row for row in findings(month) if row["kind"] == "under_billed"]
    monkeypatch.setattr(sys, "argv", ["recon", "explain", row["finding_id"], str(root / "params" / "mini.yaml"), "--bytes"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    said = capsys.readouterr().out
    assert not stop.value.code
    assert "[red]A1" in said
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert "The rules, as written" in said
    assert '"Computer": "A2"' in said


def test_sections_without_rows_are_left_out(signed: Month) -> None:
    (row,) = [row for row in findings(signed) if row["kind"] == "under_billed"]
    titles = [section.title for section in explain_sections(explain_finding(signed, row["finding_id"]))]
    assert "What the vendor charged" not in titles
    assert titles[0] == "The numbers"
