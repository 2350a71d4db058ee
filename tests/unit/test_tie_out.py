"""The run stops where rows go missing between two stages: each guard, with one row taken away behind its back."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from small_month import run_month

from reconlib import comparison, counting
from reconlib.errors import TieOutError
from reconlib.invoices import audit

LINES = "client  service  qty\nAcme  EDR  10\nBolt  EDR  5"
USAGE = "client  service  qty\nAcme  EDR  12\nBolt  EDR  5"


def losing(run: Callable[..., dict[str, pa.Table]], name: str) -> Callable[..., dict[str, pa.Table]]:
    """The stage's SQL, its last row of one table gone."""

    def lose(*given: Any, **more: Any) -> dict[str, pa.Table]:
        out = run(*given, **more)
        return {**out, name: out[name].slice(0, out[name].num_rows - 1)} if name in out else out

    return lose


@pytest.mark.parametrize(
    ("stage", "table", "said"),
    [
        (counting, "record_buckets", r"2 usage records with 17\S* units became 1 in buckets with \d"),
        (counting, "totals", "usage and purchases were not both summed as they were read"),
        (comparison, "line_buckets", "2 agreement lines became 1 in buckets"),
    ],
)
def test_a_row_that_goes_missing_stops_the_run(stage: Any, table: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "run_sql", losing(stage.run_sql, table))
    with pytest.raises(TieOutError, match=said):
        run_month(LINES, usage=USAGE)


def test_a_whole_month_ties_out() -> None:
    assert [row["kind"] for row in run_month(LINES, usage=USAGE).findings] == ["under_billed"]


@pytest.mark.parametrize("made", [[], [("lines", 1, "30.00")], [("lines", 2, "29.99")], [("lines", 1, "30.00"), ("sum", 1, "30.00")]])
def test_a_vendor_charge_that_is_audited_nowhere_stops_the_run(made: list[tuple[str, int, str]]) -> None:
    charges = pa.table({"amount": [Decimal("10.00"), Decimal("20.00")]})
    rows = [{"check": check, "lines": lines, "stated_amount": Decimal(amount)} for check, lines, amount in made]
    with pytest.raises(TieOutError, match=r"2 vendor charges of 30\.00 became"):
        audit._tie_out(charges, rows)
    audit._tie_out(charges, [{"check": "lines", "lines": 2, "stated_amount": Decimal("30.00")}])
