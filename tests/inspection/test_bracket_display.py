"""Everyone stands where it ranks, and lines lead from rung to rung for who was promoted."""

import numpy as np
from inspection.made import asha, hyperband

from sk_hpo.inspection.bracket_display import BracketDisplay


def ranks(results, metric):
    """(bracket, resource) -> trials from best to worst, failures last."""
    found = {}
    score = np.nan_to_num(results[f"mean_test_{metric}"], nan=-np.inf)
    for row in np.lexsort((results["trial"], -score)):
        place = results["bracket"][row], results["n_resources"][row]
        found.setdefault(place, []).append(results["trial"][row])
    return found


def dots(ax, label):
    found = [line for line in ax.lines if str(line.get_label()).startswith(label)]
    return {tuple(at) for line in found for at in np.column_stack(line.get_data())}


def test_lines_are_promotions(failing_hyperband):
    results = failing_hyperband.cv_results_
    places = ranks(results, "accuracy")
    column = {place: i for i, place in enumerate(sorted(places))}
    at = {
        (trial, place[1]): (column[place], rank)
        for place, trials in places.items()
        for rank, trial in enumerate(trials, start=1)
    }
    paths = {}
    for trial, resource in sorted(at):
        paths.setdefault(trial, []).append(at[trial, resource])

    display = BracketDisplay.from_search(failing_hyperband)
    [lines] = display.ax_.collections
    drawn = [line.tolist() for line in lines.get_segments()]
    assert sorted(drawn) == sorted(
        [list(p) for p in path] for path in paths.values() if path[1:]
    )
    assert sum(len(line) - 1 for line in drawn) == len(at) - len(paths)

    lost = {
        at[trial, resource]
        for trial, resource, score in zip(
            results["trial"], results["n_resources"], results["mean_test_accuracy"], strict=True
        )
        if np.isnan(score)
    }
    stopped = {path[-1] for path in paths.values()}
    top = {at[trial, resource] for trial, resource in at if resource == 9}
    assert dots(display.ax_, "promoted") == set(at.values()) - stopped
    assert dots(display.ax_, "failed") == lost
    assert dots(display.ax_, "at the top") == top - lost
    assert dots(display.ax_, "not promoted") == stopped - top - lost
    labels = [int(label.get_text()) for label in display.ax_.get_xticklabels()]
    assert labels == [resource for _, resource in sorted(places)]


def test_many_brackets_share_columns():
    few, many = hyperband(9, repeats=4), hyperband(9, repeats=6)
    apart, shared = (BracketDisplay(one).plot().ax_ for one in (few, many))
    assert len(apart.get_xticks()) == 4 * 6
    assert [tick.get_text() for tick in shared.get_xticklabels()] == list("139399")
    titles = [text.get_text() for text in shared.texts]
    assert titles == ["6 brackets", "6", "6"]
    promoted = sum(len(trial.rungs) > 1 for trial in many.trials)
    assert len(shared.collections[0].get_segments()) == promoted


def test_of_thousands_each_has_a_place():
    record = asha(5000)
    ax = BracketDisplay(record).plot().ax_
    n = sum(len(line.get_xdata()) for line in ax.lines if line.get_label()[0] != "c")
    assert n == len(list(record.results()))
    assert ax.get_yscale() == "log"
    assert ax.get_ylim()[0] > 5000 > 1 > ax.get_ylim()[1]
