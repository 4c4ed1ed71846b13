"""All tasks by name, and sets of them.

"all" are eleven tasks; "more" others of the same kinds, and of kinds that "all" lacks:
conditional parameters and folds of unequal noise; "high" has fifty dimensions; "batch" are
three of "all" for a look at batches.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

from efficiency import fitted, synthetic, tabular
from efficiency.task import Task

__all__ = ["SETS", "TASKS", "chosen", "get"]

_tabular = tabular.tabular
_synthetic = {name: partial(synthetic.synthetic, name) for name in synthetic.FUNCTIONS}


def _noisy(make: Callable[[], Task]) -> Callable[[], Task]:
    return lambda: synthetic.with_noise(make())


def _folds(make: Callable[[], Task]) -> Callable[[], Task]:
    return lambda: synthetic.with_folds(make())


_ALL: dict[str, Callable[[], Task]] = {
    "hpobench-kc1": partial(_tabular, "hpobench", "kc1"),
    "hpobench-vehicle": partial(_tabular, "hpobench", "vehicle"),
    "hpobench-credit_g~noisy": partial(_tabular, "hpobench", "credit_g", "noisy"),
    "hpolib-protein_structure": partial(_tabular, "hpolib", "protein_structure"),
    "nasbench201-cifar100": partial(_tabular, "nasbench201", "cifar100"),
    "branin~noisy": _noisy(_synthetic["branin"]),
    "hartmann6": _synthetic["hartmann6"],
    "hartmann6~noisy": _noisy(_synthetic["hartmann6"]),
    "levy8mix": _synthetic["levy8mix"],
    "svc-digits": fitted.svc_digits,
    "mlp_digits": fitted.mlp_digits,
}

_MORE: dict[str, Callable[[], Task]] = {
    **{
        f"{family}-{dataset}": partial(_tabular, family, dataset)
        for family, datasets in tabular.DATASETS.items()
        for dataset in datasets
        if f"{family}-{dataset}" not in {*_ALL, "hpobench-credit_g"}
    },
    "hpobench-blood_transfusion~noisy": partial(
        _tabular, "hpobench", "blood_transfusion", "noisy"
    ),
    "hartmann3": _synthetic["hartmann3"],
    "ackley5": _synthetic["ackley5"],
    "ackley6mix": _synthetic["ackley6mix"],
    "rosenbrock4": _synthetic["rosenbrock4"],
    "griewank5": _synthetic["griewank5"],
    "styblinski4cat": synthetic.styblinski_tang_category,
    "styblinski4cat~noisy": _noisy(synthetic.styblinski_tang_category),
    "jenatton": synthetic.jenatton,
    "svc-cancer": fitted.svc_cancer,
    "hartmann6~folds": _folds(_synthetic["hartmann6"]),
    "branin~folds": _folds(_synthetic["branin"]),
    "hpobench-australian~folds": partial(_tabular, "hpobench", "australian", "folds"),
}

_HIGH: dict[str, Callable[[], Task]] = {"hartmann6-50d": synthetic.embedded_hartmann6}

# Name -> maker.
TASKS = {**_ALL, **_MORE, **_HIGH}

SETS = {
    "all": tuple(_ALL),
    "more": tuple(_MORE),
    "high": tuple(_HIGH),
    "batch": ("hartmann6", "hpobench-vehicle", "mlp_digits"),
}


@cache
def get(name: str) -> Task:
    """Return a task.

    Raises
    ------
    KeyError
        If there is none of that name.
    ModuleNotFoundError
        If its tables are in a package that is not installed.
    """
    return TASKS[name]()


def chosen(names: str) -> list[str]:
    """Return the tasks of a comma-separated list of tasks and sets, each once.

    Raises
    ------
    ValueError
        If something is neither.
    """
    listed = [task for name in names.split(",") for task in SETS.get(name, (name,))]
    for name in listed:
        if name not in TASKS:
            raise ValueError(f"{name!r} is no task and no set of tasks: {', '.join(SETS)}")
    return list(dict.fromkeys(listed))
