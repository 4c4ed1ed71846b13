"""The test set inside a search: no row of it is touched before the one look."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from contracts.recording import read, rows, write
from scipy.stats import binom
from search.searches import ALL, CLASSES, make
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import make_classification, make_regression
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.metrics import (
    accuracy_score,
    fbeta_score,
    log_loss,
    make_scorer,
    roc_auc_score,
)
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    PredefinedSplit,
    ShuffleSplit,
    TimeSeriesSplit,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from sk_hpo import RandomSearchCV

N = 90
X, y = make_classification(N, 6, n_informative=4, n_classes=3, flip_y=0.1, random_state=0)
X[:, 0] = np.arange(N) / 64  # numbers the rows, see `rows`


class Watched(SGDClassifier):
    """Notes which rows reach which method."""

    def __init__(
        self, log, alpha=1e-4, penalty="l2", max_iter=9, early_stopping=False, random_state=0
    ):
        super().__init__(
            alpha=alpha,
            penalty=penalty,
            max_iter=max_iter,
            tol=0.1 if early_stopping else None,
            early_stopping=early_stopping,
            random_state=random_state,
        )
        self.log = log

    def fit(self, X, y, **params):
        write(self.log, method="fit", rows=rows(X))
        return super().fit(X, y, **params)

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        write(self.log, method="partial_fit", rows=rows(X))
        return super().partial_fit(X, y, classes=classes, sample_weight=sample_weight)

    def predict(self, X):
        write(self.log, method="predict", rows=rows(X))
        return super().predict(X)


class Passing(TransformerMixin, BaseEstimator):
    """Notes which rows it sees, and hands them on."""

    def __init__(self, log):
        self.log = log

    def fit(self, X, y=None):
        write(self.log, method="fit", rows=rows(X))
        return self

    def transform(self, X):
        write(self.log, method="transform", rows=rows(X))
        return X

    def __sklearn_is_fitted__(self):
        return True


SHAPES = {
    "plain": (lambda log: Watched(log), ""),
    "pipeline": (lambda log: make_pipeline(Passing(log), Watched(log)), "watched__"),
    "stopping": (lambda log: Watched(log, early_stopping=True), ""),
}


def watched(kind, log, shape="plain", **params):
    estimator, prefix = SHAPES[shape][0](log), SHAPES[shape][1]
    space = {f"{prefix}alpha": [1e-5, 1e-4, 1e-3, 1e-2, 1e-1], f"{prefix}penalty": ["l1", "l2"]}
    if kind == "max_iter":
        params["resource"] = f"{prefix}max_iter"
    return make(kind, estimator, space, test_size=0.2, **params)


def visits(log, test):
    """Return how often test rows reached each method, in the order of the first time."""
    seen = Counter()
    for record in read(log):
        n = len(set(record["rows"]) & set(test))
        if n:
            seen[record["method"]] += n
    return dict(seen)


@pytest.mark.filterwarnings("ignore:Maximum number of iteration")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ALL)
def test_no_test_row_is_touched_before_the_one_look(kind, shape, tmp_path):
    if shape == "stopping" and kind not in ("random", "bayes"):
        pytest.skip("SGDClassifier stops early in fit only")
    log = tmp_path / "log"
    search = watched(kind, log, shape).fit(X, y)
    test = search.test_indices_.tolist()
    assert len(test) == N * 0.2
    steps = ["transform", "predict"] if shape == "pipeline" else ["predict"]
    assert visits(log, test) == dict.fromkeys(steps, len(test))
    # And these are the last that are done, with all test rows and no other.
    last = read(log)[-len(steps) :]
    assert [record["method"] for record in last] == steps
    assert all(record["rows"] == test for record in last)


@pytest.mark.parametrize("kind", CLASSES)
def test_nor_by_several_workers(kind, tmp_path):
    log = tmp_path / "log"
    search = watched(kind, log, "pipeline", n_jobs=2).fit(X, y)
    test = search.test_indices_.tolist()
    assert visits(log, test) == {"transform": len(test), "predict": len(test)}


def test_refit_on_all_comes_after_the_look(tmp_path):
    log = tmp_path / "log"
    honest = watched("random", tmp_path / "other").fit(X, y)
    search = watched("random", log, refit_on_all=True).fit(X, y)
    *_, predicted, fitted = read(log)
    assert predicted == {
        **predicted,
        "method": "predict",
        "rows": search.test_indices_.tolist(),
    }
    assert fitted == {**fitted, "method": "fit", "rows": list(range(N))}
    assert search.test_score_ == honest.test_score_
    alone = SGDClassifier(max_iter=9, tol=None, random_state=0, **search.best_params_)
    assert np.array_equal(search.best_estimator_.coef_, alone.fit(X, y).coef_)


@pytest.mark.parametrize("kind", CLASSES)
def test_poisoned_test_labels_change_nothing_but_the_test_score(kind):
    poisoned = np.r_[y[:60], (y[60:] + 1) % 3]
    test = [(np.arange(60), np.arange(60, N))]
    clean, other = (make(kind, test_size=test).fit(X, labels) for labels in (y, poisoned))
    assert other.best_params_ == clean.best_params_
    assert other.best_score_ == clean.best_score_
    for name in ("mean_test_score", "params"):
        assert list(other.cv_results_[name]) == list(clean.cv_results_[name])
    assert other.test_score_ != clean.test_score_


def test_the_search_is_that_of_the_other_rows():
    search = make("random", test_size=0.25).fit(X, y)
    rest = np.setdiff1d(np.arange(N), search.test_indices_)
    alone = make("random").fit(X[rest], y[rest])
    for name, column in alone.cv_results_.items():
        if "time" not in name:
            assert np.array_equal(np.asarray(column), np.asarray(search.cv_results_[name])), (
                name
            )
    model, test = alone.best_estimator_, search.test_indices_
    assert search.test_score_ == model.score(X[test], y[test])
    assert np.array_equal(search.predict(X), alone.predict(X))


def test_n_samples_as_resource_counts_the_other_rows():
    plan = make("samples", test_size=0.5).plan(X, y)
    assert max(rung.resource for rung in plan.rungs) == 30  # two thirds of 45


# -- which rows -----------------------------------------------------------------------------


def test_classes_in_proportion_and_the_same_rows_for_each_candidate():
    search = make("random", test_size=30).fit(X, y)
    counts = np.bincount(y[search.test_indices_], minlength=3)
    assert np.all(np.abs(counts - np.bincount(y) * 30 / N) < 1)
    again = make("random", test_size=30, n_iter=2).fit(X, y)
    assert np.array_equal(again.test_indices_, search.test_indices_)
    other = make("random", test_size=30, random_state=8).fit(X, y)
    assert not np.array_equal(other.test_indices_, search.test_indices_)


@pytest.mark.parametrize("argument", ["groups", "test_groups"])
def test_groups_are_held_out_whole(argument):
    groups = np.arange(N) // 9
    cv = GroupKFold(3) if argument == "groups" else 3
    search = make("random", test_size=0.2, cv=cv).fit(X, y, **{argument: groups})
    test = set(groups[search.test_indices_])
    rest = np.setdiff1d(np.arange(N), search.test_indices_)
    assert len(test) == 2
    assert not test & set(groups[rest])


def test_time_goes_on():
    search = make("random", test_size=18, cv=TimeSeriesSplit(3, gap=2)).fit(X, y)
    assert search.test_indices_.tolist() == list(range(N - 18, N))


def test_gap_before_the_test_rows_is_not_trained_on(tmp_path):
    log = tmp_path / "log"
    watched("random", log, cv=TimeSeriesSplit(3, gap=2)).fit(X, y)
    trained = {row for r in read(log) if r["method"] == "fit" for row in r["rows"]}
    assert trained == set(range(N - 18 - 2))


@pytest.mark.parametrize(
    "test_size",
    [
        [(np.arange(30, N), np.arange(30))],
        [(np.arange(N) >= 30, np.arange(N) < 30)],
        PredefinedSplit([0] * 30 + [-1] * 60),
    ],
)
def test_exactly_these_rows(test_size):
    search = make("random", test_size=test_size).fit(X, y)
    assert search.test_indices_.tolist() == list(range(30))


@pytest.mark.parametrize("form", ["list", "predefined"])
def test_cv_of_fixed_rows_counts_all_rows(form):
    validated = np.arange(40, 60)
    cv = {
        "list": [(np.setdiff1d(np.arange(N), validated), validated)],
        "predefined": PredefinedSplit(np.where(np.isin(np.arange(N), validated), 0, -1)),
    }[form]
    test = [(np.arange(45), np.arange(45, N))]
    search = make("random", test_size=test, cv=cv).fit(X, y)
    alone = make("random", cv=[(np.arange(40), np.arange(40, 45))], refit=False).fit(
        X[:45], y[:45]
    )
    assert np.array_equal(
        search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"]
    )


# -- the score and its interval ----------------------------------------------------------------


def test_interval_is_that_of_a_plain_bootstrap():
    search = make("random", test_size=30).fit(X, y)
    test = search.test_indices_
    right = search.predict(X[test]) == y[test]
    low, high = search.test_score_interval_
    assert low < search.test_score_ < high
    # The percentiles of a binomial, which the bootstrap of a share is.
    expected = binom.ppf([0.025, 0.975], 30, right.mean()) / 30
    assert np.allclose([low, high], expected, atol=1.5 / 30)


def test_interval_covers_the_score_of_new_rows():
    big, labels = make_classification(
        4000, 6, n_informative=3, flip_y=0.2, random_state=3, class_sep=0.6
    )
    covered = 0
    for i in range(40):
        part = slice(100 * i, 100 * (i + 1))
        search = RandomSearchCV(
            LogisticRegression(), {"C": [1.0]}, n_iter=1, test_size=50, random_state=i, cv=2
        ).fit(big[part], labels[part])
        low, high = search.test_score_interval_
        covered += low <= search.score(np.delete(big, part, 0), np.delete(labels, part)) <= high
    assert 34 <= covered <= 40  # 95 % of 40, within 2.6 standard deviations


@pytest.mark.parametrize(
    "scoring",
    [
        "accuracy",
        "neg_log_loss",
        "roc_auc_ovr",
        make_scorer(accuracy_score),
        ["accuracy", "neg_log_loss"],
        {"loss": "neg_log_loss", "own": lambda est, X, y: float((est.predict(X) == y).mean())},
        lambda est, X, y: {"a": est.score(X, y), "b": -log_loss(y, est.predict_proba(X))},
    ],
    ids=["accuracy", "log loss", "auc", "made", "list", "dict", "callable"],
)
def test_every_metric(scoring, monkeypatch):
    monkeypatch.setattr("sk_hpo.validation.test_set.N_BOOTSTRAPS", 100)
    refit = "loss" if isinstance(scoring, dict) else "accuracy"
    several = isinstance(scoring, list | dict)
    refit = refit if several else True
    if callable(scoring) and getattr(scoring, "__name__", "") == "<lambda>":
        refit = "a"
    search = RandomSearchCV(
        LogisticRegression(max_iter=500),
        {"C": [0.1, 1.0, 10.0]},
        n_iter=3,
        test_size=0.4,
        scoring=scoring,
        refit=refit,
        random_state=0,
        cv=3,
    ).fit(X, y)
    test = search.test_indices_
    grid = GridSearchCV(search.estimator, {"C": [1.0]}, scoring=scoring, refit=refit, cv=3).fit(
        X, y
    )
    scorer = grid.scorer_
    scorers = scorer if isinstance(scorer, dict) else {"score": scorer}
    expected = {}
    for name, each in scorers.items():
        found = each(search.best_estimator_, X[test], y[test])
        expected |= found if isinstance(found, dict) else {name: found}
    ours = search.test_score_
    ours = ours if isinstance(ours, dict) else {"score": ours}
    assert ours == pytest.approx(expected, abs=1e-15)
    intervals = search.test_score_interval_
    intervals = intervals if isinstance(intervals, dict) else {"score": intervals}
    for name, (low, high) in intervals.items():
        assert low <= ours[name] <= high


@pytest.mark.parametrize(
    "scoring",
    [
        None,
        "accuracy",
        "f1_macro",  # a metric with arguments
        make_scorer(accuracy_score, normalize=False),
        make_scorer(accuracy_score, greater_is_better=False),
        make_scorer(fbeta_score, beta=2, average="macro"),
    ],
    ids=["none", "accuracy", "f1", "count", "negative", "fbeta"],
)
def test_interval_is_that_of_the_metric_computed_again(scoring):
    """By the fitted model and the metric itself, on rows drawn anew."""
    rare = (y == 1) & (X[:, 1] > -1)  # so that the metrics differ
    search = RandomSearchCV(
        LogisticRegression(max_iter=500), {"C": [1.0]}, n_iter=1, test_size=40, scoring=scoring
    ).fit(X, rare)
    test, rng = search.test_indices_, np.random.default_rng(5)
    draws = (rng.choice(test, size=40) for _ in range(400))
    scores = [search.scorer_(search.best_estimator_, X[rows], rare[rows]) for rows in draws]
    low, high = np.quantile(scores, [0.025, 0.975])
    spread = high - low
    assert search.test_score_interval_ == pytest.approx((low, high), abs=0.2 * abs(spread))


@pytest.mark.parametrize("size", [np.int64(30), np.float32(1 / 3), np.float64(1 / 3)])
def test_numbers_of_numpy(size):
    assert len(make("random", test_size=size).fit(X, y).test_indices_) == 30


def test_regression_with_weights():
    X, y = make_regression(120, 4, noise=20, random_state=0)
    weight = np.random.default_rng(0).uniform(0.1, 2, 120)
    search = RandomSearchCV(
        Ridge(), {"alpha": [0.1, 1.0]}, n_iter=2, test_size=0.3, scoring="r2", random_state=0
    ).fit(X, y, sample_weight=weight)
    test = search.test_indices_
    assert search.test_score_ == search.best_estimator_.score(X[test], y[test], weight[test])
    low, high = search.test_score_interval_
    assert low < search.test_score_ < high


def test_the_accuracy_of_neighbours_is_known_under_its_own_name():
    def looked(**params):
        neighbours = {"n_neighbors": [1, 3, 5, 7, 9]}
        fitted = make("random", KNeighborsClassifier(), neighbours, test_size=30, **params)
        return fitted.fit(X, y).test_score_interval_

    assert looked() == looked(scoring="accuracy")
    assert not math.isnan(looked()[0])


class OwnScore(LogisticRegression):
    def score(self, X, y, sample_weight=None):
        return 7.0


def test_a_score_that_is_no_function_of_predictions_has_no_interval():
    search = RandomSearchCV(OwnScore(), {"C": [1.0]}, n_iter=1, test_size=0.3).fit(X, y)
    assert search.test_score_ == 7.0
    assert all(math.isnan(end) for end in search.test_score_interval_)


def test_a_metric_that_fails_on_the_test_set_is_told():
    def only_on_training_sizes(y_true, y_pred):
        if len(y_true) == 27:
            raise RuntimeError("no")
        return 1.0

    search = RandomSearchCV(
        LogisticRegression(max_iter=500),
        {"C": [1.0]},
        n_iter=1,
        cv=3,
        test_size=27,
        scoring={"good": "accuracy", "bad": make_scorer(only_on_training_sizes)},
        refit="good",
    )
    with pytest.warns(UserWarning, match="metric 'bad' failed on the test set"):
        search.fit(X, y)
    assert math.isnan(search.test_score_["bad"])
    assert 0 < search.test_score_["good"] <= 1


def test_rare_classes_do_not_spoil_the_interval(monkeypatch):
    monkeypatch.setattr("sk_hpo.validation.test_set.N_BOOTSTRAPS", 100)
    labels = (np.arange(N) % 15 == 0).astype(int)
    search = RandomSearchCV(
        LogisticRegression(), {"C": [1.0]}, n_iter=1, test_size=30, scoring="roc_auc", cv=2
    ).fit(X, labels)
    test = search.test_indices_
    assert labels[test].sum() == 2
    expected = roc_auc_score(labels[test], search.decision_function(X[test]))
    assert search.test_score_ == pytest.approx(expected)
    low, high = search.test_score_interval_
    assert low <= search.test_score_ <= high


def test_precomputed_kernels():
    kernel = X @ X.T
    search = RandomSearchCV(
        SVC(kernel="precomputed"), {"C": [0.1, 1.0]}, n_iter=2, test_size=0.3, random_state=0
    ).fit(kernel, y)
    test = search.test_indices_
    rest = np.setdiff1d(np.arange(N), test)
    assert search.test_score_ == search.best_estimator_.score(
        kernel[np.ix_(test, rest)], y[test]
    )


# -- what cannot be ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"test_size": 0.2, "refit": False}, "test_size needs refit"),
        ({"refit_on_all": True}, "refit_on_all needs test_size"),
        ({"test_size": ShuffleSplit(3)}, "gives 3 splits"),
        ({"test_size": [(np.arange(50), np.arange(40, 90))]}, "10 rows on both sides"),
        ({"test_size": [(np.arange(90), np.arange(0))]}, "0 to test with"),
        ({"test_size": 1.5}, "test_size"),
        ({"test_size": 0}, "test_size"),
        ({"test_size": "0.2"}, "test_size"),
        ({"test_size": 90}, "90"),
        ({"test_size": 0.01}, r"1 row.*or hold out any class with test_size=ShuffleSplit\("),
        ({"test_size": 88}, "3 classes, too many for the 2 row.* of the training part"),
        ({"test_size": [(np.arange(50), [])]}, "0 to test with"),
        ({"test_size": [(np.arange(50), [88, 90])]}, "rows 0 to 89: index 90 is out"),
        ({"test_size": [(np.arange(50), np.arange(60) > 40)]}, "rows 0 to 89: boolean index"),
        ({"cv": (X[:30], y[:30])}, r"pair of 30 rows each.*HoldoutValidation\(X_val, y_val\)"),
        (
            {
                "test_size": [(np.arange(45), np.arange(45, 90))],
                "cv": PredefinedSplit([-1] * 45 + [0] * 45),
            },
            "Split 0 of cv has 45 training and 0 validation rows",
        ),
    ],
)
def test_said_before_any_training(params, message, tmp_path):
    log = tmp_path / "log"
    search = watched("random", log).set_params(test_size=None).set_params(**params)
    with pytest.raises(ValueError, match=message):
        search.fit(X, y)
    assert read(log) == []


@pytest.mark.parametrize(
    ("labels", "groups", "message"),
    [
        (np.r_[np.zeros(89), 1], None, r"class.* any class with test_size=ShuffleSplit\("),
        (y, np.zeros(N), r"group"),
        (y, np.arange(N) // 89, r"class|group"),
        (y, y, r"class.* any class with test_size=GroupShuffleSplit\("),
    ],
    ids=["a class of one row", "one group", "classes of one group", "classes are groups"],
)
def test_sets_that_cannot_be_held_out(labels, groups, message, tmp_path):
    log = tmp_path / "log"
    search = watched("random", log, cv=KFold(3))
    with pytest.raises(ValueError, match=message) as caught:
        search.fit(X, labels, test_groups=groups)
    assert "stratify" not in str(caught.value)
    assert read(log) == []


def test_what_such_errors_propose():
    rare = np.r_[np.arange(89) % 2, 2]
    make("random", cv=KFold(3), test_size=ShuffleSplit(1, random_state=0)).fit(X, rare)
    pure = GroupShuffleSplit(1, test_size=1, random_state=0)
    search = make("random", cv=KFold(3), test_size=pure).fit(X, y, test_groups=y)
    assert len(set(y[search.test_indices_])) == 1


def test_groups_that_the_test_set_has_taken():
    groups = np.arange(N) % 5
    with pytest.raises(
        ValueError, match=r"test_size has set aside 18 of 90 rows and 1 of 5 gr"
    ):
        make("random", cv=GroupKFold(5), test_size=0.2).fit(X, y, groups=groups)
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        make("random", cv=GroupKFold(6)).fit(X, y, groups=groups)
    assert "test_size" not in str(caught.value)


def test_test_groups_need_a_test_set():
    with pytest.raises(ValueError, match="test_groups needs test_size"):
        make("random").fit(X, y, test_groups=np.arange(N) // 9)


@pytest.mark.parametrize("refit", [True, False])
def test_a_later_fit_without_test_set_forgets_it(refit):
    search = make("random", test_size=0.2).fit(X, y)
    search.set_params(test_size=None, refit=refit).fit(X, y)
    assert not hasattr(search, "test_score_")
    assert not hasattr(search, "n_test_evaluations_")
