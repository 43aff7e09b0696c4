"""SMD, Server Machine Dataset: 28 servers, 38 metrics each, one row a minute.

Files, as published in NetManAIOps/OmniAnomaly: `train/`, `test/` (comma-separated, no header),
`test_label/` (one 0 or 1 a line) and `interpretation_label/` (one true segment a line), each with
one `machine-<group>-<index>.txt` a server.

A line `246-252:1,2,6` of `interpretation_label` says that the segment from test row 246 up to,
**not including**, row 252 (rows from 0) touches the features 1, 2 and 6 (from **1**). That reading
is the one under which every segment is exactly a run of ones in `test_label`; a machine in which
they are not gets a note.

Reference:
    Su et al.: Robust anomaly detection for multivariate time series through stochastic recurrent
    neural network, KDD 2019.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from tsad_keras.datasets.base import AnomalySegment, TimeSeriesDataset
from tsad_keras.datasets.published import (
    choose_entity,
    damaged,
    find_folder,
    natural_key,
    read_published_csv,
    to_labels,
    to_matrix,
)

_SEGMENT = re.compile(r"(\d+)-(\d+):(\d+(?:,\d+)*)")


def list_entities(data_dir: str | os.PathLike[str] = "data") -> list[str]:
    """Returns the machines that are there, `machine-1-2` before `machine-1-10`."""
    folder = find_folder("smd", data_dir, "SMD", "train")
    return sorted((path.stem for path in folder.glob("train/machine-*.txt")), key=natural_key)


def load(entity: str | None = None, data_dir: str | os.PathLike[str] = "data") -> TimeSeriesDataset:
    """Reads one machine.

    Args:
        entity: For instance `"machine-1-6"`; may be None if only one machine is there.
        data_dir: Folder that holds `SMD/`, or that folder itself.

    Returns:
        The dataset, with segments and feature labels where `interpretation_label` is there.

    Raises:
        InputError: If files are missing or not as published.
    """
    entity = choose_entity("smd", entity, list_entities(data_dir))
    folder = find_folder("smd", data_dir, "SMD", "train")
    train, test, label_column = (
        to_matrix("smd", path, read_published_csv("smd", path, data_dir, header=None))
        for path in (folder / part / f"{entity}.txt" for part in ("train", "test", "test_label"))
    )
    path = folder / "test_label" / f"{entity}.txt"
    labels = to_labels("smd", path, label_column[:, 0], len(test))
    segments, notes = _read_segments(folder, entity, *test.shape)
    notes += _disagreement(segments, labels)
    feature_labels = np.zeros(test.shape, bool) if segments else None
    for segment in segments:
        feature_labels[segment.start : segment.end, list(segment.features)] = True
    return TimeSeriesDataset(
        name="smd",
        entity=entity,
        train=train,
        test=test,
        test_labels=labels,
        feature_names=tuple(f"feature_{index + 1}" for index in range(train.shape[1])),
        test_feature_labels=feature_labels,
        test_segments=segments,
        notes=notes,
    )


def _read_segments(
    folder: Path, entity: str, num_test: int, num_features: int
) -> tuple[tuple[AnomalySegment, ...], tuple[str, ...]]:
    """Reads the segments in time order, and a note if the file is not there."""
    path = folder / "interpretation_label" / f"{entity}.txt"
    if not path.is_file():
        return (), ("no interpretation_label file: which features the segments touch is unknown",)
    segments = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if not line.strip():
            continue
        match = _SEGMENT.fullmatch("".join(line.split()))
        if match is None:
            raise damaged("smd", path, f"line {number} is not of the form start-end:feature,...")
        start, end = int(match[1]), int(match[2])
        features = sorted({int(feature) - 1 for feature in match[3].split(",")})
        if not start < end <= num_test or features[0] < 0 or features[-1] >= num_features:
            raise damaged(
                "smd", path, f"line {number} lies outside {num_test} rows, {num_features} features"
            )
        segments.append(AnomalySegment(start, end, features=tuple(features)))
    return tuple(sorted(segments, key=lambda segment: segment.start)), ()


def _disagreement(segments: tuple[AnomalySegment, ...], labels: np.ndarray) -> tuple[str, ...]:
    """A note if the segments are not the runs of ones in `test_label`; both stay as published."""
    if not segments:
        return ()
    changes = np.flatnonzero(np.diff(np.concatenate([[0], labels, [0]])))
    runs = set(zip(changes[::2].tolist(), changes[1::2].tolist(), strict=True))
    listed = {(segment.start, segment.end) for segment in segments}
    if listed == runs:
        return ()
    return (
        f"interpretation_label lists {len(listed - runs)} segments that are no run of ones in "
        f"test_label, and leaves out {len(runs - listed)} of the {len(runs)} runs",
    )
