"""Which left row (what we own) each right row (what a vendor calls it) is, why, and how sure that is.

``suggest_links`` is the matcher; docs/matching.md says how it judges. It suggests; people and stable ids decide (FIELD.md T21).
"""

from reconlib.matching.assignment import RELATIONS, Relation
from reconlib.matching.suggest import COLUMNS, KINDS, suggest_links
from reconlib.matching.verdicts import VERDICTS

__all__ = ["COLUMNS", "KINDS", "RELATIONS", "VERDICTS", "Relation", "suggest_links"]
