"""The networks that a config asks for, and what they say about a window."""

from __future__ import annotations

import dataclasses
import functools

import keras
import numpy as np
import tensorflow as tf

from tsad_keras.config import Config
from tsad_keras.models import (
    build_autoencoder,
    build_discriminator,
    build_generator,
    build_projection_head,
)
from tsad_keras.models.autoregression import Autoregression
from tsad_keras.models.memory import MemoryErrors, PatternMemory
from tsad_keras.models.seeding import seeded_initialisers
from tsad_keras.smoothing import two_sided_kernel


@dataclasses.dataclass(frozen=True)
class Networks:
    """All functional Keras models of a detector; `latent_generator` only in the hybrid design."""

    autoencoder: keras.Model
    discriminator: keras.Model
    projection_head: keras.Model
    latent_generator: keras.Model | None = None

    def weights(self) -> dict[str, np.ndarray]:
        """All weights as arrays, named `network/number`."""
        return {
            f"{network.name}/{index:03d}": value
            for network in self._all()
            for index, value in enumerate(network.get_weights())
        }

    def set_weights(self, arrays: dict[str, np.ndarray]) -> None:
        """Takes what `weights` gave; a missing name is a KeyError, a wrong shape a ValueError."""
        for network in self._all():
            count = len(network.weights)
            network.set_weights([arrays[f"{network.name}/{index:03d}"] for index in range(count)])

    def _all(self) -> list[keras.Model]:
        found = [getattr(self, field.name) for field in dataclasses.fields(self)]
        return [network for network in found if network is not None]


def build_networks(config: Config, num_features: int) -> Networks:
    """Builds all networks with initial weights that depend on `config.seed` alone."""
    shape = (config.window_size, num_features)
    attention = {
        "patch_size": config.patch_size,
        "hidden_dim": config.hidden_dim,
        "num_heads": config.num_heads,
        "intermediate_dim": config.intermediate_dim,
    }
    from_encoder = config.contrastive_source == "encoder"
    with seeded_initialisers(config.seed):
        return Networks(
            autoencoder=build_autoencoder(
                *shape,
                num_layers=config.num_layers,
                dropout=config.dropout,
                bottleneck_dim=config.bottleneck_dim,
                **attention,
            ),
            discriminator=build_discriminator(
                *shape,
                patch_size=config.patch_size,
                discriminator_dim=config.discriminator_dim,
                discriminator_layers=config.discriminator_layers,
                discriminator_dropout=config.discriminator_dropout,
            ),
            projection_head=build_projection_head(
                config.hidden_dim if from_encoder else config.discriminator_dim,
                projection_dim=config.projection_dim,
            ),
            latent_generator=build_generator(*shape, latent_dim=config.latent_dim, **attention)
            if config.latent_generator
            else None,
        )


def memory_errors(config: Config, memory: PatternMemory) -> MemoryErrors:
    """Returns what looks windows up in a memory."""
    return MemoryErrors(
        memory,
        window_size=config.window_size,
        pattern_size=config.pattern_size,
        stride=config.patch_size,
        num_neighbours=config.num_neighbours,
    )


def squared_means(windows: tf.Tensor) -> tf.Tensor:
    """How far the means of windows lie from the train mean, which is 0 after scaling.

    Args:
        windows: `(batch_size, window_size, num_features)` scaled values.

    Returns:
        `(batch_size, 1, num_features)`: a window has one mean, which stands for all its time steps.
    """
    return tf.square(tf.reduce_mean(windows, axis=1, keepdims=True))


class WindowOutputs:
    """What scoring asks about windows: a function of them, compiled on first use.

    An export traces `tensors` as well, so that both have the same columns.

    Args:
        config: The settings.
        networks: Trained networks.
        autoregression: None if there is none.
        memory: None if there is none.
        with_realism: Whether to ask the discriminator as well.

    Attributes:
        autoregression: As given.
        remembered: Looks windows up in the memory; None if there is none.
    """

    def __init__(
        self,
        config: Config,
        networks: Networks,
        autoregression: Autoregression | None,
        memory: PatternMemory | None,
        with_realism: bool,
    ) -> None:
        self._config = config
        self._networks = networks
        self.autoregression = autoregression
        self.remembered = None if memory is None else memory_errors(config, memory)
        self._with_realism = with_realism
        self._kernel = two_sided_kernel(config.window_size, config.smoothing_span)
        # One trace for every batch. Nothing here branches on a tensor, so no source is rewritten by
        # autograph, which takes a fresh process a second.
        shape = [None, *networks.autoencoder.input_shape[1:]]
        traced = functools.partial(
            tf.function, input_signature=[tf.TensorSpec(shape, tf.float32)], autograph=False
        )
        self._all = traced(self.tensors)
        self._last = traced(functools.partial(self.tensors, last_only=True))

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        """The outputs of every time step.

        Args:
            windows: `(batch_size, window_size, num_features)` scaled values.

        Returns:
            `(batch_size, window_size, num_outputs)`: squared reconstruction errors; for the fused
            score as many columns again for the smoothed errors, with an autoregression for the
            smoothed errors of its forecasts, with `mean_shift` for the squared mean of the window,
            and with a memory for the patterns' errors and for the levels'; with realism one last
            column holds 1 - D(window).
        """
        return self._all(tf.constant(windows, tf.float32)).numpy()

    def last(self, windows: np.ndarray) -> np.ndarray:
        """The outputs of the last time steps only, `(batch_size, num_outputs)`.

        A causal score asks for no more, and one pattern is looked up instead of all.
        """
        return self._last(tf.constant(windows, tf.float32)).numpy()[:, 0]

    def tensors(self, windows: tf.Tensor, *, last_only: bool = False) -> tf.Tensor:
        """What a call and `last` compile: `(batch_size, window_size or 1, num_outputs)`."""
        steps = slice(-1, None) if last_only else slice(None)
        reconstruction = self._networks.autoencoder(windows, training=False)["reconstruction"]
        errors = tf.math.squared_difference(windows, reconstruction)
        outputs = [errors[:, steps]]
        if self._config.score_mode == "fused":
            outputs.append(tf.linalg.matmul(self._kernel[steps], errors))
        if self.autoregression is not None:
            forecast_errors = self.autoregression.squared_errors(windows)
            outputs.append(tf.linalg.matmul(self._kernel[steps], forecast_errors))
        if self._config.has_shift:
            outputs.append(squared_means(windows) + tf.zeros_like(outputs[0]))
        if self.remembered is not None:
            outputs.append(self.remembered(windows, last_only=last_only))
        if self._with_realism:
            unreal = tf.sigmoid(-self._networks.discriminator(windows, training=False)["logits"])
            outputs.append(unreal[:, None, :] + tf.zeros_like(outputs[0][:, :, :1]))
        return tf.concat(outputs, axis=2)
