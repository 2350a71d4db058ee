"""What needs a person, ranked by money: each check is a pure function from the month's facts to findings."""

from reconlib.findings.kinds import BILLING_KINDS, KINDS, STATUSES, UNKNOWN_KINDS, Facts
from reconlib.findings.ranking import find_differences, finding_id

__all__ = ["BILLING_KINDS", "KINDS", "STATUSES", "UNKNOWN_KINDS", "Facts", "find_differences", "finding_id"]
