"""SMAP and MSL: telemetry of a satellite and of a Mars rover, one channel a series.

Files, as published with telemanom (here from imperial-qore/TranAD): `train/<channel>.npy`,
`test/<channel>.npy` (the first column is telemetry, the rest are one-hot encoded commands) and
`labeled_anomalies.csv` with the columns `chan_id, spacecraft, anomaly_sequences, class,
num_values`.

A sequence `[1850, 2030]` is anomalous from test row 1850 up to **and including** row 2030 (rows
from 0), telemanom's convention; rows behind the end of the array are cut off. A channel can have
several sequences and several rows (`P-2` has two); all of them count. `num_values` may be one more
than the array has rows.

Reference:
    Hundman et al.: Detecting spacecraft anomalies using LSTMs and nonparametric dynamic
    thresholding, KDD 2018.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import numpy as np
import pandas as pd

from tsad_keras.datasets.base import AnomalySegment, TimeSeriesDataset
from tsad_keras.datasets.published import (
    choose_entity,
    damaged,
    find_folder,
    missing_file,
    natural_key,
    read_published_csv,
)

logger = logging.getLogger(__name__)

LABEL_FILE = "labeled_anomalies.csv"
COLUMNS = ("chan_id", "spacecraft", "anomaly_sequences", "class", "num_values")


def list_entities(name: str, data_dir: str | os.PathLike[str] = "data") -> list[str]:
    """Returns the labelled channels of one spacecraft that are there, in natural order.

    Args:
        name: `"smap"` or `"msl"`.
        data_dir: Folder that holds `SMAP_MSL/`, or that folder itself.
    """
    folder = find_folder(name, data_dir, "SMAP_MSL", LABEL_FILE)
    labelled = sorted(set(_read_label_table(name, folder, data_dir)["chan_id"]), key=natural_key)
    present = [channel for channel in labelled if (folder / "train" / f"{channel}.npy").is_file()]
    if labelled and not present:
        raise missing_file(name, folder / "train" / f"{labelled[0]}.npy", data_dir)
    return present


def load(
    name: str, entity: str | None = None, data_dir: str | os.PathLike[str] = "data"
) -> TimeSeriesDataset:
    """Reads one channel.

    Args:
        name: `"smap"` or `"msl"`.
        entity: Channel, for instance `"C-1"`.
        data_dir: Folder that holds `SMAP_MSL/`, or that folder itself.

    Returns:
        The dataset; segments carry their class (`"point"`, `"contextual"`) as `kind`.

    Raises:
        InputError: If files are missing or not as published.
    """
    entity = choose_entity(name, entity, list_entities(name, data_dir))
    folder = find_folder(name, data_dir, "SMAP_MSL", LABEL_FILE)
    rows = _read_label_table(name, folder, data_dir).query("chan_id == @entity")
    train, test = (
        _read_array(name, folder / part / f"{entity}.npy", data_dir) for part in ("train", "test")
    )
    segments = [
        segment
        for row in rows.to_dict("records")
        for segment in _parse_segments(name, folder / LABEL_FILE, row, len(test))
    ]
    labels = np.zeros(len(test), np.int8)
    for segment in segments:
        labels[segment.start : segment.end] = 1
    num_values = int(rows["num_values"].iloc[0])
    notes = ()
    if num_values - len(test) not in (0, 1):
        notes = (f"{LABEL_FILE} tells {num_values} test rows, the array has {len(test)}",)
        logger.warning("%s %s: %s", name, entity, notes[0])
    num_commands = train.shape[1] - 1
    return TimeSeriesDataset(
        name=name,
        entity=entity,
        train=train,
        test=test,
        test_labels=labels,
        feature_names=("telemetry", *(f"command_{index + 1}" for index in range(num_commands))),
        test_segments=tuple(sorted(segments, key=lambda segment: segment.start)),
        notes=notes,
    )


def _read_label_table(name: str, folder: Path, data_dir: str | os.PathLike[str]) -> pd.DataFrame:
    """Reads the rows of one spacecraft."""
    path = folder / LABEL_FILE
    table = read_published_csv(name, path, data_dir, dtype=str)
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing or table[list(COLUMNS)].isna().any(axis=None):
        raise damaged(name, path, f"expected filled columns {', '.join(COLUMNS)}")
    if not table["num_values"].str.fullmatch(r"\d+").all():
        raise damaged(name, path, "num_values are not whole numbers")
    return table[table["spacecraft"] == name.upper()]


def _read_array(name: str, path: Path, data_dir: str | os.PathLike[str]) -> np.ndarray:
    """Reads one array of shape (num_timesteps, num_features) as float64, never a pickle."""
    if not path.is_file():
        raise missing_file(name, path, data_dir)
    try:
        values = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise damaged(name, path, "not a plain .npy array") from error
    if not isinstance(values, np.ndarray) or values.ndim != 2 or values.dtype.kind not in "fiub":
        raise damaged(name, path, "expected an array of numbers (num_timesteps, num_features)")
    return values.astype(np.float64)


def _parse_segments(
    name: str, path: Path, row: dict[str, str], num_test: int
) -> list[AnomalySegment]:
    """Reads `[[1850, 2030], [2100, 2110]]` and `[point, contextual]` of one row."""
    channel, sequences_text, kinds_text = (row[column] for column in COLUMNS[:1] + COLUMNS[2:4])
    try:
        sequences = json.loads(sequences_text)
        pairs = [(int(start), int(last)) for start, last in sequences]
    except (ValueError, TypeError) as error:
        raise damaged(name, path, f"{channel}: sequences {sequences_text[:40]!r}") from error
    kinds = [kind.strip() for kind in kinds_text.strip("[] ").split(",")]
    kinds += [""] * (len(pairs) - len(kinds))
    for start, last in pairs:
        if not 0 <= start <= last or start >= num_test or last > num_test:
            raise damaged(name, path, f"{channel}: [{start}, {last}] in {num_test} test rows")
    return [
        AnomalySegment(start, min(last + 1, num_test), kind)
        for (start, last), kind in zip(pairs, kinds, strict=False)
    ]
