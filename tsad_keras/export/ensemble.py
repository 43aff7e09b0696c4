"""An ensemble's way from raw values to scores: the graphs of its members side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tsad_keras.combination import Combination, RankTable
from tsad_keras.detector import ContrastiveGANDetector, EnsembleDetector
from tsad_keras.export.fused import feature_shares, standardised
from tsad_keras.export.graph import ScoringGraph, Tensors


class EnsembleGraph(ScoringGraph):
    """The functions of `ScoringGraph` for all members at once.

    Prepared values and outputs of the networks lie side by side, member by member; windows, their
    means and everything else that the signatures do is the single graph's.

    Args:
        ensemble: Fitted.
    """

    def __init__(self, ensemble: EnsembleDetector) -> None:
        self._members = [ScoringGraph(member) for member in ensemble.members_]
        self.config = ensemble.config
        self.num_features = len(ensemble.feature_names_)
        self.num_columns = sum(member.num_columns for member in self._members)
        self.num_outputs = sum(member.num_outputs for member in self._members)
        self._combined = CombinationGraph(ensemble.combination_)
        self.module = tf.Module()
        self.module.members = [member.module for member in self._members]
        self._threshold = tf.Variable(ensemble.threshold_, False, dtype=tf.float32)
        self.module.threshold = self._threshold

    def reconstruct(self, windows: tf.Tensor) -> Tensors:
        """As `ScoringGraph.reconstruct`: means over the members, their embeddings side by side."""
        made = [member.reconstruct(windows) for member in self._members]
        means = {
            name: tf.add_n([outputs[name] for outputs in made]) / np.float32(len(made))
            for name in made[0]
            if name != "embedding"
        }
        # Axes of one member's embedding mean nothing to another's.
        return {**means, "embedding": tf.concat([outputs["embedding"] for outputs in made], axis=1)}

    def window_outputs(self, windows: tf.Tensor) -> Tensors:
        """What all networks say about windows.

        Args:
            windows: `(batch_size, window_size, num_features)` raw values, NaN where missing.

        Returns:
            `outputs` (batch_size, window_size, num_outputs), see `SeriesScorer.window_outputs`.
        """
        with tf.control_dependencies(self._checks(windows, "windows", exact=True)):
            return {"outputs": self._window_outputs(self._scaled(windows))}

    def _filled_and_scaled(self, values: tf.Tensor) -> tf.Tensor:
        scaled = [member._filled_and_scaled(values) for member in self._members]
        return tf.concat(scaled, axis=-1)

    def _window_outputs(self, scaled: tf.Tensor, *, last_only: bool = False) -> tf.Tensor:
        parts = tf.split(scaled, len(self._members), axis=2)
        made = [
            member._window_outputs(part, last_only=last_only)
            for member, part in zip(self._members, parts, strict=True)
        ]
        return tf.concat(made, axis=2)

    def _judged(self, outputs: tf.Tensor) -> tf.Tensor:
        parts = tf.split(outputs, [member.num_outputs for member in self._members], axis=2)
        made = [member._judged(part) for member, part in zip(self._members, parts, strict=True)]
        return self._combined(made)


class CombinationGraph:
    """`Combination.combine` as TensorFlow operations.

    Args:
        combination: Of the ensemble.
    """

    def __init__(self, combination: Combination) -> None:
        self._levels = combination.levels

    def __call__(self, contributions: list[tf.Tensor]) -> tf.Tensor:
        """Contributions `(batch_size, num_timesteps, num_features)` of the members, as one."""
        parts = []
        for level, part in zip(self._levels, contributions, strict=True):
            scores = tf.reduce_sum(part, axis=-1)
            if isinstance(level, RankTable):
                mapped = _surprise(level, scores)
            else:
                mapped = tf.math.softplus(standardised(level, scores))
            parts.append((mapped / np.float32(len(self._levels)))[..., None] * feature_shares(part))
        return tf.add_n(parts)


def _surprise(table: RankTable, scores: tf.Tensor) -> tf.Tensor:
    """`RankTable.standardise`."""
    knots, surprise = (np.asarray(a, np.float32) for a in (table.knots, table.surprise))
    slopes = np.append(np.diff(table.surprise) / np.diff(table.knots), table.slope)
    logs = tf.maximum(tf.math.log(scores + np.float32(table.offset)), knots[0])
    # How many knots lie at or below: TFLite has no search in a sorted list.
    below = tf.reduce_sum(tf.cast(logs[..., None] >= knots, tf.int32), axis=-1) - 1
    steps = logs - tf.gather(knots, below)
    return tf.gather(surprise, below) + tf.gather(slopes.astype(np.float32), below) * steps


def graph_of(detector: ContrastiveGANDetector | EnsembleDetector) -> ScoringGraph:
    """The scoring graph of a detector or of an ensemble."""
    kind = EnsembleGraph if isinstance(detector, EnsembleDetector) else ScoringGraph
    return kind(detector)


def ensemble_metadata(detector: ContrastiveGANDetector | EnsembleDetector) -> dict[str, Any] | None:
    """What `load_export` needs to judge as an ensemble does; None of a single detector."""
    if not isinstance(detector, EnsembleDetector):
        return None
    return {
        "combine": detector.combine,
        "combination": {k: v.tolist() for k, v in detector.combination_.arrays().items()},
        "members": [
            {
                "weights_sha256": member.weights_sha256_,
                "config": member.config.to_dict(),
                "error_scale": member.error_scale_.tolist(),
                "fusion": fusion_metadata(member),
            }
            for member in detector.members_
        ],
    }


def fusion_metadata(detector: ContrastiveGANDetector | EnsembleDetector) -> dict[str, Any] | None:
    """The levels of the fused score; None without one."""
    levels = detector.fusion_levels_
    return None if levels is None else {k: v.tolist() for k, v in levels.arrays().items()}
