"""Curves are the scores of the candidates, and the bold ones are those who came to the top."""

from dataclasses import replace

import numpy as np
from inspection.made import asha, flat, hyperband
from matplotlib.colors import same_color

from sk_hpo.inspection import style
from sk_hpo.inspection.learning_curves_display import LearningCurvesDisplay


def curves(results, metric):
    """Trial -> resource and score of its sound rows of cv_results_."""
    rows = {}
    columns = results["trial"], results["n_resources"], results[f"mean_test_{metric}"]
    for trial, resource, score in zip(*columns, strict=True):
        if np.isfinite(score):
            rows.setdefault(trial, []).append((resource, score))
    return {trial: sorted(of) for trial, of in rows.items()}


def same_lines(drawn, expected):
    assert sorted(np.round(line, 12).tolist() for line in drawn) == sorted(
        np.round(line, 12).tolist() for line in expected
    )


def test_survivors_are_bold(failing_hyperband):
    search, results = failing_hyperband, failing_hyperband.cv_results_
    expected = curves(results, "accuracy")
    reached = [of for of in expected.values() if of[-1][0] == 9]
    stopped = [of for of in expected.values() if of[-1][0] < 9]
    ax = LearningCurvesDisplay.from_search(search).ax_

    losers, winners = ax.collections
    same_lines(losers.get_segments(), [of for of in stopped if len(of) > 1])
    same_lines(winners.get_segments(), [of for of in reached if len(of) > 1])
    assert winners.get_linewidth()[0] > losers.get_linewidth()[0]
    assert losers.get_label() == f"stopped below ({len(stopped)})"
    assert winners.get_label() == f"reached 9 epochs ({len(reached)})"

    for look, of in ((style.FAINT["color"], stopped), (style.COLORS[0], reached)):
        [dots] = [
            line
            for line in ax.lines
            if line.get_marker() == "o" and same_color(line.get_color(), look)
        ]
        same_lines([np.column_stack(dots.get_data())], [[at for line in of for at in line]])
    best = results["trial"][search.best_index_]
    [chosen] = [line for line in ax.lines if str(line.get_label()).startswith("chosen")]
    np.testing.assert_allclose(np.column_stack(chosen.get_data()), expected[best])
    failed = results["n_resources"][np.isnan(results["mean_test_accuracy"])]
    [crosses] = [line for line in ax.lines if line.get_marker() == "x"]
    assert sorted(crosses.get_xdata()) == sorted(failed)


def test_rungs_are_marked_and_the_axis_is_that_of_their_spacing():
    ax = LearningCurvesDisplay(hyperband(81)).plot().ax_
    assert ax.get_xscale() == "log"
    assert list(ax.get_xticks()) == [1, 3, 9, 27, 81]

    def evenly(rungs):
        return tuple(replace(rung, resource=5 + 5 * i) for i, rung in enumerate(rungs))

    record = asha(30)
    trials = tuple(replace(trial, rungs=evenly(trial.rungs)) for trial in record.trials)
    assert max(len(trial.rungs) for trial in trials) == 4
    ax = LearningCurvesDisplay(replace(record, trials=trials)).plot().ax_
    assert ax.get_xscale() == "linear"
    assert list(ax.get_xticks()) == [5, 10, 15, 20]


def test_there_are_none_without_rungs():
    ax = LearningCurvesDisplay(flat(4)).plot().ax_
    assert [text.get_text() for text in ax.texts] == [
        "A search without rungs has no learning curves."
    ]
