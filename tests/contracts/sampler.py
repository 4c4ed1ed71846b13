"""The sampler contract, as `sk_hpo.testing` publishes it."""

from sk_hpo.testing.sampler import SamplerContract, configs_of, search
from sk_hpo.testing.spaces import FINITE, GRIDS, INFINITE

__all__ = ["FINITE", "GRIDS", "INFINITE", "SamplerContract", "configs_of", "search"]
