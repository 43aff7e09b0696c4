"""Initial weights depend on a seed alone, whatever other threads draw."""

import random
import threading

import keras
import numpy as np
import pytest

from tsad_keras.models.seeding import seeded_initialisers


def weights(seed, between=lambda: None):
    with seeded_initialisers(seed):
        layers = []
        for _ in range(3):
            layers.append(keras.layers.Dense(4))
            between()
        for layer in layers:
            layer.build((None, 3))
    return np.concatenate([layer.kernel.numpy().ravel() for layer in layers])


def test_the_seed_decides():
    np.testing.assert_array_equal(weights(0), weights(0))
    assert not np.array_equal(weights(0), weights(1))


def test_another_thread_that_draws_changes_nothing_and_is_not_changed():
    def draw_elsewhere():
        drawn = []
        thread = threading.Thread(target=lambda: drawn.append(random.random()))
        thread.start()
        thread.join()
        found.extend(drawn)

    found = []
    np.testing.assert_array_equal(weights(0, draw_elsewhere), weights(0))
    random.seed(5)
    found.clear()
    weights(0, draw_elsewhere)
    random.seed(5)
    assert found == [random.random() for _ in range(3)]


def test_another_thread_that_builds_layers_takes_no_seed():
    def build_elsewhere():
        thread = threading.Thread(target=lambda: keras.layers.Dense(2))
        thread.start()
        thread.join()

    np.testing.assert_array_equal(weights(0, build_elsewhere), weights(0))


def test_pythons_generator_is_left_alone_also_by_an_error():
    random.seed(3)
    state = random.getstate()
    with pytest.raises(ValueError, match="stop"), seeded_initialisers(0):
        keras.layers.Dense(2).build((None, 2))
        raise ValueError("stop")
    assert random.getstate() == state
    keras.layers.Dense(2)
    assert random.getstate() != state  # Keras draws from it again
