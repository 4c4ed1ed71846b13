"""The line of the incumbent is what a search would choose, were it stopped there."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from inspection.made import flat, hyperband
from matplotlib.colors import same_color
from scipy.stats import uniform
from sklearn.datasets import load_iris
from sklearn.svm import SVC

from sk_hpo import Journal, RandomSearchCV
from sk_hpo.inspection.history_display import SearchHistoryDisplay


def line(display, label):
    [found] = [one for one in display.ax_.lines if str(one.get_label()).startswith(label)]
    return np.column_stack(found.get_data())


def dots(display):
    found = [one for one in display.ax_.lines if one.get_marker() == "o"]
    marks = [one for one in found if one.get_markersize() == 4]
    return np.concatenate([np.column_stack(one.get_data()) for one in marks])


def in_order(search):
    """Rows of cv_results_ as they came, and when that was."""
    results = search.cv_results_
    folds = {
        (trial.id, resource): outcome.folds
        for trial in search.history_
        for resource, outcome in trial.outcomes.items()
    }
    keys = list(zip(results["trial"], results["n_resources"], strict=True))
    first = min(fold.began for of in folds.values() for fold in of)
    ended = [max(fold.ended for fold in folds[key]) - first for key in keys]
    order = np.lexsort((results["trial"], results["iter"], results["bracket"], ended))
    return order, np.array(ended)


def chosen_after(search, rows):
    """The best score at the highest resource among rows, by brute force."""
    scores = search.cv_results_["mean_test_accuracy"][rows]
    resources = search.cv_results_["n_resources"][rows]
    sound = np.isfinite(scores)
    if not sound.any():
        return np.nan
    return scores[sound & (resources == resources[sound].max())].max()


@pytest.mark.parametrize("x", ["trials", "resource", "seconds"])
def test_the_line_is_what_would_be_chosen(failing_hyperband, x):
    search, results = failing_hyperband, failing_hyperband.cv_results_
    order, ended = in_order(search)
    spent, reached, along, expected = 0, {}, [], {}
    for k, row in enumerate(order, start=1):
        trial, resource = results["trial"][row], results["n_resources"][row]
        if np.isfinite(results["mean_test_accuracy"][row]):  # others were refused at once
            spent += 3 * (resource - reached.get(trial, 0))
            reached[trial] = resource
        seen = len(set(results["trial"][order[:k]]))
        along.append({"trials": seen, "resource": spent, "seconds": ended[row]}[x])
        expected[along[-1]] = chosen_after(search, order[:k])
    expected = [(at, best) for at, best in expected.items() if np.isfinite(best)]

    display = SearchHistoryDisplay.from_search(search, x=x)
    drawn = line(display, "HalvingHyperbandSearchCV")
    np.testing.assert_allclose(drawn, expected)
    assert drawn[-1, 1] == search.best_score_
    scores = results["mean_test_accuracy"][order]
    sound = np.isfinite(scores)
    assert 0 < sound.sum() < len(sound)
    along = np.array(along)
    np.testing.assert_allclose(dots(display), np.column_stack([along, scores])[sound])
    crosses = line(display, "failed")
    np.testing.assert_allclose(crosses[:, 0], along[~sound])
    assert display.ax_.get_ylabel() == "CV accuracy (mean of 3 folds)"


def test_a_pickle_and_a_journal_look_the_same(failing_hyperband):
    drawn = [
        line(SearchHistoryDisplay.from_search(search), "HalvingHyperbandSearchCV")
        for search in (
            failing_hyperband,
            pickle.loads(pickle.dumps(failing_hyperband)),
            Journal.read(failing_hyperband.journal_),
            failing_hyperband.journal_,
        )
    ]
    for other in drawn[1:]:
        np.testing.assert_array_equal(other, drawn[0])


def test_who_lost_a_race_is_no_incumbent():
    search = RandomSearchCV(
        SVC(), {"C": uniform(0.01, 1)}, n_iter=8, fold_racing=True, random_state=0
    )
    search.fit(*load_iris(return_X_y=True))
    scores = np.array([search.cv_results_[f"split{k}_test_score"] for k in range(5)])
    assert np.isnan(scores).any()
    full = np.where(np.isnan(scores).any(axis=0), -np.inf, scores.mean(axis=0))
    display = SearchHistoryDisplay.from_search(search)
    drawn = line(display, "RandomSearchCV")
    np.testing.assert_allclose(drawn[:, 1], np.maximum.accumulate(full))
    assert display.ax_.get_xlabel() == "Candidates tried"
    assert all(tick == int(tick) for tick in display.ax_.get_xticks())


def test_seeds_are_a_mean_and_a_band():
    sizes = 5, 8, 12
    seeds = [flat(n, seed=seed) for seed, n in enumerate(sizes)]
    best = np.array(
        [
            [
                np.nanmax([trial.last.score for trial in sorted_by_end(one)[:k]] + [-np.inf])
                for k in range(1, 13)
            ]
            for one in seeds
        ]
    )
    known = np.isfinite(best).all(axis=0)
    x, best = np.arange(1, 13)[known], best[:, known]
    display = SearchHistoryDisplay({"a": seeds, "b": [flat(3)]}).plot(x="trials")
    drawn = line(display, "a (mean of 3)")
    np.testing.assert_allclose(drawn, np.column_stack([x, best.mean(axis=0)]))

    [band] = display.ax_.collections
    corners = {tuple(np.round(at, 9)) for at in band.get_paths()[0].vertices}
    spread = best.std(axis=0, ddof=1)
    low = np.maximum(best.mean(axis=0) - spread, best.min(axis=0))
    high = np.minimum(best.mean(axis=0) + spread, best.max(axis=0))
    assert {tuple(at) for at in np.round(np.column_stack([x, low]), 9)} <= corners
    assert {tuple(at) for at in np.round(np.column_stack([x, high]), 9)} <= corners
    lines = {str(one.get_label()): one.get_color() for one in display.ax_.lines}
    assert not same_color(lines["a (mean of 3)"], lines["b"])


def sorted_by_end(record):
    return sorted(record.trials, key=lambda trial: (trial.last.ended, trial.id))


def test_a_fit_without_rungs_is_a_full_training_beside_others():
    searches = {"random": [flat(6)], "Hyperband": [hyperband(27)]}
    display = SearchHistoryDisplay(searches).plot()
    assert line(display, "random")[-1, 0] == 6 * 3 * 27
    assert line(display, "Hyperband")[-1, 0] == sum(
        rung.cost for _, rung in hyperband(27).results()
    )
    assert display.ax_.get_xlabel() == "Resource spent (epochs, all folds)"


def test_one_search_that_diverged_hides_no_other():
    record = flat(30)
    worst = replace(record.trials[3].last, score=-1e9)
    trials = list(record.trials)
    trials[3] = replace(trials[3], rungs=(worst,))
    display = SearchHistoryDisplay({"a": [replace(record, trials=tuple(trials))]}).plot()
    assert display.ax_.get_ylim()[0] > -1
    [edge] = [one for one in display.ax_.lines if one.get_marker() == "v"]
    assert len(edge.get_xdata()) == 1


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="x must be one of"):
        SearchHistoryDisplay({"a": [flat(2)]}).plot(x="time")
    other = replace(hyperband(3), resource="n_samples")
    with pytest.raises(ValueError, match=r"\['epochs', 'n_samples'\]"):
        SearchHistoryDisplay({"a": [hyperband(3)], "b": [other]}).plot()
    with pytest.raises(TypeError, match="not a list"):
        SearchHistoryDisplay.from_searches([flat(2)])
    [trial] = flat(1).trials
    runs = tuple(replace(run, began=np.nan, ended=np.nan) for run in trial.last.runs)
    old = replace(flat(1), trials=(replace(trial, rungs=(replace(trial.last, runs=runs),)),))
    with pytest.raises(ValueError, match="is not known"):
        SearchHistoryDisplay({"a": [old]}).plot(x="seconds")
