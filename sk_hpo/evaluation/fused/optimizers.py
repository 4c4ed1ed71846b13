"""The optimizers of K models: torch's own, on the rows of many models at once.

torch's optimizers that are listed here treat every number alike. So models whose
hyperparameters are the same, as those of the folds of one candidate, can be stepped as if
they were one model with one long parameter, and each gets, to the last bit, what a step of
its own would have given it. Rates and the like may even differ, see `numbers`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from inspect import unwrap
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import torch

from sk_hpo.evaluation.fused.numbers import (
    Numbers,
    Parameters,
    Squares,
    root_is_lost,
    rounds_alike,
)
from sk_hpo.evaluation.fused.stack import Layout, Stack

__all__ = ["KNOWN", "Optimizers"]

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


# Those that only scale tensors, which `Numbers` may do, and the classes where that is so.
_RATES = ("lr", "weight_decay", "momentum")
_WITH_RATES = KNOWN[:9]

# Where they keep means of squares of which they take the root, and then add eps.
_SQUARES = {
    torch.optim.Adam: "exp_avg_sq",
    torch.optim.AdamW: "exp_avg_sq",
    torch.optim.NAdam: "exp_avg_sq",
    torch.optim.RMSprop: "square_avg",
    torch.optim.Adagrad: "sum",
}

# Numbers of a run, unless of one model: its tensors are gone through once per operation.
_NUMBERS = 1 << 18

# From so many on, models of equal rates are a run of their own: rates that differ are one more
# pass through the numbers, or several, and calls cost little beside that.
_NUMBERS_OF_ITS_OWN = 1 << 16


def _key(optimizer: Any) -> tuple[Any, ...]:
    """Return what two optimizers must have in common to be stepped as one."""
    (group,) = optimizer.param_groups
    rates = _rates_of(optimizer)
    # Schedulers keep more in the group than the optimizer looks at.
    return tuple(
        (name, group[name] != 0 if name in rates else _hashable(group[name]))
        for name in sorted(optimizer.defaults)
    )


def _rates_of(optimizer: Any) -> dict[str, float]:
    """Return the hyperparameters that may be another model's in the same step."""
    (group,) = optimizer.param_groups
    if type(optimizer) not in _WITH_RATES:
        return {}
    (p, *_) = group["params"]
    if not rounds_alike(p.dtype, p.device):
        return {}
    return {name: group[name] for name in _RATES if type(group.get(name)) in (int, float)}


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
        self._keys: list[Any] = []

    def refresh(self) -> None:
        """Take over the hyperparameters that the models' optimizers have now."""
        keys = [
            (together, _key(optimizer))
            for together, optimizer in zip(self._together, self._optimizers, strict=True)
        ]
        if keys != self._keys or not all(
            run.take_over(self._optimizers[run.slice]) for run in self._runs
        ):
            self.write_back()
            states = [_packed(o, self._stack.layout) for o in self._optimizers]
            full = [(key, _alike(state)) for key, state in zip(keys, states, strict=True)]
            rates = [tuple(_rates_of(optimizer).items()) for optimizer in self._optimizers]
            most, enough = (
                max(1, n // self._stack.layout.size) for n in (_NUMBERS, _NUMBERS_OF_ITS_OWN)
            )
            self._runs = [
                _Run(self._stack, at, self._optimizers[at], states[at])
                for at in _equal_runs(full, rates, most, enough)
            ]
            self._keys = keys

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
        self._runs, self._keys = [], []

    def write_back(self) -> None:
        """Give the models' own optimizers the state that they have reached."""
        for run in self._runs:
            for i, optimizer in enumerate(self._optimizers[run.slice]):
                run.write_back(i, optimizer)


class _Run:
    """Neighbouring models with equal hyperparameters, rates apart: one optimizer."""

    def __init__(
        self,
        stack: Stack,
        at: slice,
        optimizers: Sequence[Any],
        states: Sequence[dict[str, Any]],
    ) -> None:
        self.slice = at
        self._layout = stack.layout
        self._n = len(optimizers)
        like = optimizers[0]
        self._by_rows = _differ(optimizers)
        self._parameter = self._as_one(stack.weights[at]).requires_grad_()
        self._parameter.grad = self._as_one(stack.gradients[at])
        self._optimizer = object.__new__(type(like))
        vars(self._optimizer).update(
            {name: value for name, value in vars(like).items() if name != "step"}
        )
        self._optimizer.state = defaultdict(dict)
        if states[0]:
            self._optimizer.state[self._parameter] = {
                name: self._as_one(torch.stack([state[name] for state in states]))
                if _is_long(value)
                else value
                for name, value in states[0].items()
            }
        self._squares = _lost_squares(like, stack.weights)  # a state not yet seen as such
        self.take_over(optimizers)
        # Without what torch wraps around it for hooks and profilers, of which there are none.
        self._step = unwrap(type(like).step).__get__(self._optimizer)

    def _as_one(self, rows: torch.Tensor) -> torch.Tensor:
        """Return what the optimizer takes for one tensor: without rows, if it can be."""
        return rows.as_subclass(Parameters) if self._by_rows else rows.view(-1)

    def take_over(self, optimizers: Sequence[Any]) -> bool:
        """Take over the rates of the models; return whether that was possible."""
        (group,) = optimizers[0].param_groups
        taken = {**group, "params": [self._parameter]}
        if _differ(optimizers):
            if not self._by_rows:
                return False
            for name in _rates_of(optimizers[0]):
                values = np.array([o.param_groups[0][name] for o in optimizers], float)
                if (values != values[0]).any():
                    taken[name] = Numbers(values)
        if not self._by_rows and type(self._optimizer) is torch.optim.SGD:
            taken["fused"] = _in_one_pass(taken, self._parameter)
        self._optimizer.param_groups = [taken]
        self._at_once: Callable[[], object] | None = None
        return True

    def step(self) -> None:
        if self._at_once is not None:
            self._at_once()
            return
        self._step()
        if self._optimizer.param_groups[0].get("fused"):
            self._at_once = _one_pass(self._optimizer, self._parameter)
        if self._squares is not None:
            state = self._optimizer.state[self._parameter]
            state[self._squares] = state[self._squares].as_subclass(Squares)
            self._squares = None

    def write_back(self, i: int, optimizer: Any) -> None:
        state = self._optimizer.state.get(self._parameter, {})
        rows = {
            name: value.as_subclass(torch.Tensor).view(self._n, -1)[i]
            if _is_long(value)
            else value
            for name, value in state.items()
        }
        _unpack(rows, optimizer, self._layout)


def _differ(optimizers: Sequence[Any]) -> bool:
    """Whether the rates of some are not those of others."""
    first, *others = map(_rates_of, optimizers)
    return any(other != first for other in others)


def _in_one_pass(group: dict[str, Any], parameter: torch.Tensor) -> bool:
    """Whether SGD with more to do than a sum should go through the numbers only once.

    (Adam and Adagrad too would be faster so, but their ``fused`` kernels round differently.)
    """
    flags = [bool(group[name]) for name in _FLAGS]
    return any(flags[:2]) and _one_pass_rounds_alike(
        tuple(flags), parameter.dtype, parameter.device
    )


_FLAGS = ("momentum", "weight_decay", "dampening", "nesterov", "maximize")


@lru_cache(maxsize=64)
def _one_pass_rounds_alike(
    flags: tuple[bool, ...], dtype: torch.dtype, device: torch.device
) -> bool:
    """Whether, on this machine, SGD's ``fused`` kernel gives the bits of its plain steps."""
    if device.type != "cpu" or dtype not in (torch.float32, torch.float64):
        return False
    values = dict(zip(_FLAGS, (0.83, 0.0031, 0.21, True, True), strict=True))
    rates = {name: values[name] for name, flag in zip(_FLAGS, flags, strict=True) if flag}
    generator = torch.Generator().manual_seed(0)
    start, *gradients = torch.randn(5, 1009, generator=generator, dtype=dtype)
    found = []
    for fused in (False, True):
        p = start.clone().requires_grad_()
        optimizer = torch.optim.SGD([p], 0.013, **rates, foreach=False, fused=fused)
        for gradient in gradients:
            p.grad = gradient.clone()
            optimizer.step()
        found.append((p.detach(), p.grad))
    return all(map(torch.equal, *found))


def _one_pass(optimizer: Any, parameter: torch.Tensor) -> Callable[[], object]:
    """Return the call that the steps of an SGD come to, once it has its momentum.

    What goes before it takes as long, if the numbers are few: lists, checks, grouping.
    """
    (group,) = optimizer.param_groups
    sums = [optimizer.state[parameter]["momentum_buffer"]] if group["momentum"] else []
    names = ("weight_decay", "momentum", "lr", "dampening")
    return partial(
        torch._fused_sgd_,
        [parameter],
        [parameter.grad],
        sums,
        **{name: float(group[name]) for name in names},
        nesterov=group["nesterov"],
        maximize=group["maximize"],
        is_first_step=False,
        grad_scale=None,
        found_inf=None,
    )


def _lost_squares(optimizer: Any, like: torch.Tensor) -> str | None:
    """Return the name of the state, if there is one, that may be `Squares`."""
    name = _SQUARES.get(type(optimizer))
    (group,) = optimizer.param_groups
    if name is None or like.is_cuda:
        return None
    # A bias correction divides the root by no less than it does at the first step.
    divisor = (1 - group["betas"][1]) ** 0.5 if "betas" in group else 1.0
    return name if root_is_lost(group["eps"], divisor, like.dtype) else None


def _equal_runs(
    keys: Sequence[Any], rates: Sequence[Any], most: int, enough: int
) -> list[slice]:
    """Return the slices of neighbouring equal keys, of about equal lengths up to `most`.

    From `enough` on, neighbours whose rates are equal too are a run of their own.
    """
    marks: list[Any] = []
    for i, ((key, _), stretch) in enumerate(groupby(zip(keys, rates, strict=True))):
        n = len(list(stretch))
        marks += [(key, i if n >= enough else None)] * n
    runs, start = [], 0
    for _, of_run in groupby(marks):
        n = len(list(of_run))
        n_parts = -(-n // most)
        bounds = [start + i * n // n_parts for i in range(n_parts + 1)]
        runs += [slice(a, b) for a, b in pairwise(bounds)]
        start += n
    return runs


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


def _alike(state: dict[str, Any]) -> tuple[Any, ...]:
    """Return what two states must have in common to be one."""
    return tuple(
        (name, "long" if _is_long(value) else _number(value)) for name, value in state.items()
    )


def _number(value: Any) -> Any:
    return value.item() if isinstance(value, torch.Tensor) else value
