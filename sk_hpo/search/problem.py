"""What a search has to solve: data, folds, space, scorers and resource, all validated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.pipeline import Pipeline
from sklearn.utils import indexable
from sklearn.utils.multiclass import check_classification_targets

from sk_hpo.evaluation.devices import has_device
from sk_hpo.evaluation.kinds import resource_for
from sk_hpo.evaluation.resources import Carve, Resource, TrainingData
from sk_hpo.search.early_stopping import carver_for
from sk_hpo.search.names import valid_names
from sk_hpo.search.rows import Rows, SearchRows, lay_out
from sk_hpo.space.space import Space
from sk_hpo.validation.selection import SelectionRule, selection_rule

__all__ = ["Problem", "pose"]


@dataclass(frozen=True, slots=True)
class Problem:
    """The arguments of ``fit`` and of the constructor, resolved.

    Parameters
    ----------
    estimator : estimator
        An unfitted clone.
    X, y, fit_params, score_params
        As the evaluator takes them.
    cv : cross-validator
        What `check_cv` returned.
    splits : list of (train, test)
        Its folds, drawn once.
    scorer : callable
        Single or multi-metric.
    metric : str
        The name that the best candidate is chosen by.
    space : Space
        What may be tried.
    resource : Resource
        How models are trained.
    classes : ndarray, list of ndarray or None
        Classes of y, for a classifier that trains in rungs.
    seed : int
        From which everything random derives.
    rows : SearchRows
        Where X, y and the test set come from.
    refit : TrainingData
        What the best candidate is trained on: X but for rows that only validate.
    everything : TrainingData or None
        All rows, if a last model is to be trained on them.
    rule : SelectionRule or None
        How the best candidate is chosen, if not by rank.
    carves : tuple of Carve
        Which training rows of each fold early stopping watches; empty where that is left to
        the estimator.
    """

    estimator: Any
    X: Any
    y: Any
    fit_params: dict[str, Any]
    score_params: dict[str, Any]
    cv: Any
    splits: list[tuple[Any, Any]]
    scorer: Any
    metric: str
    space: Space
    resource: Resource
    classes: Any
    seed: int
    rows: SearchRows
    refit: TrainingData
    everything: TrainingData | None = None
    rule: SelectionRule | None = None
    carves: tuple[Carve, ...] = ()

    @property
    def unsearched(self) -> tuple[str, ...]:
        """What ``cv_results_["params"]`` lists beside the space: the resource, or nothing."""
        return () if self.resource.parameter is None else (self.resource.parameter,)

    @property
    def n_train(self) -> int:
        """Rows of the smallest training fold."""
        return min(len(train) for train, _ in self.splits)

    @property
    def test_to_train(self) -> float:
        """Validation rows over training rows, on the average of the folds."""
        return float(np.mean([len(test) / len(train) for train, test in self.splits]))

    @property
    def n_classes(self) -> int:
        """Number of classes, of the target with most of them; 0 for no classes."""
        if self.classes is None:
            return 0
        several = isinstance(self.classes, list)
        return max(map(len, self.classes)) if several else len(self.classes)


def pose(search: Any, X: Any, y: Any, params: dict[str, Any], *, seed: int) -> Problem:
    """Return the problem that `search` is to solve, or raise before any training.

    Parameters
    ----------
    search : SearchCV
        Its constructor arguments.
    X, y, params
        The arguments of its ``fit``.
    seed : int
        From which everything random derives.
    """
    _check_test_arguments(search)
    estimator = clone(search.estimator)
    if search.devices is not None and not (search.devices and has_device(estimator)):
        raise ValueError(
            f"devices={search.devices!r} needs at least one device, and an estimator with a"
            f" parameter 'device', such as a skorch net; {type(estimator).__name__} has"
            f" {'one' if has_device(estimator) else 'none'}."
        )
    space = Space(search.param_distributions, search.constraint)
    space.check_names(valid_names(estimator, space.keys))
    scorer, metric = search._get_scorers()
    X, y = indexable(X, y)
    classifier = is_classifier(estimator)
    resource = _resource(search._resource_name, estimator, space, seed, search.accelerator)
    data = lay_out(search, estimator, X, y, params, seed)
    counts_classes = classifier and y is not None and search._resource_name is not None
    carver = carver_for(search, estimator, space, data.searched, data.cv, seed)
    carves = carver.of_folds(data.searched, data.splits) if carver else ()

    def trained_on(rows: Rows) -> TrainingData:
        classes = _classes(rows.y) if counts_classes else None
        needed = search.refit_epochs == "early_stopping"
        carve = carver.of_refit(rows, needed) if carver and search.refit is not False else None
        return TrainingData(rows.X, rows.y, rows.routed.estimator.fit, classes, carve)

    names = _metric_names(search.scoring, scorer)
    choices = {key: space.objects(key) for key in space.keys}
    choices |= {name: space.choices(name) for name in space.names}
    rule = selection_rule(search.refit, choices, names, len(data.splits))
    if rule is not None:
        metric = rule.metric or (names or ["score"])[0]  # it steers the search too
    return Problem(
        estimator=estimator,
        X=data.searched.X,
        y=data.searched.y,
        fit_params=data.searched.routed.estimator.fit,
        score_params=data.searched.routed.scorer.score,
        cv=data.cv,
        splits=data.splits,
        scorer=scorer,
        metric=metric if isinstance(metric, str) else "score",
        space=space,
        resource=resource,
        classes=_classes(data.searched.y) if counts_classes else None,
        seed=seed,
        rows=data,
        refit=trained_on(data.fitted),
        everything=trained_on(data.whole) if search.refit_on_all else None,
        rule=rule,
        carves=carves,
    )


def _metric_names(scoring: Any, scorer: Any) -> list[str] | None:
    """Return the names of the metrics; None where a callable tells them when it is run."""
    if callable(scoring):
        return None
    return list(getattr(scorer, "_scorers", ["score"]))


def _check_test_arguments(search: Any) -> None:
    if search.test_size is not None and search.refit is False:
        raise ValueError(
            "test_size needs refit: what is scored on the test set is the refitted model."
        )
    if search.test_size is None and search.refit_on_all:
        raise ValueError(
            "refit_on_all needs test_size: without a test set, the refit is on all rows."
        )


def _resource(
    name: str | None, estimator: Any, space: Space, seed: int, accelerator: Any
) -> Resource:
    """Return the resource, the same for every candidate; ValueError if there is none."""
    variants = [estimator]
    if name is not None and isinstance(estimator, Pipeline):
        last = estimator.steps[-1][0]
        choices = [value for value in space.objects(last) if hasattr(value, "fit")]
        variants = [clone(estimator).set_params(**{last: v}) for v in choices] or variants
    resources = [
        resource_for(name, variant, seed=seed, accelerator=accelerator) for variant in variants
    ]
    if len({resource.kind for resource in resources}) > 1:
        raise ValueError(
            f"The candidates for the step {last!r} do not all train by {name!r} in the same"
            f" way: {[v.steps[-1][1] for v in variants]}. Search over them in turn, or by"
            " resource='n_samples'."
        )
    resource = resources[0]
    for held in ([resource.name], *(r.overrides for r in resources)):
        for parameter in set(held) & {*space.names, *space.keys}:
            raise ValueError(
                f"Parameter {parameter!r} is set by the resource {resource.name!r}: it"
                " cannot be searched as well."
            )
    return resource


def _classes(y: Any) -> Any:
    check_classification_targets(y)
    array = np.asarray(y)
    if array.ndim == 2 and array.shape[1] > 1:
        return [np.unique(column) for column in array.T]
    return np.unique(array)
