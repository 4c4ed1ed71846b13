from __future__ import annotations

from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from contracts.recording import RecordingSGD, X, by_model, read, y
from scipy.stats import loguniform

from sk_hpo import ASHASearchCV, HalvingHyperbandSearchCV

ALPHA = {"alpha": loguniform(1e-6, 1)}


def search(log: Any, **params: Any) -> ASHASearchCV:
    given = {"max_resources": 9, "n_candidates": 12, "cv": 2, "random_state": 0}
    return ASHASearchCV(RecordingSGD(str(log)), ALPHA, **given | params)


@pytest.mark.parametrize("backend", [None, "threading", "loky"])
def test_each_fold_goes_on_where_it_stood(tmp_path: Any, backend: str | None) -> None:
    log = tmp_path / "log"
    with joblib.parallel_config(backend=backend or "loky"):
        found = search(log, n_jobs=2 if backend else 1, refit=False).fit(X, y)
    trained = by_model(log)
    assert len(trained) == 12 * 2
    for epochs in trained.values():
        assert epochs == list(range(1, len(epochs) + 1))
    assert found.resource_spent_ == sum(map(len, trained.values()))
    reached = {trial.config: trial.resource for trial in found.history_}
    assert sorted(map(len, trained.values())) == sorted(2 * list(reached.values()))
    assert max(reached.values()) == 9


def test_every_promotion_was_due(tmp_path: Any) -> None:
    """Told in the order of the record, whoever was promoted was among the best third."""
    log = tmp_path / "log"
    found = search(log, n_candidates=27, cv=3, refit=False).fit(X, y)
    score = {}
    for trial in found.history_:
        for resource, outcome in trial.outcomes.items():
            score[found.cv_results_["params"][trial.id]["alpha"], resource] = outcome.score
    done: dict[tuple[float, int], set[Any]] = {}
    for record in read(log):
        candidate, rows, epoch = record["candidate"], tuple(record["rows"]), record["epoch"]
        if epoch - 1 in (1, 3):  # it has just been promoted
            whole = [c for (c, e), folds in done.items() if e == epoch - 1 and len(folds) == 3]
            better = [c for c in whole if score[c, epoch - 1] > score[candidate, epoch - 1]]
            assert candidate in whole
            assert len(better) < max(1, len(whole) // 3)
        done.setdefault((candidate, epoch), set()).add(rows)


def test_alone_it_gives_the_same_each_time(tmp_path: Any) -> None:
    tables = [pd.DataFrame(search(tmp_path / str(i)).fit(X, y).cv_results_) for i in range(2)]
    times = [name for name in tables[0] if "time" in name]
    pd.testing.assert_frame_equal(*(table.drop(columns=times) for table in tables))


def test_candidates_do_not_depend_on_when_they_begin(tmp_path: Any) -> None:
    """Without a model, the i-th candidate is the same for any number of workers."""
    configs = []
    for n_jobs in (1, 4):
        with joblib.parallel_config(backend="threading"):
            found = search(tmp_path / str(n_jobs), n_jobs=n_jobs).fit(X, y)
        configs.append([trial.config for trial in found.history_])
    assert configs[0] == configs[1]


@pytest.mark.parametrize(("top", "factor", "expected"), [(9, 3, 9), (27, 3, 27), (8, 2, 8)])
def test_auto_is_as_many_as_the_largest_bracket(
    tmp_path: Any, top: int, factor: int, expected: int
) -> None:
    given = {"max_resources": top, "factor": factor}
    found = search(tmp_path / "log", n_candidates="auto", **given)
    assert found.plan(X, y).n_candidates == expected
    hyperband = HalvingHyperbandSearchCV(RecordingSGD("log"), ALPHA, cv=2, brackets=1, **given)
    assert found.plan(X, y).rungs == hyperband.plan(X, y).rungs


def test_the_plan_is_the_least_that_is_run(tmp_path: Any) -> None:
    found = search(tmp_path / "log", n_candidates=27, refit=False)
    plan = found.plan(X, y)
    assert not plan.exact
    assert "More candidates than that may be promoted" in str(plan)
    found.fit(X, y)
    assert all(
        rung.n_trials <= n for rung, n in zip(plan.rungs, found.n_candidates_, strict=True)
    )
    assert plan.cost <= found.resource_spent_
    assert found.n_resources_ == [1, 3, 9]
    assert len(found.brackets_) == 1


def test_one_candidate_has_all_epochs(tmp_path: Any) -> None:
    found = search(tmp_path / "log", n_candidates=2).fit(X, y)
    assert found.cv_results_["n_resources"].max() == 9
    assert found.cv_results_["n_resources"][found.best_index_] == 9
    np.testing.assert_array_equal(np.unique(found.cv_results_["trial"]), [0, 1])


def test_paused_models_are_gone_in_the_end(tmp_path: Any, monkeypatch: Any) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    search(tmp_path / "log").fit(X, y)
    assert list(folder.iterdir()) == []
