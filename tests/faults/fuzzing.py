"""Journals with edited bytes, and what a search may make of them."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from faults.cheap import Cheap, X, y
from hypothesis import strategies as st
from scipy.stats import uniform

from sk_hpo import JournalError, RandomSearchCV
from sk_hpo.journal.line import line

GIVEN = {"cv": 2, "random_state": 0, "leakage": "ignore", "refit": False}


def search(journal: Path | None = None) -> Any:
    """Return a small search, with predictions in its journal."""
    space = {"x": uniform(0, 1)}
    params = {"n_iter": 3, "keep_predictions": True, "journal": journal, **GIVEN}
    return RandomSearchCV(Cheap(), space, scoring="accuracy", **params)


class Whole:
    """A search that nothing happened to.

    Attributes
    ----------
    data : bytes
        Its journal.
    """

    def __init__(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "journal")
            self._fitted = search(path).fit(X, y)
            self.data = path.read_bytes()

    def refuses(self, data: bytes) -> bool:
        """Fit with a journal of that content; assert that no harm comes of it.

        Returns
        -------
        refused : bool
            Whether there was a `JournalError`; the file is then as it was, and otherwise the
            search has ended as the undisturbed one.
        """
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "journal")
            path.touch(mode=0o600)
            path.write_bytes(data)
            try:
                found = search(path).fit(X, y)
            except JournalError:
                assert path.read_bytes() == data
                return True
            for name, column in self._fitted.cv_results_.items():
                if "_time" not in name:
                    np.testing.assert_array_equal(found.cv_results_[name], column, err_msg=name)
            return False


EDITS = ["alter", "insert", "line", "delete", "copy", "cut", "zero"]


@st.composite
def edited(draw: Any, data: bytes) -> bytes:
    """Return `data` after edits: bytes altered, put in, taken out, copied, cut or zeroed."""
    found = bytearray(data)
    lines = data.splitlines(keepends=True)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(found)))
        length = draw(st.sampled_from([1, 8, 200]))
        stop = min(len(found), start + length)
        kind = draw(
            st.sampled_from(["alter", "insert", "line", "delete", "copy", "cut", "zero"])
        )
        if kind == "alter":
            found[start:stop] = draw(st.binary(min_size=stop - start, max_size=stop - start))
        elif kind == "insert":
            found[start:start] = draw(st.binary(max_size=30))
        elif kind == "line":
            del found[start:]
            found += b"\n".join(lines[: draw(st.integers(0, len(lines)))])
        elif kind == "delete":
            del found[start:stop]
        elif kind == "copy":
            found[start:start] = found[start:stop]
        elif kind == "zero":
            found[start:stop] = bytes(stop - start)
        else:
            del found[start:]
    return bytes(found)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)


@st.composite
def forged(draw: Any, data: bytes) -> bytes:
    """Return `data` with another entry in a record, and a checksum that fits it."""
    lines = data.splitlines(keepends=True)
    n = draw(st.integers(0, len(lines) - 1))
    (_, _), (kind, content), _ = json.loads(lines[n]).items()
    place = content
    while True:
        name = draw(st.sampled_from(sorted(place))) if place else draw(st.text(max_size=5))
        inner = place.get(name)
        if not isinstance(inner, dict) or draw(st.booleans()):
            break
        place = inner
    if draw(st.booleans()):
        place[name] = draw(anything)
    else:
        place.pop(name, None)
    lines[n] = line(n, kind, content)
    return b"".join(lines)
