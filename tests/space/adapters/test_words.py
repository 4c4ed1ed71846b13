import pickle
from copy import deepcopy

import numpy as np
import pytest
from scipy import stats
from search.test_refine import Hill, X, y

from sk_hpo import RandomSearchCV, Space, when
from sk_hpo.space.adapters.keras_tuner import reverse_loguniform
from sk_hpo.space.adapters.words import finished, some_values, stepped, tabulated

MADE = {
    "table": tabulated("halves", stats.norm(0, 3).cdf, np.arange(-9.5, 10), range(-9, 10)),
    "reverse": reverse_loguniform(0.1, 2.0),
}


@pytest.mark.parametrize("name", MADE)
def test_what_adapters_make_can_be_copied_searched_and_taken_up_again(name, tmp_path):
    space = {"x": MADE[name]}
    for copied in (pickle.loads(pickle.dumps(space)), deepcopy(space)):
        rng = [np.random.default_rng(0) for _ in range(2)]
        ours, theirs = Space(space), Space(copied)
        assert [ours.sample(rng[0]) for _ in range(9)] == [
            theirs.sample(rng[1]) for _ in range(9)
        ]
    search = RandomSearchCV(
        Hill(), space, n_iter=4, cv=2, random_state=0, journal=tmp_path / "j"
    )
    first = search.fit(X, y).cv_results_["params"]
    search.set_params(n_iter=6, param_distributions=pickle.loads(pickle.dumps(space)))
    assert search.fit(X, y).cv_results_["params"][:4] == first


def test_table_is_of_the_integers_it_stands_for():
    table = MADE["table"]
    drawn = table.rvs(size=3000, random_state=0)
    rounded = np.clip(np.round(stats.norm(0, 3).rvs(size=3000, random_state=1)), -9, 9)
    assert stats.ks_2samp(drawn, rounded, method="asymp").pvalue > 1e-3


def test_steps_up_to_the_end():
    assert stepped("x", 0.0, 0.3, 0.1) == [0.0, 0.1, 0.2, 0.3]
    assert stepped("x", 1, 10, 4) == [1, 5, 9]
    assert all(isinstance(value, int) for value in stepped("x", 1, 10, 4))


def test_values_under_a_condition():
    parent = when(stats.randint(1, 6), kind="a")
    assert some_values("x", "n", parent, lambda n: n % 2 == 0) == (2, 4)
    with pytest.raises(ValueError, match="'x' can never exist"):
        some_values("x", "n", parent, lambda n: n > 9)
    with pytest.raises(ValueError, match="at most 1000 values for 'n'"):
        some_values("x", "n", stats.randint(0, 5000), lambda n: n > 9)


def test_names_in_conditions_change_too():
    space = finished({"a": ["p", "q"], "b": when([1, 2], a="p")}, {"a": "net__a", "b": "c"})
    assert list(space) == ["net__a", "c"]
    assert space["c"].conditions == (("net__a", ("p",)),)
    with pytest.raises(ValueError, match="did you mean 'alpha'"):
        finished({"alpha": [1]}, {"alhpa": "beta"})
