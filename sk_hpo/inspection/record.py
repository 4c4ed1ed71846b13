"""What every picture, importance and report reads: a search as a frozen record."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from sk_hpo.trial import Origin

__all__ = [
    "FoldRun",
    "Parameter",
    "Rung",
    "SearchRecord",
    "TrialRecord",
    "label_of",
    "score_text",
]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A searched parameter, over all its definitions.

    Parameters
    ----------
    name : str
        As the space calls it.
    kind : {"number", "choice"}
        Whether values lie on an axis, or have nothing but names.
    log : bool, default=False
        Whether a number's axis is logarithmic.
    low, high : float, default=nan
        Where a number's axis begins and ends.
    labels : tuple of str, default=()
        The choices, in the order of the space, or of a number those of its list.
    conditional : bool, default=False
        Whether there are trials without it.
    """

    name: str
    kind: Literal["number", "choice"]
    log: bool = False
    low: float = math.nan
    high: float = math.nan
    labels: tuple[str, ...] = ()
    conditional: bool = False

    def position(self, value: Any) -> float:
        """Return where a value lies on the axis, from 0 to 1.

        Choices lie in the middle of cells of the same width. NaN for what has no place.

        Examples
        --------
        >>> alpha = Parameter("alpha", "number", log=True, low=1e-4, high=1.0)
        >>> round(alpha.position(1e-2), 12)
        0.5
        >>> Parameter("kernel", "choice", labels=("rbf", "poly")).position("poly")
        0.75
        """
        if self.kind == "choice":
            label = label_of(value)
            cell = self.labels.index(label) if label in self.labels else math.nan
            return (cell + 0.5) / len(self.labels)
        if value is None:
            return math.nan
        if not self.low < self.high:
            return 0.5
        low, high, x = self.low, self.high, float(value)
        if self.log:
            low, high, x = math.log(low), math.log(high), math.log(x) if x > 0 else -math.inf
        return float(np.clip((x - low) / (high - low), 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class FoldRun:
    """One fit of one fold.

    Parameters
    ----------
    fold : int
        Which fold, from 0.
    score : float
        Of the metric that steers; NaN if it failed.
    seconds : float
        Of fitting and scoring.
    began, ended : float
        Seconds since the search's first fit began; NaN if unknown.
    worker : str
        Which process (or thread) did it; empty if unknown.
    losses : int
        How many workers died of it before.
    failure : str or None
        Traceback.
    """

    fold: int
    score: float
    seconds: float
    began: float = math.nan
    ended: float = math.nan
    worker: str = ""
    losses: int = 0
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Rung:
    """What is known of a trial at one resource.

    Parameters
    ----------
    number : int
        Of the rung within the trial's bracket, from 0.
    resource : int
        What its models were trained to.
    score, standard_error : float
        Mean over the folds, and its standard error; NaN if it failed, or of one fold.
    scores : tuple of float
        By fold; NaN for one that failed or was not run.
    cost : float
        Resource that was spent since the rung below, summed over folds.
    failure : str or None
        Traceback of the first fold that failed.
    runs : tuple of FoldRun
        The fits since the rung below.
    """

    number: int
    resource: int
    score: float
    standard_error: float = math.nan
    scores: tuple[float, ...] = ()
    cost: float = 0.0
    failure: str | None = None
    runs: tuple[FoldRun, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether the score cannot be compared with others."""
        return self.failure is not None or not math.isfinite(self.score)

    @property
    def n_folds(self) -> int:
        """How many folds have a finite score."""
        return sum(map(math.isfinite, self.scores))

    @property
    def place(self) -> tuple[int, int, float]:
        """What a sound result is compared by: resource, folds, score."""
        return self.resource, self.n_folds, self.score

    @property
    def seconds(self) -> float:
        """Of fitting and scoring, summed over folds."""
        return sum(run.seconds for run in self.runs)

    @property
    def ended(self) -> float:
        """When the last fold that is known of did, in seconds since the search's first fit."""
        known = [run.ended for run in self.runs if not math.isnan(run.ended)]
        return max(known, default=math.nan)


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """A candidate, and how far it came.

    Parameters
    ----------
    id : int
        In the order of asking.
    bracket : int
        From 0.
    params : mapping of str to object
        What was searched, by name; without what does not exist under its conditions.
    rungs : tuple of Rung
        By increasing resource; empty for a trial without a result.
    origin : {"user", "initial", "model", "random"}
        Who suggested it.
    """

    id: int
    bracket: int
    params: Mapping[str, Any]
    rungs: tuple[Rung, ...] = ()
    origin: Origin = "random"

    @property
    def last(self) -> Rung | None:
        """The highest rung, None if there is none."""
        return self.rungs[-1] if self.rungs else None


@dataclass(frozen=True, slots=True)
class SearchRecord:
    """A search.

    Parameters
    ----------
    name : str
        Of its class.
    metric : str
        What it steers by; greater is better.
    resource : str or None
        What it trains by, None for a search without rungs.
    n_splits : int
        Folds.
    parameters : tuple of Parameter
        Sorted by name.
    trials : tuple of TrialRecord
        In the order of asking.
    stopped_by : str or None
        What ended it early.
    best : int or None
        Which trial was chosen, None if none was, or that is not known.
    """

    name: str
    metric: str
    resource: str | None
    n_splits: int
    parameters: tuple[Parameter, ...]
    trials: tuple[TrialRecord, ...]
    stopped_by: str | None = None
    best: int | None = None

    @property
    def top(self) -> int:
        """The highest resource that was reached with a finite score; 0 if there is none."""
        return max((rung.resource for _, rung in self.results() if not rung.failed), default=0)

    def results(self) -> Iterator[tuple[TrialRecord, Rung]]:
        """Yield every trial at every rung, in the order of asking, then of resource."""
        return ((trial, rung) for trial in self.trials for rung in trial.rungs)

    def timeline(self) -> list[tuple[TrialRecord, Rung]]:
        """Return every result in the order in which it came.

        Where times are not known, lower rungs of a bracket come first.
        """

        def when(result: tuple[TrialRecord, Rung]) -> tuple[Any, ...]:
            trial, rung = result
            ended = math.inf if math.isnan(rung.ended) else rung.ended
            return ended, trial.bracket, rung.number, trial.id

        return sorted(self.results(), key=when)

    def finalists(self) -> list[tuple[TrialRecord, Rung]]:
        """Return the results that the best may be among: sound ones at the top, best first.

        Of a search that was stopped, those of all candidates, each at the highest resource
        that it reached. Of those with fewer folds than others, only where nobody has more.
        """
        if self.stopped_by is None:
            top = self.top  # which looks at every result
            found = [(t, r) for t, r in self.results() if r.resource == top and not r.failed]
        else:
            found = [(t, t.last) for t in self.trials if t.last and not t.last.failed]
        most = max((rung.n_folds for _, rung in found), default=0)
        full = [pair for pair in found if pair[1].n_folds == most]
        return sorted(full, key=lambda pair: (-pair[1].score, pair[0].id))

    def incumbents(self) -> list[float]:
        """Return the score of the best of the finalists after each result, as results came.

        NaN before the first sound one. The last is that of the best of `finalists`.
        """
        standing: dict[int, tuple[int, int, float]] = {}
        best: int | None = None
        found = []
        for trial, rung in self.timeline():
            here = rung.place if self.stopped_by is None else (0, *rung.place[1:])
            if not rung.failed and (best is None or here > standing[best]):
                best, standing[trial.id] = trial.id, here
            elif self.stopped_by is not None:  # what it had at a lower resource counts no more
                standing.pop(trial.id, None)
                if not rung.failed:
                    standing[trial.id] = here
                if best not in standing or best == trial.id:
                    best = max(standing, key=standing.__getitem__, default=None)
            found.append(math.nan if best is None else standing[best][2])
        return found

    def points(self, trials: Sequence[TrialRecord] | None = None) -> np.ndarray:
        """Return positions on the parameters' axes.

        Returns
        -------
        points : ndarray of shape (n_trials, n_parameters)
            In [0, 1]; NaN where a trial has no such parameter.
        """
        rows = self.trials if trials is None else trials
        found = np.full((len(rows), len(self.parameters)), math.nan)
        for i, trial in enumerate(rows):
            for j, parameter in enumerate(self.parameters):
                if parameter.name in trial.params:
                    found[i, j] = parameter.position(trial.params[parameter.name])
        return found


def score_text(score: float) -> str:
    """Return a score with four digits, after the point where that shows them.

    Examples
    --------
    >>> score_text(0.97333), score_text(-3.0e-07), score_text(-3097243377.1)
    ('0.9733', '-3e-07', '-3.097e+09')
    """
    fixed = score == 0 or 1e-3 <= abs(score) < 1e5
    return f"{score:.4f}" if fixed else f"{score:.4g}"


def label_of(value: Any) -> str:
    """Return how a choice is called: short, and without an address.

    Examples
    --------
    >>> label_of("rbf"), label_of(None), label_of(0.1), label_of(dict)
    ('rbf', 'None', '0.1', 'dict')
    """
    if isinstance(value, str):
        return value
    name = getattr(value, "__name__", None)
    text = name if isinstance(name, str) else repr(value)
    text = text.partition(" at 0x")[0].lstrip("<") if " at 0x" in text else text
    return text if len(text) <= 40 else text[:37] + "..."
