"""A memory of normal data: how far short patterns and the course of levels are from any seen.

What a network cannot reconstruct is one sign of an anomaly. Another is that nothing like it was
ever seen. Two kinds of cut-outs of the training windows are kept, evenly spaced in time:

- patterns: `pattern_size` time steps as they are;
- levels: a whole window as the means of its pieces of `pattern_size` time steps.

All values are compressed by asinh first, so that one wild feature does not decide alone: small
values stay as they are, large ones count by their order of magnitude.

The error of a cut-out is its squared distance to the nearest ones in memory, feature by feature.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tsad_keras.windows import gather_from_series, starts_within_series

_SOFTNESS = 1e-3  # of a distance; equally near neighbours must not trade places by rounding
_TINY = 1e-12


@dataclasses.dataclass(frozen=True)
class PatternMemory:
    """Cut-outs of training windows.

    Attributes:
        patterns: `(num_patterns, pattern_size * num_features)` float32, compressed.
        levels: `(num_levels, num_pieces * num_features)` float32, means of compressed values.
            Both are arrays; a graph that is saved holds them as variables, or each of its functions
            would have a copy.

    Reference:
        Ramaswamy et al., "Efficient algorithms for mining outliers from large data sets", SIGMOD
        2000 (distance to the nearest neighbours as an outlier score).
    """

    patterns: np.ndarray | tf.Variable
    levels: np.ndarray | tf.Variable

    def arrays(self) -> dict[str, np.ndarray]:
        """Both arrays, by the names under which they are saved."""
        return {"memory/patterns": self.patterns, "memory/levels": self.levels}


def build_memory(
    train: Sequence[np.ndarray], *, window_size: int, pattern_size: int, memory_size: int
) -> PatternMemory:
    """Keeps evenly spaced cut-outs of scaled training series.

    Args:
        train: Scaled series `(num_timesteps, num_features)` without NaN, of at least a window each.
        window_size: Time steps a window.
        pattern_size: Time steps a pattern; divides `window_size`.
        memory_size: At most so many cut-outs of each kind.
    """
    lengths = [len(values) for values in train]

    def cut(size: int) -> np.ndarray:
        starts = starts_within_series(lengths, size, 1)
        count = min(memory_size, len(starts))
        chosen = starts[np.linspace(0, len(starts) - 1, count).astype(int)]
        return np.arcsinh(gather_from_series(train, chosen, size))

    patterns, windows = cut(pattern_size), cut(window_size)
    pieces = windows.reshape(len(windows), -1, pattern_size, windows.shape[2]).mean(axis=2)
    return PatternMemory(
        patterns.reshape(len(patterns), -1).astype(np.float32),
        pieces.reshape(len(pieces), -1).astype(np.float32),
    )


class MemoryErrors:
    """Looks windows up in a memory.

    Args:
        memory: As `build_memory` made it.
        window_size: Time steps a window.
        pattern_size: Time steps a pattern; divides `window_size`.
        stride: Time steps between the patterns of a window; divides `window_size - pattern_size`,
            so that the last pattern ends with the window.
        num_neighbours: How many of the nearest cut-outs count.
    """

    def __init__(
        self,
        memory: PatternMemory,
        *,
        window_size: int,
        pattern_size: int,
        stride: int,
        num_neighbours: int,
    ) -> None:
        self._memory = memory
        self._num_neighbours = num_neighbours
        self._pattern_size = pattern_size
        self._num_pieces = window_size // pattern_size
        starts = np.arange(0, window_size - pattern_size + 1, stride)
        self._rows = (starts[:, None] + np.arange(pattern_size)).astype(np.int32)
        covers = np.zeros((window_size, len(starts)), np.float32)
        covers[self._rows, np.arange(len(starts))[:, None]] = 1.0
        self._means = covers / covers.sum(axis=1, keepdims=True)  # over the covering patterns

    def __call__(self, windows: tf.Tensor, *, last_only: bool = False) -> tf.Tensor:
        """Errors of windows.

        Args:
            windows: `(batch_size, window_size, num_features)` scaled values.
            last_only: Whether the last time step will do; a single pattern covers it.

        Returns:
            `(batch_size, window_size, 2 * num_features)`: for each time step the mean squared
            error of the patterns that cover it, feature by feature, then that of the levels, the
            same for all time steps of a window. With `last_only` one time step instead of all.
        """
        num_features = windows.shape[2]
        windows = _compressed(windows)
        rows = self._rows[-1:] if last_only else self._rows
        patterns = tf.gather(windows, rows, axis=1)  # (batch, starts, pattern, features)
        flat = tf.reshape(patterns, (-1, self._pattern_size * num_features))
        of_patterns = self._errors(flat, self._memory.patterns, self._pattern_size, num_features)
        of_patterns = tf.reshape(of_patterns, (-1, len(rows), num_features))
        spread = of_patterns if last_only else tf.linalg.matmul(self._means, of_patterns)
        shape = (-1, self._num_pieces, self._pattern_size, num_features)
        levels = tf.reduce_mean(tf.reshape(windows, shape), axis=2)
        flat = tf.reshape(levels, (-1, self._num_pieces * num_features))
        of_levels = self._errors(flat, self._memory.levels, self._num_pieces, num_features)
        return tf.concat([spread, of_levels[:, None] + tf.zeros_like(spread)], axis=2)

    def _errors(
        self, queries: tf.Tensor, memory: np.ndarray | tf.Variable, length: int, num_features: int
    ) -> tf.Tensor:
        """`(num_queries, num_features)`, means over time of the squared differences."""
        differences = _neighbour_differences(queries, memory, self._num_neighbours)
        return tf.reduce_mean(tf.reshape(differences, (-1, length, num_features)), axis=1)


def _neighbour_differences(
    queries: tf.Tensor, memory: np.ndarray | tf.Variable, num_neighbours: int
) -> tf.Tensor:
    """Weighted means of the squared differences to the nearest rows of a memory.

    A neighbour weighs the more, the nearer it is, and the one after the last nothing: where two
    rows are equally near, the result does not depend on which of them is taken.

    Args:
        queries: `(num_queries, size)`.
        memory: `(num_rows, size)`.
        num_neighbours: How many count.

    Returns:
        `(num_queries, size)`.
    """
    count = min(num_neighbours + 1, memory.shape[0])
    memory = tf.convert_to_tensor(memory)
    norms = tf.reduce_sum(tf.square(memory), axis=1)
    nearness = 2.0 * tf.linalg.matmul(queries, memory, transpose_b=True) - norms
    _, nearest = tf.math.top_k(nearness, count)
    differences = tf.math.squared_difference(queries[:, None], tf.gather(memory, nearest))
    distances = tf.reduce_sum(differences, axis=2, keepdims=True)
    farthest = tf.reduce_max(distances, axis=1, keepdims=True)
    weights = (1.0 + _SOFTNESS) * farthest - distances + _TINY
    weighted = tf.reduce_sum(weights * differences, axis=1)
    return weighted / tf.reduce_sum(weights, axis=1)


def _compressed(values: tf.Tensor) -> tf.Tensor:
    """asinh, of operations that TFLite has."""
    sizes = tf.abs(values)
    return tf.sign(values) * tf.math.log(sizes + tf.sqrt(tf.square(values) + 1.0))
