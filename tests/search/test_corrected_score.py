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
from sklearn.model_selection import RepeatedKFold, ShuffleSplit, check_cv, cross_val_predict

from sk_hpo import RandomSearchCV
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


def test_not_before_fit_and_forgotten_by_the_next():
    unfitted = search()
    assert not hasattr(unfitted, "corrected_score_")
    unfitted.fit(X, y)
    first = unfitted.corrected_score_
    assert unfitted.fit(X[:60], y[:60]).corrected_score_ != first
