"""A model of the score along some parameters, the others being held: arrays, no pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sk_hpo.inspection.record import SearchRecord, TrialRecord
from sk_hpo.samplers.surrogate import Surrogate
from sk_hpo.space.dimension import Dimension
from sk_hpo.space.space import Space
from sk_hpo.surrogates.acquisition import log_ei

__all__ = [
    "COARSE",
    "FINE",
    "Slice",
    "best_mean",
    "best_of",
    "improvement",
    "most_varying",
    "nearness",
    "predicted",
    "slice_of",
    "surrogate_of",
]

FINE, COARSE = 201, 41  # points along one axis, and along each of two
_MOST_LEVELS = 60


def surrogate_of(search: Any) -> Surrogate:
    """Return the model of a search, or raise what the user is to do."""
    if not hasattr(search, "param_distributions"):
        raise TypeError(
            "SurrogateDisplay needs a fitted search: a journal keeps results and no model. Fit"
            " the search with the journal once more, which trains nothing that is known, and"
            f" pass it. This is a {type(search).__name__}."
        )
    check_is_fitted(search, "history_")
    found = getattr(search, "surrogate_", None)
    if found is None:
        raise ValueError(
            f"This {type(search).__name__} has no model of the score: surrogate_ is there after"
            " a search that learns by one, such as BayesSearchCV or sampler='gp'."
        )
    return found


def best_of(record: SearchRecord) -> TrialRecord:
    """Return the chosen candidate; ValueError if there is none."""
    found = [trial for trial in record.trials if trial.id == record.best]
    if not found:
        raise ValueError(
            "No candidate was chosen that the other parameters could be held at: give at=."
        )
    return found[0]


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of the space: some parameters vary, the others are held."""

    space: Space
    dimensions: tuple[int, ...]
    held: np.ndarray  # (n_dimensions,), a point of the cube
    codes: tuple[tuple[Any, ...], ...]  # along each axis

    def params(self, codes: Sequence[Any]) -> dict[str, Any] | None:
        """Return the params where the axes have these codes; None if there is no such place."""
        u = self.held.copy()
        for i, code in zip(self.dimensions, codes, strict=True):
            u[i] = self.space.dimensions[i].to_unit(code)
        config = self.space.from_cube(u)
        if any(config[i] is None for i in self.dimensions) or not self.space.allows(config):
            return None
        return self.space.values(config)


def slice_of(space: Space, names: Sequence[str], held: Mapping[str, Any], n: int) -> Slice:
    """Return the slice along some parameters, with up to `n` values of each.

    Parameters
    ----------
    space : Space
        Of the model.
    names : sequence of str
        What varies.
    held : mapping of str to object
        A candidate: the values of the others.
    n : int
        How many values of a parameter that has more than 60.

    Raises
    ------
    ValueError
        If `held` is no candidate, or has none of these parameters.
    """
    config = space.config(held)
    places, codes = [], []
    for name in names:
        here = [i for i, d in enumerate(space.dimensions) if d.name == name]
        active = [i for i in here if config[i] is not None]
        if not active:
            raise ValueError(
                f"The candidate that the other parameters are held at has no {name!r}: give"
                " one that has as at=."
            )
        places.append(active[0])
        codes.append(_codes(space.dimensions[active[0]], n))
    u = space.to_cube(config)
    return Slice(space, tuple(places), np.where(np.isnan(u), 0.5, u), tuple(codes))


def _codes(dimension: Dimension, n: int) -> tuple[Any, ...]:
    if dimension.n_levels <= _MOST_LEVELS or dimension.kind == "categorical":
        return tuple(dimension.domain.levels())
    # The very ends may be infinitely far.
    found = [dimension.from_unit(float(u)) for u in np.linspace(0, 1, n)]
    return tuple(dict.fromkeys(code for code in found if math.isfinite(code)))


def predicted(surrogate: Surrogate, slice_: Slice) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and sd, of shape (n,) or (m, n); NaN where there is no candidate."""
    axes = slice_.codes[::-1]
    shape = tuple(len(codes) for codes in axes)
    grid = [
        tuple(axis[i] for axis, i in zip(axes, at, strict=True)) for at in np.ndindex(shape)
    ]
    params = [slice_.params(codes[::-1]) for codes in grid]
    there = np.array([of is not None for of in params])
    mean, sd = np.full(len(grid), np.nan), np.full(len(grid), np.nan)
    if there.any():
        known = [of for of in params if of is not None]
        mean[there], sd[there] = surrogate.predict(known, return_std=True)
    return mean.reshape(shape), sd.reshape(shape)


def most_varying(
    record: SearchRecord, surrogate: Surrogate, held: Mapping[str, Any]
) -> list[str]:
    """Return the two parameters along which the mean varies most; the one, of one."""
    spread = {}
    for parameter in record.parameters:
        if parameter.name in held:
            slice_ = slice_of(surrogate.space, [parameter.name], held, COARSE)
            mean, _ = predicted(surrogate, slice_)
            known = mean[np.isfinite(mean)]
            spread[parameter.name] = float(np.ptp(known)) if len(known) else 0.0
    return sorted(spread, key=lambda name: -spread[name])[:2]


def best_mean(record: SearchRecord, surrogate: Surrogate) -> float:
    """Return the highest mean at a candidate that was tried and did not fail."""
    params = [trial.params for trial in record.trials if trial.last and not trial.last.failed]
    return float(np.max(surrogate.predict(params)))


def nearness(record: SearchRecord, names: Sequence[str], held: Mapping[str, Any]) -> np.ndarray:
    """Return how near each trial is to the slice, from 0 to 1."""
    others = [i for i, p in enumerate(record.parameters) if p.name not in names]
    if not others:
        return np.ones(len(record.trials))
    here = np.array(
        [record.parameters[i].position(held.get(record.parameters[i].name)) for i in others]
    )
    points = record.points()[:, others]
    absent = np.isnan(points) != np.isnan(here)
    gap = np.where(absent, 1.0, np.nan_to_num(points - here))
    return np.exp(-4 * np.mean(gap**2, axis=1))


def improvement(mean: np.ndarray, sd: np.ndarray, best: float) -> np.ndarray:
    """Return E[max(f - best, 0)]: Jones, Schonlau, Welch (1998), eq. 15."""
    found = np.full(np.shape(mean), np.nan)
    there = np.isfinite(mean)
    if there.any():
        spread = np.maximum(sd[there], 1e-12)
        found[there] = np.exp(log_ei(mean[there], spread, best)[0])
    return found
