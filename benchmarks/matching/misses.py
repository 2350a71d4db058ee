"""Which links are wrong or missing, to be read by whoever mends the matcher: ``python -m benchmarks.matching.misses SET [ROWS]``.

First the true links that the recipe finds and reconlib does not, then reconlib's wrong links, the surest first.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from benchmarks.matching.baseline import suggest_by_recipe
from benchmarks.matching.measures import best_links
from benchmarks.matching.plan import PLAIN, asked_case
from benchmarks.matching.sets import Case, load_case
from benchmarks.matching.with_reconlib import suggest_by_reconlib


def list_misses(case: Case, rows: int) -> Iterator[str]:
    """One line a link, names as they stand in the set."""
    suggested = suggest_by_reconlib(case)
    ours, recipe = (best_links(links).set_index("right_id") for links in (suggested, suggest_by_recipe(case)))
    left = case.left.set_index("id")["name"].to_dict() | {None: "nothing"}
    right = case.right.set_index("id")["name"].to_dict()
    shown = {
        one: "; ".join(f"{left[other]} {p:.3f}" for other, p in found)
        for one, found in zip(suggested["right_id"], suggested["proposals"], strict=True)
    }
    found = ours["left_id"].where(ours["left_id"].notna(), None)
    truth = case.truth.drop_duplicates("right_id").set_index("right_id")["left_id"]
    lost = [one for one in truth.index if found[one] != truth[one] == recipe["left_id"][one]]
    yield f"{len(lost)} true links the recipe finds and reconlib does not"
    for one in lost[:rows]:
        yield f"  {right[one]} = {left[truth[one]]} (recipe {recipe['probability'][one]:.2f}); here {ours['verdict'][one]}: {shown[one]}"
    wrong = ours[found.notna() & (found != truth.reindex(found.index))].sort_values("probability", ascending=False)
    yield f"{len(wrong)} wrong links, {(wrong['verdict'] == 'AUTO').sum()} of them AUTO"
    for one, link in zip(wrong.index[:rows].astype(str), wrong.to_dict("records"), strict=False):
        yield f"  {link['probability']:.4f} {link['verdict']} {right[one]} is not {left[link['left_id']]} but {left[truth.get(one)]}"


def main(set_name: str, rows: str = "25") -> None:
    """Prints them for one open world of the set."""
    for line in list_misses(asked_case(load_case(set_name), PLAIN, 0), int(rows)):
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
