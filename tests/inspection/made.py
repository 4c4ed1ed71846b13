"""Records of searches that were never run, of any size."""

from __future__ import annotations

import bisect
import heapq
import math
from functools import cache

import numpy as np

from sk_hpo.inspection.record import FoldRun, Parameter, Rung, SearchRecord, TrialRecord

__all__ = ["asha", "flat", "hyperband"]

_SLOWEST = 2e-3  # seconds per unit of resource


class _Machine:
    """Workers that always have something to do, and the clock that they share."""

    def __init__(self, n_workers, n_folds, rng):
        self.free = np.zeros(n_workers)
        self.n_folds = n_folds
        self.rng = rng

    def rung(self, number, start, stop, quality, fails=False, after=0.0):
        worker = int(np.argmin(self.free))
        began = max(self.free[worker], after)
        scores = quality * (1 - 0.7 * stop**-0.5) + self.rng.normal(0, 0.01, self.n_folds)
        runs = []
        for fold, score in enumerate(scores):
            ended = began + (stop - start) * _SLOWEST * self.rng.uniform(0.5, 1)
            lost = int(self.rng.random() < 0.01)
            error = "ValueError: diverged" if fails else None
            score = math.nan if fails else float(score)
            name = f"node:{1000 + worker}"
            runs.append(
                FoldRun(fold, score, ended - began, began, ended, name, lost, failure=error)
            )
            began = ended
        self.free[worker] = began
        return Rung(
            number,
            stop,
            math.nan if fails else float(scores.mean()),
            float(scores.std(ddof=1) / np.sqrt(self.n_folds)) if self.n_folds > 1 else math.nan,
            tuple(run.score for run in runs),
            cost=(stop - start) * self.n_folds,
            failure="ValueError: diverged" if fails else None,
            runs=tuple(runs),
        )


def _search(name, resource, n_folds, trials):
    made = tuple(
        TrialRecord(i, bracket, {"lr": lr}, tuple(rungs))
        for i, (bracket, lr, rungs) in enumerate(trials)
    )
    lr = Parameter("lr", "number", log=True, low=1e-5, high=1.0)
    record = SearchRecord(name, "score", resource, n_folds, (lr,), made)
    finalists = record.finalists()
    best = finalists[0][0].id if finalists else None
    return SearchRecord(name, "score", resource, n_folds, (lr,), made, best=best)


def _quality(lr):
    return 0.97 - 0.08 * (math.log10(lr) + 2) ** 2


def _draw(rng):
    lr = 10 ** rng.uniform(-5, 0)
    return lr, rng.random() < 0.04  # a rate that is too high, in the end


@cache
def flat(n, *, n_folds=3, n_workers=4, seed=0):
    """A random search, the folds of which cost one each."""
    rng = np.random.default_rng(seed)
    machine = _Machine(n_workers, n_folds, rng)
    trials = []
    for _ in range(n):
        lr, fails = _draw(rng)
        trials.append((0, lr, [machine.rung(0, 0, 1, _quality(lr), fails)]))
    return _search("RandomSearchCV", None, n_folds, trials)


@cache
def hyperband(R=81, *, factor=3, repeats=1, n_folds=3, n_workers=4, seed=0):
    """A Hyperband with one bracket after the other."""
    rng = np.random.default_rng(seed)
    machine = _Machine(n_workers, n_folds, rng)
    s_max = round(math.log(R, factor))
    trials, bracket = [], 0
    for _ in range(repeats):
        for s in range(s_max, -1, -1):
            n = math.ceil((s_max + 1) / (s + 1) * factor**s)
            made = [(bracket, *_draw(rng), []) for _ in range(n)]
            standing, start = made, 0
            for number in range(s + 1):
                stop = R // factor ** (s - number)
                barrier = machine.free.max()
                for _, lr, fails, rungs in standing:
                    out = fails and number == min(1, s)
                    rungs.append(machine.rung(number, start, stop, _quality(lr), out, barrier))
                standing = _best(standing, len(standing) // factor)
                start = stop
            trials += [(b, lr, rungs) for b, lr, _, rungs in made]
            bracket += 1
    return _search("HalvingHyperbandSearchCV", "epochs", n_folds, trials)


@cache
def asha(n, *, factor=3, n_rungs=5, n_folds=3, n_workers=8, seed=0):
    """Asynchronous halving, in which rungs fill while others do."""
    rng = np.random.default_rng(seed)
    machine = _Machine(n_workers, n_folds, rng)
    levels = [factor**k for k in range(n_rungs)]
    ranks, waiting = (
        [[] for _ in levels],
        [[] for _ in levels],
    )  # of (-score, trial), best first
    trials = []
    while len(trials) < n:
        number = i = 0
        for below in reversed(range(n_rungs - 1)):
            if waiting[below]:
                best = waiting[below][0]
                if bisect.bisect_left(ranks[below], best) < len(ranks[below]) // factor:
                    number, i = below + 1, heapq.heappop(waiting[below])[1]
                    break
        else:
            i = len(trials)
            trials.append((0, *_draw(rng), []))
        _, lr, fails, rungs = trials[i]
        start = levels[number - 1] if number else 0
        rungs.append(machine.rung(number, start, levels[number], _quality(lr), fails))
        if not fails:
            bisect.insort(ranks[number], (-rungs[-1].score, i))
            heapq.heappush(waiting[number], (-rungs[-1].score, i))
    return _search("ASHASearchCV", "epochs", n_folds, [(b, lr, r) for b, lr, _, r in trials])


def _best(standing, n):
    def rank(trial):
        score = trial[3][-1].score
        return math.inf if math.isnan(score) else -score

    return sorted(standing, key=rank)[:n]
