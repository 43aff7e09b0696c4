"""What commands read: settings, series and labels, from files or from a dataset by its name."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tsad_keras.config import Config
from tsad_keras.errors import InputError

if TYPE_CHECKING:
    from tsad_keras.datasets.tables import Table


def read_config(arguments: argparse.Namespace) -> Config:
    """The settings: preset or config file, then the flags that were given."""
    given = {
        field.name: getattr(arguments, field.name)
        for field in dataclasses.fields(Config)
        if hasattr(arguments, field.name)
    }
    if not arguments.config:
        return Config.from_preset(arguments.preset or "contrastive-gan", **given)
    path = arguments.config
    try:
        values = Config.from_json(path).to_dict()
    except InputError as error:
        raise InputError(str(error) if str(path) in str(error) else f"{path}: {error}") from error
    return Config.from_dict({**values, **given})


def check_source(arguments: argparse.Namespace, dataset: str | None) -> None:
    """Refuses flags that would be ignored: columns of published data, entities of single files."""
    if dataset is None and arguments.entity:
        raise InputError(
            f"--entity {arguments.entity} came with a file, expected it with --dataset; leave it "
            "out or name a dataset"
        )
    for flag in ("time_column", "label_column"):
        if dataset not in (None, "own") and getattr(arguments, flag):
            raise InputError(
                f"--{flag.replace('_', '-')} came with the dataset {dataset}, whose columns are "
                "known; expected it with your own files or the dataset own; leave it out"
            )


def load_named(arguments: argparse.Namespace) -> Any:
    """The dataset of `--dataset`, `--entity` and `--data-dir`."""
    from tsad_keras.datasets import load_dataset

    options = column_options(arguments) if arguments.dataset == "own" else {}
    return load_dataset(arguments.dataset, arguments.entity, arguments.data_dir, **options)


def column_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """The flags that name columns of a person's own files."""
    return {"time_column": arguments.time_column, "label_column": arguments.label_column}


def training_series(arguments: argparse.Namespace) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """The series to train on and the names of their features."""
    check_source(arguments, arguments.dataset)
    if arguments.dataset:
        dataset = load_named(arguments)
        return [dataset.train], dataset.feature_names
    from tsad_keras.datasets.base import check_values
    from tsad_keras.datasets.tables import read_table

    series: list[np.ndarray] = []
    feature_names: tuple[str, ...] | None = None
    for path in arguments.train_file:
        table = read_table(path, feature_names=feature_names, **column_options(arguments))
        feature_names = table.feature_names
        if len(arguments.train_file) == 1:
            check_values(table.values, feature_names, str(path), training=True)
        series.append(table.values)
    return series, feature_names


def load_scorer(arguments: argparse.Namespace) -> Any:
    """The model of `--model-dir`, or of `--export-dir`, which needs no Keras."""
    if arguments.model_dir:
        from tsad_keras.detector import load_detector

        return load_detector(arguments.model_dir)
    from tsad_keras.inference.exported import load_export

    return load_export(arguments.export_dir)


def tables_to_score(
    arguments: argparse.Namespace, feature_names: tuple[str, ...]
) -> Iterable[Table]:
    """The rows to score, chunk by chunk."""
    from tsad_keras.datasets.tables import Table, iterate_table

    check_source(arguments, arguments.dataset)
    if arguments.dataset:
        dataset = load_named(arguments)
        _check_same_features(dataset.feature_names, feature_names)
        return [Table(dataset.test, dataset.feature_names, dataset.test_timestamps)]
    return iterate_table(
        arguments.input[0],
        chunk_size=arguments.chunk_size,
        feature_names=feature_names,
        **column_options(arguments),
    )


def _check_same_features(came: tuple[str, ...], expected: tuple[str, ...]) -> None:
    if tuple(came) != tuple(expected):
        raise InputError(
            f"the series has the features {', '.join(came[:50])}; expected those of training in "
            f"their order: {', '.join(expected[:50])}; score the data that the model was made for"
        )


def read_scores(path: Path) -> tuple[np.ndarray | None, np.ndarray, np.ndarray | None]:
    """Times (None: the scored file had none), scores and decisions that `score` wrote."""
    from tsad_keras.datasets.table_files import open_table
    from tsad_keras.datasets.tables import read_table

    columns = "time, anomaly_score, is_anomaly as `score` writes them"
    for name in ("anomaly_score", "is_anomaly"):
        if name not in open_table(path).names:
            raise InputError(
                f"{path} has no column {name}, expected the columns {columns}; check --scores"
            )
    table = read_table(path, label_column="is_anomaly")
    if "anomaly_score" not in table.feature_names:
        raise InputError(f"{path}: anomaly_score is no column of numbers, expected {columns}")
    scores = table.values[:, table.feature_names.index("anomaly_score")]
    if np.isnan(scores).any():
        raise InputError(
            f"{path}: column 'anomaly_score' is empty at data row "
            f"{int(np.flatnonzero(np.isnan(scores))[0]) + 1}, expected a number in each row; score "
            "again"
        )
    times = table.timestamps
    if times is not None and np.array_equal(times, np.arange(len(scores))):
        times = None  # row numbers: the scored file had no times
    return times, scores, table.labels


def read_labels(
    arguments: argparse.Namespace, num_rows: int, times: np.ndarray | None
) -> np.ndarray:
    """The labels to judge `num_rows` scores by."""
    check_source(arguments, arguments.dataset)
    if not arguments.dataset:
        from tsad_keras.datasets import tables

        return tables.read_labels(
            arguments.labels, num_rows=num_rows, timestamps=times, **column_options(arguments)
        )
    dataset = load_named(arguments)
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


def own_files(arguments: argparse.Namespace) -> Any:
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
        arguments.train_file, arguments.test_file, arguments.labels, **column_options(arguments)
    )


def chosen_entities(arguments: argparse.Namespace) -> str | list[str]:
    """The entities of `reproduce`, checked at once; all if none was named."""
    from tsad_keras.datasets import list_entities
    from tsad_keras.datasets.published import choose_entity

    known = list_entities(arguments.name, arguments.data_dir)  # raises for unknown names, no files
    named = [arguments.entity] if arguments.entity else list(arguments.entities or ["all"])
    if named == ["all"]:
        return "all"
    return [choose_entity(arguments.name, entity, known) for entity in named]
