"""When a search has done enough: policies that compose with ``|`` and ``&``.

A policy is a few numbers, and may be an argument of any number of searches. What it sees of
one search is kept by a watch, which `StopPolicy.begin` returns. Neither knows a clock.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass
from numbers import Integral, Real

__all__ = [
    "MaxTime",
    "MaxTrials",
    "Milestone",
    "NoImprovement",
    "StopPolicy",
    "TargetScore",
    "Watch",
    "within_budget",
]


@dataclass(frozen=True, slots=True)
class Milestone:
    """One more outcome, and where the search stands with it.

    Parameters
    ----------
    n_trials : int
        How many trials have an outcome, this one included; a trial that has come further
        counts once.
    seconds : float
        Since the search began.
    score : float
        Of this outcome, to be maximised; NaN or infinite if it failed.
    top : bool, default=True
        Whether the outcome is at the highest resource of the search, with all folds.
    """

    n_trials: int
    seconds: float
    score: float
    top: bool = True


class Watch(ABC):
    """What a policy sees of one search. Each call takes constant time."""

    def tell(self, milestone: Milestone) -> str | None:
        """Take note of an outcome; return why the search should stop now, if it should."""
        self.note(milestone)
        return self.at(milestone.seconds)

    @abstractmethod
    def at(self, seconds: float) -> str | None:
        """Return why the search should stop now, if it should, without a new outcome.

        Parameters
        ----------
        seconds : float
            Since the search began.

        Returns
        -------
        reason : str or None
            The policy, or that part of it which holds, as it is written.
        """

    @abstractmethod
    def note(self, milestone: Milestone) -> None:
        """Take note of an outcome."""


class StopPolicy(ABC):
    """When to stop a search; ``a | b`` stops as soon as one does, ``a & b`` when both do.

    A search that stops begins no more fits. A policy of your own is a subclass with
    `begin`, and a `Watch` that it returns.

    Examples
    --------
    >>> from sk_hpo.stop import MaxTime, MaxTrials, Milestone, NoImprovement
    >>> policy = MaxTime(3600) | MaxTrials(3) & NoImprovement(2)
    >>> policy
    MaxTime(3600) | MaxTrials(3) & NoImprovement(2)
    >>> watch = policy.begin()
    >>> scores = [0.5, 0.4, 0.4, 0.6]
    >>> [watch.tell(Milestone(n, n * 60.0, score)) for n, score in enumerate(scores, start=1)]
    [None, None, 'MaxTrials(3) & NoImprovement(2)', None]
    >>> watch.at(3600.0)
    'MaxTime(3600)'
    """

    @abstractmethod
    def begin(self) -> Watch:
        """Return a watch for one search."""

    def __or__(self, other: StopPolicy) -> StopPolicy:
        return _join(AnyOf, self, other)

    def __and__(self, other: StopPolicy) -> StopPolicy:
        return _join(AllOf, self, other)


@dataclass(frozen=True, repr=False)
class MaxTrials(StopPolicy):
    """Stop when `n` candidates have a result, failed ones included.

    A candidate counts with its first result, on whatever rung. Those that are being trained
    when the last one comes are finished, so that a few more may have one in the end.

    Parameters
    ----------
    n : int
        At least 1.

    Raises
    ------
    ValueError
        If `n` is not an integer of at least 1.
    """

    n: int

    def __post_init__(self) -> None:
        _check_count(self)

    def begin(self) -> Watch:
        return _MaxTrialsWatch(self)

    def __repr__(self) -> str:
        return f"MaxTrials({self.n})"


@dataclass(frozen=True, repr=False)
class MaxTime(StopPolicy):
    """Begin no more fits after so many seconds.

    What is being trained then is finished, and the refit comes after it; a search that must
    be over by a certain time has a `time_budget`.

    Parameters
    ----------
    seconds : float
        Since the search began; greater than 0.

    Raises
    ------
    ValueError
        If `seconds` is not a number greater than 0.
    """

    seconds: float

    def __post_init__(self) -> None:
        if not (_is_number(self.seconds) and self.seconds > 0):
            raise ValueError(f"MaxTime: seconds must be greater than 0, got {self.seconds!r}.")

    def begin(self) -> Watch:
        return _MaxTimeWatch(self)

    def __repr__(self) -> str:
        return f"MaxTime({self.seconds})"


@dataclass(frozen=True, repr=False)
class NoImprovement(StopPolicy):
    """Stop when `n` results in a row have brought nothing.

    That is, when the best score after them is at most `tol` above the best score before
    them; failures bring nothing. In a search over rungs, only results at the highest
    resource count, of which there are few: they are what ``best_score_`` is chosen from.
    Elsewhere a score is of less training, fewer rows or fewer folds, and the first rung
    has many candidates of which none is meant to be good.

    Parameters
    ----------
    n : int
        At least 1.
    tol : float, default=0.0
        In units of the score; at least 0.

    Raises
    ------
    ValueError
        If `n` or `tol` is out of range.

    Examples
    --------
    >>> from sk_hpo.stop import Milestone, NoImprovement
    >>> watch = NoImprovement(2, tol=0.01).begin()
    >>> scores = [0.500, 0.600, 0.605, 0.609]
    >>> [watch.tell(Milestone(n, 0.0, score)) for n, score in enumerate(scores, start=1)]
    [None, None, None, 'NoImprovement(2, tol=0.01)']
    """

    n: int
    tol: float = 0.0

    def __post_init__(self) -> None:
        _check_count(self)
        if not (_is_number(self.tol) and 0 <= self.tol < math.inf):
            raise ValueError(
                f"NoImprovement: tol must be finite and at least 0, got {self.tol!r}."
            )

    def begin(self) -> Watch:
        return _NoImprovementWatch(self)

    def __repr__(self) -> str:
        return f"NoImprovement({self.n}{f', tol={self.tol}' if self.tol else ''})"


@dataclass(frozen=True, repr=False)
class TargetScore(StopPolicy):
    """Stop when a candidate has reached a score.

    In a search over rungs, that is a score at the highest resource, as of `NoImprovement`:
    when the search has stopped by this, ``best_score_`` is at least `score`.

    Parameters
    ----------
    score : float
        As the scorer gives it, higher is better: -0.5 for an error of 0.5.

    Raises
    ------
    ValueError
        If `score` is not a finite number.
    """

    score: float

    def __post_init__(self) -> None:
        if not (_is_number(self.score) and math.isfinite(self.score)):
            raise ValueError(f"TargetScore: score must be finite, got {self.score!r}.")

    def begin(self) -> Watch:
        return _TargetScoreWatch(self)

    def __repr__(self) -> str:
        return f"TargetScore({self.score})"


@dataclass(frozen=True, repr=False)
class AnyOf(StopPolicy):
    """Stop as soon as one of the policies does; what ``|`` makes."""

    policies: tuple[StopPolicy, ...]

    def begin(self) -> Watch:
        return _AnyWatch(self.policies)

    def __repr__(self) -> str:
        return " | ".join(map(repr, self.policies))


@dataclass(frozen=True, repr=False)
class AllOf(StopPolicy):
    """Stop when all of the policies do at the same time; what ``&`` makes."""

    policies: tuple[StopPolicy, ...]

    def begin(self) -> Watch:
        return _AllWatch(self.policies)

    def __repr__(self) -> str:
        parts = (f"({p!r})" if isinstance(p, AnyOf) else repr(p) for p in self.policies)
        return " & ".join(parts)


def within_budget(budget: float, seconds: float, refit: float = 0.0) -> bool:
    """Return whether a search may begin one more fit.

    It may as long as there is more time left than the refit takes: the search then ends
    within its budget plus the fit that is running.

    Parameters
    ----------
    budget : float
        Seconds that the whole search may take.
    seconds : float
        Since it began.
    refit : float, default=0.0
        Seconds that the refit is expected to take; 0 if there is none, or if nothing is
        known.

    Examples
    --------
    >>> from sk_hpo.stop import within_budget
    >>> within_budget(60.0, seconds=50.0), within_budget(60.0, seconds=50.0, refit=12.0)
    (True, False)
    """
    return seconds + refit < budget


class _MaxTrialsWatch(Watch):
    def __init__(self, policy: MaxTrials) -> None:
        self._policy = policy
        self._n_trials = 0

    def note(self, milestone: Milestone) -> None:
        self._n_trials = milestone.n_trials

    def at(self, seconds: float) -> str | None:
        return repr(self._policy) if self._n_trials >= self._policy.n else None


class _MaxTimeWatch(Watch):
    def __init__(self, policy: MaxTime) -> None:
        self._policy = policy

    def note(self, milestone: Milestone) -> None:
        """Time is all that counts."""

    def at(self, seconds: float) -> str | None:
        return repr(self._policy) if seconds >= self._policy.seconds else None


class _NoImprovementWatch(Watch):
    def __init__(self, policy: NoImprovement) -> None:
        self._policy = policy
        # The best score after each of the last n results, and before these.
        self._best = deque([-math.inf], maxlen=policy.n + 1)

    def note(self, milestone: Milestone) -> None:
        if milestone.top:
            score = milestone.score if math.isfinite(milestone.score) else -math.inf
            self._best.append(max(self._best[-1], score))

    def at(self, seconds: float) -> str | None:
        full = len(self._best) > self._policy.n
        stops = full and self._best[-1] <= self._best[0] + self._policy.tol
        return repr(self._policy) if stops else None


class _TargetScoreWatch(Watch):
    def __init__(self, policy: TargetScore) -> None:
        self._policy = policy
        self._reached = False

    def note(self, milestone: Milestone) -> None:
        if milestone.top and self._policy.score <= milestone.score < math.inf:
            self._reached = True

    def at(self, seconds: float) -> str | None:
        return repr(self._policy) if self._reached else None


class _Watches(Watch):
    def __init__(self, policies: tuple[StopPolicy, ...]) -> None:
        self._watches = [policy.begin() for policy in policies]

    def note(self, milestone: Milestone) -> None:
        for watch in self._watches:
            watch.note(milestone)


class _AnyWatch(_Watches):
    def at(self, seconds: float) -> str | None:
        return next((r for watch in self._watches if (r := watch.at(seconds))), None)


class _AllWatch(_Watches):
    def at(self, seconds: float) -> str | None:
        reasons = [watch.at(seconds) for watch in self._watches]
        return " & ".join(r for r in reasons if r) if all(reasons) else None


def _join(kind: type[AnyOf] | type[AllOf], *policies: StopPolicy) -> StopPolicy:
    if not all(isinstance(policy, StopPolicy) for policy in policies):
        return NotImplemented
    parts = (p.policies if isinstance(p, kind) else (p,) for p in policies)
    return kind(tuple(one for part in parts for one in part))


def _check_count(policy: MaxTrials | NoImprovement) -> None:
    n = policy.n
    if isinstance(n, bool) or not isinstance(n, Integral) or n < 1:
        kind = type(policy).__name__
        raise ValueError(f"{kind}: n must be an integer of at least 1, got {n!r}.")


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
