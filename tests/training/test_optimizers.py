"""The fused optimizer takes the same steps as Keras' own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tsad_keras.training import FusedAdamW

SETTINGS = {"learning_rate": 0.01, "weight_decay": 0.1, "global_clipnorm": 1.0, "beta_1": 0.8}


def steps(optimizer, count, in_graph):
    variables = [keras.Variable(np.full(shape, 0.5, "float32")) for shape in ((3, 2), (4,))]
    optimizer.build(variables)

    def apply(gradients):
        optimizer.apply(gradients, variables)

    apply = tf.function(apply) if in_graph else apply
    random = np.random.default_rng(0)
    for _ in range(count):
        apply([tf.constant(random.normal(size=v.shape), tf.float32) for v in variables])
    return [variable.numpy() for variable in variables + optimizer.variables[2:]]


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("settings", [{"learning_rate": 0.01}, SETTINGS])
def test_it_takes_the_steps_of_keras(settings, in_graph):
    ours = steps(FusedAdamW(**settings), 20, in_graph)
    theirs = steps(keras.optimizers.AdamW(**settings), 20, in_graph)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-7)


def test_a_changed_learning_rate_counts():
    optimizer = FusedAdamW(0.1, weight_decay=0.0)
    variable = keras.Variable(np.zeros(1, "float32"))
    optimizer.build([variable])
    optimizer.learning_rate = 1e-3
    optimizer.apply([tf.ones(1)], [variable])
    np.testing.assert_allclose(variable.numpy(), [-1e-3], rtol=1e-4)


def test_config_round_trip():
    copy = FusedAdamW.from_config(FusedAdamW(**SETTINGS).get_config())
    assert copy.get_config() == FusedAdamW(**SETTINGS).get_config()


def test_amsgrad_is_refused():
    with pytest.raises(ValueError, match="amsgrad"):
        FusedAdamW(amsgrad=True)
