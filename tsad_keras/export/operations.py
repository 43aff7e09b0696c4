"""Missing values, smoothing and the rule of alarms, for series of any length, without Python loops.

The first two carry something along the time axis. They do it by doubling: round k looks 2^k steps
back, by then at a value that stands for the 2^k steps that end there, so that log2(length) rounds
do.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tsad_keras.thresholds import OUTSTANDING, SHORTEST_CAPPED

_BLOCK = 50  # time steps that are smoothed by one matrix product


def forward_filled(values: tf.Tensor) -> tf.Tensor:
    """`scaling.fill_missing`: carries the last seen value of each feature over its gaps.

    Args:
        values: `(batch_size, num_timesteps, num_features)`, NaN where missing.

    Returns:
        Same shape; NaN only before a feature's first value.
    """

    def one_round(filled: tf.Tensor, shift: int | tf.Tensor) -> tf.Tensor:
        earlier = _moved(filled, shift, np.nan)
        return tf.where(tf.math.is_nan(filled), earlier, filled)

    return _doubling(one_round, values)


def series_threshold(scores: tf.Tensor, threshold: tf.Tensor, max_alarm_rate: float) -> tf.Tensor:
    """`thresholds.series_threshold` of each series.

    Args:
        scores: `(batch_size, num_timesteps)` of whole series.
        threshold: Scalar, chosen on the training part.
        max_alarm_rate: As there.

    Returns:
        `(batch_size, 1)`.
    """
    chosen = tf.fill((tf.shape(scores)[0], 1), threshold)
    if max_alarm_rate >= 1.0:
        return chosen
    reached = tf.cast(scores >= threshold, scores.dtype)
    too_many = tf.reduce_mean(reached, axis=1, keepdims=True) > max_alarm_rate

    def raised() -> tf.Tensor:
        middle = _quantile(scores, 0.5)
        outstanding = middle + OUTSTANDING * _quantile(tf.abs(scores - middle), 0.5)
        highest = _quantile(scores, 1.0 - max_alarm_rate)
        return tf.where(too_many, tf.maximum(chosen, tf.minimum(highest, outstanding)), chosen)

    is_long = tf.shape(scores)[1] >= SHORTEST_CAPPED
    return tf.cond(is_long & tf.reduce_any(too_many), raised, lambda: chosen)


def _quantile(values: tf.Tensor, share: float) -> tf.Tensor:
    """`numpy.quantile` of each row, `(batch_size, 1)`."""
    ordered = tf.sort(values, axis=1)
    place = share * tf.cast(_length(values) - 1, tf.float64)
    below = tf.cast(tf.floor(place), tf.int32)
    above = tf.minimum(below + 1, _length(values) - 1)
    low, high = (tf.gather(ordered, [index], axis=1) for index in (below, above))
    return low + tf.cast(place - tf.floor(place), values.dtype) * (high - low)


def smoothed(values: tf.Tensor, span: int) -> tf.Tensor:
    """`smoothing.CausalSmoother` along axis 1.

    Time is cut into blocks. Within one a matrix product gives the means; what the blocks before it
    add is known from the means at their last steps, which are few.

    Args:
        values: `(batch_size, num_timesteps, num_columns)`.
        span: Its `span`.

    Returns:
        Same shape.
    """
    if span == 1:
        return values
    alphas = np.array([1.0, 2.0 / (span + 1.0), 2.0 / (4.0 * span + 1.0)])[:, None, None]
    lag = np.arange(_BLOCK)[:, None] - np.arange(_BLOCK)
    weights = np.where(lag >= 0, alphas * (1 - alphas) ** np.maximum(lag, 0), 0.0)
    within = weights.mean(axis=0)  # (block, block): the mean of the three scales
    to_last = weights[1:, -1]  # (2, block): a block's part of the two slow scales at its end
    fading = (1 - alphas[1:, :, 0]) ** np.arange(1, _BLOCK + 1)  # (2, block)

    num_timesteps = _length(values)
    num_blocks = -(-num_timesteps // _BLOCK)
    padded = tf.pad(values, [[0, 0], [0, num_blocks * _BLOCK - num_timesteps], [0, 0]])
    blocks = tf.reshape(padded, (-1, num_blocks, _BLOCK, values.shape[2]))
    # The state before the first block is the first value, as if that had been there for ever.
    first = tf.tile(values[:, None, :1], (1, 1, 2, 1))  # (batch_size, 1, 2, num_columns)
    ends = tf.linalg.matmul(to_last.astype(np.float32), blocks[:, :-1])
    decay = fading[:, -1:].astype(np.float32)

    def one_round(states: tf.Tensor, shift: int | tf.Tensor) -> tf.Tensor:
        power = np.float32(shift) if isinstance(shift, int) else tf.cast(shift, tf.float32)
        return states + decay**power * _moved(states, shift, 0.0)

    states = _doubling(one_round, tf.concat([first, ends], axis=1))
    result = tf.linalg.matmul(within.astype(np.float32), blocks)
    result += tf.linalg.matmul((fading.T / len(alphas)).astype(np.float32), states)
    return tf.reshape(result, tf.shape(padded))[:, :num_timesteps]


def followed(values: tf.Tensor, span: int, before: float) -> tf.Tensor:
    """Exponentially weighted means up to the time step before, as in `fusion.BurstDetector`.

    Args:
        values: `(batch_size, num_timesteps)`.
        span: Of the mean, in time steps.
        before: The mean before the first time step.

    Returns:
        Same shape.
    """
    alpha = 2.0 / (span + 1.0)
    lag = np.arange(_BLOCK)[:, None] - np.arange(_BLOCK) - 1
    within = np.where(lag >= 0, alpha * (1 - alpha) ** np.maximum(lag, 0), 0.0)
    to_end = alpha * (1 - alpha) ** np.arange(_BLOCK)[::-1]  # a block's part of the mean after it
    fading = (1 - alpha) ** np.arange(_BLOCK)

    num_timesteps = _length(values)
    num_blocks = -(-num_timesteps // _BLOCK)
    padded = tf.pad(values - before, [[0, 0], [0, num_blocks * _BLOCK - num_timesteps]])
    blocks = tf.reshape(padded, (-1, num_blocks, _BLOCK))
    ends = tf.reduce_sum(blocks * to_end.astype(np.float32), axis=2, keepdims=True)
    decay = (1 - alpha) ** _BLOCK

    def one_round(states: tf.Tensor, shift: int | tf.Tensor) -> tf.Tensor:
        power = np.float32(shift) if isinstance(shift, int) else tf.cast(shift, tf.float32)
        return states + np.float32(decay) ** power * _moved(states, shift, 0.0)

    states = _doubling(one_round, _moved(ends, 1, 0.0))  # (batch_size, num_blocks, 1)
    result = tf.linalg.matmul(blocks, within.T.astype(np.float32))
    result += states * fading.astype(np.float32)
    return tf.reshape(result, tf.shape(padded))[:, :num_timesteps] + before


def _doubling(
    one_round: Callable[[tf.Tensor, int | tf.Tensor], tf.Tensor], values: tf.Tensor
) -> tf.Tensor:
    """Runs `one_round(values, shift)` for shift = 1, 2, 4 ... below the length of axis 1."""
    length = _length(values)
    if isinstance(length, int):  # unrolled, because TFLite has no such loop
        for exponent in range((length - 1).bit_length()):
            values = one_round(values, 2**exponent)
        return values
    _, values = tf.while_loop(
        lambda shift, _: shift < length,
        lambda shift, current: (shift * 2, one_round(current, shift)),
        (tf.constant(1), values),
        shape_invariants=(tf.TensorShape(()), values.shape),
    )
    return values


def _moved(values: tf.Tensor, shift: int | tf.Tensor, filler: float) -> tf.Tensor:
    """The values `shift` steps earlier on axis 1; `filler` before the first."""
    padding = [[0, 0]] * len(values.shape)
    padding[1] = [shift, 0]
    moved = tf.pad(values[:, : _length(values) - shift], padding, constant_values=filler)
    return tf.ensure_shape(moved, values.shape)


def _length(values: tf.Tensor) -> int | tf.Tensor:
    """The length of axis 1: a number if it is known while tracing."""
    return tf.shape(values)[1] if values.shape[1] is None else values.shape[1]
