"""What all displays share."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot as plt

from sk_hpo.inspection import style


def seen_by(matrix, color):
    """Return a colour (red, green, blue of linear light) as someone sees it."""
    rgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return np.clip(matrix @ linear, 0, 1) ** (1 / 2.2)


# Machado, Oliveira, Fernandes (2009), table for severity 1.
SIGHT = {
    "all cones": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


@pytest.mark.parametrize("matrix", SIGHT.values(), ids=SIGHT)
def test_colours_can_be_told_apart(matrix):
    used = [*style.COLORS, style.INCUMBENT["color"], style.FAILED["color"]]
    seen = np.array([seen_by(np.array(matrix), color) for color in used])
    apart = np.linalg.norm(seen[:, None] - seen[None], axis=2) + np.eye(len(used))
    assert apart.min() > 0.1  # of black and white: 1.7


def test_lines_differ_in_colour_or_stroke():
    looks = {tuple(style.line(i).values()) for i in range(24)}
    assert len(looks) == 24


@given(st.text(max_size=60), st.integers(5, 40))
def test_short_texts_are_short(text, most):
    found = style.short(text, most)
    assert len(found.replace(r"\$", "$")) <= most
    if len(text) <= most and text == " ".join(text.split()):
        assert found.replace(r"\$", "$") == text


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60))
def test_the_floor_is_under_three_quarters_of_the_scores(scores):
    assert np.mean(np.array(scores) >= style.floor_of(scores)) >= 0.75


def test_scores_below_the_floor_are_on_the_edge():
    _, ax = style.axes(None)
    scores = np.r_[np.linspace(0.5, 1, 30), -1e12, np.nan]
    floor = style.score_axis(ax, scores)
    style.dots(ax, np.arange(32), scores, floor, label="scores")
    above, edge = ax.lines
    assert len(above.get_xdata()) == 30
    assert edge.get_xdata().tolist() == [30]
    low, high = ax.get_ylim()
    assert low < 0.5 < 1 < high
    assert high - low < 1
    assert ax.get_legend_handles_labels()[1] == ["scores"]


def test_the_legend_fits_the_figure():
    figure, ax = style.axes(None)
    for i in range(7):
        ax.plot([0, 1], label=f"a search with a name {i}", alpha=0.1)
    style.legend(ax)
    figure.canvas.draw()
    box = ax.get_legend().get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width
    assert ax.get_window_extent().width > 0.8 * figure.bbox.width
    plt.close(figure)
