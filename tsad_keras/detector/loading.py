"""`load_detector`: a fitted detector, or an ensemble of such, back from its folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from tsad_keras.combination import Combination
from tsad_keras.config import Config
from tsad_keras.detector.detector import ContrastiveGANDetector
from tsad_keras.detector.ensemble import EnsembleDetector
from tsad_keras.detector.members import member_folder
from tsad_keras.detector.restoring import restore_detector
from tsad_keras.errors import InputError
from tsad_keras.inference.scores import DECISIONS
from tsad_keras.persistence import read_bundle


def load_detector(
    directory: str | os.PathLike[str],
) -> ContrastiveGANDetector | EnsembleDetector:
    """Loads what `save` wrote; scores are the same as before.

    Args:
        directory: The folder of a detector or of an ensemble.

    Raises:
        InputError: If the folder is missing, damaged, or of an unknown format.
    """
    folder = Path(directory)
    arrays, metadata = read_bundle(folder)
    restore = _restore_ensemble if "members" in metadata else restore_detector
    return restore(arrays, metadata, folder)


def _restore_ensemble(
    arrays: dict[str, np.ndarray], metadata: dict[str, Any], directory: Path
) -> EnsembleDetector:
    """Makes an ensemble of what `read_bundle` gave, and of its members' folders.

    Raises:
        InputError: If something is missing or does not fit.
    """
    try:
        settings = metadata["config"]
        configs = [Config.from_dict(values) for values in settings["members"]]
        ensemble = EnsembleDetector(configs, settings["combine"])
        ensemble.feature_names_ = tuple(metadata["feature_names"])
        ensemble.combination_ = Combination.from_arrays(ensemble.combine, arrays)
        if len(ensemble.combination_.levels) != len(configs):
            raise ValueError(f"{len(ensemble.combination_.levels)} levels")
        for number, expected in enumerate(metadata["members"]):
            folder = member_folder(directory, number)
            member = restore_detector(*read_bundle(folder), folder)
            if member.weights_sha256_ != expected:
                raise ValueError(f"{folder} is another model")
            ensemble.members_.append(member)
        for name in (*DECISIONS, "expected_false_alarm_rate"):
            setattr(ensemble, f"{name}_", float(metadata[name]))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"the ensemble folder {directory} is damaged ({error}); run the same `ensemble` "
            "command again or restore it"
        ) from error
    return ensemble
