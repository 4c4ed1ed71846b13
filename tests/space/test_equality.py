from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from sk_hpo.space.equality import differ, equal


class Opaque:
    """Cannot be compared, nor copied."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError


def scaled(by: float) -> Any:
    return lambda x: x * by


def recursive() -> Any:
    def f(n: int) -> int:
        return n and f(n - 1)

    return f


SAME = [
    (1, 1),
    (np.float64(0.5), 0.5),
    (float("nan"), float("nan")),
    ([1, {"a": (2,)}], [1, {"a": (2,)}]),
    (np.array([1, 2]), np.array([1, 2])),
    (Ridge(2.0), Ridge(2.0)),
    (scaled(2), scaled(2)),
    (partial(scaled, by=2), partial(scaled, by=2)),
]
OTHER = [
    (1, True),
    (1, 1.0),
    (None, 0),
    ([1, 2], [1]),
    ({"a": 1}, {"b": 1}),
    (np.array([1, 2]), np.array([1, 3])),
    (Ridge(2.0), Ridge(3.0)),
    (int, float),
]
IN_DOUBT = [
    (scaled(2), scaled(3)),
    (lambda x: x, lambda x: x + 1),
    (Opaque(), Opaque()),
    (recursive(), recursive()),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same(one: Any, other: Any) -> None:
    assert equal(one, other)
    assert type(one) is not type(other) or not differ(one, other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_another(one: Any, other: Any) -> None:
    assert not equal(one, other)
    assert differ(one, other)
    assert differ([one], [other])


@pytest.mark.parametrize(("one", "other"), IN_DOUBT)
def test_in_doubt(one: Any, other: Any) -> None:
    assert not equal(one, other)
    assert not differ(one, other)
    assert equal(one, one)
