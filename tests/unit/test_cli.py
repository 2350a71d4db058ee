"""The command line: it answers at once, fails in one line with the right exit code, and names no one by itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from small_book import AT, make_book, open_book, settle
from small_book import PARAMS as PARAMS_OF_BOOK

from reconlib import cli, people, steps
from reconlib import month as months
from reconlib.connectors import CONNECTORS

PARAMS = 'book: tiny\nperiod: "2026-10"\nsources:\n  psa: {connector: connectwise_psa, base_url: "http://127.0.0.1:9", credentials: CW}\n'
HEAVY = ("pyarrow", "duckdb", "pandas", "httpx", "sqlalchemy", "papermill", "plotly", "pydantic", "nbformat", "jinja2")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project with one book, as the working folder, and nobody named."""
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "tiny.yaml").write_text(PARAMS, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RECON_WHO", raising=False)
    return tmp_path


def recon(arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["recon", *arguments])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return int(stop.value.code or 0)


def test_help_imports_nothing_heavy() -> None:
    code = f"import sys, reconlib.cli; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_names_every_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert recon(["--help"], monkeypatch) == 0
    out = capsys.readouterr().out
    for command in ("demo", "sync", "run", "review", "sign", "reopen", "changes", "explore", "board", "verify", "sandbox", "index"):
        assert f" {command} " in out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "params/nowhere.yaml"], 2, "no file params/nowhere.yaml"),
        (["run", "params/tiny.yaml", "--period", "October"], 2, "'October' is not a billing month"),
        (["run", "params/tiny.yaml", "--period", "0000-01"], 2, "'0000-01' is not a billing month"),
        (["run", "params/tiny.yaml", "--from", "mapping"], 2, "there is no 10_sync to keep"),
        (["changes", "push"], 2, "pushing is not available"),
        (["review", "params/tiny.yaml", "--decide", "map", "--on", "acme"], 2, "account/SOURCE/ID"),
        (["review", "params/tiny.yaml", "--decide", "map", "--import", "queue.csv"], 2, "--import and --decide do different things"),
        (["review", "params/tiny.yaml", "--on", "account/rmm/1", "--to", "acme"], 2, "--on, --to belong to --decide, which is missing"),
        (["review", "params/tiny.yaml"], 5, "run the mapping step first"),
        (["explore", "params/nowhere.yaml"], 2, "no file"),
        (["board", "params/nowhere.yaml"], 2, "no file"),
        (["verify", "params/nowhere.yaml"], 2, "no file"),
    ],
)
def test_an_error_is_one_message_and_its_exit_code(
    arguments: list[str], code: int, words: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recon(arguments, monkeypatch) == code
    said = capsys.readouterr()
    assert said.err.startswith("error: ")
    assert words in said.err
    assert "Traceback" not in said.err
    assert "Hint: " in said.err


def test_what_the_system_refuses_is_one_message_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / ".recon").write_text("a file where the workspace goes", "utf-8")
    assert recon(["run", "params/tiny.yaml"], monkeypatch) == 5
    said = capsys.readouterr().err
    assert said.startswith(f"error: {folder / '.recon'}")
    assert "Hint: check that it is there" in said


def test_a_page_that_never_began_is_not_said_to_be_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recon(["run", "params/tiny.yaml"], monkeypatch) == 2
    said = capsys.readouterr()
    assert "there is no notebook" in said.err
    assert "what there is of the page" not in said.out
    assert not list((folder / "reports" / "tiny" / "2026-10").iterdir())


def test_a_missing_argument_is_said_by_name(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert recon(["sign", "params/tiny.yaml"], monkeypatch) == 2
    assert "--role" in capsys.readouterr().err


def test_nobody_is_taken_from_the_machine(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("USER", "root")
    assert recon(["reopen", "params/tiny.yaml", "--reason", "a late invoice"], monkeypatch) == 2
    assert "nobody is named" in capsys.readouterr().err


def test_the_environment_may_name_who(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("RECON_WHO", "the reviewer")
    assert recon(["reopen", "params/tiny.yaml", "--reason", "a late invoice"], monkeypatch) == 7
    assert "not signed" in capsys.readouterr().err


def test_vendor_text_cannot_steer_the_terminal() -> None:
    assert cli.plain("Acme \x1b[31mred\x07\nnext – Müller") == "Acme \ufffd[31mred\ufffd\nnext – Müller"


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_sandbox_says_where_it_is_and_stops_when_told(tmp_path: Path, stop: signal.Signals) -> None:
    labels = tmp_path / "labels.json"
    command = [sys.executable, "-u", "-c", "from reconlib.cli import main; main()", "sandbox", "--clients", "8", "--labels", str(labels)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "TERM": "dumb"}) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "Ctrl-C" in line:
                process.send_signal(stop)
                break
        rest = process.stdout.read()
    assert process.returncode == 0
    assert "stopped" in rest
    assert any("psa:" in line and "http://127.0.0.1:" in line for line in lines)
    assert any(line.startswith("export CW_PUBLIC_KEY=") for line in lines)
    assert labels.read_text("utf-8").startswith("[")


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> months.Month:
    """A month of two exports, compared, as the working folder."""
    monkeypatch.chdir(make_book(tmp_path))
    monkeypatch.setenv("RECON_WHO", "the analyst")
    month = open_book(tmp_path)
    steps.sync_month(month)
    steps.compare_month(month)
    return month


def test_sync_says_every_source_and_ends_with_the_worst(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "params" / "tiny.yaml").write_text(PARAMS + "  rmm: {connector: file}\n", "utf-8")
    monkeypatch.setattr(months, "_utc_now", lambda: AT)
    for name in CONNECTORS["connectwise_psa"].credential_fields:
        monkeypatch.delenv(f"CW_{name}".upper(), raising=False)
    assert recon(["sync", "params/tiny.yaml"], monkeypatch) == 3
    said = capsys.readouterr().out
    assert "psa              failed" in said
    assert "rmm              failed" in said
    (folder / "params" / "tiny.yaml").write_text(PARAMS.replace("connectwise_psa", "file"), "utf-8")
    assert recon(["sync", "params/tiny.yaml"], monkeypatch) == 2


def test_a_whole_sync_ends_with_zero(book: months.Month, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert recon(["sync", PARAMS_OF_BOOK], monkeypatch) == 0
    assert capsys.readouterr().out.count(" complete ") == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--decide", "approve", "--on", "finding/zzzz"],
            "error: --on: 'zzzz' is not a finding of this month; nothing was recorded\nHint: ",
        ),
        (["--decide", "aprove", "--on", "account/rmm/Alder"], "error: --decide: 'aprove' "),
        (["--decide", "map", "--on", "account/rmm/nobody", "--to", "ALDER"], "error: --on: 'nobody' is not known in source 'rmm'"),
        (["--decide", "map", "--on", "account/rmm/Alder", "--to", "ALDR"], "error: --to: "),
    ],
)
def test_one_wrong_decision_names_its_option(
    arguments: list[str], said: str, book: months.Month, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recon(["review", PARAMS_OF_BOOK, *arguments], monkeypatch) == 2
    assert said in capsys.readouterr().err
    assert not [event for event in months.month_events(book) if event.kind.endswith("_decided")]


def test_what_was_just_decided_waits_no_more(
    book: months.Month, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (finding,) = [row["finding_id"] for row in months.read_stage(book, "findings").to_pylist() if row["kind"] == "under_billed"]
    assert recon(["review", PARAMS_OF_BOOK], monkeypatch) == 0
    assert f"finding/{finding}" in capsys.readouterr().out
    assert recon(["review", PARAMS_OF_BOOK, "--decide", "approve", "--on", f"finding/{finding}"], monkeypatch) == 0
    assert recon(["review", PARAMS_OF_BOOK], monkeypatch) == 0
    assert finding not in capsys.readouterr().out


def test_a_queue_that_cannot_be_written_is_one_message(
    book: months.Month, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recon(["review", PARAMS_OF_BOOK, "--export", "nowhere/q.csv"], monkeypatch) == 5
    assert "error: nowhere/q.csv: cannot be written\nHint: No such file or directory" in capsys.readouterr().err


def test_verify_fails_where_there_is_nothing_to_verify(
    book: months.Month, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recon(["verify", PARAMS_OF_BOOK, "--period", "2031-01"], monkeypatch) == 2
    assert "2031-01 is not published" in capsys.readouterr().err
    people.sign_month(settled(book), role="preparer", who="the preparer", at=AT)
    assert recon(["verify", PARAMS_OF_BOOK], monkeypatch) == 5
    said = capsys.readouterr()
    assert "proved      the ledger is whole" in said.out
    assert "fault       2026-10/v1: signed by the preparer in the ledger, and missing from the archive" in said.err


def test_changes_name_the_month_they_were_planned_in(
    book: months.Month, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for role, who in (("preparer", "the preparer"), ("reviewer", "the reviewer")):
        people.sign_month(settled(book), role=role, who=who, at=AT)
    monkeypatch.setattr(months, "_utc_now", lambda: AT.replace(month=12))
    steps.sync_month(months.open_month(PARAMS_OF_BOOK, "2026-11"))
    assert recon(["changes", "verify", PARAMS_OF_BOOK, "--period", "2026-11"], monkeypatch) == 0
    said = capsys.readouterr().out
    assert "not_arrived           2 → 3  planned in 2026-10, from 2026-11-01  Alder / Managed device" in said
    assert "0 of 1 changes planned in 2026-10 verified" in said


def settled(month: months.Month) -> months.Month:
    if months.month_state(month).state not in ("signed", "approved"):
        settle(month)
    return month
