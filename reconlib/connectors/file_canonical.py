"""One record of an export as canonical rows: the record itself and what it names (T28).

Where an export carries no ids, ids are the names themselves: two rows that name a client the same are the same client.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, TypeAlias

from reconlib.connectors.cells import per_month
from reconlib.connectors.fields import email_of
from reconlib.connectors.file_rows import Record
from reconlib.connectors.profile import Profile, Table, plain

# The record's table and values, and the rows it names: (table, id, values); source and evidence are added by the caller.
Built: TypeAlias = tuple[str, dict[str, Any], list[tuple[str, str, dict[str, Any]]]]


def agreement_line(record: Record, profile: Profile) -> Built:
    """Agreement line with its client, service and agreement."""
    v = record.values
    client_id = v["client_id"] or v["client"]
    service_id = v["service_id"] or v["service_code"] or v["service"]
    named = v["agreement"] or f"{v['client']}, {_cycle_word(v['cycle'])}"
    agreement_id = v["agreement_id"] or f"{client_id}|{v['agreement'] or _cycle_word(v['cycle'])}"
    client = {
        "client_id": client_id,
        "client_name": v["client"],
        "client_code": v["client_code"],
        "domain": bare_domain(v["domain"]),
        **_contact(v),
        "status": v["client_status"],
        "is_deleted": False,
        "is_billable": plain(v["client_status"] or "") not in profile.inactive_words,
        "currency": v["currency"],
    }
    service = {
        "service_id": service_id,
        "service_code": v["service_code"] or service_id,
        "service_name": v["service"],
        "unit_price": v["list_price"],
        "unit_cost": v["list_cost"],
        "vendor_sku": v["vendor_sku"],
        "is_active": True,
    }
    agreement = {
        "agreement_id": agreement_id,
        "agreement_name": named,
        "agreement_type": v["agreement_type"],
        "client_id": client_id,
        "parent_agreement_id": v["parent_agreement_id"],
        "start_date": v["start_date"],
        "end_date": v["end_date"],
        "cancelled_date": v["agreement_cancelled_date"],
        "status": v["agreement_status"] or "Active",
        "cycle_months": v["cycle"] or None,
        "prorates": None,
        "currency": v["currency"],
    }
    line = {
        "agreement_line_id": v["agreement_line_id"] or record.place,
        "agreement_id": agreement_id,
        "client_id": client_id,
        "service_id": service_id,
        "description": v["description"],
        "quantity_qty": v["quantity"],
        "included_qty": v["included"] or Decimal(0),
        "unit_price": v["unit_price"],
        "unit_cost": v["unit_cost"],
        "billable": v["billable"] or "billable",
        "effective_date": v["effective_date"],
        "cancelled_date": v["cancelled_date"],
    }
    return (
        "agreement_lines",
        line,
        [("clients", client_id, client), ("services", service_id, service), ("agreements", agreement_id, agreement)],
    )


def _cycle_word(months: int) -> str:
    return {0: "one time", 1: "monthly", 3: "quarterly", 6: "semi-annual", 12: "annual"}.get(months, f"{months}-monthly")


def usage(record: Record, profile: Profile) -> Built:  # noqa: ARG001 - every builder takes the profile
    """Usage record with its account and product; a file without a quantity column lists one unit a row."""
    v = record.values
    account, product = _account(v), _product(v)
    values = {
        "usage_record_id": v["usage_record_id"] or record.place,
        "vendor_account_id": account["vendor_account_id"],
        "vendor_product_id": product["vendor_product_id"],
        "quantity_qty": Decimal(1) if v["quantity"] is None else v["quantity"],
        **{name: v[name] for name in ("unit_name", "unit_key", "unit_class", "unit_state", "created_date", "last_seen_date")},
        "attributes": json.dumps(dict(record.attributes), ensure_ascii=False, sort_keys=True) if record.attributes else None,
    }
    return "usage_records", values, _named(account, product)


def purchase(record: Record, profile: Profile) -> Built:
    """Purchase with its account and product; price and cost a month."""
    v = record.values
    account, product = _account(v), _product(v)
    months = 1 if v["cycle"] is None else v["cycle"]
    status = plain(v["status"] or "")
    values = {
        "purchase_id": v["purchase_id"] or record.place,
        "vendor_account_id": account["vendor_account_id"],
        "vendor_product_id": product["vendor_product_id"],
        "quantity_qty": v["quantity"],
        "status": v["status"],
        "is_active": status not in profile.inactive_words,
        "is_free": status in profile.free_words,
        **{name: v[name] for name in ("start_date", "commitment_end_date", "term", "currency")},
        "unit_price": per_month(v["unit_price"], months),
        "unit_cost": per_month(v["unit_cost"], months),
    }
    return "purchases", values, _named(account, product)


def _account(v: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "vendor_account_id": v["account_id"] or v["account"],
        "account_name": v["account"],
        "domain": bare_domain(v["domain"]),
        **_contact(v),
        "external_id": v["external_id"],
        "tenant_id": v["tenant_id"],
        "status": v["account_status"],
    }


def _contact(v: Mapping[str, Any]) -> dict[str, Any]:
    return {"email": email_of(v["email"]), "phone": v["phone"], "address": v["address"]}


def _product(v: Mapping[str, Any]) -> dict[str, Any]:
    product_id, term = v["product_id"] or v["product"], v.get("term")
    return {
        "vendor_product_id": f"{product_id}|{term}" if term else product_id,
        "product_name": v["product"],
        "sku": v["sku"],
        "term": term,
        "is_free": False,
    }


def _named(account: dict[str, Any], product: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [("vendor_accounts", account["vendor_account_id"], account), ("vendor_products", product["vendor_product_id"], product)]


def bare_domain(text: str | None) -> str | None:
    """Domain of an address as people write it.

    Example:
        >>> bare_domain("https://www.Alder.example/about")
        'alder.example'
    """
    if not text:
        return None
    return text.casefold().split("://")[-1].split("/")[0].removeprefix("www.") or None


BUILD: dict[Table, Callable[[Record, Profile], Built]] = {"agreement_lines": agreement_line, "usage": usage, "purchases": purchase}
