"""From runs to the figures of a report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from efficiency.results import Run
from efficiency.statistics import (
    Estimate,
    Interval,
    Regrets,
    mean_over_tasks,
    mean_ranks,
    paired_difference,
    ratio_to_better,
)
from efficiency.task import reference, regret

__all__ = [
    "LEADERS",
    "OURS",
    "Better",
    "Milliseconds",
    "Paired",
    "Report",
    "curve",
    "make_report",
    "milliseconds",
]

# The peers that are to be beaten: the better one, by its mean.
LEADERS = ("botorch", "optuna-gp")
OURS = "sk_hpo-"  # how names of our optimisers begin

BUDGETS = (16, 32, 64)
RANKED_AT = (32, 64)
TIMED_AT = (16, 64, 256)
_WINDOW = 4  # evaluations before n that count for "at n" too


@dataclass(frozen=True)
class Paired:
    """A difference of mean regrets in percent, with its interval over seeds, over both."""

    seeds: Interval
    tasks_and_seeds: Interval
    n_pairs: int


@dataclass(frozen=True)
class Better:
    """The better of the leaders, and mean regrets of ours divided by its."""

    name: str
    regret: float
    ratios: dict[str, Interval]


@dataclass(frozen=True)
class Milliseconds:
    """Time of a suggestion, asking and telling together."""

    median: float
    ninety_percent: float
    maximum: float


@dataclass(frozen=True)
class Report:
    """All figures. Regrets are in percent; keys are named in the order of nesting.

    Parameters
    ----------
    tasks : tuple of str
        Tasks that all optimisers have runs on; other runs do not count.
    left_out : tuple of str
        Tasks that some optimiser lacks.
    seeds : dict
        Optimiser -> least and greatest number of seeds.
    regrets : dict
        Evaluations -> suite (or "all") -> optimiser -> mean over tasks.
    by_task : dict
        Task -> optimiser -> mean over seeds after all evaluations.
    ranks : dict
        Evaluations -> optimiser -> mean rank.
    reference : str
        What `paired` differences are taken to.
    paired : dict
        Evaluations -> optimiser -> difference.
    better : dict
        Evaluations -> suite (or "all") -> the better of `LEADERS`; empty without them.
    milliseconds : dict
        Observations told -> optimiser -> time of the next suggestion.
    batch_ratios : dict
        Optimiser -> batch size -> mean regret divided by that of one at a time.
    """

    tasks: tuple[str, ...]
    left_out: tuple[str, ...]
    seeds: dict[str, tuple[int, int]]
    regrets: dict[int, dict[str, dict[str, Estimate]]]
    by_task: dict[str, dict[str, float]]
    ranks: dict[int, dict[str, Estimate]]
    reference: str
    paired: dict[int, dict[str, Paired]]
    better: dict[int, dict[str, Better]]
    milliseconds: dict[int, dict[str, Milliseconds]]
    batch_ratios: dict[str, dict[int, Interval]]


def curve(run: Run) -> np.ndarray:
    """Return the regret in percent after each evaluation, of the incumbent's true value.

    Raises
    ------
    KeyError
        If the task has no stored median and optimum.
    """
    known = reference(run.key.task)
    if known is None:
        raise KeyError(f"no median and optimum of {run.key.task!r} are stored")
    return 100 * regret(run.incumbent(), *known)


def make_report(
    runs: Sequence[Run], reference_optimizer: str, budgets: Sequence[int] = BUDGETS
) -> Report:
    """Return the figures of some runs.

    Parameters
    ----------
    runs : sequence of Run
        Those with fewer evaluations than the largest of `budgets` do not count.
    reference_optimizer : str
        What differences are taken to.
    budgets : sequence of int
        Evaluations after which regret is reported.

    Raises
    ------
    ValueError
        If no task has a long enough sequential run of all optimisers.
    """
    last = max(budgets)
    whole = [run for run in runs if len(run.observed) >= last]
    sequential = [run for run in whole if run.key.batch == 1]
    tasks, left_out = _common_tasks(sequential)
    if not tasks:
        raise ValueError(f"no task has {last} evaluations of every optimizer")
    suites = _suites(sequential, tasks)
    at = {b: _regrets(sequential, tasks, b) for b in budgets}
    order = sorted(at[last], key=lambda o: mean_over_tasks(at[last][o]).value)
    at = {b: {o: by_name[o] for o in order} for b, by_name in at.items()}
    return Report(
        tasks=tasks,
        left_out=left_out,
        seeds={o: _seed_counts(regrets) for o, regrets in at[last].items()},
        regrets={b: _means(at[b], suites) for b in budgets},
        by_task={
            t: {o: _mean_on(regrets, t) for o, regrets in at[last].items()} for t in tasks
        },
        ranks={b: mean_ranks(at[b], tasks) for b in budgets if b in RANKED_AT},
        reference=reference_optimizer,
        paired={b: _all_paired(at[b], reference_optimizer) for b in budgets},
        better={b: _better(at[b], suites) for b in budgets},
        milliseconds=_all_milliseconds(runs, order),
        batch_ratios=_batch_ratios(whole, order, last),
    )


def _common_tasks(runs: Iterable[Run]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    tasks_of: dict[str, set[str]] = {}
    for run in runs:
        tasks_of.setdefault(run.key.optimizer, set()).add(run.key.task)
    every = set().union(*tasks_of.values()) if tasks_of else set()
    common = set.intersection(*tasks_of.values()) if tasks_of else set()
    return tuple(sorted(common)), tuple(sorted(every - common))


def _suites(runs: Iterable[Run], tasks: Sequence[str]) -> dict[str, list[str]]:
    suite_of = {run.key.task: run.suite for run in runs}
    named = sorted({suite_of[task] for task in tasks})
    of_suite = {name: [t for t in tasks if suite_of[t] == name] for name in named}
    return {"all": list(tasks), **of_suite}


def _regrets(runs: Iterable[Run], tasks: Sequence[str], budget: int) -> dict[str, Regrets]:
    """Return optimiser -> task -> seed -> regret after `budget` evaluations."""
    found: dict[str, dict[str, dict[int, float]]] = {}
    for run in runs:
        optimizer, task, seed, _ = run.key
        if task in tasks:
            by_task = found.setdefault(optimizer, {})
            by_task.setdefault(task, {})[seed] = float(curve(run)[budget - 1])
    return found


def _means(
    regrets: dict[str, Regrets], suites: dict[str, list[str]]
) -> dict[str, dict[str, Estimate]]:
    return {
        suite: {o: mean_over_tasks(_only(r, tasks)) for o, r in regrets.items()}
        for suite, tasks in suites.items()
    }


def _mean_on(regrets: Regrets, task: str) -> float:
    return float(np.mean(list(regrets[task].values())))


def _only(regrets: Regrets, tasks: Iterable[str]) -> Regrets:
    return {task: regrets[task] for task in tasks}


def _seed_counts(regrets: Regrets) -> tuple[int, int]:
    counts = [len(by_seed) for by_seed in regrets.values()]
    return min(counts), max(counts)


def _all_paired(regrets: dict[str, Regrets], name: str) -> dict[str, Paired]:
    if name not in regrets:
        return {}
    paired = {}
    for optimizer, of_optimizer in regrets.items():
        if optimizer != name:
            seeds, n = paired_difference(of_optimizer, regrets[name], over_tasks=False)
            both, _ = paired_difference(of_optimizer, regrets[name], over_tasks=True)
            paired[optimizer] = Paired(seeds, both, n)
    return paired


def _better(regrets: dict[str, Regrets], suites: dict[str, list[str]]) -> dict[str, Better]:
    leaders = [name for name in LEADERS if name in regrets]
    found = {}
    for suite, tasks in suites.items() if leaders else ():
        here = {o: _only(r, tasks) for o, r in regrets.items()}
        means = {name: mean_over_tasks(here[name]).value for name in leaders}
        name = min(means, key=lambda leader: means[leader])
        others = [here[leader] for leader in leaders]
        ratios = {o: ratio_to_better(r, others) for o, r in here.items() if o.startswith(OURS)}
        found[suite] = Better(name, means[name], ratios)
    return found


def _all_milliseconds(
    runs: Sequence[Run], optimizers: Sequence[str]
) -> dict[int, dict[str, Milliseconds]]:
    found: dict[int, dict[str, Milliseconds]] = {}
    for n in TIMED_AT:
        for optimizer in optimizers:
            seconds = [
                run.seconds[n - _WINDOW : n + 1]
                for run in runs
                if run.key.optimizer == optimizer and run.key.batch == 1
                if len(run.seconds) >= n
            ]
            if seconds:
                found.setdefault(n, {})[optimizer] = milliseconds(np.concatenate(seconds))
    return found


def milliseconds(seconds: np.ndarray) -> Milliseconds:
    """Return median, 90th percentile and maximum of some times."""
    return Milliseconds(*(float(1000 * np.percentile(seconds, q)) for q in (50, 90, 100)))


def _batch_ratios(
    runs: Sequence[Run], optimizers: Sequence[str], budget: int
) -> dict[str, dict[int, Interval]]:
    found: dict[str, dict[int, Interval]] = {}
    for batch in sorted({run.key.batch for run in runs} - {1}):
        for optimizer in optimizers:
            ratio = _batch_ratio(
                [r for r in runs if r.key.optimizer == optimizer], batch, budget
            )
            if ratio is not None:
                found.setdefault(optimizer, {})[batch] = ratio
    return found


def _batch_ratio(runs: Sequence[Run], batch: int, budget: int) -> Interval | None:
    """Return the ratio of one optimiser's mean regrets, on tasks that have both."""

    def of_size(size: int) -> list[Run]:
        return [run for run in runs if run.key.batch == size]

    tasks = sorted({r.key.task for r in of_size(1)} & {r.key.task for r in of_size(batch)})
    if not tasks:
        return None
    [batched] = _regrets(of_size(batch), tasks, budget).values()
    [alone] = _regrets(of_size(1), tasks, budget).values()
    return ratio_to_better(batched, [alone])
