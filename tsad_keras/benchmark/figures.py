"""Which figures a run gets, and from what they are drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tsad_keras.benchmark.methods import ScoredDetector
from tsad_keras.datasets.base import TimeSeriesDataset
from tsad_keras.plots import (
    plot_alarm_features,
    plot_confusion_matrix,
    plot_distributions,
    plot_scores,
    plot_stretch,
    plot_training_curves,
    save_figure,
)
from tsad_keras.reporting.alarms import largest_alarms
from tsad_keras.reporting.stretches import (
    best_and_worst_stretch,
    highest_stretch,
    stretch_length,
)

_MAX_DRAWN_ALARMS = 12


def draw_figures(
    dataset: TimeSeriesDataset,
    scored: ScoredDetector,
    alarm_groups: list[dict[str, Any]],
    parts: dict[str, dict[str, np.ndarray]],
    folder: Path,
) -> None:
    """Draws all figures; those that need labels or alarms only where there are such.

    Args:
        dataset: The data.
        scored: The detector and what it said about the test part.
        alarm_groups: As `group_alarms` gives them.
        parts: As `score_parts` gives them.
        folder: The run's folder; the files go to `figures/` in it.
    """
    detector, labels, predictions = scored.detector, dataset.test_labels, scored.predictions
    figures = {
        "training_curves": plot_training_curves(detector.history_, detector.best_epoch_),
        "scores_whole": plot_scores(
            scored.scores, scored.threshold, predictions, labels, dataset.test_timestamps
        ),
        "distributions": plot_distributions(
            _by_truth(parts["reconstruction_error"], labels),
            _by_truth(parts["anomaly_score"], labels),
            scored.threshold,
        ),
    }
    if labels is not None:
        figures["confusion_matrix"] = plot_confusion_matrix(labels, predictions)
    if alarm_groups:
        drawn = largest_alarms(alarm_groups, _MAX_DRAWN_ALARMS)
        figures["alarm_features"] = plot_alarm_features(
            scored.contributions, drawn, dataset.feature_names
        )
    for name, stretch, title in _stretches(dataset, scored):
        figures[name] = plot_stretch(
            dataset, scored.contributions, scored.threshold, predictions, stretch, title
        )
    for name, figure in figures.items():
        save_figure(figure, folder / "figures" / f"{name}.png")


def _stretches(
    dataset: TimeSeriesDataset, scored: ScoredDetector
) -> list[tuple[str, tuple[int, int], str]]:
    length = stretch_length(dataset.num_test, scored.detector.config.window_size)
    if dataset.test_labels is None:
        stretch = highest_stretch(scored.scores, length)
        return [("scores_highest_stretch", stretch, f"Highest score, {_rows(stretch)}")]
    best, worst = best_and_worst_stretch(dataset.test_labels, scored.predictions, length)
    return [
        (
            "scores_best_stretch",
            best,
            f"Best stretch: an event and normal time told apart best, {_rows(best)}",
        ),
        ("scores_worst_stretch", worst, f"Worst stretch: most wrong decisions, {_rows(worst)}"),
    ]


def _rows(stretch: tuple[int, int]) -> str:
    return f"test rows {stretch[0]:,} to {stretch[1] - 1:,}"


def _by_truth(parts: dict[str, np.ndarray], labels: np.ndarray | None) -> dict[str, np.ndarray]:
    """Splits the test part into its normal and anomalous steps, if these are known."""
    if labels is None:
        return parts
    shown = {name: values for name, values in parts.items() if name != "test"}
    shown["test, normal"] = parts["test"][labels == 0]
    shown["test, anomalous"] = parts["test"][labels == 1]
    return shown
