"""One score of several views of the data: joined on a log scale, shared out over the features."""

from __future__ import annotations

from typing import Any

import numpy as np

from tsad_keras.levels import BurstDetector, FusionLevels, view_sums, views_of
from tsad_keras.scoring import combine_scores
from tsad_keras.smoothing import CausalSmoother

BURST_WEIGHT = 1.0  # beside the views of the fused score; 1.5 does about as well
# Of the views, in column order. The smoothed or the raw reconstruction error counts, not both; a
# quarter, since its bursts count as well. More of shift and level is better for MSL and worse for
# servers, whose anomalies are shorter (benchmarks/LOG.md).
VIEW_WEIGHTS = {
    **{"raw": 0.25, "smoothed": 0.25, "forecast": 1.0, "shift": 0.5},
    **{"pattern": 1.0, "level": 0.25},
}
# Views that tell that something has moved, and badly what (benchmarks/README.md, Explanations), in
# the order in which the reconstruction is asked instead.
MOVED = ("level", "shift")
EVEN = 1e-3  # share that is given out evenly, so that shares are smooth where all errors vanish
TINY = 1e-12


class FusedScore:
    """One score of several views of a series: reconstruction, forecast, shift and memory.

    With z(e) the standardised logarithm of an error, its mean over the features (`LogLevel`):

        score = log(1 + exp(1/4 z(smoothed reconstruction error) + burst of the reconstruction error
                            + z(smoothed forecast error) + 1/2 z(shift of the window's mean)
                            + z(patterns' error) + 1/4 z(levels' error)))

    About 0.7 is normal; large scores are the sum itself. What no view finds strange stays near 0,
    and a view counts by how strange its error is and not by its unit.

    Args:
        levels: On normal data.
        error_scale: `(num_features,)` what a feature's reconstruction error is divided by.
        burst_span: Of `BurstDetector`; 0 = without bursts.
        has_reconstruction: Whether the reconstruction error and its bursts count.
        has_forecast: Whether the forecast error counts, if there is one.
        has_shift: Whether the shift of the window's mean counts, if there is one.
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
        has_forecast: bool = True,
        has_shift: bool = True,
        has_memory: bool = True,
        has_smoothing: bool = True,
    ) -> None:
        self._levels = levels
        self._scales = levels.scales(error_scale)
        self._bursts = BurstDetector(levels.raw, burst_span) if burst_span else None
        self._has_smoothing = has_smoothing
        counts = {
            "raw": has_reconstruction and not has_smoothing,
            "smoothed": has_reconstruction and has_smoothing,
            "forecast": has_forecast,
            "shift": has_shift,
            **dict.fromkeys(("pattern", "level"), has_memory),
        }
        # What counts of the views that are there, and by how much.
        self._weights = {name: VIEW_WEIGHTS[name] for name in self._scales if counts[name]}

    def update(self, outputs: np.ndarray) -> np.ndarray:
        """Takes further point outputs of the same series, returns their contributions.

        Args:
            outputs: `(num_timesteps, num_columns)`: `num_features` columns for each view, in this
                order: squared reconstruction errors, raw and smoothed; with an autoregression the
                smoothed forecast errors; with `mean_shift` the squared mean of the window; with a
                memory the patterns' and the levels' errors. Columns beyond these are not looked at.

        Returns:
            `(num_timesteps, num_features)`, not negative; rows sum to the score. Each view's part
            of a score is shared out in proportion to the features' errors: that of the
            reconstruction by the larger of the raw and the smoothed error, those of the other views
            by their own. As much of the levels' part as the reconstruction has itself is shared out
            like the reconstruction's, and then as much of the shift's.
        """
        views = views_of(outputs, self._scales)
        sums = {name: view.sum(axis=1) for name, view in views.items()}
        return self._shared_out(views, self._strangeness(sums, self._burst(sums["raw"])))

    def scores(self, outputs: np.ndarray) -> np.ndarray:
        """`update`, but returns the scores `(num_timesteps,)` alone, in a fraction of the time."""
        sums = view_sums(outputs, self._scales)
        return _joined(self._strangeness(sums, self._burst(sums["raw"])))

    def of_means(self, outputs: np.ndarray) -> np.ndarray:
        """Contributions of means over windows `(num_windows, num_columns)`: no past, no bursts."""
        views = views_of(outputs, self._scales)
        sums = {name: view.sum(axis=1) for name, view in views.items()}
        return self._shared_out(views, self._strangeness(sums, np.zeros(len(outputs))))

    def get_state(self) -> dict[str, np.ndarray]:
        """What the next score depends on, as arrays for `set_state`."""
        return {} if self._bursts is None else self._bursts.get_state()

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Goes on where another one of the same settings was at `get_state`."""
        if self._bursts is not None:
            self._bursts.set_state(state)

    def _burst(self, raw_errors: np.ndarray) -> np.ndarray:
        if self._bursts is None:
            return np.zeros(len(raw_errors))
        return self._bursts.update(raw_errors)

    def _strangeness(
        self, sums: dict[str, np.ndarray], bursts: np.ndarray
    ) -> dict[str, np.ndarray]:
        """What each view that counts adds, `(num_timesteps,)`, of its mean errors."""
        found = {
            name: weight * getattr(self._levels, name).standardise(sums[name])
            for name, weight in self._weights.items()
        }
        for name in ("raw", "smoothed"):
            if name in found:
                found[name] = found[name] + BURST_WEIGHT * bursts
        return found

    def _shared_out(
        self, views: dict[str, np.ndarray], strangeness: dict[str, np.ndarray]
    ) -> np.ndarray:
        # The errors by which a view's part of the score is shared out. A smoothed reconstruction
        # error also tells of the neighbours; inside a burst the raw one is larger.
        bases = {**views, "smoothed": np.maximum(views["raw"], views["smoothed"])}
        scores = _joined(strangeness)
        # Only what lies above normal explains a score; EVEN decides where nothing does.
        weights = {name: np.maximum(part, 0.0) + EVEN for name, part in strangeness.items()}
        main = "smoothed" if self._has_smoothing else "raw"
        # As far as the reconstruction is as strange, it is asked instead.
        for name in [name for name in MOVED if main in weights and name in weights]:
            moved = np.minimum(weights[main], weights[name])
            weights[main] = weights[main] + moved
            weights[name] = weights[name] - moved
        factor = scores / sum(weights.values())
        contributions = np.zeros_like(views["raw"])
        for name, weight in weights.items():
            contributions += (weight * factor)[:, None] * shares(bases[name])
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


def _joined(strangeness: dict[str, np.ndarray]) -> np.ndarray:
    """Scores of what the views add, each `(num_timesteps,)`."""
    return np.logaddexp(0.0, sum(strangeness.values()))


def shares(errors: np.ndarray) -> np.ndarray:
    """The features' shares in the errors of each row; equal ones where there is no error."""
    errors = errors + EVEN * errors.mean(axis=1, keepdims=True) + TINY
    return errors / errors.sum(axis=1, keepdims=True)
