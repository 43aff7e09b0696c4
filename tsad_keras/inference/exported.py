"""An exported SavedModel with the verbs of the detector that it was made of. Needs no Keras."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tsad_keras.combination import Combination, EnsembleScore, Judge
from tsad_keras.config import Config
from tsad_keras.errors import InputError
from tsad_keras.inference.export_folders import METADATA_FILE, find_version, read_metadata
from tsad_keras.inference.scores import DECISIONS, SeriesScorer, count_outputs, make_judge
from tsad_keras.levels import FusionLevels
from tsad_keras.scaling import fill_missing
from tsad_keras.smoothing import two_sided_kernel

_LARGEST = float(np.finfo(np.float32).max)


class ExportedDetector(SeriesScorer):
    """A SavedModel that `export_saved_model` wrote, loaded with `tf.saved_model.load` alone.

    Scores equal those of the detector to 1e-5, for values that float32 can hold.

    Args:
        directory: A version folder: it holds `saved_model.pb` and `assets/metadata.json`.

    Attributes:
        directory: The folder.
        metadata: What `assets/metadata.json` says.

    Raises:
        InputError: If the folder is missing, damaged, or no export of this package.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = Path(directory)
        self.metadata = read_metadata(self.directory)
        try:
            self._model = tf.saved_model.load(str(self.directory))
            self._reconstruct = self._model.signatures["reconstruct"]
            # The first exports had none.
            self._last_outputs = self._model.signatures.get("last_outputs")
        except Exception as error:  # a damaged SavedModel raises nearly anything
            reason = " ".join(str(error).split())[:200]
            raise InputError(
                f"the export {self.directory} is damaged ({type(error).__name__}: {reason}); "
                "export again or restore it"
            ) from error
        try:
            self.config = Config.from_dict(self.metadata["config"])
            self.feature_names_ = tuple(str(name) for name in self.metadata["feature_names"])
            self._read_levels()
            for name in (*DECISIONS, "expected_false_alarm_rate"):
                setattr(self, f"{name}_", float(self.metadata[name]))
            self._sha256 = str(self.metadata["weights_sha256"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{self.directory / METADATA_FILE} is damaged ({error}); export again or restore it"
            ) from error

    @property
    def weights_sha256_(self) -> str:
        return self._sha256

    def prepare_rows(self, values: np.ndarray, state: np.ndarray | None = None) -> np.ndarray:
        filled = fill_missing(values, state)  # the graph knows nothing of the rows before a window
        return np.clip(filled, -_LARGEST, _LARGEST).astype(np.float32)

    def _read_levels(self) -> None:
        """Sets what scores are judged by: of the model, or of the members of an ensemble."""
        ensemble = self.metadata.get("ensemble")
        self._members = ensemble and [self._read_member(member) for member in ensemble["members"]]
        if self._members:
            self._combination = Combination.from_arrays(
                ensemble["combine"], ensemble["combination"]
            )
            if len(self._combination.levels) != len(self._members):
                raise ValueError(f"{len(self._combination.levels)} levels")
            self.fusion_levels_ = None
            self._window_outputs = self._model.signatures["window_outputs"]
        else:
            _, self.fusion_levels_, self.error_scale_ = self._read_member(self.metadata)

    def _read_member(self, facts: dict[str, Any]) -> tuple[Config, FusionLevels | None, np.ndarray]:
        """Arguments of `make_judge`."""
        levels, width = facts["fusion"], len(self.feature_names_)
        scale = np.array(facts["error_scale"], np.float64)
        if scale.shape != (width,):
            raise ValueError(f"error_scale has shape {scale.shape}")
        fused = None if levels is None else FusionLevels.from_arrays(levels, width)
        return Config.from_dict(facts["config"]), fused, scale

    def point_judge(self) -> Judge:
        if not self._members:
            return super().point_judge()
        width = len(self.feature_names_)
        return EnsembleScore(
            self._combination,
            [make_judge(*member) for member in self._members],
            [count_outputs(config, width) for config, _, _ in self._members],
        )

    def window_outputs(self, windows: np.ndarray) -> np.ndarray:
        if self._members:
            made = self._window_outputs(windows=tf.constant(windows, tf.float32))
            return made["outputs"].numpy()
        made = self._reconstruct(windows=tf.constant(windows, tf.float32))
        errors = made["squared_error"].numpy()
        if self.fusion_levels_ is not None:
            kernel = two_sided_kernel(self.config.window_size, self.config.smoothing_span)
            views = [errors, kernel @ errors]
            if self.config.forecast_lags:
                views.append(kernel @ made["forecast_error"].numpy())
            names = ["shift_error"] * self.config.has_shift
            names += ["pattern_error", "level_error"] * self.config.has_memory
            views += [made[name].numpy() for name in names]
            return np.concatenate(views, axis=2)
        if not self.config.has_realism:
            return errors
        unreal = np.broadcast_to(
            1.0 - made["realism"].numpy()[:, None, None], (*errors.shape[:2], 1)
        )
        return np.concatenate([errors, unreal], axis=2)

    def last_outputs(self, windows: np.ndarray) -> np.ndarray:
        if self._last_outputs is None:
            return super().last_outputs(windows)
        return self._last_outputs(windows=tf.constant(windows, tf.float32))["outputs"].numpy()

    def signature(self, name: str) -> Any:
        """Returns the callable signature of that name; it takes and gives named tensors.

        Raises:
            InputError: If there is none.
        """
        if name not in self._model.signatures:
            known = ", ".join(sorted(self._model.signatures))
            raise InputError(f"the export has no signature {name!r}, expected one of {known}")
        return self._model.signatures[name]


def load_export(directory: str | os.PathLike[str], version: int | None = None) -> ExportedDetector:
    """Loads an export.

    Args:
        directory: A version folder, or the folder above it with versions `1`, `2` ...
        version: Which version; default the highest.

    Returns:
        An object with `decision_function`, `predict`, `explain` and the rest of the verbs.

    Raises:
        InputError: If there is no such export, or it is damaged.
    """
    return ExportedDetector(find_version(directory, version))
