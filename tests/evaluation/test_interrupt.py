from __future__ import annotations

import os
import signal
import threading

import pytest

from sk_hpo.evaluation.interrupt import fit_noticing_interrupt, interruptible


def ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(autouse=True)
def _handler():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


class Swallows:
    """Its fit does as a skorch net's does."""

    def __init__(self, interrupt):
        self.interrupt = interrupt

    def fit(self, X, y=None, **fit_params):
        self.seen = X, y, fit_params
        try:
            self.interrupt()
        except KeyboardInterrupt:
            return self
        return self


def raise_it():
    raise KeyboardInterrupt


def test_only_a_signal_is_noted():
    with interruptible() as interrupt:
        with pytest.raises(KeyboardInterrupt):
            raise_it()
        assert not interrupt.arrived
        with pytest.raises(KeyboardInterrupt):
            ctrl_c()
        assert interrupt.arrived


def test_all_blocks_note_a_signal():
    with interruptible() as outer:
        with interruptible() as inner, pytest.raises(KeyboardInterrupt):
            ctrl_c()
        with interruptible() as later:
            pass
    assert outer.arrived
    assert inner.arrived
    assert not later.arrived


def test_the_installed_handler_stays_in_charge():
    calls = []
    signal.signal(signal.SIGINT, lambda *args: calls.append(args))
    with interruptible() as interrupt:
        ctrl_c()
    assert len(calls) == 1
    assert not interrupt.arrived
    ctrl_c()
    assert len(calls) == 2
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_an_ignored_signal_stays_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interruptible() as interrupt:
        ctrl_c()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert not interrupt.arrived
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_a_handler_from_outside_of_python_is_left_alone(monkeypatch):
    monkeypatch.setattr(signal, "getsignal", lambda signum: None)
    monkeypatch.setattr(signal, "signal", lambda *args: pytest.fail("handler was replaced"))
    with interruptible() as interrupt:
        pass
    assert not interrupt.arrived
    monkeypatch.undo()


def test_a_handler_that_the_block_installs_is_kept():
    def mine(*args):
        raise AssertionError

    with interruptible():
        signal.signal(signal.SIGINT, mine)
    assert signal.getsignal(signal.SIGINT) is mine
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_other_threads_install_nothing():
    seen = []

    def work():
        with interruptible() as interrupt:
            seen.append((signal.getsignal(signal.SIGINT), interrupt.arrived))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(signal.default_int_handler, False)]


def test_fit_passes_everything_on():
    estimator = Swallows(raise_it)
    assert fit_noticing_interrupt(estimator, 1, 2, sample_weight=3) is estimator
    assert estimator.seen == (1, 2, {"sample_weight": 3})
    assert fit_noticing_interrupt(estimator, 1).seen == (1, None, {})


def test_fit_does_not_swallow_ctrl_c():
    with pytest.raises(KeyboardInterrupt):
        fit_noticing_interrupt(Swallows(ctrl_c), 1)


def test_fit_lets_errors_through():
    def fail():
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        fit_noticing_interrupt(Swallows(fail), 1)
