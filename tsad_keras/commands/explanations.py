"""The command `explain`: why one row has its score."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

import numpy as np

from tsad_keras.commands import sources
from tsad_keras.commands.models import model_and_source
from tsad_keras.commands.places import check_folder
from tsad_keras.files import atomic_write, write_json
from tsad_keras.windows import window_around

_NUM_SHOWN = 5


def explain(arguments: argparse.Namespace) -> None:
    """Writes contributions, attention and, if asked for, SHAP values of one row to a folder."""
    folder = Path(arguments.output)
    check_folder(folder)
    detector, dataset, rate = model_and_source(arguments)
    tables = list(sources.score_tables(arguments, dataset, detector.feature_names_, rate))
    series = np.concatenate([table.values for table in tables])
    times = [table.timestamps for table in tables if table.timestamps is not None]
    contributions = detector.explain(series)
    scores = contributions.sum(axis=1)
    threshold = float(detector.series_threshold(scores))
    row = int(np.argmax(scores)) if arguments.row is None else arguments.row
    start = window_around(row, len(series), detector.config.window_size)
    facts = {
        "row": row,
        "time": _time_text(np.concatenate(times) if times else np.arange(len(series)), row),
        "anomaly_score": float(scores[row]),
        "threshold": threshold,
        "is_anomaly": bool(scores[row] >= threshold),
        "window_start": start,
    }
    _draw_attention(arguments, detector, series, facts, folder)
    table = _contribution_rows(detector, series[row], contributions[row])
    _write_table(folder / "contributions.csv", table)
    if arguments.shap:
        facts["shap"] = _shap_facts(arguments, detector, series, row)
        _write_table(folder / "shap.csv", facts["shap"]["values"])
    write_json(folder / "explanation.json", facts)
    _tell(facts, table, folder)


def _draw_attention(
    arguments: argparse.Namespace,
    detector: Any,
    series: np.ndarray,
    facts: dict[str, Any],
    folder: Path,
) -> None:
    """`attention.npz` and `attention.png` of the window around the row."""
    from tsad_keras.plots import plot_attention, save_figure

    start = facts["window_start"]
    members = getattr(detector, "members_", None)  # an ensemble's
    maps = (members[0] if members else detector).attention(series, start)
    if members:
        facts["attention_of"] = f"the first of {len(members)} members"
    figure = plot_attention(
        maps,
        start,
        detector.config.window_size,
        layer=arguments.layer,
        head=arguments.head,
        marked_row=facts["row"],
    )
    save_figure(figure, folder / "attention.png")
    with atomic_write(folder / "attention.npz", "wb") as file:
        np.savez_compressed(file, attention=maps, first_row=np.array(start))


def _contribution_rows(
    detector: Any, values: np.ndarray, contributions: np.ndarray
) -> list[dict[str, Any]]:
    """One dict a feature, largest contribution first."""
    total = max(float(contributions.sum()), 1e-300)
    return [
        {
            "feature": detector.feature_names_[index],
            "contribution": float(contributions[index]),
            "share": float(contributions[index]) / total,
            "value": float(values[index]),
            "train_mean": float(detector.scaler_.mean_[index]),
            "train_std": float(detector.scaler_.deviation_[index]),
        }
        for index in np.argsort(-contributions, kind="stable")
    ]


def _shap_facts(
    arguments: argparse.Namespace, detector: Any, series: np.ndarray, row: int
) -> dict[str, Any]:
    from tsad_keras.inference.shapley import shap_values

    found = shap_values(
        detector,
        series,
        row,
        features=min(arguments.num_features, series.shape[1]),
        max_seconds=arguments.max_seconds,
        progress=not arguments.quiet,
    )
    return {
        "values": [
            {"feature": name, "shap_value": float(value)}
            for name, value in zip(found.feature_names, found.values, strict=True)
        ],
        "score": found.score,
        "base_score": found.base_score,
        "is_exact": found.is_exact,
        "num_evaluations": found.num_evaluations,
    }


def _write_table(path: Path, rows: list[dict[str, Any]]) -> None:
    """Numbers with nine digits; an empty cell where a value is missing."""
    with atomic_write(path) as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({name: _cell(value) for name, value in row.items()})


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if np.isnan(value) else f"{value:.9g}"


def _tell(facts: dict[str, Any], table: list[dict[str, Any]], folder: Path) -> None:
    verdict = "alarm" if facts["is_anomaly"] else "no alarm"
    print(
        f"row {facts['row']} ({facts['time']}): score {facts['anomaly_score']:.4g}, threshold "
        f"{facts['threshold']:.4g}: {verdict}"
    )
    for row in table[:_NUM_SHOWN]:
        value = "missing" if np.isnan(row["value"]) else f"{row['value']:.4g}"
        print(
            f"  {row['feature']}: {row['share']:.0%} of the score; value {value}"
            f", train mean {row['train_mean']:.4g} +- {row['train_std']:.4g}"
        )
    if "shap" in facts:
        found = facts["shap"]
        kind = "exact" if found["is_exact"] else "estimated"
        print(
            f"SHAP ({kind}, {found['num_evaluations']} windows): {found['base_score']:.4g} without "
            f"these features, {found['score']:.4g} with them"
        )
        for row in found["values"]:
            print(f"  {row['feature']}: {row['shap_value']:+.4g}")
    if "attention_of" in facts:
        print(f"attention: that of {facts['attention_of']}")
    print(f"explanation: {folder}")


def _time_text(times: np.ndarray, row: int) -> str:
    from tsad_keras.datasets.table_cells import show_time

    return str(show_time(times[row]))
