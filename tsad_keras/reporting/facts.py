"""Facts for a report: about the data, the scores, the machine."""

from __future__ import annotations

import dataclasses
import hashlib
import platform
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from tsad_keras.datasets.base import TimeSeriesDataset
from tsad_keras.evaluation import labels_to_events
from tsad_keras.reporting.alarms import time_text
from tsad_keras.version import __version__


def data_fingerprint(dataset: TimeSeriesDataset) -> str:
    """A hash that is equal only for the same values, labels, segments, times, names and notes."""
    digest = hashlib.sha256()
    texts = (dataset.name, dataset.entity, *dataset.feature_names, *dataset.notes)
    digest.update(repr(texts).encode())
    segments = [dataclasses.astuple(segment) for segment in dataset.test_segments]
    digest.update(repr(segments).encode())
    arrays = (
        dataset.train,
        dataset.test,
        dataset.test_labels,
        dataset.train_timestamps,
        dataset.test_timestamps,
    )
    for array in arrays:
        if array is None:
            digest.update(b"none")
            continue
        digest.update(f"{array.dtype.str} {array.shape}".encode())
        numeric = array if array.dtype.kind != "O" else array.astype(str)
        digest.update(np.ascontiguousarray(numeric).tobytes())
    return digest.hexdigest()


def data_facts(dataset: TimeSeriesDataset) -> dict[str, Any]:
    """Sizes, missing values, events and notes of a dataset; no key is left out without labels."""
    facts: dict[str, Any] = {
        "name": dataset.name,
        "entity": dataset.entity,
        "num_train": dataset.num_train,
        "num_test": dataset.num_test,
        "num_features": dataset.num_features,
        "missing_train": float(np.isnan(dataset.train).mean()),
        "missing_test": float(np.isnan(dataset.test).mean()),
        "test_starts": time_text(dataset.test_timestamps, 0),
        "test_ends": time_text(dataset.test_timestamps, -1),
        "has_labels": dataset.test_labels is not None,
        "anomaly_ratio": dataset.anomaly_ratio,
        "num_events": None,
        "median_event_length": None,
        "notes": list(dataset.notes),
        "is_stand_in": is_stand_in(dataset.notes),
        "fingerprint": data_fingerprint(dataset),
    }
    if dataset.test_labels is not None:
        events = labels_to_events(dataset.test_labels)
        facts["num_events"] = len(events)
        if len(events):
            facts["median_event_length"] = float(np.median(events[:, 1] - events[:, 0]))
    return facts


def is_stand_in(notes: Sequence[str]) -> bool:
    """Whether a note says that the features are not the published ones.

    Example:
        >>> is_stand_in(["STAND-IN, not PSM: generated"]), is_stand_in(["labels go by row"])
        (True, False)
    """
    return any("stand-in" in note.lower() for note in notes)


def distribution(values: np.ndarray) -> dict[str, float] | None:
    """Mean, standard deviation, quantiles and maximum; None of nothing.

    Example:
        >>> distribution(np.arange(101.0))["quantile_95"]
        95.0
    """
    if len(values) == 0:
        return None
    quantiles = np.quantile(values, [0.5, 0.95, 0.99])
    return {
        "mean": float(np.mean(values)),
        "std": float(np.std(values)),
        "quantile_50": float(quantiles[0]),
        "quantile_95": float(quantiles[1]),
        "quantile_99": float(quantiles[2]),
        "max": float(np.max(values)),
    }


def distributions(
    parts: dict[str, np.ndarray], test_labels: np.ndarray | None
) -> dict[str, dict[str, float] | None]:
    """`distribution` of each part, and of test's normal and anomalous steps if these are known.

    Args:
        parts: Values `(num_timesteps,)` by name; has a key `test`.
        test_labels: `(num_test,)` 0/1 or None.
    """
    result = {name: distribution(values) for name, values in parts.items()}
    if test_labels is not None:
        result["test, normal"] = distribution(parts["test"][test_labels == 0])
        result["test, anomalous"] = distribution(parts["test"][test_labels == 1])
    return result


def feature_facts(
    dataset: TimeSeriesDataset, contributions: np.ndarray, predictions: np.ndarray
) -> list[dict[str, Any]]:
    """What each feature looked like on train, and its part in the scores.

    Args:
        dataset: The data.
        contributions: `(num_test, num_features)`.
        predictions: `(num_test,)` 0/1.

    Returns:
        One dict a feature with `feature, train_mean, train_std, missing_train, missing_test,
        score_share` (of all test scores) and `alarm_share` (of the scores of alarmed steps; None
        without alarms).
    """
    alarmed = contributions[np.asarray(predictions, bool)].sum(axis=0)
    overall = contributions.sum(axis=0)
    mean, std = np.nanmean(dataset.train, axis=0), np.nanstd(dataset.train, axis=0)
    missing = [np.isnan(part).mean(axis=0) for part in (dataset.train, dataset.test)]
    return [
        {
            "feature": name,
            "train_mean": float(mean[index]),
            "train_std": float(std[index]),
            "missing_train": float(missing[0][index]),
            "missing_test": float(missing[1][index]),
            "score_share": float(overall[index] / max(overall.sum(), 1e-300)),
            "alarm_share": float(alarmed[index] / alarmed.sum()) if alarmed.sum() > 0 else None,
        }
        for index, name in enumerate(dataset.feature_names)
    ]


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    found = {"tsad_keras": __version__, "python": platform.python_version()}
    for package in ("tensorflow", "keras", "numpy", "scipy", "scikit-learn"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:  # tensorflow has several distribution names
            module = sys.modules.get(package)
            found[package] = getattr(module, "__version__", "unknown")
    return found


def peak_memory_mb() -> float | None:
    """Largest resident memory of this process so far in MB (10^6 bytes); None where unknown."""
    try:  # Linux: `getrusage` would count in the process that started this one
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return round(int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6, 1)
    except (OSError, IndexError, ValueError):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6, 1)


def jsonable(value: Any) -> Any:
    """Plain Python values for JSON; NaN and infinity become None.

    Example:
        >>> jsonable({"a": np.float32(0.5), "b": [float("nan"), np.int64(2)], "c": (True,)})
        {'a': 0.5, 'b': [None, 2], 'c': [True]}
    """
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    if isinstance(value, np.ndarray):
        return jsonable(value.tolist())
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
