"""The steps of a month, one direction only (DESIGN section 3): sync, mapping, comparison, sign-off.

Each reads its inputs from disk, writes its product to ``<workspace>/periods/<period>/<step>/`` and returns it, so that any step can be
run again from what stands there. The stages themselves are pure and know nothing of disk, network or clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconlib.errors import ReconError, SignOffError, VendorError
from reconlib.month import STEPS, Month, first_pass, has_stage, month_events, month_hashes, month_state, read_stage, write_step
from reconlib.schema import CANONICAL, REJECTS, ROLL_FORWARD, SOURCE_STATUS, make_table
from reconlib.settings import read_yaml

if TYPE_CHECKING:
    from datetime import date

    import pyarrow as pa

    from reconlib.pipeline import Inputs
    from reconlib.review import MappingDecision
    from reconlib.signoff import Gate, PeriodState


HISTORY_MONTHS = 6  # how far back a count is compared with its own past
_ATTRIBUTE = {"comparison": "cells"}  # of Compared, where the table is called something else


@dataclass(frozen=True, slots=True)
class Mapped:
    """Product of the mapping step."""

    accounts: pa.Table
    products: pa.Table


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


def build_canonical(month: Month) -> dict[str, pa.Table]:
    """Canonical tables of the month, as the sync step left them.

    Raises:
        DataError: the sync step has not run.
        VendorError: the PSA could not be read: without agreement lines nothing can be compared.
    """
    status = read_stage(month, "source_status")
    for row in status.to_pylist():
        if row["status"] != "complete" and _gives_lines(month, row["source"]):
            hint = "mend the PSA source and run the sync step again; until then nothing can be compared"
            raise VendorError(f"the PSA could not be read: {row['error']}", where=f"source {row['source']}", hint=hint)
    return {name: read_stage(month, name) for name in CANONICAL}


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


def standing_mapping(month: Month) -> dict[tuple[str, str, str], MappingDecision]:
    """What people decided about accounts and products: what this month knows of, or what params say it is run with (T31)."""
    from reconlib.review import mapping_decisions

    return mapping_decisions(month_events(month), as_of=month.as_of, period=month.mapping_period)


def around_mapping(month: Month) -> dict[str, Any]:
    """What a mapping is held against beside its own tables: last month's, and what params say of accounts and of products' names."""
    from reconlib.aliases import read_aliases

    last = [read_stage(month.previous, name) for name in STEPS["mapping"] if has_stage(month.previous, name)]
    one_each = frozenset(name for name, source in month.params.sources.items() if source.accounts_per_client == "one")
    aliases = read_aliases(*(month.root / path for path in month.params.aliases))
    return {"before": tuple(last) if len(last) == len(STEPS["mapping"]) else None, "one_each": one_each, "aliases": aliases}


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


def stage_inputs(month: Month, mapped: Mapped) -> Inputs:
    """All that the month's numbers rest on, beside its rules, as it stands on disk."""
    from reconlib.pipeline import Inputs
    from reconlib.rates import make_rates

    before = month.previous
    back = max((_months_back(month, rule.high_water_since) for rule in month.rules.services.values()), default=1)
    return Inputs(
        book=month.params.book,
        period=month.period,
        as_of=month.as_of,
        currency=month.params.currency,
        tables=build_canonical(month),
        status=read_stage(month, "source_status"),
        accounts=mapped.accounts,
        products=mapped.products,
        rejects=read_stage(month, "rejects"),
        previous=read_stage(before, "findings") if has_stage(before, "findings") else None,
        earlier_counts=_earlier(month, "counts", back),
        history=_earlier(month, "comparison", HISTORY_MONTHS),
        matched_before=frozenset(read_stage(before, "record_buckets")["rule"].drop_null().to_pylist())
        if has_stage(before, "record_buckets")
        else frozenset(),
        rates=make_rates(month.params.rates, params_file=str(month.params_path)),
        engine=month.engine,
    )


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
    moved = moved_products(month.rules, build_canonical(month))
    charged = sum_charges(read_stage(month, "vendor_charges"), accounts, products, moved)
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


def _earlier(month: Month, name: str, months: int) -> tuple[pa.Table, ...]:
    """A table of the months before, newest first, as far back without a break as it stands on disk."""
    found = []
    for _ in range(months):
        month = month.previous
        if not has_stage(month, name):
            break
        found.append(read_stage(month, name))
    return tuple(found)


def _months_back(month: Month, since: date | None) -> int:
    if since is None:
        return 1
    return max(1, (month.period.year - since.year) * 12 + month.period.month - since.month)


def _earlier_records(month: Month) -> dict[str, int]:
    if not has_stage(month.previous, "source_status"):
        return {}
    return {row["source"]: row["records"] for row in read_stage(month.previous, "source_status").to_pylist()}


def _gives_lines(month: Month, source: str) -> bool:
    from reconlib.connectors import CONNECTORS
    from reconlib.connectors.profile import Profile

    configured = month.params.sources[source]
    if CONNECTORS[configured.connector].role == "psa":
        return True
    return configured.profile is not None and read_yaml(month.root / configured.profile, Profile).table == "agreement_lines"
