"""What commands read: settings, series and labels, from files or from a dataset by its name."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tsad_keras.config import Config
from tsad_keras.errors import InputError

if TYPE_CHECKING:
    from tsad_keras.datasets.table_chunks import Table

# Flags of own data, and options of its reader under the same names.
OWN_FLAGS = ("time_column", "label_column", "columns", "resample")


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


def refuse_entity_scaling(command: str, is_on: bool) -> None:
    """Refuses a setting that is for one model of many entities where each has a model."""
    if is_on:
        raise InputError(
            f"--entity-scaling came with {command}, which trains a model for each entity; leave it "
            "out, or use `train --entities all --entity-scaling`"
        )


def check_source(
    arguments: argparse.Namespace, dataset: str | None, *, has_entities: bool = False
) -> None:
    """Refuses flags that would be ignored: columns of published data, entities of single files.

    Args:
        arguments: The flags.
        dataset: Name of the dataset; None for files.
        has_entities: Whether an entity may be named for a file, because a model knows it.
    """
    if dataset is None and arguments.entity and not has_entities:
        raise InputError(
            f"--entity {arguments.entity} came with a file, expected it with --dataset; leave it "
            "out or name a dataset"
        )
    if dataset is None and getattr(arguments, "entities", None):
        raise InputError("--entities came with files, expected it with --dataset; leave it out")
    for flag in OWN_FLAGS:
        if dataset not in (None, "own") and getattr(arguments, flag):
            raise InputError(
                f"--{flag.replace('_', '-')} came with the dataset {dataset}, whose columns are "
                "known; expected it with your own files or the dataset own; leave it out"
            )


def load_named(arguments: argparse.Namespace, entity: str | None = None) -> Any:
    """The dataset of `--dataset`, `--entity` (unless one is given) and `--data-dir`."""
    from tsad_keras.datasets import load_dataset

    chosen = entity or arguments.entity
    return load_dataset(arguments.dataset, chosen, arguments.data_dir, **reader_options(arguments))


def reader_options(arguments: argparse.Namespace, dataset: str | None = None) -> dict[str, Any]:
    """What the reader of a dataset takes of the flags: `own_options` for own data."""
    return own_options(arguments) if (dataset or arguments.dataset) == "own" else {}


def own_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """The flags that say how a person's own data are read."""
    return {flag: getattr(arguments, flag) for flag in OWN_FLAGS}


def table_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Those that say what the columns of one file are."""
    return {name: value for name, value in own_options(arguments).items() if name != "resample"}


def score_tables(
    arguments: argparse.Namespace,
    dataset: Any | None,
    feature_names: tuple[str, ...],
    rate: dict[str, Any] | None = None,
) -> Iterator[Table]:
    """The chunks of `--input`, if they are of the model's rate; or the test part of a dataset."""
    from tsad_keras.datasets.table_chunks import Table
    from tsad_keras.datasets.tables import iterate_table

    if dataset is not None:
        _check_same_features(dataset.feature_names, feature_names)
        return iter([Table(dataset.test, dataset.feature_names, dataset.test_timestamps)])
    tables = iterate_table(
        arguments.input,
        chunk_size=arguments.chunk_size,
        feature_names=feature_names,
        **table_options(arguments),
    )
    return _at_rate(tables, arguments, rate)


def _at_rate(
    tables: Iterable[Table], arguments: argparse.Namespace, rate: dict[str, Any] | None
) -> Iterable[Table]:
    """The chunks of `--input` on the grid that was asked for, if they are of the model's rate."""
    from tsad_keras.inference.score_files import at_rate

    return at_rate(tables, arguments.resample, rate, str(arguments.input))


def rows_to_report(
    arguments: argparse.Namespace,
    dataset: Any,
    feature_names: tuple[str, ...],
    rate: dict[str, Any] | None = None,
) -> Any:
    """The rows, times and labels that a page is about, as a `Table`, and their name."""
    if dataset is None:
        from tsad_keras.datasets.own import load_rows

        options = table_options(arguments)
        table = load_rows(arguments.input, arguments.labels, feature_names=feature_names, **options)
        (table,) = _at_rate([table], arguments, rate)
        return table, Path(arguments.input).name
    from tsad_keras.datasets.tables import Table

    _check_same_features(dataset.feature_names, feature_names)
    table = Table(dataset.test, dataset.feature_names, dataset.test_timestamps, dataset.test_labels)
    return table, f"{dataset.name}, {dataset.entity}"


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
        from tsad_keras.datasets.sampling import parse_interval

        return tables.read_labels(
            arguments.labels,
            num_rows=num_rows,
            timestamps=times,
            time_column=arguments.time_column,
            label_column=arguments.label_column,
            interval=parse_interval(arguments.resample),
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
        arguments.train_file, arguments.test_file, arguments.labels, **own_options(arguments)
    )


def chosen_entities(dataset: str, arguments: argparse.Namespace) -> list[str]:
    """The entities of `--entity` or `--entities`, checked at once; all if none was named."""
    from tsad_keras.datasets import list_entities
    from tsad_keras.datasets.published import choose_entity

    known = list_entities(dataset, arguments.data_dir)  # raises for unknown names, no files
    named = [arguments.entity] if arguments.entity else list(arguments.entities or ["all"])
    if named == ["all"]:
        return known
    chosen = [choose_entity(dataset, entity, known) for entity in named]
    return list(dict.fromkeys(chosen))
