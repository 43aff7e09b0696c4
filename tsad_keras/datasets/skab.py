"""SKAB, Skoltech Anomaly Benchmark: a water circuit with two valves, 8 sensors, one row a second.

Files, as published in waico/SKAB (folder `data`): `valve1/*.csv`, `valve2/*.csv`, `other/*.csv` and
`anomaly-free/anomaly-free.csv`; semicolon-separated, columns `datetime`, eight sensors, `anomaly`,
`changepoint` (the anomaly-free file lacks the last two). The first 400 rows of each file are the
training part, the rest is the test part, as in the benchmark's own protocol.

Reference:
    Katser, Kozitsin: Skoltech Anomaly Benchmark (SKAB), 2020, https://github.com/waico/SKAB.
"""

from __future__ import annotations

import os

import numpy as np
import pandas as pd

from tsad_keras.datasets.base import TimeSeriesDataset
from tsad_keras.datasets.published import (
    choose_entity,
    damaged,
    find_folder,
    natural_key,
    read_published_csv,
    to_labels,
    to_matrix,
)

NUM_TRAIN = 400
ANOMALY_FREE = "anomaly-free/anomaly-free"
FOLDERS = ("valve1", "valve2", "other", "anomaly-free")


def list_entities(
    data_dir: str | os.PathLike[str] = "data", include_anomaly_free: bool = False
) -> list[str]:
    """Returns the experiments that are there, such as `"valve1/0"`.

    Args:
        data_dir: Folder that holds `SKAB/`, or that folder itself.
        include_anomaly_free: Whether to list the experiment without an anomaly too.
    """
    folder = find_folder("skab", data_dir, "SKAB", "valve1")
    names = [f"{part}/{path.stem}" for part in FOLDERS for path in folder.glob(f"{part}/*.csv")]
    if not include_anomaly_free:
        names = [name for name in names if name != ANOMALY_FREE]
    return sorted(names, key=lambda name: (FOLDERS.index(name.split("/")[0]), natural_key(name)))


def load(
    entity: str | None = None,
    data_dir: str | os.PathLike[str] = "data",
    include_anomaly_free: bool = False,
) -> TimeSeriesDataset:
    """Reads one experiment.

    Args:
        entity: For instance `"valve1/0"`; `"anomaly-free/anomaly-free"` works when named.
        data_dir: Folder that holds `SKAB/`, or that folder itself.
        include_anomaly_free: Whether the anomaly-free experiment counts among the entities.

    Returns:
        The dataset; times are datetime64[ns].

    Raises:
        InputError: If files are missing or not as published.
    """
    include_anomaly_free = include_anomaly_free or entity == ANOMALY_FREE
    entity = choose_entity("skab", entity, list_entities(data_dir, include_anomaly_free))
    path = find_folder("skab", data_dir, "SKAB", "valve1") / f"{entity}.csv"
    frame = read_published_csv("skab", path, data_dir, sep=";")
    if "datetime" not in frame.columns:
        raise damaged("skab", path, "it has no column 'datetime'")
    if len(frame) <= NUM_TRAIN:
        raise damaged("skab", path, f"{len(frame)} rows, expected more than {NUM_TRAIN}")
    sensors = frame.drop(columns=["datetime", "anomaly", "changepoint"], errors="ignore")
    try:
        times = pd.to_datetime(frame["datetime"], format="ISO8601").to_numpy("datetime64[ns]")
    except ValueError as error:
        raise damaged("skab", path, "column 'datetime' holds something else") from error
    values = to_matrix("skab", path, sensors)
    num_test = len(frame) - NUM_TRAIN
    if "anomaly" in frame.columns:
        labels = to_labels("skab", path, frame["anomaly"][NUM_TRAIN:], num_test)
    elif entity == ANOMALY_FREE:
        labels = np.zeros(num_test, np.int8)
    else:
        raise damaged("skab", path, "it has no column 'anomaly'")
    return TimeSeriesDataset(
        name="skab",
        entity=entity,
        train=values[:NUM_TRAIN],
        test=values[NUM_TRAIN:],
        test_labels=labels,
        feature_names=tuple(sensors.columns),
        train_timestamps=times[:NUM_TRAIN],
        test_timestamps=times[NUM_TRAIN:],
    )
