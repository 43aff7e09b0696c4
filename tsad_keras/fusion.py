"""One score of several views of the data: joined on a log scale, shared out over the features."""

from __future__ import annotations

from typing import Any

import numpy as np

from tsad_keras.levels import BurstDetector, FusionLevels, iterate_views, view_sums
from tsad_keras.scoring import combine_scores
from tsad_keras.smoothing import CausalSmoother

BURST_WEIGHT = 1.0  # beside the views of the fused score; 1.5 does about as well
LEVEL_WEIGHT = 0.125  # 0.25 is better for MSL and worse for servers (benchmarks/LOG.md)
EVEN = 1e-3  # share that is given out evenly, so that shares are smooth where all errors vanish
TINY = 1e-12


class FusedScore:
    """One score of the reconstruction error and the memory's errors, time step by time step.

    With z(e) the standardised logarithm of an error, its mean over the features (`LogLevel`):

        score = log(1 + exp(z(smoothed reconstruction error) + z(patterns' error)
                            + 1/8 z(levels' error) + burst of the reconstruction error))

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
        sums = view_sums(outputs, self._error_scale, self._levels.pattern_scale)
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
        return list(iterate_views(outputs, self._error_scale, self._levels.pattern_scale))

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


def shares(errors: np.ndarray) -> np.ndarray:
    """The features' shares in the errors of each row; equal ones where there is no error."""
    errors = errors + EVEN * errors.mean(axis=1, keepdims=True) + TINY
    return errors / errors.sum(axis=1, keepdims=True)
