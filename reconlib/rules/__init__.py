"""Rules as people write them: which usage counts for which service, what should be billed, and at what price (docs/rules.md)."""

from reconlib.rules.accounts import Part, ProductOverride, TenantSplit
from reconlib.rules.book import (
    Expected,
    Override,
    Rules,
    ServiceRule,
    Together,
    Tolerance,
    Unusual,
    read_rules,
)
from reconlib.rules.counts import Bundle, Cloud, Count, Ignore, Qty, Rounded, Where
from reconlib.rules.prices import Convention, Escalator, Outlier, PriceModel, Tier

__all__ = [
    "Bundle",
    "Cloud",
    "Convention",
    "Count",
    "Escalator",
    "Expected",
    "Ignore",
    "Outlier",
    "Override",
    "Part",
    "PriceModel",
    "ProductOverride",
    "Qty",
    "Rounded",
    "Rules",
    "ServiceRule",
    "TenantSplit",
    "Tier",
    "Together",
    "Tolerance",
    "Unusual",
    "Where",
    "read_rules",
]
