"""The rows of a result table: every method trained and scored without labels, then evaluated."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from tsad_keras.baselines import AlwaysAlarmBaseline, Baseline, RandomBaseline
from tsad_keras.config import Config
from tsad_keras.detector import ContrastiveGANDetector
from tsad_keras.detector.fitting import fingerprint
from tsad_keras.evaluation import (
    average_precision_score,
    best_f1_score,
    evaluate_scores,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)
from tsad_keras.inference.inputs import as_series_list
from tsad_keras.training import Checkpoint
from tsad_keras.windows import split_train_validation

CHECKPOINT = "checkpoint.npz"


@dataclasses.dataclass
class ScoredDetector:
    """A trained detector and what it said about the test part.

    Attributes:
        detector: Fitted.
        contributions: `(num_test, num_features)`; rows sum to the score.
        scores: `(num_test,)`.
        threshold: By which they are judged, `detector.series_threshold(scores)`.
        predictions: `(num_test,)` 0/1.
        fit_seconds: Of training, since the checkpoint if it went on from one.
        score_seconds: Of scoring the test part.
        was_resumed: Whether the training went on from a checkpoint.
    """

    detector: ContrastiveGANDetector
    contributions: np.ndarray
    scores: np.ndarray
    threshold: float
    predictions: np.ndarray
    fit_seconds: float
    score_seconds: float
    was_resumed: bool


def score_detector(
    train: np.ndarray,
    test: np.ndarray,
    feature_names: tuple[str, ...],
    config: Config,
    folder: str | os.PathLike[str],
    *,
    verbose: bool = True,
) -> ScoredDetector:
    """Trains on one part and scores the other; there is no way in for labels.

    Args:
        train: `(num_train, num_features)`.
        test: `(num_test, num_features)`.
        feature_names: Names of the columns.
        config: Settings.
        folder: Gets `history.csv`, `model/`, and the checkpoint while training.
        verbose: Whether to draw a progress bar.
    """
    folder = Path(folder)
    was_resumed = _can_resume(train, config, folder / CHECKPOINT)
    detector = ContrastiveGANDetector.from_config(config)
    started = time.perf_counter()
    detector.fit(
        train,
        feature_names=feature_names,
        verbose=verbose,
        checkpoint_path=folder / CHECKPOINT,
        history_path=folder / "history.csv",
    )
    fitted = time.perf_counter()
    detector.save(folder / "model")
    saved = time.perf_counter()
    contributions = detector.explain(test)
    scores = contributions.sum(axis=1)
    threshold = detector.series_threshold(scores)
    return ScoredDetector(
        detector=detector,
        contributions=contributions,
        scores=scores,
        threshold=threshold,
        predictions=(scores >= threshold).astype(np.int8),
        fit_seconds=fitted - started,
        score_seconds=time.perf_counter() - saved,
        was_resumed=was_resumed,
    )


def _can_resume(train: np.ndarray, config: Config, path: Path) -> bool:
    """Whether there is a checkpoint of just this training; one of another training is deleted."""
    series, _ = as_series_list(train)
    checkpoint = Checkpoint(path, fingerprint(config, series))
    is_usable = checkpoint.load() is not None
    if not is_usable:
        checkpoint.delete()
    return is_usable


def detector_label(config: Config) -> str:
    """Name of the detector's row."""
    return "Hybrid-GAN detector" if config.latent_generator else "Contrastive-GAN detector"


def detector_result(
    scored: ScoredDetector, config: Config, labels: np.ndarray | None
) -> dict[str, Any]:
    """The detector's row."""
    return {
        "method": detector_label(config),
        "is_detector": True,
        "is_floor": False,
        **_judged(scored.scores, scored.predictions, labels),
        "threshold": scored.threshold,
        "expected_false_alarm_rate": scored.detector.expected_false_alarm_rate_,
        "fit_seconds": scored.fit_seconds,
        "score_seconds": scored.score_seconds,
    }


def threshold_facts(scored: ScoredDetector, *, causal: bool = False) -> dict[str, Any]:
    """The threshold of the training part, the one that rows were judged by, and the rules of both.

    Args:
        scored: The detector and what it said.
        causal: Whether the scores are causal ones.
    """
    detector, chosen = scored.detector, scored.detector.alarm_threshold(causal)
    return {
        "value": chosen,
        "in_effect": scored.threshold,
        "reached_rate": float(np.mean(scored.scores >= chosen)),
        "max_alarm_rate": detector.config.max_alarm_rate,
        "method": detector.config.threshold_method,
        "expected_false_alarm_rate": detector.expected_false_alarm_rate_,
    }


def baseline_result(
    baseline: Baseline, train: np.ndarray, test: np.ndarray, labels: np.ndarray | None
) -> dict[str, Any]:
    """A baseline's row; the labels come into play once its scores and decisions stand."""
    started = time.perf_counter()
    baseline.fit(train)
    fitted = time.perf_counter()
    scores = baseline.decision_function(test)
    scored = time.perf_counter()
    threshold = baseline.series_threshold(scores)
    predictions = (scores >= threshold).astype(np.int8)
    always = isinstance(baseline, AlwaysAlarmBaseline)
    return {
        "method": baseline.label,
        "is_detector": False,
        "is_floor": always or isinstance(baseline, RandomBaseline),
        **_judged(scores, predictions, labels),
        "threshold": threshold,
        "expected_false_alarm_rate": 1.0 if always else baseline.false_alarm_rate,
        "fit_seconds": fitted - started,
        "score_seconds": scored - fitted,
    }


def floor_results(
    labels: np.ndarray, false_alarm_rate: float, seed: int = 0
) -> list[dict[str, Any]]:
    """The rows of chance and of always alarm, which need no training rows.

    Args:
        labels: `(num_timesteps,)` 0/1.
        false_alarm_rate: Share of time steps that chance alarms.
        seed: Of the random scores.
    """
    scores = np.random.default_rng(seed).random(len(labels))
    always = np.ones(len(labels))
    floors = [
        (RandomBaseline.name, scores, 1 - false_alarm_rate, false_alarm_rate),
        (AlwaysAlarmBaseline.name, always, 1.0, 1.0),
    ]
    return [
        {
            "method": name,
            "is_detector": False,
            "is_floor": True,
            **_judged(values, (values >= threshold).astype(np.int8), labels),
            "threshold": threshold,
            "expected_false_alarm_rate": expected,
            "fit_seconds": None,
            "score_seconds": None,
        }
        for name, values, threshold, expected in floors
    ]


def window_level_result(
    detector: ContrastiveGANDetector, test: np.ndarray, labels: np.ndarray | None
) -> dict[str, Any]:
    """The window-level protocol: a window is anomalous if any of its time steps is.

    Args:
        detector: Fitted.
        test: `(num_test, num_features)`.
        labels: `(num_test,)` 0/1 or None.

    Returns:
        `num_windows, stride, threshold, alarm_rate, num_anomalous` and `metrics`, the latter two
        None and empty without labels.
    """
    config = detector.config
    starts, scores = detector.score_windows(test, stride=config.stride)
    predictions = (scores >= detector.window_threshold_).astype(np.int8)
    result = {
        "num_windows": len(starts),
        "num_anomalous": None,
        "stride": config.stride,
        "threshold": detector.window_threshold_,
        "alarm_rate": float(predictions.mean()),
        "metrics": {},
    }
    if labels is None:
        return result
    counts = np.concatenate([[0], np.cumsum(labels, dtype=np.int64)])
    window_labels = (counts[starts + config.window_size] > counts[starts]).astype(np.int8)
    result["num_anomalous"] = int(window_labels.sum())
    for metric in (precision_score, recall_score, f1_score):
        result["metrics"][metric.__name__] = metric(window_labels, predictions)
    for metric in (roc_auc_score, average_precision_score, best_f1_score):
        result["metrics"][metric.__name__] = metric(window_labels, scores)
    return result


def score_parts(
    scored: ScoredDetector, train: np.ndarray, test: np.ndarray
) -> dict[str, dict[str, np.ndarray]]:
    """Errors, realism and scores of the training rows, the validation tail and the test part.

    Args:
        scored: The detector, fitted on `train`, and its scores of `test`.
        train: `(num_train, num_features)`, the validation tail included.
        test: `(num_test, num_features)`.

    Returns:
        `reconstruction_error`, `realism`, `anomaly_score`: each a dict of `train`, `validation`,
        `test` arrays.
    """
    detector, config = scored.detector, scored.detector.config
    heads, tails = split_train_validation([train], config.window_size, config.validation_fraction)
    parts = {"train": heads[0], "validation": tails[0], "test": test}
    components = {name: detector.components(values) for name, values in parts.items()}
    result = {
        key: {name: components[name][key] for name in parts}
        for key in ("reconstruction_error", "realism")
    }
    result["anomaly_score"] = {
        name: scored.scores if name == "test" else detector.decision_function(values)
        for name, values in parts.items()
    }
    return result


def _judged(
    scores: np.ndarray, predictions: np.ndarray, labels: np.ndarray | None
) -> dict[str, Any]:
    """Metrics and rates of given scores and decisions."""
    result: dict[str, Any] = {
        "metrics": {},
        "alarm_rate": float(predictions.mean()),
        "false_alarm_rate": None,
    }
    if labels is None:
        return result
    result["metrics"] = evaluate_scores(labels, scores, predictions)
    normal = np.asarray(labels) == 0
    if normal.any():
        result["false_alarm_rate"] = float(predictions[normal].mean())
    return result
