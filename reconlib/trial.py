"""The rule sandbox: changed rules over a frozen month, before and after, with nothing written anywhere.

Both sides rest on the same snapshots, tables and decisions as they stand on disk. A signed month is set beside what was signed; one that is
not, beside what its own rules make of the same inputs, so that every difference is the rules'.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconlib.errors import ReconError, SettingsError
from reconlib.inputs import Mapped, around_mapping, build_canonical, stage_inputs, standing_mapping
from reconlib.month import Month, as_signed, month_events, read_stage
from reconlib.pipeline import Inputs, map_vendors, run_stages
from reconlib.rates import Rates
from reconlib.report.pages.tables import build_table
from reconlib.review import apply_finding_decisions
from reconlib.rules import Count, Ignore, Rules, read_rules

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]
ZERO = Decimal(0)
MOST_PROBLEMS = 100  # a rule that cannot be taken out by its key ends the search earlier
_NUMBERS = ("expected_qty", "billed_qty", "variance_qty", "monthly_impact", "status")
_CELLS: Mapping[str, Any] = {
    **dict.fromkeys(("client_id", "client_name", "service_id", "service_name", "status_before", "status_after"), "text"),
    **dict.fromkeys(("billed_qty", "expected_before_qty", "expected_after_qty", "variance_before_qty", "variance_after_qty"), "qty"),
    **dict.fromkeys(("monthly_before", "monthly_after"), "amount"),
    "currency": "text",
}
_FINDINGS: Mapping[str, Any] = {
    **dict.fromkeys(("what", "finding_id", "kind", "client_name", "service_name", "source", "explanation"), "text"),
    **dict.fromkeys(("monthly_before", "monthly_after", "cost_before", "cost_after"), "amount"),
    "currency": "text",
}
_TOTALS: Mapping[str, Any] = {
    "currency": "text",
    **dict.fromkeys(("under_before", "under_after", "over_before", "over_after"), "amount"),
    **dict.fromkeys(("unknown_before", "unknown_after"), "int"),
}


@dataclass(frozen=True, slots=True)
class Trial:
    """What changed rules would make of a month."""

    cells: pa.Table  # every client × service whose numbers or status differ; null: not there, or not known
    findings: pa.Table  # what is gone, new or worth other money; what: gone, new or changed
    totals: pa.Table  # a currency: under- and over-billed money apart, before and after (T131), and findings without an amount
    same: int  # clients × services that come out as before


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the rules of a book, seen against its month."""

    where: str  # file and key
    what: str
    hint: str = ""


def try_rules(month: Month, rules: Rules | Iterable[str | Path], *, client: str = "") -> Trial:
    """Changed rules over a month as it stands on disk. Writes nothing: no table, no event, no page.

    ``rules`` are read from files, or given. ``client`` is an id, code or name; without one all are compared.

    Raises:
        SettingsError: a rule is wrong, with its file and key; or nobody is called ``client``.
        DataError: the month has not been read or compared.
    """
    tried = rules if isinstance(rules, Rules) else read_rules(rules)
    chosen = _client(month, client)
    after_cells, after_findings = _made(replace(month, rules=tried))
    if as_signed(month).as_signed:
        before_cells, before_findings = read_stage(month, "comparison"), read_stage(month, "findings")
    else:
        read_stage(month, "comparison")  # says when the month was never compared
        before_cells, before_findings = _made(month)
    was, now = (_rows(table, chosen) for table in (before_cells, after_cells))
    old, new = (_by_id(table, chosen) for table in (before_findings, after_findings))
    cells = [row for row in _pairs(was, now) if any(row[f"_{name}"] for name in _NUMBERS)]
    return Trial(
        cells=build_table(sorted(cells, key=lambda r: (r["client_name"], r["service_name"])), _CELLS),
        findings=build_table(list_changed(old, new), _FINDINGS),
        totals=build_table(_totals(old, new), _TOTALS),
        same=len(was.keys() | now.keys()) - len(cells),
    )


def check_rules(month: Month, rules: Rules) -> list[Problem]:
    """Every problem of a book's rules against its month on disk, not only the first: as a run would say it, with file and key.

    Raises:
        DataError: the month has not been read.
    """
    problems = list(_unread(month, rules))
    inputs = replace(_inputs_on_disk(replace(month, rules=rules)), matched_before=frozenset())
    for _ in range(MOST_PROBLEMS):
        try:
            made = run_stages(_mapped(month, inputs, rules), rules)
        except SettingsError as error:
            problems.append(Problem(error.where, error.what, error.hint))
            key = rules.key_at(error.where)
            if key is None and error.where == inputs.rates.where:
                inputs = replace(inputs, rates=Rates())
                continue
            fewer = rules.without(key) if key is not None else None
            if fewer is None or fewer == rules:
                return problems
            rules = fewer
        except ReconError as error:
            return [*problems, Problem(error.where or "rules", error.what, error.hint)]
        else:
            return problems + [
                Problem(rules.where(row["rule"]), *_empty(row["rule"], row["sources"]))
                for row in made.counted.unmatched
                if not _may_be_empty(rules, row["rule"])
            ]
    return problems


def _empty(key: str, sources: str) -> tuple[str, str]:
    """What is wrong with a rule that catches nothing, and what to do."""
    if key.startswith("services."):
        hint = "map a product to the service, mend the rule, or say may_be_empty: true where nothing may be right"
        return f"this count matches no record of {sources}", hint
    return f"this matches no record of {sources}", "mend its values, or take it out"


def _unread(month: Month, rules: Rules) -> Iterator[Problem]:
    """Counts that read no source of the book: they would stay empty without a word."""
    from reconlib.connectors import CONNECTORS
    from reconlib.errors import nearest

    connectors = {source.connector for source in month.params.sources.values()}
    named: list[tuple[str, Count | Ignore]] = [
        (f"services.{code}.{measure}.{number}", count)
        for code, rule in rules.services.items()
        for measure, counts in (("used", rule.used), ("purchased", rule.purchased))
        for number, count in enumerate(counts)
    ]
    named += [(f"ignore.{number}", part) for number, part in enumerate(rules.ignore)]
    for key, part in named:
        if part.connector in CONNECTORS and part.connector not in connectors:  # one nobody has stops the stages themselves
            what = f"no source of this book is read by connector {part.connector!r}"
            yield Problem(rules.where(f"{key}.connector"), what, nearest(part.connector, connectors))


def _may_be_empty(rules: Rules, key: str) -> bool:
    if not key.startswith("services."):
        return False
    rest = key.removeprefix("services.")
    code, measure, number = rest.rsplit(".", 2)
    return bool(getattr(rules.services[code], measure)[int(number)].may_be_empty)


def _made(month: Month) -> tuple[pa.Table, pa.Table]:
    """Comparison and findings of a month under its rules, decisions applied; made in memory."""
    made = run_stages(_inputs(month), month.rules)
    findings = apply_finding_decisions(made.findings, month_events(month), period=month.period, as_of=month.as_of)
    return made.compared.cells, findings


def _inputs(month: Month) -> Inputs:
    """The month's inputs as they stand on disk, mapped anew: which products count for a service is a matter of its rules."""
    return _mapped(month, _inputs_on_disk(month), month.rules)


def _inputs_on_disk(month: Month) -> Inputs:
    return stage_inputs(month, Mapped(read_stage(month, "account_mapping"), read_stage(month, "product_mapping")))


def _mapped(month: Month, inputs: Inputs, rules: Rules) -> Inputs:
    accounts, products = map_vendors(
        *(inputs.tables, inputs.status, standing_mapping(month), rules), as_of=month.as_of, engine=month.engine, **around_mapping(month)
    )
    return replace(inputs, accounts=accounts, products=products)


def _client(month: Month, name: str) -> str | None:
    if not name:
        return None
    from reconlib.errors import nearest

    rows = build_canonical(month)["clients"].to_pylist()
    found = {row["client_id"] for row in rows if name in (row["client_id"], row["client_code"], row["client_name"])}
    if len(found) != 1:
        names = [row["client_code"] or row["client_name"] for row in rows]
        what = f"{len(found)} clients are called {name!r}" if found else f"no client {name!r}"
        raise SettingsError(what, where="--client", hint=nearest(name, names) if not found else "give the id")
    return str(found.pop())


def _rows(cells: pa.Table, client: str | None) -> dict[tuple[str, str], Row]:
    return {(row["client_id"], row["service_id"]): row for row in cells.to_pylist() if client in (None, row["client_id"])}


def _by_id(findings: pa.Table, client: str | None) -> dict[str, Row]:
    return {row["finding_id"]: row for row in findings.to_pylist() if client in (None, row["client_id"])}


def _pairs(was: Mapping[tuple[str, str], Row], now: Mapping[tuple[str, str], Row]) -> Iterator[Row]:
    for key in sorted(was.keys() | now.keys()):
        old, new = was.get(key) or {}, now.get(key) or {}
        about = new or old
        row = {name: about[name] for name in ("client_id", "client_name", "service_id", "service_name", "billed_qty", "currency")}
        row |= {"status_before": old.get("status"), "status_after": new.get("status")}
        for name in ("expected", "variance"):
            row |= {f"{name}_before_qty": old.get(f"{name}_qty"), f"{name}_after_qty": new.get(f"{name}_qty")}
        row |= {"monthly_before": old.get("monthly_impact"), "monthly_after": new.get("monthly_impact")}
        yield row | {f"_{name}": old.get(name) != new.get(name) for name in _NUMBERS}


def list_changed(old: Mapping[str, Row], new: Mapping[str, Row]) -> list[Row]:
    """Findings that are gone, new or worth something else, by id on each side, with a client's money and own cost before and after."""
    rows = []
    for finding_id in sorted(old.keys() | new.keys()):
        before, after = old.get(finding_id), new.get(finding_id)
        if before and after and _same(before, after):
            continue
        row = after or before
        assert row is not None
        money = {
            f"{name}_{when}": side[f"{name}_impact"] if side else None
            for name in ("monthly", "cost")
            for when, side in (("before", before), ("after", after))
        }
        rows.append({**row, **money, "what": "changed" if before and after else "new" if after else "gone"})
    return sorted(rows, key=lambda r: (r["what"], -abs(r["monthly_after"] or r["monthly_before"] or ZERO), -_cost(r), r["finding_id"]))


def _cost(row: Row) -> Decimal:
    amount: Decimal = row["cost_after"] or row["cost_before"] or ZERO
    return abs(amount)


def _same(before: Row, after: Row) -> bool:
    return all(before[name] == after[name] for name in ("monthly_impact", "cost_impact", "variance_qty", "expected_qty", "status"))


def _totals(old: Mapping[str, Row], new: Mapping[str, Row]) -> list[Row]:
    """Under- and over-billed findings, each currency and direction apart: they are never netted (T131)."""
    from reconlib.report.pages.comparison import OVER, UNDER

    sums: dict[str, Row] = {}
    for when, findings in (("before", old), ("after", new)):
        for row in findings.values():
            kind = row["kind"]
            side = "under" if kind in UNDER else "over" if kind in OVER else "unknown" if kind in ("no_count", "no_source") else ""
            if side:
                empty = {name: 0 if name.startswith("unknown") else ZERO for name in _TOTALS if name != "currency"}
                total = sums.setdefault(row["currency"], {"currency": row["currency"], **empty})
                total[f"{side}_{when}"] += 1 if side == "unknown" else abs(row["monthly_impact"] or ZERO)
    return [sums[code] for code in sorted(sums)]
