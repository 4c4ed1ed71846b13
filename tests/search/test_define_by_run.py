"""Searches over spaces that are functions."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import loguniform
from search.searches import ALL, data, make, sgd
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC
from skorch import NeuralNetClassifier
from torch import nn

from sk_hpo import HalvingHyperbandSearchCV, OneStandardError, RandomSearchCV
from sk_hpo.journal.error import JournalError
from sk_hpo.journal.journal import Journal
from sk_hpo.space.chooser import Chooser
from sk_hpo.stop import MaxTrials

X, y = data()


def elastic(t: Chooser) -> dict[str, Any]:
    """Return what SGDClassifier gets, under names of our own."""
    penalty = t.categorical("kind", ["l2", "elasticnet"])
    found = {"penalty": penalty, "alpha": 10 ** t.float("log_alpha", -5, -1, step=1)}
    if penalty == "elasticnet":
        found["l1_ratio"] = t.float("share", 0.0, 1.0, step=0.5)
    return found


def with_default(t: Chooser) -> dict[str, Any]:
    return {"alpha": t.float("a", 1e-5, 1e-1, log=True, default=1e-3)}


def columns(search: Any) -> dict[str, Any]:
    found = search.cv_results_
    return {k.removeprefix("param_"): v for k, v in found.items() if k.startswith("param_")}


@pytest.mark.parametrize("kind", ALL)
def test_every_search(kind: str) -> None:
    search = make(kind, space=elastic).fit(X, y)
    table, resource = columns(search), {"max_iter"} if kind == "max_iter" else set()
    assert set(table) == {"kind", "log_alpha", "share"} | resource
    for i, params in enumerate(search.cv_results_["params"]):
        assert params["penalty"] == table["kind"][i]
        assert params["alpha"] == 10 ** table["log_alpha"][i]
        assert table["share"].mask[i] == (params["penalty"] == "l2")
        if params["penalty"] == "elasticnet":
            assert params["l1_ratio"] == table["share"][i]
        assert set(params) - {"penalty", "alpha", "l1_ratio"} == resource
    best = search.best_params_
    assert best is search.cv_results_["params"][search.best_index_]
    alone = sgd(**best).fit(X, y) if kind in ("random", "sobol", "grid", "bayes") else None
    if alone is not None:
        np.testing.assert_array_equal(alone.coef_, search.best_estimator_.coef_)
    assert {k: search.best_estimator_.get_params()[k] for k in best} == best
    if kind == "grid":
        assert len(search.history_) == 5 + 5 * 3
    # All is there in a copy, too.
    loaded = pickle.loads(pickle.dumps(search))
    for trial in search.history_:
        assert loaded.space_.params(trial.config) == search.space_.params(trial.config)
    assert loaded.space_.names == ("kind", "log_alpha", "share")


@pytest.mark.parametrize("kind", ["bayes", "asha"])
def test_the_default_is_tried_first(kind: str) -> None:
    search = make(kind, space=with_default).fit(X, y)
    assert search.space_.params(search.history_[0].config) == {"alpha": 1e-3}
    assert search.history_[0].reason.origin == "user"
    elsewhere = make(kind, space=with_default, points_to_evaluate=[{"a": 1e-2}]).fit(X, y)
    tried = [elsewhere.space_.params(trial.config)["alpha"] for trial in elsewhere.history_]
    assert tried[0] == 1e-2
    assert 1e-3 not in tried


def test_no_candidate_may_have_a_parameter() -> None:
    points = [{"kind": "l2", "log_alpha": -3.0}]
    search = make("random", space=elastic, points_to_evaluate=points, n_iter=1).fit(X, y)
    assert columns(search)["share"].mask.tolist() == [True]
    frame = pd.DataFrame(search.cv_results_)
    assert frame["param_share"].isna().all()


def test_a_point_has_the_names_of_the_function() -> None:
    search = make("random", space=elastic, points_to_evaluate=[{"penalty": "l2", "alpha": 1}])
    with pytest.raises(ValueError, match=r"\[0\]: Parameter 'penalty' is not searched.*'kind'"):
        search.fit(X, y)


def test_no_worker_runs_the_function() -> None:
    driver, pids = os.getpid(), []

    def local(t: Chooser) -> dict[str, Any]:  # cannot be pickled, nor can what it closes over
        pids.append(os.getpid())
        return {
            "alpha": t.float("a", 1e-5, 1e-1, log=True),
            "penalty": penalties[t.boolean("p")],
        }

    penalties = {True: "l1", False: "l2"}
    one, two = (make("random", space=local, n_jobs=n, n_iter=3).fit(X, y) for n in (1, 2))
    assert set(pids) == {driver}
    assert one.cv_results_["params"] == two.cv_results_["params"]
    np.testing.assert_array_equal(*(s.cv_results_["mean_test_score"] for s in (one, two)))


@pytest.mark.parametrize("kind", ["bayes", "asha"])
def test_journal(tmp_path: Any, kind: str) -> None:
    whole = make(kind, space=elastic).fit(X, y)
    journal = tmp_path / "a.journal"
    make(kind, space=elastic, journal=journal, stop=MaxTrials(3)).fit(X, y)
    search = make(kind, space=elastic, journal=journal).fit(X, y)
    for name in ("params", "param_share", "mean_test_score"):
        assert list(search.cv_results_[name]) == list(whole.cv_results_[name])
    table = Journal.read(journal).to_frame()
    assert set(columns(search)) == {c[6:] for c in table.columns if c.startswith("param_")}
    with pytest.raises(JournalError, match="param_distributions"):
        make(kind, space=lambda t: elastic(t), journal=journal).fit(X, y)


def test_warm_start(tmp_path: Any) -> None:
    def wider(t: Chooser) -> dict[str, Any]:
        found = elastic(t)
        return found | {"eta0": t.float("eta0", 0.1, 1, default=0.5)}

    journal = tmp_path / "a.journal"
    first = make("random", space=elastic, journal=journal).fit(X, y)
    best = first.space_.values(first.history_[first.best_index_].config)
    for source in (first, journal):
        again = make("bayes", space=wider, warm_start_from=source).fit(X, y)
        assert again.space_.values(again.history_[0].config) == best | {"eta0": 0.5}
    # To and from a dict: by the names of the estimator, where they are known.
    plain = {"alpha": loguniform(1e-6, 1), "penalty": ["l2", "elasticnet"]}
    from_run = make("random", sgd(l1_ratio=0.15), plain, warm_start_from=[first])
    l2 = first.cv_results_["param_share"].mask
    scores = np.where(l2, first.cv_results_["mean_test_score"], -1)
    assert l2.any()
    expected = first.cv_results_["params"][int(scores.argmax())]
    assert from_run.fit(X, y).cv_results_["params"][0] == expected
    named = make("random", space={"alpha": loguniform(1e-5, 1e-1)}).fit(X, y)
    to_run = make("random", space=with_other_name, warm_start_from=named).fit(X, y)
    assert to_run.cv_results_["params"][0] == {"alpha": 2 * named.best_params_["alpha"]}


def with_other_name(t: Chooser) -> dict[str, Any]:
    return {"alpha": 2 * t.float("alpha", 1e-5, 1e-1, log=True)}


def test_the_model_predicts_by_the_names_of_the_function() -> None:
    search = make("bayes", space=elastic).fit(X, y)
    rows = [search.space_.values(trial.config) for trial in search.history_]
    mean = search.surrogate_.predict(rows)
    frame = pd.DataFrame(rows).rename(columns=str)
    np.testing.assert_array_equal(search.surrogate_.predict(frame), mean)
    with pytest.raises(ValueError, match=r"params\[0\]: Parameter 'penalty' is not searched"):
        search.surrogate_.predict(search.cv_results_["params"])


def test_steps_of_a_pipeline() -> None:
    models = [SVC(kernel="linear"), LogisticRegression()]

    def steps(t: Chooser) -> dict[str, Any]:
        model = t.categorical("model", models)
        found = {"clf": model, "clf__C": t.float("C", 0.1, 10, log=True)}
        if t.boolean("scale", default=True):
            ends = 0, t.int("high", 1, 3)
            found["scale"] = t.categorical("scaler", [StandardScaler(), MinMaxScaler(ends)])
        else:
            found["scale"] = "passthrough"
        return found

    pipeline = Pipeline([("scale", StandardScaler()), ("clf", SVC())])
    search = RandomSearchCV(
        pipeline,
        steps,
        n_iter=8,
        cv=2,
        random_state=0,
        constraint=lambda params: params["clf__C"] < 5,
        refit=OneStandardError("C"),
    ).fit(X, y)
    assert search.cv_results_["params"][0]["clf"] is models[0]
    assert (search.cv_results_["param_C"] < 5).all()
    assert {type(p["scale"]) for p in search.cv_results_["params"]} > {str, MinMaxScaler}
    with pytest.raises(ValueError, match="'D' is neither a parameter"):
        search.set_params(refit=OneStandardError("D")).fit(X, y)
    # A resource must be the same for all that the step may be.
    pipeline.set_params(clf=SGDClassifier())
    halving = HalvingHyperbandSearchCV(pipeline, steps, max_resources=9)
    with pytest.raises(ValueError, match="SVC cannot train in epochs"):
        halving.fit(X, y)


def test_what_a_search_refuses() -> None:
    with pytest.raises(ValueError, match="Invalid parameter 'alphas'; did you mean 'alpha'"):
        make("random", space=lambda t: {"alphas": t.float("alpha", 0, 1)}).fit(X, y)
    with pytest.raises(ValueError, match="'max_iter' is set by the resource"):
        make("max_iter", space=lambda t: {"max_iter": t.int("n", 1, 9)}).fit(X, y)
    with pytest.raises(ValueError, match=r"'a' is a distribution; a grid .* or a step"):
        make("grid", space=lambda t: {"alpha": t.float("a", 0, 1)}).fit(X, y)


class Layers(nn.Module):
    def __init__(self, units: Any = ()) -> None:
        super().__init__()
        sizes = [8, *units]
        hidden = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
        self.layers = nn.Sequential(*hidden, nn.Linear(sizes[-1], 3))

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        return self.layers(X)


def layers(t: Chooser) -> dict[str, Any]:
    n = t.int("n_hidden", 0, 2, default=1)
    units = [t.int(f"units_{i}", 4, 8, log=True, step=2) for i in range(n)]
    return {"module__units": units, "lr": t.float("lr", 1e-3, 1e-1, log=True)}


def test_nets_with_as_many_layers_as_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sk_hpo.evaluation.fused.probe._MAX_ONE_BY_ONE", float("inf"))
    monkeypatch.setattr("sk_hpo.evaluation.fused.together._probed", {})
    net = NeuralNetClassifier(
        Layers, criterion=nn.CrossEntropyLoss, batch_size=16, train_split=None, verbose=0
    )
    found = [
        HalvingHyperbandSearchCV(
            net,
            layers,
            max_resources=4,
            factor=2,
            brackets=1,
            cv=3,
            random_state=0,
            accelerator=how,
        ).fit(X.astype(np.float32), y.astype(np.int64))
        for how in ("auto", "off")
    ]
    together, alone = found
    assert "together" in {entry["path"] for entry in together.accelerator_report_}
    np.testing.assert_array_equal(
        together.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"]
    )
    assert together.cv_results_["params"][0]["module__units"] == [8]
    n = [len(params["module__units"]) for params in together.cv_results_["params"]]
    assert n == together.cv_results_["param_n_hidden"].tolist()
    assert {0, 1, 2} == set(n)


HELPED = """
import sys, warnings
from sklearn.datasets import load_iris
from sklearn.svm import SVC
from sk_hpo import JournalError, RandomSearchCV

factor = float(sys.argv[2])

def helper(t):
    return factor * t.float("C", 0.1, 10, log=True)

def space(t):
    kernel = t.categorical("kernel", ["rbf", "poly", "linear"])
    found = {"kernel": kernel, "C": helper(t)}
    if kernel in {"rbf", "poly", "sigmoid"}:
        found["gamma"] = t.float("gamma", 0.01, 1)
    return found

search = RandomSearchCV(SVC(), space, n_iter=3, cv=2, random_state=0, journal=sys.argv[1])
try:
    print(search.fit(*load_iris(return_X_y=True)).best_score_)
except JournalError as error:
    print(str(error)[:30])
"""


def test_a_journal_goes_on_in_any_process_unless_a_helper_has_changed(tmp_path):
    def run(seed, factor):
        script = tmp_path / "script.py"
        script.write_text(HELPED)
        return subprocess.run(
            [sys.executable, str(script), str(tmp_path / "journal"), str(factor)],
            env={
                **os.environ,
                "PYTHONHASHSEED": str(seed),
                "PYTHONPATH": os.pathsep.join(sys.path),
            },
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    first = run(1, 1.0)
    assert 0 < float(first) <= 1
    assert [run(seed, 1.0) for seed in (2, 3)] == [first, first]
    assert run(1, 1000.0).startswith("Candidate 0 of the journal")
