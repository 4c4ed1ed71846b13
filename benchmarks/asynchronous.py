"""Whether workers wait, and what a trial costs, by a simulated clock.

Utilisation: which share of the time of ``--workers`` workers goes into fits, from the first
fit to the last, and (in brackets) until the last trial began: while there is work to ask
for, nobody should wait. Fit times are log-normal, sigma 1; in the columns "by resource" they
are per unit of resource. Synchronous schedulers stand beside the asynchronous ones, with a
sampler that ignores results, so that further brackets can fill the gaps, and with one that
learns, so that a bracket waits for the one before.

Growth: microseconds of the processor and bytes of memory per trial, of everything there is
(loop, scheduler, random sampler, simulated clock, records), with 10,000 workers; each run
in a process of its own, and without Python's search for cycles, of which a simulation makes
none.

    python benchmarks/asynchronous.py
    python benchmarks/asynchronous.py --trials 1000 --growth 100,1000 --json small.json
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import uniform

from sk_hpo import Space, loop
from sk_hpo.evaluation.garbage import collecting_later
from sk_hpo.execution.simulated import SimulatedExecutor
from sk_hpo.rungs import Rung, hyperband_rungs, ladder
from sk_hpo.samplers.random import RandomSampler
from sk_hpo.schedulers.asha import ASHAScheduler
from sk_hpo.schedulers.asynchronous import AsynchronousHyperbandScheduler
from sk_hpo.schedulers.base import Scheduler
from sk_hpo.schedulers.flat import FlatScheduler
from sk_hpo.schedulers.hyperband import HyperbandScheduler
from sk_hpo.trial import Call, Job, Outcome

RESULTS = Path(__file__).parent / "results"
HIGHEST, FACTOR = 27, 3
LADDER = ladder(1, HIGHEST, FACTOR)
# Each (trial, rung) takes as long in every search.
TIMES = np.random.default_rng(0).lognormal(0.0, 1.0, 2**16).tolist()
GROWTH_TRIALS = [100, 1000, 10_000, 100_000, 300_000, 1_000_000]
TARGETS = {"ASHA": 0.98, "asynchronous Hyperband": 0.95}  # of the utilisation
SECONDS, BYTES = 120.0, 1000.0  # of a run, per trial
MANY = 10**5  # with fewer trials, memory is that of fits that are out, and of pages


class Learning(RandomSampler):
    """Says that it learns."""

    uses_history = True


def asha(n: int) -> Scheduler:
    return ASHAScheduler(bound(RandomSampler()), n, LADDER, FACTOR)


def halving(n: int) -> Scheduler:
    """One bracket with as many trials as ASHA."""
    starts = (0, *LADDER)
    rungs = [Rung(0, k, n // FACTOR**k, starts[k], r) for k, r in enumerate(LADDER)]
    return HyperbandScheduler(bound(RandomSampler()), rungs)


def hyperband(n: int, sampler: type[RandomSampler] = RandomSampler) -> Scheduler:
    return HyperbandScheduler(bound(sampler()), iterations(n))


def asynchronous(n: int) -> Scheduler:
    return AsynchronousHyperbandScheduler(bound(Learning()), iterations(n), FACTOR)


def flat(n: int) -> Scheduler:
    return FlatScheduler(bound(RandomSampler()), n)


def iterations(n: int) -> list[Rung]:
    """Return the rungs of at least `n` trials in whole iterations of Hyperband."""
    each = sum(r.n_trials for r in hyperband_rungs(1, HIGHEST, FACTOR) if not r.rung)
    return hyperband_rungs(1, HIGHEST, FACTOR, iterations=-(-n // each))


def bound(sampler: RandomSampler) -> RandomSampler:
    return sampler.bind(Space({"x": uniform(0, 1)}), seed=0)


UTILISATION: dict[str, Callable[[int], Scheduler]] = {
    "ASHA": asha,
    "successive halving": halving,
    "asynchronous Hyperband": asynchronous,
    "Hyperband": hyperband,
    "Hyperband, sampler learns": lambda n: hyperband(n, Learning),
}
GROWTH: dict[str, Callable[[int], Scheduler]] = {
    "random search": flat,
    "ASHA": asha,
    "asynchronous Hyperband": asynchronous,
}


def by_fit(job: Job) -> float:
    return TIMES[(job.trial * 7919 + job.rung * 104729) % len(TIMES)]


def by_resource(job: Job) -> float:
    return (job.stop - job.start) * by_fit(job)


class Fits:
    """Scores that depend on the config, and on luck the less the more it was trained."""

    appetite = 1

    def __init__(self, begun: Callable[[], None] = lambda: None) -> None:
        self.begun = begun  # called when a trial begins

    def n_parts(self, job: Job) -> int:
        return 1

    def calls(self, jobs: Sequence[Job], known: Any = ()) -> list[Call]:
        for job in jobs:
            if not job.start:
                self.begun()
        return [Call(nothing, (job,), ((i, 0),)) for i, job in enumerate(jobs)]

    def outcome(self, job: Job, values: Sequence[Any]) -> Outcome:
        luck = by_fit(job) / job.stop
        return Outcome(-abs(job.config[0] - 0.3) - 0.1 * luck)

    def arrived(self, job: Job, part: int, value: Any, losses: int) -> Any:
        return value

    def lost(self, error: Exception, losses: int) -> Any:
        raise error

    def release(self, trials: Iterable[int]) -> None:
        pass


def nothing(context: Any, job: Job) -> tuple[None]:
    return (None,)


@dataclass(frozen=True)
class Utilisation:
    """Shares of the workers' time: of all of it, and until the last trial began."""

    scheduler: str
    times: str
    trials: int
    workers: int
    whole: float
    begun: float


def utilisation(name: str, times: Callable[[Job], float], n: int, workers: int) -> Utilisation:
    scheduler = UTILISATION[name](n)
    executor = SimulatedExecutor(workers, times)
    last = sum(rung.n_trials for rung in scheduler.plan() if not rung.rung)
    n_begun, share = 0, 1.0

    def begun() -> None:
        nonlocal n_begun, share
        n_begun += 1
        if n_begun == last and executor.clock:
            share = executor.utilisation

    loop.run(scheduler, Fits(begun), executor)
    whole = executor.utilisation
    return Utilisation(name, times.__name__, len(scheduler.trials), workers, whole, share)


@dataclass(frozen=True)
class Growth:
    """What a simulated search cost."""

    scheduler: str
    trials: int
    workers: int
    seconds: float
    microseconds: float  # of the processor, per trial
    bytes: float  # resident, per trial


def growth(name: str, n: int, workers: int) -> Growth:
    scheduler = GROWTH[name](n)
    executor = SimulatedExecutor(workers, by_fit)
    before, start, cpu = resident(), time.perf_counter(), time.process_time()
    with collecting_later():
        loop.run(scheduler, Fits(), executor)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    n = len(scheduler.trials)
    return Growth(name, n, workers, seconds, 1e6 * cpu / n, (resident() - before) / n)


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def alone(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function in a process of its own."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(function, args)


def measure_utilisation(sizes: Sequence[int], workers: int) -> list[Utilisation]:
    rows = []
    print(f"\nutilisation of {workers} workers, all of it (until the last trial began), %")
    print(f"{'scheduler':27}{'trials':>8}{'by fit':>18}{'by resource':>18}")
    for n in sizes:
        for name in UTILISATION:
            pair = [utilisation(name, times, n, workers) for times in (by_fit, by_resource)]
            shares = [f"{100 * u.whole:.1f} ({100 * u.begun:.1f})" for u in pair]
            target = TARGETS.get(name) if n == max(sizes) else None
            note = "" if target is None else verdict(pair[0].whole, target)
            print(f"{name:27}{pair[0].trials:>8}{shares[0]:>18}{shares[1]:>18}{note}")
            rows += pair
    return rows


def verdict(share: float, target: float) -> str:
    return f"   {100 * target:g} {'met' if share >= target else 'MISSED'}"


def measure_growth(sizes: Sequence[int], workers: int) -> list[Growth]:
    rows = []
    print(f"{workers} workers")
    print(f"{'scheduler':27}{'trials':>8}{'s':>10}{'us a trial':>12}{'bytes a trial':>15}")
    for name in GROWTH:
        for n in sizes:
            row = alone(growth, name, n, workers)
            slow = "" if row.seconds < SECONDS else f"   more than {SECONDS:g} s: MISSED"
            large = n >= MANY
            size = f"{row.bytes:.0f}" if large else "-"
            big = f"   {BYTES:g} bytes: MISSED" if large and row.bytes >= BYTES else ""
            print(
                f"{name:27}{row.trials:>8}{row.seconds:>10.2f}{row.microseconds:>12.1f}"
                f"{size:>15}{slow}{big}",
                flush=True,
            )
            rows.append(row)
    return rows


def draw(rows: Sequence[Growth], path: Path) -> None:
    from matplotlib.figure import Figure  # optional

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name in GROWTH:
        mine = [row for row in rows if row.scheduler == name]
        left.plot([r.trials for r in mine], [r.microseconds for r in mine], "o-", label=name)
        large = [row for row in mine if row.trials >= MANY]
        right.plot([r.trials for r in large], [r.bytes for r in large], "o-", label=name)
    right.axhline(BYTES, color="grey", linestyle=":")
    for axes, what in ((left, "microseconds of CPU"), (right, "bytes of resident memory")):
        axes.set(xscale="log", xlabel="trials", ylabel=f"{what} per trial", ylim=(0, None))
        axes.grid(alpha=0.3)
    left.legend(frameon=False)
    figure.savefig(path, dpi=150)


def numbers(text: str) -> list[int]:
    return [int(float(part)) for part in text.split(",") if part]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--trials", type=numbers, default=[10**3, 10**4, 10**5], help="of the utilisation")
    add("--workers", type=int, default=100, help="of the utilisation; default: 100")
    add("--growth", type=numbers, default=GROWTH_TRIALS, help="trials")
    add("--growth-workers", type=int, default=10_000, help="default: 10000")
    add("--json", type=Path, default=RESULTS / "asynchronous.json")
    add("--picture", type=Path, help="default: beside the JSON")
    options = parser.parse_args(arguments)
    # In this order: a process that is forked inherits what has been freed, and its memory
    # does not grow then.
    costs = measure_growth(options.growth, options.growth_workers) if options.growth else []
    shares = measure_utilisation(options.trials, options.workers) if options.trials else []
    report = {
        "machine": platform.platform(),
        "python": platform.python_version(),
        "utilisation": [asdict(row) for row in shares],
        "growth": [asdict(row) for row in costs],
    }
    options.json.write_text(json.dumps(report, indent=1) + "\n")
    if costs:
        draw(costs, options.picture or options.json.with_suffix(".png"))


if __name__ == "__main__":
    main()
