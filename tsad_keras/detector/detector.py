"""`ContrastiveGANDetector`: fit, score, decide, explain, save and load."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tsad_keras.config import Config
from tsad_keras.detector import fitting
from tsad_keras.detector.inputs import (
    Series,
    as_series_list,
    as_values,
    check_names,
    check_series,
    check_width,
)
from tsad_keras.detector.networks import Networks, build_networks, compile_window_outputs
from tsad_keras.errors import InputError
from tsad_keras.persistence import write_bundle
from tsad_keras.scaling import Scaler, last_seen
from tsad_keras.scoring import CausalSmoother, PointScorer, combine_scores, iterate_points
from tsad_keras.thresholds import choose_threshold
from tsad_keras.training import Checkpoint, History, TrainingDivergedError
from tsad_keras.windows import gather_windows, split_train_validation, window_starts


class ContrastiveGANDetector:
    """Contrastive-GAN Transformer anomaly detector for multivariate time series.

    A Transformer autoencoder learns to reconstruct windows of normal data from masked views of
    them, as the generator of a GAN whose discriminator is also trained to tell windows apart
    (NT-Xent). What is badly reconstructed later is anomalous.

    Args:
        preset: `"contrastive-gan"` or `"hybrid"`.
        **config: Fields of `Config` that replace the preset's.

    Attributes:
        config: The frozen `Config`.
        threshold_: Scores at or above it are alarms; chosen without labels on the validation part.
        window_threshold_: The same for `score_windows`.
        expected_false_alarm_rate_: Share of alarmed time steps that the threshold aims at on
            normal data like the validation part.
        feature_names_: Names in the order of training, or `feature_0 ...` for plain arrays.
        error_scale_: `(num_features,)` mean squared reconstruction error on train (calibration).
        history_: List of dicts, one an epoch; `best_epoch_` names the one that was kept.
        networks_: The Keras models `autoencoder, discriminator, projection_head,
            latent_generator`.

    Raises:
        InputError: If a setting is unknown or out of range.

    Example:
        >>> detector = ContrastiveGANDetector(window_size=20, score_stride=10, epochs=1)
        >>> series = np.sin(np.arange(400.0))[:, None]
        >>> scores = detector.fit(series, verbose=False).decision_function(series)
        >>> scores.shape
        (400,)

    Reference:
        Miao et al., "Reconstruction-based anomaly detection for multivariate time series using
        contrastive generative adversarial networks", Information Processing & Management 61(1),
        2024, 103569.
    """

    def __init__(self, preset: str = "contrastive-gan", **config: Any) -> None:
        self.config = Config.from_preset(preset, **config)
        self.threshold_: float | None = None
        self._checkpoint: Checkpoint | None = None

    @classmethod
    def from_config(cls, config: Config) -> ContrastiveGANDetector:
        """Returns an untrained detector with exactly this config."""
        return cls(**config.to_dict())

    # --- training --------------------------------------------------------------------------------

    def fit(
        self,
        X: Series,
        *,
        feature_names: Sequence[str] | None = None,
        verbose: bool = True,
        checkpoint_path: str | os.PathLike[str] | None = None,
        history_path: str | os.PathLike[str] | None = None,
        tensorboard_dir: str | os.PathLike[str] | None = None,
    ) -> ContrastiveGANDetector:
        """Learns from normal history.

        The tail of each series (`validation_fraction`) is not trained on: it stops the training and
        gives the threshold.

        Args:
            X: `(num_timesteps, num_features)` array or DataFrame, or a list of such: one model for
                several series with the same features. NaN are allowed.
            feature_names: Names of the columns; default those of the DataFrame.
            verbose: Whether to draw a progress bar.
            checkpoint_path: File for the state of the training; a call with the same data and
                settings goes on from there. It stays until `discard_checkpoint`.
            history_path: CSV file for the losses of each epoch.
            tensorboard_dir: Folder for TensorBoard logs.

        Returns:
            self.

        Raises:
            InputError: If the data is too short, has infinite values, a feature without any value,
                or no feature that varies.
            TrainingDivergedError: If a loss is no longer finite. After a first good epoch the
                detector is fitted all the same, with the weights of its best epoch.
        """
        config = self.config
        self.threshold_ = None  # not fitted until all below has gone well
        series, names = as_series_list(X)
        names = names if feature_names is None else feature_names
        self.feature_names_ = check_names(names, series[0].shape[1])
        train, validation = split_train_validation(
            series, config.window_size, config.validation_fraction
        )
        fitting.check_varies(train, self.feature_names_)
        self.scaler_ = Scaler(config.clip).fit(train)
        self._checkpoint = None
        if checkpoint_path is not None:
            self._checkpoint = Checkpoint(checkpoint_path, fitting.fingerprint(config, series))
        scaled_train = [self.scaler_.transform(part) for part in train]
        scaled_validation = [
            self.scaler_.transform(part, last_seen(before))
            for part, before in zip(validation, train, strict=True)
            if len(part)
        ]
        self._set_networks(build_networks(config, len(self.feature_names_)))
        history = History(history_path, tensorboard_dir)
        diverged = None
        try:
            self.best_epoch_ = fitting.train_networks(
                config,
                self.networks_,
                scaled_train,
                scaled_validation,
                checkpoint=self._checkpoint,
                history=history,
                show_progress=verbose,
            ).best_epoch_
        except TrainingDivergedError as error:
            if not error.best_epoch:
                raise
            diverged, self.best_epoch_ = error, error.best_epoch
        self.history_ = history.rows
        self._calibrate(scaled_train)
        self._choose_thresholds(scaled_validation)
        if diverged is not None:
            raise diverged
        return self

    def discard_checkpoint(self) -> None:
        """Deletes the checkpoint of `fit`, once the model is saved."""
        if self._checkpoint is not None:
            self._checkpoint.delete()

    def _set_networks(self, networks: Networks) -> None:
        self.networks_ = networks
        with_realism = self.config.score_mode != "reconstruction"
        # Traced on first use, so the second one costs nothing where nobody asks for components.
        self._window_components = compile_window_outputs(networks, with_realism=True)
        self._window_outputs = (
            self._window_components if with_realism else compile_window_outputs(networks, False)
        )

    def _calibrate(self, scaled_train: list[np.ndarray]) -> None:
        self.error_scale_ = np.ones(len(self.feature_names_))
        if self.config.calibrate:
            mean = fitting.mean_squared_errors(self.config, self._window_outputs, scaled_train)
            # A feature that is reconstructed perfectly must not divide by nothing.
            self.error_scale_ = np.maximum(mean, 0.01 * mean.mean() + 1e-12)

    def _choose_thresholds(self, scaled_validation: list[np.ndarray]) -> None:
        config = self.config
        points, windows = [], []
        for values in scaled_validation:
            points += [part.sum(axis=1) for part in self._contributions([values])]
            stride = max(1, len(values) // fitting.MAX_CALIBRATION_WINDOWS)
            starts = window_starts(len(values), config.window_size, stride)
            windows.append(self._score_starts(values, starts))
        rule = (config.threshold_method, config.false_alarm_rate)
        self.threshold_ = choose_threshold(np.concatenate(points), *rule)
        self.window_threshold_ = choose_threshold(np.concatenate(windows), *rule)
        self.expected_false_alarm_rate_ = config.false_alarm_rate

    # --- scoring ---------------------------------------------------------------------------------

    def decision_function(self, X: Series) -> np.ndarray:
        """Anomaly scores; higher is more anomalous.

        Args:
            X: `(num_timesteps, num_features)` array or DataFrame of at least one window, with the
                features of training in the same order; or a list of such.

        Returns:
            `(num_timesteps,)`; for a list, the scores of its series one after the other.

        Raises:
            InputError: If the detector is not fitted, or `X` does not fit the training data.
        """
        return np.concatenate([part.sum(axis=1) for part in self._explained(X)])

    def predict(self, X: Series) -> np.ndarray:
        """Alarm decisions: `(num_timesteps,)` int, 1 where the score reaches `threshold_`."""
        return (self.decision_function(X) >= self.threshold_).astype(int)

    def explain(self, X: Series) -> np.ndarray:
        """Per-feature contributions.

        Args:
            X: As for `decision_function`.

        Returns:
            `(num_timesteps, num_features)`, non-negative; each row sums to the score of its step.
        """
        return np.concatenate(list(self._explained(X)))

    def iterate_explained(self, pieces: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Scores one series that arrives in pieces, with flat memory.

        Args:
            pieces: Arrays `(num_rows, num_features)` of raw values in time order.

        Yields:
            Contributions `(num_final, num_features)` of the time steps that follow those yielded so
            far; joined, exactly `explain` of the joined pieces, however these were cut.
        """
        self._require_fitted()

        def scaled() -> Iterator[np.ndarray]:
            state = None
            for piece in pieces:
                values = check_width(as_values(piece), self.feature_names_)
                yield self.scaler_.transform(values, state)
                state = last_seen(values, state)

        yield from self._contributions(scaled())

    def score_windows(self, X: Series, stride: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """One score a window: the mean of its points' scores without smoothing.

        Args:
            X: `(num_timesteps, num_features)` array or DataFrame.
            stride: Time steps between windows; default the config's `stride`.

        Returns:
            Starts and scores, `(num_windows,)` each. Alarm: score >= `window_threshold_`.
        """
        series = self._check(X)
        if len(series) > 1:
            raise InputError(f"{len(series)} series came, expected one series; call once for each")
        values = series[0]
        starts = window_starts(len(values), self.config.window_size, stride or self.config.stride)
        return starts, self._score_starts(self.scaler_.transform(values), starts)

    def components(self, X: Series) -> dict[str, np.ndarray]:
        """What the score is made of, before calibration, combination and smoothing.

        Args:
            X: As for `decision_function`.

        Returns:
            `reconstruction_error` (num_timesteps,), the mean squared error over features in scaled
            units, and `realism` (num_timesteps,), the mean D of the covering windows.
        """
        series = self._check(X)
        pieces = [
            piece
            for values in series
            for piece in iterate_points(
                self._point_scorer(self._window_components), [self.scaler_.transform(values)]
            )
        ]
        joined = np.concatenate(pieces)  # (num_timesteps, num_features + 1)
        return {
            "reconstruction_error": joined[:, :-1].mean(axis=1),
            "realism": 1.0 - joined[:, -1],
        }

    def _explained(self, X: Series) -> Iterator[np.ndarray]:
        for values in self._check(X):
            yield np.concatenate(list(self._contributions([self.scaler_.transform(values)])))

    def _contributions(self, scaled_pieces: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yields the smoothed contributions of one series."""
        smoother = CausalSmoother(self.config.smoothing_span)
        scorer = self._point_scorer(self._window_outputs)
        for outputs in iterate_points(scorer, scaled_pieces):
            yield smoother.update(self._combine(outputs))

    def _point_scorer(self, window_outputs: Any) -> PointScorer:
        return PointScorer(
            window_outputs,
            window_size=self.config.window_size,
            stride=self.config.score_stride,
            batch_size=self.config.score_batch_size,
        )

    def _combine(self, outputs: np.ndarray) -> np.ndarray:
        num_features = len(self.feature_names_)
        return combine_scores(
            outputs[:, :num_features],
            outputs[:, num_features] if outputs.shape[1] > num_features else None,
            score_mode=self.config.score_mode,
            error_scale=self.error_scale_,
            realism_weight=self.config.realism_weight,
        )

    def _score_starts(self, scaled: np.ndarray, starts: np.ndarray) -> np.ndarray:
        scores = []
        for first in range(0, len(starts), self.config.score_batch_size):
            chosen = starts[first : first + self.config.score_batch_size]
            windows = gather_windows(scaled, chosen, self.config.window_size)
            scores.append(self._combine(self._window_outputs(windows).mean(axis=1)).sum(axis=1))
        return np.concatenate(scores)

    # --- checks ----------------------------------------------------------------------------------

    def _require_fitted(self) -> None:
        if self.threshold_ is None:
            raise InputError("the detector is not fitted yet; call fit first, or load_detector")

    def _check(self, X: Series) -> list[np.ndarray]:
        self._require_fitted()
        return check_series(X, self.feature_names_, self.config.window_size)

    # --- persistence -----------------------------------------------------------------------------

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Writes everything that scoring needs into `directory`, atomically; no pickle.

        Args:
            directory: Created if missing. Holds `detector.npz` (weights, scaler, calibration,
                threshold, config) and `config.json`, a readable copy of the settings.

        Raises:
            InputError: If the detector is not fitted or the folder cannot be written to.
        """
        self._require_fitted()
        arrays = {
            "mean": self.scaler_.mean_,
            "scale": self.scaler_.scale_,
            "error_scale": self.error_scale_,
            **self.networks_.weights(),
        }
        metadata = {
            "config": self.config.to_dict(),
            "feature_names": list(self.feature_names_),
            "threshold": self.threshold_,
            "window_threshold": self.window_threshold_,
            "expected_false_alarm_rate": self.expected_false_alarm_rate_,
            "best_epoch": self.best_epoch_,
            "history": self.history_,
        }
        write_bundle(Path(directory), arrays, metadata)
