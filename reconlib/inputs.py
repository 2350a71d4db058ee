"""What the stages of a month rest on, read from disk: canonical tables, the mapping that stands, the months before. Nothing is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconlib.errors import AuthenticationError, DataError, SettingsError, VendorError
from reconlib.month import STEPS, Month, has_stage, month_events, read_stage
from reconlib.schema import CANONICAL
from reconlib.settings import read_yaml

if TYPE_CHECKING:
    from datetime import date

    import pyarrow as pa

    from reconlib.pipeline import Inputs
    from reconlib.review import MappingDecision

HISTORY_MONTHS = 6  # how far back a count is compared with its own past
_ERRORS = {kind.exit_code: kind for kind in (SettingsError, AuthenticationError, VendorError, DataError)}


@dataclass(frozen=True, slots=True)
class Mapped:
    """Product of the mapping step."""

    accounts: pa.Table
    products: pa.Table


def build_canonical(month: Month) -> dict[str, pa.Table]:
    """Canonical tables of the month, as the sync step left them.

    Raises:
        DataError: the sync step has not run.
        ReconError: the PSA could not be read, of the class that stopped it: without agreement lines nothing can be compared.
    """
    status = read_stage(month, "source_status")
    for row in status.to_pylist():
        if row["status"] != "complete" and gives_lines(month, row["source"]):
            what, _, hint = str(row["error"]).partition("\nHint: ")
            where = f"source {row['source']}"
            hint = f"{hint or 'mend it'} (then run the sync step again: until then nothing can be compared)"
            what = f"the PSA could not be read: {what.removeprefix(f'{where}: ')}"
            raise _ERRORS.get(row["exit_code"], VendorError)(what, where=where, hint=hint)
    return {name: read_stage(month, name) for name in CANONICAL}


def gives_lines(month: Month, source: str) -> bool:
    """Whether a source is where agreement lines come from; one that params name no longer may have been."""
    from reconlib.connectors import CONNECTORS
    from reconlib.connectors.profile import Profile

    if (configured := month.params.sources.get(source)) is None:
        return True
    if CONNECTORS[configured.connector].role == "psa":
        return True
    return configured.profile is not None and read_yaml(month.root / configured.profile, Profile).table == "agreement_lines"


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
