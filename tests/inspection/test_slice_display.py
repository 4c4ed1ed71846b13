"""What is drawn against each parameter is what the candidates scored."""

import math
import pickle
from dataclasses import replace

import numpy as np
import pytest
from inspection.spaces import parameters, wide
from matplotlib import pyplot as plt
from scipy.stats import loguniform
from sklearn.datasets import load_iris
from sklearn.svm import SVC

from sk_hpo import BayesSearchCV
from sk_hpo.inspection.record import SearchRecord
from sk_hpo.inspection.slice_display import SliceDisplay


@pytest.fixture
def search(with_conditions):
    return with_conditions


def dots(ax):
    [found] = [each for each in ax.collections if hasattr(each, "get_sizes")]
    return found


def bars(ax):
    [container] = ax.containers
    return container.lines[2][0].get_segments()


def test_dots_and_bars_are_those_of_cv_results(search):
    display = SliceDisplay.from_search(search)
    results = search.cv_results_
    coef0, C, gamma, kernel = (
        *(display.axes_[0, 1], display.axes_[0, 0]),
        *(display.axes_[0, 2], display.axes_[0, 3]),
    )
    assert [ax.get_xlabel() for ax in (C, coef0, gamma, kernel)] == [
        *("C", "coef0", "gamma", "kernel")
    ]
    sound = np.isfinite(results["mean_test_score"])
    Cs = np.array([p["C"] for p in results["params"]])
    expected = np.column_stack([Cs, results["mean_test_score"]])
    np.testing.assert_allclose(dots(C).get_offsets(), expected[sound])
    assert C.get_xscale() == "log"
    folds = np.array([results[f"split{k}_test_score"] for k in range(3)])
    errors = folds.std(axis=0, ddof=1)[sound] / math.sqrt(3)
    lengths = [bar[1][1] - bar[0][1] for bar in bars(C)]
    np.testing.assert_allclose(lengths, 2 * errors)
    # Choices lie in their cells, and what is absent lies in a column of its own.
    kernels = [p["kernel"] for p, ok in zip(results["params"], sound, strict=True) if ok]
    cells = np.round(dots(kernel).get_offsets()[:, 0])
    assert [kernel.get_xticklabels()[int(c)].get_text() for c in cells] == kernels
    for (x, _), params in zip(
        dots(coef0).get_offsets(), np.array(results["params"])[sound], strict=True
    ):
        assert x == params["coef0"] if "coef0" in params else x > 2


def test_the_best_and_the_failures_are_marked(search):
    C = SliceDisplay.from_search(search, parameters=["C"]).ax_
    lines = {line.get_label(): line for line in C.lines}
    assert lines["best"].get_xydata() == pytest.approx(
        np.array([[search.best_params_["C"], search.best_score_]])
    )
    failed = ~np.isfinite(search.cv_results_["mean_test_score"])
    marks = lines[f"failed ({failed.sum()})"]
    Cs = np.array([p["C"] for p in search.cv_results_["params"]])
    np.testing.assert_allclose(np.sort(marks.get_xdata()), np.sort(Cs[failed]))


def test_pickles_and_journals_draw_the_same(search):
    expected = dots(SliceDisplay.from_search(search).ax_).get_offsets()
    for other in (pickle.loads(pickle.dumps(search)), search.journal_):
        np.testing.assert_allclose(
            dots(SliceDisplay.from_search(other).ax_).get_offsets(), expected
        )


def test_later_trials_are_darker_and_5000_of_them_have_no_bars():
    record = wide(5000, 20, resources=(1, 3, 9))
    display = SliceDisplay(record).plot()
    assert display.axes_.shape == (5, 4)
    of_lr = next(ax for ax in display.axes_.ravel() if ax.get_xlabel() == "lr")
    drawn = dots(of_lr)
    sound = [trial for trial in record.trials if not trial.last.failed]
    np.testing.assert_allclose(
        drawn.get_offsets(), [(t.params["lr"], t.last.score) for t in sound]
    )
    assert np.all(np.diff(drawn.get_array()) > 0)
    assert not of_lr.containers
    assert drawn.get_rasterized()
    sizes = drawn.get_sizes()
    full = np.array([t.last.resource == 9 for t in sound])
    assert sizes[full].min() > sizes[~full].max()
    [legend] = display.figure_.legends
    told = [text.get_text() for text in legend.get_texts()]
    assert told == ["first", "last", "fewer epochs", f"failed ({5000 - len(sound)})", "best"]


def test_one_bad_score_does_not_press_the_others_together():
    record = wide(30, 3, failing=0)
    first, *rest = record.trials
    bad = replace(first, rungs=(replace(first.last, score=-1e9),))
    display = SliceDisplay(replace(record, trials=(bad, *rest))).plot()
    assert display.ax_.get_ylim()[0] > -10
    assert len(dots(display.ax_).get_offsets()) == 29
    assert [line.get_marker() for line in display.ax_.lines].count("v") == 1


def test_little_is_shown_too():
    nothing = SearchRecord("RandomSearchCV", "score", None, 3, parameters(3), ())
    assert "No result" in SliceDisplay(nothing).plot().ax_.texts[0].get_text()
    display = SliceDisplay(wide(1, 5, failing=0)).plot()
    assert [len(dots(ax).get_offsets()) for ax in display.axes_.ravel()[:5]] == [1] * 5
    failed = SliceDisplay(wide(2, 5, failing=1)).plot()
    assert [text.get_text() for text in failed.figure_.legends[0].get_texts()][-1] == (
        "failed (2)"
    )


def test_axes_are_those_that_were_given():
    record = wide(5, 3)
    figure, (left, right) = plt.subplots(1, 2)
    assert SliceDisplay(record).plot(ax=left).figure_ is figure
    figure, axes = plt.subplots(1, 3)
    assert list(SliceDisplay(record).plot(ax=axes).axes_.ravel()) == list(axes)
    with pytest.raises(ValueError, match="ax has 2 axes, and 3 are needed"):
        SliceDisplay(record).plot(ax=np.array([left, right]))


def test_a_search_of_several_metrics_shows_the_one_that_chose():
    search = BayesSearchCV(
        SVC(),
        {"C": loguniform(1e-2, 1e2)},
        n_iter=4,
        cv=2,
        random_state=0,
        refit="f1_macro",
        scoring=["accuracy", "f1_macro"],
    ).fit(*load_iris(return_X_y=True))
    display = SliceDisplay.from_search(search)
    np.testing.assert_allclose(
        dots(display.ax_).get_offsets()[:, 1], search.cv_results_["mean_test_f1_macro"]
    )
    assert "f1_macro" in display.ax_.get_ylabel()
