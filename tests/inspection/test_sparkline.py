"""The small curve is the incumbent."""

import math
import re
from xml.etree import ElementTree

import pytest
from inspection.made import flat, hyperband

from sk_hpo.inspection.sparkline import sparkline


def corners(picture):
    """Return the places that the path goes through."""
    x, y, found = 0.0, 0.0, []
    path = ElementTree.fromstring(picture).find("{http://www.w3.org/2000/svg}path").get("d")
    for letter, numbers in re.findall(r"([MHV])([-\d. e]+)", path):
        values = [float(n) for n in numbers.split()]
        x = values[0] if letter in "MH" else x
        y = values[-1] if letter in "MV" else y
        found.append((x, y))
    return found


def test_the_incumbent_of_a_flat_search_is_the_running_maximum():
    record = flat(40)
    best, expected = -math.inf, []
    for _, rung in record.timeline():
        best = best if rung.failed else max(best, rung.score)
        expected.append(best if math.isfinite(best) else math.nan)
    assert record.incumbents() == pytest.approx(expected, nan_ok=True)


def test_the_incumbent_of_a_ladder_ends_at_the_best_of_the_top():
    record = hyperband(27)
    found = record.incumbents()
    assert len(found) == sum(1 for _ in record.results())
    assert found[-1] == record.finalists()[0][1].score


def test_heights_follow_scores():
    scores = [0.2, 0.2, 0.5, 0.8, 0.8]
    places = corners(sparkline(scores))
    ys = [y for _, y in places]
    assert ys == sorted(ys, reverse=True)  # up is less
    assert {round(y, 3) for y in ys} == {32.0, 18.0, 4.0}
    assert [x for x, _ in places] == sorted(x for x, _ in places)
    assert places[-1] == (176.0, 4.0)


def test_thousands_of_results_make_a_short_picture_that_ends_right():
    scores = [1 - 1 / (i + 1) for i in range(5000)]
    picture = sparkline(scores)
    assert len(picture) < 10_000
    assert corners(picture)[-1] == (176.0, 4.0)


def test_little_is_drawn_too_and_text_is_escaped():
    assert sparkline([]) == ""
    assert sparkline([math.nan]) == ""
    ElementTree.fromstring(sparkline([0.5]))
    ElementTree.fromstring(sparkline([0.5, 0.5]))
    label = '"><script>'
    assert ElementTree.fromstring(sparkline([1.0, 2.0], label=label)).get("aria-label") == (
        f"{label}: 1 to 2 in 2 results"
    )
