from __future__ import annotations

import pytest
from contracts.sampler import configs_of
from scipy.stats import randint, rv_discrete, uniform

from sk_hpo.samplers.ledger import Ledger, Shuffled
from sk_hpo.samplers.random import RandomSampler
from sk_hpo.samplers.sobol import SobolSampler
from sk_hpo.space.condition import when
from sk_hpo.space.space import Space
from sk_hpo.trial import Trial


def trials(*codes):
    return [Trial(i, (code,)) for i, code in enumerate(codes)]


def ledger(n=6):
    space = Space({"n": randint(0, n)})
    return Ledger(space, space.enumerate)


def test_tried_and_untried_of_a_growing_history():
    one = ledger()
    history = trials(4, 0)
    assert one.tried(history) == {(4,), (0,)}
    assert one.untried(history, 2) == [(1,), (2,)]
    assert one.untried(history, 2, but={(1,)}) == [(2,), (3,)]
    history += [Trial(2, (2,))]
    assert one.untried(history, 2) == [(1,), (3,)]
    assert one.untried(history, 9) == [(1,), (3,), (5,)]


def test_another_history_starts_from_the_beginning():
    one = ledger()
    assert one.untried(trials(0, 1, 2, 3, 4), 1) == [(5,)]
    assert one.untried(trials(5), 9) == [(0,), (1,), (2,), (3,), (4,)]
    assert one.untried([], 1) == [(0,)]


def test_history_is_not_looked_at_where_nothing_comes_twice():
    space = Space({"x": uniform(0, 1), "a": [1, 2]})
    assert Ledger(space, space.enumerate).tried([Trial(0, (0, 0.5))]) == set()


def test_shuffled():
    space = Space({"n": randint(0, 50)})
    orders = [list(Shuffled(space, seed)()) for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2]) == list(space.enumerate()) != orders[0]


def test_a_huge_space_is_not_shuffled():
    space = Space({"n": randint(0, 10**9)})
    assert next(Shuffled(space, 0)()) == (0,)


@pytest.mark.parametrize("sampler", [RandomSampler(), SobolSampler()])
def test_an_infinite_space_never_ends(sampler):
    # The continuous part has a probability of 1e-6: repetitions are all that can be found.
    rare = rv_discrete(values=([0, 1], [1 - 1e-6, 1e-6]))
    space = Space({"use": rare, "x": when(uniform(0, 1), use=1)})
    bound = sampler.bind(space, 0)
    history: list[Trial] = []
    for i in range(3):
        history += [Trial(i, config) for config in bound.suggest(history)]
    assert configs_of(history) == [(0, None)] * 3
