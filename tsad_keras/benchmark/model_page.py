"""A page for a trained model and rows of a person's own, with or without labels."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from tsad_keras.benchmark.ensembles import ensemble_label
from tsad_keras.benchmark.methods import (
    ScoredDetector,
    detector_result,
    floor_results,
    threshold_facts,
)
from tsad_keras.benchmark.run import MAX_STORED_ALARMS
from tsad_keras.datasets.tables import Table
from tsad_keras.detector import ContrastiveGANDetector, EnsembleDetector
from tsad_keras.evaluation import labels_to_events
from tsad_keras.reporting.alarms import (
    describe_alarms,
    group_alarms,
    largest_alarms,
    time_text,
)
from tsad_keras.reporting.drift import drift_from, drift_warnings
from tsad_keras.reporting.facts import jsonable, versions
from tsad_keras.reporting.page import run_page
from tsad_keras.reporting.scored_series import ScoredSeries
from tsad_keras.reporting.tables import percent, significant

Detector = ContrastiveGANDetector | EnsembleDetector

_FLOORS_ONLY = (
    "compared with chance and with always alarm only: the trained baselines need the training "
    "rows, which a model does not keep; `tsad-keras reproduce own` compares with them"
)


def model_page(
    detector: Detector, rows: Table, name: str, *, causal: bool = False
) -> tuple[str, dict[str, Any]]:
    """Scores rows with a trained model and describes what came out.

    Args:
        detector: Fitted.
        rows: With the features of training; their labels only judge, they change no score.
        name: What the rows are called.
        causal: Whether each row is judged by what came before it only, as streams do.

    Returns:
        The HTML document, and the facts in it, as in `results_summary.json` where known.

    Raises:
        InputError: If the rows do not fit the model, or are fewer than a window.
    """
    started = time.perf_counter()
    contributions = detector.explain(rows.values, causal=causal)
    seconds = time.perf_counter() - started
    scores = contributions.sum(axis=1)
    thresholds = detector.series_thresholds(scores, causal=causal)
    predictions = (scores >= thresholds).astype(np.int8)
    threshold = float(thresholds[0])  # the line that is drawn; a running one may rise later
    scored = ScoredDetector(
        detector, contributions, scores, threshold, predictions, 0.0, seconds, False
    )
    series = ScoredSeries(
        values=rows.values,
        feature_names=detector.feature_names_,
        train_mean=detector.scaler_.mean_,
        contributions=contributions,
        scores=scores,
        predictions=predictions,
        timestamps=rows.timestamps,
        labels=rows.labels,
    )
    summary = _summary(scored, series, name, causal)
    if causal:
        summary["dataset"]["notes"].append(
            "causal scores: each row was judged by what came before it only"
        )
        if thresholds.max() > threshold:
            summary["dataset"]["notes"].append(
                f"the threshold rose up to {significant(thresholds.max())}: more than "
                f"{percent(detector.config.max_alarm_rate)} of the rows before reached it"
            )
    return run_page(summary, series, detector.history_), summary


def _summary(
    scored: ScoredDetector, series: ScoredSeries, name: str, causal: bool
) -> dict[str, Any]:
    detector, config = scored.detector, scored.detector.config
    methods = _method_rows(scored, series.labels)
    threshold = threshold_facts(scored, causal=causal)
    alarms = describe_alarms(series)
    groups = group_alarms(alarms, config.window_size // 2)
    drift = drift_from(detector.scaler_, series.values, series.feature_names)
    return jsonable(
        {
            "kind": "run",
            "dataset": _data_facts(series, name),
            "seed": config.seed,
            "ensemble": _ensemble_facts(detector),
            "methods": methods,
            "threshold": threshold,
            "drift": drift,
            "warnings": drift_warnings(drift, threshold, methods[-1]),
            "num_alarms": len(alarms),
            "alarms": largest_alarms(alarms, MAX_STORED_ALARMS),
            "num_alarm_groups": len(groups),
            "alarm_groups": largest_alarms(groups, MAX_STORED_ALARMS),
            "num_epochs": len(detector.history_),
            "best_epoch": detector.best_epoch_,
            "versions": versions(),
            "config": config.to_dict(),
        }
    )


def _ensemble_facts(detector: Detector) -> dict[str, Any] | None:
    """As in `results_summary.json`; None of a single detector."""
    if not isinstance(detector, EnsembleDetector):
        return None
    return {"members": len(detector.members_), "combine": detector.combine}


def _method_rows(scored: ScoredDetector, labels: np.ndarray | None) -> list[dict[str, Any]]:
    detector = scored.detector
    own = {**detector_result(scored, detector.config, labels), "fit_seconds": None}
    if isinstance(detector, EnsembleDetector):
        own["method"] = ensemble_label(detector)
    if labels is None:
        return [own]
    config = detector.config
    return [*floor_results(labels, config.false_alarm_rate, config.seed), own]


def _data_facts(series: ScoredSeries, name: str) -> dict[str, Any]:
    """As `reporting.facts.data_facts`; of the training rows nothing is known."""
    labels = series.labels
    events = np.empty((0, 2)) if labels is None else labels_to_events(labels)
    return {
        "name": name,
        "entity": name,
        "num_train": None,
        "num_test": series.num_timesteps,
        "num_features": len(series.feature_names),
        "missing_test": float(np.isnan(series.values).mean()),
        "test_starts": time_text(series.timestamps, 0),
        "test_ends": time_text(series.timestamps, -1),
        "has_labels": labels is not None,
        "anomaly_ratio": None if labels is None else float(np.mean(labels)),
        "num_events": None if labels is None else len(events),
        "median_event_length": (
            float(np.median(events[:, 1] - events[:, 0])) if len(events) else None
        ),
        "is_stand_in": False,
        "notes": [] if labels is None else [_FLOORS_ONLY],
    }
