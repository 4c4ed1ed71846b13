"""What earlier searches have found, as history that was there before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Self

from sk_hpo.samplers.base import Sampler
from sk_hpo.samplers.surrogate import Surrogate
from sk_hpo.space.space import Space
from sk_hpo.trial import Config, Reason, Trial

__all__ = ["ExperiencedSampler"]


class ExperiencedSampler(Sampler):
    """Lets another sampler learn from earlier trials too, as if they had come first.

    Parameters
    ----------
    sampler : Sampler
        Unbound. One that does not use history is left as it is.
    earlier : sequence of Trial
        With configs of the space, and with outcomes.

    Examples
    --------
    >>> from scipy.stats import uniform
    >>> from sk_hpo.samplers.gp import GPSampler
    >>> from sk_hpo.trial import Outcome
    >>> space = Space({"x": uniform(0, 1)})
    >>> xs = [i / 10 for i in range(11)]
    >>> scores = [{1: Outcome(-abs(x - 0.7))} for x in xs]
    >>> earlier = [Trial(i, (x,), outcomes=scores[i]) for i, x in enumerate(xs)]
    >>> sampler = ExperiencedSampler(GPSampler(), earlier).bind(space, seed=0)
    >>> [reason.origin for reason in sampler.explain([], sampler.suggest([], 1))]
    ['model']
    """

    def __init__(self, sampler: Sampler, earlier: Sequence[Trial]) -> None:
        self.sampler = sampler
        self.earlier = tuple(earlier)
        self.uses_history = sampler.uses_history

    def bind(self, space: Space, seed: int) -> Self:
        """Return a copy of this sampler for one search."""
        bound = super().bind(space, seed)
        bound.sampler = self.sampler.bind(space, seed)
        return bound

    def suggest(self, history: Sequence[Trial], n: int = 1) -> list[Config]:
        """Return up to `n` new configs, see `Sampler.suggest`."""
        return self.sampler.suggest(self._with_earlier(history), n)

    def explain(self, history: Sequence[Trial], configs: Sequence[Config]) -> list[Reason]:
        """Return what the other sampler says."""
        return self.sampler.explain(self._with_earlier(history), configs)

    def surrogate(self, history: Sequence[Trial]) -> Surrogate | None:
        """Return what the other sampler has learned from all trials."""
        return self.sampler.surrogate(self._with_earlier(history))

    def _with_earlier(self, history: Sequence[Trial]) -> Sequence[Trial]:
        if not self.earlier or not self.uses_history:
            return history
        joined = (*self.earlier, *history)
        return [replace(trial, id=i) for i, trial in enumerate(joined)]
