"""The projection head: the space in which NT-Xent compares two views."""

from __future__ import annotations

import keras
from keras import layers


def build_projection_head(
    feature_dim: int, *, projection_dim: int = 64, name: str = "projection_head"
) -> keras.Model:
    """Builds the projection head.

    Args:
        feature_dim: Width of what comes in: discriminator features or encoder embedding.
        projection_dim: Width of what goes out.
        name: Name of the model.

    Returns:
        A functional model. Input `features` (batch_size, feature_dim); output
        (batch_size, projection_dim), not normalised.

    Reference:
        Chen et al., "A simple framework for contrastive learning of visual representations",
        ICML 2020, section 2.1 (two dense layers, ReLU between them).

    Example:
        >>> build_projection_head(8, projection_dim=4).output.shape
        (None, 4)
    """
    # --- inputs ---
    features = keras.Input((feature_dim,), name="features")

    # --- head ---
    hidden = layers.Dense(feature_dim, activation="relu", name="hidden")(features)
    projection = layers.Dense(projection_dim, name="projection")(hidden)

    # --- model ---
    return keras.Model(features, projection, name=name)
