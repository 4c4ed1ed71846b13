"""Failure is an outcome: it ranks last, it warns, and the search goes on."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pytest
from scipy.stats import uniform
from search.searches import ALL, CLASSES, SYNCHRONOUS, data, exhaustive, make
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import FitFailedWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

X, y = data(60, 2)
FOLDS = [(np.arange(30, 60), np.arange(30)), (np.arange(30), np.arange(30, 60))]
UNIT = {"x": uniform(0, 1), "other": uniform(0, 1)}
GRID = {"x": [i / 10 for i in range(10)], "other": [0.0]}


FIRST_HALF = set(X[:30, 0])


class Fragile(ClassifierMixin, BaseEstimator):
    """Scores `x`, unless ``x > edge``: then it fails as `how` says.

    If `how` ends with "fold", that is in the fold that trains on the first half of the rows
    only; and never with fewer epochs or rows than `since`.
    """

    def __init__(self, x=0.0, other=0.0, edge=0.5, how="raise", since=(0, 0), size=1):
        self.x, self.other, self.edge, self.how = x, other, edge, how
        self.since, self.size = since, size

    def fit(self, X, y=None):
        self.epochs_ = self.size
        return self._train(X)

    def partial_fit(self, X, y=None, classes=None):
        self.epochs_ = getattr(self, "epochs_", 0) + 1
        return self._train(X)

    def _train(self, X):
        self.classes_, self.rows_, self.first_ = np.array([0, 1]), len(X), X[0, 0]
        if "raise" in self.how and self.fails:
            raise RuntimeError(f"cannot stand x > {self.edge}")
        return self

    @property
    def fails(self):
        early = self.epochs_ < self.since[0] or self.rows_ < self.since[1]
        spared = "fold" in self.how and self.first_ not in FIRST_HALF
        return self.x > self.edge and not early and not spared

    def predict(self, X):
        if self.fails and "predict" in self.how:
            raise ArithmeticError("no prediction today")
        return np.zeros(len(X), dtype=int)

    def score(self, X, y=None):
        self.predict(X)
        values = {"-inf": -np.inf, "inf": np.inf, "nan": np.nan, "huge": -1e300}
        named = [value for name, value in values.items() if name in self.how]
        return named[0] if named and self.fails else self.x


def search_for(
    kind: str, how: str, edge: float = 0.5, since: Any = (0, 0), **options: Any
) -> Any:
    """Return a search over x among which those above `edge` fail so."""
    defaults: dict[str, Any] = {"cv": FOLDS}
    if kind == "max_iter":
        defaults |= {"resource": "size"}
    if kind == "samples":
        defaults |= {"min_resources": 10, "brackets": 1}
    if kind in ("random", "sobol", "grid", "bayes"):
        defaults |= {"n_iter": 10}
    space = GRID if kind == "grid" else UNIT
    return make(
        kind, Fragile(edge=edge, how=how, since=since), space, **{**defaults, **options}
    )


LATER = {"epochs": (3, 0), "max_iter": (3, 0), "samples": (0, 11)}


def failed(results: dict[str, Any], edge: float = 0.5) -> np.ndarray:
    return np.array([params["x"] > edge for params in results["params"]])


def quietly(search: Any) -> Any:
    """Fit, whatever it warns of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return search.fit(X, y)


def warned(search: Any) -> list[warnings.WarningMessage]:
    """Fit, and return what it warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search.fit(X, y)
    return caught


@pytest.mark.parametrize(
    ("how", "category", "message"),
    [
        (
            "raise",
            FitFailedWarning,
            r"(?s)fits failed out of a total of.*cannot stand x > 0\.5",
        ),
        ("predict", UserWarning, "(?s)Scoring failed.*no prediction today"),
        ("nan", UserWarning, "One or more of the test scores are non-finite"),
    ],
)
@pytest.mark.parametrize("kind", ALL)
def test_those_that_fail_rank_last_and_the_search_goes_on(
    kind: str, how: str, category: type[Warning], message: str
) -> None:
    search = search_for(kind, how)
    caught = warned(search)
    assert any(w.category is category and re.search(message, str(w.message)) for w in caught)
    results = search.cv_results_
    bad = failed(results)
    assert 0 < bad.sum() < len(bad)
    x = np.array([params["x"] for params in results["params"]])
    assert np.isnan(results["mean_test_score"][bad]).all()
    np.testing.assert_allclose(results["mean_test_score"][~bad], x[~bad])
    assert results["rank_test_score"][bad].min() > results["rank_test_score"][~bad].max()
    top = ~bad
    if "n_resources" in results:
        top &= results["n_resources"] == results["n_resources"].max()
    assert search.best_score_ == search.best_params_["x"] == x[top].max()
    # a message for the many, not one for each
    assert len([w for w in caught if w.category is FitFailedWarning]) == (how == "raise")


@pytest.mark.parametrize("how", ["inf", "-inf", "huge"])
@pytest.mark.parametrize("kind", ALL)
def test_infinite_and_huge_scores_never_win(kind: str, how: str) -> None:
    search = quietly(search_for(kind, how))
    results = search.cv_results_
    bad = failed(results)
    assert 0 < bad.sum() < len(bad)
    assert search.best_params_["x"] <= 0.5
    assert results["rank_test_score"][bad].min() > results["rank_test_score"][~bad].max()
    assert np.isfinite(search.best_score_)


@pytest.mark.parametrize(("kind", "seed"), [("random", 4), ("sobol", 3), ("bayes", 3)])
@pytest.mark.parametrize("how", ["raise", "nan", "inf", "-inf", "huge"])
def test_a_first_batch_of_failures_stops_no_sampler(kind: str, seed: int, how: str) -> None:
    """Only one config in ten works: the first few fail all."""
    options = {"n_iter": 24, "random_state": seed}
    if kind == "bayes":
        options |= {"n_points": 2, "n_initial_points": 4}
    search = quietly(search_for(kind, how, edge=0.1, **options))
    bad = failed(search.cv_results_, edge=0.1)
    assert len(bad) == 24
    assert bad[:4].all()
    assert not bad.all()
    assert search.best_params_["x"] <= 0.1


@pytest.mark.parametrize("kind", ["random", "bayes"])
def test_what_scikit_learn_does_with_failures(kind: str) -> None:
    for how in ("raise", "predict", "nan", "raise-fold", "predict-fold"):
        for error_score in (np.nan, -7.5):
            search = quietly(search_for(kind, how, error_score=error_score))
            oracle = quietly(exhaustive(search, search.cv_results_["params"]))
            keys = [f"{name}_test_score" for name in ("split0", "split1", "mean", "std")]
            # a number for a failure does not raise its rank: who failed ranks last
            keys += ["rank_test_score"] if np.isnan(error_score) else []
            for key in keys:
                ours, theirs = search.cv_results_[key], oracle.cv_results_[key]
                np.testing.assert_array_equal(ours, theirs, err_msg=f"{how} {key}")
            assert search.best_params_ == oracle.best_params_


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("how", ["raise-fold", "nan-fold", "predict-fold"])
def test_failing_in_one_fold_is_failing(kind: str, how: str) -> None:
    search = quietly(search_for(kind, how))
    results = search.cv_results_
    bad = failed(results)
    one, other = results["split0_test_score"][bad], results["split1_test_score"][bad]
    assert (np.isnan(one) != np.isnan(other)).all()
    assert np.isnan(results["mean_test_score"][bad]).all()
    assert search.best_params_["x"] <= 0.5


@pytest.mark.parametrize("kind", ["epochs", "samples", "max_iter"])
@pytest.mark.parametrize("how", ["raise", "nan", "inf", "predict"])
def test_failing_at_a_later_rung(kind: str, how: str) -> None:
    search = quietly(search_for(kind, how, 0.4, LATER[kind], refit=False))
    results = search.cv_results_
    low = results["n_resources"] == results["n_resources"].min()
    assert np.isfinite(results["mean_test_score"][low]).all()
    bad = failed(results, 0.4) & ~low
    assert bad.any()
    assert not np.isfinite(results["mean_test_score"][bad]).any()
    # a trial that failed is not taken further
    for trial in set(results["trial"][bad]):
        rows = results["trial"] == trial
        assert (bad & rows).sum() == 1
    assert np.isfinite(search.best_score_)
    assert results["rank_test_score"][bad].min() > results["rank_test_score"][~bad].max()


@pytest.mark.parametrize("error_score", [np.nan, 0.0, 99.0])
@pytest.mark.parametrize("kind", ["epochs", "samples", "max_iter"])
def test_a_rung_of_late_failures_leaves_the_best_of_those_that_stood(
    kind: str, error_score: float
) -> None:
    """The highest resource *reached* is one at which somebody has a score."""
    options = {"error_score": error_score, "refit": False}
    search = quietly(search_for(kind, "raise", -1.0, LATER[kind], **options))
    results = search.cv_results_
    assert search.best_score_ == search.best_params_["x"] < 1
    assert results["n_resources"][search.best_index_] == results["n_resources"].min()


@pytest.mark.parametrize("kind", ALL)
def test_error_score_raise_lets_the_first_failure_through(kind: str) -> None:
    with pytest.raises(RuntimeError, match="cannot stand"):
        search_for(kind, "raise", edge=-1.0, error_score="raise").fit(X, y)


@pytest.mark.parametrize("kind", ["epochs", "samples", "max_iter"])
def test_error_score_raise_at_a_later_rung(kind: str) -> None:
    with pytest.raises(RuntimeError, match="cannot stand"):
        search_for(kind, "raise", -1.0, LATER[kind], error_score="raise").fit(X, y)


@pytest.mark.parametrize("kind", ALL)
def test_error_score_raise_of_scorers(kind: str) -> None:
    with pytest.raises(ArithmeticError, match="no prediction today"):
        search_for(kind, "predict", error_score="raise").fit(X, y)


@pytest.mark.parametrize("kind", ALL)
def test_a_number_as_error_score(kind: str) -> None:
    search = search_for(kind, "raise", error_score=-7.5)
    with pytest.warns(FitFailedWarning, match=r"will be set to -7\.5"):
        search.fit(X, y)
    bad = failed(search.cv_results_)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"][bad], -7.5)
    assert search.best_params_["x"] <= 0.5


@pytest.mark.parametrize("kind", ALL)
def test_a_tempting_error_score_wins_nothing(kind: str) -> None:
    """The number is what the user asked to see, but no reason to train or to choose."""
    search = quietly(search_for(kind, "raise", error_score=99.0))
    results = search.cv_results_
    bad = failed(results)
    np.testing.assert_array_equal(results["mean_test_score"][bad], 99.0)
    assert search.best_params_["x"] <= 0.5
    assert results["rank_test_score"][bad].min() > results["rank_test_score"][~bad].max()
    if "n_resources" in results:
        for trial in set(results["trial"][bad]):
            assert (results["trial"] == trial).sum() == 1


@pytest.mark.parametrize("kind", ALL)
def test_if_all_fail_the_error_quotes_the_commonest_cause(kind: str) -> None:
    search = search_for(kind, "raise", edge=-1.0)
    with pytest.raises(
        ValueError, match=r"(?s)All the \d+ fits failed.*cannot stand x > -1\.0"
    ):
        search.fit(X, y)
    assert not hasattr(search, "best_params_")


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("how", ["nan", "inf", "predict"])
def test_if_no_score_is_a_number_there_is_one_clear_error(kind: str, how: str) -> None:
    with pytest.raises(ValueError, match=r"All the \d+ candidates failed.*non-finite"):
        quietly(search_for(kind, how, edge=-1.0))


@pytest.mark.parametrize("error_score", [np.nan, 0.0])
@pytest.mark.parametrize("kind", CLASSES)
def test_if_all_fail_in_one_fold_the_error_quotes_why(kind: str, error_score: float) -> None:
    with pytest.raises(ValueError, match=r"(?s)All the \d+ candidates failed.*cannot stand"):
        quietly(search_for(kind, "raise-fold", edge=-1.0, error_score=error_score))


@pytest.mark.parametrize("kind", CLASSES)
def test_a_callable_refit_may_choose_among_failures(kind: str) -> None:
    search = quietly(search_for(kind, "nan", edge=-1.0, refit=lambda results: 0))
    assert np.isnan(search.cv_results_["mean_test_score"][search.best_index_])


@pytest.mark.parametrize("kind", CLASSES)
def test_multimetric_failures(kind: str) -> None:
    scoring = {"x": lambda e, X, y: e.x, "half": lambda e, X, y: np.nan if e.x > 0.5 else e.x}
    search = quietly(search_for(kind, "never", scoring=scoring, refit="half"))
    results = search.cv_results_
    bad = failed(results)
    assert np.isfinite(results["mean_test_x"]).all()
    assert np.isnan(results["mean_test_half"][bad]).all()
    assert search.best_params_["x"] <= 0.5

    raising = {"x": lambda e, X, y: e.x, "zero": lambda e, X, y: 1 / 0 if e.x > 0.5 else e.x}
    search = quietly(search_for(kind, "never", scoring=raising, refit="zero"))
    assert search.best_params_["x"] <= 0.5
    assert np.isfinite(search.cv_results_["mean_test_x"]).all()

    search = quietly(
        search_for(kind, "raise", scoring=lambda e, X, y: {"a": e.x, "b": -e.x}, refit="b")
    )
    bad = failed(search.cv_results_)
    for metric in "ab":
        assert np.isnan(search.cv_results_[f"mean_test_{metric}"][bad]).all()
        assert np.isfinite(search.cv_results_[f"mean_test_{metric}"][~bad]).all()


@pytest.mark.parametrize("kind", ["random", "bayes", "epochs"])
def test_a_transformer_that_fails(kind: str) -> None:
    def explode(X: Any, limit: float = 1.0) -> Any:
        if limit < 0.5:
            raise OSError("transformer gave up")
        return X

    pipeline = make_pipeline(FunctionTransformer(explode), Fragile(how="never"))
    space = {
        "functiontransformer__kw_args": [{"limit": 0.1}, {"limit": 0.9}],
        "fragile__x": uniform(0, 1),
    }
    search = make(kind, pipeline, space, cv=FOLDS)
    assert any("transformer gave up" in str(w.message) for w in warned(search))
    assert search.best_params_["functiontransformer__kw_args"] == {"limit": 0.9}


def test_parameters_the_estimator_refuses() -> None:
    from sklearn.linear_model import SGDClassifier

    for kind in CLASSES:
        search = make(
            kind, SGDClassifier(random_state=0), {"alpha": [-1.0, 1e-3, 1e-4, -2.0, 1e-2]}
        )
        message = "'alpha' parameter of SGDClassifier must be"
        assert any(message in str(w.message) for w in warned(search))
        assert search.best_params_["alpha"] > 0


@pytest.mark.parametrize("kind", SYNCHRONOUS)
@pytest.mark.parametrize("n_jobs", [2])
def test_failures_in_other_processes(kind: str, n_jobs: int) -> None:
    import joblib

    with joblib.parallel_config(backend="threading"):
        parallel = quietly(search_for(kind, "raise", n_jobs=n_jobs))
    serial = quietly(search_for(kind, "raise"))
    np.testing.assert_array_equal(
        parallel.cv_results_["mean_test_score"], serial.cv_results_["mean_test_score"]
    )


@pytest.mark.parametrize("kind", CLASSES)
def test_ctrl_c_is_not_an_outcome(kind: str) -> None:
    class Interrupted(Fragile):
        def _train(self, X):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(kind, Interrupted(), UNIT, cv=FOLDS).fit(X, y)
