"""Hand-written gradients: the same values and derivatives as Keras' own operations."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tsad_keras.models.layers import LayerNormalization, SelfAttention
from tsad_keras.models.operations import gelu, layer_norm


def draw(*shape, seed=0, scale=1.0):
    values = np.random.default_rng(seed).normal(size=shape) * scale
    return tf.constant(values, tf.float32)


def value_and_gradients(function, arguments, upstream):
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        result = function(*arguments)
    return result, tape.gradient(result, arguments, output_gradients=upstream)


def assert_same(ours, theirs):
    for mine, other in zip(tf.nest.flatten(ours), tf.nest.flatten(theirs), strict=True):
        np.testing.assert_allclose(mine, other, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
def test_gelu_and_its_derivative_are_those_of_tensorflow(scale):
    values, upstream = draw(7, 11, scale=scale), draw(7, 11, seed=1)
    ours = value_and_gradients(gelu, [values], upstream)
    assert_same(ours, value_and_gradients(tf.nn.gelu, [values], upstream))


def test_gelu_derivative_is_the_slope():
    values = tf.constant(np.linspace(-4, 4, 41), tf.float32)
    _, (slope,) = value_and_gradients(gelu, [values], tf.ones_like(values))
    step = 1e-2
    numeric = (gelu(values + step) - gelu(values - step)) / (2 * step)
    np.testing.assert_allclose(slope, numeric, atol=2e-3)


@pytest.mark.parametrize("shape", [(5, 8), (3, 4, 8)])
def test_layer_norm_and_its_gradients_are_those_of_keras(shape):
    layer = keras.layers.LayerNormalization(epsilon=1e-3)
    layer.build(shape)
    gamma, beta = draw(8, seed=2), draw(8, seed=3)
    layer.set_weights([gamma, beta])
    tokens, upstream = draw(*shape, scale=3.0) + 1.0, draw(*shape, seed=1)

    def ours(tokens, gamma, beta):
        return layer_norm(tokens, gamma, beta, 1e-3)

    mine = value_and_gradients(ours, [tokens, gamma, beta], upstream)
    with tf.GradientTape() as tape:
        tape.watch(tokens)
        result = layer(tokens)
    wanted = [tokens, layer.gamma.value, layer.beta.value]
    assert_same(mine, (result, tape.gradient(result, wanted, output_gradients=upstream)))


def test_layer_normalization_keeps_the_weights_of_keras():
    own, other = LayerNormalization(), keras.layers.LayerNormalization()
    tokens = draw(3, 4, 8, scale=5.0)
    own(tokens), other(tokens)
    weights = [draw(8, seed=4), draw(8, seed=5)]
    own.set_weights(weights), other.set_weights(weights)
    assert_same(own(tokens), other(tokens))


@pytest.mark.parametrize(("heads", "width"), [(1, 8), (4, 2)])
def test_self_attention_is_that_of_keras_with_its_gradients(heads, width):
    own = SelfAttention(num_heads=heads, key_dim=width)
    other = keras.layers.MultiHeadAttention(num_heads=heads, key_dim=width)
    tokens, upstream = draw(3, 5, 8), draw(3, 5, 8, seed=1)
    own(tokens), other(tokens, tokens)
    shapes = [weight.shape for weight in other.weights]
    weights = [draw(*shape, seed=index, scale=0.3) for index, shape in enumerate(shapes)]
    own.set_weights(weights), other.set_weights(weights)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(tokens)
        mine, scores = own(tokens, return_attention_scores=True)
        theirs, expected = other(tokens, tokens, return_attention_scores=True)
    assert_same((mine, scores), (theirs, expected))
    gradients = [
        tape.gradient(result, [tokens, *(w.value for w in layer.trainable_weights)], upstream)
        for result, layer in ((mine, own), (theirs, other))
    ]
    assert_same(*gradients)
