"""Epochs of scikit-learn's own incremental estimators: ``partial_fit`` over all rows."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import compute_class_weight, get_tags

from sk_hpo.evaluation.interrupt import interruptible
from sk_hpo.evaluation.pickled import PickledResource, borrow
from sk_hpo.evaluation.resources import Model, TrainingData

__all__ = ["PartialFitEpochs", "check_trains_in_epochs", "integer_limit", "shuffling_anew"]


def integer_limit(estimator: Any, name: str) -> int:
    """Return the value of parameter `name`, which must be a positive integer.

    Raises
    ------
    ValueError
        If it is anything else, or if `estimator` has no such parameter.
    """
    value = estimator.get_params().get(name)
    if isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1:
        return int(value)
    kind = type(estimator).__name__
    raise ValueError(
        f"max_resources='auto' takes {name} of the estimator, but for {kind} it is"
        f" {value!r}: set {name} to a positive integer, or give max_resources"
        if name in estimator.get_params()
        else f"max_resources='auto' takes {name} of the estimator, which {kind} does not"
        " have: give max_resources"
    )


def check_trains_in_epochs(estimator: Any) -> None:
    """Raise ValueError if ``partial_fit`` is missing, or would refuse the parameters."""
    kind = type(estimator).__name__
    if not hasattr(estimator, "partial_fit"):
        raise ValueError(f"{kind} cannot train in epochs: {estimator!r} has no partial_fit")
    skorch = sys.modules.get("skorch")
    if skorch is not None and any(
        isinstance(value, skorch.NeuralNet) for value in estimator.get_params().values()
    ):
        raise ValueError(
            f"{kind} cannot train in epochs: the partial_fit of the skorch net in it begins"
            " a new training at each call"
        )
    if estimator.get_params().get("early_stopping"):
        raise ValueError(
            f"{kind} cannot train in epochs with early_stopping=True: its partial_fit does"
            " not stop early. Set early_stopping=False; poor candidates are stopped by the"
            " search"
        )


def shuffling_anew(estimator: Any) -> dict[str, Any]:
    """Return a stream of random numbers for each integer ``random_state``.

    An estimator starts an integer seed afresh at each call, so that every epoch would see
    the rows in the same order. A ``RandomState`` goes on from call to call, through
    pickles too.
    """
    return {
        name: np.random.RandomState(int(value))
        for name, value in estimator.get_params().items()
        if (name == "random_state" or name.endswith("__random_state"))
        and isinstance(value, Integral)
    }


class PartialFitEpochs(PickledResource):
    """One epoch is one call of ``partial_fit`` with all training rows.

    An integer ``random_state`` seeds one stream for all epochs, see `shuffling_anew`.
    ``class_weight="balanced"``, which ``partial_fit`` refuses, becomes the weights that
    ``fit`` would compute from the same rows. ``tol`` and ``n_iter_no_change`` do not end
    the training, as ever with ``partial_fit``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.naive_bayes import BernoulliNB
    >>> data = TrainingData([[0], [0], [1]], ["a", "a", "b"], classes=np.array(["a", "b"]))
    >>> resource = PartialFitEpochs()
    >>> model = resource.begin(BernoulliNB(), data, 3)
    >>> resource.advance(model, data, 3)
    >>> resource.finish(model).class_count_
    array([6., 3.])
    """

    name = "epochs"
    overrides = ("max_iter",)

    def limit(self, estimator: Any, n_train: int) -> int:
        """Return ``max_iter`` of the estimator.

        Raises
        ------
        ValueError
            If it has none.
        """
        return integer_limit(estimator, "max_iter")

    def begin(self, estimator: Any, data: TrainingData, max_resources: int) -> Model:
        """Return an untrained model.

        Raises
        ------
        ValueError
            If the estimator cannot train in epochs with its parameters.
        """
        check_trains_in_epochs(estimator)
        model = Model(estimator)
        borrow(model, **shuffling_anew(estimator), **_class_weight(estimator, data))
        return model

    def advance(self, model: Model, data: TrainingData, to: int) -> None:
        """Call ``partial_fit`` once per missing epoch.

        Raises
        ------
        ValueError
            If ``partial_fit`` does not take one of the fit parameters.
        """
        arguments = _arguments(model.estimator, data)
        targets = () if data.y is None else (data.y,)
        for epoch in range(model.resource, to):
            with interruptible() as interrupt:  # an MLP swallows Ctrl-C
                model.estimator.partial_fit(data.X, *targets, **arguments)
            if interrupt.arrived:
                raise KeyboardInterrupt
            model.resource = epoch + 1


def _class_weight(estimator: Any, data: TrainingData) -> dict[str, Any]:
    """Return the parameter with the weights of "balanced" spelt out, if it is that."""
    weight = estimator.get_params(deep=False).get("class_weight")
    if data.y is None or not isinstance(weight, str) or weight != "balanced":
        return {}
    y = np.ravel(data.y)
    present = np.unique(y)
    weights = compute_class_weight("balanced", classes=present, y=y)
    return {"class_weight": dict(zip(present.tolist(), weights.tolist(), strict=True))}


def _arguments(estimator: Any, data: TrainingData) -> dict[str, Any]:
    """Return the keyword arguments for ``partial_fit``."""
    accepted = inspect.signature(estimator.partial_fit).parameters
    if not any(p.kind is p.VAR_KEYWORD for p in accepted.values()):
        _check_accepted(estimator, data.fit_params, accepted)
    if "classes" not in accepted or data.classes is None:
        return data.fit_params
    return {"classes": _classes(estimator, data.classes), **data.fit_params}


def _check_accepted(
    estimator: Any, fit_params: Mapping[str, Any], accepted: Mapping[str, Any]
) -> None:
    if refused := [name for name in fit_params if name not in accepted]:
        raise ValueError(
            f"{type(estimator).__name__}.partial_fit does not take {', '.join(refused)},"
            " so it cannot train in epochs with these fit parameters"
        )


def _classes(estimator: Any, classes: Any) -> Any:
    # Of multilabel targets an MLP wants to know the labels, a MultiOutputClassifier the
    # classes of each column.
    if isinstance(classes, list) and get_tags(estimator).target_tags.single_output:
        return np.arange(len(classes))
    return classes
