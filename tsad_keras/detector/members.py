"""The members of an ensemble: where they lie, and which of them are finished."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path

import numpy as np

from tsad_keras.config import Config
from tsad_keras.detector import fitting
from tsad_keras.detector.detector import ContrastiveGANDetector
from tsad_keras.detector.restoring import restore_detector
from tsad_keras.files import write_json
from tsad_keras.persistence import FILE_NAME, read_bundle

logger = logging.getLogger(__name__)

_FINISHED = "finished.json"


def member_folder(directory: Path, number: int) -> Path:
    """Where a member lies, counted from 0."""
    return directory / "members" / str(number)


def fitted_member(
    config: Config,
    series: list[np.ndarray],
    feature_names: tuple[str, ...],
    folder: Path | None,
    verbose: bool,
) -> ContrastiveGANDetector:
    """Trains a member, or reads it if it was finished before with the same data and settings."""
    detector = ContrastiveGANDetector.from_config(config)
    if folder is None:
        return detector.fit(series, feature_names=feature_names, verbose=verbose)
    content = fitting.fingerprint(config, series) + json.dumps(feature_names)
    fingerprint = hashlib.sha256(content.encode()).hexdigest()
    found = _finished(folder)
    if found is not None and found["fingerprint"] == fingerprint:
        member = restore_detector(*read_bundle(folder), folder)
        if member.weights_sha256_ == found["weights_sha256"]:
            logger.info("%s is finished: not trained again", folder)
            return member
    detector.fit(
        series,
        feature_names=feature_names,
        verbose=verbose,
        checkpoint_path=folder / "checkpoint.npz",
        history_path=folder / "history.csv",
    )
    detector.save(folder)
    write_json(
        folder / _FINISHED,
        {"fingerprint": fingerprint, "weights_sha256": detector.weights_sha256_},
    )
    detector.discard_checkpoint()
    return detector


def _finished(folder: Path) -> dict[str, str] | None:
    """What stands in the note of a finished member; None without it or its model."""
    try:
        found = json.loads((folder / _FINISHED).read_text(encoding="utf-8"))
        has_all = {"fingerprint", "weights_sha256"} <= set(found)
    except (OSError, ValueError, TypeError):
        return None
    return found if has_all and (folder / FILE_NAME).is_file() else None
