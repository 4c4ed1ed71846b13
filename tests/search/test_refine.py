"""A second search around what the first one found."""

import numpy as np
import pytest
from scipy.stats import loguniform, uniform
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV

from sk_hpo import BayesSearchCV, Journal, RandomSearchCV, when
from sk_hpo.search.refine import refine

X, y = np.zeros((12, 1)), np.arange(12) % 2


class Hill(ClassifierMixin, BaseEstimator):
    """Best at x=0.7 and C=1 of kind "b"."""

    def __init__(self, x=0.0, C=1.0, kind="a", z=0.0):
        self.x = x
        self.C = C
        self.kind = kind
        self.z = z

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])

    def score(self, X, y):
        hill = (self.x - 0.7) ** 2 + np.log10(self.C) ** 2 + self.z**2
        return (self.kind == "b") - hill


SPACE = {
    "x": uniform(0, 1),
    "C": loguniform(1e-3, 1e3),
    "kind": ["a", "b"],
    "z": when(uniform(-1, 2), kind="b"),
}


def coarse(space=SPACE, **params):
    return RandomSearchCV(Hill(), space, n_iter=30, cv=2, random_state=0, **params)


@pytest.mark.parametrize("finer", [RandomSearchCV, BayesSearchCV])
def test_second_search_goes_on_from_first_within_new_space(finer):
    first = coarse().fit(X, y)
    space = refine(first, shrink=0.3)
    assert space["kind"] == ["b"]
    second = finer(Hill(), space, n_iter=12, cv=2, warm_start_from=first, random_state=1)
    second.fit(X, y)
    tried = second.cv_results_["params"]
    assert tried[0] == first.best_params_
    for params in tried:
        for name in ("x", "C", "z"):
            low, high = space[name].support()
            assert low <= params[name] <= high
    assert second.best_score_ > first.best_score_


def test_grid_is_for_both_kinds_of_grid_search():
    first = coarse().fit(X, y)
    space = refine(first, shrink=0.2, grid=3)
    ours = RandomSearchCV(Hill(), space, n_iter=99, cv=2, sampler="grid").fit(X, y)
    theirs = GridSearchCV(Hill(), space, cv=2).fit(X, y)
    assert len(theirs.cv_results_["params"]) == 27
    assert ours.cv_results_["params"] == theirs.cv_results_["params"]
    assert ours.best_score_ == theirs.best_score_ > first.best_score_
    third = refine(theirs)  # of lists, the best and its neighbours are left
    assert third["x"] == space["x"][:2] or third["x"] in (space["x"], space["x"][1:])


def test_dict_that_best_came_from_is_left_of_a_list():
    dicts = [{"kind": ["a"], "x": uniform(0, 1)}, {"kind": ["b"], "C": loguniform(1e-2, 1e2)}]
    first = coarse(dicts).fit(X, y)
    (one,) = refine(first)
    assert list(one) == ["kind", "C"]
    assert first.best_params_["C"] <= one["C"].support()[1]
    second = RandomSearchCV(Hill(), [one], n_iter=3, cv=2, warm_start_from=first).fit(X, y)
    assert second.cv_results_["params"][0] == first.best_params_
    theirs = RandomizedSearchCV(Hill(), [one], n_iter=3, cv=2, random_state=0).fit(X, y)
    assert list(*refine(theirs)) == ["kind", "C"]


def test_search_that_was_not_fitted_is_read_from_its_journal(tmp_path):
    fitted = coarse(journal=tmp_path / "j").fit(X, y)
    other = refine(coarse(journal=tmp_path / "j"))
    same = refine(fitted)
    assert list(other) == list(same) == ["x", "C", "kind", "z"]
    for name in ("x", "C", "z"):
        assert other[name].support() == same[name].support()


def test_a_journal_alone_is_not_enough(tmp_path):
    coarse(journal=tmp_path / "j").fit(X, y)
    for source in (str(tmp_path / "j"), tmp_path / "j", Journal.read(tmp_path / "j")):
        with pytest.raises(TypeError, match="Give refine the search"):
            refine(source)


def test_what_cannot_be_refined(tmp_path):
    with pytest.raises(NotFittedError, match="call fit first"):
        refine(coarse())
    with pytest.raises(NotFittedError, match="call fit first"):
        refine(coarse(journal=tmp_path / "never begun"))
    with pytest.raises(TypeError, match="refine takes a search"):
        refine(Hill())
    two = coarse(scoring=["accuracy", "f1"], refit=False).fit(X, y)
    with pytest.raises(ValueError, match="Set refit to the name of a metric"):
        refine(two)
    with pytest.raises(ValueError, match="shrink"):
        refine(two, shrink=2)
    a_function = coarse().fit(X, y)
    a_function.param_distributions = lambda t: {}
    with pytest.raises(TypeError, match="write a function, or a dict, with narrower ranges"):
        refine(a_function)
