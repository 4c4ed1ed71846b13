"""``corrected_score_``: what the best is worth once it is paid for that it was chosen."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from search.searches import CLASSES, data, make
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score
from sklearn.model_selection import (
    KFold,
    RepeatedKFold,
    ShuffleSplit,
    check_cv,
    cross_val_predict,
)
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from sk_hpo import MostStable, OneStandardError, RandomSearchCV
from sk_hpo.validation.correction import bbc_cv, bbc_cv_of_rows, tibshirani

X, y = data()
C = {"C": [0.001, 0.01, 0.1, 1.0, 10.0]}


def search(**params):
    given = {"n_iter": 5, "cv": 3, "random_state": 0, "keep_predictions": True}
    return RandomSearchCV(LogisticRegression(max_iter=500), C, **given | params)


def predicted(fitted, method="predict"):
    """Return the out-of-fold predictions of all candidates, by scikit-learn, and their rows."""
    splits = list(check_cv(fitted.cv, y, classifier=True).split(X, y))
    rows = np.concatenate([test for _, test in splits])
    columns = []
    for params in fitted.cv_results_["params"]:
        model = clone(fitted.estimator).set_params(**params)
        parts = [getattr(clone(model).fit(X[a], y[a]), method)(X[b]) for a, b in splits]
        columns.append(np.concatenate(parts))
    return np.stack(columns, axis=1), rows


def seed_of(fitted):
    return fitted._evidence.seed


def test_accuracy_is_that_of_the_rows():
    fitted = search().fit(X, y)
    table, rows = predicted(fitted)
    expected = bbc_cv_of_rows(table == y[rows][:, None], random_state=seed_of(fitted))
    assert fitted.corrected_score_ == expected
    assert fitted.cv_results_["rank_test_score"][expected.candidate] == 1
    assert expected.method == "bbc_cv"
    by_sklearn = cross_val_predict(fitted.best_estimator_, X, y, cv=3)
    assert expected.naive == (by_sklearn == y).mean()


def test_any_metric(monkeypatch):
    monkeypatch.setattr("sk_hpo.validation.out_of_fold.N_BOOTSTRAPS", 20)
    fitted = search(scoring="balanced_accuracy").fit(X, y)
    table, rows = predicted(fitted)
    expected = bbc_cv(
        *(table, y[rows], balanced_accuracy_score),
        n_bootstraps=20,
        random_state=seed_of(fitted),
    )
    assert fitted.corrected_score_ == expected


@pytest.mark.parametrize("scoring", ["f1_macro", "accuracy", None])
def test_uncorrected_is_the_metric_on_pooled_rows(scoring, monkeypatch):
    monkeypatch.setattr("sk_hpo.validation.out_of_fold.N_BOOTSTRAPS", 5)
    fitted = search(scoring=scoring).fit(X, y)
    table, rows = predicted(fitted)
    metric = partial(f1_score, average="macro") if scoring == "f1_macro" else accuracy_score
    expected = max(metric(y[rows], column) for column in table.T)
    assert fitted.corrected_score_.naive == pytest.approx(expected)


def test_one_fold_has_no_correction():
    fitted = search(cv=ShuffleSplit(1, random_state=0), keep_predictions=False).fit(X, y)
    assert not hasattr(fitted, "corrected_score_")
    with pytest.raises(AttributeError, match="at least 2 folds"):
        fitted.corrected_score_  # noqa: B018


def test_a_scorer_that_looks_at_rows(monkeypatch):
    monkeypatch.setattr("sk_hpo.validation.out_of_fold.N_BOOTSTRAPS", 20)

    def first_half(estimator, X, y):
        chosen = X[:, 0] < 0.2
        return float((estimator.predict(X)[chosen] == y[chosen]).mean())

    fitted = search(scoring=first_half, cv=2).fit(X, y)
    table, rows = predicted(fitted)
    chosen = X[rows, 0] < 0.2
    found = fitted.corrected_score_
    assert found.naive == max((table[chosen] == y[rows][chosen][:, None]).mean(axis=0))
    assert found.estimate == pytest.approx(found.naive, abs=0.1)


def test_of_several_metrics_the_one_that_chose():
    fitted = search(scoring=["accuracy", "neg_log_loss"], refit="accuracy").fit(X, y)
    alone = search(scoring="accuracy").fit(X, y)
    assert fitted.corrected_score_ == alone.corrected_score_


def test_repeated_folds_draw_rows_not_predictions():
    cv = RepeatedKFold(n_splits=3, n_repeats=2, random_state=0)
    fitted = search(cv=cv).fit(X, y)
    table, rows = predicted(fitted)
    assert len(rows) == 2 * len(X)
    expected = bbc_cv_of_rows(
        table == y[rows][:, None], groups=rows, random_state=seed_of(fitted)
    )
    assert fitted.corrected_score_ == expected


def test_without_predictions_from_the_folds():
    fitted = search(keep_predictions=False).fit(X, y)
    table = np.stack([fitted.cv_results_[f"split{k}_test_score"] for k in range(3)], axis=1)
    assert fitted.corrected_score_ == tibshirani(table, test_train_ratio=0.5)
    assert fitted.corrected_score_.naive == fitted.best_score_


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("kept", [True, False])
def test_every_search_at_its_highest_resource(kind, kept):
    fitted = make(kind, keep_predictions=kept).fit(X, y)
    found = fitted.corrected_score_
    assert found is fitted.corrected_score_  # computed once
    assert found.estimate <= found.naive + 1e-12
    assert found.naive == pytest.approx(fitted.best_score_, abs=1e-12)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_same_for_any_number_of_workers(n_jobs):
    fitted = search(n_jobs=n_jobs).fit(X, y)
    assert fitted.corrected_score_ == search().fit(X, y).corrected_score_


def test_regression():
    target = X @ np.arange(8) + y
    fitted = RandomSearchCV(
        Ridge(), {"alpha": [0.1, 10.0]}, n_iter=2, keep_predictions=True, random_state=0
    ).fit(X, target)
    assert fitted.corrected_score_.estimate == pytest.approx(fitted.best_score_, abs=0.05)


def test_guesses_are_worth_nothing():
    """The best of many guesses looks better than chance; what is corrected does not."""
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=200)
    guess = DummyClassifier(strategy="uniform")
    fitted = RandomSearchCV(
        guess,
        {"random_state": list(range(60))},
        n_iter=60,
        keep_predictions=True,
        random_state=1,
    ).fit(rng.normal(size=(200, 2)), labels)
    low, high = fitted.corrected_score_.interval
    assert fitted.best_score_ > 0.56
    assert abs(fitted.corrected_score_.estimate - 0.5) < 0.03
    assert low < 0.5 < high


def test_a_score_of_the_estimators_own_is_corrected_from_the_folds():
    fitted = RandomSearchCV(
        DummyClassifier(), {"random_state": [0, 1]}, n_iter=2, keep_predictions=True
    ).fit(X, y)
    assert fitted.corrected_score_.method == "tibshirani"
    assert "asked for no predictions" in str(fitted.corrected_score_)


# -- scorers that do not always ask for predictions ---------------------------------------


def sometimes_nan(estimator, X, y):
    """No score, and no prediction, for one candidate on some folds."""
    return np.nan if estimator.C == 10 and X[0, 0] > 0 else estimator.score(X, y)


def sometimes_guessed(estimator, X, y):
    """A score without a prediction, for one candidate."""
    return 0.1 if estimator.C == 10 else estimator.score(X, y)


def penalized(estimator, X, y):
    """Looks at the model, too."""
    return estimator.score(X, y) - 0.1 * (estimator.C > 1)


@pytest.mark.filterwarnings("ignore:.*non-finite:UserWarning")
def test_a_candidate_without_a_score_on_some_fold_is_left_out():
    cv = KFold(6)
    folds = [X[test[0], 0] > 0 for _, test in cv.split(X)]
    assert any(folds)  # or this shows nothing
    assert not all(folds)
    fitted = search(scoring=sometimes_nan, cv=cv).fit(X, y)
    table, rows = predicted(fitted)
    able = [params["C"] != 10 for params in fitted.cv_results_["params"]]
    right = table[:, able] == y[rows][:, None]
    found = fitted.corrected_score_
    assert found.method == "bbc_cv"
    assert found.naive == pytest.approx(right.mean(axis=0).max())
    assert found.candidate == fitted.best_index_


@pytest.mark.parametrize(
    ("scoring", "note"),
    [(sometimes_guessed, "some models only"), (penalized, "more than predictions")],
)
def test_scores_that_do_not_follow_from_predictions(scoring, note):
    fitted = search(scoring=scoring).fit(X, y)
    table = np.stack([fitted.cv_results_[f"split{k}_test_score"] for k in range(3)], axis=1)
    found = fitted.corrected_score_
    assert found.estimate == tibshirani(table, test_train_ratio=0.5).estimate
    assert note in str(found)
    assert found.candidate == fitted.best_index_


def by_decisions(estimator, X, y):
    return float(np.mean(estimator.decision_function(X)))


def test_predictions_of_folds_that_differ_in_shape():
    """Without one of three classes, a decision is one number and not three."""
    even, odd = np.arange(0, 90, 2), np.arange(1, 90, 2)
    cv = [(even, odd), (odd[y[odd] < 2], even)]
    found = search(scoring=by_decisions, cv=cv).fit(X, y).corrected_score_
    assert found.method == "tibshirani"
    assert "no predictions that can be pooled" in str(found)


class Failing(LogisticRegression):
    """Cannot be trained with one C, on the first fold."""

    def fit(self, X, y, sample_weight=None):
        if self.C == 10 and X[0, 0] != FIRST:
            raise ValueError("the first fold")
        return super().fit(X, y)


FIRST = X[0, 0]


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
def test_an_error_score_is_no_score(kept):
    given = {"error_score": 1.0, "cv": KFold(3), "keep_predictions": kept}
    fitted = search(**given).set_params(estimator=Failing(max_iter=500)).fit(X, y)
    failed = [params["C"] == 10 for params in fitted.cv_results_["params"]].index(True)
    others = np.delete(fitted.cv_results_["mean_test_score"], failed)
    assert fitted.cv_results_["split0_test_score"][failed] == 1.0
    found = fitted.corrected_score_
    assert found.naive == pytest.approx(others.max())
    assert found.candidate == fitted.best_index_ != failed


# -- weights ------------------------------------------------------------------------------


@pytest.mark.parametrize("scoring", [None, "accuracy"])
def test_weights_by_brute_force(scoring, monkeypatch):
    monkeypatch.setattr("sk_hpo.validation.out_of_fold.N_BOOTSTRAPS", 15)
    weight = np.random.default_rng(0).random(len(y)) * 10
    fitted = search(scoring=scoring).fit(X, y, sample_weight=weight)
    splits = list(check_cv(3, y, classifier=True).split(X, y))
    rows = np.concatenate([test for _, test in splits])
    columns = []
    for params in fitted.cv_results_["params"]:
        model = clone(fitted.estimator).set_params(**params)
        parts = [
            model.fit(X[a], y[a], sample_weight=weight[a]).predict(X[b]) for a, b in splits
        ]
        columns.append(np.concatenate(parts))
    truth, heavy = y[rows], weight[rows]

    def score(column, drawn):
        return accuracy_score(truth[drawn], column[drawn], sample_weight=heavy[drawn])

    rng, n = np.random.RandomState(seed_of(fitted)), len(rows)
    draws = rng.randint(n, size=(15, n))
    expected = []
    for drawn in draws:
        winner = max(columns, key=lambda column: score(column, np.sort(drawn)))
        expected.append(score(winner, np.setdiff1d(np.arange(n), drawn)))
    found = fitted.corrected_score_
    assert found.estimate == pytest.approx(np.mean(expected))
    assert found.naive == pytest.approx(max(score(c, np.arange(n)) for c in columns))


# -- several outputs ----------------------------------------------------------------------

LABELS = np.column_stack([y == 0, y > 1]).astype(int)


@pytest.mark.parametrize(
    ("estimator", "space"),
    [
        (KNeighborsClassifier(), {"n_neighbors": [1, 5]}),
        (DecisionTreeClassifier(random_state=0), {"max_depth": [1, 3]}),
        (
            MultiOutputClassifier(DecisionTreeClassifier(random_state=0)),
            {"estimator__max_depth": [1, 3]},
        ),
    ],
)
def test_several_labels(estimator, space, monkeypatch):
    monkeypatch.setattr("sk_hpo.validation.out_of_fold.N_BOOTSTRAPS", 10)
    fitted = RandomSearchCV(
        estimator, space, n_iter=2, cv=KFold(3), keep_predictions=True, random_state=0
    ).fit(X, LABELS)
    found = fitted.corrected_score_
    guessed = cross_val_predict(fitted.best_estimator_, X, LABELS, cv=KFold(3))
    assert found.method == "bbc_cv"
    assert found.naive == pytest.approx(np.all(guessed == LABELS, axis=1).mean())


# -- choices that are not by the best mean ------------------------------------------------


@pytest.mark.parametrize(
    ("refit", "scoring", "message"),
    [
        (lambda results: 0, None, "refit is a callable: its choice cannot be repeated"),
        (lambda results: 0, ["accuracy", "f1_macro"], "callable: no single metric chose"),
        (OneStandardError("C"), None, r"OneStandardError.*spread of the folds"),
        (MostStable(metric="f1_macro"), ["accuracy", "f1_macro"], r"MostStable"),
        ("most_stable", None, r"MostStable"),
    ],
)
def test_of_another_choice_than_the_best_mean_there_is_none(refit, scoring, message):
    fitted = search(refit=refit, scoring=scoring).fit(X, y)
    assert not hasattr(fitted, "corrected_score_")
    with pytest.raises(AttributeError, match=message):
        fitted.corrected_score_  # noqa: B018


@pytest.mark.parametrize("kept", [True, False])
def test_candidate_is_a_row_of_cv_results(kept):
    fitted = make("epochs", keep_predictions=kept).fit(X, y)
    assert len(set(fitted.cv_results_["n_resources"])) > 1  # or rows are places anyway
    assert fitted.corrected_score_.candidate == fitted.best_index_


def test_not_before_fit_and_forgotten_by_the_next():
    unfitted = search()
    assert not hasattr(unfitted, "corrected_score_")
    unfitted.fit(X, y)
    first = unfitted.corrected_score_
    assert unfitted.fit(X[:60], y[:60]).corrected_score_ != first
