"""Which learning rates a net can learn with, from one short training.

Smith, Cyclical learning rates for training neural networks, WACV 2017, section 3.3: the
learning rate grows from batch to batch until the loss diverges.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy.stats import loguniform
from sklearn.base import clone
from skorch import NeuralNet

from sk_hpo.evaluation.rng import kept, seeded

__all__ = ["LearningRateRange", "LearningRateRangeDisplay", "learning_rate_range_test"]

# A running mean with this memory lags some ten batches behind.
_SMOOTHING = 0.9
_FEW = 10  # batches, before which the running mean is not steady
_SURELY = 1.5  # standard deviations of the losses around it

# The loss has diverged when it is so many times the lowest one.
_DIVERGED = 4.0


@dataclass(frozen=True, eq=False)
class LearningRateRange:
    """What a `learning_rate_range_test` has found.

    Parameters
    ----------
    learning_rates : ndarray of shape (n_batches,)
        Increasing.
    losses : ndarray of shape (n_batches,)
        Training loss of each batch, before the step with its learning rate.
    smoothed : ndarray of shape (n_batches,)
        Running mean of `losses`.

    Attributes
    ----------
    turning_point : float
        Where the smoothed loss is lowest; beyond it, it climbs.
    steepest : float
        In the middle of the decade over which the smoothed loss falls most.
    suggestion : frozen distribution
        ``loguniform`` over the two decades below the turning point, for a search; in its
        middle is the learning rate that Hands-On Machine Learning recommends for a
        constant one, a tenth of the turning point.
    """

    learning_rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray

    @property
    def turning_point(self) -> float:
        """Where the smoothed loss is lowest."""
        return float(self.learning_rates[self._lowest])

    @property
    def steepest(self) -> float:
        """In the middle of the decade over which the smoothed loss falls most."""
        # Over a decade of the lowest so far: a recovery from a peak is no fall.
        record = np.minimum.accumulate(self.smoothed)
        decades = math.log10(self.learning_rates[-1] / self.learning_rates[0])
        half = max(1, round((len(record) - 1) / decades / 2))
        around = np.pad(record, half, mode="edge")
        falls = around[: -2 * half] - around[2 * half :]
        return float(self.learning_rates[np.argmax(falls)])

    @property
    def suggestion(self) -> Any:
        """``loguniform`` over the two decades below the turning point."""
        return loguniform(self.turning_point / 100, self.turning_point)

    @property
    def _lowest(self) -> int:
        return int(np.argmin(self.smoothed))

    def plot(self, ax: Any = None) -> LearningRateRangeDisplay:
        """Plot the losses against the learning rates.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to plot; None makes a new figure.

        Returns
        -------
        display : LearningRateRangeDisplay
        """
        return LearningRateRangeDisplay(self).plot(ax=ax)


def learning_rate_range_test(
    net: Any,
    X: Any,
    y: Any = None,
    low: float = 1e-6,
    high: float = 10,
    *,
    n_batches: int = 200,
    random_state: int | None = None,
) -> LearningRateRange:
    """Train a copy of a net, with a learning rate that grows from batch to batch.

    Parameters
    ----------
    net : skorch.NeuralNet
        It is left as it is, trained or not: a clone is trained, from new initial weights
        (a module that is given as an instance keeps its own).
    X : array-like of shape (n_samples, ...) or Dataset
        Training data, all of which is trained on.
    y : array-like of shape (n_samples, ...), default=None
        Targets.
    low, high : float, default=1e-6 and 10
        First and last learning rate; between them it grows by the same factor each time.
    n_batches : int, default=200
        Number of steps, over as many epochs as they need. Fewer are done if the loss
        diverges: if its running mean is four times its lowest, or it is not finite.
    random_state : int, default=None
        Seed of initial weights, shuffling and dropout. None takes what the generators of
        torch and numpy would give next, and so the weights that ``net.fit`` would begin
        with. Either way, the generators are put back.

    Returns
    -------
    result : LearningRateRange
        ``result.suggestion`` is a distribution for a search, ``result.plot()`` the picture.

    Raises
    ------
    TypeError
        If `net` is no skorch net.
    ValueError
        If not ``0 < low < high``, there are too few batches, or the loss never falls.

    Notes
    -----
    The optimizer is the net's own, with its momentum and weight decay, and each of its
    parameter groups gets the same learning rate. Of callbacks, those that act on gradients
    do (clipping); schedules of the learning rate, early stopping, checkpoints and loggers
    are not called. The suggestion holds for the batch size of the net.

    Examples
    --------
    >>> import numpy as np
    >>> from skorch import NeuralNetClassifier
    >>> from sklearn.datasets import load_digits
    >>> from sk_hpo.torch import MLP
    >>> from sk_hpo.torch import learning_rate_range_test
    >>> from torch import nn
    >>> X, y = load_digits(return_X_y=True)
    >>> net = NeuralNetClassifier(
    ...     MLP, module__n_features=64, module__n_outputs=10, criterion=nn.CrossEntropyLoss,
    ...     batch_size=64, iterator_train__shuffle=True, verbose=0,
    ... )
    >>> result = learning_rate_range_test(net, X.astype(np.float32) / 16, y, random_state=0)
    >>> 0.1 < result.turning_point < 10
    True
    >>> space = {"lr": result.suggestion}
    """
    _check(net, low, high, n_batches)
    with kept() if random_state is None else seeded(random_state):
        # Only gradient callbacks are called: on_train_begin and the like are for a training.
        copy = clone(net).set_params(train_split=None, verbose=0).initialize()
        rates = np.geomspace(low, high, n_batches)
        losses = np.array(list(_losses(copy, X, y, rates)))
    return _result(rates[: len(losses)], losses)


def _check(net: Any, low: Any, high: Any, n_batches: Any) -> None:
    if not isinstance(net, NeuralNet):
        raise TypeError(
            "learning_rate_range_test takes a skorch net, got"
            f" {type(net).__name__}. Of a pipeline, give it the net, and X as the steps"
            " before transform it."
        )
    real = all(isinstance(rate, Real) for rate in (low, high))
    if not (real and 0 < low < high < math.inf):
        raise ValueError(f"It must be that 0 < low < high, got low={low!r}, high={high!r}.")
    if not isinstance(n_batches, Integral) or n_batches < 10:
        raise ValueError(f"n_batches must be an integer of at least 10, got {n_batches!r}.")


def _losses(net: Any, X: Any, y: Any, rates: np.ndarray) -> Iterator[float]:
    """Yield the loss of each batch, until it diverges."""
    best, mean = math.inf, 0.0
    for n_before, (rate, batch) in enumerate(zip(rates, _batches(net, X, y), strict=False)):
        for group in net.optimizer_.param_groups:
            group["lr"] = float(rate)
        loss = net.train_step(batch)["loss"].item()
        if not math.isfinite(loss):
            return
        yield loss
        mean = _SMOOTHING * mean + (1 - _SMOOTHING) * loss
        smoothed = mean / (1 - _SMOOTHING ** (n_before + 1))
        best = min(best, smoothed)
        if smoothed - best > (_DIVERGED - 1) * abs(best):
            return


def _batches(net: Any, X: Any, y: Any) -> Iterator[Any]:
    """Yield the batches of one epoch after another."""
    net.check_data(X, y)
    dataset, _ = net.get_split_datasets(X, y)
    iterator = net.get_iterator(dataset, training=True)
    while True:
        empty = True
        for batch in iterator:
            empty = False
            yield batch
        if empty:
            raise ValueError("There are no batches in X: it has fewer rows than batch_size?")


def _smoothed(losses: np.ndarray) -> np.ndarray:
    """Return the exponential running mean, without its bias towards 0 at the beginning."""
    mean, found = 0.0, []
    for i, loss in enumerate(losses, start=1):
        mean = _SMOOTHING * mean + (1 - _SMOOTHING) * loss
        found.append(mean / (1 - _SMOOTHING**i))
    return np.array(found)


def _result(rates: np.ndarray, losses: np.ndarray) -> LearningRateRange:
    if len(losses) < 2:
        raise ValueError(
            "The loss is not finite from the beginning, with the lowest learning rate. Give a"
            " smaller low, or look whether X has NaN or needs to be scaled."
        )
    result = LearningRateRange(rates, losses, _smoothed(losses))
    if not _fell(losses, result.smoothed):
        raise ValueError(
            "The loss never fell by more than its noise: it was"
            f" {losses[0]:.4g} with a learning rate of {rates[0]:.4g} and {losses[-1]:.4g} with"
            f" {rates[-1]:.4g}. Give a greater high if it stayed level, a smaller low"
            " if it rose, more n_batches, or scale X."
        )
    return result


def _fell(losses: np.ndarray, smoothed: np.ndarray) -> bool:
    """Whether the running mean fell by more than chance would have it.

    Where losses stay level it wanders, by about their standard deviation; less what it does
    before it is steady. Of a few batches there is nothing to be said.
    """
    lowest = int(smoothed.argmin())
    if lowest < 2 * _FEW:
        return lowest > 0
    noise = float(np.std((losses - smoothed)[: lowest + 1]))
    return float(smoothed[_FEW:lowest].max() - smoothed[lowest]) > _SURELY * noise


class LearningRateRangeDisplay:
    """The picture of a `learning_rate_range_test`.

    Parameters
    ----------
    result : LearningRateRange
        What the test has found.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Set by `plot`.
    figure_ : matplotlib Figure
        Set by `plot`.

    Examples
    --------
    >>> import numpy as np
    >>> rates = np.geomspace(1e-3, 1e1, 5)
    >>> losses = np.array([2.0, 1.9, 1.0, 0.5, 3.0])
    >>> display = LearningRateRangeDisplay.from_result(LearningRateRange(rates, losses, losses))
    >>> display.ax_.get_xscale()
    'log'
    """

    def __init__(self, result: LearningRateRange) -> None:
        self.result = result

    @classmethod
    def from_result(cls, result: LearningRateRange, *, ax: Any = None) -> Any:
        """Plot a result; the arguments are those of `plot`.

        Returns
        -------
        display : LearningRateRangeDisplay
        """
        return cls(result).plot(ax=ax)

    def plot(self, ax: Any = None) -> Any:
        """Plot the loss of each batch, its running mean, and what is suggested.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to plot; None makes a new figure.

        Returns
        -------
        display : LearningRateRangeDisplay
            Itself.
        """
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        result = self.result
        rates, smoothed = result.learning_rates, result.smoothed
        ax.plot(rates, result.losses, ".", color="0.6", markersize=3, label="loss of a batch")
        ax.plot(rates, smoothed, color="C0", label="running mean")
        low, high = result.suggestion.support()
        text = f"suggested: {low:.1g} to {high:.1g}"
        ax.axvspan(max(low, rates[0]), high, color="C2", alpha=0.2, lw=0, label=text)
        i = int(np.searchsorted(rates, result.steepest))
        ax.plot(rates[i], smoothed[i], "o", color="C1", label=f"steepest: {rates[i]:.1g}")
        # The last batches are far above all others, and would leave them no room.
        top = max(float(smoothed[: int(np.argmin(smoothed)) + 1].max()), 0.0)
        bottom = float(result.losses.min())
        ax.set(
            xscale="log", ylim=(bottom - 0.05 * (top - bottom), bottom + 1.4 * (top - bottom))
        )
        ax.set(xlabel="Learning rate", ylabel="Training loss")
        ax.legend(loc="lower left")
        self.ax_, self.figure_ = ax, ax.figure
        return self
