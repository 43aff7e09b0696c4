"""The layers that Keras does not have, or not as fast: patches, positions, the encoder block."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from tsad_keras.models.operations import gelu, layer_norm


@keras.saving.register_keras_serializable(package="tsad_keras")
class TokenDense(layers.Dense):
    """Keras' dense layer for tokens, as one product of matrices.

    Keras multiplies three axes at once, and TensorFlow then adds the bias in a pass of its own.

    Call arguments:
        tokens: `(batch_size, num_patches, width)`.

    Returns:
        `(batch_size, num_patches, units)`.
    """

    def call(self, tokens):
        num_patches, width = tokens.shape[1:]
        result = tf.linalg.matmul(tf.reshape(tokens, (-1, width)), self.kernel)
        result = self.activation(tf.nn.bias_add(result, self.bias))
        return tf.reshape(result, (-1, num_patches, self.units))


@keras.saving.register_keras_serializable(package="tsad_keras")
class PatchEmbedding(layers.Layer):
    """Joins neighbouring time steps into tokens and projects each to `hidden_dim`.

    Args:
        patch_size: Time steps a token; must divide the window.
        hidden_dim: Width of a token.

    Call arguments:
        windows: `(batch_size, window_size, num_features)`.

    Returns:
        `(batch_size, window_size / patch_size, hidden_dim)`.

    Reference:
        Nie et al., "A time series is worth 64 words", ICLR 2023 (patches; here over all features).
    """

    def __init__(self, patch_size: int, hidden_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.patch_size = patch_size
        self.hidden_dim = hidden_dim

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        _, window_size, num_features = input_shape
        if window_size % self.patch_size:
            raise ValueError(
                f"window_size is {window_size}, expected a multiple of patch_size "
                f"({self.patch_size})"
            )
        self.num_patches = window_size // self.patch_size
        self.patch_width = self.patch_size * num_features
        self.projection = TokenDense(self.hidden_dim, dtype=self.dtype_policy, name="projection")
        self.projection.build((None, self.num_patches, self.patch_width))

    def call(self, windows):
        patches = ops.reshape(windows, (-1, self.num_patches, self.patch_width))
        return self.projection(patches)  # (batch_size, num_patches, hidden_dim)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], input_shape[1] // self.patch_size, self.hidden_dim)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update({"patch_size": self.patch_size, "hidden_dim": self.hidden_dim})
        return config


@keras.saving.register_keras_serializable(package="tsad_keras")
class PositionalEncoding(layers.Layer):
    """Adds fixed sine and cosine waves, so that attention can tell the order of tokens.

    Call arguments:
        tokens: `(batch_size, num_patches, hidden_dim)`.

    Returns:
        Same shape.

    Reference:
        Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.5.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        _, num_patches, hidden_dim = input_shape
        position = np.arange(num_patches)[:, None]
        rate = 10_000.0 ** (-(2 * (np.arange(hidden_dim) // 2)) / hidden_dim)
        angle = position * rate[None, :]
        waves = np.where(np.arange(hidden_dim) % 2 == 0, np.sin(angle), np.cos(angle))
        self.waves = waves[None].astype("float32")  # (1, num_patches, hidden_dim)

    def call(self, tokens):
        return tokens + ops.cast(self.waves, tokens.dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape


@keras.saving.register_keras_serializable(package="tsad_keras")
class LayerNormalization(layers.LayerNormalization):
    """Keras' layer over the last axis, with the gradient of `operations.layer_norm`.

    Call arguments:
        tokens: `(..., width)`.

    Returns:
        Same shape.
    """

    def call(self, tokens):
        gamma, beta = (tf.convert_to_tensor(weight) for weight in (self.gamma, self.beta))
        return layer_norm(tokens, gamma, beta, self.epsilon)


@keras.saving.register_keras_serializable(package="tsad_keras")
class SelfAttention(layers.MultiHeadAttention):
    """Keras' layer for tokens that attend to one another, with the three projections as one.

    Weights and results are those of `keras.layers.MultiHeadAttention`. One matrix product makes
    queries, keys and values; three narrow ones take half as long again on a CPU.

    Call arguments:
        tokens: `(batch_size, num_patches, hidden_dim)`.
        return_attention_scores: Also return `(batch_size, num_heads, num_patches, num_patches)`
            softmax weights.

    Returns:
        `(batch_size, num_patches, hidden_dim)`, or a pair with the attention weights.

    Reference:
        Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.2.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape, input_shape)

    def call(self, tokens, return_attention_scores=False):
        num_patches, hidden_dim = tokens.shape[1:]
        heads, width = self.num_heads, self.key_dim
        projections = (self._query_dense, self._key_dense, self._value_dense)
        kernel = tf.concat(
            [tf.reshape(each.kernel, (hidden_dim, heads * width)) for each in projections], axis=1
        )
        bias = tf.concat([tf.reshape(each.bias, (-1,)) for each in projections], axis=0)
        flat = tf.reshape(tokens, (-1, hidden_dim))
        joined = tf.nn.bias_add(tf.linalg.matmul(flat, kernel), bias)
        joined = tf.reshape(joined, (-1, num_patches, 3, heads, width))
        query, key, value = tf.unstack(tf.transpose(joined, (2, 0, 3, 1, 4)), axis=0)
        # all four: (batch_size, num_heads, num_patches, ...)
        scores = tf.nn.softmax(tf.linalg.matmul(query, key, transpose_b=True) * width**-0.5)
        attended = tf.transpose(tf.linalg.matmul(scores, value), (0, 2, 1, 3))
        flat = tf.reshape(attended, (-1, heads * width))
        kernel = tf.reshape(self._output_dense.kernel, (heads * width, hidden_dim))
        result = tf.nn.bias_add(tf.linalg.matmul(flat, kernel), self._output_dense.bias)
        result = tf.reshape(result, (-1, num_patches, hidden_dim))
        return (result, scores) if return_attention_scores else result

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def compute_output_spec(self, tokens, return_attention_scores=False):
        result = keras.KerasTensor(tokens.shape, dtype=self.compute_dtype)
        if not return_attention_scores:
            return result
        shape = (tokens.shape[0], self.num_heads, tokens.shape[1], tokens.shape[1])
        return result, keras.KerasTensor(shape, dtype=self.compute_dtype)


@keras.saving.register_keras_serializable(package="tsad_keras")
class TransformerEncoderBlock(layers.Layer):
    """Self-attention and a feed-forward part, each after a layer norm and with a residual.

    Args:
        num_heads: Attention heads; must divide the width of the tokens.
        intermediate_dim: Width inside the feed-forward part.
        dropout: Share of values dropped after each part while training.

    Call arguments:
        tokens: `(batch_size, num_patches, hidden_dim)`.
        training: Whether dropout is active.
        return_attention_scores: Also return `(batch_size, num_heads, num_patches, num_patches)`
            softmax weights.

    Returns:
        `(batch_size, num_patches, hidden_dim)`, or a pair with the attention weights.

    Reference:
        Xiong et al., "On layer normalization in the Transformer architecture", ICML 2020.
    """

    def __init__(
        self, num_heads: int, intermediate_dim: int, dropout: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.intermediate_dim = intermediate_dim
        self.dropout = dropout

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        hidden_dim = input_shape[-1]
        if hidden_dim % self.num_heads:
            raise ValueError(
                f"the width of the tokens is {hidden_dim}, expected a multiple of "
                f"{self.num_heads} (num_heads)"
            )
        options = {"dtype": self.dtype_policy}
        self.attention_norm = LayerNormalization(name="attention_norm", **options)
        self.attention_norm.build(input_shape)
        self.attention = SelfAttention(
            num_heads=self.num_heads,
            key_dim=hidden_dim // self.num_heads,
            name="attention",
            **options,
        )
        self.attention.build(input_shape)
        self.feedforward_norm = LayerNormalization(name="feedforward_norm", **options)
        self.feedforward_norm.build(input_shape)
        self.feedforward_intermediate = TokenDense(
            self.intermediate_dim, activation=gelu, name="feedforward_intermediate", **options
        )
        self.feedforward_intermediate.build(input_shape)
        self.feedforward_output = TokenDense(hidden_dim, name="feedforward_output", **options)
        self.feedforward_output.build((*input_shape[:-1], self.intermediate_dim))
        self.dropout_layer = layers.Dropout(self.dropout, name="dropout", **options)

    def call(self, tokens, training=None, return_attention_scores=False):
        # self-attention
        normed = self.attention_norm(tokens)
        scores = None
        if return_attention_scores:
            attended, scores = self.attention(normed, return_attention_scores=True)
        else:
            attended = self.attention(normed)
        tokens = tokens + self.dropout_layer(attended, training=training)
        # feed-forward
        hidden = self.feedforward_intermediate(self.feedforward_norm(tokens))
        hidden = self.feedforward_output(hidden)
        tokens = tokens + self.dropout_layer(hidden, training=training)
        return (tokens, scores) if return_attention_scores else tokens

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(
            {
                "num_heads": self.num_heads,
                "intermediate_dim": self.intermediate_dim,
                "dropout": self.dropout,
            }
        )
        return config
