"""The words that all wings share: Reason, Trial, Job, Call, Outcome.

They are frozen records. A scheduler makes jobs, an evaluator turns a job into an
outcome, and neither knows the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Call", "Config", "Job", "Origin", "Outcome", "Reason", "Trial"]

# One code per dimension of the space, in the space's order: the value itself for a
# numeric dimension, the position in the list for a categorical or ordinal one, None for
# a parameter that does not exist under the config's conditions. Codes are hashable and
# JSON, whatever objects the user searches over.
Config = tuple[float | int | None, ...]

Origin = Literal["user", "initial", "model", "random"]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a config was suggested.

    What is not known is NaN.

    Parameters
    ----------
    origin : {"user", "initial", "model", "random"}, default="random"
        Whose wish it was: the user's, that of the quasi-random start of a sampler with a
        model, of the model itself, or nobody's.
    acquisition : float, default=nan
        What the model was asked to maximise; its unit is the sampler's affair.
    mean, sd : float, default=nan
        The score that the model expected, and its standard deviation, in units of the
        score.
    """

    origin: Origin = "random"
    acquisition: float = math.nan
    mean: float = math.nan
    sd: float = math.nan


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a job.

    Parameters
    ----------
    score : float
        Mean validation score over the folds that were run, to be maximised; of a candidate
        that was dropped before its last fold, an estimate over all of them. NaN if the job
        failed; NaN and infinities rank last.
    standard_error : float, default=nan
        Standard error of `score` over the folds, NaN if unknown.
    cost : float, default=0.0
        Resource that was really spent, summed over folds.
    failure : str or None, default=None
        Traceback of the first fold that raised.
    folds : tuple, default=()
        What the evaluator wants to remember of each fold; opaque to schedulers. None for a
        fold that was not run.
    scores : tuple of float, default=()
        The validation score of each fold, if there are folds; NaN for one that was not run.
    """

    score: float
    standard_error: float = math.nan
    cost: float = 0.0
    failure: str | None = None
    folds: tuple[Any, ...] = ()
    scores: tuple[float, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether the score cannot be compared with others."""
        return not math.isfinite(self.score)


@dataclass(frozen=True, slots=True)
class Trial:
    """One config with an id, and its outcomes by resource.

    Ids count from 0 in the order in which trials were created.

    Parameters
    ----------
    id : int
        Position of the trial in its scheduler's history.
    config : Config
        Codes of the parameters, see `sk_hpo.space.Space`.
    bracket : int, default=0
        Bracket that the trial belongs to.
    outcomes : mapping of int to Outcome
        Resource -> outcome; empty while the trial is pending.
    reason : Reason, default=Reason()
        Why the config was suggested.
    """

    id: int
    config: Config
    bracket: int = 0
    outcomes: Mapping[int, Outcome] = field(default_factory=dict)
    reason: Reason = Reason()

    @property
    def pending(self) -> bool:
        """Whether nothing is known about this trial yet."""
        return not self.outcomes

    @property
    def resource(self) -> int:
        """Highest resource with an outcome, 0 if there is none."""
        return max(self.outcomes, default=0)

    @property
    def outcome(self) -> Outcome:
        """Outcome at the highest resource; KeyError while the trial is pending."""
        return self.outcomes[self.resource]

    def told(self, resource: int, outcome: Outcome) -> Trial:
        """Return this trial with one more outcome."""
        outcomes = {**self.outcomes, resource: outcome}
        return Trial(self.id, self.config, self.bracket, outcomes, self.reason)


@dataclass(frozen=True, slots=True)
class Job:
    """Bring a trial from one resource to another.

    Parameters
    ----------
    trial : int
        Id of the trial.
    config : Config
        Its config.
    start, stop : int
        Resource the trial has, and resource it shall have; ``start < stop``.
    bracket : int, default=0
        Bracket of the trial.
    rung : int, default=0
        Rung within the bracket, counted from 0 at the lowest resource.
    resumable : bool, default=False
        Whether a later job may take the trial on from `stop`, so that its state must
        be kept.
    folds : tuple of int or None, default=None
        Which folds to run; None for all.
    """

    trial: int
    config: Config
    start: int
    stop: int
    bracket: int = 0
    rung: int = 0
    resumable: bool = False
    folds: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """What an executor runs for one or more jobs.

    Parameters
    ----------
    function : callable
        ``function(context, *args)`` returns a value per part.
    args : tuple
        Its arguments besides the executor's context.
    parts : tuple of (int, int)
        For each value, the position of its job among those asked for together, and its
        rank among the parts of that job.
    """

    function: Callable[..., Sequence[Any]]
    args: tuple[Any, ...]
    parts: tuple[tuple[int, int], ...]
