from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
)
from sklearn.svm import SVC

from sk_hpo.search.asha import ASHASearchCV
from sk_hpo.search.bayes import BayesSearchCV
from sk_hpo.search.hyperband import HalvingHyperbandSearchCV
from sk_hpo.search.random import RandomSearchCV
from sk_hpo.validation.budget import (
    check_budget,
    common_resource,
    halving_rungs,
    held_to,
    largest,
    spent,
)
from sk_hpo.validation.splits import HoldoutValidation

X, y = make_classification(n_samples=90, random_state=0)
TRAINED = []


class Counting(ClassifierMixin, BaseEstimator):
    """Notes how many rows it was trained on."""

    def __init__(self, a=1.0):
        self.a = a

    def fit(self, X, y):
        TRAINED.append(len(X))
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


A = {"a": loguniform(0.1, 10.0)}
SEARCHES = {
    "randomized": (RandomizedSearchCV(Counting(), A, cv=3), "n_iter"),
    "halving": (HalvingRandomSearchCV(Counting(), A, cv=3), "n_candidates"),
    "exhaust": (
        HalvingRandomSearchCV(
            Counting(), A, cv=3, n_candidates=4, min_resources="exhaust", factor=2
        ),
        "n_candidates",
    ),
    "random": (RandomSearchCV(Counting(), A, cv=3), "n_iter"),
    "bayes": (BayesSearchCV(Counting(), A, cv=3, sampler="tpe"), "n_iter"),
    "hyperband": (
        HalvingHyperbandSearchCV(Counting(), A, cv=3, resource="n_samples"),
        "hyperband_iterations",
    ),
    "asha": (ASHASearchCV(Counting(), A, cv=3, resource="n_samples"), "n_candidates"),
}


def trained(search):
    """Return the number of fits and of rows in them, the refit apart."""
    TRAINED.clear()
    search.fit(X, y)
    assert TRAINED.pop() == len(X)
    return len(TRAINED), sum(TRAINED)


@pytest.mark.parametrize("name", SEARCHES)
def test_what_was_spent_is_what_was_trained(name):
    search, _ = SEARCHES[name]
    fits, rows = trained(search)
    assert spent(search, X, y, {}, "n_samples") == (fits, rows)


@pytest.mark.parametrize("name", sorted(SEARCHES.keys() - {"asha"}))
@pytest.mark.parametrize(("unit", "amount"), [("fits", 70), ("resource", 2600)])
def test_as_much_as_fits_and_no_more(name, unit, amount):
    search, knob = SEARCHES[name]
    before = search.get_params()
    held = held_to(unit, amount, search, X, y, {}, "n_samples")
    assert search.get_params() == before
    number = held.get_params()[knob]

    def cost(number):
        fits, rows = trained(held.set_params(**{knob: number}))
        return fits if unit == "fits" else rows

    assert cost(number) <= amount
    assert all(cost(more) > amount for more in (number + 1, number + 2, 2 * number))


def test_a_promise_of_asha_counts_its_plan():
    search, _ = SEARCHES["asha"]
    held = held_to("fits", 70, search, X, y, {}, "n_samples")
    assert held.plan(X, y).n_fits <= 70
    assert held.set_params(n_candidates=held.n_candidates + 1).plan(X, y).n_fits > 70


@pytest.mark.parametrize("kind", [RandomizedSearchCV, RandomSearchCV, HalvingRandomSearchCV])
@pytest.mark.parametrize("n", [4, 7])
def test_no_more_candidates_than_there_are(kind, n):
    space = {"C": list(range(1, n + 1))}
    held = held_to("fits", 10_000, kind(SVC(), space, cv=3), X, y, {}, None)
    assert held.get_params().get("n_iter", held.get_params().get("n_candidates")) == n


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=40),
    st.booleans(),
    st.integers(0, 100),
)
def test_largest_number(steps, linear, more):
    """Against trying all of them, for costs that grow and then, somewhere, no more."""
    costs = np.cumsum([1, *([steps[0]] * len(steps) if linear else sorted(steps)[::-1])])
    amount = int(costs[0]) + more

    def cost(number):
        return int(costs[min(number, len(costs)) - 1])

    affordable = [n for n in range(1, len(costs) + 1) if cost(n) <= amount]
    assert largest(cost, amount) == next(
        n for n in affordable if cost(n) == cost(affordable[-1])
    )


def test_a_grid_is_what_it_is():
    search = GridSearchCV(SVC(), {"C": [1, 2, 3]}, cv=5)
    assert held_to("fits", 15, search, X, y, {}, None).get_params()["param_grid"] == {
        "C": [1, 2, 3]
    }
    with pytest.raises(
        ValueError, match=r"GridSearchCV costs 15 fits at least.*shrink its grid"
    ):
        held_to("fits", 14, search, X, y, {}, None)
    with pytest.raises(ValueError, match="GridSearchCV costs 1080 n_samples at least"):
        held_to("resource", 1079, search, X, y, {}, "n_samples")


def test_a_budget_that_is_too_small():
    search, _ = SEARCHES["hyperband"]
    least = search.plan(X, y).n_fits
    with pytest.raises(
        ValueError, match=rf"costs {least} fits.*make hyperband_iterations=1 cheaper"
    ):
        held_to("fits", least - 1, search, X, y, {}, None)


SETTINGS = [
    (number, lowest, factor, aggressive)
    for number in (2, 9, 10, 27)
    for lowest in ("smallest", "exhaust", 20)
    for factor in (2, 3)
    for aggressive in (False, True)
]


@pytest.mark.parametrize(("number", "lowest", "factor", "aggressive"), SETTINGS)
def test_the_rungs_of_halving_are_scikit_learns(number, lowest, factor, aggressive):
    search = HalvingRandomSearchCV(
        Counting(),
        A,
        n_candidates=number,
        min_resources=lowest,
        factor=factor,
        aggressive_elimination=aggressive,
        cv=2,
    ).fit(X, y)
    start = lowest if lowest == 20 else 2 * 2 * 2
    rungs = halving_rungs(
        number, start, 90, factor=factor, exhaust=lowest == "exhaust", aggressive=aggressive
    )
    assert rungs == list(zip(search.n_candidates_, search.n_resources_, strict=True))


def test_halving_over_a_parameter_of_the_estimator():
    search = HalvingGridSearchCV(
        RandomForestClassifier(random_state=0),
        {"max_depth": [1, 2, 3]},
        resource="n_estimators",
        max_resources=9,
        cv=2,
    ).fit(X, y)
    rungs = zip(search.n_candidates_, search.n_resources_, strict=True)
    expected = 2 * sum(n * trees for n, trees in rungs)
    assert spent(search, X, y, {}, None) == (2 * sum(search.n_candidates_), expected)


def test_a_full_training_is_what_the_estimator_says():
    forest = RandomForestClassifier(n_estimators=5, random_state=0)
    search = GridSearchCV(forest, {"max_depth": [1, 2]}, cv=2).fit(X, y)
    assert spent(search, X, y, {}, "n_estimators") == (4, 20)
    assert spent(search, X, y, {}, "folds") == (4, 4)
    search = GridSearchCV(forest, {"n_estimators": [2, 3]}, cv=2).fit(X, y)
    assert spent(search, X, y, {}, "n_estimators") == (4, 10)
    with pytest.raises(ValueError, match="not known beforehand"):
        held_to("resource", 100, search, X, y, {}, "n_estimators")


@pytest.mark.parametrize("resource", [None, "epochs"])
def test_a_resource_that_a_search_does_not_have(resource):
    search = GridSearchCV(SVC(), {"C": [1, 2]}, cv=2).fit(X, y)
    fits, cost = spent(search, X, y, {}, resource)
    assert fits == 4
    assert math.isnan(cost)
    with pytest.raises(ValueError, match=r"not known beforehand.*'fits'"):
        held_to("resource", 100, search, X, y, {}, resource)


def test_fewer_folds_cost_less():
    search = RandomSearchCV(Counting(), A, cv=3, fold_racing=True, random_state=0)
    fits, _ = trained(search)
    assert spent(search, X, y, {}, "n_samples") == (fits, fits * 60)


@pytest.mark.filterwarnings("ignore::sk_hpo.LeakageWarning")  # scores known rows
def test_validation_rows_that_are_beside_the_data():
    search = RandomSearchCV(Counting(), A, n_iter=4, cv=HoldoutValidation(X, y))
    assert trained(search) == (4, 4 * 90)
    assert spent(search, X, y, {}, "n_samples") == (4, 4 * 90)


def test_common_resource():
    hyperband, halving = SEARCHES["hyperband"][0], SEARCHES["halving"][0]
    assert common_resource([SEARCHES["bayes"][0]]) is None
    assert common_resource([SEARCHES["bayes"][0], hyperband, halving]) == "n_samples"
    epochs = HalvingHyperbandSearchCV(SGDClassifier(), {"alpha": [1.0]})
    assert common_resource([hyperband, epochs]) is None


def test_check_budget():
    assert check_budget(None) is None
    assert check_budget({"fits": 3}) == ("fits", 3)
    assert check_budget({"seconds": 0.5}) == ("seconds", 0.5)
    for wrong in (
        {},
        {"epochs": 3},
        {"fits": 0},
        {"fits": 1, "resource": 2},
        {"seconds": 0},
        {"seconds": math.inf},
    ):
        with pytest.raises(ValueError, match="budget must be"):
            check_budget(wrong)
