"""What a reader must know in ten seconds: the data, whether the detector is better, the alarms."""

from __future__ import annotations

from typing import Any

from tsad_keras.reporting.tables import (
    Row,
    best_baseline_row,
    detector_row,
    number,
    percent,
    significant,
)

Summary = dict[str, Any]

_DECISIONS = {
    "precision": "precision_score",
    "recall": "recall_score",
    "F1": "f1_score",
    "event F1": "event_f1_score",
}


def notes_markdown(summary: Summary) -> str:
    """What has to be known before any number is read: notes on the data, and warnings."""
    lines = [f"> **Note on the data:** {note}" for note in summary["dataset"]["notes"]]
    lines += [f"> **Warning:** {warning}" for warning in summary["warnings"]]
    return "\n>\n".join(lines)


def headline(summary: Summary) -> list[str]:
    """The result in a few sentences, whichever way it went; Markdown, one paragraph a sentence."""
    return [
        text
        for text in (_data(summary), _verdict(summary), _alarms(summary), _decisions(summary))
        if text
    ]


def _data(summary: Summary) -> str:
    data = summary["dataset"]
    if summary["kind"] == "mean":
        return ""  # the heading says over what the means are
    train = "" if data["num_train"] is None else f"{data['num_train']:,} training rows, "
    text = f"**Data**: {train}{data['num_test']:,} test rows, {data['num_features']:,} features; "
    if not data["has_labels"]:
        return text + "no labels."
    if not data["num_events"]:
        return text + "no test row is labelled anomalous."
    return text + (
        f"{percent(data['anomaly_ratio'])} of the test rows are anomalous, in "
        f"{data['num_events']:,} events (median length {significant(data['median_event_length'])})."
    )


def _verdict(summary: Summary) -> str:
    rows = summary["methods"]
    ours, rival = detector_row(rows), best_baseline_row(rows)
    if rival is None:
        return "**Quality**: the data have no labels, so how good the alarms are is not known."
    value, other = ours["metrics"]["vus_pr_score"], rival["metrics"]["vus_pr_score"]
    comparison = "above every baseline" if value > other else "**not** above every baseline"
    return (
        f"**Quality**: {ours['method']}: VUS-PR **{number(value)}**, {comparison}; the best of "
        f"these is {rival['method']} with {number(other)}. {_caution(summary, ours, value - other)}"
    )


def _caution(summary: Summary, ours: Row, difference: float) -> str:
    """How much the comparison is worth."""
    spread = ours.get("metrics_spread", {}).get("vus_pr_score")
    if spread is None:
        return "One training seed: a small difference may be chance."
    if abs(difference) <= spread:
        return f"The difference is within the standard deviation over seeds, {number(spread)}."
    return f"Standard deviation over {len(summary['seeds'])} seeds: {number(spread)}."


def _alarms(summary: Summary) -> str:
    ours = detector_row(summary["methods"])
    text = f"{percent(ours['alarm_rate'])} of the test rows"
    if summary["kind"] == "run":
        num_alarms, num_groups = summary["num_alarms"], summary["num_alarm_groups"]
        groups = f" (in {num_groups:,} groups)" if 1 < num_groups < num_alarms else ""
        text = f"{num_alarms:,}{groups}, on {text}"
    text += f"; stated false-alarm rate {percent(ours['expected_false_alarm_rate'])}"
    if ours["false_alarm_rate"] is not None:
        text += f", actual {percent(ours['false_alarm_rate'])} of the normal rows"
    return f"**Alarms**: {text}."


def _decisions(summary: Summary) -> str:
    metrics = detector_row(summary["methods"])["metrics"]
    if not metrics:
        return ""
    values = ", ".join(f"{name} {number(metrics[key])}" for name, key in _DECISIONS.items())
    return f"**At the threshold chosen without labels**: {values}."
