"""Searches that are killed, and what that costs: kills survived, fits computed again.

A driver process that is killed by SIGKILL: at random times, between any two lines of the
modules that keep the books, in the midst of a write to the journal; alone or with its
workers. Workers that are killed about once a second. Journals with edited bytes. Each
search must end exactly as an undisturbed one; the script stops with an error if one does
not.

    python benchmarks/kills.py
    python benchmarks/kills.py --kills 8 --seconds 5 --fuzz 100 --cases random,net
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from faults.fuzzing import Whole, edited
from faults.runs import Tally, survive
from faults.threads import kill_workers
from hypothesis import HealthCheck, given, settings

SEARCHES = ("random", "bayes", "epochs", "bohb", "asha", "net")
# Of each: options of `survive`, and of the search.
WITH_WORKERS = {
    "random, 2 workers": ("random", {"workers": 2, "in_flight": 4}),
    "epochs, 2 workers": ("epochs", {"workers": 2, "in_flight": 4}),
    "net, 2 workers": ("net", {"workers": 2, "in_flight": 4}),
    "net, trained together": ("net", {"accelerator": "auto", "in_flight": None}),
}


def drivers(names: Sequence[str], n_kills: int, seed: int) -> Tally:
    """Kill drivers; print a line per search, and return the sum."""
    whole = Tally()
    print(f"{'driver killed':24}{'kills':>7}{'searches':>10}{'fits':>7}{'again':>7}{'s':>7}")
    kinds = {name: (name, {}) for name in SEARCHES} | WITH_WORKERS
    for name, (case, options) in kinds.items():
        if case not in names:
            continue
        begin = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            tally = survive(case, Path(folder), n_kills, seed=seed, **options)
        seconds = time.monotonic() - begin
        print(
            f"{name:24}{tally.kills:7}{tally.n_searches:10}{tally.n_fits:7}"
            f"{tally.recomputed:7}{seconds:7.0f}",
            flush=True,
        )
        whole += tally
    print(f"{'':24}{whole.kills:7}{whole.n_searches:10}{whole.n_fits:7}{whole.recomputed:7}")
    return whole


def workers(seconds: float, seed: int) -> tuple[int, int, int]:
    """Kill workers once a second; print and return kills, fits and fits begun again."""
    with tempfile.TemporaryDirectory() as folder:
        kills, n_fits, again = kill_workers(Path(folder), seconds, every=1.0, seed=seed)
    print(f"{'worker killed':24}{kills:7}{1:10}{n_fits:7}{again:7}")
    return kills, n_fits, again


def fuzz(n: int) -> Counter[str]:
    """Edit journals; print and return how many were refused and how many went on."""
    whole, found = Whole(), Counter[str]()

    @settings(max_examples=n, deadline=None, database=None, suppress_health_check=HealthCheck)
    @given(edited(whole.data))
    def check(data: bytes) -> None:
        found["refused" if whole.refuses(data) else "as undisturbed"] += 1

    if n:
        check()
    told = ", ".join(f"{count} {what}" for what, count in sorted(found.items()))
    print(f"{found.total()} journals with edited bytes: {told or 'none'}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50, help="of the driver of each search")
    parser.add_argument("--seconds", type=float, default=60, help="during which workers die")
    parser.add_argument("--fuzz", type=int, default=2000, help="journals with edited bytes")
    parser.add_argument("--cases", default=",".join(SEARCHES), help="which searches")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if given.kills:
        drivers(given.cases.split(","), given.kills, given.seed)
    if given.seconds:
        workers(given.seconds, given.seed)
    fuzz(given.fuzz)


if __name__ == "__main__":
    main()
