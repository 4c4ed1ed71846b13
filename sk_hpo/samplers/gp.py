"""Bayesian optimisation with a Gaussian process: the adapter from trials to arrays.

Matern-5/2 with ARD, averaged over draws of its hyperparameters while trials are few; log
expected improvement over the best posterior mean, found by a sweep, L-BFGS and one-exchange;
and for every third trial the opinion of another model, TPE. The mathematics is in
`sk_hpo.surrogates`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Literal, NamedTuple, Self, TypeGuard

import numpy as np
from numpy.typing import NDArray

from sk_hpo.samplers.cube import Cube
from sk_hpo.samplers.model import Explained, ModelSampler
from sk_hpo.samplers.observed import all_failed, observed
from sk_hpo.samplers.surrogate import Surrogate
from sk_hpo.samplers.tpe import TPESampler
from sk_hpo.space.space import Space
from sk_hpo.surrogates.acquisition import Acquired, log_ei, mean_of, mean_of_exp, ucb
from sk_hpo.surrogates.gp import Posterior
from sk_hpo.surrogates.growing import GrowingProcess, n_draws
from sk_hpo.surrogates.hyperparameters import Priors
from sk_hpo.surrogates.kernel import Columns
from sk_hpo.surrogates.maximize import maximize
from sk_hpo.surrogates.targets import Targets
from sk_hpo.trial import Config, Outcome, Reason, Trial

__all__ = ["GPSampler"]

FloatArray = NDArray[np.float64]

_MAX_LISTED = 1024  # a space with no more configs is not searched but listed
_N_ANCHORS = 4
_EVERY = 3  # one trial in so many is left to TPE
_MAX_AWAITED = 256  # pending trials, the last ones, that the model knows of
_LARGEST_BETA = 1e100  # whose products do not overflow
_ACQUISITIONS = ("auto", "log_ei", "ucb")


class GPSampler(ModelSampler):
    """Suggests where a Gaussian process expects the largest improvement.

    Parameters
    ----------
    n_initial_points : int or "auto", default="auto"
        Trials (pending and failed ones count) before the model is asked; until then, and
        while no trial has succeeded, suggestions are quasi-random. "auto" is three and half
        the number of dimensions, at most 10.
    acquisition : {"auto", "log_ei", "ucb"}, default="auto"
        Logarithm of the expected improvement over the best posterior mean, or upper
        confidence bound. "auto" is "log_ei" for two trials in three and leaves the third to
        `TPESampler`: where a Gaussian process is wrong, it is wrong again and again, and a
        model of another kind is the cheapest way out (a portfolio: Hoffman, Brochu, de
        Freitas, UAI 2011).
    alpha : float or "auto", default="auto"
        Variance of the noise of a score, in squared units of the score. "auto" learns it.
    beta : float, default=2.6
        Weight of the standard deviation in "ucb".
    fold_noise : bool, default=True
        Whether a score counts for less if its folds disagree: what folds have in common for
        all configs apart, their spread is taken as noise, in addition to `alpha`. See
        `sk_hpo.surrogates.folds`.

    Raises
    ------
    ValueError
        By `bind`, if an argument is not valid.

    Notes
    -----
    Trials trained to different resources are not mixed: see `sk_hpo.samplers.observed`.
    Pending trials are believed to score as predicted (kriging believer), so a batch costs
    one fit and grows linearly. A failed trial counts like the worst score. Of an integer
    with more than 1024 values, the model suggests those at 1024 evenly spaced quantiles. The
    acquisition that `explain` tells is in units of the scores' standard deviation, and that
    of the Gaussian process whoever made the suggestion.

    Examples
    --------
    >>> from scipy.stats import uniform
    >>> from sk_hpo.samplers.gp import GPSampler
    >>> from sk_hpo.space.space import Space
    >>> from sk_hpo.trial import Outcome, Trial
    >>> sampler = GPSampler().bind(Space({"x": uniform(0, 1)}), seed=0)
    >>> history = []
    >>> for i in range(12):
    ...     [config] = sampler.suggest(history)
    ...     score = -(config[0] - 0.3) ** 2
    ...     history.append(Trial(i, config).told(1, Outcome(score)))
    >>> best = max(history, key=lambda trial: trial.outcome.score)
    >>> bool(abs(best.config[0] - 0.3) < 0.001)
    True
    """

    def __init__(
        self,
        n_initial_points: int | Literal["auto"] = "auto",
        acquisition: Literal["auto", "log_ei", "ucb"] = "auto",
        alpha: float | Literal["auto"] = "auto",
        beta: float = 2.6,
        fold_noise: bool = True,
    ) -> None:
        super().__init__(n_initial_points)
        self.acquisition = acquisition
        self.alpha = alpha
        self.beta = beta
        self.fold_noise = fold_noise

    def bind(self, space: Space, seed: int) -> Self:
        """Return a copy of this sampler for one search.

        Raises
        ------
        ValueError
            If a constructor argument is not valid.
        """
        self._check()
        bound = super().bind(space, seed)
        columns = Columns(bound._cube.lattice.categorical, bound._cube.optional)
        priors = Priors() if self.alpha == "auto" else Priors(noise=None)
        error = 0.0 if self.alpha == "auto" else math.sqrt(self.alpha)
        bound._process = GrowingProcess(columns, seed, priors, error)
        bound._other = TPESampler().bind(space, seed)
        return bound

    _process: GrowingProcess
    _other: TPESampler

    def _check(self) -> None:
        if self.acquisition not in _ACQUISITIONS:
            raise ValueError(
                f"acquisition must be one of {_ACQUISITIONS}, not {self.acquisition!r}"
            )
        if not _is_number(self.beta) or not 0.0 <= self.beta <= _LARGEST_BETA:
            raise ValueError(f"beta must be between 0 and {_LARGEST_BETA:g}, not {self.beta!r}")
        if self.alpha != "auto" and not (_is_number(self.alpha) and 0.0 <= self.alpha < np.inf):
            raise ValueError(
                f"alpha must be 'auto', or at least 0 and finite, not {self.alpha!r}"
            )
        if not isinstance(self.fold_noise, bool | np.bool_):
            raise ValueError(f"fold_noise must be True or False, not {self.fold_noise!r}")

    def surrogate(self, history: Sequence[Trial]) -> Surrogate | None:
        """Return the model of a history, None if no trial of it has succeeded."""
        if all_failed(history):
            return None
        return Surrogate(self.space, _Model(self._cube, *self._fit(history)))

    @property
    def _auto(self) -> int:
        return min(3 + len(self.space.dimensions) // 2, 10)

    def _modelled(
        self, history: Sequence[Trial], initial: list[Config], n: int
    ) -> list[Explained]:
        posterior, told = self._fit(history)
        awaited = [trial.config for trial in history if trial.pending][-_MAX_AWAITED:] + initial
        n_rows = len(posterior.x) + len(awaited) + n
        posterior = posterior.first(n_draws(n_rows)).believe(self._cube.rows(awaited))
        tried = {trial.config for trial in history} | set(initial)
        rng = np.random.default_rng([self.seed, len(history)])
        chosen: list[Explained] = []
        while len(chosen) < n:
            objective = self._objective(posterior)
            asked = initial + [config for config, _ in chosen]
            if (
                self.acquisition == "auto"
                and (len(history) + len(asked)) % _EVERY == _EVERY - 1
            ):
                config = self._other.next(history, asked)
            else:
                config = self._next(objective, history, tried, rng)
            if config is None:
                break
            row = self._cube.rows([config])
            chosen.append((config, _reason(objective, told, row)))
            tried.add(config)
            posterior = posterior.believe(row)
        return chosen

    def _fit(self, history: Sequence[Trial]) -> tuple[Posterior, Targets]:
        seen = observed(history, enough=len(self.space.dimensions) + 1)
        x = self._cube.rows(config for config, _ in seen)
        scores = np.array([outcome.score for _, outcome in seen])
        folds = _folds([outcome for _, outcome in seen]) if self.fold_noise else None
        return self._process.posterior(x, scores, folds)

    def _objective(self, posterior: Posterior) -> _Objective:
        if self.acquisition == "ucb":
            return _Objective(posterior, lambda mean, sd: mean_of(ucb(mean, sd, self.beta)))
        best = posterior.means.max(axis=1)[:, None]
        return _Objective(posterior, lambda mean, sd: mean_of_exp(log_ei(mean, sd, best)))

    def _next(
        self,
        objective: _Objective,
        history: Sequence[Trial],
        tried: set[Config],
        rng: np.random.Generator,
    ) -> Config | None:
        """Return the best config found that is new, None if there is none."""
        if self.space.combinations <= _MAX_LISTED:
            return self._best(self._ledger.untried(history, _MAX_LISTED, tried), objective)

        def allowed(row: FloatArray) -> bool:
            if self.space.constraint is None and self._cube.inside(row):
                return True
            config = self._cube.config(row)
            return config not in tried and self.space.allows(config)

        row = maximize(objective, self._cube.lattice, objective.anchors, allowed, rng)
        if row is not None:
            return self._cube.config(row)
        best = self._best(self._random(tried, rng), objective)
        return self._any_left(history, tried) if best is None else best

    def _best(self, configs: Iterable[Config], objective: _Objective) -> Config | None:
        listed = list(configs)
        if not listed:
            return None
        return listed[int(np.argmax(objective(self._cube.rows(listed))))]


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, Real) and not isinstance(value, bool)


def _folds(outcomes: Sequence[Outcome]) -> FloatArray:
    """Return the scores of each fold (n, k), NaN for outcomes that have not the usual k."""
    [(k, _)] = Counter(len(outcome.scores) for outcome in outcomes).most_common(1)
    nothing = (math.nan,) * k
    rows = [nothing if o.failed or len(o.scores) != k else o.scores for o in outcomes]
    return np.array(rows).reshape(len(rows), k)


@dataclass(frozen=True, slots=True, eq=False)
class _Objective:
    """An acquisition criterion over rows of the cube."""

    posterior: Posterior
    criterion: Callable[[FloatArray, FloatArray], Acquired]

    def __call__(self, x: FloatArray) -> FloatArray:
        return self.criterion(*self.posterior.predict(x))[0]

    def with_slopes(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        mean, sd, d_mean, d_sd = self.posterior.predict_with_slopes(x)
        value, by_mean, by_sd = self.criterion(mean, sd)
        slopes = by_mean[:, :, None] * d_mean + by_sd[:, :, None] * d_sd
        return value, slopes.sum(axis=0)

    @property
    def anchors(self) -> FloatArray:
        """The observed rows of the highest posterior mean."""
        order = np.argsort(-self.posterior.means.mean(axis=0), kind="stable")
        return self.posterior.x[order[:_N_ANCHORS]]


class _Model(NamedTuple):
    """Predicts scores of configs."""

    cube: Cube
    posterior: Posterior
    told: Targets

    def predict(self, configs: Sequence[Config]) -> tuple[FloatArray, FloatArray]:
        """Return mean (n,) and standard deviation (n,), in units of the score."""
        x = self.cube.rows(configs)
        return self.told.to_score(*_mixed(*self.posterior.predict(x)))


def _mixed(mean: FloatArray, sd: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mean and sd (m,) of equal parts of M normals, given theirs (M, m)."""
    return mean.mean(axis=0), np.sqrt((sd**2).mean(axis=0) + mean.var(axis=0))


def _reason(objective: _Objective, told: Targets, row: FloatArray) -> Reason:
    mean, sd = objective.posterior.predict(row)
    value = objective.criterion(mean, sd)[0]
    score, spread = told.to_score(*_mixed(mean, sd))
    return Reason("model", float(value[0]), float(score[0]), float(spread[0]))
