"""A space as a model sees it: configs as rows of the unit cube, levels and conditions."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sk_hpo.space.dimension import Dimension
from sk_hpo.space.space import Space
from sk_hpo.surrogates.lattice import Dependency, Lattice
from sk_hpo.trial import Config

__all__ = ["Cube"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_MAX_LEVELS = 1024  # of an ordered dimension; of one with more, a part is suggested
_MAX_KNOWN = 100_000  # conversions that are remembered


class Cube:
    """The unit cube over a space.

    Parameters
    ----------
    space : Space
        Its d dimensions are the columns.

    Attributes
    ----------
    lattice : Lattice
        Which rows are configs.
    optional : ndarray of bool, shape (d,)
        Columns that have a condition, and so may be NaN.
    real : ndarray of int
        Columns that are continuous and always exist.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        dimensions = space.dimensions
        self.lattice = _lattice(space)
        self.optional: BoolArray = np.array([d.condition is not None for d in dimensions], bool)
        endless = [d.kind == "real" and d.condition is None for d in dimensions]
        self.real = np.flatnonzero(endless)
        # cdfs of scipy are slow
        self._rows: dict[Config, FloatArray] = {}
        self._configs: dict[bytes, Config] = {}

    def rows(self, configs: Iterable[Config]) -> FloatArray:
        """Return the rows (m, d) of `configs`, NaN where a parameter does not exist."""
        rows = [self._row(config) for config in configs]
        return np.array(rows).reshape(len(rows), len(self.optional))

    def _row(self, config: Config) -> FloatArray:
        row = self._rows.get(config)
        if row is None:
            _make_room(self._rows)
            row = self._rows[config] = self._space.to_cube(config)
        return row

    def config(self, row: FloatArray) -> Config:
        """Return the config at a row (d,) of the lattice."""
        key = row.tobytes()
        config = self._configs.get(key)
        if config is None:
            _make_room(self._configs)
            config = self._space.from_cube(np.where(np.isnan(row), 0.5, row))
            self._configs[key] = config
        return config

    def inside(self, row: FloatArray) -> bool:
        """Whether a continuous parameter that always exists is off its bounds.

        Such a row comes again once in 2**30 times: only corners need be compared.
        """
        coordinates = row[self.real]
        return bool(((coordinates > 0.0) & (coordinates < 1.0)).any())


def _make_room(known: dict[Config, FloatArray] | dict[bytes, Config]) -> None:
    if len(known) >= _MAX_KNOWN:
        known.clear()


def _lattice(space: Space) -> Lattice:
    """Return the levels, kinds and conditions of a space as arrays."""
    categorical = np.array([d.kind == "categorical" for d in space.dimensions], dtype=bool)
    levels = tuple(_levels(dimension) for dimension in space.dimensions)
    absent = _ByRun(space) if space.by_run else None
    return Lattice(levels, categorical, tuple(_dependencies(space)), absent)


@dataclass(frozen=True, slots=True, eq=False)
class _ByRun:
    """Tells what does not exist by making each row a config."""

    space: Space

    def __call__(self, rows: FloatArray) -> BoolArray:
        configs = map(self.space.from_cube, rows.tolist())
        absent = [[code is None for code in config] for config in configs]
        return np.array(absent, dtype=bool).reshape(rows.shape)


def _levels(dimension: Dimension) -> FloatArray | None:
    """Return the increasing places of a dimension's codes in [0, 1], None if continuous.

    Of a numeric dimension with more than 1024, those at 1024 evenly spaced quantiles.
    """
    if dimension.n_levels == math.inf:
        return None
    if dimension.n_levels <= _MAX_LEVELS or dimension.kind == "categorical":
        return np.array([dimension.to_unit(code) for code in dimension.domain.levels()])
    quantiles = (np.arange(_MAX_LEVELS) + 0.5) / _MAX_LEVELS
    return np.unique([dimension.to_unit(dimension.from_unit(float(u))) for u in quantiles])


def _dependencies(space: Space) -> list[Dependency]:
    """Return the clauses of all conditions, those of a parent before its children's."""
    ordered: list[Dependency] = []
    done: set[int] = set()

    def visit(j: int) -> None:
        if j in done:
            return
        done.add(j)
        condition = space.dimensions[j].condition
        for clause in condition.clauses if condition else ():
            visit(clause.dimension)
            to_unit = space.dimensions[clause.dimension].to_unit
            values = np.array([to_unit(code) for code in sorted(clause.codes)])
            ordered.append(Dependency(j, clause.dimension, values))

    for j in range(len(space.dimensions)):
        visit(j)
    return ordered
