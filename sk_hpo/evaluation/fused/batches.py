"""The batches of K data loaders, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map
from torch.utils.data import DataLoader, default_collate

from sk_hpo.evaluation.fused.rows import Rows
from sk_hpo.evaluation.tensor_loader import TensorLoader, Tensors, order, take, tensors_of

__all__ = ["Batch", "Feed", "kind_of", "mapped"]

_POOL = 64 << 20  # bytes of data sets that may be copied next to one another
_CHUNK = 256 << 10  # bytes of batches that are gathered before they are needed


def mapped(function: Callable[[Any], Any], data: Any) -> Any:
    """Return `function` of a tensor, or of each in a dict or list of them."""
    return function(data) if isinstance(data, torch.Tensor) else tree_map(function, data)


@dataclass(frozen=True)
class Batch:
    """One batch of each of some models.

    Parameters
    ----------
    at : slice or LongTensor
        Which models: all, or those that have a batch of this size here.
    models : sequence of int
        The same as numbers.
    X, y : tensor of shape (n_models, n_rows, ...), or dict or list of them
        `X` as `Rows`.
    """

    at: slice | torch.Tensor
    models: Sequence[int]
    X: Any
    y: Any

    @cached_property
    def n_rows(self) -> int:
        """Rows of each model."""
        leaf = self.X if isinstance(self.X, torch.Tensor) else tree_leaves(self.X)[0]
        return int(leaf.as_subclass(torch.Tensor).shape[1])

    def of(self, i: int) -> tuple[Any, Any]:
        """Return (X, y) of the i-th model in `models`."""
        X = mapped(lambda x: x.as_subclass(torch.Tensor)[i], self.X)
        return X, mapped(lambda x: x[i], self.y)

    def only(self, models: Sequence[int]) -> Batch:
        """Return the batches of those of its models that are in `models`."""
        if all(k in models for k in self.models):
            return self
        chosen = [i for i, k in enumerate(self.models) if k in models]
        X = mapped(lambda x: x.as_subclass(torch.Tensor)[chosen], self.X)
        y = mapped(lambda x: x[chosen], self.y)
        kept = [self.models[i] for i in chosen]
        return Batch(torch.tensor(kept), kept, _as_rows(X), y)


class Feed:
    """Goes through the data of K models, a batch of each at a time.

    Parameters
    ----------
    loaders : sequence of DataLoader
        One per model, of the same batch size, over datasets that `tensors_of` knows.
    device : str or torch.device
        Where the batches are wanted.
    """

    def __init__(self, loaders: Sequence[Any], device: Any) -> None:
        self._loaders = list(loaders)
        self._data = [_known(loader.dataset) for loader in loaders]
        self._size = loaders[0].batch_sampler.batch_size
        self._device = device
        self._pools, self._begins = _pooled(self._data, device)

    @property
    def n_batches(self) -> list[int]:
        """Batches of each model per epoch."""
        return [len(loader) for loader in self._loaders]

    def sizes(self) -> list[int]:
        """Return the sizes that batches have, the usual one first."""
        found = {self._size: None}
        for loader in self._loaders:
            rest = len(loader.dataset) % self._size
            if rest and not loader.batch_sampler.drop_last:
                found[rest] = None
        return list(found)

    def first(self, k: int, n_rows: int) -> tuple[Any, Any]:
        """Return the first rows of model k, without drawing anything."""
        return self._part(k, 0, n_rows)

    def batch(self, k: int, b: int) -> tuple[Any, Any]:
        """Return batch b of model k, as it is without shuffling."""
        return self._part(k, b * self._size, (b + 1) * self._size)

    def _part(self, k: int, begin: int, end: int) -> tuple[Any, Any]:
        rows = self._rows(k, torch.arange(begin, min(end, len(self._data[k]))))
        return tuple(self._take(k, part, rows) for part in (0, 1))

    def targets_are_classes(self, n_classes: int, ignored: int | None) -> bool:
        """Whether all targets are in [0, n_classes), and none is `ignored`."""
        targets = [leaf for data in self._data for leaf in tree_leaves(data.parts[1])]
        distinct = {id(leaf): leaf for leaf in targets}.values()
        return not any(
            bool(((leaf < 0) | (leaf >= n_classes) | (leaf == ignored)).any())
            for leaf in distinct
        )

    def epoch(self, generators: Sequence[torch.Generator]) -> Iterator[list[Batch]]:
        """Yield what is trained between two steps of the optimizers.

        Parameters
        ----------
        generators : sequence of torch.Generator
            One per model; an epoch draws from it what `DataLoader` draws.
        """
        rows = [
            self._rows(k, order(loader, generator))
            for k, (loader, generator) in enumerate(zip(self._loaders, generators, strict=True))
        ]
        full = min(map(len, rows)) // self._size
        everyone = range(len(rows))
        whole = self._placed([r[: full * self._size] for r in rows], everyone)
        batches = whole.unflatten(2, (full, self._size)).movedim(2, 1).contiguous()
        for some in batches.split(self._n_at_once(), dim=1):
            X, y = self._gathered(some, everyone)
            for b in range(some.shape[1]):
                X_b, y_b = mapped(itemgetter(b), X), mapped(itemgetter(b), y)
                yield [Batch(slice(None), everyone, _as_rows(X_b), y_b)]
        for b in range(full, max(self.n_batches)):
            yield list(self._by_size([r[b * self._size : (b + 1) * self._size] for r in rows]))

    def _by_size(self, rows: list[torch.Tensor]) -> Iterator[Batch]:
        for size in sorted({len(r) for r in rows} - {0}, reverse=True):
            models = [k for k, r in enumerate(rows) if len(r) == size]
            alone = len(models) == len(rows)
            of_these = self._placed([rows[k] for k in models], models)
            at = slice(None) if alone else torch.tensor(models, device=self._device)
            X, y = (
                mapped(itemgetter(0), part)
                for part in self._gathered(of_these.unsqueeze(1), models)
            )
            yield Batch(at, models, _as_rows(X), y)

    def _rows(self, k: int, positions: Any) -> torch.Tensor:
        chosen = self._data[k].rows
        return positions if chosen is None else chosen[positions]

    def _take(self, k: int, part: int, rows: torch.Tensor) -> Any:
        taken = take(self._data[k].parts[part], rows)
        return mapped(lambda x: x.to(self._device), taken)

    def _placed(self, rows: Sequence[torch.Tensor], models: Sequence[int]) -> torch.Tensor:
        """Return (rows of each of `models`, the same as places in a pool), stacked."""
        stacked = torch.stack(list(rows))
        return torch.stack([stacked, stacked + self._begins[list(models)]])

    def _n_at_once(self) -> int:
        """Return for how many batches of all models rows are gathered at once."""
        leaves = tree_leaves(self._data[0].parts[0])
        of_row = sum(x[:1].numel() * x.element_size() for x in leaves)
        return max(1, _CHUNK // max(1, of_row * self._size * len(self._data)))

    def _gathered(self, placed: torch.Tensor, models: Sequence[int]) -> tuple[Any, Any]:
        """Return (X, y) of some rows of each of `models`, batch by batch.

        `placed` has the shape (2, n_batches, n_models, n_rows), and they have
        (n_batches, n_models, n_rows, ...).
        """
        rows, places = placed.unbind()
        X, y = (self._part_of(part, rows, places, models) for part in (0, 1))
        return X, y

    def _part_of(
        self, part: int, rows: torch.Tensor, places: torch.Tensor, models: Sequence[int]
    ) -> Any:
        if (pool := self._pools[part]) is not None:
            taken = take(pool, places.view(-1))
            return mapped(lambda x: x.view(*rows.shape, *x.shape[1:]), taken)
        data = [self._data[k].parts[part] for k in models]
        if isinstance(data[0], torch.Tensor):
            return self._stacked(data, rows)
        return tree_map(lambda *xs: self._stacked(xs, rows), *data)

    def _stacked(self, data: Sequence[torch.Tensor], rows: torch.Tensor) -> torch.Tensor:
        """Return rows of several tensors, those of each in its place in one."""
        first = data[0]
        out = first.new_empty((*rows.shape, *first.shape[1:]))
        for of_batch, places in zip(rows.to(first.device), out, strict=True):
            for x, of_x, place in zip(data, of_batch, places, strict=True):
                torch.index_select(x, 0, of_x, out=place)
        return out.to(self._device)


def _pooled(data: Sequence[Tensors], device: Any) -> tuple[list[Any], torch.Tensor]:
    """Return all rows of several data sets as one, and where each begins in it, as a column.

    Those of folds are few, and shared by many models. X and y apart: each is None if it is too
    big to be copied.
    """
    distinct: dict[Any, tuple[int, Tensors]] = {}
    begins, end = [], 0
    for of_model in data:
        leaves = tree_leaves(of_model.parts[:2])
        key = tuple((x.data_ptr(), x.shape, x.stride(), x.device) for x in leaves)
        if key not in distinct:
            distinct[key] = end, of_model
            end += len(leaves[0])
        begins.append(distinct[key][0])
    pools = [_pool([of[1].parts[part] for of in distinct.values()], device) for part in (0, 1)]
    return pools, torch.tensor(begins).unsqueeze(1)


def _pool(parts: Sequence[Any], device: Any) -> Any:
    if len(parts) == 1:
        return mapped(lambda x: x.to(device), parts[0])
    if sum(x.numel() * x.element_size() for x in tree_leaves(parts)) > _POOL:
        return None
    return tree_map(lambda *xs: torch.cat([x.to(device) for x in xs]), *parts)


def kind_of(loader: Any) -> tuple[Any, ...] | None:
    """Return what loaders of one `Feed` have in common; None if none can be made of it."""
    if not _iterates_as_usual(type(loader)):
        return None
    data = tensors_of(loader.dataset)
    sampler = loader.batch_sampler
    if data is None or len(data.parts) != 2 or sampler is None or loader.generator is not None:
        return None
    # Asking for the order costs nothing but draws; the state of this generator is nobody's.
    if loader.collate_fn is not default_collate or loader.num_workers:
        return None
    if order(loader, torch.Generator()) is None:
        return None
    leaves, structure = tree_flatten(data.parts)
    shapes = tuple((x.dtype, x.shape[1:]) for x in leaves)
    return sampler.batch_size, sampler.drop_last, str(structure), shapes


def _iterates_as_usual(kind: type[DataLoader]) -> bool:
    """Whether the batches of a class of loaders are what its samplers say."""
    usual = kind.__iter__ in (DataLoader.__iter__, TensorLoader.__iter__)
    return usual and kind._get_iterator is DataLoader._get_iterator


def _known(dataset: Any) -> Tensors:
    data = tensors_of(dataset)
    assert data is not None
    return data


def _as_rows(X: Any) -> Any:
    return mapped(lambda x: x.as_subclass(Rows), X)
