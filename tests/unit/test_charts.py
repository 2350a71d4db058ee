"""Figures say what the table says: exact labels, unknown apart, nothing netted, nothing that runs."""

from __future__ import annotations

import json
from decimal import Decimal

import pandas as pd
import pytest

from reconlib import charts


def cell(client, service, status, impact, **more):
    known = impact is not None
    row = {
        "client_id": client,
        "client_name": f"Client {client}",
        "service_id": service,
        "service_name": f"Service {service}",
        "contracted_qty": Decimal(12),
        "billed_qty": Decimal(10),
        "purchased_qty": None,
        "used_qty": Decimal(11) if known else None,
        "unit_price": Decimal("12.00"),
        "cycle_months": 1,
        "currency": "USD",
        "monthly_impact": None if impact is None else Decimal(impact),
        "status": status,
    }
    return row | more


CELLS = pd.DataFrame(
    [
        cell("1", "a", "under_billed", "252.00"),
        cell("1", "b", "over_billed", "-54.50"),
        cell("2", "a", "no_count", None),
        cell("2", "b", "matched", "0"),
        cell("3", "a", "under_billed", "99.00", currency="EUR"),
    ]
)
FINDINGS = CELLS.assign(kind=CELLS["status"], status="open")


def labels(fig):
    return json.dumps(json.loads(fig.to_json()), ensure_ascii=False)


def test_the_waterfall_keeps_causes_apart_and_its_ends_exact():
    fig = charts.plot_waterfall(CELLS)
    assert list(fig.data[0].text) == ["", "+252.00", "−54.50", "+197.50"]
    assert "480.00" in fig.data[0].x[0]  # four lines in USD of 10 × 12.00, the one without a count among them
    assert "677.50" in fig.data[0].x[-1]


def test_another_currency_is_not_drawn_into_the_same_bar():
    assert "99.00" not in labels(charts.plot_impact_by_client(FINDINGS))
    assert "99.00 under" in labels(charts.plot_impact_by_client(FINDINGS, currency="EUR"))


def test_under_and_over_are_two_bars():
    under, over = charts.plot_impact_by_client(FINDINGS).data
    assert (list(under.x), list(over.x)) == ([252.0], [-54.5])
    assert [under.text[0], over.text[0]] == ["252.00 under", "54.50 over"]


def test_the_map_marks_unknown_in_words():
    unknown, money = charts.plot_client_service_map(CELLS).data
    assert "no data" in [text for line in unknown.text for text in line]
    assert [z for line in money.z for z in line if z is not None] == [252.0, -54.5, 0.0]


def test_a_purchase_known_for_some_clients_only_is_not_summed():
    cells = pd.DataFrame([cell("1", "a", "matched", "0", purchased_qty=Decimal(5)), cell("2", "a", "matched", "0")])
    purchased = next(trace for trace in charts.plot_four_numbers(cells).data if trace.name == "purchased")
    assert len(purchased.x) == 0


def test_a_failed_source_has_a_word_and_not_a_zero():
    sources = pd.DataFrame(
        [
            {"source": "psa", "status": "complete", "records": 12, "previous_records": 10},
            {"source": "edr", "status": "failed", "records": 0, "previous_records": None},
        ]
    )
    assert list(charts.plot_source_records(sources).data[1].text) == ["12", "FAILED: no data"]


def test_mapping_states_count_each_account_once():
    rows = [{"source": "s", "vendor_product_id": "p", "state": "mapped"}] * 2 + [
        {"source": "s", "vendor_product_id": "q", "state": "unmapped"}
    ]
    counts = {trace.name: list(trace.x) for trace in charts.plot_mapping_states(pd.DataFrame(rows)).data}
    assert counts == {"mapped": [1], "suggested": [0], "unmapped": [1], "excluded": [0]}


def test_decisions_are_grouped_by_state():
    fig = charts.plot_decisions(FINDINGS.assign(status=["approved", "open", "open", "open", "open"]))
    assert list(fig.data[0].y) == ["approved", "open"]


def test_names_are_cut_told_apart_and_cannot_be_markup():
    name = "Northwind Legal Partners of the Greater Rocky Mountain Region"
    cells = pd.DataFrame(
        [
            cell("1", "a", "under_billed", "2", client_name=name),
            cell("2", "a", "under_billed", "1", client_name=name + " 2"),
            cell(
                "3",
                "<a href='javascript:x'>s</a>",
                "under_billed",
                "1",
                client_name="<a href='javascript:x'>y</a>",
                service_name="<b>s</b>",
            ),
        ]
    )
    for plot in (charts.plot_impact_by_client, charts.plot_impact_by_service, charts.plot_client_service_map, charts.plot_four_numbers):
        assert "<a " not in labels(plot(cells))
        assert "<b>s" not in labels(plot(cells))
    ys = charts.plot_impact_by_client(cells).data[0].y
    assert len(set(ys)) == 3
    assert max(map(len, ys)) < 50


@pytest.mark.parametrize(
    "plot",
    [charts.plot_waterfall, charts.plot_client_service_map, charts.plot_impact_by_service, charts.plot_decisions, charts.plot_four_numbers],
)
def test_nothing_to_draw_says_so(plot):
    frame = FINDINGS.head(0) if plot is charts.plot_decisions else CELLS.head(0)
    assert plot(frame).layout.title.text
    assert len(plot(frame).data) == 0


def test_arrow_tables_draw_too():
    import pyarrow as pa

    assert charts.plot_waterfall(pa.Table.from_pandas(CELLS)).data
