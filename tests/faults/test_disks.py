"""A disk that takes no more ends no search, and spoils no journal."""

from __future__ import annotations

import shutil
import subprocess
import warnings

import numpy as np
import pytest
from faults.cases import SGD
from faults.cheap import Cheap, X, y
from faults.runs import Run, same, undisturbed
from scipy.stats import loguniform, uniform

from sk_hpo import HalvingHyperbandSearchCV, Journal, JournalError, RandomSearchCV

GIVEN = {"cv": 2, "random_state": 0, "leakage": "ignore", "refit": False}


def random(**params):
    return RandomSearchCV(Cheap(), {"x": uniform(0, 1)}, n_iter=40, **GIVEN, **params)


def hyperband(**params):
    space = {"alpha": loguniform(1e-5, 1e-1)}
    params = {"max_resources": 9, "brackets": 1, "accelerator": "off"} | params
    return HalvingHyperbandSearchCV(SGD(), space, **GIVEN, **params)


def equal(one, other):
    for name, column in other.cv_results_.items():
        if "_time" not in name:
            np.testing.assert_array_equal(one.cv_results_[name], column, err_msg=name)


@pytest.fixture
def disk(tmp_path):
    """Return a file system of 64 kB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    options = ("-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", folder)
    if mount is None or subprocess.run([mount, *options], capture_output=True).returncode:
        pytest.skip("this user may not mount")
    yield folder
    subprocess.run(["umount", folder], check=True)


def fill(disk, leave):
    """Fill the disk but for `leave` bytes; return the file that does it."""
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(shutil.disk_usage(disk).free - leave))
    assert shutil.disk_usage(disk).free == leave
    return ballast


def fitted(search):
    """Return a search, and the messages of its warnings."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        search.fit(X, y)
    return search, [str(entry.message) for entry in told]


def test_a_journal_that_fills_its_disk(disk):
    ballast = fill(disk, leave=8192)
    expected = random().fit(X, y)
    full, told = fitted(random(journal=disk / "journal"))
    equal(full, expected)
    first, last = told
    assert "No space left on device" in first
    assert "The search goes on" in first
    assert "What is missing will be trained again" in last
    assert 0 < len(Journal.read(disk / "journal").trials) < 40
    ballast.unlink()
    whole, told = fitted(random(journal=disk / "journal"))
    equal(whole, expected)
    assert not told
    assert Journal.read(disk / "journal").stopped_by == "done"
    assert len(Journal.read(disk / "journal").trials) == 40


@pytest.mark.parametrize("leave", [12288, 32768])
def test_paused_models_that_do_not_fit(disk, leave):
    ballast = fill(disk, leave)
    expected = hyperband().fit(X, y)
    full, told = fitted(hyperband(journal=disk / "journal"))
    equal(full, expected)
    assert any("A paused model could not be written" in text for text in told)
    Journal.read(disk / "journal")
    ballast.unlink()
    whole, told = fitted(hyperband(journal=disk / "journal"))
    equal(whole, expected)
    assert not told
    assert sorted(path.name for path in disk.iterdir()) == ["journal"]


def test_a_disk_that_is_full_at_the_start(disk):
    ballast = fill(disk, leave=0)
    with pytest.raises(JournalError, match="No space left on device"):
        random(journal=disk / "journal").fit(X, y)
    ballast.unlink()
    equal(random(journal=disk / "journal").fit(X, y), random().fit(X, y))


@pytest.mark.parametrize("case", ["random", "epochs"])
def test_files_that_may_not_grow(tmp_path, case):
    """The same by a quota, on any machine, in a process of its own."""
    params = {"n_iter": 30} if case == "random" else {}
    with Run(case, tmp_path, params, {"largest": 3000}, marked=False) as run:
        found = run.end()
    expected = undisturbed(case, tmp_path / "undisturbed", params)
    same(found, expected)
    assert sum("cannot be written" in text for text in found["warnings"]) == 2
    n_known = len(Journal.read(tmp_path / "journal").trials)
    with Run(case, tmp_path, params, marked=False) as run:
        found = run.end()
    same(found, expected)
    assert not found["warnings"]
    assert n_known < len(Journal.read(tmp_path / "journal").trials)
