"""Smoothing: over the past of a series, and both ways within a window."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter


class CausalSmoother:
    """Mean over three time scales of the past: raw, about `span`, and about 4 `span` time steps.

    At each scale w the exponentially weighted mean y = a x + (1 - a) y_before with a = 2 / (w + 1).
    A short burst keeps a third of its height, what lasts adds up, and nothing looks ahead.

    Args:
        span: The middle scale in time steps; 1 leaves values as they are.

    Example:
        >>> smoother = CausalSmoother(span=3)
        >>> smoother.update(np.array([[0.0], [12.0], [12.0]])).round(2).ravel().tolist()
        [0.0, 6.62, 8.14]
    """

    def __init__(self, span: int) -> None:
        self._alphas = () if span == 1 else (2.0 / (span + 1.0), 2.0 / (4.0 * span + 1.0))
        self._last: list[np.ndarray] | None = None

    def update(self, values: np.ndarray) -> np.ndarray:
        """Smooths further values `(num_timesteps, num_columns)` of the same series."""
        if not self._alphas or len(values) == 0:
            return values
        if self._last is None:
            self._last = [values[0]] * len(self._alphas)
        total = values.copy()
        for index, alpha in enumerate(self._alphas):
            start = ((1.0 - alpha) * self._last[index])[None, :]
            scale, _ = lfilter([alpha], [1.0, alpha - 1.0], values, axis=0, zi=start)
            self._last[index] = scale[-1]
            total += scale
        return total / (1 + len(self._alphas))

    def get_state(self) -> dict[str, np.ndarray]:
        """The means so far, as arrays for `set_state`."""
        return {} if self._last is None else {"last": np.array(self._last)}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Goes on where another smoother of the same span was at `get_state`."""
        self._last = list(state["last"]) if "last" in state else None


def two_sided_kernel(window_size: int, span: int) -> np.ndarray:
    """Weights of a mean that fades both ways within a window.

    The weight of a time step falls by a = (span - 1) / (span + 1) with every step of distance, as
    if an exponentially weighted mean of that span ran forwards and then backwards. At a window's
    end only the past is left.

    Args:
        window_size: Time steps a window.
        span: In time steps; 1 leaves values as they are.

    Returns:
        `(window_size, window_size)` float32; rows sum to 1. The smoothed values of a window are the
        product of this matrix and the values `(window_size, num_columns)`.

    Example:
        >>> two_sided_kernel(3, 3).astype(float).round(2).tolist()
        [[0.57, 0.29, 0.14], [0.25, 0.5, 0.25], [0.14, 0.29, 0.57]]
    """
    steps = np.arange(window_size)
    weights = ((span - 1.0) / (span + 1.0)) ** np.abs(steps[:, None] - steps)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
