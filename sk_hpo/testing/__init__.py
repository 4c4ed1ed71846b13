"""The contracts of samplers and schedulers, as tests for pytest, for those who write one.

They need pytest. See `SamplerContract` and `SchedulerContract`.
"""

import pytest

# Before the modules are imported: their assertions say what was compared.
pytest.register_assert_rewrite("sk_hpo.testing.sampler", "sk_hpo.testing.scheduler")

from sk_hpo.testing.sampler import SamplerContract  # noqa: E402
from sk_hpo.testing.scheduler import CountingSampler, SchedulerContract  # noqa: E402

__all__ = ["CountingSampler", "SamplerContract", "SchedulerContract"]
