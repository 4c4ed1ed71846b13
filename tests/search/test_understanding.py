"""What a search tells of itself, and what its best candidates are worth together."""

import pickle
import warnings
from html.parser import HTMLParser

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import VotingClassifier, VotingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.metrics import accuracy_score, get_scorer, log_loss
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.svm import LinearSVC

from sk_hpo import (
    BayesSearchCV,
    HalvingHyperbandSearchCV,
    MaxTrials,
    OneStandardError,
    RandomSearchCV,
)

X, y = make_classification(150, 6, n_informative=4, n_classes=3, flip_y=0.1, random_state=0)
NAMES = np.array(["cat", "dog", "emu"])[y]
SPACE = {"C": loguniform(1e-3, 1e2)}


@pytest.fixture(scope="module")
def hyperband():
    return HalvingHyperbandSearchCV(
        SGDClassifier(loss="log_loss"),
        {"alpha": loguniform(1e-5, 1e0), "penalty": ["l2", "l1"]},
        max_resources=9,
        cv=3,
        random_state=0,
        test_size=0.2,
    ).fit(X, y)


@pytest.fixture(scope="module")
def logistic():
    return RandomSearchCV(
        LogisticRegression(),
        SPACE,
        n_iter=6,
        cv=StratifiedKFold(3),
        scoring="neg_log_loss",
        keep_predictions=True,
        random_state=0,
    ).fit(X, NAMES)


def at_the_top(search):
    """Rows of cv_results_ at the highest resource, best first, computed here."""
    results = search.cv_results_
    rows = np.flatnonzero(results["n_resources"] == np.max(results["n_resources"]))
    return rows[np.argsort(-results["mean_test_score"][rows], kind="stable")]


def test_the_summary_tells_what_cv_results_has(hyperband):
    summary = hyperband.summary(k=3)
    rows = at_the_top(hyperband)[:3]
    results = hyperband.cv_results_
    assert [trial.id for trial, _ in summary.best] == list(np.array(results["trial"])[rows])
    for (trial, rung), row in zip(summary.best, rows, strict=True):
        folds = [results[f"split{k}_test_score"][row] for k in range(3)]
        assert rung.score == pytest.approx(np.mean(folds))
        assert rung.standard_error == pytest.approx(np.std(folds, ddof=1) / np.sqrt(3))
        assert trial.params == results["params"][row]
    plan = hyperband.plan(X, y)
    assert (summary.cost, summary.n_fits) == (plan.cost, plan.n_fits)
    seconds = 3 * (results["mean_fit_time"] + results["mean_score_time"])
    assert summary.busy_seconds == pytest.approx(seconds.sum())
    text = str(summary)
    assert f"{hyperband.best_score_:.4f}" in text.splitlines()[2]
    assert f"spent: {plan.cost} epochs in {plan.n_fits} fits" in text
    assert f"test score: {hyperband.test_score_:.4f} on 30 rows" in text
    assert max(map(len, text.splitlines())) <= 96
    assert text == repr(pickle.loads(pickle.dumps(hyperband)).summary(k=3))
    assert "<script" not in summary._repr_html_()


def test_the_summary_tells_what_failed_and_what_stopped_it():
    space = {"C": [-1.0, -2.0, 1.0, 10.0]}
    search = RandomSearchCV(LogisticRegression(), space, n_iter=4, cv=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fits that are to fail
        search.fit(X, y)
    summary = search.summary()
    assert summary.n_failed == 2
    assert all("'C' parameter of LogisticRegression" in cause for cause, _ in summary.failures)
    assert len(summary.best) == 2
    assert "failed: 2 candidates" in str(summary)
    assert str(summary).endswith("ended: by itself, all was done")
    stopped = search.set_params(stop=MaxTrials(1), param_distributions={"C": [1.0, 2.0]})
    assert "ended: early: MaxTrials(1)" in str(stopped.set_params(n_iter=2).fit(X, y).summary())


def test_a_best_that_is_not_fully_trained_is_said_to_be():
    search = HalvingHyperbandSearchCV(
        SGDClassifier(),
        {"alpha": loguniform(1e-5, 1e-1)},
        max_resources=9,
        stop=MaxTrials(1),
        cv=2,
        random_state=0,
    )
    assert str(search.fit(X, y).summary()).endswith("; the best was trained for 1 of 9 epochs")


def test_the_table_is_cv_results_in_order(hyperband):
    table = hyperband.best_params_table(4)
    rows, results = at_the_top(hyperband)[:4], hyperband.cv_results_
    assert list(table.index) == [1, 2, 3, 4]
    np.testing.assert_allclose(table["score"], results["mean_test_score"][rows])
    np.testing.assert_allclose(
        table["standard_error"], results["std_test_score"][rows] / np.sqrt(2)
    )
    assert list(table["n_resources"]) == [9] * 4
    assert list(table["param_penalty"]) == [results["params"][row]["penalty"] for row in rows]
    # The test set was looked at once, for one candidate.
    assert table["test_score"][1] == hyperband.test_score_
    assert table["test_score"][2:].isna().all()


def test_the_chosen_one_comes_first_even_if_it_is_not_the_best():
    search = RandomSearchCV(
        LogisticRegression(),
        SPACE,
        n_iter=8,
        cv=3,
        random_state=0,
        refit=OneStandardError("C", metric="accuracy"),
        scoring=["accuracy", "f1_macro"],
    ).fit(X, y)
    means = search.cv_results_["mean_test_accuracy"]
    assert search.best_index_ != np.argmax(means)
    table = search.best_params_table(3)
    assert table["trial"][1] == search.best_index_
    assert table["score"][2] == means.max()
    np.testing.assert_allclose(
        table["mean_test_f1_macro"], search.cv_results_["mean_test_f1_macro"][table["trial"]]
    )


def test_the_first_of_the_best_is_the_refitted_one(hyperband):
    first, second = hyperband.get_best_estimators(2, X, y)
    np.testing.assert_array_equal(first.coef_, hyperband.best_estimator_.coef_)
    row = at_the_top(hyperband)[1]
    assert second.get_params().items() >= hyperband.cv_results_["params"][row].items()
    assert second.t_ - 1 == 9 * 120  # nine epochs on the rows that are not held out


def test_rows_of_the_test_set_are_left_out_unless_asked_for(hyperband):
    [best] = hyperband.get_best_estimators(1, X, y, refit_on_all=True)
    assert best.t_ - 1 == 9 * 150
    with pytest.raises(ValueError, match="X is not what fit got"):
        hyperband.get_best_estimators(1, X[::-1], y)
    with pytest.raises(ValueError, match="X is not what fit got"):
        hyperband.get_best_estimators(1, X[:100], y[:100])
    [best] = hyperband.get_best_estimators(1, X[:100], y[:100], refit_on_all=True)
    assert best.t_ - 1 == 9 * 100


def test_without_a_test_set_newer_rows_may_be_given(logistic):
    [best] = logistic.get_best_estimators(1, X, NAMES)
    np.testing.assert_array_equal(best.coef_, logistic.best_estimator_.coef_)
    [newer] = pickle.loads(pickle.dumps(logistic)).get_best_estimators(1, X[50:], NAMES[50:])
    alone = LogisticRegression(**logistic.best_params_).fit(X[50:], NAMES[50:])
    np.testing.assert_array_equal(newer.coef_, alone.coef_)


def test_a_cv_that_was_used_up_is_known():
    folds = KFold(2).split(X)
    search = RandomSearchCV(LogisticRegression(), SPACE, n_iter=2, cv=folds, random_state=0)
    search.fit(X, y)
    [best] = search.get_best_estimators(1, X, y)
    np.testing.assert_array_equal(best.coef_, search.best_estimator_.coef_)


def fold_votes(search, k, X, y, method):
    """Each fold, and what the k best candidates trained on its other rows predict there."""
    order = np.argsort(search.cv_results_["rank_test_score"], kind="stable")[:k]
    for train, test in search.cv.split(X, y):
        models = [
            search.estimator.__class__(
                **{**search.estimator.get_params(), **search.cv_results_["params"][i]}
            ).fit(X[train], y[train])
            for i in order
        ]
        yield test, [getattr(model, method)(X[test]) for model in models]


def test_soft_votes(logistic):
    ensemble = logistic.as_ensemble(3, X, NAMES)
    assert isinstance(ensemble, VotingClassifier)
    members = logistic.get_best_estimators(3, X, NAMES)
    proba = np.mean([member.predict_proba(X) for member in members], axis=0)
    np.testing.assert_allclose(ensemble.predict_proba(X), proba)
    assert list(ensemble.predict(X)) == list(ensemble.classes_[proba.argmax(axis=1)])
    assert ensemble.score(X, NAMES) == accuracy_score(NAMES, ensemble.predict(X))
    scores = [
        -log_loss(NAMES[test], np.mean(votes, axis=0))
        for test, votes in fold_votes(logistic, 3, X, NAMES, "predict_proba")
    ]
    assert ensemble.out_of_fold_score_ == pytest.approx(np.mean(scores))
    assert "chosen by their scores on the very same folds" in ensemble.note_
    again = pickle.loads(pickle.dumps(ensemble))
    np.testing.assert_array_equal(again.predict(X), ensemble.predict(X))
    assert again.out_of_fold_score_ == ensemble.out_of_fold_score_
    alone = logistic.as_ensemble(1, X, NAMES)
    assert alone.out_of_fold_score_ == pytest.approx(logistic.best_score_)


def test_hard_votes():
    search = RandomSearchCV(
        LinearSVC(), SPACE, n_iter=5, cv=KFold(3), keep_predictions=True, random_state=1
    ).fit(X, NAMES)
    ensemble = search.as_ensemble(3, X, NAMES)
    assert ensemble.voting == "hard"
    votes = np.array([m.predict(X) for m in search.get_best_estimators(3, X, NAMES)])

    def most(votes):
        classes = sorted(set(NAMES))
        return np.array([max(classes, key=list(column).count) for column in votes.T])

    assert list(ensemble.predict(X)) == list(most(votes))
    scores = [
        np.mean(most(np.array(votes)) == NAMES[test])
        for test, votes in fold_votes(search, 3, X, NAMES, "predict")
    ]
    assert ensemble.out_of_fold_score_ == pytest.approx(np.mean(scores))
    with pytest.raises(ValueError, match=r"needs predict_proba, which .*trial_"):
        search.as_ensemble(2, X, NAMES, voting="soft")


def test_regressors_average():
    A, b = make_regression(90, 5, noise=30, random_state=0)
    search = BayesSearchCV(
        Ridge(), {"alpha": loguniform(1e-2, 1e3)}, n_iter=6, cv=KFold(3), random_state=0
    )
    search.set_params(keep_predictions=True, scoring="neg_mean_absolute_error").fit(A, b)
    ensemble = search.as_ensemble(2, A, b)
    assert isinstance(ensemble, VotingRegressor)
    members = search.get_best_estimators(2, A, b)
    expected = np.mean([member.predict(A) for member in members], axis=0)
    np.testing.assert_allclose(ensemble.predict(A), expected)
    scores = [
        -np.abs(np.mean(votes, axis=0) - b[test]).mean()
        for test, votes in fold_votes(search, 2, A, b, "predict")
    ]
    assert ensemble.out_of_fold_score_ == pytest.approx(np.mean(scores))


def test_a_score_that_is_not_known_is_none_and_the_note_says_why(hyperband):
    ensemble = hyperband.as_ensemble(2, X, y)
    assert ensemble.out_of_fold_score_ is None
    assert "needs keep_predictions=True" in ensemble.note_
    search = RandomSearchCV(
        LogisticRegression(), SPACE, n_iter=3, cv=2, keep_predictions=True, random_state=0
    ).fit(X, y)
    soft, hard = (search.as_ensemble(2, X, y, voting=how) for how in ("auto", "hard"))
    assert soft.out_of_fold_score_ is None  # accuracy asked for no probabilities
    assert "voting='hard'" in soft.note_
    assert 0 < hard.out_of_fold_score_ <= 1

    def strength(estimator, X, y):
        return get_scorer("accuracy")(estimator, X, y) + 1e-3 * estimator.C

    looking = search.set_params(scoring=strength).fit(X, y).as_ensemble(2, X, y, voting="hard")
    assert looking.out_of_fold_score_ is None
    assert "scorer looks at more than predictions" in looking.note_


def test_what_cannot_be_asked_is_refused(logistic):
    with pytest.raises(NotFittedError):
        RandomSearchCV(LogisticRegression(), SPACE).summary()
    for k in (0, 2.5, True):
        with pytest.raises(ValueError, match="k must be a whole number of at least 1"):
            logistic.summary(k)
    assert len(logistic.get_best_estimators(100, X, NAMES)) == 6


class Named(ClassifierMixin, BaseEstimator):
    """A classifier whose parameter is anything."""

    def __init__(self, label="a"):
        self.label = label

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


class _Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)


def test_the_diagram_stays_and_the_best_is_added():
    space = {"label": ["<script>alert(1)</script>"]}
    search = RandomSearchCV(Named(), space, n_iter=1, cv=2, random_state=0)
    before = search._repr_html_()
    assert "<svg" not in before
    after = search.fit(X, y)._repr_html_()
    assert "sk-top-container" in before
    assert "sk-top-container" in after
    assert f"score {search.best_score_:.4f}, best of 1 candidates" in after
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in after[after.rindex("best of 1") :]
    assert "path" in _Tags(after[after.rindex("best of 1") :]).tags
    assert "script" not in _Tags(after[after.rindex("best of 1") :]).tags
    assert search._repr_mimebundle_()["text/html"].count("best of 1 candidates") == 1
