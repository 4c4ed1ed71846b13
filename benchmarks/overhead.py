"""What a search costs beside its fits: ms per trial and utilisation, ours and the peers'.

Every method tries the same number of random candidates of one estimator, which sleeps for
``--ms`` milliseconds in `fit` and learns nothing, on one split of 300 rows, without a refit.
The methods take turns; figures are medians over ``--repeats``. Workers are started, and the
libraries warm, before the clock. `overhead` is what is left of a worker's time per trial
when the fit is taken off, `utilisation` the share of the workers' time that is fits.

fit_and_score  scikit-learn's `_fit_and_score` in a plain loop: the least that a fit costs
optuna         `study.optimize`, random sampler; two jobs are threads, as its `n_jobs` makes
ray            `ray.tune.run`, random search, reused actors

    python benchmarks/overhead.py
    python benchmarks/overhead.py --fits 20 --repeats 1 --methods sklearn,sk_hpo

Peers need ``optuna`` and ``ray[tune]``; one that is not installed is named and skipped.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # loopback only
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # which is not silent

import numpy as np
from scipy.stats import uniform
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.metrics import check_scoring
from sklearn.model_selection import ParameterSampler, RandomizedSearchCV
from sklearn.model_selection._validation import _fit_and_score

from sk_hpo import RandomSearchCV

RESULTS = Path(__file__).parent / "results" / "overhead.json"
X, Y = np.zeros((300, 5)), np.arange(300) % 2
SPLIT = (np.arange(200), np.arange(200, 300))
SPACE = {"x": uniform(0, 1)}
WARM = 8  # candidates of the search before the clock
OURS, FLOOR = "sk_hpo", "fit_and_score"
MOST_OVERHEAD, LEAST_UTILISATION = 1.0, 1 / 1.1  # ms beyond the floor; wall <= 1.1 x ideal


class Sleeps(ClassifierMixin, BaseEstimator):
    """Sleeps, and learns nothing."""

    def __init__(self, ms: float = 0.0, x: float = 0.0) -> None:
        self.ms = ms
        self.x = x

    def fit(self, X: Any, y: Any) -> Sleeps:
        if self.ms:
            time.sleep(self.ms / 1000)
        self.classes_ = np.array([0, 1])
        return self

    def predict(self, X: Any) -> Any:
        return np.zeros(len(X), dtype=int)


def score(net: Sleeps) -> float:
    """Fit and score on the split, for peers that leave that to the user."""
    train, test = SPLIT
    return float(net.fit(X[train], Y[train]).score(X[test], Y[test]))


def fit_and_score(estimator: Sleeps, n: int, jobs: int, folder: Path) -> None:
    scorer = check_scoring(estimator)
    for params in ParameterSampler(SPACE, n, random_state=0):
        _fit_and_score(
            clone(estimator),
            X,
            Y,
            scorer=scorer,
            train=SPLIT[0],
            test=SPLIT[1],
            verbose=0,
            parameters=params,
            fit_params={},
            score_params={},
            return_n_test_samples=True,
            return_times=True,
            return_parameters=False,
            error_score=np.nan,
        )


def scikit_learn(search: type, estimator: Sleeps, n: int, jobs: int, folder: Path) -> None:
    search(
        estimator, SPACE, n_iter=n, cv=[SPLIT], refit=False, n_jobs=jobs, random_state=0
    ).fit(X, Y)


def optuna(estimator: Sleeps, n: int, jobs: int, folder: Path) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0)
    )
    study.optimize(
        lambda trial: score(clone(estimator).set_params(x=trial.suggest_float("x", 0, 1))),
        n_trials=n,
        n_jobs=jobs,
    )


def ray(estimator: Sleeps, n: int, jobs: int, folder: Path) -> None:
    import ray
    from ray import tune

    if not ray.is_initialized():
        ray.init(
            num_cpus=jobs, include_dashboard=False, log_to_driver=False, logging_level="ERROR"
        )

    def train(config: dict[str, Any]) -> None:
        tune.report({"score": score(clone(estimator).set_params(**config))})

    tune.run(
        tune.with_resources(train, {"cpu": 1}),
        config={"x": tune.uniform(0, 1)},
        num_samples=n,
        metric="score",
        mode="max",
        search_alg=tune.search.BasicVariantGenerator(random_state=0),
        reuse_actors=True,
        storage_path=str(folder),
        verbose=0,
    )


def shut_down_ray() -> None:
    import ray

    ray.shutdown()


@dataclass(frozen=True)
class Method:
    run: Callable[[Sleeps, int, int, Path], None]
    needs: str = "sklearn"
    serial: bool = False  # knows no jobs
    after: Callable[[], None] = lambda: None


METHODS = {
    FLOOR: Method(fit_and_score, serial=True),
    "sklearn": Method(lambda *args: scikit_learn(RandomizedSearchCV, *args)),
    OURS: Method(lambda *args: scikit_learn(RandomSearchCV, *args)),
    "optuna": Method(optuna, "optuna"),
    "ray": Method(ray, "ray", after=shut_down_ray),
}


@dataclass
class Row:
    """Runs of one method; all times but `seconds` in milliseconds per trial."""

    method: str
    ms: float
    jobs: int
    fits: int
    seconds: list[float] = field(default_factory=list)

    @property
    def trial(self) -> float:
        return 1000 * median(self.seconds) / self.fits

    @property
    def overhead(self) -> float:
        return self.trial * self.jobs - self.ms

    @property
    def utilisation(self) -> float:
        return self.ms / (self.trial * self.jobs)


def timed(method: Method, row: Row) -> float:
    estimator = Sleeps(row.ms)
    with tempfile.TemporaryDirectory(prefix="overhead-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        method.run(Sleeps(0.0), WARM, row.jobs, Path(folder))
        start = time.perf_counter()
        method.run(estimator, row.fits, row.jobs, Path(folder))
        seconds = time.perf_counter() - start
    method.after()
    return seconds


def measure(options: argparse.Namespace) -> list[Row]:
    rows = []
    for jobs in options.jobs:
        for ms in options.ms:
            group = [
                Row(name, ms, jobs, options.fits)
                for name in usable(options.methods)
                if jobs == 1 or not METHODS[name].serial
            ]
            for _ in range(options.repeats):
                for row in group:
                    row.seconds.append(timed(METHODS[row.method], row))
            if group:
                report(group)
            rows += group
    return rows


def usable(names: list[str]) -> list[str]:
    return [name for name in names if find_spec(METHODS[name].needs)]


def report(group: list[Row]) -> None:
    first = group[0]
    print(f"\n{first.fits} fits of {first.ms:g} ms, {first.jobs} jobs")
    print(f"{'':16}{'ms a trial':>12}{'overhead, ms':>14}{'utilisation':>13}")
    floor = next((row.trial for row in group if row.method == FLOOR), None)
    for row in group:
        share = f"{100 * row.utilisation:.1f} %" if row.ms else "-"
        print(
            f"{row.method:16}{row.trial:>12.3f}{row.overhead:>14.3f}{share:>13}"
            f"{verdict(row, floor) if row.method == OURS else ''}",
            flush=True,
        )


def verdict(row: Row, floor: float | None) -> str:
    if row.jobs == 1 and not row.ms and floor is not None:
        beyond = row.trial - floor
        met = "met" if beyond < MOST_OVERHEAD else "MISSED"
        return f"   {beyond:.3f} ms beyond {FLOOR}, at most {MOST_OVERHEAD:g}: {met}"
    if row.jobs > 1 and row.ms:
        met = "met" if row.utilisation >= LEAST_UTILISATION else "MISSED"
        return f"   wall {1 / row.utilisation:.3f} x ideal, at most 1.1: {met}"
    return ""


def to_json(row: Row) -> dict[str, Any]:
    figures = {"ms_a_trial": row.trial, "overhead": row.overhead}
    return asdict(row) | figures | ({"utilisation": row.utilisation} if row.ms else {})


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--fits", type=int, default=200, help="default: 200")
    add("--ms", default="0,50", help="of a fit; default: %(default)s")
    add("--jobs", default="1,2", help="default: %(default)s")
    add("--repeats", type=int, default=5, help="default: 5")
    add("--methods", default=",".join(METHODS), help="default: %(default)s")
    add("--json", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    options.ms = [float(ms) for ms in options.ms.split(",")]
    options.jobs = [int(jobs) for jobs in options.jobs.split(",")]
    options.methods = options.methods.split(",")
    if unknown := set(options.methods) - set(METHODS):
        parser.error(f"no such methods: {', '.join(sorted(unknown))}")
    for name in sorted(set(options.methods) - set(usable(options.methods))):
        print(f"skipped {name}: {METHODS[name].needs} is not installed")
    rows = measure(options)
    document = {"machine": platform.platform(), "rows": [to_json(row) for row in rows]}
    options.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
