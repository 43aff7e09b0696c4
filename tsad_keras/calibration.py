"""What each feature's error is divided by, so that no noisy feature drowns the rest."""

from __future__ import annotations

import numpy as np

# Variance of the noise that every value is taken to have; that of a feature on train is 1. Less
# than a tenth of a standard deviation says little, nor does the rounding of float32.
NOISE = 0.01
_LEAST_SCALE = 0.01  # of the mean over the features; no error at all must not divide by nothing
_PIECE = 100  # rows that stand for a window where a method has none


def typical_errors(window_errors: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """What the features' squared errors are divided by.

    Of a measurement the squared mean of the windows' root mean squared errors: what is typical of
    a window. A few windows with large errors hardly raise it, as they would the mean of the
    squares, so that a feature that was restless once on train is not deaf to what comes. Flags
    (`weight` below 1) are quiet in most windows, and their rare changes are all that their error
    is: of them the plain mean.

    Args:
        window_errors: `(num_windows, num_features)` mean squared error of each feature in windows
            of the training part; over the judged time steps, for a forecaster the last one.
        weight: `(num_features,)` of the features: `Scaler.weight_`.

    Returns:
        `(num_features,)`, divided by the weight: dividing by a flag's mean alone would undo it.

    Example:
        >>> errors = np.array([[1.0, 1.0], [9.0, 9.0]])
        >>> typical_errors(errors, np.array([1.0, 0.5])).tolist()
        [4.0, 10.0]
    """
    mean = window_errors.mean(axis=0)
    typical = np.where(weight < 1.0, mean, np.sqrt(window_errors).mean(axis=0) ** 2)
    return np.maximum(typical, _LEAST_SCALE * typical.mean() + 1e-12) / weight


def typical_shifts(window_shifts: np.ndarray, window_size: int, weight: np.ndarray) -> np.ndarray:
    """What the squared means of windows are divided by: their mean on train, and that of noise.

    A window's mean is as far from the train mean as on train, if a feature's quotient is 1. The
    mean of `window_size` values that have `NOISE` has a `window_size`-th of it: that is added, so
    that a feature which never moved on train counts much when it moves, and not infinitely much.
    Unlike `typical_errors` it has no least value beside other features, for the same reason.

    Args:
        window_shifts: `(num_windows, num_features)` squared means of training windows.
        window_size: Time steps a window.
        weight: `(num_features,)` of the features: `Scaler.weight_`.

    Returns:
        `(num_features,)`, divided by the weight.

    Reference:
        Shewhart, "Economic control of quality of manufactured product", Van Nostrand 1931 (the
        chart of means; here its squares are averaged over the features).

    Example:
        >>> typical_shifts(np.array([[4.0, 0.0], [6.0, 0.0]]), 100, np.ones(2)).tolist()
        [5.0001, 0.0001]
    """
    return (window_shifts.mean(axis=0) + NOISE / window_size) / weight


def piece_errors(errors: np.ndarray) -> np.ndarray:
    """Means over pieces of about 100 rows, for methods that know rows only.

    Args:
        errors: `(num_rows, num_features)` squared errors.

    Returns:
        `(num_pieces, num_features)`.
    """
    pieces = np.array_split(errors, max(1, len(errors) // _PIECE))
    return np.array([piece.mean(axis=0) for piece in pieces])
