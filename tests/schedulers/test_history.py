from __future__ import annotations

import math

import pytest

from sk_hpo.schedulers.history import History
from sk_hpo.trial import Outcome, Reason, Trial


def test_trials_keep_their_reasons_when_told() -> None:
    history = History()
    reasons = [Reason("model", 0.5, 0.25, 0.125), Reason("user")]
    assert history.enrol([(0,), (1,)], reasons, bracket=2) == range(2)
    assert history.enrol([(2,)], [Reason("initial")]) == range(2, 3)
    assert [trial.reason for trial in history.trials[:1]] == reasons[:1]
    assert [trial.reason.origin for trial in history.trials] == ["model", "user", "initial"]
    assert [(trial.id, trial.bracket) for trial in history.trials] == [(0, 2), (1, 2), (2, 0)]
    assert history.trials[0].told(1, Outcome(0.5)).reason is reasons[0]


def test_a_reason_for_each_config() -> None:
    with pytest.raises(ValueError, match="zip"):
        History().enrol([(0,), (1,)], [Reason()])


def test_a_trial_without_a_reason_was_drawn_at_random() -> None:
    reason = Trial(0, (1,), 0, {1: Outcome(0.5)}).reason
    assert reason.origin == "random"
    assert all(map(math.isnan, (reason.acquisition, reason.mean, reason.sd)))
