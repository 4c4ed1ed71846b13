"""The incumbent as a small picture within a line of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from itertools import pairwise

from sk_hpo.inspection.style import INCUMBENT, floor_of

__all__ = ["sparkline"]

_WIDTH, _HEIGHT, _PAD = 180.0, 36.0, 4.0
_MOST = 300  # steps that a picture of this width can show


def sparkline(scores: Sequence[float], *, label: str = "best score so far") -> str:
    """Return a staircase of scores as inline SVG; empty if there is none.

    Parameters
    ----------
    scores : sequence of float
        In their order; NaN is left out.
    label : str, default="best score so far"
        What it is, for those who do not see it.

    Examples
    --------
    >>> picture = sparkline([0.5, 0.75, 0.75])
    >>> 'aria-label="best score so far: 0.5 to 0.75 in 3 results"' in picture
    True
    >>> '<path d="M4 32H90V4H176"' in picture  # steady, up at the second, steady
    True
    """
    known = [score for score in scores if math.isfinite(score)]
    if not known:
        return ""
    floor = floor_of(known)
    low, high = max(min(known), floor), max(known)
    step = math.ceil(len(known) / _MOST)
    shown = [*known[: len(known) - 1 : step], known[-1]]
    across = (_WIDTH - 2 * _PAD) / max(len(shown) - 1, 1)
    down = (_HEIGHT - 2 * _PAD) / (high - low) if high > low else 0.0
    ys = [_HEIGHT - _PAD - (max(score, low) - low) * down for score in shown]
    path = f"M{_PAD:g} {ys[0]:.4g}"
    for i, (before, y) in enumerate(pairwise(ys), 1):
        if y != before or i == len(ys) - 1:
            path += f"H{_PAD + i * across:.4g}" + ("" if y == before else f"V{y:.4g}")
    color, end = INCUMBENT["color"], _PAD + across * (len(shown) - 1)
    text = f"{label}: {known[0]:.4g} to {known[-1]:.4g} in {len(scores)} results"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH:g}" height="{_HEIGHT:g}"'
        f' viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img" aria-label="{escape(text)}">'
        f'<path d="{path}" fill="none" stroke="{color}" stroke-width="1.8"/>'
        f'<circle cx="{end:.4g}" cy="{ys[-1]:.4g}" r="2.6" fill="{color}"/></svg>'
    )
