"""One bracket of asynchronous successive halving.

Li, Jamieson, Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht, Talwalkar: A System for
Massively Parallel Hyperparameter Tuning, MLSys 2020, Algorithm 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from heapq import heappop, heappush, heapreplace

from sk_hpo.rungs import Rung

__all__ = ["Climb"]

# (score, -trial): ties go to the lower id. In a heap of these the worst comes first; the
# best comes first in a heap of their opposites, (-score, trial).
_Key = tuple[float, int]


class _Level:
    """A rung: who was brought to it, and who waits to go on.

    Each call takes time that grows with the logarithm of the number of trials.

    Parameters
    ----------
    least : int
        How many go on from here at least.
    """

    __slots__ = ("_hopeful", "_inside", "_outside", "_queue", "brought", "least", "n_out",
                 "n_told", "paused")  # fmt: skip

    def __init__(self, least: int) -> None:
        self.least = least
        self.brought: list[int] = []
        self.n_out = 0
        self.n_told = 0  # failures included
        self.paused: set[int] = set()  # neither out nor gone on
        self._inside: list[_Key] = []  # those on a place; the worst first
        self._outside: list[_Key] = []  # all others who may come to one; the best first
        self._hopeful: list[_Key] = []  # both; the worst first
        self._queue: list[_Key] = []  # who is paused, or was; the best first

    @property
    def best(self) -> int | None:
        """The best trial that is paused, if it is on a place (lines 14 to 16)."""
        while self._queue and self._queue[0][1] not in self.paused:
            heappop(self._queue)
        if not self._queue or not self._inside:
            return None
        score, trial = self._queue[0]
        return trial if (-score, -trial) >= self._inside[0] else None

    def bring(self, trial: int) -> None:
        self.brought.append(trial)
        self.n_out += 1

    def tell(self, trial: int, score: float) -> bool:
        """Record a score; return whether the trial may go on."""
        self.n_out -= 1
        self.n_told += 1
        if not math.isfinite(score):
            return False
        self.paused.add(trial)
        worst_first, best_first = (score, -trial), (-score, trial)
        heappush(self._queue, best_first)
        heappush(self._hopeful, worst_first)
        if self._inside and worst_first > self._inside[0]:
            score, minus = heapreplace(self._inside, worst_first)
            best_first = (-score, -minus)
        heappush(self._outside, best_first)
        return True

    def settle(self, n_places: int, n_hopeful: int) -> list[int]:
        """Take out and return who is paused and beaten.

        Parameters
        ----------
        n_places : int
            How many of the best go on, whatever comes. Never less than before.
        n_hopeful : int
            How many may at most, with what is to come. Never more than before, but for the
            first time.
        """
        while len(self._inside) < n_places and self._outside:
            score, trial = heappop(self._outside)
            heappush(self._inside, (-score, -trial))
        beaten = []
        while len(self._hopeful) > n_hopeful:
            trial = -heappop(self._hopeful)[1]
            if trial in self.paused:
                self.paused.remove(trial)
                beaten.append(trial)
        return beaten

    def forget(self) -> None:
        """Let the scores go, which take much more memory than `brought`."""
        for heap in (self._inside, self._outside, self._hopeful, self._queue):
            heap.clear()


class Climb:
    """Who is on which rung of a bracket, and who may go on.

    A trial may go on as soon as it is among the best ``1 / eta`` of those that its rung has
    seen, or certain to be among as many as are planned for the next rung.

    Parameters
    ----------
    rungs : sequence of Rung
        Lowest first. The first one's `n_trials` start; of the others, it is how many are
        brought there at least, unless trials fail.
    eta : Fraction
        Greater than 1.

    Attributes
    ----------
    n_coming : int
        How many trials are still to start.

    Examples
    --------
    >>> climb = Climb([Rung(0, 0, 4, 0, 1), Rung(0, 1, 2, 1, 2)], Fraction(2))
    >>> for trial in range(3):
    ...     climb.start(trial)
    >>> climb.tell(0, 0, score=0.5), climb.tell(1, 0, score=0.7), climb.promotable
    ([], [], (1, 1))
    """

    __slots__ = ("_denominator", "_levels", "_numerator", "n_coming", "rungs")

    def __init__(self, rungs: Sequence[Rung], eta: Fraction) -> None:
        self.rungs = tuple(rungs)
        self.n_coming = rungs[0].n_trials
        self._levels = [_Level(rung.n_trials) for rung in rungs[1:]] + [_Level(0)]
        self._numerator, self._denominator = eta.numerator, eta.denominator

    @property
    def brought(self) -> list[list[int]]:
        """The trials that were brought to each rung, in the order of coming."""
        return [level.brought for level in self._levels]

    @property
    def promotable(self) -> tuple[int, int] | None:
        """The trial that goes on next, and to which rung; the highest goes first."""
        for k in reversed(range(len(self._levels) - 1)):  # line 13
            if (trial := self._levels[k].best) is not None:
                return trial, k + 1
        return None

    def start(self, trial: int) -> None:
        """Bring a new trial to the lowest rung."""
        self.n_coming -= 1
        self._levels[0].bring(trial)

    def promote(self, trial: int, to: int) -> None:
        """Bring to a rung whom `promotable` has named for it."""
        self._levels[to - 1].paused.remove(trial)
        self._levels[to].bring(trial)

    def tell(self, trial: int, rung: int, score: float) -> list[int]:
        """Record the score of a trial; not finite means that it goes no further.

        Returns
        -------
        retired : list of int
            A failed trial and one at the top at once; others as soon as too many on their
            rung are better, whatever is still to come.
        """
        if rung == len(self._levels) - 1:
            score = math.nan
        goes_on = self._levels[rung].tell(trial, score)
        beaten = self._settle(rung, fewer=not goes_on)
        if not (self.n_coming or any(level.n_out or level.paused for level in self._levels)):
            for level in self._levels:
                level.forget()
        return beaten if goes_on else [trial, *beaten]

    def close(self) -> list[int]:
        """Let no more trials start; return who is retired by that."""
        self.n_coming = 0
        return self._settle(0, fewer=True)

    def _settle(self, rung: int, fewer: bool = False) -> list[int]:
        """Give out the places of a rung, and of those above if `fewer` can come to them."""
        levels = self._levels
        coming = self.n_coming
        for level in levels[:rung]:
            coming += level.n_out + len(level.paused)
        beaten: list[int] = []
        for level in levels[rung:-1]:
            coming += level.n_out  # how many may still be told on this rung
            places = max(self._places(level.n_told), level.least - coming)
            hopeful = max(self._places(level.n_told + coming), level.least)
            beaten += level.settle(places, hopeful)
            if not (fewer or beaten):
                break
            coming += len(level.paused)
        return beaten

    def _places(self, n: int) -> int:
        return n * self._denominator // self._numerator  # floor(n / eta)
