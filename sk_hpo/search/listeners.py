"""Who is told of each result as it comes: tables on the screen, files, boards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from sk_hpo.inspection.record import Rung, TrialRecord
from sk_hpo.inspection.recorded import rung_of
from sk_hpo.schedulers.base import Scheduler
from sk_hpo.search.live import LiveTable
from sk_hpo.search.plan import Plan
from sk_hpo.space.space import Space
from sk_hpo.trial import Job, Outcome

__all__ = ["Listener", "Results", "listeners_of"]

Stop = Callable[[Job | None, Outcome | None], str | None]


class Listener(Protocol):
    """Hears of a search in the process that called ``fit``; a callback may be one."""

    def on_search_begin(self, search: Any, plan: Plan, names: Sequence[str]) -> None:
        """Hear that a search begins, or begins anew; `names` are those of its parameters."""

    def on_result(self, trial: TrialRecord, rung: Rung) -> None:
        """Hear that all folds of a candidate are done on a rung."""

    def on_search_end(self) -> None:
        """Hear that nothing more will come."""


def listeners_of(search: Any) -> list[Listener]:
    """Return who wants to be told of a search: its callbacks that can listen, its verbosity."""
    found: list[Any] = [LiveTable(alone=search.verbose == 1)] if search.verbose > 0 else []
    callbacks = getattr(search, "_skl_callbacks", ())
    return found + [each for each in callbacks if hasattr(each, "on_result")]


class Results:
    """Tells the listeners what is new in a scheduler's trials.

    Parameters
    ----------
    listeners : sequence of Listener
    search : SearchCV
    plan : Plan
        What it will do.
    scheduler : Scheduler
        Knows the results.
    space : Space
        Knows the parameters.
    stop : callable or None
        Is asked after the listeners were told, as by `sk_hpo.loop.run`.
    """

    def __init__(
        self,
        listeners: Sequence[Listener],
        search: Any,
        plan: Plan,
        scheduler: Scheduler,
        space: Space,
        stop: Stop | None,
    ) -> None:
        self._listeners = listeners
        self._scheduler = scheduler
        self._space = space
        self._stop = stop
        self._told: set[tuple[int, int]] = set()
        self._out: dict[int, int] = {}  # trials whose folds are under way, and their rungs
        self._known: set[int] = set()  # results of folds, which rungs of folds keep
        for listener in listeners:
            listener.on_search_begin(search, plan, space.names)

    def __call__(self, job: Job | None, outcome: Outcome | None) -> str | None:
        """Tell what came of a job, then ask who may stop the search."""
        if job is not None:
            self._out[job.trial] = job.rung
            for trial in [number for number in self._out if self._tell(number)]:
                del self._out[trial]
        return None if self._stop is None else self._stop(job, outcome)

    def close(self) -> None:
        """Tell that the search is over."""
        for listener in self._listeners:
            listener.on_search_end()

    def _tell(self, number: int) -> bool:
        """Tell the newest result of a trial, if all its folds are done."""
        trial = self._scheduler.trials[number]
        key = (number, trial.resource)
        if trial.pending or key in self._told:
            return False
        self._told.add(key)
        new = {
            fold: result
            for fold, result in enumerate(trial.outcome.folds)
            if result is not None and id(result) not in self._known
        }
        self._known |= {id(result) for result in new.values()}
        rung = rung_of(self._out[number], trial.resource, trial.outcome, new)
        values = self._space.values(trial.config)
        record = TrialRecord(number, trial.bracket, values, (rung,), trial.reason.origin)
        for listener in self._listeners:
            listener.on_result(record, rung)
        return True
