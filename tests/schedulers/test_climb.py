from __future__ import annotations

import math
import random
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from sk_hpo.rungs import Rung
from sk_hpo.schedulers.climb import Climb


@given(
    sizes=st.lists(st.integers(1, 20), min_size=1, max_size=4),
    eta=st.sampled_from([Fraction(2), Fraction(3), Fraction(5, 2)]),
    seed=st.integers(0, 10**6),
    close=st.booleans(),
)
def test_who_is_beaten_is_let_go_at_once_and_nobody_else(
    sizes: list[int], eta: Fraction, seed: int, close: bool
) -> None:
    """Against the ranks of each rung, and the most that may still come to it."""
    rng = random.Random(seed)
    sizes = sorted(sizes, reverse=True)
    climb = Climb([Rung(0, k, n, k, k + 1) for k, n in enumerate(sizes)], eta)
    top = len(sizes) - 1
    told: list[dict[int, float]] = [{} for _ in sizes]
    paused: list[set[int]] = [set() for _ in sizes]
    out: list[tuple[int, int]] = []
    n_started, coming = 0, sizes[0]

    def beaten() -> set[int]:
        found, may_come = set(), coming
        for k in range(top):
            may_come += sum(rung == k for _, rung in out)
            most = max(math.floor((len(told[k]) + may_come) / eta), sizes[k + 1])
            ranking = sorted((-s, t) for t, s in told[k].items() if math.isfinite(s))
            lost = paused[k] & {trial for _, trial in ranking[most:]}
            paused[k].difference_update(lost)
            found |= lost
            may_come += len(paused[k])
        return found

    for _ in range(200):
        if climb.promotable and rng.random() < 0.7:
            trial, rung = climb.promotable
            assert trial in paused[rung - 1]
            paused[rung - 1].remove(trial)
            climb.promote(trial, rung)
            out.append((trial, rung))
        elif coming and rng.random() < 0.5:
            climb.start(n_started)
            out.append((n_started, 0))
            n_started, coming = n_started + 1, coming - 1
        elif out:
            trial, rung = out.pop(rng.randrange(len(out)))
            score = rng.choice([math.nan, *range(9)])
            told[rung][trial] = score
            goes_on = rung < top and math.isfinite(score)
            if goes_on:
                paused[rung].add(trial)
            retired = climb.tell(trial, rung, score)
            assert sorted(retired) == sorted(beaten() | (set() if goes_on else {trial}))
        elif close:
            coming = 0
            assert set(climb.close()) == beaten()
    assert climb.n_coming == coming
