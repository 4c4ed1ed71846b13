"""The parameters and buffers of K modules of one architecture, in one tensor each.

A row of the stack is a model. While a module is attached, its parameters are views of its
row: whoever looks at the module sees the current weights. Every parameter begins at a
multiple of 64 bytes, as a tensor of its own would, for matrix kernels look at that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch

from sk_hpo.evaluation.fused.dropout import Draws, Rate
from sk_hpo.evaluation.fused.rows import Rows

__all__ = ["Layout", "Stack", "groups_of", "rates_of"]

_ALIGN = 16  # elements; 64 bytes of float32


@dataclass(frozen=True)
class Layout:
    """Where the trained parameters of a module lie in its row.

    Parameters
    ----------
    names : tuple of str
        As in ``named_parameters``; those with ``requires_grad`` only.
    shapes : tuple of torch.Size
        Their shapes.
    offsets : tuple of int
        Where each begins.
    size : int
        Length of a row, padding included.
    """

    names: tuple[str, ...]
    shapes: tuple[torch.Size, ...]
    offsets: tuple[int, ...]
    size: int

    @classmethod
    def of(cls, module: torch.nn.Module) -> Layout:
        """Return the layout for the parameters of `module`."""
        trained = [(n, p.shape) for n, p in module.named_parameters() if p.requires_grad]
        offsets, size = [], 0
        for _, shape in trained:
            offsets.append(size)
            size += -(-shape.numel() // _ALIGN) * _ALIGN
        names, shapes = zip(*trained, strict=True)
        return cls(names, shapes, tuple(offsets), size)

    def views(self, rows: torch.Tensor) -> list[torch.Tensor]:
        """Return the parameters in `rows`, of shape (..., size), as views."""
        lead = rows.shape[:-1]
        return [
            rows[..., offset : offset + shape.numel()].view(*lead, *shape)
            for offset, shape in zip(self.offsets, self.shapes, strict=True)
        ]

    def row(self, tensors: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return a new row that holds `tensors`, zeros between them."""
        row = torch.zeros(self.size, dtype=tensors[0].dtype, device=tensors[0].device)
        torch._foreach_copy_(self.views(row), list(tensors))
        return row


class Stack:
    """K modules of one architecture.

    Parameters
    ----------
    modules : sequence of Module
        Alike but for the values of parameters and buffers.
    attached : bool, default=True
        Whether to attach them; if not, they stay as they are.

    Attributes
    ----------
    layout : Layout
        Where the parameters lie.
    weights, gradients : Tensor of shape (K, layout.size)
        What is trained, and the gradient of the last step.
    """

    def __init__(self, modules: Sequence[torch.nn.Module], *, attached: bool = True) -> None:
        self.modules = list(modules)
        self.layout = Layout.of(modules[0])
        trained = [[p for p in m.parameters() if p.requires_grad] for m in modules]
        self.weights = torch.stack([self.layout.row([p.data for p in ps]) for ps in trained])
        self.gradients = torch.zeros_like(self.weights)
        self._of_weights = self.layout.views(self.weights)
        self._of_gradients = self.layout.views(self.gradients)
        self._parameters = trained
        self._stepped = False
        self._fixed = {
            name: torch.stack([dict(m.named_parameters())[name].data for m in modules])
            for name, p in modules[0].named_parameters()
            if not p.requires_grad
        }
        self._buffers = {
            name: torch.stack([dict(m.named_buffers())[name] for m in modules])
            for name, _ in modules[0].named_buffers()
        }
        self._homes = {
            name: _home(modules[0], name)
            for name in (*self.layout.names, *self._fixed, *self._buffers)
        }
        rates = [rates_of(module) for module in modules]
        self._rates = {
            name: [of_k[name] for of_k in rates]
            for name in rates[0]
            if len({of_k[name] for of_k in rates}) > 1
        }
        for k in range(len(modules)) if attached else ():
            self.attach(k)

    @property
    def all_trained(self) -> bool:
        """Whether the modules are nothing but trained parameters."""
        return not self._fixed and not self._buffers

    @property
    def varied(self) -> tuple[str, ...]:
        """The dropout layers whose probabilities are not the same for all models."""
        return tuple(self._rates)

    def __len__(self) -> int:
        return len(self.modules)

    def attach(self, k: int) -> None:
        """Make the tensors of module k views of row k, which takes their values."""
        for i, p in enumerate(self._parameters[k]):
            view = self._of_weights[i][k]
            if p.data.data_ptr() != view.data_ptr():
                view.copy_(p.data)
                p.data = view
                p.grad = None
        for name, stacked in self._buffers.items():
            module, leaf = _home(self.modules[k], name)
            stacked[k].copy_(module._buffers[leaf])
            module._buffers[leaf] = stacked[k]

    def detach(self, k: int) -> None:
        """Give module k tensors of its own, with the values and the gradients of row k."""
        for i, p in enumerate(self._parameters[k]):
            p.data = self._of_weights[i][k].clone()
            if self._stepped:
                p.grad = self._of_gradients[i][k].clone()
        for name, stacked in self._buffers.items():
            module, leaf = _home(self.modules[k], name)
            module._buffers[leaf] = stacked[k].clone()

    def draws(self, models: Sequence[int], generators: Sequence[torch.Generator]) -> Draws:
        """Return what dropout draws from for some models, given their generators."""
        rates = {name: [of_all[k] for k in models] for name, of_all in self._rates.items()}
        return Draws(generators, rates)

    def weights_of(self, at: slice | torch.Tensor) -> list[torch.Tensor]:
        """Return the trained parameters of the models `at`, each of shape (n_models, ...)."""
        return _of_models(self._of_weights, at)

    @contextmanager
    def in_place(self, at: slice | torch.Tensor, *, training: bool) -> Iterator[list[Rows]]:
        """Let the first module hold the tensors of the models `at`; yield what is trained.

        Parameters
        ----------
        at : slice or LongTensor
            Which models.
        training : bool
            Whether gradients are wanted. What the block writes to buffers is kept.
        """
        trained = [
            torch.Tensor._make_subclass(Rows, w.detach(), training) for w in self.weights_of(at)
        ]
        fixed = {name: x[at].as_subclass(Rows) for name, x in self._fixed.items()}
        buffers = {name: x[at].as_subclass(Rows) for name, x in self._buffers.items()}
        before = {}
        for name, rows in (*zip(self.layout.names, trained, strict=True), *fixed.items()):
            module, leaf = self._homes[name]
            before[name] = module._parameters[leaf]
            module._parameters[leaf] = rows
        for name, rows in buffers.items():
            module, leaf = self._homes[name]
            before[name] = module._buffers[leaf]
            module._buffers[leaf] = rows
        leader = self.modules[0]
        for name in self._rates:
            leader.get_submodule(name).p = Rate(name)
        try:
            yield trained
            for name, rows in buffers.items():
                self._keep(name, at, rows)
        finally:
            for name, (rate, *_) in self._rates.items():
                leader.get_submodule(name).p = rate
            for name, tensor in before.items():
                module, leaf = self._homes[name]
                home: Any = module._buffers if name in buffers else module._parameters
                home[leaf] = tensor

    def buffers_of(self, at: slice | torch.Tensor) -> dict[str, torch.Tensor]:
        """Return copies of the buffers of the models `at`."""
        return {name: x[at].clone() for name, x in self._buffers.items()}

    def set_buffers(self, at: slice | torch.Tensor, buffers: dict[str, torch.Tensor]) -> None:
        """Put back what `buffers_of` returned."""
        for name, values in buffers.items():
            self._buffers[name][at] = values

    def gradients_of(self, at: slice | torch.Tensor) -> list[torch.Tensor] | None:
        """Return where the gradients of the models `at` belong; None if not in one place."""
        return self._of_gradients if isinstance(at, slice) else None

    def keep_gradients(self, at: slice | torch.Tensor, gradients: Sequence[Any]) -> None:
        """Write the gradients of the models `at`, unless they are in their place."""
        self._stepped = True
        if isinstance(at, slice):
            pairs = zip(self._of_gradients, gradients, strict=True)
            missing = [pair for pair in pairs if pair[0] is not pair[1]]
            if missing:
                torch._foreach_copy_(*map(list, zip(*missing, strict=True)))
            return
        for of_all, of_these in zip(self._of_gradients, gradients, strict=True):
            of_all[at] = of_these

    def _keep(self, name: str, at: slice | torch.Tensor, rows: Rows) -> None:
        """Write a buffer that the forward changed, in place or by another tensor."""
        module, leaf = self._homes[name]
        now = module._buffers[leaf]
        if now is not rows or not isinstance(at, slice):
            assert now is not None
            self._buffers[name][at] = now.as_subclass(torch.Tensor)


def _of_models(tensors: list[torch.Tensor], at: slice | torch.Tensor) -> list[torch.Tensor]:
    return tensors if isinstance(at, slice) else [tensor[at] for tensor in tensors]


def _home(module: torch.nn.Module, name: str) -> tuple[torch.nn.Module, str]:
    path, _, leaf = name.rpartition(".")
    return module.get_submodule(path), leaf


# Numbers that the models of a group may have together: what a cache holds several times,
# for gradients and the states of optimizers.
_NUMBERS = 800_000
_MOST = 64


def groups_of(items: Sequence[Any], module: torch.nn.Module) -> list[Sequence[Any]]:
    """Return `items`, one for each of many such modules, in groups that caches can hold.

    They are of about equal size.
    """
    most = min(_MOST, max(2, _NUMBERS // Layout.of(module).size))
    n = len(items)
    n_groups = -(-n // most)
    bounds = [i * n // n_groups for i in range(n_groups + 1)]
    return [items[a:b] for a, b in pairwise(bounds)]


def rates_of(module: Any) -> dict[str, float]:
    """Return the probabilities of the dropout layers of `module`, each model's own."""
    parts = module.named_modules()
    return {name: part.p for name, part in parts if type(part) is torch.nn.Dropout}
