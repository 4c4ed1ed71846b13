"""What every `Resource` must do. Subclass, say what to train on what, and pytest does the rest.

>>> class TestTrees(ResourceContract):
...     def make_resource(self):
...         return WarmStart("n_estimators")
...
...     def make_estimator(self):
...         return RandomForestClassifier()
...
...     def data(self):
...         return TrainingData(X, y, classes=np.unique(y))  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pytest
from joblib.executor import get_memmapping_executor

from sk_hpo.evaluation.resources import Model, Resource, TrainingData
from sk_hpo.evaluation.rng import get_state, seeded, set_state

__all__ = ["ResourceContract", "Run", "elsewhere"]


class Run:
    """One model in training, with its own stream of random numbers.

    It does what an evaluator does: seeds, carries the RNG state from rung to rung, and
    keeps the global RNG of the caller out of it.
    """

    def __init__(
        self, resource: Resource, estimator: Any, data: TrainingData, top: int, seed: int
    ) -> None:
        self.resource, self.data = resource, data
        with seeded(seed):
            self.model: Model = resource.begin(estimator, data, top)
            self.state = get_state()

    def advance(self, to: int) -> Run:
        with seeded(0):
            set_state(self.state)
            self.resource.advance(self.model, self.data, to)
            self.state = get_state()
        return self

    def pause(self) -> Run:
        """Replace the model by what comes out of its picture."""
        self.model = self.resource.unpack(self.resource.pack(self.model))
        return self

    def advance_elsewhere(self, to: int) -> Run:
        """Move the model to another process, and train it on there."""
        packed = self.resource.pack(self.model)
        packed, self.state = elsewhere(
            _advance, self.resource, packed, self.state, self.data, to
        )
        self.model = self.resource.unpack(packed)
        return self

    def finish(self) -> Any:
        with seeded(0):
            set_state(self.state)
            return self.resource.finish(self.model)


def elsewhere(function: Any, *args: Any) -> Any:
    """Call `function` in a worker process that lives as long as the tests."""
    return get_memmapping_executor(1, timeout=60).submit(function, *args).result()


def _advance(
    resource: Resource, packed: bytes, state: Any, data: TrainingData, to: int
) -> tuple[bytes, Any]:
    model = resource.unpack(packed)
    with seeded(0):
        set_state(state)
        resource.advance(model, data, to)
        return resource.pack(model), get_state()


class ResourceContract:
    """Reusable tests of one resource with one estimator.

    Attributes
    ----------
    rungs : tuple of int
        Resources to pause at; the last is where training ends.
    exact : bool
        Whether a pause leaves no trace (asked only where ``resource.continues``).
    """

    rungs: ClassVar[tuple[int, ...]] = (1, 3, 9)
    exact: ClassVar[bool] = True

    def make_resource(self) -> Resource:
        raise NotImplementedError

    def make_estimator(self) -> Any:
        """Return an unfitted estimator, a new one at each call."""
        raise NotImplementedError

    def data(self) -> TrainingData:
        """Return the same training rows at each call."""
        raise NotImplementedError

    def picture(self, fitted: Any) -> Sequence[Any]:
        """Return arrays that tell two fitted estimators apart."""
        method = "predict_proba" if hasattr(fitted, "predict_proba") else "predict"
        return [getattr(fitted, method)(self.data().X)]

    def run(self, seed: int = 7) -> Run:
        return Run(
            self.make_resource(), self.make_estimator(), self.data(), self.rungs[-1], seed
        )

    def same(self, one: Any, other: Any) -> bool:
        pairs = zip(self.picture(one), self.picture(other), strict=True)
        return all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in pairs)

    def at_once(self) -> Any:
        return self.run().advance(self.rungs[-1]).finish()

    def must_pause(self) -> None:
        if not (self.make_resource().continues and self.exact):
            pytest.skip("this resource does not promise that a pause leaves no trace")

    def test_limit_and_lowest_are_positive_integers(self):
        resource, y = self.make_resource(), self.data().y
        limit = resource.limit(self.make_estimator(), len(y))
        assert type(limit) is int
        assert limit >= 1
        lowest = resource.lowest(len(np.unique(np.asarray(y))))
        assert type(lowest) is int
        assert lowest >= 1

    def test_a_model_knows_how_far_it_was_trained(self):
        run = self.run()
        assert run.model.resource == 0
        for to in self.rungs:
            assert run.advance(to).model.resource == to or run.model.stopped

    def test_a_finished_model_predicts(self):
        predictions = np.asarray(self.at_once().predict(self.data().X))
        assert len(predictions) == len(self.data().y)

    def test_more_resource_trains_more(self):
        assert not self.same(self.run().advance(self.rungs[0]).finish(), self.at_once())

    def test_the_seed_decides(self):
        assert self.same(self.at_once(), self.at_once())

    def test_going_where_it_stands_is_nothing(self):
        once, twice = self.run().advance(self.rungs[1]), self.run().advance(self.rungs[1])
        state = twice.state
        np.testing.assert_equal(twice.advance(self.rungs[1]).state, state)
        assert self.same(once.finish(), twice.finish())

    def test_models_do_not_disturb_each_other(self):
        one, other = self.run(), self.run(seed=8)
        for to in self.rungs:
            one.advance(to)
            other.advance(to)
        alone = self.run()
        for to in self.rungs:
            alone.advance(to)
        assert self.same(one.finish(), alone.finish())

    def test_rungs_leave_no_trace(self):
        self.must_pause()
        run = self.run()
        for to in self.rungs:
            run.advance(to)
        assert self.same(run.finish(), self.at_once())

    def test_a_pause_leaves_no_trace(self):
        self.must_pause()
        run = self.run().pause()
        for to in self.rungs:
            run.advance(to).pause()
        assert self.same(run.finish(), self.at_once())

    def test_a_move_to_another_process_leaves_no_trace(self):
        self.must_pause()
        run = self.run()
        for to in self.rungs:
            run.advance_elsewhere(to)
        assert self.same(run.finish(), self.at_once())

    def test_a_picture_is_bytes_and_does_not_touch_the_model(self):
        self.must_pause()
        run = self.run().advance(self.rungs[0])
        assert isinstance(run.resource.pack(run.model), bytes)
        assert self.same(run.advance(self.rungs[-1]).finish(), self.at_once())

    def test_a_model_can_be_taken_on_from_the_same_picture_twice(self):
        self.must_pause()
        run = self.run().advance(self.rungs[0])
        packed, state = run.resource.pack(run.model), run.state
        ends = []
        for _ in range(2):
            run.model, run.state = run.resource.unpack(packed), state
            ends.append(run.advance(self.rungs[-1]).finish())
        assert self.same(ends[0], self.at_once())
        assert self.same(*ends)
