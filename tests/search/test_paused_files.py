"""Paused models lie in a private folder, and are gone as soon as nobody needs them."""

from __future__ import annotations

import gc
import os
import signal
import stat
from concurrent import futures
from contextlib import nullcontext, suppress

import numpy as np
import pytest
from contracts.recording import LR, Recorder, X, hyperband, net, read, y
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback, Checkpoint

from sk_hpo import BayesSearchCV, RandomSearchCV
from sk_hpo.evaluation.evaluator import CrossValidation
from sk_hpo.execution.pool import PoolExecutor

pytestmark = pytest.mark.usefixtures("temporary")


# -- paused files --------------------------------------------------------------------------


def names(folder):
    return {p.name for p in folder.iterdir() if not p.name.startswith("torchinductor")}


@pytest.mark.parametrize(("n_jobs", "accelerator"), [(1, "off"), (1, "auto"), (2, "auto")])
def test_a_losers_files_go_at_once_and_the_folder_in_the_end(
    monkeypatch, temporary, n_jobs, accelerator
):
    paused, retired, seen = set(), set(), []

    class Watched(CrossValidation):
        def outcome(self, job, values):
            if job.resumable:
                paused.add(job.trial)
            return super().outcome(job, values)

        def release(self, trials):
            trials = tuple(trials)
            super().release(trials)
            retired.update(trials)
            assert stat.S_IMODE(self.context.folder.stat().st_mode) == 0o700
            files = names(self.context.folder)
            there = {name for name in files if not name.startswith(".")}  # written as a whole
            models = {name.rpartition("-")[0] for name in there}
            assert {f"{t}-{f}" for t in paused - retired for f in range(2)} <= models
            assert not {name for name in there if int(name.split("-")[0]) in retired}
            seen.append(len(files))

    monkeypatch.setattr("sk_hpo.search.running.CrossValidation", Watched)
    search = hyperband(net(), n_jobs=n_jobs, accelerator=accelerator).fit(X, y)
    assert retired == {trial.id for trial in search.history_}
    assert seen[-1] == 0
    if accelerator == "off":
        assert max(seen) == 2 * 8  # two folds each, before the ninth completes the lowest rung
    assert names(temporary) == set()


# -- errors and Ctrl-C ---------------------------------------------------------------------


class Acting(Callback):
    """Does something in the second epoch."""

    def __init__(self, act, args=()):
        self.act = act
        self.args = args

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            self.act(*self.args)


def broken():
    raise ZeroDivisionError("second epoch")


def acting(act, *args, log=None):
    callbacks = [Acting(act, args), Checkpoint(monitor=None, dirname="user")]
    return net(callbacks=callbacks + ([Recorder(log)] if log else []))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_folder_is_removed_after_an_error(temporary, n_jobs):
    with pytest.raises(ZeroDivisionError, match="second epoch") as error:
        hyperband(acting(broken), n_jobs=n_jobs).fit(X, y)
    del error
    gc.collect()
    assert names(temporary) == set()


def press():
    os.kill(os.getpid(), signal.SIGINT)


SEARCHES = {
    "hyperband": hyperband,
    "random": lambda estimator, space=LR: RandomSearchCV(estimator, space, n_iter=3, cv=2),
    "bayes": lambda estimator, space=LR: BayesSearchCV(estimator, space, n_iter=3, cv=2),
}


@pytest.mark.parametrize("kind", SEARCHES)
@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize("accelerator", ["off", "auto"])
def test_ctrl_c_during_the_training_of_a_net_ends_the_search(
    temporary, log, kind, piped, accelerator
):
    # Once, though nets that train together would all press: a second time ends the refit.
    estimator, space = acting(press_once, os.getpid(), f"{log}.flag", log=log), LR
    if piped:
        estimator = make_pipeline(StandardScaler(), estimator)
        space = {"neuralnetclassifier__lr": LR["lr"]}
    handler = signal.getsignal(signal.SIGINT)
    search = SEARCHES[kind](estimator, space).set_params(accelerator=accelerator)
    # One by one, Hyperband has results of its lowest rung, and is refitted for its one epoch.
    # Together, the nets of all brackets are one call, which is lost.
    heard = pytest.warns(UserWarning, match="the best of the .* is taken")
    refitted = kind == "hyperband" and accelerator == "off"
    with (
        nullcontext() if refitted else pytest.raises(KeyboardInterrupt) as error,
        heard if refitted else nullcontext(),
    ):
        search.fit(X, y)
    n_trained = len(read(log))
    if accelerator == "off":
        assert n_trained == {"hyperband": 18 + 1, "random": 1, "bayes": 1}[kind]
    else:  # the first epoch of all that train together, and none of the second
        assert n_trained == {"hyperband": 34, "random": 6, "bayes": 2}[kind]
    assert hasattr(search, "cv_results_") == refitted
    assert hasattr(search, "best_estimator_") == refitted
    if not refitted:
        assert "before its first candidate had a result" in str(error.value)
    assert signal.getsignal(signal.SIGINT) is handler
    del error
    gc.collect()
    assert names(temporary) == set()


@pytest.mark.parametrize("kind", ["random", "hyperband"])
def test_ctrl_c_during_the_refit_ends_the_search(temporary, kind):
    # Folds do not see it: they have half of the rows.
    estimator = net(callbacks=[PressAtRefit()])
    with pytest.raises(KeyboardInterrupt):
        SEARCHES[kind](estimator).fit(X, y)
    assert names(temporary) == set()


class PressAtRefit(Callback):
    def on_epoch_end(self, net, dataset_train=None, **kwargs):
        if len(dataset_train) == len(X):
            press()


def press_once(pid, flag):
    with suppress(FileExistsError):
        os.close(os.open(flag, os.O_CREAT | os.O_EXCL))
        os.kill(pid, signal.SIGINT)


def test_ctrl_c_while_workers_train(temporary, log, tmp_path):
    estimator = acting(press_once, os.getpid(), str(tmp_path / "flag"), log=log)
    search = hyperband(estimator, n_jobs=2, accelerator="off")  # so that there are results
    with pytest.warns(UserWarning, match="the best of the .* is taken"):
        search.fit(X, y)
    assert search.stopped_by_ == "interrupt"
    assert names(temporary) == set()
    np.testing.assert_array_equal(search.predict(X), search.best_estimator_.predict(X))
    n_trained = len(read(log))
    # The workers are free, and nothing that was queued goes on.
    search = hyperband(net(), n_jobs=2, refit=False).fit(X, y)
    assert len(read(log)) == n_trained < search.plan(X, y).cost
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_a_second_ctrl_c_does_not_wait_but_cleans_up(temporary, monkeypatch):
    executor = PoolExecutor(futures.Executor(), slots=2, owned=False)
    executor.share("data")
    assert names(temporary)

    def wait(keys):
        raise KeyboardInterrupt

    monkeypatch.setattr(futures, "wait", wait)
    with pytest.raises(KeyboardInterrupt):
        executor.close()
    assert names(temporary) == set()
