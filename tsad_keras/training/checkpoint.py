"""One file with everything an interrupted training needs, replaced atomically."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import numpy as np

from tsad_keras.files import read_arrays, write_arrays

logger = logging.getLogger(__name__)


class Checkpoint:
    """Arrays and a JSON state in one `.npz` file; no pickle.

    Args:
        path: The file.
        fingerprint: A text that is equal only for the same settings and the same data. A
            checkpoint with another one is not used.
    """

    def __init__(self, path: str | os.PathLike[str], fingerprint: str) -> None:
        self.path = Path(path)
        self.fingerprint = fingerprint

    def save(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        """Replaces the file; a kill at any moment leaves the old one or the new one whole."""
        header = {"fingerprint": self.fingerprint, "state": state}
        write_arrays(self.path, arrays, header)

    def load(self) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """Returns arrays and state, or None if there is no usable checkpoint (the log says why)."""
        if not self.path.exists():
            return None
        try:
            arrays, header = read_arrays(self.path)
            fingerprint, state = header["fingerprint"], header["state"]
        except (ValueError, KeyError) as error:
            logger.warning("checkpoint %s cannot be read (%s): starting anew", self.path, error)
            return None
        if fingerprint != self.fingerprint:
            logger.warning(
                "checkpoint %s belongs to other settings or other data: starting anew", self.path
            )
            return None
        return arrays, state

    def delete(self) -> None:
        """Removes the file, once its training has ended and its result is stored."""
        self.path.unlink(missing_ok=True)
