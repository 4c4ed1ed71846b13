"""From trainings of skorch nets to groups that train at once.

A net that is like no other, or whose steps are too long to gain from others, is a group of its
own if its forward is a chain that `plan` can follow: that is faster than autograd even for one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from sk_hpo.evaluation.fused.batches import Feed, kind_of
from sk_hpo.evaluation.fused.guard import is_big, may_be_straight, signature, why_alone
from sk_hpo.evaluation.fused.probe import why_not_together
from sk_hpo.evaluation.fused.stack import groups_of
from sk_hpo.evaluation.fused.train import Member, train
from sk_hpo.evaluation.resources import Training
from sk_hpo.evaluation.rng import Stream

__all__ = ["NO_OTHER", "advance_together"]


@dataclass
class _Candidate:
    """A training that may join a group."""

    training: Training
    loaders: tuple[Any, Any]
    kind: Hashable

    @property
    def net(self) -> Any:
        return self.training.model.estimator


def advance_together(
    trainings: Sequence[Training],
    loaders: Callable[[Training], tuple[Any, Any]],
    *,
    must_gain: bool = True,
) -> list[Training]:
    """Train those that can be trained together; return the others.

    Parameters
    ----------
    trainings : sequence of Training
        Of skorch nets, begun. Those that were trained have a model and an outcome as if they
        had been trained alone; the others are as they were, but for the `reason`.
    loaders : callable
        Training -> loaders of its training and validation rows (None if it has none).
    must_gain : bool, default=True
        Whether to leave those that would gain nothing.

    Returns
    -------
    left : list of Training
        To be trained alone, each for a `reason`; some of them are partly trained.
    """
    left: list[Training] = []
    able = [training for training in trainings if _may_join(training)]
    left += [training for training in trainings if training.reason]
    for candidates in _by_kind(_candidates(able, loaders, left)):
        for group in groups_of(candidates, candidates[0].net.module_):
            reason = _why_not(group, must_gain)
            if not reason:
                left += _train(group, "together")
                continue
            for candidate in group:
                candidate.training.reason = reason
                left += (
                    _train([candidate], "plan")
                    if _has_plan(candidate)
                    else [candidate.training]
                )
    return left


def _may_join(training: Training) -> bool:
    """Whether a training may join others that are like it; gives it a reason if not."""
    net = training.model.estimator
    if training.data.fit_params:
        training.reason = "fit parameters go to its forward"
    elif not isinstance(training.stream, Stream) or training.stream.state is None:
        training.reason = "it has no random numbers of its own"
    else:
        training.reason = why_alone(net)
    return not training.reason


def _candidates(
    trainings: Sequence[Training],
    loaders: Callable[[Training], tuple[Any, Any]],
    left: list[Training],
) -> Iterator[_Candidate]:
    """Yield those that may join a group; add the others, with reasons, to `left`."""
    alike: dict[Hashable, list[Training]] = {}
    for training in trainings:
        alike.setdefault(signature(training.model.estimator), []).append(training)
    for key, those in alike.items():
        if len(those) == 1 and not may_be_straight(those[0].model.estimator):
            left += _with(NO_OTHER, those)
            continue
        for training in those:
            try:
                found = loaders(training)
            except Exception as error:
                training.error = error
                continue
            kinds = tuple(None if loader is None else kind_of(loader) for loader in found)
            if kinds[0] is None or (kinds[1] is None) is not (found[1] is None):
                left += _with("its rows are not slices of arrays", [training])
            else:
                yield _Candidate(training, found, (key, kinds))


NO_OTHER = "no other net is like it"


def _by_kind(candidates: Iterable[_Candidate]) -> list[list[_Candidate]]:
    found: dict[Hashable, list[_Candidate]] = {}
    for candidate in candidates:
        found.setdefault(candidate.kind, []).append(candidate)
    return list(found.values())


def _why_not(group: Sequence[_Candidate], must_gain: bool) -> str:
    """Return why a group cannot be trained together, or nothing."""
    if must_gain and is_big(group[0].net):
        return "it has too many parameters to gain"
    if len(group) == 1:
        return NO_OTHER
    return _probe(group, must_gain)


def _has_plan(candidate: _Candidate) -> bool:
    """Whether a net can be trained by the plan of its forward."""
    return may_be_straight(candidate.net) and not _probe([candidate], must_gain=True)


def _probe(group: Sequence[_Candidate], must_gain: bool) -> str:
    nets = [candidate.net for candidate in group]
    device = nets[0].device or "cpu"
    train, valid = zip(*(candidate.loaders for candidate in group), strict=True)
    feed = Feed(train, device)
    valid_sizes = () if valid[0] is None else Feed(valid, device).sizes()
    sizes = tuple(feed.sizes()), tuple(valid_sizes)
    key = (group[0].kind, *sizes, must_gain, len(group) == 1, torch.get_num_threads())
    if key not in _probed:
        if len(_probed) == _MEMORY:
            del _probed[next(iter(_probed))]
        _probed[key] = why_not_together(nets, feed, valid_sizes, must_gain=must_gain)
    return _probed[key]


_MEMORY = 128
_probed: dict[Hashable, str] = {}


def _train(group: Sequence[_Candidate], path: str) -> list[Training]:
    """Train a group; return those that must go on alone."""
    begin = time.perf_counter()
    members, before = [], []
    for candidate in group:
        training = candidate.training
        assert isinstance(training.stream, Stream)
        epochs = training.to - training.model.resource
        members.append(Member(candidate.net, candidate.loaders, epochs, training.stream))
        before.append(len(candidate.net.history))
    train(members)
    share = (time.perf_counter() - begin) / sum(max(1, member.done) for member in members)
    left = []
    for candidate, member, n in zip(group, members, before, strict=True):
        training = candidate.training
        training.path, training.error = path, member.error
        training.seconds += share * max(1, member.done)
        training.model.stopped = member.stopped
        training.model.resource += len(member.net.history) - n
        if member.left:
            left += _with("a callback changed what is trained", [training])
    return left


def _with(reason: str, trainings: Iterable[Training]) -> list[Training]:
    found = list(trainings)
    for training in found:
        training.reason = reason
    return found
