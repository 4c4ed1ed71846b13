"""What an earlier search has found, for a new one, whose space may be another."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import loguniform, uniform
from search.searches import data, sgd
from sklearn.base import BaseEstimator, ClassifierMixin

from sk_hpo import BayesSearchCV, HalvingHyperbandSearchCV, Journal, RandomSearchCV
from sk_hpo.search.experience import experience
from sk_hpo.search.problem import pose

X, y = data()


class Hill(ClassifierMixin, BaseEstimator):
    """Scores by a known function of its parameters."""

    def __init__(self, x=0.5, kind="a", z=0.0):
        self.x = x
        self.kind = kind
        self.z = z

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])

    def score(self, X, y):
        return -((self.x - 0.7) ** 2) - 0.1 * (self.kind == "b") - self.z**2


SPACE = {"x": uniform(0, 1), "kind": ["a", "b"]}


def bayes(space=SPACE, **params):
    given = {"n_iter": 3, "cv": 2, "random_state": 1, "n_initial_points": 5}
    return BayesSearchCV(Hill(), space, **(given | params))


def earlier(tmp_path, how, space=SPACE):
    search = RandomSearchCV(
        Hill(), space, n_iter=25, cv=2, random_state=0, journal=tmp_path / "j"
    ).fit(X, y)
    path = tmp_path / "j"
    return {"search": search, "journal": Journal.read(path), "path": str(path)}[how], search


@pytest.mark.parametrize("how", ["search", "journal", "path"])
def test_the_winner_comes_first_and_the_model_has_learned(tmp_path, how):
    source, search = earlier(tmp_path, how)
    warm = bayes(warm_start_from=source).fit(X, y)
    assert warm.cv_results_["params"][0] == search.best_params_
    # A model at once, where a cold search begins with points of no model.
    assert list(warm.cv_results_["suggested_by"]) == ["user", "model", "model"]
    assert list(bayes().fit(X, y).cv_results_["suggested_by"]) == ["initial"] * 3
    assert warm.best_score_ > -1e-3
    assert len(warm.history_) == 3  # its own candidates only


def test_all_ways_of_giving_it_are_one(tmp_path):
    tables = []
    for how in ["search", "journal", "path"]:
        source, _ = earlier(tmp_path, how)
        tables.append(bayes(warm_start_from=source).fit(X, y).cv_results_["params"])
    assert tables[0] == tables[1] == tables[2]


@pytest.mark.parametrize(
    ("space", "n_known"),
    [
        ({"x": uniform(0, 1), "kind": ["b", "a", "c"]}, 25),  # codes are others
        ({"x": uniform(0, 1)}, "a"),  # kind is the estimator's own: a
        ({"x": uniform(0, 0.5), "kind": ["a", "b"]}, "low"),
        ({"x": uniform(0, 1), "kind": ["a", "b"], "z": uniform(-1, 2)}, 25),  # z was 0
        ({"x": uniform(0, 1), "kind": ["a", "b"], "z": uniform(1, 2)}, 0),
    ],
)
def test_the_space_may_have_changed(tmp_path, space, n_known):
    source, search = earlier(tmp_path, "path")
    fits = [
        p
        for p in search.cv_results_["params"]
        if n_known not in ("a", "low")
        or (p["kind"] == "a" if n_known == "a" else p["x"] <= 0.5)
    ]
    warm = bayes(space, n_iter=1, warm_start_from=source)
    known = experience(source, pose(warm, X, y, {}, seed=0), None, 1)
    assert len(known) == (len(fits) if n_known else 0)
    warm.fit(X, y)
    if n_known == 0:
        assert warm.cv_results_["suggested_by"][0] == "initial"
        return
    best = max(fits, key=lambda p: Hill(**p).score(X, y))
    first = warm.cv_results_["params"][0]
    assert {name: first[name] for name in best if name in first} == {
        name: value for name, value in best.items() if name in first
    }


def test_rungs_keep_their_resources(tmp_path):
    def search(**params):
        return HalvingHyperbandSearchCV(
            sgd(),
            {"alpha": loguniform(1e-6, 1.0)},
            max_resources=9,
            cv=2,
            random_state=0,
            sampler="tpe",
            **params,
        )

    first = search(journal=tmp_path / "j").fit(X, y)
    one = search(warm_start_from=first, n_jobs=1).fit(X, y)
    other = search(warm_start_from=str(tmp_path / "j")).fit(X, y)
    assert one.cv_results_["params"] == other.cv_results_["params"]
    assert one.cv_results_["params"][0] == first.best_params_
    assert "model" in one.cv_results_["suggested_by"]


def test_several_sources_are_joined(tmp_path):
    one, _ = earlier(tmp_path, "search")
    other = RandomSearchCV(Hill(), SPACE, n_iter=25, cv=2, random_state=5).fit(X, y)
    warm = bayes(n_iter=1, warm_start_from=[one, other]).fit(X, y)
    best = max((one, other), key=lambda search: search.best_score_)
    assert warm.cv_results_["params"] == [best.best_params_]


def test_without_a_model_only_the_winner_comes_first(tmp_path):
    source, search = earlier(tmp_path, "search")
    again = RandomSearchCV(
        Hill(), SPACE, n_iter=3, cv=2, random_state=3, warm_start_from=source
    ).fit(X, y)
    cold = RandomSearchCV(Hill(), SPACE, n_iter=3, cv=2, random_state=3).fit(X, y)
    assert again.cv_results_["params"][0] == search.best_params_
    assert again.cv_results_["params"][1:] == cold.cv_results_["params"][1:]


@pytest.mark.parametrize("source", [3, RandomSearchCV(Hill(), SPACE), [object()]])
def test_what_knows_nothing_is_refused(source):
    with pytest.raises(TypeError, match="warm_start_from takes a fitted search"):
        bayes(warm_start_from=source).fit(X, y)
