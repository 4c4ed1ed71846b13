"""Tree-structured Parzen estimator: the adapter from trials to arrays.

Bergstra, Bardenet, Bengio, Kegl: Algorithms for Hyper-Parameter Optimization, NeurIPS 2011.
Watanabe, arXiv:2304.11127 (2023), its section in brackets. With Hyperband it is BOHB:
Falkner, Klein, Hutter, ICML 2018.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from sk_hpo.samplers.model import Explained, ModelSampler, check_count
from sk_hpo.samplers.observed import observed
from sk_hpo.space.space import Space
from sk_hpo.surrogates.parzen import Parzen
from sk_hpo.trial import Config, Reason, Trial

__all__ = ["TPESampler"]

FloatArray = NDArray[np.float64]

_MAX_GOOD = 25  # hyperopt's limit [3.1]
_MAX_BAD = 1000  # the last ones: the cost of a density is linear in them
_FLATTEN = (0.1, 0.25)  # of the good and the bad, see `Parzen`
_MAX_LISTED = 256  # of a space with no more untried configs, all are candidates


class TPESampler(ModelSampler):
    """Suggests what is likely among good trials and unlikely among others.

    Parameters
    ----------
    n_initial_points : int or "auto", default="auto"
        Trials (pending and failed ones count) before the model is asked; until then, and
        while no trial has succeeded, suggestions are quasi-random. "auto" is five and half
        the number of dimensions, at most 10.
    gamma : float, default=0.15
        Share of the trials that are good, in (0, 1); at most 25 are.
    n_candidates : int, default=48
        Configs that are drawn from the good density, of which the best is suggested.

    Raises
    ------
    ValueError
        By `bind`, if an argument is not valid.

    Notes
    -----
    Trials trained to different resources are not mixed: see `sk_hpo.samplers.observed`.
    Pending trials count as bad ones (Optuna's constant liar), so that a batch spreads. A
    failed trial is a bad one. The acquisition that `explain` tells is the logarithm of the
    ratio of the densities.

    Examples
    --------
    >>> from scipy.stats import uniform
    >>> from sk_hpo.samplers.tpe import TPESampler
    >>> from sk_hpo.space.space import Space
    >>> from sk_hpo.trial import Outcome, Trial
    >>> sampler = TPESampler().bind(Space({"x": uniform(0, 1)}), seed=0)
    >>> history = []
    >>> for i in range(40):
    ...     [config] = sampler.suggest(history)
    ...     score = -(config[0] - 0.3) ** 2
    ...     history.append(Trial(i, config).told(1, Outcome(score)))
    >>> best = max(history, key=lambda trial: trial.outcome.score)
    >>> bool(abs(best.config[0] - 0.3) < 0.01)
    True
    """

    def __init__(
        self,
        n_initial_points: int | Literal["auto"] = "auto",
        gamma: float = 0.15,
        n_candidates: int = 48,
    ) -> None:
        super().__init__(n_initial_points)
        self.gamma = gamma
        self.n_candidates = n_candidates

    def bind(self, space: Space, seed: int) -> Self:
        """Return a copy of this sampler for one search.

        Raises
        ------
        ValueError
            If a constructor argument is not valid.
        """
        if not 0.0 < self.gamma < 1.0:
            raise ValueError(f"gamma must be between 0 and 1, not {self.gamma!r}")
        check_count("n_candidates", self.n_candidates)
        return super().bind(space, seed)

    @property
    def _auto(self) -> int:
        return min(5 + len(self.space.dimensions) // 2, 10)

    def next(self, history: Sequence[Trial], asked: list[Config]) -> Config | None:
        """Return the one config that comes after others that were asked for, None if none.

        Parameters
        ----------
        history : sequence of Trial
            At least one has succeeded.
        asked : list of Config
            What is suggested already, and not in the history.
        """
        return next((config for config, _ in self._modelled(history, asked, 1)), None)

    def _modelled(
        self, history: Sequence[Trial], initial: list[Config], n: int
    ) -> list[Explained]:
        good, bad = self._split(history)
        awaited = [trial.config for trial in history if trial.pending] + initial
        tried = {trial.config for trial in history} | set(initial)
        rng = np.random.default_rng([self.seed, len(history) + len(initial)])
        lattice = self._cube.lattice
        likely = Parzen(lattice, self._cube.rows(good), _weights(len(good)), _FLATTEN[0])
        chosen: list[Explained] = []
        while len(chosen) < n:
            against = self._cube.rows((bad + awaited)[-_MAX_BAD:])
            unlikely = Parzen(lattice, against, np.ones(len(against)), _FLATTEN[1])
            found = self._next(likely, unlikely, history, tried, rng)
            if found is None:
                break
            config, ratio = found
            chosen.append((config, Reason("model", ratio)))
            tried.add(config)
            awaited.append(config)
        return chosen

    def _next(
        self,
        likely: Parzen,
        unlikely: Parzen,
        history: Sequence[Trial],
        tried: set[Config],
        rng: np.random.Generator,
    ) -> tuple[Config, float] | None:
        """Return the new config of the highest ratio of densities, and the log of that."""

        def ratio(x: FloatArray) -> FloatArray:
            return likely.log_density(x) - unlikely.log_density(x)

        def best(x: FloatArray) -> tuple[Config, float] | None:
            of_row = ratio(x)
            for i in np.argsort(-of_row, kind="stable"):
                config = self._cube.config(x[i])
                if config not in tried and self.space.allows(config):
                    return config, float(of_row[i])
            return None

        def best_of(configs: list[Config]) -> tuple[Config, float] | None:
            if not configs:
                return None
            of_config = ratio(self._cube.rows(configs))
            i = int(np.argmax(of_config))
            return configs[i], float(of_config[i])

        if self.space.combinations <= _MAX_LISTED:
            return best_of(self._ledger.untried(history, _MAX_LISTED, tried))
        found = best(likely.sample(self.n_candidates, rng))
        found = found or best_of(self._random(tried, rng))
        left = None if found else self._any_left(history, tried)
        return found if left is None else best_of([left])

    def _split(self, history: Sequence[Trial]) -> tuple[list[Config], list[Config]]:
        """Return the good configs, best first, and the others [3.1]."""
        seen = observed(history, enough=len(self.space.dimensions) + 1)
        scores = [-math.inf if outcome.failed else outcome.score for _, outcome in seen]
        order = np.argsort(-np.array(scores), kind="stable")
        n_good = min(math.ceil(self.gamma * len(seen)), _MAX_GOOD)
        n_good = min(n_good, sum(math.isfinite(score) for score in scores))
        bad = set(order[n_good:].tolist())
        others = [config for i, (config, _) in enumerate(seen) if i in bad]
        return [seen[i][0] for i in order[:n_good]], others


def _weights(n: int) -> FloatArray:
    """Return the weights of good trials by rank.

    Logarithmic, as those of CMA-ES: Hansen, arXiv:1604.00772, eq. 49.
    """
    return np.asarray(np.log(n + 0.5) - np.log(np.arange(1, n + 1)))
