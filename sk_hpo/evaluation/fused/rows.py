"""Tensors that stand for the tensors of K models, and run a user's own ``forward``.

A `Rows` holds the K tensors of K models in one, along a leading dimension that code written
for one model does not see: its ``shape`` is that of one model's tensor. A linear layer
becomes one batched matrix product, a pointwise function one call; dropout draws from each
model's own generator; what is not known here is done model by model, so that the numbers
are those of K separate forwards, to the last bit where the kernels are alike.

Questions that have K answers (``item()``, ``if tensor:``) raise `OneAnswerWanted`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F

__all__ = [
    "Draws",
    "OneAnswerWanted",
    "Rate",
    "Rows",
    "drawing_from",
    "dropout_arguments",
    "in_whole_vectors",
    "is_one_by_one",
    "linear_arguments",
    "linear_backward",
    "linear_forward",
    "noise",
    "plain",
    "recorded",
]


class OneAnswerWanted(RuntimeError):
    """A question about a tensor of K models that each may answer differently."""


class Rows(torch.Tensor):
    """The tensors of K models as one.

    Examples
    --------
    >>> X, weights = torch.ones(3, 2, 4).as_subclass(Rows), torch.ones(3, 5, 4)
    >>> X.shape
    torch.Size([2, 4])
    >>> hidden = torch.relu(F.linear(X, weights.as_subclass(Rows)))
    >>> hidden.shape, plain(hidden).shape
    (torch.Size([2, 5]), torch.Size([3, 2, 5]))
    >>> bool(hidden.sum() > 0)
    Traceback (most recent call last):
    ...
    sk_hpo.evaluation.fused.rows.OneAnswerWanted: bool() of a tensor of several models
    """

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        with torch._C.DisableTorchFunctionSubclass():
            result = _RULES.get(function, _one_by_one)(function, args, kwargs)
        for record in _records:
            record.append((function, args, kwargs, result))
        return result


def plain(tensor: torch.Tensor) -> torch.Tensor:
    """Return a `Rows` as the tensor of shape (K, ...) that it is."""
    return tensor.as_subclass(torch.Tensor)


def _rows(tensor: torch.Tensor) -> Rows:
    return tensor.as_subclass(Rows)


_records: list[list[Any]] = []


@contextmanager
def recorded() -> Any:
    """Yield a list to which every call with a `Rows` is added within the block.

    An entry is (function, args, kwargs, result).
    """
    record: list[Any] = []
    _records.append(record)
    try:
        yield record
    finally:
        _records.remove(record)


# -- randomness ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Rate:
    """Stands for a dropout probability that is not the same for all models."""

    name: str


@dataclass(frozen=True)
class Draws:
    """What dropout draws from, model by model.

    Parameters
    ----------
    generators : sequence of torch.Generator
        One per model.
    rates : mapping of str to sequence of float
        The probability for each model that a `Rate` of that name stands for.
    """

    generators: Sequence[torch.Generator]
    rates: Mapping[str, Sequence[float]] = field(default_factory=dict)


_draws: list[Draws] = []


@contextmanager
def drawing_from(draws: Draws) -> Any:
    """Let dropout draw from `draws` within the block."""
    _draws.append(draws)
    try:
        yield
    finally:
        _draws.pop()


def _dropout(function: Any, args: Any, kwargs: Any) -> Any:
    x, p, training, inplace = dropout_arguments(*args, **kwargs)
    if not training or p == 0.0:
        return x
    drawn = noise(plain(x), p, _draws[-1])
    return x.mul_(drawn) if inplace else _rows(x * drawn)


def noise(x: torch.Tensor, p: float | Rate, draws: Draws) -> torch.Tensor:
    """Return what dropout multiplies with: as in ATen, drawn in the dtype of x, then scaled."""
    if isinstance(p, Rate):
        each = zip(x, draws.rates[p.name], draws.generators, strict=True)
        return torch.stack([_scaled(*of_k) for of_k in each])
    pairs = zip(x, draws.generators, strict=True)
    drawn = torch.stack([_noise(of_k, p, generator) for of_k, generator in pairs])
    return drawn.div_(1 - p) if p < 1 else drawn


def _scaled(x: torch.Tensor, p: float, generator: torch.Generator) -> torch.Tensor:
    drawn = _noise(x, p, generator)
    return drawn.div_(1 - p) if p < 1 else drawn


def _noise(x: torch.Tensor, p: float, generator: torch.Generator) -> torch.Tensor:
    """Return ones where a number is kept; nothing is drawn where that is certain."""
    if p in (0, 1):
        return torch.full_like(x, 1 - p)
    return torch.empty_like(x).bernoulli_(1 - p, generator=generator)


def dropout_arguments(
    input: Any, p: float = 0.5, training: bool = True, inplace: bool = False
) -> tuple[Any, Any, bool, bool]:
    """Return the arguments of a call of `dropout`."""
    return input, p, training, inplace


# -- linear layers -------------------------------------------------------------------------


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
    shape = x.shape[1], w.shape[2], w.shape[1]
    at_once = _rounds_alike(shape, b is not None, x.dtype, x.device)
    return _linear_forward(x, w, b, at_once), at_once


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


# Tensors of so many models begin at all places relative to the width of vectors.
_PLACES = 17


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
    generator = torch.Generator().manual_seed(0)

    def drawn(*sizes: int) -> torch.Tensor:
        return torch.randn(_PLACES, *sizes, generator=generator, dtype=dtype).requires_grad_()

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


def _linear(function: Any, args: Any, kwargs: Any) -> Any:
    x, w, b = linear_arguments(*args, **kwargs)
    rows = (Rows, type(None))
    if not isinstance(x, Rows) or not isinstance(w, Rows) or not isinstance(b, rows):
        return _one_by_one(function, args, kwargs)
    x, w, b = plain(x), plain(w), None if b is None else plain(b)
    if x.ndim < 3 or w.ndim != 3 or x.dtype != w.dtype:
        return _one_by_one(function, args, kwargs)
    flat = x.reshape(len(x), -1, x.shape[-1])
    shape = flat.shape[1], *w.shape[:0:-1]
    at_once = _rounds_alike(shape, b is not None, x.dtype, x.device)
    return _rows(_Linear.apply(flat, w, b, at_once).reshape(*x.shape[:-1], w.shape[1]))


def linear_arguments(input: Any, weight: Any, bias: Any = None) -> tuple[Any, Any, Any]:
    """Return the arguments of a call of `linear`."""
    return input, weight, bias


# -- pointwise functions -------------------------------------------------------------------


# Kernels do whole vectors of numbers, and what is left over one by one, by other formulas
# where there is more to it than a sum or product. A multiple of this leaves nothing over.
_VECTOR = 64


def in_whole_vectors(x: torch.Tensor) -> bool:
    """Whether the kernels treat each number of K models as those of one model would."""
    return x[0].numel() % _VECTOR == 0 and x.is_contiguous()


def _curved(function: Any, args: Any, kwargs: Any) -> Any:
    """Call a pointwise function with exponentials in it."""
    tensors = [x for x in (*args, *kwargs.values()) if isinstance(x, Rows)]
    if all(in_whole_vectors(plain(x)) for x in tensors):
        return _pointwise(function, args, kwargs)
    # Out of place: autograd does not let slices be written to.
    args = [False if x is True else x for x in args]
    kwargs = {name: False if x is True else x for name, x in kwargs.items()}
    return _one_by_one(function, args, kwargs)


def _pointwise(function: Any, args: Any, kwargs: Any) -> Any:
    """Call `function` once, the models' tensors brought to the same number of dimensions."""
    ndim = max(x.ndim - isinstance(x, Rows) for x in (*args, *kwargs.values()) if _is_tensor(x))
    aligned = [_aligned(x, ndim) for x in args]
    named = {name: _aligned(x, ndim) for name, x in kwargs.items()}
    result = function(*aligned, **named)
    return result if isinstance(result, Rows) else _rows(result)  # itself, if in place


def _aligned(x: Any, ndim: int) -> Any:
    if not isinstance(x, Rows) or x.ndim == ndim + 1:
        return x
    return plain(x).reshape(len(x), *[1] * (ndim + 1 - x.ndim), *x.shape[1:])


def _is_tensor(x: Any) -> bool:
    return isinstance(x, torch.Tensor)


# -- functions along a dimension, and of shapes ----------------------------------------------


def _along(function: Any, args: Any, kwargs: Any) -> Any:
    """Call a function of (tensor, dim, ...) once, the dimension counted from the end."""
    args = list(args)
    x = plain(args[0])
    dim = args[1] if len(args) > 1 else kwargs.get("dim")
    if type(dim) is not int:
        return _one_by_one(function, args, kwargs)
    dim = dim if dim < 0 else dim - (x.ndim - 1)
    if len(args) > 1:
        args[1] = dim
    else:
        kwargs = {**kwargs, "dim": dim}
    return _rows(function(x, *args[1:], **kwargs))


def _flatten(function: Any, args: Any, kwargs: Any) -> Any:
    x, start, end = _flatten_arguments(*args, **kwargs)
    x, n = plain(x), x.ndim - 1
    start, end = start % max(n, 1), end % max(n, 1)
    return _rows(torch.flatten(x, start + 1, end + 1)) if n else _rows(x.unsqueeze(1))


def _flatten_arguments(
    input: Any, start_dim: int = 0, end_dim: int = -1
) -> tuple[Any, int, int]:
    return input, start_dim, end_dim


def _reshape(function: Any, args: Any, kwargs: Any) -> Any:
    x, *shape = args
    if len(shape) == 1 and isinstance(shape[0], tuple | list):
        shape = list(shape[0])
    if kwargs or not all(type(n) is int for n in shape):
        return _one_by_one(function, args, kwargs)
    x = plain(x)
    if -1 in shape:
        known = -torch.Size(shape).numel()
        shape = [x[0].numel() // known if n == -1 else n for n in shape]
    return _rows(function(x, len(x), *shape))


def _shape(function: Any, args: Any, kwargs: Any) -> Any:
    return plain(args[0]).shape[1:]


def _size(function: Any, args: Any, kwargs: Any) -> Any:
    shape = plain(args[0]).shape[1:]
    rest = [*args[1:], *kwargs.values()]
    return shape[rest[0]] if rest and rest[0] is not None else shape


def _length(function: Any, args: Any, kwargs: Any) -> Any:
    return plain(args[0]).shape[1]


def _ndim(function: Any, args: Any, kwargs: Any) -> Any:
    return plain(args[0]).ndim - 1


def _numel(function: Any, args: Any, kwargs: Any) -> Any:
    return plain(args[0])[0].numel()


def _same(function: Any, args: Any, kwargs: Any) -> Any:
    """Ask the tensor itself: the answer is the same for every model."""
    return function(plain(args[0]), *args[1:], **kwargs)


def _refused(function: Any, args: Any, kwargs: Any) -> Any:
    name = getattr(function, "__name__", str(function)).strip("_")
    raise OneAnswerWanted(f"{name}() of a tensor of several models")


# -- everything else -----------------------------------------------------------------------


def is_one_by_one(function: Any) -> bool:
    """Whether a function is called for each model by itself."""
    return function not in _RULES


def _one_by_one(function: Any, args: Any, kwargs: Any) -> Any:
    """Call `function` for each model, and put the results together."""
    if function in _RANDOM or _writes(function, args):
        return _refused(function, args, kwargs)
    n = next(len(plain(x)) for x in _leaves((args, kwargs)) if isinstance(x, Rows))
    results = [function(*_of(args, k), **_of(kwargs, k)) for k in range(n)]
    return _together(results)


def _writes(function: Any, args: Any) -> bool:
    """Whether a call writes to a tensor that gradients flow through."""
    name = getattr(function, "__name__", "")
    in_place = name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))
    return in_place and any(x.requires_grad for x in _leaves(args) if _is_tensor(x))


def _of(part: Any, k: int) -> Any:
    """Return the arguments for model k."""
    if isinstance(part, Rows):
        return plain(part)[k]
    if type(part) in (list, tuple):
        return type(part)(_of(x, k) for x in part)
    return {name: _of(x, k) for name, x in part.items()} if type(part) is dict else part


def _leaves(part: Any) -> Any:
    if type(part) in (list, tuple):
        for x in part:
            yield from _leaves(x)
    elif type(part) is dict:
        for x in part.values():
            yield from _leaves(x)
    else:
        yield part


def _together(results: list[Any]) -> Any:
    first = results[0]
    if isinstance(first, torch.Tensor):
        return _rows(_stacked(results))
    if isinstance(first, tuple | list):
        parts = [_together(list(part)) for part in zip(*results, strict=True)]
        return type(first)(parts)
    if any(result != first for result in results[1:]):
        raise OneAnswerWanted(f"{first!r} for one model, not for all")
    return first


def _stacked(results: list[torch.Tensor]) -> torch.Tensor:
    """Stack tensors, each laid out in memory as it is: dropout draws in that order."""
    first = results[0]
    if first.is_contiguous() or not torch.ops.aten.is_non_overlapping_and_dense(first):
        return torch.stack(results)
    order = sorted(range(first.ndim), key=lambda dim: -first.stride(dim))
    back = [0, *(1 + order.index(dim) for dim in range(first.ndim))]
    return torch.stack([result.permute(order) for result in results]).permute(back)


# -- which function is which ---------------------------------------------------------------

_T = torch.Tensor


def _named(where: Any, names: str) -> list[Any]:
    return [getattr(where, name) for name in names.split()]


_POINTWISE = [
    *_named(
        torch,
        "relu relu_ sqrt rsqrt abs neg square add sub mul div maximum minimum where clamp",
    ),
    *_named(F, "relu relu_ leaky_relu leaky_relu_ hardtanh hardtanh_ relu6 hardswish"),
    *_named(
        _T,
        "relu relu_ sqrt rsqrt abs neg add add_ sub sub_ mul mul_ div div_ square clamp"
        " maximum minimum float double half to type contiguous clone detach __add__ __radd__"
        " __iadd__ __sub__ __rsub__ __isub__ __mul__ __rmul__ __imul__ __truediv__"
        " __rtruediv__ __itruediv__ __neg__ __abs__ __gt__ __lt__ __ge__ __le__ __eq__ __ne__"
        " masked_fill",
    ),
]

_CURVED = [
    *_named(torch, "tanh sigmoid exp log log1p expm1 sin cos erf pow selu celu"),
    *_named(F, "gelu elu selu celu silu softplus softsign tanhshrink mish logsigmoid"),
    *_named(F, "hardsigmoid sigmoid tanh"),
    *_named(_T, "tanh sigmoid exp log log1p pow __pow__"),
]

_RANDOM = {
    *_named(torch, "rand_like randn_like randint_like bernoulli multinomial normal poisson"),
    *_named(torch, "rrelu dropout dropout_ feature_dropout alpha_dropout"),
    *_named(_T, "bernoulli bernoulli_ normal_ uniform_ random_ exponential_ multinomial"),
    *_named(_T, "cauchy_ geometric_ log_normal_"),
    *_named(F, "alpha_dropout feature_alpha_dropout dropout1d dropout2d dropout3d"),
    *_named(F, "gumbel_softmax rrelu"),
}

_FLAGS = (
    "dtype device requires_grad is_cuda layout is_sparse is_nested is_leaf is_quantized is_meta"
    " grad_fn itemsize is_mkldnn"
)

_RULES: dict[Any, Callable[[Any, Any, Any], Any]] = {
    **dict.fromkeys(_POINTWISE, _pointwise),
    **dict.fromkeys(_CURVED, _curved),
    **dict.fromkeys((*_named(F, "softmax log_softmax"), *_named(torch, "softmax")), _along),
    **dict.fromkeys((torch.log_softmax, *_named(_T, "softmax log_softmax")), _along),
    **dict.fromkeys((torch.flatten, _T.flatten), _flatten),
    **dict.fromkeys((_T.view, _T.reshape), _reshape),
    **dict.fromkeys(_named(_T, "dim ndimension") + [_T.ndim.__get__], _ndim),
    **dict.fromkeys(_named(_T, "item tolist numpy __bool__ __float__ __int__"), _refused),
    **dict.fromkeys((_T.__index__, torch.equal, torch.allclose), _refused),
    **dict.fromkeys((_T.data.__get__, _T.data.__set__), _refused),
    **dict.fromkeys([flag.__get__ for flag in _named(_T, _FLAGS)], _same),
    **dict.fromkeys(_named(_T, "is_floating_point is_complex element_size"), _same),
    **dict.fromkeys(_named(_T, "numel nelement"), _numel),
    F.linear: _linear,
    F.dropout: _dropout,
    _T.shape.__get__: _shape,
    _T.size: _size,
    _T.__len__: _length,
}
