"""A search, its pickle and its journal are one record."""

import math
import os
import pickle
from dataclasses import replace

import numpy as np
import pytest
from inspection.made import asha
from scipy.stats import loguniform, norm, uniform
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning, NotFittedError
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import RandomizedSearchCV
from sklearn.svm import SVC

from sk_hpo import HalvingHyperbandSearchCV, Journal, RandomSearchCV, lograndint, when
from sk_hpo.inspection.recorded import record_of

SPACE = {
    "alpha": loguniform(1e-5, 1e-1),
    "penalty": ["l2", "elasticnet"],
    "l1_ratio": when(uniform(0, 1), penalty="elasticnet"),
}


@pytest.fixture(scope="module")
def hyperband(tmp_path_factory):
    path = tmp_path_factory.mktemp("record") / "iris.journal"
    search = HalvingHyperbandSearchCV(
        SGDClassifier(), SPACE, max_resources=9, cv=3, journal=path, random_state=0
    )
    return search.fit(*load_iris(return_X_y=True))


def test_the_record_has_what_cv_results_has(hyperband):
    record, results = record_of(hyperband), hyperband.cv_results_
    found = {(t.id, r.resource): (t, r) for t, r in record.results()}
    assert len(found) == len(results["params"])
    for i, key in enumerate(zip(results["trial"], results["n_resources"], strict=True)):
        trial, rung = found[key]
        assert trial.params == results["params"][i]
        assert trial.bracket == results["bracket"][i]
        assert rung.number == results["iter"][i]
        assert rung.score == pytest.approx(results["mean_test_score"][i])
        assert rung.scores == tuple(results[f"split{k}_test_score"][i] for k in range(3))
        assert len(rung.runs) == 3
        assert sum(run.seconds for run in rung.runs) / 3 == pytest.approx(
            results["mean_fit_time"][i] + results["mean_score_time"][i]
        )
    assert record.top == 9
    assert record.best == results["trial"][hyperband.best_index_]
    assert record.finalists()[0][1].score == pytest.approx(hyperband.best_score_)
    assert (
        sum(rung.cost for _, rung in record.results())
        == hyperband.plan(*load_iris(return_X_y=True)).cost
    )


def test_the_parameters_know_their_axes(hyperband):
    alpha, l1_ratio, penalty = record_of(hyperband).parameters
    assert (alpha.name, alpha.kind, alpha.log, alpha.conditional) == (
        *("alpha", "number"),
        *(True, False),
    )
    assert (alpha.low, alpha.high) == pytest.approx((1e-5, 1e-1))
    assert (l1_ratio.log, l1_ratio.conditional) == (False, True)
    assert penalty.labels == ("l2", "elasticnet")
    points = record_of(hyperband).points()
    assert points.shape == (17, 3)
    params = [trial.params for trial in record_of(hyperband).trials]
    assert np.isnan(points[:, 1]).tolist() == ["l1_ratio" not in p for p in params]
    expected = [math.log10(p["alpha"]) / 4 + 5 / 4 for p in params]
    np.testing.assert_allclose(points[:, 0], expected)


def test_a_pickle_and_a_journal_tell_the_same(hyperband):
    record = record_of(hyperband)
    assert record_of(pickle.loads(pickle.dumps(hyperband))) == record
    told = repr(Journal.read(hyperband.journal_))
    assert told.endswith("iris.journal': 17 trials, done; see to_frame()>")
    for journal in (Journal.read(hyperband.journal_), hyperband.journal_):
        read = record_of(journal)
        # A journal keeps no distributions: axes end where the trials do.
        assert replace(read, parameters=()) == replace(record, parameters=())
        axes = [(p.name, p.kind, p.log, p.labels) for p in record.parameters]
        assert [(p.name, p.kind, p.log, p.labels) for p in read.parameters] == axes


def test_every_fit_tells_when_and_where(hyperband):
    record = record_of(hyperband)
    runs = [run for _, rung in record.results() for run in rung.runs]
    assert min(run.began for run in runs) == 0
    assert len({run.worker for run in runs}) == 1
    assert all(run.began <= run.ended for run in runs)
    ended = [rung.ended for _, rung in record.timeline()]
    assert ended == sorted(ended)
    by_trial = {}
    for trial, rung in record.timeline():
        assert by_trial.get(trial.id, 0) < rung.resource
        by_trial[trial.id] = rung.resource


def test_workers_have_names():
    search = RandomSearchCV(SVC(), {"C": norm(10, 1)}, n_iter=6, n_jobs=2, random_state=0)
    record = record_of(search.fit(*load_iris(return_X_y=True)))
    workers = {run.worker for _, rung in record.results() for run in rung.runs}
    assert 1 <= len(workers) <= 2
    assert not any(worker.endswith(f":{os.getpid()}") for worker in workers)
    [C] = record.parameters
    assert 10 - C.low == pytest.approx(C.high - 10)
    assert 4 < C.high - 10 < 8  # the domain has no ends, but hardly anything beyond these


def test_names_with_several_definitions_have_one_axis():
    X, y = load_iris(return_X_y=True)
    space = [
        {"kernel": ["rbf"], "gamma": loguniform(1e-3, 1e0)},
        {"kernel": ["poly"], "gamma": [0.01, 10.0], "degree": lograndint(2, 5)},
        {"kernel": ["linear"]},
    ]
    search = RandomSearchCV(SVC(max_iter=50), space, n_iter=12, cv=2, random_state=0)
    with pytest.warns(ConvergenceWarning):
        record = record_of(search.fit(X, y))
    degree, gamma, kernel = record.parameters
    assert (gamma.kind, gamma.low, gamma.high, gamma.conditional) == (
        *("number", pytest.approx(1e-3)),
        *(10.0, True),
    )
    assert kernel.labels == ("rbf", "poly", "linear")
    assert (degree.low, degree.high) == (2, 4)


def test_none_is_a_choice_like_any_other():
    search = RandomSearchCV(
        SVC(), {"class_weight": [None, "balanced"]}, n_iter=2, sampler="grid", random_state=0
    )
    record = record_of(search.fit(*load_iris(return_X_y=True)))
    assert record.points().tolist() == [[0.25], [0.75]]


def test_failures_are_there_and_never_finalists():
    X, y = load_iris(return_X_y=True)
    search = RandomSearchCV(
        SVC(), {"C": [-1.0, 1.0, 2.0]}, n_iter=3, error_score=2.0, random_state=0
    )
    with pytest.warns(FitFailedWarning):
        record = record_of(search.fit(X, y))
    failed = [rung for _, rung in record.results() if rung.failed]
    assert len(failed) == 1
    assert "InvalidParameterError" in failed[0].failure
    assert sorted(t.params["C"] for t, _ in record.finalists()) == [1.0, 2.0]


def test_anything_else_is_refused(tmp_path):
    with pytest.raises(NotFittedError):
        record_of(RandomSearchCV(SVC(), {"C": [1.0]}))
    theirs = RandomizedSearchCV(SVC(), {"C": [1.0, 2.0]}, n_iter=2)
    with pytest.raises(TypeError, match="searches of sk_hpo, not RandomizedSearchCV"):
        record_of(theirs.fit(*load_iris(return_X_y=True)))
    with pytest.raises(TypeError, match="not a list"):
        record_of([1])


@pytest.mark.parametrize("stopped_by", [None, "time_budget=1"])
def test_the_incumbent_is_the_best_finalist_of_what_was_known_then(stopped_by):
    """A brute force: the record cut off after each result."""
    whole = replace(asha(60, n_rungs=3, seed=3), stopped_by=stopped_by)
    results = whole.timeline()
    found = whole.incumbents()
    for n in range(1, len(results) + 1):
        known = {}
        for trial, rung in results[:n]:
            known.setdefault(trial.id, []).append(rung)
        trials = tuple(
            replace(trial, rungs=tuple(known[trial.id]))
            for trial in whole.trials
            if trial.id in known
        )
        finalists = replace(whole, trials=trials).finalists()
        expected = finalists[0][1].score if finalists else math.nan
        assert found[n - 1] == pytest.approx(expected, nan_ok=True)
