from __future__ import annotations

import math
from dataclasses import asdict
from random import Random

import numpy as np
import pytest
from scipy.stats import uniform
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.svm import SVC

from sk_hpo import HalvingHyperbandSearchCV, RandomSearchCV, when
from sk_hpo.journal.journal import Journal
from sk_hpo.journal.records import Ask, Header, Parameter, Restart, Value
from sk_hpo.trial import Job, Reason

ALPHA = Parameter("alpha", "real", "uniform(0, 1)")
KERNEL = Parameter("kernel", "categorical", "[...]", ("rbf", None, True))
HIDDEN = Parameter("", "categorical", "", (0, 1))


def header(**changes):
    known = {"seed": 0, "settings": {}, "parameters": (HIDDEN, ALPHA, KERNEL), "n_splits": 2}
    return Header(**{**known, **changes})


def ask(number, trial, config=(0, 0.5, None), start=0, stop=1, **more):
    return Ask(number, Job(trial, config, start, stop, **more))


def journal(*records, **changes):
    return Journal("j", (header(**changes), *records))


def test_parameters_are_shown_by_value():
    frame = journal(
        ask(0, 0, (0, 0.25, None)), ask(1, 1, (1, None, 0)), ask(2, 2, (1, None, 2))
    )
    shown = frame.to_frame()
    assert [c for c in shown if c.startswith("param_")] == ["param_alpha", "param_kernel"]
    assert shown["param_alpha"][0] == 0.25
    assert math.isnan(shown["param_alpha"][1])
    assert shown["param_kernel"].tolist()[1:] == ["rbf", True]


def test_what_is_not_done_is_running():
    shown = journal(ask(0, 0), ask(1, 1), Value(0, 1, {"test_scores": 0.5})).to_frame()
    assert shown["status"].tolist() == ["running", "running"]
    assert shown["mean_test_score"][0] == 0.5
    assert math.isnan(shown["mean_test_score"][1])
    assert math.isnan(shown["split0_test_score"][0])


def test_what_failed_has_an_error():
    records = [ask(0, 0), Value(0, 0, {"test_scores": math.nan, "error": "Traceback: 1"})]
    records += [Value(0, 1, {"test_scores": 0.5})]
    found = journal(*records)
    shown = found.to_frame()
    assert (shown["status"][0], shown["error"][0]) == ("failed", "Traceback: 1")
    assert found.trials[0].outcome.failed
    assert found.trials[0].outcome.failure == "Traceback: 1"


def test_an_error_of_another_metric_is_no_failure():
    value = {"test_scores": {"a": 1.0, "b": math.nan}, "score_errors": {"b": "Traceback"}}
    records = [ask(0, 0), Value(0, 0, value), Value(0, 1, value)]
    assert journal(*records, metric="a").to_frame()["status"][0] == "done"
    assert journal(*records, metric="b").to_frame()["status"][0] == "failed"
    assert journal(*records, metric="a").trials[0].outcome.score == 1.0


def test_jobs_of_single_folds_make_one_row():
    records = [ask(0, 0, folds=(1,)), ask(1, 0, folds=(0,))]
    records += [Value(0, 0, {"test_scores": 0.25}), Value(1, 0, {"test_scores": 0.75})]
    found = journal(*records)
    shown = found.to_frame()
    assert shown[["split0_test_score", "split1_test_score"]].iloc[0].tolist() == [0.75, 0.25]
    assert found.trials[0].outcome.scores == (0.75, 0.25)
    assert shown["status"].tolist() == ["done"]
    assert journal(*records[:3]).to_frame()["status"].tolist() == ["running"]


def test_folds_as_a_resource_add_up():
    jobs = [ask(0, 0, folds=(0,)), ask(1, 0, folds=(1, 2), rung=1)]
    scores = [Value(0, 0, {"test_scores": 0.0}), Value(1, 0, {"test_scores": 0.5})]
    scores += [Value(1, 1, {"test_scores": 1.0})]
    found = journal(*jobs, *scores, resource="folds", n_splits=3)
    shown = found.to_frame()
    assert shown["n_resources"].tolist() == [1, 3]
    assert shown["mean_test_score"].tolist() == [0.0, 0.5]
    assert {n: o.score for n, o in found.trials[0].outcomes.items()} == {1: 0.0, 3: 0.5}


def test_a_search_that_began_anew_is_shown_from_there():
    before = [ask(0, 0), Value(0, 0, {"test_scores": 0.0}), ask(1, 1)]
    after = [ask(2, 0, (1, None, 2)), Value(2, 1, {"test_scores": 1.0})]
    found = journal(*before, Restart(), *after)
    shown = found.to_frame()
    assert shown["param_kernel"].tolist() == [True]
    assert shown["mean_test_score"].tolist() == [1.0]
    assert found.asks == after[:1]
    assert [trial.config for trial in found.trials] == [(1, None, 2)]


def test_why_a_trial_was_tried_is_shown_on_every_rung():
    job = Job(0, (0, 0.5, None), 0, 1)
    records = [Ask(0, job, Reason("model", 1.0, 2.0, 3.0)), ask(1, 0, start=1, stop=3, rung=1)]
    shown = journal(*records).to_frame()
    assert shown["suggested_by"].tolist() == ["model", "model"]
    assert shown["predicted_sd"].tolist() == [3.0, 3.0]
    assert journal(*records).trials[0].reason == Reason("model", 1.0, 2.0, 3.0)


def test_a_journal_without_jobs_is_an_empty_table():
    shown = journal().to_frame()
    assert len(shown) == 0
    assert {"trial", "param_alpha", "status"} <= set(shown)


def searches():
    X, y = load_iris(return_X_y=True)
    space = {
        "C": uniform(0.1, 5),
        "gamma": when(uniform(0.1, 2), kernel="rbf"),
        "kernel": ["rbf", "linear"],
    }
    several = {"scoring": ["accuracy", "f1_macro"], "refit": "f1_macro"}
    kinds = {
        "flat": RandomSearchCV(SVC(), space, n_iter=4, cv=3, return_train_score=True),
        "several metrics": RandomSearchCV(SVC(), space, n_iter=3, cv=2, **several),
        "some fail": RandomSearchCV(
            LogisticRegression(), {"C": [-1.0, 1.0, 2.0]}, n_iter=3, cv=2
        ),
        "rungs": HalvingHyperbandSearchCV(
            SGDClassifier(random_state=0), {"alpha": uniform(1e-4, 1e-2)}, max_resources=9, cv=2
        ),
    }
    return [
        pytest.param(search.set_params(random_state=0), X, y, id=k)
        for k, search in kinds.items()
    ]


def recorded(search):
    """Return the journal that a search would have written, in an order of its own."""
    results = search.cv_results_
    n = len(results["params"])
    laddered = "trial" in results
    names = sorted({name for params in results["params"] for name in params})
    choices = {"kernel": ("rbf", "linear"), "C": (-1.0, 1.0, 2.0)}
    config = search.history_[0].config
    parameters = tuple(
        Parameter(name, "", "", choices.get(name) if isinstance(code, int) else None)
        for name, code in zip(names, config, strict=True)
    )
    asks, values = [], []
    for i in range(n):
        trial = search.history_[results["trial"][i] if laddered else i]
        stop = results["n_resources"][i] if laddered else 1
        rung = (
            {"bracket": results["bracket"][i], "rung": results["iter"][i]} if laddered else {}
        )
        job = Job(trial.id, trial.config, 0, int(stop), **{k: int(v) for k, v in rung.items()})
        asks.append(Ask(i, job, trial.reason))
        for part, fold in enumerate(trial.outcomes[stop].folds):
            known = asdict(fold)
            del known["predictions"]
            values.append(Value(i, part, known))
    Random(0).shuffle(values)
    metric = search.refit if isinstance(search.refit, str) else "score"
    about = Header(0, {}, parameters, search.n_splits_, metric, "epochs" if laddered else None)
    return Journal("j", (about, *asks, *values))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:.*non-finite")
@pytest.mark.parametrize(("search", "X", "y"), searches())
def test_a_table_is_that_of_cv_results(search, X, y):
    search.fit(X, y)
    results = search.cv_results_
    found = recorded(search)
    shown = found.to_frame()
    # Of a ladder, rows are in the same order; of a flat search, in that of trials.
    for name, column in results.items():
        if name in ("params",) or name.startswith("rank_"):
            continue
        if name.startswith("param_"):
            expected = [None if v is np.ma.masked else v for v in column]
            got = [None if v is None or v != v else v for v in shown[name]]
            assert got == expected, name
        else:
            np.testing.assert_allclose(shown[name], np.asarray(column, float), err_msg=name)
    told = {
        (t.id, r): (o.score, o.standard_error, o.scores, o.cost, o.failure)
        for t in found.trials
        for r, o in t.outcomes.items()
    }
    for trial in search.history_:
        for resource, o in trial.outcomes.items():
            score, error, scores, cost, failure = told[trial.id, resource]
            np.testing.assert_allclose(
                [score, error, cost], [o.score, o.standard_error, o.cost]
            )
            np.testing.assert_allclose(scores, o.scores)
            assert failure == o.failure
    failed = [t.outcome.failure is not None for t in search.history_]
    assert sorted(shown["status"] == "failed") == sorted(
        [failed[trial] for trial in shown["trial"]]
    )
