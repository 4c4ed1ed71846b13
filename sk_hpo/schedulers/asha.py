"""Asynchronous successive halving.

Li, Jamieson, Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht, Talwalkar: A System for
Massively Parallel Hyperparameter Tuning, MLSys 2020, Algorithm 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from sk_hpo.rungs import Rung
from sk_hpo.samplers.base import Sampler
from sk_hpo.schedulers.asynchronous import AsynchronousHyperbandScheduler

__all__ = ["ASHAScheduler"]


class ASHAScheduler(AsynchronousHyperbandScheduler):
    """Promote whoever is among the best ``1 / factor`` of a rung, as soon as that is seen.

    No rung is waited for. When nobody can be promoted, a new trial starts on the lowest
    rung. When all trials have started, those that are still to be promoted are; and where
    nobody has gone on from a rung to which no more can come, the best does, so that one
    trial has the whole resource, unless it fails. Ties go to the lower id.

    The order of `tell` settles everything; with several workers, it is not reproducible.

    Parameters
    ----------
    sampler : Sampler
        Bound; asked for one config at a time. If its finite space is exhausted, no more
        trials start.
    n_trials : int
        How many trials start, at least 1.
    resources : sequence of int
        Resource of each rung, strictly increasing, see `sk_hpo.rungs.ladder`. The paper's
        early-stopping rate s is to leave out the s lowest ones.
    factor : int, float or Fraction
        Greater than 1, the paper's eta.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> from sk_hpo.samplers.random import RandomSampler
    >>> from sk_hpo.space.space import Space
    >>> from sk_hpo.trial import Outcome
    >>> sampler = RandomSampler().bind(Space({"x": list(range(100))}), seed=0)
    >>> scheduler = ASHAScheduler(sampler, n_trials=9, resources=(1, 3, 9), factor=3)
    >>> for score in (0.2, 0.3, 0.1):
    ...     job = scheduler.ask()
    ...     _ = scheduler.tell(job, Outcome(score))
    >>> job = scheduler.ask()
    >>> job.trial, job.start, job.stop
    (1, 1, 3)
    """

    def __init__(
        self,
        sampler: Sampler,
        n_trials: int,
        resources: Sequence[int],
        factor: float | Fraction,
    ) -> None:
        if n_trials < 1:
            raise ValueError(f"n_trials must be at least 1, got {n_trials!r}.")
        if not resources or [0, *resources] != sorted({0, *resources}):
            raise ValueError(f"resources must increase from at least 1, got {resources!r}.")
        super().__init__(
            sampler, _rungs([n_trials] + [1] * (len(resources) - 1), resources), factor
        )
        self.n_trials = n_trials
        self.resources = tuple(resources)

    def plan(self) -> list[Rung]:
        """Return the rungs of successive halving, with one trial at least on each.

        No rung gets fewer trials if nothing fails. It may get more: who is among the best
        for now is promoted, though better ones may come.
        """
        n_trials = int(min(self.n_trials, self.sampler.space.size))
        if not n_trials:
            return []
        sizes = [n_trials]
        for _ in self.resources[1:]:
            sizes.append(max(1, int(sizes[-1] / self._eta)))
        return _rungs(sizes, self.resources)


def _rungs(sizes: Sequence[int], resources: Sequence[int]) -> list[Rung]:
    """Return the rungs of the one bracket."""
    starts = (0, *resources)
    return [
        Rung(0, i, n_trials, starts[i], resource)
        for i, (n_trials, resource) in enumerate(zip(sizes, resources, strict=True))
    ]
