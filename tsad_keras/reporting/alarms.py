"""The list of alarms: contiguous alarmed time steps, with what stood out in each."""

from __future__ import annotations

from typing import Any

import numpy as np

from tsad_keras.datasets.base import TimeSeriesDataset
from tsad_keras.evaluation import labels_to_events

NUM_TOP_FEATURES = 3


def list_alarms(
    dataset: TimeSeriesDataset,
    contributions: np.ndarray,
    scores: np.ndarray,
    predictions: np.ndarray,
) -> list[dict[str, Any]]:
    """Describes every alarm, in time order.

    Args:
        dataset: The data; its labels serve only to say whether an alarm met a true event.
        contributions: `(num_timesteps, num_features)` of the test part; rows sum to the score.
        scores: `(num_timesteps,)`.
        predictions: `(num_timesteps,)` 0/1.

    Returns:
        One dict an alarm: `start` and `end` (test rows, end exclusive), `start_time` and `end_time`
        (of its first and last row; None without times), `length`, `peak_row`, `peak_score`,
        `hits_event` (None without labels) and `top_features`, a list of dicts with `feature`,
        `share` of the peak's score, `value` at the peak (None if missing) and `train_mean`.
    """
    train_mean = np.nanmean(dataset.train, axis=0)
    alarms = []
    for start, end in labels_to_events(predictions):
        peak = int(start + np.argmax(scores[start:end]))
        hits = None
        if dataset.test_labels is not None:
            hits = bool(dataset.test_labels[start:end].any())
        alarms.append(
            {
                "start": int(start),
                "end": int(end),
                "start_time": time_text(dataset.test_timestamps, start),
                "end_time": time_text(dataset.test_timestamps, end - 1),
                "length": int(end - start),
                "peak_row": peak,
                "peak_score": float(scores[peak]),
                "hits_event": hits,
                "top_features": _top_features(dataset, contributions[peak], peak, train_mean),
            }
        )
    return alarms


def largest_alarms(alarms: list[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """The alarms with the highest peaks, back in time order."""
    chosen = sorted(alarms, key=lambda alarm: -alarm["peak_score"])[:most]
    return sorted(chosen, key=lambda alarm: alarm["start"])


def time_text(timestamps: np.ndarray | None, row: int) -> str | None:
    """The time of a row as text: ISO 8601 to the second, or a plain number; None without times.

    Example:
        >>> time_text(np.array(["2024-01-01T00:05"], "datetime64[ns]"), 0)
        '2024-01-01 00:05:00'
        >>> time_text(np.array([132480.0]), 0)
        '132480'
    """
    if timestamps is None:
        return None
    value = timestamps[row]
    if isinstance(value, np.datetime64):
        return str(value.astype("datetime64[s]")).replace("T", " ")
    return f"{value:.12g}" if isinstance(value, (float, np.floating)) else str(value)


def _top_features(
    dataset: TimeSeriesDataset, contributions: np.ndarray, row: int, train_mean: np.ndarray
) -> list[dict[str, Any]]:
    total = float(contributions.sum())
    top = np.argsort(-contributions, kind="stable")[:NUM_TOP_FEATURES]
    values = dataset.test[row]
    return [
        {
            "feature": dataset.feature_names[index],
            "share": float(contributions[index]) / total if total > 0 else 0.0,
            "value": None if np.isnan(values[index]) else float(values[index]),
            "train_mean": float(train_mean[index]),
        }
        for index in top
    ]
