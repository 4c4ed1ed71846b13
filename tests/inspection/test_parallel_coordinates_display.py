"""What is drawn as parallel coordinates is what the candidates were."""

import math
import pickle
from dataclasses import replace

import numpy as np
import pytest
from inspection.spaces import wide
from matplotlib import pyplot as plt
from scipy.stats import loguniform
from sklearn.datasets import load_iris
from sklearn.svm import SVC

from sk_hpo import HalvingHyperbandSearchCV, Journal
from sk_hpo.inspection.parallel_coordinates_display import ParallelCoordinatesDisplay
from sk_hpo.inspection.record import Parameter, SearchRecord, TrialRecord


@pytest.fixture
def search(with_conditions):
    return with_conditions


def legend(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def test_lines_go_through_the_values_that_cv_results_has(search):
    display = ParallelCoordinatesDisplay.from_search(
        search, parameters=["C", "coef0", "kernel"]
    )
    results = search.cv_results_
    mean = results["mean_test_score"]
    sound = np.flatnonzero(np.isfinite(mean))
    order = sound[np.argsort(mean[sound], kind="stable")]
    drawn = display.lines_
    np.testing.assert_allclose(np.sort(drawn.get_array()), np.sort(mean[sound]))
    assert list(drawn.get_array()) == sorted(drawn.get_array())  # the best is drawn last
    for path, score in zip(drawn.get_paths(), drawn.get_array(), strict=True):
        C, coef0, kernel = path.vertices[:, 1]
        fits = [
            i
            for i in order
            if mean[i] == score
            and math.isclose(math.log10(results["params"][i]["C"]) / 4 + 0.5, C, abs_tol=1e-9)
        ]
        [i] = fits
        params = results["params"][i]
        if params["kernel"] == "poly":
            assert coef0 == pytest.approx(params["coef0"] / 2)
            assert 0.5 < kernel < 1
        else:
            assert -0.2 < coef0 < -0.05  # absent: below the axis
            assert 0 < kernel < 0.5
    assert [text.get_text() for text in display.ax_.texts].count("absent") == 1


def test_the_best_and_the_failures_are_marked(search):
    display = ParallelCoordinatesDisplay.from_search(search, parameters=["C"])
    results = search.cv_results_
    n_failed = int((~np.isfinite(results["mean_test_score"])).sum())
    assert n_failed > 0
    assert legend(display) == [f"failed ({n_failed})", f"best: {search.best_score_:.4g}"]
    labels = {line.get_label(): line for line in display.ax_.lines}
    best = labels[f"best: {search.best_score_:.4g}"]
    assert best.get_ydata() == pytest.approx([math.log10(search.best_params_["C"]) / 4 + 0.5])
    dashed = [line for line in display.ax_.lines if line.get_linestyle() == "--"]
    expected = [
        math.log10(params["C"]) / 4 + 0.5
        for params, mean in zip(results["params"], results["mean_test_score"], strict=True)
        if not np.isfinite(mean)
    ]
    assert sorted(line.get_ydata()[0] for line in dashed) == pytest.approx(sorted(expected))


def test_pickles_and_journals_draw_the_same(search):
    def drawn(of):
        found = ParallelCoordinatesDisplay.from_search(of, parameters=["gamma", "kernel"])
        return np.array([path.vertices for path in found.lines_.get_paths()])

    expected = drawn(search)
    for other in (
        pickle.loads(pickle.dumps(search)),
        Journal.read(search.journal_),
        search.journal_,
    ):
        np.testing.assert_allclose(drawn(other), expected)


def test_5000_lines_over_20_parameters_are_drawn_whole():
    record = wide(5000, 20, resources=(1, 3, 9))
    fig, ax = plt.subplots()
    display = ParallelCoordinatesDisplay(record).plot(ax=ax)
    assert display.figure_ is fig
    failed = sum(trial.last.failed for trial in record.trials)
    assert len(display.lines_.get_paths()) == 5000 - failed
    assert display.lines_.get_rasterized()
    assert len(ax.get_xticks()) == 20
    widths = np.array(display.lines_.get_linewidths())
    by_score = sorted(
        (t.last for t in record.trials if not t.last.failed), key=lambda rung: rung.score
    )
    full = np.array([rung.resource for rung in by_score]) == 9
    assert min(widths[full]) > max(widths[~full])
    # So many failures would hide the rest as lines: they are ticks on each axis.
    [marks] = [line for line in ax.lines if len(line.get_xdata()) == 20 * failed]
    assert marks.get_linestyle() == "None"


def test_one_bad_score_does_not_take_all_colours():
    record = wide(30, 3, failing=0)
    worst = record.trials[3]
    rung = replace(worst.last, score=-1e6)
    trials = tuple(replace(t, rungs=(rung,)) if t is worst else t for t in record.trials)
    display = ParallelCoordinatesDisplay(replace(record, trials=trials)).plot()
    low, high = display.lines_.get_clim()
    assert high == max(t.last.score for t in trials)
    assert high - low < 10


def test_little_is_shown_too():
    lr = Parameter("lr", "number", low=1.0, high=1.0)
    pending = TrialRecord(0, 0, {"lr": 1.0})
    for trials in ((), (pending,)):
        record = SearchRecord("RandomSearchCV", "score", None, 3, (lr,), trials)
        display = ParallelCoordinatesDisplay(record).plot()
        assert "No result" in display.ax_.texts[0].get_text()
        assert display.lines_ is None
    one = wide(1, 5, failing=0)
    assert len(ParallelCoordinatesDisplay(one).plot().lines_.get_paths()) == 1
    all_failed = ParallelCoordinatesDisplay(wide(3, 5, failing=1)).plot()
    assert legend(all_failed) == ["failed (3)"]
    all_failed.figure_.canvas.draw()


def test_an_unknown_parameter_is_refused():
    with pytest.raises(ValueError, match=r"no parameter 'C'; there are \['gamma', 'kernel', "):
        ParallelCoordinatesDisplay(wide(3, 5), parameters=["C"]).plot()


def test_every_rung_of_a_ladder_counts_once():
    X, y = load_iris(return_X_y=True)
    search = HalvingHyperbandSearchCV(
        SVC(), {"C": loguniform(1e-2, 1e2)}, resource="n_samples", cv=2, random_state=0
    ).fit(X, y)
    display = ParallelCoordinatesDisplay.from_search(search)
    last = {}
    for trial, mean in zip(
        search.cv_results_["trial"], search.cv_results_["mean_test_score"], strict=True
    ):
        last[trial] = mean  # rows of a trial are in the order of their resource
    np.testing.assert_allclose(sorted(display.lines_.get_array()), sorted(last.values()))
