"""A recorded forward that goes straight through: its steps, and their gradients, by hand.

Most nets are a chain of linear layers, activations and dropout. For a few small models at a
time, python and autograd then cost more than the arithmetic. So the first batch records what
`forward` does with its `Rows`, and later batches of that size do the same without asking the
modules again, by the functions that autograd would have called.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from sk_hpo.evaluation.fused.dropout import Draws, Rate, dropout_arguments, noise
from sk_hpo.evaluation.fused.linear import Layer, linear_arguments
from sk_hpo.evaluation.fused.losses import Criterion, Each
from sk_hpo.evaluation.fused.rows import Rows, in_whole_vectors, plain
from sk_hpo.evaluation.fused.stack import Stack

__all__ = ["Plan", "plan_for", "plan_of"]

_aten = torch.ops.aten


class _Step:
    """One link of the chain. `forward` returns its output and what `backward` needs."""

    def forward(self, x: Any, weights: Sequence[Any], draws: Any) -> tuple[Any, Any]:
        raise NotImplementedError

    def backward(self, gradient: Any, kept: Any, gradients: list[Any], first: bool) -> Any:
        """Return the gradient by the input, perhaps in place; note those by weights.

        What is in `gradients` before is where to write them, or None.
        """
        raise NotImplementedError


class _Linear(_Step):
    """A layer, for as many models at a time as it has last seen."""

    def __init__(self, weight: int, bias: int | None) -> None:
        self._weight = weight
        self._bias = bias
        self._shape: Any = None
        self._layer: Any = None

    def forward(self, x: Any, weights: Sequence[Any], draws: Any) -> tuple[Any, Any]:
        w = weights[self._weight]
        b = None if self._bias is None else weights[self._bias]
        if x.shape != self._shape:
            self._shape, self._layer = x.shape, Layer(x, w, b)
        y, w = self._layer.forward(x, w, b)
        return y, (x, w)

    def backward(self, gradient: Any, kept: Any, gradients: list[Any], first: bool) -> Any:
        x, w = kept
        wanted = (not first, True, self._bias is not None)
        into = gradients[self._weight], None if self._bias is None else gradients[self._bias]
        of_x, gradients[self._weight], of_b = self._layer.backward(gradient, x, w, wanted, into)
        if self._bias is not None:
            gradients[self._bias] = of_b
        return of_x


@dataclass(frozen=True)
class _Pointwise(_Step):
    function: Callable[[Any], Any]
    derivative: Callable[[Any, Any, Any], Any]  # of gradient, input, output

    curved: bool = False

    def forward(self, x: Any, weights: Sequence[Any], draws: Any) -> tuple[Any, Any]:
        y = self.function(x) if self._at_once(x) else torch.stack(list(map(self.function, x)))
        return y, (x, y)

    def backward(self, gradient: Any, kept: Any, gradients: list[Any], first: bool) -> Any:
        if self._at_once(gradient):
            return self.derivative(gradient, *kept)
        of_models = zip(gradient, *kept, strict=True)
        return torch.stack([self.derivative(*of_model) for of_model in of_models])

    def _at_once(self, x: Any) -> bool:
        return not self.curved or in_whole_vectors(x)


class _ReLU(_Step):
    """In place where nobody else looks at the numbers: memory is what takes time."""

    def __init__(self, *, owns: bool) -> None:
        self._owns = owns  # its input

    def forward(self, x: Any, weights: Sequence[Any], draws: Any) -> tuple[Any, Any]:
        y = torch.relu_(x) if self._owns else torch.relu(x)
        return y, y

    def backward(self, gradient: Any, kept: Any, gradients: list[Any], first: bool) -> Any:
        _aten.threshold_backward.grad_input(gradient, kept, 0, grad_input=gradient)
        return gradient


@dataclass(frozen=True)
class _Dropout(_Step):
    p: float | Rate

    def forward(self, x: Any, weights: Sequence[Any], draws: Any) -> tuple[Any, Any]:
        drawn = noise(x, self.p, draws)
        return x * drawn, drawn

    def backward(self, gradient: Any, kept: Any, gradients: list[Any], first: bool) -> Any:
        return gradient * kept


class _Flatten(_Step):
    def forward(self, x: Any, weights: Sequence[Any], draws: Any) -> tuple[Any, Any]:
        return x.flatten(2), x.shape

    def backward(self, gradient: Any, kept: Any, gradients: list[Any], first: bool) -> Any:
        return gradient.reshape(kept)


class Plan:
    """The steps of a forward.

    Parameters
    ----------
    steps : sequence of steps
        From the batch to the predictions.
    n_weights : int
        How many parameters are trained; each is used by one step.
    """

    def __init__(self, steps: Sequence[_Step], n_weights: int) -> None:
        self._steps = list(steps)
        self._n_weights = n_weights

    def forward(self, X: Any, weights: Sequence[Any], draws: Draws) -> tuple[Any, list[Any]]:
        """Return the predictions, and what `backward` needs.

        Parameters
        ----------
        X : Tensor of shape (K, n_rows, ...)
            A batch of each model.
        weights : sequence of Tensor of shape (K, ...)
            The trained parameters.
        draws : Draws
            For dropout.
        """
        x, kept = plain(X), []
        for step in self._steps:
            x, of_step = step.forward(x, weights, draws)
            kept.append(of_step)
        return x, kept

    def backward(
        self, gradient: Any, kept: list[Any], into: Sequence[Any] | None = None
    ) -> list[Any]:
        """Return the gradients by the weights, given that by the predictions.

        `gradient` may be written to. The others are written `into` tensors, if there are
        any and it can be done without a copy.
        """
        gradients: list[Any] = list(into) if into else [None] * self._n_weights
        for i in reversed(range(len(self._steps))):
            if gradient is None:  # nothing before the first linear layer is trained
                break
            first = not any(isinstance(step, _Linear) for step in self._steps[:i])
            gradient = self._steps[i].backward(gradient, kept[i], gradients, first)
        return gradients


def plan_for(
    stack: Stack, criterion: Criterion | None, record: Any, X: Any, trained: Any, y_pred: Any
) -> Plan | None:
    """Return `plan_of` a record, if a stack and a criterion can do with a plan at all.

    Without a criterion, the plan is for predictions.
    """
    if isinstance(criterion, Each) or not stack.all_trained:
        return None
    return plan_of(record, X, trained, y_pred)


def plan_of(
    record: Sequence[tuple[Any, ...]], X: Any, trained: Sequence[Any], y_pred: Any
) -> Plan | None:
    """Return the plan of a recorded forward; None if it is no chain of known steps.

    Parameters
    ----------
    record : sequence of (function, args, kwargs, result)
        What was done with `Rows`, see `sk_hpo.evaluation.fused.rows.recorded`.
    X, y_pred : Rows
        What it began with and ended with.
    trained : sequence of Rows
        The trained parameters.
    """
    position = {id(w): i for i, w in enumerate(trained)}
    steps: list[_Step] = []
    used: list[int] = []
    now = X
    for function, args, kwargs, result in record:
        if not isinstance(result, Rows):
            if function in _QUESTIONS:
                continue
            return None
        if not args or args[0] is not now:
            return None
        owns = bool(steps) and isinstance(steps[-1], _Linear)
        step = _step(function, args, kwargs, result, position, used, owns)
        if step is None:
            return None
        steps += step
        now = result
    whole = now is y_pred and sorted(used) == list(range(len(trained)))
    return Plan(steps, len(trained)) if whole and plain(y_pred).ndim == 3 else None


_T = torch.Tensor
_QUESTIONS = {_T.shape.__get__, _T.size, _T.dim, _T.ndim.__get__, _T.__len__, _T.dtype.__get__}


def _step(
    function: Any,
    args: Any,
    kwargs: Any,
    result: Any,
    position: dict[int, int],
    used: list[int],
    owns: bool,
) -> list[_Step] | None:
    """Return the step (or none, for what changes nothing) that a call is; None if unknown.

    `owns` says whether nobody but the step needs its input.
    """
    x = args[0]
    if function is F.linear:
        _, w, b = linear_arguments(*args, **kwargs)
        if id(w) not in position or (b is not None and id(b) not in position):
            return None
        if plain(x).ndim != 3:
            return None
        at = [position[id(p)] for p in (w, b) if p is not None]
        used += at
        return [_Linear(at[0], at[1] if b is not None else None)]
    if function is F.dropout:
        _, p, training, inplace = dropout_arguments(*args, **kwargs)
        if result is x:
            return None if inplace and training else []
        return [_Dropout(p)] if training and (isinstance(p, Rate) or 0 < p < 1) else None
    if function is _T.to:
        return [] if result is x else None
    if function in (torch.flatten, _T.flatten, _T.view, _T.reshape):
        if plain(result).shape == plain(x).shape:
            return []
        return [_Flatten()] if plain(result).shape == plain(x).flatten(2).shape else None
    if function in _RELU and not args[1:] and set(kwargs) <= {"inplace"}:
        return [_ReLU(owns=owns)]
    return _activation(function, args[1:], kwargs, x)


def _activation(function: Any, args: Any, kwargs: Any, x: Any) -> list[_Step] | None:
    usual = {"inplace", "_stacklevel"}
    options = {
        k: v for k, v in kwargs.items() if k not in usual and (k, v) != ("approximate", "none")
    }
    if function in (F.softmax, torch.softmax, _T.softmax):
        dim = options.pop("dim", args[0] if args else None)
        last = dim in (-1, plain(x).ndim - 2)
        if not last or any(v is not None for v in options.values()):
            return None
        return [_Pointwise(lambda x: torch.softmax(x, -1), _of_softmax)]
    if args or options or function not in _ACTIVATIONS:
        return None
    return [_ACTIVATIONS[function]]


def _of_softmax(gradient: Any, x: Any, y: Any) -> Any:
    return _aten._softmax_backward_data(gradient, y, -1, y.dtype)


_RELU = (F.relu, torch.relu, torch.relu_, _T.relu, _T.relu_)
_TANH = _Pointwise(torch.tanh, lambda g, x, y: _aten.tanh_backward(g, y), curved=True)
_SIGMOID = _Pointwise(torch.sigmoid, lambda g, x, y: _aten.sigmoid_backward(g, y), curved=True)
_GELU = _Pointwise(F.gelu, lambda g, x, y: _aten.gelu_backward(g, x), curved=True)
_SILU = _Pointwise(F.silu, lambda g, x, y: _aten.silu_backward(g, x), curved=True)

_ACTIVATIONS = {
    **dict.fromkeys((F.tanh, torch.tanh, _T.tanh), _TANH),
    F.gelu: _GELU,
    F.silu: _SILU,
    **dict.fromkeys((F.sigmoid, torch.sigmoid, _T.sigmoid), _SIGMOID),
}
