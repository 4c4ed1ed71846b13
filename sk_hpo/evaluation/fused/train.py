"""Train many skorch nets at once, as if each were trained alone.

An epoch of K nets of one architecture is one pass over K batches at a time; everything
else is skorch's own and each net's own: its callbacks, its history, its optimizer's
hyperparameters, its random numbers. A net that stops, fails or leaves does so for itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

import torch
from skorch.callbacks import EpochScoring, PrintLog

from sk_hpo.evaluation.fused.batches import Batch, Feed, mapped
from sk_hpo.evaluation.fused.dropout import Draws, drawing_from
from sk_hpo.evaluation.fused.guard import is_light, signature, why_alone
from sk_hpo.evaluation.fused.losses import Criterion, criterion_for
from sk_hpo.evaluation.fused.optimizers import Optimizers
from sk_hpo.evaluation.fused.plan import Plan, plan_for
from sk_hpo.evaluation.fused.rows import plain, recorded
from sk_hpo.evaluation.fused.stack import Stack, rates_of
from sk_hpo.evaluation.garbage import collecting_later
from sk_hpo.evaluation.interrupt import Interrupt, interruptible
from sk_hpo.evaluation.rng import Stream

__all__ = ["Member", "train"]


class Member:
    """A net in a group: begun, with its loaders, and as many epochs to train as it wants.

    Parameters
    ----------
    net : NeuralNet
        Initialised, ``on_train_begin`` notified.
    loaders : (DataLoader, DataLoader or None)
        Of the rows that it trains with and validates with.
    epochs : int
        How many to train.
    stream : Stream
        Its random numbers.

    Attributes
    ----------
    done : int
        Epochs that were trained.
    stopped : bool
        Whether a callback ended the training.
    left : bool
        Whether it must go on by itself, since a callback has changed what is trained.
    error : Exception or None
        What was raised for this net.
    """

    def __init__(self, net: Any, loaders: tuple[Any, Any], epochs: int, stream: Stream) -> None:
        self.net = net
        self.loaders = loaders
        self.epochs = epochs
        self.stream = stream
        self.done = 0
        self.stopped = False
        self.left = False
        self.interrupt = Interrupt()
        self.error: Exception | None = None
        train, valid = loaders
        self._datasets = {
            "dataset_train": train.dataset,
            "dataset_valid": None if valid is None else valid.dataset,
        }
        self.light = all(is_light(callback, net) for _, callback in net.callbacks_)
        self._silent = [
            c for _, c in net.callbacks_ if type(c) is PrintLog and net.verbose <= 0
        ]
        self.listeners = [c for _, c in net.callbacks_ if isinstance(c, EpochScoring)]
        self.generator = torch.Generator()
        self.read_stream()

    @property
    def going(self) -> bool:
        """Whether it wants another epoch."""
        ended = self.error is not None or self.stopped or self.left
        return not ended and self.done < self.epochs

    @property
    def trained(self) -> list[Any]:
        """The objects that training changes."""
        return [self.net.optimizer_, *self.net.module_.parameters()]

    @property
    def signature(self) -> Any:
        """What it must keep to be trained with the others; None if it must not be."""
        if why_alone(self.net):
            return None
        return signature(self.net), tuple(rates_of(self.net.module_).values())

    def notify(self, method: str) -> None:
        """Tell the net's callbacks of an epoch; what they raise is theirs."""
        try:
            if self._silent:
                self._notify_silently(method)
            else:
                self.net.notify(method, **self._datasets)
        except KeyboardInterrupt:
            if self.interrupt.arrived:
                raise
            self.stopped = True
        except Exception as error:
            self.error = error

    def _notify_silently(self, method: str) -> None:
        """Notify all but those that would lay out a table that nobody sees."""
        getattr(self.net, method)(self.net, **self._datasets)
        for _, callback in self.net.callbacks_:
            if callback not in self._silent:
                getattr(callback, method)(self.net, **self._datasets)
            elif method == "on_epoch_end":
                callback.first_iteration_ = False

    def read_stream(self) -> None:
        """Let the generator go on where the stream stands."""
        assert self.stream.state is not None
        self.generator.set_state(torch.from_numpy(self.stream.state["torch"].copy()))

    def write_stream(self) -> None:
        """Let the stream go on where the generator stands."""
        assert self.stream.state is not None
        self.stream.state["torch"] = self.generator.get_state().numpy()


def train(members: Sequence[Member]) -> None:
    """Train nets of one signature until none of them wants more.

    Raises
    ------
    KeyboardInterrupt
        If a real one arrived; that of a callback ends the training of its net.
    """
    going = [member for member in members if member.going]
    with interruptible() as interrupt:
        for member in going:
            member.interrupt = interrupt
        found = _Found()
        while going:
            group = _Group(going, found)
            try:
                while all(member.going for member in going):
                    group.epoch()
            finally:
                group.dissolve()
            going = [member for member in going if member.going]


@dataclass
class _Found:
    """What is found out about nets of one signature while they are trained.

    Parameters
    ----------
    criterion : Criterion or None, default=None
        How their losses are computed, once that is known.
    draws : bool or None, default=None
        Whether a step draws random numbers, once that is known.
    plans : dict of tuple of str to dict of (bool, int) to Plan or None
        By `Stack.varied`; by whether they are trained, and the size of a batch.
    """

    criterion: Criterion | None = None
    draws: bool | None = None
    plans: dict[tuple[str, ...], dict[tuple[bool, int], Plan | None]] = field(
        default_factory=dict
    )


class _Group:
    """Members that all go on; dissolved when one of them does not."""

    def __init__(self, members: Sequence[Member], found: _Found) -> None:
        self._members = members
        self._nets = [member.net for member in members]
        self._stack = Stack([net.module_ for net in self._nets])
        train, valid = zip(*(member.loaders for member in members), strict=True)
        device = self._nets[0].device or "cpu"
        self._train = Feed(train, device)
        self._valid = None if valid[0] is None else Feed(valid, device)
        self._n_batches = self._train.n_batches
        self._optimizers = Optimizers(
            self._stack, [net.optimizer_ for net in self._nets], self._n_batches
        )
        self._found = found
        self._plans = found.plans.setdefault(self._stack.varied, {})
        self._healthy = True
        listeners = [c for member in members for c in member.listeners]
        self._heard = {c.on_train for c in listeners}  # passes whose predictions are wanted

    def epoch(self) -> None:
        """Train all members for one epoch."""
        for member in self._members:
            member.notify("on_epoch_begin")
        self._optimizers.refresh()
        self._pass(self._train, training=True)
        if self._valid is not None:
            self._pass(self._valid, training=False)
        if not all(member.light for member in self._members):
            self._optimizers.write_back()
            self._optimizers.forget()
        for k, member in enumerate(self._members):
            if member.error is None:
                self._end_epoch(k, member)

    def dissolve(self) -> None:
        """Leave all members as if each had trained alone."""
        self._optimizers.write_back()
        for k, member in enumerate(self._members):
            if not member.left:
                self._stack.detach(k)
                member.net._set_training(self._valid is None)
            member.write_stream()

    def _end_epoch(self, k: int, member: Member) -> None:
        optimizer = member.net.optimizer_
        if "step" in vars(optimizer):  # wrapped by a scheduler, which asks if it was called
            optimizer._opt_called = True
        if member.light:
            member.notify("on_epoch_end")
        else:
            self._stack.detach(k)
            member.net._set_training(self._valid is None)
            before, alike = member.trained, member.signature
            member.write_stream()
            with member.stream:
                member.notify("on_epoch_end")
            member.read_stream()
            pairs = zip(before, member.trained, strict=False)
            changed = any(one is not other for one, other in pairs)
            member.left = changed or member.signature != alike
            if not member.left:
                self._stack.attach(k)
        member.done += member.error is None

    # -- a pass over the data ----------------------------------------------------------------

    def _pass(self, feed: Feed, *, training: bool) -> None:
        planned = bool(self._plans) and all(self._plans.values())
        with collecting_later() if planned else nullcontext():
            self._do_pass(feed, training=training)

    def _do_pass(self, feed: Feed, *, training: bool) -> None:
        nets = self._nets
        nets[0]._set_training(training)
        generators = [member.generator for member in self._members]
        log = _Log(len(nets))
        with torch.set_grad_enabled(training):
            for batches in feed.epoch(generators):
                active = [False] * len(nets)
                for batch in batches if self._healthy else self._of_healthy(batches):
                    for part in self._tried(batch, training=training):
                        log.add(*part)
                    for k in batch.models:
                        active[k] = True
                if training:
                    self._optimizers.step(active)
        for member, batches_of in zip(self._members, log.batches(), strict=True):
            _record(member.net, "train" if training else "valid", batches_of)

    def _of_healthy(self, batches: Sequence[Batch]) -> list[Batch]:
        healthy = [k for k, member in enumerate(self._members) if member.error is None]
        chosen = [batch.only(healthy) for batch in batches]
        return [batch for batch in chosen if batch.models]

    def _tried(self, batch: Batch, *, training: bool) -> list[tuple[Any, ...]]:
        """Do a batch; if that raises, for each model by itself."""
        states = self._states(batch) if training and self._found.draws is not False else []
        buffers = self._stack.buffers_of(batch.at) if training else {}
        try:
            done = self._step(batch, training=training)
            if training and self._found.draws is None:
                self._found.draws = any(map(_differ, states, self._states(batch)))
            return [done]
        except Exception as error:
            if len(batch.models) == 1:
                self._members[batch.models[0]].error = error
                self._healthy = False
                return []
        self._stack.set_buffers(batch.at, buffers)
        for k, state in zip(batch.models, states, strict=bool(states)):
            self._members[k].generator.set_state(state)
        return [
            part
            for k in batch.models
            for part in self._tried(batch.only([k]), training=training)
        ]

    def _states(self, batch: Batch) -> list[torch.Tensor]:
        return [self._members[k].generator.get_state() for k in batch.models]

    def _step(self, batch: Batch, *, training: bool) -> tuple[Any, ...]:
        members = [self._members[k] for k in batch.models]
        nets = [member.net for member in members]
        draws = self._stack.draws(batch.models, [member.generator for member in members])
        plan = self._plans.get((training, batch.n_rows))
        if plan is None:
            y_pred, report = self._asked(batch, nets, draws, training=training)
        else:
            assert self._found.criterion is not None
            weights = self._stack.weights_of(batch.at)
            with torch.inference_mode():  # what is done is not to be differentiated
                y_pred, kept = plan.forward(batch.X, weights, draws)
                if training:
                    report, slope = self._found.criterion.slope(batch, y_pred)
                    into = self._stack.gradients_of(batch.at)
                    self._stack.keep_gradients(batch.at, plan.backward(slope, kept, into))
                else:
                    report = self._found.criterion.report(nets, batch, y_pred)
        if training in self._heard:
            _tell_listeners(members, batch, y_pred, training=training)
        return self._found.criterion, batch, report

    def _asked(
        self, batch: Batch, nets: Sequence[Any], draws: Draws, *, training: bool
    ) -> tuple[Any, Any]:
        """Let the first net's module do a batch; make a plan of what it does."""
        stack = self._stack
        with (
            stack.in_place(batch.at, training=training) as trained,
            drawing_from(draws),
            recorded() as record,
        ):
            y_pred = self._nets[0].infer(batch.X)
            if self._found.criterion is None:
                feeds = [feed for feed in (self._train, self._valid) if feed is not None]
                self._found.criterion = criterion_for(self._nets[0], y_pred, batch.y, feeds)
            key = training, batch.n_rows
            if key not in self._plans:
                found = plan_for(stack, self._found.criterion, record, batch.X, trained, y_pred)
                self._plans[key] = found
            if training:
                report, gradients = self._found.criterion.step(nets, batch, y_pred, trained)
                stack.keep_gradients(batch.at, gradients)
            else:
                report = self._found.criterion.report(nets, batch, y_pred)
        return y_pred, report


def _tell_listeners(
    members: Sequence[Member], batch: Batch, y_pred: Any, *, training: bool
) -> None:
    """Give the callbacks that score an epoch what the net has predicted."""
    own = mapped(_given, y_pred)
    for i, member in enumerate(members):
        for callback in member.listeners:
            if callback.on_train == training:
                of_net = mapped(itemgetter(i), own)
                callback.on_batch_end(member.net, batch.of(i), of_net, training)


def _given(y_pred: Any) -> torch.Tensor:
    """Return predictions as callbacks are given them: without a graph, but usable in one."""
    y_pred = plain(y_pred)
    return y_pred.clone() if y_pred.is_inference() else y_pred.detach()


class _Log:
    """The losses of a pass, batch by batch."""

    def __init__(self, n_models: int) -> None:
        self._n_models = n_models
        self._parts: list[tuple[Criterion, Batch, Any]] = []

    def add(self, criterion: Criterion, batch: Batch, report: Any) -> None:
        """Note what came of a batch."""
        self._parts.append((criterion, batch, report))

    def batches(self) -> list[list[tuple[float, int]]]:
        """Return (loss, number of rows) of each batch, model by model."""
        found: list[list[tuple[float, int]]] = [[] for _ in range(self._n_models)]
        for (_, n_rows, models), parts in groupby(self._parts, key=_size):
            alike = list(parts)
            values = alike[0][0].values([report for _, _, report in alike])
            for of_batch in values:
                for k, value in zip(models, of_batch, strict=True):
                    found[k].append((value, n_rows))
        return found


def _size(part: tuple[Criterion, Batch, Any]) -> tuple[Criterion, int, tuple[int, ...]]:
    criterion, batch, _ = part
    return criterion, batch.n_rows, tuple(batch.models)


def _record(net: Any, prefix: str, batches: Sequence[tuple[float, int]]) -> None:
    """Write to the history what skorch writes."""
    row = list.__getitem__(net.history, -1)
    row["batches"] += [
        {f"{prefix}_loss": loss, f"{prefix}_batch_size": n} for loss, n in batches
    ]
    net.history.record(f"{prefix}_batch_count", len(batches))


def _differ(one: torch.Tensor, other: torch.Tensor) -> bool:
    return not torch.equal(one, other)
