"""Linear layers of K models: products of matrices at once, where they round as single ones.

torch has two libraries for float32. MKL, which it takes, keeps to AVX2 on AMD's processors;
oneDNN, which it takes where operands may be rounded to bfloat16, rounds none on a processor
without units for that, and has kernels for AVX-512. Both mostly add up in the order of the
inputs, so that the bits are the same: that is tried for each shape, and the faster taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from math import gcd
from typing import Any

import torch
import torch.nn.functional as F

__all__ = ["Layer", "linear", "linear_arguments"]


def linear(x: Any, w: Any, b: Any) -> Any:
    """Return ``x @ w.T + b`` of K models, for autograd; shapes as for `Layer`."""
    return _Linear.apply(x, w, b, Layer(x, w, b))


class _Linear(torch.autograd.Function):
    """``x @ w.T + b`` of K models."""

    @staticmethod
    def forward(ctx: Any, x: Any, w: Any, b: Any, layer: Layer) -> Any:
        y, w = layer.forward(x, w, b)
        ctx.save_for_backward(x, w)
        ctx.layer = layer
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        x, w = ctx.saved_tensors
        return *ctx.layer.backward(gradient, x, w, ctx.needs_input_grad[:3]), None


_Product = Callable[..., Any]


class Layer:
    """A linear layer of K models, and how products of its sizes are taken.

    Parameters
    ----------
    x : Tensor of shape (K, n_rows, n_inputs)
    w : Tensor of shape (K, n_outputs, n_inputs)
    b : Tensor of shape (K, n_outputs) or None
        Others that it is asked about later on must have the same shapes and strides.
    at_once : bool or None, default=None
        Whether products are batched; None: where they round as single ones.
    """

    def __init__(self, x: Any, w: Any, b: Any, at_once: bool | None = None) -> None:
        biased, threads = b is not None, torch.get_num_threads()
        if at_once is None:
            shape = *x.shape[1:], w.shape[1]
            at_once = _rounds_alike(shape, biased, x.dtype, x.device, threads)
        self._at_once = at_once
        self._dense = at_once and _onednn_serves(x, w.contiguous().transpose(1, 2), biased)
        self._turned = (
            at_once
            and not self._dense
            and _is_narrow(x, w)
            and _rounds_alike_turned(tuple(x.shape), w.shape[1], biased, threads)
        )
        self._seen: tuple[Any, ...] = (None,) * 4  # weights, and views of them for products
        self._of_x: _Product | None = None  # of the backward, once it was asked for
        self._of_w: _Product | None = None

    def forward(self, x: Any, w: Any, b: Any) -> tuple[Any, Any]:
        """Return ``x @ w.T + b``, and the `w` that `backward` wants."""
        if self._turned:
            return _turned(x, w, b), w
        if not self._at_once:
            return _singly(F.linear, x, w, *([] if b is None else [b])), w
        if not self._dense:
            if self._seen[0] is not w or self._seen[1] is not b:
                self._seen = w, b, w.transpose(1, 2), _as_row(b)
            return _by_mkl(x, *self._seen[2:]), w
        w = w.contiguous()  # which oneDNN would do for each product
        return _by_onednn(x, w.transpose(1, 2), _as_row(b)), w

    def backward(
        self,
        gradient: Any,
        x: Any,
        w: Any,
        wanted: Sequence[bool],
        into: tuple[Any, Any] = (None, None),
    ) -> tuple[Any, Any, Any]:
        """Return the gradients by x, w and b as far as wanted.

        Products are taken in the orientation in which autograd takes those of one model.
        Those by w and b may be written `into` tensors, which are then returned.
        """
        turned = gradient.transpose(1, 2)
        if not self._at_once:
            of_x = _singly(torch.mm, gradient, w) if wanted[0] else None
            of_w = _singly(torch.mm, turned, x) if wanted[1] else None
            of_b = torch.stack([of_k.sum(0) for of_k in gradient]) if wanted[2] else None
            return of_x, of_w, of_b
        of_x = of_w = of_b = None
        if wanted[0]:
            self._of_x = self._of_x or _product(gradient, w)
            of_x = self._of_x(gradient, w)
        if wanted[1]:
            self._of_w = self._of_w or _product(turned, x)
            of_w = self._of_w(turned, x, out=into[0])
        if wanted[2]:
            of_b = torch.sum(gradient, 1, out=into[1])
        return of_x, of_w, of_b


def _as_row(b: Any) -> Any:
    return None if b is None else b.unsqueeze(1)


# -- the two libraries -----------------------------------------------------------------------

# Multiplications of numbers from which on oneDNN makes up for what it needs for a call.
_MANY = 8_000_000

# MKL's vectors run along the columns of a product, and few outputs fill them badly: turned,
# they run along the rows of the batch. From so many inputs on, turning it back costs less.
_MOST_OUTPUTS, _LEAST_INPUTS = 160, 256

_MATMUL: Any = getattr(torch.backends.mkldnn, "matmul", None)


def _is_much(one: Any, n_columns: int) -> bool:
    """Whether a product has so many columns that oneDNN may be worth a look."""
    much = one.numel() * n_columns >= _MANY
    return much and one.dtype == torch.float32 and not one.is_cuda and _has_onednn()


def _product(one: Any, other: Any) -> _Product:
    """Return what is to take the products of such pairs of matrices."""
    return _by_onednn if _onednn_serves(one, other, biased=False) else _by_mkl


def _onednn_serves(one: Any, other: Any, biased: bool) -> bool:
    """Whether oneDNN is worth its while, and gives the bits of MKL."""
    if not _is_much(one, other.shape[2]):
        return False
    sides = (one.shape, one.stride(), other.shape, other.stride())
    return _onednn_rounds_alike(*sides, biased, torch.get_num_threads())


def _is_narrow(x: Any, w: Any) -> bool:
    """Whether MKL may be faster with the outputs as rows."""
    narrow = w.shape[1] <= _MOST_OUTPUTS and w.shape[2] >= _LEAST_INPUTS
    return narrow and x.dtype == torch.float32 and not x.is_cuda


def _turned(x: Any, w: Any, b: Any) -> Any:
    """Return ``x @ w.T + b`` of K models from ``w @ x.T``."""
    y = _by_mkl(w, x.transpose(1, 2), None if b is None else b.unsqueeze(2))
    return y.transpose(1, 2).contiguous()


@lru_cache(maxsize=1024)
def _rounds_alike_turned(
    shape: tuple[int, ...], n_outputs: int, biased: bool, n_threads: int
) -> bool:
    """Whether turning products of these sizes leaves their bits as they are."""
    generator = torch.Generator().manual_seed(0)
    x = _some_noise(generator, math.prod(shape)).view(shape)
    w = _some_noise(generator, shape[0] * n_outputs * shape[2]).view(shape[0], n_outputs, -1)
    b = _some_noise(generator, shape[0] * n_outputs).view(shape[0], -1) if biased else None
    straight = _by_mkl(x, w.transpose(1, 2), None if b is None else b.unsqueeze(1))
    return torch.equal(_turned(x, w, b), straight)


def _by_mkl(one: Any, other: Any, added: Any = None, out: Any = None) -> Any:
    if added is None:
        return torch.bmm(one, other, out=out)
    return torch.baddbmm(added, one, other, out=out)


def _by_onednn(one: Any, other: Any, added: Any = None, out: Any = None) -> Any:
    _MATMUL.fp32_precision = "bf16"
    try:
        return _by_mkl(one, other, added, out)
    finally:
        _MATMUL.fp32_precision = "none"


def _has_onednn() -> bool:
    """Whether oneDNN is there, and the user has said nothing about its precision."""
    return getattr(_MATMUL, "fp32_precision", None) == "none"


@lru_cache(maxsize=1024)
def _onednn_rounds_alike(
    shape: torch.Size,
    stride: tuple[int, ...],
    other_shape: torch.Size,
    other_stride: tuple[int, ...],
    biased: bool,
    n_threads: int,
) -> bool:
    """Whether oneDNN gives MKL's bits for so many such matrices, on this machine."""
    generator = torch.Generator().manual_seed(0)
    one = torch.empty_strided(shape, stride)
    other = torch.empty_strided(other_shape, other_stride)
    added = torch.empty(shape[0], 1, other_shape[2])
    for x in (one, other, added):
        x.copy_(_some_noise(generator, x.numel()).view(x.shape))
    given = one, other, added if biased else None
    return torch.equal(_by_mkl(*given), _by_onednn(*given))


def _some_noise(generator: torch.Generator, n: int) -> torch.Tensor:
    """Return n numbers; a few, again and again, for drawing takes longer than a product."""
    drawn = torch.randn(min(n, 10_007), generator=generator)
    return drawn.repeat(-(-n // len(drawn)))[:n]


def _singly(function: Any, *tensors: torch.Tensor) -> torch.Tensor:
    """Call `function` for each model, with tensors of its own: kernels heed where they begin.

    A transposed one stays what it is, the transpose of a tensor of its own.
    """
    return torch.stack(
        [function(*(x.clone() for x in of_k)) for of_k in zip(*tensors, strict=True)]
    )


_VECTOR = 16  # numbers in the widest


def _n_places(*sizes: int) -> int:
    """Return how many matrices of these sizes, in a row, begin at all places in a vector."""
    return 1 + max(_VECTOR // gcd(size, _VECTOR) for size in sizes)


@lru_cache(maxsize=1024)
def _rounds_alike(
    shape: tuple[int, int, int],
    biased: bool,
    dtype: torch.dtype,
    device: torch.device,
    n_threads: int,
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

    x, w, b = drawn(n_rows, n_inputs), drawn(n_outputs, n_inputs), drawn(n_outputs)
    inputs = [x, w, b] if biased else [x, w]
    slope = drawn(n_rows, n_outputs).detach()
    with torch.inference_mode(mode=False), torch.enable_grad():
        added = b if biased else None
        at_once = _Linear.apply(x, w, added, Layer(x, w, added, at_once=True))
        single = _singly(F.linear, *inputs)
        ours = torch.autograd.grad(at_once, inputs, slope)
        theirs = torch.autograd.grad(single, inputs, slope)
    pairs = zip((at_once, *ours), (single, *theirs), strict=True)
    return all(torch.equal(one, other) for one, other in pairs)


def linear_arguments(input: Any, weight: Any, bias: Any = None) -> tuple[Any, Any, Any]:
    """Return the arguments of a call of `linear`."""
    return input, weight, bias
