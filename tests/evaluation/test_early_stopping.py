"""Where a model stopped, by what rows, and that it can be trained as long without them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from contracts.recording import X, net, y
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, Perceptron, SGDClassifier, SGDRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback, Checkpoint, EarlyStopping, LRScheduler
from skorch.dataset import Dataset, ValidSplit
from skorch.helper import predefined_split

from sk_hpo.evaluation.early_stopping import handed_over, settled_on, stopper_of
from sk_hpo.evaluation.net_stopping import CarvedRows, NetStopper
from sk_hpo.evaluation.refit import fixed, note_epochs
from sk_hpo.evaluation.resources import Carve, TrainingData
from sk_hpo.evaluation.rng import seeded
from sk_hpo.evaluation.samples import Samples
from sk_hpo.evaluation.skorch import SkorchEpochs
from sk_hpo.evaluation.whole import Whole, fit
from sk_hpo.torch import Schedule

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")

N = len(X)
WATCHES = np.arange(0, N, 4)
CARVE = Carve(np.setdiff1d(np.arange(N), WATCHES), WATCHES)


class Booster(ClassifierMixin, BaseEstimator):
    """Has the interface of XGBoost, and stops after as many rounds as rows 0 to 6 tell it."""

    def __init__(
        self, seen=None, n_estimators=None, early_stopping_rounds=None, learning_rate=0.1
    ):
        self.seen = seen
        self.n_estimators = n_estimators
        self.early_stopping_rounds = early_stopping_rounds
        self.learning_rate = learning_rate

    def fit(self, X, y, *, sample_weight=None, eval_set=None, sample_weight_eval_set=None):
        self.classes_ = np.unique(y)
        if self.early_stopping_rounds and not eval_set:
            raise ValueError("Must have at least 1 validation dataset for early stopping.")
        if self.seen is not None:
            self.seen.append((X, y, sample_weight, eval_set, sample_weight_eval_set))
        self.stops_at_ = None
        if self.early_stopping_rounds:
            self.stops_at_ = int(abs(np.asarray(eval_set[-1][0])[:, 1]).sum() * 10) % 7
        return self

    @property
    def best_iteration(self):
        if self.stops_at_ is None:
            raise AttributeError(
                "`best_iteration` is only defined when early stopping is used."
            )
        return self.stops_at_

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


class Seen(list):
    def __sklearn_clone__(self):
        return self


# --- where it stopped


@pytest.mark.parametrize(
    "model",
    [
        SGDClassifier(early_stopping=True, random_state=0),
        SGDRegressor(early_stopping=True, random_state=0),
        Perceptron(early_stopping=True, random_state=0),
        HistGradientBoostingClassifier(
            early_stopping=True, n_iter_no_change=2, min_samples_leaf=3, random_state=0
        ),
    ],
    ids=lambda model: type(model).__name__,
)
def test_iterations_that_were_run_are_those_of_the_model(model):
    model.fit(X, y)
    n = settled_on(model)
    assert 1 <= n == model.n_iter_ < model.max_iter
    again = clone(model)
    stopper_of(again).fix(again, n)
    assert again.fit(X, y).n_iter_ == n
    assert settled_on(again) is None
    assert settled_on(make_pipeline(StandardScaler(), model).fit(X, y)) is not None


def test_gradient_boosting_settles_on_its_trees():
    model = GradientBoostingClassifier(n_iter_no_change=2, max_depth=1, random_state=0)
    model.fit(X, y)
    assert settled_on(model) == len(model.estimators_) < 100
    again = clone(model)
    stopper_of(again).fix(again, 7)
    assert len(again.fit(X, y).estimators_) == 7


def test_multilayer_perceptron_settles_on_the_epoch_that_it_goes_back_to():
    model = MLPClassifier(
        (8,), early_stopping=True, learning_rate_init=0.05, random_state=1, max_iter=60
    ).fit(X, y)
    n = settled_on(model)
    assert 1 < n < model.n_iter_

    def trained_for(epochs):
        short = clone(model).set_params(max_iter=epochs, n_iter_no_change=100)
        return short.fit(X, y).coefs_[0]

    assert np.array_equal(trained_for(n), model.coefs_[0])
    assert not np.array_equal(trained_for(n - 1), model.coefs_[0])
    again = clone(model)
    stopper_of(again).fix(again, 20)
    assert again.fit(X, y).n_iter_ == 20


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        SGDClassifier(),
        # The rate follows the rows: no number of epochs says what it was.
        SGDClassifier(early_stopping=True, learning_rate="adaptive", eta0=0.1),
        MLPClassifier((4,), early_stopping=True, solver="lbfgs", max_iter=5),
        MLPClassifier((4,), early_stopping=True, solver="sgd", learning_rate="adaptive"),
        GradientBoostingClassifier(n_estimators=3),
        HistGradientBoostingClassifier(max_iter=3),  # "auto", but few rows
        HistGradientBoostingClassifier(
            max_iter=9, early_stopping=True, validation_fraction=None
        ),
        Booster(n_estimators=3),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_who_watches_no_rows_settles_on_nothing(model):
    assert settled_on(model.fit(X, y)) is None


@pytest.mark.parametrize(
    ("attribute", "known"), [("best_iteration", 4), ("best_iteration_", 5)]
)
def test_boosters_count_from_zero_or_from_one(attribute, known):
    class Other(Booster):
        def __init__(self, early_stopping_rounds=5, iterations=None):
            self.early_stopping_rounds = early_stopping_rounds
            self.iterations = iterations

        def __getattribute__(self, name):
            if name == "best_iteration" and attribute != name:
                raise AttributeError(name)
            return super().__getattribute__(name)

    setattr(Other, attribute, known)
    assert settled_on(Other()) == 5
    model = Other()
    stopper_of(model).fix(model, 5)
    assert (model.early_stopping_rounds, model.iterations) == (None, 5)


def test_catboost_tells_by_a_method():
    class Cat(BaseEstimator):
        def __init__(self, n_estimators=None, iterations=None, early_stopping_rounds=5):
            self.n_estimators = n_estimators
            self.iterations = iterations
            self.early_stopping_rounds = early_stopping_rounds

        def fit(self, X, y, eval_set=None):
            return self

        def get_best_iteration(self):
            return 11

    assert settled_on(Cat()) == 12
    model = Cat(iterations=100)
    stopper_of(model).fix(model, 12)
    # Naming both would be an error there, and so would be a None for the patience.
    assert (model.n_estimators, model.iterations) == (None, 12)
    assert model.early_stopping_rounds >= 12


# --- skorch nets


def stopping(**params):
    """A net on X that stops long before its last epoch."""
    given = {
        "lr": 0.5,
        "max_epochs": 60,
        "train_split": ValidSplit(4, stratified=True),
        "callbacks": [("stop", EarlyStopping(patience=4))],
    }
    return net(**given | params)


def weights(model):
    return torch.cat([p.detach().ravel() for p in model.module_.parameters()])


def trained_plainly(model, n_epochs):
    """What skorch leaves after that many epochs with nothing that stops or goes back."""
    plain = clone(model).set_params(callbacks=None, max_epochs=n_epochs)
    with seeded(0):
        return plain.fit(X, y)


def checkpoint(**params):
    return ("best", Checkpoint(load_best=True, dirname="there", **params))


@pytest.mark.parametrize(
    "callbacks",
    [
        [("stop", EarlyStopping(patience=4))],
        [("stop", EarlyStopping(patience=4, load_best=True, sink=len))],
        [("stop", EarlyStopping(patience=4)), checkpoint()],
        [("stop", EarlyStopping(patience=4)), checkpoint(f_history=None)],
        [checkpoint(f_history=None, event_name=None), ("stop", EarlyStopping(patience=4))],
        [checkpoint()],
    ],
    ids=["last", "best", "checkpoint", "without history", "without event", "no stopping"],
)
def test_net_settles_on_the_epoch_of_its_weights(callbacks, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = stopping(callbacks=callbacks, max_epochs=25)
    with seeded(0):
        model.fit(X, y)
    n = settled_on(model)
    assert 1 < n < 25
    assert torch.equal(weights(trained_plainly(model, n)), weights(model))


def test_net_that_stops_by_training_loss_watches_nothing():
    callbacks = [EarlyStopping(monitor="train_loss", patience=1, threshold=10)]
    model = stopping(callbacks=callbacks)
    assert settled_on(model.fit(X, y)) is None
    assert not NetStopper().watches(model, N)


@pytest.mark.parametrize(
    ("callbacks", "params", "watches"),
    [
        ([EarlyStopping()], {}, True),
        ([EarlyStopping], {}, True),
        ([EarlyStopping()], {"callbacks__EarlyStopping__monitor": "train_loss"}, False),
        ([("stop", EarlyStopping())], {"callbacks__stop": None}, False),
        ([Checkpoint(load_best=True)], {}, True),
        ([Checkpoint()], {}, False),
        ([LRScheduler("ReduceLROnPlateau", monitor="valid_loss")], {}, True),
        ([LRScheduler("ReduceLROnPlateau")], {}, False),
        ([LRScheduler("StepLR", monitor="valid_loss", step_size=2)], {}, False),
        ([Schedule("performance")], {}, True),
        ([Schedule("cosine")], {}, False),
        ("disable", {}, False),
        (None, {}, False),
    ],
)
def test_which_callbacks_act_on_validation_rows(callbacks, params, watches):
    assert NetStopper().watches(net(callbacks=callbacks, **params), N) is watches


@pytest.mark.parametrize(
    ("split", "own"),
    [
        (ValidSplit(5), 0.2),
        (ValidSplit(4, stratified=True), 0.25),
        (ValidSplit(0.3), 0.3),
        (ValidSplit(None), 0.2),
        (None, 0.2),
    ],
)
def test_share_that_a_net_would_hold_back(split, own):
    assert NetStopper().own_split(net(train_split=split)) == own


class Watched(Callback):
    """Notes the rows of each epoch."""

    def __init__(self, seen):
        self.seen = seen

    def on_epoch_end(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        self.seen.append(
            tuple(
                None if side is None else [round(float(row[0][0]) * 64) for row in side]
                for side in (dataset_train, dataset_valid)
            )
        )


@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize("accelerator", ["off", "loader"])
@pytest.mark.parametrize("plain", [True, False])
def test_net_is_handed_the_rows_that_are_carved(piped, accelerator, plain):
    seen = Seen()
    callbacks = [("stop", EarlyStopping(patience=9)), Watched(seen)]
    own = stopping(callbacks=callbacks, max_epochs=4)
    split, model = own.train_split, make_pipeline("passthrough", own) if piped else own
    data = TrainingData(X, y, carve=CARVE)
    if plain:
        resource = Whole(accelerator)
        begun = resource.begin(model, data, 1)
        resource.advance(begun, data, 1)
        resource.finish(begun)
    else:
        fit(model, data)
    assert seen == [(CARVE.trains.tolist(), CARVE.watches.tolist())] * 4
    assert own.train_split is split


def test_paused_net_goes_on_with_the_same_rows():
    seen = Seen()
    data, resource = TrainingData(X, y, carve=CARVE), SkorchEpochs()
    begun = resource.begin(stopping(callbacks=[EarlyStopping()]), data, 9)
    resource.advance(begun, data, 2)
    begun = resource.unpack(resource.pack(begun))
    begun.estimator.callbacks_.append(("watched", Watched(seen)))
    resource.advance(begun, data, 5)
    assert seen == [(CARVE.trains.tolist(), CARVE.watches.tolist())] * 3


@pytest.mark.parametrize(
    ("split", "callbacks"),
    [
        (predefined_split(Dataset(X, y)), [EarlyStopping()]),
        (ValidSplit(5), [EarlyStopping(monitor="train_loss")]),
        (None, [Schedule("cosine")]),
    ],
    ids=["predefined", "train_loss", "nothing"],
)
def test_net_keeps_its_own_rows_where_it_says_or_watches_none(split, callbacks):
    model = net(train_split=split, callbacks=callbacks)
    with handed_over(model, TrainingData(X, y, carve=CARVE)):
        assert model.train_split is split


# --- estimators that are handed rows by fit


@pytest.mark.parametrize("piped", [False, True])
def test_booster_is_handed_the_carve_as_an_eval_set(piped):
    seen = Seen()
    model = Booster(seen, early_stopping_rounds=3)
    weight = np.arange(N) + 1.0
    if piped:
        params = {"booster__sample_weight": weight}
        model = make_pipeline(StandardScaler(), model)
    else:
        params = {"sample_weight": weight}
    fit(model, TrainingData(X, y, params, carve=CARVE))
    # The other steps are fitted on all rows, as if the booster carved its own from them.
    rows = StandardScaler().fit_transform(X) if piped else X
    ((Xt, yt, wt, eval_set, eval_weight),) = seen
    assert np.array_equal(Xt, rows[CARVE.trains])
    assert np.array_equal(yt, y[CARVE.trains])
    assert np.array_equal(wt, weight[CARVE.trains])
    assert np.array_equal(eval_set[0][0], rows[CARVE.watches])
    assert np.array_equal(eval_set[0][1], y[CARVE.watches])
    assert np.array_equal(eval_weight[0], weight[CARVE.watches])
    last = model[-1] if piped else model
    assert "fit" not in vars(last)
    assert settled_on(model) == last.best_iteration + 1


def test_booster_keeps_the_eval_set_that_the_user_passes():
    seen = Seen()
    own = [(X[:5], y[:5])]
    data = TrainingData(X, y, {"eval_set": own}, carve=CARVE)
    fit(Booster(seen, early_stopping_rounds=3), data)
    assert seen[0][3] is own
    assert len(seen[0][0]) == N


def test_booster_that_does_not_stop_early_trains_on_all_rows():
    seen = Seen()
    fit(Booster(seen), TrainingData(X, y, carve=CARVE))
    assert len(seen[0][0]) == N
    assert seen[0][3] is None


@pytest.mark.parametrize("piped", [False, True])
def test_histogram_boosting_is_handed_the_carve(piped):
    model = HistGradientBoostingClassifier(
        early_stopping=True, n_iter_no_change=2, min_samples_leaf=3, random_state=0
    )
    weight = np.linspace(0.5, 2, N)
    alone = clone(model).fit(
        X[CARVE.trains],
        y[CARVE.trains],
        weight[CARVE.trains],
        X_val=X[CARVE.watches],
        y_val=y[CARVE.watches],
        sample_weight_val=weight[CARVE.watches],
    )
    name = "histgradientboostingclassifier__sample_weight" if piped else "sample_weight"
    whole = make_pipeline("passthrough", model) if piped else model
    fit(whole, TrainingData(X, y, {name: weight}, carve=CARVE))
    assert np.array_equal(whole.predict_proba(X), alone.predict_proba(X))
    assert settled_on(whole) == alone.n_iter_


@pytest.mark.parametrize(
    "model",
    [
        HistGradientBoostingClassifier(max_iter=3),  # handed rows, it would stop early
        HistGradientBoostingClassifier(max_iter=3, early_stopping=False),
        HistGradientBoostingClassifier(
            max_iter=3, early_stopping=True, validation_fraction=None
        ),
        SGDClassifier(early_stopping=True, random_state=0),
        MLPClassifier((4,), early_stopping=True, max_iter=3, random_state=0),
    ],
    ids=str,
)
def test_who_cannot_be_told_or_watches_nothing_is_fitted_as_ever(model):
    model.set_params(random_state=0)
    alone = clone(model).fit(X, y)
    fit(model, TrainingData(X, y, carve=CARVE))
    assert np.array_equal(model.predict(X), alone.predict(X))


# --- parts of the rows


@given(
    labels=st.lists(st.integers(0, 2), min_size=12, max_size=60),
    every=st.integers(2, 6),
    data=st.data(),
)
def test_samples_keep_the_carve_and_its_share(labels, every, data):
    y = np.array([0, 1, 2] * 4 + labels)
    n = len(y)
    watches = np.arange(0, n, every)
    carve = Carve(np.setdiff1d(np.arange(n), watches), watches)
    small, large = sorted(data.draw(st.tuples(*2 * [st.integers(8, n - 1)])))
    rows = np.arange(n)[:, None]
    whole = TrainingData(rows, y, classes=np.unique(y), carve=carve)
    cut = {to: Samples(seed=3)._cut(LogisticRegression(), whole, to) for to in (small, large)}
    for to, part in cut.items():
        own = part.carve
        assert len(part.X) == to == len(own.trains) + len(own.watches)
        assert abs(len(own.watches) - max(1, to * len(watches) / n)) <= 0.5
        assert set(part.X[own.watches, 0]) <= set(watches)
        assert set(part.X[own.trains, 0]) <= set(carve.trains)
    for side in ("trains", "watches"):
        below, above = (set(cut[k].X[getattr(cut[k].carve, side), 0]) for k in (small, large))
        assert below <= above


# --- trained as long, without stopping


@pytest.mark.parametrize(
    "kind", [SkorchEpochs(private_files=False), Whole("auto"), Whole("off")]
)
def test_net_is_fixed_with_schedules_as_they_were(kind):
    callbacks = [("stop", EarlyStopping(patience=2)), ("schedule", Schedule("cosine"))]
    model = stopping(callbacks=callbacks, max_epochs=40)
    # As by a search over how patient it is.
    model.set_params(callbacks__stop__patience=3)
    kind, to, top = fixed(kind, model, 40, 40, n_epochs=7)
    data = TrainingData(X, y, carve=CARVE)
    begun = kind.begin(model, data, top)
    kind.advance(begun, data, to)
    fitted = note_epochs(kind.finish(begun), 7)
    rates = fitted.history[:, "event_lr"]
    assert len(rates) == 7
    expected = Schedule("cosine").simulate(40, 0.5)[:7]
    assert np.allclose(rates, expected)
    assert not any(isinstance(c, EarlyStopping) for _, c in fitted.callbacks_)
    params = fitted.get_params(deep=False)
    assert (params["train_split"], params["max_epochs"]) == (None, 7)
    assert len(clone(fitted).fit(X, y).history) == 7


@pytest.mark.parametrize(
    ("callback", "keeps"),
    [
        (LRScheduler("ReduceLROnPlateau", monitor="valid_loss"), True),
        (Schedule("performance"), True),
        (Watched(Seen()), True),
        (LRScheduler("StepLR", step_size=5), False),
        (Checkpoint(dirname="there"), False),
    ],
    ids=["plateau", "performance", "unknown", "step", "checkpoint"],
)
def test_net_keeps_validation_rows_where_something_else_needs_them(
    callback, keeps, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    model = stopping(callbacks=[("stop", EarlyStopping(patience=1)), ("other", callback)])
    kind, to, top = fixed(SkorchEpochs(private_files=False), model, 9, 9, n_epochs=6)
    data = TrainingData(X, y)
    begun = kind.begin(model, data, top)
    kind.advance(begun, data, to)
    fitted = kind.finish(begun)
    assert len(fitted.history) == 6
    assert ("valid_loss" in fitted.history[-1]) is keeps
    if isinstance(callback, Checkpoint):  # what is in the folder is the final model
        again = clone(fitted).initialize()
        again.load_params(f_params="there/params.pt")
        assert torch.equal(weights(again), weights(fitted))


def test_carved_rows_are_a_split_like_any_other():
    train, valid = CarvedRows(CARVE)(Dataset(X, y), y, groups=None)
    assert np.array_equal(np.array([row[0] for row in train]), X[CARVE.trains])
    assert np.array_equal(np.array([row[1] for row in valid]), y[CARVE.watches])
