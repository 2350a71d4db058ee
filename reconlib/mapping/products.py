"""Every vendor product with the services it counts for: what stands, what the evidence suggests, where the two disagree (T21, T27).

The first that applies stands: a person's decision, a count rule that names the product, a part number the catalogue carries, an id of the
same product by the alias table, the service it had last month under the same id, a name equal character for character that one service has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from reconlib.aliases import AliasTable, compare_attributes, read_aliases, split_attributes
from reconlib.aliases.table import ID_KINDS
from reconlib.mapping.changes import find_changes, is_copy
from reconlib.mapping.decided import Decisions, asked_again
from reconlib.mapping.links import audit_links
from reconlib.mapping.merging import excluded, mapped, merge_link, quiet_accepted, say_better, say_lost
from reconlib.mapping.ruled import rule_services
from reconlib.mapping.stakes import NOTHING, Stakes, weigh
from reconlib.rules import Rules
from reconlib.schema import PRODUCT_MAPPING, make_table

if TYPE_CHECKING:
    from datetime import date

    import pyarrow as pa

Row = dict[str, Any]
Key = tuple[str, str]  # source, vendor_product_id
_KEPT = ("source", "vendor_product_id", "product_name", "sku", "evidence")


def suggest_products(
    services: pa.Table,
    products: pa.Table,
    decisions: Decisions,
    stakes: Stakes,
    *,
    rules: Rules,
    connectors: Mapping[str, str],
    before: Iterable[Mapping[str, Any]] = (),
    aliases: AliasTable | None = None,
    as_of: date | None = None,
) -> pa.Table:
    """Every vendor product with the service or services it counts for, its state and verdict. Returns PRODUCT_MAPPING.

    Grain: one row a source, vendor product and service; one row where undecided. ``connectors``: source -> connector; ``before``: rows of
    last month's PRODUCT_MAPPING; ``aliases``: what products are called, none: the packaged table; ``as_of``: the day on which vendors call
    their products so, none: a name that two products had is ambiguous. What maps by itself never hangs on that day.
    """
    catalogue, rows, before = services.to_pylist(), products.to_pylist(), list(before)
    ours = {row["service_id"]: _as_ours(row) for row in catalogue}
    active = [row for row in catalogue if row["is_active"]]
    decided = {_key(row): decisions.get(("product", *_key(row))) for row in rows}
    asked = {_key(row): asked_again("product", decided[_key(row)], row, ours) for row in rows}
    changes = find_changes("product", rows, before)
    last = {_key(row): row for row in before if row["state"] == "mapped" and row["decided_by"] in ("id", "exact_name")}
    settled: dict[Key, list[Row]] = {}
    table = aliases or read_aliases()
    stands = _Standing(active, table)
    for row in rows:
        key, one = _key(row), decided[_key(row)]
        if one and one.state == "excluded":
            settled[key] = [excluded()]
        elif one and one.state == "mapped" and (targets := sorted(ours.keys() & set(one.targets))):
            settled[key] = [mapped(target, "decision", "decided by a person") for target in targets]
        elif ruled := rule_services(row, rules, catalogue, connectors[row["source"]]):
            settled[key] = [mapped(service, "rule", "named by the service's count rule") for service in ruled]
        elif found := stands.find(row, {*asked[key][0], *asked[key][1]}, last.get(key), copied=is_copy(changes.get(key))):
            settled[key] = [found]
    judged = _judge(rows, active, settled, asked, table, as_of)
    out = []
    for row in rows:
        key = _key(row)
        for stand in settled.get(key, [None]):
            link = merge_link(stand, judged[key], asked[key][1])
            link = say_better(link, ours.get(link.get("runner_up_id"), {}).get("service_name"))
            link = quiet_accepted("product", link, decided[key], row, ours.get(link.get("id"), {}))
            link = say_lost("product", link, decided[key], ours)
            about = {**ours.get(link.pop("id", None), {}), "runner_up_name": ours.get(link.get("runner_up_id"), {}).get("service_name")}
            kept = {name: row[name] for name in _KEPT}
            out.append({**kept, **link, **about, "change": changes.get(key), **weigh(link, stakes.get(key, NOTHING))})
    return make_table(PRODUCT_MAPPING, out)


class _Standing:
    """What maps a product by itself: part numbers, ids of one product by the alias table, last month's id, exact names."""

    def __init__(self, active: Sequence[Row], aliases: AliasTable) -> None:
        self._aliases = aliases
        self._skus = _unique((row["vendor_sku"], row["service_id"]) for row in active if row["vendor_sku"])
        self._names = _unique((row["service_name"], row["service_id"]) for row in active)
        self._known = {row["service_id"]: row for row in active}
        self._aliased = _unique((key, row["service_id"]) for row in active if (key := known_product(row["vendor_sku"], aliases)))

    def find(self, row: Row, barred: set[str], last: Mapping[str, Any] | None, *, copied: bool) -> Row | None:
        """The service a product stands for without a person or a rule; none of the ``barred``."""
        sku, named = self._skus.get(row["sku"]), self._names.get(row["product_name"])
        had = last["service_id"] if last and last["service_id"] in self._known and last["service_id"] != named else None
        alias = self._aliased.get(known_product(row["vendor_product_id"], self._aliases) or known_product(row["sku"], self._aliases))
        names = (row["product_name"], self._known[alias]["service_name"]) if alias else ()
        if names and compare_attributes(*map(split_attributes, names), one_product=True):
            alias = None  # one product for another segment or term: a person looks at it
        choices = [
            (sku, "id", f"the catalogue carries part number {row['sku']}"),
            (alias, "id", f"part number {self._known[alias]['vendor_sku']} of the catalogue is the same product" if alias else ""),
            (had, "id", f"mapped last month under the same id, when it was called {last['product_name']}" if last else ""),
            (None if copied else named, "exact_name", "name equal character for character"),
        ]
        return next((mapped(service, by, why) for service, by, why in choices if service and service not in barred), None)


def known_product(value: str | None, aliases: AliasTable) -> str | None:
    """The one product that an id or part number means, by the alias table; none for a name, however well known (T21).

    Example:
        >>> known_product("O365_BUSINESS_PREMIUM", read_aliases()), known_product("Visio", read_aliases())
        ('f245ecc8-75af-4f8e-b61f-27d8114de5f3', None)
    """
    found = {alias.product for alias in aliases.find(value) if alias.kind in ID_KINDS} if value else set()
    return found.pop() if len(found) == 1 else None


def _judge(
    rows: Sequence[Row],
    active: Sequence[Row],
    settled: Mapping[Key, list[Row]],
    asked: Mapping[Key, tuple[frozenset[str], dict[str, str]]],
    aliases: AliasTable,
    as_of: date | None,
) -> dict[Key, Row]:
    """What the evidence says about every product, source by source. What counts for several services is not held against any of them."""
    known = {row["service_id"] for row in active}
    left = [{"id": r["service_id"], "name": r["service_name"], "external_id": r["service_code"], "sku": r["vendor_sku"]} for r in active]
    found: dict[Key, Row] = {}
    for source in sorted({row["source"] for row in rows}):
        mine = [row for row in rows if row["source"] == source]
        right = [{"id": r["vendor_product_id"], "name": r["product_name"], "sku": r["sku"], "term": r["term"]} for r in mine]
        standing: list[Row] = []
        named = {}
        for row in mine:
            links = settled.get(_key(row), [])
            if links and links[0]["state"] == "excluded":
                standing.append({"right_id": row["vendor_product_id"], "left_id": None, "decision": "exclude"})
            elif len(links) == 1 and links[0]["id"] in known and links[0]["decided_by"] == "exact_name":
                named[row["vendor_product_id"]] = links[0]["id"]
            elif len(links) == 1 and links[0]["id"] in known and links[0]["decided_by"] != "rule":  # a rule says nothing about names
                standing.append({"right_id": row["vendor_product_id"], "left_id": links[0]["id"], "decision": "map"})
            rejected = sorted(asked[_key(row)][0] & known)
            standing += [{"right_id": row["vendor_product_id"], "left_id": service, "decision": "reject"} for service in rejected]
        answer = audit_links(left, right, standing, named, relation="many_to_one", aliases=aliases, as_of=as_of)
        found |= {_key(row): {} if len(settled.get(_key(row), [])) > 1 else answer[row["vendor_product_id"]] for row in mine}
    return found


def _as_ours(row: Mapping[str, Any]) -> Row:
    return {name: row[name] for name in ("service_id", "service_name", "service_code")} | {"service_sku": row["vendor_sku"]}


def _unique(pairs: Iterable[tuple[str, str]]) -> dict[str | None, str]:
    pairs = list(pairs)
    times = Counter(name for name, _ in pairs)
    return {name: target for name, target in pairs if times[name] == 1}


def _key(row: Mapping[str, Any]) -> Key:
    return row["source"], row["vendor_product_id"]
