"""`fusion.FusedScore` as TensorFlow operations."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tsad_keras.config import Config
from tsad_keras.export.operations import followed
from tsad_keras.fusion import BURST_WEIGHT, EVEN, LEVEL_WEIGHT, TINY
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
        errors = outputs[..., :width] / self._divisor
        views = [outputs[..., width : 2 * width] / self._divisor]
        bases = [tf.maximum(errors, views[0])]  # by which each view's part is shared out
        levels = [self._levels.smoothed]
        if self._levels.pattern is not None:
            divisor = (self._levels.pattern_scale * width).astype(np.float32)
            patterns, remembered = outputs[..., 2 * width : 3 * width], outputs[..., 3 * width :]
            views += [patterns / divisor, remembered / width]
            bases += views[1:]
            levels += [self._levels.pattern, self._levels.level]
        strangeness = [
            standardised(level, tf.reduce_sum(view, axis=-1))
            for level, view in zip(levels, views, strict=True)
        ]
        if self._config.burst_span:
            strangeness[0] += BURST_WEIGHT * self._bursts(tf.reduce_sum(errors, axis=-1))
        if self._levels.level is not None:
            strangeness[2] *= LEVEL_WEIGHT
        scores = tf.math.softplus(tf.add_n(strangeness))
        weights = [tf.nn.relu(standard) + EVEN for standard in strangeness]
        if self._levels.level is not None:
            moved = tf.minimum(weights[0], weights[2])
            weights = [weights[0] + moved, weights[1], weights[2] - moved]
        factor = scores / tf.add_n(weights)
        parts = [
            (weight * factor)[..., None] * feature_shares(basis)
            for weight, basis in zip(weights, bases, strict=True)
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
