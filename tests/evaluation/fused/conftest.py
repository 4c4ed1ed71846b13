from __future__ import annotations

import math

import pytest


@pytest.fixture(autouse=True)
def _whatever_the_time(monkeypatch):
    """Nets are tried anew for each test, and none is refused since a machine is slow."""
    monkeypatch.setattr("sk_hpo.evaluation.fused.probe._LONG", math.inf)
    monkeypatch.setattr("sk_hpo.evaluation.fused.together._probed", {})
