"""What all baselines share: the detector's verbs, scaler, validation tail and threshold rule."""

from __future__ import annotations

import abc
from collections.abc import Sequence

import numpy as np

from tsad_keras.calibration import typical_errors
from tsad_keras.errors import InputError
from tsad_keras.scaling import Scaler, flag_weights, last_seen
from tsad_keras.smoothing import CausalSmoother
from tsad_keras.thresholds import choose_threshold, series_threshold
from tsad_keras.windows import split_train_validation

Series = np.ndarray | Sequence[np.ndarray]


class Baseline(abc.ABC):
    """What all baselines share; a subclass says how scaled rows become scores.

    A subclass turns rows into outputs, `(num_timesteps, num_outputs)`, and these into raw scores
    with `combine`. The two are apart so that one fit can be scored in several ways.

    Args:
        clip: z-scores beyond it are cut, in train standard deviations.
        flag_weight: What features of two values count (`flag_weights`).
        smoothing_span: Time steps of the causal smoother (`CausalSmoother`); 1 = none.
        validation_fraction: Tail of each training series that gives the threshold.
        window_size: Least length of that tail, time steps.
        threshold_method: `"pot"`, `"percentile"` or `"sigma"`.
        false_alarm_rate: Expected share of alarmed time steps on normal data.
        max_alarm_rate: Of `series_threshold`.

    Attributes:
        threshold_: Scores at or above it are alarms; chosen without labels.
        scaler_: The fitted `Scaler`; its rule fills missing values.
        validation_outputs_: Of each validation tail, `(num_timesteps, num_outputs)`, by a model
            that did not learn from it.

    Example:
        >>> from tsad_keras.baselines import L2NormBaseline
        >>> series = np.random.default_rng(0).normal(size=(500, 3))
        >>> baseline = L2NormBaseline(smoothing_span=11).fit(series)
        >>> baseline.decision_function(series).shape, baseline.predict(series[:5]).tolist()
        ((500,), [0, 0, 0, 0, 0])
    """

    name = ""
    is_random = False  # whether there is a `seed` argument
    looks_ahead = False  # whether a score depends on rows that come later
    refits = True  # whether the final scores come from a second model, which learnt from all rows

    def __init__(
        self,
        *,
        clip: float = 10.0,
        flag_weight: float = 1.0,
        smoothing_span: int = 1,
        validation_fraction: float = 0.1,
        window_size: int = 100,
        threshold_method: str = "pot",
        false_alarm_rate: float = 0.01,
        max_alarm_rate: float = 0.1,
    ) -> None:
        self.clip = clip
        self.flag_weight = flag_weight
        self.smoothing_span = smoothing_span
        self.validation_fraction = validation_fraction
        self.window_size = window_size
        self.threshold_method = threshold_method
        self.false_alarm_rate = false_alarm_rate
        self.max_alarm_rate = max_alarm_rate
        self.threshold_: float | None = None

    @property
    def label(self) -> str:
        """Name in tables; tells whether the scores are smoothed."""
        return self.name + (", smoothed" if self.smoothing_span > 1 else "")

    def fit(self, X: Series) -> Baseline:
        """Learns from normal history.

        Args:
            X: `(num_timesteps, num_features)` array, or a list of such; NaN where missing.

        Returns:
            self.

        Raises:
            InputError: If a series is not 2-d, has infinite values, or is too short for a
                validation tail.
        """
        series = _as_list(X)
        heads, tails = split_train_validation(series, self.window_size, self.validation_fraction)
        # The threshold comes from rows that were not learnt from. The final scores use all rows if
        # that is cheap: a baseline with a tenth of its data held back would be easier to beat.
        self.scaler_ = self._fitted_scaler(heads)
        validation = [
            self.scaler_.transform(tail, last_seen(head))
            for head, tail in zip(heads, tails, strict=True)
            if len(tail)
        ]
        self._learn([self.scaler_.transform(head) for head in heads], validation)
        self.validation_outputs_ = [self._outputs(scaled) for scaled in validation]
        scores = [self._smooth(self.combine(outputs)) for outputs in self.validation_outputs_]
        self.threshold_ = self.choose_threshold(np.concatenate(scores))
        if self.refits:
            self.scaler_ = self._fitted_scaler(series)
            self._learn([self.scaler_.transform(values) for values in series], [])
        return self

    def decision_function(self, X: Series) -> np.ndarray:
        """Anomaly scores; higher is more anomalous.

        Args:
            X: `(num_timesteps, num_features)` array with the features of training, or a list.

        Returns:
            `(num_timesteps,)`; for a list, the scores of its series one after the other.

        Raises:
            InputError: If `fit` was not called, the number of features is another, or a series is
                shorter than the windows of a method that works on windows.
        """
        return np.concatenate(
            [self._smooth(self.combine(outputs)) for outputs in self.point_outputs(X)]
        )

    def predict(self, X: Series) -> np.ndarray:
        """Alarm decisions: `(num_timesteps,)` int, 1 where the score reaches its threshold.

        That is `series_threshold`, of each series by itself.
        """
        alarms = []
        for outputs in self.point_outputs(X):
            scores = self._smooth(self.combine(outputs))
            alarms.append(scores >= self.series_threshold(scores))
        return np.concatenate(alarms).astype(int)

    def series_threshold(self, scores: np.ndarray) -> float:
        """`threshold_`, or more where too much of a series would be alarms.

        Args:
            scores: `(num_timesteps,)` of one whole series.
        """
        return series_threshold(scores, self.threshold_, self.max_alarm_rate)

    def point_outputs(self, X: Series) -> list[np.ndarray]:
        """What scores are made of: for each series `(num_timesteps, num_outputs)`.

        Args:
            X: As for `decision_function`.
        """
        if self.threshold_ is None:
            raise InputError("the baseline is not fitted yet; call fit first")
        series = _as_list(X)
        expected = len(self.scaler_.mean_)
        for values in series:
            if values.shape[1] != expected:
                raise InputError(
                    f"the series has {values.shape[1]} features, expected the {expected} of "
                    "training"
                )
        return [self._outputs(self.scaler_.transform(values)) for values in series]

    def combine(self, outputs: np.ndarray) -> np.ndarray:
        """Raw scores `(num_timesteps,)` of outputs, not smoothed."""
        return outputs.mean(axis=1)

    def choose_threshold(self, scores: np.ndarray) -> float:
        """The label-free rule on scores of normal data, smoothed as those that it will judge."""
        return choose_threshold(scores, self.threshold_method, self.false_alarm_rate)

    def _fitted_scaler(self, series: list[np.ndarray]) -> Scaler:
        return Scaler(self.clip).fit(series, flag_weights([series], self.flag_weight))

    def _smooth(self, scores: np.ndarray) -> np.ndarray:
        return CausalSmoother(self.smoothing_span).update(scores[:, None])[:, 0]

    def _learn(  # noqa: B027  not every score learns
        self, train: list[np.ndarray], validation: list[np.ndarray]
    ) -> None:
        """Learns from scaled series `(num_timesteps, num_features)`, if need be.

        Args:
            train: To learn from.
            validation: To stop by; empty when the method learns for the second time.
        """

    @abc.abstractmethod
    def _outputs(self, scaled: np.ndarray) -> np.ndarray:
        """Outputs `(num_timesteps, num_outputs)` of one scaled series, float64."""


class ErrorBaseline(Baseline):
    """A baseline whose score is the mean over the features of a squared error.

    Args:
        calibrate: Whether to divide each feature's error by what is typical of it on train, as the
            detector does (`tsad_keras.calibration`).
        **settings: As for `Baseline`.

    Attributes:
        error_scale_: `(num_features,)` the divisors; a subclass sets them by `_set_error_scale`.
    """

    def __init__(self, *, calibrate: bool = False, **settings) -> None:
        super().__init__(**settings)
        self.calibrate = calibrate

    def combine(self, outputs: np.ndarray, *, calibrate: bool | None = None) -> np.ndarray:
        """Raw scores of squared errors.

        Args:
            outputs: `(num_timesteps, num_features)`.
            calibrate: Default: as the constructor was told.
        """
        calibrate = self.calibrate if calibrate is None else calibrate
        return np.mean(outputs / self.error_scale_ if calibrate else outputs, axis=1)

    def _set_error_scale(self, window_errors: np.ndarray) -> None:
        """Of mean squared errors in windows of the training part, `(num_windows, num_features)`."""
        self.error_scale_ = typical_errors(window_errors, self.scaler_.weight_)


def _as_list(X: Series) -> list[np.ndarray]:
    items = list(X) if isinstance(X, (list, tuple)) else [X]
    arrays = [np.asarray(item, dtype=np.float64) for item in items]
    for values in arrays:
        if values.ndim != 2 or values.shape[1] == 0:
            raise InputError(
                f"a series has shape {values.shape}, expected (num_timesteps, num_features)"
            )
        if np.isinf(values).any():
            raise InputError("a series has infinite values, expected finite ones or NaN")
    if not arrays:
        raise InputError("an empty list of series came, expected at least one")
    return arrays
