"""What is drawn of a model is what the model says."""

import math
import pickle
import re
import warnings

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from scipy.stats import loguniform, norm, randint, uniform
from sklearn.datasets import load_iris
from sklearn.svm import SVC

from sk_hpo import BayesSearchCV, RandomSearchCV, when
from sk_hpo.inspection.surrogate_display import SurrogateDisplay

matplotlib.use("Agg")

SPACE = {
    "C": loguniform(1e-2, 1e2),
    "gamma": loguniform(1e-3, 1e1),
    "kernel": ["rbf", "poly"],
    "degree": when(randint(2, 5), kernel="poly"),
}


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    path = tmp_path_factory.mktemp("surrogate") / "iris.journal"
    search = BayesSearchCV(
        SVC(max_iter=300), SPACE, n_iter=12, cv=3, journal=path, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fits that have not converged
        return search.fit(*load_iris(return_X_y=True))


def closed_formula(mean, sd, best):
    """Expected improvement as every textbook has it."""
    z = (mean - best) / sd
    return (mean - best) * norm.cdf(z) + sd * norm.pdf(z)


def best_mean(search):
    return search.surrogate_.predict(search.cv_results_["params"]).max()


def test_one_parameter(search):
    display = SurrogateDisplay.from_search(search, "C")
    mean_ax, ei_ax = display.axes_.ravel()
    [line] = [line for line in mean_ax.lines if line.get_label() == "mean"]
    x, y = line.get_data()
    assert len(x) == 201
    assert (x[0], x[-1]) == pytest.approx((1e-2, 1e2))
    assert mean_ax.get_xscale() == "log"
    params = [search.best_params_ | {"C": C} for C in x]
    mean, sd = search.surrogate_.predict(params, return_std=True)
    np.testing.assert_allclose(y, mean, atol=1e-9)
    band = mean_ax.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == pytest.approx((mean - 2 * sd).min())
    assert band[:, 1].max() == pytest.approx((mean + 2 * sd).max())
    expected = closed_formula(mean, sd, best_mean(search))
    np.testing.assert_allclose(ei_ax.lines[0].get_ydata(), expected, atol=1e-9)
    # Others are held at the best candidate, and the title says so.
    title = re.sub(r"\s+", " ", mean_ax.get_title())
    for name, value in search.best_params_.items():
        told = f"{value:.3g}" if isinstance(value, float) else str(value)
        assert (f"{name}={told}" in title) == (name != "C")


def test_observations_are_there(search):
    display = SurrogateDisplay.from_search(search, "C")
    dots = display.ax_.collections[-1]
    results = search.cv_results_
    expected = [
        (p["C"], m)
        for p, m in zip(results["params"], results["mean_test_score"], strict=True)
        if m >= display.ax_.get_ylim()[0]
    ]
    np.testing.assert_allclose(
        sorted(map(tuple, dots.get_offsets())), sorted(expected), atol=1e-9
    )
    # The best candidate lies in the slice: nothing is darker than it.
    shades = dots.get_facecolors()[:, 0]
    at_best = np.flatnonzero(
        np.isclose(np.asarray(dots.get_offsets())[:, 0], search.best_params_["C"])
    )
    assert shades[at_best].min() == shades.min()


def test_two_parameters(search):
    display = SurrogateDisplay.from_search(search, ["C", "gamma"], n_points=9)
    assert [ax.get_title() for ax in display.axes_] == [
        *("Mean", "Standard deviation", "Expected improvement")
    ]
    assert {ax.get_xscale() for ax in display.axes_} == {"log"}
    assert {ax.get_yscale() for ax in display.axes_} == {"log"}
    Cs, gammas = np.logspace(-2, 2, 9), np.logspace(-3, 1, 9)
    np.testing.assert_allclose(display.values, [Cs, gammas], rtol=1e-6)
    params = [search.best_params_ | {"C": C, "gamma": gamma} for gamma in gammas for C in Cs]
    mean, sd = search.surrogate_.predict(params, return_std=True)
    np.testing.assert_allclose(display.mean.ravel(), mean, atol=1e-6)
    np.testing.assert_allclose(display.sd.ravel(), sd, atol=1e-6)
    expected = closed_formula(mean, sd, best_mean(search))
    np.testing.assert_allclose(display.acquisition.ravel(), expected, atol=1e-6)
    # Contours enclose the places where the table is at least their level.
    [contours] = [each for each in display.ax_.collections if hasattr(each, "levels")]
    assert contours.levels[0] <= mean.min()
    assert contours.levels[-1] >= mean.max()
    i, j = np.unravel_index(mean.argmax(), (9, 9))
    top = contours.get_paths()[np.searchsorted(contours.levels, mean.max()) - 1]
    assert top.contains_point((Cs[j], gammas[i]), radius=1e-9) or i in (0, 8) or j in (0, 8)


def test_choices_and_conditions(search):
    display = SurrogateDisplay.from_search(search, "kernel")
    params = [
        {k: v for k, v in search.best_params_.items() if k != "degree"} | {"kernel": "rbf"}
    ]
    rbf = search.surrogate_.predict(params)
    assert display.mean[list(display.values[0]).index("rbf")] == pytest.approx(rbf[0])
    assert [t.get_text() for t in display.axes_.ravel()[1].get_xticklabels()] == ["rbf", "poly"]
    poly = {"C": 1.0, "gamma": 0.1, "kernel": "poly", "degree": 2}
    display = SurrogateDisplay.from_search(search, ["degree", "kernel"], at=poly)
    assert list(display.values[0]) == [2, 3, 4]
    at_rbf = list(display.values[1]).index("rbf")
    assert np.isnan(display.mean[at_rbf]).all()  # there is no degree
    expected = search.surrogate_.predict([poly | {"degree": d} for d in (2, 3, 4)])
    np.testing.assert_allclose(display.mean[1 - at_rbf], expected)
    display.figure_.canvas.draw()
    rbf = {"C": 1.0, "gamma": 0.1, "kernel": "rbf"}
    with pytest.raises(ValueError, match="has no 'degree'"):
        SurrogateDisplay.from_search(search, "degree", at=rbf)


def test_without_a_name_the_mean_varies_most(search):
    best = search.best_params_
    lines = {
        "C": [best | {"C": C} for C in np.logspace(-2, 2, 41)],
        "gamma": [best | {"gamma": gamma} for gamma in np.logspace(-3, 1, 41)],
        "kernel": [{k: v for k, v in best.items() if k != "degree"} | {"kernel": "rbf"}],
    }
    lines["kernel"].append(lines["kernel"][0] | {"kernel": "poly", "degree": 3})
    if "degree" in best:
        lines["degree"] = [best | {"degree": degree} for degree in (2, 3, 4)]
        lines["kernel"][1] = best
    spread = {name: np.ptp(search.surrogate_.predict(line)) for name, line in lines.items()}
    display = SurrogateDisplay.from_search(search)
    names = [parameter.name for parameter in display.parameters]
    assert names == sorted(spread, key=lambda name: -spread[name])[:2]


def test_a_pickle_draws_the_same(search):
    loaded = pickle.loads(pickle.dumps(search))
    ours, theirs = (SurrogateDisplay.from_search(s, "gamma") for s in (search, loaded))
    np.testing.assert_allclose(ours.mean, theirs.mean)


def test_what_has_no_model_is_refused(search):
    X, y = load_iris(return_X_y=True)
    random = RandomSearchCV(SVC(), {"C": uniform(1, 2)}, n_iter=2, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match=r"RandomSearchCV has no model of the score.*'gp'"):
        SurrogateDisplay.from_search(random, "C")
    with pytest.raises(TypeError, match="a journal keeps results and no model"):
        SurrogateDisplay.from_search(search.journal_, "C")
    with pytest.raises(ValueError, match="no parameter 'c'"):
        SurrogateDisplay.from_search(search, "c")
    with pytest.raises(ValueError, match="One parameter or two"):
        SurrogateDisplay.from_search(search, ["C", "gamma", "kernel"])


def test_a_space_without_ends_and_one_trial():
    X, y = load_iris(return_X_y=True)
    search = BayesSearchCV(SVC(), {"tol": norm(1, 0.1)}, n_iter=1, cv=2, random_state=0)
    display = SurrogateDisplay.from_search(search.fit(X, y))
    assert np.isfinite(display.mean).all()
    assert math.isfinite(display.best)
    display.figure_.canvas.draw()


def test_where_the_constraint_forbids_there_is_nothing():
    X, y = load_iris(return_X_y=True)
    space = {"C": loguniform(1e-1, 1e1), "gamma": loguniform(1e-3, 1e0)}
    search = BayesSearchCV(
        *(SVC(), space),
        constraint=lambda params: params["C"] * params["gamma"] < 1,
        n_iter=5,
        cv=2,
        random_state=0,
    ).fit(X, y)
    display = SurrogateDisplay.from_search(search, ["C", "gamma"], n_points=13)
    C, gamma = np.meshgrid(*display.values)
    assert np.array_equal(np.isnan(display.mean), ~(C * gamma < 1))
    assert np.array_equal(np.isnan(display.acquisition), np.isnan(display.mean))


def test_a_space_that_a_function_defines():
    def space(t):
        params = {"C": t.float("C", 1e-2, 1e2, log=True), "kernel": t.categorical("k", ["rbf"])}
        return params | {"gamma": t.float(f"gamma_{t.int('n', 1, 2)}", 1e-3, 1e0, log=True)}

    X, y = load_iris(return_X_y=True)
    search = BayesSearchCV(SVC(), space, n_iter=6, cv=2, random_state=0).fit(X, y)
    display = SurrogateDisplay.from_search(search, "C")
    held = search.surrogate_.space.config(display.held | {"C": 1.0})
    assert np.isfinite(display.mean).all()
    names = set(search.surrogate_.space.values(held))
    assert names == {"C", *display.held}
