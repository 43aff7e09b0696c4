"""Every layer keeps one contract; and what each layer promises besides."""

import inspect

import keras
import numpy as np
import pytest

from tsad_keras.models.layers import PatchEmbedding, PositionalEncoding, TransformerEncoderBlock

LAYERS = {
    "PatchEmbedding": (lambda: PatchEmbedding(4, 6, name="layer"), (12, 3), (3, 6)),
    "PositionalEncoding": (lambda: PositionalEncoding(name="layer"), (5, 8), (5, 8)),
    "odd PositionalEncoding": (lambda: PositionalEncoding(name="layer"), (5, 7), (5, 7)),
    "TransformerEncoderBlock": (
        lambda: TransformerEncoderBlock(2, 16, dropout=0.4, name="layer"),
        (5, 8),
        (5, 8),
    ),
}


def make_inputs(shape, batch_size=3, seed=0):
    return np.random.default_rng(seed).normal(size=(batch_size, *shape)).astype("float32")


@pytest.fixture(params=LAYERS)
def case(request):
    make, input_shape, output_shape = LAYERS[request.param]
    return make, input_shape, output_shape


def test_output_shape_is_the_computed_one(case):
    make, input_shape, output_shape = case
    layer = make()
    outputs = layer(make_inputs(input_shape))
    assert tuple(outputs.shape) == (3, *output_shape)
    assert tuple(layer.compute_output_shape((None, *input_shape))) == (None, *output_shape)


def test_config_round_trip(case):
    make, input_shape, _ = case
    layer = make()
    copy = type(layer).from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    own = inspect.signature(type(layer)).parameters if "__init__" in vars(type(layer)) else ()
    for name in set(own) - {"kwargs"}:
        assert getattr(copy, name) == getattr(layer, name)
    inputs = make_inputs(input_shape)
    layer(inputs), copy(inputs)
    assert [w.shape for w in copy.weights] == [w.shape for w in layer.weights]
    copy.set_weights(layer.get_weights())
    np.testing.assert_array_equal(copy(inputs, training=False), layer(inputs, training=False))


def test_saved_and_loaded_it_gives_the_same(case, tmp_path):
    make, input_shape, _ = case
    inputs = keras.Input(input_shape)
    model = keras.Model(inputs, make()(inputs))
    values = make_inputs(input_shape)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(values, training=False), model(values, training=False))


def test_without_training_it_is_a_function_of_its_input_row_by_row(case):
    make, input_shape, _ = case
    layer, inputs = make(), make_inputs(input_shape)
    first = np.asarray(layer(inputs, training=False))
    np.testing.assert_array_equal(first, layer(inputs, training=False))
    alone = np.asarray(layer(inputs[1:2], training=False))
    np.testing.assert_allclose(alone[0], first[1], rtol=1e-4, atol=1e-5)


def test_training_flag_switches_dropout_on():
    block, inputs = TransformerEncoderBlock(2, 16, dropout=0.4), make_inputs((5, 8))
    still = np.asarray(block(inputs, training=False))
    first, second = (np.asarray(block(inputs, training=True)) for _ in range(2))
    assert (first != second).any()
    assert (first != still).any()
    plain = TransformerEncoderBlock(2, 16, dropout=0.0)
    np.testing.assert_array_equal(plain(inputs, training=True), plain(inputs, training=False))


@pytest.mark.parametrize("part", ["attention", "feedforward_output"])
def test_dropout_follows_each_of_the_two_parts(part):
    block, inputs = TransformerEncoderBlock(2, 16, dropout=0.5), make_inputs((5, 8))
    block.build(inputs.shape)
    other = {"attention": block.feedforward_output, "feedforward_output": block.attention}[part]
    other.set_weights([np.zeros_like(value) for value in other.get_weights()])
    first, second = (np.asarray(block(inputs, training=True)) for _ in range(2))
    assert (first != second).any()


def test_gradients_reach_every_weight(case):
    import tensorflow as tf

    make, input_shape, _ = case
    layer, inputs = make(), tf.constant(make_inputs(input_shape))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(inputs, training=True) ** 2)
    for weight, gradient in zip(
        layer.trainable_weights, tape.gradient(loss, layer.trainable_weights), strict=True
    ):
        # Attention does not change if every key moves by the same: softmax ignores it.
        if "key/bias" not in weight.path:
            assert np.abs(gradient).max() > 0, weight.path


def test_a_token_sees_its_own_time_steps_and_no_others():
    layer = PatchEmbedding(4, 6)
    inputs = make_inputs((12, 3))
    before = np.asarray(layer(inputs))
    inputs[:, 4:8] += 1
    after = np.asarray(layer(inputs))
    np.testing.assert_array_equal(after[:, [0, 2]], before[:, [0, 2]])
    assert (after[:, 1] != before[:, 1]).all()


def test_patches_keep_time_order_and_features():
    layer = PatchEmbedding(2, 6)
    layer.build((None, 4, 3))
    layer.projection.set_weights([np.eye(6, dtype="float32"), np.zeros(6, "float32")])
    windows = np.arange(12, dtype="float32").reshape(1, 4, 3)
    np.testing.assert_array_equal(layer(windows)[0], [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]])


def test_a_window_that_is_no_multiple_of_the_patch_raises():
    with pytest.raises(ValueError, match=r"window_size is 10, expected a multiple of patch_size"):
        PatchEmbedding(4, 6)(make_inputs((10, 3)))


def test_heads_that_do_not_divide_the_width_raise():
    with pytest.raises(ValueError, match="width of the tokens is 8, expected a multiple of 3"):
        TransformerEncoderBlock(3, 16)(make_inputs((5, 8)))


def test_positions_are_the_waves_of_the_paper():
    encoding = np.asarray(PositionalEncoding()(np.zeros((1, 50, 6), "float32")))[0]
    for position in (0, 1, 17, 49):
        for pair in range(3):
            angle = position / 10_000 ** (2 * pair / 6)
            assert encoding[position, 2 * pair] == pytest.approx(np.sin(angle), abs=1e-5)
            assert encoding[position, 2 * pair + 1] == pytest.approx(np.cos(angle), abs=1e-5)


def test_attention_without_positions_cannot_tell_order_and_with_them_it_can():
    tokens = make_inputs((6, 8))
    order = np.array([3, 0, 5, 1, 4, 2])
    block, encoding = TransformerEncoderBlock(2, 16), PositionalEncoding()
    plain, permuted = np.asarray(block(tokens)), np.asarray(block(tokens[:, order]))
    np.testing.assert_allclose(permuted, plain[:, order], rtol=1e-4, atol=1e-5)
    with_positions = np.asarray(block(encoding(tokens)))
    shuffled = np.asarray(block(encoding(tokens[:, order])))
    assert np.abs(shuffled - with_positions[:, order]).max() > 0.01


def test_attention_weights_are_distributions_over_tokens():
    block, tokens = TransformerEncoderBlock(2, 16), make_inputs((5, 8))
    outputs, scores = block(tokens, return_attention_scores=True)
    scores = np.asarray(scores)
    assert scores.shape == (3, 2, 5, 5)
    assert (scores >= 0).all()
    np.testing.assert_allclose(scores.sum(axis=-1), 1, rtol=1e-5)
    np.testing.assert_allclose(outputs, block(tokens), rtol=1e-4, atol=1e-5)
