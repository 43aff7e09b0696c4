"""One model on one entity, over its seeds: fits, scores, judges, in a process of its own.

`python -m tsad_keras.benchmark.worker` reads a `Task` as JSON from standard input and writes a line
of JSON a seed: a list of rows, or at last `{"error": text}`. A process of its own has a memory peak
of its own (that of the first seed: later seeds find what the earlier ones left), gives all memory
back, and can be stopped at any time.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np

from tsad_keras import children
from tsad_keras.benchmark.posts import posts
from tsad_keras.benchmark.registry import Method, Model, methods, models
from tsad_keras.config import Config
from tsad_keras.datasets import load_dataset
from tsad_keras.datasets.base import TimeSeriesDataset
from tsad_keras.errors import InputError
from tsad_keras.reporting.facts import data_fingerprint, peak_memory_mb, versions
from tsad_keras.thresholds import choose_threshold, series_threshold

FORMAT = 5  # of rows; those of another one are computed again
METRICS = (
    "vus_pr_score",
    "vus_roc_score",
    "average_precision_score",
    "roc_auc_score",
    "best_f1_score",
    "f1_score",
    "affiliation_f1_score",
    "event_f1_score",
    "best_point_adjusted_f1_score",
)
Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Task:
    """What one process does.

    Attributes:
        dataset: Name of the dataset.
        entity: Name of the series.
        data_dir: Where the data lie.
        data_options: Further options of the dataset's reader.
        model: Name of the model.
        methods: Names of the methods to score it by.
        seeds: One after the other.
        overrides: Fields of `Config` for all models.
    """

    dataset: str
    entity: str
    data_dir: str
    data_options: dict[str, Any]
    model: str
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    overrides: dict[str, Any]

    # The module whose `run_task` does it, also as a process; a study with data of its own has one.
    worker: ClassVar[str] = "tsad_keras.benchmark.worker"


@dataclasses.dataclass(frozen=True)
class _Fitted:
    """A fitted model and what it said: outputs, of which `combine` makes scores."""

    validation: list[np.ndarray]
    test: np.ndarray
    combine: Callable[..., np.ndarray]
    choose_threshold: Callable[[np.ndarray], float]
    max_alarm_rate: float
    fit_seconds: float
    score_seconds: float


def run_task(task: Task) -> Iterator[list[Row]]:
    """Yields the rows of each seed: one for each method and post.

    Args:
        task: What to run.

    Raises:
        InputError: If the data are not there, have no labels, or do not fit the settings.
    """
    dataset = load_dataset(task.dataset, task.entity, task.data_dir, **task.data_options)
    for seed in task.seeds:
        yield run_seed(task, dataset, seed)


def run_seed(task: Task, dataset: TimeSeriesDataset, seed: int) -> list[Row]:
    """Fits on `dataset.train`, scores and judges `dataset.test`.

    Args:
        task: What to run; its data are not loaded.
        dataset: The data.
        seed: Of the fit.

    Returns:
        A row for each of the task's methods and each post.
    """
    model = models()[task.model]
    fit = _fit_detector if model.baseline is None else _fit_baseline
    fitted = fit(model, model.make_config(task.overrides, seed), dataset.train, dataset.test)
    common = {
        "seed": seed,
        "fit_seconds": round(fitted.fit_seconds, 3),
        "score_seconds": round(fitted.score_seconds, 3),
        "peak_memory_mb": peak_memory_mb(),
        "data_sha256": short_fingerprint(dataset),
        **row_versions(),
    }
    rows = []
    for name in task.methods:
        method = methods()[name]
        facts = {
            "dataset": task.dataset,
            "entity": task.entity,
            "method": name,
            "family": method.family,
            "settings_sha256": settings_digest(method, task.overrides),
        }
        rows += [facts | common | judged for judged in _judge(fitted, method, task, dataset)]
    return rows


def short_fingerprint(dataset: TimeSeriesDataset) -> str:
    """The hash of the data in a row: 16 hexadecimal digits."""
    return data_fingerprint(dataset)[:16]


def settings_digest(method: Method, overrides: dict[str, Any]) -> str:
    """A hash of all that the numbers of a method depend on, but for the seed and the data.

    Args:
        method: The method.
        overrides: Fields of `Config` for all models.

    Returns:
        16 hexadecimal digits.
    """
    model = models()[method.model]
    config = model.make_config(overrides, seed=0)
    if model.baseline is None:
        settings: dict[str, Any] = config.to_dict()
    else:
        baseline = model.make_baseline(config)
        settings = {"class": type(baseline).__name__, **vars(baseline)}
    settings.pop("entity_scaling", None)  # each model has one series here
    text = json.dumps([FORMAT, settings, method.options, common_span(overrides)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def row_versions() -> dict[str, str]:
    """Versions for a row, under the names of its columns."""
    return {f"version_{name.replace('-', '_')}": value for name, value in versions().items()}


def common_span(overrides: dict[str, Any]) -> int:
    """The span of every method's smoothing: that of the default preset, unless it is set."""
    return Config.from_preset(**overrides).smoothing_span


def _fit_baseline(model: Model, config: Config, train: np.ndarray, test: np.ndarray) -> _Fitted:
    baseline = model.make_baseline(config)
    started = time.perf_counter()
    baseline.fit(train)
    fitted = time.perf_counter()
    (outputs,) = baseline.point_outputs(test)
    return _Fitted(
        validation=baseline.validation_outputs_,
        test=outputs,
        combine=baseline.combine,
        choose_threshold=baseline.choose_threshold,
        max_alarm_rate=config.max_alarm_rate,
        fit_seconds=fitted - started,
        score_seconds=time.perf_counter() - fitted,
    )


def _fit_detector(model: Model, config: Config, train: np.ndarray, test: np.ndarray) -> _Fitted:
    from tsad_keras.detector import ContrastiveGANDetector
    from tsad_keras.fusion import CombinedScore, FusedScore
    from tsad_keras.levels import FusionLevels, view_scales
    from tsad_keras.scaling import last_seen
    from tsad_keras.training import TrainingDivergedError
    from tsad_keras.windows import split_train_validation

    # Error scales are wanted for the methods that calibrate; the others just do not use them.
    detector = ContrastiveGANDetector.from_config(dataclasses.replace(config, calibrate=True))
    started = time.perf_counter()
    try:
        detector.fit(train, verbose=False)
    except TrainingDivergedError as error:
        if not error.best_epoch:
            raise
    fitted = time.perf_counter()
    test_outputs = detector.point_components(detector.prepare_rows(test))
    seconds = time.perf_counter() - fitted
    (head,), (tail,) = split_train_validation(
        [train], config.window_size, config.validation_fraction
    )
    validation = detector.point_components(detector.prepare_rows(tail, last_seen(head)))

    def combine(
        outputs: np.ndarray,
        score_mode: str = config.score_mode,
        calibrate: bool = config.calibrate,
        **of_fusion: Any,
    ) -> np.ndarray:
        scale = detector.error_scale_ if calibrate else np.ones_like(detector.error_scale_)
        if score_mode == "fused":
            known = detector.fusion_levels_
            scales = view_scales(detector.error_scale_, known.forecast_scale, known.shift_scale)
            if not calibrate:
                scales = {name: np.ones_like(one) for name, one in scales.items()}
            judge: FusedScore | CombinedScore = FusedScore(
                FusionLevels.of(
                    [validation],
                    scales,
                    calibrate=calibrate,
                    weight=detector.scaler_.weight_,
                ),
                error_scale=scale,
                **{"burst_span": config.burst_span, **of_fusion},
            )
        else:
            judge = CombinedScore(  # all its smoothing is that of the posts
                smoothing_span=1,
                num_features=len(scale),
                score_mode=score_mode,
                error_scale=scale,
                realism_weight=config.realism_weight,
            )
        return judge.scores(outputs)

    return _Fitted(
        validation=[validation],
        test=test_outputs,
        combine=combine,
        choose_threshold=lambda scores: choose_threshold(
            scores, config.threshold_method, config.false_alarm_rate
        ),
        max_alarm_rate=config.max_alarm_rate,
        fit_seconds=fitted - started,
        score_seconds=seconds,
    )


def _judge(
    fitted: _Fitted, method: Method, task: Task, dataset: TimeSeriesDataset
) -> Iterator[Row]:
    """Scores, threshold and decisions by each post; the labels come last."""
    from tsad_keras.evaluation import evaluate_scores

    validation = [fitted.combine(outputs, **method.options) for outputs in fitted.validation]
    test = fitted.combine(fitted.test, **method.options)
    for name, post in posts(common_span(task.overrides)).items():
        normal = np.concatenate(validation)
        judged = [post(part, normal) for part in validation]
        threshold = fitted.choose_threshold(np.concatenate(judged))
        scores = post(test, normal)
        in_effect = series_threshold(scores, threshold, fitted.max_alarm_rate)
        predictions = (scores >= in_effect).astype(np.int8)
        labels = dataset.test_labels
        if labels is None:
            raise InputError(f"{dataset.name} {dataset.entity} has no labels to judge by")
        metrics = evaluate_scores(labels, scores, predictions)
        is_normal = labels == 0
        yield {
            "post": name,
            "threshold": in_effect,
            "alarm_rate": float(predictions.mean()),
            "false_alarm_rate": float(predictions[is_normal].mean()) if is_normal.any() else None,
            **{metric: metrics[metric] for metric in METRICS},
        }


def serve(make_task: Callable[..., Task], run: Callable[[Any], Iterator[list[Row]]]) -> None:
    """Runs the task on the first line of standard input and ends the process.

    It ends as well, at any time, when standard input is closed.

    Args:
        make_task: The task's class.
        run: Yields the rows of each seed.
    """
    answers = children.Answers()
    task = next(children.tasks())
    try:
        for rows in run(make_task(**{**task, "methods": tuple(task["methods"])})):
            answers.send(rows)
    except InputError as error:
        answers.send({"error": str(error)})
    children.end()


if __name__ == "__main__":
    serve(Task, run_task)
