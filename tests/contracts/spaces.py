"""Spaces of all kinds, for tests of samplers."""

from __future__ import annotations

from scipy.stats import loguniform, randint, uniform

from sk_hpo.space.condition import when
from sk_hpo.space.distribution import lograndint
from sk_hpo.space.space import Space

SQUARE = Space({"x": uniform(0, 1), "y": uniform(0, 1)})
MIXED = Space({
    "kernel": ["rbf", "poly", "linear"],
    "C": loguniform(1e-3, 1e3),
    "gamma": when(loguniform(1e-4, 10), kernel=["rbf", "poly"]),
    "degree": when([2, 3, 4, 5], kernel="poly"),
    "coef0": when(uniform(0, 1), kernel="poly", degree=[3, 4, 5]),
    "units": lograndint(1, 10**6),
})  # fmt: skip
FINITE = Space(
    {
        "booster": ["tree", "linear"],
        "depth": when(randint(1, 6), booster="tree"),
        "rounds": [10, 20, 40],
        "lambda": [0.1, 1.0],
    },
    constraint=lambda params: params.get("depth", 0) * params["rounds"] <= 120,
)
