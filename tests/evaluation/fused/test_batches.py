"""A `Feed` against the data loaders that it stands for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skorch.dataset import Dataset
from torch.utils.data import DataLoader, Subset

from sk_hpo.evaluation.fused.batches import Feed, kind_of
from sk_hpo.evaluation.fused.rows import Rows

FORMS = {
    "array": lambda X: X,
    "dict": lambda X: {"a": X, "b": X[:, :1].astype(np.int64)},
    "tuple": lambda X: (X, 2 * X),
}


def dataset(k, n, form):
    X = 100.0 * k + np.arange(3.0 * n, dtype=np.float32).reshape(n, 3)
    return Dataset(FORMS[form](X), np.arange(n))


def equal(one, other):
    if isinstance(one, dict):
        return all(equal(one[name], other[name]) for name in other)
    if isinstance(one, list | tuple):
        return all(equal(a, b) for a, b in zip(one, other, strict=True))
    return one.dtype == other.dtype and torch.equal(one, other)


@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    batch_size=st.integers(1, 12),
    shuffle=st.booleans(),
    drop_last=st.booleans(),
    form=st.sampled_from(sorted(FORMS)),
    subset=st.booleans(),
)
def test_batches_and_draws_are_those_of_the_loaders(
    lengths, batch_size, shuffle, drop_last, form, subset
):
    data = [dataset(k, n, form) for k, n in enumerate(lengths)]
    if subset:
        data = [Subset(d, list(range(len(d)))[::-2]) for d in data]
    own = {"batch_size": batch_size, "shuffle": shuffle, "drop_last": drop_last}
    loaders = [DataLoader(d, **own) for d in data]
    generators = [torch.Generator().manual_seed(k) for k in range(len(data))]
    feed = Feed(loaders, "cpu")
    found = [[] for _ in data]
    for _ in range(2):
        for batches in feed.epoch(generators):
            seen = [k for batch in batches for k in batch.models]
            assert len(seen) == len(set(seen))
            for batch in batches:
                for i, k in enumerate(batch.models):
                    found[k].append(batch.of(i))
    assert feed.n_batches == [len(loader) for loader in loaders]
    with torch.random.fork_rng():
        for k, loader in enumerate(loaders):
            torch.manual_seed(k)
            expected = [batch for _ in range(2) for batch in loader]
            assert len(found[k]) == len(expected)
            assert all(equal(a, b) for a, b in zip(found[k], expected, strict=True))
            assert torch.equal(torch.get_rng_state(), generators[k].get_state())


def test_big_data_are_not_copied_but_give_the_same(monkeypatch):
    loaders = [DataLoader(dataset(k, 29, "dict"), batch_size=4, shuffle=True) for k in range(3)]

    def epoch():
        generators = [torch.Generator().manual_seed(k) for k in range(3)]
        batches = [b for bs in Feed(loaders, "cpu").epoch(generators) for b in bs]
        return [b.of(i) for b in batches for i in range(len(b.models))]

    pooled = epoch()
    monkeypatch.setattr("sk_hpo.evaluation.fused.batches._POOL", 1)
    assert equal(epoch(), pooled)


def test_batch_of_some_models():
    loaders = [DataLoader(dataset(k, 8, "dict"), batch_size=4) for k in range(3)]
    generators = [torch.Generator() for _ in loaders]
    ((batch,), _) = Feed(loaders, "cpu").epoch(generators)
    some = batch.only([0, 2])
    assert list(some.models) == [0, 2]
    assert type(some.X["a"]) is Rows
    assert equal(some.of(1), batch.of(2))
    assert batch.only([0, 1, 2]) is batch


@pytest.mark.parametrize(
    "own",
    [
        {"collate_fn": lambda batch: batch},
        {"generator": torch.Generator()},
        {"sampler": torch.utils.data.SubsetRandomSampler([1, 2, 3])},
        {"sampler": torch.utils.data.RandomSampler(range(8), replacement=True)},
        {"num_workers": 1},
        {"batch_size": None},
    ],
    ids=lambda own: next(iter(own)),
)
def test_loader_of_another_kind(own):
    assert kind_of(DataLoader(dataset(0, 8, "array"), **own)) is None


def test_kind_tells_what_batches_are():
    data = {name: dataset(0, 8, name) for name in FORMS}
    kinds = [kind_of(DataLoader(d, batch_size=4)) for d in data.values()]
    kinds += [kind_of(DataLoader(data["array"], batch_size=n)) for n in (2, 3)]
    kinds += [kind_of(DataLoader(data["array"], batch_size=2, drop_last=True))]
    assert None not in kinds
    assert len(set(kinds)) == len(kinds)
    assert kind_of(DataLoader(dataset(1, 9, "array"), batch_size=4)) == kinds[0]
