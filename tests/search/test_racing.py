"""``fold_racing``: fewer folds for those that fall behind, and nothing else changes."""

from __future__ import annotations

from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from contracts.recording import RecordingSGD, by_model, net
from contracts.recording import X as X_numbered
from contracts.recording import y as y_numbered
from scipy.stats import loguniform
from search.scored import CV, N_SPLITS, SPACE, Kept, Scored, X, fitted, jitter, splits, y
from search.searches import make
from sklearn.model_selection import ShuffleSplit

from sk_hpo import HalvingHyperbandSearchCV

RULES = ["forgiving", "paired"]
KINDS: dict[str, dict[str, Any]] = {
    "random": {"n_iter": 20},
    "bayes": {"n_iter": 12, "n_points": 4, "n_initial_points": 4},
    "epochs": {"brackets": "all"},
    "asha": {"n_candidates": 12},
    "bohb": {"brackets": "all"},
}


def search(kind: str, calls: Kept | None = None, noise: float = 0.0, **options: Any) -> Any:
    estimator = Scored(calls or Kept(), noise=noise, fails=options.pop("fails", 2.0))
    given = {"cv": CV, "space": SPACE, **KINDS[kind], **options}
    return make(kind, estimator, **given)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("kind", KINDS)
def test_folds_that_show_no_score_were_never_fitted(kind: str, rule: str) -> None:
    calls = Kept()
    raced = search(kind, calls, noise=0.2, fold_racing=rule).fit(X, y)
    results = raced.cv_results_
    shown = {
        (params["x"], fold)
        for params, row in zip(results["params"], splits(results), strict=True)
        for fold in np.flatnonzero(np.isfinite(row)).tolist()
    }
    assert set(fitted(calls)) == shown
    assert sum(fitted(calls).values()) == sum(
        outcome.cost for trial in raced.history_ for outcome in trial.outcomes.values()
    )
    np.testing.assert_array_equal(results["n_folds"], np.isfinite(splits(results)).sum(axis=1))
    assert results["n_folds"].min() < N_SPLITS == results["n_folds"].max()
    # Always the first ones.
    assert (np.isfinite(splits(results)) == (np.arange(5) < results["n_folds"][:, None])).all()


@pytest.mark.parametrize("seed", range(3))
def test_a_forgiving_race_is_the_loop_of_the_paper(seed: int) -> None:
    raced = search("random", noise=0.3, fold_racing=True, random_state=seed).fit(X, y)
    best: list[float] | None = None
    expected = []
    for params in raced.cv_results_["params"]:
        scores: list[float] = []
        for fold in range(N_SPLITS):
            scores.append(params["x"] + 0.3 * jitter(params["x"], fold))
            if best is not None and np.mean(scores) < min(best):
                break
        expected.append(len(scores))
        if len(scores) == N_SPLITS and (best is None or np.mean(scores) > np.mean(best)):
            best = scores
    assert raced.cv_results_["n_folds"].tolist() == expected
    assert raced.best_score_ == pytest.approx(np.mean(best or []))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("kind", ["random", "epochs"])
def test_without_noise_the_winner_is_that_of_the_full_search(kind: str, rule: str) -> None:
    calls = [Kept(), Kept()]
    full = search(kind, calls[0]).fit(X, y)
    raced = search(kind, calls[1], fold_racing=rule).fit(X, y)
    assert raced.best_params_ == full.best_params_
    assert raced.best_score_ == pytest.approx(full.best_score_)
    assert [trial.config for trial in raced.history_] == [t.config for t in full.history_]
    assert calls[1].trainings < calls[0].trainings


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("kind", ["random", "bayes", "epochs", "bohb"])
def test_workers_change_nothing(kind: str, rule: str) -> None:
    tables = []
    for n_jobs in (1, 3):
        with joblib.parallel_config(backend="threading"):
            raced = search(kind, noise=0.2, fold_racing=rule, n_jobs=n_jobs).fit(X, y)
        table = pd.DataFrame(raced.cv_results_)
        tables.append(table.drop(columns=[name for name in table if "time" in name]))
    pd.testing.assert_frame_equal(*tables)


@pytest.mark.parametrize("kind", KINDS)
def test_means_and_ranks_are_of_the_same_folds(kind: str) -> None:
    results = search(kind, noise=0.3, fold_racing=True).fit(X, y).cv_results_
    table = splits(results)
    np.testing.assert_allclose(results["mean_test_score"], np.nanmean(table, axis=1))
    np.testing.assert_allclose(results["std_test_score"], np.nanstd(table, axis=1), atol=1e-15)
    keys = [
        (-n, -mean)
        for n, mean in zip(results["n_folds"], results["mean_test_score"], strict=True)
    ]
    assert [1 + sum(other < key for other in keys) for key in keys] == results[
        "rank_test_score"
    ].tolist()
    assert np.isfinite(results["mean_fit_time"]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_best_has_all_folds_and_a_callable_refit_sees_no_others(kind: str) -> None:
    seen = []

    def worst(results: dict[str, Any]) -> int:
        seen.append(results)
        return int(np.argmin(results["mean_test_score"]))

    raced = search(kind, noise=0.5, fold_racing=True).fit(X, y)
    assert raced.cv_results_["n_folds"][raced.best_index_] == N_SPLITS
    table = splits(raced.cv_results_)[raced.best_index_]
    assert raced.best_score_ == pytest.approx(table.mean())
    lowest = search(kind, noise=0.5, fold_racing=True, refit=worst).fit(X, y)
    assert set(seen[0]["n_folds"]) == {N_SPLITS}
    assert lowest.cv_results_["n_folds"][lowest.best_index_] == N_SPLITS


@pytest.mark.parametrize("rule", RULES)
def test_what_is_learned_of_who_was_dropped_is_less_than_the_best_and_said_to_be(
    rule: str,
) -> None:
    """The rival's mean, and by how much it was better on the folds that both ran."""
    raced = search("random", noise=0.3, fold_racing=rule).fit(X, y)
    best: np.ndarray | None = None
    n_dropped = 0
    for trial, row in zip(raced.history_, splits(raced.cv_results_), strict=True):
        ran = np.isfinite(row)
        if ran.all():
            assert trial.outcome.score == pytest.approx(row.mean())
            best = row if best is None or row.mean() > best.mean() else best
        else:
            assert best is not None
            n_dropped += 1
            assert trial.outcome.score < best.mean()
            expected = best.mean() - (best - row)[ran].mean()
            assert trial.outcome.score == pytest.approx(expected)
            assert [fold is None for fold in trial.outcome.folds] == (~ran).tolist()
    assert n_dropped


def test_lower_rungs_have_fewer_folds_and_each_fold_goes_on_where_it_stood(
    tmp_path: Any,
) -> None:
    log = str(tmp_path / "log")
    raced = HalvingHyperbandSearchCV(
        RecordingSGD(log),
        {"alpha": loguniform(1e-6, 1)},
        max_resources=9,
        cv=3,
        fold_racing="paired",
        random_state=0,
        refit=False,
    ).fit(X_numbered, y_numbered)
    rungs = pd.DataFrame(raced.cv_results_).groupby("n_resources")["n_folds"].max()
    assert rungs.to_dict() == {1: 1, 3: 2, 9: 3}
    trained = by_model(log)
    for epochs in trained.values():
        assert epochs == list(range(1, len(epochs) + 1))  # each epoch once, in order
    assert sum(map(len, trained.values())) == raced.resource_spent_
    assert raced.resource_spent_ <= raced.plan(X_numbered, y_numbered).cost


@pytest.mark.parametrize("kind", KINDS)
def test_the_plan_is_the_most_that_is_run(kind: str) -> None:
    calls = Kept()
    raced = search(kind, calls, noise=0.2, fold_racing=True, refit=False)
    plan = raced.plan(X, y)
    assert not plan.exact
    assert "Fewer folds are run" in str(plan)
    raced.fit(X, y)
    if kind != "asha":
        assert calls.trainings < plan.n_fits if kind == "random" else True
        assert calls.trainings <= plan.cost
    full = search(kind).plan(X, y)
    assert plan.cost <= full.cost


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("error_score", [np.nan, 100.0])
@pytest.mark.parametrize("kind", KINDS)
def test_who_fails_ranks_last(kind: str, error_score: float) -> None:
    raced = search(kind, noise=0.1, fold_racing=True, fails=0.8, error_score=error_score)
    results = raced.fit(X, y).cv_results_
    third = splits(results)[:, 2]
    failed = (results["param_x"] > 0.8) & (results["n_folds"] > 2)
    np.testing.assert_array_equal(third[failed], error_score)
    assert failed.any()
    assert results["rank_test_score"][failed].min() > results["rank_test_score"][~failed].max()
    assert raced.best_params_["x"] <= 0.8
    first = next(t for t in raced.history_ if t.outcome.failed)
    assert "the third fold" in (first.outcome.failure or "")


@pytest.mark.parametrize("kind", KINDS)
def test_many_metrics_and_train_scores(kind: str) -> None:
    def scorer(estimator: Any, X: Any, y: Any) -> dict[str, float]:
        return {"worth": estimator.score(X, y), "cost": -estimator.score(X, y)}

    raced = search(
        kind,
        noise=0.2,
        fold_racing=True,
        scoring=scorer,
        refit="worth",
        return_train_score=True,
    ).fit(X, y)
    results = raced.cv_results_
    for metric in ("worth", "cost"):
        for part in ("test", "train"):
            table = np.column_stack(
                [results[f"split{i}_{part}_{metric}"] for i in range(N_SPLITS)]
            )
            np.testing.assert_array_equal(np.isfinite(table).sum(axis=1), results["n_folds"])
            mean = results[f"mean_{part}_{metric}"]
            np.testing.assert_allclose(mean, np.nanmean(table, axis=1))
    assert results["n_folds"].min() < N_SPLITS
    assert raced.cv_results_["n_folds"][raced.best_index_] == N_SPLITS


@pytest.mark.parametrize("kind", ["random", "epochs"])
def test_one_fold_is_nothing_to_race_over(kind: str) -> None:
    one = ShuffleSplit(1, random_state=0)
    raced = search(kind, cv=one, fold_racing=True).fit(X, y)
    full = search(kind, cv=one).fit(X, y)
    for name in ("mean_test_score", "rank_test_score"):
        np.testing.assert_array_equal(raced.cv_results_[name], full.cv_results_[name])


@pytest.mark.parametrize("bad", ["fast", 3, None])
def test_what_is_no_rule(bad: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="fold_racing"):
        search("random", fold_racing=bad).fit(X, y)


def test_off_there_is_no_trace_of_it() -> None:
    results = search("random").fit(X, y).cv_results_
    assert "n_folds" not in results
    assert np.isfinite(splits(results)).all()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("epochs", {"fold_racing": True}),
        ("epochs", {"fold_racing": "paired", "stop_hopeless": True}),
        ("bohb", {"resource": "folds", "max_resources": "auto", "factor": 2}),
        ("random", {"fold_racing": True, "n_iter": 12}),
    ],
)
def test_nets_that_are_trained_together_race_alike(kind: str, options: dict[str, Any]) -> None:
    space = {"lr": loguniform(1e-3, 0.3), "module__dropout": [0.0]}
    histories = []
    for accelerator in ("off", "auto"):
        raced = make(kind, net(), space, accelerator=accelerator, refit=False, **options)
        trials = raced.fit(X_numbered, y_numbered).history_
        histories.append(
            [{r: str(o.scores) for r, o in trial.outcomes.items()} for trial in trials]
        )
    assert histories[0] == histories[1]
    assert any(entry["path"] == "together" for entry in raced.accelerator_report_)
