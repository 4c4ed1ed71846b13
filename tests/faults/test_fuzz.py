"""Whatever happened to the bytes of a journal: it is refused, or the search ends as ever."""

from __future__ import annotations

from faults.fuzzing import Whole, edited
from hypothesis import given, settings

WHOLE = Whole()


def test_what_nothing_happened_to():
    assert not WHOLE.refuses(WHOLE.data)


@settings(max_examples=100)
@given(edited(WHOLE.data))
def test_edited_bytes(data):
    WHOLE.refuses(data)
