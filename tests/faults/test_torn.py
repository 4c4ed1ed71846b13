"""A journal that was cut anywhere in its last two records goes on as if nothing had been."""

from __future__ import annotations

import numpy as np
import pytest
from faults.cheap import Cheap, X, y
from scipy.stats import loguniform, uniform
from sklearn.linear_model import SGDClassifier

from sk_hpo import HalvingHyperbandSearchCV, Journal, RandomSearchCV

GIVEN = {"cv": 2, "random_state": 0, "leakage": "ignore", "refit": False}


def random(journal=None):
    return RandomSearchCV(Cheap(), {"x": uniform(0, 1)}, n_iter=2, journal=journal, **GIVEN)


def hyperband(journal=None):
    space = {"alpha": loguniform(1e-5, 1e-1)}
    params = {"max_resources": 8, "factor": 2, "brackets": 1, "accelerator": "off", **GIVEN}
    return HalvingHyperbandSearchCV(SGDClassifier(), space, journal=journal, **params)


def same(one, other):
    for name, column in other.cv_results_.items():
        if "_time" not in name:
            np.testing.assert_array_equal(one.cv_results_[name], column, err_msg=name)


@pytest.mark.parametrize("last", ["stop", "value"])
def test_every_byte_of_the_last_two_records(tmp_path, last):
    journal = tmp_path / "journal"
    expected = random(journal).fit(X, y)
    lines = journal.read_bytes().splitlines(keepends=True)
    kinds = [line.split(b'"', 4)[3].decode() for line in lines]
    if last == "value":  # the first of a candidate, just after it was asked for
        del lines[kinds.index("value") + 1 :]
    assert f'"{last}"'.encode() in lines[-1]
    data, n_before = b"".join(lines), len(b"".join(lines[:-2]))
    for end in range(n_before, len(data) + 1):
        journal.write_bytes(data[:end])
        same(random(journal).fit(X, y), expected)
        assert Journal.read(journal).stopped_by == "done"
    assert len(data) - n_before > 150


def test_every_whole_prefix_of_rungs(tmp_path):
    """The paused models are gone with the end of the search: they are trained again."""
    journal = tmp_path / "journal"
    expected = hyperband(journal).fit(X, y)
    lines = journal.read_bytes().splitlines(keepends=True)
    assert len(lines) > 30
    for n in range(1, len(lines) + 1):
        journal.write_bytes(b"".join(lines[:n]))
        same(hyperband(journal).fit(X, y), expected)
