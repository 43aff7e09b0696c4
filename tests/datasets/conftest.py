"""Small files in the exact formats in which each dataset is published."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

NUM_ROWS = 60


@pytest.fixture(scope="session")
def real_data_dir() -> Path:
    """Folder with real data, named by TSAD_DATA_DIR; skips where there is none."""
    folder = os.environ.get("TSAD_DATA_DIR")
    if not folder or not Path(folder).is_dir():
        pytest.skip("TSAD_DATA_DIR names no folder with real data")
    return Path(folder)


def write_psm(folder: Path) -> None:
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    columns = ["timestamp_(min)"] + [f"feature_{i}" for i in range(25)]
    for part, first in (("train", 0), ("test", NUM_ROWS)):
        times = np.arange(first, first + NUM_ROWS)
        frame = pd.DataFrame(
            np.column_stack([times, random.random((NUM_ROWS, 25))]), columns=columns
        )
        frame[columns[0]] = times
        if part == "train":
            frame.iloc[3, 4] = np.nan
        frame.to_csv(folder / f"{part}.csv", index=False)
    labels = pd.DataFrame({columns[0]: times.astype(float), "label": (times % 60 > 49).astype(int)})
    labels.to_csv(folder / "test_label.csv", index=False)


def write_smd(folder: Path) -> None:
    random = np.random.default_rng(1)
    for part in ("train", "test", "test_label", "interpretation_label"):
        (folder / part).mkdir(parents=True)
    for machine in ("machine-1-10", "machine-1-2", "machine-1-1"):
        for part in ("train", "test"):
            path = folder / part / f"{machine}.txt"
            np.savetxt(path, random.random((NUM_ROWS, 38)), fmt="%.6f", delimiter=",")
        labels = np.zeros(NUM_ROWS, int)
        labels[10:15] = labels[40:42] = 1
        np.savetxt(folder / "test_label" / f"{machine}.txt", labels, fmt="%d")
        (folder / "interpretation_label" / f"{machine}.txt").write_text("10-15:1,38\n40-42:3,5,4\n")


def write_smap_msl(folder: Path) -> None:
    random = np.random.default_rng(2)
    rows = [
        ("P-1", "SMAP", "[[5, 9], [20, 22]]", "[contextual, point]", NUM_ROWS),
        ("P-2", "SMAP", "[[5, 8]]", "[point]", NUM_ROWS + 1),
        ("P-10", "SMAP", "[[0, 0]]", "[point]", NUM_ROWS),
        ("P-2", "SMAP", "[[7, 12]]", "[point]", NUM_ROWS + 1),
        ("C-1", "MSL", f"[[50, {NUM_ROWS - 1}]]", "[contextual]", NUM_ROWS),
        ("C-2", "MSL", f"[[50, {NUM_ROWS}]]", "[contextual]", NUM_ROWS + 1),
    ]
    for part in ("train", "test"):
        (folder / part).mkdir(parents=True)
        for channel, spacecraft, *_ in rows:
            values = random.integers(0, 2, (NUM_ROWS, 25 if spacecraft == "SMAP" else 55)).astype(
                float
            )
            values[:, 0] = random.random(NUM_ROWS)
            np.save(folder / part / f"{channel}.npy", values)
    columns = ["chan_id", "spacecraft", "anomaly_sequences", "class", "num_values"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "labeled_anomalies.csv", index=False)


def write_skab(folder: Path) -> None:
    random = np.random.default_rng(3)
    sensors = [
        "Accelerometer1RMS",
        "Accelerometer2RMS",
        "Current",
        "Pressure",
        "Temperature",
        "Thermocouple",
        "Voltage",
        "Volume Flow RateRMS",
    ]
    for entity in ("valve1/0", "valve1/10", "valve1/2", "other/1", "anomaly-free/anomaly-free"):
        path = folder / f"{entity}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        times = pd.date_range("2020-03-09 10:14:33", periods=400 + NUM_ROWS, freq="s")
        frame = pd.DataFrame(random.random((len(times), 8)), columns=sensors)
        frame.insert(0, "datetime", times.strftime("%Y-%m-%d %H:%M:%S"))
        if not entity.startswith("anomaly-free"):
            frame["anomaly"] = (np.arange(len(times)) >= 450).astype(float)
            frame["changepoint"] = 0.0
        frame.to_csv(path, sep=";", index=False)


def write_own(folder: Path) -> None:
    random = np.random.default_rng(4)
    for entity in ("server-10", "server-2"):
        (folder / entity).mkdir(parents=True)
        times = pd.date_range("2021-01-01", periods=2 * NUM_ROWS, freq="5min").strftime(
            "%Y-%m-%dT%H:%M"
        )
        frame = pd.DataFrame(random.random((2 * NUM_ROWS, 3)), columns=["cpu", "memory", "disk"])
        frame.insert(0, "timestamp", times)
        frame[:NUM_ROWS].to_csv(folder / entity / "train.csv", index=False)
        frame[NUM_ROWS:].to_csv(folder / entity / "test.csv", index=False)
        labels = pd.DataFrame({"timestamp": times[NUM_ROWS:], "label": [0, 1] * (NUM_ROWS // 2)})
        labels.to_csv(folder / entity / "test_label.csv", index=False)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data folder with a small stand-in of every dataset, in the published formats."""
    write_psm(tmp_path / "PSM")
    write_smd(tmp_path / "SMD")
    write_smap_msl(tmp_path / "SMAP_MSL")
    write_skab(tmp_path / "SKAB")
    write_own(tmp_path / "own")
    return tmp_path
