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


def page_data(
    summary: Summary, series: ScoredSeries, max_raw_characters: int = MAX_RAW_CHARACTERS
) -> dict[str, Any]:
    """The data of a page, ready for JSON.

    Scores are float32 and complete, whatever their number. Raw values are rounded (see
    `pack_feature`) and stored for as many features as fit, those behind the alarms first.

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
    left_out = _store_values(features, series, _order(groups, series), max_raw_characters)
    places = {name: index for index, name in enumerate(series.feature_names)}
    return jsonable(
        {
            "num_rows": series.num_timesteps,
            "window_size": summary["config"]["window_size"],
            "threshold": summary["threshold"]["value"],
            "scores": pack(series.scores.astype(np.float32)),
            "times": pack_times(series.timestamps),
            "alarm_runs": _runs(series.predictions),
            "true_runs": None if series.labels is None else _runs(series.labels),
            "num_alarms": summary["num_alarms"],
            "num_groups": summary["num_alarm_groups"],
            "alarms": [_alarm(alarm, places) for alarm in alarms],
            "groups": [_alarm(group, places) for group in groups],
            "features": features,
            "left_out": left_out,
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


def _order(groups: list[dict[str, Any]], series: ScoredSeries) -> list[int]:
    """Features by their part in the peaks of the alarms; then by their part in all scores."""
    in_alarms = dict.fromkeys(series.feature_names, 0.0)
    for group in groups:
        for top in group["top_features"]:
            in_alarms[top["feature"]] += top["share"] * group["peak_score"]
    overall = series.contributions.sum(axis=0)
    names = series.feature_names
    return sorted(range(len(names)), key=lambda i: (-in_alarms[names[i]], -overall[i], i))


def _store_values(
    features: list[dict[str, Any]], series: ScoredSeries, order: list[int], most: int
) -> str:
    """Adds raw values to `features` in this order while they fit; says what was left out."""
    left = []
    for place in order:
        packed = None if most <= 0 else pack_feature(series.values[:, place])
        size = 0 if packed is None else len(packed["data"])
        if packed is None or size > most:
            most = 0  # the first that does not fit ends it, so that the order is kept
            left.append(features[place]["name"])
        else:
            features[place] |= packed
            most -= size
    rounding = f"Raw values are rounded to 1/{LEVELS:,} of the range of their central 99.8 %."
    if not left:
        return rounding
    shown = ", ".join(left[:MAX_NAMED]) + (" ..." if len(left) > MAX_NAMED else "")
    return (
        f"{rounding} To keep the page small those of {len(left):,} of {len(features):,} features "
        f"are left out, the least important ones for the alarms: {shown}."
    )
