"""A page from disk: charts drawn, tables alive, nothing asked of a network."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pandas as pd
import plotly.graph_objects as go
import pytest

from reconlib.charts import plot_impact_by_client, plot_waterfall
from reconlib.report.archive import read_months, write_index, write_manifest
from reconlib.report.show import callout, checklist, figure, kpi, md, show_table

from .conftest import shown  # isort: skip

pytestmark = pytest.mark.browser

ROWS = [
    {
        "client_name": f"Client {n:02d}",
        "used_qty": None if n == 3 else Decimal(n * 10),
        "monthly_impact": None if n == 3 else Decimal(n) - Decimal("4.5"),
        "currency": "USD",
        "explanation": f"Explained {n}.",
        "rule": f"rule-{n}",
    }
    for n in range(1, 13)
]
CELLS = pd.DataFrame(
    [
        row
        | {
            "client_id": row["client_name"],
            "service_id": "s",
            "service_name": "EDR",
            "status": "no_count" if row["used_qty"] is None else "under_billed" if row["monthly_impact"] > 0 else "over_billed",
            "billed_qty": Decimal(1),
            "unit_price": Decimal(10),
            "cycle_months": 1,
        }
        for row in ROWS
    ]
)


@pytest.fixture
def month(write_page):
    table = show_table(
        ROWS,
        caption="Findings",
        columns=["client_name", "used_qty", "monthly_impact"],
        money=["monthly_impact"],
        total=["monthly_impact"],
        details=["explanation", "rule"],
        max_rows=5,
    )
    return write_page(
        "# Comparison\n\nThis page answers: x.",
        [shown(kpi([("Under-billed", "4,812.50 USD", "a month, in 43 lines", "under")])), shown(callout("one source failed"))],
        "## Charts",
        [shown(figure(plot_waterfall(CELLS))), shown(figure(plot_impact_by_client(CELLS)))],
        "## Table",
        [shown(table)],
        "## Folded",
        [shown(show_table(ROWS, caption="Matched", columns=["client_name"], folded=True)), shown(checklist([(True, "Sources", "7 of 7")]))],
    )


def visible(page):
    return page.locator("[data-name=Findings] tbody.record:visible tr:first-child th").all_inner_texts()


def test_charts_are_drawn_and_nothing_is_asked_of_a_network(open_page, month):
    page, seen = open_page(month)
    assert page.locator(".js-plotly-plot .main-svg").count() >= 2
    assert page.locator(".js-plotly-plot .waterfalllayer .point").count() > 0
    assert page.locator(".wait").count() == 0
    assert (seen.outside, seen.problems) == ([], [])


def test_a_chart_can_be_saved_and_not_uploaded(open_page, month):
    page, seen = open_page(month)
    page.locator(".js-plotly-plot").first.hover()
    titles = [button.get_attribute("data-title") for button in page.locator(".modebar-btn").all()]
    assert not [title for title in titles if title and any(word in title.lower() for word in ("share", "cloud", "edit", "produced"))]
    with page.expect_download() as download:
        page.locator(".modebar-btn[data-title*=ownload]").first.click()
    assert download.value.suggested_filename.endswith(".png")
    assert seen.problems == []
    assert [url for url in seen.outside if not url.startswith(("blob:", "data:"))] == []


def test_a_table_sorts_by_number_and_keeps_unknown_last(open_page, month):
    page, _ = open_page(month)
    button = page.locator("[data-name=Findings] thead button").nth(1)
    button.click()
    assert visible(page)[0] == "Client 12"
    button.press("Enter")
    assert visible(page)[0] == "Client 01"
    assert page.locator("[data-name=Findings] th[aria-sort=ascending]").count() == 1
    page.get_by_role("button", name="Show all 12 rows").click()
    assert visible(page)[-1] == "Client 03"


def test_a_table_filters_and_says_n_of_n(open_page, month):
    page, _ = open_page(month)
    count = page.locator("[data-name=Findings] .count")
    assert count.inner_text() == "5 of 12 rows"
    page.get_by_label("Filter rows of Findings").fill("rule-1")
    assert visible(page) == ["Client 01", "Client 10", "Client 11", "Client 12"]
    assert count.inner_text() == "4 of 12 rows"
    assert "all 12 rows" in page.locator("[data-name=Findings] tfoot").inner_text()


def test_the_csv_is_what_is_shown(open_page, month):
    page, seen = open_page(month)
    page.get_by_label("Filter rows of Findings").fill("rule-3")
    with page.expect_download() as download:
        page.locator("[data-name=Findings]").get_by_role("button", name="Save as CSV").click()
    assert download.value.suggested_filename == "findings.csv"
    with download.value.path().open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file)) == [["Client", "Used", "A month, USD"], ["Client 03", "no data", "no amount"]]
    assert seen.problems == []


def test_numbers_in_the_csv_are_plain_and_formulas_are_not(open_page, write_page):
    rows = [
        {"client_name": name, "monthly_impact": Decimal("-1234.5"), "currency": "USD"}
        for name in ('=HYPERLINK("http://x")', "＝1", "+1", "@x", "-x")
    ]
    rows[0]["currency"] = "EUR"
    page, _ = open_page(
        write_page(
            [shown(show_table(rows, caption="T", columns={"client_name": "=head", "monthly_impact": "m"}, money=["monthly_impact"]))]
        )
    )
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV").click()
    with download.value.path().open(encoding="utf-8-sig", newline="") as file:
        head, *lines = csv.reader(io.StringIO(file.read()))
    assert head[0] == "'=head"
    assert [line[0] for line in lines] == ["'" + row["client_name"] for row in rows]
    assert [line[1] for line in lines] == ["-1234.50 EUR", *["-1234.50"] * 4]


def test_without_scripts_every_row_is_readable(open_page, month):
    page, seen = open_page(month, wait=False, java_script_enabled=False)
    assert page.locator("[data-name=Findings] tbody.record").count() == len(visible(page)) == 12
    assert page.locator("[data-name=Findings] .count").inner_text() == "12 of 12 rows"
    assert seen.outside == []


def test_print_is_light_and_complete(open_page, month):
    page, _ = open_page(month, color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) != "rgb(255, 255, 255)"
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
    assert len(visible(page)) == 12
    assert page.locator("[data-name=Findings] .count").inner_text() == "12 of 12 rows"
    assert page.locator("[data-name=Matched] tbody tr:visible").count() == 12
    assert page.locator(".tools:visible, nav:visible").count() == 0


def test_a_wide_table_scrolls_in_its_own_box(open_page, write_page):
    rows = [{f"column_{n}": "word " * 4 for n in range(30)}]
    page, _ = open_page(write_page([shown(show_table(rows))]))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("(() => { const box = document.querySelector('.scroll'); return box.scrollWidth > box.clientWidth; })()")


def test_the_index_of_the_archive_opens_without_scripts(open_page, tmp_path):
    for period, amount in (("2026-09", "20"), ("2026-10", "10")):
        folder = tmp_path / "reports" / "b" / period / "v1"
        folder.mkdir(parents=True)
        facts = {
            "book": "b",
            "period": period,
            "version": 1,
            "status": "approved",
            "currency": "USD",
            "under_billed": amount,
            "over_billed": "1",
        }
        write_manifest(folder, facts)
    page, seen = open_page(write_index(tmp_path / "reports", read_months(tmp_path / "reports")), wait=False, java_script_enabled=False)
    assert page.locator("tbody tr").count() == 2
    assert page.locator("svg polyline").count() == 2
    assert (seen.outside, seen.problems) == ([], [])


def test_a_figure_with_vendor_markup_draws_it_as_text(open_page, write_page):
    fig = go.Figure(go.Bar(x=["<a href='javascript:window.PWNED=1'>x</a>"], y=[1]))
    page, _ = open_page(write_page([shown(figure(fig)), shown(md("x"))]))
    assert page.locator("a[*|href^='javascript']").count() == 0
