"""How often rows of the test set are visited before the one look at it: never.

The estimators of ``tests/search/test_test_set.py`` write down which rows reach each of their
methods, in whatever process. They are put into every kind of search (each search class,
sampler and resource), plain, behind a transformer in a `Pipeline` and with early stopping, for
each number of jobs. A visit is one row in one call. The look is the last thing that a search
does: it hands all test rows, and no other, to each step of the refitted model. Needs the
extras ``test`` and ``torch``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from dataclasses import astuple, dataclass
from itertools import product
from pathlib import Path

from sklearn.exceptions import ConvergenceWarning

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from contracts.recording import read
from search.searches import ALL
from search.test_test_set import SHAPES, X, watched, y


@dataclass(frozen=True)
class Visits:
    """Of some searches together; of rows, but for the first two."""

    searches: int = 0
    calls: int = 0
    all: int = 0
    before: int = 0
    looking: int = 0

    def __add__(self, other):
        return Visits(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


def count(log, test, n_steps):
    """Return what a log says of one search, whose look is its last `n_steps` calls."""
    records = read(log)
    rows = [len(set(record["rows"]) & set(test)) for record in records]
    return Visits(
        searches=1,
        calls=len(records),
        all=sum(len(record["rows"]) for record in records),
        before=sum(rows[:-n_steps]),
        looking=sum(rows[-n_steps:]),
    )


def applies(kind, shape):
    """Whether the estimator stops early in what the search calls: in ``fit`` only."""
    return shape != "stopping" or kind in ("random", "bayes")


def run(kind, shape, n_jobs):
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # few iterations, on purpose
        log = Path(folder) / "log"
        search = watched(kind, log, shape, n_jobs=n_jobs).fit(X, y)
        return count(log, search.test_indices_.tolist(), 2 if shape == "pipeline" else 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", nargs="+", choices=ALL, default=ALL)
    parser.add_argument("--shapes", nargs="+", choices=list(SHAPES), default=list(SHAPES))
    parser.add_argument("--jobs", nargs="+", type=int, default=[1, 2])
    args = parser.parse_args()
    columns = ("searches", "calls", "row visits", "of test rows before", "in the look")
    print(f"{'':18}" + "".join(f"{name:>21}" for name in columns))
    total = Visits()
    for n_jobs, shape in product(args.jobs, args.shapes):
        kinds = [kind for kind in args.kinds if applies(kind, shape)]
        found = sum((run(kind, shape, n_jobs) for kind in kinds), Visits())
        total += found
        report(f"{shape}, n_jobs={n_jobs}", found)
    report("all", total)
    if total.before:
        raise SystemExit(f"test rows were visited {total.before} times before the look")


def report(name: str, found: Visits) -> None:
    print(f"{name:18}" + "".join(f"{n:21}" for n in astuple(found)), flush=True)


if __name__ == "__main__":
    main()
