"""`fusion.FusedScore` as TensorFlow operations."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tsad_keras.config import Config
from tsad_keras.export.operations import followed
from tsad_keras.fusion import BURST_WEIGHT, EVEN, MOVED, TINY, VIEW_WEIGHTS
from tsad_keras.levels import BURST_DEVIATION, BURST_LIMIT, FusionLevels, LogLevel


class FusedGraph:
    """The fused score of point outputs.

    Args:
        levels: Of the detector.
        config: Its settings.
        divisor: `(num_features,)` what a feature's reconstruction error is divided by.
    """

    def __init__(self, levels: FusionLevels, config: Config, divisor: np.ndarray) -> None:
        self._levels = levels
        self._config = config
        self._divisor = divisor
        self._num_features = len(divisor)

    def contributions(self, outputs: tf.Tensor) -> tf.Tensor:
        """`FusedScore.update` of whole series.

        Args:
            outputs: `(batch_size, num_timesteps, num_outputs)`.

        Returns:
            `(batch_size, num_timesteps, num_features)`.
        """
        width = self._num_features
        scales = self._levels.scales(self._divisor / np.float32(width))
        views = {}
        for index, (name, scale) in enumerate(scales.items()):
            block = outputs[..., index * width : (index + 1) * width]
            views[name] = block / (scale * width).astype(np.float32)
        raw = views.pop("raw")
        strangeness = {
            name: VIEW_WEIGHTS[name]
            * standardised(getattr(self._levels, name), tf.reduce_sum(view, axis=-1))
            for name, view in views.items()
        }
        if self._config.burst_span:
            strangeness["smoothed"] += BURST_WEIGHT * self._bursts(tf.reduce_sum(raw, axis=-1))
        scores = tf.math.softplus(tf.add_n(list(strangeness.values())))
        weights = {name: tf.nn.relu(part) + EVEN for name, part in strangeness.items()}
        for name in [name for name in MOVED if name in weights]:
            moved = tf.minimum(weights["smoothed"], weights[name])
            weights["smoothed"] += moved
            weights[name] -= moved
        factor = scores / tf.add_n(list(weights.values()))
        bases = views | {"smoothed": tf.maximum(raw, views["smoothed"])}
        parts = [
            (weight * factor)[..., None] * feature_shares(bases[name])
            for name, weight in weights.items()
        ]
        return tf.add_n(parts)

    def _bursts(self, scores: tf.Tensor) -> tf.Tensor:
        """`BurstDetector.update` of `(batch_size, num_timesteps)`."""
        level, span = self._levels.raw, self._config.burst_span
        logs = tf.math.log(scores + level.offset)
        deviations = logs - followed(logs, span, level.mean)
        variances = tf.nn.relu(followed(tf.square(deviations), span, level.variance))
        return tf.nn.relu(deviations / (tf.sqrt(variances) + BURST_DEVIATION) - BURST_LIMIT)


def standardised(level: LogLevel, scores: tf.Tensor) -> tf.Tensor:
    """`LogLevel.standardise`."""
    return (tf.math.log(scores + level.offset) - level.mean) / level.deviation


def feature_shares(errors: tf.Tensor) -> tf.Tensor:
    """The features' shares in the errors, as in `fusion`."""
    errors += EVEN * tf.reduce_mean(errors, axis=-1, keepdims=True) + TINY
    return errors / tf.reduce_sum(errors, axis=-1, keepdims=True)
