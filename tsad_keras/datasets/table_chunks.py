"""The rows of a table, chunk by chunk: conversion, and the checks across the borders of chunks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tsad_keras.datasets.base import check_values
from tsad_keras.datasets.table_cells import check_increasing, show_time, to_floats, to_times
from tsad_keras.datasets.table_columns import Roles
from tsad_keras.datasets.table_files import RawTable
from tsad_keras.errors import InputError

if TYPE_CHECKING:
    import pyarrow


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of a person's data.

    Attributes:
        values: Shape (num_timesteps, num_features), float64; NaN = missing.
        feature_names: Column names, length num_features.
        timestamps: Shape (num_timesteps,), float64 or datetime64[ns] (UTC if zones were given);
            None without a time column.
        labels: Shape (num_timesteps,), int8, 1 = anomalous; None without a label column.
        time_column: Name of the time column; None without one.
        first_row: Number of the first row in its file, from 1.
        time_kind: `"number"`, `"naive"` (dates without zone) or `"aware"`; None without times.
    """

    values: np.ndarray
    feature_names: tuple[str, ...]
    timestamps: np.ndarray | None = None
    labels: np.ndarray | None = None
    time_column: str | None = None
    first_row: int = 1
    time_kind: str | None = None

    @property
    def num_timesteps(self) -> int:
        """Number of rows."""
        return len(self.values)

    @property
    def num_features(self) -> int:
        """Number of feature columns."""
        return len(self.feature_names)


def convert_chunks(raw: RawTable, roles: Roles, chunk_size: int) -> Iterator[Table]:
    """Yields the tables of a file, checking times across the borders of chunks."""
    first_row, previous = 1, None
    for chunk in _rechunk(raw.open_batches(), chunk_size):
        table = _convert(raw, roles, chunk, first_row)
        if table.timestamps is not None:
            check_increasing(
                table.timestamps, previous, raw.names[roles.time], raw.source, first_row
            )
            previous = table.timestamps[-1]
        yield table
        first_row += table.num_timesteps


def _rechunk(batches: Iterator[pyarrow.RecordBatch], size: int) -> Iterator[pyarrow.RecordBatch]:
    """Cuts a stream of batches into batches of exactly `size` rows, but for the last."""
    waiting: list[pyarrow.RecordBatch] = []
    num_waiting = 0
    for batch in batches:
        while num_waiting + batch.num_rows >= size:
            taken = size - num_waiting
            yield _join([*waiting, batch.slice(0, taken)])
            batch, waiting, num_waiting = batch.slice(taken), [], 0
        if batch.num_rows:
            waiting.append(batch)
            num_waiting += batch.num_rows
    if waiting:
        yield _join(waiting)


def _join(batches: list[pyarrow.RecordBatch]) -> pyarrow.RecordBatch:
    import pyarrow

    if len(batches) == 1:
        return batches[0]
    columns = [
        pyarrow.concat_arrays([batch.column(i) for batch in batches])
        for i in range(batches[0].num_columns)
    ]
    return pyarrow.RecordBatch.from_arrays(columns, batches[0].schema.names)


def _convert(raw: RawTable, roles: Roles, batch: pyarrow.RecordBatch, first_row: int) -> Table:
    """Turns the columns of one batch into a `Table`."""
    where = (raw.source, first_row, raw.decimal)
    values = np.empty((batch.num_rows, len(roles.features)))
    for index, position in enumerate(roles.features):
        values[:, index] = to_floats(batch.column(position), raw.names[position], *where)
    check_values(values, roles.feature_names, raw.source, first_row=first_row)
    timestamps = labels = None
    if roles.time is not None:
        name = raw.names[roles.time]
        timestamps = to_times(batch.column(roles.time), roles.time_kind, name, *where)
    if roles.label is not None:
        name = raw.names[roles.label]
        numbers = to_floats(batch.column(roles.label), name, *where)
        wrong = np.flatnonzero(~np.isin(numbers, (0, 1)))
        if wrong.size:
            number = numbers[wrong[0]]
            raise InputError(
                f"{raw.source}: label column {name!r} holds "
                f"{'no label' if np.isnan(number) else show_time(number)} at data row "
                f"{first_row + wrong[0]}, expected 0 or 1; mend it, or rename the column if it is "
                "no label"
            )
        labels = numbers.astype(np.int8)
    time_name, time_kind = None, None
    if roles.time is not None:
        time_name, time_kind = raw.names[roles.time], roles.time_kind
    return Table(values, roles.feature_names, timestamps, labels, time_name, first_row, time_kind)


def concatenate(tables: list[Table]) -> Table:
    """Puts the chunks of one file together."""
    first = tables[0]
    if len(tables) == 1:
        return first
    return Table(
        np.concatenate([table.values for table in tables]),
        first.feature_names,
        None if first.timestamps is None else np.concatenate([t.timestamps for t in tables]),
        None if first.labels is None else np.concatenate([table.labels for table in tables]),
        first.time_column,
        first.first_row,
        first.time_kind,
    )
