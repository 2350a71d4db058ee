"""Which client a vendor account belongs to, and which service a vendor product counts for (FIELD.md 2.2).

Only stable ids, a rule, a person's decision, or a name that is equal character for character and unique on both sides map
(T21); everything else is a suggestion that waits. Twins in the recycle bin never take part (T14).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from reconlib.engine import read_sql, run_sql
from reconlib.matching import Candidate, suggest_best
from reconlib.money import round_amount
from reconlib.rules import Cloud, Count, Rules
from reconlib.schema import ACCOUNT_MAPPING, PRODUCT_MAPPING, make_table

if TYPE_CHECKING:
    from datetime import date

    import pyarrow as pa

Row = dict[str, Any]
NOTHING = (Decimal(0), None, None)


class Decided(Protocol):
    """What people decided about one vendor account or product."""

    @property
    def state(self) -> str:
        """``mapped``, ``excluded``, or anything else where only rejections are known."""

    @property
    def targets(self) -> tuple[str, ...]:
        """Client or service ids."""

    @property
    def rejected(self) -> frozenset[str]:
        """Ids never to suggest again."""


Decisions = Mapping[tuple[str, str, str], Decided]  # (account | product, source, vendor id)
Stakes = Mapping[tuple[str, str], tuple[Decimal, Decimal | None, str | None]]  # (source, vendor id) -> units, monthly cost, currency


def measure_stakes(tables: Mapping[str, pa.Table], *, as_of: date) -> tuple[Stakes, Stakes]:
    """Units and monthly cost that hang on each account, and on each product."""
    inputs = {name: tables[name] for name in ("usage_records", "purchases", "vendor_products")}
    out = run_sql(read_sql("mapping.sql"), inputs, values={"as_of": as_of}, results=("account_stakes", "product_stakes"))
    accounts, products = (
        {
            (row["source"], row["vendor_id"]): (
                row["units_qty"],
                None if row["monthly_cost"] is None else round_amount(row["monthly_cost"], row["currency"]),
                row["currency"],
            )
            for row in out[name].to_pylist()
        }
        for name in ("account_stakes", "product_stakes")
    )
    return accounts, products


def suggest_accounts(clients: pa.Table, accounts: pa.Table, decisions: Decisions, stakes: Stakes) -> pa.Table:
    """Every vendor account with its client and state.

    Grain: one row a source and vendor account. ``probability`` and runner-up are filled for suggestions only.
    """
    live = [row for row in clients.to_pylist() if not row["is_deleted"]]
    by_id = {row["client_id"]: row["client_name"] for row in clients.to_pylist()}
    ids = _unique({r["client_code"]: r["client_id"] for r in live if r["client_code"]}, [r["client_code"] for r in live])
    ids |= {row["client_id"]: row["client_id"] for row in live}
    names = _unique({r["client_name"]: r["client_id"] for r in live}, [r["client_name"] for r in live])
    candidates = [Candidate(r["client_id"], r["client_name"], r["domain"]) for r in live]
    rows = accounts.to_pylist()
    twice = Counter((row["source"], row["account_name"]) for row in rows)
    out = []
    for row in rows:
        decided = decisions.get(("account", row["source"], row["vendor_account_id"]))
        rejected = decided.rejected if decided else frozenset()
        carried = ids.get(row["external_id"])
        named = names.get(row["account_name"]) if twice[row["source"], row["account_name"]] == 1 else None
        link: Row
        if decided and decided.state == "excluded":
            link = {"state": "excluded", "decided_by": "decision", "reason": "excluded by decision"}
        elif decided and decided.state == "mapped" and decided.targets[0] in by_id:
            link = _mapped(decided.targets[0], "decision", "decided by a person")
        elif carried and carried not in rejected:
            link = _mapped(carried, "id", f"the vendor carries PSA id {row['external_id']}")
        elif named and named not in rejected:
            link = _mapped(named, "exact_name", "name equal character for character")
        else:
            item = Candidate(row["vendor_account_id"], row["account_name"], row["domain"])
            link = _suggested(item, candidates, rejected)
        link = _named(link, "client", by_id)
        units, cost, currency = stakes.get((row["source"], row["vendor_account_id"]), NOTHING)
        keep = {key: row[key] for key in ("source", "vendor_account_id", "account_name", "domain", "evidence")}
        out.append({**keep, **link, **weigh(link, units, cost, currency)})
    return make_table(ACCOUNT_MAPPING, out)


def suggest_products(
    services: pa.Table, products: pa.Table, decisions: Decisions, stakes: Stakes, *, rules: Rules, connectors: Mapping[str, str]
) -> pa.Table:
    """Every vendor product with the service or services it counts for, and its state.

    Grain: one row a source, vendor product and service; one row where undecided. ``connectors``: source -> connector.
    """
    catalogue = services.to_pylist()
    by_id = {row["service_id"]: row["service_name"] for row in catalogue}
    codes = {row["service_id"]: row["service_code"] for row in catalogue}
    active = [row for row in catalogue if row["is_active"]]
    skus = _unique({r["vendor_sku"]: r["service_id"] for r in active if r["vendor_sku"]}, [r["vendor_sku"] for r in active])
    names = _unique({r["service_name"]: r["service_id"] for r in active}, [r["service_name"] for r in active])
    candidates = [Candidate(r["service_id"], r["service_name"]) for r in active]
    out = []
    for row in products.to_pylist():
        decided = decisions.get(("product", row["source"], row["vendor_product_id"]))
        rejected = decided.rejected if decided else frozenset()
        ruled = rule_services(row, rules, catalogue, connectors[row["source"]])
        links: list[Row]
        if decided and decided.state == "excluded":
            links = [{"state": "excluded", "decided_by": "decision", "reason": "excluded by decision"}]
        elif decided and decided.state == "mapped" and set(decided.targets) <= by_id.keys():
            links = [_mapped(target, "decision", "decided by a person") for target in sorted(decided.targets)]
        elif ruled:
            links = [_mapped(service_id, "rule", "named by the service's count rule") for service_id in ruled]
        elif skus.get(row["sku"], "") not in {"", *rejected}:
            links = [_mapped(skus[row["sku"]], "id", f"the catalogue carries part number {row['sku']}")]
        elif names.get(row["product_name"], "") not in {"", *rejected}:
            links = [_mapped(names[row["product_name"]], "exact_name", "name equal character for character")]
        else:
            item = Candidate(row["vendor_product_id"], row["product_name"])
            links = [_suggested(item, candidates, rejected)]
        units, cost, currency = stakes.get((row["source"], row["vendor_product_id"]), NOTHING)
        keep = {key: row[key] for key in ("source", "vendor_product_id", "product_name", "sku", "evidence")}
        for link in links:
            named = _named(link, "service", by_id)
            named["service_code"] = codes.get(named.get("service_id") or "")
            out.append({**keep, **named, **weigh(named, units, cost, currency)})
    return make_table(PRODUCT_MAPPING, out)


def rule_services(product: Mapping[str, Any], rules: Rules, catalogue: Sequence[Mapping[str, Any]], connector: str) -> list[str]:
    """Ids of the services whose count rules name this product, or that pass its cost on."""
    return sorted(
        row["service_id"]
        for row in catalogue
        if (rule := rules.services.get(row["service_code"]))
        and (
            any(names_product(count, product, connector) for count in (*rule.used, *rule.purchased))
            or _passes_on(rule.cloud, product, connector)
        )
    )


def reads_cloud(cloud: Cloud, source: str, connector: str) -> bool:
    """Whether a service's cost comes from this source."""
    return reads_source(Count(connector=cloud.connector, source=cloud.source), source, connector)


def _passes_on(cloud: Cloud | None, product: Mapping[str, Any], connector: str) -> bool:
    """Whether a service bills what this product costs."""
    if cloud is None or cloud.products:
        return cloud is not None and names_product(Count(**cloud.model_dump(exclude={"markup_percent"})), product, connector)
    return reads_cloud(cloud, product["source"], connector)


def names_product(count: Count, product: Mapping[str, Any], connector: str) -> bool:
    """Whether a count rule names this product by id, SKU or exact name, in a source it reads."""
    return reads_source(count, product["source"], connector) and not {
        product["vendor_product_id"],
        product["sku"],
        product["product_name"],
    }.isdisjoint(count.products)


def reads_source(count: Count, source: str, connector: str) -> bool:
    """Whether a count rule reads this source."""
    return (count.source is None or count.source == source) and (count.connector is None or count.connector == connector)


def weigh(link: Row, units: Decimal, cost: Decimal | None, currency: str | None) -> Row:
    """What hangs on an account or product, and how likely its choice is wrong (docs/mapping.md): the queue is ranked by their product.

    doubt = 1 − probability of what is chosen; 1 where nothing is chosen or judged, 0 where it is settled.
    """
    settled = link["state"] in ("mapped", "excluded") and link.get("verdict") != "CONTRADICTION"
    doubt = Decimal(0) if settled else 1 - (link.get("probability") or Decimal(0))
    return {"units_qty": units, "monthly_cost": cost, "currency": currency, "stake": units if cost is None else cost, "doubt": doubt}


def rank_key(row: Mapping[str, Any]) -> tuple[Decimal, Decimal, str, str]:
    """Where a row of a mapping stands in the queue: money at stake × doubt, then units × doubt where no money is known."""
    money, doubt = row["monthly_cost"] or Decimal(0), row["doubt"]
    return (-money * doubt, -row["units_qty"] * doubt, row["source"], row["evidence"])


def _unique(found: dict[str, str], names: Sequence[str | None]) -> dict[str, str]:
    times = Counter(names)
    return {name: target for name, target in found.items() if times[name] == 1}


def _mapped(target: str, decided_by: str, reason: str) -> Row:
    return {"state": "mapped", "id": target, "decided_by": decided_by, "reason": reason}


def _suggested(item: Candidate, candidates: Sequence[Candidate], rejected: frozenset[str]) -> Row:
    found = suggest_best(item, candidates, rejected=rejected)
    if found is None:
        return {"state": "unmapped", "verdict": "UNMATCHED", "reason": "no other similar name" if rejected else "no similar name"}
    second = found.runner_up
    shown = {found.id: found.score} | ({second.id: found.runner_up_score} if second else {})
    return {
        "state": "suggested",
        "id": found.id,
        "verdict": "PROPOSE",
        "probability": found.score,
        "reason": found.reason,
        "runner_up_id": second.id if second else None,
        "runner_up_name": second.name if second else None,
        "runner_up_probability": found.runner_up_score,
        "proposals": json.dumps({one: f"{score:.4f}" for one, score in shown.items()}, ensure_ascii=False),
    }


def _named(link: Row, side: str, names: Mapping[str, str]) -> Row:
    target = link.pop("id", None)
    return {**link, f"{side}_id": target, f"{side}_name": names.get(target) if target else None}
