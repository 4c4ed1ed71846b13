"""Search spaces of Ray Tune."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scipy import stats

from sk_hpo.space.adapters.words import finished, integers, kinds, multiples, reals, tabulated

__all__ = ["from_ray"]


def from_ray(
    param_space: Mapping[str, Any], *, names: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return ``param_distributions`` for a ``param_space`` of Ray Tune.

    Parameters
    ----------
    param_space : dict
        As for ``ray.tune.Tuner``. A dict within it that has something to search becomes
        ``outer__inner``, as scikit-learn nests parameters; one that has not is a value.
    names : dict, default=None
        Name, nested ones as ``outer__inner``, -> the estimator's parameter, where they
        differ.

    Returns
    -------
    param_distributions : dict
        ``uniform``, ``loguniform``, ``randn``, ``randint`` and ``lograndint`` become the
        distributions of these names (``norm`` for ``randn``), ``choice`` and
        ``grid_search`` a list, ``quniform`` and ``qrandint`` the list of the multiples,
        ``qlograndint`` a distribution of them, and any other value a list of one.

    Raises
    ------
    ValueError
        For ``sample_from``, ``qloguniform`` and ``qrandn``, for a ``choice`` among
        distributions, and for more than 1000 multiples. The message says what to write.
    TypeError
        If `param_space` is not a dict.

    Notes
    -----
    ``quniform`` rounds, so that the first and the last multiple are half as probable as the
    others; in a list all are as probable.

    Examples
    --------
    >>> from_ray({"epochs": 5, "optimizer": {"name": {"grid_search": ["sgd", "adam"]}}})
    {'epochs': [5], 'optimizer__name': ['sgd', 'adam']}
    """
    if not isinstance(param_space, Mapping):
        raise TypeError(f"from_ray takes a dict, got {type(param_space).__name__}.")
    space: dict[str, Any] = {}
    for name, value in _flat(param_space):
        if name in space:
            raise ValueError(f"Two parameters would be called {name!r}: rename one.")
        space[name] = _value(name, value)
    return finished(space, names)


def _flat(space: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in space.items():
        if isinstance(value, Mapping) and not _is_grid(value) and _is_searched(value):
            yield from _flat(value, f"{prefix}{key}__")
        else:
            yield f"{prefix}{key}", value


def _is_grid(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == {"grid_search"}


def _is_searched(value: Any) -> bool:
    """Whether something to search is in a value."""
    if isinstance(value, Mapping):
        return _is_grid(value) or any(map(_is_searched, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(_is_searched, value))
    return "Domain" in kinds(value)


def _value(name: str, value: Any) -> Any:
    if _is_grid(value):
        return _values(name, value["grid_search"])
    if not _is_searched(value):
        return [value]
    found = kinds(value)
    if "Categorical" in found:
        return _values(name, value.categories)
    if "Function" in found:
        raise ValueError(
            f"Parameter {name!r} is computed by sample_from. Write a distribution; when() for"
            " a parameter that depends on another, or constraint= of the search for what"
            " must not occur together."
        )
    if found & {"Float", "Integer"}:
        return _number(name, value, whole="Integer" in found)
    raise ValueError(
        f"Parameter {name!r}: {value!r} has something to search inside of a value. Make it"
        " a parameter of its own."
    )


def _values(name: str, values: Any) -> list[Any]:
    if _is_searched(list(values)):
        raise ValueError(
            f"Parameter {name!r} is a choice among distributions. Write a list of dicts, one"
            " for each, or a parameter that chooses and when() for each distribution."
        )
    return list(values)


def _number(name: str, domain: Any, whole: bool) -> Any:
    sampler, step = domain.get_sampler(), None
    if "Quantized" in kinds(sampler):
        sampler, step = sampler.sampler, sampler.q
    found = kinds(sampler)
    log = "LogUniform" in found
    if "Normal" in found:
        if step is not None:
            instead = f"norm({sampler.mean}, {sampler.sd})"
            raise ValueError(_rounded(name, "qrandn", instead))
        return stats.norm(sampler.mean, sampler.sd)
    low, high = domain.lower, domain.upper
    if not whole:
        if step is None:
            return reals(low, high, log)
        if log:
            raise ValueError(_rounded(name, "qloguniform", f"loguniform({low}, {high})"))
        return multiples(name, low, high, step)
    if step is None or step == 1:
        return integers(low, high - 1, log)
    values = multiples(name, low, high, step)
    return _log_multiples(values, step) if log else values


def _rounded(name: str, function: str, instead: str) -> str:
    return (
        f"Parameter {name!r}: there is no {function} here. Write {instead} and round in the"
        " estimator, or a list of values."
    )


def _log_multiples(values: list[int], step: int) -> Any:
    """Return the distribution of a log-uniform integer, times `step`."""
    if len(values) == 1:
        return values
    first, last = values[0] // step, values[-1] // step
    inner = integers(first, last, log=True)
    label = f"{step} * lograndint({first}, {last + 1})"
    return tabulated(label, inner.cdf, range(first - 1, last + 1), values)
