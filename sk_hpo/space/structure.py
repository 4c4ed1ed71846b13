"""What a space is made of: dimensions, and which of them a config has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

from sk_hpo.space.dimension import Dimension
from sk_hpo.space.domain import Code
from sk_hpo.trial import Config

__all__ = ["Choose", "Structure"]

# Position of a dimension, and the default that it is asked for with (None for none) -> code.
Choose = Callable[[int, Any], Code]


class Structure(ABC):
    """Knows which parameters exist beside which others, and what the estimator gets.

    Attributes
    ----------
    dimensions : tuple of Dimension
        The d dimensions.
    keys : tuple of str
        Names of what `params` returns, each once, sorted.
    by_run : bool
        Whether only a run of the user's function tells which dimensions a config has.
    """

    dimensions: tuple[Dimension, ...]
    keys: tuple[str, ...]
    by_run: bool

    @abstractmethod
    def complete(self, choose: Choose) -> Config:
        """Return the config whose codes `choose` gives, asked for those that exist only."""

    @abstractmethod
    def completions(self) -> Iterator[Config]:
        """Yield all configs, the last dimension varying fastest; no dimension is real."""

    @property
    @abstractmethod
    def combinations(self) -> float:
        """Number of configs, `math.inf` if not finite or too many to be counted."""

    @abstractmethod
    def values(self, config: Config) -> dict[str, Any]:
        """Return the values of the dimensions that exist, by their names."""

    @abstractmethod
    def params(self, config: Config) -> dict[str, Any]:
        """Return what goes to ``estimator.set_params``."""

    @abstractmethod
    def objects(self, key: str | None) -> list[Any]:
        """Return the objects that the parameter `key`, None for any, may be."""

    @property
    @abstractmethod
    def defaults(self) -> dict[str, Any]:
        """The defaults that there are, by name; the first that was met of several."""

    @property
    @abstractmethod
    def default(self) -> Config | None:
        """The config of all defaults, None if nothing has one."""
