"""Early stopping of skorch nets: which rows it watches, and how to do without it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from typing import Any

from skorch.callbacks import Callback, Checkpoint, EarlyStopping, LRScheduler
from skorch.dataset import ValidSplit
from torch.utils.data import Subset

from sk_hpo.evaluation.early_stopping import Stopper
from sk_hpo.evaluation.resources import Carve

__all__ = ["CarvedRows", "NetStopper", "keeps_its_rows"]


@dataclass(frozen=True)
class CarvedRows:
    """A ``train_split`` that gives the rows of a carve.

    Examples
    --------
    >>> import numpy as np
    >>> rows = CarvedRows(Carve(np.array([0, 2]), np.array([1])))
    >>> train, valid = rows(["a", "b", "c"])
    >>> list(train), list(valid)
    (['a', 'c'], ['b'])
    """

    carve: Carve

    def __call__(self, dataset: Any, y: Any = None, **params: Any) -> tuple[Any, Any]:
        return Subset(dataset, self.carve.trains), Subset(dataset, self.carve.watches)


class NetStopper(Stopper):
    """A skorch net: callbacks that monitor validation, on the rows of ``train_split``."""

    takes_rows = True
    # A callback may itself be searched for, and so may what it monitors.
    switches = ("callbacks",)

    def watches(self, estimator: Any, n_rows: int) -> bool:
        """Whether a callback acts on the validation rows."""
        return any(_chooses(c) or _steers(c) for _, c in _callbacks(estimator))

    def settled(self, fitted: Any) -> int | None:
        """Return the epoch of the weights, if early stopping or a checkpoint chose it."""
        watching = [c for _, c in fitted.callbacks_ if _chooses(c)]
        if not watching or not fitted.history:
            return None
        epochs = int(fitted.history[-1, "epoch"])
        for callback in watching:  # in the order in which they load
            if callback.load_best:
                epochs = _best_epoch(callback, fitted) or epochs
        return epochs

    def fix(self, estimator: Any, n_epochs: int) -> None:
        """Take early stopping off, and the validation rows too if nothing else needs them.

        How long it is trained is up to the caller, so that schedules are laid out as before.
        """
        rest = []
        for name, callback in _callbacks(estimator):
            if isinstance(callback, EarlyStopping) and _monitors_validation(callback):
                _take_off(estimator, name)
            elif isinstance(callback, Checkpoint) and _monitors_validation(callback):
                # The last epoch is the best one by now. Not by `set_params`, which would
                # make the user's folders.
                setattr(estimator, f"callbacks__{name}__monitor", None)
            else:
                rest.append(callback)
        if not any(_steers(c) or _is_unknown(c) for c in rest):
            estimator.set_params(train_split=None)

    def own_split(self, estimator: Any) -> Any:
        """Return the share that ``ValidSplit`` holds back, or its splitter."""
        cv = getattr(estimator.train_split, "cv", None)
        if cv is None:
            return super().own_split(estimator)
        return 1 / cv if isinstance(cv, int | float) and cv > 1 else cv

    @contextmanager
    def handing(self, estimator: Any, carve: Carve) -> Iterator[None]:
        """Let the net split off the rows of `carve`, for the time of the block."""
        own = estimator.train_split
        if not keeps_its_rows(estimator):
            estimator.train_split = CarvedRows(carve)
        try:
            yield
        finally:
            estimator.train_split = own


def keeps_its_rows(net: Any) -> bool:
    """Whether the user has said which rows validate, as with ``predefined_split``."""
    return net.train_split is not None and not isinstance(net.train_split, ValidSplit)


def _callbacks(net: Any) -> list[tuple[str, Any]]:
    """Return names and callbacks of a net, initialised or not, with their parameters set."""
    if net.callbacks == "disable":
        return []
    found = []
    for name, listed in net._uniquely_named_callbacks():  # as initialize_callbacks does
        callback = getattr(net, f"callbacks__{name}", listed)
        if callback is None:
            continue
        params = net.get_params_for(f"callbacks__{name}")
        if isinstance(callback, type):
            callback = callback(**params)
        elif params:
            callback = copy(callback)
            callback.set_params(**params)  # returns nothing
        found.append((name, callback))
    return found


def _monitors_validation(callback: Any) -> bool:
    monitor = callback.monitor
    return monitor is not None and not (
        isinstance(monitor, str) and monitor.startswith("train")
    )


def _chooses(callback: Any) -> bool:
    """Whether it chooses the epoch by validation rows."""
    if isinstance(callback, EarlyStopping):
        return _monitors_validation(callback)
    return (
        isinstance(callback, Checkpoint)
        and bool(callback.load_best)
        and _monitors_validation(callback)
    )


def _steers(callback: Any) -> bool:
    """Whether the learning rate follows validation rows."""
    if not isinstance(callback, LRScheduler) or not _monitors_validation(callback):
        return False
    policy = getattr(callback.policy, "__name__", callback.policy)
    # `sk_hpo.torch.Schedule` has its policies inside.
    return policy == "ReduceLROnPlateau" or getattr(callback, "kind", policy) == "performance"


_AT_WORK = ("on_epoch_begin", "on_epoch_end", "on_batch_begin", "on_batch_end", "on_train_end")


def _is_unknown(callback: Any) -> bool:
    """Whether it may look at validation rows for all we know."""
    kind = type(callback)
    for method in _AT_WORK:
        owner = next((k for k in kind.__mro__ if method in vars(k)), Callback)
        if owner.__module__.partition(".")[0] not in ("skorch", "sk_hpo"):
            return True
    return False


def _best_epoch(callback: Any, net: Any) -> int | None:
    """Return the epoch that the callback has loaded; None if it has loaded none."""
    if isinstance(callback, EarlyStopping):
        return int(callback.best_epoch_) or None
    column = callback.event_name or callback.monitor
    saved = [row["epoch"] for row in net.history if isinstance(column, str) and row.get(column)]
    return int(saved[-1]) if saved else None


def _take_off(net: Any, name: str) -> None:
    """Deactivate a callback, as skorch does by ``callbacks__name=None``."""
    prefix = f"callbacks__{name}"
    for parameter in [p for p in vars(net) if p.startswith(f"{prefix}__")]:
        delattr(net, parameter)
    setattr(net, prefix, None)
