"""What every scheduler keeps: its trials, and the jobs that are out."""

from __future__ import annotations

from collections.abc import Iterable

from sk_hpo.trial import Config, Job, Outcome, Reason, Trial

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

    def enrol(
        self, configs: Iterable[Config], reasons: Iterable[Reason], bracket: int = 0
    ) -> range:
        """Make trials of `configs`, suggested for `reasons`; return their ids."""
        first = len(self.trials)
        suggested = zip(configs, reasons, strict=True)
        self.trials.extend(
            Trial(id, config, bracket, reason=reason)
            for id, (config, reason) in enumerate(suggested, start=first)
        )
        return range(first, len(self.trials))

    def issue(self, job: Job) -> Job:
        """Note that `job` is out; return it."""
        self.outstanding[job.trial] = job
        return job

    def record(self, job: Job, outcome: Outcome, resource: int | None = None) -> None:
        """Add the outcome of an outstanding job to its trial.

        Parameters
        ----------
        job : Job
            That is done.
        outcome : Outcome
            What came of it.
        resource : int or None, default=None
            How far the trial was brought, if not to ``job.stop``.

        Raises
        ------
        ValueError
            If `job` is not outstanding.
        """
        if self.outstanding.get(job.trial) != job:
            raise ValueError(f"{job} is not outstanding: never asked for, or told before.")
        del self.outstanding[job.trial]
        reached = job.stop if resource is None else resource
        self.trials[job.trial] = self.trials[job.trial].told(reached, outcome)
