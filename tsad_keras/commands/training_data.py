"""What `train` reads: files or a dataset's training parts, as series of entities."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tsad_keras.commands.sources import (
    check_source,
    chosen_entities,
    load_named,
    table_options,
)
from tsad_keras.errors import InputError


@dataclasses.dataclass(frozen=True)
class TrainingSeries:
    """What one model is trained on.

    Attributes:
        values: Series `(num_timesteps, num_features)`.
        feature_names: Of all of them.
        entities: The entity of each.
        rate: As `rate_of` gives it.
    """

    values: list[np.ndarray]
    feature_names: tuple[str, ...]
    entities: list[str]
    rate: dict[str, Any] | None


def training_series(arguments: argparse.Namespace) -> TrainingSeries:
    """The series to train one model on, cut at gaps if `--max-gap` is given."""
    from tsad_keras.datasets.gaps import split_at_gaps
    from tsad_keras.datasets.sampling import check_rates, rate_of

    check_source(arguments, arguments.dataset)
    read = _training_datasets if arguments.dataset else _training_files
    values: list[np.ndarray] = []
    entities: list[str] = []
    names: tuple[str, ...] = ()
    found = list(read(arguments))
    if arguments.dataset in (None, "own") and arguments.resample is None:
        check_rates([(entity, times) for entity, _, times, _ in found])
    for entity, rows, times, own_names in found:
        names = own_names
        pieces = split_at_gaps(rows, times, arguments.max_gap)
        values += pieces
        entities += [entity] * len(pieces)
    return TrainingSeries(values, names, entities, rate_of(found[0][2]))


_Rows = tuple[str, np.ndarray, "np.ndarray | None", tuple[str, ...]]


def _training_datasets(arguments: argparse.Namespace) -> Iterator[_Rows]:
    """Yields entity, rows, times and features of each entity's training part."""
    first = None
    if not arguments.entity and not arguments.entities:
        _check_single(arguments)
    for entity in chosen_entities(arguments.dataset, arguments):
        dataset = load_named(arguments, entity)
        first = first or dataset
        _check_joint(first, dataset)
        yield dataset.entity, dataset.train, dataset.train_timestamps, dataset.feature_names


def _check_single(arguments: argparse.Namespace) -> None:
    """Refuses to guess what is wanted of several entities."""
    from tsad_keras.datasets import list_entities

    known = list_entities(arguments.dataset, arguments.data_dir)
    if len(known) > 1:
        raise InputError(
            f"{arguments.dataset} has {len(known)} entities and none was named, expected one of: "
            f"{', '.join(known[:50])}; name it with --entity, or --entities all for one model of "
            "all, with --per-entity for a model each"
        )


def _check_joint(first: Any, other: Any) -> None:
    """Refuses entities that one model cannot be trained on together."""
    if other.feature_names == first.feature_names:
        return
    extra = [name for name in other.feature_names if name not in first.feature_names]
    missing = [name for name in first.feature_names if name not in other.feature_names]
    what = (
        f"has the column {extra[0]!r}" if extra else f"lacks the column {(missing or ['?'])[0]!r}"
    )
    if not extra and not missing:
        what = "has the columns in another order"
    raise InputError(
        f"{other.entity} {what}, unlike {first.entity}; expected the same columns for one model: "
        "choose common ones with --columns, or train one model each with --per-entity"
    )


def _training_files(arguments: argparse.Namespace) -> Iterator[_Rows]:
    """Yields name, rows, times and features of each file."""
    from tsad_keras.datasets.base import check_values
    from tsad_keras.datasets.sampling import parse_interval, resample_table
    from tsad_keras.datasets.tables import read_table

    interval = parse_interval(arguments.resample)
    feature_names: tuple[str, ...] | None = None
    stems = [Path(path).name.split(".")[0] for path in arguments.train_file]
    is_unique = len(set(stems)) == len(stems)
    for path, stem in zip(arguments.train_file, stems, strict=True):
        table = read_table(path, feature_names=feature_names, **table_options(arguments))
        table = resample_table(table, interval, str(path))
        feature_names = table.feature_names
        if len(arguments.train_file) == 1:
            check_values(table.values, feature_names, str(path), training=True)
        yield stem if is_unique else str(path), table.values, table.timestamps, feature_names
