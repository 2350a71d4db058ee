"""Mapping decisions from one book into another: what is the same there, what has no place, and nothing twice."""

from __future__ import annotations

import csv
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from small_book import AT, PARAMS, make_book, open_book
from typer.testing import CliRunner

from reconlib import steps
from reconlib.cli import app
from reconlib.errors import DataError, SignOffError
from reconlib.ledger import open_ledger
from reconlib.month import month_events
from reconlib.period import Period
from reconlib.review import record_mapping_decision
from reconlib.review.folds import mapping_decisions
from reconlib.review.sheets import read_sheet, write_sheet
from reconlib.review.transfer import COLUMNS, Book, bring_mappings, export_mappings, record_brought, write_mappings
from reconlib.schema import ACCOUNT_MAPPING, CANONICAL, PRODUCT_MAPPING, make_table

HOSTILE = "=cmd|' /C calc'!A1"


def table(name: str, *rows: dict[str, Any]) -> Any:
    schema = {"account_mapping": ACCOUNT_MAPPING, "product_mapping": PRODUCT_MAPPING, **CANONICAL}[name]
    return make_table(schema, [{**dict.fromkeys(schema.names()), "evidence": "e", **row} for row in rows])


def client(number: str, code: str | None, name: str) -> dict[str, Any]:
    return {"client_id": number, "client_code": code, "client_name": name, "is_deleted": False, "is_billable": True, "source": "psa"}


def account(source: str, number: str) -> dict[str, Any]:
    return {"source": source, "vendor_account_id": number, "account_name": f"{HOSTILE} {number}", "state": "unmapped", "reason": "r"} | {
        "units_qty": 1,
        "stake": 1,
        "doubt": 1,
    }


def a_book(
    *clients: dict[str, Any], psa: str = "", accounts: tuple[dict[str, Any], ...] = (), name: str = "other", source: str = "rmm"
) -> Book:
    service = {"service_id": "s1", "service_code": "DEV", "service_name": "Device", "is_active": True, "source": "psa"}
    return Book(
        name,
        Period(2026, 10),
        psa,
        {source: "ninjaone"},
        table("clients", *clients),
        table("services", service),
        table("account_mapping", *(accounts or (account(source, "o1"),))),
        table("product_mapping"),
    )


def row(**values: str) -> dict[str, str]:
    base = {"book": "harbor", "relation": "account", "connector": "ninjaone", "source": "rmm", "vendor_id": "o1", "decision": "map"}
    return {**dict.fromkeys(COLUMNS, ""), **base, "who": "Ann", "at": "2026-09-03T06:00:00Z", "why": "phoned them", **values}


def brought(tmp_path: Path, book: Book, *rows: dict[str, str], events: Any = ()) -> Any:
    write_mappings(tmp_path / "m.csv", rows)
    return bring_mappings(tmp_path / "m.csv", book, events, who="Bea", at=AT)


SAME, ACME = "connectwise_psa https://psa.example", client("c7", "ACME", "Acme Ltd")


@pytest.mark.parametrize(
    ("book", "given", "said"),
    [
        (a_book(ACME, psa=SAME), {"psa": SAME, "target_id": "c7", "target_code": "ACME"}, "c7"),
        (a_book(ACME, psa=SAME), {"psa": SAME, "target_id": "c7", "target_code": "BLUE", "target_name": "Blue"}, "no client 'Blue' here"),
        (a_book(ACME, client("c1", "BLUE", "Blue")), {"psa": SAME, "target_id": "c7", "target_code": "BLUE"}, "c1"),
        (a_book(ACME), {"target_id": "zz", "target_name": "Acme Ltd"}, "c7"),
        (a_book(ACME), {"target_id": "c7", "target_name": "acme ltd"}, "no client 'acme ltd' here"),
        (a_book(ACME, client("c8", None, "Acme Ltd")), {"target_name": "Acme Ltd"}, "2 clients have the name 'Acme Ltd'"),
        (a_book(ACME | {"is_deleted": True}), {"target_code": "ACME"}, "no client 'ACME' here"),
        (a_book(ACME | {"is_deleted": True}, client("c1", "ACME", "Acme Ltd")), {"target_code": "ACME"}, "c1"),
        (a_book(ACME), {"vendor_id": "o2", "target_code": "ACME"}, "no account 'o2' in rmm"),
        (a_book(ACME), {"connector": "huntress", "target_code": "ACME"}, "reads nothing with connector 'huntress'"),
        (a_book(ACME, source="devices"), {"target_code": "ACME"}, "c7"),
        (a_book(ACME), {"decision": "mpa", "target_code": "ACME"}, "'mpa' is no decision"),
        (a_book(ACME), {"decision": "exclude", "why": "", "until": "2026-10-01"}, "an exclusion needs a review-by date"),
    ],
)
def test_a_row_finds_what_is_the_same_here_or_says_why_not(tmp_path: Path, book: Book, given: dict[str, str], said: str) -> None:
    made = brought(tmp_path, book, row(**given))
    if made.rejects:
        assert said in f"{made.rejects[0].reason} {made.rejects[0].hint}"
        assert (made.new, made.rejects[0].row) == ((), 2)
    else:
        (event,) = made.new
        assert (event.values["target_id"], event.who) == (said, "Bea")
        assert event.why == "imported from book harbor: Ann on 2026-09-03T06:00:00Z: phoned them"


def test_what_this_book_decided_itself_is_never_replaced(tmp_path: Path) -> None:
    book = a_book(ACME, client("c1", "BLUE", "Blue"))
    with open_ledger(f"sqlite:///{tmp_path / 'l.sqlite'}") as ledger:
        facts = {"book": "other", "period": book.period, "who": "Cy", "at": AT, "relation": "account", "source": "rmm", "vendor_id": "o1"}
        record_mapping_decision(ledger, **facts, decision="map", target_id="c1", seen={})
        events = ledger.events(book="other")
    made = brought(tmp_path, book, row(target_code="ACME"), events=events)
    assert [reject.reason for reject in made.rejects] == ["'o1' is mapped here already, by Cy"]
    assert brought(tmp_path, book, row(target_code="BLUE"), events=events).unchanged == 1


def test_a_pair_this_book_rejected_is_not_mapped_by_a_file_of_another(tmp_path: Path) -> None:
    book = a_book(ACME, client("c1", "BLUE", "Blue"))
    with open_ledger(f"sqlite:///{tmp_path / 'l.sqlite'}") as ledger:
        facts = {"book": "other", "period": book.period, "who": "Cy", "at": AT, "relation": "account", "source": "rmm", "vendor_id": "o1"}
        record_mapping_decision(ledger, **facts, decision="reject", target_id="c7", seen={})
        events = ledger.events(book="other")
        made = brought(tmp_path, book, row(target_code="ACME"), events=events)
        assert [(reject.column, reject.reason) for reject in made.rejects] == [
            ("vendor_id", "'o1' was told apart from 'c7' here already, by Cy")
        ]
        made = brought(tmp_path, book, row(target_code="BLUE"), events=events)
        assert len(made.new) == 1
        record_mapping_decision(ledger, **facts, decision="map", target_id="c7", seen={})
        with pytest.raises(DataError, match="decided meanwhile by Cy: map"):  # since the file was held against the ledger
            record_brought(ledger, made, book="other", period=book.period)
        assert [event.who for event in ledger.events()] == ["Cy", "Cy"]


def test_two_clients_for_one_account_cannot_both_be_meant(tmp_path: Path) -> None:
    made = brought(tmp_path, a_book(ACME, client("c1", "BLUE", "Blue")), row(target_code="ACME"), row(target_code="BLUE"))
    assert [(reject.row, reject.reason) for reject in made.rejects] == [(3, "is decided twice in this file")]


def test_hostile_text_is_plain_in_a_spreadsheet_and_itself_again(tmp_path: Path) -> None:
    rows = [{"a": HOSTILE, "b": "'=1"}, {"a": "@x", "b": "it's"}]
    write_sheet(tmp_path / "s.csv", ("a", "b"), rows)
    with (tmp_path / "s.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [line[0][0] for line in csv.reader(file)] == ["a", "'", "'"]
    read = read_sheet(tmp_path / "s.csv", ("a", "b"), needed=("a",), start_from="")
    assert [{name: one[name] for name in ("a", "b")} for one in read] == rows


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("book,relation,connectr,vendor_id,decision", "unknown column 'connectr'"),
        ("book,relation,connector,decision", "column 'vendor_id' is missing"),
    ],
)
def test_a_wrong_header_names_its_column(tmp_path: Path, head: str, said: str) -> None:
    (tmp_path / "m.csv").write_text(head + "\n", "utf-8")
    with pytest.raises(DataError, match=said):
        bring_mappings(tmp_path / "m.csv", a_book(ACME), [], who="Bea", at=AT)


def test_export_writes_standing_decisions_only_with_who_when_and_why(tmp_path: Path) -> None:
    book = a_book(ACME, psa=SAME, accounts=(account("rmm", "o1"), account("rmm", "o2"), account("rmm", "o3")), name="harbor")
    with open_ledger(f"sqlite:///{tmp_path / 'l.sqlite'}") as ledger:
        facts = {"book": "harbor", "period": book.period, "who": "Ann", "at": AT, "relation": "account", "source": "rmm", "seen": {}}
        record_mapping_decision(ledger, **facts, vendor_id="o1", decision="map", target_id="c7", why="phoned")
        record_mapping_decision(ledger, **facts, vendor_id="o2", decision="exclude", why="ours", until=date(2027, 6, 30))
        record_mapping_decision(ledger, **facts, vendor_id="o3", decision="map", target_id="c7")
        record_mapping_decision(ledger, **facts, vendor_id="o3", decision="undo")
        record_mapping_decision(ledger, **facts | {"who": "Bo"}, vendor_id="o1", decision="reject", target_id="c1", why="another town")
        rows = export_mappings(book, mapping_decisions(ledger.events(book="harbor"), as_of=book.period.end))
    assert [(r["vendor_id"], r["decision"], r["target_code"], r["until"], r["who"], r["why"]) for r in rows] == [
        ("o1", "map", "ACME", "", "Ann", "phoned"),
        ("o1", "reject", "", "", "Bo", "another town"),
        ("o2", "exclude", "", "2027-06-30", "Ann", "ours"),
    ]
    assert (rows[0]["vendor_name"], rows[0]["psa"]) == (f"{HOSTILE} o1", SAME)


def said(*words: str) -> Any:
    return CliRunner().invoke(app, ["mappings", *words])


def test_a_round_trip_between_two_books_records_once_and_is_refused_once_signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = make_book(tmp_path / "one"), make_book(tmp_path / "two")
    shutil.copy(first / PARAMS, second / PARAMS)
    (second / PARAMS).write_text((second / PARAMS).read_text("utf-8").replace("book: mini", "book: twin"), "utf-8")
    for root in (first, second):
        month = open_book(root)
        steps.sync_month(month)
        steps.map_month(month)
    month = open_book(first)
    rows = steps.map_month(month).accounts.to_pylist()
    with open_ledger(month.ledger_url) as ledger:
        facts = {"book": "mini", "period": month.period, "who": "Ann", "at": AT, "relation": "account", "source": "rmm", "seen": {}}
        record_mapping_decision(ledger, **facts, vendor_id=rows[0]["vendor_account_id"], decision="map", target_id=rows[0]["client_id"])
    file = tmp_path / "m.csv"
    assert said("export", str(first / PARAMS), str(file)).exit_code == 0
    there = str(second / PARAMS)
    shown = said("import", there, str(file), "--preview")
    assert "would record 1, unchanged 0, not importable 0" in shown.output
    assert [event for event in month_events(open_book(second)) if event.kind == "mapping_decided"] == []
    assert "recorded 1, unchanged 0, left out 0" in said("import", there, str(file), "--who", "Bea").output
    assert "recorded 0, unchanged 1, left out 0" in said("import", there, str(file), "--who", "Bea").output
    (event,) = [event for event in month_events(open_book(second)) if event.kind == "mapping_decided"]
    assert (event.who, event.why.partition(":")[0]) == ("Bea", "imported from book mini")
    # a row of another world: nothing at all is recorded, unless such rows are left out on purpose
    text = file.read_text("utf-8-sig")
    line = text.splitlines()[1].replace(f",{rows[0]['vendor_account_id']},", ",nobody,", 1)
    file.write_text(f"{text}{line}\r\n", "utf-8")
    refused = said("import", there, str(file), "--who", "Bea")
    assert isinstance(refused.exception, DataError)
    assert "nothing was recorded" in str(refused.exception)
    assert "recorded 0, unchanged 1, left out 1" in said("import", there, str(file), "--who", "Bea", "--skip").output

    def signed(*_: Any) -> None:
        raise SignOffError("2026-10 is signed", where="book twin", hint="reopen")

    monkeypatch.setattr("reconlib.review.decisions.refuse_signed", signed)
    assert isinstance(said("import", there, str(file), "--who", "Bea", "--skip").exception, SignOffError)
