"""The latent generator of the `hybrid` design: noise in, a synthetic window out."""

from __future__ import annotations

import keras
from keras import layers

from tsad_keras.models.layers import (
    LayerNormalization,
    PositionalEncoding,
    TransformerEncoderBlock,
)
from tsad_keras.models.operations import gelu


def build_generator(
    window_size: int,
    num_features: int,
    *,
    latent_dim: int = 64,
    patch_size: int = 5,
    hidden_dim: int = 128,
    num_heads: int = 4,
    intermediate_dim: int = 256,
    name: str = "generator",
) -> keras.Model:
    """Builds the latent generator.

    Args:
        window_size: Time steps a window.
        num_features: Channels.
        latent_dim: Values in z.
        patch_size: Time steps a token; divides `window_size`.
        hidden_dim: Width of a token.
        num_heads: Attention heads; divides `hidden_dim`.
        intermediate_dim: Width inside the feed-forward part.
        name: Name of the model.

    Returns:
        A functional model. Input `latent` (batch_size, latent_dim); output
        (batch_size, window_size, num_features).

    Example:
        >>> build_generator(20, 3, hidden_dim=8, num_heads=2).output.shape
        (None, 20, 3)
    """
    # --- inputs ---
    latent = keras.Input((latent_dim,), name="latent")

    # --- one token for each patch ---
    num_patches = window_size // patch_size
    hidden = layers.Dense(hidden_dim, activation=gelu, name="latent_projection")(latent)
    tokens = layers.RepeatVector(num_patches, name="tokens")(hidden)
    tokens = PositionalEncoding(name="positional_encoding")(tokens)
    tokens = TransformerEncoderBlock(num_heads, intermediate_dim, name="block")(tokens)
    tokens = LayerNormalization(name="norm")(tokens)

    # --- to windows ---
    patches = layers.Dense(patch_size * num_features, name="patches")(tokens)
    windows = layers.Reshape((window_size, num_features), name="windows")(patches)

    # --- model ---
    return keras.Model(latent, windows, name=name)
