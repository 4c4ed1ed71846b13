"""One searched parameter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sk_hpo.space.condition import Condition
from sk_hpo.space.domain import Code, Domain, Kind

__all__ = ["Dimension"]


@dataclass(frozen=True, eq=False)
class Dimension:
    """A parameter's name, its values, and when it exists.

    Parameters
    ----------
    name : str
        The estimator's parameter.
    domain : Domain
        Its values.
    condition : Condition or None, default=None
        When the dimension is active; None means always.
    """

    name: str
    domain: Domain
    condition: Condition | None = None

    @property
    def kind(self) -> Kind:
        """``"categorical"``, ``"ordinal"``, ``"integer"`` or ``"real"``."""
        return self.domain.kind

    @property
    def n_levels(self) -> float:
        """Number of codes, `math.inf` for a real dimension."""
        return self.domain.n_levels

    def to_unit(self, code: Code) -> float:
        """Return a number in [0, 1] that `from_unit` takes back to `code`."""
        return self.domain.to_unit(code)

    def from_unit(self, u: float) -> Code:
        """Return the code at quantile `u`, clipped to [0, 1]."""
        return self.domain.from_unit(u)

    def value(self, code: Code) -> Any:
        """Return what the estimator gets."""
        return self.domain.value(code)

    def code(self, value: Any) -> Code:
        """Return the code of a value; ValueError names the parameter if there is none."""
        try:
            return self.domain.code(value)
        except ValueError as error:
            raise ValueError(f"Parameter {self.name!r}: {error}") from None
