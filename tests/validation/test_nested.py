from __future__ import annotations

from collections import defaultdict

import joblib
import numpy as np
import pytest
from contracts.recording import read, rows, write
from scipy.stats import loguniform
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_iris, make_classification, make_regression
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingRandomSearchCV,
    KFold,
    PredefinedSplit,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from sk_hpo.search.bayes import BayesSearchCV
from sk_hpo.search.hyperband import HalvingHyperbandSearchCV
from sk_hpo.search.random import RandomSearchCV
from sk_hpo.validation.alarm import LeakageError, LeakageWarning
from sk_hpo.validation.nested import nested_cross_validate
from sk_hpo.validation.outer import run_outer
from sk_hpo.validation.selection import OneStandardError
from sk_hpo.validation.splits import HoldoutValidation

X, y = make_classification(
    n_samples=90, n_features=6, n_informative=4, n_redundant=0, flip_y=0.2, random_state=0
)
C = {"C": loguniform(1e-2, 1e2)}
OUTER = StratifiedKFold(3, shuffle=True, random_state=5)


def grid(**params):
    return GridSearchCV(SVC(), {"C": [0.1, 1.0, 10.0]}, **{"cv": 3} | params)


def make_searches(seed):
    """Return searches by name, each with a seed of its own making."""
    alpha = {"alpha": loguniform(1e-6, 1e1)}
    return {
        "grid": grid(),
        "randomized": RandomizedSearchCV(SVC(), C, n_iter=4, cv=3, random_state=seed()),
        "halving": HalvingRandomSearchCV(SVC(), C, cv=3, random_state=seed()),
        "random": RandomSearchCV(SVC(), C, n_iter=4, cv=3, random_state=seed()),
        "bayes": BayesSearchCV(SVC(), C, n_iter=6, cv=3, random_state=seed()),
        "hyperband": HalvingHyperbandSearchCV(
            SGDClassifier(), alpha, max_resources=4, factor=2, cv=3, random_state=seed()
        ),
        "pipeline": RandomSearchCV(
            make_pipeline(StandardScaler(), DecisionTreeClassifier()),
            {"decisiontreeclassifier__max_depth": [1, 2, 3, 4]},
            n_iter=3,
            cv=3,
            random_state=seed(),
        ),
    }


NAMES = sorted(make_searches(lambda: 0))


def same(one, other):
    """Whether two results agree in all but the time."""
    np.testing.assert_equal(one.outer_scores, other.outer_scores)
    np.testing.assert_equal(one.inner_scores, other.inner_scores)
    assert one.best_params == other.best_params
    assert one.stability == other.stability
    return True


# -- the scores are those of cross_validate ---------------------------------------------


@pytest.mark.parametrize(
    ("name", "seed"),
    [(name, lambda: 3) for name in NAMES]
    + [
        (name, lambda: np.random.RandomState(3))
        for name in ("bayes", "hyperband", "randomized")
    ],
)
def test_outer_scores_are_those_of_cross_validate(name, seed):
    outer = KFold(3, shuffle=True, random_state=1)
    nested = nested_cross_validate(
        make_searches(seed)[name], X, y, outer_cv=outer, return_searches=True
    )
    plain = cross_validate(make_searches(seed)[name], X, y, cv=outer, return_estimator=True)
    np.testing.assert_array_equal(nested.outer_scores, plain["test_score"])
    fitted = plain["estimator"]
    assert nested.best_params == tuple(search.best_params_ for search in fitted)
    np.testing.assert_array_equal(nested.inner_scores, [s.best_score_ for s in fitted])
    np.testing.assert_array_equal(nested.optimism, nested.inner_scores - nested.outer_scores)
    assert [s.best_params_ for s in nested.searches] == list(nested.best_params)


def test_a_number_of_folds_means_what_it_means_in_scikit_learn():
    nested = nested_cross_validate(grid(), X, y, outer_cv=4)
    plain = cross_validate(grid(), X, y, cv=4)
    np.testing.assert_array_equal(nested.outer_scores, plain["test_score"])


def test_regressors():
    X, y = make_regression(n_samples=60, n_features=3, noise=20.0, random_state=0)
    search = GridSearchCV(
        Ridge(), {"alpha": [0.1, 1.0, 10.0]}, scoring="neg_mean_squared_error"
    )
    nested = nested_cross_validate(search, X, y, outer_cv=4)
    plain = cross_validate(search, X, y, cv=4)
    np.testing.assert_array_equal(nested.outer_scores, plain["test_score"])
    assert (nested.inner_scores < 0).all()


def test_params_are_cut_to_the_rows_of_each_fold():
    weight = np.random.default_rng(0).random(len(y)) ** 4
    nested = nested_cross_validate(
        grid(), X, y, outer_cv=OUTER, params={"sample_weight": weight}, return_searches=True
    )
    plain = cross_validate(grid(), X, y, cv=OUTER, params={"sample_weight": weight})
    np.testing.assert_array_equal(nested.outer_scores, plain["test_score"])
    train, _ = next(OUTER.split(X, y))
    alone = clone(grid()).fit(X[train], y[train], sample_weight=weight[train])
    np.testing.assert_array_equal(
        nested.searches[0].best_estimator_.dual_coef_, alone.best_estimator_.dual_coef_
    )


def test_validation_rows_that_are_beside_the_data():
    search = RandomSearchCV(
        SVC(), {"C": [0.1, 1.0]}, n_iter=2, cv=HoldoutValidation(X[60:], y[60:])
    )
    result = nested_cross_validate(search, X[:60], y[:60], outer_cv=2, return_searches=True)
    chosen = result.searches[0].best_params_
    train, _ = next(StratifiedKFold(2).split(X[:60], y[:60]))
    alone = SVC(**chosen).fit(X[train], y[train])
    assert result.inner_scores[0] == alone.score(X[60:], y[60:])


# -- several workers --------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_same_for_any_number_of_jobs(name):
    one, two = (
        nested_cross_validate(make_searches(lambda: 7)[name], X, y, outer_cv=OUTER, n_jobs=n)
        for n in (1, 2)
    )
    assert same(one, two)


def test_outer_folds_follow_joblib_and_nothing_within_them_is_parallel():
    forest = RandomForestClassifier(n_estimators=2, n_jobs=2, random_state=0)
    search = GridSearchCV(forest, {"max_depth": [1, 2]}, cv=2, n_jobs=2)
    with joblib.parallel_config("threading", n_jobs=2):
        result = nested_cross_validate(search, X, y, outer_cv=OUTER, return_searches=True)
    for fitted in result.searches:
        assert (fitted.n_jobs, fitted.estimator.n_jobs) == (1, 1)
    assert (search.n_jobs, search.estimator.n_jobs) == (2, 2)
    assert (result.search.n_jobs, result.search.best_estimator_.n_jobs) == (2, 2)


def test_one_fold_at_a_time_leaves_the_search_its_own_jobs():
    with joblib.parallel_config("threading"):
        result = nested_cross_validate(
            grid(n_jobs=2), X, y, outer_cv=OUTER, return_searches=True, refit=False
        )
    assert [fitted.n_jobs for fitted in result.searches] == [2, 2, 2]


# -- no outer test row in any search ----------------------------------------------------


class Recording(ClassifierMixin, BaseEstimator):
    """Predicts the more frequent class; notes which rows it is given."""

    def __init__(self, log, depth=1):
        self.log = log
        self.depth = depth

    def fit(self, X, y):
        write(self.log, did="fit", rows=rows(X))
        self.classes_, counts = np.unique(y, return_counts=True)
        self.guess_ = self.classes_[counts.argmax()]
        return self

    def predict(self, X):
        write(self.log, did="predict", rows=rows(X))
        return np.full(len(X), self.guess_)


def announced(kind):
    """Return a search class that notes which rows it gets when its ``fit`` begins."""

    class Announced(kind):
        def fit(self, X, y=None, **params):
            write(self.estimator.log, did="begin", rows=rows(X))
            return super().fit(X, y, **params)

    return Announced


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("kind", [GridSearchCV, RandomSearchCV, HalvingHyperbandSearchCV])
def test_no_outer_test_row_reaches_a_search(kind, n_jobs, tmp_path):
    log = str(tmp_path / "log")
    numbered = np.column_stack([np.arange(len(X)) / 64, X])
    extra = {RandomSearchCV: {"n_iter": 3}, HalvingHyperbandSearchCV: {"resource": "n_samples"}}
    search = announced(kind)(Recording(log), {"depth": [1, 2, 3]}, cv=3, **extra.get(kind, {}))
    nested_cross_validate(search, numbered, y, outer_cv=OUTER, n_jobs=n_jobs, refit=False)
    by_process = defaultdict(list)
    for record in read(log):
        by_process[record["pid"]].append(record)
    outer = {frozenset(train): set(test) for train, test in OUTER.split(X, y)}
    looks = []
    for records in by_process.values():
        for record in records:
            touched = set(record["rows"])
            if record["did"] == "begin":
                train = frozenset(touched)
                test = outer.pop(train)
            elif touched & test:
                assert touched == test
                assert record["did"] == "predict"
                looks.append(train)
            else:
                assert touched <= train
                assert train not in looks, "used after its test rows were looked at"
    assert not outer
    assert len(looks) == len(set(looks)) == 3


# -- metrics ----------------------------------------------------------------------------


def f1_alone(estimator, X, y):
    return f1_score(y, estimator.predict(X))


def two_metrics(estimator, X, y):
    predicted = estimator.predict(X)
    return {"a": accuracy_score(y, predicted), "f": f1_score(y, predicted)}


@pytest.mark.parametrize(
    "inner", [{"scoring": "f1"}, {"scoring": ["recall", "f1"], "refit": "f1"}]
)
@pytest.mark.parametrize("outer", [None, "f1"])
def test_inner_scores_are_of_the_metric_that_is_scored_outside(inner, outer):
    result = nested_cross_validate(
        grid(**inner), X, y, outer_cv=OUTER, scoring=outer, return_searches=True
    )
    plain = cross_validate(grid(**inner), X, y, cv=OUTER, scoring="f1")
    np.testing.assert_array_equal(result.outer_scores, plain["test_score"])
    expected = [search.best_score_ for search in result.searches]
    np.testing.assert_array_equal(result.inner_scores, expected)


def test_several_metrics():
    search = grid(scoring={"a": "accuracy", "f": "f1"}, refit="a")
    scoring = {"accuracy": "accuracy", "f1": "f1", "recall": "recall"}
    result = nested_cross_validate(search, X, y, outer_cv=OUTER, scoring=scoring)
    plain = cross_validate(search, X, y, cv=OUTER, scoring=scoring, return_estimator=True)
    assert list(result.outer_scores) == list(scoring)
    for metric, scores in result.outer_scores.items():
        np.testing.assert_array_equal(scores, plain[f"test_{metric}"])
        assert result.mean_score[metric] == scores.mean()
        assert result.standard_error[metric] == pytest.approx(scores.std(ddof=1) / 3**0.5)
    for metric, name in (("accuracy", "a"), ("f1", "f")):
        inner = [s.cv_results_[f"mean_test_{name}"][s.best_index_] for s in plain["estimator"]]
        np.testing.assert_array_equal(result.inner_scores[metric], inner)
    assert np.isnan(result.inner_scores["recall"]).all()
    assert np.isnan(result.mean_optimism["recall"])
    frame = result.to_frame()
    np.testing.assert_array_equal(frame["optimism_f1"], result.optimism["f1"])
    assert "accuracy: 0." in str(result)


def test_callable_metrics():
    result = nested_cross_validate(
        grid(scoring=f1_alone), X, y, outer_cv=OUTER, scoring=f1_alone
    )
    assert np.isfinite(result.optimism).all()
    search = grid(scoring=two_metrics, refit="f")
    result = nested_cross_validate(search, X, y, outer_cv=OUTER, scoring=two_metrics)
    assert sorted(result.optimism) == ["a", "f"]
    assert np.isfinite(result.mean_optimism["a"])
    result = nested_cross_validate(grid(), X, y, outer_cv=OUTER, scoring=f1_alone)
    assert np.isnan(result.optimism).all()


# -- groups -----------------------------------------------------------------------------

GROUPS = np.repeat(np.arange(15), 6)


class Groupwise(ClassifierMixin, BaseEstimator):
    """Column 0 is the group; fails if it predicts for a group that it was trained on."""

    def __init__(self, a=0):
        self.a = a

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.seen_ = set(X[:, 0])
        return self

    def predict(self, X):
        assert not self.seen_ & set(X[:, 0])
        return np.full(len(X), self.classes_[0])


@pytest.mark.parametrize("kind", [GridSearchCV, RandomSearchCV])
@pytest.mark.parametrize("routing", [False, True])
def test_groups_are_whole_on_both_levels(kind, routing):
    extra = {"n_iter": 2} if kind is RandomSearchCV else {}
    search = kind(Groupwise(), {"a": [0, 1]}, cv=GroupKFold(2), error_score="raise", **extra)
    grouped = np.column_stack([GROUPS, X])
    with config_context(enable_metadata_routing=routing):
        result = nested_cross_validate(
            search, grouped, y, outer_cv=GroupKFold(3), groups=GROUPS, error_score="raise"
        )
    assert result.outer_scores.shape == (3,)
    assert result.search.n_splits_ == 2


def test_groups_do_not_go_to_a_search_that_does_not_look_at_them():
    with pytest.warns(LeakageWarning, match=r"GridSearchCV, StratifiedKFold, does not") as told:
        result = nested_cross_validate(grid(), X, y, outer_cv=GroupKFold(3), groups=GROUPS)
    assert len(told) == 1
    assert told[0].filename == __file__
    plain = cross_validate(grid(), X, y, cv=GroupKFold(3), groups=GROUPS)
    np.testing.assert_array_equal(result.outer_scores, plain["test_score"])


def test_groups_that_are_torn_apart():
    with pytest.raises(
        ValueError, match=r"14 groups, 0 among them.*both sides of outer fold 0.*GroupKFold\(3"
    ):
        nested_cross_validate(grid(), X, y, outer_cv=OUTER, groups=GROUPS)
    for outer in (OUTER, GroupKFold(3)):
        with pytest.raises(ValueError, match="give them as groups="):
            nested_cross_validate(grid(), X, y, outer_cv=outer, params={"groups": GROUPS})


@pytest.mark.parametrize(("leakage", "cv"), [("raise", 3), ("ignore", 3), ("raise", "own")])
def test_what_is_done_about_groups_that_the_search_does_not_look_at(leakage, cv):
    own = HoldoutValidation(X[:30] + 1.0, y[:30])  # tears no group apart
    search = RandomSearchCV(
        SVC(), C, n_iter=2, cv=own if cv == "own" else cv, leakage=leakage, random_state=0
    )

    def run():
        return nested_cross_validate(
            search, X, y, outer_cv=GroupKFold(3), groups=GROUPS, refit=False
        )

    if leakage == "raise" and cv == 3:
        with pytest.raises(LeakageError, match="Give the search a GroupKFold"):
            run()
    else:
        assert np.isfinite(run().outer_scores).all()


def test_a_row_on_both_sides_of_an_outer_fold():
    apart = (np.arange(45), np.arange(45, 90))
    for both in (
        (np.arange(60), np.arange(50, 90)),
        (np.arange(90) < 60, np.arange(90) >= 50),
    ):
        with pytest.raises(ValueError, match=r"fold 1 both trains on and tests with 10 rows"):
            nested_cross_validate(grid(), X, y, outer_cv=[apart, both])


# -- failures ---------------------------------------------------------------------------


class Fragile(DecisionTreeClassifier):
    """Cannot be trained on more than one class."""

    def fit(self, X, y):
        if len(np.unique(y)) < 2:
            raise RuntimeError("one class")
        return super().fit(X, y)


HALF = [(np.arange(45), np.arange(45, 90)), (np.arange(45, 90), np.arange(45))]


def one_class_first():
    half = y.copy()
    half[:45] = 0
    return half


def fragile(**params):
    return GridSearchCV(Fragile(), {"max_depth": [1, 2]}, cv=2, error_score="raise", **params)


def test_a_fold_whose_search_fails():
    with pytest.warns(FitFailedWarning, match="1 fits failed out of a total of 2"):
        result = nested_cross_validate(
            fragile(), X, one_class_first(), outer_cv=HALF, return_searches=True
        )
    assert np.isnan(result.outer_scores[0])
    assert np.isnan(result.inner_scores[0])
    assert np.isfinite(result.outer_scores[1])
    assert result.best_params[0] is None
    assert result.searches[0] is None
    assert result.stability["max_depth"].agreement == 1.0
    first, *_ = str(result).splitlines()
    assert result.mean_score == result.outer_scores[1]
    assert result.mean_optimism == result.optimism[1]
    assert first.startswith(f"{result.mean_score:.4f} ± nan")
    assert "of 1 outer folds; 1 of 2 failed" in first
    assert result.to_frame()["param_max_depth"].isna().tolist() == [True, False]


def test_error_score():
    with pytest.warns(FitFailedWarning):
        result = nested_cross_validate(
            fragile(), X, one_class_first(), outer_cv=HALF, error_score=-1.0
        )
    assert result.outer_scores[0] == -1.0
    assert np.isnan(result.inner_scores[0])
    with pytest.raises(RuntimeError, match="one class"):
        nested_cross_validate(
            fragile(), X, one_class_first(), outer_cv=HALF, error_score="raise"
        )
    with pytest.raises(ValueError, match="All the 2 fits failed"):
        nested_cross_validate(fragile(), X, np.zeros(len(X)), outer_cv=HALF)


def test_means_are_those_of_the_folds_that_did_not_fail():
    outer = [*HALF, (np.arange(0, 90, 2), np.arange(1, 90, 2))]
    with pytest.warns(FitFailedWarning):
        result = nested_cross_validate(fragile(), X, one_class_first(), outer_cv=outer)
    fine = result.outer_scores[1:]
    assert result.mean_score == pytest.approx(fine.mean())
    assert result.standard_error == pytest.approx(abs(fine[0] - fine[1]) / 2)


def test_a_search_that_fails_on_every_fold_is_nan_where_that_is_wanted():
    with pytest.warns(FitFailedWarning, match="All the 2 fits failed") as told:
        folds = run_outer(fragile(), X, np.zeros(len(X)), HALF, scoring=["f1", "accuracy"])
    assert len(told) == 1
    for fold in folds:
        assert fold.search is fold.best_params is None
        assert np.isnan([*fold.outer_scores.values(), *fold.inner_scores.values()]).all()
        assert sorted(fold.outer_scores) == ["accuracy", "f1"]
    assert len(folds) == 2
    with pytest.raises(ValueError, match="scoring"):  # what is wrong is not hidden
        run_outer(fragile(), X, y, HALF, scoring="no such metric")


SEVERAL = {"scoring": ["f1", "accuracy"]}


@pytest.mark.parametrize("kind", [GridSearchCV, RandomSearchCV])
def test_a_callable_that_chooses_among_several_metrics_needs_an_outer_one(kind):
    search = kind(SVC(), {"C": [1.0, 10.0]}, cv=3, refit=lambda results: 0, **SEVERAL)
    if kind is RandomSearchCV:
        search.set_params(n_iter=2)
    with pytest.raises(ValueError, match="names none of them to score by: give scoring="):
        nested_cross_validate(search, X, y)
    result = nested_cross_validate(search, X, y, outer_cv=2, scoring="f1", refit=False)
    assert np.isfinite([result.outer_scores, result.inner_scores]).all()


def test_a_rule_names_the_metric():
    rule = OneStandardError("C", metric="f1")
    space = {"C": [0.1, 1.0, 10.0]}
    search = RandomSearchCV(SVC(), space, n_iter=3, cv=3, refit=rule, **SEVERAL)
    found = nested_cross_validate(search, X, y, outer_cv=OUTER, refit=False)
    alone = search.set_params(scoring="f1", refit=OneStandardError("C"))
    alone = nested_cross_validate(alone, X, y, outer_cv=OUTER, refit=False)
    np.testing.assert_array_equal(found.outer_scores, alone.outer_scores)
    np.testing.assert_array_equal(found.inner_scores, alone.inner_scores)
    with pytest.raises(ValueError, match="give scoring="):  # whose score asks no rule
        nested_cross_validate(GridSearchCV(SVC(), space, refit=rule, **SEVERAL), X, y)


@pytest.mark.parametrize(
    ("search", "error", "message"),
    [
        (SVC(), TypeError, "SVC is not a search"),
        (grid(refit=False), ValueError, "refit=False"),
        (grid(cv=HALF), ValueError, "names rows"),
        (grid(cv=PredefinedSplit(np.arange(90) % 3)), ValueError, "names rows"),
        (grid(cv=HoldoutValidation([0, 1, 2])), ValueError, "names rows"),
    ],
)
def test_what_is_refused(search, error, message):
    with pytest.raises(error, match=message):
        nested_cross_validate(search, X, y)


# -- the result -------------------------------------------------------------------------


def test_the_final_search_is_fitted_on_all_rows():
    search = grid()
    result = nested_cross_validate(search, X, y, outer_cv=OUTER)
    alone = grid().fit(X, y)
    assert result.search.best_params_ == alone.best_params_
    np.testing.assert_array_equal(result.search.predict(X), alone.predict(X))
    assert not hasattr(search, "best_params_")
    without = nested_cross_validate(search, X, y, outer_cv=OUTER, refit=False)
    assert without.search is None
    assert without.searches is None


def test_frame_and_text():
    result = nested_cross_validate(grid(), *load_iris(return_X_y=True), outer_cv=4)
    frame = result.to_frame()
    assert frame.columns.tolist() == [
        "fold", "outer_score", "inner_score", "optimism", "fit_time", "param_C"
    ]  # fmt: skip
    assert len(frame) == 4
    np.testing.assert_array_equal(frame["outer_score"], result.outer_scores)
    assert frame["param_C"].tolist() == [params["C"] for params in result.best_params]
    text = str(result)
    assert f"{result.mean_score:.4f} ± {result.standard_error:.4f}" in text
    assert len(text.splitlines()) == 1 + 1 + 4 + 1
    with pytest.raises(AttributeError):
        result.search = None


def test_a_single_outer_fold_has_no_standard_error():
    result = nested_cross_validate(grid(), X, y, outer_cv=HALF[:1])
    assert np.isnan(result.standard_error)
    assert np.isnan(result.stability["C"].spread)


def test_noise_is_seen_through():
    """The best of many on noise is far above chance; the outer score is not."""
    rng = np.random.default_rng(0)
    noise, labels = rng.normal(size=(100, 60)), rng.permutation(np.arange(100) % 2)
    search = GridSearchCV(OneColumn(), {"column": list(range(60))}, cv=3)
    result = nested_cross_validate(search, noise, labels, outer_cv=4)
    assert result.search.best_score_ > 0.6
    assert result.mean_score < 0.55
    assert result.mean_optimism > 0.08


class OneColumn(ClassifierMixin, BaseEstimator):
    """Predicts by the sign of one column."""

    def __init__(self, column=0):
        self.column = column

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return (X[:, self.column] > 0).astype(int)


def test_logistic_regression_pipeline_in_scikit_learns_search():
    search = GridSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression()),
        {"logisticregression__C": [0.01, 1.0]},
    )
    result = nested_cross_validate(search, X, y, outer_cv=OUTER)
    assert list(result.stability) == ["logisticregression__C"]
