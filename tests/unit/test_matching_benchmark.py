"""The benchmark's own arithmetic: what is removed, what is known beforehand, and what a link is worth, against figures worked out by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from benchmarks.matching.baseline import chosen_links, plain_name
from benchmarks.matching.measures import best_links, calibration_error, measure, measure_case
from benchmarks.matching.organisations import make_organisations
from benchmarks.matching.page import render_page
from benchmarks.matching.plan import CALIBRATION, HALF, PLAIN, TARGETS, WAYS, Target, asked_case
from benchmarks.matching.results import Result
from benchmarks.matching.sets import SETS, Case, SharedDataAbsentError, half_labels, load_case, open_world, sample_rows, some_labels

ROWS = 400


def links_of(text: str) -> pd.DataFrame:
    """right, left ("-": none), probability, verdict: one row a line."""
    rows = [line.split() for line in text.strip().splitlines()]
    frame = pd.DataFrame(rows, columns=["right_id", "left_id", "probability", "verdict"])
    return frame.assign(left_id=frame["left_id"].replace("-", None), probability=pd.to_numeric(frame["probability"], errors="coerce"))


def truth_of(*pairs: str) -> pd.DataFrame:
    return pd.DataFrame([pair.split("=") for pair in pairs], columns=["right_id", "left_id"])


def numbered(relation: str = "one_to_one") -> Case:
    """``ROWS`` rows of a name each, row n the partner of row n."""
    left = pd.DataFrame({"id": [f"l{at}" for at in range(ROWS)], "name": [f"name {at}" for at in range(ROWS)]})
    right = left.assign(id=[f"r{at}" for at in range(ROWS)])
    return Case("numbered", left, right, pd.DataFrame({"right_id": right["id"], "left_id": left["id"]}), relation)


def test_measures_of_five_rows_by_hand() -> None:
    links = links_of("""
        r1  l1  0.99  AUTO
        r2  l2  0.90  PROPOSE
        r3  lx  0.80  PROPOSE
        r4  l4  0.60  PROPOSE
        r5  -   -     UNMATCHED
    """)
    found = measure(links, truth_of("r1=l1", "r2=l2", "r3=l3", "r4=l4", "r5=l5"))
    assert found.ap == pytest.approx((1 + 1 + 3 / 4) / 5)
    assert found.f1 == pytest.approx(2 * (3 / 4) * (3 / 5) / (3 / 4 + 3 / 5))
    assert found.threshold == pytest.approx(0.60)
    assert found.r_at_p99 == pytest.approx(2 / 5)
    assert found.top1 == pytest.approx(3 / 5)
    assert found.ece == pytest.approx((abs(0.99 + 0.90 - 2) + 0.80 + 0.40) / 4)
    assert (found.auto_precision, found.auto_share) == (1.0, pytest.approx(1 / 5))
    assert (found.true_links, found.proposed) == (5, 4)


def test_equal_probabilities_are_accepted_together_whatever_their_order() -> None:
    links = links_of("r1 l1 0.9 PROPOSE\nr2 lx 0.9 PROPOSE\nr3 lx 0.9 PROPOSE\nr4 l4 0.9 PROPOSE")
    truth = truth_of("r1=l1", "r4=l4")
    assert measure(links, truth) == measure(links.iloc[::-1], truth)
    assert (measure(links, truth).ap, measure(links, truth).r_at_p99) == (0.5, 0.0)


def test_a_row_without_right_answer_costs_precision_but_not_recall() -> None:
    found = measure(links_of("r1 l1 0.9 PROPOSE\nr2 l2 0.8 PROPOSE"), truth_of("r1=l1"))
    assert (found.true_links, found.top1, found.ap, found.f1) == (1, 1.0, 1.0, 1.0)
    assert measure(links_of("r1 l1 0.7 PROPOSE\nr2 l2 0.8 PROPOSE"), truth_of("r1=l1")).ap == 0.5


def test_r_at_p99_bears_one_wrong_link_in_a_hundred_and_not_two() -> None:
    links = pd.DataFrame({"right_id": [f"r{at}" for at in range(100)], "left_id": [f"l{at}" for at in range(100)]})
    links = links.assign(probability=np.linspace(0.99, 0.5, 100), verdict="PROPOSE")
    truth = pd.DataFrame({"right_id": links["right_id"], "left_id": links["left_id"]})
    one_wrong = truth.assign(left_id=truth["left_id"].replace({"l60": "other"}))
    two_wrong = one_wrong.assign(left_id=one_wrong["left_id"].replace({"l61": "other"}))
    assert measure(links, one_wrong).r_at_p99 == pytest.approx(0.99)
    assert measure(links, two_wrong).r_at_p99 == pytest.approx(0.60)


def test_nothing_proposed_is_no_quality_and_no_calibration() -> None:
    found = measure(links_of("r1 - - UNMATCHED"), truth_of("r1=l1"))
    assert (found.ap, found.r_at_p99, found.top1, found.proposed) == (0.0, 0.0, 0.0, 0)
    assert math.isnan(found.ece)
    assert math.isnan(found.auto_precision)


def test_calibration_error_is_weighted_by_rows_and_knows_certainty() -> None:
    assert calibration_error(np.array([1.0, 1.0, 0.0]), np.array([True, True, False])) == 0.0
    assert calibration_error(np.array([1.0, 0.55, 0.55, 0.55]), np.array([False, True, True, False])) == pytest.approx((1 + 2 - 1.65) / 4)


def test_a_link_too_unlikely_to_be_shown_still_counts_and_a_row_without_probability_has_none() -> None:
    suggested = links_of("r1 l1 0.9 AUTO\nr2 - 0.04 UNMATCHED\nr3 - - UNMATCHED")
    suggested = suggested.assign(proposals=[(("l1", 0.9),), (("l2", 0.04), ("l9", 0.01)), (("l1", 0.5),)])
    assert best_links(suggested)["left_id"].tolist()[:2] == ["l1", "l2"]
    found = measure(best_links(suggested), truth_of("r1=l1", "r2=l2", "r3=l3"))
    assert (found.top1, found.proposed) == (pytest.approx(2 / 3), 2)


def test_open_world_removes_three_of_ten_partners_and_keeps_every_right_row() -> None:
    whole, opened = numbered(), open_world(numbered(), 0)
    assert 0.25 * ROWS < ROWS - len(opened.left) < 0.35 * ROWS
    assert opened.right["id"].tolist() == whole.right["id"].tolist()
    assert set(opened.truth["left_id"]) == set(opened.left["id"])


def test_removal_belongs_to_the_ids_and_the_seed_not_to_the_order() -> None:
    whole = numbered()
    turned = Case("turned", whole.left.iloc[::-1], whole.right, whole.truth.iloc[::-1], whole.relation)
    assert set(open_world(turned, 3).left["id"]) == set(open_world(whole, 3).left["id"])
    assert set(open_world(whole, 3).left["id"]) != set(open_world(whole, 4).left["id"])


def test_left_rows_without_partner_are_never_removed() -> None:
    whole = numbered()
    lonely = Case("lonely", whole.left, whole.right, whole.truth.iloc[: ROWS // 2], whole.relation)
    gone = set(lonely.left["id"]) - set(open_world(lonely, 0).left["id"])
    assert gone
    assert gone <= set(lonely.truth["left_id"])


def test_half_labels_ask_the_other_half_and_tell_of_the_removed() -> None:
    case = half_labels(open_world(numbered(), 0), 0)
    known, asked = set(case.decisions["right_id"]), case.asked
    assert known | asked == set(case.right["id"])
    assert not known & asked
    assert 0.4 * ROWS < len(known) < 0.6 * ROWS
    assert set(case.truth["right_id"]) <= asked
    removed = case.decisions[case.decisions["decision"] == "exclude"]
    assert len(removed)
    assert removed["left_id"].isna().all()
    mapped = case.decisions[case.decisions["decision"] == "map"]
    assert (mapped["left_id"].str[1:] == mapped["right_id"].str[1:]).all()


def test_a_sample_keeps_the_partners_of_its_right_rows_and_as_many_strangers() -> None:
    sample = sample_rows(numbered(), 50, 0)
    assert (len(sample.right), len(sample.left), len(sample.truth)) == (50, 100, 50)
    assert set(sample.truth["left_id"]) < set(sample.left["id"])
    assert set(sample.truth["right_id"]) == set(sample.right["id"])


def test_decided_rows_are_not_measured() -> None:
    case = some_labels(numbered(), 50, 0)
    answers = pd.DataFrame({"right_id": case.right["id"], "left_id": "wrong", "probability": 0.9, "verdict": "AUTO"})
    answers["left_id"] = [one.replace("r", "l") if one in case.asked else "wrong" for one in answers["right_id"]]
    assert len(case.decisions) == 50
    assert measure_case(case, answers).auto_precision == 1.0
    assert measure_case(case, answers).true_links == ROWS - 50


def test_a_pair_nobody_labelled_is_neither_right_nor_wrong() -> None:
    whole = numbered()
    case = Case("pairs", whole.left, whole.right, truth_of("r1=l1"), "many_to_one", judged=frozenset({("r1", "l1"), ("r2", "l9")}))
    found = measure_case(case, links_of("r1 l1 0.9 AUTO\nr2 l9 0.8 AUTO\nr3 l7 0.9 AUTO\nr4 - - UNMATCHED"))
    assert (found.unjudged, found.proposed, found.auto_precision) == (1, 2, 0.5)


def test_greedy_gives_a_left_row_away_once_where_the_relation_is_one_to_one() -> None:
    rows, cols, scores = np.array([0, 1, 1]), np.array([0, 0, 1]), np.array([0.9, 0.8, 0.3])
    assert chosen_links(numbered(), rows, cols, scores)["left_id"].tolist()[:3] == ["l0", "l1", None]
    assert chosen_links(numbered("many_to_one"), rows, cols, scores)["left_id"].tolist()[:2] == ["l0", "l0"]


def test_greedy_leaves_decided_rows_and_their_partners_alone() -> None:
    whole = numbered()
    known = pd.DataFrame({"right_id": ["r0"], "left_id": ["l0"], "decision": ["map"]})
    case = Case("known", whole.left, whole.right, whole.truth, "one_to_one", decisions=known)
    found = chosen_links(case, np.array([0, 1, 1, 0]), np.array([0, 0, 1, 2]), np.array([0.9, 0.8, 0.3, 0.2]))
    assert found["left_id"].tolist()[:2] == [None, "l1"]


@pytest.mark.parametrize(
    ("name", "plain"), [("Müller & Söhne GmbH", "muller sohne"), ("The Company", "the company"), ("McDonald's Corp.", "mcdonalds")]
)
def test_recipe_takes_legal_forms_off_unless_nothing_is_left(name: str, plain: str) -> None:
    assert plain_name(name) == plain


def test_made_names_are_the_same_again_and_seven_of_ten_have_a_partner() -> None:
    made, again = make_organisations(300), make_organisations(300)
    pd.testing.assert_frame_equal(made.right, again.right)
    assert (len(made.left), len(made.right), len(made.truth)) == (300, 300, 210)
    assert made.left["name"].is_unique
    assert not set(made.right["name"]) <= set(made.left["name"])
    assert make_organisations(300, seed=1).left["name"].tolist() != made.left["name"].tolist()


def test_made_names_are_spelt_as_real_ones_few_words_often_most_once() -> None:
    counts = make_organisations(3000).left["name"].str.split().explode().value_counts()
    assert counts.iloc[0] > 0.1 * 3000
    assert (counts <= 2).mean() > 0.5


def test_page_says_met_and_not_met_and_what_failed() -> None:
    ours = {"ap": 0.95, "f1": 0.89, "r_at_p99": 0.7, "top1": 0.97, "ece": 0.02, "auto_precision": 1.0, "auto_share": 0.8}
    page = render_page(
        [
            Result("reconlib", "canlobby", PLAIN, ours, 1.0, 100.0),
            Result("TF-IDF recipe", "canlobby", PLAIN, ours | {"ap": 0.9, "f1": 0.88}, 0.1, 90.0),
            Result("splink", "canlobby", PLAIN, said="failed: no memory"),
            Result("reconlib", "200", "speed", ours, 0.2, 100.0),
        ]
    )
    assert "| canlobby | no labels | AP | 0.950 | 0.900 TF-IDF recipe | ≥ 0.930 | met |" in page
    assert "| canlobby | no labels | F1 | 0.890 | 0.880 TF-IDF recipe | ≥ 0.900 | not met |" in page
    assert "| canlobby | no labels | +0.050 | +0.010 | met |" in page
    assert "failed: no memory" in page
    assert "| 200 × 200 | reconlib | 0.20 |  | 100 | 0.890 | ≤ 0.3 CPU s | met |" in page


def test_a_figure_that_could_not_be_taken_reaches_nothing() -> None:
    assert not Target("canlobby", PLAIN, "ap", 0.0).is_met(float("nan"))
    assert not Target("canlobby", PLAIN, "ece", 1.0, is_most=True).is_met(float("nan"))


def test_every_target_is_of_a_run_that_is_made() -> None:
    assert {(target.set_name, target.way) for target in (*TARGETS, *CALIBRATION)} <= {
        (name, way) for way, sets in WAYS.items() for name in sets
    }


def test_without_the_shared_data_the_bench_says_so(tmp_path) -> None:
    with pytest.raises(SharedDataAbsentError, match="shared data absent: quality not measured"):
        load_case("canlobby", tmp_path)


@pytest.mark.parametrize("name", SETS)
def test_labelled_sets_are_read_whole(name: str) -> None:
    try:
        case = load_case(name)
    except SharedDataAbsentError as absent:
        pytest.skip(str(absent))
    assert case.left["id"].is_unique
    assert case.right["id"].is_unique
    assert set(case.truth["left_id"]) <= set(case.left["id"])
    assert set(case.truth["right_id"]) <= set(case.right["id"])
    assert set(case.left.columns) <= {"id", "name", "domain", "address", "phone", "sku"}
    assert "ticker" not in case.left
    assert asked_case(case, HALF, 0).asked
