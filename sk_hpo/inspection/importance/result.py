"""How much each parameter mattered: a frozen record, a table, a frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Method", "ParameterImportance"]

FloatArray = NDArray[np.float64]
Method = Literal["fanova", "permutation", "ablation"]

_TITLES = {
    "fanova": "Share of the variance of scores (functional ANOVA)",
    "permutation": "R² lost by shuffling (permutation importance)",
    "ablation": "Share of the gain on the way to the best (ablation)",
}
_LEAST_OOB_SCORE = 0.1
_WIDTH = 20  # of a bar in the table


def _none() -> FloatArray:
    return np.empty(0)


@dataclass(frozen=True, eq=False, repr=False)
class ParameterImportance:
    """How much each parameter mattered; made by `parameter_importance`.

    Printed, it is a table.

    Parameters
    ----------
    method : {"fanova", "permutation", "ablation"}
        How it was found.
    names : tuple of str
        The parameters, the most important first.
    importances : ndarray of shape (n_parameters,)
        In the same order. Of "fanova", the share of the variance that a parameter explains
        alone; of "permutation", the R² that is lost without it; of "ablation", its share of
        the gain, of which the sum is 1.
    low, high : ndarray of shape (n_parameters,)
        Ends of the bootstrap intervals; NaN if there was no bootstrap.
    oob_score : float
        R² of the forest on trials that its trees have not seen. Near 0 or below, the
        importances tell nothing.
    n_trials, n_failed : int
        Trials that were used, and how many of them had failed.
    resource : int or None
        At which they were compared; None for a search without resources.
    confidence_level : float
        Of the intervals.
    pairs : tuple of (str, str), default=()
        The most important interactions, the first before the others; only of "fanova".
    pair_importances, pair_low, pair_high : ndarray of shape (n_pairs,)
        The share of the variance that a pair explains beyond its two parameters.
    explained : float, default=nan
        What all parameters and all pairs, also those not listed, explain of the variance;
        the rest is due to three or more together. NaN of other methods.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_hpo.inspection.importance.result import ParameterImportance
    >>> share, low, high = np.array([[0.7, 0.1], [0.6, 0.0], [0.8, 0.2]])
    >>> ParameterImportance("fanova", ("C", "gamma"), share, low, high, 0.9, 50, 0, None, 0.9)
    Share of the variance of scores (functional ANOVA)
    50 trials; R² of the forest out of bag 0.90
                     90 % interval
    C          0.700   0.600 to  0.800  ██████████████
    gamma      0.100   0.000 to  0.200  ██
    """

    method: Method
    names: tuple[str, ...]
    importances: FloatArray
    low: FloatArray
    high: FloatArray
    oob_score: float
    n_trials: int
    n_failed: int
    resource: int | None
    confidence_level: float
    pairs: tuple[tuple[str, str], ...] = ()
    pair_importances: FloatArray = field(default_factory=_none)
    pair_low: FloatArray = field(default_factory=_none)
    pair_high: FloatArray = field(default_factory=_none)
    explained: float = np.nan

    @property
    def title(self) -> str:
        """What the numbers are."""
        return _TITLES[self.method]

    def to_frame(self) -> Any:
        """Return a `pandas.DataFrame` with a row for each parameter, then for each pair.

        The columns are ``parameter``, ``other`` (of a pair, its second; empty otherwise),
        ``importance``, ``low`` and ``high``.
        """
        import pandas as pd

        pairs = [(name, "") for name in self.names] + list(self.pairs)
        return pd.DataFrame(
            {
                "parameter": [one for one, _ in pairs],
                "other": [other for _, other in pairs],
                "importance": np.concatenate([self.importances, self.pair_importances]),
                "low": np.concatenate([self.low, self.pair_low]),
                "high": np.concatenate([self.high, self.pair_high]),
            }
        )

    def plot(self, **options: Any) -> Any:
        """Plot it; the options are those of `ImportanceDisplay.plot`.

        Returns
        -------
        display : ImportanceDisplay
        """
        from sk_hpo.inspection.importance_display import ImportanceDisplay

        return ImportanceDisplay(self).plot(**options)

    @property
    def about(self) -> str:
        """Which trials were used, and how well the forest knows them, in one line."""
        failed = f" ({self.n_failed} of them failed)" if self.n_failed else ""
        resource = "" if self.resource is None else f" at resource {self.resource}"
        text = f"{self.n_trials} trials{failed}{resource}"
        return f"{text}; R² of the forest out of bag {self.oob_score:.2f}"

    def __repr__(self) -> str:
        lines = [self.title, self.about]
        names = [*self.names, *(f"{one} x {other}" for one, other in self.pairs)]
        width = max(map(len, names))
        if np.isfinite(self.low).any():
            lines.append(" " * (width + 10) + f"{100 * self.confidence_level:g} % interval")
        values = np.concatenate([self.importances, self.pair_importances])
        low, high = np.append(self.low, self.pair_low), np.append(self.high, self.pair_high)
        for name, row in zip(names, zip(values, low, high, strict=True), strict=True):
            lines.append(f"{name:<{width}}  {_numbers(*row)}".rstrip())
        if self.oob_score < _LEAST_OOB_SCORE:
            lines.append("The forest does not know these scores: the numbers tell nothing.")
        if np.isfinite(self.explained):
            lines.append(f"One by one and in pairs they explain {self.explained:.3f}.")
        return "\n".join(lines)


def _numbers(value: float, low: float, high: float) -> str:
    bar = "█" * round(_WIDTH * float(np.clip(value, 0.0, 1.0)))
    interval = f"  {low:6.3f} to {high:6.3f}" if np.isfinite(low) else ""
    return f"{value:6.3f}{interval}  {bar}"
