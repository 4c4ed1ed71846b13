from __future__ import annotations

import threading
import warnings

import pytest

from sk_hpo.execution import warned


class Demanding(UserWarning):
    def __init__(self, one, two):
        super().__init__(f"{one} {two}")


def test_what_is_caught_is_shown_as_it_was_raised():
    filters = [("default", None, Warning, None, 0)]
    with warned.caught(filters) as found:
        warnings.warn("one", UserWarning, stacklevel=1)
        warnings.warn(Demanding("two", "three"), stacklevel=1)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("default")
        shown = set()
        warned.show(found, shown)
        warned.show(found, shown)
    assert [str(w.message) for w in seen] == ["one", "Demanding: two three"]
    assert [w.filename for w in seen] == [__file__] * 2
    assert [one.module for one in found] == [__name__] * 2
    assert seen[0].category is UserWarning


def test_settings_are_as_before():
    before = list(warnings.filters), warnings.showwarning
    with warned.caught([("ignore", None, Warning, None, 0)]) as found:
        warnings.warn("unheard", stacklevel=1)
    assert found == []
    assert (list(warnings.filters), warnings.showwarning) == before


def test_overlapping_calls_in_threads_keep_their_own():
    before = list(warnings.filters), warnings.showwarning
    inside, heard = threading.Barrier(2, timeout=30), {}

    def call(name):
        with warned.caught([("always", None, Warning, None, 0)]) as found:
            inside.wait()
            warnings.warn(name, stacklevel=1)
            inside.wait()
            heard[name] = [str(one.message) for one in found]

    threads = [threading.Thread(target=call, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == {"a": ["a"], "b": ["b"]}
    assert (list(warnings.filters), warnings.showwarning) == before


def test_a_filter_for_a_module_goes_by_its_name():
    with warned.caught([("default", None, Warning, None, 0)]) as found:
        warnings.warn("one", stacklevel=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", module=__name__.replace(".", r"\."))
        with pytest.raises(UserWarning, match="one"):
            warned.show(found, set())
