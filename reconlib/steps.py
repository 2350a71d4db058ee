"""The steps of a month, one direction only (DESIGN section 3): sync, mapping, comparison, sign-off.

Each reads its inputs from disk, writes its product to ``<workspace>/periods/<period>/<step>/`` in one rename, and returns it, so that
any step can be run again from what stands there. The stages themselves are pure and know nothing of disk, network or clock.

What stands in a signed month is never replaced (T129): a step that would change it is refused, one that would not writes nothing.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconlib.errors import DataError, ReconError, SettingsError, SignOffError, VendorError
from reconlib.locks import hold_lock
from reconlib.period import Period
from reconlib.rules import Rules, read_rules
from reconlib.schema import CANONICAL, CHANGES, REJECTS, SOURCE_STATUS, STAGES, make_table
from reconlib.settings import Params, billing_period, read_environ, read_ledger_url, read_params, read_yaml

if TYPE_CHECKING:
    import pyarrow as pa

    from reconlib.ledger import Event
    from reconlib.signoff import Gate, PeriodState

STEPS = {
    "sync": ("source_status", "rejects", *CANONICAL),
    "mapping": ("account_mapping", "product_mapping"),
    "comparison": ("comparison", "line_buckets", "record_buckets", "counts", "findings"),
    "sign_off": ("changes", "verified_changes"),
}
NOTEBOOK_OF = {"sync": "10_sync", "mapping": "20_mapping_review", "comparison": "30_comparison", "sign_off": "40_sign_off"}
AS_SIGNED = "RECON_AS_SIGNED"  # environment of the pages of a signed month: the period whose products are shown as they were signed
_STEP_OF = {name: step for step, names in STEPS.items() for name in names}


@dataclass(frozen=True, slots=True)
class Month:
    """One billing month of one book: what people wrote about it, and where it stands on disk."""

    params: Params
    params_path: Path  # relative to root
    period: Period
    as_of: date
    rules: Rules
    root: Path  # folder the relative paths in params start from
    environ: Mapping[str, str] = field(repr=False)  # holds secrets: never shown
    now: Callable[[], datetime] = field(repr=False)
    as_signed: bool = False  # steps give what was signed: nothing is read from a source, nothing is made anew

    @property
    def workspace(self) -> Path:
        """Folder of snapshots, step products and ledger."""
        return self.root / self.params.workspace_dir

    @property
    def ledger_url(self) -> str:
        """SQLAlchemy address of the ledger, absolute."""
        return read_ledger_url(self.params, self.workspace, self.environ)

    @property
    def previous(self) -> Month:
        """The same book a month earlier."""
        earlier = self.period.previous
        return replace(self, period=earlier, as_of=earlier.end, as_signed=False)

    def folder(self, step: str) -> Path:
        """Where a step's product stands."""
        return self.workspace / "periods" / str(self.period) / step

    @property
    def lock(self) -> Path:
        """Lock of everything that writes the month: a run, a signature, a reopening."""
        return self.workspace / "locks" / f"{self.period}.lock"

    @property
    def steps_lock(self) -> Path:
        """Lock of putting one step in place; a run's pages take it while the run holds the month's lock."""
        return self.workspace / "locks" / f"{self.period}.steps.lock"


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


def open_month(
    params_file: str | Path, period: str = "", *, environ: Mapping[str, str] | None = None, now: Callable[[], datetime] | None = None
) -> Month:
    """The month to work on. ``params_file`` is looked for in the working folder and every folder above it.

    Raises:
        SettingsError: params, rules or period are wrong.
    """
    root = _root_of(Path(params_file))
    path = root / params_file
    params = read_params(path)
    clock = now or _utc_now
    month = billing_period(params, period, clock().date())
    as_of = min(month.end, max(month.start, clock().date()))  # a month that still runs is read as of today
    if params.as_of:
        try:
            as_of = date.fromisoformat(params.as_of)
        except ValueError:
            raise SettingsError(f"as_of {params.as_of!r} is not a day", where=str(params_file), hint="write it as 2026-10-31") from None
        if not month.start <= as_of <= month.end:
            raise SettingsError(f"as_of {as_of} lies outside {month}", where=str(params_file), hint="both sides must cover one period (T2)")
    values = read_environ(os.environ if environ is None else environ, root)
    rules = read_rules(root / rule for rule in params.rules)
    opened = Month(params, path.relative_to(root), month, as_of, rules, root, values, clock)
    return as_signed(opened) if values.get(AS_SIGNED) == str(month) else opened


def hold_month(month: Month, say: Callable[[str], None] = lambda _: None) -> AbstractContextManager[int]:
    """The month's lock, for whatever must not interleave with a run of it; waits for the one that holds it.

    Raises:
        SettingsError: that one does not end.
    """
    return hold_lock(month.lock, say)


def hold_steps(month: Month) -> AbstractContextManager[int]:
    """The lock under which a step is put in place: while it is held, what stands on disk stays."""
    return hold_lock(month.steps_lock)


def month_state(month: Month) -> PeriodState:
    """How far the month is, from its ledger."""
    from reconlib.ledger import open_ledger
    from reconlib.signoff import period_state

    with open_ledger(month.ledger_url) as ledger:
        events = ledger.events(book=month.params.book, period=str(month.period))
    return period_state(events, month.params.book, month.period)


def as_signed(month: Month) -> Month:
    """The month with its steps giving what was signed, read from disk; a month nobody has signed as it is."""
    return replace(month, as_signed=month_state(month).state in ("signed", "approved"))


def sync_month(month: Month, *, refresh: bool = False, sleep: Callable[[float], None] | None = None) -> pa.Table:
    """Every source into a snapshot and canonical tables; a source that fails is marked, the others carry on.

    A complete snapshot of the period is used again unless ``refresh``. Returns SOURCE_STATUS.

    Raises:
        SignOffError: the month is signed, and the sources would change it.
    """
    from reconlib.canonical import normalize_snapshots, read_rows
    from reconlib.signoff import refuse_refresh
    from reconlib.sync import sync_source

    if refresh:
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
            snapshots_root=month.workspace / "snapshots",
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
    _write_step(month, "sync", made)
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
    """Which client every vendor account belongs to and which service every product counts for, decisions applied."""
    from reconlib.mapping import measure_stakes, suggest_accounts, suggest_products
    from reconlib.review import mapping_decisions

    if month.as_signed:
        return Mapped(*(read_stage(month, name) for name in STEPS["mapping"]))
    tables = build_canonical(month)
    decisions = mapping_decisions(month_events(month), as_of=month.as_of, period=month.period)
    connectors = {name: source.connector for name, source in month.params.sources.items()}
    on_accounts, on_products = measure_stakes(tables, as_of=month.as_of)
    accounts = suggest_accounts(tables["clients"], tables["vendor_accounts"], decisions, on_accounts)
    products = suggest_products(
        tables["services"], tables["vendor_products"], decisions, on_products, rules=month.rules, connectors=connectors
    )
    _write_step(month, "mapping", {"account_mapping": accounts, "product_mapping": products})
    return Mapped(accounts, products)


def compare_month(month: Month) -> Compared:
    """Counts, comparison and ranked findings of the month under its rules, mapping and decisions."""
    from reconlib.comparison import compare_quantities
    from reconlib.counting import count_units
    from reconlib.findings import find_differences
    from reconlib.review import apply_finding_decisions

    if month.as_signed:
        return Compared(*(read_stage(month, name) for name in STEPS["comparison"]))
    mapped = map_month(month)
    tables, status = build_canonical(month), read_stage(month, "source_status")
    counts, buckets, unmatched = count_units(tables, mapped.accounts, mapped.products, status, month.rules, as_of=month.as_of)
    both, currency = (mapped.accounts, mapped.products), month.params.currency
    cells, lines, judged = compare_quantities(
        tables, counts, both, status, month.rules, period=month.period, as_of=month.as_of, currency=currency
    )
    findings = find_differences(
        judged,
        counts,
        buckets,
        both,
        book=month.params.book,
        period=str(month.period),
        currency=currency,
        names={
            "clients": {row["client_id"]: row["client_name"] for row in tables["clients"].to_pylist()},
            "services": {row["service_id"]: row["service_name"] for row in tables["services"].to_pylist()},
        },
        previous=read_stage(month.previous, "findings") if has_stage(month.previous, "findings") else None,
        rejects=read_stage(month, "rejects"),
        unmatched=unmatched,
    )
    findings = apply_finding_decisions(findings, month_events(month), period=month.period, as_of=month.as_of)
    made = Compared(cells, lines, buckets, counts, findings)
    _write_step(
        month,
        "comparison",
        {"comparison": cells, "line_buckets": lines, "record_buckets": buckets, "counts": counts, "findings": findings},
    )
    return made


def prepare_sign_off(month: Month) -> SignOffState:
    """Gates, planned changes, last month's changes verified, and who has signed. Signs nothing.

    Raises:
        SignOffError: the month is signed, and what stands on disk, or would be written, is not what was signed.
    """
    from decimal import Decimal

    from reconlib.changes import plan_changes, planned_changes, verify_changes
    from reconlib.signoff import check_gates, check_unchanged, period_state

    compared = compare_month(month)
    tables, events = build_canonical(month), month_events(month)
    if month.as_signed:
        changes, verified = (read_stage(month, name) for name in STEPS["sign_off"])
    else:
        book, lines, agreements = month.params.book, tables["agreement_lines"], tables["agreements"]
        changes = plan_changes(compared.findings, lines, agreements, compared.line_buckets, events, book=book, period=month.period)
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
        overrides=month.rules.overrides,
    )
    if not month.as_signed:
        _write_step(month, "sign_off", {"changes": changes, "verified_changes": verified})
    state, hashes = period_state(events, month.params.book, month.period), month_hashes(month)
    check_unchanged(state, hashes)
    return SignOffState(gates, compared.findings, changes, verified, state, hashes)


def month_events(month: Month) -> list[Event]:
    """Every event of the book in its ledger, oldest first; none when there is no ledger yet."""
    from reconlib.ledger import open_ledger

    with open_ledger(month.ledger_url) as ledger:
        return ledger.events(book=month.params.book)


def month_hashes(month: Month) -> dict[str, str]:
    """What a signature stands for: sha256 of params, rules and every step product, as they stand at one moment (T127)."""
    files = [month.root / month.params_path, *(month.root / rule for rule in month.params.rules)]
    with hold_steps(month):
        hashes = {path.relative_to(month.root).as_posix(): _sha256(path.read_bytes()) for path in files}
        for step, names in STEPS.items():
            standing = {name: month.folder(step) / f"{name}.parquet" for name in names if has_stage(month, name)}
            hashes |= {name: _sha256(path.read_bytes()) for name, path in standing.items()}
    return hashes


def has_stage(month: Month, name: str) -> bool:
    """Whether a table of the month has been made."""
    from reconlib.products import has_table

    return has_table(month.folder(_STEP_OF[name]), name, lock=month.steps_lock)


def read_stage(month: Month, name: str) -> pa.Table:
    """One table of the month as its step left it.

    Raises:
        DataError: that step has not run.
    """
    from reconlib.products import read_table

    if not has_stage(month, name):
        step = _STEP_OF[name]
        hint = f"run the {step} step first: notebook {NOTEBOOK_OF[step]}, or recon run"
        raise DataError(f"{name} of {month.period} is not there", where=step, hint=hint)
    return read_table(month.folder(_STEP_OF[name]), name, lock=month.steps_lock)


def read_month_before(month: Month) -> dict[str, pa.Table]:
    """Canonical tables of the month before, to see what changed; empty ones where that month was never read."""
    before = month.previous
    return {name: read_stage(before, name) if has_stage(before, name) else make_table(CANONICAL[name], []) for name in CANONICAL}


def _write_step(month: Month, step: str, tables: Mapping[str, pa.Table]) -> None:
    from reconlib.products import write_product

    schemas = {**STAGES, **CANONICAL, "verified_changes": CHANGES}
    chosen = {name: table.select(schemas[name].names()) for name, table in tables.items()}

    def refuse_signed(changed: Sequence[str], made: Mapping[str, bytes]) -> None:
        state = month_state(month)
        if state.state not in ("signed", "approved") or all(state.hashes.get(name) == _sha256(data) for name, data in made.items()):
            return  # what was signed may be put back where it is gone
        raise SignOffError(
            f"{month.period} v{state.version} is {state.state}, and this would change {', '.join(changed)}",
            where=f"{step} step",
            hint="what was signed stands; reopen the month with a reason first: recon reopen",
        )

    write_product(month.folder(step), chosen, lock=month.steps_lock, check=refuse_signed)


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


def _root_of(params_file: Path) -> Path:
    if params_file.is_absolute():
        return next((p for p in params_file.parents if p.name != "params"), params_file.parent)
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / params_file).is_file():
            return folder
    raise SettingsError(
        f"no file {params_file}", where=str(Path.cwd()), hint="start in the project's folder, or give the path of the params"
    )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _utc_now() -> datetime:
    return datetime.now(UTC)
