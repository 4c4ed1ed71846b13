"""What a sampler has learned, for people: parameters in, predicted scores out."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations
from numbers import Real
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sk_hpo.space.domain import Domain
from sk_hpo.space.space import Space
from sk_hpo.trial import Config

__all__ = ["Model", "Surrogate"]

FloatArray = NDArray[np.float64]


class Model(Protocol):
    """Predicts scores of configs."""

    def predict(self, configs: Sequence[Config]) -> tuple[FloatArray, FloatArray]:
        """Return mean (n,) and standard deviation (n,), in units of the score."""


class Surrogate:
    """A model of the score as a function of the parameters.

    Parameters
    ----------
    space : Space
        What was searched.
    model : Model
        What predicts.
    ignored : collection of str, default=()
        Names that `predict` accepts and does not read: parameters that are not searched
        and yet listed in ``cv_results_["params"]``, as a resource may be.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.stats import uniform
    >>> from sk_hpo.samplers.surrogate import Surrogate
    >>> from sk_hpo.space.space import Space
    >>> class Identity:
    ...     def predict(self, configs):
    ...         return np.array([x for x, in configs]), np.full(len(configs), 0.1)
    >>> surrogate = Surrogate(Space({"x": uniform(0, 1)}), Identity())
    >>> mean, sd = surrogate.predict([{"x": 0.25}, {"x": 0.5}], return_std=True)
    >>> mean
    array([0.25, 0.5 ])
    """

    def __init__(self, space: Space, model: Model, ignored: Collection[str] = ()) -> None:
        self.space = space
        self.model = model
        self.ignored = ignored

    def predict(
        self, params: Any, return_std: bool = False
    ) -> FloatArray | tuple[FloatArray, FloatArray]:
        """Return the predicted score of each of some parameters.

        Parameters
        ----------
        params : list of dict, or DataFrame
            As ``cv_results_["params"]``, or with one row for each such dict: a cell is
            empty (None or NaN) where a parameter does not exist, and a whole number may be
            a float. Where a function defines the space, by the names that it asks for.
        return_std : bool, default=False
            Whether to return standard deviations too, as scikit-learn's
            `GaussianProcessRegressor` does.

        Returns
        -------
        mean : ndarray of shape (n,)
            In units of the score.
        sd : ndarray of shape (n,)
            Only if `return_std`.

        Raises
        ------
        TypeError
            If `params` holds something else than dicts.
        ValueError
            If parameters are unknown, missing, or not in the space; says which, and where.
        """
        mean, sd = self.model.predict(self._configs(params))
        return (mean, sd) if return_std else mean

    def _configs(self, params: Any) -> list[Config]:
        is_frame = hasattr(params, "columns")
        configs = []
        for i, row in enumerate(_rows(params) if is_frame else params):
            if not isinstance(row, Mapping):
                raise TypeError(f"params must be a list of dicts; params[{i}] is {row!r}")
            read = {name: value for name, value in row.items() if name not in self.ignored}
            try:
                configs.append(self._of_cells(read) if is_frame else self.space.config(read))
            except ValueError as error:
                raise ValueError(f"params[{i}]: {error}") from None
        return configs

    def _of_cells(self, row: Mapping[str, Any]) -> Config:
        """Return the config of a row, whose columns had to find a type for all rows."""
        filled = {n: self._number(n, value) for n, value in row.items() if not _empty(value)}
        # An empty cell is a parameter that does not exist, or has the value None.
        nothing = {
            name: value
            for name in row.keys() - filled.keys()
            for value in self.space.choices(name)
            if _empty(value)
        }
        problems = []
        for n in range(len(nothing), -1, -1):
            for names in combinations(sorted(nothing), n):
                try:
                    return self.space.config(filled | {name: nothing[name] for name in names})
                except ValueError as error:
                    problems.append(error)
        raise problems[0]

    def _number(self, name: str, value: Any) -> Any:
        """Return the equal int or float where only that is in the space."""
        if isinstance(value, bool) or not isinstance(value, Real) or value % 1:
            return value
        domains = [d.domain for d in self.space.dimensions if d.name == name]
        twins = (value, round(value), float(value))
        return next((twin for twin in twins if _fits(twin, domains)), value)


def _fits(value: Any, domains: Iterable[Domain]) -> bool:
    for domain in domains:
        try:
            domain.code(value)
        except ValueError:
            continue
        return True
    return False


def _rows(frame: Any) -> list[dict[str, Any]]:
    """Return the rows of a DataFrame, of pandas or any other kind that has columns."""
    columns = {name: list(frame[name]) for name in frame.columns}
    return [{name: cells[i] for name, cells in columns.items()} for i in range(len(frame))]


def _empty(value: Any) -> bool:
    return (
        value is None
        or (isinstance(value, Real) and math.isnan(value))
        or type(value).__name__ == "NAType"  # of pandas, which is not imported here
    )
