"""`ContrastiveGANDetector`: fit, score, decide, explain, save and load."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tsad_keras.config import Config
from tsad_keras.detector import fitting
from tsad_keras.detector.deciding import choose_decisions
from tsad_keras.detector.entities import (
    EntityScorer,
    as_items,
    series_entities,
    stacked_arrays,
)
from tsad_keras.detector.networks import (
    Networks,
    WindowOutputs,
    build_networks,
)
from tsad_keras.errors import InputError
from tsad_keras.files import arrays_digest
from tsad_keras.inference.frames import row_index
from tsad_keras.inference.inputs import Series, as_series_list, check_names
from tsad_keras.inference.scores import DECISIONS
from tsad_keras.levels import FusionLevels
from tsad_keras.models.attention import attention_maps
from tsad_keras.models.autoregression import Autoregression, fit_autoregression
from tsad_keras.models.memory import PatternMemory, build_memory
from tsad_keras.persistence import write_bundle
from tsad_keras.scoring import iterate_points, score_points
from tsad_keras.training import Checkpoint, Distribution, History, TrainingDivergedError


class ContrastiveGANDetector(EntityScorer):
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
        causal_threshold_: The same for causal scores.
        window_threshold_: The same for `score_windows`.
        expected_false_alarm_rate_: Share of alarmed time steps that the thresholds aim at on
            normal data like the validation part.
        feature_names_: Names in the order of training, or `feature_0 ...` for plain arrays.
        error_scale_: `(num_features,)` what is typical of a feature's squared reconstruction error
            on train (calibration).
        history_: List of dicts, one an epoch; `best_epoch_` names the one that was kept.
        networks_: The Keras models `autoencoder, discriminator, projection_head,
            latent_generator`.
        entities_: With `entity_scaling`, the detector of each entity by its name; they share
            networks, forecast and memory. All else (thresholds, scaler ...) is theirs.
        autoregression_: The `Autoregression` of the training part; None unless the score is a fused
            one.
        memory_: The `PatternMemory` of the training part; None likewise.
        fusion_levels_: Where the parts of the fused score lie on the validation part; None
            likewise.

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
        self.entities_: dict[str, ContrastiveGANDetector] = {}
        self._checkpoint: Checkpoint | None = None

    @classmethod
    def from_config(cls, config: Config) -> ContrastiveGANDetector:
        """Returns an untrained detector with exactly this config."""
        return cls(**config.to_dict())

    # --- training --------------------------------------------------------------------------------

    def fit(
        self,
        X: Series | Mapping[str, np.ndarray | pd.DataFrame],
        *,
        feature_names: Sequence[str] | None = None,
        entity_names: Sequence[str] | None = None,
        verbose: bool = True,
        checkpoint_path: str | os.PathLike[str] | None = None,
        history_path: str | os.PathLike[str] | None = None,
        tensorboard_dir: str | os.PathLike[str] | None = None,
        distribution: Distribution | None = None,
    ) -> ContrastiveGANDetector:
        """Learns from normal history.

        The tail of each series (`validation_fraction`) is not trained on: it stops the training and
        gives the threshold.

        Args:
            X: `(num_timesteps, num_features)` array or DataFrame (a pandas Series is one feature),
                or a list of such: one model for several series with the same features; or a dict
                of such by entity. NaN are allowed.
            feature_names: Names of the columns; default those of the DataFrame.
            entity_names: With `entity_scaling`, the entity of each series of a list; an entity may
                have several. Default: the keys of a dict, else `series_0 ...`.
            verbose: Whether to draw a progress bar.
            checkpoint_path: File for the state of the training; a call with the same data and
                settings goes on from there. It stays until `discard_checkpoint`.
            history_path: CSV file for the losses of each epoch.
            tensorboard_dir: Folder for TensorBoard logs.
            distribution: Replicas to train on; all workers end with the same weights, and the files
                above are written by the chief alone.

        Returns:
            self.

        Raises:
            InputError: If the data is too short, has infinite values, a feature without any value,
                or no feature that varies.
            TrainingDivergedError: If a loss is no longer finite. After a first good epoch the
                detector is fitted all the same, with the weights of its best epoch.
            WorkerLostError: If another worker of the distribution has gone.
        """
        config = self.config
        if distribution is not None:
            distribution.check_batch_size(config.batch_size)
        self.threshold_, self.entities_ = None, {}  # not fitted until all below has gone well
        series, names = as_series_list(as_items(X))
        names = names if feature_names is None else feature_names
        self.feature_names_ = check_names(names, series[0].shape[1])
        entities = series_entities(config, X, entity_names, len(series))
        parts = fitting.split_parts(config, series, self.feature_names_, entities)
        self._checkpoint = None
        if checkpoint_path is not None:
            make = Checkpoint if distribution is None else distribution.checkpoint
            fingerprint = fitting.fingerprint(config, series, entities)
            self._checkpoint = make(checkpoint_path, fingerprint)
        self._set_networks(build_networks(config, len(self.feature_names_)), None, None)
        writes = distribution is None or distribution.is_chief
        history = History(history_path, tensorboard_dir) if writes else History()
        train_networks, diverged = fitting.train_networks, None
        if distribution is not None:
            train_networks = functools.partial(fitting.train_replicas, distribution=distribution)
        try:
            self.best_epoch_ = train_networks(
                config,
                self.networks_,
                [values for part in parts for values in part.train],
                [values for part in parts for values in part.validation],
                checkpoint=self._checkpoint,
                history=history,
                show_progress=verbose,
            ).best_epoch_
        except TrainingDivergedError as error:
            if not error.best_epoch:
                raise
            diverged, self.best_epoch_ = error, error.best_epoch
        self.history_ = history.rows
        self._calibrate(parts)
        if diverged is not None:
            raise diverged
        return self

    def discard_checkpoint(self) -> None:
        """Deletes the checkpoint of `fit`, once the model is saved."""
        if self._checkpoint is not None:
            self._checkpoint.delete()

    def _set_networks(
        self,
        networks: Networks,
        autoregression: Autoregression | None,
        memory: PatternMemory | None,
    ) -> None:
        self.networks_ = networks
        self.autoregression_ = autoregression
        self.memory_ = memory
        known = (self.config, networks, autoregression, memory)
        # Traced on first use, so the second one costs nothing where nobody asks for components.
        self._window_components = WindowOutputs(*known, with_realism=True)
        self._window_outputs = (
            self._window_components
            if self.config.has_realism
            else WindowOutputs(*known, with_realism=False)
        )

    def _calibrate(self, parts: list[fitting.Part]) -> None:
        """What follows the training: forecast, memory, each part's calibration and thresholds."""
        config, autoregression = self.config, None
        train = [values for part in parts for values in part.train]
        if config.forecast_lags:
            autoregression = fit_autoregression(train, config.forecast_lags)
            self._set_networks(self.networks_, autoregression, None)
        scales = [fitting.error_scales(config, self._window_outputs, part) for part in parts]
        if config.has_memory:
            sizes = {name: getattr(config, name) for name in ("window_size", "memory_size")}
            memory = build_memory(train, pattern_size=config.pattern_size, **sizes)
            self._set_networks(self.networks_, autoregression, memory)
        self.expected_false_alarm_rate_ = config.false_alarm_rate
        if parts[0].name is None:
            self._adopt(parts[0], scales[0])
            return
        for part, of_part in zip(parts, scales, strict=True):
            self.entities_[part.name] = self._sharing_networks()._adopt(part, of_part)

    def _adopt(self, part: fitting.Part, scales: dict[str, np.ndarray]) -> ContrastiveGANDetector:
        """Takes a part's scaler and calibration, chooses its levels and thresholds."""
        self.scaler_, self.error_scale_ = part.scaler, scales["raw"]
        self._choose_levels(part.validation, scales)
        choose_decisions(self, part.validation)
        return self

    def _choose_levels(
        self, scaled_validation: list[np.ndarray], scales: dict[str, np.ndarray]
    ) -> None:
        self.fusion_levels_ = None
        if self.config.score_mode == "fused":
            outputs = (
                piece
                for values in scaled_validation
                for piece in iterate_points(self.point_scorer(causal=False), (values,))
            )
            self.fusion_levels_ = FusionLevels.of(
                outputs,
                scales,
                calibrate=self.config.calibrate,
                weight=self.scaler_.weight_,
            )

    # --- scoring ---------------------------------------------------------------------------------

    def prepare_rows(self, values: np.ndarray, state: np.ndarray | None = None) -> np.ndarray:
        return self.scaler_.transform(values, state)

    def window_outputs(self, windows: np.ndarray) -> np.ndarray:
        return self._window_outputs(windows)

    def last_outputs(self, windows: np.ndarray) -> np.ndarray:
        return self._window_outputs.last(windows)

    def components(self, X: Series) -> dict[str, np.ndarray] | pd.DataFrame:
        """What the score is made of, before calibration, combination and smoothing.

        Args:
            X: As for `decision_function`.

        Returns:
            `reconstruction_error` (num_timesteps,), the mean squared error over features in scaled
            units, and `realism` (num_timesteps,), the mean D of the covering windows. For the fused
            score also `smoothed_error`, likewise `forecast_error`, smoothed and with the noise that
            `Autoregression` adds, with `mean_shift` `shift_error`, the squared mean of the covering
            windows, and with a memory `pattern_error` and `level_error`, mean squared distances to
            it. For a DataFrame, one with these columns.
        """
        prepared = [self.prepare_rows(values) for values in self._check(X)]
        joined = np.concatenate([self.point_components(values) for values in prepared])
        names = ["reconstruction_error"]
        if self.fusion_levels_ is not None:
            names += ["smoothed_error"]
        if self.autoregression_ is not None:
            names += ["forecast_error"]
        if self.config.has_shift:
            names += ["shift_error"]
        if self.memory_ is not None:
            names += ["pattern_error", "level_error"]
        errors = np.split(joined[:, :-1], len(names), axis=1)
        parts = {
            **{name: view.mean(axis=1) for name, view in zip(names, errors, strict=True)},
            "realism": 1.0 - joined[:, -1],
        }
        index = row_index(X)
        return parts if index is None else pd.DataFrame(parts, index=index)

    def point_components(self, prepared: np.ndarray) -> np.ndarray:
        """The same of each feature: what `CombinedScore` and `FusedScore` take.

        Args:
            prepared: `(num_timesteps, num_features)` rows of one series, as `prepare_rows` makes
                them.

        Returns:
            `(num_timesteps, num_features + 1)`: squared errors of the features in scaled units, and
            1 - D of the covering windows. For the fused score the columns of its further views
            (`FusedScore.update`) stand before the last one.
        """
        return score_points(
            prepared,
            self._window_components,
            window_size=self.config.window_size,
            stride=self.config.score_stride,
            batch_size=self.config.score_batch_size,
        )

    def attention(self, X: Series, start: int = 0) -> np.ndarray:
        """Attention maps of one window: what the network's own softmax weights were.

        Args:
            X: One series, at least a window long. What comes before the window matters for missing
                values only.
            start: Row of the series with which the window begins, from 0.

        Returns:
            `(num_layers, num_heads, num_tokens, num_tokens)`; a token is `patch_size` time steps.
            Entry i, j of a map says how much token i takes from token j; its rows sum to 1.

        Raises:
            InputError: If the window does not lie in the series, or `X` does not fit.
        """
        prepared, size = self.prepare_series(X), self.config.window_size
        if not 0 <= start <= len(prepared) - size:
            raise InputError(
                f"start is {start}, expected 0 to {len(prepared) - size}, so that a window of "
                f"{size} rows lies in the series"
            )
        maps = attention_maps(self.networks_.autoencoder, prepared[None, start : start + size])
        return np.asarray(maps)[0]

    # --- persistence -----------------------------------------------------------------------------

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Writes everything that scoring needs into `directory`, atomically; no pickle.

        Args:
            directory: Created if missing. Holds `detector.npz` (weights, scaler, calibration,
                threshold, config) and `config.json`, a readable copy of the settings.

        Raises:
            InputError: If the detector is not fitted or the folder cannot be written to.
        """
        if not self.entities_:
            self.require_fitted()
        metadata = {
            "config": self.config.to_dict(),
            "feature_names": list(self.feature_names_),
            **self._decisions(),
            "expected_false_alarm_rate": self.expected_false_alarm_rate_,
            "best_epoch": self.best_epoch_,
            "history": self.history_,
        }
        write_bundle(Path(directory), self._arrays(), metadata)

    @property
    def weights_sha256_(self) -> str:
        settings = self.config.to_dict()
        del settings["entity_scaling"]  # how the arrays came about, not what they are
        return arrays_digest(self._arrays(), json.dumps(settings, sort_keys=True))

    def _arrays(self) -> dict[str, np.ndarray]:
        known = {}
        for part in (self.autoregression_, self.memory_):
            known |= {} if part is None else part.arrays()
        calibration = stacked_arrays(self.entities_) if self.entities_ else self.calibration()
        return {**calibration, **known, **self.networks_.weights()}

    def _decisions(self) -> dict[str, Any]:
        if self.entities_:
            each = self.entities_.items()
            return {"entities": [{"name": name, **one._decisions()} for name, one in each]}
        return {name: getattr(self, f"{name}_") for name in DECISIONS}

    def calibration(self) -> dict[str, np.ndarray]:
        """Scaler, calibration and levels as arrays, by the names under which they are saved."""
        levels = {} if self.fusion_levels_ is None else self.fusion_levels_.arrays()
        names = ("mean", "scale", "weight")
        scaler = {name: getattr(self.scaler_, f"{name}_") for name in names}
        return {**scaler, "error_scale": self.error_scale_, **levels}
