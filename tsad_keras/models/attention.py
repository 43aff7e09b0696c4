"""The attention maps of an autoencoder, by its own layers and weights."""

from __future__ import annotations

import keras
from keras import ops

from tsad_keras.models.layers import TransformerEncoderBlock


def attention_maps(autoencoder: keras.Model, windows):
    """Softmax weights of every encoder block, as they arise when the windows are reconstructed.

    Args:
        autoencoder: What `build_autoencoder` returned, trained or not.
        windows: `(batch_size, window_size, num_features)` scaled values.

    Returns:
        `(batch_size, num_layers, num_heads, num_patches, num_patches)`; entry i, j of a map says
        how much token i takes from token j, and each row sums to 1.

    Example:
        >>> import numpy as np
        >>> from tsad_keras.models import build_autoencoder
        >>> model = build_autoencoder(20, 3, hidden_dim=8, num_heads=2, intermediate_dim=16)
        >>> tuple(attention_maps(model, np.zeros((1, 20, 3), "float32")).shape)
        (1, 1, 2, 4, 4)
    """
    tokens = autoencoder.get_layer("patch_embedding")(windows)
    tokens = autoencoder.get_layer("positional_encoding")(tokens)
    maps = []
    for layer in autoencoder.layers:
        if isinstance(layer, TransformerEncoderBlock):
            tokens, weights = layer(tokens, training=False, return_attention_scores=True)
            maps.append(weights)  # (batch_size, num_heads, num_patches, num_patches)
    return ops.stack(maps, axis=1)
