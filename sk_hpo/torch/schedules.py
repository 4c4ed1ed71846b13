"""Schedules of the learning rate, laid out over the whole budget of a search.

Those of Geron, Hands-on machine learning, chapter 11 (power, exponential, piecewise
constant, performance, 1cycle), cosine annealing and linear warm-up. All are scale-free:
what they are told are fractions of the budget and of the net's own learning rate, which is
the highest in every schedule. So the same few parameters mean the same in each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from scipy.stats import loguniform, uniform
from skorch.callbacks import LRScheduler
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from sk_hpo.space.condition import when
from sk_hpo.torch.conditions import prefixed
from sk_hpo.torch.curves import Curve, OneCycleMomentum

__all__ = ["KINDS", "Schedule", "latest_loss", "schedule_space"]


KINDS = (
    "constant",
    "power",
    "exponential",
    "piecewise",
    "performance",
    "1cycle",
    "cosine",
    "warmup",
)


def latest_loss(net: Any) -> float:
    """Return the latest epoch's validation loss; of a net without one, the training's."""
    losses = net.history[-1]
    return float(losses["valid_loss"] if "valid_loss" in losses else losses["train_loss"])


class Schedule(LRScheduler):
    """A skorch callback: the learning rate of every epoch, by the name of a schedule.

    Give it to the net as ``callbacks=[("schedule", Schedule())]`` and search its parameters:
    ``callbacks__schedule__kind`` and so on. The net's own learning rate is the highest one.

    Parameters
    ----------
    kind : str, default="constant"
        With ``p`` from 0 in the first epoch of the budget to 1 in the last, the learning rate
        is the net's own, times

        - "constant": 1.
        - "power": ``1 / (1 + p (1 / final - 1))``.
        - "exponential": ``final ** p``.
        - "piecewise": 1, then `n_drops` times less by the same factor, down to `final`, after
          equal parts of the budget.
        - "performance": 1, then less by `factor` whenever the loss has not improved for more
          than `patience`.
        - "1cycle": from `start` up to 1 at ``p = peak`` and down to `final`, by half waves of
          the cosine.
        - "cosine": from 1 to `final` by half a wave of the cosine.
        - "warmup": from `start` linearly up to 1 at ``p = peak``, then 1.
    start : float, default=0.1
        Above 0, at most 1.
    peak : float, default=0.3
        At least 0, below 1.
    final : float, default=0.01
        Above 0, at most 1.
    n_drops : int, default=3
        At least 1.
    factor : float, default=0.3
        Above 0, below 1.
    patience : float, default=0.1
        As a fraction of the budget; rounded to epochs.
    cycle_momentum : bool, default=True
        Whether "1cycle" also takes the momentum (or Adam's first beta) down from the
        optimizer's own by a tenth (0.85 for 0.95) while the learning rate goes up, and back.
    max_epochs : int or None, default=None
        The budget. None is the net's own ``max_epochs``, which a search over epochs sets to
        its ``max_resources``, so that a candidate that is stopped early has seen the
        beginning of the whole schedule.
    monitor : str or callable, default=latest_loss
        Of "performance": name of a column of the net's history, or a function of the net,
        to be minimised. By default the validation loss, without one that of training.
    event_name : str or None, default="event_lr"
        Where the history has the learning rate of every epoch.

    Raises
    ------
    ValueError
        When training begins, for a parameter that is out of range.

    Examples
    --------
    >>> Schedule("piecewise", n_drops=2).simulate(6, initial_lr=0.5).tolist()
    [0.5, 0.5, 0.05, 0.05, 0.005, 0.005]
    """

    step_every = "epoch"
    policy = LambdaLR

    def __init__(
        self,
        kind: str = "constant",
        start: float = 0.1,
        peak: float = 0.3,
        final: float = 0.01,
        n_drops: int = 3,
        factor: float = 0.3,
        patience: float = 0.1,
        cycle_momentum: bool = True,
        max_epochs: int | None = None,
        monitor: str | Callable[[Any], float] = latest_loss,
        event_name: str | None = "event_lr",
    ) -> None:
        self.kind = kind
        self.start = start
        self.peak = peak
        self.final = final
        self.n_drops = n_drops
        self.factor = factor
        self.patience = patience
        self.cycle_momentum = cycle_momentum
        self.max_epochs = max_epochs
        self.monitor = monitor
        self.event_name = event_name

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Lay the schedule out over the budget."""
        self.lr_scheduler_ = self._make(
            net.optimizer_, self.max_epochs or net.max_epochs, len(net.history) - 1
        )

    def simulate(self, steps: int, initial_lr: float, step_args: Any = None) -> np.ndarray:
        """Return the learning rates of `steps` epochs, which are the budget if it is None.

        Parameters
        ----------
        steps : int
            Number of epochs.
        initial_lr : float
            The net's own learning rate.
        step_args : sequence of float, default=None
            Losses of the epochs, for "performance".

        Returns
        -------
        lrs : ndarray of shape (steps,)
        """
        optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=initial_lr)
        scheduler = self._make(optimizer, self.max_epochs or steps, -1)
        lrs = []
        for i in range(steps):
            lrs.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step(*([] if self.kind != "performance" else [step_args[i]]))
        return np.array(lrs)

    def _make(self, optimizer: torch.optim.Optimizer, max_epochs: int, last: int) -> Any:
        self._check()
        if self.kind == "performance":
            patience = round(self.patience * max_epochs)
            return ReduceLROnPlateau(optimizer, factor=self.factor, patience=patience)
        curve = Curve(self.kind, max_epochs, self.start, self.peak, self.final, self.n_drops)
        if self.kind == "1cycle" and self.cycle_momentum:
            momentum = replace(curve, kind="1cycle momentum")
            return OneCycleMomentum(optimizer, curve, momentum, last)
        return LambdaLR(optimizer, curve, last)

    def _check(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {list(KINDS)}, got {self.kind!r}")
        ranges = {
            "start": 0 < self.start <= 1,
            "peak": 0 <= self.peak < 1,
            "final": 0 < self.final <= 1,
            "n_drops": self.n_drops >= 1,
            "factor": 0 < self.factor < 1,
            "patience": self.patience >= 0,
            "max_epochs": self.max_epochs is None or self.max_epochs >= 1,
        }
        for name, fits in ranges.items():
            if not fits:
                raise ValueError(f"{name} of a Schedule cannot be {getattr(self, name)!r}")


# Parameter -> its distribution, and the kinds that have it.
_PARAMETERS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "start": (loguniform(0.01, 0.5), ("1cycle", "warmup")),
    "peak": (uniform(0.1, 0.3), ("1cycle", "warmup")),
    "final": (
        loguniform(1e-4, 0.3),
        ("power", "exponential", "piecewise", "1cycle", "cosine"),
    ),
    "n_drops": ([1, 2, 3, 4], ("piecewise",)),
    "factor": ([0.1, 0.2, 0.5], ("performance",)),
    "patience": (loguniform(0.02, 0.2), ("performance",)),
}


def schedule_space(
    max_resources: int | None = None,
    kinds: Iterable[str] = KINDS,
    *,
    name: str = "schedule",
    prefix: str = "",
) -> dict[str, Any]:
    """Return a conditional space of schedules, for a skorch net that has a `Schedule`.

    Parameters
    ----------
    max_resources : int or None, default=None
        Epochs over which schedules are laid out. None is the net's ``max_epochs``, which
        searches over epochs set to their ``max_resources``. A number is for searches that
        give a net's ``max_epochs`` other values.
    kinds : iterable of str
        Of "constant", "power", "exponential", "piecewise", "performance", "1cycle",
        "cosine", "warmup"; all by default.
    name : str, default="schedule"
        Of the callback: the net has ``callbacks=[("schedule", Schedule())]``.
    prefix : str, default=""
        Goes before every name: ``"net__"`` for the step ``net`` of a pipeline.

    Returns
    -------
    space : dict
        For ``param_distributions``, together with others by ``{**space, **other}``.
        ``callbacks__schedule__kind`` chooses; a parameter of `Schedule` exists only for the
        kinds that have it.

    Raises
    ------
    ValueError
        For no kind, or one that is not known.

    Notes
    -----
    For scikit-learn's searches see `without_conditions`; ``GridSearchCV`` takes the names
    with lists of values.

    Examples
    --------
    >>> for parameter in schedule_space(81, ["cosine", "piecewise"]).items():
    ...     print(*parameter)
    callbacks__schedule__kind ['cosine', 'piecewise']
    callbacks__schedule__final when(loguniform(0.0001, 0.3),
        callbacks__schedule__kind=['piecewise', 'cosine'])
    callbacks__schedule__n_drops when([1, 2, 3, 4], callbacks__schedule__kind='piecewise')
    callbacks__schedule__max_epochs [81]
    """
    kinds = list(kinds)
    if not kinds or not set(kinds) <= set(KINDS):
        raise ValueError(f"kinds must be some of {list(KINDS)}, got {kinds}")
    space: dict[str, Any] = {"kind": kinds}
    for parameter, (distribution, owners) in _PARAMETERS.items():
        if having := [kind for kind in owners if kind in kinds]:
            space[parameter] = when(distribution, kind=having)
    if max_resources is not None:
        space["max_epochs"] = [max_resources]
    return prefixed(f"{prefix}callbacks__{name}__", space)
