"""``stop_hopeless``: candidates are stopped within a rung, and the others go on as ever."""

from __future__ import annotations

from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from contracts.recording import RecordingSGD, X, by_model, net, y
from scipy.stats import loguniform
from sklearn.tree import DecisionTreeClassifier

from sk_hpo import ASHASearchCV, BOHBSearchCV, HalvingHyperbandSearchCV

ALPHA = {"alpha": loguniform(1e-6, 10)}
KINDS: dict[str, Any] = {
    "hyperband": HalvingHyperbandSearchCV,
    "bohb": BOHBSearchCV,
    "asha": ASHASearchCV,
}


def search(kind: str, log: Any, **params: Any) -> Any:
    given = {"max_resources": 27, "cv": 2, "random_state": 0, "refit": False}
    return KINDS[kind](
        RecordingSGD(str(log)), ALPHA, **{**given, "stop_hopeless": True, **params}
    )


@pytest.mark.parametrize("racing", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_stopped_candidate_is_trained_no_further(
    tmp_path: Any, kind: str, racing: bool
) -> None:
    log = tmp_path / "log"
    found = search(kind, log, fold_racing=racing).fit(X, y)
    trained = by_model(log)
    for epochs in trained.values():
        assert epochs == list(range(1, len(epochs) + 1))
    assert found.resource_spent_ == sum(map(len, trained.values()))
    longest: dict[float, int] = {}
    for (alpha, _), epochs in trained.items():
        longest[alpha] = max(longest.get(alpha, 0), len(epochs))
    results = found.cv_results_
    shown: dict[float, int] = {}
    for params, resource in zip(results["params"], results["n_resources"], strict=True):
        shown[params["alpha"]] = max(shown.get(params["alpha"], 0), resource)
    assert shown == longest
    stopped = set(results["n_resources"]) - {1, 3, 9, 27}
    assert stopped
    assert results["n_resources"][found.best_index_] == 27


def test_it_costs_less_than_the_plan_and_says_so(tmp_path: Any) -> None:
    found = search("hyperband", tmp_path / "log")
    plan = found.plan(X, y)
    assert not plan.exact
    assert "stopped within a rung" in str(plan)
    assert found.fit(X, y).resource_spent_ < plan.cost
    assert found.n_candidates_ == [rung.n_trials for rung in plan.rungs]


def test_a_row_per_rung_and_the_rung_it_was_stopped_on(tmp_path: Any) -> None:
    found = search("hyperband", tmp_path / "log").fit(X, y)
    table = pd.DataFrame(found.cv_results_)
    assert not table.duplicated(["trial", "iter"]).any()
    rungs = {(s.rung.bracket, s.rung.rung): s for b in found.brackets_ for s in b}
    for row in table.itertuples():
        standing = rungs[row.bracket, row.iter]
        assert row.trial in standing.trials
        assert standing.rung.start < row.n_resources <= standing.rung.resource
        if row.n_resources < standing.rung.resource:
            assert found.history_[row.trial].resource == row.n_resources
    assert len(table) == sum(found.n_candidates_)


@pytest.mark.parametrize("kind", ["hyperband", "bohb"])
def test_workers_change_nothing(tmp_path: Any, kind: str) -> None:
    tables = []
    for n_jobs in (1, 3):
        with joblib.parallel_config(backend="threading"):
            found = search(kind, tmp_path / str(n_jobs), n_jobs=n_jobs).fit(X, y)
        table = pd.DataFrame(found.cv_results_)
        tables.append(table.drop(columns=[name for name in table if "time" in name]))
    pd.testing.assert_frame_equal(*tables)


def test_a_net_that_was_looked_at_is_trained_as_if_it_had_not_been() -> None:
    given: dict[str, Any] = {
        "max_resources": 9,
        "cv": 2,
        "random_state": 0,
        "refit": False,
        "brackets": 1,
    }
    space = {"lr": loguniform(1e-3, 0.3)}
    plain = HalvingHyperbandSearchCV(net(), space, **given).fit(X, y)
    looked = HalvingHyperbandSearchCV(net(), space, stop_hopeless=True, **given).fit(X, y)
    n_same = 0
    for one, other in zip(plain.history_, looked.history_, strict=True):
        for resource in set(one.outcomes) & set(other.outcomes):
            n_same += 1
            assert one.outcomes[resource].scores == other.outcomes[resource].scores
    assert n_same > 9
    assert any(set(trial.outcomes) - {1, 3, 9} for trial in looked.history_)


@pytest.mark.parametrize(
    "params",
    [
        {"resource": "folds", "max_resources": "auto"},
        {"resource": "n_samples"},
        {"resource": "max_depth", "estimator": DecisionTreeClassifier(max_depth=3)},
    ],
    ids=["folds", "samples", "from scratch"],
)
def test_what_is_not_trained_in_parts_is_refused(tmp_path: Any, params: Any) -> None:
    params = dict(params)
    estimator = params.pop("estimator", RecordingSGD(str(tmp_path / "log")))
    space = {"max_features": [0.2, 0.5, 0.9]} if "max_depth" in params.values() else ALPHA
    found = HalvingHyperbandSearchCV(
        estimator, space, cv=2, stop_hopeless=True, **{"max_resources": 9, **params}
    )
    for method in (found.plan, found.fit):
        with pytest.raises(ValueError, match=r"stop_hopeless.*trained in parts"):
            method(X, y)
    assert not (tmp_path / "log").exists()


def test_off_there_is_no_trace_of_it(tmp_path: Any) -> None:
    found = search("hyperband", tmp_path / "log", stop_hopeless=False).fit(X, y)
    assert found.resource_spent_ == found.plan(X, y).cost
    np.testing.assert_array_equal(np.unique(found.cv_results_["n_resources"]), [1, 3, 9, 27])
