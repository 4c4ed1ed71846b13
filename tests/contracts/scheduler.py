"""The scheduler contract, as `sk_hpo.testing` publishes it."""

from sk_hpo.testing.scheduler import (
    CountingSampler,
    Run,
    SchedulerContract,
    drive,
    failing,
    many_workers,
    outcome_of,
    rungs_of,
    tied_score,
)

__all__ = [
    "CountingSampler", "Run", "SchedulerContract", "drive", "failing", "many_workers",
    "outcome_of", "rungs_of", "tied_score",
]  # fmt: skip
