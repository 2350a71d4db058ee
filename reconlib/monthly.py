"""One month of one book, unattended: the four notebooks run by papermill, published as one version of the archive.

Everything is built in a folder of its own and published by a rename, so a killed run leaves the archive as it was; the same inputs
give the same bytes (no clock in any output: durations go to ``run.log`` in the workspace). A signed month is never overwritten (T129).
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from reconlib.errors import ReconError, SettingsError, VendorError, nearest
from reconlib.month import AS_SIGNED, NOTEBOOK_OF, Month, first_pass, hold_month, month_events, month_hashes, open_month, read_stage
from reconlib.notebooks import execute_notebook
from reconlib.publishing import POST_INVOICE, publish_after_invoicing, publish_month
from reconlib.report.archive import MANIFEST, SIGNED, read_manifest, refresh_index
from reconlib.signoff import check_unchanged, next_version, period_state, refuse_refresh

Say = Callable[[str], None]
AFTER_INVOICING = ("sync", "comparison")  # steps that have a page after invoicing; the mapping is made again by the comparison


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run ended with: how, where, and whether anything is different from the run before."""

    exit_code: int  # 0, or 4 when a source failed and its lines have no count
    folder: Path  # the published version
    version: int
    changed: bool  # false: the published version stood as it is, byte for byte
    failed_sources: tuple[str, ...]


def run_month(
    params_file: str | Path, period: str = "", *, from_step: str = "sync", refresh: bool = False, say: Say = lambda _: None
) -> RunResult:
    """The month's four pages, executed and published as ``<archive>/<book>/<period>/v<n>/``; last, the index of all months.

    With ``from_step`` the pages before it are taken from the draft that stands there. A signed month is published as it was signed: its
    sources are not read again.

    Raises:
        ReconError: what stopped it. Nothing is published then; the partial notebook stands under ``<archive>/<book>/<period>/failed/``.
    """
    if from_step not in NOTEBOOK_OF:
        raise SettingsError(f"no step {from_step!r}", where="--from", hint=nearest(from_step, NOTEBOOK_OF))
    month = open_month(params_file, period)
    home = month.root / month.params.archive / month.params.book / str(month.period)
    with hold_month(month, say) as lock:
        events = month_events(month)
        state = period_state(events, month.params.book, month.period)
        version = next_version(events, month.params.book, month.period, _versions(home))
        final = home / f"v{version}"
        if state.state in SIGNED:
            if refresh:
                refuse_refresh(state, month.period)
            check_unchanged(state, month_hashes(month))
            month = replace(month, as_signed=True)  # published from what was signed: no source is read, nothing is made anew
            if (final / MANIFEST).is_file() and read_manifest(final)["status"] == state.state:
                say(f"{month.period} v{version} is {state.state} and published; nothing to do")
                return _result(month, final, version, changed=False)
        with _building(home) as folder:
            _run_pages(month, folder, final, from_step, lock, refresh=refresh, say=say)
            changed = publish_month(month, folder, final, version)
        shutil.rmtree(home / "failed", ignore_errors=True)
    refresh_index(month.root / month.params.archive)
    return _result(month, final, version, changed=changed)


def run_after_invoicing(params_file: str | Path, period: str = "", *, from_step: str = "sync", say: Say = lambda _: None) -> RunResult:
    """The month read and compared again after invoicing, published as ``<archive>/<book>/<period>/post_invoice/``, over the run before.

    Every source is read again. Nothing of the pass before invoicing is touched, signed or not: differences are proposed for the next
    invoice (T7, T114).

    Raises:
        ReconError: what stopped it, such as a month that was not compared before invoicing. Nothing is published then.
    """
    if from_step not in (steps := [step for step in NOTEBOOK_OF if step != "sign_off"]):
        raise SettingsError(f"no step {from_step!r} after invoicing", where="--from", hint=nearest(from_step, steps))
    month = open_month(params_file, period, moment="post_invoice")
    home = month.root / month.params.archive / month.params.book / str(month.period)
    final = home / POST_INVOICE
    with hold_month(month, say) as lock:
        first_pass(month)
        with _building(home) as folder:
            _run_pages(month, folder, final, from_step, lock, refresh=True, say=say)
            changed = publish_after_invoicing(month, folder, final)
        version = period_state(month_events(month), month.params.book, month.period).version
        shutil.rmtree(home / "failed", ignore_errors=True)
    refresh_index(month.root / month.params.archive)
    return _result(month, final, version, changed=changed)


def _result(month: Month, final: Path, version: int, *, changed: bool) -> RunResult:
    failed = tuple(row["source"] for row in read_stage(month, "source_status").to_pylist() if row["status"] != "complete")
    return RunResult(VendorError.exit_code if failed else 0, final, version, changed, failed)


def _run_pages(month: Month, folder: Path, draft: Path, from_step: str, lock: int, *, refresh: bool, say: Say) -> None:
    steps = list(NOTEBOOK_OF)
    log = month.workspace / "run.log"
    environ = {AS_SIGNED: str(month.period)} if month.as_signed else {}
    for step, page in NOTEBOOK_OF.items():
        if month.is_post_invoice and step not in AFTER_INVOICING:
            continue
        output = folder / f"{page}.ipynb"
        if steps.index(step) < steps.index(from_step):
            if not (draft / output.name).is_file():
                hint = "run the month without --from first"
                raise SettingsError(f"there is no {page} to keep", where=f"--from {from_step}", hint=hint)
            shutil.copyfile(draft / output.name, output)
            continue
        say(f"{page} …")
        parameters: dict[str, Any] = {"PARAMS": month.params_path.as_posix(), "PERIOD": str(month.period)}
        if step == "sync" and refresh:
            parameters["REFRESH"] = True
        if month.is_post_invoice:
            parameters["PASS"] = month.moment
        started = time.monotonic()
        try:
            source = month.root / "notebooks" / f"{page}.ipynb"
            execute_notebook(source, output, parameters, cwd=month.root, log=log, keep_open=[lock], environ=environ)
        except ReconError:
            if kept := _keep_failed(output, draft.parent / "failed"):
                say(f"stopped; what there is of the page: {kept}")
            raise
        with log.open("a", encoding="utf-8") as lines:
            lines.write(f"{month.period} {month.moment} {page} {time.monotonic() - started:.2f} s\n")


def _keep_failed(output: Path, failed: Path) -> Path | None:
    shutil.rmtree(failed, ignore_errors=True)
    if not output.is_file():
        return None
    failed.mkdir(parents=True)
    shutil.copyfile(output, failed / output.name)
    return failed / output.name


@contextmanager
def _building(home: Path) -> Iterator[Path]:
    """A folder on the archive's own disk, gone when the run ends; what a killed run left goes first."""
    home.mkdir(parents=True, exist_ok=True)
    for left in home.glob(".building-*"):
        shutil.rmtree(left)
    folder = Path(mkdtemp(prefix=".building-", dir=home))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _versions(home: Path) -> list[int]:
    return [int(path.name[1:]) for path in home.glob("v*") if path.name[1:].isdigit()]
