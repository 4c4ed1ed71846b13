"""The resource contract: how a model is trained to r, paused, and taken on.

A *resource* is a positive integer of training (epochs, trees, samples). Objects of this
module live on a worker and train one fold of one trial. They are stateless recipes: all
that a model needs to go on is in the `Model` that `begin` returns and `advance` trains.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Accelerator", "Carve", "Model", "Resource", "Training", "TrainingData"]


Accelerator = Literal["auto", "loader", "off", "require"]


class Carve(NamedTuple):
    """Which rows of some training rows are trained on, and which early stopping watches.

    Parameters
    ----------
    trains, watches : ndarray of int
        Their positions, ascending; a row may be in neither.
    """

    trains: NDArray[np.intp]
    watches: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The training rows of one fold (or all rows, for the refit).

    Parameters
    ----------
    X : indexable of length n_samples
        Inputs.
    y : indexable of length n_samples, or None
        Targets; None for unsupervised estimators.
    fit_params : dict
        Keyword arguments for ``fit``, already cut to these rows.
    classes : ndarray of shape (n_classes,) or list of ndarray or None
        All classes of the whole y (not only of this fold) for a classifier, a list of
        arrays for multi-output targets.
    carve : Carve or None
        Which of these rows an estimator that stops early watches, if it can be told; None
        leaves that to the estimator.
    """

    X: Any
    y: Any
    fit_params: dict[str, Any] = field(default_factory=dict)
    classes: Any = None
    carve: Carve | None = None


@dataclass(slots=True)
class Model:
    """A fold model in training.

    Parameters
    ----------
    estimator : estimator
        As far as it was trained.
    resource : int
        Resource that it was trained for.
    stopped : bool, default=False
        Whether its own early stopping ended the training; `advance` then does nothing.
    extra : dict
        What the resource needs besides the estimator to go on.
    continues : bool, default=True
        Whether training goes on where it stood; if not, every `Resource.advance` trains
        from scratch and is paid in full.
    """

    estimator: Any
    resource: int = 0
    stopped: bool = False
    extra: dict[str, Any] = field(default_factory=dict)
    continues: bool = True


@dataclass(slots=True)
class Training:
    """A model to be trained further, and what came of it.

    Parameters
    ----------
    model : Model
        Begun, and possibly trained before.
    data : TrainingData
        Its rows.
    to : int
        Resource to train it to.
    stream : context manager
        Entered whenever something random may be drawn for the model.
    seconds : float
        Time that it took.
    error : Exception or None
        What training raised.
    path : str
        "alone", or how it was made faster (see `sk_hpo.evaluation.fused`).
    reason : str
        Why it was not made faster still; empty if it was.
    """

    model: Model
    data: TrainingData
    to: int
    stream: AbstractContextManager[Any] = field(default_factory=nullcontext)
    seconds: float = 0.0
    error: Exception | None = None
    path: str = "alone"
    reason: str = ""

    def run(self, advance: Callable[[Model, TrainingData, int], None]) -> None:
        """Train the model by itself; keep the error, if there is one."""
        begin = time.perf_counter()
        try:
            with self.stream:
                advance(self.model, self.data, self.to)
        except Exception as error:
            self.error = error
        self.seconds += time.perf_counter() - begin

    def take_over(self, inner: Training) -> None:
        """Note what came of the training of what this model consists of."""
        self.seconds += inner.seconds
        self.error, self.path, self.reason = inner.error, inner.path, inner.reason


class Resource(ABC):
    """How estimators are trained by one kind of resource.

    Attributes
    ----------
    name : str
        What the user wrote: "epochs", "n_samples", or the name of a parameter.
    continues : bool
        Whether a paused model goes on where it stood. If False, `advance` trains from
        scratch to the new resource, and costs are counted so.
    parameter : str or None
        The estimator's parameter that holds the resource, if there is one.
    overrides : tuple of str
        Parameters that training by this resource does not heed.
    kind : tuple
        Equal for resources that train alike.
    """

    name: str
    continues: bool = True
    parameter: str | None = None
    overrides: tuple[str, ...] = ()

    @property
    def kind(self) -> tuple[Any, ...]:
        """What the resource is."""
        return (type(self), self.name, self.continues)

    @abstractmethod
    def limit(self, estimator: Any, n_train: int) -> int:
        """Return what ``max_resources="auto"`` means for `estimator`.

        Parameters
        ----------
        estimator : estimator
            As the user passed it.
        n_train : int
            Rows of the smallest training fold.
        """

    def lowest(self, n_classes: int) -> int:
        """Return the smallest resource that makes sense for that many classes."""
        return 1

    def for_refit(self, selected: int, n_samples: int) -> int:
        """Return the resource for training on all rows after `selected` won."""
        return selected

    def refitting(self) -> Resource:
        """Return how the final model is trained: as the user would train it alone."""
        return self

    @abstractmethod
    def begin(self, estimator: Any, data: TrainingData, max_resources: int) -> Model:
        """Return an untrained model for a clone with its parameters already set."""

    @abstractmethod
    def advance(self, model: Model, data: TrainingData, to: int) -> None:
        """Train `model` in place from ``model.resource`` to `to`."""

    def alone(self, model: Model) -> bool:
        """Whether a model gains nothing from others beside it in `advance_all`.

        It is then trained and scored before the next one is begun, so that no more models
        than need be are in memory.
        """
        return True

    def advance_all(self, trainings: Sequence[Training]) -> None:
        """Do all `trainings`; one that raises keeps its error and disturbs no other.

        Nets of one architecture may be trained together; the result is the same as
        one after the other.
        """
        for training in trainings:
            training.run(self.advance)

    def pack(self, model: Model) -> bytes:
        """Return a picture of a model in training, RNG state apart."""
        raise NotImplementedError

    def unpack(self, packed: bytes) -> Model:
        """Return the model that `pack` has seen, in any process."""
        raise NotImplementedError

    def finish(self, model: Model) -> Any:
        """End the training; return the fitted estimator to score. `model` is then spent."""
        return model.estimator
