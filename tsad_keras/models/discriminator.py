"""The discriminator: is this window real? Its hidden features are contrasted, too."""

from __future__ import annotations

import keras
from keras import layers

from tsad_keras.models.layers import PatchEmbedding


def build_discriminator(
    window_size: int,
    num_features: int,
    *,
    patch_size: int = 5,
    discriminator_dim: int = 128,
    discriminator_layers: int = 2,
    discriminator_dropout: float = 0.0,
    name: str = "discriminator",
) -> keras.Model:
    """Builds the discriminator.

    The first hidden layers see one patch each with weights shared over time, the last one sees the
    mean and the maximum over the patches: a window is unreal if it is so on average or in one spot.

    Args:
        window_size: Time steps a window.
        num_features: Channels.
        patch_size: Time steps that the first layer sees at once; divides `window_size`.
        discriminator_dim: Width of the hidden layers.
        discriminator_layers: Hidden layers, 2 or more.
        discriminator_dropout: Dropout rate behind every hidden layer while training.
        name: Name of the model.

    Returns:
        A functional model. Input `windows` (batch_size, window_size, num_features); outputs a dict:
        `logits` (batch_size, 1), positive = real, and `features` (batch_size, discriminator_dim).

    Example:
        >>> model = build_discriminator(20, 3, discriminator_dim=8)
        >>> model.output["logits"].shape, model.output["features"].shape
        ((None, 1), (None, 8))
    """
    # --- inputs ---
    windows = keras.Input((window_size, num_features), name="windows")

    # --- feature layers, shared over time ---
    hidden = PatchEmbedding(patch_size, discriminator_dim, name="patch_embedding")(windows)
    hidden = layers.LeakyReLU(negative_slope=0.2, name="activation_0")(hidden)
    hidden = layers.Dropout(discriminator_dropout, name="dropout_0")(hidden)
    for index in range(1, discriminator_layers - 1):
        hidden = layers.Dense(discriminator_dim, name=f"hidden_{index}")(hidden)
        hidden = layers.LeakyReLU(negative_slope=0.2, name=f"activation_{index}")(hidden)
        hidden = layers.Dropout(discriminator_dropout, name=f"dropout_{index}")(hidden)

    # --- over the window ---
    average = layers.GlobalAveragePooling1D(name="average")(hidden)
    maximum = layers.GlobalMaxPooling1D(name="maximum")(hidden)
    pooled = layers.Concatenate(name="pooled")([average, maximum])
    features = layers.Dense(discriminator_dim, name="features")(pooled)
    features = layers.LeakyReLU(negative_slope=0.2, name="features_activation")(features)
    dropped = layers.Dropout(discriminator_dropout, name="features_dropout")(features)
    logits = layers.Dense(1, name="logits")(dropped)

    # --- model ---
    return keras.Model(windows, {"logits": logits, "features": features}, name=name)
