"""The one assembly point: raw series in, scores, alarms and explanations out."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import logging
import os
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from tsad_keras.config import Config
from tsad_keras.errors import InputError
from tsad_keras.models import (
    build_autoencoder,
    build_discriminator,
    build_generator,
    build_projection_head,
)
from tsad_keras.persistence import read_bundle, write_bundle
from tsad_keras.pipelines import training_pipeline, validation_pipeline
from tsad_keras.scaling import Scaler, last_seen
from tsad_keras.scoring import (
    CausalSmoother,
    PointScorer,
    combine_scores,
    iterate_points,
)
from tsad_keras.thresholds import choose_threshold
from tsad_keras.training import AdversarialStep, Checkpoint, History, LossWeights, Trainer
from tsad_keras.windows import gather_windows, starts_within_series, window_starts

logger = logging.getLogger(__name__)

Series = np.ndarray | pd.DataFrame | Sequence[np.ndarray | pd.DataFrame]

_MAX_CALIBRATION_WINDOWS = 2048  # evenly spaced; more change the means by less than their noise
_MAX_VALIDATION_WINDOWS = 256
_AUGMENTATION_FIELDS = ("mask_type", "mask_mode", "masking_ratio", "mean_mask_length", "jitter")


class ContrastiveGANDetector:
    """Contrastive-GAN Transformer anomaly detector for multivariate time series.

    A Transformer autoencoder learns to reconstruct windows of normal data from masked views of them,
    as the generator of a GAN whose discriminator is also trained to tell windows apart (NT-Xent). What
    is badly reconstructed later is anomalous.

    Args:
        preset: `"contrastive-gan"` or `"hybrid"`.
        **config: Fields of `Config` that replace the preset's.

    Attributes:
        config: The frozen `Config`.
        threshold_: Scores at or above it are alarms; chosen without labels from the validation part.
        window_threshold_: The same for `score_windows`.
        feature_names_: Names in the order of training, or `feature_0 ...` for plain arrays.
        error_scale_: `(num_features,)` mean squared reconstruction error on train, the calibration.
        history_: List of dicts, one an epoch.
        autoencoder_, discriminator_, projection_head_, latent_generator_: The Keras models.

    Raises:
        InputError: If a setting is unknown or out of range.

    Example:
        >>> detector = ContrastiveGANDetector(window_size=20, epochs=1, steps_per_epoch=2)
        >>> series = np.sin(np.arange(400.0))[:, None]
        >>> scores = detector.fit(series, verbose=False).decision_function(series)
        >>> scores.shape
        (400,)

    Reference:
        Miao et al., "Reconstruction-based anomaly detection for multivariate time series using
        contrastive generative adversarial networks", Information Processing & Management 61(1), 2024.
    """

    def __init__(self, preset: str = "contrastive-gan", **config: Any) -> None:
        self.config = Config.from_preset(preset, **config)
        self.threshold_: float | None = None

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
                settings goes on from there. Deleted at the end of `save`-worthy training by
                `discard_checkpoint`.
            history_path: CSV file for the losses of each epoch.
            tensorboard_dir: Folder for TensorBoard logs.

        Returns:
            self.

        Raises:
            InputError: If the data is too short, has infinite values, a feature without any value,
                or no feature that varies.
            TrainingDivergedError: If a loss is no longer finite.
        """
        series, names = _as_list(X)
        self.feature_names_ = _check_names(feature_names or names, series[0].shape[1])
        train, validation = self._split(series)
        self.scaler_ = Scaler(self.config.clip).fit(train)
        if np.all(np.ptp(np.concatenate([_bounds(part) for part in train]), axis=0) == 0):
            raise InputError(
                "every feature is constant in the training part, expected at least one that "
                "varies; check the columns"
            )
        self._build_networks()
        self._checkpoint = None
        if checkpoint_path is not None:
            self._checkpoint = Checkpoint(checkpoint_path, self._fingerprint(series))
        history = History(history_path, tensorboard_dir)
        scaled_train = [self.scaler_.transform(part) for part in train]
        scaled_validation = [
            self.scaler_.transform(part, last_seen(before))
            for part, before in zip(validation, train, strict=True)
            if len(part)
        ]
        self._train(scaled_train, scaled_validation, history, verbose)
        self.history_ = history.rows
        self._calibrate(scaled_train)
        self._choose_thresholds(scaled_validation)
        return self

    def discard_checkpoint(self) -> None:
        """Deletes the checkpoint of `fit`, once the model is saved."""
        if getattr(self, "_checkpoint", None) is not None:
            self._checkpoint.delete()

    def _split(self, series: list[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Cuts the validation tail off each series; one too short for both parts is all train."""
        window_size = self.config.window_size
        train, validation = [], []
        for values in series:
            tail = max(window_size, round(self.config.validation_fraction * len(values)))
            cut = len(values) - tail if len(values) >= window_size + tail else len(values)
            train.append(values[:cut])
            validation.append(values[cut:])
        longest = max(len(values) for values in series)
        if not any(len(part) for part in validation):
            raise InputError(
                f"the longest training series has {longest} time steps, expected at least "
                f"{2 * window_size} (a window to train on and one to validate, window_size "
                f"{window_size}); pass a longer series or a smaller window_size"
            )
        long_enough = [index for index, part in enumerate(train) if len(part) >= window_size]
        if len(long_enough) < len(series):
            logger.warning(
                "%d of %d series are shorter than a window and are left out of training",
                len(series) - len(long_enough),
                len(series),
            )
        return [train[i] for i in long_enough], [validation[i] for i in long_enough]

    def _build_networks(self) -> None:
        config, num_features = self.config, len(self.feature_names_)
        shape = (config.window_size, num_features)
        attention = {"num_heads": config.num_heads, "intermediate_dim": config.intermediate_dim}
        with _seeded(config.seed):
            self.autoencoder_ = build_autoencoder(
                *shape,
                patch_size=config.patch_size,
                hidden_dim=config.hidden_dim,
                num_layers=config.num_layers,
                dropout=config.dropout,
                **attention,
            )
            self.discriminator_ = build_discriminator(
                *shape,
                patch_size=config.patch_size,
                discriminator_dim=config.discriminator_dim,
                discriminator_layers=config.discriminator_layers,
            )
            on_encoder = config.contrastive_source == "encoder"
            self.projection_head_ = build_projection_head(
                config.hidden_dim if on_encoder else config.discriminator_dim,
                projection_dim=config.projection_dim,
            )
            self.latent_generator_ = None
            if config.latent_generator:
                self.latent_generator_ = build_generator(
                    *shape,
                    latent_dim=config.latent_dim,
                    patch_size=config.patch_size,
                    hidden_dim=config.hidden_dim,
                    **attention,
                )
        self._window_outputs = _compile_window_outputs(
            self.autoencoder_, self.discriminator_, config.score_mode != "reconstruction"
        )

    def _train(
        self,
        train: list[np.ndarray],
        validation: list[np.ndarray],
        history: History,
        verbose: bool,
    ) -> None:
        config = self.config
        names = [field.name for field in dataclasses.fields(LossWeights)]
        step = AdversarialStep(
            self.autoencoder_,
            self.discriminator_,
            self.projection_head_,
            self.latent_generator_,
            loss_weights=LossWeights(**{name: getattr(config, name) for name in names}),
            generator_optimizer=self._optimizer(config.learning_rate),
            discriminator_optimizer=self._optimizer(config.discriminator_learning_rate),
            seed=config.seed,
        )
        starts = starts_within_series([len(s) for s in train], config.window_size, config.stride)
        steps_per_epoch = min(config.steps_per_epoch, max(1, len(starts) // config.batch_size))
        joined = np.concatenate(train)
        augmentation = {name: getattr(config, name) for name in _AUGMENTATION_FIELDS}
        common = {
            "window_size": config.window_size,
            "batch_size": config.batch_size,
            "seed": config.seed,
            **augmentation,
        }

        def make_training_batches(first_step: int):
            return training_pipeline(
                joined,
                starts,
                steps_per_epoch=steps_per_epoch,
                epochs=config.epochs,
                first_step=first_step,
                **common,
            )

        validation_starts = _thinned(
            starts_within_series(
                [len(s) for s in validation], config.window_size, config.score_stride
            ),
            _MAX_VALIDATION_WINDOWS,
        )
        trainer = Trainer(
            step,
            epochs=config.epochs,
            steps_per_epoch=steps_per_epoch,
            early_stopping_patience=config.early_stopping_patience,
            reduce_lr_patience=config.reduce_lr_patience,
            reduce_lr_factor=config.reduce_lr_factor,
            checkpoint=self._checkpoint,
            checkpoint_steps=config.checkpoint_steps,
            checkpoint_minutes=config.checkpoint_minutes,
            history=history,
            show_progress=verbose,
        )
        trainer.fit(
            make_training_batches,
            validation_pipeline(np.concatenate(validation), validation_starts, **common),
        )
        self.best_epoch_ = trainer.best_epoch_

    def _optimizer(self, learning_rate: float) -> keras.optimizers.Optimizer:
        return keras.optimizers.AdamW(
            learning_rate,
            weight_decay=self.config.weight_decay,
            global_clipnorm=self.config.gradient_clip_norm,
        )

    def _calibrate(self, train: list[np.ndarray]) -> None:
        """Mean squared error of each feature over evenly spaced windows of the training part."""
        config = self.config
        num_features = len(self.feature_names_)
        if not config.calibrate:
            self.error_scale_ = np.ones(num_features)
            return
        lengths = [len(values) for values in train]
        starts = _thinned(
            starts_within_series(lengths, config.window_size, config.score_stride),
            _MAX_CALIBRATION_WINDOWS,
        )
        joined = np.concatenate(train)
        total = np.zeros(num_features)
        for first in range(0, len(starts), config.score_batch_size):
            chosen = starts[first : first + config.score_batch_size]
            outputs = self._window_outputs(gather_windows(joined, chosen, config.window_size))
            total += outputs[..., :num_features].mean(axis=1).sum(axis=0)
        mean = total / len(starts)
        # A feature that is reconstructed perfectly must not divide by nothing: no scale is below a
        # hundredth of the average one.
        self.error_scale_ = np.maximum(mean, 0.01 * mean.mean() + 1e-12)

    def _choose_thresholds(self, validation: list[np.ndarray]) -> None:
        config = self.config
        points = np.concatenate(
            [
                contributions.sum(axis=1)
                for values in validation
                for contributions, _ in self._iterate_contributions([values])
            ]
        )
        windows = np.concatenate(
            [
                self._window_scores(values, window_starts(len(values), config.window_size, step))
                for values in validation
                for step in [max(1, len(values) // _MAX_CALIBRATION_WINDOWS)]
            ]
        )
        rule = (config.threshold_method, config.false_alarm_rate)
        self.threshold_ = choose_threshold(points, *rule)
        self.window_threshold_ = choose_threshold(windows, *rule)
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

    def components(self, X: Series) -> dict[str, np.ndarray]:
        """What the score is made of, before combination and smoothing.

        Args:
            X: As for `decision_function`.

        Returns:
            `reconstruction_error` (num_timesteps,), mean squared error over features in scaled units,
            and `realism` (num_timesteps,), the mean D of the covering windows.
        """
        series = self._check(X)
        outputs = _compile_window_outputs(self.autoencoder_, self.discriminator_, True)
        pieces = [
            piece
            for values in series
            for piece in iterate_points(self._point_scorer(outputs), [self._scale(values)])
        ]
        joined = np.concatenate(pieces)
        return {
            "reconstruction_error": joined[:, :-1].mean(axis=1),
            "realism": 1.0 - joined[:, -1],
        }

    def iterate_explained(self, pieces: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Scores one series that arrives in pieces, with flat memory.

        Args:
            pieces: Arrays `(num_rows, num_features)` of raw values in time order.

        Yields:
            Contributions `(num_final, num_features)` of the time steps that follow those yielded so
            far; joined, exactly `explain` of the joined pieces, however these were cut.
        """

        def scaled() -> Iterator[np.ndarray]:
            state = None
            for piece in pieces:
                values = self._check_one(piece)
                yield self.scaler_.transform(values, state)
                state = last_seen(values, state)

        self._require_fitted()
        for contributions, _ in self._iterate_contributions(scaled()):
            yield contributions

    def score_windows(self, X: Series, stride: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """One score a window: the mean of its points' scores without smoothing.

        Args:
            X: `(num_timesteps, num_features)` array or DataFrame.
            stride: Time steps between windows; default the config's `stride`.

        Returns:
            Starts and scores, `(num_windows,)` each. Alarm: score >= `window_threshold_`.
        """
        values = self._scale(self._check(X)[0])
        starts = window_starts(len(values), self.config.window_size, stride or self.config.stride)
        return starts, self._window_scores(values, starts)

    def _explained(self, X: Series) -> Iterator[np.ndarray]:
        for values in self._check(X):
            pieces = [part for part, _ in self._iterate_contributions([self._scale(values)])]
            yield np.concatenate(pieces)

    def _iterate_contributions(
        self, pieces: Iterable[np.ndarray]
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields smoothed contributions and raw network outputs of scaled pieces of one series."""
        config, num_features = self.config, len(self.feature_names_)
        smoother = CausalSmoother(config.smoothing_span)
        for outputs in iterate_points(self._point_scorer(self._window_outputs), pieces):
            yield smoother.update(self._combine(outputs, num_features)), outputs

    def _combine(self, outputs: np.ndarray, num_features: int) -> np.ndarray:
        realism = outputs[:, num_features] if outputs.shape[1] > num_features else None
        return combine_scores(
            outputs[:, :num_features],
            realism,
            score_mode=self.config.score_mode,
            error_scale=self.error_scale_,
            realism_weight=self.config.realism_weight,
        )

    def _point_scorer(self, function) -> PointScorer:
        return PointScorer(
            function,
            window_size=self.config.window_size,
            stride=self.config.score_stride,
            batch_size=self.config.score_batch_size,
        )

    def _window_scores(self, scaled: np.ndarray, starts: np.ndarray) -> np.ndarray:
        num_features = len(self.feature_names_)
        scores = []
        for first in range(0, len(starts), self.config.score_batch_size):
            chosen = starts[first : first + self.config.score_batch_size]
            outputs = self._window_outputs(
                gather_windows(scaled, chosen, self.config.window_size)
            ).mean(axis=1)
            scores.append(self._combine(outputs, num_features).sum(axis=1))
        return np.concatenate(scores)

    def _scale(self, values: np.ndarray) -> np.ndarray:
        return self.scaler_.transform(values)

    # --- checks ----------------------------------------------------------------------------------

    def _require_fitted(self) -> None:
        if self.threshold_ is None:
            raise InputError("the detector is not fitted yet; call fit first, or load_detector")

    def _check(self, X: Series) -> list[np.ndarray]:
        self._require_fitted()
        series, names = _as_list(X)
        if names is not None and list(names) != list(self.feature_names_):
            raise InputError(
                f"the columns are {', '.join(names)}, expected those of training in their order: "
                f"{', '.join(self.feature_names_)}"
            )
        series = [self._check_one(values) for values in series]
        for values in series:
            if len(values) < self.config.window_size:
                raise InputError(
                    f"a series has {len(values)} time steps, expected at least window_size "
                    f"({self.config.window_size}); pass a longer series"
                )
        return series

    def _check_one(self, values: np.ndarray) -> np.ndarray:
        values = _as_values(values)
        if values.shape[1] != len(self.feature_names_):
            raise InputError(
                f"the series has {values.shape[1]} features, expected the {len(self.feature_names_)} "
                "of training"
            )
        return values

    def _fingerprint(self, series: list[np.ndarray]) -> str:
        """Equal only for the same data and the same settings that influence the training."""
        digest = hashlib.sha256(json.dumps(self.config.to_dict(), sort_keys=True).encode())
        for values in series:
            digest.update(str(values.shape).encode())
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()

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
        }
        for network in self._networks():
            for index, value in enumerate(network.get_weights()):
                arrays[f"{network.name}/{index:03d}"] = value
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

    def _networks(self) -> list[keras.Model]:
        networks = [self.autoencoder_, self.discriminator_, self.projection_head_]
        return networks + ([self.latent_generator_] if self.latent_generator_ else [])


def load_detector(directory: str | os.PathLike[str]) -> ContrastiveGANDetector:
    """Loads what `save` wrote; scores are the same as before.

    Args:
        directory: The folder.

    Raises:
        InputError: If the folder is missing, damaged, or written by an unknown format version.
    """
    arrays, metadata = read_bundle(Path(directory))
    try:
        detector = ContrastiveGANDetector(**metadata["config"])
        detector.feature_names_ = tuple(metadata["feature_names"])
        detector.scaler_ = Scaler(detector.config.clip)
        detector.scaler_.mean_, detector.scaler_.scale_ = arrays["mean"], arrays["scale"]
        detector.error_scale_ = arrays["error_scale"]
        detector._build_networks()
        for network in detector._networks():
            count = len(network.weights)
            network.set_weights([arrays[f"{network.name}/{index:03d}"] for index in range(count)])
        detector.threshold_ = float(metadata["threshold"])
        detector.window_threshold_ = float(metadata["window_threshold"])
        detector.expected_false_alarm_rate_ = float(metadata["expected_false_alarm_rate"])
        detector.best_epoch_ = int(metadata["best_epoch"])
        detector.history_ = metadata["history"]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"the model folder {directory} is damaged ({error}); train again or restore it"
        ) from error
    return detector


def _compile_window_outputs(autoencoder, discriminator, with_realism: bool):
    """Returns a function from windows to squared errors and, on demand, 1 - D as a last column."""
    import tensorflow as tf

    @tf.function(reduce_retracing=True)
    def graph(windows):
        reconstruction = autoencoder(windows, training=False)["reconstruction"]
        errors = tf.math.squared_difference(windows, reconstruction)
        if not with_realism:
            return errors
        unreal = tf.sigmoid(-discriminator(windows, training=False)["logits"])
        spread = tf.repeat(unreal[:, None, :], tf.shape(windows)[1], axis=1)
        return tf.concat([errors, spread], axis=2)

    return lambda windows: graph(tf.constant(windows, tf.float32)).numpy()


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Keras draws the seeds of its initialisers from Python's generator; leave no trace in it."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)


def _thinned(starts: np.ndarray, most: int) -> np.ndarray:
    if len(starts) <= most:
        return starts
    return starts[np.linspace(0, len(starts) - 1, most).astype(int)]


def _bounds(values: np.ndarray) -> np.ndarray:
    return np.stack([np.nanmin(values, axis=0), np.nanmax(values, axis=0)])


def _as_list(X: Series) -> tuple[list[np.ndarray], list[str] | None]:
    """Arrays of all series and the column names, if DataFrames came."""
    items = list(X) if isinstance(X, (list, tuple)) else [X]
    if not items:
        raise InputError("an empty list of series came, expected at least one series")
    if all(
        np.ndim(item) == 0 or (np.ndim(item) == 1 and not hasattr(item, "columns"))
        for item in items
    ):
        items = [np.asarray(X)]
    names = None
    for item in items:
        if isinstance(item, pd.DataFrame):
            current = [str(column) for column in item.columns]
            if names is not None and current != names:
                raise InputError(
                    f"the series have different columns: {', '.join(names)} and "
                    f"{', '.join(current)}; give all the same columns in the same order"
                )
            names = current
    arrays = [_as_values(item) for item in items]
    widths = {array.shape[1] for array in arrays}
    if len(widths) > 1:
        raise InputError(f"the series have {sorted(widths)} features, expected the same number")
    return arrays, names


def _as_values(item: Any) -> np.ndarray:
    """Checks one series and returns it as `(num_timesteps, num_features)` float64."""
    try:
        values = np.asarray(item, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"the series has values that are no numbers ({error}); pass numeric columns only"
        ) from error
    if values.ndim != 2 or values.shape[1] == 0:
        raise InputError(
            f"the series has shape {values.shape}, expected (num_timesteps, num_features); use "
            "reshape(-1, 1) for a single feature"
        )
    if np.isinf(values).any():
        row, column = np.argwhere(np.isinf(values))[0]
        raise InputError(
            f"row {row + 1}, column {column + 1} is infinite, expected finite values or NaN; "
            "replace it"
        )
    return values


def _check_names(names: Sequence[str] | None, num_features: int) -> tuple[str, ...]:
    if names is None:
        return tuple(f"feature_{index}" for index in range(num_features))
    if len(names) != num_features:
        raise InputError(f"{len(names)} feature_names came for {num_features} features")
    return tuple(str(name) for name in names)
