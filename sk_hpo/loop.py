"""The one place where the wings meet: fill the slots, wait, tell, until done.

Scheduler, evaluator and executor know nothing of each other. The loop asks the first for
jobs, has the second turn them into calls (one per fold, or one for folds of many jobs that
train best together), runs these on the third, and tells the first what came of each job.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sk_hpo.execution.base import Executor
from sk_hpo.schedulers.base import DONE, WAIT, Scheduler, Signal
from sk_hpo.trial import Call, Job, Outcome

__all__ = ["Evaluator", "run"]


class Evaluator(Protocol):
    """Turns jobs into outcomes, in calls that an executor can run anywhere."""

    @property
    def appetite(self) -> int:
        """How many jobs it can make use of at once, at least 1."""

    def calls(self, jobs: Sequence[Job]) -> Sequence[Call]:
        """Return the calls that do `jobs`; each job has a part in at least one."""

    def outcome(self, job: Job, values: Sequence[Any]) -> Outcome:
        """Return what came of `job`, given the values of its parts, in their order."""

    def release(self, trials: Iterable[int]) -> None:
        """Forget the state of trials that will not go on."""


@dataclass(slots=True)
class _Running:
    """A job whose parts have not all come back."""

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
    running: dict[int, _Running] = {}  # by the number of the call's job
    parts_of: dict[int, list[tuple[int, int]]] = {}  # call -> (job, part) of its values
    n_jobs = n_calls = 0
    while True:
        answer: Job | Signal = WAIT
        while executor.wants_more(len(parts_of)):
            jobs, answer = _ask(scheduler, evaluator.appetite)
            for call in evaluator.calls(jobs) if jobs else ():
                parts = [(n_jobs + job, part) for job, part in call.parts]
                for number, _ in parts:
                    running.setdefault(number, _Running(jobs[number - n_jobs])).missing += 1
                parts_of[n_calls] = parts
                executor.submit(n_calls, call.function, *call.args)
                n_calls += 1
            n_jobs += len(jobs)
            if not isinstance(answer, Job):
                break
        if not running:
            if answer is DONE:
                return
            raise RuntimeError(f"{scheduler!r} waits, but no job is out.")
        for done in executor.wait():
            values = done.result()
            for (number, part), value in zip(parts_of.pop(done.key), values, strict=True):
                work = running[number]
                work.values[part] = value
                work.missing -= 1
                if not work.missing:
                    del running[number]
                    ordered = [work.values[i] for i in sorted(work.values)]
                    outcome = evaluator.outcome(work.job, ordered)
                    evaluator.release(scheduler.tell(work.job, outcome))


def _ask(scheduler: Scheduler, n: int) -> tuple[list[Job], Job | Signal]:
    """Return up to `n` jobs, and the last answer."""
    jobs: list[Job] = []
    while True:
        answer = scheduler.ask()
        if not isinstance(answer, Job):
            return jobs, answer
        jobs.append(answer)
        if len(jobs) == n:
            return jobs, answer
