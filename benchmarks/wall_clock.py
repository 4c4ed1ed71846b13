"""Test score against seconds: sk_hpo's searches beside those of other packages.

Searches over a net of one hidden layer on rows of Fashion-MNIST, 3 folds, from one epoch to
27. Each run has a process of its own; what the search would have answered at any time is
trained on all its rows and scored on test rows afterwards, outside of the clock. Runs that
the file holds are not run again.

    python benchmarks/wall_clock.py --rows 3000 --jobs 1
    python benchmarks/wall_clock.py --rows 12000 --jobs 1,2 --methods sk_hpo-hyperband,optuna
    python benchmarks/wall_clock.py --report
    python benchmarks/wall_clock.py --rows 600 --max-epochs 3 --seeds 1 --runs small.jsonl

Peers need ``optuna``, ``optuna-integration`` and ``ray[tune]``; one that is not installed is
named and skipped.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from clock.methods import METHODS, missing
from clock.report import grouped, to_json, to_text
from clock.results import Key, read

RESULTS = Path(__file__).parent / "results"


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--rows", default="3000", help="one or several numbers; default: %(default)s")
    add("--jobs", default="1", help="one or several numbers; default: %(default)s")
    add("--methods", default=",".join(METHODS), help="default: %(default)s")
    add("--seeds", type=int, default=5, help="how many; default: 5")
    add("--max-epochs", type=int, default=27, help="of a full training; default: 27")
    add("--data", type=Path, help="npz file with X and y; default: OpenML's")
    add("--runs", type=Path, default=RESULTS / "wall_clock.jsonl", help="file of the runs")
    add("--json", type=Path, help="default: beside the file of the runs")
    add("--picture", type=Path, help="default: beside the file of the runs")
    add("--report", action="store_true", help="run nothing; report all that the file holds")
    parsed = parser.parse_args(arguments)
    if unknown := set(parsed.methods.split(",")) - set(METHODS):
        parser.error(f"no such methods: {', '.join(sorted(unknown))}")
    parsed.json = parsed.json or parsed.runs.with_suffix(".json")
    parsed.picture = parsed.picture or parsed.runs.with_suffix(".png")
    return parsed


def usable(names: str) -> list[str]:
    """Return the methods that can be run, and name the others."""
    found = []
    for name in names.split(","):
        if lacks := missing(name):
            print(f"skipped {name}: {lacks} is missing")
        else:
            found.append(name)
    return found


def keys(options: argparse.Namespace) -> list[Key]:
    """Return what is to be run, seed by seed, so that methods take turns."""
    methods = usable(options.methods)
    return [
        Key(method, int(rows), options.max_epochs, int(jobs), seed)
        for rows in options.rows.split(",")
        for jobs in options.jobs.split(",")
        for seed in range(options.seeds)
        for method in methods
    ]


def report(options: argparse.Namespace) -> None:
    groups = grouped(read([options.runs]).values())
    if not groups:
        print(f"{options.runs} has no runs")
        return
    print(to_text(groups))
    options.json.write_text(json.dumps(to_json(groups), indent=1) + "\n")
    from clock.picture import draw  # matplotlib is optional

    draw(groups, options.picture)


def main() -> None:
    options = parse_arguments()
    if not options.report:
        from clock.run import run_all

        run_all(keys(options), options.data, options.runs)
    report(options)


if __name__ == "__main__":
    main()
