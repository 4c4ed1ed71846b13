"""What a model learns from: the outcomes at one resource, and failures at any."""

from __future__ import annotations

from collections.abc import Sequence

from sk_hpo.trial import Config, Outcome, Trial

__all__ = ["all_failed", "informative_resource", "observed"]


def informative_resource(history: Sequence[Trial], enough: int) -> int:
    """Return the largest resource at which enough trials have a finite score.

    Falkner, Klein, Hutter: BOHB, ICML 2018, Algorithm 2, line 3.

    Parameters
    ----------
    history : sequence of Trial
        At least one outcome among them.
    enough : int
        Number of finite scores that are wanted.

    Returns
    -------
    resource : int
        If none has enough, the one with the most finite scores, the larger of equals.

    Examples
    --------
    >>> from sk_hpo.trial import Outcome, Trial
    >>> scored = [{1: Outcome(0.5), 3: Outcome(0.6)}, {1: Outcome(0.4)}, {1: Outcome(0.1)}]
    >>> history = [Trial(i, (i,), outcomes=outcomes) for i, outcomes in enumerate(scored)]
    >>> informative_resource(history, enough=1), informative_resource(history, enough=2)
    (3, 1)
    """
    counts: dict[int, int] = {}
    for trial in history:
        for resource, outcome in trial.outcomes.items():
            counts[resource] = counts.get(resource, 0) + (not outcome.failed)
    return max(counts, key=lambda resource: (min(counts[resource], enough), resource))


def observed(history: Sequence[Trial], enough: int) -> list[tuple[Config, Outcome]]:
    """Return the outcomes at the informative resource, and failures at any."""
    resource = informative_resource(history, enough)
    found = []
    for trial in history:
        if resource in trial.outcomes:
            found.append((trial.config, trial.outcomes[resource]))
        elif not trial.pending and trial.outcome.failed:
            found.append((trial.config, trial.outcome))
    return found


def all_failed(history: Sequence[Trial]) -> bool:
    """Return whether no outcome has a finite score; True of an empty history."""
    return all(outcome.failed for trial in history for outcome in trial.outcomes.values())
