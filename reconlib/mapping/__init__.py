"""Which client a vendor account belongs to, and which service a vendor product counts for (docs/mapping.md).

Only a person's decision, a rule, a stable id, or a name that is equal character for character and unique on both sides maps (T21).
Everything else is a suggestion that waits, however sure it looks; what is mapped is audited against the evidence all the same.
"""

from reconlib.mapping.accounts import suggest_accounts
from reconlib.mapping.changes import list_gone
from reconlib.mapping.decided import Decided, Decisions, bound_pair
from reconlib.mapping.products import suggest_products
from reconlib.mapping.ruled import names_product, reads_cloud, reads_source, rule_services
from reconlib.mapping.stakes import NOTHING, Stakes, measure_stakes, rank_key, weigh

__all__ = [
    "NOTHING",
    "Decided",
    "Decisions",
    "Stakes",
    "bound_pair",
    "list_gone",
    "measure_stakes",
    "names_product",
    "rank_key",
    "reads_cloud",
    "reads_source",
    "rule_services",
    "suggest_accounts",
    "suggest_products",
    "weigh",
]
