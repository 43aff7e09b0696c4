"""Gaps in time: where one series ends and the next begins."""

from __future__ import annotations

import numpy as np

from tsad_keras.errors import InputError


def gap_starts(times: np.ndarray, max_gap: float, previous: object = None) -> np.ndarray:
    """Rows that lie further behind the row before them than `max_gap`.

    Args:
        times: `(num_timesteps,)` increasing, float or datetime64.
        max_gap: Seconds for dates, else units of the times.
        previous: The time before the first row, if there is one.

    Returns:
        Their indices, ascending.

    Example:
        >>> gap_starts(np.array([0.0, 1.0, 5.0, 6.0]), 2.0).tolist()
        [2]
    """
    if not len(times):
        return np.zeros(0, np.int64)
    before = times[0] if previous is None else np.asarray(previous, times.dtype)
    steps = np.diff(np.concatenate([[before], times]))
    if times.dtype.kind == "M":
        steps = steps / np.timedelta64(1, "s")
    return np.flatnonzero(steps > max_gap)


def split_at_gaps(
    values: np.ndarray, times: np.ndarray | None, max_gap: float | None
) -> list[np.ndarray]:
    """Cuts rows into series wherever times are further apart than `max_gap`.

    Args:
        values: `(num_timesteps, num_features)`.
        times: `(num_timesteps,)` or None.
        max_gap: Seconds for dates, else units of the times; None cuts nowhere.

    Returns:
        Views of the pieces, in order.

    Raises:
        InputError: If `max_gap` came for rows without times.
    """
    if max_gap is None:
        return [values]
    if times is None:
        raise InputError(
            f"max_gap is {max_gap:g} and the rows have no times, expected a time column; leave "
            "--max-gap out or name the column with --time-column"
        )
    return np.split(values, gap_starts(np.asarray(times), max_gap))
