"""A person's own data as a dataset: folders of CSV or Parquet files, or files named one by one.

A folder is one entity if it holds `train.csv` (or `.csv.gz`, `.parquet`), usually with `test.*`
and, if labels are known, `test_label.*`. A folder of such folders has one entity each. Without
`test.*` the last 30 % of the training file, in time order, are the test part. A folder that holds
neither, but CSV or Parquet files of any other name, has an entity each file.
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tsad_keras.datasets.base import TimeSeriesDataset, check_values, split_tail
from tsad_keras.datasets.published import choose_entity, natural_key
from tsad_keras.datasets.sampling import check_rates, parse_interval, resample_table
from tsad_keras.datasets.table_files import EXTENSIONS, open_table
from tsad_keras.datasets.tables import Table, read_labels, read_table
from tsad_keras.errors import InputError

logger = logging.getLogger(__name__)

TEST_FRACTION = 0.3
STEMS = ("train", "test", "test_label")


def list_entities(data_dir: str | os.PathLike[str] = "data") -> list[str]:
    """Returns the entities of a person's folder: its own name, or those of its sub-folders.

    Args:
        data_dir: The folder, or one that holds it under the name `own-csv` or `own`.
    """
    return list(_find_entities(data_dir))


def load(
    entity: str | None = None,
    data_dir: str | os.PathLike[str] = "data",
    time_column: str | None = None,
    label_column: str | None = None,
    columns: Sequence[str] | None = None,
    resample: str | None = None,
) -> TimeSeriesDataset:
    """Reads one entity of a person's folder.

    Args:
        entity: Name of the sub-folder; may be None if there is one entity.
        data_dir: The folder, or one that holds it under the name `own-csv` or `own`.
        time_column: As in `load_own`.
        label_column: As in `load_own`.
        columns: As in `load_own`.
        resample: As in `load_own`.

    Returns:
        The dataset.

    Raises:
        InputError: If no entity is there, or a file is at fault.
    """
    place = _find_at_once(data_dir, entity)
    if place is None:
        places = _find_entities(data_dir)
        entity = choose_entity("own", entity, places)
        place = places[entity]
    files = [_find_file(place, stem) for stem in STEMS] if place.is_dir() else [place]
    return load_own(
        *files,
        time_column=time_column,
        label_column=label_column,
        columns=columns,
        resample=resample,
        entity=entity,
    )


def load_own(
    train_file: str | os.PathLike[str],
    test_file: str | os.PathLike[str] | None = None,
    labels_file: str | os.PathLike[str] | None = None,
    *,
    time_column: str | None = None,
    label_column: str | None = None,
    columns: Sequence[str] | None = None,
    resample: str | None = None,
    test_fraction: float = TEST_FRACTION,
    entity: str | None = None,
) -> TimeSeriesDataset:
    """Reads a dataset from files named one by one.

    Args:
        train_file: Training rows.
        test_file: Test rows, with the same columns; None cuts the last `test_fraction` of
            `train_file`, in time order.
        labels_file: Labels of the test file (without one: of the training file), a row each; None
            takes the test file's label column, if it has one.
        time_column: Name of the time column; None finds it.
        label_column: Name of the label column, wherever it occurs; None finds it.
        columns: The only columns to take as features, in this order; None takes all.
        resample: Interval of a grid of means, such as `60s`; `none` takes rows of mixed sampling
            rates as they come; None refuses them.
        test_fraction: Share of rows cut for the test part if there is no `test_file`, in (0, 1).
        entity: Name of the series; None takes the training file's name.

    Returns:
        The dataset; `notes` tell of a cut test part, of labelled anomalies among the training rows,
        and of a test part that begins before the training part ends.

    Raises:
        InputError: If a file is at fault, or the files do not belong together.
    """
    if not 0 < test_fraction < 1:
        raise InputError(f"test_fraction is {test_fraction}, expected a number between 0 and 1")
    _check_label_column(label_column, [train_file, test_file, labels_file])
    files = [str(file) for file in (train_file, test_file) if file is not None]
    options = {"time_column": time_column, "label_column": label_column, "columns": columns}
    tables = [_read(files[0], **options)]
    if test_file is not None:
        tables.append(_read(files[1], feature_names=tables[0].feature_names, **options))
    if labels_file is not None:
        tables[-1] = _with_labels(tables[-1], labels_file, label_column)
    _check_zones(files, tables)
    if resample is None:
        check_rates([(file, t.timestamps) for file, t in zip(files, tables, strict=True)])
    interval = parse_interval(resample)
    train, *tests = (
        resample_table(table, interval, file) for file, table in zip(files, tables, strict=True)
    )
    if tests:
        test, notes = tests[0], _order_notes(train, tests[0])
    else:
        train, test, notes = _cut(train, test_fraction)
    check_values(train.values, train.feature_names, str(train_file), training=True)
    if train.labels is not None and train.labels.any():
        notes += (
            f"{int(train.labels.sum())} of {train.num_timesteps} training rows are labelled "
            "anomalous; training takes them as normal",
        )
    for note in notes:
        logger.warning("%s: %s", train_file, note)
    return TimeSeriesDataset(
        name="own",
        entity=entity if entity is not None else Path(train_file).name.split(".")[0],
        train=train.values,
        test=test.values,
        test_labels=test.labels,
        feature_names=train.feature_names,
        train_timestamps=train.timestamps,
        test_timestamps=test.timestamps,
        notes=notes,
    )


def load_rows(
    file: str | os.PathLike[str],
    labels_file: str | os.PathLike[str] | None = None,
    *,
    feature_names: tuple[str, ...],
    time_column: str | None = None,
    label_column: str | None = None,
    columns: Sequence[str] | None = None,
) -> Table:
    """Reads rows to be scored, with their labels where there are such.

    Args:
        file: The rows.
        labels_file: Their labels; None takes the file's own label column, if it has one.
        feature_names: The columns of training.
        time_column: As in `load_own`.
        label_column: As in `load_own`.
        columns: As in `load_own`.

    Raises:
        InputError: If a file is at fault, or the files do not belong together.
    """
    _check_label_column(label_column, [file, labels_file])
    table = _read(
        str(file),
        time_column=time_column,
        label_column=label_column,
        columns=columns,
        feature_names=feature_names,
    )
    return table if labels_file is None else _with_labels(table, labels_file, label_column)


def _check_label_column(
    label_column: str | None, files: list[str | os.PathLike[str] | None]
) -> None:
    """Refuses a label column that none of the files has."""
    if label_column is None:
        return
    given = [file for file in files if file is not None]
    if not any(label_column in open_table(file).names for file in given):
        raise InputError(
            f"no file has a column {label_column!r}, expected it in one of "
            f"{', '.join(str(file) for file in given)}; check --label-column"
        )


def _present(path: str | os.PathLike[str], column: str | None) -> str | None:
    """Returns `column` if the file has it, else None: train and test need not both be labelled."""
    return column if column is not None and column in open_table(path).names else None


def _read(path: str, *, label_column: str | None, **options: Any) -> Table:
    return read_table(path, label_column=_present(path, label_column), **options)


def _check_zones(files: list[str], tables: list[Table]) -> None:
    """Refuses dates with a zone in one file and without in the other."""
    kinds = [table.time_kind for table in tables]
    if set(kinds) == {"naive", "aware"}:
        aware, naive = files[kinds.index("aware")], files[kinds.index("naive")]
        raise InputError(
            f"the times of {aware} have a time zone, those of {naive} have none, expected all "
            "with or all without; add the zone (Z is UTC) to the latter"
        )


def _with_labels(table: Table, path: str | os.PathLike[str], label_column: str | None) -> Table:
    """Returns the table with the labels of another file."""
    labels = read_labels(
        path,
        num_rows=table.num_timesteps,
        label_column=_present(path, label_column),
        timestamps=table.timestamps,
    )
    return dataclasses.replace(table, labels=labels)


def _cut(table: Table, fraction: float) -> tuple[Table, Table, tuple[str, ...]]:
    """Cuts the test part from the end of one file."""

    def parts(values: np.ndarray | None) -> tuple[np.ndarray | None, np.ndarray | None]:
        return (None, None) if values is None else split_tail(values, fraction)

    names = table.feature_names
    columns = zip(parts(table.values), parts(table.timestamps), parts(table.labels), strict=True)
    train, test = (Table(values, names, times, labels) for values, times, labels in columns)
    counts = f"{test.num_timesteps} of {table.num_timesteps}"
    return train, test, (f"no test file: the last {counts} rows are the test part",)


def _order_notes(train: Table, test: Table) -> tuple[str, ...]:
    """Returns a note if the test part begins before the training part ends."""
    if train.timestamps is None or test.timestamps is None:
        return ()
    if train.timestamps.dtype.kind != test.timestamps.dtype.kind:
        return ("the times of train and test are of different kinds (numbers and dates)",)
    if test.timestamps[0] > train.timestamps[-1]:
        return ()
    return ("the test part begins before the training part ends",)


def _find_file(folder: Path, stem: str) -> Path | None:
    """Returns the file of that stem with one of the known extensions, or None."""
    found = [path for path in (folder / f"{stem}{e}" for e in EXTENSIONS) if path.is_file()]
    if len(found) > 1:
        raise InputError(
            f"{folder} holds {' and '.join(path.name for path in found)}, expected one of them; "
            "remove the other"
        )
    return found[0] if found else None


def _find_at_once(data_dir: str | os.PathLike[str], entity: str | None) -> Path | None:
    """Returns the folder of an entity without a look at all beside it; None if in doubt."""
    data_dir = Path(data_dir)
    if entity is None or Path(entity).name != entity or entity == "..":
        return None
    folders = (data_dir / "own-csv", data_dir / "own", data_dir)
    folder = next(filter(Path.is_dir, folders), None)
    if folder is None or _find_file(folder, "train") or not (folder / entity).is_dir():
        return None
    return folder / entity if _find_file(folder / entity, "train") else None


def _find_entities(data_dir: str | os.PathLike[str]) -> dict[str, Path]:
    """Returns entity name -> folder, in natural order."""
    data_dir = Path(data_dir)
    for folder in (data_dir / "own-csv", data_dir / "own", data_dir):
        if not folder.is_dir():
            continue
        if _find_file(folder, "train"):
            return {folder.resolve().name: folder}
        children = [child for child in folder.iterdir() if child.is_dir()]
        entities = {child.name: child for child in children if _find_file(child, "train")}
        if entities:
            return {name: entities[name] for name in sorted(entities, key=natural_key)}
        files = _plain_files(folder)
        if files:
            return {name: files[name] for name in sorted(files, key=natural_key)}
    raise InputError(
        f"no train.csv or train.parquet in {data_dir}, its sub-folders, own/ or own-csv/, and no "
        "other CSV or Parquet files, expected your own data there; name the folder with --data-dir"
    )


def _plain_files(folder: Path) -> dict[str, Path]:
    """Returns name -> table file, for a folder of files that are a series each."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        extension = next((e for e in EXTENSIONS if path.name.lower().endswith(e)), None)
        if extension is None or not path.is_file():
            continue
        name = path.name[: -len(extension)]
        if name in STEMS:  # parts of one series, the training part not among them
            return {}
        if name in found:
            raise InputError(
                f"{folder} holds {found[name].name} and {path.name}, expected one of them; remove "
                "the other"
            )
        found[name] = path
    return found
