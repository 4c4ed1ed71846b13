"""Linear layers of K models: products of matrices at once, where they round as single ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import gcd
from typing import Any

import torch
import torch.nn.functional as F

__all__ = ["linear", "linear_arguments", "linear_backward", "linear_forward"]


def linear(x: Any, w: Any, b: Any) -> Any:
    """Return ``x @ w.T + b`` of K models, for autograd; shapes as in `linear_forward`."""
    return _Linear.apply(x, w, b, _at_once(x, w, b))


class _Linear(torch.autograd.Function):
    """``x @ w.T + b`` of K models."""

    @staticmethod
    def forward(ctx: Any, x: Any, w: Any, b: Any, at_once: bool) -> Any:
        ctx.save_for_backward(x, w)
        ctx.at_once = at_once
        return _linear_forward(x, w, b, at_once)

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        x, w = ctx.saved_tensors
        wanted = ctx.needs_input_grad[:3]
        return *linear_backward(gradient, x, w, ctx.at_once, wanted), None


def _linear_forward(x: Any, w: Any, b: Any, at_once: bool) -> Any:
    if not at_once:
        return _singly(F.linear, x, w, *([] if b is None else [b]))
    if b is None:
        return torch.bmm(x, w.transpose(1, 2))
    return torch.baddbmm(b.unsqueeze(1), x, w.transpose(1, 2))


def linear_forward(x: Any, w: Any, b: Any) -> tuple[Any, bool]:
    """Return the linear layer of K models, and whether their products can be done at once.

    Parameters
    ----------
    x : Tensor of shape (K, n_rows, n_inputs)
    w : Tensor of shape (K, n_outputs, n_inputs)
    b : Tensor of shape (K, n_outputs) or None
    """
    at_once = _at_once(x, w, b)
    return _linear_forward(x, w, b, at_once), at_once


def _at_once(x: Any, w: Any, b: Any) -> bool:
    shape = x.shape[1], w.shape[2], w.shape[1]
    return _rounds_alike(shape, b is not None, x.dtype, x.device)


def linear_backward(
    gradient: Any, x: Any, w: Any, at_once: bool, wanted: Sequence[bool]
) -> tuple[Any, Any, Any]:
    """Return the gradients by x, w and b as far as wanted.

    Products are taken in the orientation in which autograd takes those of one model.
    """
    product = torch.bmm if at_once else _products
    of_x = product(gradient, w) if wanted[0] else None
    of_w = product(gradient.transpose(1, 2), x) if wanted[1] else None
    if not wanted[2]:
        return of_x, of_w, None
    if at_once:
        return of_x, of_w, gradient.sum(1)
    return of_x, of_w, torch.stack([of_k.sum(0) for of_k in gradient])


def _singly(function: Any, *tensors: torch.Tensor) -> torch.Tensor:
    """Call `function` for each model, with tensors of its own: kernels heed where they begin.

    A transposed one stays what it is, the transpose of a tensor of its own.
    """
    return torch.stack(
        [function(*(x.clone() for x in of_k)) for of_k in zip(*tensors, strict=True)]
    )


def _products(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return _singly(torch.mm, one, other)


_VECTOR = 16  # numbers in the widest


def _n_places(*sizes: int) -> int:
    """Return how many matrices of these sizes, in a row, begin at all places in a vector."""
    return 1 + max(_VECTOR // gcd(size, _VECTOR) for size in sizes)


@lru_cache(maxsize=1024)
def _rounds_alike(
    shape: tuple[int, int, int], biased: bool, dtype: torch.dtype, device: torch.device
) -> bool:
    """Whether batched products of these sizes round as single ones do, on this machine.

    Kernels are chosen by size: for a single row or output, say, they are often others.
    """
    if device.type != "cpu":
        return True
    n_rows, n_inputs, n_outputs = shape
    n = _n_places(n_rows * n_inputs, n_inputs * n_outputs, n_rows * n_outputs)
    generator = torch.Generator().manual_seed(0)

    def drawn(*sizes: int) -> torch.Tensor:
        return torch.randn(n, *sizes, generator=generator, dtype=dtype).requires_grad_()

    inputs = [drawn(n_rows, n_inputs), drawn(n_outputs, n_inputs)]
    inputs += [drawn(n_outputs)] if biased else []
    slope = drawn(n_rows, n_outputs).detach()
    with torch.enable_grad():
        at_once = _Linear.apply(*inputs, *([] if biased else [None]), True)
        single = _singly(F.linear, *inputs)
        ours = torch.autograd.grad(at_once, inputs, slope)
        theirs = torch.autograd.grad(single, inputs, slope)
    pairs = zip((at_once, *ours), (single, *theirs), strict=True)
    return all(torch.equal(one, other) for one, other in pairs)


def linear_arguments(input: Any, weight: Any, bias: Any = None) -> tuple[Any, Any, Any]:
    """Return the arguments of a call of `linear`."""
    return input, weight, bias
