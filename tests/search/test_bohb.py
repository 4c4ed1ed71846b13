from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from search.searches import HALVING, SPACE, WIDE, data, make

from sk_hpo import BOHBSearchCV, HalvingHyperbandSearchCV

X, y = data()


def test_it_is_hyperband_with_another_default() -> None:
    def defaults(cls: type) -> dict[str, object]:
        parameters = inspect.signature(cls).parameters.values()
        return {parameter.name: parameter.default for parameter in parameters}

    assert defaults(BOHBSearchCV) == defaults(HalvingHyperbandSearchCV) | {"sampler": "tpe"}
    options = {"space": WIDE, "brackets": "all", "hyperband_iterations": 2}
    bohb = make("bohb", **options).fit(X, y)
    hyperband = make("epochs", sampler="tpe", **options).fit(X, y)
    assert [t.config for t in bohb.history_] == [t.config for t in hyperband.history_]
    for name in ("mean_test_score", "n_resources", "suggested_by", "acquisition"):
        np.testing.assert_array_equal(bohb.cv_results_[name], hyperband.cv_results_[name])


def test_the_model_is_asked_from_the_second_bracket_on() -> None:
    found = make("bohb", space=WIDE, brackets="all").fit(X, y)
    origins = {trial.bracket: set() for trial in found.history_}
    for trial in found.history_:
        origins[trial.bracket].add(trial.reason.origin)
    assert origins[0] <= {"initial", "random"}
    assert origins[1] == origins[2] == {"model"}


FOLDS = {"resource": "folds", "max_resources": "auto", "factor": 2}


@pytest.mark.parametrize("racing", [False, True])
@pytest.mark.parametrize("sampler", ["random", "sobol", "grid", "gp", "tpe"])
@pytest.mark.parametrize(
    ("kind", "options"),
    [*[(kind, {}) for kind in ("random", "bayes", *HALVING)], ("asha", FOLDS), ("bohb", FOLDS)],
)
def test_any_sampler_goes_with_any_schedule(
    kind: str, options: dict[str, Any], sampler: str, racing: bool
) -> None:
    space = SPACE if sampler == "grid" else WIDE
    found = make(kind, space=space, sampler=sampler, fold_racing=racing, **options).fit(X, y)
    results = found.cv_results_
    best = [results[f"split{i}_test_score"][found.best_index_] for i in range(3)]
    assert np.isfinite(best).all()
    params = [tuple(sorted(p.items())) for p in results["params"]]
    at = results.get("n_resources", np.zeros(len(params)))
    assert len(set(zip(params, at, strict=True))) == len(params)
