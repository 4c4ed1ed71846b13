"""Cross-validations of scikit-learn models, done beforehand: grids and a forest."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product

import numpy as np

from efficiency.task import DATA, Config, Parameter, Task, encode_log

__all__ = ["mlp_digits", "svc_cancer", "svc_digits"]

C = Parameter("C", "float", 1e-3, 1e4, log=True)
_GAMMA = ("gamma", "float", 1e-6, 1e1, True)


def svc_digits() -> Task:
    """Return the error of an SVC on the digits, interpolated on a grid of C and gamma."""
    kernels = ("rbf", "poly", "sigmoid")
    params = [C, Parameter(*_GAMMA), Parameter("kernel", "cat", choices=kernels)]
    with np.load(DATA / "svc_digits.npz") as stored:
        table, axes = stored["t"], (stored["C"], stored["G"])

    def error(config: Config) -> float:
        at = (np.log10(config["C"]), np.log10(config["gamma"]))
        return interpolate(table[kernels.index(config["kernel"])], axes, at)

    return Task("svc-digits", "sklearn", params, error, float(table.min()))


def svc_cancer() -> Task:
    """Return the error of an SVC on breast cancer; which parameters exist is the kernel's
    affair. See ``data/make_svc_cancer.py``."""
    kernels, degrees = ("linear", "rbf", "sigmoid", "poly"), (2, 3, 4)
    curved = (("kernel", ("rbf", "sigmoid", "poly")),)
    shifted = (("kernel", ("sigmoid", "poly")),)
    params = [
        Parameter("kernel", "cat", choices=kernels),
        C,
        Parameter(*_GAMMA, when=curved),
        Parameter("coef0", "float", 0, 1, when=shifted),
        Parameter("degree", "ord", choices=degrees, when=(("kernel", ("poly",)),)),
    ]
    with np.load(DATA / "svc_cancer.npz") as stored:
        grids = {name: stored[name].astype(float) for name in stored}

    def error(config: Config) -> float:
        kernel = config["kernel"]
        table, axes, at = grids[kernel], [grids["log_C"]], [np.log10(config["C"])]
        if kernel != "linear":
            axes, at = [*axes, grids["log_gamma"]], [*at, np.log10(config["gamma"])]
        if kernel in ("sigmoid", "poly"):
            axes, at = [*axes, grids["coef0"]], [*at, config["coef0"]]
        if kernel == "poly":
            table = table[degrees.index(config["degree"])]
        return interpolate(table, axes, at)

    optimum = min(float(grids[kernel].min()) for kernel in kernels)
    return Task("svc-cancer", "conditional", params, error, optimum)


def interpolate(table: np.ndarray, axes: Sequence[np.ndarray], at: Sequence[float]) -> float:
    """Return the value of a table at a point, linear along each axis, which must be even."""
    places = []
    for axis, value in zip(axes, at, strict=True):
        place = np.clip((value - axis[0]) / (axis[1] - axis[0]), 0, len(axis) - 1 - 1e-9)
        below = int(place)
        places.append(((below, 1 - (place - below)), (below + 1, place - below)))
    corners = (zip(*corner, strict=True) for corner in product(*places))
    return float(sum(np.prod(weights) * table[tuple(index)] for index, weights in corners))


MLP = (
    Parameter("alpha", "float", 1e-6, 10, log=True),
    Parameter("lr", "float", 1e-4, 10**-0.5, log=True),
    Parameter("hidden", "int", 4, 128, log=True),
    Parameter("batch", "int", 16, 128, log=True),
    Parameter("solver", "cat", choices=("adam", "sgd", "lbfgs")),
    Parameter("act", "cat", choices=("relu", "tanh", "logistic")),
)


def mlp_digits() -> Task:
    """Return the error of an MLP on the digits, as predicted by 300 extremely random trees."""
    feature, bound, right, score, roots = _forest()

    def error(config: Config) -> float:
        x = np.append(encode_log(MLP, config).astype(np.float32), 0)
        node = roots
        while True:  # all trees are walked at once
            leaf = right[node] < 0
            if leaf.all():
                return score[node].mean()
            below = np.where(x[feature[node]] <= bound[node], node + 1, right[node])
            node = np.where(leaf, node, below)

    return Task("mlp_digits", "sklearn", MLP, error)


@lru_cache(None)
def _forest() -> tuple[np.ndarray, ...]:
    """Return feature, bound, right child and score of every node, and the roots.

    The file holds the nodes in preorder, so the left child is the next one and the right
    one follows from which nodes are leaves. It has a bound only for the two features that
    are real, a greatest integer on the left for the two that are integers, and of a leaf
    the index of its score. Bounds are rounded down to 32 bits, as the features are: all
    comparisons, and hence all values, are those of the forest in 64 bits.
    """
    with np.load(DATA / "mlp_digits.npz") as stored:
        feature = stored["feature"].astype(int)
        bound = np.full(len(feature), 0.5, np.float32)
        bound[feature < 2] = stored["bound"]
        bound[(feature == 2) | (feature == 3)] = np.log(stored["level"].astype(float))
        score = np.full(len(feature), np.nan)
        is_leaf = feature == 10
        score[is_leaf] = stored["score"][stored["leaf"]]
    right = np.full(len(feature), -1)
    roots, waiting = [], []  # inner nodes whose left subtree is not complete
    for node, leaf in enumerate(is_leaf):
        if node == 0 or (is_leaf[node - 1] and not waiting):
            roots.append(node)
        elif is_leaf[node - 1]:
            right[waiting.pop()] = node
        if not leaf:
            waiting.append(node)
    return feature, bound, right, score, np.array(roots)
