from __future__ import annotations

import math

import pytest


@pytest.fixture(autouse=True)
def _whatever_it_gains(monkeypatch):
    """Nets are tried anew for each test, and none is refused since it would gain nothing."""
    monkeypatch.setattr("sk_hpo.evaluation.fused.probe._MAX_ONE_BY_ONE", math.inf)
    monkeypatch.setattr("sk_hpo.evaluation.fused.together._probed", {})
