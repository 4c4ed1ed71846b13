"""Spaces of all kinds, on which samplers are tried."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from scipy.stats import loguniform, norm, poisson, randint, uniform

from sk_hpo.space.condition import when
from sk_hpo.space.distribution import lograndint
from sk_hpo.space.space import Space

__all__ = ["FINITE", "GRIDS", "INFINITE"]


def _small_sum(params: dict[str, Any]) -> bool:
    return bool(params["x"] + params["y"] <= 1)


def _not_both(params: dict[str, Any]) -> bool:
    return not (params["a"] == 2 and params["b"] == "v")


# Every parameter is a list: any sampler must do these.
GRIDS: dict[str, Callable[[], Space]] = {
    "lists": lambda: Space({"a": [1, 2, 3], "b": ["u", "v"], "c": [None, 0.5, (1, 2), min]}),
    "conditional lists": lambda: Space(
        {
            "solver": ["sgd", "adam", "lbfgs"],
            "momentum": when([0.0, 0.5, 0.9], solver="sgd"),
            "nesterov": when([True, False], momentum=[0.5, 0.9]),
            "beta": when([0.9, 0.99], solver="adam"),
        }
    ),
    "constrained lists": lambda: Space({"a": [1, 2, 3], "b": ["u", "v"]}, _not_both),
    "dicts of lists": lambda: Space([{"a": [1, 2]}, {}, {"a": [1, 2, 3], "b": [4, 5]}]),
}

FINITE: dict[str, Callable[[], Space]] = {
    "integers": lambda: Space({"n": randint(0, 4), "m": lograndint(1, 6)}),
    "poisson": lambda: Space({"n": poisson(0.1), "a": [1, 2]}),
    "conditional integers": lambda: Space(
        {"n": randint(1, 4), "m": when(randint(0, 3), n=[2, 3]), "k": when([5, 7], m=0)}
    ),
}

INFINITE: dict[str, Callable[[], Space]] = {
    "cube": lambda: Space({"x": uniform(0, 1), "y": uniform(-1, 2)}),
    "mixed": lambda: Space(
        {
            "lr": loguniform(1e-6, 1),
            "shift": norm(0, 3),
            "units": lograndint(4, 513),
            "layers": randint(1, 4),
            "activation": ["relu", "tanh", math.tanh],
            "batch": [16, 32, 64],
        }
    ),
    "conditional": lambda: Space(
        {
            "solver": ["sgd", "adam"],
            "momentum": when(uniform(0, 1), solver="sgd"),
            "n": randint(1, 4),
            "width_2": when(lograndint(4, 65), n=[2, 3]),
            "width_3": when(lograndint(4, 65), n=3),
        }
    ),
    "dicts": lambda: Space(
        [{"kernel": ["linear"], "C": loguniform(1e-3, 1e3)}, {"kernel": ["rbf"], "g": norm()}]
    ),
    "constrained": lambda: Space({"x": uniform(0, 1), "y": uniform(0, 1)}, _small_sum),
}
