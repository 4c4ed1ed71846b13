"""Trainings of small nets, done together and alone, and what must be equal of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from skorch import NeuralNetClassifier
from torch import nn
from torch.utils.data import DataLoader

from sk_hpo.evaluation.resources import Training, TrainingData
from sk_hpo.evaluation.rng import Stream, kept
from sk_hpo.evaluation.skorch import SkorchEpochs

_generator = np.random.default_rng(0)
X = _generator.normal(size=(46, 8)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(np.int64) + (X[:, 2] > 1)
TARGET = (X[:, :1] * X[:, 1:2] + X[:, 2:3]).astype(np.float32)
N_CLASSES = 3
# Of unequal sizes: batches of 8 leave 4, 1 and nothing.
FOLDS = [np.arange(0, 36), np.arange(10, 43), np.arange(6, 46)]


class Dense(nn.Module):
    """Layers with something in between, in sizes that every kernel rounds alike."""

    def __init__(self, between=nn.ReLU, n_layers=1, width=16, n_inputs=8, n_outputs=3):
        super().__init__()
        widths = [n_inputs] + n_layers * [width]
        layers = []
        for a, b in pairwise(widths):
            layers += [nn.Linear(a, b), between()]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], n_outputs))

    def forward(self, X):
        return self.layers(X)


class Backwards(DataLoader):
    """Has the last batch first, and in each the last row first."""

    def __iter__(self):
        batches = list(super().__iter__())
        return iter([[part.flip(0) for part in batch] for batch in reversed(batches)])


def classifier(module: Any = Dense, cls: Any = NeuralNetClassifier, **params: Any) -> Any:
    """Return a classifier whose parameters are mostly those of the tests."""
    params = {
        "criterion": nn.CrossEntropyLoss,
        "lr": 0.1,
        "batch_size": 8,
        "iterator_train__shuffle": True,
        "train_split": None,
        "verbose": 0,
        **params,
    }
    return cls(module, **params)


def begun(
    nets: Sequence[Any], resource: SkorchEpochs, X: Any = X, y: Any = Y, folds: Any = FOLDS
) -> list[Training]:
    """Return a training of each net on each fold."""
    trainings = []
    for i, net in enumerate(nets):
        for fold, rows in enumerate(folds):
            stream = Stream(100 * i + fold)
            data = TrainingData(rows_of(X, rows), rows_of(y, rows), {}, np.arange(N_CLASSES))
            with stream:
                model = resource.begin(clone(net), data, 9)
            trainings.append(Training(model, data, 0, stream))
    return trainings


def rows_of(data: Any, rows: Any) -> Any:
    """Return some rows of an array, or of each in a dict or tuple of them."""
    if isinstance(data, dict):
        return {name: x[rows] for name, x in data.items()}
    if isinstance(data, tuple):
        return tuple(x[rows] for x in data)
    return None if data is None else data[rows]


def trained(
    nets: Sequence[Any],
    accelerator: Any,
    epochs: Sequence[int] = (2,),
    pause: bool = False,
    **data: Any,
) -> list[Training]:
    """Train nets to each of `epochs` in turn, between which they may be packed."""
    resource = SkorchEpochs(accelerator=accelerator)
    with kept(), one_thread():
        trainings = begun(nets, resource, **data)
        for to in epochs:
            for training in trainings:
                training.to = to
            resource.advance_all([t for t in trainings if t.error is None])
            for training in trainings:
                if pause and training.error is None:
                    training.model = resource.unpack(resource.pack(training.model))
    return trainings


class one_thread:
    """As in a search."""

    def __enter__(self) -> None:
        self._before = torch.get_num_threads()
        torch.set_num_threads(1)

    def __exit__(self, *exc: object) -> None:
        torch.set_num_threads(self._before)


def assert_same(
    nets: Any,
    *,
    reason: str = "",
    path: str = "together",
    check: Callable[[Training, Training], None] | None = None,
    **options: Any,
) -> list[Training]:
    """Assert that nets are trained together, or fall back, and end as if alone.

    Parameters
    ----------
    nets : NeuralNet or sequence of them
        Each is trained on each fold.
    reason : str
        What the reasons begin with.
    path : str
        How they are trained.
    check : callable, default=None
        (one trained by "auto", the same trained by "off") -> None: more to look at.
    """
    nets = nets if isinstance(nets, list) else [nets]
    ours = trained(nets, "auto", **options)
    theirs = trained(nets, "off", **options)
    for one, other in zip(ours, theirs, strict=True):
        if not one.model.stopped:
            assert one.path == path, one.reason
            assert one.reason.startswith(reason) if reason else not one.reason, one.reason
        assert_equal_trainings(one, other)
        if check:
            check(one, other)
    assert_apart(ours)
    return ours


def assert_same_either_way(nets: Any, **options: Any) -> None:
    """Assert that nets end as if alone, whether they are trained together or not."""
    nets = nets if isinstance(nets, list) else [nets]
    ours, theirs = (trained(nets, a, **options) for a in ("auto", "off"))
    assert not any(training.error for training in theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert_equal_trainings(one, other)


def assert_equal_trainings(one: Training, other: Training) -> None:
    """Assert that nothing but the clock tells two trainings apart."""
    assert repr(one.error) == repr(other.error)
    assert one.model.stopped == other.model.stopped
    assert one.model.resource == other.model.resource
    if one.error is None:
        assert_equal_nets(one.model.estimator, other.model.estimator)
        assert_equal_states(one.stream.state, other.stream.state)


def assert_equal_nets(one: Any, other: Any) -> None:
    """Assert that two nets are the same: weights, history, optimizer and all."""
    assert epochs_of(one) == epochs_of(other)
    assert parts_of(one.module_.state_dict()) == parts_of(other.module_.state_dict())
    assert parts_of(one.optimizer_.state_dict()) == parts_of(other.optimizer_.state_dict())
    for ours, theirs in zip(one.module_.modules(), other.module_.modules(), strict=True):
        assert ours.training == theirs.training
        assert set(vars(ours)) == set(vars(theirs))
    assert kinds_of(one.module_) == kinds_of(other.module_)
    assert set(vars(one)) == set(vars(other))


def kinds_of(module: Any) -> list[Any]:
    """Return what the parameters of a module are, apart from their values."""
    return [(p.requires_grad, type(p), p.stride()) for p in module.parameters()]


def assert_equal_states(one: Any, other: Any) -> None:
    """Assert that two states of the random number generators are equal."""
    assert repr(one["python"]) == repr(other["python"])
    assert parts_of(one["numpy"]) == parts_of(other["numpy"])
    assert one["torch"].tobytes() == other["torch"].tobytes()


def assert_apart(trainings: Sequence[Training]) -> None:
    """Assert that no net holds memory of another, nor more than it needs."""
    seen: set[int] = set()
    for training in trainings:
        module = training.model.estimator.module_
        tensors = [*module.parameters(), *module.buffers()]
        for tensor in tensors:
            assert type(tensor) in (torch.Tensor, nn.Parameter)
            storage = tensor.untyped_storage()
            assert storage.data_ptr() not in seen
            assert storage.nbytes() == tensor.numel() * tensor.element_size()
        seen |= {tensor.untyped_storage().data_ptr() for tensor in tensors}


def epochs_of(net: Any) -> list[str]:
    """Return a net's history, times apart; exact, and NaN equal to NaN."""
    return [
        repr({name: row[name] for name in sorted(row) if name != "dur"})
        for row in net.history.to_list()
    ]


def parts_of(state: Any) -> Any:
    """Return a nested state with tensors as bytes, so that NaN is equal to NaN.

    Any NaN: what its sign is depends on which of two kernels met it first.
    """
    if isinstance(state, torch.Tensor):
        if state.is_floating_point():
            state = torch.where(state.isnan(), torch.nan, state)
        return str(state.dtype), tuple(state.shape), state.detach().numpy().tobytes()
    if isinstance(state, np.ndarray):
        return state.tobytes()
    if isinstance(state, dict):
        return {name: parts_of(value) for name, value in state.items()}
    if isinstance(state, list | tuple):
        return [parts_of(value) for value in state]
    return repr(state)
