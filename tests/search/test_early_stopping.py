"""Early stopping inside a search: by rows of the training fold, and once for all rows."""

from __future__ import annotations

import sys
from statistics import median

import cloudpickle
import numpy as np
import pytest
from contracts.recording import RecordingTransformer, net, read, rows, write
from search.searches import CLASSES, make
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_classification
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    PredefinedSplit,
    ShuffleSplit,
    StratifiedGroupKFold,
    TimeSeriesSplit,
)
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback, EarlyStopping
from skorch.dataset import Dataset, ValidSplit
from skorch.helper import predefined_split

from sk_hpo import (
    HalvingHyperbandSearchCV,
    HoldoutValidation,
    RandomSearchCV,
    nested_cross_validate,
)

# As if this file were a notebook: workers cannot import its classes.
cloudpickle.register_pickle_by_value(sys.modules[__name__])

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")

N = 120
X, y = make_classification(N, 5, n_informative=4, n_redundant=0, flip_y=0.2, random_state=0)
X = X.astype(np.float32)
X[:, 0] = np.arange(N) / 64  # numbers the rows, see `rows`
y = np.where(np.arange(N) % 5 == 0, 2, y)  # three classes, one of them rare
GROUPS = np.random.default_rng(0).permutation(np.arange(N) // 5)
BY_GROUP = StratifiedGroupKFold(3)


# --- what notes which rows it trains on and watches


class Watched(Callback):
    """Notes which rows each epoch of a net trains on and validates with."""

    def __init__(self, log):
        self.log = log

    def on_epoch_begin(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        sides = [
            [] if side is None else [round(float(row[0][0]) * 64) for row in side]
            for side in (dataset_train, dataset_valid)
        ]
        write(self.log, candidate=net.lr, trains=sides[0], watches=sides[1])


def watched_net(log, **params):
    # What may look at validation rows keeps its rows in the refit: so nothing of ours does.
    callbacks = [("stop", EarlyStopping(patience=2)), ("watched", Watched(log))]
    own = {"train_split": ValidSplit(5, stratified=True), "callbacks": callbacks, "lr": 0.1}
    return net(**own | params)


class WatchedBoosting(HistGradientBoostingClassifier):
    """Notes the rows that it is handed."""

    def __init__(self, log, learning_rate=0.1, max_iter=9, warm_start=False):
        super().__init__(
            learning_rate=learning_rate,
            max_iter=max_iter,
            early_stopping=True,
            n_iter_no_change=2,
            min_samples_leaf=5,
            warm_start=warm_start,
            random_state=0,
        )
        self.log = log

    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        watches = [] if X_val is None else rows(X_val)
        write(self.log, candidate=self.learning_rate, trains=rows(X), watches=watches)
        return super().fit(
            X, y, sample_weight, X_val=X_val, y_val=y_val, sample_weight_val=sample_weight_val
        )


class WatchedBooster(ClassifierMixin, BaseEstimator):
    """Has the interface of XGBoost; settles on a round that depends on the rows it watches."""

    def __init__(self, log, learning_rate=0.1, n_estimators=9, early_stopping_rounds=3):
        self.log = log
        self.learning_rate = learning_rate
        self.n_estimators = n_estimators
        self.early_stopping_rounds = early_stopping_rounds

    def fit(self, X, y, eval_set=None):
        if self.early_stopping_rounds and not eval_set:
            raise ValueError("Must have at least 1 validation dataset for early stopping.")
        watches = rows(eval_set[0][0]) if self.early_stopping_rounds else []
        write(self.log, candidate=self.learning_rate, trains=rows(X), watches=watches)
        self.classes_ = np.unique(y)
        if watches:
            self.best_iteration = sum(watches) % 8
        return self

    def predict(self, X):
        return self.classes_[(np.asarray(X)[:, 1] > self.learning_rate).astype(int)]


class Sampling(ClassifierMixin, BaseEstimator):
    """As a sampler of imbalanced-learn, so far as it can be seen before any training."""

    def fit_resample(self, X, y):
        return X, y

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X


MADE = {
    "net": (watched_net, "lr", "neuralnetclassifier"),
    "boosting": (WatchedBoosting, "learning_rate", "watchedboosting"),
    "booster": (WatchedBooster, "learning_rate", "watchedbooster"),
}
RESOURCES = {"net": "epochs", "boosting": "max_iter", "booster": "n_estimators"}
SPACE = [0.02, 0.05, 0.1, 0.2, 0.5]


def search_of(what, log, kind="random", *, piped=False, **params):
    """Return a search of that kind over one of the estimators above."""
    constructor, name, step = MADE[what]
    estimator, prefix = constructor(log), ""
    if piped:
        estimator = make_pipeline(RecordingTransformer(log), estimator)
        prefix = f"{step}__"
    if kind in ("epochs", "asha", "bohb"):
        own = RESOURCES[what]
        params["resource"] = own if own == "epochs" else f"{prefix}{own}"
    return make(kind, estimator, {f"{prefix}{name}": SPACE}, **params)


def visits(log):
    """Return (candidate, trained rows, watched rows), each training once."""
    found = {
        (record["candidate"], tuple(record["trains"]), tuple(record["watches"]))
        for record in read(log)
        if "trains" in record
    }
    return sorted(found)


def folds_of(search, **params):
    """Return the training rows of each fold among those that the test set leaves."""
    rest = np.setdiff1d(np.arange(N), getattr(search, "test_indices_", []))
    cv = search._checked_cv_orig
    given = {name: np.asarray(values)[rest] for name, values in params.items()}
    return [set(rest[train].tolist()) for train, _ in cv.split(X[rest], y[rest], **given)]


# --- which rows are watched


@pytest.mark.parametrize("kind", [*CLASSES, "samples"])
@pytest.mark.parametrize("what", MADE)
def test_no_row_that_scores_is_ever_watched(what, kind, tmp_path):
    log = tmp_path / "log"
    params = {"early_stopping_split": 0.25, "test_size": 0.2, "refit_epochs": "early_stopping"}
    search = search_of(what, log, kind, **params).fit(X, y)
    test, trainings = set(search.test_indices_.tolist()), folds_of(search)
    assert len(test) == N * 0.2
    assert not any(test & {*trains, *watches} for _, trains, watches in visits(log))
    whole = set(range(N)) - test
    counts = dict.fromkeys(range(4), 0)
    for _, trains, watches in visits(log):
        assert watches
        assert not set(trains) & set(watches)
        seen = {*trains, *watches}
        # The smallest of the folds, or the whole for the refit, that it can be.
        (fold,) = [i for i, fold in enumerate(trainings) if seen <= fold] or [3]
        assert seen <= (trainings[fold] if fold < 3 else whole)
        if kind != "samples":
            assert seen == (trainings[fold] if fold < 3 else whole)
        counts[fold] += 1
    assert min(counts.values()) > 0


@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize("split", [None, 0.3, GroupShuffleSplit(1, test_size=0.3)])
@pytest.mark.parametrize("what", MADE)
def test_groups_are_watched_whole(what, split, piped, tmp_path):
    log = tmp_path / "log"
    search = search_of(what, log, piped=piped, cv=BY_GROUP, early_stopping_split=split)
    search.set_params(refit_epochs="early_stopping").fit(X, y, groups=GROUPS)
    carves = {(trains, watches) for _, trains, watches in visits(log)}
    # One for each fold, the same for all candidates, and one for the refit.
    assert len(carves) == 4
    for trains, watches in carves:
        assert watches
        assert not set(GROUPS[list(trains)]) & set(GROUPS[list(watches)])
    assert {frozenset(t + w) for t, w in carves} == {
        *map(frozenset, folds_of(search, groups=GROUPS)),
        frozenset(range(N)),
    }


def test_share_of_groups_is_that_of_the_estimator(tmp_path):
    for what, share in {"net": 1 / 4, "boosting": 0.1}.items():
        log = tmp_path / what
        search = search_of(what, log, cv=BY_GROUP, refit=False)
        if what == "net":
            search.estimator.set_params(train_split=ValidSplit(4))
        search.fit(X, y, groups=GROUPS)
        for _, trains, watches in visits(log):
            # Of whole groups of five rows.
            assert abs(len(watches) - share * (len(trains) + len(watches))) <= 5


def test_splitter_of_the_net_gets_the_groups(tmp_path):
    log = tmp_path / "log"
    search = search_of("net", log, cv=GroupKFold(3), refit=False)
    search.estimator.set_params(train_split=ValidSplit(GroupKFold(4)))
    search.fit(X, y, groups=GROUPS)
    expected = set()
    for train, _ in GroupKFold(3).split(X, y, GROUPS):
        trains, watches = next(GroupKFold(4).split(X[train], y[train], GROUPS[train]))
        expected.add((tuple(train[trains].tolist()), tuple(train[watches].tolist())))
    assert {(t, w) for _, t, w in visits(log)} == expected


@pytest.mark.parametrize("split", [0.25, 20])
def test_classes_are_watched_in_proportion(split, tmp_path):
    log = tmp_path / "log"
    search_of("booster", log, early_stopping_split=split, refit=False).fit(X, y)
    for _, trains, watches in visits(log):
        n = len(trains) + len(watches)
        assert len(watches) == (split if split > 1 else np.ceil(split * n))
        shares = np.bincount(y[[*trains, *watches]]) / n
        assert np.all(np.abs(np.bincount(y[list(watches)]) - shares * len(watches)) < 1)


def test_booster_without_an_eval_set_has_a_fifth_of_the_rows_to_watch(tmp_path):
    log = tmp_path / "log"
    search = search_of("booster", log).fit(X, y)
    for _, trains, watches in visits(log):
        assert len(watches) in (16, 0)
        assert len(trains) in (64, 120)
    assert search.best_estimator_.early_stopping_rounds is None


def test_last_rows_are_watched_where_time_goes_on(tmp_path):
    log = tmp_path / "log"
    cv = TimeSeriesSplit(3, gap=2)
    search_of("booster", log, cv=cv, refit=False).fit(X, y)
    carves = {(t, w) for _, t, w in visits(log)}
    expected = set()
    for train, _ in cv.split(X):
        n = int(np.ceil(0.2 * len(train)))
        expected.add((tuple(train[: -n - 2].tolist()), tuple(train[-n:].tolist())))
    assert carves == expected


def test_first_split_of_a_splitter(tmp_path):
    log = tmp_path / "log"
    splitter = ShuffleSplit(3, test_size=0.3)
    search_of("boosting", log, early_stopping_split=splitter, refit=False).fit(X, y)
    first = visits(log)
    search_of("boosting", log, early_stopping_split=splitter, refit=False).fit(X, y)
    assert visits(log) == first  # the same, though the splitter has no random_state
    assert {len(watches) for _, _, watches in first} == {24}


@pytest.mark.parametrize("what", ["net", "booster"])
def test_same_rows_whatever_n_jobs_is(what, tmp_path):
    logs, found = [], []
    for n_jobs in (1, 2):
        logs.append(tmp_path / str(n_jobs))
        search = search_of(what, logs[-1], early_stopping_split=0.25, n_jobs=n_jobs)
        found.append(search.fit(X, y))
    assert visits(logs[0]) == visits(logs[1])
    one, two = found
    for i in range(3):
        name = f"split{i}_test_score"
        assert np.array_equal(one.cv_results_[name], two.cv_results_[name])
    assert one.refit_epochs_ == two.refit_epochs_
    assert np.array_equal(one.predict(X), two.predict(X))


def test_other_seeds_watch_other_rows(tmp_path):
    for seed in (0, 1):
        log = tmp_path / str(seed)
        search_of("booster", log, random_state=seed, refit=False).fit(X, y)
    carves = [{(t, w) for _, t, w in visits(tmp_path / name)} for name in "01"]
    assert not carves[0] & carves[1]


def test_fixed_validation_rows_are_not_watched(tmp_path):
    log = tmp_path / "log"
    cv = HoldoutValidation(X[90:], y[90:])
    search_of("booster", log, cv=cv, refit_epochs="early_stopping").fit(X[:90], y[:90])
    seen = {row for _, trains, watches in visits(log) for row in trains + watches}
    assert seen == set(range(90))


@pytest.mark.parametrize("what", ["boosting", "booster"])
def test_nested_searches_carve_from_their_own_rows(what, tmp_path):
    log = tmp_path / "log"
    outer = GroupKFold(2)
    search = search_of(what, log, cv=BY_GROUP)
    nested_cross_validate(search, X, y, groups=GROUPS, outer_cv=outer, refit=False)
    parts = [set(train.tolist()) for train, _ in outer.split(X, y, GROUPS)]
    found = visits(log)
    assert {bool(watches) for _, _, watches in found} == {True, False}  # folds and refits
    for _, trains, watches in found:
        assert any({*trains, *watches} <= part for part in parts)
        assert not set(GROUPS[list(trains)]) & set(GROUPS[list(watches)])


@pytest.mark.parametrize("accelerator", ["auto", "off"])
def test_nothing_changes_where_nothing_is_asked_for(accelerator):
    space = {"lr": SPACE}
    model = net(train_split=ValidSplit(5), callbacks=[("stop", EarlyStopping(patience=2))])
    search = make("random", model, space, accelerator=accelerator).fit(X, y)
    assert all(fold.n_epochs for trial in search.history_ for fold in trial.outcome.folds)
    held = make("random", clone(model).set_params(callbacks__stop=None), space, refit=False)
    held.set_params(accelerator=accelerator).fit(X, y)
    # With patience for all epochs, early stopping is no more than a look at the rows.
    patient = clone(model).set_params(callbacks__stop__patience=99)
    search = make("random", patient, space, refit=False, accelerator=accelerator).fit(X, y)
    for i in range(3):
        name = f"split{i}_test_score"
        assert np.array_equal(search.cv_results_[name], held.cv_results_[name])


# --- for how long the final model is trained


def numbers_of(search):
    """Return the numbers that the folds of the best candidate settled on."""
    results, i = search.cv_results_, search.best_index_
    trial = search.history_[int(results["trial"][i]) if "trial" in results else i]
    return [fold.n_epochs for fold in trial.outcome.folds]


ESTIMATORS = {
    "sgd": (SGDClassifier(early_stopping=True, random_state=0), {"alpha": SPACE}, "n_iter_"),
    "perceptron": (
        MLPClassifier(
            (8,), early_stopping=True, learning_rate_init=0.02, max_iter=60, random_state=0
        ),
        {"alpha": SPACE},
        "n_iter_",
    ),
    "histogram": (
        HistGradientBoostingClassifier(
            early_stopping=True, n_iter_no_change=2, min_samples_leaf=5, random_state=0
        ),
        {"learning_rate": SPACE},
        "n_iter_",
    ),
    "boosting": (
        GradientBoostingClassifier(n_iter_no_change=3, max_depth=1, random_state=0),
        {"learning_rate": SPACE},
        "n_estimators_",
    ),
}


@pytest.mark.parametrize("rule", ["median", "max", "callable"])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_refit_is_trained_for_what_the_folds_settled_on(name, rule):
    estimator, space, attribute = ESTIMATORS[name]
    given = (lambda numbers: 2 * min(numbers)) if rule == "callable" else rule
    search = make("random", estimator, space, cv=4, refit_epochs=given).fit(X, y)
    if name != "perceptron":  # whose best epoch is not the last
        models = [
            clone(estimator).set_params(**search.best_params_).fit(X[train], y[train])
            for train, _ in search._checked_cv_orig.split(X, y)
        ]
        assert numbers_of(search) == [getattr(model, attribute) for model in models]
    numbers = numbers_of(search)
    expected = {
        "median": int(median(numbers) + 0.5),
        "max": max(numbers),
        "callable": 2 * min(numbers),
    }[rule]
    assert search.refit_epochs_ == expected
    best = search.best_estimator_
    assert getattr(best, attribute) == expected
    again = clone(best).fit(X, y)  # it says itself what it was trained for
    assert (
        np.array_equal(again.decision_function(X), best.decision_function(X))
        if hasattr(best, "decision_function")
        else np.array_equal(again.predict_proba(X), best.predict_proba(X))
    )


@pytest.mark.parametrize("load_best", [False, True])
@pytest.mark.parametrize("accelerator", ["auto", "off"])
def test_refit_of_a_net_is_trained_on_all_rows_for_the_median(load_best, accelerator):
    stop = EarlyStopping(patience=3, load_best=load_best, sink=len)
    model = net(train_split=ValidSplit(5), callbacks=[("stop", stop)], max_epochs=40)
    space = {"lr": [0.05, 0.1, 0.3]}
    search = make("grid", model, space, cv=4, accelerator=accelerator).fit(X, y)
    numbers = numbers_of(search)
    assert 1 <= min(numbers) < max(numbers) <= 40
    assert search.refit_epochs_ == int(median(numbers) + 0.5)
    best = search.best_estimator_
    assert len(best.history) == search.refit_epochs_ == best.max_epochs
    assert "valid_loss" not in best.history[-1]
    assert best.train_split is None
    rows_per_epoch = sum(b["train_batch_size"] for b in best.history[-1, "batches"])
    assert rows_per_epoch == N
    assert len(clone(best).fit(X, y).history) == search.refit_epochs_


def test_top_rung_settles_and_stopped_folds_stand():
    stop = EarlyStopping(patience=1, threshold=0.05)
    model = net(train_split=ValidSplit(5), callbacks=[("stop", stop)])
    search = HalvingHyperbandSearchCV(
        model, {"lr": [0.02, 0.1, 0.3]}, max_resources=27, cv=3, random_state=0
    ).fit(X, y)
    numbers, top = numbers_of(search), search.cv_results_["n_resources"].max()
    assert max(numbers) <= top
    assert min(numbers) < top
    assert len(search.best_estimator_.history) == int(median(numbers) + 0.5)


@pytest.mark.parametrize("kind", ["max_iter", "samples"])
def test_refit_after_rungs_of_other_resources(kind):
    estimator, _, _ = ESTIMATORS["sgd"]
    resource = {"max_resources": 27} if kind == "max_iter" else {}
    search = make(kind, estimator, {"alpha": SPACE}, **resource).fit(X, y)
    numbers = numbers_of(search)
    assert search.best_estimator_.n_iter_ == search.refit_epochs_ == int(median(numbers) + 0.5)
    if kind == "max_iter":
        assert search.refit_epochs_ <= search.best_params_["max_iter"]


def test_resource_that_is_not_what_is_stopped_is_that_of_the_best():
    estimator = GradientBoostingClassifier(n_iter_no_change=3, random_state=0)
    search = HalvingHyperbandSearchCV(
        estimator,
        {"learning_rate": SPACE},
        resource="max_depth",
        max_resources=3,
        cv=3,
        random_state=0,
    ).fit(X, y)
    assert search.best_estimator_.max_depth == search.best_params_["max_depth"] == 3
    assert search.best_estimator_.n_estimators_ == search.refit_epochs_


def test_refit_may_stop_by_itself(tmp_path):
    estimator, space, _ = ESTIMATORS["sgd"]
    search = make("random", estimator, space, refit_epochs="early_stopping").fit(X, y)
    assert search.refit_epochs_ is None
    alone = clone(estimator).set_params(**search.best_params_).fit(X, y)
    assert np.array_equal(search.best_estimator_.coef_, alone.coef_)
    log = tmp_path / "log"
    search = search_of("booster", log, refit_epochs="early_stopping").fit(X, y)
    whole = [(t, w) for _, t, w in visits(log) if len(t) + len(w) == N]
    assert len(whole) == 1
    assert len(whole[0][1]) == N / 5


def test_refit_is_as_ever_where_nothing_stops_early():
    search = make("random", LogisticRegression(), {"C": [0.1, 1.0]}, n_iter=2).fit(X, y)
    assert search.refit_epochs_ is None


def test_model_of_all_rows_is_trained_as_long():
    estimator, space, _ = ESTIMATORS["sgd"]
    search = make("random", estimator, space, test_size=0.2, refit_on_all=True).fit(X, y)
    alone = clone(estimator).set_params(
        **search.best_params_, early_stopping=False, tol=None, max_iter=search.refit_epochs_
    )
    assert np.array_equal(search.best_estimator_.coef_, alone.fit(X, y).coef_)


def test_pipeline_is_refitted_on_all_rows():
    estimator, _, _ = ESTIMATORS["histogram"]
    pipeline = make_pipeline(StandardScaler(), estimator)
    space = {"histgradientboostingclassifier__learning_rate": SPACE}
    search = make("random", pipeline, space, cv=BY_GROUP).fit(X, y, groups=GROUPS)
    best = search.best_estimator_
    assert best[-1].n_iter_ == search.refit_epochs_
    assert np.allclose(best[0].mean_, X.mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("answer", [float("nan"), "many", None])
def test_rule_must_return_a_number(answer):
    estimator, space, _ = ESTIMATORS["sgd"]
    search = make("random", estimator, space, refit_epochs=lambda numbers: answer)
    with pytest.raises(ValueError, match="refit_epochs made"):
        search.fit(X, y)


# --- errors, all before any training


class NotFitted(HistGradientBoostingClassifier):
    def __init__(self, max_depth=None, early_stopping=True, validation_fraction=0.1):
        super().__init__(
            max_depth=max_depth,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
        )

    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        raise AssertionError("trained")


DEPTHS = {"max_depth": [1, 2, 3, 4, 5]}
FULL = predefined_split(Dataset(X, y))


@pytest.mark.parametrize(
    ("estimator", "space", "split", "match"),
    [
        (SGDClassifier(early_stopping=True), {"alpha": SPACE}, 0.2, "set its validation_frac"),
        (MLPClassifier(early_stopping=True), {"alpha": SPACE}, 0.2, "set its validation_frac"),
        (
            GradientBoostingClassifier(n_iter_no_change=2),
            {"learning_rate": SPACE},
            0.2,
            "GradientBoostingClassifier carves",
        ),
        (LogisticRegression(), {"C": SPACE}, 0.2, "LogisticRegression does not stop early"),
        (NotFitted(early_stopping=False), DEPTHS, 0.2, "does not stop early: set its early_st"),
        (net(), {"lr": SPACE}, 0.2, "does not stop early: set its callbacks"),
        (
            net(callbacks=[EarlyStopping()], train_split=FULL),
            {"lr": SPACE},
            0.2,
            "which says already which rows",
        ),
        (NotFitted(), DEPTHS, PredefinedSplit([0] * 60 + [-1] * 60), "differ from fold to"),
        (NotFitted(), DEPTHS, "train", "give a share"),
        (NotFitted(), DEPTHS, 80, "leave none to train on"),
        (NotFitted(), DEPTHS, 2, "too many for the 2 row"),
        (NotFitted(), DEPTHS, GroupShuffleSplit(1), "groups"),
        (NotFitted(), DEPTHS, 1.5, "early_stopping_split"),
        (
            make_pipeline(Sampling(), NotFitted()),
            {f"notfitted__{name}": values for name, values in DEPTHS.items()},
            0.2,
            "resamples the rows",
        ),
    ],
)
def test_what_cannot_be_watched_is_an_error_before_any_training(estimator, space, split, match):
    search = make("random", estimator, space, early_stopping_split=split)
    with pytest.raises(ValueError, match=match):
        search.fit(X, y)
    with pytest.raises(ValueError, match=match):
        search.plan(X, y)


def test_two_choices_are_an_error(tmp_path):
    search = search_of("booster", tmp_path / "log", early_stopping_split=0.2)
    with pytest.raises(ValueError, match="fit got eval_set too"):
        search.fit(X, y, eval_set=[(X, y)])


def test_class_that_one_group_holds_cannot_be_watched(tmp_path):
    # The rare class is in one group of each fold's training rows.
    labels = np.where(np.isin(GROUPS, [0, 1]), 1, 0)
    cv = [(np.flatnonzero(GROUPS != 1), np.flatnonzero(GROUPS == 1))]
    search = search_of("booster", tmp_path / "log", cv=cv)
    for split, said in {None: "of class", 0.2: "too few groups"}.items():
        search.set_params(early_stopping_split=split)
        with pytest.raises(ValueError, match=rf"training rows of fold 0.*{said}"):
            search.fit(X, labels, groups=GROUPS)
    assert read(tmp_path / "log") == []


def test_rare_class_need_not_be_watched_unless_that_is_asked_for(tmp_path):
    labels = np.where(GROUPS < 2, 2, y % 2)
    log = tmp_path / "log"
    search = search_of("boosting", log, cv=BY_GROUP).fit(X, labels, groups=GROUPS)
    for trains, watches in {(t, w) for _, t, w in visits(log) if w}:
        assert not set(GROUPS[list(trains)]) & set(GROUPS[list(watches)])
        assert set(labels[list(watches)]) <= set(labels[list(trains)])
    search.set_params(early_stopping_split=0.1)
    with pytest.raises(ValueError, match=r"of class 2|too few groups"):
        search.fit(X, labels, groups=GROUPS)


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        (np.r_[np.arange(100) % 2, np.ones(20, int)], "all of class 1"),
        (np.r_[np.zeros(80, int), np.arange(40) % 2 + 1], "none of class 1"),
    ],
)
def test_carve_of_one_class_is_an_error(labels, match, tmp_path):
    class Last:
        def split(self, X, y=None, groups=None):
            yield np.arange(len(X) - 20), np.arange(len(X) - 20, len(X))

    rest = np.arange(N)[:-20] if match.startswith("none") else np.arange(N)
    cv = [(rest, np.arange(5))]
    search = search_of("booster", tmp_path / "log", cv=cv, early_stopping_split=Last())
    with pytest.raises(ValueError, match=match):
        search.fit(X, labels)


def test_candidates_may_choose_to_stop_early(tmp_path):
    """What stops early only by a searched parameter is carved for too."""
    log = tmp_path / "log"
    search = RandomSearchCV(
        WatchedBooster(log, early_stopping_rounds=None),
        {"early_stopping_rounds": [None, 3]},
        n_iter=2,
        cv=3,
        random_state=0,
    ).fit(X, y)
    assert {len(watches) for _, _, watches in visits(log)} == {0, 16}
    assert not np.isnan(search.cv_results_["mean_test_score"]).any()


def test_last_step_may_be_searched(tmp_path):
    log = tmp_path / "log"
    pipeline = make_pipeline("passthrough", LogisticRegression())
    search = RandomSearchCV(
        pipeline,
        {"logisticregression": [LogisticRegression(), WatchedBooster(log)]},
        n_iter=2,
        cv=3,
        random_state=0,
        refit=False,
    ).fit(X, y)
    assert {len(watches) for _, _, watches in visits(log)} == {16}
    assert not np.isnan(search.cv_results_["mean_test_score"]).any()
