"""A Gaussian process over data that grow: what was learned is taken on, not learned again.

The hyperparameters for n observations are those of the first m, m the last number at which
they were refined; and there they were refined from where they stood before. So they depend
on the data alone, not on when the model was asked or on what it remembers.

While data are few, hyperparameters are uncertain, and several draws of them are kept: Snoek,
Larochelle, Adams, NeurIPS 2012, section 3.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sk_hpo.surrogates.folds import fold_errors
from sk_hpo.surrogates.gp import Posterior, condition
from sk_hpo.surrogates.hyperparameters import Hyperparameters, Priors, draw, fit
from sk_hpo.surrogates.kernel import Columns
from sk_hpo.surrogates.targets import Targets, targets

__all__ = ["GrowingProcess", "n_draws"]

FloatArray = NDArray[np.float64]

_PACE = 16  # the next one is due when they are more by one part in this many
_EVALUATIONS = (50, 12)  # of the likelihood: the first time, and later
_MOST_FITTED = 256  # rows that hyperparameters are fitted to
_MOST = 512  # rows that predictions are conditioned on
_LARGEST_ERROR = 100.0  # in sd of the targets: beyond, an observation says nothing


@dataclass(frozen=True, slots=True, eq=False)
class _Data:
    """Observations in the order in which they came."""

    x: FloatArray
    scores: FloatArray
    folds: FloatArray

    def __len__(self) -> int:
        return len(self.x)

    def first(self, n: int) -> _Data:
        return _Data(self.x[:n], self.scores[:n], self.folds[:n])

    def begins_with(self, other: _Data) -> bool:
        n = len(other)
        return len(self) >= n and all(
            np.array_equal(a[:n], b, equal_nan=True)
            for a, b in (
                (self.scores, other.scores),
                (self.folds, other.folds),
                (self.x, other.x),
            )
        )

    def targets(self, error: float) -> tuple[Targets, FloatArray]:
        """Return the targets, and the variance of each (n,) that is known."""
        told = targets(self.scores)
        if told.stretch == 0.0:
            return told, np.zeros(len(self))
        errors = np.full(len(self), error)
        if self.folds.shape[1] > 1:
            errors = np.hypot(errors, fold_errors(self.folds))
        errors = told.stretch * np.minimum(errors, _LARGEST_ERROR / told.stretch)
        return told, np.square(errors)


@dataclass(frozen=True, slots=True, eq=False)
class _Refined:
    """What was learned from some data."""

    data: _Data
    best: Hyperparameters
    draws: list[Hyperparameters]


class GrowingProcess:
    """Gaussian process that is asked again and again while observations are appended.

    Parameters
    ----------
    columns : Columns
        What the d columns of a row are.
    seed : int
        Where draws of hyperparameters come from.
    priors : Priors, default=None
        Densities of the hyperparameters; by default `Priors()`.
    error : float, default=0.0
        Known standard error of every score.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(0.0, 1.0, 9)[:, None]
    >>> process = GrowingProcess(Columns(np.array([False])), seed=0)
    >>> posterior, told = process.posterior(x, 5.0 + x[:, 0])
    >>> mean, sd = posterior.predict(np.array([[0.55]]))
    >>> bool(abs(told.to_score(mean.mean(), sd.mean())[0] - 5.55) < 0.01)
    True
    """

    def __init__(
        self, columns: Columns, seed: int, priors: Priors | None = None, error: float = 0.0
    ) -> None:
        self._columns = columns
        self._seed = seed
        self._priors = priors
        self._error = error
        self._refined: list[_Refined] = []
        self._known: tuple[_Refined, Posterior, FloatArray] | None = None

    def posterior(
        self, x: FloatArray, scores: FloatArray, folds: FloatArray | None = None
    ) -> tuple[Posterior, Targets]:
        """Return what is believed after some observations, and the units that it is in.

        Deterministic in its arguments. Fast if they begin with those of the last call.

        Parameters
        ----------
        x : ndarray of shape (n, d)
            Observed rows, NaN where a parameter does not exist; ``n >= 1``.
        scores : ndarray of shape (n,)
            To be maximised; NaN or infinite for failures.
        folds : ndarray of shape (n, k), default=None
            The scores of each fold, of which a score is the mean: what it is worth, see
            `fold_errors`.
        """
        data = _Data(x, scores, np.empty((len(x), 0)) if folds is None else folds)
        last = self._refine(data)
        told, noise = data.targets(self._error)
        if len(data) <= _MOST:
            before, old_noise = self._conditioned(last)
            m = len(old_noise)
            noise = np.concatenate([old_noise, noise[m:]])
            return before.observe(x[m:], told.y, noise), told
        rows = _some(told.y, _MOST)
        return self._condition(last, x[rows], told.y[rows], noise[rows]), told

    def _conditioned(self, last: _Refined) -> tuple[Posterior, FloatArray]:
        """Return the posterior of what a refinement saw, and the noise in it."""
        if self._known is None or self._known[0] is not last:
            told, noise = last.data.targets(self._error)
            self._known = last, self._condition(last, last.data.x, told.y, noise), noise
        return self._known[1:]

    def _condition(
        self, last: _Refined, x: FloatArray, y: FloatArray, noise: FloatArray
    ) -> Posterior:
        return condition(x, y, self._columns, last.draws, noise=noise)

    def _refine(self, data: _Data) -> _Refined:
        """Return what was learned at the last refinement that is due."""
        while self._refined and not data.begins_with(self._refined[-1].data):
            self._refined.pop()
        for n in _sizes(len(data)):
            if not self._refined or n > len(self._refined[-1].data):
                self._refined.append(self._learn(data.first(n)))
        return self._refined[-1]

    def _learn(self, data: _Data) -> _Refined:
        told, noise = data.targets(self._error)
        rows = _some(told.y, _MOST_FITTED)
        x, y, noise = data.x[rows], told.y[rows], noise[rows]
        n, last = len(data), self._refined[-1].best if self._refined else None
        best = fit(
            x,
            y,
            self._columns,
            noise=noise,
            priors=self._priors,
            start=last,
            max_evaluations=_EVALUATIONS[last is not None],
        )
        draws = [best]
        if (m := n_draws(n)) > 1:
            rng = np.random.default_rng([self._seed, n])
            draws = draw(x, y, self._columns, best, m, rng, noise=noise, priors=self._priors)
        return _Refined(data, best, draws)


def n_draws(n: int) -> int:
    """Return how many hyperparameters to average over for `n` rows: the work stays the same."""
    return min(max(256 // n, 1), 8)


def _sizes(n: int) -> Iterator[int]:
    """Yield the numbers of observations, up to `n`, at which to refine."""
    size = 1
    while size <= n:
        yield size
        size += max(1, size // _PACE)


def _some(y: FloatArray, n: int) -> NDArray[np.intp]:
    """Return up to `n` positions in order: of the best half as many, and some of the rest."""
    if len(y) <= n:
        return np.arange(len(y))
    order = np.argsort(-y, kind="stable")
    best, rest = order[: n // 2], np.sort(order[n // 2 :])
    spread = np.linspace(0, len(rest) - 1, n - len(best)).astype(np.intp)
    return np.sort(np.concatenate([best, rest[spread]]))
