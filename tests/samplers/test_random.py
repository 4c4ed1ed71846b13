from __future__ import annotations

import pickle
from collections import Counter

import pytest
from contracts.sampler import SamplerContract, configs_of, search
from scipy.stats import chisquare, kstest, loguniform, randint, uniform, zipf

from sk_hpo.samplers.random import RandomSampler
from sk_hpo.space.condition import when
from sk_hpo.space.space import Space
from sk_hpo.trial import Trial


class TestContract(SamplerContract):
    def make(self) -> RandomSampler:
        return RandomSampler()


def test_uses_no_history():
    assert RandomSampler.uses_history is False


def test_trial_depends_on_seed_and_id_alone():
    space = Space({"x": uniform(0, 1), "n": randint(0, 9)})
    one_by_one = configs_of(search(RandomSampler().bind(space, 3), 20))
    at_once = RandomSampler().bind(space, 3).suggest([], 20)
    assert one_by_one == at_once
    foreign = [Trial(i, (5, 0.25)) for i in range(7)]
    assert RandomSampler().bind(space, 3).suggest(foreign, 13) == at_once[7:]
    assert RandomSampler().bind(space, 4).suggest([], 20) != at_once


def test_draws_follow_the_distributions():
    space = Space({"x": loguniform(1e-4, 1), "k": ["a", "b", "c"]})
    configs = RandomSampler().bind(space, 0).suggest([], 3000)
    assert kstest([x for _, x in configs], loguniform(1e-4, 1).cdf).pvalue > 0.01
    assert chisquare(list(Counter(k for k, _ in configs).values())).pvalue > 0.01


def test_dicts_are_chosen_uniformly_whatever_their_size():
    space = Space([{"a": uniform(0, 1)}, {"b": uniform(0, 1), "c": list(range(50))}])
    chosen = [which for which, *_ in RandomSampler().bind(space, 0).suggest([], 2000)]
    assert sum(chosen) == pytest.approx(1000, abs=100)


def test_likely_configs_come_first_and_unlikely_ones_still_come():
    # P(1) = 0.83, P(>= 6) = 0.01: soon every draw is a repetition.
    space = Space({"n": zipf(3.0)})
    configs = RandomSampler().bind(space, 0).suggest([], 40)
    assert len(set(configs)) == 40
    assert (1,) in configs[:3]


def test_million_configs_of_one_likely_and_many_rare():
    space = Space({"use": [False] * 1 + [True], "n": when(randint(0, 10**9), use=True)})
    configs = RandomSampler().bind(space, 0).suggest([], 100)
    assert len(set(configs)) == 100


def test_long_history_is_read_once():
    class Watched(list):
        reads = 0

        def __getitem__(self, i):
            self.reads += 1
            return super().__getitem__(i)

    space = Space({"n": randint(0, 10**6)})
    sampler = RandomSampler().bind(space, 0)
    history = Watched()
    for i in range(500):
        history.append(Trial(i, sampler.suggest(history, 1)[0]))
    assert history.reads < 2500  # 125,000 if each call read it all
    assert len(set(configs_of(history))) == 500


def test_history_that_changes_under_the_sampler():
    space = Space({"n": randint(0, 6)})
    sampler = RandomSampler().bind(space, 0)
    history = search(sampler, 5)
    [last] = sampler.suggest(history, 1)
    history[:] = [Trial(0, last)]
    rest = sampler.suggest(history, 6)
    assert set(rest) == {(i,) for i in range(6)} - {last}


def test_pickle():
    space = Space({"n": randint(0, 6)})
    sampler = RandomSampler().bind(space, 0)
    copy = pickle.loads(pickle.dumps(sampler))
    assert copy.suggest([], 6) == sampler.suggest([], 6)
