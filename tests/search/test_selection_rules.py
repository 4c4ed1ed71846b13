"""``refit`` by a rule, and ``compare``."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy.stats import ttest_rel
from search.searches import BRACKETS, CLASSES, data, make
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer, recall_score
from sklearn.model_selection import KFold, RepeatedStratifiedKFold, ShuffleSplit

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
    fitted.set_params(leakage="ignore")
    expected = recall_score(y, fitted.predict(X), average="macro")
    assert fitted.score(X, y) == expected
    assert pickle.loads(pickle.dumps(fitted)).score(X, y) == expected
    assert fitted.refit == rule


def both(estimator, X, y):
    """Name the metrics only when asked."""
    return {"accuracy": estimator.score(X, y), "size": -float(estimator.C)}


@pytest.mark.parametrize("refit", [MostStable(metric="size"), "size"])
def test_score_by_a_metric_that_a_callable_names(refit):
    fitted = search(refit=refit, scoring=both, leakage="ignore").fit(X, y)
    assert fitted.score(X, y) == -fitted.best_params_["C"]


def test_score_where_a_callable_chose_among_several_metrics():
    fitted = search(refit=lambda results: 0, scoring=["accuracy", "f1_macro"]).fit(X, y)
    with pytest.raises(ValueError, match=r"score needs one metric: refit is a callable"):
        fitted.score(X, y)


class Failing(LogisticRegression):
    """Cannot be trained with the largest C, on the first fold."""

    def fit(self, X, y, sample_weight=None):
        if self.C == 10 and X[0, 0] != FIRST:
            raise ValueError("the first fold")
        return super().fit(X, y)


FIRST = X[0, 0]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.parametrize("refit", [OneStandardError("-C"), MostStable()])
def test_a_number_that_stands_for_a_failure_is_not_chosen(refit):
    """The error_score puts the failed candidate just below the best, in its error."""
    fitted = search(cv=KFold(5), refit=True).set_params(estimator=Failing(max_iter=1000))
    fitted.set_params(error_score=0.0).fit(X, y)
    results = fitted.cv_results_
    failed = [params["C"] for params in results["params"]].index(10.0)
    table = folds(results)
    best = fitted.best_index_
    wanted = table[best].mean() - 0.3 * table[best].std(ddof=1) / 5**0.5
    error_score = 5 * wanted - table[failed][1:].sum()
    fitted.set_params(error_score=error_score, refit=refit).fit(X, y)
    assert fitted.cv_results_["mean_test_score"][failed] == pytest.approx(wanted)
    assert fitted.best_params_["C"] != 10


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


@pytest.mark.parametrize("row", [True, np.True_, 0.0, "0", None])
def test_compare_takes_row_numbers(row):
    with pytest.raises(TypeError, match=r"row of cv_results_, an int; got"):
        search().fit(X, y).compare(row, 1)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:.*non-finite:UserWarning")
@pytest.mark.parametrize("error_score", [0.5, np.nan])
def test_compare_refuses_what_failed(error_score):
    fitted = search(cv=KFold(5), error_score=error_score)
    fitted.set_params(estimator=Failing(max_iter=1000)).fit(X, y)
    failed = [params["C"] for params in fitted.cv_results_["params"]].index(10.0)
    other = (failed + 1) % 5
    for pair in ((failed, other), (other, failed)):
        with pytest.raises(ValueError, match=f"Candidate {failed} failed on a fold"):
            fitted.compare(*pair)


@pytest.mark.parametrize("kind", BRACKETS)
def test_compare_refuses_different_rungs(kind):
    fitted = make(kind).fit(X, y)
    levels = np.array(fitted.cv_results_["n_resources"])
    low, high = levels.argmin(), levels.argmax()
    with pytest.raises(ValueError, match=f"n_resources={levels[low]}, candidate {high} with"):
        fitted.compare(low, high)
    assert fitted.compare(high, high).p_equivalent == 1
