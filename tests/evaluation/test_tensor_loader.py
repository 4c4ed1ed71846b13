"""The oracle is torch: whatever `DataLoader` gives and draws, `TensorLoader` must."""

from __future__ import annotations

import warnings
from collections import OrderedDict, namedtuple

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from skorch import NeuralNetClassifier
from skorch.dataset import Dataset, ValidSplit
from torch import nn
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
)

from sk_hpo.evaluation.tensor_loader import TensorLoader, order, tensors_of

N = 11
generator = np.random.default_rng(0)


def numbers(*shape, dtype="float32"):
    return (generator.normal(size=shape) * 10).astype(dtype)


def flat(batch):
    """Return everything about a batch that can be told, comparable with ``==``."""
    if isinstance(batch, dict):
        return [type(batch), *((name, flat(value)) for name, value in batch.items())]
    if isinstance(batch, list | tuple):
        return [type(batch), *map(flat, batch)]
    if isinstance(batch, torch.Tensor):
        bits = batch.detach().contiguous().view(torch.uint8).tolist() if batch.ndim else []
        return [batch.dtype, batch.shape, batch.stride(), batch.requires_grad, bits]
    return batch


def seen(loader, *generators):
    """Return the batches of two epochs or the error, and the generators' states then."""
    torch.manual_seed(3)
    for g in generators:
        g.manual_seed(4)
    result = []
    try:
        for _ in range(2):
            epoch = iter(loader)
            result.append(len(epoch))
            for batch in epoch:
                result.append(flat(batch))
                # A net draws in between, and the first seed comes with the first batch.
                result.append(torch.rand(1).item())
    except Exception as exc:
        result.append((type(exc), str(exc)))
    states = [torch.get_rng_state(), *(g.get_state() for g in generators)]
    return result, [state.tolist() for state in states]


def assert_same(dataset, fast=True, **params):
    assert (tensors_of(dataset) is not None) == fast
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours, stock = (seen(loader(dataset, **params)) for loader in (TensorLoader, DataLoader))
    assert ours == stock


KINDS = {
    "in order": {"batch_size": 4},
    "shuffled": {"batch_size": 4, "shuffle": True},
    "shuffled, dropped": {"batch_size": 4, "shuffle": True, "drop_last": True},
    "dropped": {"batch_size": 4, "drop_last": True},
    "one by one": {"batch_size": 1},
    "divides": {"batch_size": N, "shuffle": True},
    "larger": {"batch_size": 2 * N, "shuffle": True},
    "larger, dropped": {"batch_size": 2 * N, "shuffle": True, "drop_last": True},
}
X, y = numbers(N, 3), np.arange(N) % 4
DATASETS = {
    "arrays": Dataset(X, y),
    "no y": Dataset(X),
    "tensors": Dataset(torch.from_numpy(X), torch.from_numpy(y)),
    "y of two columns": Dataset(X, numbers(N, 2)),
    "one feature": Dataset(numbers(N), y.astype("float32")),
    "images": Dataset(numbers(N, 2, 4, 5), y),
    "grey images": Dataset(numbers(N, 1, 4, 4), y),
    "pixels": Dataset(numbers(N, 3, 1, 1), y),
    "dict": Dataset({"b": X, "a": torch.arange(N)}, y),
    "tuple": Dataset((X, y), y),
    "nested": Dataset([X, [y, {"a": X}], (y, torch.eye(N))], {"y": y, "w": X}),
    "dict of both": Dataset({"a": X[:, 0]}, [y, y]),
    "columns first": Dataset(np.asfortranarray(X), y),
    "every other": Dataset(np.repeat(X, 2, axis=0)[::2], np.repeat(y, 2)[::2]),
    "backwards": Dataset(X[::-1], y[::-1]),
    "backwards images": Dataset(numbers(N, 2, 3)[::-1], y),
    "a view of one row": Dataset(np.broadcast_to(X[:1], (N, 3)).copy(), y),
    "TensorDataset": TensorDataset(torch.eye(N), torch.arange(N)),
    "TensorDataset of one": TensorDataset(torch.eye(N)),
    "Subset": Subset(Dataset(numbers(20, 3), np.arange(20)), np.arange(19, 8, -1)),
    "Subset, from the end": Subset(Dataset(X, y), [-1, 0, -11, 10, 3, 3]),
    "Subset of a Subset": Subset(Subset(Dataset(X), range(2, 10)), np.array([7, 0, -1])),
    "Subset of a TensorDataset": Subset(TensorDataset(torch.eye(N)), [1, 2, 3]),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", DATASETS)
def test_the_batches_are_those_of_torch(name, kind):
    assert_same(DATASETS[name], **KINDS[kind])


def test_no_rows():
    assert_same(Dataset(X[:0], y[:0]), batch_size=4)
    assert_same(Dataset(X[:0], y[:0]), batch_size=4, drop_last=True)


DTYPES = "bool int8 int16 int32 int64 uint8 float16 float32 float64 complex64 complex128"


@pytest.mark.parametrize("shape", [(N,), (N, 1), (N, 2), (N, 2, 3), (N, 0)])
@pytest.mark.parametrize("dtype", DTYPES.split())
def test_dtypes(dtype, shape):
    array = numbers(*shape, dtype=dtype)
    assert_same(Dataset(array, array), batch_size=4, shuffle=True)
    assert_same(Dataset(torch.from_numpy(array)), batch_size=4)


def test_bits_of_odd_numbers_are_kept():
    bits = np.array([0x7FC00001, 0x7F800001, 0xFFC12345, 1, 0x80000000], np.uint32)
    assert_same(Dataset(bits.view(np.float32)[:, None]), batch_size=2)
    assert_same(Dataset(torch.randn(N, 3).bfloat16()), batch_size=4, shuffle=True)


# --- what it leaves to torch


class OwnRows(Dataset):
    def transform(self, X, y):
        return super().transform(X * 2, y)


class OwnSubset(Subset):
    def __getitem__(self, i):
        return super().__getitem__(0)

    def __getitems__(self, indices):
        return [self[i] for i in indices]


class Stream(IterableDataset):
    def __iter__(self):
        return iter(torch.arange(N))


def with_own_transform():
    dataset = Dataset(X, y)
    dataset.transform = lambda X, y: (X + 1, y)
    return dataset


def frozen(array):
    array.flags.writeable = False
    return array


Pair = namedtuple("Pair", ["a", "b"])
UNKNOWN = {
    "own rows": OwnRows(X, y),
    "own transform": with_own_transform(),
    "own subset": OwnSubset(Dataset(X, y), [3, 4]),
    "subset of own rows": Subset(OwnRows(X, y), [3, 4]),
    "subset by mask": Subset(Dataset(X, y), [True, False, True]),
    "subset out of range": Subset(Dataset(X, y), [3, 11]),
    "subset of numbers that are no rows": Subset(Dataset(X, y), [0.0, 1.0]),
    "subset by tensor": Subset(Dataset(X, y), torch.tensor([3, 1])),
    "subset by tensors": Subset(TensorDataset(torch.eye(N)), [torch.tensor(3), 1]),
    "stream": Stream(),
    "a list": [1, 2, 3],
    "a tensor": torch.eye(3),
    "texts": Dataset(np.array(["a", "b", "c"])),
    "objects": Dataset(np.array([[1], [2]], dtype=object)),
    "frozen objects": Dataset(frozen(np.array([[1], [2]], dtype=object))),
    "dates": Dataset(frozen(np.arange(3).astype("M8[s]"))),
    "list of numbers": Dataset(X, y.tolist()),
    "lists of numbers": Dataset([[1.0, 2.0], [3.0, 4.0]]),
    "list in a dict": Dataset({"a": X, "b": y.tolist()}),
    "dict in a dict": Dataset({"a": {"b": X}}),
    "sparse": Dataset(sparse.csr_array(X), y),
    "sparse tensor": Dataset(X, torch.eye(N).to_sparse()),
    "longdouble": Dataset(X.astype(np.longdouble)),
    "uint16": Dataset(np.arange(N).astype(np.uint16)),
    "the other byte order": Dataset(X.astype(">f4")),
    "columns backwards": Dataset(X[:, ::-1], y),
    "channels last": Dataset(numbers(N, 4, 4, 3).transpose(0, 3, 1, 2), y),
    "channels last, backwards": Dataset(numbers(N, 4, 4, 3).transpose(0, 3, 1, 2)[::-1], y),
    "masked": Dataset(np.ma.masked_array(X, X > 0)),
    "unaligned": Dataset(np.zeros(N, "u1, f4")["f1"]),
    "learnt": Dataset(torch.eye(N, requires_grad=True)),
    "Parameter": Dataset(nn.Parameter(torch.eye(N))),
    "own length": Dataset(X, y, length=5),
    "ordered dict": Dataset(OrderedDict(a=X)),
    "named tuple": Dataset(Pair(X, y)),
    "None in a list": Dataset([X, y], y),
}
UNKNOWN["None in a list"].X = [X, None]
UNKNOWN["pandas"] = pytest.importorskip("pandas").DataFrame({"a": X[:, 0]})
UNKNOWN["pandas"] = Dataset(UNKNOWN["pandas"], y)


@pytest.mark.filterwarnings("ignore:The given NumPy array is not writable")
@pytest.mark.parametrize("name", UNKNOWN)
def test_what_it_does_not_know_is_left_to_torch(name, monkeypatch):
    calls = []
    stock = DataLoader.__iter__
    monkeypatch.setattr(
        DataLoader, "__iter__", lambda self: calls.append(type(self)) or stock(self)
    )
    dataset = UNKNOWN[name]
    assert_same(dataset, fast=False, batch_size=2)
    assert calls.count(TensorLoader) == calls.count(DataLoader) > 0


def double(rows):
    return default_collate(rows)[0] * 2


@pytest.mark.parametrize(
    "params",
    [
        {"batch_size": None},
        {"batch_size": 2, "collate_fn": double},
        {"batch_size": 2, "timeout": 3},
        {"batch_size": 2, "pin_memory": True},
    ],
)
def test_so_are_other_ways_to_load(params, monkeypatch):
    calls = []
    stock = DataLoader.__iter__
    monkeypatch.setattr(
        DataLoader, "__iter__", lambda self: calls.append(type(self)) or stock(self)
    )
    assert_same(Dataset(X, y), **params)
    assert TensorLoader in calls


def test_workers_are_left_to_torch():
    loader = TensorLoader(Dataset(X, y), batch_size=4, num_workers=1)
    stock = DataLoader(Dataset(X, y), batch_size=4, num_workers=1)
    assert [flat(batch) for batch in loader] == [flat(batch) for batch in stock]


# What is known does not go there.
@pytest.mark.parametrize("name", DATASETS)
def test_what_it_knows_is_not_left_to_torch(name, monkeypatch):
    monkeypatch.setattr(DataLoader, "__iter__", lambda self: pytest.fail("left to torch"))
    assert len(list(TensorLoader(DATASETS[name], batch_size=4))) == -(-len(DATASETS[name]) // 4)


# --- samplers and generators


class Own:
    """Indices of a type of their own, e.g. of numpy."""

    def __init__(self, *batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)

    def __len__(self):
        return len(self.batches)


def assert_same_order(make, dataset=None):
    dataset = Dataset(X, y) if dataset is None else dataset
    results = []
    for loader in (TensorLoader, DataLoader):
        g = torch.Generator()
        results.append(seen(loader(dataset, **make(dataset, g)), g))
    assert results[0] == results[1]
    return results[0][0]


SAMPLERS = {
    "generator": lambda data, g: {"batch_size": 4, "shuffle": True, "generator": g},
    "generator, divides": lambda data, g: {"batch_size": N, "shuffle": True, "generator": g},
    "generator, in order": lambda data, g: {"batch_size": 4, "generator": g},
    "generator of the sampler": lambda data, g: {
        "batch_size": 4,
        "sampler": RandomSampler(data, generator=g),
    },
    "random": lambda data, g: {"batch_size": 4, "sampler": RandomSampler(data)},
    "fewer": lambda data, g: {"batch_size": 4, "sampler": RandomSampler(data, num_samples=5)},
    "more": lambda data, g: {"batch_size": 4, "sampler": RandomSampler(data, num_samples=30)},
    "as many, of fewer": lambda data, g: {
        "batch_size": 4,
        "sampler": RandomSampler(range(7), num_samples=N),
    },
    "other rows": lambda data, g: {"batch_size": 4, "sampler": RandomSampler(range(7))},
    "too many rows": lambda data, g: {"batch_size": 4, "sampler": RandomSampler(range(40))},
    "too many, in order": lambda data, g: {
        "batch_size": 4,
        "sampler": SequentialSampler(range(40)),
    },
    "replacement": lambda data, g: {
        "batch_size": 4,
        "sampler": RandomSampler(data, replacement=True, num_samples=50, generator=g),
    },
    "subset": lambda data, g: {
        "batch_size": 4,
        "sampler": SubsetRandomSampler([3, 1, 2, 7, 9], generator=g),
    },
    "weighted": lambda data, g: {
        "batch_size": 4,
        "sampler": WeightedRandomSampler(range(N), 20, generator=g),
    },
    "a list": lambda data, g: {"batch_size": 4, "sampler": [5, 3, -1, 0, -11, 2]},
    "batches": lambda data, g: {"batch_sampler": Own([3, 1], [2], [5, -6, 7])},
    "batches, empty": lambda data, g: {"batch_sampler": Own([3, 1], [])},
    "batches of arrays": lambda data, g: {"batch_sampler": Own(np.array([3, 1]), [np.int8(2)])},
    "batches of tensors": lambda data, g: {"batch_sampler": Own(torch.tensor([3, 1]))},
    "batches of masks": lambda data, g: {"batch_sampler": Own([True, False])},
    "batches out of range": lambda data, g: {"batch_sampler": Own([0, 1], [11])},
    "batches below range": lambda data, g: {"batch_sampler": Own([-12])},
    "batches of names": lambda data, g: {"batch_sampler": Own(["a"])},
    "batches of pairs": lambda data, g: {"batch_sampler": Own([[0, 1], [2, 3]])},
    "BatchSampler": lambda data, g: {
        "batch_sampler": BatchSampler(RandomSampler(data), 3, drop_last=True)
    },
}


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize(
    "dataset", [Dataset(X, y), Subset(Dataset(X, y), np.arange(N)[::-1].copy())]
)
def test_samplers_and_generators(name, dataset):
    assert_same_order(SAMPLERS[name], dataset)


@given(
    n=st.integers(1, 40),
    batch_size=st.integers(1, 45),
    shuffle=st.booleans(),
    drop_last=st.booleans(),
    own_generator=st.booleans(),
    rows=st.lists(st.integers(-40, 39), max_size=30) | st.none(),
)
def test_any_epoch(n, batch_size, shuffle, drop_last, own_generator, rows):
    dataset = Dataset({"a": np.arange(3.0 * n).reshape(n, 3)}, np.arange(n))
    if rows is not None:
        dataset = Subset(dataset, [row % n for row in rows] or [0])
    params = {"batch_size": batch_size, "shuffle": shuffle, "drop_last": drop_last}
    assert_same_order(
        lambda data, g: {**params, "generator": g if own_generator else None}, dataset
    )


def test_an_epoch_that_is_broken_off():
    for own in (None, torch.Generator()):
        states = []
        for loader in (TensorLoader, DataLoader):
            torch.manual_seed(0)
            _ = own and own.manual_seed(0)
            epochs = loader(Dataset(X), batch_size=4, shuffle=True, generator=own)
            first = iter(epochs)  # draws, though nobody asks for a batch
            unused = torch.rand(1).item()
            batch = flat(next(iter(epochs)))
            states.append((unused, batch, flat(next(first)), torch.rand(1).item()))
            states[-1] += (own and own.get_state().tolist(),)
        assert states[0] == states[1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["arrays", "Subset"])
def test_order_draws_from_a_generator_what_an_epoch_draws_from_the_global_one(name, kind):
    dataset = DATASETS[name]
    positions = TensorDataset(torch.arange(len(dataset)))
    for make in (TensorLoader, DataLoader):
        stand_in = torch.Generator().manual_seed(5)
        loader = make(dataset, **KINDS[kind])
        rows = [order(loader, stand_in) for _ in range(3)]
        torch.manual_seed(5)
        visits = DataLoader(positions, **KINDS[kind])
        stock = [[i for (batch,) in visits for i in batch.tolist()] for _ in range(3)]
        assert [r.tolist() for r in rows] == stock
        assert stand_in.get_state().equal(torch.get_rng_state())
        torch.manual_seed(5)
        assert [order(loader).tolist() for _ in range(3)] == stock


@pytest.mark.parametrize("name", ["generator", "fewer", "replacement", "weighted", "batches"])
def test_order_knows_what_it_does_not_know(name):
    dataset, g = Dataset(X, y), torch.Generator()
    before = torch.get_rng_state()
    assert order(TensorLoader(dataset, **SAMPLERS[name](dataset, g)), torch.Generator()) is None
    assert before.equal(torch.get_rng_state())


# --- memory


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("name", DATASETS)
def test_batches_do_not_share_memory_with_the_data(name, shuffle):
    dataset = DATASETS[name]
    loader = TensorLoader(dataset, batch_size=4, shuffle=shuffle)
    before = flat(tensors_of(dataset).parts)

    def overwrite(part):
        for value in part.values() if isinstance(part, dict) else part:
            value.zero_() if isinstance(value, torch.Tensor) else overwrite(value)

    for batch in loader:
        overwrite(batch)
    assert flat(tensors_of(dataset).parts) == before


def test_tensors_share_memory_with_the_data(tmp_path):
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    read_only = frozen(X.copy())
    for array in (X, np.asfortranarray(X), X[::2], X.T, mapped, read_only):
        (tensor, _) = tensors_of(Dataset(array)).parts
        assert tensor.data_ptr() == array.__array_interface__["data"][0]
        assert np.array_equal(tensor.numpy(), array)
    assert not read_only.flags.writeable
    assert_same(Dataset(mapped, y), batch_size=4)
    assert_same(Dataset(read_only[:, 0], read_only), batch_size=4, shuffle=True)


def test_other_data_in_the_same_dataset_are_noticed():
    dataset = Subset(Dataset(X.copy(), y), [0, 1])
    loader = TensorLoader(dataset, batch_size=4)
    (first,) = loader
    dataset.dataset.X += 1
    (second,) = loader
    assert torch.equal(second[0], first[0] + 1)
    dataset.dataset.X, dataset.indices = X * 3, [5]
    ((third, _),) = loader
    assert torch.equal(third, torch.from_numpy(X[5:6] * 3))


# --- whole fits

rows = np.random.default_rng(1).normal(size=(90, 6)).astype(np.float32)
labels = (rows[:, 0] + rows[:, 1] ** 2 > 0.5).astype(np.int64) + (rows[:, 2] > 0)


class Net(nn.Module):
    def __init__(self, dropout=0.0):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(6, 8), nn.ReLU(inplace=True), nn.Dropout(dropout), nn.Linear(8, 3)
        )

    def forward(self, X):
        return self.layers(X.sub_(0.5))


class Sum(nn.Linear):
    def forward(self, a, b):
        return super().forward(a + b)


def fitted(loader, X=rows, y=labels, **params):
    params = {"module": Net, "max_epochs": 4, "batch_size": 16, "verbose": 0} | params
    params = {"iterator_train__shuffle": True, "criterion": nn.CrossEntropyLoss} | params
    net = NeuralNetClassifier(iterator_train=loader, iterator_valid=loader, **params)
    torch.manual_seed(7)
    np.random.seed(7)  # noqa: NPY002
    net = clone(net).fit(X, y)
    history = [
        {k: v for k, v in epoch.items() if k not in ("dur", "batches")} for epoch in net.history
    ]
    batches = [epoch["batches"] for epoch in net.history]
    state = {**net.module_.state_dict(), "rng": torch.get_rng_state()}
    state["predictions"] = torch.from_numpy(net.predict_proba(X))
    return history, batches, {name: value.tolist() for name, value in state.items()}


OPTIMIZERS = ("SGD", "Adagrad", "RMSprop", "Adam", "Adamax", "NAdam", "AdamW")
WITH = [{"optimizer": getattr(torch.optim, name), "lr": 0.02} for name in OPTIMIZERS]
WITH += [
    {"optimizer__momentum": 0.9, "optimizer__nesterov": True},
    {"iterator_train__drop_last": True},
    {"iterator_train__shuffle": False, "batch_size": -1},
    {"module__dropout": 0.4, "optimizer": torch.optim.Adam},
    {"train_split": None},
    {"train_split": ValidSplit(0.2, stratified=True)},
    {"X": {"a": rows, "b": rows[:, ::-1].copy()}, "module": Sum, "module__in_features": 6}
    | {"module__out_features": 3},
    {"X": torch.from_numpy(rows), "y": torch.from_numpy(labels)},
    {"X": np.asfortranarray(rows)},
]


@pytest.mark.parametrize("params", WITH, ids=lambda params: " ".join(map(str, params)))
def test_nets_end_the_same(params):
    params = dict(params)
    before = rows.copy()
    assert fitted(TensorLoader, **params) == fitted(DataLoader, **params)
    assert np.array_equal(rows, before)
