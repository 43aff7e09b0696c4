"""One run: one entity, one seed, one folder with everything that came out of it."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tsad_keras.baselines import baselines_for, split_tail
from tsad_keras.benchmark.methods import (
    ScoredDetector,
    baseline_result,
    detector_result,
    score_detector,
    split_components,
    window_level_result,
)
from tsad_keras.config import Config
from tsad_keras.datasets.base import TimeSeriesDataset
from tsad_keras.files import atomic_write, write_json
from tsad_keras.plots import (
    plot_alarm_features,
    plot_confusion_matrix,
    plot_distributions,
    plot_scores,
    plot_stretch,
    plot_training_curves,
    save_figure,
)
from tsad_keras.reporting.alarms import largest_alarms, list_alarms
from tsad_keras.reporting.facts import (
    data_facts,
    data_fingerprint,
    distributions,
    feature_facts,
    jsonable,
    peak_memory_mb,
    versions,
)
from tsad_keras.reporting.markdown import run_markdown
from tsad_keras.reporting.stretches import (
    best_and_worst_stretch,
    highest_stretch,
    stretch_length,
)
from tsad_keras.version import __version__

logger = logging.getLogger(__name__)

Summary = dict[str, Any]

RESULTS = "results_summary.json"
REPORT = "report.md"
MAX_STORED_ALARMS = 2000  # those with the highest peaks; a useless threshold must not fill the disk
_MAX_DRAWN_ALARMS = 12


def run_once(
    dataset: TimeSeriesDataset, config: Config, folder: Path, *, verbose: bool = True
) -> Summary:
    """Trains, scores, evaluates and writes a run's folder, unless it is there already.

    Args:
        dataset: The data.
        config: The settings, seed included.
        folder: Where everything goes. A finished run with the same config and the same data is read
            and not computed again; a training that was killed goes on.
        verbose: Whether to draw progress bars.

    Returns:
        What `results_summary.json` holds, and `folder`.
    """
    found = finished_run(folder, config, data_fingerprint(dataset))
    if found is not None:
        logger.info("%s is finished with these settings and data: not computed again", folder)
        return found
    # Old results must never stand beside new files, whenever this run may be killed.
    for name in (RESULTS, REPORT, "scores.csv", *_figure_names(folder)):
        (folder / name).unlink(missing_ok=True)
    write_json(folder / "config.json", config.to_dict())
    started = time.perf_counter()
    scored = score_detector(
        dataset.train, dataset.test, dataset.feature_names, config, folder, verbose=verbose
    )
    summary = _summarise(dataset, config, scored, folder)
    summary["seconds"]["total"] = time.perf_counter() - started
    summary["peak_memory_mb"] = peak_memory_mb()
    summary = jsonable(summary)
    with atomic_write(folder / REPORT) as file:
        file.write(run_markdown(summary))
    write_json(folder / RESULTS, summary)  # last: its presence says that all the rest is there
    scored.detector.discard_checkpoint()
    return {**summary, "folder": str(folder)}


def finished_run(folder: Path, config: Config, fingerprint: str) -> Summary | None:
    """Reads a run's results if they are complete and belong to this config, data and version."""
    try:
        summary = json.loads((folder / RESULTS).read_text(encoding="utf-8"))
        is_same = (
            summary["kind"] == "run"
            and summary["config"] == config.to_dict()
            and summary["dataset"]["fingerprint"] == fingerprint
            and summary["versions"]["tsad_keras"] == __version__
            and all((folder / name).is_file() for name in summary["files"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return {**summary, "folder": str(folder)} if is_same else None


def _summarise(
    dataset: TimeSeriesDataset, config: Config, scored: ScoredDetector, folder: Path
) -> Summary:
    labels = dataset.test_labels
    methods = [
        baseline_result(baseline, dataset.train, dataset.test, labels)
        for baseline in baselines_for(config)
    ]
    methods.append(detector_result(scored, config, labels))
    alarms = list_alarms(dataset, scored.contributions, scored.scores, scored.predictions)
    components = split_components(scored.detector, dataset.train, dataset.test)
    _write_scores(dataset, scored, folder)
    _draw(dataset, scored, alarms, components["reconstruction_error"], folder)
    files = ["config.json", "history.csv", "scores.csv", "model/detector.npz", REPORT]
    detector = scored.detector
    return {
        "kind": "run",
        "dataset": data_facts(dataset),
        "seed": config.seed,
        "methods": methods,
        "window_level": (
            # The design that was published with window-level numbers.
            window_level_result(detector, dataset.test, labels) if config.latent_generator else None
        ),
        "threshold": {
            "value": detector.threshold_,
            "method": config.threshold_method,
            "expected_false_alarm_rate": detector.expected_false_alarm_rate_,
        },
        "statistics": {name: distributions(parts, labels) for name, parts in components.items()},
        "features": feature_facts(dataset, scored.contributions, scored.predictions),
        "num_alarms": len(alarms),
        "alarms": largest_alarms(alarms, MAX_STORED_ALARMS),
        "num_epochs": len(detector.history_),
        "best_epoch": detector.best_epoch_,
        "was_resumed": scored.was_resumed,
        "seconds": {"fit": scored.fit_seconds, "score": scored.score_seconds},
        "versions": versions(),
        "config": config.to_dict(),
        "files": files + _figure_names(folder),
    }


def _write_scores(dataset: TimeSeriesDataset, scored: ScoredDetector, folder: Path) -> None:
    """`scores.csv`; time is the row number, from 0, where the data have no times."""
    times = dataset.test_timestamps
    frame = pd.DataFrame(
        {
            "time": np.arange(dataset.num_test) if times is None else times,
            "anomaly_score": scored.scores,
            "is_anomaly": scored.predictions,
        }
    )
    with atomic_write(folder / "scores.csv") as file:
        frame.to_csv(file, index=False, lineterminator="\n")


def _figure_names(folder: Path) -> list[str]:
    return sorted(f"figures/{path.name}" for path in folder.glob("figures/*.png"))


def _draw(
    dataset: TimeSeriesDataset,
    scored: ScoredDetector,
    alarms: list[dict[str, Any]],
    errors: dict[str, np.ndarray],
    folder: Path,
) -> None:
    """All figures; those that need labels or alarms only where there are such."""
    detector, labels, predictions = scored.detector, dataset.test_labels, scored.predictions
    figures = {
        "training_curves": plot_training_curves(detector.history_, detector.best_epoch_),
        "scores_whole": plot_scores(
            scored.scores, detector.threshold_, predictions, labels, dataset.test_timestamps
        ),
        "distributions": plot_distributions(
            _by_truth(errors, labels),
            _by_truth(_scores_of_parts(dataset, scored), labels),
            detector.threshold_,
        ),
    }
    if labels is not None:
        figures["confusion_matrix"] = plot_confusion_matrix(labels, predictions)
    if alarms:
        figures["alarm_features"] = plot_alarm_features(
            scored.contributions, largest_alarms(alarms, _MAX_DRAWN_ALARMS), dataset.feature_names
        )
    for name, stretch, title in _stretches(dataset, scored):
        figures[name] = plot_stretch(
            dataset, scored.contributions, detector.threshold_, predictions, stretch, title
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
            f"Best stretch: events and normal time told apart best, {_rows(best)}",
        ),
        ("scores_worst_stretch", worst, f"Worst stretch: most wrong decisions, {_rows(worst)}"),
    ]


def _rows(stretch: tuple[int, int]) -> str:
    return f"test rows {stretch[0]:,} to {stretch[1] - 1:,}"


def _scores_of_parts(dataset: TimeSeriesDataset, scored: ScoredDetector) -> dict[str, np.ndarray]:
    config = scored.detector.config
    head, tail = split_tail(dataset.train, config.validation_fraction, config.window_size)
    return {
        "train": scored.detector.decision_function(head),
        "validation": scored.detector.decision_function(tail),
        "test": scored.scores,
    }


def _by_truth(parts: dict[str, np.ndarray], labels: np.ndarray | None) -> dict[str, np.ndarray]:
    """Splits the test part into its normal and anomalous steps, if these are known."""
    if labels is None:
        return parts
    shown = {name: values for name, values in parts.items() if name != "test"}
    shown["test, normal"] = parts["test"][labels == 0]
    shown["test, anomalous"] = parts["test"][labels == 1]
    return shown
