"""The parameters that a function asks for, each with a dimension of its own."""

from __future__ import annotations

from collections.abc import Container, Hashable
from dataclasses import replace
from typing import Any

from sk_hpo.space.build import free_dimension
from sk_hpo.space.chooser import Ask
from sk_hpo.space.condition import Asked
from sk_hpo.space.dimension import Dimension
from sk_hpo.space.equality import equal

__all__ = ["Catalogue", "make_dimension"]

_MAX_DEFINITIONS = 32  # of one name
_MAX_DIMENSIONS = 1000


class Catalogue:
    """Dimensions by what was asked for; a name with two definitions has two.

    Attributes
    ----------
    asks : list of Ask
        The first that led to each dimension.
    dimensions : list of Dimension
        In the order in which they were met.
    open : bool
        Whether what is new becomes a dimension.
    defaults : dict of str to object
        The first default of each name that was asked for with one while open.
    """

    def __init__(self) -> None:
        self.asks: list[Ask] = []
        self.dimensions: list[Dimension] = []
        self.open = True
        self.defaults: dict[str, Any] = {}
        self._by_key: dict[Hashable, int] = {}
        self._by_name: dict[str, list[int]] = {}

    def place(self, ask: Ask, default: Any) -> int | str:
        """Return the position of what is asked for; its name if it is new, but not open.

        Raises
        ------
        TypeError, ValueError
            If it is new and wrong, or the one too many, or has a wrong default; names the
            parameter.
        """
        j = self._find(ask)
        if not self.open:
            return ask.name if j is None else j
        if j is None:
            j = self._add(ask)
        if default is not None:
            self.dimensions[j].code(default)
            self.defaults.setdefault(ask.name, default)
        return j

    def name(self, asked: int | str) -> str:
        """Return the name of what `place` returned."""
        return asked if isinstance(asked, str) else self.asks[asked].name

    def told(self, asked: int | str) -> str:
        """Return what `place` returned, as a text."""
        return repr(asked) if isinstance(asked, str) else str(self.asks[asked])

    def _find(self, ask: Ask) -> int | None:
        key = ask.key
        if key is not None:
            return self._by_key.get(key)
        for j in self._by_name.get(ask.name, ()):
            known = self.asks[j]
            if known.method == ask.method and equal(known.args, ask.args):
                return j
        return None

    def _add(self, ask: Ask) -> int:
        dimension = make_dimension(ask)
        known = self._by_name.setdefault(ask.name, [])
        if len(known) == _MAX_DEFINITIONS:
            raise ValueError(
                f"Parameter {ask.name!r} has more than {_MAX_DEFINITIONS} definitions, the"
                f" last ones {self.asks[known[-1]]} and {ask}: they seem to depend on the value"
                " of another parameter. Ask for a share of the range, as in"
                f" t.float('{ask.name}_share', 0, 1), and compute the value from that. Objects"
                " among choices must be equal from one run to the next: make them outside of"
                " the function."
            )
        if len(self.dimensions) == _MAX_DIMENSIONS:
            raise ValueError(
                f"The space asks for more than {_MAX_DIMENSIONS} parameters, the last one"
                f" {ask.name!r}. Is there a value in its name?"
            )
        j = len(self.dimensions)
        known.append(j)
        if ask.key is not None:
            self._by_key[ask.key] = j
        self.asks.append(ask)
        self.dimensions.append(dimension)
        return j

    def closed(self, optional: Container[int]) -> tuple[Dimension, ...]:
        """Return all dimensions, with a condition if they are optional; end `open`."""
        self.open = False
        for j, dimension in enumerate(self.dimensions):
            if j in optional:
                self.dimensions[j] = replace(dimension, condition=Asked())
        return tuple(self.dimensions)


def make_dimension(ask: Ask) -> Dimension:
    """Return the dimension that is asked for; errors name the parameter."""
    if not isinstance(ask.name, str) or not ask.name:
        raise TypeError(f"A parameter's name must be a str, not {ask.name!r}")
    try:
        distribution = ask.distribution()
    except (TypeError, ValueError) as error:
        raise type(error)(f"Parameter {ask.name!r}: {error}") from None
    return free_dimension(ask.name, distribution)
