"""A fitted search, a `Journal`, or the file of one, as a record."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sk_hpo.evaluation.as_json import from_json
from sk_hpo.evaluation.records import FoldResult
from sk_hpo.inspection.record import (
    FoldRun,
    Parameter,
    Rung,
    SearchRecord,
    TrialRecord,
    label_of,
)
from sk_hpo.journal.journal import Journal
from sk_hpo.space.build import HIDDEN
from sk_hpo.space.dimension import Dimension
from sk_hpo.trial import Outcome, Trial

__all__ = ["record_of", "rung_of"]

# Of the quantiles of a logarithmic scale, the middle one is near the geometric mean.
_WIDE = 20.0


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
