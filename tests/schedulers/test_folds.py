from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sk_hpo.rungs import ladder
from sk_hpo.schedulers.folds import AllFolds, FoldsAsResource, RisingFolds, Step, together


def test_all_folds() -> None:
    assert AllFolds(2).steps(3, 9) == [Step(0, 3, 9), Step(1, 3, 9)]


@given(st.integers(1, 12), st.integers(1, 100), st.sampled_from([2, 3, 4]))
def test_rising_folds(n_splits: int, top: int, factor: int) -> None:
    resources = ladder(1, top, factor)
    layout = RisingFolds(n_splits, resources)
    reached: dict[int, int] = {}  # fold -> resource
    counts = []
    for start, stop in zip((0, *resources), resources, strict=False):
        steps = layout.steps(start, stop)
        # The first folds, each taken on from where it stands.
        assert [step.fold for step in steps] == list(range(len(steps)))
        for step in steps:
            assert step.start == reached.get(step.fold, 0)
            reached[step.fold] = step.stop
        assert set(reached.values()) == {stop}
        counts.append(len(steps))
    assert counts == sorted(counts)
    assert counts[0] >= 1
    assert counts[-1] == n_splits


def test_rising_folds_do_not_depend_on_where_a_bracket_begins() -> None:
    layout = RisingFolds(5, (1, 3, 9, 27))
    for stop, n_folds in ((1, 2), (3, 3), (9, 4), (27, 5)):
        assert layout.steps(0, stop) == [Step(fold, 0, stop) for fold in range(n_folds)]


def test_between_two_rungs_there_are_the_folds_of_the_lower_one() -> None:
    layout = RisingFolds(3, (4, 8, 16))
    assert [len(layout.steps(0, stop)) for stop in (1, 4, 5, 8, 15, 16)] == [1, 1, 1, 2, 2, 3]


@given(st.integers(1, 9), st.data())
def test_folds_as_resource_runs_each_fold_once(n_splits: int, data: st.DataObject) -> None:
    stops = sorted(data.draw(st.sets(st.integers(1, n_splits), min_size=1)) | {n_splits})
    layout = FoldsAsResource(n_splits)
    steps = [
        step
        for start, stop in zip((0, *stops), stops, strict=False)
        for step in layout.steps(start, stop)
    ]
    assert steps == [Step(fold, 0, 1) for fold in range(n_splits)]


def test_together() -> None:
    steps = [Step(0, 1, 3), Step(1, 1, 3), Step(2, 0, 3)]
    assert together(steps) == [steps[:2], steps[2:]]
    assert together([]) == []
