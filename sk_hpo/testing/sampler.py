"""The sampler contract as tests for pytest: subclass, and give ``make``."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr, uniform

from sk_hpo.samplers.base import Sampler
from sk_hpo.space.condition import when
from sk_hpo.space.space import Space
from sk_hpo.testing.spaces import FINITE, GRIDS, INFINITE
from sk_hpo.trial import Config, Outcome, Reason, Trial

__all__ = [
    "SamplerContract", "absurd", "configs_of", "constant", "nan", "search", "smooth",
]  # fmt: skip

Score = Callable[[Space, Config], float]


def smooth(space: Space, config: Config) -> float:
    """Return a score with one maximum."""
    u = space.to_cube(config)
    return -float(np.sum(np.square(np.where(np.isnan(u), 0.0, u - 0.3))))


def constant(space: Space, config: Config) -> float:
    """Return the same score for every config."""
    return 0.5


def nan(space: Space, config: Config) -> float:
    """Return a failure."""
    return math.nan


def absurd(space: Space, config: Config) -> float:
    """Return infinities, overflowing numbers and NaN in turn."""
    turn = int(sum(c or 0 for c in config) * 1e6) % 6
    return [math.inf, -math.inf, 1e300, -1e300, math.nan, 1e-300][turn]


def search(
    sampler: Sampler,
    n_trials: int,
    score: Score = smooth,
    batch: int = 1,
    start: Sequence[Config] = (),
) -> list[Trial]:
    """Return the history of a search for `n_trials`, or until nothing is left."""
    space = sampler.space
    history: list[Trial] = []

    def finish(configs: Sequence[Config]) -> None:
        for config in configs:
            outcome = Outcome(score(space, config), standard_error=0.1)
            history.append(Trial(len(history), config).told(1, outcome))

    finish(start)
    while len(history) < n_trials:
        configs = sampler.suggest(history, min(batch, n_trials - len(history)))
        if not configs:
            break
        finish(configs)
    return history


def configs_of(history: Sequence[Trial]) -> list[Config]:
    """Return the configs of a history."""
    return [trial.config for trial in history]


def state(sampler: Sampler) -> dict[str, Any]:
    """Return a copy of what a sampler holds, down to the samplers that it holds."""
    return {
        name: state(value) if isinstance(value, Sampler) else deepcopy(value)
        for name, value in vars(sampler).items()
    }


class SamplerContract:
    """What `sk_hpo.samplers.base.Sampler` promises, as tests.

    A subclass, named ``Test...`` so that pytest finds it, gives ``make``: an unbound sampler.

    Attributes
    ----------
    finite, infinite : dict of str to callable
        Spaces on which the sampler is tried; leave out those it refuses.
    n_trials : int
        Length of a search in an infinite space.

    Examples
    --------
    >>> from sk_hpo.samplers.random import RandomSampler
    >>> from sk_hpo.testing import SamplerContract
    >>> class TestMySampler(SamplerContract):
    ...     n_trials = 8
    ...     def make(self):
    ...         return RandomSampler()  # or yours
    """

    finite = GRIDS | FINITE
    infinite = INFINITE
    n_trials = 14

    @abstractmethod
    def make(self) -> Sampler:
        """Return an unbound sampler."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Give `space` and `finite_space` to the tests that ask for them."""
        for argument, makers in {
            "space": self.finite | self.infinite,
            "finite_space": self.finite,
        }.items():
            if argument in metafunc.fixturenames:
                spaces = [make() for make in makers.values()]
                metafunc.parametrize(argument, spaces, ids=list(makers))

    def bound(self, space: Space, seed: int = 0) -> Sampler:
        """Return a new sampler for a space."""
        return self.make().bind(space, seed)

    def test_bind_leaves_the_recipe_alone(self, space: Space) -> None:
        recipe = self.make()
        before = state(recipe)
        one, other = recipe.bind(space, 1), recipe.bind(space, 2)
        assert state(recipe) == before
        assert type(one) is type(recipe)
        assert (one.space, one.seed) == (space, 1)
        assert (other.space, other.seed) == (space, 2)
        expected = configs_of(search(self.bound(space, 1), 5))
        search(other, 5)
        assert configs_of(search(one, 5)) == expected

    @pytest.mark.parametrize("batch", [1, 5])
    def test_configs_are_valid(self, space: Space, batch: int) -> None:
        history = search(self.bound(space), self.n_trials, batch=batch)
        assert history
        for config in configs_of(history):
            assert space.allows(config)
            assert space.from_cube(space.to_cube(config)) == config
            assert space.config(space.values(config)) == config

    def test_deterministic(self, space: Space) -> None:
        # The same history leads to the same suggestion, whatever was computed before: by a
        # sampler that grew it, by a new one, by one that has just worked on another.
        grown = self.bound(space)
        history = search(grown, self.n_trials)
        confused = self.bound(space)
        search(confused, 4, score=constant, batch=2)
        for n in (1, 3):
            expected = self.bound(space).suggest(history, n)
            assert grown.suggest(history, n) == expected
            assert grown.suggest(tuple(history), n) == expected
            assert confused.suggest(history, n) == expected
            assert confused.suggest(history[:3], n) == self.bound(space).suggest(history[:3], n)

    def test_history_is_read_only(self, space: Space) -> None:
        sampler = self.bound(space)
        history = search(sampler, 6)
        before = list(history)
        sampler.suggest(history, 2)
        assert history == before

    @pytest.mark.parametrize("batch", [1, 4])
    @pytest.mark.parametrize("score", [smooth, constant, nan])
    def test_finite_space_is_exhausted_once(
        self, finite_space: Space, batch: int, score: Score
    ) -> None:
        sampler = self.bound(finite_space)
        history = search(sampler, 1000, score=score, batch=batch)
        assert len(history) == finite_space.size
        assert set(configs_of(history)) == set(finite_space.enumerate())
        assert sampler.suggest(history, 1) == sampler.suggest(history, 3) == []

    def test_asks_for_more_than_there_is(self, finite_space: Space) -> None:
        configs = self.bound(finite_space).suggest([], int(finite_space.size) + 7)
        assert sorted(configs, key=repr) == sorted(finite_space.enumerate(), key=repr)

    def test_given_configs_are_not_repeated(self, finite_space: Space) -> None:
        # The first trials need not be the sampler's own.
        given = list(finite_space.enumerate())[1::2]
        history = search(self.bound(finite_space), 1000, start=given)
        assert configs_of(history)[: len(given)] == given
        assert len(set(configs_of(history))) == len(history) == finite_space.size

    @pytest.mark.parametrize("batch", [1, 4])
    def test_no_duplicates(self, space: Space, batch: int) -> None:
        configs = configs_of(search(self.bound(space), self.n_trials, batch=batch))
        assert len(configs) == min(self.n_trials, space.size)
        assert len(set(configs)) == len(configs)

    def test_n(self, space: Space) -> None:
        sampler = self.bound(space)
        history = search(sampler, 3)
        left = space.size - len(history)
        for n in (1, 2, 6):
            assert len(set(sampler.suggest(history, n))) == min(n, left)

    @pytest.mark.parametrize("score", [nan, absurd, constant], ids=lambda s: s.__name__)
    def test_survives_scores(self, space: Space, score: Score) -> None:
        history = search(self.bound(space), self.n_trials, score=score)
        assert len(set(configs_of(history))) == min(self.n_trials, space.size)

    def test_survives_first_failures(self, space: Space) -> None:
        failed = [Trial(i, c) for i, c in enumerate(self.bound(space).suggest([], 4))]
        failed = [t.told(1, Outcome(math.nan, failure="boom")) for t in failed]
        scored = [Trial(i, t.config).told(1, Outcome(0.5)) for i, t in enumerate(failed[:1])]
        for history in (failed, [*scored, *failed[1:]]):
            [config] = self.bound(space).suggest(history, 1)
            assert config not in configs_of(history)

    def test_pending_trials(self, space: Space) -> None:
        sampler = self.bound(space)
        history = search(sampler, 4)
        n = int(min(3, space.size - len(history)))
        for config in sampler.suggest(history, n):
            history.append(Trial(len(history), config))
        configs = sampler.suggest(history, 2)
        assert len(configs) == min(2, space.size - len(history))
        assert not set(configs) & set(configs_of(history))

    def test_everything_pending(self, space: Space) -> None:
        sampler = self.bound(space)
        history: list[Trial] = []
        for i in range(int(min(self.n_trials, space.size))):
            history += [Trial(i, config) for config in sampler.suggest(history, 1)]
        assert len(set(configs_of(history))) == len(history) == min(self.n_trials, space.size)

    def test_order_of_tells(self, space: Space) -> None:
        history = search(self.bound(space), self.n_trials)
        resources = [(1, 0.1), (3, 0.2), (9, 0.3)]

        def told(trial: Trial, upwards: bool) -> Trial:
            reached = resources[: 1 + trial.id % 3]
            trial = replace(trial, outcomes={})
            for resource, gain in reached if upwards else reversed(reached):
                trial = trial.told(resource, Outcome(smooth(space, trial.config) + gain))
            return trial

        up, down = ([told(t, upwards) for t in history] for upwards in (True, False))
        assert self.bound(space).suggest(up, 2) == self.bound(space).suggest(down, 2)

    @pytest.mark.parametrize("n", [1, 3])
    def test_every_suggestion_has_a_reason(self, space: Space, n: int) -> None:
        grown = self.bound(space)
        history = search(grown, self.n_trials)
        for length in (0, 4, self.n_trials):
            before = history[:length]
            configs = self.bound(space).suggest(before, n)
            reasons = self.bound(space).explain(before, configs)
            assert [type(reason) for reason in reasons] == [Reason] * len(configs)
            for reason in reasons:
                self.check_reason(reason)
            # Pure, as suggestions are; NaN equals nothing but its own text.
            suggested = grown.suggest(before, n)
            assert repr(grown.explain(before, suggested)) == repr(reasons)
            assert grown.suggest(before, n) == configs
            assert before == history[:length]
        assert grown.explain(history, []) == []

    def check_reason(self, reason: Reason) -> None:
        """Who had a model says what it was asked and how sure it was; nobody else does."""
        numbers = (reason.acquisition, reason.mean, reason.sd)
        if reason.origin == "model":
            assert not math.isnan(reason.acquisition)
            assert math.isnan(reason.mean) == math.isnan(reason.sd)
            assert not reason.sd < 0
        else:
            assert reason.origin in ("user", "initial", "random")
            assert all(map(math.isnan, numbers))

    def test_what_was_learned_predicts(self, space: Space) -> None:
        grown = self.bound(space)
        history = search(grown, self.n_trials)
        surrogate = self.bound(space).surrogate(history)
        if surrogate is None:
            assert grown.surrogate(history) is None
            return
        suggestion = self.bound(space).suggest(history, 2)
        params = [space.values(trial.config) for trial in history]
        mean, sd = surrogate.predict(params, return_std=True)
        assert mean.shape == sd.shape == (len(params),)
        assert np.isfinite(mean).all()
        assert (sd >= 0).all()
        again = grown.surrogate(history)
        assert again is not None
        np.testing.assert_array_equal(again.predict(params), mean)
        np.testing.assert_allclose(surrogate.predict(params[:1]), mean[:1], rtol=1e-9)
        assert grown.suggest(history, 2) == suggestion
        # It has learned something: it puts the trials in an order near that of their scores.
        scores = [trial.outcome.score for trial in history]
        if len(set(scores)) > 3:
            assert spearmanr(mean, scores).statistic > 0

    @pytest.mark.parametrize("score", [nan, absurd, constant], ids=lambda s: s.__name__)
    def test_reasons_and_models_survive_scores(self, space: Space, score: Score) -> None:
        sampler = self.bound(space)
        history = search(sampler, 8, score=score)
        for reason in sampler.explain(history, sampler.suggest(history, 2)):
            self.check_reason(reason)
        surrogate = sampler.surrogate(history)
        if surrogate is not None:
            mean, sd = surrogate.predict([space.values(history[0].config)], return_std=True)
            assert mean.shape == sd.shape == (1,)

    def test_one_config(self) -> None:
        for space in (Space({}), Space({"a": [1]}), Space({"a": [1], "b": [None]})):
            sampler = self.bound(space)
            history = search(sampler, 10)
            assert configs_of(history) == list(space.enumerate())
            assert sampler.suggest(history, 1) == []

    def test_infinite_space_with_few_configs_in_a_corner(self) -> None:
        # Half of the draws have no continuous parameter and are all the same config.
        if not self.infinite:
            return
        space = Space({"use": [False, True], "x": when(uniform(0, 1), use=True)})
        configs = configs_of(search(self.bound(space), self.n_trials))
        assert len(set(configs)) == self.n_trials
