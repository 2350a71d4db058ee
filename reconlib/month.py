"""One billing month of one book: its params, its clock, its folder, and the tables its steps left there.

A step's product is written under a lock, in one rename, and read back by name. What stands in a signed month is never replaced (T129).
A month is read twice (T7): before invoicing, which is what people sign, and after it, about the 8th, in folders of its own.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, get_args

from reconlib.engine import Engine
from reconlib.errors import DataError, SettingsError, SignOffError, nearest
from reconlib.locks import hold_lock
from reconlib.period import Period, parse_period
from reconlib.rules import Rules, read_rules
from reconlib.schema import CANONICAL, CHANGES, ROLL_FORWARD, STAGES, make_table
from reconlib.settings import Params, billing_period, read_environ, read_ledger_url, read_params

if TYPE_CHECKING:
    import pyarrow as pa

    from reconlib.ledger import Event
    from reconlib.signoff import PeriodState

STEPS = {
    "sync": ("source_status", "rejects", *CANONICAL),
    "mapping": ("account_mapping", "product_mapping"),
    "comparison": ("comparison", "line_buckets", "record_buckets", "counts", "findings", "vendor_audit"),
    "sign_off": ("changes", "verified_changes"),
}
NOTEBOOK_OF = {"sync": "10_sync", "mapping": "20_mapping_review", "comparison": "30_comparison", "sign_off": "40_sign_off"}
AS_SIGNED = "RECON_AS_SIGNED"  # environment of the pages of a signed month: the period whose products are shown as they were signed
_STEP_OF = {name: step for step, names in STEPS.items() for name in names} | {"roll_forward": "roll_forward"}
Moment = Literal["pre_invoice", "post_invoice"]
AHEAD_DAYS = 45  # vendors are not read for a month that ends later than this (sync)


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
    moment: Moment = "pre_invoice"  # post_invoice: read again after invoicing, beside what was signed (T7)

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
        return replace(self, period=earlier, as_of=earlier.end, as_signed=False, moment="pre_invoice")

    @property
    def mapping_period(self) -> Period:
        """The last month whose mapping decisions hold here: its own, unless params say a later one (T31)."""
        later = self.params.mapping_as_of.get(str(self.period))
        return parse_period(later) if later else self.period

    @property
    def declared_as_of(self) -> str:
        """The as-of day as pages show it, with whatever the month was mapped with beside its own decisions (T31)."""
        own = self.mapping_period == self.period
        return str(self.as_of) if own else f"{self.as_of}, mapped with what was decided until {self.mapping_period}"

    @property
    def is_post_invoice(self) -> bool:
        """Whether this is the pass after invoicing."""
        return self.moment == "post_invoice"

    @property
    def snapshots(self) -> Path:
        """Folder of what the sources sent for this pass; the other pass never counts from it."""
        return self.workspace / "snapshots" / self.moment if self.is_post_invoice else self.workspace / "snapshots"

    @property
    def engine(self) -> Engine:
        """Where counting and comparison run."""
        return Engine(self.params.engine, self.params.spark, self.params.memory_limit)

    def folder(self, step: str) -> Path:
        """Where a step's product stands."""
        home = self.workspace / "periods" / str(self.period)
        return home / self.moment / step if self.is_post_invoice else home / step

    @property
    def lock(self) -> Path:
        """Lock of everything that writes the month: a run, a signature, a reopening."""
        return self.workspace / "locks" / f"{self.period}.lock"

    @property
    def steps_lock(self) -> Path:
        """Lock of putting one step in place; a run's pages take it while the run holds the month's lock."""
        return self.workspace / "locks" / f"{self.period}.steps.lock"


def open_month(
    params_file: str | Path,
    period: str = "",
    *,
    moment: str = "pre_invoice",
    environ: Mapping[str, str] | None = None,
    now: Callable[[], datetime] | None = None,
) -> Month:
    """The month to work on. ``params_file`` is looked for in the working folder and every folder above it.

    Raises:
        SettingsError: params, rules, period or pass are wrong.
    """
    if moment not in get_args(Moment):
        raise SettingsError(f"no pass {moment!r}", where="moment", hint=nearest(moment, get_args(Moment)))
    root, path = _find_params(Path(params_file))
    params = read_params(path)
    clock = now or _utc_now
    month = billing_period(params, period, clock().date())
    as_of = _default_as_of(params, month, clock().date())
    if params.as_of:
        try:
            as_of = date.fromisoformat(params.as_of)
        except ValueError:
            raise SettingsError(f"as_of {params.as_of!r} is not a day", where=str(params_file), hint="write it as 2026-10-31") from None
        if not month.start <= as_of <= month.end:
            raise SettingsError(f"as_of {as_of} lies outside {month}", where=str(params_file), hint="both sides must cover one period (T2)")
    values = read_environ(os.environ if environ is None else environ, root)
    rules = read_rules(root / rule for rule in params.rules)
    opened = Month(params, path.relative_to(root), month, as_of, rules, root, values, clock, moment=cast("Moment", moment))
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
    """The month with its steps giving what was signed, read from disk; a month nobody has signed, or after invoicing, as it is."""
    if month.is_post_invoice:
        return month
    return replace(month, as_signed=month_state(month).state in ("signed", "approved"))


def first_pass(month: Month) -> Month:
    """The pass before invoicing, which the one after it is set beside.

    Raises:
        DataError: it has not been compared.
        SignOffError: it is signed, and what stands on disk is not what was signed.
    """
    from reconlib.signoff import check_unchanged

    first = replace(month, moment="pre_invoice")
    if not has_stage(first, "comparison"):
        hint = "run the month before invoicing first: recon run"
        raise DataError(
            f"{month.period} was not compared before invoicing, so nothing can have moved since", where="post_invoice", hint=hint
        )
    state, hashes = month_state(first), month_hashes(first)
    signed, standing = ({name: digest for name, digest in part.items() if name in _STEP_OF} for part in (state.hashes, hashes))
    check_unchanged(replace(state, hashes=signed), standing)  # params and rules may be the next month's by now
    return first


def month_events(month: Month) -> list[Event]:
    """Every event of the book in its ledger, oldest first; none when there is no ledger yet."""
    from reconlib.ledger import open_ledger

    with open_ledger(month.ledger_url) as ledger:
        return ledger.events(book=month.params.book)


def month_hashes(month: Month) -> dict[str, str]:
    """What a signature stands for: sha256 of params, rules, own aliases and every step product, as they stand at one moment (T127)."""
    files = [month.root / month.params_path, *(month.root / path for path in (*month.params.rules, *month.params.aliases))]
    with hold_steps(month):
        hashes = {path.relative_to(month.root).as_posix(): _sha256(path.read_bytes()) for path in files}
        for step, names in STEPS.items():
            standing = {name: month.folder(step) / f"{name}.parquet" for name in names if has_stage(month, name)}
            hashes |= {name: _sha256(path.read_bytes()) for name, path in standing.items()}
    return hashes


def product_hash(month: Month, name: str) -> str:
    """sha256 of one step product as it stands."""
    return _sha256((month.folder(_STEP_OF[name]) / f"{name}.parquet").read_bytes())


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
        hint = f"run the {step} step first: notebook {NOTEBOOK_OF.get(step, NOTEBOOK_OF['comparison'])}, or recon run"
        raise DataError(f"{name} of {month.period} is not there", where=step, hint=hint)
    return read_table(month.folder(_STEP_OF[name]), name, lock=month.steps_lock)


def read_month_before(month: Month) -> dict[str, pa.Table]:
    """Canonical tables of the month before, to see what changed; empty ones where that month was never read."""
    before = month.previous
    return {name: read_stage(before, name) if has_stage(before, name) else make_table(CANONICAL[name], []) for name in CANONICAL}


def write_step(month: Month, step: str, tables: Mapping[str, pa.Table]) -> None:
    """Puts a step's tables in place, all or none; equal ones are left as they are.

    Raises:
        SignOffError: the month is signed and a table would change.
    """
    from reconlib.products import write_product

    schemas = {**STAGES, **CANONICAL, "verified_changes": CHANGES, "roll_forward": ROLL_FORWARD}
    chosen = {name: table.select(schemas[name].names()) for name, table in tables.items()}

    def refuse_signed(changed: Sequence[str], made: Mapping[str, bytes]) -> None:
        state = month_state(month)
        if month.is_post_invoice:
            return  # stands beside what was signed
        if state.state not in ("signed", "approved") or all(state.hashes.get(name) == _sha256(data) for name, data in made.items()):
            return  # what was signed may be put back where it is gone
        raise SignOffError(
            f"{month.period} v{state.version} is {state.state}, and this would change {', '.join(changed)}",
            where=f"{step} step",
            hint="what was signed stands; reopen the month with a reason first: recon reopen",
        )

    write_product(month.folder(step), chosen, lock=month.steps_lock, check=refuse_signed)


def _default_as_of(params: Params, month: Period, today: date) -> date:
    """The month's last day; today while it runs. A month far ahead can only come from exports, or a sandbox with its own clock."""
    if params.sandbox is not None or (month.end - today).days > AHEAD_DAYS:
        return month.end
    return min(month.end, max(month.start, today))


def _find_params(params_file: Path) -> tuple[Path, Path]:
    """The project's folder, which relative paths in params start from, and the params' own path in it."""
    if params_file.is_absolute():
        return _home_of(params_file), params_file
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / params_file).is_file():
            path = Path(os.path.normpath(folder / params_file))  # a link to params stays where it is
            is_below = folder.name != "params" and path.is_relative_to(folder)
            return folder if is_below else _home_of(path), path
    raise SettingsError(
        f"no file {params_file}", where=str(Path.cwd()), hint="start in the project's folder, or give the path of the params"
    )


def _home_of(path: Path) -> Path:
    return next((folder for folder in path.parents if folder.name != "params"), path.parent)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _utc_now() -> datetime:
    return datetime.now(UTC)
