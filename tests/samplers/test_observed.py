from __future__ import annotations

import math

import pytest

from sk_hpo.samplers.observed import informative_resource
from sk_hpo.trial import Outcome, Trial


def told(*resources: int) -> dict[int, Outcome]:
    return {r: Outcome(math.nan if r < 0 else 0.5) for r in resources}


@pytest.mark.parametrize(
    ("outcomes", "enough", "expected"),
    [
        ([told(1), told(1, 3), told(1, 3, 9)], 1, 9),
        ([told(1), told(1, 3), told(1, 3, 9)], 2, 3),
        ([told(1), told(1, 3), told(1, 3, 9)], 4, 1),
        ([told(9), told(1), {}], 5, 9),
        ([{9: Outcome(math.nan)}, told(1)], 1, 1),
    ],
)
def test_informative_resource(
    outcomes: list[dict[int, Outcome]], enough: int, expected: int
) -> None:
    history = [Trial(i, (i,), outcomes=o) for i, o in enumerate(outcomes)]
    assert informative_resource(history, enough) == expected
