"""Synthetic functions, with known minima."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from efficiency.task import Config, Draw, Parameter, Task

__all__ = [
    "embedded_hartmann6",
    "jenatton",
    "styblinski_tang_category",
    "synthetic",
    "with_folds",
]

# Relative to the distance from the optimum to the median config: standard deviation of the
# noise of "~noisy"; that of one fold, at one end of the first parameter and what the other
# end has more; and half the range of what makes folds easy or hard for all configs alike.
NOISE, FOLD_NOISE, MORE_FOLD_NOISE, FOLD_OFFSET = 0.05, 0.05, 0.35, 0.1
N_FOLDS = 5

_ALPHA = np.array([1.0, 1.2, 3.0, 3.2])
_A3 = np.array([[3, 10, 30], [0.1, 10, 35], [3, 10, 30], [0.1, 10, 35]])
_P3 = 1e-4 * np.array(
    [[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]]
)
_A6 = np.array(
    [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ]
)
_P6 = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def branin(x: np.ndarray) -> float:
    a, b = x
    parabola = b - 5.1 / (4 * np.pi**2) * a * a + 5 / np.pi * a - 6
    return parabola**2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(a) + 10


def hartmann3(x: np.ndarray) -> float:
    return -(_ALPHA * np.exp(-(_A3 * (x - _P3) ** 2).sum(1))).sum()


def hartmann6(x: np.ndarray) -> float:
    return -(_ALPHA * np.exp(-(_A6 * (x - _P6) ** 2).sum(1))).sum()


def levy(x: np.ndarray) -> float:
    w = 1 + (x - 1) / 4
    inner = (w[:-1] - 1) ** 2 * (1 + 10 * np.sin(np.pi * w[:-1] + 1) ** 2)
    last = (w[-1] - 1) ** 2 * (1 + np.sin(2 * np.pi * w[-1]) ** 2)
    return np.sin(np.pi * w[0]) ** 2 + inner.sum() + last


def ackley(x: np.ndarray) -> float:
    near = -20 * np.exp(-0.2 * np.sqrt(np.mean(x**2)))
    return near - np.exp(np.mean(np.cos(2 * np.pi * x))) + 20 + np.e


def rosenbrock(x: np.ndarray) -> float:
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def griewank(x: np.ndarray) -> float:
    waves = np.cos(x / np.sqrt(np.arange(1, len(x) + 1)))
    return np.sum(x**2) / 4000 - np.prod(waves) + 1


def styblinski_tang(x: np.ndarray) -> float:
    return 0.5 * np.sum(x**4 - 16 * x**2 + 5 * x)


def _floats(bounds: Sequence[tuple[float, float]]) -> list[Parameter]:
    return [Parameter(f"x{i}", "float", low, high) for i, (low, high) in enumerate(bounds)]


def _integers(n: int, low: int, high: int) -> list[Parameter]:
    return [Parameter(f"i{i}", "int", low, high) for i in range(n)]


# Name -> function, parameters, minimum. Boxes are such that no minimum is in the centre.
_Function = Callable[[np.ndarray], float]
FUNCTIONS: dict[str, tuple[_Function, list[Parameter], float]] = {
    "branin": (branin, _floats([(-5, 10), (0, 15)]), 0.39788736),
    "hartmann6": (hartmann6, _floats([(0, 1)] * 6), -3.32237),
    "levy8mix": (levy, _floats([(-10, 10)] * 6) + _integers(2, -10, 10), 0.0),
    "hartmann3": (hartmann3, _floats([(0, 1)] * 3), -3.86278),
    "ackley5": (ackley, _floats([(-10, 20)] * 5), 0.0),
    "ackley6mix": (ackley, _floats([(-10, 20)] * 3) + _integers(3, -5, 10), 0.0),
    "rosenbrock4": (rosenbrock, _floats([(-5, 10)] * 4), 0.0),
    "griewank5": (griewank, _floats([(-150, 300)] * 5), 0.0),
}


def synthetic(name: str) -> Task:
    """Return one of `FUNCTIONS`."""
    function, params, optimum = FUNCTIONS[name]

    def of_config(config: Config) -> float:
        return function(np.array([config[p.name] for p in params], float))

    return Task(name, "synthetic", params, of_config, optimum)


def with_noise(task: Task) -> Task:
    """Return a task observed with Gaussian noise."""

    def draw(config: Config, rng: np.random.Generator) -> np.ndarray:
        sd = NOISE * (task.median - task.optimum)
        return np.array([task.true(config) + sd * rng.standard_normal()])

    return _variant(task, "noisy", f"{task.suite}~noisy", draw)


def with_folds(task: Task) -> Task:
    """Return a task whose observations are means over folds of unequal noise.

    The noise grows along the first parameter, a float. Folds also differ from one another
    in what all configs share, which does not blur the mean although it is in its standard
    error.
    """
    first = task.params[0]
    offsets = np.linspace(-FOLD_OFFSET, FOLD_OFFSET, N_FOLDS)

    def draw(config: Config, rng: np.random.Generator) -> np.ndarray:
        along = (config[first.name] - first.low) / (first.high - first.low)
        sd = FOLD_NOISE + MORE_FOLD_NOISE * along
        noise = offsets + sd * rng.standard_normal(N_FOLDS)
        return task.true(config) + noise * (task.median - task.optimum)

    return _variant(task, "folds", "folds", draw)


def _variant(task: Task, ending: str, suite: str, draw: Draw) -> Task:
    name = f"{task.name}~{ending}"
    return Task(name, suite, task.params, task.true, task.known_optimum, draw)


# Category -> factor, shift of every coordinate, offset of the Styblinski-Tang function.
_CATEGORIES = {
    "a": (0.8, 0.0, 0.0),
    "b": (-0.3, 0.0, 30.0),
    "c": (1.0, 1.5, 0.0),
    "d": (1.2, -1.0, 50.0),
}


def styblinski_tang_category() -> Task:
    """Return Styblinski-Tang in 4 dimensions with a category; "c" has the minimum.

    Level "a" is flatter, "b" upside down, "c" and "d" moved along the diagonal.
    """
    params = [*_floats([(-5, 5)] * 4), Parameter("level", "cat", choices=tuple(_CATEGORIES))]

    def of_config(config: Config) -> float:
        factor, shift, offset = _CATEGORIES[config["level"]]
        x = np.array([config[f"x{i}"] for i in range(4)]) - shift
        return factor * styblinski_tang(x) + offset

    return Task("styblinski4cat", "synthetic", params, of_config, 4 * -39.16616570377142)


# Where the six that matter stand among the fifty.
_EFFECTIVE = (3, 11, 18, 27, 34, 42)


def embedded_hartmann6() -> Task:
    """Return Hartmann6 in 50 dimensions, 44 of which have no effect."""
    params = _floats([(0, 1)] * 50)

    def of_config(config: Config) -> float:
        return hartmann6(np.array([config[f"x{i}"] for i in _EFFECTIVE]))

    return Task("hartmann6-50d", "high", params, of_config, FUNCTIONS["hartmann6"][2])


def jenatton() -> Task:
    """Return the tree of Jenatton et al. 2017 (Bayesian optimization with tree-structured
    dependencies, section 5.1): two levels of categories, then four leaves."""
    binary = ("left", "right")
    params = [
        Parameter("x1", "cat", choices=binary),
        Parameter("x2", "cat", choices=binary, when=(("x1", ("left",)),)),
        Parameter("x3", "cat", choices=binary, when=(("x1", ("right",)),)),
        Parameter("x4", "float", -1, 1, when=(("x2", ("left",)),)),
        Parameter("x5", "float", -1, 1, when=(("x2", ("right",)),)),
        Parameter("x6", "float", -1, 1, when=(("x3", ("left",)),)),
        Parameter("x7", "float", -1, 1, when=(("x3", ("right",)),)),
        Parameter("r8", "float", 0, 1, when=(("x1", ("left",)),)),
        Parameter("r9", "float", 0, 1, when=(("x1", ("right",)),)),
    ]
    leaves = {  # leaf -> the parameter squared, its constant
        ("left", "left"): ("x4", 0.1),
        ("left", "right"): ("x5", 0.2),
        ("right", "left"): ("x6", 0.3),
        ("right", "right"): ("x7", 0.4),
    }

    def of_config(config: Config) -> float:
        branch, r = ("x2", "r8") if config["x1"] == "left" else ("x3", "r9")
        x, constant = leaves[config["x1"], config[branch]]
        return config[x] ** 2 + constant + config[r]

    return Task("jenatton", "conditional", params, of_config, 0.1)
