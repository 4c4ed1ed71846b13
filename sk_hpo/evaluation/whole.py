"""No resource at all: one plain fit."""

from __future__ import annotations

from typing import Any

from sk_hpo.evaluation.dtype_hints import dtype_hints
from sk_hpo.evaluation.interrupt import fit_noticing_interrupt
from sk_hpo.evaluation.resources import Model, Resource, TrainingData

__all__ = ["Whole", "fit"]


def fit(estimator: Any, data: TrainingData) -> Any:
    """Fit `estimator` on `data` as a user would, and return it."""
    with dtype_hints(data):
        return fit_noticing_interrupt(estimator, data.X, data.y, **data.fit_params)


class Whole(Resource):
    """Every candidate is trained once, by ``fit``; its resource is 1.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> data = TrainingData([[0.0], [1.0]], [1.0, 3.0])
    >>> resource = Whole()
    >>> model = resource.begin(LinearRegression(), data, 1)
    >>> resource.advance(model, data, 1)
    >>> resource.finish(model).predict([[2.0]]).round(6)
    array([5.])
    """

    name = "fit"
    continues = False

    def limit(self, estimator: Any, n_train: int) -> int:
        """Return 1."""
        return 1

    def begin(self, estimator: Any, data: TrainingData, max_resources: int) -> Model:
        """Return the estimator as it is."""
        return Model(estimator)

    def advance(self, model: Model, data: TrainingData, to: int) -> None:
        """Fit, unless that was done."""
        if model.resource < to:
            fit(model.estimator, data)
            model.resource = to
