"""Spaces that are functions: which parameters exist, only a run of the function tells.

The function is explored first, so that a space has its dimensions before the search begins,
as samplers need them. From then on it is run whenever a config is made or read, and must do
what it did before.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import Any

from sk_hpo.space.catalogue import Catalogue
from sk_hpo.space.chooser import Chooser
from sk_hpo.space.domain import Code
from sk_hpo.space.exploration import explore, leaves
from sk_hpo.space.run import Memory, Run, changed, standard
from sk_hpo.space.structure import Choose, Structure
from sk_hpo.trial import Config

__all__ = ["ByRun"]

_MAX_COUNTED = 4096  # configs: each costs a run
_AGAIN = 64  # runs of the exploration that are repeated, to see that they are the same
_PLAIN = (bool, int, float, str, bytes, type(None), list, tuple, dict)


class ByRun(Structure):
    """The structure of a function.

    A dimension that was met in every run of the exploration always has a code, even where
    the function then does not ask for it. One that was not met at all is none: where it is
    asked for, the function gets its default.

    Parameters
    ----------
    function : callable
        Takes a `Chooser`, returns the parameters of the estimator.

    Raises
    ------
    TypeError, ValueError
        As `sk_hpo.space.space.Space` says.
    """

    by_run = True

    def __init__(self, function: Callable[[Chooser], Mapping[str, Any]]) -> None:
        self.function = function
        self._catalogue = Catalogue()
        self._memory = Memory()
        self._late: set[str] = set()
        runs = explore(self._recorded, self._catalogue.dimensions)
        met = [{j for j, _ in run.path} for run in runs]
        optional = set().union(*met) - met[0].intersection(*met)
        self.dimensions = self._catalogue.closed(optional)
        self.keys = tuple(sorted({key for run in runs for key in run.returned}))
        self._choices = [
            dimension.value(code)
            for dimension in self.dimensions
            if dimension.kind == "categorical"
            for code in range(int(dimension.n_levels))
        ]
        self._objects = _objects((run.returned for run in runs), self._choices)
        for run in runs[:_AGAIN]:
            self._recorded(_replay(dict(run.path)))

    def __getstate__(self) -> dict[str, Any]:
        # What was returned may be large, and can be had again.
        return self.__dict__ | {"_memory": Memory()}

    def _recorded(self, choose: Choose) -> Run:
        return Run(
            self.function, self._catalogue, self._memory, choose, self._warn, record=True
        )

    def _run(self, choose: Choose) -> Run:
        return Run(self.function, self._catalogue, self._memory, choose)

    def _warn(self, name: str, value: Any) -> None:
        """Warn once of a parameter that exploration has not met."""
        if name not in self._late:
            self._late.add(name)
            warnings.warn(
                f"The space asks for the parameter {name!r} only in a rare case, which was not"
                f" met when it was explored. It is not searched: it is {value!r} there. To have"
                " it searched, ask for it always, before the case is known.",
                UserWarning,
                stacklevel=2,
            )

    def complete(self, choose: Choose) -> Config:
        return self._config(self._run(choose))

    def _config(self, run: Run) -> Config:
        codes: list[Code | None] = [
            standard(dimension, None) if dimension.condition is None else None
            for dimension in self.dimensions
        ]
        for j, code in run.path:
            codes[j] = code
        return tuple(codes)

    def _leaves(self) -> Iterator[Run]:
        def levels(j: int) -> Sequence[int]:
            codes: Sequence[int] = self.dimensions[j].domain.levels()  # type: ignore[assignment]
            return codes

        return leaves(self._run, levels)

    def completions(self) -> Iterator[Config]:
        return map(self._config, self._leaves())

    @cached_property
    def combinations(self) -> float:
        """Number of configs; `math.inf` if not finite, or more than 4096."""
        if any(math.isinf(dimension.n_levels) for dimension in self.dimensions):
            return math.inf
        n = sum(1 for _ in islice(self._leaves(), _MAX_COUNTED + 1))
        return math.inf if n > _MAX_COUNTED else n

    def values(self, config: Config) -> dict[str, Any]:
        return self._read(config).values

    def params(self, config: Config) -> dict[str, Any]:
        return dict(self._read(config).returned)

    def _read(self, config: Config) -> Run:
        def choose(j: int, _: Any) -> Code:
            code = config[j]
            if code is None:
                raise changed([self.dimensions[j].name], "it did not ask for that before")
            return code

        run = self._recorded(choose)
        asked = {j for j, _ in run.path}
        for j, dimension in enumerate(self.dimensions):
            if config[j] is not None and dimension.condition is not None and j not in asked:
                raise changed([dimension.name], "it asked for that before, and not now")
        return run

    def objects(self, key: str | None) -> list[Any]:
        if key is not None:
            return self._objects.get(key, [])
        found = [value for values in self._objects.values() for value in values]
        return list({id(value): value for value in (*found, *self._choices)}.values())

    @property
    def defaults(self) -> dict[str, Any]:
        return self._catalogue.defaults

    @cached_property
    def default(self) -> Config | None:
        """The config of all defaults, None if nothing has one."""
        if not self.defaults:
            return None
        return self.complete(lambda j, default: standard(self.dimensions[j], default))


def _replay(codes: Mapping[int, Code]) -> Choose:
    return lambda j, _: codes[j]


def _objects(
    returned: Iterable[Mapping[str, Any]], choices: Iterable[Any]
) -> dict[str, list[Any]]:
    """Return what each key may be: of choices and classes all, of others one of each type."""
    chosen = set(map(id, choices))
    found: dict[str, dict[Any, Any]] = {}
    for one in returned:
        for key, value in one.items():
            if isinstance(value, _PLAIN):
                continue
            own = id(value) in chosen or isinstance(value, type)
            found.setdefault(key, {}).setdefault(id(value) if own else type(value), value)
    return {key: list(values.values()) for key, values in found.items()}
