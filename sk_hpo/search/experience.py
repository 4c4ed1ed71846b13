"""Results of an earlier search, in terms of a new one, whose space may be another."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sk_hpo.journal.journal import Journal
from sk_hpo.search.described import told
from sk_hpo.search.problem import Problem
from sk_hpo.space.build import HIDDEN
from sk_hpo.space.space import Space
from sk_hpo.trial import Config, Outcome, Trial

__all__ = ["best_points", "experience"]


def experience(source: Any, problem: Problem, resource: str | None, top: int) -> list[Trial]:
    """Return what is known of configs that the new search could try too.

    A trial counts if the new search could have tried it: a parameter that is new has the
    estimator's own value, and one that is no longer searched must have had it. Others are
    left out. Where a function defines the new space, its names count, also those of a dict
    or of another function before; a parameter that is new has its default.

    Parameters
    ----------
    source : SearchCV, Journal, path of a journal, or list of these
        Where to look.
    problem : Problem
        Of the new search.
    resource : str or None
        What the new search trains by.
    top : int
        Its highest resource; that of a trial whose search trained by something else.

    Raises
    ------
    TypeError
        If a source is none of these, or was not fitted.
    JournalError
        If a journal cannot be read.
    """
    space = problem.space
    own = space.defaults if space.by_run else problem.estimator.get_params(deep=True)
    found: dict[Config, dict[int, Outcome]] = {}
    for params, trained_by, outcomes in _told_by(source, space.by_run):
        config = _config(params, space, own)
        if config is None or not outcomes:
            continue
        if trained_by != resource:
            outcomes = {top: outcomes[max(outcomes)]}
        found.setdefault(config, {}).update(outcomes)
    pairs = enumerate(found.items())
    return [Trial(id, config, outcomes=outcomes) for id, (config, outcomes) in pairs]


def best_points(trials: Sequence[Trial], space: Space) -> list[dict[str, Any]]:
    """Return the parameters of the best trial at the highest resource, if there is one.

    A search that starts where another one ended tries its winner first, on its own folds:
    scores of the earlier search are never compared with its own.
    """
    scored = [trial for trial in trials if not trial.outcome.failed]
    best = max(scored, key=lambda trial: (trial.resource, trial.outcome.score), default=None)
    return [] if best is None else [space.values(best.config)]


def _told_by(
    source: Any, by_run: bool
) -> Iterable[tuple[Mapping[str, Any], str | None, dict[int, Outcome]]]:
    """Yield parameters as a journal tells them, the resource's name, and the outcomes.

    The names are those that a function asked for, if there was one, and the new space is
    `by_run`, too; but those of the estimator for other new spaces, if they are known.
    """
    if isinstance(source, (list, tuple)):
        for one in source:
            yield from _told_by(one, by_run)
    elif isinstance(source, (str, os.PathLike)):
        yield from _told_by(Journal.read(source), by_run)
    elif isinstance(source, Journal):
        dimensions = source.header.parameters
        for trial in source.trials:
            pairs = zip(dimensions, trial.config, strict=True)
            params = {p.name: p.value(c) for p, c in pairs if p.name and c is not None}
            yield params, source.header.resource, dict(trial.outcomes)
    elif hasattr(source, "history_") and hasattr(source, "_resource_name"):
        read = source.space_.values if by_run else source.space_.params
        for trial in source.history_:
            params = {k: told(v) for k, v in read(trial.config).items()}
            yield params, source._resource_name, dict(trial.outcomes)
    else:
        raise TypeError(
            "warm_start_from takes a fitted search of this library, a Journal, the path of"
            f" one, or a list of these; got {source!r}"
        )


def _config(params: Mapping[str, Any], space: Space, own: Mapping[str, Any]) -> Config | None:
    """Return the config of parameters as a journal tells them; None if there is none."""
    for name, value in params.items():
        if name not in space.names and told(own.get(name)) != value:
            return None
    chosen: dict[str, Any] = {}
    for dimension in space.dimensions:
        name = dimension.name
        if name == HIDDEN or (name not in params and name not in own):
            continue
        value = params.get(name, told(own.get(name)))
        if dimension.kind in ("categorical", "ordinal"):
            levels = [dimension.value(int(code)) for code in dimension.domain.levels()]
            known = chosen.get(name, value)  # by another dimension of this name
            chosen[name] = next((v for v in levels if told(v) == value), known)
        else:
            chosen.setdefault(name, value)
    # Parameters that exist only under conditions may be too many.
    for names in (chosen, [name for name in chosen if name in params]):
        try:
            config = space.config({name: chosen[name] for name in names})
            return config if space.allows(config) else None
        except ValueError:
            continue
    return None
