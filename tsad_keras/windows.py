"""Where windows start. A window never crosses the border between two series."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tsad_keras.errors import InputError


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
