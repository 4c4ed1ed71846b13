"""The one place where the wings meet: fill the slots, wait, tell, until done.

Scheduler, evaluator and executor know nothing of each other. The loop asks the first for
jobs, has the second turn a job into calls (one per fold), runs these on the third, and
tells the first what came of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sk_hpo.execution.base import Executor
from sk_hpo.schedulers.base import DONE, Scheduler
from sk_hpo.trial import Job, Outcome

__all__ = ["Evaluator", "run"]


class Evaluator(Protocol):
    """Turns a job into an outcome, in calls that an executor can run anywhere."""

    def calls(self, job: Job) -> Sequence[tuple[Callable[..., Any], tuple[Any, ...]]]:
        """Return the functions to call, each with its arguments; at least one."""

    def outcome(self, job: Job, values: Sequence[Any]) -> Outcome:
        """Return what came of `job`, given what its calls returned, in their order."""

    def release(self, trials: Iterable[int]) -> None:
        """Forget the state of trials that will not go on."""


@dataclass(slots=True)
class _Running:
    """A job whose calls have not all come back."""

    job: Job
    values: dict[int, Any] = field(default_factory=dict)
    missing: int = 0


def run(scheduler: Scheduler, evaluator: Evaluator, executor: Executor) -> None:
    """Run `scheduler` until it is done.

    Parameters
    ----------
    scheduler : Scheduler
        Says what to do. Its ``trials`` hold the results afterwards.
    evaluator : Evaluator
        Says how.
    executor : Executor
        Does it. What the calls share is shared already.

    Raises
    ------
    RuntimeError
        If the scheduler waits for a job though none is out.
    Exception
        Whatever a call raises: an evaluator that wants a failure to be an outcome
        returns it as a value.
    """
    running: dict[int, _Running] = {}
    queued = 0
    n_jobs = 0
    while True:
        answer = None
        while executor.wants_more(queued):
            answer = scheduler.ask()
            if not isinstance(answer, Job):
                break
            calls = evaluator.calls(answer)
            running[n_jobs] = _Running(answer, missing=len(calls))
            for i, (function, args) in enumerate(calls):
                executor.submit((n_jobs, i), function, *args)
            queued += len(calls)
            n_jobs += 1
        if not running:
            if answer is DONE:
                return
            raise RuntimeError(f"{scheduler!r} waits, but no job is out.")
        for done in executor.wait():
            queued -= 1
            number, i = done.key
            work = running[number]
            work.values[i] = done.result()
            work.missing -= 1
            if not work.missing:
                del running[number]
                values = [work.values[i] for i in sorted(work.values)]
                outcome = evaluator.outcome(work.job, values)
                evaluator.release(scheduler.tell(work.job, outcome))
