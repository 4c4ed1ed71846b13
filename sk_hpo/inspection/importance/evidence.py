"""What a search has to tell about its parameters: axes, points of the cube, and scores."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sk_hpo.inspection.importance.axes import Axis, Encoding, whole_conditions
from sk_hpo.inspection.importance.existence import conditions_of
from sk_hpo.inspection.record import Parameter, SearchRecord, TrialRecord, label_of

__all__ = ["WHICH", "Evidence", "NoImportance", "evidence_of"]

FloatArray = NDArray[np.float64]
Place = Callable[[Any], float]

# The name of the choice among several dicts, where no parameter tells which it was.
WHICH = "<which exist>"

_FEWEST = 10  # trials, of which less is noise
_ENOUGH = 30  # trials, for which a resource is preferred to a lower one
_MOST_INTEGERS = 64  # of more, neighbours are as good as the same


class NoImportance(ValueError):
    """The trials that there are tell nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Trials at one resource.

    Parameters
    ----------
    encoding : Encoding
        Over the d axes.
    points : ndarray of shape (m, d)
        In [0, 1], NaN where a parameter does not exist.
    scores : ndarray of shape (m,)
        Finite; to be maximised.
    resource : int
        At which they were measured.
    n_failed : int
        How many of them have the worst score since they have none.
    places : mapping of str to callable
        Of each parameter, where a value is on its axis; NaN for one that is not.
    """

    encoding: Encoding
    points: FloatArray
    scores: FloatArray
    resource: int
    n_failed: int
    places: Mapping[str, Place] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Names of the axes."""
        return [axis.name for axis in self.encoding.axes]

    @property
    def best(self) -> FloatArray:
        """Where the trial of the best score is, shape (d,)."""
        found: FloatArray = self.points[self.scores.argmax()]
        return found

    def reference(self, which: str | Mapping[str, Any]) -> FloatArray:
        """Return where the median trial is, or the worst, or some parameters; shape (d,)."""
        if isinstance(which, Mapping):
            return self._point(which)
        if which not in ("median", "worst"):
            raise ValueError(
                f"reference must be 'median', 'worst' or a dict of parameters, got {which!r}."
            )
        order = np.argsort(self.scores, kind="stable")
        found: FloatArray = self.points[order[0 if which == "worst" else len(order) // 2]]
        return found

    def _point(self, params: Mapping[str, Any]) -> FloatArray:
        unknown = sorted(set(params) - set(self.places))
        if unknown:
            raise ValueError(
                f"reference has {unknown[0]!r}, which was not searched; searched were"
                f" {sorted(self.places)}."
            )
        found = [self.places[n](params[n]) if n in params else np.nan for n in self.names]
        missing = [n for n in params if np.isnan(found[self.names.index(n)])]
        if missing:
            raise ValueError(
                f"reference has {missing[0]}={params[missing[0]]!r}, which was not searched:"
                " give a value that was, or leave it out."
            )
        return np.array(found)


def evidence_of(record: SearchRecord, resource: int | None, quantile: float) -> Evidence:
    """Return the trials of a search at a resource; arguments as `parameter_importance`.

    Raises
    ------
    NoImportance
        If there are too few trials, or nothing to tell apart.
    ValueError
        If no trial has a score at `resource`.
    """
    if not record.parameters:
        raise NoImportance("This search has no parameters: importance needs one that varies.")
    resource = _resource(record, resource)
    found = [(t, r) for t, r in record.results() if r.resource == resource]
    sound = [rung.score for _, rung in found if not rung.failed]
    if len(sound) < _FEWEST:
        at = f" at {resource} {record.resource}" if record.resource else ""
        raise NoImportance(
            f"Importance needs {_FEWEST} trials with a score at least, and this search has"
            f" {len(sound)}{at}: fewer tell nothing but noise. Search longer"
            f"{', or choose a lower resource' if record.resource else ''}."
        )
    scores = np.array([min(sound) if r.failed else r.score for _, r in found])
    scores = np.maximum(scores, np.quantile(scores, quantile))
    if np.ptp(scores) == 0:
        raise NoImportance(
            "All scores are the same, so that no parameter has an importance: try more"
            f" different candidates{', or a lower quantile' if quantile else ''}."
        )
    trials, n_failed = [trial for trial, _ in found], len(found) - len(sound)
    axes, places = _axes(record.parameters, trials)
    points = np.full((len(trials), len(axes)), np.nan)
    for row, trial in zip(points, trials, strict=True):
        for j, axis in enumerate(axes):
            if axis.name in trial.params:
                row[j] = places[axis.name](trial.params[axis.name])
    encoding, cube = _with_conditions(axes, points)
    return Evidence(encoding, cube, scores, resource, n_failed, places)


def _resource(record: SearchRecord, wanted: int | None) -> int:
    """Return the highest resource with enough trials, or that of most."""
    counts = Counter(rung.resource for _, rung in record.results() if not rung.failed)
    if wanted is not None:
        if wanted not in counts:
            raise ValueError(
                f"No trial has a score at resource={wanted!r}; there are some at"
                f" {sorted(counts)}."
            )
        return wanted
    enough = [resource for resource, n in counts.items() if n >= _ENOUGH]
    if enough:
        return max(enough)
    return max(counts, key=lambda resource: (counts[resource], resource), default=0)


def _with_conditions(axes: list[Axis], points: FloatArray) -> tuple[Encoding, FloatArray]:
    """Return axes that know when they exist, and points on them."""
    levels = np.array([a.levels(u) for a, u in zip(axes, points.T, strict=True)]).T
    levels[np.isnan(points)] = -1
    sizes = [None if axis.edges is None else len(axis.weights) for axis in axes]
    conditions = conditions_of(levels, sizes, [not axis.categorical for axis in axes])
    unknown = [j for j, condition in enumerate(conditions) if condition is None]
    if unknown:
        which, column, where = _which(points[:, unknown])
        axes, points = [*axes, which], np.column_stack([points, column])
        for j, levels_with in zip(unknown, where, strict=True):
            conditions[j] = {len(axes) - 1: levels_with}
        conditions.append({})
    known = whole_conditions([condition or {} for condition in conditions])
    axes = [replace(axis, exists=e) for axis, e in zip(axes, known, strict=True)]
    return Encoding(axes), points


def _which(points: FloatArray) -> tuple[Axis, FloatArray, NDArray[np.bool_]]:
    """Return an axis that says which of some parameters exist, as often as it was seen.

    And where each trial stands on it, and for each parameter in which of its levels it is.
    """
    patterns, row, counts = np.unique(
        ~np.isnan(points), axis=0, return_inverse=True, return_counts=True
    )
    edges = np.concatenate([[0.0], np.cumsum(counts) / len(points)])
    edges[-1] = 1.0
    middles = (edges[1:] + edges[:-1]) / 2
    return Axis(WHICH, edges, categorical=True), middles[row.ravel()], patterns.T


def _axes(
    parameters: Sequence[Parameter], trials: Sequence[TrialRecord]
) -> tuple[list[Axis], dict[str, Place]]:
    """Return the axes of parameters, and where values are on them."""
    axes, places = [], {}
    for parameter in parameters:
        name = parameter.name
        seen = [trial.params[name] for trial in trials if name in trial.params]
        axis, place = _axis(parameter, seen)
        axes.append(axis)
        places[name] = place
    return axes, places


def _axis(parameter: Parameter, seen: Sequence[Any]) -> tuple[Axis, Place]:
    name = parameter.name
    if parameter.kind == "choice":
        n_levels = max(len(parameter.labels), 1)
        return Axis.of_levels(name, n_levels, categorical=True), partial(
            _choice, parameter.labels
        )
    if parameter.labels and seen:  # a list of numbers: each as likely as the others
        values = np.unique(np.array(seen, float))
        middles = (np.arange(len(values)) + 0.5) / len(values)
        return Axis.of_levels(name, len(values)), partial(_nearest, values, middles)
    whole = bool(seen) and all(isinstance(value, Integral) for value in seen)
    if whole and 0 < parameter.high - parameter.low < _MOST_INTEGERS:
        edges = _integer_edges(parameter)
        values = np.arange(round(parameter.low), round(parameter.high) + 1, dtype=float)
        return Axis(name, edges), partial(_nearest, values, (edges[1:] + edges[:-1]) / 2)
    return Axis(name), parameter.position


def _choice(labels: Sequence[str], value: Any) -> float:
    # Not `Parameter.position`, for which None is no choice.
    label = label_of(value)
    return (labels.index(label) + 0.5) / len(labels) if label in labels else math.nan


def _nearest(values: FloatArray, middles: FloatArray, value: Any) -> float:
    return float(middles[np.abs(values - float(value)).argmin()])


def _integer_edges(parameter: Parameter) -> FloatArray:
    """Return the ends of the integers' cells: of one width, or of one ratio if log."""
    ends = np.arange(round(parameter.low), round(parameter.high) + 2, dtype=float) - 0.5
    if parameter.log:
        ends = np.log(ends)
    edges: FloatArray = (ends - ends[0]) / (ends[-1] - ends[0])
    return edges
