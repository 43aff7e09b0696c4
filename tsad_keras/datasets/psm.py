"""PSM, Pooled Server Metrics: one pool of eBay servers, 25 metrics, one row a minute.

Files, as published in eBay/RANSynCoders (folder `data`): `train.csv`, `test.csv` (first column
`timestamp_(min)`, then the features; train has empty cells) and `test_label.csv`.

Reference:
    Abdulaal, Liu, Lancewicki: Practical approach to asynchronous multivariate time series anomaly
    detection and localization, KDD 2021.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import numpy as np

from tsad_keras.datasets.base import TimeSeriesDataset
from tsad_keras.datasets.published import (
    choose_entity,
    damaged,
    find_folder,
    read_published_csv,
    to_labels,
    to_matrix,
)

logger = logging.getLogger(__name__)

TIME_COLUMN = "timestamp_(min)"


def list_entities(data_dir: str | os.PathLike[str] = "data") -> list[str]:
    """Returns `["psm"]`: PSM is one series."""
    find_folder("psm", data_dir, "PSM", "train.csv")
    return ["psm"]


def load(entity: str | None = None, data_dir: str | os.PathLike[str] = "data") -> TimeSeriesDataset:
    """Reads PSM.

    Args:
        entity: None or `"psm"`.
        data_dir: Folder that holds `PSM/`, or that folder itself.

    Returns:
        The dataset; times are minutes since the start (float64). If a file `stand_in.json` lies
        beside the data, its `"note"` is in `notes`, so that no report passes off other features as
        the published ones.

    Raises:
        InputError: If files are missing or not as published.
    """
    choose_entity("psm", entity, ["psm"])
    folder = find_folder("psm", data_dir, "PSM", "train.csv")
    parts = {}
    for part in ("train", "test"):
        path = folder / f"{part}.csv"
        frame = read_published_csv("psm", path, data_dir)
        if frame.columns[0] != TIME_COLUMN or len(frame.columns) < 2:
            raise damaged("psm", path, f"first column {frame.columns[0]!r}, not {TIME_COLUMN!r}")
        parts[part] = to_matrix("psm", path, frame), tuple(frame.columns)
    (train, columns), (test, test_columns) = parts["train"], parts["test"]
    if columns != test_columns:
        raise damaged("psm", folder / "test.csv", "its columns are not those of train.csv")
    notes = _stand_in_notes(folder)
    labels, label_notes = _read_labels(folder, data_dir, test[:, 0])
    return TimeSeriesDataset(
        name="psm",
        entity="psm",
        train=train[:, 1:],
        test=test[:, 1:],
        test_labels=labels,
        feature_names=columns[1:],
        train_timestamps=train[:, 0],
        test_timestamps=test[:, 0],
        notes=notes + label_notes,
    )


def _read_labels(
    folder: Path, data_dir: str | os.PathLike[str], test_times: np.ndarray
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Reads `test_label.csv`; a note tells if its times are not those of the test rows."""
    path = folder / "test_label.csv"
    frame = read_published_csv("psm", path, data_dir)
    if "label" not in frame.columns:
        raise damaged("psm", path, "it has no column 'label'")
    labels = to_labels("psm", path, frame["label"], len(test_times))
    if TIME_COLUMN in frame.columns and not np.array_equal(
        frame[TIME_COLUMN].to_numpy(np.float64), test_times, equal_nan=True
    ):
        note = "the times in test_label.csv differ from those in test.csv; labels go by row"
        logger.warning("%s: %s", path, note)
        return labels, (note,)
    return labels, ()


def _stand_in_notes(folder: Path) -> tuple[str, ...]:
    """Returns the note of `stand_in.json`, if that file is there."""
    path = folder / "stand_in.json"
    if not path.exists():
        return ()
    try:
        note = json.loads(path.read_text(encoding="utf-8"))["note"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged("psm", path, 'expected JSON of the form {"note": "..."}') from error
    return (str(note),)
