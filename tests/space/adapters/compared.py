"""Whether two ways of drawing are one distribution."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from sk_hpo import Space

N = 2000


def drawn(space: Any, name: str) -> list[Any]:
    """Return values of a parameter from our side."""
    value = space[name]
    if hasattr(value, "rvs"):
        assert Space({name: value}).size >= 1
        return value.rvs(size=N, random_state=0).tolist()
    return [value[i] for i in np.random.default_rng(0).integers(len(value), size=N)]


def assert_alike(theirs: Any, ours: Any) -> None:
    """Two samples, of numbers or of anything else, are of one distribution."""
    theirs, ours = list(theirs), list(ours)
    levels = list(dict.fromkeys([*theirs, *ours]))
    if len(levels) <= 60:
        counts = [[side.count(level) for level in levels] for side in (theirs, ours)]
        p = stats.chi2_contingency(counts).pvalue if len(levels) > 1 else 1.0
    else:
        p = stats.ks_2samp(theirs, ours, method="asymp").pvalue
    assert p > 1e-3, f"p = {p}"
    assert {type(v) for v in ours} <= {int, float, str, bool, type(None)}


def furthest(theirs: Any, distribution: Any) -> float:
    """Return the largest difference of the cumulative distributions at integers."""
    theirs = np.asarray(list(theirs))
    low, high = (int(k) for k in distribution.support())
    return max(
        abs(float(np.mean(theirs <= k)) - float(distribution.cdf(k)))
        for k in range(low, high + 1)
    )
