from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from contracts.recording import RecordingSGD, X, by_model, y
from scipy.stats import loguniform
from sklearn.linear_model import SGDClassifier

from sk_hpo import BOHBSearchCV, HalvingHyperbandSearchCV
from sk_hpo.samplers.random import RandomSampler

ALPHA = {"alpha": loguniform(1e-6, 1)}
GIVEN = {"max_resources": 9, "cv": 2, "random_state": 0, "asynchronous": True}


class Asked(RandomSampler):
    """Says that it learns, and notes what it was asked."""

    uses_history = True

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def suggest(self, history: Any, n: int = 1) -> Any:
        self.asked.append((len(history), n))
        return super().suggest(history, n)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_each_fold_goes_on_where_it_stood(tmp_path: Any, n_jobs: int) -> None:
    log = tmp_path / "log"
    search = HalvingHyperbandSearchCV(
        RecordingSGD(str(log)), ALPHA, n_jobs=n_jobs, refit=False, **GIVEN
    ).fit(X, y)
    trained = by_model(log)
    assert len(trained) == 17 * 2
    for epochs in trained.values():
        assert epochs == list(range(1, len(epochs) + 1))
    reached = sorted(2 * [trial.resource for trial in search.history_])
    assert sorted(map(len, trained.values())) == reached


@pytest.mark.parametrize("search", [HalvingHyperbandSearchCV, BOHBSearchCV])
def test_alone_it_gives_the_same_each_time(search: Any) -> None:
    tables = [
        pd.DataFrame(search(SGDClassifier(), ALPHA, **GIVEN).fit(X, y).cv_results_)
        for _ in range(2)
    ]
    times = [name for name in tables[0] if "time" in name]
    pd.testing.assert_frame_equal(*(table.drop(columns=times) for table in tables))


def test_no_rung_has_fewer_than_planned() -> None:
    search = HalvingHyperbandSearchCV(SGDClassifier(), ALPHA, **GIVEN)
    plan = search.plan(X, y)
    assert "More candidates than that may be promoted" in str(plan)
    search.fit(X, y)
    assert search.n_resources_ == [rung.resource for rung in plan.rungs]
    planned = [rung.n_trials for rung in plan.rungs]
    assert all(n >= least for n, least in zip(search.n_candidates_, planned, strict=True))


@pytest.mark.parametrize("asynchronous", [True, False])
def test_a_sampler_that_learns_is_asked_for_one_at_a_time(asynchronous: bool) -> None:
    sampler = Asked()
    params = GIVEN | {"asynchronous": asynchronous}
    HalvingHyperbandSearchCV(SGDClassifier(), ALPHA, sampler=sampler, **params).fit(X, y)
    one_by_one = [(i, 1) for i in range(17)]
    assert sampler.asked == (one_by_one if asynchronous else [(0, 9), (9, 5), (14, 3)])


def test_it_is_yes_or_no() -> None:
    params = GIVEN | {"asynchronous": "yes"}
    with pytest.raises(ValueError, match="'asynchronous' parameter"):
        HalvingHyperbandSearchCV(SGDClassifier(), ALPHA, **params).fit(X, y)
