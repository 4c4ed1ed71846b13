"""Why each candidate was tried, and what the search knew in the end."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from contracts.nearest import NearestSampler
from scipy.stats import loguniform, uniform
from search.searches import ALL, FLAT, HALVING, LEARNING, WIDE, data, make
from sklearn.base import clone

from sk_hpo import when
from sk_hpo.search.samplers import SAMPLERS
from sk_hpo.space.space import Space

X, y = data()
COLUMNS = ["suggested_by", "acquisition", "predicted_mean", "predicted_sd"]
MODELLED = ["random", "bayes", *HALVING]
POINTS = [{"penalty": "l2", "alpha": 1e-2}, {"penalty": "l1", "alpha": 1e-5}]


def build(kind: str, **options: Any) -> Any:
    given = {"sampler": NearestSampler(n_initial_points=4), "space": WIDE, **options}
    longer = {"n_iter": 9} if kind in FLAT else {}
    return make(kind, **{**longer, **given})


@pytest.mark.parametrize("kind", MODELLED)
def test_columns_are_plain_arrays_one_row_each(kind: str) -> None:
    results = build(kind).fit(X, y).cv_results_
    for name in COLUMNS:
        assert type(results[name]) is np.ndarray
        assert results[name].shape == (len(results["params"]),)
        assert results[name].dtype.kind == ("U" if name == "suggested_by" else "f")
    pd.DataFrame(results)


@pytest.mark.parametrize("points", [None, POINTS])
@pytest.mark.parametrize("kind", [kind for kind in ALL if kind not in LEARNING])
def test_searches_without_a_model_have_scikit_learns_columns(kind: str, points: Any) -> None:
    search = make(kind, points_to_evaluate=points).fit(X, y)
    assert not set(COLUMNS) & set(search.cv_results_)
    assert not hasattr(search, "surrogate_")
    origins = [trial.reason.origin for trial in search.history_]
    n_points = len(points or ())
    assert origins == ["user"] * n_points + ["random"] * (len(origins) - n_points)


@pytest.mark.parametrize("kind", MODELLED)
def test_columns_tell_the_reasons_of_the_trials(kind: str) -> None:
    search = build(kind, points_to_evaluate=POINTS).fit(X, y)
    results = search.cv_results_
    trials = results.get("trial", np.arange(len(results["params"])))
    reasons = [search.history_[trial].reason for trial in trials]
    assert results["suggested_by"].tolist() == [reason.origin for reason in reasons]
    for name, field in zip(COLUMNS[1:], ("acquisition", "mean", "sd"), strict=True):
        np.testing.assert_array_equal(results[name], [getattr(r, field) for r in reasons])
    unknown = np.isnan(results["predicted_mean"])
    np.testing.assert_array_equal(results["suggested_by"] != "model", unknown)
    assert [trial.reason.origin for trial in search.history_[:3]] == ["user", "user", "initial"]


def test_predictions_were_made_before_the_candidate_was_trained() -> None:
    """The oracle: the score of the nearest earlier row, by parameters and scores alone."""
    space = {"alpha": loguniform(1e-5, 1e-1)}
    results = build("bayes", space=space, n_iter=12).fit(X, y).cv_results_
    u = loguniform(1e-5, 1e-1).cdf(results["param_alpha"].astype(float))
    scores = results["mean_test_score"]
    for row in range(4, 12):
        distance = np.abs(u[:row] - u[row])
        assert results["predicted_sd"][row] == pytest.approx(distance.min(), abs=1e-8)
        assert results["predicted_mean"][row] == scores[distance.argmin()]
        expected = results["predicted_mean"][row] + results["predicted_sd"][row]
        assert results["acquisition"][row] == pytest.approx(expected)
    assert results["suggested_by"].tolist() == ["initial"] * 4 + ["model"] * 8


def test_candidates_of_one_batch_know_nothing_of_each_other() -> None:
    space = {"alpha": loguniform(1e-5, 1e-1)}
    results = build("bayes", space=space, n_iter=8, n_points=4).fit(X, y).cv_results_
    assert results["suggested_by"].tolist() == ["initial"] * 4 + ["model"] * 4
    assert set(results["predicted_mean"][4:]) <= set(results["mean_test_score"][:4])


@pytest.mark.parametrize("kind", MODELLED)
def test_a_refit_callable_sees_the_columns(kind: str) -> None:
    seen = []

    def first(results: dict[str, Any]) -> int:
        seen.append({name: results[name] for name in COLUMNS})
        return 0

    search = build(kind, refit=first).fit(X, y)
    assert {len(column) for column in seen[0].values()} == {
        len(search.cv_results_["params"])
        if kind in FLAT
        else (search.cv_results_["n_resources"] == search.n_resources_[-1]).sum()
    }


# -- the surrogate -------------------------------------------------------------------------


@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize("kind", MODELLED)
def test_the_surrogate_knows_every_candidate(kind: str, refit: bool) -> None:
    """This one predicts a candidate's own score, with certainty."""
    search = build(kind, refit=refit).fit(X, y)
    results = search.cv_results_
    params = results["params"]
    trials = results.get("trial", np.arange(len(params)))
    expected = [search.history_[trial].outcome.score for trial in trials]
    for rows in (params, pd.DataFrame(params)):
        mean, sd = search.surrogate_.predict(rows, return_std=True)
        np.testing.assert_array_equal(mean, expected)
        np.testing.assert_array_equal(sd, 0.0)
    np.testing.assert_array_equal(search.surrogate_.predict(params[:2]), expected[:2])


def test_the_surrogate_of_conditional_parameters_reads_the_table_of_results() -> None:
    space = {
        "penalty": ["l2", "elasticnet", None],
        "alpha": loguniform(1e-5, 1e-1),
        "l1_ratio": when(uniform(0.1, 0.8), penalty="elasticnet"),
    }
    search = build("bayes", space=space, n_iter=12).fit(X, y)
    table = pd.DataFrame(search.cv_results_)
    columns = {f"param_{name}": name for name in space}
    rows = table[list(columns)].rename(columns=columns)
    assert rows["l1_ratio"].isna().any()
    np.testing.assert_array_equal(search.surrogate_.predict(rows), table["mean_test_score"])


def test_params_that_were_not_searched() -> None:
    search = build("bayes").fit(X, y)
    with pytest.raises(ValueError, match=r"params\[0\]: Parameter 'alhpa' .* mean 'alpha'"):
        search.surrogate_.predict([{"alhpa": 1e-3, "penalty": "l2"}])
    with pytest.raises(ValueError, match=r"params\[0\]: Parameter 'max_iter' is not searched"):
        search.surrogate_.predict([{"alpha": 1e-3, "penalty": "l2", "max_iter": 9}])


def test_the_surrogate_is_that_of_the_last_fit() -> None:
    search = build("bayes")
    assert not hasattr(search, "surrogate_")
    search.fit(X, y)
    assert search.surrogate_.space.names == ("alpha", "penalty")
    assert not hasattr(clone(search), "surrogate_")
    copy = pickle.loads(pickle.dumps(search))
    params = [{"alpha": 1e-4, "penalty": "l1"}]
    assert copy.surrogate_.predict(params) == search.surrogate_.predict(params)
    search.set_params(sampler="random").fit(X, y)
    assert not hasattr(search, "surrogate_")


def test_nothing_learned_is_no_surrogate() -> None:
    search = build("bayes", sampler=NearestSampler(n_initial_points=99)).fit(X, y)
    assert not hasattr(search, "surrogate_")
    assert set(search.cv_results_["suggested_by"]) == {"initial"}


@pytest.mark.parametrize("kind", ALL)
def test_the_docstring_tells_of_them(kind: str) -> None:
    doc = type(make(kind)).__doc__
    for name in [*COLUMNS, "surrogate_", "points_to_evaluate"]:
        assert name in doc
    assert "{" not in doc.partition("Examples")[0].replace('{"', "").replace("{'", "")


def test_the_space_of_the_surrogate_is_the_searched_one() -> None:
    search = build("bayes").fit(X, y)
    assert isinstance(search.surrogate_.space, Space)
    params = [search.surrogate_.space.params(trial.config) for trial in search.history_]
    assert params == search.cv_results_["params"]


@pytest.mark.parametrize("name", ["gp", "tpe"])
def test_how_many_candidates_come_before_the_model_is_the_searchs_to_say(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SAMPLERS, name, NearestSampler)
    search = build("bayes", sampler=name, n_initial_points=6).fit(X, y)
    origins = search.cv_results_["suggested_by"].tolist()
    assert origins == ["initial"] * 6 + ["model"] * 3


@pytest.mark.parametrize("n_points", [1, 3])
def test_the_gaussian_process_tells_what_it_expected(n_points: int) -> None:
    search = build("bayes", sampler="gp", n_initial_points=5, n_iter=12, n_points=n_points)
    search.set_params(points_to_evaluate=POINTS).fit(X, y)
    results = search.cv_results_
    assert results["suggested_by"].tolist() == ["user"] * 2 + ["initial"] * 3 + ["model"] * 7
    modelled = results["suggested_by"] == "model"
    for name in COLUMNS[1:]:
        np.testing.assert_array_equal(np.isfinite(results[name]), modelled)
    assert (results["predicted_sd"][modelled] > 0).all()
    copy = pickle.loads(pickle.dumps(search))
    mean, sd = copy.surrogate_.predict(results["params"], return_std=True)
    assert np.corrcoef(mean, results["mean_test_score"])[0, 1] > 0.5
    assert (sd > 0).all()
    again = clone(search).fit(X, y).cv_results_
    for name in COLUMNS:
        np.testing.assert_array_equal(again[name], results[name])
