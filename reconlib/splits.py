"""One tenant that serves several clients: its usage told apart by domain, group or any field (T32).

Each part of a tenant becomes a vendor account of its own, ``<account>/<part>``, that maps as every account does. What no part claims stays
on the tenant's own account: the remainder, held to the same gates. Whose a record is, is one column of ``usage_records``, worked out in the
pass that counts, so that no record is copied or lost: Σ parts + remainder = tenant. What was bought, and what the vendor charges, is the
tenant's: no vendor says for which part. It stays on the remainder, once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from reconlib.claims import WHOLE, Account, claims_view, split_view
from reconlib.engine import DUCKDB, Engine, read_sql, run_sql
from reconlib.errors import SettingsError, TieOutError, nearest
from reconlib.money import format_qty
from reconlib.rules import Rules
from reconlib.rules.accounts import DOMAIN, NO_PART
from reconlib.rules.names import Named
from reconlib.schema import CANONICAL, SPLIT_PARTS, make_table

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

Row = dict[str, Any]
_NONE = (0, Decimal(0))  # records and units of an account without any
_TENANTS_OWN = ("external_id", "tenant_id", "email", "phone", "address")  # evidence of whose the tenant is: it says nothing of a part


def split_accounts(accounts: pa.Table, rules: Rules, complete: Collection[str]) -> pa.Table:
    """Vendor accounts with one for every part of a split tenant: ``<tenant> / <part>``; the tenant's own is ``<tenant> / remainder``.

    ``complete``: sources whose accounts are all there.

    Raises:
        SettingsError: a split names an account its source does not list, one that another split has, or a part another account's id.
    """
    if not rules.tenant_splits:
        return accounts
    rows = {(row["source"], row["vendor_account_id"]): row for row in accounts.to_pylist()}
    listed = frozenset(rows)
    split: dict[Account, str] = {}
    for number, one in enumerate(rules.tenant_splits):
        key, where = (one.source, one.account), rules.where(f"tenant_splits.{number}.account")
        if key in split:
            raise SettingsError(
                f"account {one.account!r} of {one.source} is split twice", where=where, hint=f"keep one; the other is {split[key]}"
            )
        split[key] = where
        if key not in listed:
            if one.source not in complete:
                continue  # it failed, and lists nothing
            known = [account for source, account in listed if source == one.source]
            raise SettingsError(f"source {one.source!r} lists no account {one.account!r}", where=where, hint=nearest(one.account, known))
        tenant = rows[key]
        for name, part in one.parts.items():
            made = (one.source, one.part_id(name))
            if made in rows:
                hint = "give the part another name"
                raise SettingsError(
                    f"{made[1]!r} is an account of {one.source} already",
                    where=rules.where(f"tenant_splits.{number}.parts.{name}"),
                    hint=hint,
                )
            domain = one.wanted(part)[0] if one.by == DOMAIN else None
            about = dict.fromkeys(_TENANTS_OWN) | {"vendor_account_id": made[1], "domain": domain}
            rows[made] = tenant | about | {"account_name": f"{tenant['account_name']} / {name}"}
        rows[key] = tenant | {"account_name": f"{tenant['account_name']} / {NO_PART}"}
    return make_table(CANONICAL["vendor_accounts"], list(rows.values()))


def named_parts(rules: Rules, clients: pa.Table) -> dict[Account, tuple[str, str]]:
    """Client of every part whose rule names one, and the rule's key.

    Raises:
        SettingsError: a part names a client the PSA does not have, or that several share.
    """
    named = [
        (one, f"tenant_splits.{number}.parts.{name}", name, part.client)
        for number, one in enumerate(rules.tenant_splits)
        for name, part in one.parts.items()
        if part.client is not None
    ]
    if not named:
        return {}
    known = Named(clients.to_pylist(), "client")
    return {(one.source, one.part_id(name)): (known.find(client, rules.where(f"{key}.client")), key) for one, key, name, client in named}


def split_inputs(
    inputs: Mapping[str, pa.Table | Path], rules: Rules, accounts: Collection[Account], attributes: Collection[str] | None = None
) -> tuple[dict[str, pa.Table | Path], dict[str, exp.Expression]]:
    """Inputs and views of a script that reads ``usage_records``: the table as it came, and over it a view in which tenants are split.

    ``accounts`` are those that are mapped: a part that is not among them, because the mapping is from before the rule, is not split off.
    ``attributes``: names of the vendors' own fields, where they are to be checked.

    Raises:
        SettingsError: a split goes by a field no record has.
    """
    if part_keys(rules).isdisjoint(accounts):
        return dict(inputs), {}
    given = {WHOLE if name == "usage_records" else name: table for name, table in inputs.items()}
    return given, {"usage_records": split_view(rules, accounts, attributes)}


def split_stakes(records: pa.Table, rules: Rules, accounts: pa.Table, engine: Engine = DUCKDB) -> pa.Table:
    """Usage summed to what ``mapping.sql`` asks of it, parts and remainder apart; the records themselves where nothing is split."""
    inputs, views = split_inputs({"usage_records": records}, rules, account_keys(accounts))
    if not views:
        return records
    script = (
        "CREATE TABLE summed AS SELECT source, vendor_account_id, vendor_product_id, created_date, sum(quantity_qty) AS quantity_qty "
        "FROM usage_records GROUP BY source, vendor_account_id, vendor_product_id, created_date;"
    )
    return run_sql(script, inputs, results=("summed",), views=views, engine=engine)["summed"]


def sum_parts(records: pa.Table, rules: Rules, accounts: pa.Table, engine: Engine = DUCKDB) -> pa.Table:
    """Usage of every split tenant, part by part and the remainder, beside what was received. Returns SPLIT_PARTS.

    ``accounts`` is the month's mapping: tenants it knows no part of are not split in it, and not listed.

    Raises:
        SettingsError: a record belongs to two parts.
        TieOutError: Σ parts + remainder is not the tenant.
    """
    keys = account_keys(accounts)
    inputs, views = split_inputs({"usage_records": records}, rules, keys)
    if not views:
        return make_table(SPLIT_PARTS, [])
    script, more_views, more = checks_script(rules)
    script += (
        "CREATE TABLE part_totals AS SELECT source, vendor_account_id, 'usage' AS record_kind, count(*) AS records, "
        "CAST(sum(quantity_qty) AS DECIMAL(38, 6)) AS quantity_qty FROM usage_records GROUP BY source, vendor_account_id;"
    )
    results = ("split_totals", "claimed_twice", "part_totals")
    out = run_sql(script, {**inputs, **more}, results=results, views={**views, **more_views}, engine=engine)
    totals = out["split_totals"].to_pylist()
    check_splits(rules, totals, out["claimed_twice"].to_pylist(), out["part_totals"])
    whole = {(row["source"], row["vendor_account_id"]): (row["records"], row["quantity_qty"]) for row in totals}
    used = _used(out["part_totals"])
    rows = []
    for one in rules.tenant_splits:
        names = {one.part_id(name): name for name in one.parts if (one.source, one.part_id(name)) in keys}
        for account, name in (names | {one.account: NO_PART}).items() if names else ():
            (count, qty), (all_count, all_qty) = used.get((one.source, account), _NONE), whole.get((one.source, one.account), _NONE)
            row = {"source": one.source, "vendor_account_id": account, "tenant_account_id": one.account, "part": name}
            rows.append(row | {"records": count, "quantity_qty": qty, "tenant_records": all_count, "tenant_qty": all_qty})
    return make_table(SPLIT_PARTS, rows)


def account_keys(accounts: pa.Table) -> frozenset[Account]:
    """Source and id of every account."""
    return frozenset(zip(accounts["source"].to_pylist(), accounts["vendor_account_id"].to_pylist(), strict=True))


def part_keys(rules: Rules) -> frozenset[Account]:
    """Source and id of every part the rules make."""
    return frozenset((one.source, one.part_id(name)) for one in rules.tenant_splits for name in one.parts)


def split_fields(rules: Rules) -> set[str]:
    """Fields the splits go by."""
    return {one.field if one.by == DOMAIN else one.by for one in rules.tenant_splits}


def checks_script(rules: Rules) -> tuple[str, dict[str, exp.Expression], dict[str, pa.Table]]:
    """What proves a split, beside the script that counts: its text, the built view ``claims``, and the table ``split_tenants``."""
    import pyarrow as pa

    tenants = [{"source": one.source, "vendor_account_id": one.account} for one in rules.tenant_splits]
    table = pa.Table.from_pylist(tenants, schema=pa.schema([("source", pa.string()), ("vendor_account_id", pa.string())]))
    return read_sql("splits.sql"), {"claims": claims_view(rules)}, {"split_tenants": table}


def check_splits(rules: Rules, totals: Iterable[Row], twice: Iterable[Row], buckets: pa.Table) -> None:
    """Stop where a record belongs to two parts, or where parts and remainder do not come to the tenant.

    ``totals`` are the tenants before they were split, ``twice`` records claimed by more than one part, ``buckets`` RECORD_BUCKETS.

    Raises:
        SettingsError: a record belongs to two parts; names both, and the record's value.
        TieOutError: Σ parts + remainder is not the tenant. Always a bug.
    """
    for row in sorted(twice, key=lambda row: (row["source"], row["usage_record_id"])):
        number, one = next(
            (n, s) for n, s in enumerate(rules.tenant_splits) if (s.source, s.account) == (row["source"], row["vendor_account_id"])
        )
        found = [text.strip() for text in row["value"].split(one.separator)]
        both = [name for name, part in one.parts.items() if not set(one.wanted(part)).isdisjoint(found)]
        keys = " and ".join(f"parts.{name}" for name in both)
        what = f"record {row['usage_record_id']} with {one.by} {row['value']!r} belongs to {keys}"
        raise SettingsError(
            what,
            where=rules.where(f"tenant_splits.{number}"),
            hint=f"a unit is one client's: mend the parts, or the {one.by} at the vendor",
        )
    ended = _used(buckets)
    for row in totals:
        one = next(s for s in rules.tenant_splits if (s.source, s.account) == (row["source"], row["vendor_account_id"]))
        parts = [ended.get((one.source, account), _NONE) for account in one.account_ids()]
        came = (sum(records for records, _ in parts), sum((units for _, units in parts), Decimal(0)))
        if came != (row["records"], row["quantity_qty"]):
            had = f"{row['records']} records with {format_qty(row['quantity_qty'])} units"
            said = f"{had} became {came[0]} in parts and remainder with {format_qty(came[1])}"
            raise TieOutError(said, where=f"account {one.account} of {one.source}")


def unmatched_parts(rules: Rules, buckets: pa.Table, complete: Collection[str]) -> list[Row]:
    """Parts that claimed no record of a source that was received whole: rule, service_id (null), sources."""
    ended = _used(buckets) if rules.tenant_splits else {}
    return [
        {"rule": f"tenant_splits.{number}.parts.{name}", "service_id": None, "sources": one.source}
        for number, one in enumerate(rules.tenant_splits)
        for name in one.parts
        if one.source in complete and (one.source, one.part_id(name)) not in ended
    ]


def _used(buckets: pa.Table) -> dict[Account, tuple[int, Decimal]]:
    """Records and units of usage of every account."""
    found: dict[Account, tuple[int, Decimal]] = {}
    for row in buckets.to_pylist():
        if row["record_kind"] == "usage":
            records, units = found.get((row["source"], row["vendor_account_id"]), _NONE)
            found[row["source"], row["vendor_account_id"]] = (records + row["records"], units + row["quantity_qty"])
    return found
