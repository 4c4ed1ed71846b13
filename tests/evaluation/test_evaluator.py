from __future__ import annotations

import math
import pickle
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import sem
from sklearn.datasets import load_iris
from sklearn.linear_model import Ridge, SGDClassifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import KFold

from sk_hpo import RandomSearchCV
from sk_hpo.evaluation.evaluator import CrossValidation
from sk_hpo.evaluation.fold import run_folds
from sk_hpo.evaluation.partial_fit import PartialFitEpochs
from sk_hpo.evaluation.paused import paused_path
from sk_hpo.evaluation.records import FoldContext, FoldResult
from sk_hpo.trial import Job

X, y = load_iris(return_X_y=True)
JOB = Job(trial=3, config=(0.5, 1), start=1, stop=3, bracket=1, rung=1, resumable=True)


def evaluator(folder=None, metric="score", progress=None, n_splits=3, **params):
    resource = SimpleNamespace(continues=True)
    context = SimpleNamespace(
        splits=[None] * n_splits, folder=folder, resource=resource, shared_disk=True
    )
    params = {"progress": progress, **params}
    return CrossValidation(context, lambda config: {"C": config[0]}, metric, 17, **params)


def result(score, error=None, cost=2.0):
    return FoldResult(score, None, 0.1, 0.1, cost, error)


def test_a_job_is_one_call_per_fold():
    calls = evaluator().calls([JOB])
    assert [call.function for call in calls] == [run_folds] * 3
    assert [call.parts for call in calls] == [((0, 0),), ((0, 1),), ((0, 2),)]
    tasks = [task for call in calls for task in call.args[0]]
    assert [task.fold for task in tasks] == [0, 1, 2]
    for task in tasks:
        assert (task.trial, task.start, task.stop, task.resumable) == (3, 1, 3, True)
        assert (task.params, task.n_trials, task.callbacks) == ({"C": 0.5}, 17, None)


@given(
    kinds=st.lists(st.integers(0, 2), max_size=80),
    n_splits=st.integers(1, 7),
    slots=st.integers(1, 9),
)
def test_slots_share_candidates_of_a_kin_and_never_split_folds(kinds, n_splits, slots):
    made = evaluator(n_splits=n_splits, kin=lambda params: params["C"], slots=slots)
    jobs = [replace(JOB, trial=i, config=(kind, 1)) for i, kind in enumerate(kinds)]
    calls = made.calls(jobs)
    parts = [part for call in calls for part in call.parts]
    assert sorted(parts) == [(i, fold) for i in range(len(jobs)) for fold in range(n_splits)]
    for call in calls:
        trials = {i for i, _ in call.parts}
        assert len({kinds[i] for i in trials}) == 1
        assert len(trials) <= -(-len(jobs) // slots)  # no slot has more than its share
        assert len(call.parts) == n_splits * len(trials) <= max(96, n_splits)
        assert [task.trial for task in call.args[0]] == [i for i, _ in call.parts]


def test_the_outcome_is_mean_and_standard_error():
    scores = [0.25, 0.5, 0.9]
    outcome = evaluator().outcome(JOB, [result(score) for score in scores])
    assert outcome.score == np.mean(scores)
    assert outcome.standard_error == pytest.approx(sem(scores))
    assert outcome.cost == 6
    assert outcome.failure is None
    assert [fold.test_scores for fold in outcome.folds] == scores
    assert outcome.scores == tuple(scores)
    assert math.isnan(evaluator(n_splits=1).outcome(JOB, [result(1.0)]).standard_error)


def test_a_job_may_name_its_folds():
    job = replace(JOB, folds=(2, 0))
    cross_validation = evaluator(n_splits=4)
    calls = cross_validation.calls([JOB, job])[4:]
    assert [call.args[0][0].fold for call in calls] == [2, 0]
    assert [call.parts for call in calls] == [((1, 0),), ((1, 1),)]
    outcome = cross_validation.outcome(job, [result(0.5), result(0.25)])
    assert outcome.score == 0.375
    assert outcome.cost == 4
    np.testing.assert_array_equal(outcome.scores, [0.25, np.nan, 0.5, np.nan])
    assert [fold and fold.test_scores for fold in outcome.folds] == [0.25, None, 0.5, None]


@pytest.mark.parametrize(("metric", "expected"), [("b", 0.5), ("a", 2.0), ("score", 2.0)])
def test_of_several_metrics_one_is_taken(metric, expected):
    values = [result({"a": 2.0, "b": 0.5})] * 3
    assert evaluator(metric=metric).outcome(JOB, values).score == expected


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_one_fold_that_is_not_finite_fails_the_trial(bad):
    outcome = evaluator().outcome(JOB, [result(0.5), result(bad), result(0.5)])
    assert outcome.failed
    assert math.isnan(outcome.score)
    assert math.isnan(outcome.standard_error)
    assert outcome.cost == 6


def test_an_error_is_a_failure_whatever_error_score_is():
    values = [result(0.5), result(1.0, "first", 1.0), result(1.0, "second", 0.0)]
    outcome = evaluator().outcome(JOB, values)
    assert outcome.failed
    assert outcome.failure == "first"
    assert outcome.cost == 3
    assert [fold.test_scores for fold in outcome.folds] == [0.5, 1.0, 1.0]


def test_a_paused_model_is_deleted_when_it_has_gone_on_or_will_not(tmp_path):
    cross_validation = evaluator(tmp_path, n_splits=2)

    def bring(trial, start, stop):
        job = Job(trial, (0.5, 1), start, stop, resumable=True)
        [tasks] = zip(*(call.args[0] for call in cross_validation.calls([job])), strict=True)
        for fold in range(2):
            paused_path(tmp_path, trial, fold, stop).touch()
        cross_validation.outcome(job, [replace(result(0.5), digest=f"{stop}")] * 2)
        return [(task.rungs, task.digest) for task in tasks]

    def there():
        return sorted(path.name for path in tmp_path.iterdir())

    assert bring(1, 0, 1) == bring(11, 0, 1) == [((), "")] * 2
    assert there() == ["1-0-1", "1-1-1", "11-0-1", "11-1-1"]
    assert bring(1, 1, 3) == [((1,), "1")] * 2
    assert there() == ["1-0-3", "1-1-3", "11-0-1", "11-1-1"]
    assert bring(1, 3, 9) == [((1, 3), "3")] * 2
    cross_validation.release([11, 99])
    assert there() == ["1-0-9", "1-1-9"]
    cross_validation.release([1])
    assert there() == []


def test_without_a_shared_disk_paused_models_travel(tmp_path):
    shared = FoldContext(
        estimator=SGDClassifier(random_state=0),
        X=X,
        y=y,
        splits=list(KFold(2).split(X)),
        resource=PartialFitEpochs(),
        max_resources=9,
        scorer=check_scoring(SGDClassifier()),
        seed=7,
        folder=tmp_path / "driver",
        classes=np.unique(y),
    )
    shared.folder.mkdir()

    def scores(there, context):
        cross_validation = CrossValidation(context, lambda c: {"alpha": c[0]}, "score", 1)
        found = []
        for start, stop in [(0, 1), (1, 3), (3, 9)]:
            job = Job(0, (0.01,), start, stop, resumable=stop < 9)
            values = []
            for call in cross_validation.calls([job]):
                tasks = pickle.loads(pickle.dumps(call.args[0]))
                [value] = run_folds(there, tasks)
                values.append(cross_validation.arrived(job, call.parts[0][1], value, 0))
            outcome = cross_validation.outcome(job, values)
            found.append((outcome.scores, outcome.cost, [v.carried for v in values]))
        return found

    far = replace(shared, folder=Path("/no/such/folder"), shared_disk=False)
    assert scores(far, replace(shared, shared_disk=False)) == scores(shared, shared)


def test_parts_that_are_known_are_not_called_for():
    calls = evaluator().calls([JOB, JOB], known=[(0, 0), (0, 2), (1, 1)])
    assert [call.parts for call in calls] == [((0, 1),), ((1, 0),), ((1, 2),)]
    assert [call.args[0][0].fold for call in calls] == [1, 0, 2]


class Notes:
    def __init__(self):
        self.notes = []

    def fold(self, job, fold):
        self.notes.append(("fold", job.trial, fold))
        return f"leaf {fold}"

    def told(self, job, outcome):
        self.notes.append(("told", job.trial, outcome.score))


def test_progress_hears_of_every_fold_and_every_job():
    notes = Notes()
    cross_validation = evaluator(progress=notes)
    calls = cross_validation.calls([JOB])
    assert [call.args[0][0].callbacks for call in calls] == ["leaf 0", "leaf 1", "leaf 2"]
    cross_validation.outcome(JOB, [result(0.5)] * 3)
    assert notes.notes == [("fold", 3, 0), ("fold", 3, 1), ("fold", 3, 2), ("told", 3, 0.5)]


@pytest.mark.parametrize(("refit", "best"), [("broken", 1.0), ("fine", 0.1)])
def test_a_scorer_that_raises_fails_the_candidate_by_that_metric_only(refit, best):
    def broken(estimator, X, y):
        if estimator.alpha < 1:
            raise RuntimeError("no score for small alpha")
        return 0.5

    def fine(estimator, X, y):
        return -estimator.alpha

    search = RandomSearchCV(
        Ridge(),
        {"alpha": [0.1, 1.0]},
        n_iter=2,
        cv=2,
        scoring={"broken": broken, "fine": fine},
        refit=refit,
        error_score=99.0,
    )
    with pytest.warns(UserWarning, match="no score for small alpha"):
        search.fit(np.arange(12.0).reshape(-1, 1), np.arange(12.0))
    assert search.best_params_ == {"alpha": best}
