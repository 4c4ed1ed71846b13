"""What may be tried: named dimensions, their conditions, and the unit cube.

``param_distributions`` in, configs out. Everything that decides works on configs (tuples
of codes) or on points of the unit cube; only `Space.params` knows the user's objects.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np

from sk_hpo.space.build import HIDDEN, build_dimensions, nearest, topological_order
from sk_hpo.space.dimension import Dimension
from sk_hpo.trial import Config

__all__ = ["Space"]

# A finite space of no more configs than this may be enumerated to answer a question.
MAX_ENUMERATED = 10**6

# Draws before a constraint is taken to reject everything; a small space is
# enumerated after the first hundred.
_MAX_DRAWS = 10_000
_MAX_DRAWS_SMALL = 100


class Space:
    """The configs that may be tried.

    Parameters
    ----------
    param_distributions : dict, or list of dicts
        Name of a parameter -> a list or one-dimensional array (any objects; numbers in
        increasing or decreasing order are ordinal), a frozen distribution with ``cdf``
        and ``ppf`` (any of `scipy.stats`, or `lograndint`), or `when` with one of these.
        Of a list of dicts, one is chosen with equal probability, then its parameters.
    constraint : callable, default=None
        ``constraint(params) -> bool``: False rejects the config. It gets a dict of the
        active parameters.

    Attributes
    ----------
    dimensions : tuple of Dimension
        Sorted by name within each dict. With several dicts the first dimension is hidden:
        it says which dict a config belongs to, and the others are conditional on it.

    Raises
    ------
    TypeError
        If something is not a dict, a list or a distribution.
    ValueError
        If a list is empty, a distribution's arguments are wrong, a condition cannot hold
        or goes in a circle, or the constraint raises or rejects everything. The message
        names the parameter.

    Examples
    --------
    >>> from sk_hpo import Space, when
    >>> space = Space({
    ...     "alpha": [0.1, 0.2, 0.4],
    ...     "momentum": when([0.0, 0.9], solver="sgd"),
    ...     "solver": ["sgd", "adam"],
    ... })
    >>> space.size
    9
    >>> config = space.config({"solver": "adam", "alpha": 0.2})
    >>> config
    (1, None, 1)
    >>> space.params(config)
    {'alpha': 0.2, 'solver': 'adam'}
    >>> space.to_cube(config)
    array([0.5 ,  nan, 0.75])
    """

    dimensions: tuple[Dimension, ...]

    def __init__(
        self,
        param_distributions: Mapping[str, Any] | Iterable[Mapping[str, Any]],
        constraint: Callable[[dict[str, Any]], bool] | None = None,
    ) -> None:
        self.dimensions = build_dimensions(param_distributions)
        self.constraint = constraint
        self._order = topological_order(self.dimensions)
        if constraint is not None:
            self.sample(np.random.default_rng(0))

    def __repr__(self) -> str:
        return f"Space({', '.join(self.names)})"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, each once, sorted."""
        return tuple(sorted({d.name for d in self.dimensions} - {HIDDEN}))

    @cached_property
    def combinations(self) -> float:
        """Number of configs before the constraint, `math.inf` if not finite."""
        # What matters of a parent is only which conditions it meets, so its codes are
        # counted one by one where a condition names them and all together otherwise.
        named: dict[int, frozenset[int]] = {}
        for dimension in self.dimensions:
            for clause in dimension.condition.clauses if dimension.condition else ():
                seen = named.get(clause.dimension, frozenset())
                named[clause.dimension] = seen | clause.codes
        return self._count(self._order, [None] * len(self.dimensions), named)

    def _count(
        self,
        members: Sequence[int],
        codes: list[float | int | None],
        named: Mapping[int, frozenset[int]],
    ) -> float:
        """Count the configs of some dimensions in topological order, given earlier codes."""
        product: float = 1
        for first, *rest in self._connected(members):
            codes[first] = None
            if not self._active(first, codes):
                product *= self._count(rest, codes.copy(), named)
                continue
            others = self.dimensions[first].n_levels - len(named.get(first, ()))
            # Without a code, it is like any code that no condition names.
            total = others * self._count(rest, codes.copy(), named) if others else 0
            for code in named.get(first, ()):
                codes[first] = code
                total += self._count(rest, codes.copy(), named)
            product *= total
        return product

    def _connected(self, members: Sequence[int]) -> list[list[int]]:
        """Split dimensions into groups that no condition connects, each in its order."""
        groups: list[list[int]] = []
        for i in members:
            condition = self.dimensions[i].condition
            parents = {clause.dimension for clause in condition.clauses} if condition else set()
            joined = [group for group in groups if parents & set(group)]
            groups = [group for group in groups if group not in joined]
            groups.append([*chain.from_iterable(joined), i])
        position = {i: n for n, i in enumerate(members)}
        return [sorted(group, key=position.__getitem__) for group in groups]

    @cached_property
    def size(self) -> float:
        """Number of distinct configs: an int, or `math.inf` if not finite.

        Above 10**6 combinations the constraint is not counted.
        """
        if self.constraint is None or self.combinations > MAX_ENUMERATED:
            return self.combinations
        return sum(1 for _ in self.enumerate())

    def objects(self, name: str | None = None) -> list[Any]:
        """Return the values of the categorical parameters, or of the one of that `name`."""
        return [
            dimension.value(code)
            for dimension in self.dimensions
            if dimension.kind == "categorical" and dimension.name != HIDDEN
            if name in (None, dimension.name)
            for code in range(int(dimension.n_levels))
        ]

    def sample(self, rng: np.random.Generator) -> Config:
        """Draw a config that the constraint accepts.

        Parameters
        ----------
        rng : numpy.random.Generator
            The only source of randomness.

        Raises
        ------
        ValueError
            If the constraint rejects everything.
        """
        small = self.combinations <= MAX_ENUMERATED
        for _ in range(_MAX_DRAWS_SMALL if small else _MAX_DRAWS):
            config = self.from_cube(rng.random(len(self.dimensions)))
            if self.allows(config):
                return config
        if small and self._allowed:
            return self._allowed[rng.integers(len(self._allowed))]
        drawn = "every config" if small else f"each of {_MAX_DRAWS} random configs"
        raise ValueError(f"The constraint {self._constraint_name} rejects {drawn}")

    @cached_property
    def _allowed(self) -> tuple[Config, ...]:
        return tuple(self.enumerate())

    def to_cube(self, config: Config) -> np.ndarray:
        """Return a point that `from_cube` takes back to `config`.

        Returns
        -------
        u : ndarray of shape (n_dimensions,)
            In [0, 1]; NaN where the config has no parameter.
        """
        pairs = zip(self.dimensions, config, strict=True)
        return np.array([math.nan if c is None else d.to_unit(c) for d, c in pairs])

    def from_cube(self, u: np.ndarray) -> Config:
        """Return the config at a point of the unit cube.

        Inactive coordinates are ignored; the constraint is not checked.

        Parameters
        ----------
        u : ndarray of shape (n_dimensions,)
            Clipped to [0, 1].
        """
        codes: list[float | int | None] = [None] * len(self.dimensions)
        for i in self._order:
            if self._active(i, codes):
                codes[i] = self.dimensions[i].from_unit(u[i])
        return tuple(codes)

    def _active(self, i: int, codes: Sequence[float | int | None]) -> bool:
        condition = self.dimensions[i].condition
        return condition is None or condition.holds(codes)

    def allows(self, config: Config) -> bool:
        """Whether the constraint accepts a config; ValueError if the constraint raises."""
        if self.constraint is None:
            return True
        params = self.params(config)
        try:
            return bool(self.constraint(params))
        except Exception as error:
            raise ValueError(
                f"The constraint {self._constraint_name} raised {type(error).__name__}:"
                f" {error} (for {params}; a conditional parameter is absent while its"
                " condition is false, so use params.get)"
            ) from error

    @property
    def _constraint_name(self) -> str:
        return getattr(self.constraint, "__qualname__", repr(self.constraint))

    def params(self, config: Config) -> dict[str, Any]:
        """Return the active parameters, as for ``estimator.set_params``."""
        pairs = zip(self.dimensions, config, strict=True)
        return {d.name: d.value(c) for d, c in pairs if c is not None and d.name != HIDDEN}

    def config(self, params: Mapping[str, Any]) -> Config:
        """Return the config of some parameters; the inverse of `params`.

        A number from a continuous distribution is kept as it is. The constraint is not
        checked.

        Parameters
        ----------
        params : mapping
            Every active parameter, and no other.

        Raises
        ------
        ValueError
            If a parameter is missing, unknown, inactive or has an impossible value.
        """
        self._check_known(params)
        n_dicts = int(self.dimensions[0].n_levels) if self._several_dicts else 1
        problems = []
        for chosen in range(n_dicts):
            try:
                return self._config_in_dict(params, chosen)
            except ValueError as error:
                problems.append(str(error))
        if n_dicts == 1:
            raise ValueError(problems[0])
        listed = "; ".join(f"dict {i}: {p}" for i, p in enumerate(problems))
        raise ValueError(f"{dict(params)} fits none of the dicts: {listed}")

    @property
    def _several_dicts(self) -> bool:
        return bool(self.dimensions) and self.dimensions[0].name == HIDDEN

    def _check_known(self, params: Mapping[str, Any]) -> None:
        for name in params:
            if name not in self.names:
                near = nearest(name, self.names)
                raise ValueError(f"Parameter {name!r} is not searched{near}")

    def _config_in_dict(self, params: Mapping[str, Any], chosen: int) -> Config:
        codes: list[float | int | None] = [None] * len(self.dimensions)
        left = dict(params)
        for i in self._order:
            dimension = self.dimensions[i]
            if dimension.name == HIDDEN:
                codes[i] = chosen
            elif self._active(i, codes):
                if dimension.name not in left:
                    raise ValueError(f"Parameter {dimension.name!r} is missing")
                codes[i] = dimension.code(left.pop(dimension.name))
        if left:
            raise ValueError(f"Parameter {min(left)!r} does not exist under these conditions")
        return tuple(codes)

    def enumerate(self) -> Iterator[Config]:
        """Yield all allowed configs of a finite space, each once.

        The order is that of scikit-learn's ``ParameterGrid``: dict by dict, the last name
        varies fastest.

        Raises
        ------
        ValueError
            If a parameter is continuous.
        """
        for dimension in self.dimensions:
            if math.isinf(dimension.n_levels):
                raise ValueError(f"Parameter {dimension.name!r} is continuous: no list of all")
        return filter(self.allows, self._completions([None] * len(self.dimensions), 0))

    def _completions(self, codes: list[float | int | None], start: int) -> Iterator[Config]:
        if start == len(self._order):
            yield tuple(codes)
            return
        i = self._order[start]
        levels = self.dimensions[i].domain.levels() if self._active(i, codes) else (None,)
        for codes[i] in levels:
            yield from self._completions(codes, start + 1)
        codes[i] = None

    def check_names(self, valid: Iterable[str]) -> None:
        """Raise ValueError for a parameter that the estimator does not have.

        The parameters of a searched step (``clf__C`` where ``clf`` is searched) are not
        checked: they depend on what the step will be.

        Parameters
        ----------
        valid : iterable of str
            ``estimator.get_params()``.
        """
        valid = set(valid)
        for name in self.names:
            prefixes = {name[:i] for i in range(len(name)) if name.startswith("__", i)}
            if name not in valid and not prefixes & set(self.names):
                raise ValueError(
                    f"Invalid parameter {name!r}{nearest(name, valid) or '.'} Valid parameters"
                    f" are: {sorted(valid)}"
                )
