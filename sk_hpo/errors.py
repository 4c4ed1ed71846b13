"""Exceptions and warnings of the package.

Errors a user can cause are ``ValueError`` or ``TypeError``, as in scikit-learn; this
module holds what needs a name of its own.
"""

from __future__ import annotations

__all__ = ["SearchWarning", "SpaceExhausted"]


class SearchWarning(UserWarning):
    """Something about a search that its user should know, but that need not stop it."""


class SpaceExhausted(Exception):
    """Every configuration of a finite space was tried; there is nothing to suggest."""
