"""A fitted detector on disk: one `.npz` file with a JSON header, checked by a hash."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tsad_keras.errors import InputError
from tsad_keras.files import read_arrays, write_arrays, write_json
from tsad_keras.version import __version__

# Higher also where the score of the same arrays has changed: thresholds belong to scores.
FORMAT_VERSION = 8
ENTITIES_FORMAT_VERSION = 9  # with `entities`: unknown to what knows 8 only; all else is the same
FILE_NAME = "detector.npz"
RATE_FILE = "data.json"


def write_bundle(directory: Path, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> None:
    """Writes `detector.npz` and, for readers, `config.json`; each appears whole or not at all.

    Args:
        directory: Created if missing.
        arrays: Named arrays.
        metadata: JSON-serialisable; has a key `config`, and `entities` if it is of several.

    Raises:
        InputError: If the folder cannot be written to.
    """
    header = {
        "format_version": _format_of(metadata),
        "package_version": __version__,
        **metadata,
    }
    write_arrays(directory / FILE_NAME, arrays, header)
    write_json(directory / "config.json", metadata["config"])


def read_bundle(directory: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Reads what `write_bundle` wrote.

    Raises:
        InputError: If the folder or file is missing, damaged, or of an unknown format.
    """
    path = directory / FILE_NAME
    if not path.is_file():
        raise InputError(
            f"{path} does not exist, expected the folder of a trained model; check --model-dir or "
            "train one first"
        )
    try:
        arrays, header = read_arrays(path)
        format_version = header["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"the model file {path} is damaged ({error}); train again or restore it"
        ) from error
    if format_version != _format_of(header):
        raise InputError(
            f"the model file {path} has format {format_version}, expected {_format_of(header)}; "
            "load it with the version of tsad_keras that wrote it, or train again"
        )
    return arrays, header


def _format_of(metadata: dict[str, Any]) -> int:
    return ENTITIES_FORMAT_VERSION if "entities" in metadata else FORMAT_VERSION


def write_rate(directory: Path, rate: dict[str, Any] | None) -> None:
    """Notes beside a model how far apart in time the rows are that it was trained on.

    Args:
        directory: The model's folder.
        rate: `interval` and `unit`; None if the rows had no times.
    """
    if rate is None:
        (directory / RATE_FILE).unlink(missing_ok=True)
    else:
        write_json(directory / RATE_FILE, rate)


def read_rate(directory: Path) -> dict[str, Any] | None:
    """What `write_rate` wrote; None if there is nothing, or nothing of use."""
    try:
        rate = json.loads((directory / RATE_FILE).read_text(encoding="utf-8"))
        return {"interval": float(rate["interval"]), "unit": str(rate["unit"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None
