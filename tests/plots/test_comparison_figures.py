"""Figures of a benchmark: what they show."""

import numpy as np
import pytest

from tsad_keras.plots import plot_critical_difference, plot_means, save_figure

LABELS = ["Random", "PCA error", "Detector"]
FAMILIES = ["floor", "simple", "ours"]


def test_means_are_bars_in_the_given_order_with_the_best_floor_as_a_line(tmp_path):
    figure = plot_means(LABELS, [0.1, 0.5, 0.7], [0.01, None, 0.05], FAMILIES, "4 entities")
    axes = figure.axes[0]
    np.testing.assert_allclose([bar.get_width() for bar in axes.patches[:3]], [0.1, 0.5, 0.7])
    assert [text.get_text() for text in axes.get_yticklabels()] == LABELS
    assert any(np.allclose(line.get_xdata(), 0.1) for line in axes.lines)
    save_figure(figure, tmp_path / "means.png")
    assert (tmp_path / "means.png").stat().st_size > 1000


@pytest.mark.parametrize("reference", [2, None])
def test_ranks_are_sorted_and_what_is_not_told_apart_is_shaded(reference, tmp_path):
    figure = plot_critical_difference(
        LABELS, [3.0, 1.8, 1.2], FAMILIES, distance=0.9, reference=reference, title="8 entities"
    )
    axes = figure.axes[0]
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names == ["Detector", "PCA error", "Random"]
    assert any("0.90" in text.get_text() for text in axes.texts)
    assert ("not told apart from Detector" in axes.get_title(loc="left")) == (reference == 2)
    assert len(axes.patches) == (1 if reference == 2 else 0)
    save_figure(figure, tmp_path / "ranks.png")


def test_all_zero_means_can_be_drawn():
    plot_means(["x"], [0.0], [None], ["ablation"], "")
