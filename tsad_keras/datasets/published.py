"""What the readers of published files share: finding, reading, and telling what is missing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tsad_keras.errors import InputError


def natural_key(text: str) -> tuple[Any, ...]:
    """Sort key that puts `machine-1-2` before `machine-1-10`.

    Example:
        >>> sorted(["machine-1-10", "machine-1-2"], key=natural_key)
        ['machine-1-2', 'machine-1-10']
    """
    parts = re.split(r"(\d+)", text)
    return tuple((int(part), part) if index % 2 else part for index, part in enumerate(parts))


def find_folder(name: str, data_dir: str | os.PathLike[str], folder: str, marker: str) -> Path:
    """Finds a dataset's folder, given its parent or the folder itself.

    Args:
        name: Dataset name, for the message.
        data_dir: Folder that holds `folder`, or that folder under any name.
        folder: Published name of the folder, such as `"SMD"`.
        marker: File or folder inside by which it is recognised.

    Raises:
        InputError: Naming the missing path and both ways to mend it.
    """
    data_dir = Path(data_dir)
    for candidate in (data_dir / folder, data_dir):
        if (candidate / marker).exists():
            return candidate
    raise missing_file(name, data_dir / folder / marker, data_dir)


def missing_file(name: str, path: Path, data_dir: str | os.PathLike[str]) -> InputError:
    """Builds the error for a published file that is not there."""
    return InputError(
        f"{path} not found, expected the published {name} files there; fetch them with "
        f"`python -m tsad_keras download {name} --data-dir {data_dir}` or name the folder that "
        "holds them with --data-dir"
    )


def choose_entity(name: str, entity: str | None, entities: Iterable[str]) -> str:
    """Returns the entity asked for, or the only one there is.

    Raises:
        InputError: If it does not exist, or none was named and there are several.
    """
    known = list(entities)
    if entity is None and len(known) == 1:
        return known[0]
    listing = ", ".join(known)
    if entity is None:
        raise InputError(
            f"{name} has {len(known)} entities and none was named, expected one of: {listing}; "
            "name it with --entity"
        )
    if entity not in known:
        raise InputError(
            f"unknown entity {entity!r} of {name}, expected one of: {listing}; name one with "
            "--entity"
        )
    return entity


def read_published_csv(name: str, path: Path, data_dir: Any, **options: Any) -> pd.DataFrame:
    """Reads one published text file with pandas; `options` go to `pandas.read_csv`.

    Raises:
        InputError: If the file is missing, empty or damaged.
    """
    if not path.is_file():
        raise missing_file(name, path, data_dir)
    try:
        return pd.read_csv(path, **options)
    except (ValueError, OSError) as error:  # pandas' parser errors are ValueErrors
        reason = " ".join(str(error).split())
        raise damaged(name, path, reason) from error


def damaged(name: str, path: Path, reason: str) -> InputError:
    """Builds the error for a published file whose content is not what was published."""
    return InputError(
        f"{path} is not the published {name} file ({reason}); delete it and fetch it again with "
        f"`python -m tsad_keras download {name}`"
    )


def to_matrix(name: str, path: Path, frame: pd.DataFrame) -> np.ndarray:
    """Returns the frame's values, shape (num_timesteps, num_features), float64; empty cells = NaN.

    Raises:
        InputError: If a column holds text.
    """
    for column in frame.columns:
        if not pd.api.types.is_numeric_dtype(frame[column]):
            raise damaged(name, path, f"column {column!r} holds text")
    if frame.empty:
        raise damaged(name, path, "it holds no rows")
    return frame.to_numpy(np.float64)


def to_labels(name: str, path: Path, values: Any, num_test: int) -> np.ndarray:
    """Returns 0/1 labels of shape (num_test,), int8, or raises `InputError`."""
    labels = np.asarray(values)
    if labels.shape != (num_test,):
        raise damaged(name, path, f"{len(labels)} labels for {num_test} test rows")
    if not np.isin(labels, (0, 1)).all():
        raise damaged(name, path, "labels other than 0 and 1")
    return labels.astype(np.int8)
