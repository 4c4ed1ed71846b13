"""Bars that say what the numbers say."""

from __future__ import annotations

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.stats import uniform
from sklearn.base import BaseEstimator

from sk_hpo import RandomSearchCV
from sk_hpo.inspection.importance.result import ParameterImportance
from sk_hpo.inspection.importance_display import ImportanceDisplay


class Same(BaseEstimator):
    """Its score is its parameter."""

    def __init__(self, x=0.0):
        self.x = x

    def fit(self, X, y=None):
        return self

    def score(self, X, y=None):
        return self.x


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def importance(n, n_pairs=0, intervals=True, names=None):
    values = np.linspace(0.5, 0.0, n)
    off = 0.1 if intervals else np.nan
    pairs = tuple((f"p{i}", f"p{i + 1}") for i in range(n_pairs))
    of_pairs = np.linspace(0.2, 0.1, n_pairs)
    return ParameterImportance(
        "fanova", tuple(names or (f"p{i}" for i in range(n))), values, values - off,
        values + off, 0.5, 100, 3, 27, 0.9, pairs, of_pairs, of_pairs - off, of_pairs + off,
    )  # fmt: skip


def shown(display):
    return [label.get_text() for label in display.ax_.get_yticklabels()]


def test_bars_intervals_and_pairs():
    found = importance(3, 2)
    display = ImportanceDisplay.from_importance(found)
    assert shown(display) == ["p0", "p1", "p2", "p0 × p1", "p1 × p2"]
    mains, pairs = [c for c in display.ax_.containers if hasattr(c, "patches")]
    assert [bar.get_width() for bar in mains] == pytest.approx(found.importances)
    assert [bar.get_width() for bar in pairs] == pytest.approx(found.pair_importances)
    assert all(bar.get_hatch() for bar in pairs)
    lines = list(display.ax_.collections)
    ends = np.array([segment[:, 0] for c in lines for segment in c.get_segments()])
    assert ends[:3] == pytest.approx(np.column_stack([found.low, found.high]))
    top, below = (display.ax_.transData.transform((0, y))[1] for y in (0, 1))
    assert top > below  # the most important on top
    label = display.ax_.get_xlabel()
    assert "variance" in label
    assert "90 % intervals; 100 trials (3 of them failed) at resource 27" in label
    assert display.figure_ is display.ax_.figure


def test_without_intervals_there_are_none():
    display = ImportanceDisplay.from_importance(importance(2, intervals=False))
    assert not display.ax_.collections
    assert "intervals" not in display.ax_.get_xlabel()


def test_many_parameters_are_cut_and_counted():
    found = importance(40, 10)
    display = ImportanceDisplay.from_importance(found)
    assert shown(display)[:25] == list(found.names[:25])
    assert len(shown(display)) == 35
    [text] = display.ax_.texts
    assert text.get_text().strip() == f"15 others, none above {found.importances[25]:.3f}"
    all_of_them = ImportanceDisplay.from_importance(found, max_parameters=40)
    assert len(shown(all_of_them)) == 50
    assert not all_of_them.ax_.texts
    _, ax = plt.subplots(figsize=(5, 3))
    small = ImportanceDisplay.from_importance(found, ax=ax)
    assert small.ax_ is ax
    assert len(shown(small)) < 20


@pytest.mark.parametrize("n", [1, 2, 12, 40])
def test_names_do_not_overlap(n):
    display = ImportanceDisplay.from_importance(importance(n, min(n - 1, 10)))
    display.figure_.canvas.draw()
    boxes = [label.get_window_extent() for label in display.ax_.get_yticklabels()]
    assert all(one.y0 >= other.y1 for one, other in pairwise(boxes))
    width = display.figure_.bbox.width
    assert all(box.x0 >= 0 and box.x1 <= width for box in boxes)
    label = display.ax_.xaxis.label.get_window_extent()
    assert label.x0 >= 0
    assert label.x1 <= width


def test_long_names_stay_different():
    names = [f"prepare__step_{i}__a_name_that_is_long_enough" for i in range(3)]
    assert len(set(shown(ImportanceDisplay.from_importance(importance(3, names=names))))) == 3


def test_from_search_and_back_and_too_few_trials():
    def fitted(n_iter):
        search = RandomSearchCV(
            Same(), {"x": uniform()}, n_iter=n_iter, cv=2, random_state=0, refit=False
        )
        return search.fit(np.zeros((4, 1)))

    search = fitted(12)
    display = ImportanceDisplay.from_search(search, n_bootstrap=2, random_state=0)
    assert shown(display) == ["x"]
    assert display.importance.importances == pytest.approx([1.0])
    assert shown(display.importance.plot(max_parameters=1)) == ["x"]
    with pytest.raises(ValueError, match="max_parameters must be 1 or more, got 0"):
        display.plot(max_parameters=0)
    one = ImportanceDisplay.from_search(fitted(1))
    [text] = one.ax_.texts
    assert "needs 10 trials with a score at least, and this search has 1:" in " ".join(
        text.get_text().split()
    )
    one.figure_.canvas.draw()
    assert one.figure_.bbox.containsx(text.get_window_extent().x0)
    with pytest.raises(ValueError, match="method must be one of"):
        ImportanceDisplay.from_search(search, method="shap")
