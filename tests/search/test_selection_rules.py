"""``refit`` by a rule, and ``compare``."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_rel
from search.searches import BRACKETS, CLASSES, data, make
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer, recall_score
from sklearn.model_selection import RepeatedStratifiedKFold, ShuffleSplit

from sk_hpo import MostStable, OneStandardError, RandomSearchCV

X, y = data(150)
C = {"C": [0.001, 0.01, 0.1, 1.0, 10.0]}


def search(**params):
    given = {"n_iter": 5, "cv": 5, "random_state": 0}
    return RandomSearchCV(LogisticRegression(max_iter=1000), C, **given | params)


def folds(results, metric="score"):
    return np.stack([results[f"split{k}_test_{metric}"] for k in range(5)], axis=1)


def test_the_simplest_within_one_standard_error():
    fitted = search(refit=OneStandardError("-C")).fit(X, y)
    table = folds(fitted.cv_results_)
    best = table.mean(axis=1).argmax()
    bar = table[best].mean() - table[best].std(ddof=1) / 5**0.5
    cs = np.array([params["C"] for params in fitted.cv_results_["params"]])
    able = cs[table.mean(axis=1) >= bar]
    assert fitted.best_params_ == {"C": able.max()}
    assert able.max() > cs[best]  # or this shows nothing
    assert fitted.best_score_ == table.mean(axis=1)[fitted.best_index_]
    assert able.max() == fitted.best_estimator_.C


def test_largest_is_simplest():
    fitted = search(refit=OneStandardError("-C")).fit(X, y)
    other = search(refit=OneStandardError("C")).fit(X, y)
    assert fitted.best_params_["C"] > other.best_params_["C"]


@pytest.mark.parametrize("refit", ["most_stable", MostStable()])
def test_most_stable(refit):
    fitted = search(refit=refit).fit(X, y)
    table = folds(fitted.cv_results_)
    best = table.mean(axis=1).argmax()
    able = table.mean(axis=1) >= table[best].mean() - table[best].std(ddof=1) / 5**0.5
    spread = np.where(able, table.std(axis=1), np.inf)
    assert spread[fitted.best_index_] == pytest.approx(spread.min())


@pytest.mark.parametrize("kind", BRACKETS)
def test_on_the_highest_rung_only(kind):
    fitted = make(kind, refit=OneStandardError("alpha")).fit(X, y)
    results = fitted.cv_results_
    assert results["n_resources"][fitted.best_index_] == max(results["n_resources"])


def test_of_several_metrics():
    recall = make_scorer(recall_score, average="macro")
    rule = OneStandardError("C", metric="recall")
    fitted = search(refit=rule, scoring={"accuracy": "accuracy", "recall": recall}).fit(X, y)
    alone = search(refit=OneStandardError("C"), scoring=recall).fit(X, y)
    assert fitted.best_params_ == alone.best_params_
    assert fitted.best_score_ == alone.best_score_


@pytest.mark.parametrize(
    ("refit", "message"),
    [("one_standard_error", "OneStandardError"), (OneStandardError("gamma"), "gamma")],
)
def test_said_before_any_training(refit, message):
    with pytest.raises(ValueError, match=message):
        search(refit=refit, error_score="raise").fit(X, y)


def test_compare_is_the_t_test_with_the_corrected_variance():
    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=4, random_state=0)
    fitted = search(cv=cv).fit(X, y)
    results = fitted.cv_results_
    table = np.stack([results[f"split{k}_test_score"] for k in range(12)], axis=1)
    found = fitted.compare(0, 1)
    plain = ttest_rel(table[0], table[1]).statistic
    assert found.statistic == pytest.approx(plain * (1 / 12 / (1 / 12 + 1 / 2)) ** 0.5)
    assert found.p_better + found.p_equivalent + found.p_worse == pytest.approx(1)
    assert (found.p_better > 0.5) == (table[0].mean() > table[1].mean())
    assert fitted.compare(1, 0).p_better == pytest.approx(found.p_worse)
    assert fitted.compare(0, 1, rope=1.0).p_equivalent > 0.999


def test_compare_knows_how_many_rows_a_rung_trained_on():
    fitted = make("samples", cv=ShuffleSplit(4, test_size=30, random_state=0)).fit(X, y)
    rungs = np.array(fitted.cv_results_["n_resources"])
    i, j = np.flatnonzero(rungs == rungs.min())[:2]
    results = fitted.cv_results_
    table = np.stack([results[f"split{k}_test_score"] for k in range(4)], axis=1)
    plain = ttest_rel(table[i], table[j]).statistic
    expected = plain * (1 / 4 / (1 / 4 + 30 / rungs.min())) ** 0.5
    assert fitted.compare(i, j).statistic == pytest.approx(expected)


@pytest.mark.parametrize("kind", CLASSES)
def test_compare_for_every_search(kind):
    fitted = make(kind).fit(X, y)
    best = fitted.best_index_
    assert fitted.compare(best, best).p_equivalent == 1
    with pytest.raises(IndexError):
        fitted.compare(0, 1000)
