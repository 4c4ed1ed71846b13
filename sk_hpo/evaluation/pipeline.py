"""A `Pipeline` whose last step trains in steps: its transformers are fitted once."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Sequence
from copy import copy
from typing import Any

import numpy as np
from scipy import sparse
from sklearn import get_config
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import get_routing_for_object, process_routing

from sk_hpo import _sklearn
from sk_hpo.evaluation import rng
from sk_hpo.evaluation.pickled import dumps
from sk_hpo.evaluation.resources import Model, Resource, Training, TrainingData

__all__ = ["PipelineResource", "last_step"]


def last_step(pipeline: Pipeline) -> Any:
    """Return the last step, which must be an estimator that can train.

    Raises
    ------
    ValueError
        If there is none, or if a step changes the number of rows, as samplers of
        imbalanced-learn do.
    """
    name, estimator = pipeline.steps[-1]
    if estimator is None or isinstance(estimator, str):
        raise ValueError(
            f"the last step {name!r} of the Pipeline is {estimator!r}: there is nothing to"
            " train"
        )
    for step, transformer in pipeline.steps[:-1]:
        if hasattr(transformer, "fit_resample"):
            raise ValueError(
                f"step {step!r} of the Pipeline resamples the rows, so that its last step"
                " cannot go on training from rung to rung; use resource='n_samples'"
            )
    return estimator


class PipelineResource(Resource):
    """Fits the transformers once per fold, and trains the last step by another resource.

    A paused model carries the transformed training rows only where ``transform`` does not
    give again what ``fit_transform`` gave (`TargetEncoder`, `PCA`, random transformers).

    Parameters
    ----------
    inner : Resource
        How the last step is trained.
    name : str, default=None
        What the user wrote, such as "clf__n_estimators"; by default the name of `inner`.
    step : str, default=None
        Name of the last step, for what is said of its parameters.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn.linear_model import SGDRegressor
    >>> from sk_hpo.evaluation.partial_fit import PartialFitEpochs
    >>> data = TrainingData([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0])
    >>> resource = PipelineResource(PartialFitEpochs())
    >>> pipeline = make_pipeline(StandardScaler(), SGDRegressor(random_state=0))
    >>> model = resource.begin(pipeline, data, 9)
    >>> for rung in (1, 3, 9):
    ...     resource.advance(model, data, rung)
    >>> resource.finish(model)["sgdregressor"].t_
    28.0
    """

    def __init__(
        self, inner: Resource, name: str | None = None, step: str | None = None
    ) -> None:
        self.inner = inner
        self.name = inner.name if name is None else name
        self.parameter = None if inner.parameter is None else self.name
        self.continues = inner.continues
        self.overrides = tuple(f"{step}__{parameter}" for parameter in inner.overrides)

    @property
    def kind(self) -> tuple[Any, ...]:
        """What the last step's resource is."""
        return (type(self), *self.inner.kind)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PipelineResource):
            return NotImplemented
        return (self.inner, self.name) == (other.inner, other.name)

    def __hash__(self) -> int:
        return hash((self.inner, self.name))

    def limit(self, estimator: Any, n_train: int) -> int:
        """Return the limit of the last step."""
        return self.inner.limit(last_step(estimator), n_train)

    def lowest(self, n_classes: int) -> int:
        """Return the lowest resource of the last step."""
        return self.inner.lowest(n_classes)

    def for_refit(self, selected: int, n_samples: int) -> int:
        """Return what the last step's resource says."""
        return self.inner.for_refit(selected, n_samples)

    def refitting(self) -> PipelineResource:
        """Return the same around what the last step's resource says."""
        return PipelineResource(self.inner.refitting(), self.name)

    def begin(self, estimator: Any, data: TrainingData, max_resources: int) -> Model:
        """Fit the transformers on `data`; return a model with an untrained last step.

        Raises
        ------
        ValueError
            If the last step cannot be trained, see `last_step`.
        """
        last = last_step(estimator)
        if estimator.transform_input is not None and not _routes():
            raise ValueError("transform_input of a Pipeline needs metadata routing enabled")
        transformers = _transformers(estimator)
        params = _of_transformers(transformers, "fit_transform", data.fit_params)
        Xt = transformers.fit_transform(data.X, data.y, **params)
        estimator.steps = [*transformers.steps[:-1], estimator.steps[-1]]
        inner_data = _inner_data(estimator, data, Xt)
        inner = self.inner.begin(last, inner_data, max_resources)
        return Model(
            estimator,
            continues=inner.continues,
            extra={"inner": inner, "inner_data": inner_data, "data": data, "carry": None},
        )

    def advance(self, model: Model, data: TrainingData, to: int) -> None:
        """Train the last step on the transformed rows."""
        self._transform(model, data)
        inner: Model = model.extra["inner"]
        try:
            self.inner.advance(inner, model.extra["inner_data"], to)
        finally:
            model.resource, model.stopped = inner.resource, inner.stopped

    def alone(self, model: Model) -> bool:
        """Whether the last step gains nothing from others."""
        return self.inner.alone(model.extra["inner"])

    def advance_all(self, trainings: Sequence[Training]) -> None:
        """Train the last steps, together where their resource can."""
        pairs = []
        for training in trainings:
            training.run(lambda model, data, to: self._transform(model, data))
            if training.error is None:
                extra = training.model.extra
                inner = Training(
                    extra["inner"], extra["inner_data"], training.to, training.stream
                )
                pairs.append((training, inner))
        self.inner.advance_all([inner for _, inner in pairs])
        for training, inner in pairs:
            training.take_over(inner)
            training.model.resource = inner.model.resource
            training.model.stopped = inner.model.stopped

    def _transform(self, model: Model, data: TrainingData) -> None:
        """Make the rows for the last step, if they are not there."""
        extra = model.extra
        if extra["inner_data"] is None:
            Xt = extra["Xt"] if extra["carry"] else _transform(model.estimator, data)
            extra["inner_data"] = _inner_data(model.estimator, data, Xt)

    def pack(self, model: Model) -> bytes:
        """Return a picture of transformers and last step."""
        extra = model.extra
        if extra["carry"] is None:
            extra["Xt"] = extra["inner_data"].X
            extra["carry"] = not _same(_transform(model.estimator, extra["data"]), extra["Xt"])
        return dumps(
            {
                "estimator": _transformers(model.estimator),
                "inner": self.inner.pack(extra["inner"]),
                "carry": extra["carry"],
                "Xt": extra["Xt"] if extra["carry"] else None,
                "resource": model.resource,
                "stopped": model.stopped,
            }
        )

    def unpack(self, packed: bytes) -> Model:
        """Return the model that `pack` has seen."""
        state = pickle.loads(packed)
        estimator = state["estimator"]
        inner = self.inner.unpack(state["inner"])
        estimator.steps[-1] = (estimator.steps[-1][0], inner.estimator)
        extra = {
            "inner": inner, "inner_data": None, "carry": state["carry"], "Xt": state["Xt"]
        }  # fmt: skip
        return Model(
            estimator,
            resource=state["resource"],
            continues=inner.continues,
            stopped=state["stopped"],
            extra=extra,
        )

    def finish(self, model: Model) -> Any:
        """Return the fitted pipeline."""
        pipeline = model.estimator
        trained = self.inner.finish(model.extra["inner"])
        pipeline.steps[-1] = (pipeline.steps[-1][0], trained)
        return pipeline


def _transformers(pipeline: Pipeline) -> Pipeline:
    """Return a pipeline of the same steps but the last."""
    transformers = copy(pipeline)
    transformers.steps = [*pipeline.steps[:-1], (pipeline.steps[-1][0], "passthrough")]
    return transformers


def _inner_data(pipeline: Pipeline, data: TrainingData, Xt: Any) -> TrainingData:
    fit_params = _sklearn.last_step_fit_params(pipeline, data.fit_params)
    return TrainingData(Xt, data.y, fit_params, data.classes, data.carve)


def _transform(pipeline: Pipeline, data: TrainingData) -> Any:
    """Transform the training rows again, and leave the random numbers as they were."""
    transformers = _transformers(pipeline)
    params = _of_transformers(transformers, "transform", data.fit_params)
    routed = process_routing(transformers, "transform", **params)
    Xt, state = data.X, rng.get_state()
    # Not `transformers.transform`: it asks a transformer without state if it is fitted.
    for name, step in transformers.steps:
        if step is not None and not isinstance(step, str):
            Xt = step.transform(Xt, **routed[name].transform)
    rng.set_state(state)
    return Xt


def _routes() -> bool:
    return bool(get_config()["enable_metadata_routing"])


def _of_transformers(
    transformers: Pipeline, method: str, fit_params: dict[str, Any]
) -> dict[str, Any]:
    """Return the fit parameters of a pipeline that its transformers get in `method`."""
    if _routes():
        router = get_routing_for_object(transformers)
        names: Iterable[str] = router.consumes(method=method, params=fit_params.keys())
    elif method == "transform":
        names = ()
    else:
        last = transformers.steps[-1][0] + "__"
        names = [name for name in fit_params if not name.startswith(last)]
    return {name: fit_params[name] for name in names}


def _same(one: Any, other: Any) -> bool:
    """Whether two containers hold the same values in the same layout; False if in doubt."""
    if type(one) is not type(other):
        return False
    if sparse.issparse(one):
        csr, csc = one.format == other.format == "csr", one.format == other.format == "csc"
        parts = ("data", "indices", "indptr")
        return (csr or csc) and all(_same(getattr(one, p), getattr(other, p)) for p in parts)
    if isinstance(one, np.ndarray):
        return bool(
            one.dtype == other.dtype
            and one.strides == other.strides
            and np.array_equal(one, other, equal_nan=one.dtype.kind in "fc")
        )
    # Data frames of pandas and polars.
    return bool(one.equals(other)) if hasattr(one, "equals") else False
