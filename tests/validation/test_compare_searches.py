from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy.stats import loguniform
from sklearn.datasets import make_classification
from sklearn.exceptions import FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingRandomSearchCV,
    KFold,
    RandomizedSearchCV,
    StratifiedKFold,
)
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from sk_hpo.search.hyperband import HalvingHyperbandSearchCV
from sk_hpo.search.random import RandomSearchCV
from sk_hpo.validation.alarm import LeakageWarning
from sk_hpo.validation.compare_searches import CompareSearchesDisplay, compare_searches
from sk_hpo.validation.nested import nested_cross_validate

X, y = make_classification(n_samples=90, flip_y=0.2, random_state=0)
C = {"C": loguniform(1e-2, 1e2)}
OUTER = StratifiedKFold(3, shuffle=True, random_state=5)
COLUMNS = [
    "search",
    "fold",
    "fit_time",
    "n_fits",
    "resource",
    "resource_spent",
    "inner_score",
    "outer_score",
    "optimism",
    "params",
]


@pytest.fixture
def searches():
    seeded = {"cv": StratifiedKFold(3), "random_state": 0}
    return {
        "grid": GridSearchCV(SVC(), {"C": [0.1, 1.0, 10.0]}, cv=3),
        "randomized": RandomizedSearchCV(SVC(), C, n_iter=4, **seeded),
        "halving": HalvingRandomSearchCV(SVC(), C, **seeded),
        "random": RandomSearchCV(SVC(), C, n_iter=4, **seeded),
        "hyperband": HalvingHyperbandSearchCV(SVC(), C, resource="n_samples", **seeded),
    }


def timeless(frame):
    return frame.drop(columns="fit_time")


def test_each_search_gets_what_it_gets_alone(searches):
    frame = compare_searches(searches, X, y, outer_cv=OUTER)
    assert frame.columns.tolist() == COLUMNS
    assert frame["search"].tolist() == [name for name in searches for _ in range(3)]
    assert frame["fold"].tolist() == [0, 1, 2] * 5
    for name, search in searches.items():
        rows = frame[frame["search"] == name]
        alone = nested_cross_validate(
            search, X, y, outer_cv=OUTER, refit=False, return_searches=True
        )
        np.testing.assert_array_equal(rows["outer_score"], alone.outer_scores)
        np.testing.assert_array_equal(rows["inner_score"], alone.inner_scores)
        np.testing.assert_array_equal(rows["optimism"], alone.optimism)
        assert rows["params"].tolist() == list(alone.best_params)
        fits = [3 * len(fitted.cv_results_["params"]) for fitted in alone.searches]
        assert rows["n_fits"].tolist() == fits
        assert rows["resource"].unique().tolist() == ["n_samples"]
    hyperband = frame[frame["search"] == "hyperband"]
    assert (hyperband["resource_spent"] > 0).all()
    assert frame[frame["search"] == "grid"]["resource_spent"].tolist() == [3 * 2 * 60] * 3


def test_the_same_for_any_number_of_jobs(searches):
    del searches["halving"], searches["random"]
    one, two = (compare_searches(searches, X, y, outer_cv=OUTER, n_jobs=n) for n in (1, 2))
    pd.testing.assert_frame_equal(timeless(one), timeless(two))


@pytest.mark.parametrize("budget", [{"fits": 70}, {"resource": 2500}])
def test_nobody_spends_more_than_the_budget(searches, budget):
    frame = compare_searches(searches, X, y, outer_cv=OUTER, budget=budget)
    [(unit, amount)] = budget.items()
    spent = frame["n_fits" if unit == "fits" else "resource_spent"]
    assert (spent <= amount).all()
    flat = frame["search"].isin(["randomized", "random"])
    each = 3 if unit == "fits" else 3 * 40
    assert spent[flat].tolist() == [amount // each * each] * 6
    assert searches["random"].n_iter == 4


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_time_for_everything(n_jobs):
    """With time for all candidates, they are tried, whoever's search it is."""
    space = {"max_depth": [1, 2, 3, 4, 5]}
    tree = DecisionTreeClassifier(random_state=0)
    kinds = [GridSearchCV, RandomizedSearchCV, RandomSearchCV, HalvingRandomSearchCV]
    searches = {kind.__name__: kind(tree, space, cv=3) for kind in kinds}
    frame = compare_searches(
        searches, X, y, outer_cv=OUTER, budget={"seconds": 500}, n_jobs=n_jobs
    )
    assert frame.columns.tolist() == COLUMNS
    # Of the 5 of halving, 2 go on.
    assert frame["n_fits"].tolist() == [15] * 9 + [21] * 3
    assert frame["outer_score"].notna().all()
    for name, kind in zip(searches, kinds, strict=True):
        assert type(searches[name]) is kind


def test_folds_are_drawn_once():
    one = GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 3]}, cv=3)
    frame = compare_searches({"a": one, "b": one}, X, y, outer_cv=KFold(4, shuffle=True))
    a, b = (frame[frame["search"] == name]["outer_score"].tolist() for name in "ab")
    assert a == b


def test_scores_by_another_metric_than_the_search(searches):
    frame = compare_searches({"grid": searches["grid"]}, X, y, outer_cv=OUTER, scoring="f1")
    assert frame["outer_score"].notna().all()
    assert frame[["inner_score", "optimism"]].isna().all(axis=None)


def test_groups_go_to_both_levels():
    groups = np.repeat(np.arange(15), 6)
    search = GridSearchCV(SVC(), {"C": [1.0, 2.0]}, cv=GroupKFold(4))
    plain = GridSearchCV(SVC(), {"C": [1.0]}, cv=2)
    with pytest.warns(LeakageWarning, match="StratifiedKFold, does not look at them"):
        frame = compare_searches(
            {"grid": search, "plain": plain},
            X,
            y,
            outer_cv=GroupKFold(3),
            groups=groups,
            budget={"fits": 8},
        )
    assert frame["n_fits"].tolist() == [8] * 3 + [2] * 3
    with pytest.raises(ValueError, match="both sides of outer fold"):
        compare_searches({"grid": search}, X, y, outer_cv=3, groups=groups)


class Fragile(DecisionTreeClassifier):
    def fit(self, X, y):
        if len(np.unique(y)) < 2:
            raise RuntimeError("one class")
        return super().fit(X, y)


def test_a_fold_that_fails_is_a_row():
    half = np.where(np.arange(90) < 45, 0, y)
    outer = [(np.arange(45), np.arange(45, 90)), (np.arange(45, 90), np.arange(45))]
    search = GridSearchCV(Fragile(), {"max_depth": [1]}, cv=2, error_score="raise")
    with pytest.warns(FitFailedWarning):
        frame = compare_searches({"fragile": search}, X, half, outer_cv=outer)
    failed, fine = frame.to_dict("records")
    assert np.isnan([failed[c] for c in ("outer_score", "inner_score", "n_fits")]).all()
    assert failed["params"] is None
    assert fine["n_fits"] == 2
    assert fine["params"] == {"max_depth": 1}


def test_a_search_that_fails_on_every_fold_does_not_take_the_others_along(searches):
    hopeless = GridSearchCV(Fragile(), {"max_depth": [0]}, cv=2, error_score="raise")
    with pytest.warns(FitFailedWarning, match="All the 3 fits failed"):
        frame = compare_searches({"hopeless": hopeless} | searches, X, y, outer_cv=OUTER)
    failed = frame["search"] == "hopeless"
    assert failed.sum() == 3
    for column in ("outer_score", "inner_score", "n_fits", "fit_time"):
        assert frame.loc[failed, column].isna().all()
    assert frame.loc[failed, "params"].isna().all()
    alone = compare_searches(searches, X, y, outer_cv=OUTER)
    np.testing.assert_array_equal(frame.loc[~failed, "outer_score"], alone["outer_score"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"budget": {"fits": 8}}, "GridSearchCV costs 9 fits at least"),
        ({"budget": {"minutes": 8}}, "budget must be"),
        ({"scoring": ["f1", "recall"]}, "scoring must be one metric"),
    ],
)
def test_what_is_refused(searches, given, message):
    with pytest.raises(ValueError, match=message):
        compare_searches(searches, X, y, **given)


def test_no_searches(searches):
    for nothing in ({}, [searches["grid"]]):
        with pytest.raises(TypeError, match="dict of name -> search"):
            compare_searches(nothing, X, y)
    with pytest.raises(TypeError, match="SVC is not a search"):
        compare_searches({"svc": SVC()}, X, y)


def test_an_error_names_the_search(searches):
    with pytest.raises(ValueError, match="costs 9 fits") as caught:
        compare_searches(searches, X, y, budget={"fits": 8})
    assert caught.value.__notes__ == ["This happened in the search 'grid'."]


# -- the display --------------------------------------------------------------------------


@pytest.fixture
def frame():
    yield pd.DataFrame(
        {
            "search": ["a", "a", "b", "b"],
            "fit_time": [1.0, 3.0, 4.0, 4.0],
            "n_fits": [10, 10, 20, 20],
            "resource_spent": [1.0, 1.0, np.nan, np.nan],
            "outer_score": [0.5, 0.7, 0.8, 0.8],
        }
    )
    plt.close("all")


def test_display_shows_each_fold_and_the_mean(frame):
    display = CompareSearchesDisplay.from_frame(frame)
    assert isinstance(display.ax_, mpl.axes.Axes)
    assert display.figure_ is display.ax_.figure
    assert "Seconds" in display.ax_.get_xlabel()
    means = {
        bars.get_label(): (bars[0].get_xdata()[0], bars[0].get_ydata()[0])
        for bars in display.ax_.containers
    }
    assert means == {"a": (2.0, pytest.approx(0.6)), "b": (4.0, 0.8)}
    points = [line.get_xydata().tolist() for line in display.ax_.lines]
    assert [[1.0, 0.5], [3.0, 0.7]] in points


def test_display_on_given_axes_by_another_cost(frame):
    _, ax = plt.subplots()
    display = CompareSearchesDisplay(frame)
    assert display.plot(x="n_fits", ax=ax) is display
    assert display.ax_ is ax
    assert "Fits" in ax.get_xlabel()
    with pytest.raises(ValueError, match="x must be one of"):
        display.plot(x="seconds")


def test_display_of_a_single_fold(frame):
    display = CompareSearchesDisplay.from_frame(frame.iloc[[0, 2]])
    assert len(display.ax_.containers) == 2
