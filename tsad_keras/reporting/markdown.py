"""`report.md` of one run."""

from __future__ import annotations

import json
from typing import Any

from tsad_keras.reporting.alarms import largest_alarms
from tsad_keras.reporting.explained import explanations_markdown
from tsad_keras.reporting.explanations import (
    DRIFT_MEANING,
    GROUP_MEANING,
    METRIC_MEANINGS,
    STATISTIC_MEANINGS,
    STRETCH_MEANING,
    THRESHOLD_RULES,
)
from tsad_keras.reporting.headline import headline, notes_markdown
from tsad_keras.reporting.published import (
    audit_warning,
    published_markdown,
    published_rows,
    why_not_comparable,
)
from tsad_keras.reporting.tables import (
    WINDOW_LEVEL_NAMES,
    decisions_markdown,
    detector_row,
    markdown_table,
    number,
    percent,
    result_markdown,
    significant,
)

Summary = dict[str, Any]

MAX_ALARMS = 50  # in the report; results_summary.json holds more
MAX_FEATURES = 60

STATISTICS = {
    "reconstruction_error": "Reconstruction error",
    "realism": "Realism",
    "anomaly_score": "Anomaly score",
}

FIGURE_TITLES = {
    "training_curves.png": "Training",
    "scores_whole.png": "Scores of the whole test part",
    "scores_best_stretch.png": "Best stretch",
    "scores_worst_stretch.png": "Worst stretch",
    "scores_highest_stretch.png": "Stretch around the highest score",
    "confusion_matrix.png": "Decisions",
    "alarm_features.png": "Features behind the largest alarms",
    "distributions.png": "Errors and scores",
}


def run_markdown(summary: Summary) -> str:
    """The report of one run.

    Args:
        summary: As in `results_summary.json`.

    Returns:
        Markdown that ends with a line break.
    """
    data = summary["dataset"]
    sections = [
        f"# {data['name']}, {data['entity']}",
        notes_markdown(summary),
        *headline(summary),
        "## Result",
        _result(summary),
        "## What the numbers mean\n\n" + _bullets(METRIC_MEANINGS) if data["has_labels"] else "",
        "## Data\n\n" + _data(data),
        "## Drift\n\n" + _drift(summary["drift"]),
        "## Threshold\n\n" + _threshold(summary),
        "## Errors, realism and scores\n\n" + _statistics(summary["statistics"]),
        "## Alarms\n\n" + _alarms(summary),
        explanations_markdown(summary["explanations"]),
        "## Features\n\n" + _features(summary["features"]),
        "## Figures\n\n" + _figures(summary["files"]),
        "## Settings and versions\n\n" + settings_markdown(summary),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def window_level_markdown(window_level: dict[str, Any] | None) -> str:
    """The window-level protocol's numbers; empty text where it was not run."""
    if not window_level or not window_level["metrics"]:
        return ""
    spread = window_level.get("metrics_spread", {})
    cells = [number(window_level["metrics"][key], spread.get(key)) for key in WINDOW_LEVEL_NAMES]
    return (
        f"**Window level**: {window_level['num_windows']:g} windows of the test part, one every "
        f"{window_level['stride']:g} rows, {window_level['num_anomalous']:g} of them anomalous (a "
        "window is if any of its time steps is), at the label-free window threshold.\n\n"
        + markdown_table(list(WINDOW_LEVEL_NAMES.values()), [cells], left=0)
    )


def comparison_markdown(summary: Summary) -> str:
    """Published numbers and, for a result too good to believe, a warning; else why there are none.

    Empty text for data of which no numbers are known.
    """
    data, rows = summary["dataset"], summary["methods"]
    reason = why_not_comparable(data)
    if reason or not published_rows(data["name"]):
        return reason
    warning = audit_warning(data["name"], rows)
    return (
        "**Published numbers**, without point adjustment, on the published data.\n\n"
        + published_markdown(data["name"], rows)
        + (f"\n\n> **{warning}**" if warning else "")
    )


def settings_markdown(summary: Summary) -> str:
    """Versions, memory and the whole config."""
    versions = ", ".join(f"{name} {version}" for name, version in summary["versions"].items())
    config = json.dumps(summary["config"], indent=2)
    return f"{versions}\n\n```json\n{config}\n```"


def _result(summary: Summary) -> str:
    rows = summary["methods"]
    parts = []
    if summary["dataset"]["has_labels"]:
        parts.append(result_markdown(rows))
        parts.append(
            "Bold: best of its column, the floors (random, always alarm) aside. Every method has "
            "the same scaler and, where it says smoothed, the mean of three causal scales ("
            f"smoothing_span {summary['config']['smoothing_span']})."
        )
    parts.append(comparison_markdown(summary))
    parts.append(window_level_markdown(summary["window_level"]))
    parts.append(decisions_markdown(rows))
    parts.append(_costs(summary))
    return "\n\n".join(part for part in parts if part)


def _costs(summary: Summary) -> str:
    seconds, memory = summary["seconds"], summary["peak_memory_mb"]
    first = " (first member)" if summary.get("ensemble") else ""
    text = (
        f"Epochs trained{first}: {summary['num_epochs']}, best epoch {summary['best_epoch']}; "
        f"{seconds['total']:.0f} s in all"
    )
    if memory is not None:
        text += f", peak memory of the process {memory:,.0f} MB"
    if summary["was_resumed"]:
        text += "; the training went on from a checkpoint, its seconds are those since then"
    return text + "."


def _data(data: dict[str, Any]) -> str:
    rows = [
        ["training rows", f"{data['num_train']:,}"],
        ["test rows", f"{data['num_test']:,}"],
        ["features", f"{data['num_features']:,}"],
        ["missing values, train / test", _pair(data["missing_train"], data["missing_test"])],
        ["anomalous test rows", percent(data["anomaly_ratio"])],
        ["events (median length)", "–"],
    ]
    if data["has_labels"]:
        length = significant(data["median_event_length"])
        rows[-1][1] = f"{data['num_events']:,} ({length} rows)"
    if data["test_starts"] is not None:
        rows.append(["test part", f"{data['test_starts']} to {data['test_ends']}"])
    return markdown_table(["", ""], rows)


def _drift(drift: dict[str, Any]) -> str:
    text = f"Mean over the features: **{number(drift['mean_shift'])}**. {DRIFT_MEANING}"
    keys = ("shift", "train_mean", "test_mean")
    rows = [
        [worst["feature"], *(significant(worst[key]) for key in keys)]
        for worst in drift["worst_features"]
    ]
    table = markdown_table(["farthest", "distance", "train mean", "test mean"], rows)
    return f"{text}\n\n{table}" if rows else text


def _threshold(summary: Summary) -> str:
    threshold = summary["threshold"]
    actual = detector_row(summary["methods"])["false_alarm_rate"]
    text = (
        f"{significant(threshold['value'])}, by the rule `{threshold['method']}` "
        f"({THRESHOLD_RULES[threshold['method']]}): no label and no test row took part. Expected "
        f"share of alarmed time steps on normal data: "
        f"{percent(threshold['expected_false_alarm_rate'])}."
    )
    if threshold["in_effect"] > threshold["value"]:
        text += (
            f" {percent(threshold['reached_rate'])} of the test rows reached it, more than "
            f"`max_alarm_rate` ({percent(threshold['max_alarm_rate'])}), so they were judged by "
            f"{significant(threshold['in_effect'])}: the highest of that share, and what stands "
            "out of the rest."
        )
    if actual is None:
        return text
    return text + (
        f" Actual share on the test rows labelled normal: {percent(actual)}. A large difference "
        "means that normal test data are not like the end of the training data."
    )


def _statistics(statistics: dict[str, Any]) -> str:
    headings = ["", "mean", "std", "50 %", "95 %", "99 %", "max"]
    parts = [STATISTIC_MEANINGS]
    for key, title in STATISTICS.items():
        rows = [
            [name, *(significant(value) for value in values.values())]
            for name, values in statistics[key].items()
            if values is not None
        ]
        parts.append(f"**{title}**\n\n" + markdown_table(headings, rows))
    return "\n\n".join(parts)


def _alarms(summary: Summary) -> str:
    groups = summary["alarm_groups"]
    if not groups:
        return "None: no score reached the threshold."
    shown = largest_alarms(groups, MAX_ALARMS)
    text = f"{summary['num_alarms']:,} alarms in {summary['num_alarm_groups']:,} groups. "
    text += GROUP_MEANING
    if len(shown) < summary["num_alarm_groups"]:
        text += f" The {len(shown)} groups with the highest peaks, in time order:"
    headings = ["rows", "time", "alarms", "peak score", "true event", "top features at the peak"]
    rows = [
        [
            f"{alarm['start']:,}–{alarm['end'] - 1:,}",
            "–" if alarm["start_time"] is None else f"{alarm['start_time']} – {alarm['end_time']}",
            f"{alarm['num_alarms']:,}",
            significant(alarm["peak_score"]),
            {True: "yes", False: "no", None: "–"}[alarm["hits_event"]],
            "; ".join(_feature_text(feature) for feature in alarm["top_features"]),
        ]
        for alarm in shown
    ]
    return text + "\n\n" + markdown_table(headings, rows, left=2)


def _feature_text(feature: dict[str, Any]) -> str:
    value = "missing" if feature["value"] is None else significant(feature["value"])
    mean = significant(feature["train_mean"])
    return f"{feature['feature']} {value} (train mean {mean}, {feature['share']:.0%} of the score)"


def _features(features: list[dict[str, Any]]) -> str:
    ordered = sorted(features, key=lambda feature: -feature["score_share"])
    headings = ["feature", "share of all scores", "share of the alarms' scores"]
    headings += ["train mean", "train std", "missing, train / test"]
    rows = [
        [
            feature["feature"],
            percent(feature["score_share"]),
            percent(feature["alarm_share"]),
            significant(feature["train_mean"]),
            significant(feature["train_std"]),
            _pair(feature["missing_train"], feature["missing_test"]),
        ]
        for feature in ordered[:MAX_FEATURES]
    ]
    table = markdown_table(headings, rows)
    if len(ordered) > MAX_FEATURES:
        table += f"\n\n{len(ordered) - MAX_FEATURES} further features have smaller shares."
    return table


def _figures(files: list[str]) -> str:
    parts = []
    for name, title in FIGURE_TITLES.items():
        if f"figures/{name}" in files:
            parts.append(f"### {title}\n\n![{title}](figures/{name})")
    if "figures/scores_best_stretch.png" in files:
        parts.append(STRETCH_MEANING)
    return "\n\n".join(parts)


def _pair(first: float, second: float) -> str:
    return f"{percent(first)} / {percent(second)}"


def _bullets(lines: tuple[str, ...]) -> str:
    return "\n".join(f"- {line}" for line in lines)
