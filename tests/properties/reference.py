"""A naive reference of counting and comparison: plain loops over plain rows, written from docs/rules.md.

It knows nothing of the SQL and shares no arithmetic with it; the laws hold both against each other. What it leaves out: suggestions that
wait for a decision, exchange rates, pairs of services, and the sentences.
"""

from __future__ import annotations

from calendar import monthrange
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from properties.reference_counts import ZERO, Given, Key, Row, count_records, total_of

from reconlib.rules import PriceModel, ServiceRule

WITHOUT_NUMBER = {"no_count", "no_source", "flat", "cloud", "not_comparable", "out_of_scope", "own_use", "ignored", "not_resold"}


@dataclass
class Made:
    """What the reference makes of it, each keyed by its grain."""

    counts: dict[Key, Row]
    buckets: dict[Key, tuple[int, Decimal]]  # source, kind, account, product, bucket, client, service, rule -> records, units
    cells: dict[Key, Row]
    lines: dict[str, str]  # line -> bucket


def make_month(given: Given) -> Made:
    """Counts, buckets and cells of a month."""
    counts, buckets = count_records(given)
    cells, lines = compare(given, counts)
    return Made(counts, buckets, cells, lines)


def scope_of(line: Row, agreement: Row, client: Row, as_of: date) -> str:
    """Where a line stands on the as-of day (T13–T18, T33, T69); ``compare`` where it takes part."""
    start, after = as_of.replace(day=1), as_of.replace(day=monthrange(as_of.year, as_of.month)[1]) + timedelta(days=1)
    begins, ends = line["effective_date"], line["cancelled_date"]
    if client["is_deleted"]:
        return "out_of_scope_client_deleted"
    if not client["is_billable"]:
        return "out_of_scope_client_inactive"
    if begins and ends and ((begins >= start and ends < after) or (begins > start and ends == after)):
        return "proration_helper"
    if why := _agreement_scope(agreement, as_of):
        return why
    if begins and begins > as_of:
        return "out_of_scope_not_started"
    if ends and ends <= as_of:
        return "out_of_scope_ended"
    if line["unit_price"] is not None and line["unit_price"] < 0:
        return "credit"
    return "compare" if line["billable"] == "billable" else "cost_only"


def _agreement_scope(agreement: Row, as_of: date) -> str | None:
    cancelled, start, end = agreement["cancelled_date"], agreement["start_date"], agreement["end_date"]
    if agreement["status"].lower() in ("cancelled", "expired", "inactive") or (cancelled and cancelled <= as_of):
        return "out_of_scope_agreement_ended"
    if start and start > as_of:
        return "out_of_scope_agreement_not_started"
    if end and end < as_of:
        return "out_of_scope_agreement_ended"
    return "out_of_scope_not_recurring" if agreement["cycle_months"] is None else None


def compare(given: Given, counts: Mapping[Key, Row]) -> tuple[dict[Key, Row], dict[str, str]]:
    """One cell a client and service, and the bucket of every line."""
    clients = {row["client_id"]: row for row in given.tables["clients"]}
    services = {row["service_id"]: row for row in given.tables["services"]}
    agreements = {row["agreement_id"]: row for row in given.tables["agreements"]}
    codes = {row["service_code"]: row["service_id"] for row in services.values()}
    scopes, of_cell = {}, defaultdict(list)
    for line in given.tables["agreement_lines"]:
        client, agreement = clients[line["client_id"]], agreements[line["agreement_id"]]
        scopes[line["agreement_line_id"]] = scope_of(line, agreement, client, given.as_of)
        of_cell[line["client_id"], line["service_id"]].append(
            line | {"cycle": agreement["cycle_months"], "currency": agreement["currency"] or client["currency"] or given.currency}
        )
    billed = {key: found for key, lines in of_cell.items() if (found := _billed(lines, scopes))}
    exceptions = {(_id(o.client, clients, "client"), _id(o.service, services, "service")): o for o in given.rules.overrides}
    in_use = {source for _, _, measure, source in counts if measure == "used"}
    measured = _measured(given, counts, services)
    asked = {
        key: _asked(given, key, billed.get(key), measured.get(key), exceptions.get(key), services[key[1]]["service_code"], in_use)
        for key in {*billed, *measured}
    }
    bundles = _bundles(given, asked, billed, codes)
    covers = _covers(bundles, codes)
    cells = {}
    for key in {*asked}:
        cell = _cell(given, key, asked[key], bundles.get(key), covers.get(key), clients, services, of_cell[key], scopes)
        if cell is not None:
            cells[key] = cell
    lines = {}
    for (client_id, service_id), found in of_cell.items():
        for line in found:
            scope = scopes[line["agreement_line_id"]]
            lines[line["agreement_line_id"]] = cells[client_id, service_id]["status"] if scope == "compare" else scope
    return cells, lines


def _id(name: str, rows: Mapping[str, Row], side: str) -> str:
    return name if name in rows else next(key for key, row in rows.items() if row[f"{side}_code"] == name)


def _billed(lines: list[Row], scopes: Mapping[str, str]) -> Row | None:
    taken = [line for line in lines if scopes[line["agreement_line_id"]] in ("compare", "cost_only")]
    if not taken:
        return None

    def rank(line: Row) -> Key:
        start, name = line["effective_date"], line["agreement_line_id"]
        return (scopes[name] == "compare", start is not None, start or date.min, len(name), name)

    first = max(taken, key=rank)
    billable = [line for line in taken if scopes[line["agreement_line_id"]] == "compare"]
    prices = {line["unit_price"] for line in taken} - {None}
    return {
        "lines": len(taken),
        "contracted_qty": total_of(line["quantity_qty"] for line in taken),
        "included_qty": total_of(min(line["included_qty"], line["quantity_qty"]) for line in taken),
        "billed_qty": total_of(max(line["quantity_qty"] - line["included_qty"], ZERO) for line in taken),
        "agreement_line_id": first["agreement_line_id"],
        "unit_price": first["unit_price"] if first in billable else ZERO,
        "line_cost": first["unit_cost"],
        "cycle": first["cycle"],
        "currency": first["currency"],
        "is_billable": bool(billable),
        "is_mixed": len({line["currency"] for line in taken}) > 1 or len({line["cycle"] for line in taken}) > 1,
        "has_several_prices": len(prices) > 1,
    }


def _measured(given: Given, counts: Mapping[Key, Row], services: Mapping[str, Row]) -> dict[Key, Row]:
    """Counts of all sources together; those of a vendor in arrears are last month's (T110)."""
    before = {(r["client_id"], r["service_id"], r["measure"], r["source"]): r for r in (given.earlier[0] if given.earlier else [])}
    met: dict[Key, list[Key]] = defaultdict(list)
    for months, offset in ((counts, 0), (before, -1)):
        for (client, service, measure, source), row in months.items():
            rule = given.rules.services.get(services[service]["service_code"], ServiceRule())
            if rule.period_offset == offset:
                met[client, service].append((measure, source, row))
    made = {}
    for key, parts in met.items():
        used, bought = [r for m, _, r in parts if m == "used"], [r for m, _, r in parts if m == "purchased"]
        paid = [r for r in bought if r["quantity_qty"] is None or r["quantity_qty"] > 0]
        costs, money = {r["unit_cost"] for r in paid}, {r["currency"] for r in paid} - {None}
        made[key] = {
            "used_qty": _total(used, "quantity_qty"),
            "used_later": total_of(r["later_qty"] for r in used) if used else None,
            "purchased_qty": _total(bought, "quantity_qty"),
            "bought_later": total_of(r["later_qty"] for r in bought) if bought else None,
            "committed_qty": _total(bought, "committed_qty"),
            "commitment_end_date": min((r["commitment_end_date"] for r in bought if r["commitment_end_date"]), default=None),
            "vendor_cost": next(iter(costs)) if len(costs) == 1 else None,
            "vendor_currency": None if not money else next(iter(money)) if len(money) == 1 else "XXX",
            "count_source": " ".join(sorted({source for _, source, _ in parts})),
        }
    return made


def _total(rows: list[Row], name: str) -> Decimal | None:
    """The sum, unknown where one of them is, or where there is none (T1)."""
    return total_of(r[name] for r in rows) if rows and all(r["is_known"] for r in rows) else None


def _asked(given: Given, key: Key, billed: Row | None, measured: Row | None, exception: Any, code: str, in_use: set[str]) -> Row:
    """What a count alone asks for, in the order of docs/rules.md."""
    rule = given.rules.services.get(code, ServiceRule())
    nothing = dict.fromkeys(("used_qty", "purchased_qty", "committed_qty", "commitment_end_date", "vendor_cost", "vendor_currency"))
    m = measured or nothing | {"used_later": None, "bought_later": None, "count_source": None}
    expect = rule.expect
    if code not in given.rules.services and _is_only_bought(given, key[1], in_use):
        expect = "purchased"
    counted = {"used": m["used_qty"], "purchased": m["purchased_qty"]}.get(expect)
    if expect == "greater" and m["used_qty"] is not None and m["purchased_qty"] is not None:
        counted = max(m["used_qty"], m["purchased_qty"])
    used_later, bought_later = m["used_later"] or ZERO, m["bought_later"] or ZERO
    later = {"used": used_later, "purchased": bought_later}.get(expect, max(used_later, bought_later))
    peak = _peak(given, key, rule)
    if counted is not None and peak is not None:
        counted = max(counted, peak)
    raw = _rounded(counted, rule)
    if exception and exception.count is not None:
        raw = exception.count
    included = billed["included_qty"] if billed else ZERO
    included += exception.included if exception and exception.included is not None else rule.included
    minimum = exception.minimum if exception and exception.minimum is not None else rule.minimum
    maximum = exception.maximum if exception and exception.maximum is not None else rule.maximum
    excluded = exception.exclude_units if exception else ZERO
    gross = held = None
    if raw is not None:
        gross = max(raw - excluded, minimum or ZERO)
        gross = gross if maximum is None else min(gross, maximum)
    is_fixed = exception is not None and exception.count is not None
    held = min(billed["billed_qty"] if billed else ZERO, m["committed_qty"]) if m["committed_qty"] is not None and not is_fixed else ZERO
    return {
        **m,
        "billed": billed,
        "expect": expect,
        "raw": raw,
        "gross": gross,
        "held": held,
        "included": included,
        "later": later,
        "excluded": excluded,
        "minimum": minimum,
        "maximum": maximum,
        "exception": exception,
        "rule": rule,
        "measured": measured,
    }


def _is_only_bought(given: Given, service: str, in_use: set[str]) -> bool:
    feeds = {p["source"] for p in given.products if p["state"] == "mapped" and p["service_id"] == service}
    return bool(feeds) and not feeds & in_use


def _peak(given: Given, key: Key, rule: ServiceRule) -> Decimal | None:
    """The highest known count of the months since a day (T37)."""
    if rule.high_water_since is None:
        return None
    measure = "purchased" if rule.expect == "purchased" else "used"
    highest, end = None, given.as_of.replace(day=1) - timedelta(days=1)
    for month in given.earlier:
        rows = [r for r in month if (r["client_id"], r["service_id"], r["measure"]) == (*key, measure)]
        total = _total(rows, "quantity_qty")
        if end >= rule.high_water_since and total is not None:
            highest = total if highest is None else max(highest, total)
        end = end.replace(day=1) - timedelta(days=1)
    return highest


def _rounded(quantity: Decimal | None, rule: ServiceRule) -> Decimal | None:
    if quantity is None or rule.rounding is None:
        return quantity
    block, to = rule.rounding.block, rule.rounding.to
    whole = int(quantity / block)
    rest = quantity - whole * block
    up = rest > 0 and (to == "up" or (to == "nearest" and rest * 2 >= block))
    return (whole + 1) * block if up else whole * block


def _bundles(given: Given, asked: Mapping[Key, Row], billed: Mapping[Key, Row], codes: Mapping[str, str]) -> dict[Key, Row]:
    """Each bundle a client has a line of, with its share of its anchor's count (T65, T67)."""
    found: dict[Key, list[Row]] = defaultdict(list)
    for client, service in billed:
        for code, rule in given.rules.services.items():
            if rule.bundle and codes[code] == service:
                found[client, codes[rule.bundle.anchor]].append({"service": service, "rule": rule, **billed[client, service]})
    made: dict[Key, Row] = {}
    for (client, anchor), rivals in found.items():
        rivals.sort(key=lambda b: (-b["contracted_qty"], b["service"]))
        a = asked.get((client, anchor))
        standalone = a["billed"]["contracted_qty"] if a and a["billed"] else ZERO
        units = max(a["gross"] - standalone, ZERO) if a and a["gross"] is not None else None
        others = total_of(b["contracted_qty"] for b in rivals[1:])
        for place, b in enumerate(rivals):
            own = asked[client, b["service"]]
            share = units if place == 0 else b["contracted_qty"]
            if units is None:
                share = None
            elif place == 0 and len(rivals) > 1:
                share = units - others
            cover = due = None
            if share is not None:
                cover = max(share - own["excluded"], ZERO)
                due = max(cover, own["minimum"] or ZERO)
                due = due if own["maximum"] is None else min(due, own["maximum"])
                due = max(due - own["included"], ZERO)
            made[client, b["service"]] = {
                "cover": cover,
                "due": due,
                "anchor": anchor,
                "rule": b["rule"],
                "is_shared": len(rivals) > 1,
                "is_short": share is not None and share < 0,
                "a": a,
            }
    return made


def _covers(bundles: Mapping[Key, Row], codes: Mapping[str, str]) -> dict[Key, Row]:
    """What bundles cover of each component."""
    made: dict[Key, Row] = {}
    for client, service in sorted(bundles):
        b = bundles[client, service]
        for code, units in b["rule"].bundle.covers.items():
            part = made.setdefault((client, codes[code]), {"qty": ZERO, "is_anchor": False})
            part["qty"] = None if b["cover"] is None or part["qty"] is None else part["qty"] + b["cover"] * units
            part["is_anchor"] = part["is_anchor"] or codes[code] == b["anchor"]
    return made


def _cell(
    given: Given,
    key: Key,
    g: Row,
    bundle: Row | None,
    cover: Row | None,
    clients: Mapping[str, Row],
    services: Mapping[str, Row],
    lines: list[Row],
    scopes: Mapping[str, str],
) -> Row | None:
    client, service, billed, rule = clients[key[0]], services[key[1]], g["billed"], g["rule"]
    if not (billed or g["used_qty"] or g["purchased_qty"] or g["later"] or cover):
        return None
    exception, count_of_lines = g["exception"], billed["lines"] if billed else 0
    paid = billed["billed_qty"] if billed else ZERO
    due, raw, later = _due(g, bundle, cover, paid)
    if exception and exception.not_resold and billed:
        due = ZERO
    status = _status_beside(given, key, g, client, is_bundle=bundle is not None)
    if status is None:
        status = _status_by_count(given, g, bundle, cover, (due, paid, raw, later))
    is_unknown = status in WITHOUT_NUMBER
    currency = billed["currency"] if billed else client["currency"] or given.currency
    listed = service["unit_price"] if currency == given.currency else None  # the catalogue speaks the book's currency
    price = billed["unit_price"] if billed else listed
    variance = None if is_unknown or due is None else due - paid
    cycle = billed["cycle"] if billed else 1
    same = g["vendor_cost"] is not None and g["vendor_currency"] in (None, currency)
    line_cost = billed["line_cost"] if billed else None
    if line_cost is not None:
        line_cost = (line_cost / cycle).quantize(Decimal("0.000001"), ROUND_HALF_UP)
    several = bool((billed and billed["has_several_prices"]) or (bundle and bundle["is_shared"]))
    credit = [x for x in lines if scopes[x["agreement_line_id"]] == "credit" and (x["currency"], x["cycle"]) == (currency, cycle)]
    model = rule.price if currency == given.currency or variance == 0 else None
    is_foreign = rule.price is not None and model is None
    return {
        "lines": count_of_lines,
        "agreement_line_id": billed["agreement_line_id"] if billed else None,
        "contracted_qty": billed["contracted_qty"] if billed else None,
        "billed_qty": billed["billed_qty"] if billed else None,
        "included_qty": billed["included_qty"] if billed else None,
        "purchased_qty": g["purchased_qty"],
        "used_qty": g["used_qty"],
        "committed_qty": g["committed_qty"],
        "commitment_end_date": g["commitment_end_date"],
        "expected_qty": None if is_unknown else due,
        "variance_qty": variance,
        "unit_price": price,
        "unit_cost": g["vendor_cost"] if same else line_cost,
        "credit_amount": total_of(x["quantity_qty"] * x["unit_price"] for x in credit) if credit else None,
        "currency": currency,
        "monthly_impact": _money(variance, due, billed, None if is_foreign else price, cycle, model, currency),
        "status": status,
        "diagnosis": _diagnosis(g, billed, paid),
        "certainty": "estimated" if status == "new_revenue" or several else "calculated",
        "count_source": (bundle["a"]["count_source"] if bundle and bundle["a"] else None) or g["count_source"],
    }


def _status_beside(given: Given, key: Key, g: Row, client: Row, *, is_bundle: bool) -> str | None:
    """What a cell is where no number decides; null where one does."""
    billed, rule, exception = g["billed"], g["rule"], g["exception"]
    is_mapped = any(p["state"] == "mapped" and p["service_id"] == key[1] for p in given.products)
    has_failed = any(row["status"] != "complete" for row in given.status)
    is_counted = is_bundle or is_mapped or bool(rule.used or rule.purchased) or has_failed
    is_own = {client["client_id"], client["client_code"]} & set(given.rules.own_clients)
    if rule.basis in ("flat", "cloud"):
        return str(rule.basis)
    if (client["is_deleted"] or not client["is_billable"]) and not billed:
        return "out_of_scope"
    if is_own:
        return "own_use"
    if exception and exception.ignore:
        return "ignored"
    if exception and exception.not_resold and not billed:
        return "not_resold"
    return "no_source" if rule.basis == "none" or (billed and not is_counted) else None


def _status_by_count(given: Given, g: Row, bundle: Row | None, cover: Row | None, numbers: tuple[Any, Decimal, Any, Decimal]) -> str:
    due, paid, raw, later = numbers
    billed, tolerance = g["billed"], g["rule"].tolerance or given.rules.tolerance
    if (billed and billed["is_mixed"]) or (bundle and bundle["is_short"]):
        return "not_comparable"
    if due is None:
        return "no_count"
    if _agrees(due, paid, tolerance):
        if later > 0 and due == paid:
            return "timing"
        if cover and (cover["is_anchor"] or not billed):
            return "covered"
        return "matched" if due == paid else "matched_within_tolerance"
    if not billed:
        return "new_revenue"
    if raw == 0 and due == 0:
        return "orphan_line"
    return "under_billed" if due > paid else "over_billed"


def _due(g: Row, bundle: Row | None, cover: Row | None, paid: Decimal) -> tuple[Decimal | None, Decimal | None, Decimal]:
    """Units that should be billed, what is behind them, and what came later."""
    raw, later = g["raw"], g["later"]
    if bundle:
        a = bundle["a"]
        return bundle["due"], a["raw"] if a and a["raw"] is not None else raw, a["later"] if a else later
    if g["gross"] is None:
        return None, raw, later
    alone = max(g["gross"] - g["included"], ZERO)
    if cover is None:
        return max(alone, g["held"]), raw, later
    if cover["is_anchor"]:
        return min(paid, alone), raw, later
    return None if cover["qty"] is None else max(g["gross"] - cover["qty"] - g["included"], ZERO), raw, later


def _agrees(due: Decimal, paid: Decimal, tolerance: Any) -> bool:
    """Equal, or inside the tolerance, bounds inclusive (T121)."""
    if due == paid:
        return True
    if (tolerance.side == "under" and due < paid) or (tolerance.side == "over" and due > paid):
        return False
    gap = abs(due - paid)
    return bool(gap <= tolerance.units or gap <= due * tolerance.percent / 100)


def _diagnosis(g: Row, billed: Row | None, paid: Decimal) -> str | None:
    used, bought, words = g["used_qty"], g["purchased_qty"], []
    if not billed and ((used or ZERO) > 0 or (bought or ZERO) > 0):
        words.append("unbilled")
    if billed and bought is not None and bought > paid:
        words.append("margin_leak")
    if used is not None and bought is not None and used > bought:
        words.append("shadow_licences")
    if billed and used is not None and used == 0 and paid > 0:
        words.append("not_deployed")
    elif billed and used is not None and paid > used and paid > (g["committed_qty"] or ZERO) and g["expect"] != "purchased":
        words.append("refund_risk")
    if used is not None and bought is not None and bought > used:
        words.append("waste")
    return " ".join(words) or None


def _money(
    variance: Decimal | None, due: Any, billed: Row | None, price: Decimal | None, cycle: int, model: PriceModel | None, currency: str
) -> Decimal | None:
    """What a variance is worth a month, rounded once, half up (T112, T43)."""
    if variance is None:
        return None
    if variance == 0 and (price is not None or model is not None):
        return ZERO
    if billed and not billed["is_billable"]:
        return ZERO
    coin = Decimal(1) if currency == "JPY" else Decimal("0.01")
    if model is not None:
        return (charge(model, due) - (charge(model, billed["billed_qty"]) if billed else ZERO)).quantize(coin, ROUND_HALF_UP)
    return None if price is None else (variance * price / cycle).quantize(coin, ROUND_HALF_UP)


def charge(model: PriceModel, quantity: Decimal) -> Decimal:
    """What a quantity costs a month (T40–T42)."""
    price = model.price or ZERO
    if model.model == "flat":
        amount = price
    elif model.model == "per_unit":
        amount = quantity * price
    elif model.model == "overage":
        amount = price + max(quantity - model.included, ZERO) * (model.over_price or ZERO)
    elif model.model == "volume":
        reached = next(tier for tier in model.tiers if tier.up_to is None or quantity <= tier.up_to)
        amount = quantity * reached.price
    else:
        amount, floor = ZERO, ZERO
        for tier in model.tiers:
            top = quantity if tier.up_to is None else min(quantity, tier.up_to)
            amount += max(top - floor, ZERO) * tier.price
            floor = tier.up_to or floor
    return max(amount, model.minimum)


def differences(expected: Made, cells: list[Row], lines: list[Row], counts: list[Row], buckets: list[Row]) -> list[str]:
    """What tables of a month say that the reference does not, a line each; empty where they agree."""
    grain = ("source", "record_kind", "vendor_account_id", "vendor_product_id", "bucket", "client_id", "service_id", "rule")
    given: list[tuple[str, Mapping[Any, Any], Mapping[Any, Any]]] = [
        ("cell", expected.cells, {(r["client_id"], r["service_id"]): r for r in cells}),
        ("count", expected.counts, {(r["client_id"], r["service_id"], r["measure"], r["source"]): r for r in counts}),
        ("line", expected.lines, {r["agreement_line_id"]: r["bucket"] for r in lines}),
        ("bucket", expected.buckets, {tuple(r[n] for n in grain): (r["records"], r["quantity_qty"]) for r in buckets}),
    ]
    said = []
    for what, reference, made in given:
        for key in sorted({*reference, *made}, key=str):
            mine, theirs = reference.get(key), made.get(key)
            if isinstance(mine, dict) and isinstance(theirs, dict):
                odd = [name for name in mine if mine[name] != theirs[name]]
                mine, theirs = ({name: one[name] for name in odd} for one in (mine, theirs))
            if mine != theirs:
                said.append(f"{what} {key}: {mine} by the reference, {theirs} by the stages")
    return said
