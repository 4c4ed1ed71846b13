"""What may be tried: named dimensions, their conditions, and the unit cube.

``param_distributions`` in, configs out. Everything that decides works on configs (tuples
of codes) or on points of the unit cube; only `Space.params` knows the user's objects.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from sk_hpo.space.build import HIDDEN, nearest
from sk_hpo.space.by_run import ByRun
from sk_hpo.space.chooser import Chooser
from sk_hpo.space.conditional import Conditional
from sk_hpo.space.dimension import Dimension
from sk_hpo.space.domain import Code
from sk_hpo.space.structure import Structure
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
    param_distributions : dict, list of dicts, or callable
        Name of a parameter -> a list or one-dimensional array (any objects; numbers in
        increasing or decreasing order are ordinal), a frozen distribution with ``cdf``
        and ``ppf`` (any of `scipy.stats`, or `lograndint`), or `when` with one of these.
        Of a list of dicts, one is chosen with equal probability, then its parameters.
        Or a function that takes a `Chooser`, asks it for what it needs, and returns the
        parameters of the estimator.
    constraint : callable, default=None
        ``constraint(params) -> bool``: False rejects the config. It gets a dict of the
        active parameters, or what the function returned.

    Attributes
    ----------
    dimensions : tuple of Dimension
        Sorted by name within each dict. With several dicts the first dimension is hidden:
        it says which dict a config belongs to, and the others are conditional on it. Of a
        function, in the order in which they were met; a name has several if it is asked for
        with different definitions.

    Raises
    ------
    TypeError
        If something is not a dict, a list or a distribution; if a function does not return
        a dict.
    ValueError
        If a list is empty, a distribution's arguments are wrong, a condition cannot hold
        or goes in a circle, the constraint raises or rejects everything, or a function
        changes its mind. The message names the parameter.

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

    def __init__(
        self,
        param_distributions: (
            Mapping[str, Any]
            | Iterable[Mapping[str, Any]]
            | Callable[[Chooser], Mapping[str, Any]]
        ),
        constraint: Callable[[dict[str, Any]], bool] | None = None,
    ) -> None:
        self._structure: Structure = (
            ByRun(param_distributions)
            if callable(param_distributions) and not isinstance(param_distributions, Mapping)
            else Conditional(param_distributions)
        )
        self.constraint = constraint
        if constraint is not None:
            self.sample(np.random.default_rng(0))

    def __repr__(self) -> str:
        return f"Space({', '.join(self.names)})"

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """What may vary."""
        return self._structure.dimensions

    @property
    def by_run(self) -> bool:
        """Whether a function defines the space, so that only a run tells what exists."""
        return self._structure.by_run

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, each once, sorted."""
        return tuple(sorted({d.name for d in self.dimensions} - {HIDDEN}))

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of what the estimator gets; other than `names` if a function says so."""
        return self._structure.keys

    @property
    def combinations(self) -> float:
        """Number of configs before the constraint, `math.inf` if not finite.

        More than 4096 of a function are not counted and are `math.inf`, too.
        """
        return self._structure.combinations

    @cached_property
    def size(self) -> float:
        """Number of distinct configs: an int, or `math.inf` if not finite.

        Above 10**6 combinations the constraint is not counted.
        """
        if self.constraint is None or self.combinations > MAX_ENUMERATED:
            return self.combinations
        return sum(1 for _ in self.enumerate())

    def count(self) -> int:
        """Return the number of distinct configs of a finite space, however many.

        Raises
        ------
        ValueError
            If a parameter is continuous.
        """
        return sum(1 for _ in self.enumerate()) if math.isinf(self.size) else int(self.size)

    def objects(self, key: str | None = None) -> list[Any]:
        """Return the objects that the estimator's parameter `key`, None for any, may be.

        Those of categorical parameters; of a function also what it was seen to return, one
        of each type.
        """
        return self._structure.objects(key)

    @cached_property
    def default(self) -> Config | None:
        """The config of all defaults; None if there are none, or the constraint rejects it."""
        default = self._structure.default
        return default if default is not None and self.allows(default) else None

    def choices(self, name: str) -> list[Any]:
        """Return the objects that the categorical parameter `name` is chosen from."""
        return [
            dimension.value(code)
            for dimension in self.dimensions
            if dimension.name == name and dimension.kind == "categorical"
            for code in range(int(dimension.n_levels))
        ]

    @property
    def defaults(self) -> dict[str, Any]:
        """The default of each parameter that a function has asked for with one, by name."""
        return self._structure.defaults

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

    def from_cube(self, u: np.ndarray | Sequence[float]) -> Config:
        """Return the config at a point of the unit cube.

        Inactive coordinates are ignored; the constraint is not checked.

        Parameters
        ----------
        u : ndarray of shape (n_dimensions,)
            Clipped to [0, 1].
        """
        dimensions = self.dimensions
        return self._structure.complete(lambda i, _: dimensions[i].from_unit(u[i]))

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
        return self._structure.params(config)

    def values(self, config: Config) -> dict[str, Any]:
        """Return the active parameters by their `names`; the inverse of `config`.

        The same as `params`, but where a function defines the space.
        """
        return self._structure.values(config)

    def config(self, params: Mapping[str, Any]) -> Config:
        """Return the config of some parameters; the inverse of `values`.

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
                if self.by_run:
                    near += f". The function asks for {', '.join(map(repr, self.names))}"
                raise ValueError(f"Parameter {name!r} is not searched{near}")

    def _config_in_dict(self, params: Mapping[str, Any], chosen: int) -> Config:
        left = dict(params)

        def choose(i: int, default: Any) -> Code:
            dimension = self.dimensions[i]
            if dimension.name == HIDDEN:
                return chosen
            if dimension.name not in left:
                raise ValueError(f"Parameter {dimension.name!r} is missing")
            return dimension.code(left.pop(dimension.name))

        config = self._structure.complete(choose)
        if left:
            raise ValueError(f"Parameter {min(left)!r} does not exist under these conditions")
        return config

    def enumerate(self) -> Iterator[Config]:
        """Yield all allowed configs of a finite space, each once.

        The order is that of scikit-learn's ``ParameterGrid``: dict by dict, the last name
        varies fastest; of a function, what it asks for last.

        Raises
        ------
        ValueError
            If a parameter is continuous.
        """
        for dimension in self.dimensions:
            if math.isinf(dimension.n_levels):
                raise ValueError(f"Parameter {dimension.name!r} is continuous: no list of all")
        return filter(self.allows, self._structure.completions())

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
        for name in self.keys:
            prefixes = {name[:i] for i in range(len(name)) if name.startswith("__", i)}
            if name not in valid and not prefixes & set(self.keys):
                raise ValueError(
                    f"Invalid parameter {name!r}{nearest(name, valid) or '.'} Valid parameters"
                    f" are: {sorted(valid)}"
                )
