"""Tensors that stand for the tensors of K models, and run a user's own ``forward``.

A `Rows` holds the K tensors of K models in one, along a leading dimension that code written
for one model does not see: its ``shape`` is that of one model's tensor. A linear layer
becomes one batched matrix product, a pointwise function one call; dropout draws from each
model's own generator; what is not known here is done model by model, so that the numbers
are those of K separate forwards, to the last bit where the kernels are alike.

Questions that have K answers (``item()``, ``if tensor:``) raise `OneAnswerWanted`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F

from sk_hpo.evaluation.fused.dropout import current_draws, dropout_arguments, noise
from sk_hpo.evaluation.fused.linear import linear, linear_arguments

__all__ = [
    "OneAnswerWanted",
    "Rows",
    "in_whole_vectors",
    "is_one_by_one",
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


# -- layers ---------------------------------------------------------------------------------


def _dropout(function: Any, args: Any, kwargs: Any) -> Any:
    x, p, training, inplace = dropout_arguments(*args, **kwargs)
    if not training or p == 0.0:
        return x
    drawn = noise(plain(x), p, current_draws())
    return x.mul_(drawn) if inplace else _rows(x * drawn)


def _linear(function: Any, args: Any, kwargs: Any) -> Any:
    x, w, b = linear_arguments(*args, **kwargs)
    rows = (Rows, type(None))
    if not isinstance(x, Rows) or not isinstance(w, Rows) or not isinstance(b, rows):
        return _one_by_one(function, args, kwargs)
    x, w, b = plain(x), plain(w), None if b is None else plain(b)
    if x.ndim < 3 or w.ndim != 3 or x.dtype != w.dtype:
        return _one_by_one(function, args, kwargs)
    flat = x.reshape(len(x), -1, x.shape[-1])
    return _rows(linear(flat, w, b).reshape(*x.shape[:-1], w.shape[1]))


def _embedding(function: Any, args: Any, kwargs: Any) -> Any:
    """Look all models' words up in one table, in which those of a model begin at its place."""
    x, w, special = _embedding_arguments(*args, **kwargs)
    if special or not isinstance(x, Rows) or not isinstance(w, Rows):
        return _one_by_one(function, args, kwargs)
    x, w = plain(x), plain(w)
    if x.numel() == 0 or x.min() < 0 or x.max() >= w.shape[1]:
        return _one_by_one(function, args, kwargs)  # it has its own word for this
    n_models, n_words, _ = w.shape
    begins = torch.arange(0, n_models * n_words, n_words, device=x.device)
    places = x.long() + begins.view(-1, *[1] * (x.ndim - 1))
    return _rows(function(places, w.flatten(0, 1)))


def _embedding_arguments(
    input: Any,
    weight: Any,
    padding_idx: Any = None,
    max_norm: Any = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> tuple[Any, Any, bool]:
    plain_lookup = padding_idx is None and max_norm is None
    return input, weight, not plain_lookup or scale_grad_by_freq or sparse


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
    F.embedding: _embedding,
    F.dropout: _dropout,
    _T.shape.__get__: _shape,
    _T.size: _size,
    _T.__len__: _length,
}
