"""The oracle for a fold is scikit-learn's own ``_fit_and_score``."""

from __future__ import annotations

import pickle
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_iris
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import StratifiedKFold
from sklearn.model_selection._validation import _fit_and_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from sk_hpo.evaluation.fold import run_folds, train_whole
from sk_hpo.evaluation.partial_fit import PartialFitEpochs
from sk_hpo.evaluation.paused import paused_path
from sk_hpo.evaluation.records import FoldContext, FoldTask
from sk_hpo.evaluation.warm_start import WarmStart
from sk_hpo.evaluation.whole import Whole

X, y = load_iris(return_X_y=True)
SPLITS = list(StratifiedKFold(3).split(X, y))
ONE = check_scoring(SVC(), scoring="accuracy")
TWO = check_scoring(SVC(), scoring=["f1_macro", "accuracy"])


class Seeded(ClassifierMixin, BaseEstimator):
    """Keeps what it could have drawn."""

    def __init__(self, random_state=None, fails=False):
        self.random_state = random_state
        self.fails = fails

    def fit(self, X, y):
        if self.fails:
            raise ZeroDivisionError("as asked")
        self.classes_ = np.unique(y)
        self.drawn_ = np.random.rand()  # noqa: NPY002
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


def draws(model, X, y):
    return {"own": model.random_state or -1, "global": model.drawn_}


def context(tmp_path, estimator=None, **params):
    defaults = {
        "estimator": SVC() if estimator is None else estimator,
        "X": X,
        "y": y,
        "splits": SPLITS,
        "resource": Whole(),
        "max_resources": 1,
        "scorer": ONE,
        "seed": 7,
        "folder": tmp_path,
        "classes": np.unique(y),
    }
    return FoldContext(**defaults | params)


def task(
    trial=0, fold=0, start=0, stop=1, resumable=False, n_trials=4, rungs=(), digest="", **params
):
    return FoldTask(
        trial, fold, params, start, stop, resumable, n_trials, rungs=rungs, digest=digest
    )


def run_fold(context, task):
    (result,) = run_folds(context, [task])
    return result


def by_sklearn(context, task):
    train, test = context.splits[task.fold]
    return _fit_and_score(
        clone(context.estimator),
        X,
        y,
        scorer=context.scorer,
        train=train,
        test=test,
        verbose=context.verbose,
        parameters=task.params,
        fit_params={},
        score_params={},
        return_train_score=context.return_train_score,
        split_progress=(task.fold, len(context.splits)),
        candidate_progress=(task.trial, task.n_trials),
        error_score=context.error_score,
    )


# -- the result ----------------------------------------------------------------------------


@pytest.mark.parametrize("scorer", [ONE, TWO], ids=["one", "two"])
@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("error_score", [np.nan, -1.0])
def test_scores_are_scikit_learns(tmp_path, scorer, fails, train, error_score):
    shared = context(
        tmp_path,
        SVC(),
        scorer=scorer,
        return_train_score=train,
        error_score=error_score,
    )
    what = task(trial=1, fold=2, C=-1.0 if fails else 0.01, gamma=0.1)
    ours, theirs = run_fold(shared, what), by_sklearn(shared, what)
    assert ours.test_scores == pytest.approx(theirs["test_scores"], abs=0, nan_ok=True)
    assert (ours.train_scores is not None) is train
    if train and not fails:
        assert ours.train_scores == theirs["train_scores"]
    if train and fails:  # scikit-learn has none; each metric shall have its column
        assert np.shape(ours.train_scores) == np.shape(ours.test_scores)
    assert (ours.error is None) is (theirs["fit_error"] is None) is (not fails)
    assert ours.cost == (0 if fails else 1)
    assert (ours.score_time > 0) is not fails
    assert ours.fit_time > 0
    if fails:
        assert ours.error.splitlines()[-1] == theirs["fit_error"].splitlines()[-1]


@pytest.mark.parametrize("scorer", [ONE, TWO], ids=["one", "two"])
def test_error_score_raise_raises(tmp_path, scorer):
    shared = context(tmp_path, Seeded(fails=True), scorer=scorer, error_score="raise")
    with pytest.raises(ZeroDivisionError, match="as asked"):
        run_fold(shared, task())


def broken_scorer(model, X, y):
    raise ZeroDivisionError("no score")


@pytest.mark.parametrize("several", [False, True])
def test_a_scorer_that_fails_is_treated_as_in_scikit_learn(tmp_path, several):
    def scorer(raise_exc):
        scoring = {"a": broken_scorer, "b": ONE} if several else broken_scorer
        return check_scoring(SVC(), scoring=scoring, raise_exc=raise_exc)

    shared = context(tmp_path, scorer=scorer(False), error_score=-2.0)
    with pytest.warns(UserWarning, match="Scoring failed"):
        theirs = by_sklearn(shared, task())
    with pytest.warns(UserWarning, match="Scoring failed"):
        ours = run_fold(shared, task())
    assert ours.test_scores == theirs["test_scores"]
    assert ours.error is None
    with pytest.raises(ZeroDivisionError):
        run_fold(replace(shared, scorer=scorer(True), error_score="raise"), task())


def test_parameters_that_are_estimators_are_cloned(tmp_path):
    mine = SVC()
    shared = context(tmp_path, BaggingClassifier(SVC(), n_estimators=2))
    run_fold(shared, task(estimator=mine))
    assert not hasattr(mine, "classes_")


# -- what is printed -----------------------------------------------------------------------


@pytest.mark.parametrize("verbose", [0, 1, 2, 3, 9, 10, 20])
@pytest.mark.parametrize("scorer", [ONE, TWO], ids=["one", "two"])
@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize(
    "params",
    [{}, {"gamma": 0.1, "C": 0.25}, {"C": -1.0}, {"C": 1.0, "kernel": "linear", "degree": 4}],
    ids=["none", "two", "fails", "long"],
)
def test_verbose_prints_what_scikit_learn_prints(
    tmp_path, capsys, verbose, scorer, train, params
):
    shared = context(tmp_path, scorer=scorer, return_train_score=train, verbose=verbose)
    what = task(trial=2, fold=1, **params)
    run_fold(shared, what)
    ours = capsys.readouterr().out
    by_sklearn(shared, what)
    theirs = capsys.readouterr().out
    assert without_times(ours) == without_times(theirs)
    assert bool(ours) is (verbose > 1)


def without_times(text):
    return re.sub(r"total time= *[\d.]+(s|min)", "total time", text)


# -- seeds ---------------------------------------------------------------------------------


def drawn(tmp_path, estimator=None, seed=7, **where):
    shared = context(
        tmp_path, Seeded() if estimator is None else estimator, scorer=draws, seed=seed
    )
    scores = run_fold(shared, task(**where)).test_scores
    return scores["own"], scores["global"]


def test_seeds_depend_on_search_trial_and_fold_alone(tmp_path):
    places = [
        {"seed": seed, "trial": trial, "fold": fold}
        for seed in (0, 7)
        for trial in (0, 1, 50)
        for fold in (0, 1, 2)
    ]
    found = [drawn(tmp_path, **place) for place in places]
    assert len({own for own, _ in found}) == len({world for _, world in found}) == len(places)
    assert found == [drawn(tmp_path, **place) for place in places]
    # Nothing that was drawn before matters.
    np.random.seed(0)  # noqa: NPY002
    assert found[-1] == drawn(tmp_path, **places[-1])


def test_a_random_state_that_is_given_is_left_alone(tmp_path):
    assert drawn(tmp_path, Seeded(random_state=3), trial=4)[0] == 3


def nested_states(model, X, y):
    return {
        "outer": model[-1].random_state,
        "inner": model[-1].estimator.random_state,
        "first": model[0].estimator.random_state,
    }


def test_every_random_state_that_is_none_gets_a_seed_of_its_own(tmp_path):
    from sklearn.feature_selection import SelectFromModel

    estimator = make_pipeline(
        SelectFromModel(SGDClassifier()),
        BaggingClassifier(LogisticRegression(random_state=11), n_estimators=2),
    )
    shared = context(tmp_path, estimator, scorer=nested_states)
    states = run_fold(shared, task()).test_scores
    assert states["inner"] == 11
    assert None not in states.values()
    assert states["outer"] != states["first"]
    assert estimator[-1].random_state is estimator[0].estimator.random_state is None


def test_the_callers_generator_is_left_alone(tmp_path):
    np.random.seed(4)  # noqa: NPY002
    expected = np.random.RandomState(4).rand()
    run_fold(context(tmp_path, Seeded()), task())
    run_fold(context(tmp_path, Seeded(fails=True)), task())
    train_whole(context(tmp_path, Seeded()), {}, 0, 1, None)
    assert np.random.rand() == expected  # noqa: NPY002


def test_the_refit_leaves_random_state_and_is_the_same_each_time(tmp_path):
    shared = context(tmp_path, Seeded())
    one, other = (train_whole(shared, {}, 3, 1, None) for _ in range(2))
    assert one.random_state is None
    assert one.drawn_ == other.drawn_
    assert one.drawn_ != train_whole(shared, {}, 4, 1, None).drawn_
    assert one.drawn_ not in [drawn(tmp_path, trial=3, fold=fold)[1] for fold in range(3)]


# -- pausing -------------------------------------------------------------------------------


def test_a_paused_fold_goes_on_from_its_file(tmp_path):
    shared = context(tmp_path, SGDClassifier(), resource=PartialFitEpochs(), max_resources=9)
    first = run_fold(shared, task(trial=5, fold=1, stop=3, resumable=True, alpha=0.1))
    path = paused_path(tmp_path, 5, 1, 3)
    assert list(tmp_path.iterdir()) == [path]
    goes_on = {"rungs": (3,), "digest": first.digest, "alpha": 0.1}
    last = run_fold(shared, task(trial=5, fold=1, start=3, stop=9, **goes_on))
    assert (first.cost, last.cost) == (3, 6)
    at_once = run_fold(shared, task(trial=5, fold=1, stop=9, alpha=0.1))
    assert at_once.test_scores == last.test_scores
    assert at_once.cost == 9


@pytest.mark.parametrize("damage", ["gone", "cut", "other"])
def test_a_paused_fold_whose_file_is_lost_is_trained_again(tmp_path, damage):
    shared = context(tmp_path, SGDClassifier(), resource=PartialFitEpochs(), max_resources=9)
    first = run_fold(shared, task(trial=5, fold=1, stop=3, resumable=True, alpha=0.1))
    path = paused_path(tmp_path, 5, 1, 3)
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    else:  # a pickle that does what an attacker wants, if it is loaded
        path.write_bytes(pickle.dumps(Harmful(tmp_path / "harm")))
    goes_on = {"rungs": (1, 3), "digest": first.digest, "alpha": 0.1}
    last = run_fold(shared, task(trial=5, fold=1, start=3, stop=9, **goes_on))
    assert not (tmp_path / "harm").exists()
    at_once = run_fold(shared, task(trial=5, fold=1, stop=9, alpha=0.1))
    assert at_once.test_scores == last.test_scores
    assert last.cost == 9


class Harmful:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_solver_that_starts_anew_at_each_rung_is_trained_again_in_the_same_steps(tmp_path):
    estimator = SGDClassifier(tol=None, learning_rate="adaptive", eta0=0.1)
    resource = WarmStart("max_iter")
    shared = context(tmp_path, estimator, resource=resource, max_resources=30)
    first = run_fold(shared, task(trial=5, fold=1, stop=3, resumable=True, alpha=0.001))
    goes_on = {"rungs": (3,), "digest": first.digest, "alpha": 0.001}
    resumed = run_fold(shared, task(trial=5, fold=1, start=3, stop=30, **goes_on))
    paused_path(tmp_path, 5, 1, 3).unlink()
    again = run_fold(shared, task(trial=5, fold=1, start=3, stop=30, **goes_on))
    assert again.test_scores == resumed.test_scores
    assert (resumed.cost, again.cost) == (27, 30)


@pytest.mark.parametrize("where", ["mkstemp", "replace"])
def test_a_full_disk_costs_the_pause_and_not_the_fold(tmp_path, monkeypatch, where):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    shared = context(tmp_path, SGDClassifier(), resource=PartialFitEpochs(), max_resources=9)
    monkeypatch.setattr(f"tempfile.{where}" if where == "mkstemp" else "os.replace", full)
    with pytest.warns(RuntimeWarning, match="No space left on device"):
        first = run_fold(shared, task(trial=5, fold=1, stop=3, resumable=True, alpha=0.1))
    assert np.isfinite(first.test_scores)
    assert first.digest == ""
    assert list(tmp_path.iterdir()) == []
    last = run_fold(shared, task(trial=5, fold=1, start=3, stop=9, rungs=(3,), alpha=0.1))
    assert last.cost == 9


def test_a_fold_that_will_not_go_on_is_not_paused(tmp_path):
    shared = context(tmp_path, SGDClassifier(), resource=PartialFitEpochs(), max_resources=9)
    run_fold(shared, task(stop=3, alpha=0.1))
    assert list(tmp_path.iterdir()) == []


def test_from_scratch_nothing_is_kept_and_all_is_paid(tmp_path):
    resource = WarmStart("n_estimators", continues=False)
    forest = RandomForestClassifier()
    shared = context(tmp_path, forest, resource=resource, max_resources=9)
    run_fold(shared, task(stop=3, resumable=True))
    assert list(tmp_path.iterdir()) == []
    assert run_fold(shared, task(start=3, stop=9)).cost == 9


class FailsInEpoch2(SGDClassifier):
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        if getattr(self, "t_", 1) > len(X):
            raise ZeroDivisionError("second epoch")
        return super().partial_fit(X, y, classes, sample_weight)


@pytest.mark.parametrize("scorer", [ONE, TWO], ids=["one", "two"])
def test_a_fold_that_failed_keeps_its_result_and_costs_no_more(tmp_path, scorer):
    shared = context(
        tmp_path,
        FailsInEpoch2(),
        resource=PartialFitEpochs(),
        max_resources=9,
        scorer=scorer,
        error_score=0.0,
    )
    first = run_fold(shared, task(stop=3, resumable=True))
    last = run_fold(shared, task(start=3, stop=9, rungs=(3,), digest=first.digest))
    assert first.cost == 1
    nothing_done = {"fit_time": 0.0, "score_time": 0.0, "cost": 0.0, "digest": ""}
    assert first.began <= first.ended <= last.began <= last.ended
    assert last == replace(first, **nothing_done, began=last.began, ended=last.ended)
    assert "second epoch" in last.error
