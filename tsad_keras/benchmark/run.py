"""One run: one entity, one seed, one folder with everything that came out of it."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tsad_keras.baselines import baselines_for
from tsad_keras.benchmark.ensembles import (
    DEFAULT_COMBINE,
    ScoredEnsemble,
    ensemble_configs,
    ensemble_rows,
    score_ensemble,
)
from tsad_keras.benchmark.explained import explanation_facts
from tsad_keras.benchmark.figures import draw_figures
from tsad_keras.benchmark.methods import (
    ScoredDetector,
    baseline_result,
    detector_result,
    score_detector,
    score_parts,
    threshold_facts,
    window_level_result,
)
from tsad_keras.config import Config
from tsad_keras.datasets.base import TimeSeriesDataset
from tsad_keras.errors import InputError
from tsad_keras.files import atomic_write, write_json
from tsad_keras.reporting.alarms import (
    describe_alarms,
    group_alarms,
    largest_alarms,
    scored_test_part,
)
from tsad_keras.reporting.drift import drift_facts, drift_warnings
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
from tsad_keras.reporting.page import run_page
from tsad_keras.reporting.scored_series import ScoredSeries
from tsad_keras.version import __version__

logger = logging.getLogger(__name__)

Summary = dict[str, Any]

RESULTS = "results_summary.json"
REPORT = "report.md"
PAGE = "report.html"
FORMAT = 5  # of results_summary.json; results of another one are computed again
MAX_STORED_ALARMS = 2000  # those with the highest peaks; a useless threshold must not fill the disk


def run_once(
    dataset: TimeSeriesDataset,
    config: Config,
    folder: Path,
    *,
    verbose: bool = True,
    members: int = 1,
    combine: str = DEFAULT_COMBINE,
) -> Summary:
    """Trains, scores, evaluates and writes a run's folder, unless it is there already.

    Args:
        dataset: The data.
        config: The settings, seed included.
        folder: Where everything goes. A finished run with the same config and the same data is read
            and not computed again; a training that was killed goes on.
        verbose: Whether to draw progress bars.
        members: With 2 or more, an ensemble of so many seeds takes the place of the detector.
        combine: How their scores become one.

    Returns:
        What `results_summary.json` holds, and `folder`.
    """
    ensemble = None if members == 1 else {"members": members, "combine": combine}
    found = finished_run(folder, config, data_fingerprint(dataset), ensemble)
    if found is not None:
        logger.info("%s is finished with these settings and data: not computed again", folder)
        return found
    if dataset.num_test < config.window_size:  # known before the training, so say it before
        raise InputError(
            f"the test part of {dataset.name} {dataset.entity} has {dataset.num_test} time steps, "
            f"expected at least window_size ({config.window_size}); pass a longer test part or a "
            "smaller window_size"
        )
    # Old results must never stand beside new files, whenever this run may be killed.
    for name in (RESULTS, REPORT, PAGE, "scores.csv", *_figure_names(folder)):
        (folder / name).unlink(missing_ok=True)
    write_json(folder / "config.json", config.to_dict())
    started = time.perf_counter()
    parts = (dataset.train, dataset.test, dataset.feature_names)
    if ensemble is None:
        scored = score_detector(*parts, config, folder, verbose=verbose)
    else:
        configs = ensemble_configs(config, members)
        scored = score_ensemble(*parts, configs, combine, folder, verbose=verbose)
    series = scored_test_part(dataset, scored.contributions, scored.scores, scored.predictions)
    summary = {**_summarise(dataset, config, scored, series, folder), "ensemble": ensemble}
    summary["seconds"]["total"] = time.perf_counter() - started
    summary["peak_memory_mb"] = peak_memory_mb()
    summary = jsonable(summary)
    with atomic_write(folder / REPORT) as file:
        file.write(run_markdown(summary))
    with atomic_write(folder / PAGE) as file:
        file.write(run_page(summary, series, scored.detector.history_))
    write_json(folder / RESULTS, summary)  # last: its presence says that all the rest is there
    scored.detector.discard_checkpoint()
    return {**summary, "folder": str(folder)}


def finished_run(
    folder: Path, config: Config, fingerprint: str, ensemble: dict[str, Any] | None = None
) -> Summary | None:
    """Reads a run's results if they are complete and belong to this config, data and version."""
    try:
        summary = json.loads((folder / RESULTS).read_text(encoding="utf-8"))
        is_same = (
            summary["kind"] == "run"
            and summary.get("format") == FORMAT
            and summary["config"] == config.to_dict()
            and summary.get("ensemble") == ensemble
            and summary["dataset"]["fingerprint"] == fingerprint
            and summary["versions"]["tsad_keras"] == __version__
            and all((folder / name).is_file() for name in summary["files"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return {**summary, "folder": str(folder)} if is_same else None


def _method_rows(
    dataset: TimeSeriesDataset, config: Config, scored: ScoredDetector
) -> list[dict[str, Any]]:
    """The rows of the result table, the detector's last."""
    rows = [
        baseline_result(baseline, dataset.train, dataset.test, dataset.test_labels)
        for baseline in baselines_for(config)
    ]
    if isinstance(scored, ScoredEnsemble):
        return [*rows, *ensemble_rows(scored, config, dataset.test_labels)]
    return [*rows, detector_result(scored, config, dataset.test_labels)]


def _summarise(
    dataset: TimeSeriesDataset,
    config: Config,
    scored: ScoredDetector,
    series: ScoredSeries,
    folder: Path,
) -> Summary:
    labels, detector = dataset.test_labels, scored.detector
    methods = _method_rows(dataset, config, scored)
    alarms = describe_alarms(series)
    groups = group_alarms(alarms, config.window_size // 2)
    parts = score_parts(scored, dataset.train, dataset.test)
    drift, threshold = drift_facts(dataset, config.clip), threshold_facts(scored)
    _write_scores(dataset, scored, folder)
    draw_figures(dataset, scored, groups, parts, folder)
    files = ["config.json", "scores.csv", "model/detector.npz", REPORT, PAGE]
    if not isinstance(scored, ScoredEnsemble):
        files.append("history.csv")
    return {
        "kind": "run",
        "format": FORMAT,
        "dataset": data_facts(dataset),
        "seed": config.seed,
        "methods": methods,
        "window_level": (
            # The design that was published with window-level numbers.
            window_level_result(detector, dataset.test, labels) if config.latent_generator else None
        ),
        "threshold": threshold,
        "statistics": {name: distributions(values, labels) for name, values in parts.items()},
        "features": feature_facts(dataset, scored.contributions, scored.predictions),
        "explanations": explanation_facts(
            dataset, detector, scored.contributions, methods[-1]["method"]
        ),
        "drift": drift,
        "warnings": drift_warnings(drift, threshold, methods[-1]),
        "num_alarms": len(alarms),
        "alarms": largest_alarms(alarms, MAX_STORED_ALARMS),
        "num_alarm_groups": len(groups),
        "alarm_groups": largest_alarms(groups, MAX_STORED_ALARMS),
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
