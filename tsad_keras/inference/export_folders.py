"""The folders of exported models: versions and metadata. Starts without TensorFlow."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tsad_keras.errors import InputError

METADATA_FILE = Path("assets") / "metadata.json"
FORMAT_VERSION = 5  # higher also where what is computed beside the graph has changed


def find_version(directory: str | os.PathLike[str], version: int | None = None) -> Path:
    """The version folder that `load_export` loads."""
    folder = Path(directory)
    if version is None and (folder / "saved_model.pb").is_file():
        return folder
    versions = list_versions(folder)
    if not versions:
        raise InputError(
            f"{folder} holds no exported version, expected a folder 1, 2 ... with saved_model.pb; "
            "run `export` first"
        )
    if version is not None and version not in versions:
        raise InputError(
            f"{folder} has no version {version}, expected one of "
            f"{', '.join(map(str, versions[-20:]))}"
        )
    return folder / str(versions[-1] if version is None else version)


def list_versions(folder: Path) -> list[int]:
    """Numbers of the complete versions in a folder, ascending."""
    if not folder.is_dir():
        return []
    names = [entry.name for entry in folder.iterdir() if (entry / "saved_model.pb").is_file()]
    return sorted(int(name) for name in names if is_version(name))


def is_version(name: str) -> bool:
    """Whether a folder's name is a version number, as a server reads it and `export` writes it."""
    return name.isascii() and name.isdecimal() and str(int(name)) == name and len(name) < 19


def read_metadata(directory: Path) -> dict[str, Any]:
    """Reads `assets/metadata.json` of a version folder.

    Raises:
        InputError: If it is missing, no JSON object, or of an unknown format.
    """
    path = directory / METADATA_FILE
    if not path.is_file():
        raise InputError(
            f"{path} does not exist, expected a folder that `export` wrote; check the path"
        )
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"))
        format_version = metadata["format_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error}); export again or restore it") from error
    if format_version != FORMAT_VERSION:
        raise InputError(
            f"{path} has format {format_version}, expected {FORMAT_VERSION}; export again"
        )
    return metadata
