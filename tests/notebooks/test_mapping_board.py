"""The mapping board on a made-up month: nothing is written without its button, and vendor text stays text."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from small_book import open_empty
from small_project import load_app

from reconlib.ledger import Event, open_ledger
from reconlib.month import Month, month_events
from reconlib.schema import ACCOUNT_MAPPING, CANONICAL, PRODUCT_MAPPING, TableSchema, make_table

pytest.importorskip("marimo", reason="the extra 'marimo' is not installed")
HOSTILE = "<script>document.title='x'</script> https://example.invalid/x.png"
ZERO = Decimal(0)


@pytest.fixture(scope="module")
def board() -> ModuleType:
    return load_app("mapping_board")


def table(schema: TableSchema, *rows: dict[str, Any]) -> pa.Table:
    blank: dict[str, Any] = {"text": "-", "qty": ZERO, "amount": ZERO, "price": ZERO, "int": 0, "bool": False}
    full = [
        {c.name: None if c.null else blank[c.kind] for c in schema.columns} | {"doubt": ZERO, schema.key[1 % len(schema.key)]: str(i)} | row
        for i, row in enumerate(rows)
    ]
    return make_table(schema, [{k: v for k, v in row.items() if k in schema.names()} for row in full])


def account(name: str, p: str, **more: Any) -> dict[str, Any]:
    facts = {"account_name": name, "source": "m365", "state": "suggested", "verdict": "AUTO", "client_id": "7", "client_name": "Acme"}
    facts |= {"probability": Decimal(p), "doubt": 1 - Decimal(p), "units_qty": Decimal(2), "evidence": name, "reason": "names"}
    return facts | {"monthly_cost": Decimal("10.00"), "currency": "USD"} | more


@pytest.fixture
def month(tmp_path: Path) -> Month:
    return open_empty(tmp_path)


@pytest.fixture
def read(month: Month) -> dict[str, Any]:
    """What the board reads: three accounts that wait, one that is mapped, one product."""
    tables = {
        "clients": table(CANONICAL["clients"], {"client_id": "7", "client_name": "Acme"}, {"client_id": "8", "client_name": HOSTILE}),
        "services": table(CANONICAL["services"], {"service_id": "1", "service_name": "EDR"}),
        "account": table(
            ACCOUNT_MAPPING,
            account(HOSTILE, "0.60", monthly_cost=Decimal("900.00")),
            account("sure", "0.99"),
            account("torn", "0.99", conflicts="north / south"),
            account("done", "1", state="mapped"),
        ),
        "product": table(PRODUCT_MAPPING, {"product_name": "E3", "source": "pax8", "state": "unmapped", "doubt": Decimal(1)}),
    }
    controls = {"again": control(False), "who": control("the analyst"), "relation": control("account")}
    return {"tables": tables, "month": month, "events": [], "problem": "", **controls}


def control(value: Any) -> Any:
    return SimpleNamespace(value=value)


def text_of(outputs: Any) -> str:
    return "".join(output.text for output in outputs if output is not None)


def select(row: int) -> Any:
    """A table with one row selected."""
    return control(pa.table({"#": [row]}))


def decide(board: ModuleType, read: dict[str, Any], row: int, wanted: str, *, press: bool = True, **more: Any) -> Any:
    """The board with one row selected and its form filled in."""
    form = {"wanted": wanted, "target": None, "reason": "", "until": None, "decide": press} | more
    picked = {"picked": select(row), "waiting": board.keep_matching(read["tables"]["account"], [])}
    return board.app.run(defs={**read, **picked, **{name: control(value) for name, value in form.items()}})


def test_it_runs_top_to_bottom_writes_nothing_and_previews_before_any_row_is_selected(board: ModuleType, read: dict, month: Month) -> None:
    outputs, defs = board.app.run(defs=read)
    assert [row["account_name"] for row in defs["waiting"].to_pylist()] == [HOSTILE, "sure", "torn"]
    assert [row["account_name"] for row in defs["asked"].rows] == ["sure"]
    assert defs["row"] is None
    assert month_events(month) == []
    page = text_of(outputs)
    assert "1 of 4" in page
    assert "1 account would be accepted, worth 10.00 USD a month." in page
    assert "1 speaks against itself" in page
    assert "<script>" not in page


def test_one_decision_is_recorded_when_its_button_is_pressed(board: ModuleType, read: dict, month: Month) -> None:
    outputs, _ = decide(board, read, 1, "other", press=False, target="8", reason="asked them")
    assert month_events(month) == []
    assert "names" in text_of(outputs)
    outputs, defs = decide(board, read, 1, "other", target="8", reason="asked them")
    (event,) = month_events(month)
    assert (event.who, event.values["decision"], event.values["target_id"], event.why) == ("the analyst", "map", "8", "asked them")
    assert event.values["seen"]["probability"] == "0.6"
    assert defs["recorded"].endswith(f"mapped to {HOSTILE}")
    assert defs["decisions"].num_rows == 1
    assert "<script>" not in text_of(outputs)


def test_bulk_records_what_the_preview_lists_and_undo_takes_one_back(board: ModuleType, read: dict, month: Month) -> None:
    _, defs = board.app.run(defs={**read, "threshold": control(0.5)})
    assert [row["account_name"] for row in defs["asked"].rows] == [HOSTILE, "sure"]
    board.app.run(defs={**read, "asked": defs["asked"], "accept": control(True)})
    assert [event.values["target_id"] for event in month_events(month)] == ["7", "7"]
    assert {event.why for event in month_events(month)} == {"bulk: p ≥ 0.5, one of 2 listed in a preview"}
    listed = board.list_mapping_decisions(
        month_events(month), month.period, board.name_targets(*(read["tables"][n] for n in ("clients", "services")))
    )
    undo = {"decisions": listed, "taken": select(1), "undo": control(True)}
    outputs, _ = board.app.run(defs={**read, "events": month_events(month), **undo})
    last = month_events(month)[-1]
    assert (last.subject, last.values["decision"]) == ("account/m365/1", "undo")
    assert "sure: taken back" in text_of(outputs)


def test_a_decision_that_a_later_one_followed_is_not_taken_back_in_its_name(board: ModuleType, read: dict, month: Month) -> None:
    for wanted in ("accept", "reject"):
        decide(board, {**read, "events": month_events(month)}, 2, wanted)
    names = board.name_targets(*(read["tables"][n] for n in ("clients", "services")))

    def take_back(row: int) -> str:
        listed = board.list_mapping_decisions(month_events(month), month.period, names)
        asked = {"decisions": listed, "taken": select(row), "undo": control(True)}
        return text_of(board.app.run(defs={**read, "events": month_events(month), **asked})[0])

    assert "sure: a later decision about it stands (rejected, 2026-11-03 06:00 UTC); take that one back first" in take_back(2)
    assert [event.values["decision"] for event in month_events(month)] == ["map", "reject"]
    assert "sure: taken back, what stood before stands again" in take_back(1)
    assert [event.values["decision"] for event in month_events(month)] == ["map", "reject", "undo", "map"]
    assert "sure: a later decision about it stands (mapped" in take_back(2)  # the row that says it was taken back
    assert "sure: taken back" in take_back(1)
    assert "sure: it was taken back already" in take_back(1)
    assert [event.values["decision"] for event in month_events(month)][4:] == ["undo"]


def test_what_was_just_decided_is_not_previewed_again(board: ModuleType, read: dict) -> None:
    assert decide(board, read, 2, "reject")[1]["asked"].rows == ()


def test_what_cannot_be_recorded_is_said(board: ModuleType, read: dict, month: Month) -> None:
    assert "an exclusion needs a reason" in text_of(decide(board, read, 1, "exclude")[0])
    assert "a client is needed to map" in text_of(decide(board, read, 1, "other")[0])
    assert month_events(month) == []


def test_t129_a_signed_month_says_so_and_offers_no_button(board: ModuleType, read: dict, month: Month) -> None:
    with open_ledger(month.ledger_url) as ledger:
        ledger.append(Event("tiny", "2026-10", "preparer_signed", "2026-10", "the preparer", "2026-11-04T06:00:00Z"))
    outputs, defs = board.app.run(defs=read)
    assert "2026-10 is signed by the preparer" in text_of(outputs)
    assert defs["accept"]._component_args["disabled"] is True
    assert defs["decide"]._component_args["disabled"] is True


def test_without_a_name_it_can_be_looked_at_only(board: ModuleType, read: dict, month: Month) -> None:
    outputs, defs = board.app.run(defs={**read, "who": control("")})
    assert "nobody is named" in text_of(outputs)
    assert defs["accept"]._component_args["disabled"] is True


def test_every_row_has_the_actions_that_fit_it(board: ModuleType) -> None:
    row = {"verdict": "PROPOSE", "client_id": "7", "runner_up_id": "8", "conflicts": None}
    assert next(iter(board.actions_of(row).values())) == "accept"
    assert next(iter(board.actions_of(row | {"conflicts": "north / south"}).values())) == "other"
    assert list(board.actions_of(row | {"client_id": None}).values()) == ["other", "exclude"]
    assert list(board.actions_of(row | {"verdict": "CONTRADICTION"}).values()) == ["runner_up", "accept", "other", "exclude"]
    assert board.answer_of(row, "runner_up", None) == ("accept", "8")
    assert board.answer_of(row, "reject", None) == ("reject", "7")
    assert board.answer_of(row, "other", "9") == ("accept", "9")


def test_a_month_that_was_never_run_says_what_to_do(board: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    outputs, defs = board.app.run(defs={"params_file": "params/none.yaml", "period": "2026-10", "named": ""})
    assert defs["tables"] == {}
    assert "recon run" in text_of(outputs)
