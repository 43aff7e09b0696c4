"""What each feature's error is divided by, so that no noisy feature drowns the rest."""

from __future__ import annotations

import numpy as np

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


def piece_errors(errors: np.ndarray) -> np.ndarray:
    """Means over pieces of about 100 rows, for methods that know rows only.

    Args:
        errors: `(num_rows, num_features)` squared errors.

    Returns:
        `(num_pieces, num_features)`.
    """
    pieces = np.array_split(errors, max(1, len(errors) // _PIECE))
    return np.array([piece.mean(axis=0) for piece in pieces])
