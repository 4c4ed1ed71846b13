"""Workers that die or hang cost what they ran, and nothing else."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from faults.cheap import DEATHS, HANGS, Harmful, X, y
from faults.threads import kill_workers
from sklearn.model_selection import StratifiedKFold

from sk_hpo import Journal, RandomSearchCV

VALUES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
CV = StratifiedKFold(2)


def same(one, other):
    assert one.cv_results_.keys() == other.cv_results_.keys()
    for name, column in one.cv_results_.items():
        if "_time" not in name:
            np.testing.assert_array_equal(column, other.cv_results_[name], err_msg=name)


def test_workers_that_are_killed_now_and_then(tmp_path, capsys):
    kills, n_fits, again = kill_workers(tmp_path, 3, every=0.7)
    with capsys.disabled():
        print(f"\n{kills} workers killed, {n_fits} fits, {again} begun again", end=" ")
    assert kills > 0
    assert Journal.read(tmp_path / "journal").stopped_by == "done"


def fitted(ways, raises, **params):
    """Return a search in which some candidates harm, and the messages of its warnings."""
    given = {"n_iter": len(VALUES), "cv": CV, "random_state": 0, **params}
    search = RandomSearchCV(Harmful(ways=ways, raises=raises), {"x": VALUES}, **given)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        search.fit(X, y)
    return search, "".join(str(entry.message) for entry in told)


@pytest.mark.parametrize(
    ("ways", "n_jobs"),
    [(DEATHS, 2), (HANGS, 1), (HANGS, 2)],
    ids=["death-2", "hang-1", "hang-2"],
)
def test_candidates_that_take_their_worker_with_them(tmp_path, ways, n_jobs):
    limit = {"trial_timeout": 2.0} if ways is HANGS else {"max_retries": 1}
    journal = tmp_path / "journal"
    found, told = fitted(ways, False, n_jobs=n_jobs, journal=journal, **limit)
    same(found, fitted(ways, True)[0])  # no other candidate is touched
    assert sorted(found.cv_results_["rank_test_score"])[-3:] == [6, 6, 6]
    failures = {}
    for trial in found.history_:
        x = VALUES[int(trial.config[0])]
        assert (x in ways) == trial.outcome.failed
        if x in ways:
            failures[ways[x]] = trial.outcome.failure
    for way, failure in failures.items():
        if ways is HANGS:
            assert f"hang_in_{way}" in failure
            assert "ran longer than 2.0 s" in failure
        else:
            assert "died, 2 times in as many tries" in failure
    assert ("TimedOut" if ways is HANGS else "WorkerLost") in told
    frame = Journal.read(journal).to_frame()
    assert (frame["status"] == "failed").sum() == 3
