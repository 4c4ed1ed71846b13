"""Predictions of several nets at once: what each says by itself, and draws."""

import numpy as np
import pytest
import torch
from evaluation.fused.trainings import Backwards, Dense, X, Y, classifier, one_thread
from skorch import NeuralNetClassifier
from torch import nn

from sk_hpo.evaluation.fused.foresee import foresee
from sk_hpo.evaluation.rng import kept


class Normed(Dense):
    """Has buffers, and dropout that must be off."""

    def __init__(self, p=0.5):
        super().__init__()
        self.layers.append(nn.Sequential(nn.Dropout(p), nn.BatchNorm1d(3)))


class TwoOutputs(Dense):
    def forward(self, X):
        y = super().forward(X)
        return y, X.mean(1)


class OwnInfer(NeuralNetClassifier):
    def infer(self, x, **fit_params):
        return 2 * super().infer(x, **fit_params)


class Counts(Dense):
    """Says something else to one row than to several."""

    def forward(self, X):
        return super().forward(X) + float(
            isinstance(X, torch.Tensor) and type(X).__name__ == "Rows"
        )


class FirstOfTwo(nn.CrossEntropyLoss):
    def forward(self, input, target):
        return super().forward(input[0], target)


def fitted(cls=NeuralNetClassifier, module=Dense, **params):
    with kept(), one_thread():
        torch.manual_seed(3)
        nets = [classifier(module, cls, lr=lr, max_epochs=1, **params) for lr in (0.1, 0.3, 1)]
        return [net.fit(X, Y) for net in nets]


# Batches of 8 leave 3, 6 and nothing.
PARTS = [X[:19], X[20:42], X[22:46]]


@pytest.mark.parametrize(
    "nets",
    [
        lambda: fitted(),
        lambda: fitted(module=Normed),
        lambda: fitted(module=TwoOutputs, criterion=FirstOfTwo),
        lambda: fitted(iterator_valid__drop_last=True),
        lambda: fitted(predict_nonlinearity=lambda y: y - y.mean()),
    ],
)
def test_each_net_finds_its_own_answers(nets):
    nets = nets()
    with kept(), one_thread():
        weights = [[p.data_ptr() for p in net.module_.parameters()] for net in nets]
        found = foresee(nets, PARTS)
        assert weights == [[p.data_ptr() for p in net.module_.parameters()] for net in nets]
        for net, part, ours in zip(nets, PARTS, found, strict=True):
            torch.manual_seed(7)
            expected = net.predict_proba(part), torch.get_rng_state()
            net.module_.train()
            torch.manual_seed(7)
            assert ours is not None
            vars(net)["forward_iter"] = ours
            outputs = net.predict_proba(part), torch.get_rng_state()
            assert np.array_equal(outputs[0], expected[0])
            assert torch.equal(outputs[1], expected[1])
            assert not net.module_.training
            other = X[5:15]
            theirs = type(net).predict_proba(net, other)
            del vars(net)["forward_iter"]
            assert np.array_equal(theirs, net.predict_proba(other))


@pytest.mark.parametrize(
    "nets",
    [
        lambda: fitted(OwnInfer),
        lambda: fitted(iterator_valid=Backwards),
        lambda: fitted(module=Counts),
        lambda: fitted()[:1],
        lambda: fitted(batch_size=-1),  # each of another size
    ],
)
def test_others_are_asked_themselves(nets):
    nets = nets()
    with kept(), one_thread():
        assert foresee(nets, PARTS[: len(nets)]) == [None] * len(nets)


def test_nets_of_several_architectures():
    nets = [*fitted(), *fitted(module__width=8)]
    with kept(), one_thread():
        found = foresee(nets, 2 * PARTS)
        for net, part, ours in zip(nets, 2 * PARTS, found, strict=True):
            together = torch.cat(list(ours(part)))
            assert torch.equal(together, net.forward(part))
