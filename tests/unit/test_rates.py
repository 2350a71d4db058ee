"""Recorded exchange rates: exact, one way, and refused with the key they lack."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from reconlib.errors import SettingsError
from reconlib.rates import Rates, make_rates
from reconlib.settings import Params, read_params

CAD = '{from: CAD, to: USD, rate: "0.73", date: 2026-10-31, source: central bank}'


def params(folder: Path, *rates: str) -> Params:
    path = folder / "book.yaml"
    path.write_text("book: tiny\nsources: {}\nrates:\n" + "".join(f"  - {rate}\n" for rate in rates), "utf-8")
    return read_params(path)


def rates(folder: Path, *recorded: str) -> Rates:
    return make_rates(params(folder, *recorded).rates, params_file="params/tiny.yaml")


def test_t98_margin_uses_a_recorded_rate_exactly(tmp_path: Path) -> None:
    known = rates(tmp_path, CAD)
    assert known.convert(Decimal("10.555555"), "CAD", "USD") == Decimal("7.70555515")
    assert known.convert(Decimal("10.55"), "USD", "USD") == Decimal("10.55")
    assert known.explain("CAD", "USD") == "1 CAD = 0.73 USD on 2026-10-31 (central bank)"
    assert known
    assert not Rates()


def test_t98_a_long_amount_times_a_long_rate_loses_no_digit(tmp_path: Path) -> None:
    known = rates(tmp_path, CAD.replace("0.73", "0.123456789012345678"))
    amount = Decimal("12345678901234567890.123456789012345678")
    product = 12345678901234567890123456789012345678 * 123456789012345678
    assert known.convert(amount, "CAD", "USD") == Decimal(f"{product}E-36")


def test_t98_a_rate_is_not_turned_round(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as stopped:
        rates(tmp_path, CAD).require("USD", "CAD", where="services.EDR at client Acme")
    said = str(stopped.value)
    assert said.startswith("params/tiny.yaml: rates: no rate from USD to CAD (services.EDR at client Acme asks for it)")
    assert "CAD to USD is not turned round" in said
    with pytest.raises(SettingsError, match="no rate from EUR to USD"):
        rates(tmp_path, CAD).convert(Decimal(1), "EUR", "USD")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((CAD, CAD.replace("0.73", "0.74")), r"rates: CAD to USD stands twice, as rates\.0 and rates\.1; keep one"),
        ((CAD.replace("USD", "CAD"),), r"rates: rates\.0 is from CAD to itself"),
        ((CAD.replace('"0.73"', "0.73"),), r"rates\.0\.rate: YAML read this as a binary float; write '0\.73' in quotes"),
        ((CAD.replace("0.73", "0"),), r"rates\.0\.rate: .*greater than 0"),
        ((CAD.replace("0.73", "NaN"),), r"rates\.0\.rate: 'NaN' is not a usable number"),
        ((CAD.replace("2026-10-31", "20261031"),), r"rates\.0\.date: 20261031 is no day: write it as 2026-10-31"),
        ((CAD.replace("to: USD", "to: usd"),), r"rates\.0\.to: "),
        ((CAD.replace("to: USD", "to: NO"),), r"rates\.0\.to: YAML read this as False; put it in quotes"),
        ((CAD.replace("from: CAD", "form: CAD"),), r"rates\.0\.form: unknown key; did you mean 'from'\?"),
        ((CAD.replace(", source: central bank", ""),), r"rates\.0\.source: Field required"),
    ],
)
def test_a_wrong_rate_is_refused_with_its_key(tmp_path: Path, lines: tuple[str, ...], said: str) -> None:
    with pytest.raises(SettingsError, match=said) as stopped:
        params(tmp_path, *lines)
    assert str(tmp_path / "book.yaml") in str(stopped.value)
