"""Scores of unlike size made comparable on a log scale, and what stands out of its own recent past.

An error of 0.1 may be a lot for one view of the data and nothing for another. What counts is how
far it lies above its level on normal data, in units of its spread there, both on a log scale:
errors are positive and skewed, and a moved normal level multiplies them.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.signal import lfilter

_OFFSET = 0.01  # of the mean normal score: an error of nearly nothing is no great surprise
_LEAST_DEVIATION = 0.5  # log units; the spread of a short validation part is not to be believed
_BURST_DEVIATION = 0.05  # log units; likewise for the last few scores
BURST_LIMIT = 2.0  # standard deviations that are nothing special


@dataclasses.dataclass(frozen=True)
class LogLevel:
    """Where a positive score lies on normal data.

    Attributes:
        offset: Added before the logarithm.
        mean: Mean of the logarithms.
        variance: Their variance.

    Example:
        >>> level = LogLevel.of(np.array([1.0, 1.0, np.e, np.e]))
        >>> level.standardise(np.array([np.e**2])).round(1).tolist()
        [2.1]
    """

    offset: float
    mean: float
    variance: float

    @classmethod
    def of(cls, normal: np.ndarray) -> LogLevel:
        """The level of scores `(num_timesteps,)` of normal data."""
        offset = _OFFSET * float(normal.mean()) + 1e-12
        logs = np.log(normal + offset)
        return cls(offset, float(logs.mean()), float(logs.var()))

    @property
    def deviation(self) -> float:
        """What `standardise` divides by: sqrt(variance + 0.5^2)."""
        return float(np.sqrt(self.variance + _LEAST_DEVIATION**2))

    def standardise(self, scores: np.ndarray) -> np.ndarray:
        """How far above normal scores lie, in standard deviations of their logarithm."""
        return (np.log(scores + self.offset) - self.mean) / self.deviation


class BurstDetector:
    """How far a score stands out of its own recent past, whatever the level there.

    With q the logarithm of the score, m its exponentially weighted mean up to the time step before
    and v the mean of (q - m)^2 likewise: burst = max(0, (q - m) / (sqrt(v) + 0.05) - 2). A moved
    level is forgotten after a few `span`, so that short anomalies show on top of drift, where a
    smoothed score hides them. Nothing looks ahead.

    Args:
        level: Of the score on normal data; the past before the first time step.
        span: Time steps of the exponentially weighted means, 1 or more.

    Example:
        >>> detector = BurstDetector(LogLevel(0.0, 0.0, 1.0), span=3)
        >>> detector.update(np.exp([0.0, 5.0, 5.0])).round(2).tolist()
        [0.0, 4.6, 0.0]
    """

    def __init__(self, level: LogLevel, span: int) -> None:
        self._level = level
        self._alpha = 2.0 / (span + 1.0)
        self._mean, self._variance = level.mean, level.variance

    def update(self, scores: np.ndarray) -> np.ndarray:
        """Takes further scores `(num_timesteps,)` of the same series, returns their bursts."""
        if len(scores) == 0:
            return np.zeros(0)
        logs = np.log(scores + self._level.offset)
        means = self._followed(logs, self._mean)
        deviations = logs - means[:-1]
        variances = self._followed(deviations**2, self._variance)
        self._mean, self._variance = float(means[-1]), float(variances[-1])
        spread = np.sqrt(variances[:-1]) + _BURST_DEVIATION
        return np.maximum(deviations / spread - BURST_LIMIT, 0.0)

    def get_state(self) -> dict[str, np.ndarray]:
        """What the next burst depends on, as arrays for `set_state`."""
        return {"followed": np.array([self._mean, self._variance])}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Goes on where another one of the same settings was at `get_state`."""
        self._mean, self._variance = map(float, state["followed"])

    def _followed(self, values: np.ndarray, before: float) -> np.ndarray:
        """`before`, and the exponentially weighted mean up to each value."""
        start = [(1.0 - self._alpha) * before]
        means, _ = lfilter([self._alpha], [1.0, self._alpha - 1.0], values, zi=start)
        return np.concatenate([[before], means])
