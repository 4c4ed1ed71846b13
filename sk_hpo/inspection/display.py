"""What displays of one record have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self

from sk_hpo.inspection.record import SearchRecord
from sk_hpo.inspection.recorded import record_of

__all__ = ["ParametersDisplay", "RecordDisplay", "no_result"]


class RecordDisplay(ABC):
    """A picture of a search.

    Parameters
    ----------
    record : SearchRecord
        Of the search.
    """

    def __init__(self, record: SearchRecord) -> None:
        self.record = record

    @classmethod
    def from_search(cls, search: Any, *, ax: Any = None) -> Self:
        """Plot a search.

        Parameters
        ----------
        search : fitted search, Journal, or path of a journal
            What is plotted.
        ax : matplotlib Axes, default=None
            As in `plot`.

        Returns
        -------
        display : object
            The display, with `figure_` and `ax_`.
        """
        return cls(record_of(search)).plot(ax=ax)

    @abstractmethod
    def plot(self, *, ax: Any = None) -> Self:
        """Plot the record; return the display."""


class ParametersDisplay(RecordDisplay):
    """A picture of the candidates of a search across their parameters.

    Parameters
    ----------
    record : SearchRecord
        Of the search.
    parameters : sequence of str, default=None
        Which parameters there are, in their order; None for all, by name.
    """

    def __init__(
        self, record: SearchRecord, *, parameters: Sequence[str] | None = None
    ) -> None:
        super().__init__(record)
        self.parameters = parameters

    @classmethod
    def from_search(
        cls, search: Any, *, parameters: Sequence[str] | None = None, ax: Any = None
    ) -> Self:
        """Plot a search.

        Parameters
        ----------
        search : fitted search, Journal, or path of a journal
            What is plotted.
        parameters : sequence of str, default=None
            Which parameters there are, in their order; None for all, by name.
        ax : matplotlib Axes, default=None
            As in `plot`.

        Returns
        -------
        display : object
            The display, with `figure_` and `ax_`.

        Raises
        ------
        ValueError
            If there is no such parameter.
        """
        return cls(record_of(search), parameters=parameters).plot(ax=ax)


def no_result(*records: SearchRecord, sound: bool = False) -> str:
    """Return what is to be said of searches that have no result, or no `sound` one, yet."""
    begun = sum(len(record.trials) for record in records)
    return f"No {'sound ' * sound}result yet ({begun} candidates have begun)."
