"""Functional ANOVA against its analytic answer, and against Optuna's evaluator.

Four functions whose variance is known part by part are searched at random; from the same
trials, `parameter_importance` and Optuna's `FanovaImportanceEvaluator` tell the shares of the
variance. Then both are timed on ten parameters, in seconds of processor time. A table is
printed and written as JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from scipy.stats import loguniform, uniform
from sklearn.base import BaseEstimator

from sk_hpo import RandomSearchCV, when
from sk_hpo.inspection.importance.importance import parameter_importance

RESULTS = Path(__file__).parent / "results" / "importance.json"


class Function(BaseEstimator):
    """Its score is a function of its parameters."""

    def __init__(
        self, function=None, C=None, kind=None, momentum=None,
        x0=None, x1=None, x2=None, x3=None, x4=None,
        x5=None, x6=None, x7=None, x8=None, x9=None,
    ):  # fmt: skip
        self.function = function
        self.C, self.kind, self.momentum = C, kind, momentum
        self.x0, self.x1, self.x2, self.x3, self.x4 = x0, x1, x2, x3, x4
        self.x5, self.x6, self.x7, self.x8, self.x9 = x5, x6, x7, x8, x9

    def fit(self, X, y=None):
        return self

    def score(self, X, y=None):
        return self.function(self)


@dataclass(frozen=True)
class Problem:
    """A function of parameters, and the shares of its variance that are not zero."""

    name: str
    function: Callable[[Any], float]
    space: Mapping[str, Any]
    distributions: Mapping[str, Any]  # the space as Optuna has it
    shares: Mapping[str, float]  # "a" or "a x b" -> share


def shares_of(**variances: float) -> dict[str, float]:
    total = sum(variances.values())
    return {name.replace("_x_", " x "): v / total for name, v in variances.items()}


def xs(n: int) -> tuple[dict[str, Any], dict[str, Any]]:
    names = [f"x{i}" for i in range(n)]
    float_ = optuna.distributions.FloatDistribution(0.0, 1.0)
    return dict.fromkeys(names, uniform()), dict.fromkeys(names, float_)


def ishigami(e: Any) -> float:
    a, b, c = (np.pi * (2 * x - 1) for x in (e.x0, e.x1, e.x2))
    return np.sin(a) + 7 * np.sin(b) ** 2 + 0.1 * c**4 * np.sin(a)


def additive_and_pair(e: Any) -> float:
    return 2 * e.x0 + e.x1 + 4 * (e.x2 - 0.5) * (e.x3 - 0.5)


def scales(e: Any) -> float:
    return 6.0 * (e.kind == "b") - np.log10(e.C) ** 2


def conditional(e: Any) -> float:
    return e.x0 + (1 + 2 * e.momentum if e.kind == "sgd" else 0.0)


def ten(e: Any) -> float:
    return (
        3 * e.x0
        + 2 * e.x1 * e.x2
        + np.sin(6 * e.x3)
        + 0.1 * sum((e.x4, e.x5, e.x6, e.x7, e.x8, e.x9))
    )


def problems() -> list[Problem]:
    float_, choice = (
        optuna.distributions.FloatDistribution,
        optuna.distributions.CategoricalDistribution,
    )
    four = ["a", "b", "c", "d"]
    return [
        # Ishigami, Homma, ISUMA 1990; a = 7, b = 0.1. x3 does nothing.
        Problem(
            "Ishigami",
            ishigami,
            *xs(4),
            shares_of(
                x0=(1 + 0.1 * np.pi**4 / 5) ** 2 / 2,
                x1=7**2 / 8,
                x0_x_x2=0.1**2 * np.pi**8 * (1 / 18 - 1 / 50),
            ),
        ),
        Problem(
            "two alone and a pair",
            additive_and_pair,
            *xs(4),
            shares_of(x0=4 / 12, x1=1 / 12, x2_x_x3=16 / 144),
        ),
        Problem(
            "a logarithm and a choice",
            scales,
            {"C": loguniform(1e-3, 1e3), "kind": four},
            {"C": float_(1e-3, 1e3, log=True), "kind": choice(four)},
            shares_of(C=3**4 / 5 - 3**2, kind=36 * 3 / 16),
        ),
        Problem(
            "a conditional parameter",
            conditional,
            {
                "kind": ["sgd", "adam"],
                "momentum": when(uniform(), kind="sgd"),
                "x0": uniform(),
            },
            {
                "kind": choice(["sgd", "adam"]),
                "momentum": float_(0.0, 1.0),
                "x0": float_(0.0, 1.0),
            },
            shares_of(kind=1.0, momentum=1 / 12, x0=1 / 12, kind_x_momentum=1 / 12),
        ),
    ]


def searched(problem: Problem, n_trials: int, seed: int) -> RandomSearchCV:
    search = RandomSearchCV(
        Function(problem.function), problem.space, n_iter=n_trials, cv=2, random_state=seed,
        refit=False,
    )  # fmt: skip
    return search.fit(np.zeros((4, 1)))


def study_of(problem: Problem, search: RandomSearchCV) -> optuna.Study:
    """The trials of a search, told to Optuna."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize")
    results = search.cv_results_
    for params, score in zip(results["params"], results["mean_test_score"], strict=True):
        known = {name: problem.distributions[name] for name in params}
        study.add_trial(
            optuna.trial.create_trial(params=params, distributions=known, value=score)
        )
    return study


def ours(search: RandomSearchCV, seed: int, **options: Any) -> dict[str, float]:
    frame = parameter_importance(search, random_state=seed, **options).to_frame()
    names = [
        " x ".join(sorted(filter(None, row))) for row in frame[["parameter", "other"]].values
    ]
    return dict(zip(names, frame["importance"], strict=True))


def theirs(study: optuna.Study, seed: int) -> dict[str, float]:
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
    return evaluator.evaluate(study)


def said_by_optuna(part: str, found: list[dict[str, float]]) -> float | None:
    """None of pairs, and of a parameter that not all trials have: it leaves these out."""
    known = [f[part] for f in found if part in f]
    return float(np.mean(known)) if known else None


def compare(problem: Problem, n_trials: int, n_seeds: int) -> dict[str, Any]:
    """The mean over seeds of what either says, beside the truth."""
    found: dict[str, list[dict[str, float]]] = {"sk_hpo": [], "optuna": []}
    for seed in range(n_seeds):
        search = searched(problem, n_trials, seed)
        found["sk_hpo"].append(ours(search, seed, n_bootstrap=0, n_pairs=100))
        found["optuna"].append(theirs(study_of(problem, search), seed))
    parts = [*problem.space, *(name for name in problem.shares if " x " in name)]
    rows = [
        {
            "part": part,
            "analytic": problem.shares.get(part, 0.0),
            "sk_hpo": float(np.mean([f.get(part, 0.0) for f in found["sk_hpo"]])),
            "optuna": said_by_optuna(part, found["optuna"]),
        }
        for part in parts
    ]
    return {"problem": problem.name, "n_trials": n_trials, "n_seeds": n_seeds, "rows": rows}


def seconds(n_trials: int, repeats: int) -> dict[str, float]:
    """Least processor time of either on the same trials of ten parameters."""
    problem = Problem("ten", ten, *xs(10), {})
    search = searched(problem, n_trials, 0)
    study = study_of(problem, search)
    calls: dict[str, Callable[[], object]] = {
        "sk_hpo, pairs too": lambda: ours(search, 0, n_bootstrap=0),
        "sk_hpo, pairs and intervals": lambda: ours(search, 0),
        "optuna": lambda: theirs(study, 0),
    }
    found = {}
    for name, call in calls.items():
        times = []
        for _ in range(repeats):
            start = time.process_time()
            call()
            times.append(time.process_time() - start)
        found[name] = min(times)
    return found


def print_shares(result: Mapping[str, Any]) -> None:
    n_trials, n_seeds = result["n_trials"], result["n_seeds"]
    print(f"\n{result['problem']}, {n_trials} trials, mean of {n_seeds} seeds")
    print(f"{'':16}{'analytic':>10}{'sk_hpo':>10}{'Optuna':>10}")
    for row in result["rows"]:
        numbers = (row["analytic"], row["sk_hpo"], row["optuna"])
        shown = "".join(f"{'-' if v is None else f'{v:.3f}':>10}" for v in numbers)
        print(f"{row['part']:16}{shown}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--seeds", type=int, nargs="+", default=[10, 1], help="for each")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--output", type=Path, default=RESULTS)
    args = parser.parse_args()
    shares = []
    for problem in problems():
        for n_trials, n_seeds in zip(args.trials, args.seeds, strict=True):
            shares.append(compare(problem, n_trials, n_seeds))
            print_shares(shares[-1])
    times = {n: seconds(n, args.repeats) for n in args.trials}
    print("\nSeconds of processor time, ten parameters, 64 trees")
    for n_trials, by_name in times.items():
        for name, value in by_name.items():
            print(f"{n_trials:6} trials  {name:30}{value:8.2f}")
    args.output.write_text(json.dumps({"shares": shares, "seconds": times}, indent=1) + "\n")


if __name__ == "__main__":
    main()
