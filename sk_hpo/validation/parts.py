"""Which rows train and which are held out: checked first, then drawn."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit
from sklearn.utils import check_array, check_random_state
from sklearn.utils.multiclass import type_of_target

__all__ = ["Rows", "parts", "row_mask"]

Rows = NDArray[np.intp]


def parts(
    n: int,
    sizes: Mapping[str, float],
    *,
    stratify: Any,
    groups: Any,
    time_ordered: bool,
    gap: int,
    random_state: Any,
    instead: str = "do not stratify",
) -> list[Rows]:
    """Return the rows to train on, then those of each size.

    Parameters
    ----------
    n : int
        Number of rows.
    sizes : mapping of str to float or int
        Of the held-out parts, in the order of time; keyed by what errors call them.
    stratify, groups, time_ordered, gap, random_state, instead
        As in `sk_hpo.validation.splits.hold_out`.

    Raises
    ------
    ValueError
        As in `sk_hpo.validation.splits.hold_out`.
    """
    counts = _row_counts(n, sizes, gap)
    if time_ordered:
        _check_alone(stratify=stratify, groups=groups, random_state=random_state)
        return _in_order(n, counts, gap)
    if gap:
        raise ValueError(f"gap={gap} is only for rows in order: give time_ordered=True too.")
    clusters = None if groups is None else _clusters(groups, n)
    if clusters is not None and (n_groups := len(np.unique(clusters))) <= len(sizes):
        raise ValueError(
            f"groups has {n_groups} distinct value(s), too few for {len(sizes) + 1} parts of"
            " whole groups: give more groups, or none."
        )
    classes = None if stratify is None else _classes(stratify, n)
    if classes is not None:
        left = n - (sum(counts.values()) if clusters is None else 0)
        _check_classes(classes, clusters, {"the training part": left, **counts}, instead)
    return _drawn(n, counts, classes, clusters, check_random_state(random_state), instead)


def row_mask(indices: Any, n: int) -> NDArray[np.bool_]:
    """Return which of `n` rows are meant.

    Parameters
    ----------
    indices : array-like of int, or of bool of shape (n,)
        Row numbers or a mask.
    n : int
        Number of rows.

    Raises
    ------
    ValueError
        If the indices do not fit, or name no row or every row.
    """
    array = np.asarray(indices)
    if array.dtype == bool:
        if array.shape != (n,):
            raise ValueError(f"indices is a mask of shape {array.shape} for {n} rows of X.")
        mask = array
    elif array.size and (array.ndim != 1 or array.dtype.kind not in "iu"):
        raise ValueError(
            f"indices has shape {array.shape} and dtype {array.dtype}: give row numbers, or a"
            " mask with one value per row."
        )
    else:
        outside = array[(array < 0) | (array >= n)]
        if len(outside):
            raise ValueError(
                f"indices has {len(outside)} row number(s) such as {outside[0]}, but X has"
                f" the rows 0 to {n - 1}."
            )
        mask = np.bincount(array.astype(np.intp), minlength=n).astype(bool)
    if not 0 < mask.sum() < n:
        raise ValueError(
            f"indices names {mask.sum()} of {n} rows of X: leave rows to validate on and rows"
            " to train on."
        )
    return mask


# -- what is asked for --------------------------------------------------------------------


def _row_counts(n: int, sizes: Mapping[str, float], gap: int) -> dict[str, int]:
    """Return the number of rows for each size; raise if one cannot be kept."""
    if not isinstance(gap, Integral) or gap < 0:
        raise ValueError(f"gap={gap!r} must be a number of rows, 0 or more.")
    counts = {name: _row_count(n, name, size) for name, size in sizes.items()}
    left = n - sum(counts.values())
    asked = " and ".join(f"{name}={size}" for name, size in sizes.items())
    if left <= 0:
        raise ValueError(f"{asked} of {n} rows leave none to train on: ask for less.")
    if left <= gap * len(sizes):
        raise ValueError(
            f"{asked} and gap={gap} leave none of {n} rows to train on: ask for less, or for"
            " a smaller gap."
        )
    return counts


def _row_count(n: int, name: str, size: float) -> int:
    if isinstance(size, Integral) and not isinstance(size, bool) and size > 0:
        return int(size)
    if isinstance(size, Real) and not isinstance(size, Integral) and 0 < size < 1:
        return ceil(size * n)  # as train_test_split rounds
    raise ValueError(
        f"{name}={size!r} must be a share of the rows, above 0.0 and below 1.0, or a number"
        " of rows, an int of 1 or more."
    )


def _check_alone(**others: Any) -> None:
    given = [name for name, value in others.items() if value is not None]
    if given:
        raise ValueError(
            "time_ordered=True takes the rows as they come: leave out"
            f" {' and '.join(given)}, or time_ordered."
        )


class _Classes(NamedTuple):
    numbers: Rows  # one per row
    names: NDArray[Any]


def _classes(stratify: Any, n: int) -> _Classes:
    if sparse.issparse(stratify):
        stratify = stratify.toarray()
    array = _one_per_row(stratify, n, "stratify")
    if array.dtype.kind == "f" and type_of_target(array).startswith("continuous"):
        raise ValueError(
            "stratify holds continuous values, not classes: cut them into bins, for example"
            " with pandas.qcut, or do not stratify."
        )
    if array.ndim == 2:  # numbered as StratifiedShuffleSplit does
        array = np.array([" ".join(row.astype("str")) for row in array])
    names, numbers = np.unique(array, return_inverse=True)
    return _Classes(numbers, names)


def _clusters(groups: Any, n: int) -> Rows:
    """Return the number of each row's group."""
    array = _one_per_row(groups, n, "groups")
    if array.ndim > 1:
        raise ValueError(f"groups has shape {array.shape}: give one value per row.")
    numbers: Rows = np.unique(array, return_inverse=True)[1]
    return numbers


def _one_per_row(values: Any, n: int, name: str) -> NDArray[Any]:
    """Return an array that can be sorted."""
    try:
        array: NDArray[Any] = check_array(values, ensure_2d=False, dtype=None, input_name=name)
        np.sort(array, axis=0)
    except TypeError:
        kinds = ", ".join(sorted({type(value).__name__ for value in np.ravel(values)}))
        raise ValueError(
            f"{name} has values of type {kinds}: give one type that can be sorted, and none"
            " missing."
        ) from None
    if len(array) != n:
        raise ValueError(f"{name} has {len(array)} values for {n} rows: give one per row.")
    return array


def _check_classes(
    classes: _Classes, clusters: Rows | None, most: Mapping[str, int], instead: str
) -> None:
    """Raise if a class cannot have a row in each of the parts, of so many rows at most."""
    for part, count in most.items():
        if count < len(classes.names):
            raise ValueError(
                f"There are {len(classes.names)} classes, too many for the {count} row(s)"
                f" of {part}: ask for more rows there, or {instead}."
            )
    of = np.arange(len(classes.numbers)) if clusters is None else clusters
    members = np.bincount(np.unique(np.stack([classes.numbers, of]), axis=1)[0])
    rare = np.flatnonzero(members < len(most))
    if len(rare):
        unit = "row" if clusters is None else "group"
        shown = ", ".join(f"{classes.names[c]!s} has {members[c]}" for c in rare[:5])
        raise ValueError(
            f"{len(rare)} class(es) have too few {unit}s for {len(most)} parts ({shown}):"
            f" merge or drop rare classes, or {instead}."
        )


def _check_drawn(
    classes: _Classes, go: Rows, stay: Rows, name: str, n_keep: int, instead: str
) -> None:
    """Raise if a class has no row in a part, or too few for the `n_keep` others."""
    for rows, needed in ((go, 1), (stay, n_keep)):
        left = np.bincount(classes.numbers[rows], minlength=len(classes.names))
        rare = np.flatnonzero(left < needed)
        if len(rare):
            first = rare[0]
            where = "in its part" if rows is go else f"for {n_keep} other part(s)"
            raise ValueError(
                f"{name} leaves {left[first]} row(s) {where} of class {classes.names[first]!s},"
                f" which has {np.sum(classes.numbers == first)} of {len(classes.numbers)} rows"
                f" ({len(rare)} class(es) like that): change {name}, merge or drop rare"
                f" classes, or {instead}."
            )


# -- draws --------------------------------------------------------------------------------


def _in_order(n: int, counts: Mapping[str, int], gap: int) -> list[Rows]:
    drawn: list[Rows] = []
    stop = n
    for count in reversed(list(counts.values())):
        drawn.insert(0, np.arange(stop - count, stop))
        stop -= count + gap
    return [np.arange(stop), *drawn]


def _drawn(
    n: int,
    counts: Mapping[str, int],
    classes: _Classes | None,
    clusters: Rows | None,
    rng: np.random.RandomState,
    instead: str,
) -> list[Rows]:
    """Return the rows to train on, then the held-out parts, the last drawn first."""
    rest = np.arange(n)
    held: list[Rows] = []
    for n_keep, (name, count) in reversed(list(enumerate(counts.items(), start=1))):
        of = None if classes is None else classes.numbers[rest]
        if clusters is None:
            stay, go = _shuffled(len(rest), count, of, rng)
        else:
            stay, go = _whole_groups(clusters[rest], count, of, n_keep, rng)
        held = [rest[go], *held]
        rest = rest[stay]
        if classes is not None:
            _check_drawn(classes, held[0], rest, name, n_keep, instead)
    return [rest, *held]


def _shuffled(
    n: int, n_held: int, classes: Rows | None, rng: np.random.RandomState
) -> tuple[Rows, Rows]:
    """Return the places that stay and those that go, as `train_test_split` draws them."""
    splitter = ShuffleSplit if classes is None else StratifiedShuffleSplit
    drawn = splitter(1, test_size=n_held, train_size=n - n_held, random_state=rng)
    stay, go = next(drawn.split(np.empty(n), classes))
    return stay, go


def _whole_groups(
    clusters: Rows,
    n_held: int,
    classes: Rows | None,
    n_keep: int,
    rng: np.random.RandomState,
) -> tuple[Rows, Rows]:
    """Return the places that stay and those that go; at least `n_keep` groups stay."""
    seen, cluster = np.unique(clusters, return_inverse=True)
    if classes is None:
        classes = np.zeros_like(cluster)
    counts = np.zeros((len(seen), classes.max() + 1))
    np.add.at(counts, (cluster, classes), 1)
    shares = counts / counts.sum(axis=0)
    held = _nearest(shares, n_held / len(clusters), n_keep, rng)[cluster]
    return np.flatnonzero(~held), np.flatnonzero(held)


def _nearest(
    shares: NDArray[np.float64], target: float, n_keep: int, rng: np.random.RandomState
) -> NDArray[np.bool_]:
    """Return which groups to hold out, for every column of `shares` to add up to `target`.

    Groups change sides, in a random order, while that brings the sums nearer. Balancing
    each class by its own size is what `StratifiedGroupKFold` does too.
    """
    order = rng.permutation(len(shares))
    squares = np.einsum("ij,ij->i", shares, shares)
    missing = np.full(shares.shape[1], target)
    held = np.zeros(len(shares), dtype=bool)
    n_held, moved = 0, True
    while moved:
        moved = False
        for group in order:
            way = -1 if held[group] else 1
            # |missing - way * share|^2 < |missing|^2, but for rounding
            nearer = 2 * way * missing.dot(shares[group]) > squares[group] * (1 + 1e-9)
            if nearer and 1 <= n_held + way <= len(shares) - n_keep:
                held[group] = way > 0
                missing -= way * shares[group]
                n_held += way
                moved = True
    if not n_held:  # every group is more than twice too big
        held[order[np.argmin((squares - 2 * shares @ missing)[order])]] = True
    return held
