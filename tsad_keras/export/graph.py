"""The whole way from raw values to scores and alarms as TensorFlow operations.

What `scaling`, `scoring` and the detector do with NumPy while training and in files, once more for
a graph that runs without Python. `verify` and the tests hold the two to 1e-5 of each other.

Everything is float32, also inside, so that other runtimes can read the graph. Means are kept as the
sum of two float32, because x - mean would else lose the digits of a counter near 1e9.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tsad_keras.detector import ContrastiveGANDetector
from tsad_keras.detector.networks import WindowOutputs, squared_means
from tsad_keras.export.fused import FusedGraph
from tsad_keras.export.operations import forward_filled, series_threshold, smoothed
from tsad_keras.inference.scores import count_outputs
from tsad_keras.models.memory import PatternMemory

_WINDOWS_A_PASS = 64  # of a long series: large enough matrix products, little memory

Tensors = dict[str, tf.Tensor]


class ScoringGraph:
    """TensorFlow functions with the constants of one fitted detector.

    Args:
        detector: A fitted detector.

    Attributes:
        config: Its settings.
        num_features: Columns of raw values.
        num_columns: Columns of prepared values.
        num_outputs: Columns of what the networks say about a window.
        module: Holds the raw `tf.Variable`s that the functions read, `weights` and `threshold`. Not
            the Keras ones: they would be saved twice, and the C++ loader would fill the copy that
            nobody reads.
    """

    def __init__(self, detector: ContrastiveGANDetector) -> None:
        self.config = detector.config
        self.num_features = len(detector.feature_names_)
        self.num_columns = self.num_features
        self.num_outputs = count_outputs(self.config, self.num_features)
        self._networks = detector.networks_
        mean = detector.scaler_.mean_
        scale = detector.scaler_.scale_
        self._mean_high = mean.astype(np.float32)
        self._mean_low = (mean - self._mean_high).astype(np.float32)
        self._scaled_low = ((mean - self._mean_high) / scale).astype(np.float32)
        self._scale = scale.astype(np.float32)
        self._divisor = (detector.error_scale_ * self.num_features).astype(np.float32)
        self._fused = None
        if detector.fusion_levels_ is not None:
            self._fused = FusedGraph(detector.fusion_levels_, self.config, self._divisor)
        networks = (self._networks.autoencoder, self._networks.discriminator)
        self.module = tf.Module()
        memory = None
        if detector.memory_ is not None:
            arrays = (detector.memory_.patterns, detector.memory_.levels)
            self.module.memory = [tf.Variable(array, trainable=False) for array in arrays]
            memory = PatternMemory(*self.module.memory)
        self._outputs = WindowOutputs(
            self.config,
            self._networks,
            detector.autoregression_,
            memory,
            with_realism=self.config.has_realism,
        )
        self.module.weights = [variable.value for net in networks for variable in net.variables]
        # A variable, so that the value at work can be read out of an export and be checked.
        self._threshold = tf.Variable(detector.threshold_, False, dtype=tf.float32)
        self.module.threshold = self._threshold

    # --- signatures ------------------------------------------------------------------------------

    def score_windows(self, windows: tf.Tensor) -> Tensors:
        """Scores of windows, each a series of its own.

        Args:
            windows: `(batch_size, window_size, num_features)` raw values, NaN where missing.

        Returns:
            `anomaly_score` and `is_anomaly`, `(batch_size, window_size)`.
        """
        with tf.control_dependencies(self._checks(windows, "windows", exact=True)):
            windows = tf.identity(windows)
        return self.score_windows_unchecked(windows)

    def score_windows_unchecked(self, windows: tf.Tensor) -> Tensors:
        """`score_windows` of finite values, without operations that TFLite does not have."""
        windows = tf.ensure_shape(windows, (None, self.config.window_size, self.num_features))
        scaled = self._filled_and_scaled(forward_filled(windows))
        return self._decided(tf.reduce_sum(self._judged(self._window_outputs(scaled)), axis=2))

    def score_series(self, series: tf.Tensor) -> Tensors:
        """Scores of one series of any length of at least a window.

        Args:
            series: `(num_timesteps, num_features)` raw values, NaN where missing.

        Returns:
            `anomaly_score` and `is_anomaly` `(num_timesteps,)`, `contribution`
            `(num_timesteps, num_features)`.
        """
        with tf.control_dependencies(self._checks(series[None], "series", exact=False)):
            contributions = self._contributions(series[None])[0]
        decided = self._decided_whole(tf.reduce_sum(contributions, axis=1)[None])
        return {name: value[0] for name, value in decided.items()} | {"contribution": contributions}

    def score_batch(self, batch: tf.Tensor) -> Tensors:
        """Scores of several series of one length.

        Args:
            batch: `(batch_size, num_timesteps, num_features)` raw values, NaN where missing.

        Returns:
            `anomaly_score` and `is_anomaly`, `(batch_size, num_timesteps)`.
        """
        with tf.control_dependencies(self._checks(batch, "batch", exact=False)):
            contributions = self._contributions(batch)
        return self._decided_whole(tf.reduce_sum(contributions, axis=2))

    def reconstruct(self, windows: tf.Tensor) -> Tensors:
        """What the networks make of windows.

        Args:
            windows: `(batch_size, window_size, num_features)` raw values, NaN where missing.

        Returns:
            `reconstruction` (batch_size, window_size, num_features) in raw units, `squared_error`
            (same shape) in scaled units squared (`Scaler`), `realism` (batch_size,), the
            discriminator's D, `embedding` (batch_size, hidden_dim), and, of the shape and in the
            unit of `squared_error`, `forecast_error`, 0 without a forecast, `shift_error`, the
            squared mean of the window, and `pattern_error` and `level_error`, distances to the
            memory, 0 without one.
        """
        with tf.control_dependencies(self._checks(windows, "windows", exact=True)):
            scaled = self._scaled(windows)
        made = self._networks.autoencoder(scaled, training=False)
        logits = self._networks.discriminator(scaled, training=False)["logits"]
        raw = made["reconstruction"] * self._scale + self._mean_low + self._mean_high
        patterns = levels = forecast_errors = tf.zeros_like(scaled)
        if self._outputs.autoregression is not None:
            forecast_errors = self._outputs.autoregression.squared_errors(scaled)
        if self._outputs.remembered is not None:
            patterns, levels = tf.split(self._outputs.remembered(scaled), 2, axis=2)
        return {
            "forecast_error": forecast_errors,
            "shift_error": squared_means(scaled) + tf.zeros_like(scaled),
            "pattern_error": patterns,
            "level_error": levels,
            "reconstruction": raw,
            "squared_error": tf.math.squared_difference(scaled, made["reconstruction"]),
            "realism": tf.sigmoid(logits[:, 0]),
            "embedding": made["embedding"],
        }

    def last_outputs(self, windows: tf.Tensor) -> Tensors:
        """What the networks say about the windows' last time steps, for causal scores and streams.

        A single pattern is looked up in the memory instead of all of a window.

        Args:
            windows: `(batch_size, window_size, num_features)` raw values, NaN where missing.

        Returns:
            `outputs` (batch_size, num_outputs), see `SeriesScorer.window_outputs`.
        """
        with tf.control_dependencies(self._checks(windows, "windows", exact=True)):
            scaled = self._scaled(windows)
        return {"outputs": self._window_outputs(scaled, last_only=True)[:, 0]}

    # --- checks, missing values, scale -----------------------------------------------------------

    def _checks(self, values: tf.Tensor, name: str, *, exact: bool) -> list[tf.Operation]:
        """Operations that fail with INVALID_ARGUMENT and a sentence, not somewhere in a product."""
        size, width = self.config.window_size, self.num_features
        shape = tf.shape(values)
        need = f"expected {'exactly' if exact else 'at least'} window_size = {size}"
        compare = tf.debugging.assert_equal if exact else tf.debugging.assert_greater_equal
        finite = f"{name} holds an infinite value, expected finite values or NaN where missing"
        return [
            compare(shape[1], size, message=f"{name} has the wrong number of time steps, {need}"),
            tf.debugging.assert_equal(
                shape[2],
                width,
                message=f"{name} has the wrong number of features, expected {width}",
            ),
            tf.debugging.Assert(
                tf.math.logical_not(tf.reduce_any(tf.math.is_inf(values))), [finite]
            ),
        ]

    def _scaled(self, values: tf.Tensor) -> tf.Tensor:
        """`Scaler.transform` of `(batch_size, num_timesteps, num_features)`."""
        values = tf.ensure_shape(values, (None, None, self.num_features))
        missing = tf.reduce_any(tf.math.is_nan(values))
        values = tf.cond(missing, lambda: forward_filled(values), lambda: values)
        return self._filled_and_scaled(values)

    def _filled_and_scaled(self, values: tf.Tensor) -> tf.Tensor:
        # Not ((x - high) - low) / scale: the two constants would be added up by an optimiser.
        scaled = (values - self._mean_high) / self._scale - self._scaled_low
        scaled = tf.where(tf.math.is_nan(scaled), tf.zeros_like(scaled), scaled)
        return tf.clip_by_value(scaled, -self.config.clip, self.config.clip)

    # --- networks and scores ---------------------------------------------------------------------

    def _window_outputs(self, scaled: tf.Tensor, *, last_only: bool = False) -> tf.Tensor:
        """`SeriesScorer.window_outputs`: `(batch_size, window_size or 1, num_outputs)`."""
        scaled = tf.ensure_shape(scaled, (None, self.config.window_size, self.num_features))
        return self._outputs.tensors(scaled, last_only=last_only)

    def _judged(self, outputs: tf.Tensor) -> tf.Tensor:
        """`point_judge`: contributions `(batch_size, num_timesteps, num_features)`."""
        if self._fused is not None:
            return self._fused.contributions(outputs)
        return smoothed(self._combined(outputs), self.config.smoothing_span)

    def _combined(self, outputs: tf.Tensor) -> tf.Tensor:
        """`combine_scores` over the last axis."""
        contributions = outputs[..., : self.num_features] / self._divisor
        if not self.config.has_realism:
            return contributions
        unreal = outputs[..., -1:]
        total = tf.reduce_sum(contributions, axis=-1, keepdims=True)
        even = tf.fill(tf.shape(contributions), 1.0 / self.num_features)
        shares = tf.where(total > 0, tf.math.divide_no_nan(contributions, total), even)
        if self.config.score_mode == "realism":
            return unreal * shares
        return contributions + self.config.realism_weight * unreal * shares

    def _decided(self, scores: tf.Tensor) -> Tensors:
        return {"anomaly_score": scores, "is_anomaly": scores >= self._threshold}

    def _decided_whole(self, scores: tf.Tensor) -> Tensors:
        """`SeriesScorer.series_threshold` on scores `(batch_size, num_timesteps)` of series."""
        threshold = series_threshold(scores, self._threshold, self.config.max_alarm_rate)
        return {"anomaly_score": scores, "is_anomaly": scores >= threshold}

    def _contributions(self, values: tf.Tensor) -> tf.Tensor:
        """Smoothed contributions `(batch_size, num_timesteps, num_features)` of raw series."""
        scaled = self._scaled(values)
        shape = tf.shape(scaled)
        return self._judged(self._point_outputs(scaled, shape[0], shape[1]))

    def _point_outputs(
        self, scaled: tf.Tensor, batch_size: tf.Tensor, num_timesteps: tf.Tensor
    ) -> tf.Tensor:
        """`PointScorer`: means over covering windows, `(batch_size, num_timesteps, num_outputs)`.

        The windows of all series form one list and go through the networks in passes of a bounded
        number; nothing of the size windows x window_size is ever made.
        """
        starts = self._starts(num_timesteps)
        num_starts = tf.size(starts)
        total = batch_size * num_starts
        flat = tf.reshape(scaled, (-1, self.num_columns))
        num_outputs = self.num_outputs
        steps = tf.range(self.config.window_size)

        def one_pass(first: tf.Tensor, sums: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            chosen = tf.range(first, tf.minimum(first + _WINDOWS_A_PASS, total))
            offsets = (chosen // num_starts) * num_timesteps
            rows = (offsets + tf.gather(starts, chosen % num_starts))[:, None] + steps
            outputs = self._window_outputs(tf.gather(flat, rows))
            added = tf.tensor_scatter_nd_add(sums, rows[..., None], outputs)
            return first + _WINDOWS_A_PASS, added

        sums = tf.zeros(tf.stack([tf.shape(flat)[0], num_outputs]))
        _, sums = tf.while_loop(
            lambda first, _: first < total,
            one_pass,
            (tf.constant(0), sums),
            shape_invariants=(tf.TensorShape(()), tf.TensorShape((None, num_outputs))),
            parallel_iterations=1,
        )
        rows = tf.reshape(starts[:, None] + steps, (-1, 1))
        ones = tf.ones(tf.shape(rows)[:1])
        counts = tf.tensor_scatter_nd_add(tf.zeros(num_timesteps[None]), rows, ones)
        sums = tf.reshape(sums, tf.stack([batch_size, num_timesteps, num_outputs]))
        return sums / counts[:, None]

    def _starts(self, num_timesteps: tf.Tensor) -> tf.Tensor:
        """`window_starts`: the grid, and one more window flush with the end if it leaves a tail."""
        last = num_timesteps - self.config.window_size
        stride = min(self.config.score_stride, self.config.window_size)
        starts = tf.range(0, last + 1, stride)
        return tf.cond(
            starts[-1] < last, lambda: tf.concat([starts, last[None]], axis=0), lambda: starts
        )


def traced_signatures(graph: ScoringGraph) -> dict[str, Callable[..., Tensors]]:
    """The functions that clients call, traced for raw float32 values of this shape, by name."""
    size, width = graph.config.window_size, graph.num_features
    shapes = {
        "score_windows": ("windows", (None, size, width)),
        "score_series": ("series", (None, width)),
        "score_batch": ("batch", (None, None, width)),
        "reconstruct": ("windows", (None, size, width)),
        "last_outputs": ("windows", (None, size, width)),
    }
    if hasattr(graph, "window_outputs"):  # an ensemble: `reconstruct` gives means over members
        shapes["window_outputs"] = ("windows", (None, size, width))
    traced = {}
    for name, (argument, shape) in shapes.items():
        spec = tf.TensorSpec(shape, tf.float32, name=argument)
        function = tf.function(getattr(graph, name), autograph=False)
        traced[name] = function.get_concrete_function(spec)
    return traced
