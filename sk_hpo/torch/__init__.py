"""For users of skorch and torch: ready spaces, schedules, a module, and a fast loader.

>>> from sk_hpo.torch import MLP, TensorLoader, mlp_space, optimizer_space, schedule_space
"""

from sk_hpo.evaluation.tensor_loader import TensorLoader
from sk_hpo.torch.conditions import without_conditions
from sk_hpo.torch.distribution import one_minus_loguniform
from sk_hpo.torch.mlp import MLP, mlp_space
from sk_hpo.torch.optimizers import nesterov, optimizer_space, sgd_momentum
from sk_hpo.torch.range_test import (
    LearningRateRange,
    LearningRateRangeDisplay,
    learning_rate_range_test,
)
from sk_hpo.torch.schedules import Schedule, schedule_space

__all__ = [
    "MLP",
    "LearningRateRange",
    "LearningRateRangeDisplay",
    "Schedule",
    "TensorLoader",
    "learning_rate_range_test",
    "mlp_space",
    "nesterov",
    "one_minus_loguniform",
    "optimizer_space",
    "schedule_space",
    "sgd_momentum",
    "without_conditions",
]
