from __future__ import annotations

import numpy as np
import pytest
import skorch
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import LRScheduler
from torch import nn

from sk_hpo import RandomSearchCV
from sk_hpo.search.names import valid_names

X, y = np.zeros((12, 3), np.float32), np.arange(12) % 2


class Net(nn.Module):
    def __init__(self, hidden=3, **rest):
        super().__init__()
        self.layer = nn.Linear(3, 2)


class Strict(nn.Module):
    def __init__(self, hidden=3):
        super().__init__()


def net(module=Strict, **params):
    return skorch.NeuralNetClassifier(module, **params)


def pipeline(**params):
    return make_pipeline(StandardScaler(), net(**params))


@pytest.mark.parametrize(
    "name",
    [
        "lr",
        "max_epochs",
        "module",
        "module__hidden",
        "optimizer",
        "optimizer__momentum",
        "optimizer__weight_decay",
        "iterator_train__shuffle",
        "iterator_valid__batch_size",
        "criterion__weight",
        "callbacks__print_log",
    ],
)
def test_what_a_net_understands(name):
    assert name in valid_names(net(), [name])
    nested = f"neuralnetclassifier__{name}"
    assert nested in valid_names(pipeline(), [nested])


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("module__hiden", "module__hidden"),
        ("optimizer__momentun", "optimizer__momentum"),
        ("iterator_train__shufle", "iterator_train__shuffle"),
        ("criterion__wieght", "criterion__weight"),
        ("lrr", "lr"),
    ],
)
def test_a_misspelt_argument_is_found_before_training(name, meant):
    for estimator, prefix in ((net(), ""), (pipeline(), "neuralnetclassifier__")):
        search = RandomSearchCV(estimator, {prefix + name: [1, 2]})
        with pytest.raises(ValueError, match=f"Invalid parameter '{prefix}{name}'.*{meant}"):
            search.fit(X, y)


def test_a_module_that_takes_any_argument_is_believed():
    assert "module__anything" in valid_names(net(Net), ["module__anything"])


def test_arguments_of_a_searched_component_are_not_judged():
    names = ["optimizer", "optimizer__betas"]
    assert set(names) <= valid_names(net(), names)
    assert "optimizer__betas" not in valid_names(net(), ["optimizer__betas"])
    assert "optimizer__betas" in valid_names(
        net(optimizer=torch.optim.Adam), ["optimizer__betas"]
    )


def test_parameter_groups_and_callbacks():
    scheduled = net(callbacks=[("lr", LRScheduler("StepLR", step_size=1))])
    names = ["optimizer__param_groups", "callbacks__lr__step_size"]
    assert set(names) <= valid_names(scheduled, names)


def test_an_estimator_that_takes_what_it_does_not_list():
    class Loose(LogisticRegression):
        def set_params(self, **params):
            self.__dict__.update(params)
            return self

    assert "extra" in valid_names(Loose(), ["extra"])
    assert "extra" not in valid_names(LogisticRegression(), ["extra"])
