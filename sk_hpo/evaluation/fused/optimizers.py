"""The optimizers of K models: torch's own, on the rows of many models at once.

torch's optimizers that are listed here treat every number alike. So models whose
hyperparameters are the same, as those of the folds of one candidate, can be stepped as if
they were one model with one long parameter, and each gets, to the last bit, what a step of
its own would have given it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from inspect import unwrap
from typing import Any

import torch

from sk_hpo.evaluation.fused.stack import Layout, Stack

__all__ = ["KNOWN", "Optimizers", "hyperparameters"]

KNOWN = (
    torch.optim.SGD,
    torch.optim.Adam,
    torch.optim.AdamW,
    torch.optim.RMSprop,
    torch.optim.Adagrad,
    torch.optim.Adamax,
    torch.optim.NAdam,
    torch.optim.RAdam,
    torch.optim.Adadelta,
    torch.optim.ASGD,
    torch.optim.Rprop,
)


def hyperparameters(optimizer: Any) -> tuple[Any, ...]:
    """Return what two optimizers must have in common to be stepped as one."""
    (group,) = optimizer.param_groups
    # Schedulers keep more in the group than the optimizer looks at.
    return tuple((name, _hashable(group[name])) for name in sorted(optimizer.defaults))


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


class Optimizers:
    """Steps the models of a stack, each by its own optimizer.

    Parameters
    ----------
    stack : Stack
        The models.
    optimizers : sequence of Optimizer
        One per model, of one class of `KNOWN`. They are read now, and each time that
        `refresh` is called; `write_back` brings them up to date.
    together : sequence of hashable
        Models are stepped as one only if theirs are equal: how many steps they take.
    """

    def __init__(
        self, stack: Stack, optimizers: Sequence[Any], together: Sequence[Any]
    ) -> None:
        self._stack = stack
        self._optimizers = list(optimizers)
        self._together = list(together)
        self._runs: list[_Run] = []

    def refresh(self) -> None:
        """Take over the hyperparameters that the models' optimizers have now."""
        keys = [
            (together, hyperparameters(optimizer))
            for together, optimizer in zip(self._together, self._optimizers, strict=True)
        ]
        if [run.slice for run in self._runs] == _equal_runs(keys):
            for run in self._runs:
                run.take_over(self._optimizers[run.slice.start])
            return
        self.write_back()
        states = [_packed(o, self._stack.layout) for o in self._optimizers]
        full = [(key, _alike(state)) for key, state in zip(keys, states, strict=True)]
        self._runs = [
            _Run(self._stack, at, self._optimizers[at.start], states[at])
            for at in _equal_runs(full)
        ]

    def step(self, active: Sequence[bool]) -> None:
        """Step the models that are active, by the gradients in the stack.

        Of models that take equally many steps, all are active or none; one that has failed
        counts for nothing.
        """
        with torch.no_grad():
            for run in self._runs:
                if any(active[run.slice]):
                    run.step()

    def forget(self) -> None:
        """Read all states anew at the next `refresh`; they must have been written back."""
        self._runs = []

    def write_back(self) -> None:
        """Give the models' own optimizers the state that they have reached."""
        for run in self._runs:
            for i, optimizer in enumerate(self._optimizers[run.slice]):
                run.write_back(i, optimizer)


class _Run:
    """Neighbouring models with equal hyperparameters: one optimizer, one long parameter."""

    def __init__(
        self, stack: Stack, at: slice, like: Any, states: Sequence[dict[str, Any]]
    ) -> None:
        self.slice = at
        self._layout = stack.layout
        self._n = at.stop - at.start
        self._parameter = torch.nn.Parameter(stack.weights[at].view(-1))
        self._parameter.grad = stack.gradients[at].view(-1)
        self._optimizer = object.__new__(type(like))
        vars(self._optimizer).update(
            {name: value for name, value in vars(like).items() if name != "step"}
        )
        self._optimizer.state = defaultdict(dict)
        if states[0]:
            self._optimizer.state[self._parameter] = {
                name: _long([state[name] for state in states]) for name in states[0]
            }
        self.take_over(like)
        # Without what torch wraps around it for hooks and profilers, of which there are none.
        self._step = unwrap(type(like).step).__get__(self._optimizer)

    def take_over(self, like: Any) -> None:
        (group,) = like.param_groups
        self._optimizer.param_groups = [{**group, "params": [self._parameter]}]

    def step(self) -> None:
        self._step()

    def write_back(self, i: int, optimizer: Any) -> None:
        state = self._optimizer.state.get(self._parameter, {})
        rows = {
            name: value.view(self._n, -1)[i] if _is_long(value) else value
            for name, value in state.items()
        }
        _unpack(rows, optimizer, self._layout)


def _equal_runs(keys: Sequence[Any]) -> list[slice]:
    """Return the slices of neighbouring equal keys."""
    starts = [k for k in range(len(keys)) if k == 0 or keys[k] != keys[k - 1]]
    return [slice(a, b) for a, b in zip(starts, [*starts[1:], len(keys)], strict=True)]


# -- the state of an optimizer as rows -------------------------------------------------------


def _packed(optimizer: Any, layout: Layout) -> dict[str, Any]:
    """Return a model's state: a row for what each number has, a value for what all share."""
    (group,) = optimizer.param_groups
    states = [optimizer.state.get(p) for p in group["params"] if p.requires_grad]
    if not states or not states[0]:
        return {}
    packed: dict[str, Any] = {}
    for name, first in states[0].items():
        values = [state[name] for state in states]
        if _is_long(first):
            packed[name] = layout.row(values)
        else:
            packed[name] = first.clone() if isinstance(first, torch.Tensor) else first
    return packed


def _unpack(rows: dict[str, Any], optimizer: Any, layout: Layout) -> None:
    (group,) = optimizer.param_groups
    parameters = [p for p in group["params"] if p.requires_grad]
    parts = {name: layout.views(row) for name, row in rows.items() if _is_long(row)}
    for i, p in enumerate(parameters):
        state = {
            name: parts[name][i].clone() if name in parts
            else value.clone() if isinstance(value, torch.Tensor) else value
            for name, value in rows.items()
        }  # fmt: skip
        if state:
            optimizer.state[p] = state


def _is_long(value: Any) -> bool:
    """Whether it has an entry per number of the parameter; counters have no dimension."""
    return isinstance(value, torch.Tensor) and value.ndim > 0


def _long(values: Sequence[Any]) -> Any:
    return torch.cat(list(values)) if _is_long(values[0]) else values[0]


def _alike(state: dict[str, Any]) -> tuple[Any, ...]:
    """Return what two states must have in common to be one."""
    return tuple(
        (name, "long" if _is_long(value) else _number(value)) for name, value in state.items()
    )


def _number(value: Any) -> Any:
    return value.item() if isinstance(value, torch.Tensor) else value
