from __future__ import annotations

import threading
import warnings

import numpy as np
import pytest
from contracts.resource import ResourceContract
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_digits
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso, LogisticRegression, PoissonRegressor, SGDClassifier
from sklearn.mixture import GaussianMixture
from sklearn.neural_network import MLPClassifier
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import shuffle

from sk_hpo.evaluation.resources import TrainingData
from sk_hpo.evaluation.rng import seeded
from sk_hpo.evaluation.warm_start import WarmStart, can_continue

X, Y = shuffle(*load_digits(return_X_y=True), n_samples=150, random_state=0)
X = X / 16
DIGITS = TrainingData(X, Y, classes=np.arange(10))
R_X, R_Y = load_diabetes(return_X_y=True)
DIABETES = TrainingData(R_X[:150], R_Y[:150])


def train(name, estimator, data, *rungs, pause=False, top=None, continues=True):
    resource = WarmStart(name, continues=continues)
    with seeded(0):
        model = resource.begin(clone(estimator), data, top or rungs[-1])
        for rung in rungs:
            if pause:
                model = resource.unpack(resource.pack(model))
            resource.advance(model, data, rung)
    return resource.finish(model), model


class TestTrees(ResourceContract):
    def make_resource(self):
        return WarmStart("n_estimators")

    def make_estimator(self):
        return RandomForestClassifier(max_depth=4)

    def data(self):
        return DIGITS


class TestBoosting(TestTrees):
    def make_estimator(self):
        return GradientBoostingRegressor(
            subsample=0.5, max_features=3, random_state=np.random.RandomState(3)
        )

    def data(self):
        return DIABETES


class TestDepth(TestTrees):
    rungs = (1, 2, 4)

    def make_resource(self):
        return WarmStart("max_depth", continues=False)

    def make_estimator(self):
        return DecisionTreeClassifier(max_depth=4, max_features=5, splitter="random")


class TestIterations(TestTrees):
    exact = False

    def make_resource(self):
        return WarmStart("max_iter")

    def make_estimator(self):
        return SGDClassifier(loss="log_loss", tol=None)

    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
    def test_going_where_it_stands_is_nothing(self):
        super().test_going_where_it_stands_is_nothing()


ENSEMBLES = [
    (RandomForestClassifier(random_state=1), "n_estimators", DIGITS),
    (RandomForestClassifier(random_state=1, oob_score=True), "n_estimators", DIGITS),
    (RandomForestRegressor(random_state=1, max_samples=0.5), "n_estimators", DIABETES),
    (ExtraTreesClassifier(random_state=1), "n_estimators", DIGITS),
    (ExtraTreesRegressor(random_state=1), "n_estimators", DIABETES),
    (GradientBoostingClassifier(random_state=1, subsample=0.6), "n_estimators", DIGITS),
    (GradientBoostingRegressor(random_state=1, max_features=4), "n_estimators", DIABETES),
    (BaggingClassifier(random_state=1), "n_estimators", DIGITS),
    (
        HistGradientBoostingClassifier(random_state=1, max_features=0.3, max_leaf_nodes=4),
        "max_iter",
        DIGITS,
    ),
    (
        HistGradientBoostingRegressor(
            random_state=1, early_stopping=True, n_iter_no_change=3, max_leaf_nodes=4
        ),
        "max_iter",
        DIABETES,
    ),
    (IsolationForest(random_state=1), "n_estimators", TrainingData(X, None)),
]


def outputs(fitted, data):
    for method in ("predict_proba", "score_samples", "predict"):
        if hasattr(fitted, method):
            return getattr(fitted, method)(data.X)
    raise AssertionError


@pytest.mark.filterwarnings("ignore:Some inputs do not have OOB scores:UserWarning")
@pytest.mark.filterwarnings("ignore:invalid value encountered in divide:RuntimeWarning")
@pytest.mark.parametrize("pause", [False, True], ids=["live", "paused"])
@pytest.mark.parametrize(
    ("estimator", "name", "data"), ENSEMBLES, ids=lambda v: type(v).__name__
)
def test_an_ensemble_in_rungs_is_the_ensemble_at_once(estimator, name, data, pause):
    ours, model = train(name, estimator, data, 1, 3, 9, pause=pause)
    targets = () if data.y is None else (data.y,)
    theirs = clone(estimator).set_params(**{name: 9}).fit(data.X, *targets)
    np.testing.assert_array_equal(outputs(ours, data), outputs(theirs, data))
    assert ours.get_params() == {**estimator.get_params(), name: 9}
    assert model.resource == 9


def test_it_only_grows_the_trees_that_are_missing():
    resource = WarmStart("n_estimators")
    model = resource.begin(RandomForestClassifier(), DIGITS, 9)
    resource.advance(model, DIGITS, 3)
    grown = list(model.estimator.estimators_)
    resource.advance(model, DIGITS, 9)
    assert model.estimator.estimators_[:3] == grown
    assert len(model.estimator.estimators_) == 9


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(4)])
def test_without_an_integer_seed_rungs_leave_no_trace_either(random_state):
    forest = RandomForestClassifier(random_state=random_state)
    rungs, _ = train("n_estimators", forest, DIGITS, 1, 3, 9, pause=True)
    at_once, _ = train("n_estimators", forest, DIGITS, 9)
    np.testing.assert_array_equal(rungs.predict_proba(X), at_once.predict_proba(X))
    assert type(rungs.random_state) is type(random_state)


def test_the_early_stopping_of_histogram_boosting_stops_the_model():
    boosting = HistGradientBoostingRegressor(
        random_state=0, early_stopping=True, n_iter_no_change=2, learning_rate=1.0
    )
    at_once = clone(boosting).set_params(max_iter=60).fit(DIABETES.X, DIABETES.y)
    assert at_once.n_iter_ < 20
    ours, model = train("max_iter", boosting, DIABETES, 2, 20, 60, pause=True)
    np.testing.assert_array_equal(ours.predict(R_X), at_once.predict(R_X))
    assert model.stopped
    assert model.resource == at_once.n_iter_
    assert ours.max_iter == 60


def test_iterations_are_split_between_the_rungs():
    calls = []

    class Counting(SGDClassifier):
        def fit(self, X, y, **params):
            calls.append((self.max_iter, self.warm_start, hasattr(self, "coef_")))
            return super().fit(X, y, **params)

    ours, model = train("max_iter", Counting(tol=None), DIGITS, 1, 3, 9)
    assert calls == [(1, True, False), (2, True, True), (6, True, True)]
    assert (ours.max_iter, ours.warm_start, model.resource) == (9, False, 9)
    assert not model.stopped


def test_epochs_of_a_seeded_sgd_are_shuffled_anew():
    sgd = SGDClassifier(tol=None, random_state=0)
    resource = WarmStart("max_iter")
    model = resource.begin(clone(sgd), DIGITS, 2)
    resource.advance(model, DIGITS, 1)
    resource.advance(model, DIGITS, 2)
    repeated = clone(sgd).set_params(max_iter=1, warm_start=True)
    repeated.fit(X, Y).fit(X, Y)
    assert not np.array_equal(resource.finish(model).coef_, repeated.coef_)


@pytest.mark.parametrize(
    ("estimator", "data"),
    [
        (LogisticRegression(C=0.01), DIGITS),
        (Lasso(0.5), DIABETES),
        (PoissonRegressor(), DIABETES),
        (MLPClassifier((), solver="lbfgs", alpha=10.0, random_state=0), DIGITS),
    ],
    ids=lambda v: type(v).__name__,
)
def test_a_solver_that_converged_has_stopped(estimator, data):
    ours, model = train("max_iter", estimator, data, 2, 500, 1000, pause=True)
    theirs = clone(estimator).set_params(max_iter=1000).fit(data.X, data.y)
    assert model.stopped
    assert 2 <= model.resource < 500
    assert ours.max_iter == 1000
    np.testing.assert_allclose(outputs(ours, data), outputs(theirs, data), rtol=0.05, atol=0.02)


def test_a_mixture_that_converged_has_stopped():
    mixture = GaussianMixture(2, random_state=0, covariance_type="diag")
    ours, model = train("max_iter", mixture, TrainingData(R_X, None), 1, 100, 200)
    assert model.stopped
    assert ours.converged_


def test_a_rung_may_end_before_convergence_but_the_top_may_not():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train("max_iter", LogisticRegression(), DIGITS, 1, 2, top=9)
        train("max_iter", LogisticRegression(), DIGITS, 1, 2, top=9, continues=False)
    with pytest.warns(ConvergenceWarning):
        train("max_iter", LogisticRegression(), DIGITS, 1, 2, top=2)
    with pytest.warns(ConvergenceWarning):
        train("max_iter", LogisticRegression(), DIGITS, 2, continues=False)


def test_overlapping_threads_leave_the_filters_as_they_were():
    both_inside, leave = threading.Barrier(2), threading.Event()

    class Slow(SGDClassifier):
        def fit(self, X, y):
            both_inside.wait(10)
            if self.max_iter == 2:
                leave.wait(10)
            return super().fit(X, y)

    def start(rung):
        args = ("max_iter", Slow(), DIGITS, rung)
        thread = threading.Thread(target=train, args=args, kwargs={"top": 9})
        thread.start()
        return thread

    with warnings.catch_warnings():
        before = list(warnings.filters)
        first, second = start(1), start(2)
        first.join(10)
        assert ("ignore", None, ConvergenceWarning, None, 0) in warnings.filters
        leave.set()
        second.join(10)
        assert warnings.filters == before


def test_a_forest_does_not_complain_about_a_warm_start_that_nobody_asked_for():
    forest = RandomForestClassifier(class_weight="balanced", random_state=0)
    ours, _ = train("n_estimators", forest, DIGITS, 1, 3)
    theirs = clone(forest).set_params(n_estimators=3).fit(X, Y)
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))


@pytest.mark.parametrize(
    ("estimator", "name"),
    [
        (RandomForestClassifier(), "max_depth"),
        (AdaBoostClassifier(), "n_estimators"),
        (GradientBoostingClassifier(n_iter_no_change=2), "n_estimators"),
        (BaggingClassifier(oob_score=True), "n_estimators"),
        (LogisticRegression(solver="liblinear"), "max_iter"),
        (MLPClassifier(early_stopping=True), "max_iter"),
        (TransformedTargetRegressor(RandomForestRegressor()), "regressor__n_estimators"),
    ],
    ids=lambda v: v if isinstance(v, str) else type(v).__name__,
)
def test_what_warm_start_cannot_continue(estimator, name):
    assert not can_continue(name, estimator)


@pytest.mark.parametrize("user_warm_start", [False, True])
def test_what_cannot_continue_is_trained_from_scratch(user_warm_start):
    forest = RandomForestClassifier(3, random_state=0, warm_start=user_warm_start)
    ours, model = train("max_depth", forest, DIGITS, 1, 2, 4)
    theirs = clone(forest).set_params(max_depth=4).fit(X, Y)
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))
    assert ours.get_params() == theirs.get_params()
    assert model.resource == 4


def test_a_parameter_of_a_wrapped_estimator():
    wrapped = TransformedTargetRegressor(RandomForestRegressor(random_state=0))
    ours, _ = train("regressor__n_estimators", wrapped, DIABETES, 1, 5)
    assert len(ours.regressor_.estimators_) == 5


def test_fit_params_are_passed_on():
    weight = np.where(Y == 1, 5.0, 1.0)
    data = TrainingData(X, Y, {"sample_weight": weight}, DIGITS.classes)
    ours, _ = train("n_estimators", RandomForestClassifier(random_state=0), data, 1, 3)
    theirs = RandomForestClassifier(3, random_state=0).fit(X, Y, sample_weight=weight)
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))


def test_limit_is_the_value_of_the_parameter():
    assert WarmStart("n_estimators").limit(RandomForestClassifier(12), 100) == 12
    wrapped = TransformedTargetRegressor(RandomForestRegressor(7))
    assert WarmStart("regressor__n_estimators").limit(wrapped, 100) == 7
    with pytest.raises(ValueError, match=r"max_depth.* is None: set max_depth"):
        WarmStart("max_depth").limit(RandomForestClassifier(), 100)
    with pytest.raises(ValueError, match="is -1"):
        WarmStart("max_iter").limit(LogisticRegression(max_iter=-1), 100)
