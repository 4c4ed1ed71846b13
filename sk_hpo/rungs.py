"""Ladder arithmetic in exact integers, and the synchronous bracket.

Li, Jamieson, DeSalvo, Rostamizadeh, Talwalkar: Hyperband: A Novel Bandit-Based Approach
to Hyperparameter Optimization, JMLR 18 (2018), Algorithm 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from numbers import Integral, Rational, Real
from typing import Any, Literal

__all__ = ["Bracket", "Rung", "Verdict", "cost", "exact_factor", "hyperband_rungs", "ladder"]


@dataclass(frozen=True, slots=True)
class Rung:
    """One level of resource, and how many trials are brought to it.

    Parameters
    ----------
    bracket : int
        Bracket that the rung belongs to, counted from 0 in the order of running.
    rung : int
        Position in the bracket, 0 at the lowest resource.
    n_trials : int
        Number of trials that are brought to `resource`.
    start : int
        Resource that these trials have when they arrive (0 on the lowest rung).
    resource : int
        Resource that they have when they leave.
    """

    bracket: int
    rung: int
    n_trials: int
    start: int
    resource: int


def ladder(min_resources: int, max_resources: int, factor: float | Fraction) -> tuple[int, ...]:
    """Return the resources of the longest bracket, lowest first.

    They are ``max_resources // factor**i``, anchored at the top, counted by stepping:
    a logarithm in floating point loses a rung (``floor(log(243, 3))`` is 4).

    Parameters
    ----------
    min_resources : int
        At least 1; lower rungs are left out.
    max_resources : int
        At least `min_resources`; always the top rung.
    factor : int, float or Fraction
        Greater than 1. A float means the decimal number that it prints as: with
        ``factor=1.1``, the rung below 11 is 10.

    Returns
    -------
    resources : tuple of int
        Strictly increasing. Never empty.

    Raises
    ------
    ValueError
        If an argument is out of range or not a number of its kind.

    Examples
    --------
    >>> ladder(1, 243, 3)
    (1, 3, 9, 27, 81, 243)
    >>> ladder(2, 100, 2.5)
    (2, 6, 16, 40, 100)
    """
    low = _integer("min_resources", min_resources)
    high = _integer("max_resources", max_resources)
    if low > high:
        raise ValueError(
            f"min_resources={low} is greater than max_resources={high}; no rung is possible."
        )
    step = exact_factor(factor)
    descending: list[int] = []
    numerator, denominator = high, 1
    while (rung := numerator // denominator) >= low:
        if not descending or rung < descending[-1]:
            descending.append(rung)
        numerator *= step.denominator
        denominator *= step.numerator
    return tuple(reversed(descending))


def hyperband_rungs(
    min_resources: int,
    max_resources: int,
    factor: float | Fraction,
    brackets: int | Literal["all"] = "all",
    iterations: int = 1,
) -> list[Rung]:
    """Return the rungs of Hyperband, bracket by bracket, the most aggressive one first.

    Parameters
    ----------
    min_resources, max_resources, factor
        As in `ladder`; R and eta of the paper are `max_resources` and `factor`.
    brackets : int or "all", default="all"
        How many of the brackets to run, the most aggressive ones first; 1 is plain
        successive halving. A ladder of k rungs has k brackets.
    iterations : int, default=1
        How many times to run all of that.

    Returns
    -------
    rungs : list of Rung
        In the order of running; brackets are numbered through all iterations.

    Raises
    ------
    ValueError
        If an argument is out of range or not a number of its kind.

    Examples
    --------
    >>> rungs = hyperband_rungs(1, 81, 3)
    >>> [rung.n_trials for rung in rungs if rung.rung == 0]
    [81, 34, 15, 8, 5]
    >>> for rung in hyperband_rungs(1, 9, 3, brackets=1):
    ...     print(rung.n_trials, "trials from", rung.start, "to", rung.resource)
    9 trials from 0 to 1
    3 trials from 1 to 3
    1 trials from 3 to 9
    """
    resources = ladder(min_resources, max_resources, factor)
    eta = exact_factor(factor)
    n_brackets = len(resources)
    if not (isinstance(brackets, str) and brackets == "all"):
        n_brackets = _integer("brackets", brackets)
        if n_brackets > len(resources):
            raise ValueError(
                f"brackets={n_brackets}, but the ladder {resources} has only"
                f" {len(resources)} brackets."
            )
    n_iterations = _integer("iterations", iterations)
    s_max = len(resources) - 1
    return [
        rung
        for iteration in range(n_iterations)
        for k in range(n_brackets)
        for rung in _bracket(
            iteration * n_brackets + k,
            math.ceil(Fraction(s_max + 1, s_max - k + 1) * eta ** (s_max - k)),  # line 3
            resources[k:],
            eta,
        )
    ]


def exact_factor(factor: Any) -> Fraction:
    """Return a reduction factor as the number that was meant: a float as it prints.

    Raises
    ------
    ValueError
        If it is not a finite number greater than 1.

    Examples
    --------
    >>> exact_factor(2.5), exact_factor(1.1)
    (Fraction(5, 2), Fraction(11, 10))
    """
    is_number = isinstance(factor, Real) and not isinstance(factor, bool)
    if not is_number or not 1 < float(factor) < math.inf:
        raise ValueError(f"factor must be a finite number greater than 1, got {factor!r}.")
    if isinstance(factor, Rational):
        return Fraction(int(factor.numerator), int(factor.denominator))
    return Fraction(repr(float(factor)))


def cost(rungs: Iterable[Rung], continues: bool) -> int:
    """Return the resource that `rungs` spend in total, over all their trials.

    Parameters
    ----------
    rungs : iterable of Rung
        What is run.
    continues : bool
        True if a promoted model goes on where it stood; False if it is trained again
        from scratch.

    Examples
    --------
    >>> rungs = hyperband_rungs(1, 9, 3, brackets=1)
    >>> cost(rungs, continues=True), cost(rungs, continues=False)
    (21, 27)
    """
    return sum(
        rung.n_trials * (rung.resource - (rung.start if continues else 0)) for rung in rungs
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a bracket decides when it is told a score.

    Parameters
    ----------
    promoted : tuple of int
        Trials that start on the next rung now, the best first.
    retired : tuple of int
        Trials that will never be trained again.
    """

    promoted: tuple[int, ...] = ()
    retired: tuple[int, ...] = ()


class Bracket:
    """Successive halving: a rung is left when every trial on it has a score.

    The best ``n_trials`` of the next rung go on (score descending, then trial id
    ascending). Trials that failed never do, so that a rung can be emptier than planned.

    Parameters
    ----------
    rungs : sequence of Rung
        The bracket's rungs, lowest first.
    trials : sequence of int
        Ids of the trials that start on the lowest rung; not empty, possibly fewer than
        planned.

    Attributes
    ----------
    standing : list of tuple of int
        Trials that were brought to each rung that was reached so far.
    done : bool
        Whether nothing is left to train.

    Examples
    --------
    >>> bracket = Bracket(hyperband_rungs(1, 3, 3, brackets=1), trials=[0, 1, 2])
    >>> bracket.tell(2, 0.7), bracket.tell(0, 0.7)
    (Verdict(promoted=(), retired=()), Verdict(promoted=(), retired=()))
    >>> bracket.tell(1, 0.4)
    Verdict(promoted=(0,), retired=(2, 1))
    """

    def __init__(self, rungs: Sequence[Rung], trials: Sequence[int]) -> None:
        self.rungs = tuple(rungs)
        self.standing = [tuple(trials)]
        self.done = False
        self._awaited = set(trials)
        self._scores: dict[int, float] = {}

    @property
    def rung(self) -> Rung:
        """The rung that trials are being brought to, or were last."""
        return self.rungs[len(self.standing) - 1]

    def tell(self, trial: int, score: float) -> Verdict:
        """Record the score of `trial` on the current rung; not finite means failed.

        Raises
        ------
        ValueError
            If no score of `trial` is awaited.
        """
        if trial not in self._awaited:
            raise ValueError(f"No score of trial {trial} is awaited on {self.rung}.")
        self._awaited.remove(trial)
        retired: tuple[int, ...] = ()
        if math.isfinite(score) and len(self.standing) < len(self.rungs):
            self._scores[trial] = score
        else:
            retired = (trial,)
        if self._awaited:
            return Verdict(retired=retired)
        promoted, dropped = self._promote()
        return Verdict(promoted, retired + dropped)

    def _promote(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        scores, self._scores = self._scores, {}
        if not scores:
            self.done = True
            return (), ()
        ranking = sorted(scores, key=lambda trial: (-scores[trial], trial))
        n_promoted = self.rungs[len(self.standing)].n_trials
        promoted = tuple(ranking[:n_promoted])
        self.standing.append(promoted)
        self._awaited = set(promoted)
        return promoted, tuple(ranking[n_promoted:])


def _bracket(bracket: int, n: int, resources: Sequence[int], eta: Fraction) -> list[Rung]:
    starts = (0, *resources)
    return [
        Rung(bracket, i, math.floor(n / eta**i), starts[i], resource)  # lines 5-6
        for i, resource in enumerate(resources)
    ]


def _integer(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < 1:
        raise ValueError(f"{name} must be an integer of at least 1, got {value!r}.")
    return int(value)
