"""The `build_*` functions: shapes for many sizes, names, saving, and what depends on what."""

import keras
import numpy as np
import pytest

from tsad_keras.models import (
    build_autoencoder,
    build_discriminator,
    build_generator,
    build_projection_head,
)

SMALL = {"hidden_dim": 8, "num_heads": 2, "intermediate_dim": 16}


def make_windows(window_size, num_features, batch_size=4, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(batch_size, window_size, num_features)).astype("float32")


@pytest.mark.parametrize(
    ("window_size", "num_features", "patch_size", "num_layers"),
    [(20, 3, 5, 1), (20, 1, 1, 2), (7, 2, 7, 1), (2, 40, 1, 1), (30, 5, 10, 3)],
)
def test_autoencoder_shapes(window_size, num_features, patch_size, num_layers):
    model = build_autoencoder(
        window_size, num_features, patch_size=patch_size, num_layers=num_layers, **SMALL
    )
    outputs = model(make_windows(window_size, num_features), training=False)
    assert sorted(outputs) == ["embedding", "reconstruction"]
    assert tuple(outputs["reconstruction"].shape) == (4, window_size, num_features)
    assert tuple(outputs["embedding"].shape) == (4, 8)
    blocks = [layer for layer in model.layers if layer.name.startswith("encoder_block_")]
    assert len(blocks) == num_layers


@pytest.mark.parametrize("num_layers", [2, 3, 4])
@pytest.mark.parametrize(("window_size", "num_features", "patch_size"), [(20, 3, 5), (7, 1, 1)])
def test_discriminator_shapes_and_number_of_hidden_layers(
    num_layers, window_size, num_features, patch_size
):
    model = build_discriminator(
        window_size,
        num_features,
        patch_size=patch_size,
        discriminator_dim=8,
        discriminator_layers=num_layers,
    )
    outputs = model(make_windows(window_size, num_features), training=False)
    assert sorted(outputs) == ["features", "logits"]
    assert tuple(outputs["logits"].shape) == (4, 1)
    assert tuple(outputs["features"].shape) == (4, 8)
    activations = [layer for layer in model.layers if isinstance(layer, keras.layers.LeakyReLU)]
    assert len(activations) == num_layers


@pytest.mark.parametrize(("window_size", "num_features", "patch_size"), [(20, 3, 5), (7, 1, 1)])
@pytest.mark.parametrize("latent_dim", [1, 64])
def test_generator_shapes(window_size, num_features, patch_size, latent_dim):
    model = build_generator(
        window_size, num_features, latent_dim=latent_dim, patch_size=patch_size, **SMALL
    )
    latent = np.random.default_rng(0).normal(size=(4, latent_dim)).astype("float32")
    windows = np.asarray(model(latent, training=False))
    assert windows.shape == (4, window_size, num_features)
    assert np.abs(windows[0] - windows[1]).max() > 1e-3  # another z, another window


def test_projection_head_shapes():
    model = build_projection_head(8, projection_dim=5)
    assert tuple(model(np.ones((4, 8), "float32")).shape) == (4, 5)


BUILDERS = {
    "autoencoder": (lambda: build_autoencoder(20, 3, **SMALL), (20, 3)),
    "discriminator": (lambda: build_discriminator(20, 3, discriminator_dim=8), (20, 3)),
    "generator": (lambda: build_generator(20, 3, latent_dim=6, **SMALL), (6,)),
    "projection_head": (lambda: build_projection_head(8, projection_dim=4), (8,)),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_saved_and_loaded_a_network_gives_the_same(name, tmp_path):
    build, input_shape = BUILDERS[name]
    model = build()
    assert model.name == name
    values = np.random.default_rng(0).normal(size=(4, *input_shape)).astype("float32")
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    before, after = model(values, training=False), loaded(values, training=False)
    if not isinstance(before, dict):
        before, after = {"output": before}, {"output": after}
    assert sorted(before) == sorted(after)
    for key in before:
        np.testing.assert_array_equal(after[key], before[key])


@pytest.mark.parametrize("name", BUILDERS)
def test_weights_have_names_that_tell_their_place(name):
    paths = [weight.path for weight in BUILDERS[name][0]().weights]
    assert len(set(paths)) == len(paths)
    assert not [path for path in paths if "dense_" in path]  # no automatic names


def test_autoencoder_reconstructs_from_context():
    """A hidden patch is filled from the others: its reconstruction depends on them."""
    model, windows = build_autoencoder(20, 3, **SMALL), make_windows(20, 3)
    changed = windows.copy()
    changed[:, 15:] += 1.0
    before, after = (
        np.asarray(model(values, training=False)["reconstruction"]) for values in (windows, changed)
    )
    assert np.abs(after[:, :5] - before[:, :5]).max() > 1e-4


def test_dropout_is_active_in_training_only():
    model, windows = build_autoencoder(20, 3, dropout=0.5, **SMALL), make_windows(20, 3)
    first, second = (np.asarray(model(windows, training=True)["embedding"]) for _ in range(2))
    assert (first != second).any()
    first, second = (np.asarray(model(windows, training=False)["embedding"]) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_discriminator_notices_one_bad_spot():
    """The maximum over time keeps what the mean of a long window would wash out."""
    model, windows = build_discriminator(100, 1, discriminator_dim=8), make_windows(100, 1)
    pooled = keras.Model(model.input, model.get_layer("pooled").output)
    spoilt = windows.copy()
    spoilt[:, 50] += 100.0
    change = np.abs(np.asarray(pooled(spoilt)) - np.asarray(pooled(windows))).max(axis=0)
    assert change[8:].max() > 5 * change[:8].max()
