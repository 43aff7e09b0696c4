"""The Transformer autoencoder: the GAN's generator in the `contrastive-gan` design."""

from __future__ import annotations

import keras
from keras import layers

from tsad_keras.models.layers import (
    LayerNormalization,
    PatchEmbedding,
    PositionalEncoding,
    TokenDense,
    TransformerEncoderBlock,
)
from tsad_keras.models.operations import gelu


def build_autoencoder(
    window_size: int,
    num_features: int,
    *,
    patch_size: int = 5,
    hidden_dim: int = 128,
    num_heads: int = 4,
    intermediate_dim: int = 256,
    num_layers: int = 1,
    dropout: float = 0.0,
    bottleneck_dim: int = 0,
    name: str = "autoencoder",
) -> keras.Model:
    """Builds the autoencoder.

    Args:
        window_size: Time steps a window.
        num_features: Channels.
        patch_size: Time steps a token; divides `window_size`.
        hidden_dim: Width of a token.
        num_heads: Attention heads; divides `hidden_dim`.
        intermediate_dim: Width inside the feed-forward parts.
        num_layers: Encoder blocks.
        dropout: Dropout rate while training.
        bottleneck_dim: Width of one vector that a window's tokens are squeezed through, so that
            what has no place in it cannot be reconstructed; 0 = no bottleneck.
        name: Name of the model.

    Returns:
        A functional model. Input `windows` (batch_size, window_size, num_features); outputs a dict:
        `reconstruction` (batch_size, window_size, num_features) and `embedding`
        (batch_size, hidden_dim), the mean of the encoded tokens.

    Example:
        >>> model = build_autoencoder(20, 3, hidden_dim=8, num_heads=2, intermediate_dim=16)
        >>> model.output["reconstruction"].shape, model.output["embedding"].shape
        ((None, 20, 3), (None, 8))
    """
    # --- inputs ---
    windows = keras.Input((window_size, num_features), name="windows")

    # --- encoder ---
    tokens = PatchEmbedding(patch_size, hidden_dim, name="patch_embedding")(windows)
    tokens = PositionalEncoding(name="positional_encoding")(tokens)
    for index in range(num_layers):
        tokens = TransformerEncoderBlock(
            num_heads, intermediate_dim, dropout, name=f"encoder_block_{index}"
        )(tokens)
    tokens = LayerNormalization(name="encoder_norm")(tokens)
    embedding = layers.GlobalAveragePooling1D(name="embedding")(tokens)

    # --- bottleneck ---
    if bottleneck_dim:
        num_patches = window_size // patch_size
        latent = layers.Flatten(name="flat_tokens")(tokens)
        latent = layers.Dense(bottleneck_dim, name="bottleneck")(latent)
        unfolded = layers.Dense(num_patches * hidden_dim, activation=gelu, name="unfold")(latent)
        tokens = layers.Reshape((num_patches, hidden_dim), name="decoded_tokens")(unfolded)

    # --- decoder ---
    patches = TokenDense(patch_size * num_features, name="decoder")(tokens)
    reconstruction = layers.Reshape((window_size, num_features), name="reconstruction")(patches)

    # --- model ---
    return keras.Model(
        windows, {"reconstruction": reconstruction, "embedding": embedding}, name=name
    )
