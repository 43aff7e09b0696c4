"""The figure of attention maps: what is drawn, in which rows."""

import numpy as np
import pytest

from tsad_keras.errors import InputError
from tsad_keras.plots import plot_attention, save_figure

MAPS = np.random.default_rng(0).dirichlet(np.ones(4), (2, 3, 4))


@pytest.mark.parametrize(
    ("layer", "head", "expected", "title"),
    [
        (None, None, MAPS.mean(axis=(0, 1)), "mean of 2 layers, mean of 3 heads"),
        (1, None, MAPS[1].mean(axis=0), "layer 1, mean of 3 heads"),
        (None, 0, MAPS[:, 0].mean(axis=0), "mean of 2 layers, head 0"),
        (0, 2, MAPS[0, 2], "layer 0, head 2"),
    ],
)
def test_layer_head_or_mean(tmp_path, layer, head, expected, title):
    figure = plot_attention(MAPS, 100, 20, layer=layer, head=head, marked_row=107)
    axes = figure.axes[0]
    np.testing.assert_allclose(axes.images[0].get_array(), expected)
    assert axes.get_title("left").endswith(title)
    assert axes.images[0].get_extent() == [99.5, 119.5, 119.5, 99.5]
    assert len(axes.lines) == 2
    save_figure(figure, tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 0


def test_one_row_a_token_without_more_knowledge():
    axes = plot_attention(MAPS[:1]).axes[0]
    assert axes.images[0].get_extent() == [-0.5, 3.5, 3.5, -0.5]
    assert "the only layer" in axes.get_title("left")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layer": 2}, "layer is 2, expected 0 to 1"),
        ({"head": -1}, "head is -1, expected 0 to 2"),
    ],
)
def test_unknown_layer_or_head(settings, message):
    with pytest.raises(InputError, match=message):
        plot_attention(MAPS, **settings)


@pytest.mark.parametrize("maps", [MAPS[0], MAPS[..., :3], MAPS[:0]])
def test_other_shapes(maps):
    with pytest.raises(InputError, match="maps have shape"):
        plot_attention(maps)
