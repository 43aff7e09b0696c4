"""The neural baselines' networks: shapes, names, and weights that follow the seed."""

import random

import keras
import numpy as np
import pytest

from tsad_keras.models.plain import (
    build_cnn_forecaster,
    build_dense_autoencoder,
    build_lstm_autoencoder,
)
from tsad_keras.models.seeding import seeded_initialisers

BUILDERS = [build_dense_autoencoder, build_lstm_autoencoder, build_cnn_forecaster]


@pytest.mark.parametrize("build", BUILDERS)
class TestContract:
    def test_shapes_and_names(self, build):
        model = build(20, 3)
        assert isinstance(model, keras.Model)
        output = model(np.zeros((2, 20, 3), np.float32), training=False)
        assert output.shape == ((2, 3) if build is build_cnn_forecaster else (2, 20, 3))
        assert all(not layer.name[-1].isdigit() or "_" in layer.name for layer in model.layers)
        assert build(20, 3, name="other").name == "other"

    def test_weights_follow_the_seed_and_pythons_generator_does_not(self, build):
        state = random.getstate()
        models = []
        for seed in (1, 1, 2):
            with seeded_initialisers(seed):
                models.append(build(20, 3))
        assert random.getstate() == state
        one, same, other = (np.concatenate([w.ravel() for w in m.get_weights()]) for m in models)
        np.testing.assert_array_equal(one, same)
        assert not np.array_equal(one, other)


@pytest.mark.parametrize("num_timesteps", [17, 18, 19, 20])
def test_the_forecaster_sees_all_of_its_context(num_timesteps):
    model = build_cnn_forecaster(num_timesteps, 2)
    context = np.random.default_rng(0).normal(size=(1, num_timesteps, 2)).astype(np.float32)
    base = model(context).numpy()
    for row in range(num_timesteps):
        changed = context.copy()
        changed[0, row] += 1.0
        assert not np.array_equal(model(changed).numpy(), base), row


def test_parameters_are_few():
    assert build_lstm_autoencoder(100, 38).count_params() < 200_000
    assert build_cnn_forecaster(99, 38).count_params() < 200_000
    assert build_dense_autoencoder(100, 38).count_params() < 1_100_000
