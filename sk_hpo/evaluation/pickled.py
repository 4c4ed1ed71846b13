"""What the resources share whose models are ordinary scikit-learn estimators.

Such an estimator holds all its state, so a picture of a model in training is its pickle.
To train in steps, a resource borrows some of the estimator's parameters (``warm_start``,
``random_state``, ...) and gives them back in the end.
"""

from __future__ import annotations

import pickle
from typing import Any

import cloudpickle

from sk_hpo.evaluation.resources import Model, Resource

__all__ = ["PickledResource", "borrow", "dumps"]

_BORROWED = "borrowed"


def dumps(value: Any) -> bytes:
    """Return a pickle of `value`, which may hold lambdas and classes of ``__main__``.

    ``pickle.loads`` reads it.
    """
    packed: bytes = cloudpickle.dumps(value)
    return packed


def borrow(model: Model, **params: Any) -> None:
    """Set parameters of the estimator that `PickledResource.finish` shall give back."""
    before = model.estimator.get_params()
    borrowed = model.extra.setdefault(_BORROWED, {})
    for name in params:
        borrowed.setdefault(name, before[name])
    model.estimator.set_params(**params)


class PickledResource(Resource):
    """A resource whose models can be pickled whole."""

    def pack(self, model: Model) -> bytes:
        """Return the pickled model."""
        return dumps(model)

    def unpack(self, packed: bytes) -> Model:
        """Return a copy of the model that `pack` has seen."""
        model = pickle.loads(packed)
        assert isinstance(model, Model)
        return model

    def finish(self, model: Model) -> Any:
        """Return the estimator, with the parameters that its user gave it."""
        return model.estimator.set_params(**model.extra.get(_BORROWED, {}))
