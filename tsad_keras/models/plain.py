"""The small networks of the neural baselines."""

from __future__ import annotations

import keras
from keras import layers


def build_dense_autoencoder(
    window_size: int,
    num_features: int,
    *,
    hidden_dim: int = 128,
    latent_dim: int = 32,
    name: str = "dense_autoencoder",
) -> keras.Model:
    """Builds an autoencoder of flat windows: two dense layers in, two out.

    Args:
        window_size: Time steps a window.
        num_features: Channels.
        hidden_dim: Width of the layers next to the windows.
        latent_dim: Width of the layer in the middle.
        name: Name of the model.

    Returns:
        A functional model from `windows` (batch_size, window_size, num_features) to their
        reconstruction, same shape.

    Example:
        >>> build_dense_autoencoder(20, 3, hidden_dim=8, latent_dim=4).output.shape
        (None, 20, 3)
    """
    windows = keras.Input((window_size, num_features), name="windows")
    hidden = layers.Flatten(name="flat")(windows)
    hidden = layers.Dense(hidden_dim, activation="relu", name="encoder")(hidden)
    latent = layers.Dense(latent_dim, activation="relu", name="latent")(hidden)
    hidden = layers.Dense(hidden_dim, activation="relu", name="decoder")(latent)
    hidden = layers.Dense(window_size * num_features, name="flat_reconstruction")(hidden)
    reconstruction = layers.Reshape((window_size, num_features), name="reconstruction")(hidden)
    return keras.Model(windows, reconstruction, name=name)


def build_lstm_autoencoder(
    window_size: int,
    num_features: int,
    *,
    patch_size: int = 5,
    hidden_dim: int = 64,
    name: str = "lstm_autoencoder",
) -> keras.Model:
    """Builds an autoencoder of two LSTMs with one vector between them.

    Args:
        window_size: Time steps a window.
        num_features: Channels.
        patch_size: Time steps that an LSTM takes at once; divides `window_size`. A fifth of the
            steps is a fifth of the time.
        hidden_dim: Width of the LSTMs.
        name: Name of the model.

    Returns:
        A functional model from `windows` (batch_size, window_size, num_features) to their
        reconstruction, same shape.

    Reference:
        Malhotra et al., "LSTM-based encoder-decoder for multi-sensor anomaly detection", ICML 2016
        workshop.

    Example:
        >>> build_lstm_autoencoder(20, 3, hidden_dim=8).output.shape
        (None, 20, 3)
    """
    num_patches, patch_width = window_size // patch_size, patch_size * num_features
    windows = keras.Input((window_size, num_features), name="windows")
    patches = layers.Reshape((num_patches, patch_width), name="patches")(windows)
    latent = layers.LSTM(hidden_dim, name="encoder")(patches)
    hidden = layers.RepeatVector(num_patches, name="repeated")(latent)
    hidden = layers.LSTM(hidden_dim, return_sequences=True, name="decoder")(hidden)
    patches = layers.Dense(patch_width, name="patch_reconstruction")(hidden)
    reconstruction = layers.Reshape((window_size, num_features), name="reconstruction")(patches)
    return keras.Model(windows, reconstruction, name=name)


def build_cnn_forecaster(
    num_timesteps: int,
    num_features: int,
    *,
    num_filters: int = 32,
    kernel_size: int = 3,
    name: str = "cnn_forecaster",
) -> keras.Model:
    """Builds a 1-D convolutional network that predicts the row after its input.

    Args:
        num_timesteps: Rows that it sees.
        num_features: Channels.
        num_filters: Of each of the two convolutions, which are strided.
        kernel_size: Taps of a filter.
        name: Name of the model.

    Returns:
        A functional model from `context` (batch_size, num_timesteps, num_features) to `forecast`
        (batch_size, num_features).

    Reference:
        Munir et al., "DeepAnT", IEEE Access 7, 2019.

    Example:
        >>> build_cnn_forecaster(19, 3, num_filters=4).output.shape
        (None, 3)
    """
    context = keras.Input((num_timesteps, num_features), name="context")
    hidden = context
    for index in range(2):
        # Zeros in front only, so many that the last filter position ends with the last row: the
        # newest rows tell most of the next one.
        missing = kernel_size - 1 + (hidden.shape[1] - 1) % 2
        hidden = layers.ZeroPadding1D((missing, 0), name=f"padding_{index}")(hidden)
        hidden = layers.Conv1D(
            num_filters, kernel_size, strides=2, activation="relu", name=f"convolution_{index}"
        )(hidden)
    hidden = layers.Flatten(name="flat")(hidden)
    hidden = layers.Dense(2 * num_filters, activation="relu", name="hidden")(hidden)
    forecast = layers.Dense(num_features, name="forecast")(hidden)
    return keras.Model(context, forecast, name=name)
