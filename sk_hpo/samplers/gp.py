"""Bayesian optimisation with a Gaussian process: the adapter from trials to arrays.

Matern-5/2 with ARD at the maximum of its posterior, log expected improvement over the
best posterior mean, found by a sweep, L-BFGS and one-exchange. The mathematics is in
`sk_hpo.surrogates`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from sk_hpo.samplers.base import Sampler
from sk_hpo.samplers.ledger import Ledger
from sk_hpo.samplers.observed import all_failed, observed
from sk_hpo.samplers.sobol import SobolSampler
from sk_hpo.space.dimension import Dimension
from sk_hpo.space.space import Space
from sk_hpo.surrogates.acquisition import Acquired, log_ei, ucb
from sk_hpo.surrogates.gp import Posterior, fit
from sk_hpo.surrogates.lattice import Dependency, Lattice
from sk_hpo.surrogates.maximize import maximize
from sk_hpo.surrogates.targets import targets
from sk_hpo.trial import Config, Trial

__all__ = ["GPSampler"]

FloatArray = NDArray[np.float64]

_MAX_LEVELS = 512  # of an ordered dimension; of one with more, a part is suggested
_MAX_LISTED = 1024  # a space with no more configs is not searched but listed
_N_DRAWN = 64  # random configs, where all that the search found is tried or not allowed
_N_ANCHORS = 4


class GPSampler(Sampler):
    """Suggests where a Gaussian process expects the largest improvement.

    Parameters
    ----------
    n_initial_points : int or "auto", default="auto"
        Trials (pending and failed ones count) before the model is asked; until then, and
        while no trial has succeeded, suggestions are quasi-random. "auto" is twice the
        number of dimensions, at least 5 and at most 12.
    acquisition : {"log_ei", "ucb"}, default="log_ei"
        Logarithm of the expected improvement over the best posterior mean, or upper
        confidence bound.
    beta : float, default=2.0
        Weight of the standard deviation in "ucb".
    fold_noise : bool, default=False
        Whether the squared standard error over the folds is taken as the noise variance of
        a score, in addition to the noise that the model learns. Folds that are hard for
        every config are part of that standard error although they do not blur the
        comparison of configs that share their folds; hence the default.

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
        acquisition: Literal["log_ei", "ucb"] = "log_ei",
        beta: float = 2.0,
        fold_noise: bool = False,
    ) -> None:
        self.n_initial_points = n_initial_points
        self.acquisition = acquisition
        self.beta = beta
        self.fold_noise = fold_noise

    def bind(self, space: Space, seed: int) -> Self:
        """Return a copy of this sampler for one search.

        Raises
        ------
        ValueError
            If a constructor argument is not valid.
        """
        if self.acquisition not in ("log_ei", "ucb"):
            raise ValueError(f"acquisition must be 'log_ei' or 'ucb', not {self.acquisition!r}")
        if self.n_initial_points != "auto" and (
            not isinstance(self.n_initial_points, int | np.integer)
            or isinstance(self.n_initial_points, bool)
            or self.n_initial_points < 1
        ):
            raise ValueError(
                f"n_initial_points must be 'auto' or at least 1, not {self.n_initial_points!r}"
            )
        if not 0.0 <= self.beta < np.inf:
            raise ValueError(f"beta must be at least 0 and finite, not {self.beta!r}")
        bound = super().bind(space, seed)
        bound._initial = SobolSampler().bind(space, seed)
        bound._lattice = _lattice(space)
        bound._rows = _Rows(space)
        bound._ledger = Ledger(space, space.enumerate)
        return bound

    _initial: SobolSampler
    _lattice: Lattice
    _rows: _Rows
    _ledger: Ledger

    def suggest(self, history: Sequence[Trial], n: int = 1) -> list[Config]:
        """Return up to `n` new configs, see `Sampler.suggest`."""
        n_initial = n if all_failed(history) else min(n, self._n_initial - len(history))
        configs = self._initial.suggest(history, n_initial) if n_initial > 0 else []
        if len(configs) == n or len(configs) < n_initial:
            return configs
        pending = [trial.config for trial in history if trial.pending]
        posterior = self._fit(history).believe(self._rows.of(pending + configs))
        rng = np.random.default_rng([self.seed, len(history)])
        while len(configs) < n:
            config = self._next(posterior, history, configs, rng)
            if config is None:
                break
            configs.append(config)
            posterior = posterior.believe(self._rows.of([config]))
        return configs

    @property
    def _n_initial(self) -> int:
        if self.n_initial_points == "auto":
            return min(max(2 * len(self.space.dimensions), 5), 12)
        return self.n_initial_points

    def _fit(self, history: Sequence[Trial]) -> Posterior:
        seen = observed(history, enough=len(self.space.dimensions) + 1)
        scores = np.array([outcome.score for _, outcome in seen])
        y, stretch = targets(scores)
        noise = None
        if self.fold_noise and stretch > 0.0:
            errors = np.array([outcome.standard_error for _, outcome in seen])
            known = np.isfinite(errors) & np.isfinite(scores)
            # Beyond 100 standard deviations of the targets an observation says nothing.
            bounded = np.minimum(np.where(known, errors, 0.0), 100.0 / stretch)
            noise = np.square(stretch * bounded)
        x = self._rows.of(config for config, _ in seen)
        return fit(x, y, self._lattice.categorical, noise=noise)

    def _next(
        self,
        posterior: Posterior,
        history: Sequence[Trial],
        others: list[Config],
        rng: np.random.Generator,
    ) -> Config | None:
        """Return the best config found that is new, None if there is none."""
        means = posterior.predict_mean(posterior.x)
        objective = _Objective(posterior, self._criterion(float(means.max())))
        if self.space.combinations <= _MAX_LISTED:
            return self._best(self._ledger.untried(history, _MAX_LISTED, others), objective)
        # Corners of the cube are suggested more than once: not the ledger's affair.
        tried = {trial.config for trial in history} | set(others)

        def is_new(config: Config) -> bool:
            return config not in tried

        def allowed(row: FloatArray) -> bool:
            config = self._rows.config(row)
            return is_new(config) and self.space.allows(config)

        anchors = posterior.x[np.argsort(-means, kind="stable")[:_N_ANCHORS]]
        row = maximize(objective, self._lattice, anchors, allowed, rng)
        if row is not None:
            return self._rows.config(row)
        drawn = filter(is_new, (self.space.sample(rng) for _ in range(_N_DRAWN)))
        best = self._best(drawn, objective)
        if best is None and math.isfinite(self.space.combinations):
            return next(iter(self._ledger.untried(history, 1, others)), None)
        return best

    def _criterion(self, best: float) -> Callable[[FloatArray, FloatArray], Acquired]:
        if self.acquisition == "ucb":
            return lambda mean, sd: ucb(mean, sd, self.beta)
        return lambda mean, sd: log_ei(mean, sd, best)

    def _best(self, configs: Iterable[Config], objective: _Objective) -> Config | None:
        listed = list(configs)
        if not listed:
            return None
        return listed[int(np.argmax(objective(self._rows.of(listed))))]


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
        return value, by_mean[:, None] * d_mean + by_sd[:, None] * d_sd


class _Rows:
    """Configs as rows of the unit cube and back. Remembers, for cdfs of scipy are slow."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._known: dict[Config, FloatArray] = {}

    def of(self, configs: Iterable[Config]) -> FloatArray:
        """Return the rows (m, d) of `configs`."""
        rows = []
        for config in configs:
            if config not in self._known:
                self._known[config] = self._space.to_cube(config)
            rows.append(self._known[config])
        return np.array(rows).reshape(len(rows), len(self._space.dimensions))

    def config(self, row: FloatArray) -> Config:
        """Return the config at a row (d,) of the lattice."""
        return self._space.from_cube(np.where(np.isnan(row), 0.5, row))


def _lattice(space: Space) -> Lattice:
    """Return the levels, kinds and conditions of a space as arrays."""
    categorical = np.array([d.kind == "categorical" for d in space.dimensions], dtype=bool)
    levels = tuple(_levels(dimension) for dimension in space.dimensions)
    return Lattice(levels, categorical, tuple(_dependencies(space)))


def _levels(dimension: Dimension) -> FloatArray | None:
    """Return the increasing places of a dimension's codes in [0, 1], None if continuous.

    Of a numeric dimension with more than 512, those at 512 evenly spaced quantiles.
    """
    if dimension.n_levels == math.inf:
        return None
    if dimension.n_levels <= _MAX_LEVELS or dimension.kind == "categorical":
        return np.array([dimension.to_unit(code) for code in dimension.domain.levels()])
    quantiles = (np.arange(_MAX_LEVELS) + 0.5) / _MAX_LEVELS
    return np.unique([dimension.to_unit(dimension.from_unit(float(u))) for u in quantiles])


def _dependencies(space: Space) -> list[Dependency]:
    """Return the clauses of all conditions, those of a parent before its children's."""
    ordered: list[Dependency] = []
    done: set[int] = set()

    def visit(j: int) -> None:
        if j in done:
            return
        done.add(j)
        condition = space.dimensions[j].condition
        for clause in condition.clauses if condition else ():
            visit(clause.dimension)
            to_unit = space.dimensions[clause.dimension].to_unit
            values = np.array([to_unit(code) for code in sorted(clause.codes)])
            ordered.append(Dependency(j, clause.dimension, values))

    for j in range(len(space.dimensions)):
        visit(j)
    return ordered
