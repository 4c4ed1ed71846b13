"""What a task is: parameters, a function to minimise, and what is observed of it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

__all__ = [
    "DATA",
    "Config",
    "Draw",
    "Observation",
    "Parameter",
    "Task",
    "encode_log",
    "reference",
    "regret",
]

DATA = Path(__file__).parents[1] / "data"

Config = Mapping[str, Any]
Draw = Callable[[Config, np.random.Generator], np.ndarray]

# Of the search for an optimum that is not known: samples, starts, mutations of each start.
N_SAMPLES, N_STARTS, N_MUTATIONS = 2000, 30, 400


@dataclass(frozen=True)
class Parameter:
    """One parameter of a task.

    Parameters
    ----------
    name : str
        Its key in a config.
    kind : {"float", "int", "cat", "ord"}
        "cat" and "ord" have `choices`; those of "ord" are in order, and optimisers see
        their index.
    low, high : float
        Bounds of "float" and "int", both included.
    log : bool
        Whether a "float" or "int" is searched on the log scale.
    choices : tuple
        Values of "cat" and "ord".
    when : tuple of (str, tuple) pairs
        Names of "cat" parameters and the values that they must all have for this one to
        matter. Where they do not, a config may hold or lack it.
    """

    name: str
    kind: Literal["float", "int", "cat", "ord"]
    low: float = 0
    high: float = 1
    log: bool = False
    choices: tuple[Any, ...] = ()
    when: tuple[tuple[str, tuple[Any, ...]], ...] = ()

    @property
    def k(self) -> int | None:
        """Number of levels, None of a "float"."""
        if self.choices:
            return len(self.choices)
        return int(self.high - self.low) + 1 if self.kind == "int" else None

    def from_unit(self, u: float) -> Any:
        """Return the value at `u` in [0, 1]; levels have cells of equal width."""
        if self.choices:
            return self.choices[min(int(u * len(self.choices)), len(self.choices) - 1)]
        half = 0.5 if self.kind == "int" else 0.0
        low, high = self.low - half, self.high + half
        if self.log:
            value = float(np.exp(np.log(low) + u * (np.log(high) - np.log(low))))
        else:
            value = low + u * (high - low)
        if self.kind == "int":
            return int(min(max(round(value), self.low), self.high))
        return float(min(max(value, self.low), self.high))


@dataclass(frozen=True)
class Observation:
    """What an optimiser is told of one evaluation.

    Parameters
    ----------
    value : float
        To be minimised; the mean over the folds where there are folds.
    standard_error : float
        Of `value` over the folds, NaN without folds.
    folds : tuple of float
        The values of which `value` is the mean.
    """

    value: float
    standard_error: float = math.nan
    folds: tuple[float, ...] = ()


class Task:
    """A function to minimise.

    Parameters
    ----------
    name : str
        ``~noisy`` and ``~folds`` at its end tell variants of one function.
    suite : str
        The group that reports count it in.
    params : sequence of Parameter
        What is searched.
    function : callable
        ``function(config) -> float``, without noise.
    optimum : float, optional
        Its minimum; without one, the best known from a search, see `measure_reference`.
    draw : callable, optional
        ``draw(config, rng) -> ndarray of shape (k,)``: random scores whose mean is
        observed, one for each fold. Without one, observations are exact.
    """

    def __init__(
        self,
        name: str,
        suite: str,
        params: Sequence[Parameter],
        function: Callable[[Config], float],
        optimum: float | None = None,
        draw: Draw | None = None,
    ) -> None:
        self.name = name
        self.suite = suite
        self.params = tuple(params)
        self.known_optimum = optimum
        self._function = function
        self._draw = draw

    @property
    def noisy(self) -> bool:
        """Whether observations are random."""
        return self._draw is not None

    def true(self, config: Config) -> float:
        """Return the value without noise."""
        return float(self._function(config))

    def measure(self, config: Config, rng: np.random.Generator) -> Observation:
        """Return what an optimiser is told."""
        if self._draw is None:
            return Observation(self.true(config))
        scores = self._draw(config, rng)
        if len(scores) == 1:
            return Observation(float(scores[0]))
        standard_error = float(scores.std(ddof=1) / math.sqrt(len(scores)))
        return Observation(float(scores.mean()), standard_error, tuple(scores.tolist()))

    def observe(self, config: Config, rng: np.random.Generator) -> float:
        """Return the value alone of `measure`."""
        return self.measure(config, rng).value

    def sample(self, rng: np.random.Generator) -> dict[str, Any]:
        """Return a random config; it holds all parameters, those without effect too."""
        return {p.name: p.from_unit(rng.random()) for p in self.params}

    def regret(self, value: float) -> float:
        """Return `value` on a scale where 0 is the optimum and 1 the median config."""
        return float(regret(value, *self._reference))

    @property
    def median(self) -> float:
        """Median of the function over random configs."""
        return self._reference[0]

    @property
    def optimum(self) -> float:
        """Minimum of the function, or the lowest value known."""
        return self._reference[1]

    @cached_property
    def _reference(self) -> tuple[float, float]:
        return reference(self.name) or self.measure_reference()

    def measure_reference(self) -> tuple[float, float]:
        """Return (median, optimum) as they are stored in ``data/reference.json``.

        The median is over 2000 random configs. An optimum that is not known is the end of
        the best of 30 local searches by mutation, from the best of these configs.
        """
        rng = np.random.default_rng(12345)
        configs = [self.sample(rng) for _ in range(N_SAMPLES)]
        values = np.array([self.true(config) for config in configs])
        if self.known_optimum is not None:
            return float(np.median(values)), float(self.known_optimum)
        starts = np.argsort(values)[:N_STARTS]
        found = [self._descend(configs[i], float(values[i]), rng) for i in starts]
        return float(np.median(values)), min(found)

    def _descend(self, config: dict[str, Any], value: float, rng: np.random.Generator) -> float:
        for _ in range(N_MUTATIONS):
            parameter = self.params[rng.integers(len(self.params))]
            mutant = {**config, parameter.name: parameter.from_unit(rng.random())}
            if (mutated := self.true(mutant)) <= value:
                config, value = mutant, mutated
        return value


def reference(name: str) -> tuple[float, float] | None:
    """Return the stored (median, optimum) of a task, None if there are none."""
    found = _references().get(name.partition("~")[0])
    return tuple(found) if found else None


@cache
def _references() -> dict[str, list[float]]:
    return json.loads((DATA / "reference.json").read_text())


def regret(values: ArrayLike, median: float, optimum: float) -> np.ndarray:
    """Return values on a scale where 0 is the optimum and 1 the median config."""
    return np.maximum(0.0, (np.asarray(values) - optimum) / (median - optimum))


def encode_log(params: Sequence[Parameter], config: Config) -> np.ndarray:
    """Return a config as numbers: logarithms where searched so, categories one-hot."""
    row: list[float] = []
    for p in params:
        value = config[p.name]
        if p.kind == "cat":
            row += [float(value == choice) for choice in p.choices]
        else:
            row.append(np.log(value) if p.log else float(value))
    return np.array(row)
