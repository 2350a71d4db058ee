"""Which left row (what we own) each right row (what a vendor calls it) is, why, and how sure that is.

``suggest_links`` is the matcher; docs/matching.md says how it judges. It suggests; people and stable ids decide (T21).

Example:
    >>> import pandas as pd
    >>> ours = pd.DataFrame({"id": ["17", "18"], "name": ["Acme Dental LLC", "Acme Capital"], "domain": ["acmedental.com", None]})
    >>> theirs = pd.DataFrame({"id": ["t1"], "name": ["acme dental"], "domain": ["acmedental.onmicrosoft.com"]})
    >>> link = suggest_links(ours, theirs, relation="many_to_one").iloc[0]
    >>> link.left_id, link.verdict, link.right_unexplained
    ('17', 'AUTO', '')
"""

from reconlib.matching.assignment import RELATIONS, Relation
from reconlib.matching.suggest import COLUMNS, KINDS, suggest_links
from reconlib.matching.verdicts import VERDICTS

__all__ = ["COLUMNS", "KINDS", "RELATIONS", "VERDICTS", "Relation", "suggest_links"]
