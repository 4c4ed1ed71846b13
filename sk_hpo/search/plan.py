"""What a search will do and what it will cost, before it does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sk_hpo.rungs import Rung
from sk_hpo.schedulers.folds import AllFolds, Layout, Step

__all__ = ["Plan"]


@dataclass(frozen=True)
class Plan:
    """The schedule of a search.

    The fit costs exactly this, unless candidates fail or stop early (then less), or `note`
    says otherwise.

    Attributes
    ----------
    rungs : tuple of Rung
        In the order of running; one rung for a search without resources.
    n_splits : int
        Number of cross-validation folds.
    resource : str or None
        What `cost` counts: "epochs", "n_samples", "folds", an estimator's parameter, or
        fits.
    continues : bool
        Whether a promoted candidate goes on where it stood, so that only the difference
        between two rungs is paid.
    note : str
        What else is worth knowing, empty for nothing.
    layout : Layout or None
        Which folds are run on which rung; None for all on each.
    exact : bool
        Whether the numbers of folds that are run are known beforehand.
    """

    rungs: tuple[Rung, ...]
    n_splits: int
    resource: str | None = None
    continues: bool = True
    note: str = ""
    layout: Layout | None = None
    exact: bool = True

    @property
    def n_candidates(self) -> int:
        """Number of different configurations."""
        return sum(rung.n_trials for rung in self.rungs if rung.rung == 0)

    @property
    def n_fits(self) -> int:
        """Number of evaluations of a candidate on a fold, over all rungs."""
        return sum(map(self.n_fits_of, self.rungs))

    @property
    def cost(self) -> int:
        """Resource spent on all folds together, refit not counted."""
        return sum(map(self.cost_of, self.rungs))

    def n_fits_of(self, rung: Rung) -> int:
        """Return the number of evaluations of a candidate on a fold on one rung."""
        return rung.n_trials * len(self._steps(rung))

    def cost_of(self, rung: Rung) -> int:
        """Return the resource spent on one rung, on all folds together."""
        return rung.n_trials * sum(
            step.stop - (step.start if self.continues else 0) for step in self._steps(rung)
        )

    def _steps(self, rung: Rung) -> list[Step]:
        layout = self.layout or AllFolds(self.n_splits)
        return layout.steps(rung.start, rung.resource)

    def to_frame(self) -> Any:
        """Return the rungs as a `pandas.DataFrame`."""
        import pandas as pd

        return pd.DataFrame(
            {
                "bracket": rung.bracket,
                "iter": rung.rung,
                "n_candidates": rung.n_trials,
                "n_resources": rung.resource,
                "cost": self.cost_of(rung),
            }
            for rung in self.rungs
        )

    def __str__(self) -> str:
        """Return the rungs, if there are any, as a table, with the sum below."""
        lines, unit, how = [], "fits", ""
        if self.resource is not None:
            lines = [f"{'bracket':>7} {'iter':>4} {'n_candidates':>12} {'n_resources':>11}"]
            lines += [
                f"{rung.bracket:>7} {rung.rung:>4} {rung.n_trials:>12} {rung.resource:>11}"
                for rung in self.rungs
            ]
            unit = self.resource
            how = ", survivors go on" if self.continues else ", each rung from scratch"
        lines.append(
            f"{self.n_candidates} candidates, {self.n_splits} folds, {self.n_fits} fits; "
            f"cost: {self.cost} {unit}{how}"
        )
        return "\n".join([*lines, self.note] if self.note else lines)
