"""What is asked of a forest, with forests whose answers are known."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from sk_hpo.inspection.importance.ablation import ablation_gains, ablation_shares
from sk_hpo.inspection.importance.axes import Axis, Encoding
from sk_hpo.inspection.importance.estimate import estimate
from sk_hpo.inspection.importance.evidence import Evidence
from sk_hpo.inspection.importance.fanova import best_pairs, variance_shares
from sk_hpo.inspection.importance.forest import Forest, grow
from sk_hpo.inspection.importance.permutation import permutation_importances

NAN = np.nan


class Tree:
    """Predicts a function of the columns, and remembers what it was asked."""

    def __init__(self, function):
        self.function = function
        self.asked = []

    def predict(self, columns):
        self.asked.append(columns)
        return self.function(columns.astype(float))[:, None]


def forest_of(function, points, axes=None, unseen=None):
    axes = axes or [Axis(f"x{j}") for j in range(points.shape[1])]
    encoding = Encoding(axes)
    columns = encoding.columns(points)
    scores = function(columns.astype(float))
    evidence = Evidence(encoding, points, scores, 1, 0)
    rows = np.arange(len(points)) if unseen is None else unseen
    return Forest(evidence, columns, [Tree(function)], [rows])


def test_shuffling_a_column_costs_twice_its_variance():
    points = np.random.default_rng(0).random((20_000, 3))
    forest = forest_of(lambda c: 2 * c[:, 0] + c[:, 1], points)
    found = permutation_importances(forest, np.random.default_rng(1))
    # E (f - f')^2 = 2 Var of what the column adds; the variance of scores is 5 / 12.
    assert found == pytest.approx([8 / 5, 2 / 5, 0.0], rel=0.05)


def test_only_unseen_trials_are_shuffled_and_only_where_the_parameter_exists():
    sgd = np.array([True, False, False])
    axes = [Axis.of_levels("solver", 3, True), Axis("momentum", exists={0: sgd})]
    points = np.array([[1 / 6, u] for u in (0.1, 0.2, 0.3, 0.4)] + [[0.5, NAN], [5 / 6, NAN]])
    unseen = np.array([0, 2, 3, 4, 5])
    forest = forest_of(lambda c: c.sum(axis=1), points, axes, unseen)
    permutation_importances(forest, np.random.default_rng(0))
    before, solver, momentum = forest.trees[0].asked
    assert before.tolist() == forest.columns[unseen].tolist()
    # All columns of a choice move together.
    assert sorted(solver[:, :3].tolist()) == sorted(before[:, :3].tolist())
    assert solver[:, 3].tolist() == before[:, 3].tolist()
    assert momentum[3:, 3].tolist() == [-1.0, -1.0]
    assert sorted(momentum[:3, 3]) == sorted(before[:3, 3])
    assert momentum[:, :3].tolist() == before[:, :3].tolist()


def test_the_ablation_takes_the_best_step_and_its_gains_add_up():
    def function(c):
        return 3 * c[:, 0] * c[:, 1] + c[:, 2] - 2 * c[:, 3]

    forest = forest_of(function, np.random.default_rng(0).random((10, 5)))
    source, target = np.full(5, 0.25), np.array([0.75, 0.5, 0.75, 0.5, 0.25])
    gains = ablation_gains(forest, source, target)
    # Greedy by hand, over all orders: no order has a better first difference.
    best, expected = None, None
    for order in permutations(range(4)):
        now, steps = source.copy(), []
        for j in order:
            before = function(now[None])[0]
            now[j] = target[j]
            steps.append(function(now[None])[0] - before)
        if best is None or steps > best:
            best, expected = steps, dict(zip(order, steps, strict=True))
    assert gains == pytest.approx([expected[j] for j in range(4)] + [0.0], abs=1e-6)
    assert gains.sum() == pytest.approx(function(target[None])[0] - function(source[None])[0])
    assert ablation_shares(forest, source, target).sum() == pytest.approx(1.0)
    assert np.isnan(ablation_shares(forest, target, target)).all()


def test_a_parameter_that_begins_to_exist_comes_with_the_one_that_makes_it():
    second = np.array([False, True])
    axes = [Axis.of_levels("kind", 2, True), Axis("a", exists={0: second}), Axis("b")]
    points = np.array([[0.25, NAN, 0.5], [0.75, 0.5, 0.5]])
    # -1 is what a tree sees of an absent parameter.
    forest = forest_of(
        lambda c: np.where(c[:, 1] < 0, 0.0, 10 * c[:, 1]) + c[:, 2], points, axes
    )
    source, target = np.array([0.25, NAN, 0.25]), np.array([0.75, 0.5, 0.75])
    assert ablation_gains(forest, source, target) == pytest.approx([5.0, 0.0, 0.5])
    # And goes with it.
    assert ablation_gains(forest, target, source) == pytest.approx([-5.0, 0.0, -0.5])


def evidence_of(function, n, d, seed, noise=0.0):
    rng = np.random.default_rng(seed)
    points = rng.random((n, d))
    scores = function(points) + noise * rng.normal(size=n)
    return Evidence(Encoding([Axis(f"x{j}") for j in range(d)]), points, scores, 1, 0)


def ishigami(u):
    a, b, c = (np.pi * (2 * u[:, j] - 1) for j in range(3))
    return np.sin(a) + 7 * np.sin(b) ** 2 + 0.1 * c**4 * np.sin(a)


def test_shares_of_the_variance_of_ishigami():
    # Ishigami, Homma, ISUMA 1990, with a = 7 and b = 0.1.
    first, second = (1 + 0.1 * np.pi**4 / 5) ** 2 / 2, 7**2 / 8
    both = 0.1**2 * np.pi**8 * (1 / 18 - 1 / 50)
    truth = np.array([first, second, 0.0, 0.0, both]) / (first + second + both)
    evidence = evidence_of(ishigami, 5000, 4, seed=0)
    forest = grow(evidence, np.arange(5000), 4, seed=0)
    found = variance_shares(forest, [(0, 2)])
    assert found[[0, 2, 3, 4]] == pytest.approx(truth[[0, 2, 3, 4]], abs=0.03)
    # Trees find the two waves of the second slowly, and never too much of them.
    assert truth[1] - 0.1 < found[1] < truth[1]
    pairs, explained = best_pairs(forest, 2)
    assert pairs[0] == (0, 2)
    assert 0.85 < explained <= 1.0
    assert forest.oob_score > 0.9


def test_no_copy_of_a_trial_is_unseen():
    evidence = evidence_of(lambda u: u[:, 0], 40, 2, seed=0)
    trials = np.random.default_rng(0).integers(40, size=40)
    forest = grow(evidence, trials, 5, seed=0)
    noise = Evidence(
        evidence.encoding, evidence.points, np.random.default_rng(1).normal(size=40), 1, 0
    )
    for rows in forest.unseen:
        assert len(np.unique(rows)) == len(rows)
        assert set(rows) < set(trials)
    # A forest that saw what it is asked about would know noise.
    assert grow(noise, np.tile(trials[:20], 4), 50, seed=0).oob_score < 0.3


def test_intervals_are_those_of_other_trials():
    evidence = evidence_of(lambda u: u[:, 0], 60, 1, seed=0)

    def mean(forest):
        # Of the trials that a forest was grown on, by the mean of its roots.
        return np.array([np.mean([tree.value[0, 0, 0] for tree in forest.trees])])

    forest = grow(evidence, np.arange(60), 4, seed=0)
    found = estimate(forest, mean, 80, 0.9, np.random.default_rng(0))
    half = 1.645 * evidence.scores.std() / np.sqrt(60)
    # A quarter more variance, since 4 trees are drawn from each resample.
    assert found.high - found.value == pytest.approx([half * np.sqrt(5 / 4)], rel=0.25)
    assert found.value - found.low == pytest.approx([half * np.sqrt(5 / 4)], rel=0.25)


def test_no_bootstrap_no_interval():
    forest = grow(evidence_of(lambda u: u[:, 0], 20, 1, seed=0), np.arange(20), 4, seed=0)
    found = estimate(forest, lambda _: np.array([1.0]), 0, 0.9, np.random.default_rng(0))
    assert np.isnan([found.low, found.high]).all()
