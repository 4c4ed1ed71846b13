"""Searches held to a time, by a clock that only training moves."""

from __future__ import annotations

from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest
from scipy.stats import loguniform, randint
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    ParameterGrid,
    ParameterSampler,
    RandomizedSearchCV,
)
from sklearn.tree import DecisionTreeClassifier

from sk_hpo._sklearn import BaseSearchCV
from sk_hpo.search.asha import ASHASearchCV
from sk_hpo.search.bayes import BayesSearchCV
from sk_hpo.search.hyperband import HalvingHyperbandSearchCV
from sk_hpo.search.random import RandomSearchCV
from sk_hpo.validation.seconds import held_to_time

X = np.arange(90.0).reshape(-1, 1)
y = np.arange(90) % 2
NOW = [0.0]
TRAINED = []


def clock():
    return NOW[0]


class Slow(ClassifierMixin, BaseEstimator):
    """Takes `a` thousandths of a second a row, and notes it; a higher `a` scores better."""

    def __init__(self, a=1):
        self.a = a

    def fit(self, X, y):
        NOW[0] += self.a * len(X) / 1000
        TRAINED.append((self.a, len(X)))
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])

    def score(self, X, y):
        return float(self.a)


@pytest.fixture(autouse=True)
def _midnight(monkeypatch):
    NOW[0] = 0.0
    TRAINED.clear()
    for module in ("_search", "_validation"):  # refit_time_ and fit times are by this clock too
        monkeypatch.setattr(
            f"sklearn.model_selection.{module}.time", SimpleNamespace(time=clock)
        )


def held(search, seconds, **given):
    return held_to_time(seconds, search, X, y, {}, clock=clock, **given)


def took(search):
    """Return how long the fit took, by the clock of these tests."""
    began = NOW[0]
    search.fit(X, y)
    return NOW[0] - began


# -- scikit-learn's grid and random search ---------------------------------------------------

# A candidate a=1 takes 3 folds x 60 rows: 0.18 s, and its refit 0.09 s.
FLAT = {
    "grid": GridSearchCV(Slow(), {"a": [1] * 1000}, cv=3),
    "randomized": RandomizedSearchCV(Slow(), {"a": randint(1, 2)}, cv=3, random_state=0),
}


@pytest.mark.parametrize("kind", FLAT)
@pytest.mark.parametrize("seconds", [1.0, 10.0, 100.0])
def test_the_clock_ends_it(kind, seconds):
    before = FLAT[kind].get_params()
    search = held(FLAT[kind], seconds)
    assert FLAT[kind].get_params() == before
    assert TRAINED == []
    assert isinstance(search, type(FLAT[kind]))
    # It ends within the time plus the candidate that is being trained.
    assert seconds - 0.09 <= took(clone(search)) <= seconds + 0.18


@pytest.mark.parametrize("kind", FLAT)
def test_candidates_are_its_own_in_its_order(kind):
    space = {"a": list(range(1, 30))}
    search = {
        "grid": GridSearchCV(Slow(), space, cv=3),
        "randomized": RandomizedSearchCV(Slow(), {"a": randint(1, 30)}, cv=3, random_state=5),
    }[kind]
    everything = {
        "grid": ParameterGrid(space),
        "randomized": ParameterSampler({"a": randint(1, 30)}, 100, random_state=5),
    }[kind]
    tried = held(search, 20.0).fit(X, y).cv_results_["params"]
    assert 3 < len(tried) < len(everything)
    assert tried == list(everything)[: len(tried)]


def test_all_are_tried_if_there_is_time():
    everything = [{"a": a} for a in (1, 2, 3)]
    grid = held(GridSearchCV(Slow(), {"a": [1, 2, 3]}, cv=3), 1e4).fit(X, y)
    assert grid.cv_results_["params"] == everything
    random = held(RandomizedSearchCV(Slow(), {"a": [1, 2, 3]}, cv=3), 1e4)
    assert random.n_iter == 3
    assert sorted(random.fit(X, y).cv_results_["params"], key=str) == everything
    assert grid.best_params_ == random.best_params_ == {"a": 3}


def test_one_candidate_at_least():
    assert len(held(FLAT["grid"], 1e-3).fit(X, y).cv_results_["params"]) == 1


@pytest.mark.parametrize(
    ("refit", "columns", "expected"),
    [
        # Until 10 s - 90 / 60 x the fit time of the best: 4 s, 2 s, or the longest, 4 s.
        (True, {"rank_test_score": [2, 1]}, 4),
        ("good", {"rank_test_good": [1, 2], "rank_test_bad": [2, 1]}, 7),
        (lambda results: 0, {"rank_test_good": [1, 2]}, 4),
    ],
    ids=["score", "metric", "callable"],
)
def test_time_is_left_for_the_refit(refit, columns, expected):
    search = held(GridSearchCV(Slow(), {"a": [1] * 100}, cv=3, refit=refit), 10.0)
    ended = []

    def evaluate(candidates):
        NOW[0] += len(candidates)
        ended.append(NOW[0])
        return {"mean_fit_time": np.array([2.0, 4.0])} | columns

    search.n_splits_ = 3
    search._run_search(evaluate, callback_ctx=MagicMock())
    assert ended[-1] == expected


@pytest.mark.parametrize(("n_jobs", "first"), [(None, 1), (3, 3)])
def test_batches_are_of_all_workers_and_grow(n_jobs, first):
    grid = GridSearchCV(Slow(), {"a": [1] * 5000}, cv=3, n_jobs=n_jobs)
    sizes = []

    def evaluate(candidates):
        sizes.append(len(candidates))
        NOW[0] += len(candidates)
        return {"mean_fit_time": np.zeros(1), "rank_test_score": np.ones(1)}

    search = held(grid, 3000.0)
    search.n_splits_ = 3
    search._run_search(evaluate, callback_ctx=MagicMock())
    assert sizes[:9] == [first] * 9
    assert all(size % first == 0 for size in sizes)
    assert all(size <= max(first, sum(sizes[:i]) / 10) for i, size in enumerate(sizes))
    assert len(sizes) < 100
    assert sum(sizes) == 3000


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_in_other_processes_too(n_jobs):
    grid = GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1, 2, 3]}, cv=3, n_jobs=n_jobs)
    search = held_to_time(600.0, grid, X, y, {}).fit(X, y)
    assert [p["max_depth"] for p in search.cv_results_["params"]] == [1, 2, 3]


# -- searches of this library ------------------------------------------------------------------

A = {"a": loguniform(0.1, 10.0)}
OURS = {
    "random": (RandomSearchCV(Slow(), A, cv=3), "n_iter"),
    "bayes": (BayesSearchCV(Slow(), A, cv=3), "n_iter"),
    "hyperband": (
        HalvingHyperbandSearchCV(Slow(), A, cv=3, resource="n_samples"),
        "hyperband_iterations",
    ),
    "asha": (ASHASearchCV(Slow(), A, cv=3, resource="n_samples"), "n_candidates"),
}


@pytest.mark.parametrize("name", OURS)
def test_more_candidates_than_there_is_time_for(name):
    search, knob = OURS[name]
    before = search.get_params()
    ready = held(search, 2.0)
    assert search.get_params() == before
    kept = {k: v for k, v in ready.get_params().items() if k not in (knob, "time_budget")}
    assert {k: repr(v) for k, v in kept.items() if k != "param_distributions"} == {
        k: repr(before[k]) for k in kept if k != "param_distributions"
    }
    assert ready.time_budget == 2.0
    # One fit per millisecond, on each worker.
    assert ready.plan(X, y).n_fits >= 2000
    assert held(search.set_params(n_jobs=2), 2.0).plan(X, y).n_fits >= 4000
    assert held(search, 2.0, alone=False).get_params()["n_jobs"] == 1
    search.set_params(n_jobs=None)
    assert TRAINED == []


def test_no_more_than_the_space_has():
    assert held(RandomSearchCV(Slow(), {"a": [1, 2, 3, 4, 5, 6, 7]}), 60.0).n_iter == 7


# -- successive halving of scikit-learn --------------------------------------------------------


@pytest.mark.parametrize("seconds", [2.0, 8.0])
@pytest.mark.parametrize("lowest", ["smallest", "exhaust"])
def test_halving_is_as_large_as_there_is_time_for(seconds, lowest):
    halving = HalvingRandomSearchCV(
        Slow(), {"a": randint(1, 2)}, cv=3, min_resources=lowest, random_state=0
    )
    search = held(halving, seconds)
    number = search.n_candidates
    assert 0.5 * seconds < took(search) <= seconds
    assert took(search.set_params(n_candidates=number + 1)) > seconds


def test_halving_over_few_candidates():
    halving = HalvingRandomSearchCV(Slow(), {"a": [1, 2, 3, 4, 5]}, cv=3, random_state=0)
    assert held(halving, 1e3).n_candidates == 5


def test_halving_is_at_least_what_a_pilot_had_time_for():
    # The first takes 0.11 s; the refit of the second, which scores better, takes 4 s.
    two = [{"a": [1]}, {"a": [45]}]
    halving = HalvingRandomSearchCV(Slow(), two, cv=3, random_state=1)
    assert held(halving, 1.0).n_candidates == 1


def test_halving_that_takes_too_long():
    halving = HalvingRandomSearchCV(Slow(), {"a": randint(50, 51)}, cv=3)
    with pytest.raises(ValueError, match=r"with one candidate, more than the budget of 1: rai"):
        held(halving, 1.0)


def test_what_cannot_be_held_to_a_time():
    with pytest.raises(ValueError, match="neither stopped by the clock nor made smaller"):
        held(HalvingGridSearchCV(Slow(), {"a": [1, 2]}), 1.0)

    class Own(BaseSearchCV):
        def __init__(self, estimator):
            self.estimator = estimator

        def _run_search(self, evaluate_candidates):
            evaluate_candidates([{"a": 1}])

    with pytest.raises(ValueError, match=r"Own cannot be stopped by the clock.*'fits'"):
        held(Own(Slow()), 1.0)
