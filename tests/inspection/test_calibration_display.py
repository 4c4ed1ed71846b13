"""Each score stands where the search says, with its interval."""

import numpy as np
import pytest
from inspection.made import flat
from scipy.stats import loguniform
from sklearn.datasets import load_iris
from sklearn.svm import SVC

from sk_hpo import OneStandardError, RandomSearchCV
from sk_hpo.inspection.calibration_display import CalibrationOfScoresDisplay


def rows(ax):
    """Name of a row -> score, low and high ends of its bar."""
    names = [label.get_text() for label in ax.get_yticklabels()]
    found = {}
    for mark in ax.containers:
        line, _, bars = mark.lines
        score, row = line.get_xdata()[0], int(line.get_ydata()[0])
        ends = bars[0].get_segments()[0][:, 0] if bars else (np.nan, np.nan)
        found[names[row]] = (score, *ends)
    return found


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    search = RandomSearchCV(
        SVC(),
        {"C": loguniform(1e-2, 1e3)},
        n_iter=8,
        cv=4,
        scoring=["accuracy", "balanced_accuracy"],
        refit="balanced_accuracy",
        test_size=0.3,
        journal=tmp_path_factory.mktemp("calibration") / "iris.journal",
        random_state=0,
    )
    return search.fit(*load_iris(return_X_y=True))


def test_scores_stand_where_the_search_says(search):
    results = search.cv_results_
    splits = np.array([results[f"split{k}_test_balanced_accuracy"] for k in range(4)])
    mean = results["mean_test_balanced_accuracy"]
    error = splits.std(axis=0, ddof=1) / 2
    best = np.argsort(-mean, kind="stable")[:5]
    assert best[0] == search.best_index_

    display = CalibrationOfScoresDisplay.from_search(search, n_finalists=5)
    found = rows(display.ax_)
    expected = [f"candidate {i}" for i in best]
    assert list(found) == [expected[0], "corrected", "test set", *expected[1:]]
    for i in best:
        expected = mean[i], mean[i] - error[i], mean[i] + error[i]
        np.testing.assert_allclose(found[f"candidate {i}"], expected)
    corrected = search.corrected_score_
    np.testing.assert_allclose(found["corrected"], (corrected.estimate, *corrected.interval))
    test = search.test_score_["balanced_accuracy"]
    interval = search.test_score_interval_["balanced_accuracy"]
    np.testing.assert_allclose(found["test set"], (test, *interval))
    dots = [line for line in display.ax_.lines if line.get_markersize() == 4]
    drawn = np.sort([line.get_xdata() for line in dots], axis=1)
    np.testing.assert_allclose(drawn, np.sort(splits[:, best].T, axis=1))


def test_a_journal_has_the_scores_of_the_folds(search):
    of_search = rows(CalibrationOfScoresDisplay.from_search(search).ax_)
    of_journal = rows(CalibrationOfScoresDisplay.from_search(search.journal_).ax_)
    assert set(of_search) - set(of_journal) == {"corrected", "test set"}
    assert all(of_search[name] == of_journal[name] for name in of_journal)


def test_the_chosen_one_is_shown_though_others_have_better_scores():
    search = RandomSearchCV(
        SVC(),
        {"C": loguniform(1e-1, 1e3)},
        n_iter=12,
        refit=OneStandardError("C"),
        random_state=0,
    )
    search.fit(*load_iris(return_X_y=True))
    assert search.cv_results_["rank_test_score"][search.best_index_] > 1
    ax = CalibrationOfScoresDisplay.from_search(search, n_finalists=1).ax_
    bold = [
        label.get_text() for label in ax.get_yticklabels() if label.get_fontweight() == "bold"
    ]
    assert bold == [f"candidate {search.best_index_}"]
    assert len(ax.get_yticks()) == 2
    assert "corrected" not in rows(ax)  # a rule cannot be repeated on bootstrap samples


def test_a_score_without_an_interval_has_no_bar():
    record = flat(3, n_folds=1)
    display = CalibrationOfScoresDisplay(record, test=(0.2, np.nan, np.nan)).plot()
    found = rows(display.ax_)
    assert np.isnan([ends for _, *ends in found.values()]).all()
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["CV", "test set"]
    with pytest.raises(ValueError, match="got 0"):
        display.plot(n_finalists=0)
