"""Writes a detector as the next version of a SavedModel, all of it or nothing."""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tsad_keras.detector import ContrastiveGANDetector
from tsad_keras.errors import InputError
from tsad_keras.export.graph import ScoringGraph, traced_signatures
from tsad_keras.export.reference import make_reference
from tsad_keras.export.tflite import TFLITE_FILE, convert_to_tflite
from tsad_keras.export.warmup import WARMUP_FILE, write_warmup
from tsad_keras.files import atomic_folder, write_arrays, write_json
from tsad_keras.inference.export_folders import FORMAT_VERSION, METADATA_FILE, is_version
from tsad_keras.inference.scores import DECISIONS
from tsad_keras.version import __version__

logger = logging.getLogger(__name__)

REFERENCE_FILE = Path("assets") / "reference.npz"
# A float32 has about seven digits; beyond this ratio fewer than two are left for the deviation.
_LARGEST_MEAN_TO_SCALE = 1e5


def export_saved_model(
    detector: ContrastiveGANDetector, export_dir: str | os.PathLike[str], *, tflite: bool = False
) -> Path:
    """Writes the next version of a SavedModel for TensorFlow Serving.

    Raw values go in; the rule for missing values, scaling, windows, networks, calibration,
    smoothing and the threshold are inside the graph. Signatures, all float32 in and out but for
    the boolean `is_anomaly`: `serving_default` = `score_windows`, `score_series`, `score_batch`,
    `reconstruct`; see `ScoringGraph`.

    Args:
        detector: A fitted detector.
        export_dir: Folder of the model; versions `1`, `2` ... appear in it, each at once.
        tflite: Whether to add a TFLite file of `score_windows` (one window a call).

    Returns:
        The new version's folder. It holds, beside the SavedModel, `assets/metadata.json`,
        `assets/reference.npz` (inputs and the detector's answers, for `verify_export`) and
        `assets.extra/tf_serving_warmup_requests`.

    Raises:
        InputError: If the detector is not fitted, its scale does not fit into float32, TFLite is
            asked for and does not agree, or the folder cannot be written to.
    """
    detector.require_fitted()
    _check_float32(detector)
    folder = Path(export_dir).absolute()
    names: list[str] = []

    def next_name() -> str:
        names.append(str(_next_version(folder)))
        return names[-1]

    with atomic_folder(folder, next_name) as temporary:
        _fill(temporary, detector, folder.name, tflite)
    return Path(export_dir) / names[-1]


def _fill(folder: Path, detector: ContrastiveGANDetector, model_name: str, tflite: bool) -> None:
    graph = ScoringGraph(detector)
    signatures = traced_signatures(graph)
    signatures["serving_default"] = signatures["score_windows"]
    tf.saved_model.save(graph.module, str(folder), signatures=signatures)
    (folder / "assets").mkdir(exist_ok=True)
    reference = make_reference(detector)
    write_arrays(folder / REFERENCE_FILE, reference, {})
    metadata = {**make_metadata(detector), "files_sha256": hash_files(folder)}
    write_json(folder / METADATA_FILE, metadata)
    series = reference["series"]
    size = detector.config.window_size
    requests = {
        "serving_default": {"windows": series[None, :size]},
        "score_windows": {"windows": series[None, :size]},
        "score_series": {"series": series},
        "score_batch": {"batch": series[None]},
        "reconstruct": {"windows": series[None, :size]},
    }
    write_warmup(folder / WARMUP_FILE, model_name, requests)
    if tflite:
        (folder / TFLITE_FILE).write_bytes(convert_to_tflite(graph, reference))


def make_metadata(detector: ContrastiveGANDetector) -> dict[str, Any]:
    """What a client has to know, as a JSON-serialisable dict."""
    config, levels = detector.config, detector.fusion_levels_
    return {
        "format_version": FORMAT_VERSION,
        "package_version": __version__,
        "tensorflow_version": tf.__version__,
        "weights_sha256": detector.weights_sha256_,
        "feature_names": list(detector.feature_names_),
        "num_features": len(detector.feature_names_),
        "window_size": config.window_size,
        "score_stride": config.score_stride,
        **{name: getattr(detector, f"{name}_") for name in DECISIONS},
        "threshold_method": config.threshold_method,
        "expected_false_alarm_rate": detector.expected_false_alarm_rate_,
        "error_scale": detector.error_scale_.tolist(),
        "fusion": None if levels is None else {k: v.tolist() for k, v in levels.arrays().items()},
        "config": config.to_dict(),
    }


def hash_files(folder: Path) -> dict[str, str]:
    """SHA-256 of each file that scores depend on, by its path within a version folder."""
    paths = [folder / "saved_model.pb", *(folder / "variables").glob("*"), folder / REFERENCE_FILE]
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(paths)
        if path.is_file()
    }


def _check_float32(detector: ContrastiveGANDetector) -> None:
    """Refuses what float32 cannot hold; warns where it holds too few digits of the raw values."""
    mean, scale = detector.scaler_.mean_, detector.scaler_.scale_
    with np.errstate(over="ignore", under="ignore"):
        lost = ~np.isfinite(mean.astype(np.float32)) | ~np.isfinite(scale.astype(np.float32))
        lost |= scale.astype(np.float32) < np.finfo(np.float32).tiny
    if lost.any():
        name = detector.feature_names_[int(np.flatnonzero(lost)[0])]
        raise InputError(
            f"feature {name!r} has a mean or a scale that float32 cannot hold, expected between "
            "1e-38 and 1e38; use another unit and train again"
        )
    coarse = np.abs(mean) > _LARGEST_MEAN_TO_SCALE * scale
    names = [name for name, flag in zip(detector.feature_names_, coarse, strict=True) if flag]
    if names:
        logger.warning(
            "%s: the values are so large beside their variation that float32 requests lose digits "
            "the detector uses; subtract an offset before training, or expect other scores",
            ", ".join(names[:20]),
        )


def _next_version(folder: Path) -> int:
    """One more than the highest number in a folder, complete or not."""
    return 1 + max(
        map(int, filter(is_version, (entry.name for entry in folder.iterdir()))), default=0
    )
