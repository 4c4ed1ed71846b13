"""Policies and budgets: when a search begins no more fits."""

from __future__ import annotations

import itertools
import time
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import loguniform
from search.searches import CLASSES, data, make, sgd
from sklearn.datasets import load_digits
from skorch import NeuralNetClassifier
from torch.nn import CrossEntropyLoss

from sk_hpo import (
    HalvingHyperbandSearchCV,
    MaxTime,
    MaxTrials,
    NoImprovement,
    RandomSearchCV,
    TargetScore,
)
from sk_hpo.inspection.recorded import record_of
from sk_hpo.search.stopping import Stopping
from sk_hpo.torch import MLP
from sk_hpo.trial import Job, Outcome, Trial

X, y = data()


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_no_more_trials_than_that_are_begun(kind, n_jobs):
    search = make(kind, stop=MaxTrials(3), n_jobs=n_jobs).fit(X, y)
    assert search.stopped_by_ == "MaxTrials(3)"
    n_told = sum(not trial.pending for trial in search.history_)
    assert n_told == 3 if n_jobs == 1 else 3 <= n_told <= 3 + 4
    # What there is, is a search like any other.
    assert search.best_params_ in search.cv_results_["params"]
    assert search.best_estimator_.predict(X).shape == y.shape
    whole = make(kind).fit(X, y)
    scores = {trial.id: trial.outcomes for trial in whole.history_}
    if kind != "asha":
        for trial in search.history_:
            for resource, outcome in trial.outcomes.items():
                assert outcome.score == scores[trial.id][resource].score


def test_a_search_that_is_done_was_stopped_by_nothing():
    assert make("random").fit(X, y).stopped_by_ is None


def test_a_target_is_reached():
    target = make("random").fit(X, y).best_score_
    search = make("random", stop=TargetScore(target)).fit(X, y)
    assert search.stopped_by_ == f"TargetScore({target})"
    assert search.best_score_ == target


def test_on_rungs_only_the_top_counts():
    whole = make("epochs").fit(X, y)
    low = whole.cv_results_["mean_test_score"].min() - 0.1
    search = make("epochs", stop=TargetScore(low)).fit(X, y)
    top = search.cv_results_["n_resources"].max()
    assert top == whole.cv_results_["n_resources"].max()
    assert (search.cv_results_["n_resources"] == top).sum() == 1


def test_of_few_at_the_top_none_need_be_the_best():
    """Nets of all brackets begin together, and the first to be done may be a bad one."""
    X, y = load_digits(return_X_y=True)
    net = NeuralNetClassifier(
        MLP,
        module__n_features=64,
        module__n_outputs=10,
        criterion=CrossEntropyLoss,
        train_split=None,
        verbose=0,
    )
    space = {"lr": loguniform(1e-5, 1e-1), "module__hidden_units": list(range(8, 40))}
    search = HalvingHyperbandSearchCV(
        net, space, max_resources=9, cv=2, stop=MaxTrials(8), random_state=0
    )
    search.fit((X[:300] / 16).astype(np.float32), y[:300])
    results = search.cv_results_
    assert search.best_score_ == results["mean_test_score"].max()
    assert results["n_resources"][search.best_index_] < results["n_resources"].max()
    record = record_of(search)
    assert record.finalists()[0][0].id == record.best
    assert record.incumbents()[-1] == pytest.approx(search.best_score_)
    first = search.best_params_table(1)
    assert first["score"].tolist() == pytest.approx([search.best_score_])


def test_policies_compose():
    policy = MaxTime(1e6) | MaxTrials(2) & NoImprovement(1)
    search = make("random", n_iter=10, stop=policy).fit(X, y)
    assert search.stopped_by_ == "MaxTrials(2) & NoImprovement(1)"


class Slow:
    """Fits of a known time on a clock of its own."""

    def __init__(self, seconds):
        self.now = 0.0
        self.seconds = seconds

    def __call__(self):
        return self.now


def run(budget, fit, refit_to_fit, n=100):
    """Return how many fits a search of `budget` begins, and when it is over."""
    clock, trials = Slow(fit), []
    stopping = Stopping(
        None,
        budget,
        trials,
        top=1,
        refit_to_fit=refit_to_fit,
        continues=True,
        began=0.0,
        clock=clock,
    )
    for i in range(n):
        if stopping(None, None):
            break
        clock.now += fit
        outcome = Outcome(0.5, folds=(SimpleNamespace(fit_time=fit),))
        trials.append(Trial(i, (), outcomes={1: outcome}))
        if stopping(Job(i, (), 0, 1), outcome):
            break
    return len(trials), clock.now + fit * refit_to_fit


@pytest.mark.parametrize(
    ("budget", "fit", "refit_to_fit"),
    itertools.product([0.5, 10.0, 33.3], [0.4, 1.0, 7.0], [0.0, 1.5, 3.0]),
)
def test_the_budget_holds_but_for_the_fit_that_is_running(budget, fit, refit_to_fit):
    n, over = run(budget, fit, refit_to_fit)
    assert n >= 1
    if n > 1:
        assert over <= budget + fit + 1e-9
    # And it is used: one more fit would have been too many.
    assert over + fit > budget - 1e-9


def test_of_rungs_that_go_on_the_refit_is_all_of_them():
    clock, trials = Slow(1.0), [None]
    stopping = Stopping(
        None, 100.0, trials, top=3, refit_to_fit=2.0, continues=True, began=0.0, clock=clock
    )

    def told(outcomes):
        trials[0] = Trial(0, (), outcomes=outcomes)
        return stopping(Job(0, (), 0, max(outcomes)), outcomes[max(outcomes)])

    def outcome(*seconds):
        return Outcome(0.5, folds=tuple(SimpleNamespace(fit_time=s) for s in seconds))

    assert told({1: outcome(8.0, 12.0)}) is None
    clock.now = 30.0
    assert told({1: outcome(8.0, 12.0), 3: outcome(20.0, 20.0)}) is None  # 30 + 2 * 30 < 100
    clock.now = 41.0
    assert stopping(None, None) == "time_budget=100.0"


def test_a_budget_ends_a_real_search():
    search = RandomSearchCV(
        sgd(), {"alpha": list(np.logspace(-6, 0, 400))}, n_iter=400, cv=3, time_budget=0.5
    )
    begin = time.monotonic()
    search.fit(X, y)
    assert search.stopped_by_ == "time_budget=0.5"
    assert 1 <= len(search.history_) < 400
    assert time.monotonic() - begin < 60  # it did not run to its end
    assert hasattr(search, "best_estimator_")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stop", 5),
        ("time_budget", 0),
        ("trial_timeout", -1),
        ("max_retries", -1),
        ("journal", 3),
    ],
)
def test_bad_arguments_are_told_before_any_training(name, value):
    with pytest.raises(ValueError, match=f"The '{name}' parameter"):
        make("random", **{name: value}).fit(X, y)
