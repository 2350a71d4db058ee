"""What people write by hand is refused with its key, and a secret is neither kept nor shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconlib.errors import SettingsError
from reconlib.month import open_month
from reconlib.settings import Params, parse, read_environ, read_ledger_url, read_yaml

BOOK = {"book": "tiny", "sources": {"psa": {"connector": "file"}}}


def params(**keys: str) -> Params:
    return parse({**BOOK, **keys}, Params, where="params/tiny.yaml")


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-Infinity", "-1", "ten", "", "1,000"])
def test_materiality_is_an_amount_of_money(amount: str) -> None:
    with pytest.raises(SettingsError, match=r"materiality: .* is no amount of money"):
        params(materiality=amount)


@pytest.mark.parametrize("amount", ["0", "25.00", "1000"])
def test_an_amount_is_kept_as_written(amount: str) -> None:
    assert params(materiality=amount).materiality == amount


@pytest.mark.parametrize(
    "address",
    [
        "postgresql+psycopg://recon:s3cr3t@db.example/recon",
        "postgresql://recon:s3/cr3t@db.example/recon",
        "postgresql://:s3cr3t@db.example/recon",
        "postgresql://db.example/recon?password=s3cr3t",
        "postgresql://db.example/recon?sslmode=require&PASSWORD=s3cr3t",
    ],
)
def test_a_password_never_stands_in_params(address: str) -> None:
    with pytest.raises(SettingsError, match="ledger: a password never stands in params") as stopped:
        params(ledger=address)
    assert "cr3t" not in str(stopped.value)
    assert "RECON_LEDGER" in str(stopped.value)


@pytest.mark.parametrize("address", ["postgresql+psycopg://recon@db.example:5432/recon", "sqlite:///C:\\team\\ledger.sqlite", "env"])
def test_an_address_without_a_password_may(address: str) -> None:
    assert params(ledger=address).ledger == address


def test_the_ledger_may_stand_in_the_environment(tmp_path: Path) -> None:
    address = "postgresql+psycopg://recon:s3cr3t@db.example/recon"
    assert read_ledger_url(params(ledger="env"), tmp_path, {"RECON_LEDGER": address}) == address
    assert read_ledger_url(params(), tmp_path, {"RECON_LEDGER": address}) == f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    with pytest.raises(SettingsError, match=r"ledger: RECON_LEDGER is not set(.|\n)*Hint: "):
        read_ledger_url(params(ledger="env"), tmp_path, {"RECON_LEDGER": " "})


def test_a_month_does_not_show_its_ledgers_password(tmp_path: Path) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text('book: tiny\nperiod: "2026-10"\nledger: env\nsources: {psa: {connector: file}}\n', "utf-8")
    month = open_month(path, environ={"RECON_LEDGER": f"sqlite:///{tmp_path / 's3cr3t.sqlite'}"})
    assert month.ledger_url.endswith("s3cr3t.sqlite")
    assert "s3cr3t" not in f"{month!r} {month.params!r}"


@pytest.mark.parametrize("address", ["local[4]", "spark://master:7077", "sc://master:15002"])
def test_spark_is_named_with_where_it_runs_and_nothing_starts_before_a_step_needs_it(tmp_path: Path, address: str) -> None:
    text = f"book: tiny\nperiod: 2026-10\nengine: spark\nspark: '{address}'\nsources: {{psa: {{connector: file}}}}\n"
    (tmp_path / "tiny.yaml").write_text(text, "utf-8")
    engine = open_month(tmp_path / "tiny.yaml", environ={}).engine
    assert (engine.name, engine.master) == ("spark", address)


@pytest.mark.parametrize("line", ["engine: polars", "spark: 'yarn'", "spark: 'local'"])
def test_an_engine_that_is_not_built_is_refused_not_replaced(tmp_path: Path, line: str) -> None:
    (tmp_path / "tiny.yaml").write_text(f"book: tiny\nperiod: 2026-10\n{line}\nsources: {{psa: {{connector: file}}}}\n", "utf-8")
    with pytest.raises(SettingsError, match=line.split(":", maxsplit=1)[0]):
        open_month(tmp_path / "tiny.yaml", environ={})


@pytest.mark.parametrize("later", ["2026-03", "2026-02", "April", ""])
def test_t31_a_month_is_mapped_with_the_decisions_of_a_later_one_only(later: str) -> None:
    with pytest.raises(SettingsError, match="mapping_as_of"):
        parse({**BOOK, "mapping_as_of": {"2026-03": later}}, Params, where="params/tiny.yaml")


def test_t31_only_the_month_that_is_named_is_mapped_so_and_its_pages_say_so(tmp_path: Path) -> None:
    (tmp_path / "params").mkdir()
    path = tmp_path / "params" / "tiny.yaml"
    path.write_text('book: tiny\nmapping_as_of: {"2026-03": "2026-04"}\nsources: {psa: {connector: file}}\n', "utf-8")
    march, april = (open_month(path, period, environ={}) for period in ("2026-03", "2026-04"))
    assert (str(march.mapping_period), march.declared_as_of) == ("2026-04", "2026-03-31, mapped with what was decided until 2026-04")
    assert (april.mapping_period, april.declared_as_of) == (april.period, "2026-04-30")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("book: tiny\nsources: {}\nbook: other\n", 3),
        ("book: tiny\nsources:\n  psa: {connector: file}\n  psa: {connector: ninjaone}\n", 4),
        ("book: tiny\nsources: {psa: {connector: file, connector: ninjaone}}\n", 2),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(SettingsError, match=f"tiny.yaml line {line}: key '(book|psa|connector)' stands twice"):
        read_yaml(path, Params)


def test_a_secrets_file_that_is_no_utf_8_is_refused_without_its_content(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes("PAX8_CLIENT_SECRET=s3cr3t\xe9\n".encode("latin-1"))
    with pytest.raises(SettingsError, match=r"\.env cannot be read") as stopped:
        read_environ({}, tmp_path)
    assert "s3cr3t" not in str(stopped.value)
    assert stopped.value.__cause__ is None
