"""Records of searches over many parameters that were never run."""

from __future__ import annotations

import math

import numpy as np

from sk_hpo.inspection.record import FoldRun, Parameter, Rung, SearchRecord, TrialRecord

__all__ = ["wide"]

_KINDS = (
    ("lr", {"kind": "number", "log": True, "low": 1e-5, "high": 1.0}),
    ("kernel", {"kind": "choice", "labels": ("rbf", "poly", "sigmoid", "linear")}),
    ("momentum", {"kind": "number", "low": 0.0, "high": 0.95}),
    ("units", {"kind": "number", "log": True, "low": 16.0, "high": 256.0}),
    ("gamma", {"kind": "number", "log": True, "low": 1e-3, "high": 10.0, "conditional": True}),
)


def parameters(n):
    found = []
    for i in range(n):
        name, of = _KINDS[i % len(_KINDS)]
        found.append(Parameter(name if i < len(_KINDS) else f"step_{i}__{name}", **of))
    return tuple(sorted(found, key=lambda p: p.name))


def _value(parameter, rng, params):
    if parameter.conditional and params.get("kernel", "rbf") not in ("rbf", "poly"):
        return None
    if parameter.kind == "choice":
        return parameter.labels[rng.integers(len(parameter.labels))]
    if parameter.log:
        return float(np.exp(rng.uniform(np.log(parameter.low), np.log(parameter.high))))
    return float(rng.uniform(parameter.low, parameter.high))


def wide(n_trials, n_parameters=5, *, resources=(1,), n_folds=3, failing=0.04, seed=0):
    """Return the record of a random search; with several resources, of a halving one."""
    rng = np.random.default_rng(seed)
    space = parameters(n_parameters)
    trials = []
    for i in range(n_trials):
        params = {}
        for parameter in sorted(space, key=lambda p: p.conditional):
            value = _value(parameter, rng, params)
            if value is not None:
                params[parameter.name] = value
        quality = 0.95 - 0.05 * (math.log10(params.get("lr", 1e-2)) + 2) ** 2
        quality -= {"linear": 0.1, "sigmoid": 0.25}.get(params.get("kernel"), 0.0)
        fails = rng.random() < failing
        reached = 1 if fails else 1 + int(rng.geometric(0.6) - 1)
        rungs = []
        for number, resource in enumerate(resources[:reached]):
            scores = quality - 0.2 / resource + rng.normal(0, 0.01, n_folds)
            rungs.append(_rung(number, resource, scores, fails))
        trials.append(TrialRecord(i, 0, params, tuple(rungs)))
    resource = "epochs" if len(resources) > 1 else None
    top = max((t.last.resource for t in trials if not t.last.failed), default=0)
    final = [t for t in trials if t.last.resource == top and not t.last.failed]
    best = max(final, key=lambda t: t.last.score).id if final else None
    return SearchRecord(
        *("RandomSearchCV", "score", resource, n_folds, space, tuple(trials)), best=best
    )


def _rung(number, resource, scores, fails):
    if fails:
        runs = (FoldRun(0, math.nan, 0.1, failure="ValueError: diverged"),)
        return Rung(number, resource, math.nan, failure="ValueError: diverged", runs=runs)
    return Rung(
        number,
        resource,
        float(scores.mean()),
        float(scores.std(ddof=1) / math.sqrt(len(scores))),
        tuple(map(float, scores)),
        cost=float(resource * len(scores)),
        runs=tuple(FoldRun(k, float(score), 0.1) for k, score in enumerate(scores)),
    )
