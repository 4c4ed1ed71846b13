"""No resource at all: one plain fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sk_hpo.evaluation.dtype_hints import dtype_hints
from sk_hpo.evaluation.early_stopping import handed_over
from sk_hpo.evaluation.interrupt import fit_noticing_interrupt
from sk_hpo.evaluation.nets import epochs_of
from sk_hpo.evaluation.resources import Accelerator, Model, Resource, Training, TrainingData

__all__ = ["Whole", "fit"]


def fit(estimator: Any, data: TrainingData) -> Any:
    """Fit `estimator` on `data` as a user would, and return it."""
    with dtype_hints(data), handed_over(estimator, data):
        return fit_noticing_interrupt(estimator, data.X, data.y, **data.fit_params)


@dataclass(frozen=True)
class Whole(Resource):
    """Every candidate is trained once, by ``fit``; its resource is 1.

    A skorch net, also as the last step of a `Pipeline`, is trained by its epochs: that is
    what its ``fit`` does, and nets that are alike can then be trained together.

    Parameters
    ----------
    accelerator : {"auto", "loader", "off", "require"}, default="off"
        As of `SkorchEpochs`; "off" calls ``fit``.

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

    accelerator: Accelerator = "off"
    private_files: bool = True
    name = "fit"
    continues = False

    def limit(self, estimator: Any, n_train: int) -> int:
        """Return 1."""
        return 1

    def refitting(self) -> Resource:
        """Return the same, with checkpoints where the user wants them."""
        return type(self)(self.accelerator, private_files=False)

    def begin(self, estimator: Any, data: TrainingData, max_resources: int) -> Model:
        """Return the estimator as it is; a net, ready for its first epoch."""
        found = None
        if self.accelerator != "off":
            found = epochs_of(estimator, self.accelerator, self.private_files)
        if found is None:
            return Model(estimator)
        epochs, n_epochs = found
        inner = epochs.begin(estimator, data, n_epochs)
        return Model(estimator, extra={"epochs": epochs, "to": n_epochs, "inner": inner})

    def advance(self, model: Model, data: TrainingData, to: int) -> None:
        """Fit, unless that was done."""
        if model.resource >= to:
            return
        if model.extra:
            model.extra["epochs"].advance(model.extra["inner"], data, model.extra["to"])
        else:
            fit(model.estimator, data)
        model.resource = to

    def alone(self, model: Model) -> bool:
        """Whether it is no net, or one that gains nothing from others."""
        return not model.extra or model.extra["epochs"].alone(model.extra["inner"])

    def advance_all(self, trainings: Sequence[Training]) -> None:
        """Fit; nets that are alike together."""
        by_epochs: dict[Resource, list[tuple[Training, Training]]] = {}
        for training in trainings:
            extra = training.model.extra
            if extra and training.model.resource < training.to:
                inner = Training(extra["inner"], training.data, extra["to"], training.stream)
                by_epochs.setdefault(extra["epochs"], []).append((training, inner))
            else:
                training.run(self.advance)
        for epochs, pairs in by_epochs.items():
            epochs.advance_all([inner for _, inner in pairs])
            for training, inner in pairs:
                training.take_over(inner)
                if inner.error is None:
                    training.model.resource = training.to

    def finish(self, model: Model) -> Any:
        """Return the fitted estimator."""
        if not model.extra:
            return model.estimator
        return model.extra["epochs"].finish(model.extra["inner"])
