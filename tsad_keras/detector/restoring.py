"""A fitted detector back from its arrays and metadata."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tsad_keras.config import Config
from tsad_keras.detector.detector import ContrastiveGANDetector
from tsad_keras.detector.entities import PREFIX
from tsad_keras.detector.networks import build_networks
from tsad_keras.errors import InputError
from tsad_keras.inference.scores import DECISIONS
from tsad_keras.levels import FusionLevels
from tsad_keras.models.autoregression import Autoregression
from tsad_keras.models.memory import PatternMemory
from tsad_keras.scaling import Scaler


def restore_detector(
    arrays: dict[str, np.ndarray], metadata: dict[str, Any], directory: Path
) -> ContrastiveGANDetector:
    """Makes a detector of what `read_bundle` gave.

    Args:
        arrays: Weights, scaler, calibration; with entities, theirs stacked.
        metadata: Settings and decisions.
        directory: Where they lay, for the message.

    Raises:
        InputError: If something is missing or does not fit.
    """
    try:
        detector = ContrastiveGANDetector(**metadata["config"])
        detector.feature_names_ = tuple(metadata["feature_names"])
        networks = build_networks(detector.config, len(detector.feature_names_))
        networks.set_weights(arrays)
        autoregression = memory = None
        if detector.config.forecast_lags:
            names = ("coefficients", "intercepts")
            autoregression = Autoregression(*(arrays[f"autoregression/{name}"] for name in names))
            _check_autoregression(autoregression, detector.config, len(detector.feature_names_))
        if detector.config.has_memory:
            memory = PatternMemory(arrays["memory/patterns"], arrays["memory/levels"])
            _check_memory(memory, detector.config, len(detector.feature_names_))
        detector._set_networks(networks, autoregression, memory)
        detector.expected_false_alarm_rate_ = float(metadata["expected_false_alarm_rate"])
        detector.best_epoch_ = int(metadata["best_epoch"])
        detector.history_ = metadata["history"]
        if "entities" in metadata:
            _restore_entities(detector, arrays, metadata["entities"])
        else:
            _set_calibration(detector, arrays, metadata)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise InputError(
            f"the model folder {directory} is damaged ({error}); train again or restore it"
        ) from error
    return detector


def _restore_entities(
    detector: ContrastiveGANDetector, arrays: dict[str, np.ndarray], entities: list[dict[str, Any]]
) -> None:
    """The detectors of all entities, which share the networks of this one."""
    stacks = {
        name.removeprefix(PREFIX): values
        for name, values in arrays.items()
        if name.startswith(PREFIX)
    }
    for index, decisions in enumerate(entities):
        one = detector._sharing_networks()
        own = {name: values[index] for name, values in stacks.items()}
        _set_calibration(one, own, decisions)
        detector.entities_[str(decisions["name"])] = one


def _set_calibration(
    detector: ContrastiveGANDetector, arrays: dict[str, np.ndarray], decisions: dict[str, Any]
) -> None:
    """Scaler, calibration, levels and thresholds, as `calibration` and `save` named them."""
    for name in ("mean", "scale", "weight", "error_scale"):
        if arrays[name].shape != (len(detector.feature_names_),):
            raise ValueError(f"{name} has shape {arrays[name].shape}")
    detector.scaler_ = Scaler(detector.config.clip)
    for name in ("mean", "scale", "weight"):
        setattr(detector.scaler_, f"{name}_", arrays[name])
    detector.error_scale_ = arrays["error_scale"]
    detector.fusion_levels_ = None
    if detector.config.score_mode == "fused":
        levels = FusionLevels.from_arrays(arrays, len(detector.feature_names_))
        config, views = detector.config, (levels.forecast, levels.shift, levels.pattern)
        asked = (config.forecast_lags > 0, config.has_shift, config.has_memory)
        if asked != tuple(view is not None for view in views):
            raise ValueError("fusion_levels does not fit the settings")
        detector.fusion_levels_ = levels
    for name in DECISIONS:
        setattr(detector, f"{name}_", float(decisions[name]))


def _check_autoregression(
    autoregression: Autoregression, config: Config, num_features: int
) -> None:
    """Raises ValueError if an autoregression has not the shape that the settings ask for."""
    shapes = ((config.forecast_lags, num_features), (num_features,))
    for (name, array), shape in zip(autoregression.arrays().items(), shapes, strict=True):
        if array.shape != shape:
            raise ValueError(f"{name} has shape {array.shape}")


def _check_memory(memory: PatternMemory, config: Config, num_features: int) -> None:
    """Raises ValueError if a memory has not the shape that the settings ask for."""
    lengths = (config.pattern_size, config.window_size // config.pattern_size)
    for (name, array), length in zip(memory.arrays().items(), lengths, strict=True):
        if array.ndim != 2 or len(array) == 0 or array.shape[1] != length * num_features:
            raise ValueError(f"{name} has shape {array.shape}")
