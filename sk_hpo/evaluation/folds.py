"""Folds as the resource: a fold is one plain fit."""

from __future__ import annotations

from sk_hpo.evaluation.whole import Whole

__all__ = ["Folds"]


class Folds(Whole):
    """Every fold of a candidate is trained once, by ``fit``; more resource is more folds.

    Which folds are run is the scheduler's affair: a model's own resource is 1.
    """

    name = "folds"
    continues = True  # a fold that was run is not run again

    def for_refit(self, selected: int, n_samples: int) -> int:
        """Return 1: one plain fit, however many folds the candidate was selected by."""
        return 1
