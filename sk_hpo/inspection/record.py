"""What every picture, importance and report reads: a search as a frozen record.

It is made from a fitted search, from a `Journal`, or from the file of one, and has the same
words for all three.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sk_hpo.evaluation.as_json import from_json
from sk_hpo.evaluation.records import FoldResult
from sk_hpo.journal.journal import Journal
from sk_hpo.space.build import HIDDEN
from sk_hpo.space.dimension import Dimension
from sk_hpo.trial import Origin, Outcome, Trial

__all__ = [
    "FoldRun",
    "Parameter",
    "Rung",
    "SearchRecord",
    "TrialRecord",
    "label_of",
    "record_of",
    "rung_of",
    "score_text",
]

# Of the quantiles of a logarithmic scale, the middle one is near the geometric mean.
_WIDE = 20.0


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


def record_of(search: Any) -> SearchRecord:
    """Return the record of a search.

    Parameters
    ----------
    search : fitted search, Journal, or path of a journal
        Also a search that was loaded from a pickle, or a journal that is being written.

    Raises
    ------
    NotFittedError
        If the search is not fitted.
    JournalError
        If the file is no journal.
    TypeError
        If it is something else.
    """
    if isinstance(search, (str, os.PathLike)):
        search = Journal.read(search)
    if isinstance(search, Journal):
        return _of_journal(search)
    if hasattr(search, "cv_results_") and not hasattr(search, "history_"):
        raise TypeError(
            f"This takes searches of sk_hpo, not {type(search).__name__}; RandomSearchCV takes"
            ' the same space, and sampler="grid" tries all of it.'
        )
    if not hasattr(search, "param_distributions") or not hasattr(search, "get_params"):
        raise TypeError(
            "A search of sk_hpo, a Journal or the path of one is needed, not a"
            f" {type(search).__name__}."
        )
    check_is_fitted(search, "history_")
    return _of_search(search)


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


# -- from a search --------------------------------------------------------------------------


def _of_search(search: Any) -> SearchRecord:
    space = search.space_
    results, trials = search.cv_results_, search.history_
    resource = getattr(search, "resource", None)
    numbers = {}
    if "iter" in results:
        keys = zip(results["trial"], results["n_resources"], results["iter"], strict=True)
        numbers = {(int(trial), int(r)): int(number) for trial, r, number in keys}
    found = []
    for trial in trials:
        values = _values(space.dimensions, trial.config)
        steps = _steps(trial, numbers)
        found.append(TrialRecord(trial.id, trial.bracket, values, steps, trial.reason.origin))
    best = None
    if hasattr(search, "best_index_"):
        rows = results.get("trial", range(len(results["params"])))
        best = int(rows[search.best_index_])
    chosen = getattr(search, "_chosen_by", None)
    metrics = [n.removeprefix("mean_test_") for n in results if n.startswith("mean_test_")]
    return SearchRecord(
        name=type(search).__name__,
        metric=chosen or metrics[0],
        resource=resource if numbers else None,
        n_splits=search.n_splits_,
        parameters=_parameters(_domains(space.dimensions), found),
        trials=_since_the_first(found),
        stopped_by=search.stopped_by_,
        best=best,
    )


def _values(dimensions: Sequence[Dimension], config: Sequence[Any]) -> dict[str, Any]:
    pairs = zip(dimensions, config, strict=True)
    return {d.name: d.value(c) for d, c in pairs if c is not None and d.name != HIDDEN}


def _steps(trial: Trial, numbers: Mapping[tuple[int, int], int]) -> tuple[Rung, ...]:
    found = []
    seen: set[int] = set()  # folds that a rung of folds has from the one below
    for number, (resource, outcome) in enumerate(sorted(trial.outcomes.items())):
        if numbers and (trial.id, resource) not in numbers:
            continue  # between two rungs
        folds = dict(enumerate(outcome.folds))
        ran = {fold: r for fold, r in folds.items() if r is not None and id(r) not in seen}
        seen |= {id(result) for result in ran.values()}
        found.append(rung_of(numbers.get((trial.id, resource), number), resource, outcome, ran))
    return tuple(found)


def rung_of(
    number: int, resource: int, outcome: Outcome, ran: Mapping[int, FoldResult]
) -> Rung:
    """Return a rung, given what was run since the one below: fold -> result."""
    return Rung(
        number=number,
        resource=resource,
        score=outcome.score,
        standard_error=outcome.standard_error,
        scores=outcome.scores,
        cost=sum(result.cost for result in ran.values()),
        failure=outcome.failure,
        runs=tuple(
            FoldRun(
                fold=fold,
                score=outcome.scores[fold] if fold < len(outcome.scores) else math.nan,
                seconds=result.fit_time + result.score_time,
                began=math.nan if result.began is None else result.began,
                ended=math.nan if result.ended is None else result.ended,
                worker=result.worker,
                losses=result.losses,
                failure=result.error,
            )
            for fold, result in sorted(ran.items())
        ),
    )


@dataclass(frozen=True, slots=True)
class _Domain:
    """What one definition of a parameter says."""

    name: str
    kind: str
    values: tuple[Any, ...] | None
    conditional: bool
    quantiles: tuple[float, ...] = ()  # 0, 1/2, 1; or nothing


def _domains(dimensions: Iterable[Dimension]) -> list[_Domain]:
    found = []
    for dimension in dimensions:
        if dimension.name == HIDDEN:
            continue
        values: tuple[Any, ...] | None = None
        quantiles: tuple[float, ...] = ()
        if dimension.kind in ("categorical", "ordinal"):
            values = tuple(map(dimension.value, map(int, dimension.domain.levels())))
        else:
            quantiles = tuple(float(dimension.from_unit(u)) for u in (0.0, 0.5, 1.0))
        optional = dimension.condition is not None
        found.append(_Domain(dimension.name, dimension.kind, values, optional, quantiles))
    return found


# -- from a journal -------------------------------------------------------------------------


def _of_journal(journal: Journal) -> SearchRecord:
    header, values, asks = journal.header, journal.values(), journal.asks
    numbers: dict[tuple[int, int], int] = {}
    ran: dict[tuple[int, int], dict[int, FoldResult]] = {}
    for ask in asks:
        job = ask.job
        numbers[job.trial, job.rung] = ask.number
        folds = range(header.n_splits) if job.folds is None else job.folds
        here = ran.setdefault((job.trial, job.rung), {})
        for part, value in values.get(ask.number, {}).items():
            here[folds[part]] = from_json(dict(value))
    rungs = {(ask.job.trial, ask.job.stop): ask.job.rung for ask in asks}
    found = []
    for trial in journal.trials:
        steps = []
        for number, (resource, outcome) in enumerate(sorted(trial.outcomes.items())):
            rung = rungs.get((trial.id, resource), number)
            steps.append(rung_of(rung, resource, outcome, ran.get((trial.id, rung), {})))
        params = {
            p.name: p.value(code)
            for p, code in zip(header.parameters, trial.config, strict=True)
            if p.name and code is not None
        }
        found.append(
            TrialRecord(trial.id, trial.bracket, params, tuple(steps), trial.reason.origin)
        )
    domains = [
        _Domain(p.name, p.kind, p.values, ", if " in p.domain)
        for p in header.parameters
        if p.name
    ]
    record = SearchRecord(
        name=str(header.settings.get("search", "search")),
        metric=header.metric,
        resource=header.resource,
        n_splits=header.n_splits,
        parameters=_parameters(domains, found),
        trials=_since_the_first(found),
        stopped_by=None if journal.stopped_by == "done" else journal.stopped_by,
    )
    finalists = record.finalists()
    return replace(record, best=finalists[0][0].id) if finalists else record


# -- both -----------------------------------------------------------------------------------


def _parameters(
    domains: Sequence[_Domain], trials: Sequence[TrialRecord]
) -> tuple[Parameter, ...]:
    by_name: dict[str, list[_Domain]] = {}
    for domain in domains:
        by_name.setdefault(domain.name, []).append(domain)
    return tuple(_parameter(name, by_name[name], trials) for name in sorted(by_name))


def _parameter(
    name: str, domains: Sequence[_Domain], trials: Sequence[TrialRecord]
) -> Parameter:
    """Return what all definitions of a name have in common."""
    seen = [trial.params[name] for trial in trials if name in trial.params]
    optional = all(domain.conditional for domain in domains) or len(seen) < len(trials)
    listed = [value for domain in domains for value in domain.values or ()]
    labels = tuple(dict.fromkeys(map(label_of, listed or seen)))
    numeric = all(map(_is_number, [*listed, *seen]))
    if not numeric or any(domain.kind == "categorical" for domain in domains):
        return Parameter(name, "choice", labels=labels, conditional=optional)
    quantiles = [float(q) for domain in domains for q in domain.quantiles]
    known = np.array([*quantiles, *map(float, listed)] or [*map(float, seen)], float)
    bounded = np.isfinite(known).all() and len(known) > 0
    ends = known if bounded else np.array([*map(float, seen)], float)
    low, high = (ends.min(), ends.max()) if len(ends) else (math.nan, math.nan)
    return Parameter(
        name,
        "number",
        log=_is_log(low, high, np.array(known if len(known) else seen, float)),
        low=float(low),
        high=float(high),
        labels=labels if listed else (),
        conditional=optional,
    )


def _is_log(low: float, high: float, sample: np.ndarray) -> bool:
    """Whether values spread evenly on a logarithmic scale rather than on a linear one."""
    if not 0 < low < high or high / low < _WIDE:
        return False
    middle = float(np.median(sample))
    return abs(math.log(middle / math.sqrt(low * high))) < abs(
        math.log(middle / ((low + high) / 2))
    )


def _is_number(value: Any) -> bool:
    if isinstance(value, (bool, np.bool_)):
        return False
    return isinstance(value, (int, float, np.integer, np.floating)) and math.isfinite(value)


def _since_the_first(trials: Sequence[TrialRecord]) -> tuple[TrialRecord, ...]:
    """Return the trials with times that count from when the first fit began."""
    began = [run.began for trial in trials for rung in trial.rungs for run in rung.runs]
    first = min((time for time in began if not math.isnan(time)), default=0.0)

    def later(rung: Rung) -> Rung:
        runs = [replace(r, began=r.began - first, ended=r.ended - first) for r in rung.runs]
        return replace(rung, runs=tuple(runs))

    return tuple(replace(t, rungs=tuple(map(later, t.rungs))) for t in trials)
