from __future__ import annotations

import math
import pickle
import re
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, clone

from sk_hpo import stop
from sk_hpo.stop import (
    AllOf,
    AnyOf,
    MaxTime,
    MaxTrials,
    Milestone,
    NoImprovement,
    StopPolicy,
    TargetScore,
    Watch,
    within_budget,
)

scores = st.sampled_from([0.0, 0.1, 0.2, 0.25, 0.3, 0.5, 1.0, math.nan, math.inf, -math.inf])
leaves = st.one_of(
    st.builds(MaxTrials, st.integers(1, 6)),
    st.builds(MaxTime, st.integers(1, 12)),
    st.builds(NoImprovement, st.integers(1, 5), st.sampled_from([0.0, 0.0, 0.1, 0.5])),
    st.builds(TargetScore, st.sampled_from([0.25, 1.0])),
)
policies = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda a, b: a | b, inner, inner), st.builds(lambda a, b: a & b, inner, inner)
    ),
    max_leaves=5,
)


@st.composite
def histories(draw: st.DrawFn) -> list[Milestone]:
    """Outcomes of trials that come back, or go further, in any order."""
    steps = draw(st.lists(st.tuples(st.booleans(), st.integers(0, 3), scores, st.booleans())))
    history, n_trials, seconds = [], 0, 0.0
    for new, pause, score, top in steps:
        n_trials += new or not n_trials
        seconds += pause
        history.append(Milestone(n_trials, seconds, score, top))
    return history


def best(history: Sequence[Milestone]) -> float:
    return max((m.score for m in history if math.isfinite(m.score)), default=-math.inf)


def holds(policy: StopPolicy, history: Sequence[Milestone], seconds: float) -> bool:
    """Say what the docstrings say, with the whole history at hand."""
    top = [m for m in history if m.top]
    match policy:
        case MaxTrials(n):
            return bool(history) and history[-1].n_trials >= n
        case MaxTime(limit):
            return seconds >= limit
        case NoImprovement(n, tol):
            return len(top) >= n and best(top) <= best(top[: len(top) - n]) + tol
        case TargetScore(score):
            return best(top) >= score
        case AnyOf(parts):
            return any(holds(part, history, seconds) for part in parts)
        case AllOf(parts):
            return all(holds(part, history, seconds) for part in parts)
    raise AssertionError(policy)


@given(policies, histories(), st.integers(0, 5))
def test_a_watch_says_what_the_whole_history_says(
    policy: StopPolicy, history: list[Milestone], later: int
) -> None:
    watch = policy.begin()
    assert watch.at(0.0) is None
    for n, milestone in enumerate(history, start=1):
        for seconds, reason in (
            (milestone.seconds, watch.tell(milestone)),
            (milestone.seconds + later, watch.at(milestone.seconds + later)),
        ):
            assert (reason is not None) == holds(policy, history[:n], seconds)


def parsed(text: str) -> Any:
    return eval(text, vars(stop))


@given(policies, histories())
def test_the_reason_is_a_policy_that_holds(
    policy: StopPolicy, history: list[Milestone]
) -> None:
    watch = policy.begin()
    for n, milestone in enumerate(history, start=1):
        if reason := watch.tell(milestone):
            assert holds(parsed(reason), history[:n], milestone.seconds)
            assert parts(reason) <= parts(repr(policy))


def parts(written: str) -> set[str]:
    return set(re.findall(r"\w+\([^()]*\)", written))


@given(policies)
def test_what_it_prints_is_what_it_is(policy: StopPolicy) -> None:
    assert parsed(repr(policy)) == policy


@given(policies)
def test_copies_are_equal(policy: StopPolicy) -> None:
    for copy in (pickle.loads(pickle.dumps(policy)), deepcopy(policy)):
        assert copy == policy
        assert hash(copy) == hash(policy)


@given(policies, policies)
def test_equal_means_that_they_read_alike(one: StopPolicy, other: StopPolicy) -> None:
    assert (one == other) == (repr(one) == repr(other))


@given(policies, policies, policies)
def test_joining_is_associative(a: StopPolicy, b: StopPolicy, c: StopPolicy) -> None:
    assert (a | b) | c == a | (b | c)
    assert (a & b) & c == a & (b & c)


@given(policies, histories())
def test_watches_know_nothing_of_each_other(
    policy: StopPolicy, history: list[Milestone]
) -> None:
    alone = policy.begin()
    expected = [alone.tell(milestone) for milestone in history]
    first, second = policy.begin(), policy.begin()
    both = [(first.tell(milestone), second.tell(milestone)) for milestone in history]
    assert both == [(reason, reason) for reason in expected]


class Search(BaseEstimator):
    def __init__(self, stop: StopPolicy | None = None) -> None:
        self.stop = stop


def test_scikit_learn_clones_it_with_its_search() -> None:
    search = Search(MaxTrials(20) | NoImprovement(5, tol=0.1) & TargetScore(0.5))
    assert clone(search).stop == search.stop
    assert "NoImprovement(5, tol=0.1) & TargetScore(0.5)" in repr(search)


def test_a_policy_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        MaxTrials(3).n = 4  # type: ignore[misc]


def test_precedence_is_that_of_the_operators() -> None:
    a, b, c = MaxTrials(1), MaxTrials(2), MaxTrials(3)
    assert repr(a | b & c) == "MaxTrials(1) | MaxTrials(2) & MaxTrials(3)"
    assert repr((a | b) & c) == "(MaxTrials(1) | MaxTrials(2)) & MaxTrials(3)"
    assert a | b & c != (a | b) & c


def test_lower_rungs_do_not_count_as_no_improvement() -> None:
    watch = NoImprovement(2).begin()
    low = [watch.tell(Milestone(n, 0.0, 0.9, top=False)) for n in range(1, 50)]
    assert low == [None] * 49
    assert watch.tell(Milestone(49, 0.0, 0.5)) is None
    assert watch.tell(Milestone(49, 0.0, 0.4)) is None
    assert watch.tell(Milestone(49, 0.0, 0.4)) == "NoImprovement(2)"


def test_steps_below_the_tolerance_add_up() -> None:
    watch = NoImprovement(3, tol=0.1).begin()
    assert [watch.tell(Milestone(n, 0.0, 0.04 * n)) for n in range(20)] == [None] * 20


def test_a_policy_of_ones_own_composes() -> None:
    class Odd(StopPolicy):
        def begin(self) -> Watch:
            return OddWatch()

        def __repr__(self) -> str:
            return "Odd()"

    class OddWatch(Watch):
        n = 0

        def note(self, milestone: Milestone) -> None:
            self.n = milestone.n_trials

        def at(self, seconds: float) -> str | None:
            return "Odd()" if self.n % 2 else None

    watch = (Odd() & MaxTrials(2)).begin()
    told = [watch.tell(Milestone(n, 0.0, 0.5)) for n in range(1, 4)]
    assert told == [None, None, "Odd() & MaxTrials(2)"]


@pytest.mark.parametrize("n", [0, -1, 2.0, True, "3", None, math.nan])
@pytest.mark.parametrize("kind", [MaxTrials, NoImprovement])
def test_counts(kind: Any, n: Any) -> None:
    with pytest.raises(ValueError, match=rf"{kind.__name__}: n must be an integer .*{n!r}"):
        kind(n)


@pytest.mark.parametrize(
    ("kind", "args", "match"),
    [
        (MaxTime, (0,), "seconds must be greater than 0, got 0"),
        (MaxTime, (math.nan,), "seconds must be greater than 0, got nan"),
        (MaxTime, ("1h",), "seconds must be greater than 0, got '1h'"),
        (NoImprovement, (3, -0.1), "tol must be finite and at least 0, got -0.1"),
        (NoImprovement, (3, math.nan), "tol must be finite and at least 0, got nan"),
        (NoImprovement, (3, math.inf), "tol must be finite and at least 0, got inf"),
        (TargetScore, (math.nan,), "score must be finite, got nan"),
        (TargetScore, (True,), "score must be finite, got True"),
    ],
)
def test_bad_arguments(kind: Any, args: tuple[Any, ...], match: str) -> None:
    with pytest.raises(ValueError, match=f"{kind.__name__}: {match}"):
        kind(*args)


def test_numbers_of_numpy_are_numbers() -> None:
    policy = MaxTrials(np.int64(3)) | MaxTime(np.float32(0.5)) | TargetScore(np.float64(0.25))
    assert repr(policy) == "MaxTrials(3) | MaxTime(0.5) | TargetScore(0.25)"
    assert policy == MaxTrials(3) | MaxTime(0.5) | TargetScore(0.25)


@pytest.mark.parametrize("other", [3, None, "MaxTrials(3)"])
def test_only_policies_join(other: Any) -> None:
    with pytest.raises(TypeError, match="unsupported operand"):
        MaxTrials(3) | other
    with pytest.raises(TypeError, match="unsupported operand"):
        MaxTrials(3) & other


@given(st.floats(0.1, 100), st.floats(0, 100), st.floats(0, 100))
def test_a_budget_that_the_refit_would_break_is_spent(
    budget: float, seconds: float, refit: float
) -> None:
    assert within_budget(budget, seconds, refit) == (seconds + refit < budget)
    assert within_budget(budget, seconds) or not within_budget(budget, seconds, refit)
