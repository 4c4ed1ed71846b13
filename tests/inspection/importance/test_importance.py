"""From a search, a pickled one, a journal or its path, to importances and their table."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from scipy.stats import loguniform, uniform
from sklearn.base import BaseEstimator
from sklearn.exceptions import FitFailedWarning, NotFittedError

from sk_hpo import Journal, RandomSearchCV, when
from sk_hpo.inspection.importance.importance import parameter_importance


class Function(BaseEstimator):
    """Its score is a function of its parameters, and NaN for one in twelve."""

    def __init__(self, C=None, solver=None, momentum=None, x=None, constant=1.0):
        self.C = C
        self.solver = solver
        self.momentum = momentum
        self.x = x
        self.constant = constant

    def fit(self, X, y=None):
        if self.x < 1 / 12:
            raise ValueError("x is too small")
        return self

    def score(self, X, y=None):
        return -((np.log10(self.C) + 1) ** 2) + 2 * (self.solver == "sgd") * self.momentum_or_0

    @property
    def momentum_or_0(self):
        return 0.0 if self.momentum is None else self.momentum


SPACE = {
    "C": loguniform(1e-3, 1e3),
    "solver": ["sgd", "adam", "rms"],
    "momentum": when(uniform(), solver="sgd"),
    "x": uniform(),
}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("importance") / "search.journal"


@pytest.fixture(scope="module")
def search(path):
    found = RandomSearchCV(
        Function(), SPACE, n_iter=80, cv=2, random_state=0, refit=False, journal=path,
        error_score=np.nan,
    )  # fmt: skip
    with pytest.warns(FitFailedWarning), pytest.warns(UserWarning, match="non-finite"):
        return found.fit(np.zeros((4, 1)))


QUICK = {"random_state": 0, "n_bootstrap": 4, "n_estimators": 8}


@pytest.mark.parametrize("method", ["fanova", "permutation", "ablation"])
def test_a_search_and_what_was_kept_of_it_say_the_same(search, path, method):
    found = parameter_importance(search, method, **QUICK)
    assert set(found.names) == set(SPACE)
    assert found.names[0] == "C"
    assert found.importances.tolist() == sorted(found.importances, reverse=True)
    assert (found.n_trials, found.resource) == (80, None)
    assert found.n_failed == sum(np.isnan(search.cv_results_["mean_test_score"])) > 0
    same = parameter_importance(pickle.loads(pickle.dumps(search)), method, **QUICK)
    assert repr(same) == repr(found)
    # A journal does not know where distributions end, but nearly.
    for journal in (path, Journal.read(path)):
        near = parameter_importance(journal, method, **QUICK)
        order = [near.names.index(name) for name in found.names]
        assert near.importances[order] == pytest.approx(found.importances, abs=0.05)


def test_the_same_seed_gives_the_same_and_another_another(search):
    first, again = (parameter_importance(search, **QUICK) for _ in range(2))
    other = parameter_importance(search, **QUICK | {"random_state": 1})
    assert first.to_frame().equals(again.to_frame())
    assert not first.to_frame().equals(other.to_frame())


def test_it_is_a_frame_and_a_table(search):
    found = parameter_importance(search, n_pairs=2, **QUICK)
    frame = found.to_frame()
    assert frame["parameter"].tolist()[:4] == list(found.names)
    assert frame["other"].tolist()[:4] == [""] * 4
    assert list(frame[["parameter", "other"]].itertuples(index=False, name=None))[4:] == [
        *found.pairs
    ]
    assert len(found.pairs) == 2
    assert ((frame["low"] >= 0) & (frame["high"] <= 1)).all()
    assert (frame["low"] < frame["high"]).all()
    lines = repr(found).splitlines()
    assert lines[0] == "Share of the variance of scores (functional ANOVA)"
    assert lines[1].startswith(f"80 trials ({found.n_failed} of them failed); R²")
    assert lines[3].split()[0] == "C"
    assert lines[3].endswith("█" * round(20 * found.importances[0]))
    assert len(lines) == 3 + 4 + 2 + 1
    assert found.importances.sum() + found.pair_importances.sum() <= found.explained <= 1 + 1e-9


def test_numbers_that_tell_nothing_say_so(search):
    class Coin(Function):
        def score(self, X, y=None):
            return np.sin(1e6 * self.C)

    chance = RandomSearchCV(
        Coin(x=0.5), {"C": loguniform(1e-3, 1e3)}, n_iter=40, cv=2, random_state=0, refit=False
    ).fit(np.arange(20).reshape(-1, 1))
    found = parameter_importance(chance, n_bootstrap=0, random_state=0)
    assert found.oob_score < 0.1
    assert "tell nothing" in str(found)
    assert "tell nothing" not in str(parameter_importance(search, n_bootstrap=0))


def test_without_intervals(search):
    found = parameter_importance(search, **QUICK | {"n_bootstrap": 0})
    assert np.isnan([*found.low, *found.high]).all()
    assert " to " not in repr(found)


def test_ablation_from_parameters_of_your_own(search):
    start = {"C": 1e3, "solver": "adam", "x": search.best_params_["x"]}
    found = parameter_importance(search, "ablation", reference=start, **QUICK)
    assert found.importances.sum() == pytest.approx(1.0)
    assert dict(zip(found.names, found.importances, strict=True))["x"] == 0.0
    with pytest.raises(ValueError, match="no gain between `reference` and the best"):
        parameter_importance(search, "ablation", reference=search.best_params_, **QUICK)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "shap"}, "method must be one of .*fanova.*'shap'"),
        ({"quantile": 1.0}, "quantile must be .* got 1.0"),
        ({"n_pairs": -1}, "n_pairs must be an integer of 0 or more, got -1"),
        ({"n_estimators": 0}, "n_estimators must be an integer of 1 or more"),
        ({"n_bootstrap": 2.5}, "n_bootstrap must be an integer of 0 or more, got 2.5"),
        ({"confidence_level": 0.0}, "confidence_level must be within 0 and 1"),
        ({"resource": 7}, "No trial has a score at resource=7"),
    ],
)
def test_arguments_out_of_range(search, change, message):
    with pytest.raises(ValueError, match=message):
        parameter_importance(search, **change)


def test_a_search_that_has_not_begun_and_one_of_one_trial():
    one = RandomSearchCV(Function(x=1.0), {"C": [1.0]}, n_iter=1, cv=2, refit=False)
    with pytest.raises(NotFittedError):
        parameter_importance(one)
    with pytest.raises(ValueError, match=r"needs 10 trials with a score at least.* has 1:"):
        parameter_importance(one.fit(np.zeros((4, 1))))


def test_optuna_says_the_same_of_what_it_can_say():
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = {"C": loguniform(1e-3, 1e3), "x": uniform(1 / 12, 1)}
    search = RandomSearchCV(Function(), space, n_iter=200, cv=2, random_state=0, refit=False)
    search.fit(np.zeros((4, 1)))
    of = optuna.distributions.FloatDistribution
    # It integrates over values themselves, so it gets the logarithm as one.
    distributions = {"C": of(-3.0, 3.0), "x": of(1 / 12, 13 / 12)}
    study = optuna.create_study(direction="maximize")
    results = search.cv_results_
    for params, score in zip(results["params"], results["mean_test_score"], strict=True):
        params = params | {"C": math.log10(params["C"])}
        trial = optuna.trial.create_trial(
            params=params, distributions=distributions, value=score
        )
        study.add_trial(trial)
    theirs = optuna.importance.FanovaImportanceEvaluator(seed=0).evaluate(study)
    ours = parameter_importance(search, random_state=0, n_bootstrap=0)
    for name, share in zip(ours.names, ours.importances, strict=True):
        assert share == pytest.approx(theirs[name], abs=0.03)
