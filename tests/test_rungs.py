from __future__ import annotations

import math
import re
from fractions import Fraction
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sk_hpo.rungs import Bracket, Rung, Verdict, cost, hyperband_rungs, ladder

# Li et al. 2018, Table 1: R=81, eta=3; (n_i, r_i) of s = 4 ... 0.
TABLE_1 = [
    [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
    [(34, 3), (11, 9), (3, 27), (1, 81)],
    [(15, 9), (5, 27), (1, 81)],
    [(8, 27), (2, 81)],
    [(5, 81)],
]

factors = st.fractions(min_value=Fraction(11, 10), max_value=10, max_denominator=20)
limits = st.tuples(st.integers(1, 500), st.integers(1, 500)).map(sorted)


def by_bracket(rungs: list[Rung]) -> list[list[Rung]]:
    return [list(group) for _, group in groupby(rungs, lambda rung: rung.bracket)]


class TestLadder:
    @pytest.mark.parametrize(
        ("low", "high", "factor", "expected"),
        [
            (1, 243, 3, (1, 3, 9, 27, 81, 243)),
            (1, 81, 3, (1, 3, 9, 27, 81)),
            (1, 1000, 10, (1, 10, 100, 1000)),
            (1, 125, 5, (1, 5, 25, 125)),
            (1, 100, 3, (1, 3, 11, 33, 100)),
            (4, 100, 3, (11, 33, 100)),
            (7, 7, 3, (7,)),
            (1, 2, 3, (2,)),
            (1, 11, 1.1, (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)),
            (1, 7, 1.4, (1, 2, 3, 5, 7)),
            (1, 9, Fraction(3, 2), (1, 2, 4, 6, 9)),
        ],
    )
    def test_known_ladders(
        self, low: int, high: int, factor: Any, expected: tuple[int, ...]
    ) -> None:
        assert ladder(low, high, factor) == expected

    @given(st.integers(2, 12), st.integers(0, 30))
    def test_a_power_of_the_factor_loses_no_rung(self, factor: int, exponent: int) -> None:
        assert ladder(1, factor**exponent, factor) == tuple(
            factor**i for i in range(exponent + 1)
        )

    @given(limits, factors)
    def test_against_comparisons_of_integers(self, limits: list[int], factor: Fraction) -> None:
        low, high = limits
        p, q = factor.numerator, factor.denominator
        # r = floor(high / factor**i)  <=>  r p**i <= high q**i < (r + 1) p**i
        steps = range(70)  # 1.1**70 > 500
        expected = [
            r
            for r in range(low, high + 1)
            if any(r * p**i <= high * q**i < (r + 1) * p**i for i in steps)
        ]
        assert ladder(low, high, factor) == tuple(expected)

    @given(limits, factors)
    def test_shape(self, limits: list[int], factor: Fraction) -> None:
        low, high = limits
        rungs = ladder(low, high, factor)
        assert rungs[-1] == high
        assert rungs[0] >= low
        assert all(a < b for a, b in pairwise(rungs))

    def test_kinds_of_numbers_agree(self) -> None:
        expected = (1, 3, 9, 27, 81)
        for three in (3, 3.0, Fraction(3), np.int8(3), np.float32(3)):
            assert ladder(np.int8(1), np.int8(81), three) == expected
        assert all(type(r) is int for r in ladder(np.int8(1), np.int8(81), np.int8(3)))

    @pytest.mark.parametrize("factor", [1, 0.5, -3, 0, math.inf, math.nan, "3", None, True, 1j])
    def test_bad_factor(self, factor: Any) -> None:
        with pytest.raises(ValueError, match=r"factor must .* greater than 1, got"):
            ladder(1, 81, factor)

    @pytest.mark.parametrize("value", [0, -1, 1.0, "1", None, True, math.nan])
    @pytest.mark.parametrize("name", ["min_resources", "max_resources"])
    def test_bad_resource(self, name: str, value: Any) -> None:
        arguments = {"min_resources": 1, "max_resources": 9, name: value}
        with pytest.raises(ValueError, match=f"{name} must be an integer .* {value!r}"):
            ladder(factor=3, **arguments)

    def test_min_above_max(self) -> None:
        with pytest.raises(
            ValueError, match="min_resources=10 is greater than max_resources=9"
        ):
            ladder(10, 9, 3)


class TestHyperbandRungs:
    def test_table_1(self) -> None:
        brackets = by_bracket(hyperband_rungs(1, 81, 3))
        assert [[(r.n_trials, r.resource) for r in rungs] for rungs in brackets] == TABLE_1

    def test_243_has_six_brackets(self) -> None:
        brackets = by_bracket(hyperband_rungs(1, 243, 3))
        assert [len(rungs) for rungs in brackets] == [6, 5, 4, 3, 2, 1]
        assert [rungs[0].n_trials for rungs in brackets] == [243, 98, 41, 18, 9, 6]

    @given(limits, factors)
    def test_counts_by_stepping(self, limits: list[int], factor: Fraction) -> None:
        resources = ladder(*limits, factor)
        p, q = factor.numerator, factor.denominator
        brackets = by_bracket(hyperband_rungs(*limits, factor))
        assert len(brackets) == len(resources)
        for k, rungs in enumerate(brackets):
            s = len(resources) - 1 - k
            n = -(-len(resources) * p**s // ((s + 1) * q**s))
            assert [r.n_trials for r in rungs] == [n * q**i // p**i for i in range(s + 1)]
            assert tuple(r.resource for r in rungs) == resources[k:]

    @given(limits, factors, st.integers(1, 3))
    def test_shape(self, limits: list[int], factor: Fraction, iterations: int) -> None:
        brackets = by_bracket(hyperband_rungs(*limits, factor, iterations=iterations))
        for number, rungs in enumerate(brackets):
            assert [r.bracket for r in rungs] == [number] * len(rungs)
            assert [r.rung for r in rungs] == list(range(len(rungs)))
            assert [r.start for r in rungs] == [0, *(r.resource for r in rungs[:-1])]
            sizes = [r.n_trials for r in rungs]
            assert sizes == sorted(sizes, reverse=True)
            assert sizes[-1] >= 1
        first_rungs = [rungs[0].n_trials for rungs in brackets]
        assert first_rungs[: len(first_rungs) // iterations] * iterations == first_rungs

    @given(limits, factors, st.data())
    def test_k_brackets_are_the_first_k(
        self, limits: list[int], factor: Fraction, data: st.DataObject
    ) -> None:
        brackets = by_bracket(hyperband_rungs(*limits, factor))
        k = data.draw(st.integers(1, len(brackets)))
        assert by_bracket(hyperband_rungs(*limits, factor, brackets=k)) == brackets[:k]

    def test_iterations_repeat_under_new_numbers(self) -> None:
        once = hyperband_rungs(1, 27, 3, brackets=2)
        twice = hyperband_rungs(1, 27, 3, brackets=2, iterations=2)
        assert twice[: len(once)] == once
        assert [(r.n_trials, r.resource) for r in twice[len(once) :]] == [
            (r.n_trials, r.resource) for r in once
        ]
        assert [rungs[0].bracket for rungs in by_bracket(twice)] == [0, 1, 2, 3]

    @pytest.mark.parametrize("brackets", [0, -1, 1.0, "some", None, True])
    def test_bad_brackets(self, brackets: Any) -> None:
        with pytest.raises(ValueError, match="brackets must be"):
            hyperband_rungs(1, 81, 3, brackets=brackets)

    def test_more_brackets_than_rungs(self) -> None:
        with pytest.raises(
            ValueError, match=re.escape("(1, 3, 9, 27, 81) has only 5 brackets")
        ):
            hyperband_rungs(1, 81, 3, brackets=6)

    @pytest.mark.parametrize("iterations", [0, 1.5, "all", None])
    def test_bad_iterations(self, iterations: Any) -> None:
        with pytest.raises(ValueError, match="iterations must be an integer"):
            hyperband_rungs(1, 81, 3, iterations=iterations)


class TestCost:
    def test_table_1_by_hand(self) -> None:
        rungs = hyperband_rungs(1, 81, 3)
        retrained = sum(n * r for bracket in TABLE_1 for n, r in bracket)
        assert cost(rungs, continues=False) == retrained == 1902
        # A trial that dies on a rung costs that rung's resource, once.
        continued = 0
        for bracket in TABLE_1:
            survivors = [n for n, _ in bracket[1:]] + [0]
            continued += sum((n - m) * r for (n, r), m in zip(bracket, survivors, strict=True))
        assert cost(rungs, continues=True) == continued == 1581

    @given(limits, factors)
    def test_continuing_never_costs_more(self, limits: list[int], factor: Fraction) -> None:
        for rungs in by_bracket(hyperband_rungs(*limits, factor)):
            saved = cost(rungs, continues=False) - cost(rungs, continues=True)
            assert saved == sum(
                lower.resource * upper.n_trials for lower, upper in pairwise(rungs)
            )
            assert (saved > 0) == (len(rungs) > 1)

    def test_nothing_costs_nothing(self) -> None:
        assert cost([], continues=True) == 0


def halve(rungs: list[Rung], trials: list[int], scores: dict[tuple[int, int], float]) -> Any:
    """Return who stands on each rung, by elimination of the worst, one at a time."""
    standing = [set(trials)]
    for rung, above in pairwise(rungs):
        left = {t for t in standing[-1] if math.isfinite(scores[t, rung.rung])}
        while len(left) > above.n_trials:
            left.remove(min(left, key=lambda t: (scores[t, rung.rung], -t)))
        if not left:
            break
        standing.append(left)
    return standing


class TestBracket:
    @given(st.data())
    def test_against_elimination_in_any_order(self, data: st.DataObject) -> None:
        rungs = hyperband_rungs(1, data.draw(st.integers(1, 30)), data.draw(factors), 1)[-4:]
        trials = data.draw(
            st.lists(st.integers(0, 99), min_size=1, max_size=12, unique=True), "trials"
        )
        some_score = st.sampled_from([0.0, 0.5, 0.5, 1.0, -2.0, math.nan, math.inf, -math.inf])
        rungs = [Rung(0, i, rung.n_trials, 0, rung.resource) for i, rung in enumerate(rungs)]
        scores = {(t, r.rung): data.draw(some_score) for r in rungs for t in trials}
        bracket = Bracket(rungs, trials)
        running, retired = list(trials), []
        while running:
            level = bracket.rung.rung
            coming: list[int] = []
            for count, trial in enumerate(data.draw(st.permutations(running)), start=1):
                assert not bracket.done
                verdict = bracket.tell(trial, scores[trial, level])
                retired += verdict.retired
                assert not verdict.promoted or count == len(running)
                if not math.isfinite(scores[trial, level]):
                    assert trial in verdict.retired
                coming += verdict.promoted
            assert coming == sorted(coming, key=lambda t: (-scores[t, level], t))
            running = coming
        assert bracket.done
        assert sorted(retired) == sorted(trials)
        assert [set(s) for s in bracket.standing] == halve(rungs, trials, scores)

    def test_failures_leave_a_rung_emptier(self) -> None:
        bracket = Bracket(hyperband_rungs(1, 9, 3, brackets=1), range(9))
        for trial in range(7):
            assert bracket.tell(trial, math.nan) == Verdict(retired=(trial,))
        assert bracket.tell(8, 0.1) == Verdict()
        assert bracket.tell(7, 0.2) == Verdict(promoted=(7, 8))

    def test_promotion_waits_for_the_rung(self) -> None:
        bracket = Bracket(hyperband_rungs(1, 3, 3, brackets=1), [4, 5, 6])
        assert bracket.tell(6, 0.9) == Verdict()
        assert bracket.tell(5, 0.8) == Verdict()
        assert bracket.tell(4, 0.9) == Verdict(promoted=(4,), retired=(6, 5))
        assert bracket.tell(4, 0.1) == Verdict(retired=(4,))
        assert bracket.done

    @pytest.mark.parametrize("stranger", [1, 2, 7])
    def test_a_score_that_is_not_awaited(self, stranger: int) -> None:
        bracket = Bracket(hyperband_rungs(1, 3, 3, brackets=1), [0, 1, 2])
        bracket.tell(1, 0.5)
        bracket.tell(2, math.nan)
        with pytest.raises(ValueError, match=f"No score of trial {stranger} is awaited"):
            bracket.tell(stranger, 0.5)
