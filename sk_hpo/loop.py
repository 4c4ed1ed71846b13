"""The one place where the wings meet: fill the slots, wait, tell, until done.

Scheduler, evaluator and executor know nothing of each other. The loop asks the first for
jobs, has the second turn them into calls (one per fold, or one for folds of many jobs that
train best together), runs these on the third, and tells the first what came of each job.
What is asked and what comes back is noted in a record, and a record of an earlier run is
where a later one begins.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sk_hpo.execution.base import Done, Executor, TimedOut, WorkerLost
from sk_hpo.schedulers.base import DONE, WAIT, Scheduler, Signal
from sk_hpo.trial import Call, Job, Outcome, Reason

__all__ = ["Asked", "Came", "Evaluator", "Record", "Unfinished", "go_on", "run"]


class Evaluator(Protocol):
    """Turns jobs into outcomes, in calls that an executor can run anywhere."""

    @property
    def appetite(self) -> int:
        """How many jobs it can make use of at once, at least 1."""

    def n_parts(self, job: Job) -> int:
        """Return how many parts a job has."""

    def calls(
        self, jobs: Sequence[Job], known: Collection[tuple[int, int]] = ()
    ) -> Sequence[Call]:
        """Return the calls that do `jobs`, but for parts of jobs that are known."""

    def outcome(self, job: Job, values: Sequence[Any]) -> Outcome:
        """Return what came of `job`, given the values of its parts, in their order."""

    def arrived(self, job: Job, part: int, value: Any, losses: int) -> Any:
        """Return the value of a part as it is kept, when it has come back.

        So many workers (`losses`) had died of it before.
        """

    def lost(self, error: Exception, losses: int) -> Any:
        """Return the value of a part that could not be run, or raise the error."""

    def release(self, trials: Iterable[int]) -> None:
        """Forget the state of trials that will not go on."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A job was asked for; jobs count from 0. The reason is that of its config."""

    number: int
    job: Job
    reason: Reason


@dataclass(frozen=True, slots=True)
class Came:
    """A part of a job has come back."""

    number: int
    part: int
    value: Any


class Record(Protocol):
    """Keeps what happens."""

    def note(self, event: Asked | Came) -> None:
        """Keep an event; of a job, before anything of it is run."""

    def known(self, job: Job) -> Mapping[int, Any]:
        """Return the values of those parts of a new job that need not be run again."""


@dataclass(slots=True)
class Unfinished:
    """A job whose parts have not all come back."""

    number: int
    job: Job
    values: dict[int, Any] = field(default_factory=dict)


class _Forgetful:
    """The record of who keeps none."""

    def note(self, event: Asked | Came) -> None:
        pass

    def known(self, job: Job) -> Mapping[int, Any]:
        return {}


def run(
    scheduler: Scheduler,
    evaluator: Evaluator,
    executor: Executor,
    *,
    record: Record | None = None,
    stop: Callable[[Job | None, Outcome | None], str | None] | None = None,
    limit: float | None = None,
    begun: Sequence[Unfinished] = (),
    n_asked: int = 0,
) -> str | None:
    """Run `scheduler` until it is done, or until it is told to stop.

    Parameters
    ----------
    scheduler : Scheduler
        Says what to do. Its ``trials`` hold the results afterwards.
    evaluator : Evaluator
        Says how.
    executor : Executor
        Does it. What the calls share is shared already.
    record : Record or None, default=None
        Is told of every job and every value, and may know some.
    stop : callable or None, default=None
        ``stop(job, outcome)`` after each outcome, and ``stop(None, None)`` before each
        asking, returns why nothing more shall be begun, or None.
    limit : float or None, default=None
        Seconds that a part may take before it is killed.
    begun : sequence of Unfinished, default=()
        Jobs that an earlier run has asked for and not finished.
    n_asked : int, default=0
        How many jobs were asked for by earlier runs.

    Returns
    -------
    reason : str or None
        What `stop` said, "interrupt" for a Ctrl-C, None if the scheduler was done.

    Raises
    ------
    RuntimeError
        If the scheduler waits for a job though none is out.
    Exception
        Whatever a call raises: an evaluator that wants a failure to be an outcome
        returns it as a value. Calls that were lost with their worker, or that took too
        long, are outcomes.
    """
    work = _Work(scheduler, evaluator, executor, record or _Forgetful(), limit, n_asked)
    waiting = begun
    try:
        while True:
            reason = stop(None, None) if stop else None
            if reason is None:
                work.submit(waiting)
                waiting = ()
                answer = work.fill()
                if work.idle:
                    if answer is DONE:
                        return None
                    raise RuntimeError(f"{scheduler!r} waits, but no job is out.")
                told = work.collect()
                reason = next((r for pair in told if stop and (r := stop(*pair))), None)
            if reason is not None:
                work.wind_up()
                return reason
    except KeyboardInterrupt:
        return "interrupt"


def go_on(
    scheduler: Scheduler,
    evaluator: Evaluator,
    events: Iterable[Asked | Came],
    told: Callable[[Job, Outcome], object] | None = None,
) -> list[Unfinished] | None:
    """Bring a new `scheduler` to where an earlier run left it.

    Parameters
    ----------
    scheduler : Scheduler
        Asked for nothing so far.
    evaluator : Evaluator
        Turns values into outcomes.
    events : iterable of Asked and Came
        What `Record.note` was given, in the same order.
    told : callable or None, default=None
        ``told(job, outcome)`` hears of each outcome, as it did then.

    Returns
    -------
    unfinished : list of Unfinished or None
        The jobs that are still out; None if the scheduler asks for another job than it
        did then.
    """
    running: dict[int, Unfinished] = {}
    for event in events:
        if isinstance(event, Came):
            done = _take(running, scheduler, evaluator, event)
            if done and told:
                told(*done)
        elif scheduler.ask() == event.job:
            running[event.number] = Unfinished(event.number, event.job)
        else:
            return None
    return list(running.values())


def _take(
    running: dict[int, Unfinished], scheduler: Scheduler, evaluator: Evaluator, came: Came
) -> tuple[Job, Outcome] | None:
    """Take the value of a part; if it is the last one of its job, tell, and return both."""
    work = running[came.number]
    work.values[came.part] = came.value
    if len(work.values) < evaluator.n_parts(work.job):
        return None
    del running[came.number]
    outcome = evaluator.outcome(work.job, [work.values[i] for i in sorted(work.values)])
    evaluator.release(scheduler.tell(work.job, outcome))
    return work.job, outcome


class _Work:
    """What is under way."""

    def __init__(
        self,
        scheduler: Scheduler,
        evaluator: Evaluator,
        executor: Executor,
        record: Record,
        limit: float | None,
        n_asked: int,
    ) -> None:
        self._scheduler = scheduler
        self._evaluator = evaluator
        self._executor = executor
        self._record = record
        self._limit = limit
        self._n_asked = n_asked
        self._n_calls = 0
        self._closing = False
        self._told: list[tuple[Job, Outcome]] = []  # since `collect` was asked last
        self._running: dict[int, Unfinished] = {}  # by the job's number
        self.calls: dict[int, list[tuple[int, int]]] = {}  # the (job, part) of each

    @property
    def idle(self) -> bool:
        """Whether nothing is out, and nothing has come of what was known."""
        return not self.calls and not self._told

    def fill(self) -> Job | Signal:
        """Submit jobs while a worker would idle; return the scheduler's last answer."""
        answer: Job | Signal = WAIT
        while self._executor.wants_more(len(self.calls)):
            jobs, answer = _ask(self._scheduler, self._evaluator.appetite)
            self._begin(jobs)
            if not isinstance(answer, Job):
                break
        return answer

    def _begin(self, jobs: Sequence[Job]) -> None:
        """Submit new jobs, but for what is known of them."""
        work = [Unfinished(number, job) for number, job in enumerate(jobs, self._n_asked)]
        self._n_asked += len(jobs)
        for unfinished in work:
            reason = self._scheduler.trials[unfinished.job.trial].reason
            self._record.note(Asked(unfinished.number, unfinished.job, reason))
        known = [self._record.known(job) for job in jobs]
        self.submit(work, known)
        for unfinished, values in zip(work, known, strict=True):
            for part, value in values.items():
                self._came(Came(unfinished.number, part, value))

    def submit(
        self, work: Sequence[Unfinished], known: Sequence[Mapping[int, Any]] | None = None
    ) -> None:
        """Submit the calls for what is missing of some jobs."""
        if not work:
            return
        self._running |= {unfinished.number: unfinished for unfinished in work}
        done = known or [unfinished.values for unfinished in work]
        parts = [(i, part) for i, values in enumerate(done) for part in values]
        for call in self._evaluator.calls([unfinished.job for unfinished in work], parts):
            self._submit(call, [(work[i].number, part) for i, part in call.parts])

    def _submit(self, call: Call, parts: list[tuple[int, int]]) -> None:
        self.calls[self._n_calls] = parts
        limit = None if self._limit is None else self._limit * len(parts)
        self._executor.submit(self._n_calls, call.function, *call.args, limit=limit)
        self._n_calls += 1

    def collect(self) -> list[tuple[Job, Outcome]]:
        """Wait for calls, tell what came of them; return the jobs that are done by that."""
        for done in self._executor.wait() if self.calls else ():
            parts = self.calls.pop(done.key)
            if isinstance(done.error, (WorkerLost, TimedOut)):
                self._lost(parts, done)
                continue
            for (number, part), value in zip(parts, done.result(), strict=True):
                job = self._running[number].job
                kept = self._evaluator.arrived(job, part, value, done.losses)
                self._came(Came(number, part, kept))
        told, self._told = self._told, []
        return told

    def wind_up(self) -> None:
        """Begin nothing more; take what is running."""
        self._closing = True
        for key in self._executor.cancel():
            del self.calls[key]
        while self.calls:
            self.collect()

    def _came(self, came: Came) -> None:
        self._record.note(came)
        told = _take(self._running, self._scheduler, self._evaluator, came)
        if told is not None:
            self._told.append(told)

    def _lost(self, parts: list[tuple[int, int]], done: Done) -> None:
        """Give up a part whose call was lost; of several, each is tried by itself."""
        if len(parts) == 1:
            assert isinstance(done.error, Exception)
            self._came(Came(*parts[0], self._evaluator.lost(done.error, done.losses)))
            return
        for number, part in () if self._closing else parts:
            job = self._running[number].job
            others = [(0, i) for i in range(self._evaluator.n_parts(job)) if i != part]
            for call in self._evaluator.calls([job], others):
                self._submit(call, [(number, part)])


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
