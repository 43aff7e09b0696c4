"""What the last few rows say of the next one: a linear forecast of each feature by itself.

A reconstruction is smooth, and judges a window as a whole. Where a feature moves from row to row in
a way that it never did on train, its own past tells sooner, whatever the level. No training loop is
needed: the least squares have a closed form.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tsad_keras.calibration import NOISE

_RIDGE = 1e-3  # of a feature's variance on train, which is 1: constant features get a forecast of 0
_NUMBERS = 4_000_000  # lagged at once, so that no copies of a long series are made


@dataclasses.dataclass(frozen=True)
class Autoregression:
    """A linear forecast of each feature from its own last rows.

    Attributes:
        coefficients: `(order, num_features)` float32; the first row belongs to the last time step.
        intercepts: `(num_features,)` float32.

    Reference:
        Box, Jenkins, "Time series analysis: forecasting and control", Holden-Day 1970, ch. 3.
    """

    coefficients: np.ndarray
    intercepts: np.ndarray

    @property
    def order(self) -> int:
        """Time steps that a forecast looks back."""
        return len(self.coefficients)

    def arrays(self) -> dict[str, np.ndarray]:
        """Both arrays, by the names under which they are saved."""
        return {
            "autoregression/coefficients": self.coefficients,
            "autoregression/intercepts": self.intercepts,
        }

    def squared_errors(self, windows: tf.Tensor) -> tf.Tensor:
        """Squared errors of the forecasts of all time steps of windows, plus `NOISE`.

        The first `order` time steps have too short a past in their window, and are forecast from
        those after them: backwards, a stationary series has the same coefficients.

        Args:
            windows: `(batch_size, window_size, num_features)` scaled values; `window_size` is at
                least twice the order.

        Returns:
            Of the same shape.
        """
        size, order = windows.shape[1], self.order
        backward = forward = self.intercepts
        for lag, coefficients in enumerate(self.coefficients, start=1):
            backward = backward + coefficients * windows[:, lag : lag + order]
            forward = forward + coefficients * windows[:, order - lag : size - lag]
        forecasts = tf.concat([backward, forward], axis=1)
        return tf.math.squared_difference(windows, forecasts) + NOISE


def fit_autoregression(train: Sequence[np.ndarray], order: int) -> Autoregression:
    """Least squares with a small ridge on all rows that have `order` rows before them.

    Args:
        train: Scaled series `(num_timesteps, num_features)` without NaN, each of more than `order`
            rows.
        order: Time steps to look back, 1 or more.

    Returns:
        The forecast with the smallest mean squared error on train.

    Example:
        >>> halving = 0.5 ** np.arange(8.0)[:, None]
        >>> fit_autoregression([halving / halving.std()], 1).coefficients.round(1).tolist()
        [[0.5]]
    """
    width = train[0].shape[1]
    products = np.zeros((width, order + 2, order + 2))
    count = 0
    step = max(1, _NUMBERS // ((order + 2) * width))
    for values in train:
        for first in range(order, len(values), step):
            rows = values[first - order : first + step].astype(np.float64)
            length = len(rows) - order
            columns = np.ones((width, order + 2, length))  # the row itself comes first
            for lag in range(order + 1):
                columns[:, lag] = rows[order - lag : order - lag + length].T
            products += columns @ columns.transpose(0, 2, 1)
            count += length
    products /= count
    ridge = np.diag([*np.full(order, _RIDGE), 0.0])
    solved = np.linalg.solve(products[:, 1:, 1:] + ridge, products[:, 1:, :1])[..., 0]
    return Autoregression(
        np.ascontiguousarray(solved[:, :order].T, np.float32), solved[:, order].astype(np.float32)
    )
