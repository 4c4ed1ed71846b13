"""What a function that defines a space is given: it asks for parameters by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from decimal import Decimal
from fractions import Fraction
from numbers import Integral, Real
from typing import Any, NamedTuple, TypeAlias

from scipy.stats import loguniform, randint, uniform

from sk_hpo.space.distribution import lograndint

__all__ = ["Ask", "Chooser"]

# The types that the methods of a Chooser hide within their class.
_Int: TypeAlias = int
_Float: TypeAlias = float

_MAX_STEPS = 10_000  # values of a range with a step

_PLAIN = (str, int, float, bool, bytes, type(None))


class Ask(NamedTuple):
    """A parameter's name and what it may be.

    Two that are equal are the same parameter; see `key`.
    """

    name: str
    method: str
    args: tuple[Any, ...]

    def __str__(self) -> str:
        if self.method == "boolean":
            return f"t.boolean({self.name!r})"
        if self.method == "categorical":
            return f"t.categorical({self.name!r}, {list(self.args)!r})"
        low, high, log, step = self.args
        more = (", log=True" if log else "") + ("" if step is None else f", step={step!r}")
        return f"t.{self.method}({self.name!r}, {low!r}, {high!r}{more})"

    @property
    def key(self) -> Hashable:
        """What tells it from others at once; None for a list of objects."""
        if self.method != "categorical":
            return self
        if all(type(value) in _PLAIN and value == value for value in self.args):  # no NaN
            return self, tuple(map(type, self.args))  # True is not 1
        return None

    def distribution(self) -> Any:
        """Return the list or distribution, as a dict would have it.

        Raises
        ------
        TypeError, ValueError
            If the arguments are wrong; does not name the parameter.
        """
        if self.method == "boolean":
            return [False, True]
        if self.method == "categorical":
            return list(self.args)
        low, high, log, step = self.args
        for what, bound in {"low": low, "high": high, "step": step}.items():
            if what != "step" or step is not None:
                _check_number(what, bound, whole=self.method == "int")
        if not low <= high:
            raise ValueError(f"low={low!r} is above high={high!r}")
        if log and low <= 0:
            raise ValueError(f"low={low!r} must be above 0 with log=True")
        return _integers(*self.args) if self.method == "int" else _reals(*self.args)


def _check_number(what: str, value: Any, whole: bool) -> None:
    if isinstance(value, bool) or not isinstance(value, Integral if whole else Real):
        number = "an integer" if whole else "a number"
        raise TypeError(f"{what} must be {number}, not {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"{what} must be finite, not {value!r}")


def _integers(low: _Int, high: _Int, log: bool, step: _Int | None) -> Any:
    low, high = int(low), int(high)
    if step is None or (step == 1 and not log):
        return lograndint(low, high + 1) if log else randint(low, high + 1)
    return [int(value) for value in _steps(low, high, int(step), log)]


def _reals(low: _Float, high: _Float, log: bool, step: _Float | None) -> Any:
    low, high = float(low), float(high)
    if step is not None:
        # What is written 0.1 is meant, not the binary number next to it: no 0.30000000000004.
        first, last, by = (Fraction(Decimal(repr(float(x)))) for x in (low, high, step))
        return [float(value) for value in _steps(first, last, by, log)]
    if low == high:
        return [low]
    return loguniform(low, high) if log else uniform(low, high - low)


def _steps(low: Any, high: Any, step: Any, log: bool) -> list[Any]:
    """Return low, low + step, ... up to high; with `log`, low, low * step, ..."""
    if step <= (1 if log else 0):
        above = "1, by which values are multiplied with log=True" if log else "0"
        raise ValueError(f"step={float(step):g} must be above {above}")
    values = [low]
    while (following := values[-1] * step if log else values[-1] + step) <= high:
        values.append(following)
        if len(values) > _MAX_STEPS:
            raise ValueError(
                f"step={float(step):g} gives more than {_MAX_STEPS} values: leave it out, or"
                " make it larger"
            )
    return values


class Chooser:
    """Gives a value for each parameter that a space's function asks for.

    A function that takes one and returns a dict is a space: whatever it asks for is searched,
    and what it returns goes to ``estimator.set_params``. Loops and branches make parameters
    that exist only beside some values of others. Names are the function's own; they need not
    be parameters of the estimator. Asking twice for the same parameter gives the same value.

    The function is run often, by the process that runs the search and by no worker, and must
    return the same for the same values: no random numbers, no counters. `default` says what
    is tried first; None is no default. The middle of its range, or the first of its choices,
    then stands in where another parameter has one.

    Parameters
    ----------
    answer : callable
        ``answer(ask, default)`` returns the value; made by `sk_hpo.space.by_run.ByRun`.

    Examples
    --------
    >>> from sk_hpo import Space
    >>> def layers(t):
    ...     n = t.int("n_layers", 1, 2)
    ...     return {"hidden_layer_sizes": [t.int(f"units_{i}", 8, 9) for i in range(n)]}
    >>> space = Space(layers)
    >>> space.names, space.size
    (('n_layers', 'units_0', 'units_1'), 6)
    >>> config = space.config({"n_layers": 2, "units_0": 9, "units_1": 8})
    >>> space.params(config)
    {'hidden_layer_sizes': [9, 8]}
    """

    def __init__(self, answer: Callable[[Ask, Any], Any]) -> None:
        self._answer = answer

    def int(
        self,
        name: str,
        low: _Int,
        high: _Int,
        *,
        log: bool = False,
        step: _Int | None = None,
        default: _Int | None = None,
    ) -> _Int:
        """Return an integer.

        Parameters
        ----------
        name : str
            What the parameter is called.
        low, high : int
            The least and the greatest value; both are possible.
        log : bool, default=False
            Whether small values are as likely as large ones on a logarithmic scale.
        step : int, default=None
            Difference of two neighbours: low, low + step, ...; with `log`, their ratio, so
            that ``t.int("units", 16, 256, log=True, step=2)`` is a power of two.
        default : int, default=None
            What is tried first.
        """
        value: _Int = self._answer(Ask(name, "int", (low, high, log, step)), default)
        return value

    def float(
        self,
        name: str,
        low: _Float,
        high: _Float,
        *,
        log: bool = False,
        step: _Float | None = None,
        default: _Float | None = None,
    ) -> _Float:
        """Return a float; the arguments are those of `int`."""
        value: _Float = self._answer(Ask(name, "float", (low, high, log, step)), default)
        return value

    def categorical(self, name: str, choices: Sequence[Any], default: Any = None) -> Any:
        """Return one of some objects, the object itself.

        Parameters
        ----------
        name : str
            What the parameter is called.
        choices : list, tuple or one-dimensional array
            Any objects. Numbers in increasing or decreasing order are neighbours to a model.
        default : object, default=None
            What is tried first, one of `choices`.
        """
        if isinstance(choices, str) or not hasattr(choices, "__iter__"):
            raise TypeError(
                f"Parameter {name!r}: choices must be a list or a tuple, not {choices!r}"
            )
        return self._answer(Ask(name, "categorical", tuple(choices)), default)

    def boolean(self, name: str, default: bool | None = None) -> bool:
        """Return True or False."""
        value: bool = self._answer(Ask(name, "boolean", ()), default)
        return value
