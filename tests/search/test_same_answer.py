"""Section "Same answer, however it is run"."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import warnings
from pathlib import Path
from textwrap import dedent

import cloudpickle
import joblib
import numpy as np
import pytest
import torch
from contracts.recording import X, net, y
from scipy.stats import loguniform, randint, uniform
from sklearn import config_context, get_config
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Checkpoint
from skorch.dataset import ValidSplit
from threadpoolctl import threadpool_info

import sk_hpo
from sk_hpo import BayesSearchCV, HalvingHyperbandSearchCV, RandomSearchCV

# Some classes here are as a notebook's: workers cannot import them.
cloudpickle.register_pickle_by_value(sys.modules[__name__])

# Neither has a random_state: the search alone settles what they draw.
PROBLEMS = {
    "sgd": (
        SGDClassifier(loss="log_loss", max_iter=9, tol=None),
        {"alpha": loguniform(1e-5, 1)},
    ),
    "forest": (
        RandomForestClassifier(n_estimators=3),
        {"max_features": uniform(0.2, 0.7), "min_samples_leaf": randint(1, 5)},
    ),
    "net": (
        net(max_epochs=3),
        {"lr": loguniform(1e-3, 0.3), "module__dropout": uniform(0, 0.5)},
    ),
    "pipeline": (
        make_pipeline(StandardScaler(), net(max_epochs=3)),
        {"neuralnetclassifier__lr": loguniform(1e-3, 0.3)},
    ),
}


def build(kind, problem, **params):
    estimator, space = PROBLEMS[problem]
    params = {"cv": 2, "random_state": 5, "return_train_score": True} | params
    if kind == "random":
        return RandomSearchCV(estimator, space, **{"n_iter": 5} | params)
    if kind == "bayes":
        return BayesSearchCV(
            estimator, space, **{"n_iter": 7, "n_points": 3, "n_initial_points": 3} | params
        )
    resource = "n_estimators" if problem == "forest" else "epochs"
    return HalvingHyperbandSearchCV(
        estimator, space, **{"resource": resource, "max_resources": 4, "factor": 2} | params
    )


def answer(search):
    """Return all that must not depend on how the search was run."""
    results = {k: v for k, v in search.cv_results_.items() if not k.endswith("_time")}
    return results | {
        "best": (search.best_index_, search.best_score_, search.best_params_),
        "predictions": search.predict_proba(X),
    }


def same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name, strict=True)
    return True


CASES = [
    (kind, problem)
    for problem in PROBLEMS
    for kind in ("random", "bayes", "hyperband")
    if (kind, problem) != ("bayes", "pipeline")
]


@pytest.fixture(scope="module")
def serial():
    cache = {}

    def get(kind, problem):
        if (kind, problem) not in cache:
            cache[kind, problem] = answer(build(kind, problem).fit(X, y))
        return cache[kind, problem]

    return get


@pytest.mark.parametrize(("kind", "problem"), CASES)
@pytest.mark.parametrize("backend", [None, "loky", "threading"])
def test_serial_processes_and_threads_agree(serial, kind, problem, backend):
    search = build(kind, problem, n_jobs=None if backend is None else 2)
    with joblib.parallel_config(backend=backend or "sequential"):
        assert same(serial(kind, problem), answer(search.fit(X, y)))
    assert len(np.unique(search.cv_results_["mean_test_score"])) > 1


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize(
    ("kind", "problem"), [("random", "sgd"), ("bayes", "forest"), ("hyperband", "net")]
)
def test_multiprocessing_agrees(serial, kind, problem):
    with joblib.parallel_config(backend="multiprocessing"):
        search = build(kind, problem, n_jobs=2).fit(X, y)
    assert same(serial(kind, problem), answer(search))


def test_dask_agrees(serial):
    distributed = pytest.importorskip("distributed")
    workers = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with (
        distributed.LocalCluster(processes=True, **workers) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        for kind, problem in [("hyperband", "net"), ("bayes", "forest"), ("random", "sgd")]:
            assert same(serial(kind, problem), answer(build(kind, problem).fit(X, y)))
        with pytest.raises(FutureWarning, match="about the fit"):
            warned().fit(X, y)


CHECKPOINT = net(
    train_split=ValidSplit(3), callbacks=[Checkpoint(load_best=True, dirname="user")]
)


@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize("piped", [False, True])
def test_checkpoints_of_folds_do_not_meet(tmp_path, monkeypatch, backend, piped):
    monkeypatch.chdir(tmp_path)
    estimator = make_pipeline(StandardScaler(), CHECKPOINT) if piped else CHECKPOINT
    name = "neuralnetclassifier__lr" if piped else "lr"
    search = RandomSearchCV(
        estimator, {name: loguniform(1e-3, 0.3)}, n_iter=4, cv=2, random_state=0, refit=False
    ).set_params(scoring="neg_log_loss")
    one = search.fit(X, y).cv_results_["mean_test_score"]
    with joblib.parallel_config(backend=backend, n_jobs=2):
        other = search.fit(X, y).cv_results_["mean_test_score"]
    assert one.tolist() == other.tolist()
    assert list(tmp_path.iterdir()) == []
    search.set_params(refit=True, n_iter=1).fit(X, y)
    assert {path.name for path in (tmp_path / "user").iterdir()} >= {"params.pt"}


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_searches_side_by_side_do_not_meet(serial, backend):
    kinds = ["random", "hyperband"] * 2
    with joblib.parallel_config(backend=backend, n_jobs=2):
        fits = (joblib.delayed(build(kind, "net").fit)(X, y) for kind in kinds)
        searches = joblib.Parallel()(fits)
    for kind, search in zip(kinds, searches, strict=True):
        assert same(serial(kind, "net"), answer(search))


def test_random_state_settles_everything():
    for make in (lambda: 7, lambda: np.random.RandomState(7)):
        one, other = (
            answer(build("hyperband", "net", random_state=make()).fit(X, y)) for _ in range(2)
        )
        assert same(one, other)
    assert same(one, answer(build("hyperband", "net", random_state=7).fit(X, y)))


@pytest.mark.parametrize("kind", ["random", "bayes", "hyperband"])
def test_another_random_state_gives_another_answer(kind):
    state = np.random.RandomState(7)
    searches = [build(kind, "sgd", random_state=r) for r in (7, 8, state, state, None, None)]
    alphas = [tuple(s.fit(X, y).cv_results_["param_alpha"]) for s in searches]
    assert alphas[0] == alphas[2]  # a RandomState goes on, as in scikit-learn
    assert len(set(alphas)) == 5


@pytest.mark.parametrize("sampler", ["random", "sobol"])
def test_a_candidate_does_not_depend_on_how_many_there_are(sampler):
    small, big = (
        build("random", "net", n_iter=n, sampler=sampler).fit(X, y).cv_results_ for n in (3, 6)
    )
    assert small["params"] == big["params"][:3]
    for name in ("split0_test_score", "split1_test_score", "mean_train_score"):
        assert small[name].tolist() == big[name][:3].tolist()


def test_a_candidate_scores_the_same_in_every_schedule():
    all_brackets = build("hyperband", "net", refit=False).fit(X, y).cv_results_
    one = build("hyperband", "net", brackets=1, refit=False).fit(X, y).cv_results_
    n = len(one["params"])
    assert n < len(all_brackets["params"])
    for name in one:
        if not name.endswith("_time") and not name.startswith("rank"):
            np.testing.assert_array_equal(one[name], all_brackets[name][:n], err_msg=name)


# -- the caller's process is left as it was ------------------------------------------------


def generators():
    numpy_state = np.random.get_state()  # noqa: NPY002
    return random.getstate(), numpy_state[1].tolist(), numpy_state[2:], torch.get_rng_state()


def unchanged(before):
    now = generators()
    assert now[:3] == before[:3]
    assert torch.equal(now[3], before[3])


@pytest.mark.parametrize("backend", ["sequential", "threading", "loky"])
@pytest.mark.parametrize("kind", ["random", "bayes", "hyperband"])
def test_the_callers_generators_and_threads_are_left_alone(kind, backend):
    before, threads = generators(), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with joblib.parallel_config(backend=backend, n_jobs=2):
            search = build(kind, "net")
            search.plan(X, y)
            search.fit(X, y)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    unchanged(before)


def test_random_state_none_draws_from_numpys_generator_once():
    np.random.seed(3)  # noqa: NPY002
    one = answer(build("random", "net", random_state=None).fit(X, y))
    after = np.random.randint(1000)  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    assert same(one, answer(build("random", "net", random_state=None).fit(X, y)))
    assert after == np.random.randint(1000)  # noqa: NPY002


# -- threads, settings and code in the workers ---------------------------------------------


class Reporting(ClassifierMixin, BaseEstimator):
    """Says what its surroundings are like."""

    def __init__(self, C=1.0):
        self.C = C

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        np.ones((8, 8)) @ np.ones((8, 8))
        blas = [i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas"]
        self.blas_, self.torch_ = max(blas), torch.get_num_threads()
        self.config_ = get_config()
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


def surroundings(model, X, y):
    return {
        "blas": model.blas_,
        "torch": model.torch_,
        "pandas": model.config_["transform_output"] == "pandas",
        "routing": model.config_["enable_metadata_routing"],
    }


@pytest.mark.parametrize("backend", ["sequential", "threading", "loky"])
def test_jobs_times_threads_are_no_more_than_the_cores(backend):
    slots = 1 if backend == "sequential" else 2
    with joblib.parallel_config(backend=backend, n_jobs=slots):
        search = RandomSearchCV(
            Reporting(), {"C": uniform()}, n_iter=3, scoring=surroundings, refit=False
        )
        with config_context(transform_output="pandas", enable_metadata_routing=True):
            results = search.fit(X, y).cv_results_
    if backend != "threading":
        assert (results["mean_test_torch"] == 1).all()
    if backend == "loky":
        assert (slots * results["mean_test_blas"] <= max(joblib.cpu_count(), slots)).all()
    assert (results["mean_test_pandas"] == 1).all()
    assert (results["mean_test_routing"] == 1).all()


def torch_threads(model, X, y):
    return torch.get_num_threads()


@pytest.mark.parametrize("backend", ["sequential", "threading", "loky"])
@pytest.mark.parametrize("kind", ["random", "hyperband"])
def test_torch_has_one_thread_in_a_fold(kind, backend):
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with joblib.parallel_config(backend=backend, n_jobs=2):
            search = build(kind, "net", scoring=torch_threads, refit=False).fit(X, y)
    finally:
        torch.set_num_threads(threads)
    assert (search.cv_results_["mean_test_score"] == 1).all()


class Warning_(Reporting):
    def fit(self, X, y):
        warnings.warn("about the fit", FutureWarning, stacklevel=1)
        return super().fit(X, y)


def warned():
    return RandomSearchCV(
        Warning_(), {"C": uniform()}, n_iter=2, error_score="raise", random_state=0
    )


@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_warning_filters_reach_the_workers(backend):
    search = warned()
    with joblib.parallel_config(backend=backend, n_jobs=2):
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)
            with pytest.raises(FutureWarning, match="about the fit"):
                search.fit(X, y)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            assert np.isfinite(search.fit(X, y).best_score_)


@pytest.mark.parametrize("kind", ["random", "hyperband"])
def test_classes_and_lambdas_of_a_function_reach_the_workers(kind):
    class Local(torch.nn.Module):
        def __init__(self, make=torch.nn.ReLU):
            super().__init__()
            self.layers = torch.nn.Sequential(
                torch.nn.Linear(5, 4), make(), torch.nn.Linear(4, 3)
            )

        def forward(self, X):
            return self.layers(X)

    space = {
        "lr": loguniform(1e-3, 0.3),
        "module__make": [lambda: torch.nn.Tanh(), lambda: torch.nn.ReLU()],
    }
    params = {"cv": 2, "random_state": 0, "n_jobs": 2, "scoring": lambda m, X, y: m.score(X, y)}
    if kind == "random":
        search = RandomSearchCV(net(module=Local, max_epochs=2), space, n_iter=3, **params)
    else:
        search = HalvingHyperbandSearchCV(
            net(module=Local), space, max_resources=4, factor=2, **params
        )
    parallel = answer(search.fit(X, y))
    assert same(parallel, answer(search.set_params(n_jobs=1).fit(X, y)))


def test_a_script_with_everything_in_main(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        dedent("""
        import numpy as np
        from scipy.stats import loguniform
        from sklearn.linear_model import SGDClassifier
        from sk_hpo import HalvingHyperbandSearchCV

        class Mine(SGDClassifier):
            pass

        if __name__ == "__main__":
            X = np.random.default_rng(0).normal(size=(40, 5))
            search = HalvingHyperbandSearchCV(
                Mine(), {"alpha": loguniform(1e-3, 1), "penalty": ["l1", "l2"]},
                constraint=lambda params: params["penalty"] == "l2", max_resources=4, factor=2,
                cv=2, n_jobs=2, scoring=lambda m, X, y: m.score(X, y), random_state=0,
            )
            search.fit(X, np.arange(40) % 3)
            print(len(search.cv_results_["params"]), search.best_estimator_.t_)
        """)
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        env={**os.environ, "PYTHONPATH": str(Path(sk_hpo.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("14 161.0\n", "", 0)
