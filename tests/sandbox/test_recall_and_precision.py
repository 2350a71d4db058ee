"""Every planted discrepancy is found, nothing else is, and every quantity and amount agrees to the cent, over several seeds.

The labels come from the planting alone; no stage reads them. The mapping decisions are the sandbox analyst's, entered as a CSV.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from reconlib.connectors import CONNECTORS
from reconlib.findings import KINDS
from reconlib.ledger import open_ledger
from reconlib.month import Month, open_month, read_stage
from reconlib.period import Period
from reconlib.review import import_decisions
from reconlib.sandbox.labels import answers, labels
from reconlib.sandbox.server import sandbox_sources, serve
from reconlib.sandbox.world import World, make_world
from reconlib.steps import compare_month, map_month, sync_month

SEEDS = (7, 11, 20, 2026, 4711)
CLIENTS = 40
MONTHS = tuple(Period(2026, number) for number in (7, 8, 9, 10))  # a count is odd against three months before it
MONEY_KINDS = ("monthly_impact", "cost_impact")
KEY = ("kind", "client_id", "service_id", "source", "vendor_account_id", "vendor_product_id")
BY_CELL = (
    *("under_billed", "over_billed", "orphan_line", "new_revenue", "no_count", "no_source", "unused_commitment", "shadow_usage"),
    *("cost_change", "negative_margin", "currency_or_cycle_mismatch", "dependent_mismatch"),
)
BY_RULE = ("vendor_invoice_mismatch", "unmatched_rule")  # one place may have several
ROOT = Path(__file__).parents[2]


def month_of(world: World, server: Any, folder: Path, period: Period) -> Month:
    """The demo book, read from this server into a folder of its own."""
    params = (ROOT / "params/demo.yaml").read_text("utf-8")
    (folder / "params/rules").mkdir(parents=True, exist_ok=True)
    (folder / "params/demo.yaml").write_text(params, "utf-8")
    (folder / "params/rules/default.yaml").write_bytes((ROOT / "params/rules/default.yaml").read_bytes())
    month = open_month(folder / "params/demo.yaml", str(period), environ=server.environ, now=lambda: server.now)
    found = sandbox_sources(server)
    sources = {name: source.model_copy(update=found[name]) for name, source in month.params.sources.items()}
    return Month(
        month.params.model_copy(update={"sources": sources}),
        month.params_path,
        month.period,
        month.as_of,
        month.rules,
        month.root,
        month.environ,
        month.now,
    )


def decide(month: Month, rows: Iterable[dict[str, str]]) -> None:
    """The analyst's mapping decisions, from a CSV."""
    rows = list(rows)
    path = month.workspace / f"answers-{month.period}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=sorted({name for row in rows for name in row}))
        writer.writeheader()
        writer.writerows(rows)
    mapped = map_month(month)
    with open_ledger(month.ledger_url) as ledger:
        imported = import_decisions(
            ledger,
            path,
            book=month.params.book,
            period=month.period,
            who="sandbox analyst",
            at=month.now(),
            clients=read_stage(month, "clients"),
            services=read_stage(month, "services"),
            findings=compare_month(month).findings,
            accounts=mapped.accounts,
            products=mapped.products,
        )
    assert not imported.rejects, imported.rejects


def place(row: Any) -> tuple[str, ...]:
    """Where a finding or label is, source left out where the place is a client and service."""
    get = row.get if isinstance(row, dict) else lambda name: getattr(row, name)
    rule = (get("rule") or "") if get("kind") in BY_RULE else ""
    return (*("" if name == "source" and get("kind") in BY_CELL else (get(name) or "") for name in KEY), rule)


def same(found: Decimal | None, planted: Decimal | None) -> bool:
    """Equal to the cent, or both unknown."""
    return (found is None) == (planted is None) and (found or Decimal(0)) == (planted or Decimal(0))


def read(world: World, folder: Path) -> dict[tuple[str, ...], dict[str, Any]]:
    """Findings of one month, by place, read over HTTP with the analyst's decisions entered; no two in one place."""
    with serve(world) as server:
        month = month_of(world, server, folder, world.period)
        assert {row["status"] for row in sync_month(month).to_pylist()} == {"complete"}
        decide(month, answers(world))
    rows = compare_month(month).findings.to_pylist()
    findings = {place(row): row for row in rows}
    assert len(findings) == len(rows)
    return findings


def hold_against(world: World, findings: dict[tuple[str, ...], dict[str, Any]], months_before: int) -> set[str]:
    """Everything planted is found, nothing else, every quantity and amount exact; the kinds that were planted."""
    planted = {place(label): label for label in labels(world, months_before)}
    assert len(planted) == len(labels(world, months_before)) > 0
    missed = sorted(planted.keys() - findings.keys())
    invented = sorted((*key, findings[key]["explanation"]) for key in findings.keys() - planted.keys())
    assert (missed, invented) == ([], [])
    wrong = [
        (key, name, findings[key][name], getattr(label, name))
        for key, label in planted.items()
        for name in ("variance_qty", *MONEY_KINDS)
        if not same(findings[key][name], getattr(label, name))
    ]
    assert wrong == []
    return {label.kind for label in planted.values()}


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_every_planted_discrepancy_and_nothing_else(seed: int, tmp_path: Path) -> None:
    kinds: set[str] = set()
    for months_before, period in enumerate(MONTHS):
        world = make_world(seed, CLIENTS, period)
        kinds |= hold_against(world, read(world, tmp_path), months_before)
    assert kinds == set(KINDS)


@pytest.mark.slow
def test_an_invoice_that_does_not_add_up_is_named_and_the_others_are_audited(tmp_path: Path) -> None:
    """A week after the month the invoices are out; before that there was a draft without a head."""
    world = make_world(SEEDS[0], CLIENTS, MONTHS[-1])
    late = replace(world, now=world.now + timedelta(days=4))
    findings = read(late, tmp_path)
    hold_against(late, findings, 0)
    stopped = [row for row in findings.values() if row["rule"] == "vendor_audit.invoice_sum"]
    assert [(row["source"], row["cost_impact"]) for row in stopped] == [("pax8", None)]
    assert len([row for row in findings.values() if row["kind"] == "vendor_invoice_mismatch"]) > 1


def test_the_sandbox_reads_every_connector() -> None:
    assert {"connectwise_psa", "pax8", "msgraph", "ninjaone", "huntress"} <= set(CONNECTORS)
