"""What each command does. Heavy packages are imported by the commands that need them."""

from __future__ import annotations

import argparse
import csv
import logging
import sys
from pathlib import Path
from typing import IO

import numpy as np

from tsad_keras.commands import sources
from tsad_keras.commands.benchmarks import benchmark
from tsad_keras.commands.explanations import explain
from tsad_keras.commands.exports import export, verify_export
from tsad_keras.commands.places import check_folder, check_output, claimed_folder
from tsad_keras.commands.servers import serve
from tsad_keras.commands.starting import quiet_start
from tsad_keras.commands.streams import stream
from tsad_keras.errors import InputError
from tsad_keras.files import atomic_write, is_stream, write_json

__all__ = [
    "benchmark",
    "completion",
    "download",
    "evaluate",
    "explain",
    "export",
    "reproduce",
    "score",
    "serve",
    "stream",
    "train",
    "verify_export",
]


def train(arguments: argparse.Namespace) -> None:
    """Trains on files or on a dataset's training part and saves the model."""
    config = sources.read_config(arguments)
    folder = Path(arguments.model_dir)
    check_folder(folder)
    if arguments.tensorboard_dir:
        check_folder(Path(arguments.tensorboard_dir))
    series, feature_names = sources.training_series(arguments)
    with quiet_start():
        from tsad_keras.detector import ContrastiveGANDetector
        from tsad_keras.training import TrainingDivergedError

    detector = ContrastiveGANDetector.from_config(config)
    with claimed_folder(folder):
        try:
            detector.fit(
                series,
                feature_names=feature_names,
                verbose=not arguments.quiet,
                checkpoint_path=folder / "checkpoint.npz",
                history_path=folder / "history.csv",
                tensorboard_dir=arguments.tensorboard_dir,
            )
        except TrainingDivergedError as error:
            if not error.best_epoch:
                raise InputError(f"{error}; no model was saved") from error
            detector.save(folder)
            raise InputError(f"{error}; the model with those weights is in {folder}") from error
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
    check_output(output, [arguments.input])
    if is_stream(output):  # it may be standard output: nothing but scores may go there
        logging.getLogger("tsad_keras").setLevel(logging.WARNING)
    with quiet_start():
        from tsad_keras.detector import load_detector

    detector = load_detector(arguments.model_dir)
    pending: list[np.ndarray] = []  # times whose scores are not final yet
    pieces = sources.score_pieces(arguments, detector.feature_names_, pending)
    threshold = detector.alarm_threshold(arguments.causal)
    num_rows = num_alarms = 0
    with atomic_write(output) as file:
        file.write("time,anomaly_score,is_anomaly\n")
        for contributions in detector.iterate_explained(pieces, causal=arguments.causal):
            scores = contributions.sum(axis=1)
            alarms = scores >= threshold
            _write_scores(file, _take(pending, len(scores)), scores, alarms)
            num_rows += len(scores)
            num_alarms += int(alarms.sum())
    print(
        f"{num_rows} time steps, {num_alarms} alarms ({num_alarms / num_rows:.2%}): {output}",
        file=sys.stderr if is_stream(output) else sys.stdout,
    )


def evaluate(arguments: argparse.Namespace) -> None:
    """Judges a score file against labels."""
    from tsad_keras.evaluation import always_alarm_f1_score, evaluate_scores

    if arguments.output:
        check_output(Path(arguments.output), [arguments.scores, arguments.labels])
    times, scores, predictions = sources.read_scores(Path(arguments.scores))
    labels = sources.read_labels(arguments, len(scores), times)
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
    config = sources.read_config(arguments)
    name = arguments.name
    folder = Path(arguments.output or f"runs/{name}")
    dataset = sources.own_files(arguments)
    sources.check_source(arguments, None if dataset is not None else name)
    entities = sources.chosen_entities(arguments) if dataset is None else None
    check_folder(folder)
    with quiet_start():
        from tsad_keras import benchmark as benchmarks
        from tsad_keras import report

    common = {"seeds": arguments.seeds, "verbose": not arguments.quiet}
    if dataset is not None:
        result = benchmarks.reproduce_entity(dataset, config, folder, **common)
    else:
        options = sources.column_options(arguments) if name == "own" else {}
        result = benchmarks.reproduce(
            name,
            entities,
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

    check_folder(Path(arguments.data_dir))
    paths = fetch(arguments.name, arguments.data_dir, progress=not arguments.quiet)
    print(f"{len(paths)} files of {arguments.name} are complete in {arguments.data_dir}")


def completion(arguments: argparse.Namespace) -> None:
    """Prints a shell's completion script."""
    from tsad_keras.guide.completion import completion_script

    print(completion_script(arguments.program, arguments.shell))


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
