"""A search with a journal goes on where it stopped, and ends as if it had never stopped."""

from __future__ import annotations

import os
import pickle
import stat
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from search.searches import CLASSES, SYNCHRONOUS, data, make, sgd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import KFold, cross_validate

from sk_hpo import HalvingHyperbandSearchCV, Journal, JournalError, RandomSearchCV
from sk_hpo.stop import MaxTrials, TargetScore
from sk_hpo.validation.compare_searches import compare_searches
from sk_hpo.validation.nested import nested_cross_validate

X, y = data()


class Counting(ClassifierMixin, BaseEstimator):
    """Leaves a mark for every fit; its score is its parameter."""

    def __init__(self, value=0.0, folder=None):
        self.value = value
        self.folder = folder

    def fit(self, X, y):
        if self.folder is not None:
            Path(self.folder, f"{len(os.listdir(self.folder))}").touch()
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])

    def score(self, X, y):
        return self.value


def counted(tmp_path, **params):
    folder = tmp_path / "fits"
    folder.mkdir(exist_ok=True)
    given = {"cv": 3, "random_state": 0, "journal": tmp_path / "search.journal"}
    values = {"value": list(np.linspace(0, 1, 20))}
    return RandomSearchCV(Counting(folder=str(folder)), values, **(given | params))


def n_fits(tmp_path):
    return len(os.listdir(tmp_path / "fits"))


def same(one, other):
    assert one.cv_results_.keys() == other.cv_results_.keys()
    for name, column in one.cv_results_.items():
        if "_time" not in name:
            np.testing.assert_array_equal(column, other.cv_results_[name], err_msg=name)
    assert one.best_params_ == other.best_params_


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("n_before", [1, 4])
def test_a_search_that_was_stopped_ends_like_one_that_was_not(tmp_path, kind, n_before):
    journal = tmp_path / "search.journal"
    undisturbed = make(kind).fit(X, y)
    stopped = make(kind, journal=journal, stop=MaxTrials(n_before)).fit(X, y)
    assert stopped.stopped_by_ == f"MaxTrials({n_before})"
    n_told = sum(not trial.pending for trial in stopped.history_)
    assert n_before <= n_told < len(undisturbed.history_)
    whole = make(kind, journal=str(journal)).fit(X, y)
    assert whole.stopped_by_ is None
    same(whole, undisturbed)
    assert stat.S_IMODE(journal.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["search.journal"]  # no paused models are left


@pytest.mark.parametrize("kind", SYNCHRONOUS)
def test_with_workers_too(tmp_path, kind):
    journal = tmp_path / "search.journal"
    make(kind, journal=journal, n_jobs=2, stop=MaxTrials(2)).fit(X, y)
    whole = make(kind, journal=journal, n_jobs=2).fit(X, y)
    if kind != "bayes":  # what a model knows when it is asked depends on who was first
        same(whole, make(kind).fit(X, y))
    assert whole.stopped_by_ is None


@pytest.mark.parametrize("kind", ["random", "epochs"])
def test_a_policy_counts_what_was_done_before(tmp_path, kind):
    undisturbed = make(kind, stop=MaxTrials(4)).fit(X, y)
    make(kind, journal=tmp_path / "j", stop=MaxTrials(2)).fit(X, y)
    whole = make(kind, journal=tmp_path / "j", stop=MaxTrials(4)).fit(X, y)
    assert whole.stopped_by_ == "MaxTrials(4)"
    same(whole, undisturbed)
    again = make(kind, journal=tmp_path / "j", stop=MaxTrials(4)).fit(X, y)
    assert again.stopped_by_ == "MaxTrials(4)"
    same(again, undisturbed)


def test_a_policy_that_held_begins_nothing(tmp_path):
    target = counted(tmp_path, n_iter=5, refit=False, journal=None).fit(X, y).best_score_
    n_before = n_fits(tmp_path)

    def search():
        return counted(tmp_path, n_iter=5, refit=False, stop=TargetScore(target)).fit(X, y)

    assert search().stopped_by_ == f"TargetScore({target})"
    n_first = n_fits(tmp_path)
    assert n_before < n_first < n_before + 5 * 3
    assert search().stopped_by_ == f"TargetScore({target})"
    assert n_fits(tmp_path) == n_first


def test_finished_work_is_never_done_again(tmp_path):
    counted(tmp_path, n_iter=5, stop=MaxTrials(2), refit=False).fit(X, y)
    assert n_fits(tmp_path) == 2 * 3
    counted(tmp_path, n_iter=5, refit=False).fit(X, y)
    assert n_fits(tmp_path) == 5 * 3
    counted(tmp_path, n_iter=5, refit=False).fit(X, y)
    assert n_fits(tmp_path) == 5 * 3
    counted(tmp_path, n_iter=5).fit(X, y)
    assert n_fits(tmp_path) == 5 * 3 + 1  # the refit


def test_what_was_in_the_journal_is_told(tmp_path, capsys):
    first = counted(tmp_path, n_iter=5, stop=MaxTrials(2), refit=False).fit(X, y)
    assert "journal:" not in str(first.summary())
    second = counted(tmp_path, n_iter=5, refit=False, verbose=1).fit(X, y)
    assert f"6 fits are in the journal {tmp_path / 'search.journal'}" in capsys.readouterr().out
    assert "journal: 6 of the fits were in it" in str(second.summary())
    raised = counted(tmp_path, n_iter=7, refit=False).fit(X, y)
    assert "journal: 15 of the fits were in it" in str(raised.summary())


def test_a_single_fold_is_finished_work(tmp_path):
    class Stops(Counting):
        def fit(self, X, y):
            if self.folder and n_fits(tmp_path) == 4 and not (tmp_path / "told").exists():
                (tmp_path / "told").touch()
                raise SystemExit("as if it were killed")
            return super().fit(X, y)

    def search():
        params = {"n_iter": 3, "refit": False}
        return counted(tmp_path, **params).set_params(
            estimator=Stops(folder=str(tmp_path / "fits"))
        )

    with pytest.raises(SystemExit):
        search().fit(X, y)
    assert n_fits(tmp_path) == 4  # a candidate, and one fold of the second
    search().fit(X, y)
    assert n_fits(tmp_path) == 3 * 3


def test_more_iterations_go_on(tmp_path):
    counted(tmp_path, n_iter=4, refit=False).fit(X, y)
    more = counted(tmp_path, n_iter=7, refit=False).fit(X, y)
    assert n_fits(tmp_path) == 7 * 3
    same(more, counted(tmp_path, n_iter=7, refit=False, journal=None).fit(X, y))
    with pytest.raises(JournalError, match=r"n_iter: 7 in the journal, 6 now.*only grow"):
        counted(tmp_path, n_iter=6).fit(X, y)


def test_higher_rungs_go_on(tmp_path):
    def search(max_resources, **params):
        space = {"alpha": [1e-5, 1e-4, 1e-3, 1e-2], "penalty": ["l1", "l2", "elasticnet"]}
        params = {"cv": 2, "random_state": 1, "max_resources": max_resources} | params
        return HalvingHyperbandSearchCV(sgd(), space, **params)

    journal = tmp_path / "search.journal"
    first = search(4, factor=2, journal=journal).fit(X, y)
    higher = search(16, factor=2, journal=journal).fit(X, y)
    same(higher, search(16, factor=2).fit(X, y))
    # What was known was read, so that it has the times that it took the first time.
    known = pd.DataFrame(first.cv_results_).set_index(["trial", "n_resources"])
    again = pd.DataFrame(higher.cv_results_).set_index(["trial", "n_resources"])
    both = known.index.intersection(again.index)
    assert len(both) > 3
    columns = ["param_alpha", "param_penalty"]
    alike = (known.loc[both, columns] == again.loc[both, columns]).all(axis=1)
    times = known.loc[both, "mean_fit_time"] == again.loc[both, "mean_fit_time"]
    assert (times[alike]).all()
    # The journal alone tells of the search that is in force.
    frame = Journal.read(journal).to_frame()
    assert len(frame) == len(higher.cv_results_["params"])
    same(search(16, factor=2, journal=journal).fit(X, y), higher)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"cv": 2}, "data.cv"),
        ({"scoring": "f1_macro"}, "scoring: None in the journal, 'f1_macro' now"),
        ({"estimator": sgd(loss="log_loss")}, "estimator.loss"),
        ({"param_distributions": {"alpha": [1, 2, 3, 4, 5]}}, "space.alpha"),
        ({"random_state": 1}, "seed"),
        ({"test_size": 0.2}, "test_size"),
    ],
)
def test_another_search_is_refused(tmp_path, change, told):
    journal = tmp_path / "search.journal"
    make("random", journal=journal).fit(X, y)
    before = journal.read_bytes()
    with pytest.raises(JournalError, match=told.replace(".", r"\.")):
        make("random", journal=journal).set_params(**change).fit(X, y)
    assert journal.read_bytes() == before


def test_other_data_are_refused(tmp_path):
    make("random", journal=tmp_path / "j").fit(X, y)
    changed = X.copy()
    changed[3, 2] += 1e-9
    with pytest.raises(JournalError, match=r"data\.X"):
        make("random", journal=tmp_path / "j").fit(changed, y)
    with pytest.raises(JournalError, match=r"data\.y"):
        make("random", journal=tmp_path / "j").fit(X, y[::-1])


@pytest.mark.parametrize(
    "change",
    [
        {"n_jobs": 2},
        {"verbose": 1},
        {"refit": False},
        {"time_budget": 1e6},
        {"accelerator": "off"},
        {"leakage": "ignore"},
    ],
)
def test_what_changes_no_result_may_change(tmp_path, change, capsys):
    first = make("random", journal=tmp_path / "j").fit(X, y)
    second = make("random", journal=tmp_path / "j", **change).fit(X, y)
    for name, column in first.cv_results_.items():
        np.testing.assert_array_equal(column, second.cv_results_[name], err_msg=name)


def test_without_a_random_state_the_journal_has_the_seed(tmp_path):
    def search(**params):
        return make("random", random_state=None, journal=tmp_path / "j", **params)

    stopped = search(stop=MaxTrials(2)).fit(X, y)
    whole = search().fit(X, y)
    np.testing.assert_array_equal(
        whole.cv_results_["mean_test_score"][:2],
        [trial.outcome.score for trial in stopped.history_ if not trial.pending],
    )


def test_a_search_without_a_seed_for_its_folds_is_told(tmp_path):
    cv = KFold(3, shuffle=True)
    make("random", journal=tmp_path / "j", cv=cv).fit(X, y)
    with pytest.raises(JournalError, match=r"data\.cv"):
        make("random", journal=tmp_path / "j", cv=cv).fit(X, y)


def test_failures_and_several_metrics_come_back(tmp_path):
    def search(**params):
        return make(
            "random",
            space={"alpha": [1e-4, -1.0, 1e-3, 1e-2, -2.0]},
            scoring=["accuracy", "f1_macro"],
            refit="f1_macro",
            return_train_score=True,
            **params,
        )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = search().fit(X, y)
        search(journal=tmp_path / "j", stop=MaxTrials(2)).fit(X, y)
        whole = search(journal=tmp_path / "j").fit(X, y)
    same(whole, expected)
    frame = Journal.read(tmp_path / "j").to_frame()
    assert (frame["status"] == "failed").sum() == 2
    assert frame["error"].dropna().str.contains("alpha").all()


def test_predictions_come_back(tmp_path):
    expected = make("random", keep_predictions=True).fit(X, y).corrected_score_
    make("random", keep_predictions=True, journal=tmp_path / "j", stop=MaxTrials(2)).fit(X, y)
    whole = make("random", keep_predictions=True, journal=tmp_path / "j").fit(X, y)
    assert whole.corrected_score_ == expected


def test_the_journal_tells_what_the_table_tells(tmp_path):
    search = make("epochs", journal=tmp_path / "j").fit(X, y)
    frame = Journal.read(tmp_path / "j").to_frame()
    table = pd.DataFrame(search.cv_results_)
    for name in ["trial", "bracket", "iter", "n_resources", "param_alpha", "mean_fit_time"]:
        np.testing.assert_array_equal(frame[name], table[name], err_msg=name)
    np.testing.assert_allclose(frame["mean_test_score"], table["mean_test_score"], rtol=1e-15)


def test_a_folder_holds_a_journal_for_every_search(tmp_path):
    folder = tmp_path / "journals"
    folder.mkdir()
    search = make("random", journal=folder)
    scores = cross_validate(search, X, y, cv=2)["test_score"]
    assert len(os.listdir(folder)) == 2
    np.testing.assert_array_equal(scores, cross_validate(search, X, y, cv=2)["test_score"])
    assert len(os.listdir(folder)) == 2
    search.set_params(scoring="f1_macro").fit(X, y)
    assert Path(search.journal_).parent == folder
    assert len(os.listdir(folder)) == 3


def test_nested_cross_validation_goes_on(tmp_path):
    fits = tmp_path / "fits"
    fits.mkdir()

    def result():
        search = counted(tmp_path, n_iter=3, journal=tmp_path / "nested")
        return nested_cross_validate(search, X, y, outer_cv=2)

    first = result()
    n_first = n_fits(tmp_path)
    assert n_first == 3 * (3 * 3 + 1)
    second = result()
    assert n_fits(tmp_path) == n_first + 3  # refits alone
    np.testing.assert_array_equal(first.outer_scores, second.outer_scores)


def test_searches_that_are_compared_each_have_a_journal(tmp_path):
    searches = {
        name: counted(tmp_path, n_iter=n, journal=tmp_path / "compared")
        for name, n in [("few", 2), ("more", 4)]
    }
    first = compare_searches(searches, X, y, outer_cv=2)
    n_first = n_fits(tmp_path)
    assert n_first == 2 * ((2 + 4) * 3 + 2)
    second = compare_searches(searches, X, y, outer_cv=2)
    assert n_fits(tmp_path) == n_first + 4  # refits alone
    assert first["outer_score"].tolist() == second["outer_score"].tolist()


def test_a_file_cannot_be_the_journal_of_several_fits(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="must be a folder"):
        nested_cross_validate(counted(tmp_path, journal=tmp_path / "file"), X, y, outer_cv=2)
    assert n_fits(tmp_path) == 0


def test_two_searches_at_once_are_refused(tmp_path):
    class Nests(Counting):
        def fit(self, X, y):
            with pytest.raises(JournalError, match=f"in use by process {os.getpid()}"):
                counted(tmp_path, n_iter=2).fit(X, y)
            return super().fit(X, y)

    search = counted(tmp_path, n_iter=2, refit=False)
    assert search.set_params(estimator=Nests()).fit(X, y).stopped_by_ is None


def test_a_disk_that_is_full_ends_no_search(tmp_path, monkeypatch):
    written = os.pwrite

    def full(fd, data, offset):
        if offset > 10_000:
            raise OSError(28, "No space left on device")
        return written(fd, data, offset)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.warns(RuntimeWarning, match="No space left on device") as told:
        search = counted(tmp_path, n_iter=20, refit=False).fit(X, y)
    once, at_the_end = (str(warning.message) for warning in told)
    assert once.endswith("The search goes on.")
    assert at_the_end.endswith("will be trained again if the search goes on.")
    assert n_fits(tmp_path) == 20 * 3
    monkeypatch.undo()
    known = len(Journal.read(tmp_path / "search.journal").trials)
    assert 0 < known < 20
    same(counted(tmp_path, n_iter=20, refit=False).fit(X, y), search)


def test_paused_models_lie_in_a_private_folder_while_the_search_is_not_done(tmp_path):
    journal = tmp_path / "j"
    make("epochs", journal=journal, stop=MaxTrials(3)).fit(X, y)
    folder = Path(f"{journal}.d")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert len(list(folder.iterdir())) >= 3
    expected = make("epochs").fit(X, y)
    for i, path in enumerate(sorted(folder.iterdir())):
        if i % 3 == 0:
            path.write_bytes(path.read_bytes()[:-7])
        elif i % 3 == 1:
            path.unlink()
        else:
            path.write_bytes(pickle.dumps(Harmful(tmp_path / "harm")))
    same(make("epochs", journal=journal).fit(X, y), expected)
    assert not (tmp_path / "harm").exists()


class Harmful:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_folder_that_others_may_write_to_is_refused(tmp_path):
    folder = tmp_path / "j.d"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(JournalError, match="may be written by others"):
        make("random", journal=tmp_path / "j").fit(X, y)


@pytest.mark.parametrize("path", ["no/such/folder/j", "text"])
def test_a_path_that_cannot_be_used_is_told_before_any_training(tmp_path, path):
    (tmp_path / "text").write_text("a poem\n")
    with pytest.raises(JournalError):
        counted(tmp_path, journal=tmp_path / path).fit(X, y)
    assert n_fits(tmp_path) == 0
    assert (tmp_path / "text").read_text() == "a poem\n"


def test_a_fitted_search_with_a_journal_can_be_pickled(tmp_path):
    search = make("random", journal=tmp_path / "j").fit(X, y)
    copy = pickle.loads(pickle.dumps(search))
    assert copy.journal_ == search.journal_ == str(tmp_path / "j")
