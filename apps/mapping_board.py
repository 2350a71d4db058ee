# /// script
# [tool.marimo.display]
# theme = "system"
# ///
"""Decide a month's mappings: the queue by money × doubt, one row at a time or in bulk after a preview. It writes decisions, and only when a button is pressed.

    recon board params/demo.yaml
    marimo run apps/mapping_board.py -- --params params/demo.yaml --period 2026-10

Decisions go to the ledger through ``MappingReview``, as those of page 20 do. Vendor text reaches the page only through ``mo.ui.table``,
``mo.plain_text`` and option labels, after ``break_links``.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="full", app_title="Mapping board")

with app.setup:
    from collections.abc import Callable

    import marimo as mo
    import pyarrow as pa

    from reconlib.errors import ReconError
    from reconlib.ledger import Event
    from reconlib.mapping_review import MappingReview, judge_month
    from reconlib.month import Month, as_signed, month_events, open_month, read_stage
    from reconlib.reliability import measure_reliability
    from reconlib.report.links import break_links
    from reconlib.report.pages.mapping import list_choices, mapping_cards
    from reconlib.report.pages.mapping_bulk import say_left_out, say_preview, sum_preview
    from reconlib.report.pages.mapping_history import list_mapping_decisions, name_targets, reliability_cards
    from reconlib.report.pages.mapping_queue import list_queue, rank_queue
    from reconlib.report.pages.mapping_why import say_points, say_proposals, say_stake, say_why
    from reconlib.review.bulk import LEAST, USUAL, BulkPreview, preview_bulk
    from reconlib.steps import suggest_month

    QUEUE = {
        "number": "#",
        "name": "vendor",
        "source": "source",
        "suggested": "suggested",
        "probability": "p",
        "stake": "a month",
        "why": "why",
        "runner_up": "runner-up",
    }
    DECISIONS = {
        "number": "#",
        "at": "when",
        "who": "who",
        "decision": "decision",
        "name": "vendor",
        "target": "client or service",
        "probability": "p shown",
        "source": "source",
        "reason": "why",
        "vendor_id": "vendor id",
    }
    WIDTHS = {"#": 38, "vendor": 150, "source": 75, "suggested": 165, "p": 50, "a month": 95, "why": 270, "runner-up": 185}
    WIDTHS |= {"p shown": 74, "what": 110, "says": 490, "when": 140, "who": 110, "decision": 90, "client or service": 165}
    WIDTHS |= {"Vendor account": 170, "Vendor product": 170, "Source": 80, "Becomes": 175, "A month": 110, "Why": 300}


@app.function
def shown(table: pa.Table, heads: dict[str, str], *, selection: str | None = None, page_size: int = 15) -> mo.ui.table:
    """The table for reading: these columns under these headings, numbers to the right and exact, empty where nothing is known."""
    kept = break_links(table.select(list(heads))).rename_columns(list(heads.values()))
    right = [field.name for field in kept.schema if pa.types.is_decimal(field.type)]
    return mo.ui.table(
        kept,
        selection=selection,
        page_size=page_size,
        format_mapping=dict.fromkeys(right, lambda value: "" if value is None else f"{value:.2f}"),
        text_justify_columns=dict.fromkeys(right, "right"),
        wrapped_columns=[name for name in kept.column_names if name not in (*right, "#")],
        column_widths={name: width for name, width in WIDTHS.items() if name in kept.column_names},
        show_search=kept.num_rows > page_size,
        show_column_summaries=False,
        show_data_types=False,
        show_download=False,
    )


@app.function
def read_board(params_file: str, period: str) -> tuple[dict[str, pa.Table], Month | None, list[Event], str]:
    """Tables, month and the ledger's events as they were read, what was decided so far in the mapping; or why there are none."""
    try:
        month = as_signed(open_month(params_file, period))
        events = month_events(month)
        tables = {name: read_stage(month, name) for name in ("clients", "services")}
        mapped = suggest_month(month)
        tables |= {"account": mapped.accounts, "product": mapped.products}
    except ReconError as error:
        return {}, None, [], str(error)
    return tables, month, events, ""


@app.function
def choices_of(table: pa.Table, what: str) -> dict[str, str]:
    """Names to choose from with the id behind each."""
    return {name: key for key, name in list_choices(break_links(table), what)}


@app.function
def keep_matching(mapping: pa.Table, sources: list[str]) -> pa.Table:
    """The rows that wait, of these sources; of all where none is named."""
    rows = [row for row in rank_queue(mapping).to_pylist() if not sources or row["source"] in sources]
    return pa.Table.from_pylist(rows, schema=mapping.schema)


@app.function
def about(row: dict, names: dict[str, str]) -> pa.Table:
    """All that speaks for and against one row: what it is, and what is said."""
    parts = {
        "why": say_why(row),
        "points": say_points(row) or "none",
        "candidates": say_proposals(row, names) or "none",
        "conflicts": row["conflicts"],
        "at the vendor": row["change"],
        "a month": ", ".join(say_stake(row)),
        "vendor id": row.get("vendor_account_id") or row.get("vendor_product_id"),
        "evidence": row["evidence"],
    }
    told = {name: text for name, text in parts.items() if text}
    return pa.table({"what": pa.array(told, pa.string()), "says": pa.array(told.values(), pa.string())})


@app.function
def numbered(table: pa.Table) -> pa.Table:
    """The table with its rows counted, so that a selected one is found again."""
    return table.add_column(0, "number", pa.array(range(1, table.num_rows + 1), pa.int64()))


@app.function
def with_stake(waiting: pa.Table) -> pa.Table:
    """The queue as people read it, its rows counted, with the money that hangs on each, or the units where no amount is known."""
    stakes = [say_stake(row)[row["monthly_cost"] is None] for row in waiting.to_pylist()]
    return numbered(list_queue(waiting).append_column("stake", pa.array(stakes, pa.string())))


@app.function
def stats(cards: list) -> mo.Html:
    """Figures two by two, so that they stand alike in any window."""
    made = [mo.stat(str(value), label=label, caption=note, bordered=True) for label, value, note, _ in cards]
    return mo.vstack([mo.hstack(made[index : index + 2], widths="equal", wrap=True) for index in range(0, len(made), 2)])


@app.function
def actions_of(row: dict) -> dict[str, str]:
    """What can be decided about a row: words and what they mean; where the evidence speaks against itself, accepting is not the first."""
    if row["verdict"] == "CONTRADICTION":
        better = {"Change to the runner-up": "runner_up"} if row["runner_up_id"] else {}
        return better | {"Keep it as it is mapped": "accept", "It is another one": "other", "Exclude": "exclude"}
    if not (row.get("client_id") or row.get("service_id")):
        return {"It is another one": "other", "Exclude": "exclude"}
    accept, rest = (
        {"Accept the suggestion": "accept"},
        {"It is another one": "other", "Reject the suggestion": "reject", "Exclude": "exclude"},
    )
    return rest | accept if row["conflicts"] else accept | rest


@app.function
def attempt(write: Callable[[], list[Event]], names: dict[str, dict[str, str]]) -> tuple[str, str]:
    """What was recorded, in words, and what went wrong; one of the two is empty."""
    try:
        return say_recorded(write(), names), ""
    except ReconError as error:
        return "", str(error)


@app.function
def told(recorded: str, problem: str) -> mo.Html | None:
    """The answer to a pressed button; nothing where none was pressed."""
    return mo.callout(mo.plain_text(problem or recorded), kind="danger" if problem else "success") if recorded or problem else None


@app.function
def row_of(decision: dict) -> dict:
    """The account or product a listed decision is about."""
    return {
        "source": decision["source"],
        f"{decision['relation']}_name": decision["name"],
        f"vendor_{decision['relation']}_id": decision["vendor_id"],
    }


@app.function
def why_not_back(decisions: list[dict], number: int) -> str:
    """Why a listed decision cannot be taken back; empty where it can: it is the last about its account or product, latest first."""
    asked = decisions[number - 1]
    same = [one for one in decisions if all(one[name] == asked[name] for name in ("relation", "source", "vendor_id"))]
    if same[0] is not asked:
        return f"{asked['name']}: a later decision about it stands ({same[0]['decision']}, {same[0]['at']}); take that one back first"
    return f"{asked['name']}: it was taken back already" if asked["decision"] == "taken back" else ""


@app.function
def answer_of(row: dict, wanted: str, target: str | None) -> tuple[str, str]:
    """What a choice in the form means: the action, and the client or service it is about."""
    suggested = row.get("client_id") or row.get("service_id") or ""
    meant = {"accept": ("accept", suggested), "other": ("accept", target or ""), "reject": ("reject", suggested)}
    return (meant | {"runner_up": ("accept", row["runner_up_id"]), "exclude": ("exclude", "")})[wanted]


@app.function
def say_recorded(events: list[Event], names: dict[str, dict[str, str]]) -> str:
    """What was just recorded, in words."""
    values = events[0].values
    if len(events) > 1 and values["decision"] != "undo":
        return f"{len(events)} decisions recorded"
    target = names[values["relation"]].get(values["target_id"] or "", "")
    vendor = values["seen"].get("name") or values["vendor_id"]
    words = {"map": f"mapped to {target}", "reject": f"not {target}", "exclude": f"excluded until {values['until']}", "undo": "taken back"}
    words["undo"] += ", what stood before stands again" if len(events) > 1 else ""
    return f"{vendor}: {words[values['decision']]}"


@app.function
def preview_table(preview: BulkPreview) -> pa.Table:
    """What a bulk accept would record, as it would be recorded; why stands last, so that the money is in view."""
    heads, rows = say_preview(preview)
    table = pa.table({head: pa.array([row[index] for row in rows], pa.string()) for index, head in enumerate(heads)})
    return table.select(sorted(heads, key=lambda head: head == "Why"))


@app.cell
def parameters():
    _args = mo.cli_args()
    params_file = str(_args.get("params") or "params/demo.yaml")
    period = str(_args.get("period") or "")
    named = str(_args.get("who") or "")
    return named, params_file, period


@app.cell
def controls(named):
    again = mo.ui.run_button(label="Read again", tooltip="with what was decided meanwhile, by you and by others", full_width=True)
    who = mo.ui.text(value=named, label="Who decides", placeholder="your name, or RECON_WHO", full_width=True)
    relation = mo.ui.radio({"Accounts": "account", "Products": "product"}, value="Accounts", label="What to map")
    return again, relation, who


@app.cell
def read(again, params_file, period):
    _asked = again.value  # read again when it is pressed
    tables, month, events, problem = read_board(params_file, period)
    return events, month, problem, tables


@app.cell
def title(month, problem):
    mo.stop(bool(problem), mo.callout(mo.plain_text(f"{problem}\n\nRun the month first: recon run PARAMS --period MONTH"), kind="danger"))
    _head = f"{month.params.book} · {month.period} · as of {month.as_of} · {month.params.currency}"
    mo.vstack([mo.md("# Does every count belong to the right client and service?"), mo.plain_text(_head)])
    return


@app.cell
def reviewer(events, month, problem, who):
    mo.stop(bool(problem))
    review = MappingReview(month, who.value, events=events)
    mo.callout(mo.plain_text(review.refusal), kind="warn") if review.refusal else None
    return (review,)


@app.cell
def sidebar(again, problem, relation, tables, who):
    mo.stop(bool(problem))
    sources = mo.ui.multiselect(sorted({row["source"] for row in tables[relation.value].to_pylist()}), label="Source", full_width=True)
    _note = mo.md("What was decided shows in the queue once it is read again.")
    mo.sidebar([mo.md("### Mapping board"), who, relation, sources, again, _note])
    return (sources,)


@app.cell
def headline(problem, tables):
    mo.stop(bool(problem))
    _cards = mapping_cards(tables["account"], tables["product"])
    stats(_cards)
    return


@app.cell
def names_of(problem, tables):
    mo.stop(bool(problem))
    names = name_targets(tables["clients"], tables["services"])
    return (names,)


@app.cell
def queue(relation, sources, tables):
    waiting = keep_matching(tables[relation.value], sources.value)
    picked = shown(with_stake(waiting), QUEUE, selection="single")
    _all = rank_queue(tables[relation.value]).num_rows
    _count = mo.md(f"{waiting.num_rows} of {_all} {relation.value}s that wait for a decision")
    mo.vstack([mo.md("## The queue, most money × most doubt first"), _count, picked if waiting.num_rows else mo.md("Nothing waits.")])
    return picked, waiting


@app.cell
def chosen(picked, waiting):
    row = waiting.to_pylist()[picked.value["#"][0].as_py() - 1] if picked.value.num_rows else None
    return (row,)


@app.cell
def form(relation, review, row, tables):
    _what = "client" if relation.value == "account" else "service"
    _choices = choices_of(tables[f"{_what}s"], _what)
    _options = actions_of(row) if row else {"Accept the suggestion": "accept"}
    wanted = mo.ui.radio(_options, value=next(iter(_options)), label="Decision")
    target = mo.ui.dropdown(_choices, searchable=True, label=f"Another {_what}", full_width=True)
    reason = mo.ui.text(label="Reason", placeholder="needed to exclude", full_width=True)
    until = mo.ui.date(value=review.review_by, label="Look again on, if excluded", full_width=True)
    decide = mo.ui.run_button(label="Record this decision", kind="success", disabled=bool(review.refusal) or not row)
    return decide, reason, target, until, wanted


@app.cell
def one_row(decide, names, reason, relation, row, target, until, wanted):
    mo.stop(not row, mo.md("Select a row to see why it was suggested, and to decide it."))
    _facts = shown(about(row, names[relation.value]), {"what": "what", "says": "says"})
    _form = mo.hstack([mo.vstack([wanted, decide], gap=1), mo.vstack([target, reason, until], gap=1)], widths="equal", gap=2, wrap=True)
    _name = mo.plain_text(f"{row.get('account_name') or row.get('product_name')} · {row['source']}")
    mo.vstack([mo.md("## Decide one"), _name, _facts, _form])
    return


@app.cell
def record(decide, names, reason, review, row, target, until, wanted):
    recorded = _problem = ""
    if decide.value:
        _action, _target = answer_of(row, wanted.value, target.value)
        recorded, _problem = attempt(lambda: review.decide(row, _action, _target, reason.value, until.value), names)
    told(recorded, _problem)
    return (recorded,)


@app.cell
def bulk_controls(relation):
    threshold = mo.ui.number(start=float(LEAST), stop=1, step=0.01, value=float(USUAL), label="p at least")
    mo.vstack([mo.md(f"## Accept {relation.value}s in bulk"), threshold])
    return (threshold,)


@app.cell
def preview(recorded, review, threshold, waiting):
    _open = [row for row in waiting.to_pylist() if not review.has_decided(row)]
    asked = preview_bulk(_open, str(threshold.value or 1))
    _label = f"Record these {len(asked.rows)} decisions" if len(asked.rows) != 1 else "Record this decision"
    accept = mo.ui.run_button(label=_label, kind="success", disabled=bool(review.refusal) or not asked.rows)
    _said = mo.plain_text(
        "\n".join(text for text in (recorded and f"Since then: {recorded}.", sum_preview(asked), say_left_out(asked)) if text)
    )
    _table = preview_table(asked)
    mo.vstack([_said, shown(_table, {name: name for name in _table.column_names}), accept] if asked.rows else [_said])
    return accept, asked


@app.cell
def record_bulk(accept, asked, names, review):
    recorded_bulk = _problem = ""
    if accept.value:
        recorded_bulk, _problem = attempt(lambda: review.accept_all(asked), names)
    told(recorded_bulk, _problem)
    return (recorded_bulk,)


@app.cell
def decided(month, names, recorded, recorded_bulk, review):
    decisions = list_mapping_decisions(month_events(month), month.period, names)
    taken = shown(numbered(decisions), DECISIONS, selection="single", page_size=10)
    undo = mo.ui.run_button(label="Take the selected decision back", kind="warn", disabled=bool(review.refusal))
    _last = [text for text in (recorded, recorded_bulk) if text]
    _note = mo.plain_text(f"just now: {'; '.join(_last)}" if _last else f"{decisions.num_rows} of {decisions.num_rows} decisions")
    _shown = [_note, taken, undo] if decisions.num_rows else [mo.md("Nobody has decided a mapping in this billing month.")]
    mo.vstack([mo.md("## Decided this month, latest first"), *_shown])
    return decisions, taken, undo


@app.cell
def take_back(decisions, names, review, taken, undo):
    _numbers = taken.value["#"].to_pylist() if undo.value else []
    _listed = decisions.to_pylist()
    _told = [
        told("", why_not_back(_listed, number)) or told(*attempt(lambda row=row_of(_listed[number - 1]): review.decide(row, "undo"), names))
        for number in _numbers
    ]
    mo.vstack(_told) if _told else mo.md("Select the decision to take back." if undo.value else "")
    return


@app.cell
def judged(month, recorded, recorded_bulk):
    _events = (recorded, recorded_bulk)  # read again after each
    _judged = judge_month(month)
    _cards = reliability_cards(measure_reliability(_judged), _judged)
    mo.vstack([mo.md("## How good the suggestions have been"), stats(_cards)])
    return


if __name__ == "__main__":
    app.run()
