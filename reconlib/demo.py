"""The made-up MSP as a book: its sandbox beside the month that reads it, and two months run from sync to change file.

Only a book whose params say ``sandbox`` is touched; a real book passes through unchanged. Which client an account belongs to, and what a
product counts for, is the sandbox's own answer, as an analyst knows it who can ask; findings are decided by their kind and amount alone.
The labels, which say what is planted wrong, are never read here. Page 10 imports this module, so what only a whole run needs is imported
by it.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconlib.errors import DataError
from reconlib.month import Month, month_events, open_month
from reconlib.steps import compare_month, sync_month

if TYPE_CHECKING:
    from reconlib.monthly import RunResult
    from reconlib.sandbox.server import Server

PARAMS = "params/demo.yaml"
ANALYST, PREPARER, REVIEWER = "demo analyst", "demo preparer", "demo reviewer"
REVIEW_AFTER_DAYS = 14  # what the demo sets aside comes back in the month after

_RUNNING: dict[tuple[int, int, str], Server] = {}  # one sandbox a process and month


def start_sandbox(month: Month) -> Month:
    """The month with its sandbox running in this process, read under the sandbox's clock; a real book as it is.

    Addresses the params name are kept, so that a demo book can be pointed at vendors that misbehave.
    """
    wanted = month.params.sandbox
    if wanted is None:
        return month
    server = _run_server(wanted.seed, wanted.clients, month)
    return replace(
        month,
        params=month.params.model_copy(update={"sources": _fill_addresses(month, server)}),
        environ={**server.environ, **month.environ},
        now=lambda: server.now,
    )


def _run_server(seed: int, clients: int, month: Month) -> Server:
    from reconlib.sandbox.server import DEFAULT_PORT, serve
    from reconlib.sandbox.world import make_world

    key = (seed, clients, str(month.period))
    if key not in _RUNNING:
        context = ExitStack()
        _RUNNING[key] = context.enter_context(serve(make_world(seed, clients, month.period), DEFAULT_PORT + seed % 1000))
        atexit.register(context.close)  # while its thread still runs; later it would wait for ever
    return _RUNNING[key]


def _fill_addresses(month: Month, server: Server) -> dict[str, Any]:
    from reconlib.sandbox.server import sandbox_sources

    found = sandbox_sources(server)
    return {
        name: source if source.base_url or name not in found else source.model_copy(update=found[name])
        for name, source in month.params.sources.items()
    }


def run_demo(say: Callable[[str], None], params_file: str | Path = PARAMS) -> RunResult:
    """Two months: the first decided, signed, approved and turned into a change file; the second left as a draft to decide.

    Running it again changes nothing.
    """
    from reconlib.monthly import run_month
    from reconlib.signoff import period_state

    last = open_month(params_file)
    first = start_sandbox(last.previous)
    if period_state(month_events(first), first.params.book, first.period).state != "approved":
        say(f"{first.period}: reading the sandbox, deciding what its analyst would")
        _settle(first)
    say(f"{first.period}: signed by {PREPARER}, approved by {REVIEWER}")
    signed = run_month(params_file, str(first.period), say=say)
    say(f"{first.period}: {signed.folder / 'index.html'}")
    say(f"{last.period}: reading the sandbox a month later")
    _decide_mappings(start_sandbox(last))
    draft = run_month(params_file, str(last.period), say=say)
    say(f"{last.period} is a draft: its findings wait for you (recon review {params_file})")
    say(f"report: {draft.folder / 'index.html'}")
    return draft


def _settle(month: Month) -> None:
    from reconlib.people import sign_month
    from reconlib.signoff import period_state

    if period_state(month_events(month), month.params.book, month.period).state != "signed":
        _decide_mappings(month)
        _decide_findings(month)
        sign_month(month, role="preparer", who=PREPARER, at=month.now())
    sign_month(month, role="reviewer", who=REVIEWER, at=month.now())


def _decide_mappings(month: Month) -> None:
    from reconlib.sandbox.labels import answers
    from reconlib.sandbox.world import make_world

    assert month.params.sandbox is not None
    sync_month(month)
    world = make_world(month.params.sandbox.seed, month.params.sandbox.clients, month.period)
    until = str(date(month.period.year + 1, 6, 30))  # an exclusion needs a day it is looked at again (T130)
    _import(month, "mappings", [row | ({"until": until} if row["decision"] == "exclude" else {}) for row in answers(world)])


def _decide_findings(month: Month) -> None:
    from reconlib.review import CHANGE_KINDS

    review_by = month.period.next.start + timedelta(days=REVIEW_AFTER_DAYS)
    _import(month, "findings", [_decision(row, review_by, CHANGE_KINDS) for row in compare_month(month).findings.to_pylist()])


def _decision(finding: Mapping[str, Any], review_by: date, billing_kinds: Collection[str]) -> dict[str, str]:
    """What the demo's analyst decides: billing differences are approved, what nobody can bill yet is set aside with a reason."""
    row = {"relation": "finding", "finding_id": finding["finding_id"]}
    if finding["kind"] in billing_kinds and finding["monthly_impact"] is not None:
        return row | {"decision": "approve", "cause": "real quantity gap", "reason": "count checked at the vendor"}
    if finding["kind"] in ("unmapped_account", "unmapped_service"):
        reason = "asked the account manager whose it is"
        return row | {"decision": "exclude", "until": str(review_by), "cause": "client mapping", "reason": reason}
    return row | {"decision": "dismiss", "cause": "unknown", "reason": "looked at; nothing to bill this month"}


def _import(month: Month, name: str, rows: list[dict[str, str]]) -> None:
    from reconlib.people import import_month_decisions
    from reconlib.review import write_queue

    file = month.workspace / "decisions" / f"{month.period}-{name}.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    write_queue(file, rows)
    done = import_month_decisions(month, file, who=ANALYST, at=month.now())
    if done.rejects:
        fault = done.rejects[0]
        raise DataError(f"row {fault.row}, {fault.column}: {fault.reason}", where=str(file), hint=fault.hint)
