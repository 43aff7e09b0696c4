"""A fitted detector or ensemble back from its folder."""

from __future__ import annotations

import os
from pathlib import Path

from tsad_keras.detector.detector import ContrastiveGANDetector
from tsad_keras.detector.ensemble import EnsembleDetector, restore_ensemble
from tsad_keras.detector.restoring import restore_detector
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
    restore = restore_ensemble if "members" in metadata else restore_detector
    return restore(arrays, metadata, folder)
