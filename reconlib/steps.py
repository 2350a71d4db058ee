"""The steps of a month, one direction only: sync, mapping, comparison, sign-off.

Each reads its inputs from disk, writes its product to ``<workspace>/periods/<period>/<step>/`` and returns it, so that any step can be
run again from what stands there. The stages themselves are pure and know nothing of disk, network or clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconlib.errors import ReconError, SettingsError, SignOffError, nearest
from reconlib.inputs import Mapped, around_mapping, build_canonical, gives_lines, stage_inputs, standing_mapping
from reconlib.month import STEPS, Month, first_pass, has_stage, month_events, month_hashes, month_state, read_stage, write_step
from reconlib.schema import REJECTS, ROLL_FORWARD, SOURCE_STATUS, make_table

if TYPE_CHECKING:
    import pyarrow as pa

    from reconlib.signoff import Gate, PeriodState


_ATTRIBUTE = {"comparison": "cells"}  # of Compared, where the table is called something else


@dataclass(frozen=True, slots=True)
class Compared:
    """Product of the comparison step."""

    cells: pa.Table
    line_buckets: pa.Table
    record_buckets: pa.Table
    counts: pa.Table
    findings: pa.Table  # decisions applied
    vendor_audit: pa.Table


@dataclass(frozen=True, slots=True)
class SignOffState:
    """Product of the sign-off step: is the month ready, and what will change."""

    gates: tuple[Gate, ...]
    findings: pa.Table
    changes: pa.Table  # planned by this month's approvals
    verified: pa.Table  # last month's changes, checked against this month's PSA
    state: PeriodState
    hashes: dict[str, str]  # what a signature stands for

    @property
    def is_ready(self) -> bool:
        """Whether the preparer may sign."""
        return all(gate.ok for gate in self.gates)


def sync_month(month: Month, *, refresh: bool = False, sleep: Callable[[float], None] | None = None) -> pa.Table:
    """Every source into a snapshot and canonical tables; a source that fails is marked, the others carry on.

    A complete snapshot of the period is used again unless ``refresh``. Returns SOURCE_STATUS.

    Raises:
        SettingsError: a source names no connector, or none gives agreement lines.
        SignOffError: the month is signed, and the sources would change it.
        DataError: the pass after invoicing, of a month that was not compared before it.
    """
    from reconlib.canonical import normalize_snapshots, read_rows
    from reconlib.signoff import refuse_refresh
    from reconlib.sync import sync_source

    if month.is_post_invoice:
        first_pass(month)
    elif refresh:
        refuse_refresh(month_state(month), month.period)
    if month.as_signed:
        return read_stage(month, "source_status")
    _check_sources(month)
    rows: dict[str, dict[str, list[dict[str, Any]]]] = {}
    rejects: list[dict[str, Any]] = []
    status = []
    earlier = _earlier_records(month)
    for name, source in sorted(month.params.sources.items()):
        result = sync_source(
            name,
            source,
            snapshots_root=month.snapshots,
            root=month.root,
            period=month.period,
            as_of=month.as_of,
            environ=month.environ,
            now=month.now,
            sleep=sleep,
            refresh=refresh,
        )
        error, state, exit_code = result.error, result.status, result.exit_code
        found: dict[str, list[dict[str, Any]]] = {}
        bad: list[dict[str, Any]] = []
        if result.snapshot is not None and state == "complete":
            try:
                found, bad = read_rows(name, source.connector, result.snapshot)
            except ReconError as fault:
                error, state, exit_code = str(fault), "failed", fault.exit_code
        rows[name], rejects = found, rejects + bad
        status.append(
            {
                "source": name,
                "connector": source.connector,
                "status": state,
                "snapshot_id": result.snapshot.id if result.snapshot else None,
                "as_of_at": result.as_of_at,
                "pages": result.pages,
                "records": sum(len(part) for part in found.values()),
                "previous_records": earlier.get(name),
                "rejects": len(bad),
                "error": error or None,
                "exit_code": exit_code,
            }
        )
    tables = normalize_snapshots(rows)
    made = {"source_status": make_table(SOURCE_STATUS, status), "rejects": make_table(REJECTS, rejects), **tables}
    write_step(month, "sync", made)
    return made["source_status"]


def map_month(month: Month) -> Mapped:
    """Which client every vendor account belongs to and which service every product counts for, decisions applied; put in place."""
    mapped = suggest_month(month)
    if not month.as_signed:
        write_step(month, "mapping", {"account_mapping": mapped.accounts, "product_mapping": mapped.products})
    return mapped


def suggest_month(month: Month) -> Mapped:
    """The mapping as it would be made now, with everything decided so far; nothing is written."""
    from reconlib.pipeline import map_vendors

    if month.as_signed:
        return Mapped(*(read_stage(month, name) for name in STEPS["mapping"]))
    tables, status = build_canonical(month), read_stage(month, "source_status")
    decisions = standing_mapping(month)
    accounts, products = map_vendors(
        *(tables, status, decisions, month.rules), as_of=month.as_of, engine=month.engine, **around_mapping(month)
    )
    return Mapped(accounts, products)


def compare_month(month: Month) -> Compared:
    """Counts, comparison and ranked findings of the month under its rules, mapping and decisions."""
    from reconlib.pipeline import run_stages
    from reconlib.review import apply_finding_decisions

    if month.as_signed:
        return Compared(*(read_stage(month, name) for name in STEPS["comparison"]))
    made = run_stages(stage_inputs(month, map_month(month)), month.rules)
    findings = apply_finding_decisions(made.findings, month_events(month), period=month.period, as_of=month.as_of)
    compared = Compared(made.compared.cells, made.compared.line_buckets, made.counted.buckets, made.counted.counts, findings, made.audit)
    write_step(month, "comparison", {name: getattr(compared, _ATTRIBUTE.get(name, name)) for name in STEPS["comparison"]})
    return compared


def roll_forward_month(month: Month) -> pa.Table:
    """What moved since the pass before invoicing, client by client and service by service; empty before invoicing. Returns ROLL_FORWARD.

    Raises:
        DataError: the month was not compared before invoicing.
        SignOffError: what was signed then is not what stands on disk.
        TieOutError: what moved does not lead from the one pass to the other.
    """
    from reconlib.product_overrides import moved_products
    from reconlib.roll_forward import Pass, roll_forward, sum_charges

    if not month.is_post_invoice:
        return make_table(ROLL_FORWARD, [])
    first, compared = first_pass(month), compare_month(month)
    accounts, products = (read_stage(month, name) for name in ("account_mapping", "product_mapping"))
    elsewhere = moved_products(month.rules, build_canonical(month))
    charged = sum_charges(read_stage(month, "vendor_charges"), accounts, products, elsewhere)
    before = Pass(read_stage(first, "comparison"), read_stage(first, "counts"))
    moved = roll_forward(before, Pass(compared.cells, compared.counts), charged)
    write_step(month, "roll_forward", {"roll_forward": moved})
    return moved


def prepare_sign_off(month: Month) -> SignOffState:
    """Gates, planned changes, last month's changes verified, and who has signed. Signs nothing.

    Raises:
        SignOffError: the month is signed, and what stands on disk, or would be written, is not what was signed; or this is the pass after
            invoicing, which nobody signs.
    """
    if month.is_post_invoice:
        hint = "what is signed is the pass before invoicing; what came after it is proposed for the next invoice (T114)"
        raise SignOffError("the pass after invoicing is not signed", where=f"{month.period} post_invoice", hint=hint)
    from decimal import Decimal

    from reconlib.changes import plan_changes, planned_changes, verify_changes
    from reconlib.signoff import check_gates, check_unchanged, period_state

    compared = compare_month(month)
    tables, events = build_canonical(month), month_events(month)
    if month.as_signed:
        changes, verified = (read_stage(month, name) for name in STEPS["sign_off"])
    else:
        book, lines, agreements = month.params.book, tables["agreement_lines"], tables["agreements"]
        changes = plan_changes(
            *(compared.findings, lines, agreements, compared.line_buckets, events),
            book=book,
            period=month.period,
            proration=month.rules.proration,
            modelled=frozenset(
                row["service_id"]
                for row in tables["services"].to_pylist()
                if (rule := month.rules.services.get(row["service_code"])) and rule.price is not None
            ),
        )
        verified = verify_changes(planned_changes(events, before=month.period), lines, agreements, as_of=month.as_of)
    gates = check_gates(
        status=read_stage(month, "source_status"),
        accounts=read_stage(month, "account_mapping"),
        products=read_stage(month, "product_mapping"),
        findings=compared.findings,
        events=events,
        materiality=Decimal(month.params.materiality),
        currency=month.params.currency,
        as_of=month.as_of,
        period=month.period,
        mapping_period=month.mapping_period,
        overrides=(*month.rules.overrides, *month.rules.product_overrides),
    )
    if not month.as_signed:
        write_step(month, "sign_off", {"changes": changes, "verified_changes": verified})
    state, hashes = period_state(events, month.params.book, month.period), month_hashes(month)
    check_unchanged(state, hashes)
    return SignOffState(gates, compared.findings, changes, verified, state, hashes)


def _check_sources(month: Month) -> None:
    """Before any source is read: a book without a PSA would bill nothing, and look settled."""
    from reconlib.connectors import CONNECTORS

    for name, source in month.params.sources.items():
        if source.connector not in CONNECTORS:
            where, hint = f"{month.params_path}: sources.{name}.connector", nearest(source.connector, CONNECTORS)
            raise SettingsError(f"{source.connector!r} is no connector", where=where, hint=hint)
    if not any(gives_lines(month, name) for name in month.params.sources):
        hint = "name the PSA, or an export whose profile says table: agreement_lines; without lines there is nothing to compare with"
        raise SettingsError("no source gives agreement lines", where=f"{month.params_path}: sources", hint=hint)


def _earlier_records(month: Month) -> dict[str, int]:
    if not has_stage(month.previous, "source_status"):
        return {}
    return {row["source"]: row["records"] for row in read_stage(month.previous, "source_status").to_pylist()}
