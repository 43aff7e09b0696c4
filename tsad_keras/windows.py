"""Where windows start, and where validation does; no window crosses a border between series."""

from __future__ import annotations

import logging
import numbers
from collections.abc import Sequence

import numpy as np

from tsad_keras.datasets.base import split_tail
from tsad_keras.errors import InputError

logger = logging.getLogger(__name__)


def window_starts(num_timesteps: int, window_size: int, stride: int) -> np.ndarray:
    """Starts of the windows that cover a series, its tail included.

    Every `stride`-th row, and one more window flush with the end if the grid leaves a tail.

    Args:
        num_timesteps: Length of the series.
        window_size: Time steps a window.
        stride: Time steps between neighbouring starts.

    Returns:
        `(num_windows,)` int64, ascending.

    Raises:
        InputError: If the series is shorter than one window.

    Example:
        >>> window_starts(10, 4, 3).tolist()
        [0, 3, 6]
        >>> window_starts(11, 4, 3).tolist()
        [0, 3, 6, 7]
    """
    if num_timesteps < window_size:
        raise InputError(
            f"a series has {num_timesteps} time steps, expected at least window_size "
            f"({window_size}); pass a longer series or a smaller window_size"
        )
    last = num_timesteps - window_size
    starts = np.arange(0, last + 1, stride, dtype=np.int64)
    return starts if starts[-1] == last else np.append(starts, last)


def window_around(row: int, num_timesteps: int, window_size: int) -> int:
    """Start of the window with a row in its middle, or as near to it as the ends allow.

    Args:
        row: Of the series, from 0.
        num_timesteps: Length of the series.
        window_size: Time steps a window; at most `num_timesteps`.

    Raises:
        InputError: If the series has no such row.

    Example:
        >>> [window_around(row, 10, 4) for row in (0, 5, 9)]
        [0, 3, 6]
    """
    is_whole = isinstance(row, numbers.Integral) and not isinstance(row, bool)
    if not is_whole or not 0 <= row < num_timesteps:
        raise InputError(
            f"row {row} came, expected 0 to {num_timesteps - 1}, a whole number; rows are counted "
            "from 0"
        )
    return int(min(max(row - window_size // 2, 0), num_timesteps - window_size))


def starts_within_series(lengths: Sequence[int], window_size: int, stride: int) -> np.ndarray:
    """Starts of all windows in series that lie one after the other in a single array.

    Args:
        lengths: Time steps of each series, in order.
        window_size: Time steps a window.
        stride: Time steps between neighbouring starts within a series.

    Returns:
        `(num_windows,)` int64 row numbers in the joined array; no window holds rows of two series.

    Example:
        >>> starts_within_series([5, 4], window_size=4, stride=1).tolist()
        [0, 1, 5]
    """
    offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    parts = [
        offset + window_starts(length, window_size, stride)
        for offset, length in zip(offsets, lengths, strict=True)
    ]
    return np.concatenate(parts)


def gather_windows(values: np.ndarray, starts: np.ndarray, window_size: int) -> np.ndarray:
    """Copies windows out of a series.

    Args:
        values: `(num_timesteps, ...)`.
        starts: `(batch_size,)` first rows.
        window_size: Time steps a window.

    Returns:
        `(batch_size, window_size, ...)`.
    """
    return values[np.asarray(starts)[:, None] + np.arange(window_size)]


def gather_from_series(
    series: Sequence[np.ndarray], starts: np.ndarray, window_size: int
) -> np.ndarray:
    """`gather_windows` of series one after the other, without joining them.

    Args:
        series: Arrays `(num_timesteps, num_features)`.
        starts: `(batch_size,)` row numbers in the joined array, as `starts_within_series` gives.
        window_size: Time steps a window.

    Returns:
        `(batch_size, window_size, num_features)`.
    """
    offsets = np.cumsum([0, *map(len, series)])
    numbers = np.searchsorted(offsets, starts, side="right") - 1
    windows = np.empty((len(starts), window_size, series[0].shape[1]), series[0].dtype)
    for number in np.unique(numbers):
        chosen = numbers == number
        local = starts[chosen] - offsets[number]
        windows[chosen] = gather_windows(series[number], local, window_size)
    return windows


def split_train_validation(
    series: Sequence[np.ndarray], window_size: int, validation_fraction: float
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Cuts the validation tail off each training series, for the detector and the baselines alike.

    Args:
        series: Arrays `(num_timesteps, num_features)`.
        window_size: Neither part is shorter than a window.
        validation_fraction: Share of the tail.

    Returns:
        Train and validation parts in the same order. A series too short for both is all train (its
        validation part is empty); one shorter than a window is left out with a warning.

    Raises:
        InputError: If no series is long enough for both parts.
    """
    longest = max(len(values) for values in series)
    if longest < 2 * window_size:
        raise InputError(
            f"the longest training series has {longest} time steps, expected at least "
            f"{2 * window_size} (one window to train on and one to validate, window_size "
            f"{window_size}); pass a longer series or a smaller window_size"
        )
    usable = [values for values in series if len(values) >= window_size]
    if len(usable) < len(series):
        logger.warning(
            "%d of %d series are shorter than window_size %d and are left out of the training",
            len(series) - len(usable),
            len(series),
            window_size,
        )
    parts = [split_tail(values, validation_fraction, window_size) for values in usable]
    return [head for head, _ in parts], [tail for _, tail in parts]
