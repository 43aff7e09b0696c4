"""Scores of unlike size made comparable on a log scale, and what stands out of its own recent past.

An error of 0.1 may be a lot for one view of the data and nothing for another. What counts is how
far it lies above its level on normal data, in units of its spread there, both on a log scale:
errors are positive and skewed, and a moved normal level multiplies them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.signal import lfilter

from tsad_keras.scoring import combine_scores
from tsad_keras.smoothing import CausalSmoother

_OFFSET = 0.01  # of the mean normal score: an error of nearly nothing is no great surprise
_LEAST_DEVIATION = 0.1  # log units; the spread of a short validation part is not to be believed
BURST_DEVIATION = 0.05  # log units; likewise for the last few scores
BURST_LIMIT = 2.0  # standard deviations that are nothing special
BURST_WEIGHT = 2.0  # beside the views of the fused score; 1 to 3 do about as well
LEVEL_WEIGHT = 0.5  # 1 is better for MSL and worse for servers (benchmarks/LOG.md)
_LEAST_SCALE = 0.5  # of the mean over the features; a quiet feature must not drown the others
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
    """Where the parts of the fused score lie on normal data.

    Attributes:
        raw: Level of the reconstruction error.
        smoothed: Likewise, smoothed.
        pattern: Level of the patterns' error; None without a memory.
        level: Level of the levels' error; None without a memory.
        pattern_scale: `(num_features,)` what a feature's pattern error is divided by; None without
            a memory.
    """

    raw: LogLevel
    smoothed: LogLevel
    pattern: LogLevel | None = None
    level: LogLevel | None = None
    pattern_scale: np.ndarray | None = None

    @classmethod
    def of(
        cls,
        outputs: Sequence[np.ndarray],
        error_scale: np.ndarray,
        *,
        calibrate: bool = True,
        weight: np.ndarray | float = 1.0,
    ) -> FusionLevels:
        """The levels of point outputs of normal series.

        Args:
            outputs: Of each series, as for `FusedScore.update`.
            error_scale: `(num_features,)` what a feature's reconstruction error is divided by.
            calibrate: Whether a feature's pattern error is divided by its mean.
            weight: `(num_features,)` what a feature counts then: `Scaler.weight_`.
        """
        joined = outputs[0] if len(outputs) == 1 else np.concatenate(outputs)
        width, pattern_scale = len(error_scale), None
        if joined.shape[1] >= 4 * width:
            pattern_scale = np.ones(width)
            if calibrate:
                means = joined[:, 2 * width : 3 * width].mean(axis=0)
                pattern_scale = np.maximum(means, _LEAST_SCALE * means.mean() + TINY) / weight
        sums = _view_sums(joined, error_scale, pattern_scale)
        return cls(*map(LogLevel.of, sums), pattern_scale=pattern_scale)

    def arrays(self) -> dict[str, np.ndarray]:
        """As arrays for `from_arrays`: `(num_parts, 3)` offset, mean and variance, and a scale."""
        levels = [self.raw, self.smoothed, self.pattern, self.level]
        found = np.array([dataclasses.astuple(level) for level in levels if level is not None])
        scale = {} if self.pattern_scale is None else {"pattern_scale": self.pattern_scale}
        return {"fusion_levels": found, **scale}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any], num_features: int) -> FusionLevels:
        """What `arrays` gave; a missing array is a KeyError, another shape a ValueError."""
        values = np.asarray(arrays["fusion_levels"], np.float64)
        if values.shape not in ((2, 3), (4, 3)):
            raise ValueError(f"fusion_levels has shape {values.shape}")
        levels = [LogLevel(*map(float, row)) for row in values]
        if len(levels) == 2:
            return cls(*levels)
        scale = np.asarray(arrays["pattern_scale"], np.float64)
        if scale.shape != (num_features,):
            raise ValueError(f"pattern_scale has shape {scale.shape}")
        return cls(*levels, pattern_scale=scale)


class FusedScore:
    """One score of the reconstruction error and the memory's errors, time step by time step.

    With z(e) the standardised logarithm of an error, its mean over the features (`LogLevel`):

        score = log(1 + exp(z(smoothed reconstruction error) + z(patterns' error)
                            + 0.5 z(levels' error) + 2 burst of the reconstruction error))

    About 0.7 is normal; large scores are the sum itself. What no view finds strange stays near 0,
    and a view counts by how strange its error is and not by its unit.

    Args:
        levels: On normal data.
        error_scale: `(num_features,)` what a feature's reconstruction error is divided by.
        burst_span: Of `BurstDetector`; 0 = without bursts.
        has_reconstruction: Whether the reconstruction error and its bursts count.
        has_memory: Whether the memory's errors count, if there are any.
        has_smoothing: Whether the smoothed reconstruction error counts, or the raw one.
    """

    def __init__(
        self,
        levels: FusionLevels,
        *,
        error_scale: np.ndarray,
        burst_span: int,
        has_reconstruction: bool = True,
        has_memory: bool = True,
        has_smoothing: bool = True,
    ) -> None:
        self._levels = levels
        self._error_scale = error_scale
        self._bursts = BurstDetector(levels.raw, burst_span) if burst_span else None
        self._has_reconstruction = has_reconstruction
        self._has_memory = has_memory
        self._has_smoothing = has_smoothing

    def update(self, outputs: np.ndarray) -> np.ndarray:
        """Takes further point outputs of the same series, returns their contributions.

        Args:
            outputs: `(num_timesteps, 2 * num_features)` squared reconstruction errors, raw and
                smoothed; with a memory twice as many columns, further the patterns' and the levels'
                errors. Columns beyond these are not looked at.

        Returns:
            `(num_timesteps, num_features)`, not negative; rows sum to the score. Each view's part
            of a score is shared out in proportion to the features' errors: that of the
            reconstruction by the larger of the raw and the smoothed error, those of the patterns
            and the levels by their own. As much of the levels' part as the reconstruction has
            itself is shared out like the reconstruction's.
        """
        views = self._views(outputs)
        sums = [view.sum(axis=1) for view in views]
        return self._shared_out(views, self._strangeness(sums, self._burst(sums[0])))

    def scores(self, outputs: np.ndarray) -> np.ndarray:
        """`update`, but returns the scores `(num_timesteps,)` alone, in a fraction of the time."""
        sums = _view_sums(outputs, self._error_scale, self._levels.pattern_scale)
        return _joined(self._strangeness(sums, self._burst(sums[0])))

    def of_means(self, outputs: np.ndarray) -> np.ndarray:
        """Contributions of means over windows `(num_windows, num_columns)`: no past, no bursts."""
        views = self._views(outputs)
        sums = [view.sum(axis=1) for view in views]
        return self._shared_out(views, self._strangeness(sums, np.zeros(len(outputs))))

    def get_state(self) -> dict[str, np.ndarray]:
        """What the next score depends on, as arrays for `set_state`."""
        return {} if self._bursts is None else self._bursts.get_state()

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Goes on where another one of the same settings was at `get_state`."""
        if self._bursts is not None:
            self._bursts.set_state(state)

    def _views(self, outputs: np.ndarray) -> list[np.ndarray]:
        return list(_iterate_views(outputs, self._error_scale, self._levels.pattern_scale))

    def _burst(self, raw_errors: np.ndarray) -> np.ndarray:
        if self._bursts is None:
            return np.zeros(len(raw_errors))
        return self._bursts.update(raw_errors)

    def _strangeness(self, sums: list[np.ndarray], bursts: np.ndarray) -> np.ndarray:
        """What each view that counts adds, `(num_views, num_timesteps)`, of its mean errors."""
        raw, smoothed, *remembered = sums
        found = []
        if self._has_reconstruction:
            errors = smoothed if self._has_smoothing else raw
            level = self._levels.smoothed if self._has_smoothing else self._levels.raw
            found.append(level.standardise(errors) + BURST_WEIGHT * bursts)
        if self._has_memory:
            levels = ((self._levels.pattern, 1.0), (self._levels.level, LEVEL_WEIGHT))
            for (level, factor), errors in zip(levels, remembered, strict=False):
                found.append(factor * level.standardise(errors))
        return np.array(found)

    def _shared_out(self, views: list[np.ndarray], strangeness: np.ndarray) -> np.ndarray:
        raw, smoothed, *remembered = views
        bases = []  # the errors by which a view's part of the score is shared out
        if self._has_reconstruction:
            # A smoothed error also tells of the neighbours; inside a burst the raw one is larger.
            bases.append(np.maximum(raw, smoothed) if self._has_smoothing else raw)
        if self._has_memory:
            bases += remembered
        scores = _joined(strangeness)
        # Only what lies above normal explains a score; EVEN decides where nothing does.
        weights = np.maximum(strangeness, 0.0) + EVEN
        if self._has_reconstruction and len(bases) == 3:
            # Levels tell that something has moved, and badly what. As far as the reconstruction is
            # as strange, it is asked instead (benchmarks/README.md, Explanations).
            moved = np.minimum(weights[0], weights[2])
            weights[0] += moved
            weights[2] -= moved
        weights *= scores / weights.sum(axis=0)
        contributions = np.zeros_like(raw)
        for weight, errors in zip(weights, bases, strict=True):
            contributions += weight[:, None] * shares(errors)
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

    def scores(self, outputs: np.ndarray) -> np.ndarray:
        """`update`, but returns the scores `(num_timesteps,)` alone."""
        return self.update(outputs).sum(axis=1)

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


def _joined(strangeness: np.ndarray) -> np.ndarray:
    """Scores of what the views add, `(num_views, num_timesteps)`."""
    return np.logaddexp(0.0, strangeness.sum(axis=0))


def _view_sums(
    outputs: np.ndarray, error_scale: np.ndarray, pattern_scale: np.ndarray | None
) -> list[np.ndarray]:
    """The sums over features of `_iterate_views`, without the arrays of that size."""
    blocks = _blocks(outputs, error_scale, pattern_scale)
    return [np.einsum("ij,j->i", block, 1.0 / divisor) for block, divisor in blocks]


def _iterate_views(
    outputs: np.ndarray, error_scale: np.ndarray, pattern_scale: np.ndarray | None
) -> Iterator[np.ndarray]:
    """The errors of each view, `(num_rows, num_features)`, that sum to their mean over features."""
    for block, divisor in _blocks(outputs, error_scale, pattern_scale):
        yield block / divisor


def _blocks(
    outputs: np.ndarray, error_scale: np.ndarray, pattern_scale: np.ndarray | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The columns of each view, and what they are divided by."""
    scales = [error_scale, error_scale]
    if pattern_scale is not None:
        scales += [pattern_scale, np.ones_like(pattern_scale)]
    width = len(error_scale)
    for index, scale in enumerate(scales):
        yield outputs[:, index * width : (index + 1) * width], scale * width


def shares(errors: np.ndarray) -> np.ndarray:
    """The features' shares in the errors of each row; equal ones where there is no error."""
    errors = errors + EVEN * errors.mean(axis=1, keepdims=True) + TINY
    return errors / errors.sum(axis=1, keepdims=True)
