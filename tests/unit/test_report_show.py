"""What a notebook cell ends in: exact, complete, escaped; unknown is never 0."""

from __future__ import annotations

import re
from decimal import Decimal

import pandas as pd
import plotly.graph_objects as go
import pyarrow as pa
import pytest

from reconlib.errors import DataError
from reconlib.report.markup import MARK, lab_style
from reconlib.report.show import callout, checklist, figure, kpi, md, show_table

HOSTILE = '"><script>x()</script><img src=x onerror=x()>'
ROWS = [
    {"client_name": "Acme", "used_qty": Decimal("33.000000"), "monthly_impact": Decimal(396), "currency": "USD"},
    {"client_name": "Blue", "used_qty": None, "monthly_impact": None, "currency": "USD"},
    {"client_name": "Cedar", "used_qty": Decimal(0), "monthly_impact": Decimal("-54.50"), "currency": "USD"},
]


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).strip()


def test_unknown_stands_in_words_and_zero_as_zero():
    shown = show_table(ROWS, columns=["client_name", "used_qty"]).html
    cells = re.findall(r"<td[^>]*>(.*?)</td>", shown)
    assert cells == ["33", "no data", "0"]
    assert 'title="no count was received: this is not zero"' in shown


def test_under_and_over_are_never_netted_in_a_total():
    foot = show_table(ROWS, columns=["client_name", "monthly_impact"], money=["monthly_impact"], total=["monthly_impact"]).html.split(
        "<tfoot>"
    )[1]
    assert text_of(foot) == "Total of all 3 rows 396.00 under-billed −54.50 over-billed + 1 not known"


def test_currencies_are_not_added_together():
    rows = [*ROWS, {"client_name": "Dach", "used_qty": Decimal(1), "monthly_impact": Decimal(10), "currency": "EUR"}]
    html = show_table(rows, columns=["client_name", "monthly_impact"], money=["monthly_impact"], total=["monthly_impact"]).html
    foot = text_of(html.split("<tfoot>")[1])
    assert "10.00 EUR under-billed" in foot
    assert "396.00 USD under-billed" in foot
    assert "A month, USD</th>" in html
    assert 'data-v="10.00" data-code="EUR">10.00 EUR' in html


def test_without_a_usual_currency_every_amount_is_marked():
    rows = [{"cost": Decimal(1), "currency": code} for code in ("CAD", "USD")]
    html = show_table(rows, columns=["cost"], money=["cost"], total=["cost"]).html
    assert "Cost</th>" in html
    assert [">1.00 CAD<" in html, ">1.00 USD<" in html] == [True, True]


def test_the_currency_code_is_in_the_heading_and_money_without_one_is_refused():
    assert "A month, USD</th>" in show_table(ROWS, columns=["client_name", "monthly_impact"], money=["monthly_impact"]).html
    with pytest.raises(DataError, match="money without a currency"):
        show_table([{"cost": Decimal(1)}], money=["cost"])


def test_a_price_with_more_decimals_than_the_coin_is_not_rounded_away():
    html = show_table([{"unit_price": Decimal("0.0125"), "currency": "USD"}], columns=["unit_price"], money=["unit_price"]).html
    assert ">0.0125<" in html


def test_every_row_is_in_the_page_however_few_are_visible():
    rows = [{"n": i} for i in range(60)]
    html = show_table(rows, max_rows=5).html
    assert html.count("<tr>") == 61
    assert 'data-max="5"' in html
    assert "60 of 60 rows" in html


@pytest.mark.parametrize("make", [pa.Table.from_pylist, pd.DataFrame, list])
def test_arrow_pandas_and_rows_show_the_same(make):
    assert show_table(make(ROWS)).html == show_table(ROWS).html


def test_an_empty_table_says_why():
    table = pa.table({"a": pa.array([], pa.string())})
    assert "Nothing is open." in show_table(table, empty="Nothing is open.").html


def test_a_row_opens_to_its_details():
    rows = [{"client_name": "Acme", "explanation": "Billing 7 fewer.", "rule": "edr", "evidence": None}]
    html = show_table(rows, details=["explanation", "rule", "evidence"]).html
    assert "<summary>Billing 7 fewer.</summary><dl><dt>Rule</dt><dd>edr</dd></dl>" in html
    assert "Evidence" not in html


def test_a_wrong_column_is_named_with_the_nearest_one():
    with pytest.raises(DataError, match="did you mean 'used_qty'"):
        show_table(ROWS, columns=["use_qty"])


def test_vendor_text_is_escaped_wherever_it_stands():
    rows = [{"client_name": HOSTILE, "status": HOSTILE, "explanation": HOSTILE, HOSTILE: HOSTILE, "rule": HOSTILE}]
    shown = [
        show_table(rows, caption=HOSTILE, details=["explanation", "rule"]),
        show_table(rows, caption=HOSTILE, folded=True, columns={"client_name": HOSTILE}),
        show_table(pa.table({"a": pa.array([], pa.string())}), empty=HOSTILE, caption=HOSTILE),
        md("{x}", x=HOSTILE),
        md(f"{HOSTILE}"),
        kpi([(HOSTILE, HOSTILE, HOSTILE, "bad")]),
        checklist([(True, HOSTILE, HOSTILE, HOSTILE), (None, HOSTILE, HOSTILE, "javascript:x()")]),
        callout([HOSTILE, HOSTILE], title=HOSTILE),
    ]
    for one in shown:
        assert "<script" not in one.html
        assert "<img" not in one.html
        assert 'href="javascript' not in one.html


def test_markdown_values_are_text_and_links_stay_inside():
    assert md("{x}", x="**a** [b](http://c)").html.count("<strong>") == 0
    assert "<a" not in md("[x](https://example.com) [y](javascript:x) [z](//host/p)").html
    assert '<a href="20_mapping_review.html">' in md("[queue](20_mapping_review.html)").html
    assert "12.50 USD" in md("{x:USD}", x=Decimal("12.5")).html
    assert "not known" in md("{x:USD}", x=None).html
    with pytest.raises(DataError, match="link"):
        md("[x]({where})", where="javascript:x()")
    with pytest.raises(DataError, match="no value for 'y'"):
        md("{y}")


def test_only_our_own_objects_carry_the_mark():
    data, metadata = md("x")._repr_mimebundle_()
    assert metadata == {MARK: {"shown": True}}
    assert data["text/html"].startswith(lab_style())
    assert data["text/plain"] == "x"


def test_a_figure_uploads_nothing():
    data, _ = figure(go.Figure(go.Bar(x=["a"], y=[1]), layout={"title": {"text": "<b>T</b>"}}))._repr_mimebundle_()
    config = data["application/vnd.plotly.v1+json"]["config"]
    assert config["showSendToCloud"] is False
    assert config["plotlyServerURL"] == "about:blank"
    assert config["displaylogo"] is False
    assert data["text/plain"].split() == ["T"]
    assert "text/html" not in data


def test_an_unknown_tone_is_refused():
    with pytest.raises(DataError, match="not a tone"):
        kpi([("a", 1, "", "red")])


def test_a_gate_leads_to_a_page_by_its_name() -> None:
    html = checklist([(True, "mapping", "all mapped", "20_mapping_review.html#queue"), (True, "x", "y", "units.csv")]).html
    assert '<a href="20_mapping_review.html#queue">20 Mapping review</a>' in html
    assert '<a href="units.csv">units.csv</a>' in html


def test_the_line_of_a_row_is_its_sentence_or_names_the_first_thing_it_holds() -> None:
    rows = [{"name": "a", "explanation": "why", "term": "yearly"}, {"name": "b", "explanation": None, "term": "yearly"}]
    html = show_table(rows, columns=["name"], details=["explanation", "term"]).html
    assert "<summary>why</summary><dl><dt>Term</dt><dd>yearly</dd></dl>" in html
    assert '<p class="why">Term: yearly</p>' in html
