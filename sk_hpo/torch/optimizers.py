"""A space of torch's optimizers, each with its own parameters.

As Choi et al., On empirical comparisons of optimizers for deep learning, arXiv:1910.05446,
tune them: the learning rate on a logarithmic scale, one minus momentum likewise, epsilon too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from scipy.stats import loguniform

from sk_hpo.space.condition import when
from sk_hpo.torch.conditions import prefixed
from sk_hpo.torch.distribution import one_minus_loguniform

__all__ = ["OPTIMIZERS", "nesterov", "optimizer_space", "sgd_momentum"]


def sgd_momentum(
    params: Any, lr: float = 1e-3, momentum: float = 0.9, weight_decay: float = 0.0
) -> torch.optim.SGD:
    """Return `torch.optim.SGD` with momentum; as a skorch net's ``optimizer``.

    Examples
    --------
    >>> sgd_momentum([torch.zeros(1)]).defaults["momentum"]
    0.9
    """
    return torch.optim.SGD(params, lr=lr, momentum=momentum, weight_decay=weight_decay)


def nesterov(
    params: Any, lr: float = 1e-3, momentum: float = 0.9, weight_decay: float = 0.0
) -> torch.optim.SGD:
    """Return `torch.optim.SGD` with Nesterov's momentum; as a skorch net's ``optimizer``.

    Examples
    --------
    >>> nesterov([torch.zeros(1)]).defaults["nesterov"]
    True
    """
    return torch.optim.SGD(
        params, lr=lr, momentum=momentum, weight_decay=weight_decay, nesterov=True
    )


OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "momentum": sgd_momentum,
    "nesterov": nesterov,
    "adagrad": torch.optim.Adagrad,
    "rmsprop": torch.optim.RMSprop,
    "adam": torch.optim.Adam,
    "adamax": torch.optim.Adamax,
    "nadam": torch.optim.NAdam,
    "adamw": torch.optim.AdamW,
}

# Steps that are as long as the gradient, or their sum; steps that are as long as ``lr``.
_SCALED = ("sgd", "momentum", "nesterov", "adagrad")
_NORMED = ("rmsprop", "adam", "adamax", "nadam", "adamw")

# Parameter -> its distribution, and the optimizers that have it.
_PARAMETERS: dict[str, tuple[Any, tuple[str, ...]]] = {
    # Two names for one thing, since the two kinds want different ranges.
    "lr": (loguniform(1e-3, 1e0), _SCALED),
    "optimizer__lr": (loguniform(1e-4, 3e-2), _NORMED),
    "optimizer__momentum": (one_minus_loguniform(0.5, 0.99), ("momentum", "nesterov")),
    "optimizer__alpha": (one_minus_loguniform(0.9, 0.999), ("rmsprop",)),
    # torch wants a pair: its own, less memory of gradients, more of it, less of squares.
    "optimizer__betas": (
        [(0.9, 0.999), (0.8, 0.999), (0.95, 0.999), (0.9, 0.98)],
        ("adam", "adamax", "nadam", "adamw"),
    ),
    "optimizer__eps": (loguniform(1e-10, 1e-3), ("adagrad", *_NORMED)),
    # With Adam and its like, the L2 penalty is not weight decay: AdamW is for that.
    "optimizer__weight_decay": (
        loguniform(1e-6, 1e-1),
        ("sgd", "momentum", "nesterov", "adamw"),
    ),
}


def optimizer_space(
    optimizers: Iterable[str] = tuple(OPTIMIZERS), *, prefix: str = ""
) -> dict[str, Any]:
    """Return a conditional space of optimizers and their parameters, for a skorch net.

    Parameters
    ----------
    optimizers : iterable of str
        Of "sgd", "momentum", "nesterov" (SGD with momentum of either kind), "adagrad",
        "rmsprop", "adam", "adamax", "nadam", "adamw"; all by default.
    prefix : str, default=""
        Goes before every name: ``"net__"`` for the step ``net`` of a pipeline.

    Returns
    -------
    space : dict
        For ``param_distributions``, together with others by ``{**space, **other}``.
        ``optimizer`` chooses; a parameter exists only for optimizers that have it:

        =========================== ============================ ========================
        ``lr``                      1e-3 to 1, log-uniform       sgd, momentum, nesterov,
                                                                 adagrad
        ``optimizer__lr``           1e-4 to 0.03, log-uniform    the others
        ``optimizer__momentum``     0.5 to 0.99, one minus it    momentum, nesterov
                                    log-uniform
        ``optimizer__alpha``        0.9 to 0.999, likewise       rmsprop
        ``optimizer__betas``        four pairs                   adam, adamax, nadam,
                                                                 adamw
        ``optimizer__eps``          1e-10 to 1e-3, log-uniform   adagrad and the others
        ``optimizer__weight_decay`` 1e-6 to 0.1, log-uniform     sgd, momentum, nesterov,
                                                                 adamw
        =========================== ============================ ========================

    Raises
    ------
    ValueError
        For no optimizer, or one that is not known.

    Notes
    -----
    The net's own ``optimizer__lr`` must not be set: it would outvote ``lr``. For
    scikit-learn's ``RandomizedSearchCV`` see `without_conditions`.

    Examples
    --------
    >>> list(optimizer_space(["sgd", "nesterov"]))
    ['optimizer', 'lr', 'optimizer__momentum', 'optimizer__weight_decay']
    """
    names = list(optimizers)
    if not names or not set(names) <= set(OPTIMIZERS):
        raise ValueError(f"optimizers must be some of {sorted(OPTIMIZERS)}, got {names}")
    space: dict[str, Any] = {"optimizer": [OPTIMIZERS[name] for name in names]}
    for parameter, (distribution, owners) in _PARAMETERS.items():
        if having := [OPTIMIZERS[name] for name in names if name in owners]:
            space[parameter] = when(distribution, optimizer=having)
    return prefixed(prefix, space)
