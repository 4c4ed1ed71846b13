"""Bayesian optimisation with a Gaussian process: the adapter from trials to arrays.

Matern-5/2 with ARD, averaged over draws of its hyperparameters while trials are few; log
expected improvement over the best posterior mean, found by a sweep, L-BFGS and one-exchange.
The mathematics is in `sk_hpo.surrogates`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from sk_hpo.samplers.base import Sampler
from sk_hpo.samplers.cube import Cube
from sk_hpo.samplers.ledger import Ledger
from sk_hpo.samplers.observed import all_failed, observed
from sk_hpo.samplers.sobol import SobolSampler
from sk_hpo.samplers.surrogate import Surrogate
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
_N_DRAWN = 64  # random configs, where all that the search found is tried or not allowed
_N_ANCHORS = 4
_MAX_AWAITED = 256  # pending trials, the last ones, that the model knows of
_ACQUISITIONS = ("auto", "log_ei", "ucb")


class GPSampler(Sampler):
    """Suggests where a Gaussian process expects the largest improvement.

    Parameters
    ----------
    n_initial_points : int or "auto", default="auto"
        Trials (pending and failed ones count) before the model is asked; until then, and
        while no trial has succeeded, suggestions are quasi-random. "auto" is three and half
        the number of dimensions, at most 10.
    acquisition : {"auto", "log_ei", "ucb"}, default="auto"
        Logarithm of the expected improvement over the best posterior mean, or upper
        confidence bound. "auto" is "log_ei".
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
    one fit and grows linearly. A failed trial counts like the worst score.

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
        self.n_initial_points = n_initial_points
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
        bound._initial = SobolSampler().bind(space, seed)
        bound._cube = Cube(space)
        bound._ledger = Ledger(space, space.enumerate)
        columns = Columns(bound._cube.lattice.categorical, bound._cube.optional)
        priors = Priors() if self.alpha == "auto" else Priors(noise=None)
        error = 0.0 if self.alpha == "auto" else math.sqrt(self.alpha)
        bound._process = GrowingProcess(columns, seed, priors, error)
        bound._said = None
        return bound

    _initial: SobolSampler
    _cube: Cube
    _ledger: Ledger
    _process: GrowingProcess
    _said: tuple[list[Trial], int, list[tuple[Config, Reason]]] | None

    def _check(self) -> None:
        if self.acquisition not in _ACQUISITIONS:
            raise ValueError(
                f"acquisition must be one of {_ACQUISITIONS}, not {self.acquisition!r}"
            )
        n = self.n_initial_points
        if n != "auto" and (
            not isinstance(n, int | np.integer) or isinstance(n, bool) or n < 1
        ):
            raise ValueError(f"n_initial_points must be 'auto' or at least 1, not {n!r}")
        if not 0.0 <= self.beta < np.inf:
            raise ValueError(f"beta must be at least 0 and finite, not {self.beta!r}")
        known = self.alpha if isinstance(self.alpha, Real) else math.nan
        if self.alpha != "auto" and not 0.0 <= float(known) < np.inf:
            raise ValueError(
                f"alpha must be 'auto', or at least 0 and finite, not {self.alpha!r}"
            )

    def suggest(self, history: Sequence[Trial], n: int = 1) -> list[Config]:
        """Return up to `n` new configs, see `Sampler.suggest`."""
        return [config for config, _ in self._answer(history, n)]

    def explain(self, history: Sequence[Trial], configs: Sequence[Config]) -> list[Reason]:
        """Return why; the acquisition is that of the constructor, of targets of variance 1."""
        reasons = dict(self._answer(history, len(configs)))
        return [reasons.get(config, Reason()) for config in configs]

    def surrogate(self, history: Sequence[Trial]) -> Surrogate | None:
        """Return the model of a history, None if no trial of it has succeeded."""
        if all_failed(history):
            return None
        return Surrogate(self.space, _Model(self._cube, *self._fit(history)))

    def _answer(self, history: Sequence[Trial], n: int) -> list[tuple[Config, Reason]]:
        """Return the configs and their reasons; the last answer is remembered."""
        said = self._said
        if said is None or said[1] != n or said[0] != list(history):
            said = self._said = (list(history), n, self._choose(history, n))
        return said[2]

    def _choose(self, history: Sequence[Trial], n: int) -> list[tuple[Config, Reason]]:
        n_initial = n if all_failed(history) else min(n, self._n_initial - len(history))
        initial = self._initial.suggest(history, n_initial) if n_initial > 0 else []
        chosen = [(config, Reason("initial")) for config in initial]
        if len(chosen) == n or len(chosen) < n_initial:
            return chosen
        posterior, told = self._fit(history)
        awaited = [trial.config for trial in history if trial.pending][-_MAX_AWAITED:] + initial
        n_rows = len(posterior.x) + len(awaited) + n
        posterior = posterior.first(n_draws(n_rows)).believe(self._cube.rows(awaited))
        tried = {trial.config for trial in history} | set(initial)
        rng = np.random.default_rng([self.seed, len(history)])
        while len(chosen) < n:
            objective = self._objective(posterior)
            config = self._next(objective, history, tried, rng)
            if config is None:
                break
            chosen.append((config, _reason(objective, told, self._cube.rows([config]))))
            tried.add(config)
            posterior = posterior.believe(self._cube.rows([config]))
        return chosen

    @property
    def _n_initial(self) -> int:
        if self.n_initial_points == "auto":
            return min(3 + len(self.space.dimensions) // 2, 10)
        return self.n_initial_points

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
        drawn = (self.space.sample(rng) for _ in range(_N_DRAWN))
        best = self._best((c for c in drawn if c not in tried), objective)
        if best is None and math.isfinite(self.space.combinations):
            return next(iter(self._ledger.untried(history, 1, tried)), None)
        return best

    def _best(self, configs: Iterable[Config], objective: _Objective) -> Config | None:
        listed = list(configs)
        if not listed:
            return None
        return listed[int(np.argmax(objective(self._cube.rows(listed))))]


def _folds(outcomes: Sequence[Outcome]) -> FloatArray:
    """Return the scores of each fold (n, k), NaN for outcomes that have not k of them."""
    k = max(len(outcome.scores) for outcome in outcomes)
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
