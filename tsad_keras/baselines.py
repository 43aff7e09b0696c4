"""Simple methods that the detector must beat, with the detector's verbs; no TensorFlow.

They get the same scaler, the same clip, the same causal smoothing and the same label-free threshold
rule on the same validation tail, so that a better number of the detector is the method's merit.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence

import numpy as np

from tsad_keras.config import Config
from tsad_keras.errors import InputError
from tsad_keras.scaling import Scaler, last_seen
from tsad_keras.smoothing import CausalSmoother
from tsad_keras.thresholds import choose_threshold
from tsad_keras.windows import split_train_validation

Series = np.ndarray | Sequence[np.ndarray]


class Baseline(abc.ABC):
    """What all baselines share; a subclass says how scaled rows become scores.

    Args:
        clip: z-scores beyond it are cut, in train standard deviations.
        smoothing_span: Time steps of the causal smoother (`CausalSmoother`); 1 = none.
        validation_fraction: Tail of each training series that gives the threshold.
        window_size: Least length of that tail, time steps.
        threshold_method: `"pot"`, `"percentile"` or `"sigma"`.
        false_alarm_rate: Expected share of alarmed time steps on normal data.

    Attributes:
        threshold_: Scores at or above it are alarms; chosen without labels.
        scaler_: The fitted `Scaler`; its rule fills missing values.

    Example:
        >>> series = np.random.default_rng(0).normal(size=(500, 3))
        >>> baseline = L2NormBaseline(smoothing_span=11).fit(series)
        >>> baseline.decision_function(series).shape, baseline.predict(series[:5]).tolist()
        ((500,), [0, 0, 0, 0, 0])
    """

    name = ""

    def __init__(
        self,
        *,
        clip: float = 10.0,
        smoothing_span: int = 1,
        validation_fraction: float = 0.1,
        window_size: int = 100,
        threshold_method: str = "pot",
        false_alarm_rate: float = 0.005,
    ) -> None:
        self.clip = clip
        self.smoothing_span = smoothing_span
        self.validation_fraction = validation_fraction
        self.window_size = window_size
        self.threshold_method = threshold_method
        self.false_alarm_rate = false_alarm_rate
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
        # The threshold comes from rows that were not learnt from; the final scores use all rows,
        # because a baseline with a tenth of its data held back would be easier to beat.
        self._learn_from(heads)
        scores = [
            self._score(self.scaler_.transform(tail, last_seen(head)))
            for head, tail in zip(heads, tails, strict=True)
            if len(tail)
        ]
        self.threshold_ = self._choose_threshold(np.concatenate(scores))
        self._learn_from(series)
        return self

    def decision_function(self, X: Series) -> np.ndarray:
        """Anomaly scores; higher is more anomalous.

        Args:
            X: `(num_timesteps, num_features)` array with the features of training, or a list.

        Returns:
            `(num_timesteps,)`; for a list, the scores of its series one after the other.

        Raises:
            InputError: If `fit` was not called, or the number of features is another.
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
        return np.concatenate([self._score(self.scaler_.transform(values)) for values in series])

    def predict(self, X: Series) -> np.ndarray:
        """Alarm decisions: `(num_timesteps,)` int, 1 where the score reaches `threshold_`."""
        return (self.decision_function(X) >= self.threshold_).astype(int)

    def _learn_from(self, series: list[np.ndarray]) -> None:
        self.scaler_ = Scaler(self.clip).fit(series)
        self._learn(np.concatenate([self.scaler_.transform(values) for values in series]))

    def _score(self, scaled: np.ndarray) -> np.ndarray:
        scores = self._raw_scores(scaled).astype(np.float64)
        return CausalSmoother(self.smoothing_span).update(scores[:, None])[:, 0]

    def _choose_threshold(self, scores: np.ndarray) -> float:
        return choose_threshold(scores, self.threshold_method, self.false_alarm_rate)

    def _learn(self, scaled: np.ndarray) -> None:  # noqa: B027  not every score learns
        """Learns from the joined training rows `(num_timesteps, num_features)`, if need be."""

    @abc.abstractmethod
    def _raw_scores(self, scaled: np.ndarray) -> np.ndarray:
        """Scores `(num_timesteps,)` of one scaled series."""


class RandomBaseline(Baseline):
    """Uniform scores that never saw the data: what chance alone reaches.

    Args:
        seed: Two calls on series of one length give the same scores.
        **settings: As for `Baseline`.
    """

    name = "Random"

    def __init__(self, seed: int = 0, **settings) -> None:
        super().__init__(**settings)
        self.seed = seed

    def _raw_scores(self, scaled: np.ndarray) -> np.ndarray:
        return np.random.default_rng(self.seed).random(len(scaled))


class AlwaysAlarmBaseline(Baseline):
    """A constant score and an alarm at every time step: the floor of F1."""

    name = "Always alarm"

    def _raw_scores(self, scaled: np.ndarray) -> np.ndarray:
        return np.ones(len(scaled))

    def _choose_threshold(self, scores: np.ndarray) -> float:
        return 1.0  # every rule would put the threshold above a constant; here all is alarm


class L2NormBaseline(Baseline):
    """Mean over the features of the squared z-score: how far is a row from the train mean."""

    name = "L2 norm"

    def _raw_scores(self, scaled: np.ndarray) -> np.ndarray:
        return np.mean(np.square(scaled, dtype=np.float64), axis=1)


class PCAErrorBaseline(Baseline):
    """Mean squared error of the reconstruction from the leading principal components.

    Args:
        explained_variance: Share of the train variance that the kept components explain.
        **settings: As for `Baseline`.
    """

    name = "PCA error"

    def __init__(self, explained_variance: float = 0.9, **settings) -> None:
        super().__init__(**settings)
        self.explained_variance = explained_variance

    def _learn(self, scaled: np.ndarray) -> None:  # noqa: B027  not every score learns
        from sklearn.decomposition import PCA

        self.center_ = scaled.mean(axis=0)
        self.components_ = np.zeros((0, scaled.shape[1]))
        if np.ptp(scaled, axis=0).max() > 0:  # shares of no variance are not defined
            self.components_ = PCA(self.explained_variance).fit(scaled).components_

    def _raw_scores(self, scaled: np.ndarray) -> np.ndarray:
        centered = scaled - self.center_
        rest = centered - centered @ self.components_.T @ self.components_
        return np.mean(np.square(rest, dtype=np.float64), axis=1)


def baselines_for(config: Config) -> list[Baseline]:
    """The baselines of a result table: floors first, each raw and with the detector's smoothing.

    Args:
        config: The detector's settings; clip, window, validation part, smoothing and threshold rule
            are taken over, and `seed` for the random scores.

    Returns:
        Untrained baselines. Always-alarm is there once, smoothing leaves a constant as it is.
    """
    settings = {
        "clip": config.clip,
        "validation_fraction": config.validation_fraction,
        "window_size": config.window_size,
        "threshold_method": config.threshold_method,
        "false_alarm_rate": config.false_alarm_rate,
    }
    spans = [1] if config.smoothing_span == 1 else [1, config.smoothing_span]
    return [
        *(RandomBaseline(config.seed, smoothing_span=span, **settings) for span in spans),
        AlwaysAlarmBaseline(**settings),
        *(L2NormBaseline(smoothing_span=span, **settings) for span in spans),
        *(PCAErrorBaseline(smoothing_span=span, **settings) for span in spans),
    ]


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
