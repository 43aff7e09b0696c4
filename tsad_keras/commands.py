"""What each command does. Heavy packages are imported by the commands that need them."""

from __future__ import annotations

import argparse
import csv
import dataclasses
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from tsad_keras.config import Config
from tsad_keras.errors import InputError
from tsad_keras.files import atomic_write, write_json

logger = logging.getLogger(__name__)


def train(arguments: argparse.Namespace) -> None:
    """Trains on files or on a dataset's training part and saves the model."""
    config = read_config(arguments)
    folder = Path(arguments.model_dir)
    check_writable(folder)
    series, feature_names = _training_series(arguments)
    from tsad_keras.detector import ContrastiveGANDetector

    detector = ContrastiveGANDetector.from_config(config)
    detector.fit(
        series,
        feature_names=feature_names,
        verbose=not arguments.quiet,
        checkpoint_path=folder / "checkpoint.npz",
        history_path=folder / "history.csv",
        tensorboard_dir=arguments.tensorboard_dir,
    )
    detector.save(folder)
    detector.discard_checkpoint()
    print(
        f"trained on {len(series)} series with {sum(map(len, series))} rows and "
        f"{len(feature_names)} features; best epoch {detector.best_epoch_} of "
        f"{len(detector.history_)}; threshold {detector.threshold_:.6g} for an expected "
        f"false-alarm rate of {detector.expected_false_alarm_rate_:g}\nmodel: {folder}"
    )


def score(arguments: argparse.Namespace) -> None:
    """Scores a file in chunks, or a dataset's test part, into a CSV file."""
    output = Path(arguments.output)
    check_writable(output.parent)
    from tsad_keras.detector import load_detector

    detector = load_detector(arguments.model_dir)
    pending: list[np.ndarray] = []  # times whose scores are not final yet
    pieces = _score_pieces(arguments, detector, pending)
    num_rows = num_alarms = 0
    with atomic_write(output) as file:
        file.write("time,anomaly_score,is_anomaly\n")
        for contributions in detector.iterate_explained(pieces):
            scores = contributions.sum(axis=1)
            alarms = scores >= detector.threshold_
            _write_scores(file, _take(pending, len(scores)), scores, alarms)
            num_rows += len(scores)
            num_alarms += int(alarms.sum())
    print(f"{num_rows} time steps, {num_alarms} alarms ({num_alarms / num_rows:.2%}): {output}")


def evaluate(arguments: argparse.Namespace) -> None:
    """Judges a score file against labels."""
    from tsad_keras.evaluation import always_alarm_f1_score, evaluate_scores

    times, scores, predictions = _read_scores(Path(arguments.scores))
    labels = _read_labels(arguments, len(scores), times)
    metrics = evaluate_scores(labels, scores, predictions)
    metrics["always_alarm_f1_score"] = always_alarm_f1_score(labels)
    if arguments.output:
        write_json(arguments.output, metrics)
    for name, value in metrics.items():
        remark = "  (inflated: one hit counts a whole event)" if "point_adjusted" in name else ""
        remark = "  (oracle threshold)" + remark if name.startswith("best_") else remark
        print(f"{name:<32} {value:.4f}{remark}")


def reproduce(arguments: argparse.Namespace) -> None:
    """Trains, scores, evaluates against baselines and reports."""
    config = read_config(arguments)
    name = arguments.name
    folder = Path(arguments.output or f"runs/{name}")
    dataset = _own_files(arguments)
    if dataset is None:
        from tsad_keras.datasets import list_entities

        list_entities(name, arguments.data_dir)  # an unknown name or missing files, at once
    check_writable(folder)
    from tsad_keras import benchmark, report

    common = {"seeds": arguments.seeds, "verbose": not arguments.quiet}
    if dataset is not None:
        result = benchmark.reproduce_entity(dataset, config, folder, **common)
    else:
        options = _column_options(arguments) if name == "own" else {}
        result = benchmark.reproduce(
            name,
            _chosen_entities(arguments),
            config=config,
            output_dir=folder,
            data_dir=arguments.data_dir,
            data_options=options,
            **common,
        )
    report.print_table(result)


def download(arguments: argparse.Namespace) -> None:
    """Fetches a published dataset."""
    from tsad_keras.datasets.download import download as fetch

    paths = fetch(arguments.name, arguments.data_dir, progress=not arguments.quiet)
    print(f"{len(paths)} files of {arguments.name} are complete in {arguments.data_dir}")


def read_config(arguments: argparse.Namespace) -> Config:
    """The settings: preset or config file, then the flags that were given."""
    given = {
        field.name: getattr(arguments, field.name)
        for field in dataclasses.fields(Config)
        if hasattr(arguments, field.name)
    }
    if arguments.config:
        return Config.from_dict({**Config.from_json(arguments.config).to_dict(), **given})
    return Config.from_preset(arguments.preset or "contrastive-gan", **given)


def check_writable(folder: Path) -> None:
    """Raises `InputError` if nothing can be written to a folder, before any work is done for it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"cannot write to {folder}: {error.strerror or error}; choose a folder you may write to"
        ) from error


def _training_series(arguments: argparse.Namespace) -> tuple[list[np.ndarray], tuple[str, ...]]:
    if arguments.dataset:
        from tsad_keras.datasets import load_dataset

        dataset = load_dataset(
            arguments.dataset, arguments.entity, arguments.data_dir, **_dataset_options(arguments)
        )
        return [dataset.train], dataset.feature_names
    from tsad_keras.datasets.base import check_values
    from tsad_keras.datasets.tables import read_table

    series: list[np.ndarray] = []
    feature_names: tuple[str, ...] | None = None
    for path in arguments.train_file:
        table = read_table(path, feature_names=feature_names, **_column_options(arguments))
        feature_names = table.feature_names
        if len(arguments.train_file) == 1:
            check_values(table.values, feature_names, str(path), training=True)
        series.append(table.values)
    return series, feature_names


def _score_pieces(
    arguments: argparse.Namespace, detector: Any, pending: list[np.ndarray]
) -> Iterator[np.ndarray]:
    """Yields raw values chunk by chunk and notes their times in `pending`."""
    if arguments.dataset:
        from tsad_keras.datasets import load_dataset

        dataset = load_dataset(
            arguments.dataset, arguments.entity, arguments.data_dir, **_dataset_options(arguments)
        )
        _check_same_features(dataset.feature_names, detector.feature_names_)
        times = dataset.test_timestamps
        pending.append(np.arange(dataset.num_test) if times is None else np.asarray(times))
        return iter([dataset.test])
    from tsad_keras.datasets.tables import iterate_table

    tables = iterate_table(
        arguments.input,
        chunk_size=arguments.chunk_size,
        feature_names=detector.feature_names_,
        **_column_options(arguments),
    )

    def values() -> Iterator[np.ndarray]:
        first = 0
        for table in tables:
            count = len(table.values)
            times = table.timestamps
            pending.append(np.arange(first, first + count) if times is None else times)
            first += count
            yield table.values

    return values()


def _check_same_features(came: tuple[str, ...], expected: tuple[str, ...]) -> None:
    if tuple(came) != tuple(expected):
        raise InputError(
            f"the series has the features {', '.join(came[:50])}; expected those of training in "
            f"their order: {', '.join(expected[:50])}"
        )


def _take(pending: list[np.ndarray], count: int) -> np.ndarray:
    """Removes and returns the first `count` times."""
    parts = []
    while count:
        head = pending.pop(0)
        parts.append(head[:count])
        if len(head) > count:
            pending.insert(0, head[count:])
        count -= len(parts[-1])
    return np.concatenate(parts)


def _write_scores(file: IO[str], times: np.ndarray, scores: np.ndarray, alarms: np.ndarray) -> None:
    from tsad_keras.datasets.table_cells import show_time

    writer = csv.writer(file, lineterminator="\n")
    writer.writerows(
        (show_time(time), f"{value:.9g}", int(alarm))
        for time, value, alarm in zip(times, scores, alarms, strict=True)
    )


def _read_scores(path: Path) -> tuple[np.ndarray | None, np.ndarray, np.ndarray | None]:
    from tsad_keras.datasets.tables import read_table

    table = read_table(path, label_column="is_anomaly")
    if "anomaly_score" not in table.feature_names:
        raise InputError(
            f"{path} has no column anomaly_score, expected the columns time, anomaly_score, "
            "is_anomaly as `score` writes them"
        )
    scores = table.values[:, table.feature_names.index("anomaly_score")]
    times = table.timestamps
    if times is not None and np.array_equal(times, np.arange(len(scores))):
        times = None  # row numbers: the scored file had no times
    return times, scores, table.labels


def _read_labels(
    arguments: argparse.Namespace, num_rows: int, times: np.ndarray | None
) -> np.ndarray:
    if arguments.dataset:
        from tsad_keras.datasets import load_dataset

        dataset = load_dataset(
            arguments.dataset, arguments.entity, arguments.data_dir, **_dataset_options(arguments)
        )
        if dataset.test_labels is None:
            raise InputError(
                f"the dataset {arguments.dataset} has no labels for {dataset.entity}; name a file "
                "with --labels"
            )
        if dataset.num_test != num_rows:
            raise InputError(
                f"{arguments.scores} holds {num_rows} scores, expected {dataset.num_test}, one for "
                f"each test row of {arguments.dataset} {dataset.entity}; score that series"
            )
        return dataset.test_labels
    from tsad_keras.datasets.tables import read_labels

    return read_labels(
        arguments.labels, num_rows=num_rows, timestamps=times, **_column_options(arguments)
    )


def _column_options(arguments: argparse.Namespace) -> dict[str, Any]:
    return {"time_column": arguments.time_column, "label_column": arguments.label_column}


def _dataset_options(arguments: argparse.Namespace) -> dict[str, Any]:
    return _column_options(arguments) if arguments.dataset == "own" else {}


def _own_files(arguments: argparse.Namespace) -> Any:
    """The dataset of `reproduce own --train-file ...`, or None if no file was named."""
    if not arguments.train_file:
        if arguments.test_file or arguments.labels:
            raise InputError("--test-file and --labels need --train-file; name all files, or none")
        return None
    if arguments.name != "own":
        raise InputError(
            f"--train-file came with the dataset {arguments.name}, expected NAME own; run: "
            "tsad-keras reproduce own --train-file FILE"
        )
    from tsad_keras.datasets.own import load_own

    return load_own(
        arguments.train_file, arguments.test_file, arguments.labels, **_column_options(arguments)
    )


def _chosen_entities(arguments: argparse.Namespace) -> str | list[str] | None:
    if arguments.entity:
        return arguments.entity
    if arguments.entities and arguments.entities != ["all"]:
        return arguments.entities
    return "all"
