"""Whether a month may be signed, by whom, and that a signed month stays as it is (T126–T130)."""

from reconlib.signoff.gates import Gate, check_gates
from reconlib.signoff.signing import (
    PeriodState,
    check_unchanged,
    differing,
    next_version,
    period_state,
    record_run,
    refuse_refresh,
    reopen,
    sign,
)

__all__ = [
    "Gate",
    "PeriodState",
    "check_gates",
    "check_unchanged",
    "differing",
    "next_version",
    "period_state",
    "record_run",
    "refuse_refresh",
    "reopen",
    "sign",
]
