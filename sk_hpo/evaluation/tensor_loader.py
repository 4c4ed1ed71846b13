"""A `DataLoader` that slices tensors where torch's own collates them row by row.

It gives the same batches in the same order, bit for bit, and draws from torch's generators
what `DataLoader` draws: a seed that only workers need when an epoch begins, then, at the
first batch, the seed of the shuffling. So a net trained with either ends with the same
weights. What it does not know it leaves to `DataLoader`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from skorch.dataset import Dataset
from skorch.helper import SliceDict
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    SequentialSampler,
    Subset,
    TensorDataset,
    default_collate,
)

__all__ = ["TensorLoader", "Tensors", "order", "take", "tensors_of"]


class TensorLoader(DataLoader):
    """A drop-in for `torch.utils.data.DataLoader` that slices tensors.

    Takes the parameters of `DataLoader`. It is fast for a skorch `Dataset` over numeric
    arrays and tensors, or dicts, lists and tuples of them; for a `TensorDataset`; and for a
    `Subset` of one; with the default ``collate_fn`` and no workers. Every other case
    (subclasses, sparse matrices, data frames, strings, ...) is `DataLoader`'s.

    Notes
    -----
    Batches, their order, structure, dtypes and errors, and the states in which torch's
    generators are left, are those of `DataLoader`. Batches share no memory with the data.

    Examples
    --------
    >>> from skorch import NeuralNetRegressor
    >>> X, y = np.ones((20, 3), np.float32), np.ones((20, 1), np.float32)
    >>> net = NeuralNetRegressor(
    ...     torch.nn.Linear, module__in_features=3, module__out_features=1, verbose=0,
    ...     iterator_train=TensorLoader, iterator_valid=TensorLoader)
    >>> net.fit(X, y).predict(X).shape
    (20, 1)
    """

    def __iter__(self) -> Any:
        if not self._collates_as_usual() or (data := tensors_of(self.dataset)) is None:
            return super().__iter__()
        epoch = _Epoch(self, data)
        _draw_seed(self.generator)
        return epoch

    def _collates_as_usual(self) -> bool:
        return (
            self.batch_sampler is not None
            and self.collate_fn is default_collate
            and self.num_workers == 0
            and self.timeout == 0
            and not self.pin_memory
        )


class _Epoch:
    """What ``iter(loader)`` returns."""

    def __init__(self, loader: DataLoader, data: Tensors) -> None:
        self._loader, self._data = loader, data
        simple = _shuffles(loader) is not None
        self._batches = self._slices() if simple else self._lists(iter(loader.batch_sampler))

    def __iter__(self) -> _Epoch:
        return self

    def __next__(self) -> list[Any]:
        return next(self._batches)

    def __len__(self) -> int:
        return len(self._loader.batch_sampler)

    def _slices(self) -> Iterator[list[Any]]:
        size, rows = self._loader.batch_sampler.batch_size, _epoch_rows(self._loader)
        for start in range(0, len(rows), size):
            yield self._data.batch(rows[start : start + size])

    def _lists(self, batches: Iterator[list[int]]) -> Iterator[list[Any]]:
        n = len(self._data)
        for indices in batches:
            rows = _as_rows(indices, n)
            yield self._stock(indices) if rows is None else self._data.batch(rows)

    def _stock(self, indices: list[int]) -> Any:
        """Return the batch, or raise the error, that `DataLoader` has for odd indices."""
        dataset = self._loader.dataset
        if callable(getattr(dataset, "__getitems__", None)):
            return default_collate(dataset.__getitems__(indices))
        return default_collate([dataset[i] for i in indices])


# --- the order of an epoch


def order(loader: DataLoader, generator: torch.Generator | None = None) -> Any:
    """Return the rows that an epoch of `loader` visits, and draw what an epoch draws.

    Parameters
    ----------
    loader : DataLoader
        Without a generator of its own.
    generator : torch.Generator, default=None
        What to draw from instead of torch's global generator: its state afterwards is
        the one in which the epoch would have left the global one.

    Returns
    -------
    rows : LongTensor of shape (n_visited,) or None
        Positions in ``loader.dataset``, batch after batch; without those that
        ``drop_last`` drops. None (and nothing drawn) if the loader's samplers are not
        those that ``shuffle=False`` and ``shuffle=True`` make.

    Examples
    --------
    >>> loader = DataLoader(torch.arange(10), batch_size=4, shuffle=True, drop_last=True)
    >>> rows = order(loader, torch.Generator().manual_seed(0))
    >>> _ = torch.manual_seed(0)
    >>> rows.tolist() == torch.cat(list(loader)).tolist()
    True
    """
    if loader.generator is not None or _shuffles(loader) is None:
        return None
    _draw_seed(generator)
    return _epoch_rows(loader, generator)


def _shuffles(loader: DataLoader) -> bool | None:
    """Return whether `loader` shuffles; None if it orders rows in a way of its own."""
    batches = loader.batch_sampler
    if type(batches) is not BatchSampler:
        return None
    sampler = batches.sampler
    if type(sampler) not in (SequentialSampler, RandomSampler):
        return None
    if len(sampler) != len(sampler.data_source) or len(sampler) != len(loader.dataset):
        return None
    if type(sampler) is SequentialSampler:
        return False
    # A generator that outlives the epoch must see every draw at its time.
    return None if sampler.replacement or sampler.generator is not None else True


def _epoch_rows(loader: DataLoader, generator: torch.Generator | None = None) -> Any:
    n = len(loader.dataset)
    if _shuffles(loader):
        own = torch.Generator().manual_seed(_draw_seed(generator))
        rows = torch.randperm(n, generator=own)
    else:
        rows = torch.arange(n)
    batches = loader.batch_sampler
    return rows[: n - n % batches.batch_size] if batches.drop_last else rows


def _draw_seed(generator: torch.Generator | None) -> int:
    return int(torch.empty((), dtype=torch.int64).random_(generator=generator).item())


def _as_rows(indices: Any, n: int) -> Any:
    """Return `indices` as a LongTensor in [0, n), or None if they are not integers in range.

    Negative ones count from the end.
    """
    if type(indices) is list and not {type(i) for i in indices} <= {int, np.int64, np.int32}:
        return None
    if type(indices) not in (list, range, np.ndarray):
        return None
    rows = np.asarray(indices)
    if rows.dtype not in (np.int32, np.int64) or rows.ndim != 1 or len(rows) == 0:
        return None
    if rows.min() < -n or rows.max() >= n:
        return None
    return torch.from_numpy(np.where(rows < 0, rows + n, rows).astype(np.int64, copy=False))


# --- the tensors of a dataset


@dataclass(frozen=True)
class Tensors:
    """A dataset as tensors.

    Attributes
    ----------
    parts : tuple
        (X, y); of a `TensorDataset`, all its tensors. Each is a tensor, or a dict or list
        of them, and may share the memory of the user's data: never write to it. A missing
        y is skorch's stand-in, zeros of shape (n, 1) in float32.
    rows : LongTensor of shape (n,) or None
        The rows of `parts` that the dataset has; None if it has them all.
    """

    parts: tuple[Any, ...]
    rows: torch.Tensor | None = None

    def __len__(self) -> int:
        return _length(self.parts) if self.rows is None else len(self.rows)

    def batch(self, rows: torch.Tensor) -> list[Any]:
        """Return copies of those rows of the dataset, as `DataLoader` collates them."""
        rows = rows if self.rows is None else self.rows[rows]
        return [take(part, rows) for part in self.parts]


def tensors_of(dataset: Any) -> Tensors | None:
    """Return the tensors of a dataset whose rows are plain slices of them.

    Parameters
    ----------
    dataset : Dataset
        Known are skorch's `Dataset`, `TensorDataset`, and a `Subset` of these.

    Returns
    -------
    tensors : Tensors or None
        Sharing memory with the data where that is possible; None if `dataset` is not known.

    Examples
    --------
    >>> from torch.utils.data import Subset
    >>> data = tensors_of(Subset(Dataset(np.eye(4), np.arange(4)), [3, 1]))
    >>> data.rows, data.parts[1]
    (tensor([3, 1]), tensor([0, 1, 2, 3]))
    >>> data.batch(torch.tensor([0]))
    [tensor([[0., 0., 0., 1.]], dtype=torch.float64), tensor([3])]
    """
    if type(dataset) is Subset:
        inner = tensors_of(dataset.dataset)
        rows = None if inner is None else _as_rows(dataset.indices, len(inner))
        if inner is None or rows is None:
            return None
        return Tensors(inner.parts, rows if inner.rows is None else inner.rows[rows])
    parts = None
    if type(dataset) is TensorDataset:
        parts = _structure(dataset.tensors)
    elif type(dataset) is Dataset and "transform" not in vars(dataset):
        X = _structure(dataset.X)
        y = torch.zeros(1, 1).expand(len(dataset), 1)
        y = y if dataset.y is None else _structure(dataset.y)
        parts = None if X is None or y is None else (X, y)
    if parts is None or _lengths(parts) != {len(dataset)}:
        return None
    return Tensors(tuple(parts))


def take(part: Any, rows: torch.Tensor) -> Any:
    """Return a copy of those rows of a tensor, or of each in a dict or list of tensors.

    Examples
    --------
    >>> take({"a": torch.arange(4), "b": [torch.eye(2)]}, torch.tensor([1]))
    {'a': tensor([1]), 'b': [tensor([[0., 1.]])]}
    """
    if isinstance(part, dict):
        return {name: take(tensor, rows) for name, tensor in part.items()}
    if isinstance(part, list):
        return [take(tensor, rows) for tensor in part]
    return part.index_select(0, rows.to(part.device))


# Those that DataLoader keeps.
_DTYPES = {
    torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
    torch.float16, torch.bfloat16, torch.float32, torch.float64,
    torch.complex64, torch.complex128,
}  # fmt: skip


def _structure(data: Any) -> Any:
    """Return `data` with tensors for arrays and lists for tuples; None if it has others."""
    if type(data) in (dict, SliceDict):
        # skorch indexes what is in a dict directly, and makes dicts of both.
        leaves = {name: _tensor(value) for name, value in data.items()}
        return leaves if leaves and all(v is not None for v in leaves.values()) else None
    if type(data) in (list, tuple):
        parts = [_structure(value) for value in data]
        return parts if parts and all(part is not None for part in parts) else None
    return _tensor(data)


def _tensor(data: Any) -> Any:
    """Return an array or tensor as a plain tensor, or None."""
    if type(data) in (np.ndarray, np.memmap):
        data = _from_numpy(data)
    if type(data) is not torch.Tensor or data.dtype not in _DTYPES or data.ndim == 0:
        return None
    if data.layout is not torch.strided or data.requires_grad or data.is_nested:
        return None
    # Stacked rows of images keep their memory format, index_select does not.
    return None if data.ndim > 2 and not data[:1].is_contiguous() else data


def _from_numpy(array: Any) -> Any:
    if array.dtype.kind not in "biufc":
        return None
    first, *others = array.strides or (0,)
    if first < 0 <= min(others, default=0):
        array = array.copy(order="K")  # torch wants none below 0; DataLoader, in a row
    if not array.flags.writeable:
        array = np.asarray(_Writeable(array))
    try:
        return torch.from_numpy(array)
    except (TypeError, ValueError):
        return None


class _Writeable:
    """A read-only array, without the mark of it, of which torch would warn.

    (Arrays that joblib shares among processes are read-only.)
    """

    def __init__(self, array: Any) -> None:
        address, _ = array.__array_interface__["data"]
        self.__array_interface__ = {**array.__array_interface__, "data": (address, False)}
        self._owner = array


def _lengths(part: Any) -> set[int]:
    if isinstance(part, dict):
        return set().union(*map(_lengths, part.values()))
    if isinstance(part, list | tuple):
        return set().union(*map(_lengths, part))
    return {len(part)}


def _length(part: Any) -> int:
    return next(iter(_lengths(part)))
