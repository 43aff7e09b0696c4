"""From a series to scores, alarms and reasons: the same for a detector and for an exported one."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np
import pandas as pd

from tsad_keras.combination import Judge
from tsad_keras.config import Config
from tsad_keras.errors import InputError
from tsad_keras.fusion import CombinedScore, FusedScore
from tsad_keras.inference.frames import Answer, like_rows, like_table, own_columns, row_index
from tsad_keras.inference.inputs import Series, as_values, check_series, check_width
from tsad_keras.levels import FusionLevels
from tsad_keras.scaling import last_seen
from tsad_keras.scoring import CausalPointScorer, PointScorer, iterate_points
from tsad_keras.thresholds import RunningThreshold, series_threshold
from tsad_keras.windows import gather_windows, window_starts

What = Literal["scores", "contributions"]

# What is decided by and saved as a number, each the name of an attribute without its underscore.
DECISIONS = (
    "threshold",
    "causal_threshold",
    "window_threshold",
    "score_level",
    "causal_score_level",
)


def make_judge(
    config: Config, levels: FusionLevels | None, error_scale: np.ndarray
) -> FusedScore | CombinedScore:
    """What makes contributions of the point outputs of one model.

    Args:
        config: Its settings.
        levels: Of the fused score; None for the other modes.
        error_scale: `(num_features,)` what a feature's squared error is divided by.
    """
    if levels is not None:
        return FusedScore(levels, error_scale=error_scale, burst_span=config.burst_span)
    return CombinedScore(
        smoothing_span=config.smoothing_span,
        num_features=len(error_scale),
        score_mode=config.score_mode,
        error_scale=error_scale,
        realism_weight=config.realism_weight,
    )


def count_outputs(config: Config, num_features: int) -> int:
    """How many columns `SeriesScorer.window_outputs` of one model has."""
    num_views = 1 + (config.score_mode == "fused") + (config.forecast_lags > 0)
    num_views += config.has_shift + 2 * config.has_memory
    return num_views * num_features + config.has_realism


class SeriesScorer(abc.ABC):
    """The verbs of a fitted model. Subclasses say how rows are prepared and what windows give.

    Every verb takes `causal`. By default a time step is judged in up to two windows that also hold
    what came after it. With `causal=True` it is judged in the window that ends there, as a stream
    has to do; the two kinds of scores have thresholds of their own.

    Arrays in, arrays out. DataFrames in, a Series or DataFrame out, with the same index; for a list
    of DataFrames the index has two levels, `series` (the position in the list) and their own. The
    values are the same.

    Attributes:
        config: The frozen `Config`.
        feature_names_: Names of the features, in order.
        error_scale_: `(num_features,)` what a feature's squared error is divided by.
        threshold_: Scores at or above it are alarms; `causal_threshold_` is that of causal scores.
        score_level_: Mean of the validation scores below `threshold_`; `causal_score_level_`
            likewise. Where "normal" lies, for the re-calibration of streams.
        window_threshold_: The threshold of `score_windows`.
        expected_false_alarm_rate_: Share of alarmed time steps that the thresholds aim at on
            normal data like the validation part.
        weights_sha256_: Hash of all that scores depend on.
    """

    config: Config
    feature_names_: tuple[str, ...]
    error_scale_: np.ndarray
    fusion_levels_: FusionLevels | None
    threshold_: float | None
    causal_threshold_: float
    score_level_: float
    causal_score_level_: float
    window_threshold_: float
    expected_false_alarm_rate_: float

    # --- what subclasses give --------------------------------------------------------------------

    @abc.abstractmethod
    def prepare_rows(self, values: np.ndarray, state: np.ndarray | None = None) -> np.ndarray:
        """Makes raw rows ready for `window_outputs`.

        Args:
            values: `(num_rows, num_features)` raw values, NaN where missing.
            state: `(num_features,)` last seen raw values of the rows before; None at the start.

        Returns:
            `(num_rows, num_features)` float32.
        """

    @abc.abstractmethod
    def window_outputs(self, windows: np.ndarray) -> np.ndarray:
        """What the networks say about windows of prepared rows.

        Args:
            windows: `(batch_size, window_size, num_features)` float32.

        Returns:
            `(batch_size, window_size, num_outputs)`: squared errors of the features in scaled
            units; if the score needs them, the smoothed ones, the smoothed errors of forecasts, the
            squared means, the memory's errors, or 1 - D of the window in one more column.
        """

    def last_outputs(self, windows: np.ndarray) -> np.ndarray:
        """The outputs of the windows' last time steps, `(batch_size, num_outputs)`."""
        return self.window_outputs(windows)[:, -1]

    @property
    @abc.abstractmethod
    def weights_sha256_(self) -> str:
        """Hash of weights, scaler, calibration and settings."""

    # --- scores ----------------------------------------------------------------------------------

    def decision_function(self, X: Series, *, causal: bool = False) -> Answer:
        """Anomaly scores; higher is more anomalous.

        Args:
            X: `(num_timesteps, num_features)` array or DataFrame of at least one window (causal: of
                at least one row), with the features of training in the same order; a pandas Series,
                if there is a single feature; or a list of such.
            causal: Whether to judge each time step by what came before it only.

        Returns:
            `(num_timesteps,)`; for a list, the scores of its series one after the other. A Series
            `anomaly_score` for a DataFrame.

        Raises:
            InputError: If the detector is not fitted, or `X` does not fit the training data.
        """
        scores = np.concatenate(list(self._judged(X, causal, "scores")))
        return like_rows(X, scores, "anomaly_score")

    def predict(self, X: Series, *, causal: bool = False) -> Answer:
        """Alarm decisions: `(num_timesteps,)` int, 1 where the score reaches its threshold.

        That is `series_thresholds`, of each series by itself. A Series `is_anomaly` for a
        DataFrame.
        """
        alarms = []
        for scores in self._judged(X, causal, "scores"):
            alarms.append(scores >= self.series_thresholds(scores, causal=causal))
        return like_rows(X, np.concatenate(alarms).astype(int), "is_anomaly")

    def series_threshold(self, scores: np.ndarray) -> float:
        """The threshold by which the time steps of one whole series are judged.

        Args:
            scores: `(num_timesteps,)` of one series, from its beginning to its end; not causal.

        Returns:
            `threshold_`, or more where more than `max_alarm_rate` of the series would be alarms
            (`tsad_keras.thresholds.series_threshold`).
        """
        return series_threshold(scores, self.threshold_, self.config.max_alarm_rate)

    def running_threshold(self, causal: bool = True) -> RunningThreshold:
        """The same for a series without an end, which judges each time step by those before it.

        Args:
            causal: Which of the two kinds of scores it is for.
        """
        return RunningThreshold(self.alarm_threshold(causal), self.config.max_alarm_rate)

    def series_thresholds(self, scores: np.ndarray, *, causal: bool = False) -> np.ndarray:
        """What each time step of one whole series is judged by, `(num_timesteps,)`.

        `series_threshold` all over, or, for causal scores, what `running_threshold` says.
        """
        if causal:
            return self.running_threshold().update(scores)
        return np.full(len(scores), self.series_threshold(scores))

    def explain(self, X: Series, *, causal: bool = False) -> Answer:
        """Per-feature contributions.

        Args:
            X: As for `decision_function`.
            causal: As there.

        Returns:
            `(num_timesteps, num_features)`, non-negative; each row sums to the score of its step. A
            DataFrame with the same columns for a DataFrame.
        """
        contributions = np.concatenate(list(self._judged(X, causal, "contributions")))
        return like_table(X, contributions, own_columns(X, self.feature_names_))

    def iterate_explained(
        self, pieces: Iterable[np.ndarray], *, causal: bool = False
    ) -> Iterator[np.ndarray]:
        """Scores one series that arrives in pieces, with flat memory.

        Args:
            pieces: Arrays `(num_rows, num_features)` of raw values in time order.
            causal: As for `decision_function`.

        Yields:
            Contributions `(num_final, num_features)` of the time steps that follow those yielded so
            far; joined, `explain` of the joined pieces, however these were cut.
        """
        self.require_fitted()
        yield from self._iterate(self._prepared(pieces), causal, "contributions")

    def iterate_scores(
        self, pieces: Iterable[np.ndarray], *, causal: bool = False
    ) -> Iterator[np.ndarray]:
        """`iterate_explained`, but yields the scores `(num_final,)` alone, which takes less."""
        self.require_fitted()
        yield from self._iterate(self._prepared(pieces), causal, "scores")

    def score_windows(self, X: Series, stride: int | None = None) -> tuple[np.ndarray, Answer]:
        """One score a window: the mean of its points' scores without smoothing.

        Args:
            X: `(num_timesteps, num_features)` array or DataFrame.
            stride: Time steps between windows; default the config's `stride`.

        Returns:
            Starts (row numbers) and scores, `(num_windows,)` each. Alarm: score >=
            `window_threshold_`. For a DataFrame the scores are a Series with the index of their
            windows' first rows.
        """
        prepared = self.prepare_series(X)
        starts = window_starts(len(prepared), self.config.window_size, stride or self.config.stride)
        scores, index = self._score_starts(prepared, starts), row_index(X)
        if index is None:
            return starts, scores
        return starts, pd.Series(scores, index=index[starts], name="anomaly_score")

    def prepare_series(self, X: Series) -> np.ndarray:
        """Checks one series, at least a window long, and returns its prepared rows."""
        series = self._check(X)
        if len(series) > 1:
            raise InputError(f"{len(series)} series came, expected one series; call once for each")
        return self.prepare_rows(series[0])

    # --- parts that streams are made of ----------------------------------------------------------

    def alarm_threshold(self, causal: bool) -> float:
        """The threshold of one of the two kinds of scores."""
        return self.causal_threshold_ if causal else self.threshold_

    def score_level(self, causal: bool) -> float:
        """The mean normal score of one of the two kinds."""
        return self.causal_score_level_ if causal else self.score_level_

    def point_scorer(
        self, causal: bool, *, wait_for_batch: bool = True
    ) -> PointScorer | CausalPointScorer:
        """A fresh scorer of prepared rows.

        Args:
            causal: Which of the two kinds of scores.
            wait_for_batch: As for `PointScorer`; causal scores never wait.
        """
        size = {
            "window_size": self.config.window_size,
            "batch_size": self.config.score_batch_size,
        }
        if causal:
            return CausalPointScorer(self.last_outputs, **size)
        return PointScorer(
            self.window_outputs,
            stride=self.config.score_stride,
            wait_for_batch=wait_for_batch,
            **size,
        )

    def point_judge(self) -> Judge:
        """What makes contributions of the point outputs of one series, from its beginning."""
        return make_judge(self.config, self.fusion_levels_, self.error_scale_)

    # --- inside ----------------------------------------------------------------------------------

    def _judged(self, X: Series, causal: bool, what: What) -> Iterator[np.ndarray]:
        """Yields the scores or contributions of each series."""
        for values in self._check(X, causal):
            parts = self._iterate([self.prepare_rows(values)], causal, what)
            yield np.concatenate(list(parts))

    def _iterate(
        self, prepared_pieces: Iterable[np.ndarray], causal: bool, what: What
    ) -> Iterator[np.ndarray]:
        """Yields the scores or contributions of one series, piece by piece."""
        judge = self.point_judge()
        make = judge.scores if what == "scores" else judge.update
        for outputs in iterate_points(self.point_scorer(causal), prepared_pieces):
            yield make(outputs)

    def _prepared(self, pieces: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        state = None
        for piece in pieces:
            values = check_width(as_values(piece), self.feature_names_)
            yield self.prepare_rows(values, state)
            state = last_seen(values, state)

    def _score_starts(self, prepared: np.ndarray, starts: np.ndarray) -> np.ndarray:
        scores, judge = [], self.point_judge()
        for first in range(0, len(starts), self.config.score_batch_size):
            chosen = starts[first : first + self.config.score_batch_size]
            windows = gather_windows(prepared, chosen, self.config.window_size)
            means = self.window_outputs(windows).mean(axis=1, dtype=np.float64)
            scores.append(judge.of_means(means).sum(axis=1))
        return np.concatenate(scores)

    def require_fitted(self) -> None:
        """Raises `InputError` if there is nothing to score with yet."""
        if self.threshold_ is None:
            raise InputError("the detector is not fitted yet; call fit first, or load_detector")

    def _check(self, X: Series, causal: bool = False) -> list[np.ndarray]:
        self.require_fitted()
        return check_series(X, self.feature_names_, 1 if causal else self.config.window_size)
