"""Epochs of a skorch net, trained through skorch's own machinery.

``net.fit`` is ``initialize``, ``on_train_begin``, ``fit_loop``, ``on_train_end``. Here a net
is begun once, continued with ``fit_loop`` from rung to rung, and ended once, so that
callbacks see one training. (``partial_fit`` would begin and end it at every rung.)

What a rung must not redo is kept in ``model.extra``: the RNG state from which the train and
validation rows were split, and the private directory of checkpoint files.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from skorch import NeuralNetClassifier
from skorch.callbacks import Checkpoint, TrainEndCheckpoint
from skorch.dataset import Dataset
from torch.utils.data import DataLoader

from sk_hpo.evaluation.dtype_hints import dtype_hints
from sk_hpo.evaluation.early_stopping import handed_over
from sk_hpo.evaluation.interrupt import interruptible
from sk_hpo.evaluation.nets import overridden
from sk_hpo.evaluation.resources import Accelerator, Model, Resource, Training, TrainingData
from sk_hpo.evaluation.rng import get_state, set_state
from sk_hpo.evaluation.skorch_pickle import callbacks_of, dumps, loads
from sk_hpo.evaluation.tensor_loader import TensorLoader

__all__ = ["SkorchEpochs"]


@dataclass(frozen=True)
class SkorchEpochs(Resource):
    """Epochs of a skorch net; a paused net goes on as if nothing had happened.

    Parameters
    ----------
    private_files : bool, default=True
        Whether `Checkpoint` and `TrainEndCheckpoint` write to a temporary directory of the
        model, which travels with it and is removed with it, instead of the place that
        the user named (where models of one search would overwrite each other). False is
        for the refit; such a model must not be moved to another machine.
    accelerator : {"auto", "loader", "off", "require"}, default="auto"
        Whether stock data loaders are replaced by a `TensorLoader` ("off" leaves them), and
        whether `advance_all` trains nets together where it can ("auto"; "require" insists).

    Notes
    -----
    ``model.resource`` of a net that stopped early is the number of epochs that it was
    really trained for.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from skorch import NeuralNetRegressor
    >>> from sk_hpo.evaluation.resources import TrainingData
    >>> X, y = np.ones((20, 3), np.float32), np.ones((20, 1), np.float32)
    >>> net = NeuralNetRegressor(
    ...     torch.nn.Linear, module__in_features=3, module__out_features=1, verbose=0)
    >>> data, epochs = TrainingData(X, y), SkorchEpochs()
    >>> model = epochs.begin(net, data, max_resources=9)
    >>> epochs.advance(model, data, to=3)
    >>> model = epochs.unpack(epochs.pack(model))
    >>> epochs.advance(model, data, to=9)
    >>> len(epochs.finish(model).history)
    9
    """

    private_files: bool = True
    accelerator: Accelerator = "auto"
    name = "epochs"
    continues = True
    overrides = ("max_epochs",)

    def limit(self, estimator: Any, n_train: int) -> int:
        """Return the net's own ``max_epochs``."""
        return int(estimator.max_epochs)

    def refitting(self) -> SkorchEpochs:
        """Return the same, with checkpoints where the user wants them."""
        return replace(self, private_files=False)

    def begin(self, estimator: Any, data: TrainingData, max_resources: int) -> Model:
        """Return an initialised net to which training was announced.

        Parameters
        ----------
        estimator : NeuralNet
            A clone with its parameters set; it is trained itself.
        data : TrainingData
            Its rows. A `NeuralNetClassifier` without `classes` gets those of `data` until
            it is finished.
        max_resources : int
            ``max_epochs`` of the net, for callbacks that lay a schedule out over it.
        """
        net = estimator
        model = Model(net, extra={"data": data})
        net.set_params(max_epochs=max_resources)
        if _lacks_classes(net) and isinstance(data.classes, np.ndarray):
            net.set_params(classes=data.classes)
            model.extra["classes"] = data.classes
        if self.accelerator != "off":
            model.extra["loaders"] = _slice_tensors(net)
        net.initialize()
        if self.private_files and (checkpoints := _checkpoints(net)):
            model.extra["directory"] = _Directory()
            model.extra["dirnames"] = [_redirect(c) for c in checkpoints]
            _move(net, model.extra["directory"])
        with dtype_hints(data):
            net.notify("on_train_begin", X=data.X, y=data.y)
        return model

    def advance(self, model: Model, data: TrainingData, to: int) -> None:
        """Train `model` until it has seen `to` epochs, or its own early stopping.

        Raises
        ------
        KeyboardInterrupt
            On a real Ctrl-C; the same exception from a callback stops the model.
        """
        model.extra["data"] = data
        if model.stopped or to <= model.resource:
            return
        net, epochs = model.estimator, to - model.resource
        epochs_before = len(net.history)
        with _same_split(model, data), dtype_hints(data), interruptible() as interrupt:
            try:
                net.fit_loop(data.X, data.y, epochs=epochs, **data.fit_params)
            except KeyboardInterrupt:
                if interrupt.arrived:
                    raise
                model.stopped = True
            except Exception:
                model.resource += len(net.history) - epochs_before  # that was spent
                raise
        model.resource += len(net.history) - epochs_before if model.stopped else epochs

    def alone(self, model: Model) -> bool:
        """Whether a net cannot be trained with others, or is too big to gain from it."""
        if self.accelerator not in ("auto", "require"):
            return True
        from sk_hpo.evaluation.fused.guard import is_big, why_alone

        big = self.accelerator == "auto" and is_big(model.estimator)
        return big or bool(why_alone(model.estimator))

    def advance_all(self, trainings: Sequence[Training]) -> None:
        """Train nets of one architecture together, others one by one.

        Raises
        ------
        RuntimeError
            With ``accelerator="require"``, if one cannot be trained together with others.
        """
        left = list(trainings)
        if self.accelerator in ("auto", "require"):
            from sk_hpo.evaluation.fused.together import NO_OTHER, advance_together

            insists = self.accelerator == "require"
            waiting = [t for t in trainings if not _ended(t)]
            left = [t for t in trainings if _ended(t)]
            left += advance_together(waiting, self._loaders, must_gain=not insists)
            reason = next((t.reason for t in left if t.reason not in ("", NO_OTHER)), "")
            if insists and reason:
                raise RuntimeError(
                    "accelerator='require', but a net cannot be trained together with"
                    f" others: {reason}."
                )
        for training in left:
            training.run(self.advance)
            if training.model.extra.get("loaders"):
                training.path = "loader"

    def _loaders(self, training: Training) -> tuple[Any, Any]:
        """Return the loaders that a net would train and validate with; None for no rows."""
        net, data = training.model.estimator, training.data
        found = []

        def get_iterator(dataset: Any, training: bool = False) -> Any:
            found.append(type(net).get_iterator(net, dataset, training=training))
            return found[-1]

        vars(net)["get_iterator"] = get_iterator
        try:
            with training.stream, _same_split(training.model, data), dtype_hints(data):
                net.fit_loop(data.X, data.y, epochs=0, **data.fit_params)
        finally:
            del vars(net)["get_iterator"]
        return found[0], found[1] if len(found) > 1 else None

    def pack(self, model: Model) -> bytes:
        """Return a picture of a net in training, RNG state apart; the net goes on.

        Raises
        ------
        pickle.PicklingError
            If the net holds what cannot be pickled; the message says where.
        """
        extra = model.extra
        rest = {
            "resource": model.resource,
            "stopped": model.stopped,
            "extra": {k: v for k, v in extra.items() if k not in ("data", "directory")},
            "files": extra["directory"].read() if "directory" in extra else None,
        }
        return dumps(model.estimator, rest)

    def unpack(self, packed: bytes) -> Model:
        """Return the model that `pack` has seen; without CUDA, on the CPU."""
        net, rest = loads(packed)
        model = Model(
            net, resource=rest["resource"], stopped=rest["stopped"], extra=rest["extra"]
        )
        if rest["files"] is not None:
            model.extra["directory"] = _Directory(rest["files"])
            _move(net, model.extra["directory"])
        return model

    def finish(self, model: Model) -> Any:
        """End the training (``on_train_end``); return the net, with its own parameters."""
        net, extra = model.estimator, model.extra
        data = extra.get("data", TrainingData(None, None))
        net.notify("on_train_end", X=data.X, y=data.y)
        if "directory" in extra:
            for checkpoint, attributes in zip(
                _checkpoints(net), extra["dirnames"], strict=True
            ):
                vars(checkpoint).update(attributes)
            extra["directory"].remove()
        if "classes" in extra:
            net.set_params(classes=None)
            net.classes_inferred_ = extra["classes"]
        if not self.private_files:
            vars(net).update(extra.get("loaders", {}))
        extra.clear()
        return net


def _ended(training: Training) -> bool:
    model = training.model
    return model.stopped or training.to <= model.resource


def _slice_tensors(net: Any) -> dict[str, Any]:
    """Replace the net's stock loaders by ones that slice; return what they were."""
    stock = {
        name: getattr(net, name)
        for name in ("iterator_train", "iterator_valid")
        if getattr(net, name) is DataLoader
    }
    for name in stock:
        setattr(net, name, TensorLoader)
    return stock


def _lacks_classes(net: Any) -> bool:
    return isinstance(net, NeuralNetClassifier) and net.classes is None


# --- the rows that the net trains on and validates with


@contextmanager
def _same_split(model: Model, data: TrainingData) -> Iterator[None]:
    """Let the next ``get_split_datasets`` of the net find the RNG as the first one did.

    Where rows to watch are carved already, it finds these.

    The shadow is gone before training starts: callbacks may pickle or clone the net.
    """
    net, extra = model.estimator, model.extra
    if not net.train_split and data.carve is None and _splits_as_usual(net):
        yield  # there is nothing to split, nor to draw
        return

    def split(*args: Any, **kwargs: Any) -> Any:
        del vars(net)["get_split_datasets"]
        generators = _own_generators(net.train_split)
        own_states = [generator.get_state() for generator in generators]
        here = get_state() if "split_rng" in extra else None
        if here is None:
            extra["split_rng"] = get_state()
        else:
            set_state(extra["split_rng"])
        try:
            with handed_over(net, data):
                return net.get_split_datasets(*args, **kwargs)
        finally:
            if here is not None:
                set_state(here)
            for generator, state in zip(generators, own_states, strict=True):
                generator.set_state(state)

    vars(net)["get_split_datasets"] = split
    try:
        yield
    finally:
        vars(net).pop("get_split_datasets", None)


def _splits_as_usual(net: Any) -> bool:
    return net.dataset is Dataset and not overridden(net, ("get_split_datasets", "get_dataset"))


def _own_generators(train_split: Any) -> list[np.random.RandomState]:
    """Return the generators that a split advances besides the global ones."""
    owners = (train_split, getattr(train_split, "cv", None))
    generators = [getattr(owner, "random_state", None) for owner in owners]
    return [g for g in generators if isinstance(g, np.random.RandomState)]


# --- checkpoint files


class _Directory:
    """A temporary directory that dies with its owner."""

    def __init__(self, files: Mapping[str, bytes] | None = None) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="sk_hpo-"))
        self.remove = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
        for name, content in (files or {}).items():
            (self.path / name).parent.mkdir(exist_ok=True)
            (self.path / name).write_bytes(content)

    def read(self) -> dict[str, bytes]:
        files = (path for path in self.path.rglob("*") if path.is_file())
        return {str(path.relative_to(self.path)): path.read_bytes() for path in files}


def _checkpoints(net: Any) -> list[Checkpoint]:
    """Return what writes the net's checkpoint files."""
    return callbacks_of(net, Checkpoint) + [
        callback.checkpoint_ for callback in callbacks_of(net, TrainEndCheckpoint)
    ]


def _redirect(checkpoint: Checkpoint) -> dict[str, Any]:
    """Make all paths of `checkpoint` plain names in its ``dirname``; return the old ones."""
    names = {
        name: value
        for name, value in vars(checkpoint).items()
        if name == "fn_prefix" or name.startswith("f_")
        if isinstance(value, str | os.PathLike)
    }
    flat = {name: re.sub(r"[\\/]", "_", os.fspath(value)) for name, value in names.items()}
    before = {"dirname": checkpoint.dirname, **names}
    vars(checkpoint).update(flat)
    return before


def _move(net: Any, directory: _Directory) -> None:
    for i, checkpoint in enumerate(_checkpoints(net)):
        checkpoint.dirname = str(directory.path / str(i))
        Path(checkpoint.dirname).mkdir(exist_ok=True)
