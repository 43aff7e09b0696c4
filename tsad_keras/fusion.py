"""Scores of unlike size made comparable on a log scale, and what stands out of its own recent past.

An error of 0.1 may be a lot for one view of the data and nothing for another. What counts is how
far it lies above its level on normal data, in units of its spread there, both on a log scale:
errors are positive and skewed, and a moved normal level multiplies them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.signal import lfilter

from tsad_keras.scoring import combine_scores
from tsad_keras.smoothing import CausalSmoother

_OFFSET = 0.01  # of the mean normal score: an error of nearly nothing is no great surprise
_LEAST_DEVIATION = 0.5  # log units; the spread of a short validation part is not to be believed
BURST_DEVIATION = 0.05  # log units; likewise for the last few scores
BURST_LIMIT = 2.0  # standard deviations that are nothing special
EVEN = 1e-3  # share that is given out evenly, so that shares are smooth where all errors vanish
TINY = 1e-12


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
        spread = np.sqrt(variances[:-1]) + BURST_DEVIATION
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


@dataclasses.dataclass(frozen=True)
class FusionLevels:
    """Where the parts of the fused score lie on normal data.

    Attributes:
        raw: Level of the reconstruction error.
        smoothed: Likewise, smoothed.
        pattern: Level of the patterns' error; None without a memory.
        level: Level of the levels' error; None without a memory.
    """

    raw: LogLevel
    smoothed: LogLevel
    pattern: LogLevel | None = None
    level: LogLevel | None = None

    @classmethod
    def of(
        cls, outputs: Sequence[np.ndarray], error_scale: np.ndarray, smoothing_span: int
    ) -> FusionLevels:
        """The levels of point outputs of normal series.

        Args:
            outputs: Of each series, as for `FusedScore.update`.
            error_scale: `(num_features,)` what a feature's reconstruction error is divided by.
            smoothing_span: Of `CausalSmoother`.
        """
        views = [_views(values, error_scale) for values in outputs]
        raw = [view[0].sum(axis=1) for view in views]
        smoothed = [CausalSmoother(smoothing_span).update(part[:, None])[:, 0] for part in raw]
        remembered = [
            LogLevel.of(np.concatenate([view[index].sum(axis=1) for view in views]))
            for index in range(1, len(views[0]))
        ]
        return cls(
            LogLevel.of(np.concatenate(raw)), LogLevel.of(np.concatenate(smoothed)), *remembered
        )

    def to_array(self) -> np.ndarray:
        """`(num_parts, 3)`: offset, mean and variance of each part."""
        found = [getattr(self, field.name) for field in dataclasses.fields(self)]
        return np.array([dataclasses.astuple(level) for level in found if level is not None])

    @classmethod
    def from_array(cls, values: np.ndarray) -> FusionLevels:
        """What `to_array` gave; any other shape is a ValueError."""
        values = np.asarray(values, np.float64)
        if values.shape not in ((2, 3), (4, 3)):
            raise ValueError(f"fusion levels have shape {values.shape}")
        return cls(*(LogLevel(*map(float, row)) for row in values))


class FusedScore:
    """One score of the reconstruction error and the memory's errors, time step by time step.

    With z(e) the standardised logarithm of an error, its mean over the features (`LogLevel`):

        score = log(1 + exp(z(smoothed reconstruction error) + z(patterns' error)
                            + z(levels' error) + burst of the reconstruction error))

    About 0.7 is normal; large scores are the sum itself. What no view finds strange stays near 0,
    and a view counts by how strange its error is and not by its unit.

    Args:
        levels: On normal data.
        error_scale: `(num_features,)` what a feature's reconstruction error is divided by.
        smoothing_span: Of `CausalSmoother`, for the reconstruction error.
        burst_span: Of `BurstDetector`; 0 = without bursts.
        has_reconstruction: Whether the reconstruction error and its bursts count.
        has_memory: Whether the memory's errors count, if there are any.
    """

    def __init__(
        self,
        levels: FusionLevels,
        *,
        error_scale: np.ndarray,
        smoothing_span: int,
        burst_span: int,
        has_reconstruction: bool = True,
        has_memory: bool = True,
    ) -> None:
        self._levels = levels
        self._error_scale = error_scale
        self._smoother = CausalSmoother(smoothing_span)
        self._bursts = BurstDetector(levels.raw, burst_span) if burst_span else None
        self._has_reconstruction = has_reconstruction
        self._has_memory = has_memory

    def update(self, outputs: np.ndarray) -> np.ndarray:
        """Takes further point outputs of the same series, returns their contributions.

        Args:
            outputs: `(num_timesteps, num_features)` squared reconstruction errors, or three times
                as many columns: those, the patterns' errors and the levels' errors. Further columns
                are not looked at.

        Returns:
            `(num_timesteps, num_features)`, not negative; rows sum to the score. Each view's part
            of a score is shared out in proportion to the features' errors in that view.
        """
        errors, *remembered = _views(outputs, self._error_scale)
        if len(errors) == 0:
            return errors
        raw, smoothed = errors.sum(axis=1), self._smoother.update(errors)
        bursts = self._bursts.update(raw) if self._bursts is not None else np.zeros(len(raw))
        return self._fused(self._levels.smoothed, smoothed, remembered, bursts)

    def of_means(self, outputs: np.ndarray) -> np.ndarray:
        """Contributions of means over windows `(num_windows, num_columns)`: no past, no bursts."""
        errors, *remembered = _views(outputs, self._error_scale)
        return self._fused(self._levels.raw, errors, remembered, np.zeros(len(errors)))

    def get_state(self) -> dict[str, np.ndarray]:
        """What the next score depends on, as arrays for `set_state`."""
        bursts = self._bursts.get_state() if self._bursts is not None else {}
        return self._smoother.get_state() | bursts

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Goes on where another one of the same settings was at `get_state`."""
        self._smoother.set_state(state)
        if self._bursts is not None:
            self._bursts.set_state(state)

    def _fused(
        self,
        reconstruction_level: LogLevel,
        errors: np.ndarray,
        remembered: list[np.ndarray],
        bursts: np.ndarray,
    ) -> np.ndarray:
        found: list[tuple[np.ndarray, np.ndarray]] = []
        if self._has_reconstruction:
            found.append((reconstruction_level.standardise(errors.sum(axis=1)) + bursts, errors))
        if self._has_memory:
            levels = (self._levels.pattern, self._levels.level)
            for level, view in zip(levels, remembered, strict=False):
                found.append((level.standardise(view.sum(axis=1)), view))
        strangeness = np.array([standard for standard, _ in found])  # (num_views, num_timesteps)
        scores = np.logaddexp(0.0, strangeness.sum(axis=0))
        # Only what lies above normal explains a score; EVEN decides where nothing does.
        weights = np.maximum(strangeness, 0.0) + EVEN
        weights *= scores / weights.sum(axis=0)
        contributions = np.zeros_like(errors)
        for weight, (_, view) in zip(weights, found, strict=True):
            contributions += weight[:, None] * _shares(view)
        return contributions


class CombinedScore:
    """The smoothed score of `combine_scores`, with the same verbs as `FusedScore`.

    Args:
        smoothing_span: Of `CausalSmoother`.
        num_features: Columns of errors; one more may hold 1 - D.
        **settings: Of `combine_scores`.
    """

    def __init__(self, *, smoothing_span: int, num_features: int, **settings: Any) -> None:
        self._smoother = CausalSmoother(smoothing_span)
        self._num_features = num_features
        self._settings = settings

    def update(self, outputs: np.ndarray) -> np.ndarray:
        """Takes further point outputs of the same series, returns smoothed contributions."""
        return self._smoother.update(self.of_means(outputs))

    def of_means(self, outputs: np.ndarray) -> np.ndarray:
        """Contributions `(num_rows, num_features)`, not smoothed."""
        has_realism = outputs.shape[1] > self._num_features
        return combine_scores(
            outputs[:, : self._num_features],
            outputs[:, -1] if has_realism else None,
            **self._settings,
        )

    def get_state(self) -> dict[str, np.ndarray]:
        """What the next score depends on, as arrays for `set_state`."""
        return self._smoother.get_state()

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Goes on where another one of the same settings was at `get_state`."""
        self._smoother.set_state(state)


def _views(outputs: np.ndarray, error_scale: np.ndarray) -> list[np.ndarray]:
    """The errors of each view, `(num_rows, num_features)`, that sum to their mean over features."""
    num_features = len(error_scale)
    count = 3 if outputs.shape[1] >= 3 * num_features else 1
    views = [
        outputs[:, index * num_features : (index + 1) * num_features] / num_features
        for index in range(count)
    ]
    return [views[0] / error_scale, *views[1:]]


def _shares(errors: np.ndarray) -> np.ndarray:
    """The features' shares in the errors of each row; equal ones where there is no error."""
    errors = errors + EVEN * errors.mean(axis=1, keepdims=True) + TINY
    return errors / errors.sum(axis=1, keepdims=True)
