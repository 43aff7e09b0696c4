"""Attention maps are those of the layers that reconstruct, not a second computation beside them."""

import numpy as np
import pytest
from keras import Model

from tsad_keras.errors import InputError
from tsad_keras.models import build_autoencoder
from tsad_keras.models.attention import attention_maps
from tsad_keras.models.seeding import seeded_initialisers


@pytest.fixture(scope="module")
def autoencoder():
    with seeded_initialisers(0):
        model = build_autoencoder(
            20, 3, patch_size=5, hidden_dim=8, num_heads=2, intermediate_dim=16, num_layers=2
        )
    random = np.random.default_rng(0)  # biases and norms that do something
    model.set_weights([w + random.normal(0, 0.3, w.shape) for w in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def windows():
    return np.random.default_rng(1).normal(0, 2, (6, 20, 3)).astype("float32")


def test_rows_sum_to_one_and_differ_by_layer_head_and_window(autoencoder, windows):
    maps = np.asarray(attention_maps(autoencoder, windows))
    assert maps.shape == (6, 2, 2, 4, 4)
    assert (maps >= 0).all()
    np.testing.assert_allclose(maps.sum(axis=-1), 1, rtol=1e-5)
    assert not np.allclose(maps[:, 0], maps[:, 1])
    assert not np.allclose(maps[:, :, 0], maps[:, :, 1])
    assert not np.allclose(maps[0], maps[1])


def test_maps_and_value_projections_give_what_the_model_computes(autoencoder, windows):
    """Each block is rebuilt from its maps; the end must be the model's own tokens."""
    maps = np.asarray(attention_maps(autoencoder, windows))
    tokens = outputs_of(autoencoder, "positional_encoding", windows)
    for index in range(2):
        block = autoencoder.get_layer(f"encoder_block_{index}")
        attention = block.attention
        normed = np.asarray(block.attention_norm(tokens))
        kernel, bias = (np.asarray(w) for w in attention.value_dense.weights)
        values = np.einsum("btd,dhk->bthk", normed, kernel) + bias
        mixed = np.einsum("bhij,bjhk->bihk", maps[:, index], values)
        kernel, bias = (np.asarray(w) for w in attention.output_dense.weights)
        tokens = tokens + np.einsum("bihk,hkd->bid", mixed, kernel) + bias
        hidden = block.feedforward_intermediate(block.feedforward_norm(tokens))
        tokens = tokens + np.asarray(block.feedforward_output(hidden))
        expected = outputs_of(autoencoder, f"encoder_block_{index}", windows)
        np.testing.assert_allclose(tokens, expected, rtol=1e-4, atol=1e-4)


def outputs_of(model, name, windows):
    return np.asarray(Model(model.input, model.get_layer(name).output)(windows, training=False))


def test_a_detector_shows_the_window_that_was_asked_for(tiny_detector, make_series):
    series = make_series(100, seed=3)
    maps = tiny_detector.attention(series, start=37)
    assert maps.shape == (1, 2, 4, 4)
    prepared = tiny_detector.prepare_rows(series)[None, 37:57]
    expected = attention_maps(tiny_detector.networks_.autoencoder, prepared)[0]
    np.testing.assert_allclose(maps, expected, rtol=1e-5)
    np.testing.assert_allclose(tiny_detector.attention(series[37:57]), expected, rtol=1e-5)


def test_missing_values_are_those_of_the_whole_series(tiny_detector, make_series):
    series = make_series(60, seed=3)
    filled = series.copy()
    series[30:33, 1] = np.nan
    filled[30:33, 1] = filled[29, 1]
    found = tiny_detector.attention(series, 30)
    np.testing.assert_array_equal(found, tiny_detector.attention(filled, 30))


@pytest.mark.parametrize("start", [-1, 81])
def test_windows_lie_in_the_series(tiny_detector, make_series, start):
    with pytest.raises(InputError, match="start is .* expected 0 to 80"):
        tiny_detector.attention(make_series(100), start)
