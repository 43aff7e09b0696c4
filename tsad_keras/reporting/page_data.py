"""What the chart and the list of alarms of a page are drawn from."""

from __future__ import annotations

from typing import Any

import numpy as np

from tsad_keras.evaluation import labels_to_events
from tsad_keras.reporting.facts import jsonable
from tsad_keras.reporting.packing import LEVELS, pack, pack_feature, pack_times
from tsad_keras.reporting.scored_series import ScoredSeries

Summary = dict[str, Any]

MAX_RAW_CHARACTERS = 6_000_000  # of packed raw values in a page
MAX_NAMED = 20
_WHOLE_SHARE = 0.7  # of that bound, for whole series where not all of them fit


def page_data(
    summary: Summary, series: ScoredSeries, max_raw_characters: int = MAX_RAW_CHARACTERS
) -> dict[str, Any]:
    """The data of a page, ready for JSON.

    Scores are float32 and complete, whatever their number. Raw values are rounded (see
    `pack_feature`) and stored for as many features as fit, those behind the alarms first; where
    not all fit, further ones are stored around their alarms only.

    Args:
        summary: Of a run, with `threshold`, `config`, `alarms`, `alarm_groups` and their numbers.
        series: The rows that were scored.
        max_raw_characters: Bound of the text that all raw values take together.
    """
    groups, alarms = summary["alarm_groups"], summary["alarms"]
    features = [
        {"name": name, "mean": float(mean)}
        for name, mean in zip(series.feature_names, series.train_mean, strict=True)
    ]
    places = {name: index for index, name in enumerate(series.feature_names)}
    window_size = summary["config"]["window_size"]
    near = _rows_near([*groups, *alarms], places, window_size, series.num_timesteps)
    _store_values(features, series, near, max_raw_characters)
    return jsonable(
        {
            "num_rows": series.num_timesteps,
            "window_size": window_size,
            "threshold": summary["threshold"]["in_effect"],
            "scores": pack(series.scores.astype(np.float32)),
            "times": pack_times(series.timestamps),
            "alarm_runs": _runs(series.predictions),
            "true_runs": None if series.labels is None else _runs(series.labels),
            "num_alarms": summary["num_alarms"],
            "num_groups": summary["num_alarm_groups"],
            "alarms": [_alarm(alarm, places) for alarm in alarms],
            "groups": [_alarm(group, places) for group in groups],
            "features": features,
            "left_out": _left_out(features),
        }
    )


def _runs(flags: np.ndarray) -> dict[str, str]:
    """All runs of ones, however many: the chart shades them whether they are listed or not."""
    starts, ends = np.asarray(labels_to_events(flags), np.int32).reshape(-1, 2).T
    return {"starts": pack(starts), "ends": pack(ends)}


def _alarm(alarm: dict[str, Any], places: dict[str, int]) -> dict[str, Any]:
    times = None if alarm["start_time"] is None else [alarm["start_time"], alarm["end_time"]]
    return {
        "start": alarm["start"],
        "end": alarm["end"],
        "length": alarm["length"],
        "peak": alarm["peak_score"],
        "hits": alarm["hits_event"],
        "count": alarm.get("num_alarms", 1),
        "times": times,
        "top": [
            [places[top["feature"]], top["share"], top["value"], top["train_mean"]]
            for top in alarm["top_features"]
        ],
    }


def _order(series: ScoredSeries, near: list[np.ndarray]) -> list[int]:
    """Features behind alarms first; else by their part in the scores."""
    part = series.contributions.sum(axis=0)
    return sorted(range(len(part)), key=lambda place: (near[place].size == 0, -part[place], place))


def _store_values(
    features: list[dict[str, Any]], series: ScoredSeries, near: list[np.ndarray], most: int
) -> None:
    """Adds raw values to `features` while they fit.

    Args:
        features: In the order of `series`; get `data`, and `is_partial` if only part is stored.
        series: The rows.
        near: By feature, the rows around the alarms that it is a top feature of.
        most: Bound of the text.
    """
    whole, size = [], 0
    order = _order(series, near)
    for place in order:
        packed = pack_feature(series.values[:, place])
        size += len(packed["data"])
        whole.append(packed)
        if size > most:
            break
    while size > most or (len(whole) < len(order) and whole and size > _WHOLE_SHARE * most):
        size -= len(whole.pop()["data"])
    for place, packed in zip(order, whole, strict=False):
        features[place] |= packed
    for place in order[len(whole) :]:
        if near[place].size == 0:
            continue
        values = np.full(series.num_timesteps, np.nan)
        values[near[place]] = series.values[near[place], place]
        packed = pack_feature(values)  # what is missing takes next to no room
        if size + len(packed["data"]) <= most:
            features[place] |= {**packed, "is_partial": True}
            size += len(packed["data"])


def _rows_near(
    alarms: list[dict[str, Any]], places: dict[str, int], window_size: int, num_rows: int
) -> list[np.ndarray]:
    """For each feature the rows that the page shows when an alarm is clicked that it stands in."""
    flags: dict[int, np.ndarray] = {}
    for alarm in alarms:
        room = max(window_size, alarm["end"] - alarm["start"])
        for top in alarm["top_features"]:
            flag = flags.setdefault(places[top["feature"]], np.zeros(num_rows, bool))
            flag[max(0, alarm["start"] - room) : alarm["end"] + room] = True
    none = np.empty(0, np.int64)
    return [np.flatnonzero(flags[i]) if i in flags else none for i in range(len(places))]


def _left_out(features: list[dict[str, Any]]) -> str:
    text = f"Raw values are rounded to 1/{LEVELS:,} of the range of their central 99.8 %."
    partial = [feature["name"] for feature in features if feature.get("is_partial")]
    left = [feature["name"] for feature in features if "data" not in feature]
    if not partial and not left:
        return text
    text += " To keep the page small"
    if partial:
        text += f" those of {len(partial):,} of {len(features):,} features are stored around their "
        text += "alarms only" + (", and" if left else ".")
    if left:
        shown = ", ".join(left[:MAX_NAMED]) + (" ..." if len(left) > MAX_NAMED else "")
        text += f" those of {len(left):,} are left out: {shown}."
    return text
