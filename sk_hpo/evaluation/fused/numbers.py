"""Hyperparameters of K models in the place of one: torch's optimizers step with them unawares.

An optimizer multiplies by its learning rate in a few places only, always by functions of
tensors. Those of a `Parameters` do it row by row if they are given `Numbers`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import torch

__all__ = ["Numbers", "Parameters", "Squares", "root_is_lost", "rounds_alike"]


def _with(operation: Callable[[Any, Any], Any]) -> Callable[[Numbers, Any], Any]:
    def apply(self: Numbers, other: Any) -> Any:
        if isinstance(other, Numbers):
            return Numbers(operation(self.values, other.values))
        if isinstance(other, (int, float)):
            return Numbers(operation(self.values, other))
        return NotImplemented

    return apply


def _reflected(operation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda a, b: operation(b, a)


class Numbers(float):
    """A number of each of K models; for whoever looks at it as one number, the first.

    Either all of them are zero or none is.

    Parameters
    ----------
    values : ndarray of float64 of shape (K,)

    Examples
    --------
    >>> (1 - Numbers(np.array([0.25, 0.5])) / 2).values
    array([0.875, 0.75 ])
    """

    values: np.ndarray
    _negative: Numbers | None
    _column: torch.Tensor | None

    def __new__(cls, values: np.ndarray) -> Numbers:
        self = super().__new__(cls, values[0])
        self.values = values
        self._negative = self._column = None  # made when asked for, and then at every step
        return self

    def __neg__(self) -> Numbers:
        if self._negative is None:
            self._negative = Numbers(-self.values)
        return self._negative

    def __pow__(self, *other: Any) -> Any:
        raise TypeError("numpy's powers of several numbers may round as no single one does")

    __rpow__ = __pow__
    __add__ = __radd__ = _with(operator.add)
    __mul__ = __rmul__ = _with(operator.mul)
    __sub__ = _with(operator.sub)
    __rsub__ = _with(_reflected(operator.sub))
    __truediv__ = _with(operator.truediv)
    __rtruediv__ = _with(_reflected(operator.truediv))

    def column(self, like: torch.Tensor) -> torch.Tensor:
        """Return the numbers as a tensor of shape (K, 1)."""
        kept = self._column
        if kept is None or kept.dtype != like.dtype or kept.device != like.device:
            kept = self._column = torch.from_numpy(self.values).to(like).unsqueeze(1)
        return kept


class Parameters(torch.Tensor):
    """The parameters, gradients or states of K models, a row each, that take `Numbers`.

    Examples
    --------
    >>> weights = torch.ones(2, 3).as_subclass(Parameters)
    >>> weights.add_(torch.ones(2, 3), alpha=-Numbers(np.array([0.25, 0.5])))
    Parameters([[0.7500, 0.7500, 0.7500],
                [0.5000, 0.5000, 0.5000]])
    """

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        given = next((a for a in (*args[1:], *kwargs.values()) if isinstance(a, Numbers)), None)
        with torch._C.DisableTorchFunctionSubclass():
            if given is None:
                result = func(*args, **kwargs)
            else:
                result = _with_numbers(func, args, kwargs, given)
            if isinstance(result, torch.Tensor) and not isinstance(result, Parameters):
                return result.as_subclass(cls) if result.ndim else result
            return result


def _with_numbers(func: Any, args: Any, kwargs: Any, given: Numbers) -> Any:
    """Call `func` with other arguments that come to the same, or refuse."""
    x, *others = args
    column = given.column(x)
    inplace = func.__name__.endswith("_")
    match func.__name__.strip("_"), others, kwargs:
        case ("mul", [Numbers()], {}) if not kwargs:
            return func(x, column)
        case ("add", [torch.Tensor() as other], {"alpha": Numbers()}):
            return (x.addcmul_ if inplace else x.addcmul)(other, column)
        case ("addcdiv", [torch.Tensor() as a, torch.Tensor() as b], {"value": Numbers()}):
            return (x.addcdiv_ if inplace else x.addcdiv)(a * column, b)
    raise TypeError(f"{func.__name__} takes one number for all models")


_FLOOR = 2.0**-120


class Squares(Parameters):
    """Means of squares, of which an optimizer only wants the root plus an eps that drowns it.

    MKL takes five times as long for the root of 0, which is common where a unit or an input
    is dead, and 30 times for numbers next to it. So such are raised to a floor whose root
    `root_is_lost`: the sum stays the same.

    Examples
    --------
    >>> squares = torch.tensor([0.0, 1e-40, 4.0])
    >>> raised = squares.as_subclass(Squares).sqrt()
    >>> bool((raised + 1e-8 == squares.sqrt() + 1e-8).all())
    True
    """

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if func is torch.Tensor.sqrt:
            with torch._C.DisableTorchFunctionSubclass():
                return args[0].as_subclass(torch.Tensor).clamp_min(_FLOOR).sqrt_()
        return super().__torch_function__(func, types, args, kwargs)


@lru_cache(maxsize=64)
def root_is_lost(eps: float, divisor: float, dtype: torch.dtype) -> bool:
    """Whether roots of what `Squares` raises, over `divisor` or more, leave `eps` as it is."""
    root = torch.tensor([_FLOOR], dtype=dtype).sqrt_()
    return bool((root / divisor).add_(eps) == torch.zeros_like(root).add_(eps))


@lru_cache(maxsize=16)
def rounds_alike(dtype: torch.dtype, device: torch.device) -> bool:
    """Whether `Numbers` give, on this machine, the bits that each number gives by itself."""
    generator = torch.Generator().manual_seed(0)
    a, b, c = torch.randn(3, 3, 1009, generator=generator, dtype=dtype).to(device)
    numbers = Numbers(np.array([0.1, -0.003, 0.7]))

    def results(a: Any, b: Any, c: Any, number: float) -> list[torch.Tensor]:
        return [a * number, a.add(b, alpha=number), a.clone().addcdiv_(b, c, value=number)]

    rows = [x.as_subclass(Parameters) for x in (a, b, c)]
    together = results(rows[0], rows[1], rows[2], numbers)
    apart = [results(*of_k) for of_k in zip(a, b, c, numbers.values.tolist(), strict=True)]
    pairs = zip(together, zip(*apart, strict=True), strict=True)
    return all(bool((one == torch.stack(other)).all()) for one, other in pairs)
