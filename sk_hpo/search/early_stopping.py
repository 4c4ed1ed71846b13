"""Which rows early stopping watches, and for how long the final model is trained.

Drawn once, before any training, from the training rows of each fold: never from those that
score it, and the same for every candidate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import floor, isfinite
from numbers import Real
from typing import Any, cast

import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection import TimeSeriesSplit
from sklearn.pipeline import Pipeline
from sklearn.utils.multiclass import type_of_target

from sk_hpo import _sklearn
from sk_hpo.evaluation.early_stopping import WATCHED_BY_USER, Stopper, last_of, stopper_of
from sk_hpo.evaluation.nets import is_net
from sk_hpo.evaluation.resources import Carve
from sk_hpo.evaluation.rng import seeded
from sk_hpo.search.rows import Rows
from sk_hpo.space.space import Space
from sk_hpo.validation.splits import hold_out, names_rows

__all__ = ["Carver", "carver_for", "epochs_of_refit"]


# --- which rows


@dataclass(frozen=True, slots=True)
class Carver:
    """Carves the rows to be watched from training rows.

    Parameters
    ----------
    split : float, int or cross-validation splitter
        Share or number of the rows, or who names them.
    classifier : bool
        Whether to keep the classes in proportion.
    cv : cross-validator
        That of the search: of a `TimeSeriesSplit`, the last training rows are watched.
    seed : int
        Of the draw.
    asked : bool, default=True
        Whether `split` is the user's wish; if not, classes need not be in proportion where
        whole groups or rare classes do not allow it.
    """

    split: Any
    classifier: bool
    cv: Any
    seed: int
    asked: bool = True

    def of_folds(self, rows: Rows, splits: Sequence[tuple[Any, Any]]) -> tuple[Carve, ...]:
        """Return the carve of the training rows of each split; positions are among these.

        Raises
        ------
        ValueError
            If one has no such rows.
        """
        return tuple(
            self.of(rows, train, f"the training rows of fold {i}")
            for i, (train, _) in enumerate(splits)
        )

    def of_refit(self, rows: Rows, needed: bool) -> Carve | None:
        """Return the carve of all rows; None where there is none and none is `needed`."""
        try:
            return self.of(rows)
        except ValueError:
            if needed:
                raise
            return None

    def of(self, rows: Rows, train: Any = None, called: str = "all rows") -> Carve:
        """Return the carve of some rows, by default of all.

        Raises
        ------
        ValueError
            As `of_folds`.
        """
        train = np.arange(_sklearn.num_samples(rows.X)) if train is None else np.asarray(train)
        y, groups = (
            None if values is None else _sklearn.take_rows(values, train)
            for values in (rows.y, _groups(rows))
        )
        try:
            carve = self._drawn(rows.X, train, y, groups)
            self._check(carve, y)
        except ValueError as error:
            raise ValueError(
                f"Of {called}, early stopping has none to watch by"
                f" early_stopping_split={self.split!r}: {error} Give another share or number,"
                " or a splitter, such as GroupShuffleSplit(1)."
            ) from error
        return carve

    def _drawn(self, X: Any, train: Any, y: Any, groups: Any) -> Carve:
        if not isinstance(self.split, Real):
            given = groups if _sklearn.uses_groups(self.split) else None
            with seeded(self.seed):  # the same rows, whatever its random_state
                first = next(iter(self.split.split(_sklearn.take_rows(X, train), y, given)))
            return Carve(*(np.sort(np.arange(len(train))[np.asarray(side)]) for side in first))
        ordered = isinstance(self.cv, TimeSeriesSplit) and groups is None
        by_class = self.classifier and type_of_target(y) in ("binary", "multiclass")
        draw = partial(
            hold_out,
            len(train),
            size=cast("float", self.split),
            groups=groups,
            time_ordered=ordered,
            gap=self.cv.gap if ordered else 0,
            random_state=None if ordered else self.seed,
            name="early_stopping_split",
        )
        if not by_class or ordered:
            return Carve(*draw())
        try:
            return Carve(*draw(stratify=y))
        except ValueError:
            if self.asked:
                raise
            return Carve(*draw())

    def _check(self, carve: Carve, y: Any) -> None:
        if not all(map(len, carve)):
            n_trains, n_watches = map(len, carve)
            raise ValueError(f"{n_trains} rows are left to train on and {n_watches} to watch.")
        if shared := len(np.intersect1d(*carve)):
            raise ValueError(f"{shared} rows would be both trained on and watched.")
        if not self.classifier or type_of_target(y) not in ("binary", "multiclass"):
            return
        labels = np.ravel(np.asarray(y))
        of_trains, of_watches = (np.unique(labels[side]) for side in carve)
        lost = np.setdiff1d(of_watches, of_trains)
        if len(lost):
            raise ValueError(f"the rows left to train on have none of class {lost[0]!s}.")
        if len(np.unique(labels)) > 1 and len(of_watches) == 1:
            raise ValueError(f"those to watch are all of class {of_watches[0]!s}.")


def carver_for(
    search: Any, estimator: Any, space: Space, rows: Rows, cv: Any, seed: int
) -> Carver | None:
    """Return what carves the rows to be watched; None if that is left to the estimator.

    Without `early_stopping_split`, rows are carved where there are groups to be kept whole,
    and for boosters that would have none to watch.

    Parameters
    ----------
    search : SearchCV
        Its `early_stopping_split`.
    estimator : estimator
        As the user passed it.
    space : Space
        What may replace its parts.
    rows : Rows
        What is searched with.
    cv : cross-validator
        That of the search.
    seed : int
        Of the draw.

    Raises
    ------
    ValueError
        If rows are asked for that the estimator cannot be told, or does not watch.
    """
    stopping = [
        (last, stopper)
        for last, stopper in _variants(estimator, space)
        if _may_watch(estimator, last, stopper, space.keys, _sklearn.num_samples(rows.X))
    ]
    taking = [(last, stopper) for last, stopper in stopping if stopper.takes_rows]
    split = search.early_stopping_split
    asked = split is not None
    if asked:
        _check_asked(split, estimator, stopping, rows)
    else:
        split = _implied(estimator, taking, rows)
    return None if split is None else Carver(split, is_classifier(estimator), cv, seed, asked)


def _implied(estimator: Any, taking: Sequence[tuple[Any, Stopper]], rows: Rows) -> Any:
    """Return how to carve though nobody has asked for it; None not to."""
    if _resamples(estimator) or _passed(rows):
        return None
    for last, stopper in taking:
        keeps = is_net(last) and (last.train_split is None or _keeps_its_rows(last))
        if not stopper.carves or (_groups(rows) is not None and not keeps):
            own = stopper.own_split(last)
            return own if isinstance(own, Real) or hasattr(own, "split") else None
    return None


def _check_asked(
    split: Any, estimator: Any, stopping: Sequence[tuple[Any, Stopper]], rows: Rows
) -> None:
    """Raise ValueError if what `early_stopping_split` asks for cannot be done."""
    asked, kind = f"early_stopping_split={split!r}", type(last_of(estimator)).__name__
    if not isinstance(split, Real) and (isinstance(split, str) or names_rows(split)):
        raise ValueError(
            f"{asked}: training rows differ from fold to fold, so give a share, a number of"
            " rows, or a splitter that draws them, such as GroupShuffleSplit(1)."
        )
    if not stopping:
        stopper = stopper_of(last_of(estimator))
        hint = f": set its {stopper.switches[0]}" if stopper else ""
        raise ValueError(f"{asked}, but {kind} does not stop early{hint}.")
    for last, stopper in stopping:
        if not stopper.takes_rows:
            raise ValueError(
                f"{asked}, but {type(last).__name__} carves the rows that it watches itself"
                " and cannot be told which: leave early_stopping_split out, and set its"
                " validation_fraction."
            )
        if is_net(last) and _keeps_its_rows(last):
            raise ValueError(
                f"{asked}, but {type(last).__name__} has train_split={last.train_split!r},"
                " which says already which rows validate: leave one of them out."
            )
    if passed := _passed(rows):
        raise ValueError(f"{asked}, but fit got {passed} too: leave one of them out.")
    if _resamples(estimator):
        raise ValueError(
            f"{asked}, but a step of the Pipeline resamples the rows, so that those to watch"
            " are not known behind it."
        )


def _variants(estimator: Any, space: Space) -> Iterator[tuple[Any, Stopper]]:
    """Yield what may be trained, and how it may stop early."""
    lasts, name, part = [last_of(estimator)], "", estimator
    while isinstance(part, Pipeline):
        step, part = part.steps[-1]
        name = f"{name}__{step}" if name else step
        lasts += [last_of(choice) for choice in space.objects(name) if hasattr(choice, "fit")]
    for last in lasts:
        stopper = stopper_of(last)
        if stopper is not None:
            yield last, stopper


def _may_watch(
    estimator: Any, last: Any, stopper: Stopper, names: Iterable[str], n_rows: int
) -> bool:
    """Whether it watches rows, or a candidate may."""
    prefix, part = "", estimator
    while isinstance(part, Pipeline):
        prefix, part = f"{prefix}{part.steps[-1][0]}__", part.steps[-1][1]
    own = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    return stopper.watches(last, n_rows) or any(n.startswith(stopper.switches) for n in own)


def _keeps_its_rows(net: Any) -> bool:
    from sk_hpo.evaluation.net_stopping import keeps_its_rows

    return keeps_its_rows(net)


def _groups(rows: Rows) -> Any:
    return rows.routed.splitter.split.get("groups")


def _passed(rows: Rows) -> str:
    """Return the argument of ``fit`` by which the user has said which rows to watch."""
    arguments = rows.routed.estimator.fit
    return next((a for a in arguments if a.rpartition("__")[2] in WATCHED_BY_USER), "")


def _resamples(estimator: Any) -> bool:
    if not isinstance(estimator, Pipeline):
        return False
    return any(hasattr(s, "fit_resample") or _resamples(s) for _, s in estimator.steps)


# --- for how long


def epochs_of_refit(
    rule: str | Callable[[list[int]], float], folds: Iterable[Any]
) -> int | None:
    """Return for how long the final model is trained; None if it is to stop early itself.

    Parameters
    ----------
    rule : {"median", "max", "early_stopping"} or callable
        The search's `refit_epochs`.
    folds : iterable of FoldResult or None
        Those of the best candidate; None for a fold that was not run.

    Raises
    ------
    ValueError
        If a callable returns anything but a finite number.

    Examples
    --------
    >>> from sk_hpo.evaluation.records import FoldResult
    >>> folds = [FoldResult(0.5, None, 0.0, 0.0, n_epochs=n) for n in (3, 9, 4, 5)]
    >>> epochs_of_refit("median", folds), epochs_of_refit("max", folds)
    (5, 9)
    """
    numbers = [fold.n_epochs for fold in folds if fold is not None]
    numbers = [n for n in numbers if n is not None]
    if not numbers or rule == "early_stopping":
        return None
    found: Any
    if callable(rule):
        found = rule(numbers)
    else:
        found = max(numbers) if rule == "max" else np.median(numbers)
    if not isinstance(found, Real) or not isfinite(found):
        raise ValueError(f"refit_epochs made {found!r} of {numbers}: it must return a number.")
    return max(1, floor(float(found) + 0.5))
