"""Where errors lie on normal data: what makes errors of unlike size comparable on a log scale.

An error of 0.1 may be a lot for one view of the data and nothing for another. What counts is how
far it lies above its level on normal data, in units of its spread there, both on a log scale:
errors are positive and skewed, and a moved normal level multiplies them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from scipy.signal import lfilter

_OFFSET = 0.01  # of the mean normal score: an error of nearly nothing is no great surprise
_LEAST_DEVIATION = 0.1  # log units; the spread of a short validation part is not to be believed
BURST_DEVIATION = 0.05  # log units; likewise for the last few scores
BURST_LIMIT = 2.0  # standard deviations that are nothing special
_LEAST_SCALE = 0.25  # of the mean over the features; a quiet feature must not drown the others
_TINY = 1e-12


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
        [3.0]
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
        """What `standardise` divides by: sqrt(variance + 0.1^2)."""
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
    """Where the views of the fused score lie on normal data, and what their errors are divided by.

    Attributes:
        raw: Level of the reconstruction error.
        smoothed: Likewise, smoothed.
        forecast: Level of the smoothed forecast error; None without an autoregression.
        shift: Level of the windows' shift from the train mean; None where it is left out.
        pattern: Level of the patterns' error; None without a memory.
        level: Level of the levels' error; None without a memory.
        forecast_scale: `(num_features,)` what a feature's forecast error is divided by; None
            without an autoregression.
        shift_scale: Likewise the shift of its mean; None where it is left out.
        pattern_scale: Likewise its pattern error; None without a memory.
    """

    raw: LogLevel
    smoothed: LogLevel
    forecast: LogLevel | None = None
    shift: LogLevel | None = None
    pattern: LogLevel | None = None
    level: LogLevel | None = None
    forecast_scale: np.ndarray | None = None
    shift_scale: np.ndarray | None = None
    pattern_scale: np.ndarray | None = None

    @classmethod
    def of(
        cls,
        outputs: Iterable[np.ndarray],
        scales: Mapping[str, np.ndarray],
        *,
        calibrate: bool = True,
        weight: np.ndarray | float = 1.0,
    ) -> FusionLevels:
        """The levels of point outputs of normal series.

        Args:
            outputs: Pieces of them, as for `FusedScore.update`; none is kept whole.
            scales: As `view_scales` gives them, of all views that the outputs have but those of a
                memory.
            calibrate: Whether a feature's pattern error is divided by its mean.
            weight: `(num_features,)` what a feature counts then: `Scaler.weight_`.
        """
        width, pattern_scale = len(scales["raw"]), None
        before = len(scales) * width  # columns
        parts: dict[str, list[np.ndarray]] = {}
        patterns: list[np.ndarray] = []
        for piece in outputs:
            sums = view_sums(piece, scales)
            if piece.shape[1] >= before + 2 * width:
                patterns.append(piece[:, before : before + width].copy())
                sums |= view_sums(piece[:, before + width :], {"level": np.ones(width)})
            for name, values in sums.items():
                parts.setdefault(name, []).append(values)
        sums = {name: np.concatenate(values) for name, values in parts.items()}
        if patterns:
            errors = np.concatenate(patterns)
            pattern_scale = np.ones(width)
            if calibrate:
                means = errors.mean(axis=0)
                pattern_scale = np.maximum(means, _LEAST_SCALE * means.mean() + _TINY) / weight
            sums |= view_sums(errors, {"pattern": pattern_scale})
        levels = {name: LogLevel.of(values) for name, values in sums.items()}
        return cls(
            **levels,
            forecast_scale=scales.get("forecast"),
            shift_scale=scales.get("shift"),
            pattern_scale=pattern_scale,
        )

    def scales(self, error_scale: np.ndarray) -> dict[str, np.ndarray]:
        """`view_scales` of these levels."""
        return view_scales(error_scale, **{name: getattr(self, name) for name in _SCALES})

    def arrays(self) -> dict[str, np.ndarray]:
        """As arrays for `from_arrays`: `(num_views, 3)` offset, mean and variance, and scales."""
        levels = [self.raw, self.smoothed, self.forecast, self.shift, self.pattern, self.level]
        found = np.array([dataclasses.astuple(level) for level in levels if level is not None])
        scales = {name: getattr(self, name) for name in _SCALES}
        kept = {name: scale for name, scale in scales.items() if scale is not None}
        return {"fusion_levels": found, **kept}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any], num_features: int) -> FusionLevels:
        """What `arrays` gave; a missing array is a KeyError, another shape a ValueError."""
        values = np.asarray(arrays["fusion_levels"], np.float64)
        scales = {name: np.asarray(arrays[name], np.float64) for name in _SCALES if name in arrays}
        for name, scale in scales.items():
            if scale.shape != (num_features,):
                raise ValueError(f"{name} has shape {scale.shape}")
        names = list(view_scales(np.ones(num_features), **scales))
        if values.shape != (len(names), 3):
            raise ValueError(f"fusion_levels has shape {values.shape}")
        levels = {name: LogLevel(*map(float, row)) for name, row in zip(names, values, strict=True)}
        return cls(**levels, **scales)


_SCALES = ("forecast_scale", "shift_scale", "pattern_scale")


def view_scales(
    error_scale: np.ndarray,
    forecast_scale: np.ndarray | None = None,
    shift_scale: np.ndarray | None = None,
    pattern_scale: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """What the features' errors are divided by in each view that is there, in column order."""
    scales = {"raw": error_scale, "smoothed": error_scale}
    if forecast_scale is not None:
        scales["forecast"] = forecast_scale
    if shift_scale is not None:
        scales["shift"] = shift_scale
    if pattern_scale is not None:
        scales |= {"pattern": pattern_scale, "level": np.ones_like(pattern_scale)}
    return scales


def view_sums(outputs: np.ndarray, scales: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The sums over features of `views_of`, without the arrays of that size."""
    # Not `block @ ...`: its last bits depend on how many rows come at once.
    return {
        name: np.einsum("ij,j->i", block, 1.0 / divisor)
        for name, block, divisor in _blocks(outputs, scales)
    }


def views_of(outputs: np.ndarray, scales: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The errors of each view, `(num_rows, num_features)`, that sum to their mean over features.

    Args:
        outputs: As for `FusedScore.update`.
        scales: As `view_scales` gives them.
    """
    return {name: block / divisor for name, block, divisor in _blocks(outputs, scales)}


def _blocks(
    outputs: np.ndarray, scales: Mapping[str, np.ndarray]
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """The columns of each view, and what they are divided by."""
    for index, (name, scale) in enumerate(scales.items()):
        width = len(scale)
        yield name, outputs[:, index * width : (index + 1) * width], scale * width
