"""The list of alarms: contiguous alarmed time steps, with what stood out in each."""

from __future__ import annotations

from typing import Any

import numpy as np

from tsad_keras.datasets.base import TimeSeriesDataset
from tsad_keras.evaluation import labels_to_events
from tsad_keras.reporting.scored_series import ScoredSeries

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
    return describe_alarms(scored_test_part(dataset, contributions, scores, predictions))


def scored_test_part(
    dataset: TimeSeriesDataset,
    contributions: np.ndarray,
    scores: np.ndarray,
    predictions: np.ndarray,
) -> ScoredSeries:
    """The test part of a dataset with what was said about it; arguments as `list_alarms`."""
    return ScoredSeries(
        values=dataset.test,
        feature_names=dataset.feature_names,
        train_mean=np.nanmean(dataset.train, axis=0),
        contributions=contributions,
        scores=scores,
        predictions=predictions,
        timestamps=dataset.test_timestamps,
        labels=dataset.test_labels,
    )


def describe_alarms(series: ScoredSeries) -> list[dict[str, Any]]:
    """`list_alarms` of a series whose training rows are not at hand."""
    alarms = []
    for start, end in labels_to_events(series.predictions):
        peak = int(start + np.argmax(series.scores[start:end]))
        hits = None if series.labels is None else bool(series.labels[start:end].any())
        alarms.append(
            {
                "start": int(start),
                "end": int(end),
                "start_time": time_text(series.timestamps, start),
                "end_time": time_text(series.timestamps, end - 1),
                "length": int(end - start),
                "peak_row": peak,
                "peak_score": float(series.scores[peak]),
                "hits_event": hits,
                "top_features": _top_features(series, peak),
            }
        )
    return alarms


def group_alarms(alarms: list[dict[str, Any]], max_gap: int) -> list[dict[str, Any]]:
    """Merges alarms with few steps between them, which are most often fragments of one event.

    Args:
        alarms: All alarms in time order, as `list_alarms` gives them.
        max_gap: Alarms with at most so many time steps between them are one group.

    Returns:
        One dict a group, with the keys of an alarm and `num_alarms`; peak and top features are
        those of its highest alarm, `length` counts the steps from its first to its last row.

    Example:
        >>> alarms = [{"start": 0, "end": 2}, {"start": 5, "end": 6}, {"start": 20, "end": 21}]
        >>> for alarm in alarms:
        ...     alarm |= dict.fromkeys(["start_time", "end_time", "hits_event"])
        ...     alarm["peak_score"] = 1.0
        >>> [(group["start"], group["end"]) for group in group_alarms(alarms, 3)]
        [(0, 6), (20, 21)]
    """
    members: list[list[dict[str, Any]]] = []
    for alarm in alarms:
        if members and alarm["start"] - members[-1][-1]["end"] <= max_gap:
            members[-1].append(alarm)
        else:
            members.append([alarm])
    groups = []
    for group in members:
        first, last = group[0], group[-1]
        highest = max(group, key=lambda alarm: alarm["peak_score"])
        hits = [alarm["hits_event"] for alarm in group]
        groups.append(
            {
                **highest,
                **{key: first[key] for key in ("start", "start_time")},
                **{key: last[key] for key in ("end", "end_time")},
                "length": last["end"] - first["start"],
                "hits_event": None if None in hits else any(hits),
                "num_alarms": len(group),
            }
        )
    return groups


def largest_alarms(alarms: list[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """The alarms (or groups of such) with the highest peaks, back in time order."""
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


def _top_features(series: ScoredSeries, row: int) -> list[dict[str, Any]]:
    contributions, values = series.contributions[row], series.values[row]
    total = float(contributions.sum())
    top = np.argsort(-contributions, kind="stable")[:NUM_TOP_FEATURES]
    return [
        {
            "feature": series.feature_names[index],
            "share": float(contributions[index]) / total if total > 0 else 0.0,
            "value": None if np.isnan(values[index]) else float(values[index]),
            "train_mean": float(series.train_mean[index]),
        }
        for index in top
    ]
