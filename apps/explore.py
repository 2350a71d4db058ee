"""Explore a month: filter the findings, open one, and see the lines and units behind it. Nothing here writes.

    recon explore params/demo.yaml
    marimo run apps/explore.py -- --params params/demo.yaml --period 2026-10

Vendor text reaches the page only through ``mo.ui.table``, ``mo.plain_text`` and option labels, after ``plain``.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="full", app_title="Explore a month")

with app.setup:
    from decimal import Decimal

    import marimo as mo
    import pyarrow as pa
    import pyarrow.compute as pc

    from reconlib.engine import run_sql
    from reconlib.errors import ReconError
    from reconlib.explain.records import bearing_records, tie_out_records
    from reconlib.money import format_amount, format_qty
    from reconlib.period import parse_period
    from reconlib.rules import Rules
    from reconlib.month import Month, open_month, read_stage
    from reconlib.report.links import break_links as plain
    from reconlib.pipeline import Inputs
    from reconlib.inputs import Mapped, stage_inputs

    TABLES = (
        "findings",
        "comparison",
        "counts",
        "line_buckets",
        "agreements",
        "agreement_lines",
        "account_mapping",
        "product_mapping",
        "services",
    )
    FINDING_COLUMNS = (
        "client_name",
        "service_name",
        "kind",
        "monthly_impact",
        "cost_impact",
        "currency",
        "billed_qty",
        "used_qty",
        "purchased_qty",
        "expected_qty",
        "variance_qty",
        "months_open",
        "status",
        "source",
        "finding_id",
    )
    HEADERS = {"monthly_impact": "a month", "cost_impact": "own cost a month", "variance_qty": "difference"}
    RECORD_COLUMNS = (
        "bucket",
        "source",
        "record_kind",
        "unit_name",
        "record_id",
        "unit_key",
        "unit_class",
        "unit_state",
        "last_seen_date",
        "since_date",
        "quantity_qty",
        "term",
        "commitment_end_date",
        "rule",
        "evidence",
    )
    LINES_SQL = """
    CREATE TABLE lines AS
    SELECT b.bucket, a.agreement_name, l.description, l.quantity_qty, l.included_qty, l.unit_price, l.billable, l.effective_date, l.cancelled_date,
           l.agreement_line_id, l.evidence
    FROM agreement_lines AS l
    JOIN run ON l.client_id = run.client_id AND l.service_id = run.service_id
    JOIN agreements AS a ON a.agreement_id = l.agreement_id
    JOIN line_buckets AS b ON b.agreement_line_id = l.agreement_line_id;
    """


@app.function
def format_price(price: Decimal | None) -> str:
    """Price for people: at least two decimals, and never rounded: a meter may cost a hundredth of a cent."""
    whole, _, cents = format_qty(price).partition(".")
    return f"{whole}.{cents:<02}" if whole else ""


@app.function
def shown(table: pa.Table, *, selection: str | None = None, page_size: int = 15) -> mo.ui.table:
    """The table for reading: short headers, numbers to the right and exact, empty where nothing is known."""
    headers = [
        HEADERS.get(name) or name.removesuffix("_qty").removesuffix("_name").removesuffix("_date").replace("_", " ")
        for name in table.column_names
    ]
    formats, right = {}, {}
    for index, (name, header) in enumerate(zip(table.column_names, headers, strict=True)):
        if pa.types.is_decimal(table.schema.field(name).type):
            formats[header] = (
                format_amount if name.endswith("_impact") else format_price if name.endswith(("_price", "_cost")) else format_qty
            )
            right[header] = "right"
        elif pa.types.is_integer(table.schema.field(name).type):
            right[header] = "right"
        else:
            table = table.set_column(index, name, pc.fill_null(table[name].cast(pa.string()), ""))
    return mo.ui.table(
        plain(table).rename_columns(headers),
        selection=selection,
        page_size=page_size,
        format_mapping=formats,
        text_justify_columns=right,
        show_column_summaries=False,
        show_data_types=False,
        show_download=False,  # the archive has the CSV, with formulas made harmless
    )


@app.function
def read_month(params_file: str, period: str) -> tuple[str, dict[str, pa.Table], tuple[Month, Inputs] | None, str]:
    """Head line, tables and inputs of a compared month, with ``history``: the comparisons of every month there is; or why there are none."""
    try:
        month = open_month(params_file, period)
        tables = {name: read_stage(month, name) for name in TABLES}
        inputs = stage_inputs(month, Mapped(tables["account_mapping"], tables["product_mapping"]))
        folder = month.root / month.params.workspace_dir / "periods"
        earlier = sorted(path.name for path in folder.iterdir() if path.name <= str(month.period))
        months = [(name, read_comparison(params_file, name)) for name in earlier]
    except ReconError as error:
        return "", {}, None, str(error)
    tables["history"] = pa.concat_tables(
        table.add_column(0, "period", pa.array([name] * table.num_rows, pa.string())) for name, table in months if table is not None
    )
    tables["anchors"] = anchors(month.rules, tables["services"])
    return f"{month.params.book} · {month.period} · as of {month.as_of} · {month.params.currency}", tables, (month, inputs), ""


@app.function
def anchors(rules: Rules, services: pa.Table) -> pa.Table:
    """Each bundle with the service at which it is counted (T65)."""
    ids = {row["service_code"]: row["service_id"] for row in services.to_pylist()}
    bundles = {code: rule.bundle.anchor for code, rule in rules.services.items() if rule.bundle}
    rows = [{"service_id": ids[code], "anchor_code": anchor, "anchor_id": ids[anchor]} for code, anchor in sorted(bundles.items())]
    return pa.Table.from_pylist(rows, schema=pa.schema([(name, pa.string()) for name in ("service_id", "anchor_code", "anchor_id")]))


@app.function
def read_comparison(params_file: str, period: str) -> pa.Table | None:
    """Comparison of one month, or none when that month was not compared."""
    try:
        parse_period(period)
        return read_stage(open_month(params_file, period), "comparison")
    except ReconError:
        return None


@app.function
def options(findings: pa.Table, id_column: str, name_column: str) -> dict[str, str]:
    """Names to choose from with the id behind each; two of one name are told apart by their ids."""
    pairs = sorted({(row[name_column] or row[id_column], row[id_column]) for row in findings.to_pylist() if row[id_column]})
    names = [name for name, _ in pairs]
    return {name if names.count(name) == 1 else f"{name} ({key})": key for name, key in pairs}


@app.function
def filter_findings(
    findings: pa.Table,
    *,
    clients: list[str],
    services: list[str],
    kinds: list[str],
    statuses: list[str],
    minimum: Decimal,
    unknown: bool,
) -> pa.Table:
    """Findings that pass, most money first. Money not known is not zero: those stay while ``unknown`` says so."""
    wanted = {"client_id": clients, "service_id": services, "kind": kinds, "status": statuses}

    def money(row: dict) -> Decimal | None:
        known = [abs(row[name]) for name in ("monthly_impact", "cost_impact") if row[name] is not None]
        return max(known) if known else None

    rows = [
        row
        for row in findings.to_pylist()
        if all(not values or row[name] in values for name, values in wanted.items())
        and (unknown if money(row) is None else money(row) >= minimum)
    ]
    rows.sort(key=lambda row: (-(money(row) or 0), row["finding_id"]))
    return pa.Table.from_pylist(rows, schema=findings.schema)


@app.function
def totals(findings: pa.Table, of: int) -> str:
    """What stands over the table: how many rows, and under- and over-billed apart, never netted, no currency added to another (T131)."""
    lines = [f"{findings.num_rows} of {of} findings, {findings['monthly_impact'].null_count} of them without money on the client's side"]
    for currency in sorted(set(findings["currency"].to_pylist())):
        impacts = findings.filter(pc.field("currency") == currency)["monthly_impact"].drop_null().to_pylist()
        under, over = sum((v for v in impacts if v > 0), Decimal(0)), sum((-v for v in impacts if v < 0), Decimal(0))
        if impacts:
            lines.append(
                f"under-billed {format_amount(under, currency)} {currency} a month, over-billed {format_amount(over, currency)} {currency} a month"
            )
    return "\n".join(lines)


@app.function
def behind(finding: dict, tables: dict[str, pa.Table], book: tuple[Month, Inputs]) -> tuple[pa.Table, list[str], pa.Table, pa.Table]:
    """Records of one finding, what to know before reading them, agreement lines and history; a bundle is counted at its anchor (T65)."""
    month, inputs = book
    values = {name: finding[name] or "" for name in ("client_id", "service_id")}
    anchor = tables["anchors"].filter(pc.field("service_id") == values["service_id"])["anchor_id"].to_pylist()
    counted = anchor[0] if anchor else finding["service_id"]
    records = bearing_records(month, inputs, finding, counted)
    counts = [row for row in tables["counts"].to_pylist() if (row["client_id"], row["service_id"]) == (finding["client_id"], counted)]
    if finding["kind"] in ("duplicate_unit", "stale_unit"):
        counts = [row for row in counts if row["source"] == finding["source"]]
    codes = {row["service_id"]: row["service_code"] for row in tables["services"].to_pylist()}
    rule = month.rules.services.get(codes.get(counted, ""))
    in_arrears = rule is not None and rule.period_offset != 0  # its records are the month before's (T110), its counts here this month's
    is_counted = finding["kind"] != "unaccounted_usage" and not in_arrears
    notes = tie_out_records(month, inputs, records, counts, finding, counted) if is_counted else []
    needed = ("agreement_lines", "agreements", "line_buckets")
    lines = run_sql(LINES_SQL, {name: tables[name] for name in needed}, results=("lines",), values=values)["lines"]
    history = tables["history"].filter((pc.field("client_id") == values["client_id"]) & (pc.field("service_id") == values["service_id"]))
    if in_arrears:
        notes = ["The vendor counts in arrears: these are the records of the month before.", *notes]
    return records.select(RECORD_COLUMNS), notes, lines.sort_by("agreement_line_id"), history.sort_by("period")


@app.function
def tally(records: pa.Table) -> str:
    """How many units ended where, apart for usage and purchases: a bought seat and its use are not added up."""
    units: dict[tuple[str, str], Decimal] = {}
    for row in records.to_pylist():
        key = row["record_kind"], row["bucket"]
        units[key] = units.get(key, Decimal(0)) + row["quantity_qty"]
    words = [f"{record} {bucket}: {format_qty(quantity)}" for (record, bucket), quantity in sorted(units.items(), reverse=True)]
    return " · ".join(words) or "no records: no unit of this service was received for this client"


@app.cell
def parameters():
    _args = mo.cli_args()
    params_file = str(_args.get("params") or "params/demo.yaml")
    period = str(_args.get("period") or "")
    return params_file, period


@app.cell
def read(params_file, period):
    head, tables, book, problem = read_month(params_file, period)
    return book, head, problem, tables


@app.cell
def title(head, problem):
    mo.stop(bool(problem), mo.callout(mo.plain_text(f"{problem}\n\nRun the month first: recon run PARAMS --period MONTH"), kind="danger"))
    mo.vstack([mo.md("# What would we invoice wrongly, and why?"), mo.plain_text(head)])
    return


@app.cell
def filters(problem, tables):
    mo.stop(bool(problem))
    _all = tables["findings"]
    _kinds, _statuses = (sorted(set(_all[name].to_pylist())) for name in ("kind", "status"))
    client = mo.ui.multiselect(options(plain(_all), "client_id", "client_name"), label="Client", full_width=True)
    service = mo.ui.multiselect(options(plain(_all), "service_id", "service_name"), label="Service", full_width=True)
    kind = mo.ui.multiselect(_kinds, label="Kind", full_width=True)
    status = mo.ui.multiselect(_statuses, label="Status", full_width=True)
    minimum = mo.ui.number(start=0, value=0, step=1, label="At least, money a month", full_width=True)
    unknown = mo.ui.checkbox(value=True, label="also where money is not known")
    mo.sidebar([mo.md("### Filters"), client, service, kind, status, minimum, unknown])
    return client, kind, minimum, service, status, unknown


@app.cell
def findings_table(client, kind, minimum, service, status, tables, unknown):
    _all = tables["findings"]
    _kept = filter_findings(
        _all,
        clients=client.value,
        services=service.value,
        kinds=kind.value,
        statuses=status.value,
        minimum=Decimal(str(minimum.value or 0)),
        unknown=unknown.value,
    )
    picked = shown(_kept.select(FINDING_COLUMNS), selection="single")
    mo.vstack([mo.md("## Findings, most money first"), mo.plain_text(totals(_kept, _all.num_rows)), picked])
    return (picked,)


@app.cell
def chosen(book, picked, tables):
    mo.stop(not picked.value.num_rows, mo.md("Select a finding to see the lines and units behind it."))
    _id = picked.value["finding id"][0].as_py()
    finding = next(row for row in tables["findings"].to_pylist() if row["finding_id"] == _id)
    records, notes, lines, history = behind(finding, tables, book)
    return finding, history, lines, notes, records


@app.cell
def explained(finding):
    _facts = ("explanation", "rule", "certainty", "confidence", "first_seen", "months_open", "cause")
    _values = [(name.replace("_", " "), finding[name]) for name in _facts if finding[name] is not None]
    _lines = [f"{name}: {format_qty(value) if isinstance(value, Decimal) else value}" for name, value in _values]
    _places = (finding["evidence"] or "").split()
    _lines.append(f"evidence: {' '.join(_places[:3])}" + (f" and {len(_places) - 3} more, in the tables below" if len(_places) > 3 else ""))
    _names = [finding[name] for name in ("kind", "client_name", "service_name", "source") if finding[name]]
    mo.vstack([mo.md("## The finding"), mo.plain_text(" · ".join(_names)), mo.plain_text("\n".join(_lines))])
    return


@app.cell
def units(finding, notes, records, tables):
    _anchor = tables["anchors"].filter(pc.field("service_id") == (finding["service_id"] or ""))["anchor_code"].to_pylist()
    _note = f"a bundle, counted at its anchor {_anchor[0]} · " if _anchor else ""
    mo.vstack(
        [
            mo.md("## The units behind the count: which were counted, which were left out and why"),
            mo.plain_text("\n".join([*notes, _note + tally(records)])),
            shown(records),
        ]
    )
    return


@app.cell
def billed_lines(lines):
    _note = "The bucket says what became of each line." if lines.num_rows else "No agreement line of this service for this client."
    mo.vstack([mo.md("## The agreement lines"), mo.md(_note), shown(lines)])
    return


@app.cell
def months(history):
    _columns = [
        "period",
        "contracted_qty",
        "billed_qty",
        "purchased_qty",
        "used_qty",
        "expected_qty",
        "variance_qty",
        "monthly_impact",
        "currency",
        "status",
    ]
    _note = (
        "Every compared month with a line or a count of it."
        if history.num_rows > 1
        else "No earlier compared month has a line or a count of it."
    )
    mo.vstack([mo.md("## The months before"), mo.md(_note), shown(history.select(_columns))])
    return


if __name__ == "__main__":
    app.run()
