"""What every scheduler keeps: its trials, and the jobs that are out."""

from __future__ import annotations

from collections.abc import Iterable

from sk_hpo.trial import Config, Job, Outcome, Trial

__all__ = ["History"]


class History:
    """The history of a scheduler.

    Attributes
    ----------
    trials : list of Trial
        ``trials[i].id == i``.
    outstanding : dict of int to Job
        Trial id -> its job, asked and not told yet.
    """

    def __init__(self) -> None:
        self.trials: list[Trial] = []
        self.outstanding: dict[int, Job] = {}

    def enrol(self, configs: Iterable[Config], bracket: int = 0) -> range:
        """Make trials of `configs`; return their ids."""
        first = len(self.trials)
        self.trials.extend(
            Trial(id, config, bracket) for id, config in enumerate(configs, start=first)
        )
        return range(first, len(self.trials))

    def issue(self, job: Job) -> Job:
        """Note that `job` is out; return it."""
        self.outstanding[job.trial] = job
        return job

    def record(self, job: Job, outcome: Outcome) -> None:
        """Add the outcome of an outstanding job to its trial.

        Raises
        ------
        ValueError
            If `job` is not outstanding.
        """
        if self.outstanding.get(job.trial) != job:
            raise ValueError(f"{job} is not outstanding: never asked for, or told before.")
        del self.outstanding[job.trial]
        self.trials[job.trial] = self.trials[job.trial].told(job.stop, outcome)
