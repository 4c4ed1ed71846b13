"""Which models are stepped as one."""

from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from sk_hpo.evaluation.fused.optimizers import _equal_runs

few = st.integers(0, 2)


@given(models=st.lists(st.tuples(few, few), max_size=30), most=st.integers(1, 9), enough=few)
def test_runs_are_neighbours_alike(models, most, enough):
    keys, rates = [key for key, _ in models], [rate for _, rate in models]
    runs = [range(len(models))[at] for at in _equal_runs(keys, rates, most, enough + 1)]
    assert [i for run in runs for i in run] == list(range(len(models)))
    assert all(len({keys[i] for i in run}) == 1 and len(run) <= most for run in runs)
    start = 0
    for _, stretch in groupby(models):
        n = len(list(stretch))
        if n >= enough + 1:  # long enough to share no run with others
            these = set(range(start, start + n))
            assert all(these.isdisjoint(run) or these.issuperset(run) for run in runs)
        start += n


def test_no_more_runs_than_needed():
    rates = [1, 1, 1, 2, 3, 3, 4, 4, 4, 4]
    runs = _equal_runs(["a"] * 10, rates, most=3, enough=3)
    assert runs == [slice(0, 3), slice(3, 6), slice(6, 8), slice(8, 10)]
